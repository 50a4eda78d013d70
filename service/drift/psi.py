"""How far the texts of a week are from a reference: population stability index, with bounds by resampling.

The index of a measure is Σ (p − q) ln(p / q) over its bins, p being the week's shares and q the reference's (Kullback's
symmetric divergence; « population stability index » in credit scoring, where 0.10 calls for a look and 0.25 for action). Half
a text is added to each bin, so that an empty one says no more than it can.

Texts of one author or campaign come together: whole groups are drawn, with replacement, for the week, and as many texts as the
reference is worth for the reference. The index of two samples of one and the same stream is above zero by chance alone: the
bounds are those of the basic bootstrap (Davison and Hinkley, « Bootstrap Methods », 1997, 5.2), which takes that excess away,
on the square root of the index: a distance, whose draws lie evenly about it where those of the index itself have a long tail.

Twenty measures are looked at each week: each bound is drawn at 5 % divided by their number (Bonferroni), so that a week where
nothing moved beyond the threshold has at most one chance in twenty of one alert, whichever measure it be.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from model.facts import Facts, Floats, Measure, headline, measures, value_of
from model.reference import Reference, Shares, binned

#: Fewer texts, or texts of fewer groups, say nothing of a measure.
LEAST_TEXTS: Final = 100
LEAST_GROUPS: Final = 30
#: Chance of a false alert in a week where every measure stands exactly at the threshold, all measures together.
RISK: Final = 0.05
DRAWS: Final = 2_000
_AT_ONCE: Final = 200
_HALF: Final = 0.5

State = Literal["calm", "watch", "alert", "few"]


@dataclass(frozen=True, slots=True)
class Shift:
    """A measure of a week beside the reference.

    `psi` is corrected for chance, between `low` and `high`; all three are None where there are too few texts. `value` and
    `reference` are the headline of the measure there (None for none). `state`: alert where `low` passes the threshold, watch
    where `psi` alone does.
    """

    measure: str
    texts: int
    groups: int
    psi: float | None
    low: float | None
    high: float | None
    value: float | None
    reference: float
    state: State


@dataclass(frozen=True, slots=True)
class _Counted:
    """A measure of some texts: counts by group and bin, and its headline."""

    measure: Measure
    known: Shares
    texts: int
    groups: int
    by_group: Floats
    value: float | None


def compare(reference: Reference, facts: Sequence[Facts], threshold: float, seed: int = 0, draws: int = DRAWS) -> list[Shift]:
    """Each measure of some texts beside the reference, in the order of `model.reference.measures`; the same texts give the same.

    Args:
        reference: what they are compared with; a measure that it lacks is left out.
        facts: the texts, all weighing the same.
        threshold: the index from which a shift is one, above 0.
        seed: of the resampling.
        draws: how many times it is done.
    """
    _, places = np.unique(np.asarray([one.group for one in facts]), return_inverse=True)
    counted = [
        _count(measure, reference.shares[measure.id], facts, places) for measure in measures() if measure.id in reference.shares
    ]
    enough = [one for one in counted if one.texts >= LEAST_TEXTS and one.groups >= LEAST_GROUPS]
    if not enough:
        return [_few(one) for one in counted]
    random = np.random.default_rng(seed)
    drawn = _resampled(np.concatenate([one.by_group for one in enough], axis=1), draws, random)
    found, first = {}, 0
    for one in enough:
        after = first + one.by_group.shape[1]
        found[one.measure.id] = _shift(one, drawn[:, first:after], threshold, RISK / len(enough), random)
        first = after
    return [found.get(one.measure.id) or _few(one) for one in counted]


def _count(measure: Measure, known: Shares, facts: Sequence[Facts], places: NDArray[np.intp]) -> _Counted:
    values = [value_of(measure, one) for one in facts]
    told = np.asarray([value is not None for value in values], dtype=bool)
    kept = [value for value in values if value is not None]
    by_group = np.zeros((int(places.max()) + 1 if len(places) else 0, len(known.shares)))
    np.add.at(by_group, (places[told], binned(kept, known.edges, known.values)), 1.0)
    value = headline(measure, kept, np.ones(len(kept))) if len(kept) else None
    return _Counted(measure, known, len(kept), int((by_group.sum(axis=1) > 0).sum()), by_group, value)


def _few(one: _Counted) -> Shift:
    return Shift(one.measure.id, one.texts, one.groups, None, None, None, one.value, one.known.mean, "few")


def _resampled(by_group: Floats, draws: int, random: np.random.Generator) -> Floats:
    """Counts by bin of as many groups, drawn with replacement, `draws` times; of shape (draws, bins)."""
    many = len(by_group)
    found = []
    for first in range(0, draws, _AT_ONCE):
        lot = min(_AT_ONCE, draws - first)
        chosen = random.integers(0, many, (lot, many)) + np.arange(lot)[:, np.newaxis] * many
        times = np.bincount(chosen.ravel(), minlength=lot * many).reshape(lot, many)
        found.append(times.astype(float) @ by_group)
    return np.concatenate(found)


def _shift(one: _Counted, drawn: Floats, threshold: float, risk: float, random: np.random.Generator) -> Shift:
    shares, worth = np.asarray(one.known.shares), one.known.effective
    shares = shares / shares.sum()
    there = random.multinomial(max(1, round(worth)), shares, size=len(drawn))
    root = float(np.sqrt(_index(one.by_group.sum(axis=0), shares * worth)))
    roots = np.sqrt(_index(drawn, there.astype(float)))
    low, psi, high = (
        max(0.0, 2 * root - float(reached)) ** 2
        for reached in (np.quantile(roots, 1 - risk), roots.mean(), np.quantile(roots, risk))
    )
    state: State = "alert" if low > threshold else "watch" if psi > threshold else "calm"
    return Shift(one.measure.id, one.texts, one.groups, psi, low, high, one.value, one.known.mean, state)


def _index(counts: Floats, others: Floats) -> Floats:
    """The index of counts beside others, over the last axis."""
    bins = counts.shape[-1]
    p = (counts + _HALF) / (counts.sum(axis=-1, keepdims=True) + _HALF * bins)
    q = (others + _HALF) / (others.sum(axis=-1, keepdims=True) + _HALF * bins)
    found: Floats = ((p - q) * np.log(p / q)).sum(axis=-1)
    return found
