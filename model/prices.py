"""Prices: amounts in digits or words, ranges, what they are for, instalments, and what is free."""

from collections.abc import Iterator
from typing import Final

import regex

from model.named import Entity, Value
from model.numerals import NUMBER_WORDS, number_of
from model.text import Span, fold

_CURRENCIES: Final = {
    "€": "EUR", "euro": "EUR", "euros": "EUR", "eur": "EUR", "e": "EUR",
    "chf": "CHF", "fr.": "CHF", "frs": "CHF", "francs suisses": "CHF",
    "$": "CAD", "dollars": "CAD", "fcfa": "XOF", "francs cfa": "XOF", "xpf": "XPF", "balles": "EUR",
}  # fmt: skip
_CURRENCY: Final = r"(?:€|\$|fr\.|(?:euros?|eur|chf|frs|francs suisses|dollars|fcfa|francs cfa|xpf|balles)(?!\w))"
_DIGITS: Final = r"(?:\d{1,3}(?:[ .']\d{3}){1,3}(?!\d)|\d{1,7})"
_NUMBER: Final = rf"{_DIGITS}(?:[,.](?:\d{{1,2}}(?!\d)|-))?"
_WORDS: Final = rf"(?:{'|'.join(sorted(NUMBER_WORDS, key=len, reverse=True))})"
_SPELT: Final = rf"{_WORDS}(?:(?: et |-et-|[ -]){_WORDS}){{0,15}}+"
_AMOUNT: Final = rf"(?:{_NUMBER}(?: ?k(?=[ €]))?|{_SPELT})"
_COUNT: Final = r"(?:\d{1,2}|deux|trois|quatre|cinq|six|sept|huit|neuf|dix|onze|douze|vingt-quatre)"
_PER_WORDS: Final = {
    "seance": "session", "seances": "session", "consultation": "session", "rendez-vous": "session", "rdv": "session",
    "soin": "session", "massage": "session", "tirage": "session", "bilan": "session",
    "h": "hour", "heure": "hour", "jour": "day", "journee": "day", "nuit": "night", "nuitee": "night",
    "semaine": "week", "week-end": "weekend", "weekend": "weekend", "mois": "month", "an": "year", "annee": "year",
    "personne": "person", "pers": "person", "participant": "person", "participante": "person", "couple": "couple",
    "programme": "programme", "forfait": "programme", "parcours": "programme", "pack": "programme", "cure": "programme",
    "accompagnement": "programme", "abonnement": "programme",
    "mensuel": "month", "mensuels": "month", "annuel": "year", "annuels": "year",
    "formation": "training", "module": "training", "cursus": "training", "initiation": "training",
    "stage": "workshop", "atelier": "workshop", "cours": "workshop", "retraite": "stay", "sejour": "stay", "voyage": "stay",
}  # fmt: skip
_PAID: Final = rf"(?:{'|'.join(sorted(_PER_WORDS, key=len, reverse=True))})"
_PER: Final = rf"(?P<per>{_PAID})(?!\w| et demie)"
# The texts are folded, so that their characters are those of the clean text, in lower case and without accents.
_PRICE: Final = regex.compile(
    rf"(?<![\d,.]|[^\W\dx])(?:(?P<count>{_COUNT})"
    r"(?: ?x ?| fois | (?:mensualites|versements|paiements|echeances|cheques|mois) (?:de|a) ))?"
    rf"(?:(?<=\bentre )(?P<low>{_AMOUNT}) ?{_CURRENCY}? et "
    rf"|(?:(?P<low>{_NUMBER}) ?{_CURRENCY}? ?/ ?){{1,4}}+(?=\d)"
    rf"|(?P<low>{_AMOUNT}) ?{_CURRENCY}?(?: a | ?- ?)(?=\d|{_WORDS}))?"
    rf"(?P<high>{_AMOUNT}) ?(?P<currency>{_CURRENCY})"
    r"(?:(?P<after>\d{2})(?!\d| ?(?:€|euro))| (?P<after>\d{2})(?= ?(?:$|[.;!?)\n]|la |le |l'|par |ttc))"
    r"| (?:et )?(?P<after>\d{1,2}) ?(?:centimes?|cts?)(?!\w))?"
    rf"|(?<!\w)(?P<currency>€|chf|\$) ?(?P<high>{_NUMBER})(?!\d)"
    # « 45e la séance » and « 80.- » are prices, « 45e anniversaire » and « 80. » are not.
    rf"|(?<![\w.,])(?P<high>\d{{2,4}})(?P<currency>e)(?= ?(?:/|par |la |le |l'|de l'|les ){_PAID}(?!\w))"
    rf"|(?<![\w.,])(?P<high>\d{{2,5}}[.,]-)(?![\w-])"
)
_AFTER: Final = regex.compile(
    rf" ?(?:ttc|ht|net|tout compris|canadiens|can)? ?"
    rf"(?:(?:/|(?:par|la|le|l'|les|de l'|de la|chaque|pour (?:la|le|l'|une?)) ?){_PER}|(?P<per>mensuels?|annuels?)(?!\w))"
)
_BEFORE: Final = regex.compile(
    rf"(?<!\w)(?<!(?:[2-9]|\d\d|deux|trois|quatre|cinq|six|sept|huit|neuf|dix|douze) ){_PER}(?=[^.;!?€\n]{{0,40}}$)"
)
# What follows tells what is paid, and it is no word of the table: a thing (« 9 € la tisane »).
_THING: Final = regex.compile(r" (?:l'|(?:la|le) (?!seul|tout))[a-z]")
# How many sessions, lessons… an amount pays: « 5 séances : 350 € », « carte de 10 cours, 110 € ».
_BUNDLE: Final = regex.compile(
    rf"(?<![\w/])(?P<units>{_COUNT}) (?:seances?|soins?|cours|consultations?|rendez-vous|rdv|massages?|ateliers?|tirages?)(?!\w)"
    r"(?: (?!par |chaque |de \d)[a-z'-]+){0,3} ?(?:[:=,(–-]|a|pour)? ?$"
)
_INSTEAD: Final = regex.compile(r"(?:au lieu d[e'u]|valeur(?: de)?|prix barre) ?:? ?$")
_SEVERAL: Final = regex.compile(
    rf"^[^.;!?€\n]{{0,25}}?"
    rf"(?:(?:pendant|sur|durant) (?:(?P<count>{_COUNT}) mois|(?P<years>un|1|deux|2|trois|3) ans?(?!\w))"
    rf"|en (?P<count>{_COUNT}) fois|x ?(?P<count>\d{{1,2}})(?!\w))"
)
_FREE: Final = regex.compile(
    r"(?<!\w)(?:gratuit(?:e|s|es|ement)?|(?P<choice>(?:prix|participation|tarif|don|contribution) (?:libre|conscient|consciente))"
    r"(?: et (?:conscient|consciente))?)(?!\w)"
)
_NOT: Final = regex.compile(r"(?:\b(?:pas|non|jamais|rien de|plus|ni)|n'est) $")
_LOOK: Final = 60


