"""Models of the comparison with more than one head a text: sentences, mixing, chain, joint, shared layer, stance as a gate."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.multioutput import ClassifierChain
from sklearn.neural_network import MLPClassifier

from model.classifier import FLAG, WINDOW_HEADS, Array, MixingHeads, RawScores, mixing_inputs, window_logits
from model.document import read_document
from model.features import view
from model.labels import INDICATOR_IDS, STANCE_IDS
from training.baselines import LOGIT_BOUND, LinearHead, Run, Scores, scores_of
from training.blocks import SomeBlocks, Weights
from training.pool import HEADS, Part, Pool, linear_heads, window_heads

_SIGNS: Final = len(INDICATOR_IDS)
_STANCES: Final = slice(_SIGNS, _SIGNS + len(STANCE_IDS))
_PROMOTES: Final = HEADS.index("promotes")
_FLAG: Final = HEADS.index(FLAG)
_CHAIN_FOLDS: Final = 2
_UNITS: Final = 128
_EPOCHS: Final = 15


@dataclass(frozen=True, slots=True)
class GateHead:
    """Flag and signs learned on texts that promote, times the chance that the text promotes; or not times it."""

    stance: LinearHead
    within: LinearHead
    closed: bool

    def scores(self, matrix: Any) -> Scores:
        """The scores of the rows of a matrix."""
        stance, within = expit(self.stance.logits(matrix)), expit(self.within.logits(matrix))
        gate = stance[:, STANCE_IDS.index("promotes")] if self.closed else np.ones(len(stance))
        return Scores(within[:, -1] * gate, within[:, :_SIGNS] * gate[:, np.newaxis], stance)


def learn_gate(part: Part, matrix: Any, key: object, *, closed: bool) -> GateHead:
    """Stance heads on every text; flag and signs on those that promote."""
    kept = part.kept
    if ("gate", key) not in kept:
        truth, strength = part.truth, part.strength(matrix, key)
        inside = truth[:, _PROMOTES]
        names = (*INDICATOR_IDS, FLAG)
        asked = [HEADS.index(name) for name in names]
        stance = LinearHead.of(linear_heads(matrix, truth[:, _STANCES], STANCE_IDS, strength))
        within = LinearHead.of(linear_heads(matrix[inside], truth[inside][:, asked], names, strength))
        kept["gate", key] = stance, within
    stance, within = kept["gate", key]
    return GateHead(stance, within, closed)


@dataclass(frozen=True, slots=True)
class JointHead:
    """One multinomial over stance and flag together; it gives no signs."""

    outcomes: tuple[tuple[str, bool], ...]
    model: LogisticRegression

    def scores(self, matrix: Any) -> Scores:
        """The scores of the rows of a matrix."""
        chances = self.model.predict_proba(matrix)
        flagged = np.asarray([flag for _, flag in self.outcomes])
        stance = [chances[:, [name == found for found, _ in self.outcomes]].sum(axis=1) for name in STANCE_IDS]
        return Scores(chances[:, flagged].sum(axis=1), None, np.stack(stance, axis=1))


def learn_joint(part: Part, matrix: Any, key: object) -> JointHead:
    """One multinomial over the pairs of stance and flag that occur."""
    found = [(STANCE_IDS[int(row[_STANCES].argmax())], bool(row[_FLAG])) for row in part.truth]
    outcomes = tuple(sorted(set(found)))
    numbers = [outcomes.index(pair) for pair in found]
    return JointHead(outcomes, LogisticRegression(C=part.strength(matrix, key), tol=1e-3, max_iter=500).fit(matrix, numbers))


@dataclass(frozen=True, slots=True)
class ChainHead:
    """Stance, then flag, then signs, each head seeing the answers before it; `links` are their places in HEADS."""

    links: tuple[int, ...]
    chain: ClassifierChain

    def scores(self, matrix: Any) -> Scores:
        """The scores of the rows of a matrix; 0 for a head that had too few examples to be a link."""
        chances = np.zeros((matrix.shape[0], len(HEADS)))
        chances[:, self.links] = self.chain.predict_proba(matrix)
        return Scores(chances[:, _FLAG], chances[:, :_SIGNS], chances[:, _STANCES])


def learn_chain(part: Part, matrix: Any, key: object) -> ChainHead:
    """A chain whose links learn from answers for writers that the links before them had not seen."""
    truth = part.truth[:, : len(HEADS)]
    inner = list(GroupKFold(_CHAIN_FOLDS).split(part.learn, groups=part.pool.writers[part.learn]))
    order = (*range(_STANCES.start, _STANCES.stop), _FLAG, *range(_SIGNS))
    links = tuple(head for head in order if all(0 < truth[rows, head].mean() < 1 for rows, _ in inner))
    link = LogisticRegression(C=part.strength(matrix, key), tol=1e-3, max_iter=500)
    chain = ClassifierChain(link, cv=inner, chain_method="predict_proba", random_state=part.pool.seed)
    return ChainHead(links, chain.fit(matrix, truth[:, links].astype(int)))


@dataclass(frozen=True, slots=True)
class SharedHead:
    """All heads on one hidden layer that they learn together."""

    network: MLPClassifier

    def scores(self, matrix: Any) -> Scores:
        """The scores of the rows of a matrix."""
        chances = np.asarray(self.network.predict_proba(matrix.toarray()), dtype=np.float64)
        return Scores(chances[:, _FLAG], chances[:, :_SIGNS], chances[:, _STANCES])


def learn_shared(part: Part, matrix: Any, _: object) -> SharedHead:
    """A small network with one hidden layer, a fixed number of passes."""
    network = MLPClassifier((_UNITS,), alpha=1e-3, batch_size=64, max_iter=_EPOCHS, random_state=part.pool.seed)
    with warnings.catch_warnings():
        # The number of passes is the choice made: it is not meant to converge.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return SharedHead(network.fit(matrix.toarray(), part.truth[:, : len(HEADS)].astype(int)))


def _highest(logits: Array, counts: Sequence[int]) -> Array:
    """The highest logit of each text's sentences, of shape (texts, heads)."""
    pieces = np.split(logits, np.cumsum(counts)[:-1])
    return np.stack([piece.max(axis=0) if len(piece) else np.full(logits.shape[1], -LOGIT_BOUND) for piece in pieces])


