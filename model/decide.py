"""From calibrated scores to what is present: thresholds of an operating point, the stance gate, targets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from model.classifier import FLAG, MIXED_HEADS, probability
from model.labels import INDICATOR_IDS, OPERATING_POINTS, STANCE_IDS, TARGET_IDS
from model.levels import GRAVE, IMMEDIATE, WEAK, WEAK_TOGETHER, level_of

#: A threshold that no score reaches.
NEVER: Final = 0.999999
_FLAG_LEVEL: Final = 2
#: Three weak signs as likely as this make level 2 by themselves.
_LIKELY: Final = 0.3
_WEAKER_STANCES: Final = tuple(stance for stance in STANCE_IDS if stance != "promotes")


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """Thresholds on calibrated probabilities, all in (0, 1): an indicator each, `promotes`, a target each, the flag.

    From the threshold of the flag on, a text has at least one sign that makes level 2 (`decide`).
    """

    indicators: Mapping[str, float]
    promotes: float
    targets: Mapping[str, float]
    flag: float = NEVER

    def to_json(self) -> dict[str, Any]:
        """Plain numbers for the manifest, rounded to six decimals."""
        return {
            "indicators": {name: round(value, 6) for name, value in self.indicators.items()},
            "promotes": round(self.promotes, 6),
            "targets": {name: round(value, 6) for name, value in self.targets.items()},
            "flag": round(self.flag, 6),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The operating point of a manifest; KeyError when a label is missing, ValueError for a threshold out of (0, 1)."""
        return cls(
            {name: _threshold(data["indicators"][name]) for name in INDICATOR_IDS},
            _threshold(data["promotes"]),
            {name: _threshold(data["targets"][name]) for name in TARGET_IDS},
            # Artefacts made before this threshold existed have none.
            _threshold(data.get("flag", NEVER)),
        )


def _threshold(value: Any) -> float:
    number = float(value)
    if not 0 < number < 1:
        raise ValueError(f"seuil {value} ; un nombre entre 0 et 1 est attendu")
    return number


def points_from_json(data: Mapping[str, Any]) -> dict[str, OperatingPoint]:
    """The three operating points of a manifest; KeyError when one is missing."""
    return {name: OperatingPoint.from_json(data[name]) for name in OPERATING_POINTS}


@dataclass(frozen=True, slots=True)
class Decision:
    """What holds of a page at an operating point; scores are calibrated probabilities."""

    stance: str
    stance_scores: dict[str, float]
    flag: float
    scores: dict[str, float]
    present: tuple[str, ...]
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Affirmed:
    """Indicators that a rule found affirmed in a text, and how often such a rule is right when the author promotes."""

    labels: frozenset[str] = frozenset()
    precision: float = 0.0


NOTHING_AFFIRMED: Final = Affirmed()


def decide(
    logits: NDArray[np.float64],
    mentioned: frozenset[str],
    point: OperatingPoint,
    affirmed: Affirmed = NOTHING_AFFIRMED,
) -> Decision:
    """Apply an operating point to the page's logits, shape (19,) in the order of MIXED_HEADS.

    Where a rule affirms an indicator, its score is at least the rule's precision times the score of `promotes`, and so
    is the flag's for the signs that make a level 2 by themselves.

    Where the flag reaches its threshold but what is present makes no level 2, the likeliest of the signs that would is
    present too: the text as a whole says more than any of its signs does. On `dev` that took the F1 of the level from 0.84
    to 0.85, on `test` from 0.84 to 0.86 (docs/modele.md).

    `mentioned` holds the targets that a data table found named in the text: a target that nothing names is never set.
    """
    values = dict(zip(MIXED_HEADS, probability(logits).tolist(), strict=True))
    for name in affirmed.labels:
        assured = affirmed.precision * values["promotes"]
        values[name] = max(values[name], assured)
        if name in GRAVE | IMMEDIATE:
            values[FLAG] = max(values[FLAG], assured)
    total = sum(values[stance] for stance in STANCE_IDS)
    stance_scores = {stance: values[stance] / total for stance in STANCE_IDS}
    weaker = max(_WEAKER_STANCES, key=lambda name: values[name])
    stance = "promotes" if values["promotes"] >= point.promotes else weaker
    scores = {name: values[name] for name in INDICATOR_IDS}
    present = tuple(name for name in INDICATOR_IDS if stance == "promotes" and scores[name] >= point.indicators[name])
    targets = tuple(name for name in TARGET_IDS if name in mentioned and values[name] >= point.targets[name])
    if "serious_illness" in targets and "illness" not in targets:
        targets = tuple(name for name in TARGET_IDS if name in {*targets, "illness"})
    if values[FLAG] >= point.flag and stance == "promotes":
        present = _completed(present, scores, targets)
    return Decision(stance, stance_scores, values[FLAG], scores, present, targets)


def _completed(present: tuple[str, ...], scores: Mapping[str, float], targets: tuple[str, ...]) -> tuple[str, ...]:
    """What is present, and the likeliest sign that makes level 2 if none is there; unless three weak signs are likely.

    Nothing here depends on the operating point, so what is present at `strict` stays present at `triage`.
    """
    enough = [name for name in INDICATOR_IDS if level_of("promotes", (name,), targets).value >= _FLAG_LEVEL]
    if set(present) & set(enough) or sorted(scores[name] for name in WEAK)[-WEAK_TOGETHER] >= _LIKELY:
        return present
    likeliest = max(enough, key=lambda name: scores[name])
    return tuple(name for name in INDICATOR_IDS if name in {*present, likeliest})


def with_prior(score: float, assumed: float, prior: float) -> float:
    """A calibrated probability moved from the base rate it assumes to another one (Bayes' rule on the odds)."""
    odds = score / max(1e-9, 1 - score) * (prior / (1 - prior)) / (assumed / (1 - assumed))
    return odds / (1 + odds)
