"""Counts with 95 % intervals: Wilson for shares, bootstrap percentiles for anything else."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isnan, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

_Z: Final = 1.959964
_DRAWS: Final = 1000
_POSTERIOR_DRAWS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure in [0, 1] with its 95 % interval; `hits` of `total` where it is a share; NaN where nothing was counted."""

    value: float
    low: float
    high: float
    hits: int | None = None
    total: int | None = None

    def to_json(self) -> dict[str, float | int | None]:
        """Plain numbers, rounded to four decimals; a value that is not known is None, since JSON has no NaN."""
        shown: dict[str, float | int | None] = {
            "value": None if isnan(self.value) else round(self.value, 4),
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


def f1(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> float:
    """F1 of booleans; NaN when nothing is true and nothing found."""
    both = int((truth & found).sum())
    total = int(truth.sum()) + int(found.sum())
    return 2 * both / total if total else float("nan")


def precision_at(prior: float, recall: Estimate, false_alarms: Estimate, seed: int = 0) -> Estimate:
    """Precision to expect where a share `prior` of texts, in (0, 1), is to be found, by Bayes' rule.

    Recall and the share of false alarms among the others are taken as they were counted, whatever the prior. The interval
    holds 95 % of draws from their two posteriors with Jeffreys' prior (Brown, Cai and DasGupta, Statistical Science 2001):
    it stays honest where no false alarm was seen. NaN where either was not counted, or nothing would be found.
    """
    random = np.random.default_rng(seed)
    rates = []
    for rate in (recall, false_alarms):
        hits, total = rate.hits or 0, rate.total or 0
        rates.append(random.beta(hits + 0.5, total - hits + 0.5, _POSTERIOR_DRAWS))
    drawn = rates[0] * prior / (rates[0] * prior + rates[1] * (1 - prior))
    low, high = np.percentile(drawn, [2.5, 97.5])
    found = recall.value * prior + false_alarms.value * (1 - prior)
    value = recall.value * prior / found if found > 0 else float("nan")
    return Estimate(value, float(low), float(high))


def bootstrap(count: int, figure: Callable[[NDArray[np.intp]], float], seed: int = 0) -> Estimate:
    """A figure of rows drawn with replacement: its value on all `count` rows and its 2.5 and 97.5 percentiles."""
    everything = np.arange(count)
    value = figure(everything)
    random = np.random.default_rng(seed)
    drawn = np.asarray([figure(random.integers(0, count, count)) for _ in range(_DRAWS)]) if count else np.asarray([value])
    low, high = np.nanpercentile(drawn, [2.5, 97.5]) if not np.isnan(drawn).all() else (0.0, 1.0)
    return Estimate(value, float(low), float(high))
