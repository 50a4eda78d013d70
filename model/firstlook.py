"""A cheap first look at a text: enough to leave alone what holds nothing to examine, and to give it scores.

It reads what a glance sees (words, letters, concepts, classes of table entries; no encoder, wordings, context or sentence by
sentence) and answers two questions with linear heads: would the full analysis flag the text, would it find anything at all.
Where both answers are surely no, at thresholds set on writers that no model saw, the full analysis is spared.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import log1p
from typing import Final

import numpy as np
from numpy.typing import NDArray

from model.classifier import WindowHeads
from model.concepts import concepts
from model.context import foldable
from model.document import Document, Unit
from model.features import Passage, classes_of
from model.phrases import Hit
from model.text import sentences, windows

Array = NDArray[np.float64]

_STOP: Final = "."
#: The features have a place for a sentence vector, which a first look does not pay for.
_NO_VECTOR: Final = np.zeros(1, dtype=np.float32)

#: What the full analysis would say of a text: a flag (level 2 or 3), anything at all (level 1 or more).
QUESTIONS: Final = ("flag", "anything")


@dataclass(frozen=True, slots=True)
class Looked:
    """A first look: logits of shape (19,) in the order of WINDOW_HEADS, and whether the text asks for the full analysis."""

    logits: Array
    matters: bool


class FirstLook:
    """Linear heads over what a glance sees of a window; a text asks for more where one of its windows does.

    `questions_` (features, 2) and `biases_` (2,) are the heads of QUESTIONS; `thresholds_` has for each operating point the
    two logits from which they are answered yes.
    """

    def __init__(
        self, heads: WindowHeads, questions: Array, biases: Array, thresholds: Mapping[str, tuple[float, float]]
    ) -> None:
        self.heads = heads
        self.questions_ = questions
        self.biases_ = biases
        self.thresholds_ = dict(thresholds)

    def look(self, document: Document, point: str) -> Looked:
        """The first look at a document for an operating point; logits are those of the window nearest to asking for more."""
        rows = self.heads.features.transform(passages(document))
        beyond = rows @ self.questions_ + self.biases_ - np.asarray(self.thresholds_[point])
        place = int(beyond.max(axis=1).argmax())
        return Looked(self.heads.logits_of(rows[place])[0], bool((beyond >= 0).any()))


def passages(document: Document) -> list[Passage]:
    """What a first look sees of a document, window by window; there is always one."""
    parts = [document.part(span) for span in windows(document.text, sentences(document.text))]
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
    return Passage(foldable(document.span_text()), tuple(stream), damped, _NO_VECTOR)


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
