"""Whether the words around a contact give it as the author's own, whatever else the text says.

A seller who attacks medicine is read as warning; so is an association that does warn. Both give their own contacts in the same
few ways: speaking of themselves (« écrivez-nous »), as on a card (« Réservations au », « Permanence : »), or as a signature.
A sentence that speaks of somebody else, or quotes, gives nobody's own.
"""

from functools import cache
from typing import Final

import regex

from model.text import fold

_BEFORE: Final = 160
#: The same in a text that warns of nobody, whose sentences are those of a notice: « Les candidatures se déposent avant le… à ».
_IN_NOTICE: Final = 9
#: Words of a card that stand between its noun and the contact: « souhaitée à l'adresse », « uniquement par SMS ».
_AFTER_NOUN: Final = 5
_SIGNED: Final = 4

_STOP: Final = regex.compile(r"(?<![.!?…])[.!?…]+[\s»\")]|\n")
_PART: Final = regex.compile(r"[,;:–—(|/]|\s-\s")
#: « tél. », « n° » and what else ends in a full stop without ending the sentence.
_SHORT: Final = regex.compile(r"\b(tel|mob|port|adr|ins|infos|contact|sms)\.(?=\s)")
_SELF: Final = regex.compile(
    r"\b(?:moi|nous|(?:notre|nos|mon|mes|ma)(?! (?:\w+ )?(?:mere|pere|maman|papa|parents?|soeurs?|freres?|filles?|fils|mari"
    r"|femme|tante|oncle|cousine?s?|grand|belle|beau|voisine?s?|amie?s?|copine|copain|compagne|compagnon|conjointe?|epouse"
    r"|epoux|enfants?|bebe|medecins?|docteur|oncologue|generaliste|psychiatre|collegues?)\b)"
    r"|me|je suis|je recois|je reponds|m'(?:ecrire|appeler|envoyer)|m'ecris|mecrire)\b"
    r"|\b(?:ecris|ecrivez|appelle|appelez|contacte|contactez|joins|joignez|rejoins|rejoignez)-(?:moi|nous)\b"
)
_OTHER: Final = regex.compile(
    r"\b(?:il|ils|elle|elles|son|sa|ses|leur|leurs|lui|eux|celui|celle|ceux|cette|cet|ces|ce|dit|disait"
    r"|propose|proposait|pretend|pretendait|annonce|annoncait|affiche|affichait|pose|a pose)\b"
)
_REFUSED: Final = regex.compile(
    r"\b(?:ne|n'|\w+(?:ez|ons|er) (?:surtout )?(?:pas|plus|jamais)|surtout pas|jamais|bloqu\w+|refus\w+|fuy\w+|evit\w+"
    r"|mefi\w+|signal\w+ (?:le|ce|la|cette)|sans rappeler)\b"
)
#: « …, on vous orientera ».
_WE_YOU: Final = regex.compile(r"[\s,;:)–—-]*(?:on|je|nous) (?:vous|te)\b")
_REACH: Final = regex.compile(r"[^\p{L}]*|\S+[.@]\S+")
_NAME: Final = regex.compile(
    r"\p{Lu}[\p{L}'’-]*\.?|\p{So}+|(?i:le|la|les|l'|d'|de|du|des|et|a|ou|&|tel|tel\.|tél|tél\.|mobile|sms|mail)"
)


@cache
def _card() -> "regex.Pattern[str]":
    nouns = (
        r"reservations?|inscriptions?|rendez-vous|rdv|renseignements?|informations?|infos?|contacts?|permanence|telephone|tel"
        r"|mobile|portable|whatsapp|sms|mp|secretariat|accueil|commandes?|commander|reponses?|questions?|adhesions?|devis"
        r"|candidatures?|cv|brochure|documentation|dossier|message|pouvoirs?"
        r"|pour (?:voir|reserver|s'inscrire|commander|venir|participer|adherer|temoigner|tout renseignement|plus d'infos?)"
    )
    # « Appeler la Miviludes au… » gives somebody else's: an infinitive counts where nobody is named after it.
    asks = (
        r"(?:appeler|telephoner|ecrire|joindre|rappeler|reserver|s'adresser|repondre|envoyer|prevenir|annuler"
        r"|appelez|telephonez|ecrivez|repondez|envoyez|prevenez|reservez|inscrivez-vous|adressez-vous)"
        r"(?=\s*:|\s+(?:au?|par|en|aux|apres|entre|le matin|le soir|la veille|sur)\b)"
    )
    return regex.compile(rf"(?:.*[^\p{{L}}\d-])?(?:{nouns}|{asks})\b(?P<rest>.*)$", regex.DOTALL)


