"""Figures with 95 % intervals, and figures that are kept a moment because they take long to count."""

import logging
import math
import threading
import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from math import sqrt
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Engine

_Value = TypeVar("_Value")
_LOG: Final = logging.getLogger("vigie")

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
    return weighted_share([(1.0, hits, total)])


def weighted_share(parts: Iterable[tuple[float, int, int]]) -> Estimate:
    """A share over parts given as (what each of its texts weighs, hits, texts), with the Wilson interval on the effective
    number of texts, (Σ weights)² / Σ weights² (Kish 1965); NaN with interval [0, 1] where there is no text.

    `total` and `hits` of the estimate are those counted, not weighted.
    """
    every = list(parts)
    weights = sum(weight * texts for weight, _, texts in every)
    if weights <= 0:
        return Estimate(math.nan, 0.0, 1.0, 0, 0)
    p = sum(weight * hits for weight, hits, _ in every) / weights
    n = weights**2 / sum(weight**2 * texts for weight, _, texts in every)
    middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z * sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2)) / (1 + _Z**2 / n)
    texts, hits = sum(texts for *_, texts in every), sum(hits for _, hits, _ in every)
    return Estimate(p, max(0.0, middle - half), min(1.0, middle + half), texts, hits)


def from_draws(value: float, draws: NDArray[np.float64], total: int) -> Estimate:
    """A figure with the 2.5 and 97.5 percentiles of its bootstrap draws; NaN draws (nothing varied) are left out."""
    kept = draws[~np.isnan(draws)]
    if math.isnan(value) or not kept.size:
        return Estimate(math.nan, math.nan, math.nan, total)
    low, high = np.percentile(kept, [2.5, 97.5])
    return Estimate(value, float(low), float(high), total)


class _Kept:
    """A figure, when it was counted (`time.monotonic`), whether that failed last, and the lock of whoever counts it."""

    __slots__ = ("counting", "failed", "known", "made", "value")

    def __init__(self) -> None:
        self.counting = threading.Lock()
        self.known = self.failed = False
        self.made = 0.0
        self.value: Any = None

    def count(self, count: Callable[[], Any], quick: float) -> None:
        started = time.monotonic()
        self.failed = True
        self.value = count()
        self.made = time.monotonic()
        self.failed = False
        self.known = self.made - started >= quick

    def holds(self, longest: float) -> bool:
        return self.known and time.monotonic() - self.made <= longest


@dataclass(slots=True)
class Recent:
    """Figures counted a moment ago are given again, and counted anew in the background once older than `seconds`.

    Nobody waits, but for a figure that was never counted or is older than `longest` seconds: then the askers of that figure
    wait for one count. What is counted in less than `quick` seconds is counted for each asker. Of a database at most `most`
    figures are kept.
    """

    seconds: float
    longest: float = math.inf
    quick: float = 0.0
    most: int = 500
    _of: "WeakKeyDictionary[Engine, dict[Hashable, _Kept]]" = field(default_factory=WeakKeyDictionary)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(
        self, engine: Engine, key: Hashable, count: Callable[[], _Value], again: Callable[[], _Value] | None = None
    ) -> _Value:
        """What `count` gives for this database and key, now or a moment ago.

        `again` counts it in the background, where `count` uses what belongs to the asker, such as a connection.
        """
        kept = self._kept(engine, key)
        if not kept.holds(self.longest):
            with kept.counting:
                if not kept.holds(self.longest):
                    kept.count(count, self.quick)
        else:
            self._refresh(kept, again or count, self.quick)
        found: _Value = kept.value
        return found

    def ready(self, engine: Engine, key: Hashable, count: Callable[[], _Value]) -> _Value | None:
        """As `get`, without ever waiting: None while what `get` would wait for is counted in the background.

        Raises:
            Exception: that of `count`, tried once more here, where the background could not count it.
        """
        kept = self._kept(engine, key)
        if kept.holds(self.longest) or (kept.failed and not kept.counting.locked()):
            return self.get(engine, key, count)
        self._refresh(kept, count, 0.0)
        return None

    def _kept(self, engine: Engine, key: Hashable) -> _Kept:
        with self._lock:
            figures = self._of.setdefault(engine, {})
            if key not in figures and len(figures) >= self.most:
                figures.clear()
            return figures.setdefault(key, _Kept())

    def _refresh(self, kept: _Kept, count: Callable[[], Any], quick: float) -> None:
        """Count in the background what is older than `seconds`, unless somebody does."""
        if not kept.holds(self.seconds) and kept.counting.acquire(blocking=False):
            threading.Thread(target=self._again, args=(kept, count, quick), daemon=True).start()

    @staticmethod
    def _again(kept: _Kept, count: Callable[[], Any], quick: float) -> None:
        try:
            kept.count(count, quick)
        except Exception as error:
            # The figure of before stands, with its date; the next asker tries again.
            _LOG.error("Un chiffre n'a pas pu être recompté (%s).", type(error).__name__)
        finally:
            kept.counting.release()

    def forget(self, engine: Engine) -> None:
        """Count anew at the next request: something changed that people expect to see."""
        with self._lock:
            self._of.pop(engine, None)
