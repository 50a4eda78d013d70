"""Cutting text into the word pieces of the sentence encoder: the likeliest cut of each word (unigram model, Kudo, ACL 2018)."""

import unicodedata
from functools import lru_cache
from typing import Final

from model.weights import Weights

_SPACE: Final = "▁"
_WORDS_KEPT: Final = 50_000
#: What a character that no piece holds costs, below the rarest piece, as the published tokenizer has it.
_UNKNOWN_COST: Final = 10.0
_LONGEST_WORD: Final = 64


class Pieces:
    """Cuts words one by one: no piece of the vocabulary spans a space, so known words keep their cut."""

    def __init__(self, weights: Weights) -> None:
        scores = weights.scores.tolist()
        self._numbers = {piece: number for number, piece in enumerate(weights.pieces) if piece}
        for special in (weights.begin, weights.end, weights.unknown):
            self._numbers.pop(weights.pieces[special], None)
        self._scores = scores
        self._longest = max(len(piece) for piece in self._numbers)
        self._unknown = weights.unknown
        self._unknown_score = min(scores) - _UNKNOWN_COST
        self.of_word = lru_cache(maxsize=_WORDS_KEPT)(self._cut)

    def of_text(self, text: str) -> list[int]:
        """The piece numbers of a text, without those of beginning and end; words beyond 64 characters are cut short."""
        return [piece for word in unicodedata.normalize("NFKC", text).split() for piece in self.of_word(word[:_LONGEST_WORD])]

    def _cut(self, word: str) -> tuple[int, ...]:
        """The cut of one word with the highest sum of scores (Viterbi)."""
        marked = _SPACE + word
        best = [0.0] + [float("-inf")] * len(marked)
        last: list[tuple[int, int]] = [(0, self._unknown)] * (len(marked) + 1)
        for first in range(len(marked)):
            if best[first] + self._unknown_score > best[first + 1]:
                best[first + 1] = best[first] + self._unknown_score
                last[first + 1] = (first, self._unknown)
            for after in range(first + 1, min(len(marked), first + self._longest) + 1):
                number = self._numbers.get(marked[first:after])
                if number is not None and best[first] + self._scores[number] > best[after]:
                    best[after] = best[first] + self._scores[number]
                    last[after] = (first, number)
        cut: list[int] = []
        at = len(marked)
        while at:
            at, number = last[at]
            cut.append(number)
        return tuple(reversed(cut))
