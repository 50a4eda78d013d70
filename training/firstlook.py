"""The two cheap looks, learned so as to say what the full model would say of texts whose writers neither has seen.

What predicts the full model best is a model of the annotators' truth that learned from the same texts without the costly
features: both then err alike. On folds of unseen writers, at the same losses, it left 72 % of everyday texts alone, where heads
learned from the full model's verdicts left 52 %.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from model.classifier import WINDOW_HEADS, WindowHeads, window_logits
from model.features import PassageFeatures
from model.firstlook import INPUTS, QUESTIONS, Look, Looks, inputs_of, passage_of
from model.labels import DEFAULT_OPERATING_POINT, INDICATOR_IDS
from training.matrices import Example, stacked_truth

Array = NDArray[np.float64]
Levels = NDArray[np.int_]
Truth = NDArray[np.bool_]

#: What may be lost of the flags and of the level-1 texts of the full model, as shares, by both looks together.
MOST_LOST: Final = {"flags": 0.003, "level_1": 0.02}
_FLAG_LEVEL: Final = 2
#: The least level that answers each of QUESTIONS with yes.
_LEAST: Final = (_FLAG_LEVEL, 1)
_STEPS: Final = 61
_FURTHEST: Final = 0.3
_SURE: Final = 50.0
_SIGNS: Final = len(INDICATOR_IDS)
_CONFIDENCE: Final = 0.95
#: What of each allowance the first look may spend: the second has the rest.
_SHARES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
#: What a text costs that goes on to the second look, and one that goes on from there, in milliseconds (docs/performances.md).
_COSTS: Final = (5.0, 25.0)


@dataclass(frozen=True, slots=True)
class Loss:
    """What cheap looks lose at an operating point: `lost` of the `of` texts that the full model would mark."""

    lost: int
    of: int

    @property
    def upper(self) -> float:
        """The upper bound of the share lost, one-sided, 95 % (Clopper and Pearson, 1934)."""
        return float(beta.ppf(_CONFIDENCE, self.lost + 1, self.of - self.lost)) if self.of > self.lost else 1.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """What cheap looks lose of flags and of level-1 texts, and the share of all texts that they leave alone."""

    flags: Loss
    level_1: Loss
    spared: float

    def to_json(self) -> dict[str, Any]:
        """The figures, with the upper bounds."""
        losses = {name: asdict(loss) | {"upper": loss.upper} for name, loss in (("flags", self.flags), ("level_1", self.level_1))}
        return {**losses, "spared": self.spared}


class _OutcomeHeads(WindowHeads):
    """Window heads of stance and flag alone."""

    elsewhere = frozenset(range(len(WINDOW_HEADS)))


@dataclass(frozen=True, slots=True)
class _Texts:
    """What the looks learn from: the first `learned` texts were learned from by the full model, the others tune it.

    `truth` (n, 19), `answers` (n, 2) to QUESTIONS at the default operating point, `writers` (n,), `folds` held out together.
    """

    truth: Truth
    answers: Truth
    writers: NDArray[Any]
    folds: Sequence[set[str]]
    learned: int

    def parts(self) -> Iterator[tuple[Truth, Truth]]:
        """For each fold, the texts to learn from and those held out; last, those that only tune, from all the others."""
        first = np.arange(len(self.writers)) < self.learned
        for held in self.folds:
            inside = np.isin(self.writers, list(held)) & first
            yield first & ~inside, inside
        yield first, ~first


def fit_looks(
    learn: Sequence[Example],
    tune: Sequence[Example],
    levels: Mapping[str, Levels],
    folds: Sequence[set[str]],
    features: PassageFeatures,
) -> tuple[Looks, dict[str, Bounds]]:
    """Learn the two looks, and set their thresholds on texts that neither they nor the full model had learned from.

    Args:
        learn: texts that the full model learned from.
        tune: texts that it did not learn from.
        levels: by operating point, the level that the full model gives each text out of fold, shape (learn + tune,).
        folds: the writers of `learn` held out together, for those levels too.
        features: those of the full model's window heads.

    Returns:
        the looks, and by operating point what they lose on these texts.
    """
    everyone = [*learn, *tune]
    answers = np.column_stack([levels[DEFAULT_OPERATING_POINT] >= least for least in _LEAST])
    writers = np.asarray([example.text.writer for example in everyone])
    texts = _Texts(stacked_truth(everyone), answers, writers, folds, len(learn))
    glances = [passage_of(example.document) for example in everyone]
    own = PassageFeatures(3.0, 3.0, 3.0, 0.7, vector_weight=0.0)
    own.fit(glances[: len(learn)])
    seen = own.unencoded(glances), features.unencoded([example.view.whole for example in everyone])
    with ThreadPoolExecutor(len(seen)) as pool:
        (first, early), (second, late) = pool.map(_look, seen, (texts, texts))
    found = {}
    for point, level in levels.items():
        first.thresholds_[point], second.thresholds_[point] = limits = cascade(early, late, level)
        found[point] = bounds(spared(early, limits[0]) | spared(late, limits[1]), level)
    return Looks(own, first, second), found


def _look(rows: Any, texts: _Texts) -> tuple[Look, Array]:
    """A look without thresholds, and the answers (n, 2) that looks give which had not learned from the text's writer."""
    inputs = np.zeros((len(texts.writers), len(INPUTS)))
    for seen, held in texts.parts():
        if held.any():
            weights, biases = _learned(rows[seen], texts.truth[seen], texts.answers[seen], _OutcomeHeads)
            inputs[held] = _inputs(rows[held] @ weights + biases)
    scores = np.zeros(texts.answers.shape)
    for group in np.array_split(np.unique(texts.writers), len(texts.folds)):
        inside = np.isin(texts.writers, group)
        answers, offsets = _weighed(inputs[~inside], texts.answers[~inside])
        scores[inside] = inputs[inside] @ answers + offsets
    known = slice(texts.learned)
    weights, biases = _learned(rows[known], texts.truth[known], texts.answers[known], WindowHeads)
    return Look(weights, biases, *_weighed(inputs, texts.answers), {}), scores


