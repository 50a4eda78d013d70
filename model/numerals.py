"""Numbers written in French words: « cent vingt », « quatre-vingt-dix-sept », « deux mille cinq cents », « septante »."""

from collections.abc import Sequence
from typing import Final

_UNITS: Final = (
    "zero", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze", "treize", "quatorze",
    "quinze", "seize",
)  # fmt: skip
_TENS: Final = {
    "vingt": 20, "vingts": 20, "trente": 30, "quarante": 40, "cinquante": 50, "soixante": 60, "septante": 70, "huitante": 80,
    "octante": 80, "nonante": 90,
}  # fmt: skip
_SMALL: Final = {word: value for value, word in enumerate(_UNITS)} | {"une": 1} | _TENS
#: Every folded word that a number may hold, « et » apart.
NUMBER_WORDS: Final = (*_SMALL, "cent", "cents", "mille", "mil")


def number_of(words: Sequence[str]) -> int | None:
    """The number, 0 to 999,999, that folded words write (« et » may stand among them); None where they write none."""
    total = current = 0
    last = 1_000  # the size of the last part: within a hundred, each is smaller than the one before
    for word in words:
        if word == "et":
            continue
        if word in ("mille", "mil"):
            if total:
                return None
            total, current, last = (current or 1) * 1_000, 0, 1_000
        elif word in ("cent", "cents"):
            if current > 9:
                return None
            current, last = (current or 1) * 100, 100
        elif word in ("vingt", "vingts") and current % 100 == 4 and last <= 9:
            current, last = current + 76, 80
        else:
            value = _SMALL.get(word)
            if value is None or not _fits(value, last):
                return None
            current, last = current + value, value or 1
    return total + current


def _fits(value: int, last: int) -> bool:
    """Whether a part may follow one of this size: « soixante-dix » and « dix-sept », not « dix-vingt » nor « deux trois »."""
    if last >= 100:
        return True
    if last in (60, 80):
        return value < 20
    if last == 10:
        return 7 <= value <= 9
    return last >= 20 and value < 10
