"""How to reach somebody, and the numbers that name one, however they are written: « 0 6 3 9… », « isa(at)site(dot)fr »."""

from collections.abc import Iterator
from typing import Final

import regex

from model.entities import find_contacts
from model.text import fold
from service.campaigns.spoken import spoken_contacts
from service.privacy.addresses import addresses_in
from service.workplace.identifiers import identifiers

Found = tuple[str, int, int]

_EMAIL: Final = regex.compile(r"(?<![\w.+-])[\w.+-]{1,64}+@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}")
_AT: Final = r" ?[\[({<]? ?(?:@|\bat\b|\barobase\b|\barobas\b|\bchez\b) ?[\])}>]? ?"
_DOT: Final = r"(?: ?[\[({<] ?(?:dot|point|\.) ?[\])}>] ?| (?:point|dot) |\.)"
#: Its ending may be any word: what is written this way is an address.
_SAID_EMAIL: Final = regex.compile(
    rf"(?<![\w.+-])[\w+-]{{1,40}}(?:{_DOT}[\w+-]{{1,40}}){{0,2}}(?:{_AT}|\(a\))[\w-]{{2,63}}(?:{_DOT}[\w-]{{2,63}}){{0,2}}{_DOT}[a-z]{{2,12}}(?!\w)"
)
_URL: Final = regex.compile(r"\b(?:https?://|www\.)[^\s<>\"']{2,500}", regex.IGNORECASE)
_HANDLE: Final = regex.compile(r"(?<![\w.@/])@\w[\w.-]{1,40}(?<![.-])")
#: Words that are addressed to everybody.
_NO_HANDLE: Final = frozenset(["@tous", "@toutes", "@all", "@everyone", "@here", "@followers", "@channel", "@moi", "@vous"])
_PLATFORM: Final = regex.compile(
    r"(?<!\w)(?:instagram|insta|ig|tiktok|tik tok|facebook|fb|messenger|telegram|snapchat|snap|twitter|threads|youtube|twitch"
    r"|linkedin|discord|pseudo|compte|page|chaine)(?: (?:c'est|est|officiel(?:le)?|perso))? ?[:=>] ?"
    r"(?P<name>[a-z0-9](?:[\w.-]{1,38}[\w]))(?![\w@])"
)
_MARKED: Final = regex.compile(r"[\d._]")
_SEPARATOR: Final = r"(?:[ .,/_•·*|~-]| [./_•·*|~-] )"
_ZERO: Final = r"(?:(?:\+|00) ?\d{2,3} ?(?:\(0\) ?)?|\(?[0Oo]\)?)"
#: Ten digits together, by pairs, or one by one; the first may be the letter.
_PHONE: Final = regex.compile(
    rf"(?<![\w.,/-])(?:{_ZERO}[1-9]\d{{8}}|{_ZERO}{_SEPARATOR}?[1-9](?:{_SEPARATOR}\d\d){{4}}"
    r"|[0Oo](?:[ .-]\d){9})(?![\d€])"
)
_NUMBER: Final = r"(?P<number>(?:FR ?)?(?:[A-Z] ?)?\d(?:[ .\u00a0\u202f-]?\d){4,15})(?!\w)"
#: The number that the words before say to be one of a register; words that are said of other things want « n° ».
_REGISTERED: Final = (
    regex.compile(rf"(?i:\b(?:sire[nt]|rpps|adeli|rna|tva|finess|nda|rcs)\b)[^\d\n]{{0,25}}?{_NUMBER}"),
    regex.compile(
        r"(?i:\b(?:ordre|carte|licence|agr[ée]ment|d[ée]claration|inscription|immatricul\w{1,10})\b)"
        rf"[^\d\n]{{0,25}}?(?i:n[°o])[ :]*{_NUMBER}"
    ),
)
#: Sixteen digits that a card is said to have, whatever their key.
_CARD: Final = regex.compile(
    r"\b(?:carte|cb|visa|mastercard)\b[^\d\n]{0,40}(?P<number>\d{4}(?:[ .\u00a0\u202f-]?\d{4}){3})(?!\d)", regex.IGNORECASE
)


def reach_in(text: str) -> Iterator[Found]:
    """Kind and place (code points, end excluded) of each way to reach somebody and each number of one; some may overlap."""
    for one in find_contacts(text):
        if one.kind != "handle" or text[one.span.start : one.span.end].lower() not in _NO_HANDLE:
            yield one.kind, one.span.start, one.span.end
    for kind, pattern in (("email", _EMAIL), ("url", _URL), ("phone", _PHONE)):
        yield from ((kind, *found.span()) for found in pattern.finditer(text))
    yield from (("handle", *found.span()) for found in _HANDLE.finditer(text) if found.group().lower() not in _NO_HANDLE)
    yield from identifiers(text)
    for pattern in _REGISTERED:
        yield from (("registration", *found.span("number")) for found in pattern.finditer(text))
    yield from (("card", *found.span("number")) for found in _CARD.finditer(text))
    yield from _said(text)
    yield from (("address", *place) for place in addresses_in(text))


def _said(text: str) -> Iterator[Found]:
    folded = fold(text)
    if len(folded) != len(text):
        return  # offsets would not hold
    yield from ((one["kind"], one["start"], one["end"]) for one in spoken_contacts(text))
    if any(mark in folded for mark in ("@", "arobas", "(a", "[a", "{a", " at ")):
        yield from (("email", *found.span()) for found in _SAID_EMAIL.finditer(folded))
    for found in _PLATFORM.finditer(folded):
        if _MARKED.search(found["name"]):
            yield "handle", *found.span("name")