def _inputs(scores: Any) -> Array:
    linear = len(INPUTS) - 2
    return inputs_of(window_logits(scores[:, :-linear]), scores[:, -linear:])


def _learned(rows: Any, truth: Truth, answers: Truth, kind: type[WindowHeads]) -> tuple[Any, Array]:
    """Weights (features, 26) and biases (26,): window heads, anything at all in truth, the two answers of the full model."""
    heads = kind(PassageFeatures()).fit_rows(rows, truth)
    asked = np.column_stack([truth[:, :_SIGNS].any(axis=1), answers])
    extra, offsets = _linear(rows, asked)
    return np.hstack([heads.weights_, extra.astype(np.float32)]), np.concatenate([heads.biases_, offsets])


def _weighed(inputs: Array, answers: Truth) -> tuple[Array, Array]:
    """Weights (5, 2) and offsets (2,) from INPUTS to the logits of QUESTIONS."""
    scale = StandardScaler().fit(inputs)
    weights, offsets = _linear(scale.transform(inputs), answers)
    weights = weights / scale.scale_[:, np.newaxis]
    return weights, offsets - scale.mean_ @ weights


def _linear(rows: Any, asked: Truth) -> tuple[Array, Array]:
    """One logistic regression a column; a question with one answer alone has that answer."""
    weights, biases = np.zeros((rows.shape[1], asked.shape[1])), np.zeros(asked.shape[1])

    def head(column: int) -> None:
        truth = asked[:, column]
        if truth.all() or not truth.any():
            biases[column] = _SURE if truth.all() else -_SURE
            return
        found = LogisticRegression(C=1.0, tol=1e-3, max_iter=500).fit(rows, truth)
        weights[:, column], biases[column] = found.coef_[0], found.intercept_[0]

    with ThreadPoolExecutor(len(QUESTIONS)) as pool:
        list(pool.map(head, range(asked.shape[1])))
    return weights, biases


def cascade(early: Array, late: Array, level: Levels) -> tuple[tuple[float, float], tuple[float, float]]:
    """The limits of the first look and of the second that cost least on texts of level 0, and lose no more than MOST_LOST.

    Args:
        early: answers of the first look, shape (n, 2).
        late: answers of the second, shape (n, 2).
        level: what the full model gives, shape (n,).
    """
    flags, mild = int((level >= _FLAG_LEVEL).sum()), int((level == 1).sum())
    most = int(MOST_LOST["flags"] * flags), int(MOST_LOST["level_1"] * mild)
    best: tuple[float, Any] = (np.inf, None)
    for shares in product(_SHARES, _SHARES):
        first = cuts(early, level, int(shares[0] * most[0]), int(shares[1] * most[1]))
        on = ~spared(early, first)
        lost = bounds(~on, level)
        second = cuts(late[on], level[on], most[0] - lost.flags.lost, most[1] - lost.level_1.lost)
        left = on & ~spared(late, second)
        cost = sum(one * float(part[level == 0].sum()) for one, part in zip(_COSTS, (on, left), strict=True))
        if cost < best[0]:
            best = (cost, (first, second))
    limits: tuple[tuple[float, float], tuple[float, float]] = best[1]
    return limits


def bounds(spared: NDArray[np.bool_], level: Levels) -> Bounds:
    """What is lost by sparing some texts the full analysis, given the level that it would give each."""
    flags, mild = level >= _FLAG_LEVEL, level == 1
    return Bounds(
        Loss(int((spared & flags).sum()), int(flags.sum())),
        Loss(int((spared & mild).sum()), int(mild.sum())),
        float(spared.mean()) if len(spared) else 0.0,
    )


def cuts(scores: Array, level: Levels, flags_lost: int, mild_lost: int) -> tuple[float, float]:
    """The two logits that spare the most texts of level 0, among those that lose no more flags and level-1 texts than allowed.

    For each place of the second, from none of the level-1 texts lost by it alone to a third of them, the first is the highest
    that brings enough of them, and of the flags, back.
    """
    flags, mild = level >= _FLAG_LEVEL, level == 1
    best = (-1.0, (-_SURE, -_SURE))
    for share in np.linspace(0.0, _FURTHEST, _STEPS):
        second = float(np.quantile(scores[mild, 1], share)) if mild.any() else _SURE
        left = scores[:, 1] < second
        first = min(
            _keeping(scores[flags & left, 0], flags_lost),
            _keeping(scores[mild & left, 0], mild_lost),
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
