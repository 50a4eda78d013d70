"""Counts with 95 % intervals: Wilson for shares, bootstrap percentiles for anything else."""

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

_Z: Final = 1.959964
_DRAWS: Final = 1000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure in [0, 1] with its 95 % interval; `hits` of `total` where it is a share."""

    value: float
    low: float
    high: float
    hits: int | None = None
    total: int | None = None

    def to_json(self) -> dict[str, float | int]:
        """Plain numbers, rounded to four decimals."""
        shown: dict[str, float | int] = {
            "value": round(self.value, 4),
            "low": round(self.low, 4),
            "high": round(self.high, 4),
        }
        if self.hits is not None and self.total is not None:
            shown |= {"hits": self.hits, "total": self.total}
        return shown


def share(hits: int, total: int) -> Estimate:
    """A share with its Wilson score interval (Wilson, JASA 1927); NaN with interval [0, 1] for a total of 0."""
    if total == 0:
        return Estimate(float("nan"), 0.0, 1.0, hits, total)
    p = hits / total
    middle = (p + _Z**2 / (2 * total)) / (1 + _Z**2 / total)
    half = _Z * sqrt(p * (1 - p) / total + _Z**2 / (4 * total**2)) / (1 + _Z**2 / total)
    return Estimate(p, max(0.0, middle - half), min(1.0, middle + half), hits, total)


def bootstrap(count: int, figure: Callable[[NDArray[np.intp]], float], seed: int = 0) -> Estimate:
    """A figure of rows drawn with replacement: its value on all `count` rows and its 2.5 and 97.5 percentiles."""
    everything = np.arange(count)
    value = figure(everything)
    random = np.random.default_rng(seed)
    drawn = np.asarray([figure(random.integers(0, count, count)) for _ in range(_DRAWS)]) if count else np.asarray([value])
    low, high = np.nanpercentile(drawn, [2.5, 97.5]) if not np.isnan(drawn).all() else (0.0, 1.0)
    return Estimate(value, float(low), float(high))
