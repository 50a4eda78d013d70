"""The feature blocks of `model.features`, one by one: their columns, and features that compute only some of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from scipy.sparse import csr_matrix, hstack

from model.encoder import DIMENSIONS
from model.features import PassageFeatures

#: The blocks in the order of the columns that `PassageFeatures.transform` gives; each has a parameter `<block>_weight`.
BLOCKS: Final = ("word", "character", "concept", "class", "vector")
_FITTED: Final[Mapping[str, tuple[str, ...]]] = {
    "word": ("words_",),
    "character": ("characters_",),
    "concept": ("concepts_",),
    "class": ("classes_", "scale_"),
    "vector": ("spread_",),
}

Weights = Mapping[str, float]


def columns_of(features: PassageFeatures) -> dict[str, slice]:
    """The columns of each block in what fitted features give."""
    found: dict[str, slice] = {}
    start = 0
    for block in BLOCKS:
        width = DIMENSIONS if block == "vector" else len(getattr(features, _FITTED[block][0]).vocabulary_)
        found[block] = slice(start, start + width)
        start += width
    return found


def all_blocks() -> Any:
    """Unfitted features with every block at weight 1."""
    return PassageFeatures().set_params(**{f"{block}_weight": 1.0 for block in BLOCKS})


def weighted(matrix: csr_matrix, columns: Mapping[str, slice], weights: Weights) -> csr_matrix:
    """The blocks that `weights` names of a matrix of all blocks at weight 1, each times its weight."""
    chosen = [matrix[:, columns[block]] * np.float32(weights[block]) for block in BLOCKS if weights.get(block)]
    return csr_matrix(hstack(chosen, format="csr", dtype=np.float32))


class SomeBlocks(PassageFeatures):
    """Features that hold and compute only the blocks of `weights`, taken from fitted features of all blocks."""

    def __init__(self, weights: Weights) -> None:
        super().__init__()
        self.weights = dict(weights)

    def taken_from(self, features: PassageFeatures) -> "SomeBlocks":
        """Take what the blocks learned; returns itself."""
        for block in BLOCKS:
            if self.weights.get(block):
                for name in _FITTED[block]:
                    setattr(self, name, getattr(features, name))
        return self

    def transform(self, passages: Sequence[Any]) -> csr_matrix:
        """A float32 matrix of shape (len(passages), features of the blocks); a passage needs only what they read."""
        made = [_MAKERS[block](self, passages) * np.float32(self.weights[block]) for block in BLOCKS if self.weights.get(block)]
        return csr_matrix(hstack(made, format="csr", dtype=np.float32))


def _classes(features: PassageFeatures, passages: Sequence[Any]) -> csr_matrix:
    classes = features.scale_.transform(features.classes_.transform([passage.classes for passage in passages]))
    classes.data = np.minimum(classes.data, 1.0)
    return classes


_MAKERS: Final[Mapping[str, Callable[[PassageFeatures, Sequence[Any]], csr_matrix]]] = {
    "word": lambda features, passages: features.words_.transform([passage.folded for passage in passages]),
    "character": lambda features, passages: features.characters_.transform([passage.folded for passage in passages]),
    "concept": lambda features, passages: features.concepts_.transform([passage.concepts for passage in passages]),
    "class": _classes,
    "vector": lambda features, passages: csr_matrix(features.vectors(passages)),
}
