"""Numbers and dates that name one person: social security numbers, bank accounts, bank cards, dates of birth; by form and key."""

from collections.abc import Iterator
from typing import Final, Literal

import regex

Kind = Literal["nir", "iban", "card", "birth"]

_GAP: Final = r"[ .\u00a0\u202f-]?"
#: Sex, year, month (20 and over: unknown), department (Corsica has letters), town, order, key.
_NIR: Final = regex.compile(
    rf"(?<![\d])[123478]{_GAP}\d{{2}}{_GAP}(?:0[1-9]|1[0-2]|[2-9]\d){_GAP}(?:\d{{2}}|2[ABab]){_GAP}\d{{3}}{_GAP}\d{{3}}"
    rf"(?:{_GAP}(?P<key>\d{{2}}))?(?!\d)"
)
_NIR_SAID: Final = regex.compile(r"(?i)\b(?:s[ée]cu\w*|nir|insee|immatriculation|carte vitale|n° ?ss)\b[^.!?\n]{0,40}$")
_NIR_KEY: Final = 97
#: Gaps of a number written as on the card: « 2 85 05 78 006 084 36 ».
_NIR_GAPS: Final = 6
_CORSICA: Final = {"2A": "19", "2B": "18"}

_IBAN: Final = regex.compile(r"(?i)(?<![\p{L}\d])[a-z]{2}\d{2}(?:[ \u00a0\u202f.-]?[a-z0-9]){11,30}")
_IBAN_SAID: Final = regex.compile(r"(?i)\b(?:iban|rib|compte|virement|vir[ée]\w*)\b[^!?\n]{0,60}$")
_IBAN_LENGTHS: Final = {
    **{"BE": 16, "NO": 15, "NL": 18, "DK": 18, "FI": 18, "LU": 20, "EE": 20, "AT": 20, "LT": 20, "CH": 21, "LV": 21, "HR": 21},
    **{"LI": 21, "DE": 22, "GB": 22, "IE": 22, "BG": 22, "RO": 24, "ES": 24, "SE": 24, "CZ": 24, "SK": 24, "TN": 24, "PT": 25},
    **{"FR": 27, "MC": 27, "IT": 27, "SM": 27, "GR": 27, "PL": 28, "HU": 28, "CY": 28, "MA": 28, "MT": 31},
}
_IBAN_KEY: Final = 97

_CARD: Final = regex.compile(r"(?<!\d)[3-6]\d{3}(?:[ .\u00a0\u202f-]?\d{4}){3}(?!\d)")
_MONTHS: Final = r"janv\w*|f[ée]v\w*|mars|avr\w*|mai|juin|juil\w*|ao[ûu]t|sept\w*|oct\w*|nov\w*|d[ée]c\w*"
_DATE: Final = rf"(?:\d{{1,2}}[/. -]\d{{1,2}}[/. -]\d{{2,4}}|(?:\d{{1,2}}|1er) (?:{_MONTHS})\.?(?: \d{{2,4}})?|\d{{4}}-\d\d-\d\d)"
_BIRTH: Final = regex.compile(
    rf"(?i)(?:\bn[ée]\(?e?\)?s? (?:le|un|en)|\bdate de naissance|\bnaissance|\bddn)\s*(?:le)?\s*:?\s*(?:\p{{L}}+di )?"
    rf"(?P<date>{_DATE}|(?:(?:{_MONTHS}) )?(?:19|20)\d\d)(?!\d)"
)


def identifiers(text: str) -> Iterator[tuple[Kind, int, int]]:
    """The kind and the place (code points, end excluded) of each such number or date; two never overlap."""
    found = sorted([*_accounts(text), *_social(text), *_cards(text), *_births(text)], key=lambda one: (one[1], -one[2]))
    last = 0
    for kind, start, end in found:
        if start >= last:
            yield kind, start, end
            last = end


def _social(text: str) -> Iterator[tuple[Kind, int, int]]:
    """A number whose key is right, or spaced as on the card; any of its form where the words before say what it is."""
    for found in _NIR.finditer(text):
        said = _NIR_SAID.search(text[max(0, found.start() - 80) : found.start()])
        spaced = found["key"] and len(regex.findall(r"\d[^\dABab]", found.group())) == _NIR_GAPS
        if said or spaced or (found["key"] and _nir_holds(found.group())):
            yield "nir", *found.span()


def _nir_holds(number: str) -> bool:
    """Whether the key is 97 less the number modulo 97, Corsica's letters read as 19 and 18 (INSEE)."""
    plain = regex.sub(r"[^\dABab]", "", number).upper()
    for letters, digits in _CORSICA.items():
        if plain[5:7] == letters:
            plain = plain[:5] + digits + plain[7:]
    return plain.isdigit() and _NIR_KEY - int(plain[:13]) % _NIR_KEY == int(plain[13:])


def _accounts(text: str) -> Iterator[tuple[Kind, int, int]]:
    """An account whose key is right (ISO 13616), of its country's length where the table holds it; or one that is announced."""
    for found in _IBAN.finditer(text):
        places = [place for place in range(*found.span()) if text[place].isalnum()]
        length = _IBAN_LENGTHS.get(found.group()[:2].upper())
        lengths = [length] if length else range(len(places), 14, -1)
        ends = [places[count - 1] + 1 for count in lengths if count <= len(places)]
        said = _IBAN_SAID.search(text[max(0, found.start() - 80) : found.start()])
        end = next((end for end in ends if _iban_holds(text[found.start() : end])), ends[0] if ends and length and said else 0)
        if end:
            yield "iban", found.start(), end


def _iban_holds(number: str) -> bool:
    plain = "".join(one for one in number.upper() if one.isalnum())
    if not plain.isascii():
        return False
    return int("".join(str(int(one, 36)) for one in plain[4:] + plain[:4])) % _IBAN_KEY == 1


def _cards(text: str) -> Iterator[tuple[Kind, int, int]]:
    """Sixteen digits whose key is Luhn's."""
    for found in _CARD.finditer(text):
        digits = [int(one) for one in found.group() if one.isdigit()][::-1]
        doubled = [sum(divmod(2 * one, 10)) for one in digits[1::2]]
        if (sum(digits[::2]) + sum(doubled)) % 10 == 0:
            yield "card", *found.span()


def _births(text: str) -> Iterator[tuple[Kind, int, int]]:
    yield from (("birth", *found.span("date")) for found in _BIRTH.finditer(text))
