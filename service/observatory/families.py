"""Families of near-identical texts, by their MinHash signatures: for counting each once, whatever the number of copies.

Bands as in Leskovec, Rajaraman and Ullman, « Mining of Massive Datasets », chapter 3: with 24 bands of 3 values, two texts of
likeness 0.5 meet with a probability of 0.96, of 0.6 with 0.997; those that meet are then compared on all 72 values.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.workplace.similar import NEAR

#: Share of the values of two signatures that agree, from which two texts are nearly the same: as everywhere in the workplace.
NEARLY: Final = NEAR
_VALUES: Final = 72
_BAND: Final = 3


def families(signatures: Mapping[int, bytes], count: int) -> NDArray[np.int64]:
    """The family of each of `count` texts, as the number of its first text; a text without a signature is alone.

    `signatures`: MinHash values (72 little-endian 32-bit integers) by the number of the text.
    """
    parent = np.arange(count, dtype=np.int64)
    rows = np.array(sorted(row for row, one in signatures.items() if len(one) == 4 * _VALUES), dtype=np.int64)
    if rows.size < 2:
        return parent
    values = np.frombuffer(b"".join(signatures[int(row)] for row in rows), dtype="<u4").reshape(-1, _VALUES)
    for start in range(0, _VALUES, _BAND):
        band = np.ascontiguousarray(values[:, start : start + _BAND]).view(np.dtype((np.void, 4 * _BAND))).ravel()
        order = np.argsort(band, kind="stable")
        begins = np.flatnonzero(np.append(True, band[order][1:] != band[order][:-1]))
        sizes = np.diff(np.append(begins, order.size))
        for begin, size in zip(begins[sizes > 1], sizes[sizes > 1], strict=True):
            met = order[begin : begin + size]
            # Each against the first that it met: a chain of small changes makes one family.
            alike = (values[met[1:]] == values[met[0]]).mean(axis=1) >= NEARLY
            for other in met[1:][alike]:
                _join(parent, int(rows[met[0]]), int(rows[other]))
    return np.array([_root(parent, row) for row in range(count)], dtype=np.int64)


def _root(parent: NDArray[np.int64], row: int) -> int:
    while parent[row] != row:
        parent[row] = parent[parent[row]]
        row = int(parent[row])
    return row


def _join(parent: NDArray[np.int64], first: int, second: int) -> None:
    one, other = _root(parent, first), _root(parent, second)
    parent[max(one, other)] = min(one, other)
