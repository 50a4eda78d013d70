"""The signatures that near-duplicates are found by: runs of words, their least hashes under permutations, and the bands of these.

Broder (1997), https://doi.org/10.1109/SEQUEN.1997.666900; bands as in Leskovec, Rajaraman and Ullman, « Mining of Massive
Datasets », chapter 3. With 24 bands of 3 values, a text of likeness 0.5 is met with a probability of 0.96, of 0.6 with
0.997, and one of likeness 0.05 with 0.003.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from typing import Final

import numpy as np
import regex
from datasketch import MinHash
from numpy.typing import NDArray

from model.text import clean, fold, words_of

BANDS_OF: Final = 24
ROWS_OF: Final = 3
VALUES: Final = BANDS_OF * ROWS_OF
_SEED: Final = 1
_SCHEME: Final = "affine32"
_GRAM: Final = 5
_SHORT_GRAM: Final = 3
_SHORT: Final = 20
#: Runs of words that are hashed at once: 72 numbers of four bytes each.
_AT_ONCE: Final = 16_384
_DIGEST: Final = 5
#: Characters that cleaning leaves alone, or turns into others that are in no word.
_PLAIN: Final = regex.compile(r"[\s!-%'-;=-_a-~À-ÅÇ-Þà-åç-ÿ’«»…–—•€°\U0001F300-\U0001FAFF]*+")
_MIX: Final = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB], dtype=np.uint64)

Values = NDArray[np.uint32]
Keys = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Signature:
    """`values`: the 72 least hashes; `grams`: the hash of each run of words, sorted, each once. Both empty without a word."""

    values: Values
    grams: Values


def grams(text: str) -> frozenset[str]:
    """The runs of five words of a text, without case nor accents; of three in a text of under twenty words."""
    words = words_of(fold(text if _PLAIN.fullmatch(text) else clean(text).text))
    size = _GRAM if len(words) >= _SHORT else _SHORT_GRAM
    return frozenset(" ".join(words[i : i + size]) for i in range(max(1, len(words) - size + 1))) if words else frozenset()


def likeness(first: frozenset[str], second: frozenset[str]) -> float:
    """Jaccard similarity of two sets, in [0, 1]; 0 where both are empty."""
    both = len(first & second)
    return both / (len(first) + len(second) - both) if both else 0.0


def hashes_of(text: str) -> Values:
    """The hash of each run of words of a text, in 32 bits, sorted, each once: of two million, one pair is taken for one."""
    digests = b"".join(sha1(gram.encode(), usedforsecurity=False).digest() for gram in grams(text))
    return np.unique(np.frombuffer(digests, dtype="<u4")[::_DIGEST])


def likenesses(own: Values, others: Sequence[Values]) -> list[float]:
    """The likeness of texts to one, by the hashes of their runs of words; none is empty."""
    sizes = np.array([one.size for one in others])
    joined = np.concatenate(others)
    places = np.minimum(np.searchsorted(own, joined), own.size - 1)
    both = np.add.reduceat(own[places] == joined, np.cumsum([0, *sizes])[:-1], dtype=np.int64)
    found: list[float] = (both / (own.size + sizes - both)).tolist()
    return found


def signatures_of(texts: Mapping[str, str]) -> dict[str, Signature]:
    """The signatures of texts by their identifier: what takes long of indexing them, out of any transaction."""
    hashed = {id: hashes_of(text) for id, text in texts.items()}
    return {id: Signature(values, hashed[id]) for lot in _lots(hashed) for id, values in _least(lot)}


def _lots(hashed: Mapping[str, Values]) -> Iterator[dict[str, Values]]:
    lot: dict[str, Values] = {}
    size = 0
    for id, found in hashed.items():
        if lot and size + found.size > _AT_ONCE:
            yield lot
            lot, size = {}, 0
        lot[id] = found
        size += found.size
    if lot:
        yield lot


def _least(hashed: Mapping[str, Values]) -> Iterator[tuple[str, Values]]:
    """The least hash of the runs of words under each of 72 permutations: those of `datasketch`, for many texts at once."""
    some = {id: found for id, found in hashed.items() if found.size}
    yield from ((id, np.empty(0, dtype=np.uint32)) for id in hashed.keys() - some.keys())
    if some:
        factors, terms = _permutations()
        permuted = _mixed(np.concatenate(list(some.values())))[:, None] * factors + terms
        starts = np.cumsum([0, *(found.size for found in some.values())])[:-1]
        yield from zip(some, np.minimum.reduceat(permuted, starts, axis=0), strict=True)


@cache
def _permutations() -> tuple[Values, Values]:
    made = MinHash(num_perm=VALUES, seed=_SEED, scheme=_SCHEME).permutations
    return np.asarray(made[0], dtype=np.uint32), np.asarray(made[1], dtype=np.uint32)


def _mixed(values: Values) -> Values:
    """The last step of MurmurHash3, which `datasketch` takes before it permutes."""
    mixed = values.astype(np.uint32)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        mixed = (mixed ^ (mixed >> np.uint32(shift))) * np.uint32(factor)
    return mixed ^ (mixed >> np.uint32(16))


def matrix_of(signatures: Iterable[bytes]) -> Values:
    """Signatures as they are kept, a row each of 72 values."""
    return np.frombuffer(b"".join(signatures), dtype="<u4").reshape(-1, VALUES)


def bands_of(values: Values) -> Keys:
    """The keys of the bands of signatures (a row each): 24 numbers of 64 bits, the same for the same three values of a band.

    They are kept: what they are made of never changes.
    """
    parts = values.reshape(-1, BANDS_OF, ROWS_OF).astype(np.uint64)
    keys = (parts[:, :, 0] << np.uint64(32) | parts[:, :, 1]) + np.arange(1, BANDS_OF + 1, dtype=np.uint64) * _MIX[0]
    keys = (keys ^ (keys >> np.uint64(30))) * _MIX[1] + parts[:, :, 2]
    keys = (keys ^ (keys >> np.uint64(27))) * _MIX[2]
    made: Keys = (keys ^ (keys >> np.uint64(31))).view(np.int64)
    return made


def rows_of(signatures: Sequence[Signature]) -> Keys:
    """The keys of the bands of several signatures that have values, a row each."""
    return bands_of(np.stack([one.values for one in signatures]))
