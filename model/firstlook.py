"""Two cheap looks at a text: enough to leave alone what holds nothing to examine, and to give it scores.

The first look reads what a glance sees (words, letters, concepts, classes of table entries); the second one, at what the first
sends on, also sees the wordings, rules and cues of context: all that the full analysis sees of a window but the encoder's
vectors, which cost most. Each answers two questions: would the full analysis flag the text, would it find anything at all.
Where both answers are surely no, at thresholds set on writers that no model saw, the rest is spared.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import log1p
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model.classifier import FLAG, WINDOW_HEADS, window_logits
from model.concepts import concepts
from model.context import foldable
from model.document import Document, Unit
from model.features import NO_VECTOR, Passage, PassageFeatures, View, classes_of
from model.phrases import Hit
from model.text import sentences, windows

Array = NDArray[np.float64]

_STOP: Final = "."

#: What the full analysis would say of a text: a flag (level 2 or 3), anything at all (level 1 or more).
QUESTIONS: Final = ("flag", "anything")
#: What a look weighs to answer: is it flagged, does it promote, does it hold anything, for annotators; then QUESTIONS.
INPUTS: Final = ("flag", "promotes", "anything", "flagged", "found")
_FLAG, _PROMOTES = WINDOW_HEADS.index(FLAG), WINDOW_HEADS.index("promotes")
_LINEAR: Final = 3
_SHORT_WORDS: Final = 60


@dataclass(frozen=True, slots=True)
class Looked:
    """A look: logits of shape (19,) in the order of WINDOW_HEADS, and whether the text asks for more."""

    logits: Array
    matters: bool


class Look:
    """Linear heads over the rows of windows, and the two answers weighed from them; a text asks for more where a window does.

    `weights_` (features, 26) and `biases_` (26,) are those of the window heads (23, see `window_logits`) and of the last three of
    INPUTS; `answers_` (5, 2) and `offsets_` (2,) weigh INPUTS into the logits of QUESTIONS; `thresholds_` has for each operating
    point the two logits from which they are answered yes.
    """

    def __init__(
        self, weights: Any, biases: Array, answers: Array, offsets: Array, thresholds: Mapping[str, tuple[float, float]]
    ) -> None:
        self.weights_ = weights
        self.biases_ = biases
        self.answers_ = answers
        self.offsets_ = offsets
        self.thresholds_ = dict(thresholds)

    def look(self, rows: Any, point: str) -> Looked:
        """The look at the windows of a text, shape (n, features), n at least 1; logits are those of the one nearest to more."""
        scores = np.asarray(rows @ self.weights_ + self.biases_, dtype=np.float64)
        logits = window_logits(scores[:, :-_LINEAR])
        answers = inputs_of(logits, scores[:, -_LINEAR:]) @ self.answers_ + self.offsets_
        beyond = answers - np.asarray(self.thresholds_[point])
        return Looked(logits[int(beyond.max(axis=1).argmax())], bool((beyond >= 0).any()))


def inputs_of(logits: Array, linear: Array) -> Array:
    """INPUTS, shape (n, 5), from window logits (n, 19) and the three linear scores (n, 3)."""
    return np.column_stack([logits[:, _FLAG], logits[:, _PROMOTES], linear])


class Looks:
    """The first look with the features of a glance, and the second one on the features of the full analysis."""

    def __init__(self, features: PassageFeatures, first: Look, second: Look) -> None:
        self.features = features
        self.first = first
        self.second = second

    @property
    def points(self) -> set[str]:
        """The operating points that both looks know."""
        return set(self.first.thresholds_) & set(self.second.thresholds_)

    def glance(self, document: Document, point: str) -> Looked:
        """The first look at a document for an operating point."""
        return self.first.look(self.features.unencoded(passages(document)), point)

    def again(self, views: Sequence[View], features: PassageFeatures, point: str) -> Looked:
        """The second look, at the views of a document without vectors; `features` are those of the window heads."""
        return self.second.look(features.unencoded([view.whole for view in views]), point)


def passages(document: Document) -> list[Passage]:
    """What a first look sees of a document, window by window; there is always one.

    On a long page windows are as short as the texts that its thresholds were set on: a glance at more drowns one sentence.
    """
    parts = [document.part(span) for span in windows(document.text, sentences(document.text), _SHORT_WORDS)]
    return [passage_of(part) for part in parts or [document]]


def passage_of(document: Document) -> Passage:
    """What a first look sees of a window: a document without context."""
    starts = [unit.span.start for unit in document.units]
    dealt: list[list[tuple[Hit, bool]]] = [[] for _ in document.units]
    for index, hit in enumerate(document.hits):
        if dealt:
            dealt[max(0, bisect_right(starts, hit.span.start) - 1)].append((hit, index in document.negated))
    stream: list[str] = []
    counts: Counter[str] = Counter()
    for unit, hits in zip(document.units, dealt, strict=True):
        stream += concepts(document, unit, hits, classes_of)[0]
        stream.append(_STOP)
        counts.update(_classes(document, unit, hits))
    damped = {name: log1p(value) for name, value in sorted(counts.items()) if value}
    return Passage(foldable(document.span_text()), tuple(stream), damped, NO_VECTOR)


def _classes(document: Document, unit: Unit, hits: Sequence[tuple[Hit, bool]]) -> Counter[str]:
    """Classes of table entries in a sentence, pairs of those that are affirmed, question and exclamation marks."""
    counts: Counter[str] = Counter()
    affirmed: set[str] = set()
    for hit, negated in hits:
        for name in classes_of(hit):
            counts[f"not {name}" if negated else name] += 1
            if not negated:
                affirmed.add(name)
    counts.update(f"{one} & {other}" for one, other in combinations(sorted(affirmed), 2))
    for mark in "?!":
        counts[mark] += document.text.count(mark, unit.span.start, unit.span.end)
    return counts
