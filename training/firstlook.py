"""The cheap first look, learned from what the full model says of texts whose writers it had not seen."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta
from sklearn.linear_model import LogisticRegression

from model.classifier import WindowHeads
from model.features import PassageFeatures
from model.firstlook import QUESTIONS, FirstLook, passage_of
from model.labels import DEFAULT_OPERATING_POINT
from training.matrices import Example, stacked_truth

Array = NDArray[np.float64]
Levels = NDArray[np.int_]

#: What may be lost of the flags and of the level-1 texts of the full model, as shares.
MOST_LOST: Final = {"flags": 0.003, "level_1": 0.02}
_FLAG_LEVEL: Final = 2
#: The least level that answers each of QUESTIONS with yes.
_LEAST: Final = (_FLAG_LEVEL, 1)
_STEPS: Final = 61
_FURTHEST: Final = 0.3
_SURE: Final = 50.0
_CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Loss:
    """What a first look loses at an operating point: `lost` of the `of` texts that the full model would mark."""

    lost: int
    of: int

    @property
    def upper(self) -> float:
        """The upper bound of the share lost, one-sided, 95 % (Clopper and Pearson, 1934)."""
        return float(beta.ppf(_CONFIDENCE, self.lost + 1, self.of - self.lost)) if self.of > self.lost else 1.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a first look loses of flags and of level-1 texts, and the share of all texts that it leaves alone."""

    flags: Loss
    level_1: Loss
    spared: float

    def to_json(self) -> dict[str, Any]:
        """The figures, with the upper bounds."""
        losses = {name: asdict(loss) | {"upper": loss.upper} for name, loss in (("flags", self.flags), ("level_1", self.level_1))}
        return {**losses, "spared": self.spared}


def fit_first_look(
    examples: Sequence[Example], levels: Mapping[str, Levels], folds: Sequence[set[str]]
) -> tuple[FirstLook, dict[str, Bounds]]:
    """Learn the first look, and set its thresholds on scores of writers that its questions had not learned from.

    Args:
        examples: texts of some writers.
        levels: by operating point, the level that the full model gives each text out of fold, shape (n,).
        folds: the writers held out together.

    Returns:
        the first look, and by operating point what it loses on these texts.
    """
    passages = [passage_of(example.document) for example in examples]
    heads = WindowHeads(PassageFeatures(3.0, 3.0, 3.0, 0.7, vector_weight=0.0))
    heads.fit(passages, stacked_truth(examples))
    rows = heads.features.transform(passages)
    answers = np.column_stack([levels[DEFAULT_OPERATING_POINT] >= least for least in _LEAST])
    weights, biases = _learned(rows, answers)
    scores = np.zeros(answers.shape)
    for held in folds:
        inside = np.asarray([example.text.writer in held for example in examples])
        seen, bias = _learned(rows[~inside], answers[~inside])
        scores[inside] = rows[inside] @ seen + bias
    limits = {point: cuts(scores, level) for point, level in levels.items()}
    look = FirstLook(heads, weights, biases, limits)
    return look, {point: bounds(spared(scores, limits[point]), level) for point, level in levels.items()}


def bounds(spared: NDArray[np.bool_], level: Levels) -> Bounds:
    """What sparing some texts the full analysis loses, given the level that it would give each."""
    flags, mild = level >= _FLAG_LEVEL, level == 1
    return Bounds(
        Loss(int((spared & flags).sum()), int(flags.sum())),
        Loss(int((spared & mild).sum()), int(mild.sum())),
        float(spared.mean()) if len(spared) else 0.0,
    )


def _learned(rows: Any, answers: NDArray[np.bool_]) -> tuple[Array, Array]:
    """The heads of the questions: weights (features, 2) and biases (2,); a question with one answer alone has that answer."""
    weights, biases = np.zeros((rows.shape[1], len(QUESTIONS)), dtype=np.float32), np.zeros(len(QUESTIONS))

    def head(column: int) -> None:
        truth = answers[:, column]
        if truth.all() or not truth.any():
            biases[column] = _SURE if truth.all() else -_SURE
            return
        found = LogisticRegression(C=1.0, tol=1e-3, max_iter=500).fit(rows, truth)
        weights[:, column], biases[column] = found.coef_[0], found.intercept_[0]

    with ThreadPoolExecutor(len(QUESTIONS)) as pool:
        list(pool.map(head, range(len(QUESTIONS))))
    return weights, biases


def cuts(scores: Array, level: Levels) -> tuple[float, float]:
    """The two logits that spare the most texts of level 0, among those that lose no more than MOST_LOST.

    For each place of the second, from none of the level-1 texts lost by it alone to a third of them, the first is the highest
    that brings enough of them, and of the flags, back.
    """
    flags, mild = level >= _FLAG_LEVEL, level == 1
    best = (-1.0, (-_SURE, -_SURE))
    for share in np.linspace(0.0, _FURTHEST, _STEPS):
        second = float(np.quantile(scores[mild, 1], share)) if mild.any() else _SURE
        left = scores[:, 1] < second
        first = min(
            _keeping(scores[flags & left, 0], int(MOST_LOST["flags"] * flags.sum())),
            _keeping(scores[mild & left, 0], int(MOST_LOST["level_1"] * mild.sum())),
        )
        spared = float((left & (scores[:, 0] < first))[level == 0].sum())
        best = max(best, (spared, (first, second)))
    return best[1]


def _keeping(scores: Array, lost: int) -> float:
    """The highest logit that at most `lost` of the scores are below."""
    return float(np.sort(scores)[lost]) if len(scores) > lost else _SURE


def spared(scores: Array, limits: tuple[float, float]) -> NDArray[np.bool_]:
    """The texts whose two scores, shape (n, 2), are both below the limits."""
    return np.asarray((scores < np.asarray(limits)).all(axis=1))
