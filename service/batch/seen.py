"""Which identifiers were met before: eight bytes each, in sorted arrays that are merged as they grow."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

_BYTES = 8


class SeenIds:
    """The identifiers met so far, as digests of 64 bits.

    Memory is 8 bytes an identifier, and for a moment as much again when the arrays are merged. Two identifiers of n are
    taken for one with probability n²/2⁶⁵: 3 in 10,000 for a hundred million.
    """

    def __init__(self) -> None:
        self._arrays: list[NDArray[np.uint64]] = []

    def add(self, ids: Sequence[str]) -> list[bool]:
        """Whether each identifier was met before, in this call or an earlier one; afterwards all of them have been."""
        if not ids:
            return []
        keys = np.frombuffer(b"".join(map(_digest, ids)), dtype=np.uint64)
        before = np.zeros(len(keys), dtype=bool)
        for array in self._arrays:
            places = np.minimum(np.searchsorted(array, keys), len(array) - 1)
            before |= array[places] == keys
        new, firsts = np.unique(keys, return_index=True)
        repeated = np.ones(len(keys), dtype=bool)
        repeated[firsts] = False
        self._keep(new[~before[firsts]])
        return [bool(met) for met in before | repeated]

    def _keep(self, new: NDArray[np.uint64]) -> None:
        if not len(new):
            return
        self._arrays.append(new)
        # Each array at least twice as long as the next: few to search, and each identifier moved few times.
        while len(self._arrays) > 1 and len(self._arrays[-2]) < 2 * len(self._arrays[-1]):
            merged = np.concatenate([self._arrays.pop(), self._arrays.pop()])
            merged.sort(kind="stable")
            self._arrays.append(merged)


def _digest(id: str) -> bytes:
    return blake2b(id.encode("utf-8", "surrogatepass"), digest_size=_BYTES).digest()
