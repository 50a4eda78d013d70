"""Figures with 95 % intervals, and figures that are kept a moment because they take long to count."""

import math
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from math import sqrt
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

_Value = TypeVar("_Value")

_Z: Final = 1.959964
#: Below this count a figure is said to rest on few texts.
FEW: Final = 30


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval, on `total` texts (`hits` of them where it is a share); NaN where nothing counts."""

    value: float
    low: float
    high: float
    total: int
    hits: int | None = None

    @property
    def known(self) -> bool:
        """Whether there is a figure at all."""
        return not math.isnan(self.value)

    @property
    def few(self) -> bool:
        """Whether it rests on so few texts that the interval is all there is to read."""
        return self.total < FEW


def share(hits: int, total: int) -> Estimate:
    """A share with its Wilson score interval (Wilson, JASA 1927); NaN with interval [0, 1] for a total of 0."""
    if total == 0:
        return Estimate(math.nan, 0.0, 1.0, 0, 0)
    p = hits / total
    middle = (p + _Z**2 / (2 * total)) / (1 + _Z**2 / total)
    half = _Z * sqrt(p * (1 - p) / total + _Z**2 / (4 * total**2)) / (1 + _Z**2 / total)
    return Estimate(p, max(0.0, middle - half), min(1.0, middle + half), total, hits)


def from_draws(value: float, draws: NDArray[np.float64], total: int) -> Estimate:
    """A figure with the 2.5 and 97.5 percentiles of its bootstrap draws; NaN draws (nothing varied) are left out."""
    kept = draws[~np.isnan(draws)]
    if math.isnan(value) or not kept.size:
        return Estimate(math.nan, math.nan, math.nan, total)
    low, high = np.percentile(kept, [2.5, 97.5])
    return Estimate(value, float(low), float(high), total)


@dataclass(slots=True)
class Recent:
    """What was counted less than `seconds` ago is given again; several askers at once wait for one count."""

    seconds: float
    _kept: "WeakKeyDictionary[Engine, dict[Hashable, tuple[float, Any]]]" = field(default_factory=WeakKeyDictionary)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, engine: Engine, key: Hashable, count: Callable[[], _Value]) -> _Value:
        """What `count` gives for this database and key, now or a moment ago."""
        with self._lock:
            of_engine = self._kept.setdefault(engine, {})
            made, value = of_engine.get(key, (-math.inf, None))
            if time.monotonic() - made > self.seconds:
                value = count()
                of_engine[key] = (time.monotonic(), value)
            found: _Value = value
            return found

    def forget(self, engine: Engine) -> None:
        """Count anew at the next request: something changed that people expect to see."""
        with self._lock:
            self._kept.pop(engine, None)
