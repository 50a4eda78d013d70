"""Which rows have an identifier met before, found from the digests that parts keep: in passes, so that memory is bounded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

#: Identifiers of one pass: 16 bytes each, and as much again to sort them.
_A_PASS: Final = 8_000_000


@dataclass(frozen=True, slots=True)
class Repeated:
    """How many rows have an identifier met before, and the numbers of the first ones."""

    count: int
    first: tuple[int, ...]


def repeated(files: Sequence[Path], rows: int, most: int, a_pass: int = _A_PASS) -> Repeated:
    """Rows whose identifier was met before; `files` hold digests of 64 bits of `rows` identifiers, in the order of rows."""
    passes = max(1, -(-rows // a_pass))
    count, first = 0, np.empty(0, dtype=np.int64)
    for turn in range(passes):
        keys, numbers = _of_turn(files, turn, passes)
        # Among equals, the order of the rows stays.
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        again = numbers[order[1:][keys[1:] == keys[:-1]]]
        count += len(again)
        first = np.sort(np.concatenate([first, again]))[:most]
    return Repeated(count, tuple(int(number) for number in first))


def _of_turn(files: Sequence[Path], turn: int, passes: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    pairs = list(_chosen(files, turn, passes))
    empty = (np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int64))
    keys, numbers = zip(empty, *pairs, strict=True)
    return np.concatenate(keys), np.concatenate(numbers)


def _chosen(files: Sequence[Path], turn: int, passes: int) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.int64]]]:
    before = 0
    for path in files:
        keys = np.fromfile(path, dtype="<u8")
        chosen = np.flatnonzero(keys % np.uint64(passes) == turn)
        yield keys[chosen], chosen + before + 1
        before += len(keys)
