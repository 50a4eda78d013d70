"""Shares with their intervals: of independent texts (Wilson), of texts that come in groups (bootstrap), corrected for errors."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model.store import Artefact
from service.observatory.suppression import Bools, Ints
from service.workplace.estimates import Estimate, from_draws, share

_DRAWS: Final = 400
_Z: Final = 1.959964
_SEED: Final = 20_261_123
#: From so many groups on, what a draw of the bootstrap adds up to is drawn from the normal law that it tends to: the interval
#: is the same to a few thousandths, some thirty times sooner.
MANY: Final = 400
_NORMAL: Final = np.random.default_rng(_SEED).standard_normal((2, 4 * _DRAWS))


def grouped_share(hits: Bools, of: Bools, groups: Ints) -> Estimate:
    """The share of `of` that `hits`, with its interval by the bootstrap of whole groups (authors, campaigns): texts of a group
    are not independent. Efron and Tibshirani, « An Introduction to the Bootstrap », 1993, chapter 8. Never narrower than
    Wilson's on as many texts as there are groups: few groups that say nearly the same draw nearly nothing else.

    `groups`: the group of each text, from 0 on. NaN where there is nothing, or a single group.
    """
    total = int(of.sum())
    if total == 0:
        return share(0, 0)
    sizes, found = _by_group(hits[of], groups[of])
    count = int(found.sum())
    value = count / total
    if sizes.size < 2:
        return Estimate(value, float("nan"), float("nan"), total, count)
    made = from_draws(value, _drawn_largely(sizes, found) if sizes.size >= MANY else _drawn_exactly(sizes, found), total)
    low, high = _wilson(value, sizes.size)
    return Estimate(made.value, min(made.low, low), max(made.high, high), total, count)


def _wilson(value: float, many: int) -> tuple[float, float]:
    middle = (value + _Z**2 / (2 * many)) / (1 + _Z**2 / many)
    half = _Z * np.sqrt(value * (1 - value) / many + _Z**2 / (4 * many**2)) / (1 + _Z**2 / many)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def _by_group(hits: Bools, groups: Ints) -> tuple[Ints, Ints]:
    """How many texts each group has, and how many of them are hits; groups without a text are left out."""
    if groups.size < int(groups.max()) // 8:
        _, groups = np.unique(groups, return_inverse=True)
    sizes = np.bincount(groups)
    found = np.bincount(groups[hits], minlength=sizes.size)
    there = sizes > 0
    return sizes[there], found[there]


def _drawn_exactly(sizes: Ints, found: Ints) -> NDArray[np.float64]:
    """Shares of draws of as many groups; those of the same size and the same hits are drawn together."""
    base = int(sizes.max()) + 1
    keys, many = np.unique(sizes * base + found, return_counts=True)
    drawn = np.random.default_rng(_SEED).multinomial(int(many.sum()), many / many.sum(), size=_DRAWS)
    shares: NDArray[np.float64] = (drawn @ (keys % base)) / (drawn @ (keys // base))
    return shares


def _drawn_largely(sizes: Ints, found: Ints) -> NDArray[np.float64]:
    """The same for many groups: hits and texts of a draw as normal variables of the same means and covariance."""
    spread = np.sqrt(sizes.size)
    deviations = float(sizes.std()) * spread, float(found.std()) * spread
    shared = float((sizes * found).mean() - sizes.mean() * found.mean()) * sizes.size
    along = shared / deviations[0] if deviations[0] else 0.0
    apart = np.sqrt(max(0.0, deviations[1] ** 2 - along**2))
    texts = sizes.sum() + deviations[0] * _NORMAL[0]
    hits = found.sum() + along * _NORMAL[0] + apart * _NORMAL[1]
    # A draw has at least one text, and no fewer hits than none, no more than texts.
    texts = np.maximum(texts, 1.0)
    shares: NDArray[np.float64] = np.clip(hits / texts, 0.0, 1.0)
    return shares


@dataclass(frozen=True, slots=True)
class ModelError:
    """How the model that serves was measured, at an operating point, on texts of authors it did not learn from.

    `recall` of the texts to examine, `precision` of the flags, `fallout` the share of the others that it flags wrongly.
    """

    version: str
    point: str
    texts: int
    recall: Estimate
    precision: Estimate
    fallout: Estimate

    def corrected(self, flagged: Estimate) -> Estimate:
        """The share of texts to examine that a share of flags stands for: Rogan and Gladen, « Estimating prevalence from the
        results of a screening test », Am. J. Epidemiol. 107, 1978; interval by drawing the three shares. NaN where the model
        tells nothing apart.
        """
        rng = np.random.default_rng(_SEED)
        if not flagged.known or flagged.hits is None or not (self.recall.total and self.fallout.total):
            return share(0, 0)
        drawn = [_drawn(rng, one) for one in (flagged, self.recall, self.fallout)]
        gain = drawn[1] - drawn[2]
        if self.recall.value <= self.fallout.value or (gain <= 0).mean() > 0.025:
            return share(0, 0)
        value = (flagged.value - self.fallout.value) / (self.recall.value - self.fallout.value)
        made = np.clip((drawn[0] - drawn[2]) / np.where(gain > 0, gain, np.nan), 0, 1)
        return from_draws(float(np.clip(value, 0, 1)), made, flagged.total)


def _drawn(rng: np.random.Generator, estimate: Estimate) -> "np.ndarray[Any, np.dtype[np.float64]]":
    hits = estimate.hits or 0
    return rng.beta(hits + 0.5, estimate.total - hits + 0.5, size=4 * _DRAWS)


def model_error(artefact: Artefact, point: str) -> ModelError | None:
    """The measured errors of a model at an operating point, from the figures of its card; None where it has none."""
    metrics = artefact.metrics()
    measured = metrics.get("points_unseen_writers", {}).get(point) or metrics.get("points", {}).get(point) or {}
    names = ("recall", "precision", "false_alarms")
    if any("hits" not in measured.get(name, {}) for name in names):
        return None
    recall, precision, fallout = (share(int(measured[name]["hits"]), int(measured[name]["total"])) for name in names)
    return ModelError(artefact.version, point, recall.total + fallout.total, recall, precision, fallout)
