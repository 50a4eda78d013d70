"""Rare words read in spite of their spelling: as they are heard, with one slip, or with their letters in another order.

« chiatsu », « litotérapie », « magnétiseusse », « aryuveda », « naturophate ». Only a word that is no French one is looked at, so
that « photothérapie » stays what it is.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import regex
from symspellpy import SymSpell, Verbosity

_SOUNDS: Final = (
    ("sch", "ch"), ("sh", "ch"), ("ph", "f"), ("th", "t"), ("qu", "c"), ("ck", "c"), ("k", "c"), ("y", "i"), ("w", "v"),
    ("z", "s"), ("rh", "r"), ("oe", "e"),
)  # fmt: skip
_TWICE: Final = regex.compile(r"(.)\1+")
_LEAST_HEARD: Final = 6
_LEAST_SLIPPED: Final = 7
_LONGEST: Final = 30


@lru_cache(maxsize=16384)
def sound_of(word: str) -> str:
    """How a folded word is heard: « chiatsu » as « shiatsu », « sofrologie » as « sophrologie »."""
    for written, heard in _SOUNDS:
        word = word.replace(written, heard)
    return _TWICE.sub(r"\1", word)


class Misspelt:
    """Folded words that may be read in spite of their spelling."""

    def __init__(self, words: Iterable[str]) -> None:
        """Index words; the first one comes before the others that are heard alike."""
        self._heard: dict[str, str] = {}
        self._letters: dict[str, set[str]] = {}
        self._slips = SymSpell(max_dictionary_edit_distance=1, prefix_length=7)
        for word in words:
            if not _LEAST_HEARD <= len(word) <= _LONGEST or not word.isalpha():
                continue
            self._heard.setdefault(sound_of(word), word)
            if len(word) >= _LEAST_SLIPPED:
                self._letters.setdefault(word[0] + "".join(sorted(word)), set()).add(word)
                self._slips.create_dictionary_entry(sound_of(word), 1)

    def meant(self, word: str) -> str | None:
        """The word that an unknown folded word of 6 letters or more misspells; None where there is none, or more than one.

        Heard alike; else the same letters from the same first one (7 letters or more); else one letter added, dropped, changed
        or swapped with its neighbour in what is heard, the first one kept (7 letters or more).
        """
        if not _LEAST_HEARD <= len(word) <= _LONGEST:
            return None
        if heard := self._heard.get(sound_of(word)):
            return heard
        if len(word) < _LEAST_SLIPPED:
            return None
        if len(same := self._letters.get(word[0] + "".join(sorted(word)), ())) == 1:
            return next(iter(same))
        return self._slipped(sound_of(word))

    def _slipped(self, heard: str) -> str | None:
        near = [found.term for found in self._slips.lookup(heard, Verbosity.ALL, max_edit_distance=1)]
        near = [term for term in near if term[0] == heard[0]]
        return self._heard[near[0]] if len({self._heard[term][:_LEAST_HEARD] for term in near}) == 1 else None