@cache
def _institution() -> "regex.Pattern[str]":
    """An institution that the contact after it is of: « L'hôpital, 02… », « votre médecin au 02… », « Standard : 02… »."""
    who = (
        r"(?:chu|chru|chr|hopital|hopitaux|centre hospitalier|samu|urgences|mairie|prefecture|gendarmerie|commissariat"
        r"|medecin|generaliste|oncologue|cancerologue|cardiologue|psychiatre|pediatre|gynecologue|centre antipoison)s?"
    )
    asked = r"(?:inscri\w+|s'adresser|adressez-vous|renseign\w+|appel\w+|telephon\w+|reserv\w+|joindre|joignez|contact\w+)"
    desk = r"(?:standard|numero|accueil|secretariat|telephone|ligne|service|contact)"
    named = (
        r"(?:(?<!\b(?:a|de|en|derriere|devant|vers|dans|par) ?)"
        r"(?:le |la |l'|les |votre |ton |son |leur |notre |mon )"
        rf"|^[^\p{{L}}]*|[:,(–—-]\s*|{asked} (?:a |aupres |au |aux |a l'|a la )*(?:du |de la |de l'|des |la |le |l')?"
        rf"|{desk} (?:du |de la |de l'|des |de votre |de mon )){who}"
    )
    after = r"(?: (?:de|d'|du|des|de la|de l'|traitant|municipal\w*|regional\w*|universitaire|general\w*)(?: ?[\p{L}-]+)?){0,2}"
    name = r"(?P<name>(?: [\p{L}'-]+){1,2})??"
    link = r"[\s,:(–—-]*(?:\b(?:au|par|tel|telephone|numero|est|joignable|repond|le)\b[\s.:,(]*){0,3}"
    return regex.compile(rf"(?:{named}{after}{name}|\bstandard(?: (?:de|du|d')[^,:;(]{{1,40}})?){link}$")


def of_institution(text: str, start: int) -> bool:
    """Whether the words right before a contact say that it is a hospital's, a town hall's, a doctor's, a switchboard's."""
    before = text[max(0, start - _BEFORE) : start]
    folded = fold(before)
    if len(folded) != len(before):
        return False
    folded = _SHORT.sub(lambda found: f"{found[1]} ", folded)
    first = _last(_STOP, folded)
    found = _institution().search(folded[first:])
    if found is None:
        return False
    name = found["name"]
    place = first + found.start("name") + 1
    return not name or before[place : place + 1].isupper()


def given_as_own(text: str, start: int, end: int, *, alone: bool = True, warns: bool = True) -> bool:
    """Whether the contact in code points `start` to `end` of a text is given as the author's own.

    `warns`: the text is read as warning of somebody. `alone`: one that stands for itself, as a signature, counts; a name of
    account would be somebody addressed.
    """
    if _quoted(text, start):
        return False
    before = text[max(0, start - _BEFORE) : start]
    folded = fold(before)
    if len(folded) != len(before):
        return False
    folded = _SHORT.sub(r"\1 ", folded)
    sentence = folded[_last(_STOP, folded) :]
    if _REFUSED.search(sentence):
        return False
    if _SELF.search(sentence):
        return True
    if _OTHER.search(sentence):
        return False
    card = _card().search(sentence)
    if not warns and _WE_YOU.match(fold(text[end : end + _BEFORE])):
        return True
    longest = _AFTER_NOUN if warns else _IN_NOTICE
    return (card is not None and len(card["rest"].split()) <= longest) or (alone and _signs(before, text[end:]))


def _last(pattern: "regex.Pattern[str]", text: str) -> int:
    return max((match.end() for match in pattern.finditer(text)), default=0)


def _quoted(text: str, start: int) -> bool:
    opened = text.rfind("«", 0, start)
    straight = text.count('"', 0, start) % 2 == 1 and text.find('"', start) >= 0
    return straight or (opened >= 0 and text.find("»", opened, start) < 0 <= text.find("»", start))


def _signs(before: str, after: str) -> bool:
    """Whether a contact stands alone but for a name and other contacts: « Thaddée, 05 36… », « 06 39… jour et nuit »."""
    if _OTHER.search(fold(after[:_BEFORE][: _first_stop(after[:_BEFORE])])):
        return False
    line = before[before.rfind("\n") + 1 :]
    words = _PART.sub(" ", line[_last(_STOP, line) :]).split()
    return len(words) <= _SIGNED and all(_NAME.fullmatch(word) or _REACH.fullmatch(word) for word in words)


def _first_stop(text: str) -> int:
    found = _STOP.search(text)
    return found.start() if found else len(text)
