"""The gate between a challenger and service: one table of rules, each a figure that must not get worse.

Two models read the same texts. A rule fails where the challenger is worse beyond the noise of the draw (the 95 % interval
of the paired bootstrap difference lies whole on the wrong side; Efron and Tibshirani 1993, chapter 13) or where it loses
more than the rule allows, however few the texts.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from model.labels import STANCE_IDS
from model.records import Prediction
from training.corpus import AnnotatedText
from training.intervals import f1
from training.suite import Outcome

Part = Literal["test", "derivecheck", "fresh"]
#: French names of what the two models read.
PARTS: Final[dict[Part, str]] = {
    "test": "épreuve figée (test)",
    "derivecheck": "DériveCheck",
    "fresh": "textes relus, gardés à part",
}
_FLAG_LEVEL: Final = 2
_DRAWS: Final = 1000
_BANDS: Final = 10
#: Differences of averages under this are rounding.
_NOTHING: Final = 1e-9

Rows = NDArray[np.intp]
Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of some rows of what one model read, and how many rows it speaks of; NaN where nothing can be counted."""

    of: Callable[[Columns, Rows], float]
    counted: Callable[[Columns], int]


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the gate.

    `most` is what the challenger may lose at most, in the figure's unit; `least` the texts under which the figure says
    nothing. Where a required figure could not be measured, the gate stays shut.
    """

    id: str
    name: str
    part: Part
    figure: Figure
    higher_is_better: bool
    most: float
    least: int
    required: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """What a rule found: both figures, the difference (challenger − champion) with its interval, the verdict and why."""

    rule: Rule
    champion: float | None
    challenger: float | None
    low: float | None
    high: float | None
    texts: int
    verdict: Literal["held", "failed", "not_measured"]
    why: str

    def to_json(self) -> dict[str, Any]:
        """Plain values, for the record of a comparison."""
        rule = self.rule
        return {
            "id": rule.id,
            "name": rule.name,
            "part": rule.part,
            "higher_is_better": rule.higher_is_better,
            "most": rule.most,
            "required": rule.required,
            "champion": _round(self.champion),
            "challenger": _round(self.challenger),
            "low": _round(self.low),
            "high": _round(self.high),
            "texts": self.texts,
            "verdict": self.verdict,
            "why": self.why,
        }


def columns_of_texts(texts: Sequence[AnnotatedText], predictions: Sequence[Prediction]) -> dict[str, NDArray[Any]]:
    """What one model said of annotated texts, as arrays of shape (n,); what it did not judge counts as level 0, score 0."""
    levels = np.asarray([found.risk.level if found.risk else 0 for found in predictions], dtype=int)
    return {
        "truth": np.asarray([text.flagged for text in texts], dtype=bool),
        "flagged": levels >= _FLAG_LEVEL,
        "scores": np.asarray([found.risk.score if found.risk else 0.0 for found in predictions], dtype=float),
        "right_level": levels == np.asarray([text.risk_level for text in texts], dtype=int),
        **{stance: np.asarray([text.stance == stance for text in texts], dtype=bool) for stance in STANCE_IDS},
    }


def columns_of_cases(outcomes: Sequence[Outcome]) -> dict[str, NDArray[Any]]:
    """Which cases of a suite one model passed, of shape (n,)."""
    return {"passed": np.asarray([outcome.passed for outcome in outcomes], dtype=bool)}


def _recall(seen: Columns, rows: Rows) -> float:
    truth = seen["truth"][rows]
    return float(seen["flagged"][rows][truth].mean()) if truth.any() else float("nan")


def _f1(seen: Columns, rows: Rows) -> float:
    return f1(seen["truth"][rows], seen["flagged"][rows])


def _flagged_among(stance: str) -> Figure:
    def share(seen: Columns, rows: Rows) -> float:
        own = seen[stance][rows]
        return float(seen["flagged"][rows][own].mean()) if own.any() else float("nan")

    return Figure(share, lambda seen: int(seen[stance].sum()))


def _brier(seen: Columns, rows: Rows) -> float:
    return float(((seen["scores"][rows] - seen["truth"][rows]) ** 2).mean()) if len(rows) else float("nan")


def _ece(seen: Columns, rows: Rows) -> float:
    """Expected calibration error over bands of equal width (Naeini, Cooper and Hauskrecht, AAAI 2015)."""
    if not len(rows):
        return float("nan")
    scores = seen["scores"][rows]
    bands = np.minimum((scores * _BANDS).astype(int), _BANDS - 1)
    gaps = np.bincount(bands, weights=scores - seen["truth"][rows], minlength=_BANDS)
    return float(np.abs(gaps).sum() / len(rows))


def _mean(column: str) -> Figure:
    def mean(seen: Columns, rows: Rows) -> float:
        return float(seen[column][rows].mean()) if len(rows) else float("nan")

    return Figure(mean, lambda seen: len(seen[column]))


def _everything(seen: Columns) -> int:
    return len(seen["truth"])


def _positives(seen: Columns) -> int:
    return int(seen["truth"].sum())


_F1: Final = Figure(_f1, _positives)
_RECALL: Final = Figure(_recall, _positives)

#: The whole gate. Losses allowed are small beside the width of the intervals that the model card shows.
RULES: Final[tuple[Rule, ...]] = (
    Rule("flag_f1", "F1 du signalement (niveaux 2 et 3)", "test", _F1, True, 0.02, 30, required=True),
    Rule("flag_recall", "rappel du signalement", "test", _RECALL, True, 0.02, 30, required=True),
    Rule("warns_flagged", "mises en garde signalées à tort", "test", _flagged_among("warns"), False, 0.02, 20),
    Rule("neutral_flagged", "textes neutres signalés à tort", "test", _flagged_among("neutral"), False, 0.02, 20),
    Rule("brier", "calibration : score de Brier du risque", "test", Figure(_brier, _everything), False, 0.01, 50),
    Rule("ece", "calibration : écart moyen score-fréquence (ECE)", "test", Figure(_ece, _everything), False, 0.02, 50),
    Rule("derivecheck", "cas de DériveCheck réussis", "derivecheck", _mean("passed"), True, 0.01, 50),
    Rule("fresh_f1", "F1 du signalement sur textes relus", "fresh", _F1, True, 0.05, 10),
    Rule("fresh_level", "niveau exact sur textes relus", "fresh", _mean("right_level"), True, 0.05, 30),
)


def pass_gate(champion: Mapping[Part, Columns], challenger: Mapping[Part, Columns], seed: int = 0) -> list[Held]:
    """Every rule, measured on the parts that both models read; the same input gives the same answer.

    Args:
        champion: by part, what the model that serves said (see `columns_of_texts`); a part that was not read is left out.
        challenger: the same texts in the same order, read by the other model.
        seed: of the draws.
    """
    return [_hold(rule, champion.get(rule.part), challenger.get(rule.part), seed) for rule in RULES]


def passes(held: Sequence[Held]) -> bool:
    """Whether nothing failed, and everything required was measured."""
    return all(one.verdict == "held" or (one.verdict == "not_measured" and not one.rule.required) for one in held)


def _hold(rule: Rule, champion: Columns | None, challenger: Columns | None, seed: int) -> Held:
    if champion is None or challenger is None:
        return Held(rule, None, None, None, None, 0, "not_measured", "aucun texte de cette sorte ici")
    texts = rule.figure.counted(champion)
    if texts < rule.least:
        why = f"{texts} texte(s) comptés ; {rule.least} au moins sont attendus"
        return Held(rule, None, None, None, None, texts, "not_measured", why)
    count = len(next(iter(champion.values())))
    rows = np.arange(count)
    before, after = rule.figure.of(champion, rows), rule.figure.of(challenger, rows)
    if np.isnan(before) or np.isnan(after):
        return Held(rule, None, None, None, None, texts, "not_measured", "rien à compter")
    random = np.random.default_rng(seed)
    drawn = []
    for _ in range(_DRAWS):
        some = random.integers(0, count, count)
        drawn.append(rule.figure.of(challenger, some) - rule.figure.of(champion, some))
    low, high = (float(value) for value in np.nanpercentile(np.asarray(drawn), [2.5, 97.5]))
    difference = after - before
    loss, least_loss = (-difference, -high) if rule.higher_is_better else (difference, low)
    if least_loss > _NOTHING:
        return Held(rule, before, after, low, high, texts, "failed", "moins bon, au-delà du hasard du tirage")
    if loss > rule.most + _NOTHING:
        return Held(rule, before, after, low, high, texts, "failed", "perd plus que ce qui est admis")
    why = "n'est pas moins bon" if loss <= _NOTHING else "perd moins que le hasard du tirage et que ce qui est admis"
    return Held(rule, before, after, low, high, texts, "held", why)


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
