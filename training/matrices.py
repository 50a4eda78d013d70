"""From annotated texts to what the heads learn from: views, truth per window, truth per sentence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.classifier import FLAG, WINDOW_HEADS
from model.document import Document, read_document
from model.features import View, view
from model.labels import INDICATOR_IDS
from model.text import Span
from training.corpus import AnnotatedText

Truth = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Example:
    """A text ready to learn from: its view as one window, its truth of shape (19,), its sentences' of shape (n, 12)."""

    text: AnnotatedText
    document: Document
    view: View
    truth: Truth
    sentence_truth: Truth


def example_of(text: AnnotatedText) -> Example:
    """Read, view and label one text. Texts of the corpus are short enough to be one window."""
    document = read_document(text.text)
    seen = view(document)
    return Example(text, document, seen, truth_of(text), _sentence_truth(text, document, seen))


def truth_of(text: AnnotatedText) -> Truth:
    """Which of WINDOW_HEADS hold of a text; shape (19,)."""
    held = {*text.labels(), text.stance, *text.targets} | ({FLAG} if text.flagged else set())
    return np.asarray([name in held for name in WINDOW_HEADS])


def _sentence_truth(text: AnnotatedText, document: Document, seen: View) -> Truth:
    truth = np.zeros((len(seen.sentences), len(INDICATOR_IDS)), dtype=bool)
    for passage in text.indicators:
        marked = document.clean.from_raw(Span(passage.start, passage.end))
        for row, unit in enumerate(seen.units):
            if unit.span.overlaps(marked):
                truth[row, INDICATOR_IDS.index(passage.label)] = True
    return truth


def stacked_truth(examples: Sequence[Example]) -> Truth:
    """Truth of all examples; shape (n, 19)."""
    return np.stack([example.truth for example in examples])


def writers_of(examples: Iterable[Example]) -> list[str]:
    """The writers, sorted."""
    return sorted({example.text.writer for example in examples})