def sentence_heads(part: Part, weights: Weights, strength: float) -> tuple[LinearHead, Array]:
    """Heads learned from sentences, and their logits for the sentences held out; kept for the next row that asks.

    A sentence bears the signs whose passage it touches, the stance of its text, and the flag where its text is flagged and
    it bears a sign.
    """
    key = ("sentences", tuple(sorted(weights.items())), strength)
    if key not in part.kept:
        truths = []
        for row in part.learn:
            example = part.pool.examples[row]
            whole = np.broadcast_to(example.truth[_STANCES], (len(example.sentence_truth), len(STANCE_IDS)))
            flag = example.sentence_truth.any(axis=1, keepdims=True) & bool(example.truth[_FLAG])
            truths.append(np.hstack([example.sentence_truth, whole, flag]))
        learned, held = part.by_sentence(weights)
        head = LinearHead.of(linear_heads(learned, np.vstack(truths), HEADS, strength))
        part.kept[key] = head, head.logits(held)
    found: tuple[LinearHead, Array] = part.kept[key]
    return found


@dataclass(frozen=True, slots=True)
class SentencePredictor:
    """The highest sentence of a text."""

    features: SomeBlocks
    head: LinearHead

    def predict(self, texts: Sequence[str]) -> Scores:
        """The scores of raw texts."""
        passages = [view(read_document(text)).sentences for text in texts]
        logits = self.head.logits(self.features.transform([passage for found in passages for passage in found]))
        return scores_of(_highest(logits, [len(found) for found in passages]))


def run_sentences(pool: Pool, parts: Sequence[Part], weights: Weights, strength: float) -> Run:
    """Sentence heads alone, the text scoring as its highest sentence."""
    scores = []
    for part in parts:
        head, logits = sentence_heads(part, weights, strength)
        scores.append(scores_of(_highest(logits, pool.sentence_counts(part.held))))
    return Run(tuple(scores), SentencePredictor(SomeBlocks(weights).taken_from(parts[-1].sentence_features), head))


@dataclass(frozen=True, slots=True)
class JoinedHead:
    """The product's heads of the whole text, stance and flag joined."""

    weights: NDArray[np.float32]
    biases: Array

    def logits(self, matrix: Any) -> Array:
        """Logits of shape (n, heads), bounded as the product's."""
        return window_logits(np.asarray(matrix @ self.weights + self.biases, dtype=np.float64))


def _whole_head(part: Part, learned: Any, strength: float, *, joined: bool) -> LinearHead | JoinedHead:
    if joined:
        heads = window_heads(learned, part.truth, strength)
        return JoinedHead(heads.weights_, heads.biases_)
    return LinearHead.of(linear_heads(learned, part.truth, WINDOW_HEADS, strength))


def _inputs(whole: Array, sentences: Array, counts: Sequence[int]) -> Array:
    pieces = np.split(sentences[:, :_SIGNS], np.cumsum(counts)[:-1])
    return np.stack([mixing_inputs(RawScores(row, piece)) for row, piece in zip(whole, pieces, strict=True)])


def _mixed(logits: Array) -> Scores:
    return scores_of(logits[:, : len(HEADS)])


@dataclass(frozen=True, slots=True)
class MixingPredictor:
    """Whole text and sentences, weighed by the mixing heads."""

    whole_features: SomeBlocks
    whole: LinearHead | JoinedHead
    sentence_features: SomeBlocks
    sentence: LinearHead
    mixing: MixingHeads

    def predict(self, texts: Sequence[str]) -> Scores:
        """The scores of raw texts."""
        views = [view(read_document(text)) for text in texts]
        whole = self.whole.logits(self.whole_features.transform([seen.whole for seen in views]))
        passages = [passage for seen in views for passage in seen.sentences]
        sentences = self.sentence.logits(self.sentence_features.transform(passages))
        return _mixed(self.mixing.logits(_inputs(whole, sentences, [len(seen.sentences) for seen in views])))


def run_mixing(pool: Pool, parts: Sequence[Part], weights: Weights, strengths: dict[str, float], *, joined: bool = False) -> Run:
    """The product's model where stance and flag are `joined`.

    For the folds, mixing heads learn from the other folds' scores, as in `training.fit`.
    """
    inputs = []
    for part in parts:
        learned, held = part.whole(weights)
        whole = _whole_head(part, learned, strengths["window"], joined=joined)
        sentence, logits = sentence_heads(part, weights, strengths["sentence"])
        inputs.append(_inputs(whole.logits(held), logits, pool.sentence_counts(part.held)))
    scores = []
    for place in range(len(parts)):
        # The last part holds `dev` out; its mixing heads learn from every fold.
        others = [other for other in range(len(parts) - 1) if other != place]
        truth = np.vstack([pool.truth[parts[other].held] for other in others])
        mixing = MixingHeads(strengths["mixing"]).fit(np.vstack([inputs[other] for other in others]), truth)
        scores.append(_mixed(mixing.logits(inputs[place])))
    features = (SomeBlocks(weights).taken_from(found) for found in (part.features, part.sentence_features))
    whole_features, sentence_features = features
    return Run(tuple(scores), MixingPredictor(whole_features, whole, sentence_features, sentence, mixing))
