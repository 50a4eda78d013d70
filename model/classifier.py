"""The trained object that is served: from the view of a window to calibrated scores, and from windows to a page.

Two sets of linear heads share the features of `model.features`: one reads the whole window (stance, flag, targets,
indicators), one reads each sentence (indicators). A small linear head per label weighs both with the stance; it was
fitted on out-of-fold scores of writers unseen by the heads, so its output is a calibrated probability.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, softmax
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from model.attribution import word_scores
from model.features import Passage, PassageFeatures, View
from model.labels import INDICATOR_IDS, STANCE_IDS, TARGET_IDS
from model.text import Span

Array = NDArray[np.float64]

FLAG: Final = "flag"
WINDOW_HEADS: Final = (*INDICATOR_IDS, *STANCE_IDS, FLAG, *TARGET_IDS)
MIXED_HEADS: Final = (*INDICATOR_IDS, *STANCE_IDS, FLAG, *TARGET_IDS)
_FLAG: Final = WINDOW_HEADS.index(FLAG)
_PROMOTES, _WARNS, _NEUTRAL = (WINDOW_HEADS.index(stance) for stance in ("promotes", "warns", "neutral"))
_JOINT: Final = frozenset((_FLAG, _PROMOTES, _WARNS, _NEUTRAL))
_OUTCOMES: Final = 4
_NO_SENTENCE: Final = -6.0
_LOGIT_BOUND: Final = 12.0


class LinearHeads(BaseEstimator):  # type: ignore[misc]
    """Independent logistic regressions over one feature space, one for each named label.

    A label without a positive or without a negative example gets a constant logit instead. Columns in `elsewhere` are left
    to a subclass.
    """

    elsewhere: frozenset[int] = frozenset()

    def __init__(self, features: PassageFeatures, names: tuple[str, ...], strength: float = 1.0) -> None:
        self.features = features
        self.names = names
        self.strength = strength

    def fit(self, passages: Sequence[Passage], y: NDArray[np.bool_]) -> Self:
        """Learn from passages and a boolean matrix of shape (len(passages), len(names)).

        Raises:
            ValueError: the shape of `y` does not fit.
        """
        if y.shape != (len(passages), len(self.names)):
            raise ValueError(f"y : forme {(len(passages), len(self.names))} attendue, {y.shape} reçue.")
        return self.fit_rows(self.features.fit_transform(passages), y)

    def fit_rows(self, rows: Any, y: NDArray[np.bool_]) -> Self:
        """As `fit`, from the rows that some features made of the passages."""
        self._learn(rows, y)
        return self

    def _learn(self, x: Any, y: NDArray[np.bool_]) -> None:
        """Learn from the matrix of the passages."""
        weights = np.zeros((x.shape[1], len(self.names)), dtype=np.float32)
        biases = np.zeros(len(self.names))
        learned = []
        for column in sorted(set(range(len(self.names))) - self.elsewhere):
            truth = y[self._learned_from(column, y), column]
            if truth.all() or not truth.any():
                biases[column] = _LOGIT_BOUND if len(truth) and truth.all() else -_LOGIT_BOUND
            else:
                learned.append(column)

        def fitted(column: int) -> LogisticRegression:
            rows = self._learned_from(column, y)
            return self._head().fit(x[rows], y[rows, column])

        # Sparse products let go of the interpreter's lock: heads learn side by side, each as it would alone.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for column, head in zip(learned, pool.map(fitted, learned), strict=True):
                weights[:, column] = head.coef_[0]
                biases[column] = head.intercept_[0]
        self.weights_ = weights
        self.biases_ = biases

    def _learned_from(self, column: int, y: NDArray[np.bool_]) -> Any:
        """The rows that a column is learned from."""
        return slice(None)

    def _head(self) -> LogisticRegression:
        return LogisticRegression(C=self.strength, tol=1e-3, max_iter=500)

    def logits(self, passages: Sequence[Passage]) -> Array:
        """Logits of shape (len(passages), len(names))."""
        if not passages:
            return np.zeros((0, len(self.names)))
        return self.logits_of(self.features.transform(passages))

    def logits_of(self, rows: Any) -> Array:
        """Logits of shape (n, len(names)) of the rows that the features make of n passages."""
        return np.clip(np.asarray(rows @ self.weights_ + self.biases_, dtype=np.float64), -_LOGIT_BOUND, _LOGIT_BOUND)


class WindowHeads(LinearHeads):
    """Heads that read a whole window; stance and flag are one multinomial regression, so that they never contradict each other.

    Its four outcomes are: promotes and flagged, promotes and not, warns, neutral. On folds of unseen writers it gave the
    flag an average precision of 0.87, against 0.85 for two separate regressions (docs/modele.md).

    An indicator is learned from texts that promote, and its probability is that of `promotes` times that of the sign where the
    author promotes: a text that warns of a miracle cure has the words of one. On folds of unseen writers that took the mean
    average precision of the indicators from 0.765 to 0.792.
    """

    elsewhere = _JOINT

    def __init__(self, features: PassageFeatures, strength: float = 1.0) -> None:
        super().__init__(features, WINDOW_HEADS, strength)

    def _learn(self, x: Any, y: NDArray[np.bool_]) -> None:
        super()._learn(x, y)
        outcome = np.select([y[:, _FLAG], y[:, _PROMOTES], y[:, _WARNS]], [0, 1, 2], default=3)
        found = np.unique(outcome)
        weights = np.zeros((self.weights_.shape[0], _OUTCOMES), dtype=np.float32)
        biases = np.full(_OUTCOMES, -2 * _LOGIT_BOUND)
        biases[found] = 0.0
        if len(found) > 1:
            joint = self._head().fit(x, outcome)
            # With two outcomes the library gives the second one's score over the first.
            rows = slice(None) if len(found) > 2 else slice(1, None)
            weights[:, found[rows]] = joint.coef_.T
            biases[found[rows]] = joint.intercept_
        self.weights_ = np.hstack([self.weights_, weights])
        self.biases_ = np.concatenate([self.biases_, biases])

    def _learned_from(self, column: int, y: NDArray[np.bool_]) -> Any:
        return y[:, _PROMOTES] if column < len(INDICATOR_IDS) else slice(None)

    def logits_of(self, rows: Any) -> Array:
        """Logits of shape (n, 19) of the rows that the features make of n passages."""
        return window_logits(np.asarray(rows @ self.weights_ + self.biases_, dtype=np.float64))


def window_logits(scores: Array) -> Array:
    """Logits of shape (n, 19) from linear scores of shape (n, 23): one a head, then one for each of the four outcomes."""
    found = scores[:, : len(WINDOW_HEADS)].copy()
    share = softmax(scores[:, len(WINDOW_HEADS) :], axis=1)
    promotes = share[:, :2].sum(axis=1)
    signs = slice(0, len(INDICATOR_IDS))
    found[:, signs] = logit(expit(found[:, signs]) * promotes[:, np.newaxis])
    found[:, _FLAG], found[:, _PROMOTES] = logit(share[:, 0]), logit(promotes)
    found[:, _WARNS], found[:, _NEUTRAL] = logit(share[:, 2]), logit(share[:, 3])
    return np.clip(found, -_LOGIT_BOUND, _LOGIT_BOUND)


@dataclass(frozen=True, slots=True)
class RawScores:
    """Logits of one window: `window` of shape (19,) in the order of WINDOW_HEADS, `sentences` of shape (n, 12)."""

    window: Array
    sentences: Array


def mixing_inputs(raw: RawScores) -> Array:
    """The inputs of the mixing heads: a matrix of shape (19, 6), one row for each of MIXED_HEADS.

    Columns: the label's own window logit; the highest and second highest sentence logit of the label (of any grave label
    for the others); the logits of `promotes`, of `warns` and of the flag.
    """
    own = raw.window
    count = len(INDICATOR_IDS)
    promotes, warns = own[WINDOW_HEADS.index("promotes")], own[WINDOW_HEADS.index("warns")]
    flag = own[WINDOW_HEADS.index(FLAG)]
    ordered = np.full((2, count), _NO_SENTENCE)
    if len(raw.sentences):
        ranked = -np.sort(-raw.sentences, axis=0)[:2]
        ordered[: len(ranked)] = np.maximum(ranked, _NO_SENTENCE)
    rows = []
    for index in range(len(MIXED_HEADS)):
        high, second = (ordered[0, index], ordered[1, index]) if index < count else (ordered[0].max(), ordered[1].max())
        rows.append((own[index], high, second, promotes, warns, flag))
    return np.asarray(rows)


class MixingHeads(BaseEstimator):  # type: ignore[misc]
    """One calibrated logistic regression a label over the inputs of `mixing_inputs`.

    Indicators use all six; stances, flag and targets only their own window logit: on folds of unseen writers the
    others made them worse (average precision of the flag 0.85 with one input and with six, Brier score 0.090 and 0.091).
    """

    def __init__(self, strength: float = 0.3) -> None:
        self.strength = strength

    def fit(self, inputs: Array, y: NDArray[np.bool_]) -> Self:
        """Learn from inputs of shape (n, 19, 6) and a boolean matrix of shape (n, 19)."""
        labels = len(MIXED_HEADS)
        inputs = _used(inputs)
        self.weights_ = np.zeros((labels, inputs.shape[2]))
        self.biases_ = np.zeros(labels)
        for index in range(labels):
            truth = y[:, index]
            if truth.all() or not truth.any():
                self.biases_[index] = _LOGIT_BOUND if truth.all() else -_LOGIT_BOUND
                continue
            head = LogisticRegression(C=self.strength, max_iter=1000).fit(inputs[:, index], truth)
            self.weights_[index] = head.coef_[0]
            self.biases_[index] = head.intercept_[0]
        return self

    def logits(self, inputs: Array) -> Array:
        """Calibrated logits of shape (n, 19)."""
        mixed = np.einsum("nlk,lk->nl", _used(inputs), self.weights_) + self.biases_
        return np.asarray(np.clip(mixed, -_LOGIT_BOUND, _LOGIT_BOUND))


def _used(inputs: Array) -> Array:
    """The inputs with those that a label does not use set to zero."""
    used = inputs.copy()
    used[:, len(INDICATOR_IDS) :, 1:] = 0.0
    return used


@dataclass(frozen=True, slots=True)
class WindowScores:
    """Calibrated logits of one window, shape (19,), and the sentence logits behind them, shape (n, 12)."""

    logits: Array
    sentences: Array


class Classifier(BaseEstimator):  # type: ignore[misc]
    """All heads together. `page_penalty_` (19,) is what a page of n windows pays, times log n, for its many chances."""

    def __init__(self, window_heads: WindowHeads, sentence_heads: LinearHeads, mixing_heads: MixingHeads) -> None:
        self.window_heads = window_heads
        self.sentence_heads = sentence_heads
        self.mixing_heads = mixing_heads
        self.page_penalty_: Array = np.zeros(len(MIXED_HEADS))

    def raw(self, views: Sequence[View]) -> list[RawScores]:
        """Logits before mixing, one record a view; each view is scored by itself, so batches change nothing."""
        return [
            RawScores(self.window_heads.logits([view.whole])[0], self.sentence_heads.logits(view.sentences)) for view in views
        ]

    def score(self, views: Sequence[View]) -> list[WindowScores]:
        """Calibrated logits, one record a view."""
        found = []
        for raw in self.raw(views):
            logits = self.mixing_heads.logits(mixing_inputs(raw)[np.newaxis])[0]
            found.append(WindowScores(logits, raw.sentences))
        return found

    def word_scores(self, passage: Passage, start: int, column: int) -> tuple[tuple[Span, ...], Array]:
        """The words of a sentence that begins at `start`, and each one's part of an indicator's sentence logit."""
        heads = self.sentence_heads
        return word_scores(heads.features, heads.weights_[:, column], passage, start)

    def page(self, windows: Sequence[WindowScores]) -> Array:
        """Logits of a page of shape (19,): the highest of its windows, less the penalty for the number of windows.

        `warns` and `neutral` are the mean over the windows: what a page mostly does. `promotes` is its highest window without
        penalty, since the signs found there already pay one; but a page that mostly warns quotes what it warns of, and
        its `promotes` is the mean as well.
        """
        stacked = np.stack([window.logits for window in windows])
        if len(windows) == 1:
            return np.asarray(stacked[0])
        page = stacked.max(axis=0) - self.page_penalty_ * np.log(len(windows))
        promotes, warns, neutral = (MIXED_HEADS.index(stance) for stance in ("promotes", "warns", "neutral"))
        page[[warns, neutral]] = stacked[:, [warns, neutral]].mean(axis=0)
        mostly_warns = page[warns] > 0
        page[promotes] = stacked[:, promotes].mean() if mostly_warns else stacked[:, promotes].max()
        return np.asarray(page)


def probability(logits: Array) -> Array:
    """Probabilities in (0, 1) of logits."""
    return np.asarray(1.0 / (1.0 + np.exp(-logits)))