def find_prices(text: str) -> Iterator[Entity]:
    """The prices of a clean text, in order.

    Values: `amount` and `currency`; `to`, the upper end of a range; `per`, what the amount pays (`session`, `hour`, `month`,
    `programme`, `training`…); `units`, how many sessions it pays together; `instalments`, how many payments, with their
    `total`; `instead`, true for a price that another one replaces (« au lieu de 120 € »); `free` where nothing is asked,
    `choice` where one gives what one likes (amount 0).
    """
    folded = fold(text)
    for match in _PRICE.finditer(folded):
        if (value := _value(match, folded)) is not None:
            yield Entity("price", Span(*match.span()), value)
    for match in _FREE.finditer(folded):
        if not _NOT.search(folded[max(0, match.start() - 10) : match.start()]):
            kind = "choice" if match["choice"] else "free"
            yield Entity("price", Span(*match.span()), Value({"amount": 0, "currency": "EUR", kind: True}))


def _value(match: regex.Match[str], text: str) -> Value | None:
    after = text[match.end() : match.end() + _LOOK]
    before = text[max(0, match.start() - _LOOK) : match.start()]
    given = [_amount(low, None) for low in match.captures("low")]
    high = _amount(match["high"], match["after"])
    if high is None and before.endswith("entre "):  # « entre deux cents et trois cents euros » is written as one number
        least, _, most = match["high"].rpartition(" et ")
        given, high = ([_amount(least, None)], _amount(most, None)) if least else (given, None)
    if high is None:
        return None
    ends = sorted({high, *(low for low in given if low is not None)})
    value = Value(amount=_plain(ends[0]), currency=_CURRENCIES.get(match["currency"] or "chf", "EUR"))
    if len(ends) > 1:
        value["to"] = _plain(ends[-1])
    if paid := _AFTER.match(after):
        value["per"] = _PER_WORDS[paid["per"]]
    elif bundle := _BUNDLE.search(before):
        value |= {"per": "programme", "units": _count(bundle["units"])} if _count(bundle["units"]) > 1 else {"per": "session"}
    elif not _THING.match(after) and (told := list(_BEFORE.finditer(before))):
        value["per"] = _PER_WORDS[told[-1]["per"]]
    if _INSTEAD.search(before):
        value["instead"] = True
    _add_instalments(value, match, after)
    return value


def _add_instalments(value: Value, match: regex.Match[str], after: str) -> None:
    if match["count"]:
        count, each = _count(match["count"]), True
    elif several := _SEVERAL.match(after):
        years = several["years"]
        # A month's price for years; any other price « sur un an » says nothing of payments.
        count = 12 * _count(years) if years and value.get("per") == "month" else _count(several["count"] or "1")
        each = " fois" not in several.group()
    else:
        return
    if count > 1 and "to" not in value:
        value["instalments"] = count
        value["total"] = _plain(value["amount"] * count) if each else value["amount"]


def _count(written: str) -> int:
    return int(written) if written.isdigit() else number_of(regex.split(r"[ -]", written)) or 0


def _plain(amount: float) -> int | float:
    return int(amount) if float(amount).is_integer() else round(float(amount), 2)


def _amount(written: str, cents: str | None) -> float | None:
    """The amount that digits or words write; None for words that write no number."""
    if written[0].isalpha():
        number = number_of(regex.split(r"[ -]", written))
        return None if number is None else number + int(cents or 0) / 100
    thousands = written.endswith("k")
    written = written.rstrip("k ")
    parts = regex.fullmatch(rf"(?P<whole>{_DIGITS})(?:[,.](?P<cents>\d{{1,2}}|-))?", written)
    if parts is None:
        return None
    whole = "".join(character for character in parts["whole"] if character.isdigit())
    fraction = (parts["cents"] or "").rstrip("-") or (cents or "0")
    return float(f"{whole}.{fraction}") * (1_000 if thousands else 1)
