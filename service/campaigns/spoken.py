"""Contacts that are written as they are said: « zéro six, 39 98… », « nom arobase site point fr », « mon-site point com »."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import regex

from model.text import fold

_UNITS: Final = ("zero", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf")
_TEENS: Final = {"dix": 10, "onze": 11, "douze": 12, "treize": 13, "quatorze": 14, "quinze": 15, "seize": 16}
_TENS: Final = {"vingt": 20, "trente": 30, "quarante": 40, "cinquante": 50, "soixante": 60, "septante": 70, "huitante": 80}
_MORE_TENS: Final = {"octante": 80, "nonante": 90}
_WORDS: Final = frozenset([*_UNITS, *_TEENS, *_TENS, *_MORE_TENS, "vingts", "une"])
_TOKEN: Final = regex.compile(r"\d+|\p{L}+|[^\s\p{L}\d]")
#: What may stand between the parts of a number that is said.
_BETWEEN: Final = frozenset([",", ".", "-", "–", "/", "…", "et", "puis", "(", ")", ":"])
_LENGTH: Final = 10
_SPOKEN_LEAST: Final = 2

_DOT: Final = r"(?:\s+point\s+|\s*[\(\[]\s*(?:point|dot|\.)\s*[\)\]]\s*|\.)"
_AT: Final = r"(?:\s+(?:arobase|arobas|at)\s+|\s*[\(\[]\s*(?:arobase|arobas|at|@|a)\s*[\)\]]\s*|@)"
_NAME: Final = r"[a-z0-9]{2,40}(?:(?:-|\s+tiret\s+(?:du\s+(?:six|haut|milieu)\s+)?)[a-z0-9]{1,40}){0,4}"
_ENDING: Final = r"(?:fr|com|org|net|eu|be|ch|ca|info|example|io|bio|shop|re)"
_EMAIL: Final = regex.compile(
    rf"(?<![\w.@-])(?P<user>{_NAME}(?:(?:\.|\s+point\s+){_NAME}){{0,3}}){_AT}(?P<host>{_NAME}){_DOT}(?P<end>{_ENDING})\b"
)
_SITE: Final = regex.compile(rf"(?<![\w.@-])(?P<host>{_NAME})(?:\s+point\s+|\s*[\(\[]\s*point\s*[\)\]]\s*)(?P<end>{_ENDING})\b")
#: A bare site before the full stop of its sentence.
_LAST: Final = regex.compile(rf"(?<![\w.@/-])(?P<host>[a-z0-9-]{{2,60}})\.(?P<end>{_ENDING})(?=[.!?…]+(?:\s|$))")
_HYPHEN: Final = regex.compile(r"\s+tiret\s+(?:du\s+(?:six|haut|milieu)\s+)?")

#: What a text must hold for each of these to be worth a search, which most texts do not: they are quick to look for.
_ANY_AT: Final = regex.compile(r"@|arobas|\sat\s|[(\[]\s*(?:at|a)\s*[)\]]")
_ANY_LAST: Final = regex.compile(rf"\.{_ENDING}[.!?…]")
_SAID: Final = rf"(?<!\p{{L}})(?:{'|'.join(sorted(_WORDS, key=len, reverse=True))})(?!\p{{L}})"
_ANY_SPOKEN: Final = regex.compile(rf"{_SAID}(?:[^\p{{L}}]|(?<!\p{{L}})(?:et|puis)(?!\p{{L}}))*+{_SAID}")


def spoken_contacts(text: str, entities: Sequence[Mapping[str, Any]] = ()) -> Iterator[dict[str, Any]]:
    """Entities (`kind`, `start`, `end`, `text`, `value`) that the ordinary forms miss: those that overlap none of `entities`.

    Of « nom (at) site.fr » the ordinary forms see the site alone: there the address that is said wins.
    """
    folded = fold(text)
    if len(folded) != len(text):
        return  # offsets would not hold
    found = [*_addresses(folded), *_phones(folded)]
    for kind, start, end, value in found:
        others = (one for one in entities if not (kind == "email" and one["kind"] == "url"))
        if not any(start < one["end"] and one["start"] < end for one in others):
            yield {"kind": kind, "start": start, "end": end, "text": text[start:end], "value": value}


def _addresses(text: str) -> Iterator[tuple[str, int, int, dict[str, str]]]:
    seen = []
    for match in _EMAIL.finditer(text) if _ANY_AT.search(text) else ():
        seen.append(match.span())
        user = regex.sub(r"\s+point\s+", ".", _HYPHEN.sub("-", match["user"]))
        yield "email", *match.span(), {"address": f"{user}@{_HYPHEN.sub('-', match['host'])}.{match['end']}"}
    sites = _SITE.finditer(text) if "point" in text else ()
    last = _LAST.finditer(text) if _ANY_LAST.search(text) else ()
    for match in (*sites, *last):
        if not any(match.start() < last and first < match.end() for first, last in seen):
            yield "url", *match.span(), {"url": f"{_HYPHEN.sub('-', match['host'])}.{match['end']}"}


def _phones(text: str) -> Iterator[tuple[str, int, int, dict[str, str]]]:
    """French numbers of ten digits (nine without the first zero, where most is said in words)."""
    if not _ANY_SPOKEN.search(text):
        return
    run: list[regex.Match[str]] = []
    for token in [*_TOKEN.finditer(text), None]:
        word = token.group() if token else ""
        if token and (word.isdigit() or word in _WORDS):
            run.append(token)
        elif word not in _BETWEEN or token is None:
            if run and (number := _number([one.group() for one in run])):
                yield "phone", run[0].start(), run[-1].end(), {"e164": number}
            run = []


def _number(words: list[str]) -> str | None:
    """The number in international form that words and digits say, if they say one."""
    spoken = sum(not word.isdigit() for word in words)
    digits = _digits(words)
    if spoken < _SPOKEN_LEAST or digits is None:
        return None
    if len(digits) == _LENGTH and digits[0] == "0" and digits[1] != "0":
        return f"+33{digits[1:]}"
    if len(digits) == _LENGTH + 1 and digits.startswith("33") and spoken == len(words):
        return f"+{digits}"
    plain = len(digits) == _LENGTH - 1 and digits[0] in "1234567" and spoken == len(words)
    return f"+33{digits}" if plain else None


def _digits(words: list[str]) -> str | None:
    digits = ""
    index = 0
    while index < len(words):
        word = words[index]
        if word.isdigit():
            digits += word
            index += 1
            continue
        value, index = _pair(words, index)
        if value is None:
            return None
        # « zéro six », « six » : one digit where a unit is said alone, two else.
        digits += str(value)
    return digits


def _pair(words: list[str], index: int) -> tuple[int | None, int]:
    """The number under a hundred that starts at a word, and the place after it."""
    word = words[index]
    following = words[index + 1] if index + 1 < len(words) else ""
    tens = (_TENS | _MORE_TENS).get(word)
    if word == "quatre" and following in ("vingt", "vingts"):
        tens, index = 80, index + 1
        following = words[index + 1] if index + 1 < len(words) else ""
    if tens is None:
        if word == "dix" and following in ("sept", "huit", "neuf"):
            return 10 + _UNITS.index(following), index + 2
        return (_TEENS[word] if word in _TEENS else _UNITS.index(word)) if word in _TEENS or word in _UNITS else None, index + 1
    if tens in (60, 80) and following in _TEENS:
        unit = _TEENS[following]
        after = words[index + 2] if index + 2 < len(words) else ""
        if following == "dix" and after in ("sept", "huit", "neuf"):
            return tens + 10 + _UNITS.index(after), index + 3
        return tens + unit, index + 2
    if following in ("un", "une"):
        return tens + 1, index + 2
    if following in _UNITS[1:]:
        return tens + _UNITS.index(following), index + 2
    return tens, index + 1
