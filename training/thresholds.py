"""Operating points and the page penalty, chosen on scores of texts that the heads did not learn from."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from model.classifier import FLAG, MIXED_HEADS, probability
from model.decide import Affirmed, OperatingPoint, decide
from model.labels import INDICATOR_IDS, TARGET_IDS
from model.levels import level_of

Array = NDArray[np.float64]
Truth = NDArray[np.bool_]

_EVERY_TARGET: Final = frozenset(TARGET_IDS)
_TRIAGE_RECALL: Final = 0.97
_STRICT_PRECISION: Final = 0.95
_FURTHEST_DOWN: Final = 4.0
#: Beyond this a plain promise would be lost, and precision gains little where it cannot be reached.
_FURTHEST_UP: Final = 2.0
_STEP: Final = 0.1
_FLAG_LEVEL: Final = 2
_AS_GOOD: Final = 0.005
_FLAG_CUTS: Final = (0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.5, 0.45, 0.4)
_TAIL: Final = 0.95


@dataclass(frozen=True, slots=True)
class Scored:
    """Texts not learned from: mixed logits (n, 19), truth (n, 19), targets named in each, indicators a rule affirms."""

    logits: Array
    truth: Truth
    mentioned: tuple[frozenset[str], ...]
    affirmed: tuple[Affirmed, ...]


def operating_points(scored: Scored) -> dict[str, OperatingPoint]:
    """The three operating points.

    `balanced`: one threshold for all indicators, the one with the best F1 over all of them together (on folds of unseen
    writers it did better than one each: macro F1 0.68 against 0.66); for `promotes` and the targets the best F1 as well;
    for the flag nearly the best F1 of levels 2 and 3. `triage` and `strict` move the thresholds of indicators, stance and flag
    by one shift in log odds: down until 97 % of the flagged texts are flagged, at most 4; up until 95 % of the flags
    are right, at most 2. So what is present at `strict` is present at `balanced`, and what is there is present at `triage`.
    """
    common = _best_threshold(
        np.concatenate([scored.logits[:, i] for i in range(len(INDICATOR_IDS))]),
        np.concatenate([scored.truth[:, i] for i in range(len(INDICATOR_IDS))]),
    )
    cuts = dict.fromkeys(INDICATOR_IDS, common)
    for name in ("promotes", *TARGET_IDS):
        index = MIXED_HEADS.index(name)
        cuts[name] = _best_threshold(scored.logits[:, index], scored.truth[:, index])
    downs, ups = (np.arange(0.0, furthest + _STEP / 2, _STEP) for furthest in (_FURTHEST_DOWN, _FURTHEST_UP))
    cuts[FLAG] = _flag_cut(scored, cuts)
    down = next((s for s in downs if flag_figures(scored, _shifted(cuts, -s))[0] >= _TRIAGE_RECALL), _FURTHEST_DOWN)
    up = next((s for s in ups if flag_figures(scored, _shifted(cuts, s))[1] >= _STRICT_PRECISION), _FURTHEST_UP)
    return {"triage": _shifted(cuts, -down), "balanced": _shifted(cuts, 0.0), "strict": _shifted(cuts, up)}


def _flag_cut(scored: Scored, cuts: dict[str, float]) -> float:
    """The logit of the flag from which a text has a sign that makes level 2.

    The highest whose F1 of levels 2 and 3 is within half a point of the best: F1 is flat there, an alarm accuses, and where
    grave texts are rarer than in the corpus each false one weighs more.
    """
    found = []
    for cut in (float(logit(share)) for share in _FLAG_CUTS):
        recall, precision = flag_figures(scored, _shifted({**cuts, FLAG: cut}, 0.0))
        found.append((2 * recall * precision / max(recall + precision, 1e-9), cut))
    best = max(f1 for f1, _ in found)
    return max(cut for f1, cut in found if f1 >= best - _AS_GOOD)


def levels_at(scored: Scored, point: OperatingPoint) -> NDArray[np.int_]:
    """The level that each text has at an operating point, as when it is served, shape (n,)."""
    found = [
        decide(row, mentioned, point, affirmed)
        for row, mentioned, affirmed in zip(scored.logits, scored.mentioned, scored.affirmed, strict=True)
    ]
    return np.asarray([level_of(one.stance, one.present, one.targets).value for one in found])


def flag_figures(scored: Scored, point: OperatingPoint) -> tuple[float, float]:
    """Recall and precision of the flag (level 2 or 3) at an operating point."""
    flagged = np.asarray(
        [
            level_of(found.stance, found.present, found.targets).value >= _FLAG_LEVEL
            for found in (decide(row, mentioned, point) for row, mentioned in zip(scored.logits, scored.mentioned, strict=True))
        ]
    )
    truth = scored.truth[:, MIXED_HEADS.index("flag")]
    right = int((flagged & truth).sum())
    return right / max(1, int(truth.sum())), right / max(1, int(flagged.sum()))


def _shifted(cuts: dict[str, float], shift: float) -> OperatingPoint:
    moved = {name: float(probability(np.asarray(cut + shift))) for name, cut in cuts.items()}
    still = {name: float(probability(np.asarray(cuts[name]))) for name in TARGET_IDS}
    return OperatingPoint({name: moved[name] for name in INDICATOR_IDS}, moved["promotes"], still, moved[FLAG])


def _best_threshold(logits: Array, truth: Truth) -> float:
    """The logit with the best F1, in the middle of the gap below it; 0 without a positive."""
    if not truth.any():
        return 0.0
    order = np.argsort(-logits, kind="stable")
    right = np.cumsum(truth[order])
    f1 = 2 * right / (np.arange(1, len(order) + 1) + truth.sum())
    best = int(np.argmax(f1))
    above = logits[order[best]]
    below = logits[order[min(best + 1, len(order) - 1)]]
    return float((above + below) / 2)


def page_penalty(logits: Array, truth: Truth) -> Array:
    """What each head pays, times log n, for n windows; shape (19,), zero or more.

    Above its 95th percentile the logit of texts without the label is close to exponential with mean excess b; the highest
    of n such draws then passes a threshold as often as one draw does when it pays b log n.
    """
    penalty = np.zeros(len(MIXED_HEADS))
    for index in range(len(MIXED_HEADS)):
        harmless = logits[~truth[:, index], index]
        if len(harmless):
            edge = np.quantile(harmless, _TAIL)
            beyond = harmless[harmless > edge] - edge
            penalty[index] = float(beyond.mean()) if len(beyond) else 0.0
    return penalty


__all__ = ["Scored", "flag_figures", "levels_at", "operating_points", "page_penalty"]
