"""Near-duplicates by the Jaccard similarity of word 5-grams, all pairs at once through a sparse product."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

from model.text import clean, fold, words_of

NEAR: Final = 0.5
_GRAM: Final = 5


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two texts by position, `first < second`, and the Jaccard similarity of their word 5-grams in (0, 1]."""

    first: int
    second: int
    similarity: float


def _grams(text: str) -> list[str]:
    words = words_of(fold(clean(text).text))
    return [" ".join(words[i : i + _GRAM]) for i in range(max(1, len(words) - _GRAM + 1))]


def near_pairs(texts: Sequence[str], least: float = NEAR) -> list[NearPair]:
    """Pairs of texts whose similarity is `least` or more, sorted by position."""
    if len(texts) < 2:
        return []
    matrix = CountVectorizer(analyzer=_grams, binary=True, dtype=np.int32).fit_transform(texts).tocsr()
    sizes = np.asarray(matrix.sum(axis=1)).ravel()
    shared = (matrix @ matrix.T).tocoo()
    pairs = []
    for first, second, both in zip(shared.row, shared.col, shared.data, strict=True):
        if first < second:
            similarity = both / (sizes[first] + sizes[second] - both)
            if similarity >= least:
                pairs.append(NearPair(int(first), int(second), float(similarity)))
    return sorted(pairs, key=lambda pair: (pair.first, pair.second))
