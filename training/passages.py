"""How well the passages shown agree with the annotated ones: where they touch, how long they are, which words they hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.labels import INDICATOR_IDS
from model.records import Prediction
from model.text import Span, words_of
from training.agreement import passage_agreement, word_f1
from training.corpus import AnnotatedText
from training.intervals import bootstrap, share


@dataclass(frozen=True, slots=True)
class _Case:
    """An indicator that a text truly has: whether it was found, whether passages touch, word F1, lengths in words."""

    label: str
    found: bool
    touching: bool
    word_f1: float
    shown: tuple[int, ...]
    marked: tuple[int, ...]


def passage_figures(texts: Sequence[AnnotatedText], predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Figures of passages, over all indicators and by indicator (`labels`), as plain numbers for JSON.

    `overlap` and `word_f1` are over the indicators rightly found; `overlap_of_all` and `word_f1_of_all` over all that the
    texts truly have, a missed one counting as nothing shown. Lengths are medians in words, over those rightly found.
    """
    cases = [case for text, prediction in zip(texts, predictions, strict=True) for case in _cases(text, prediction)]
    shown = [count for case in cases for count in case.shown]
    marked = [count for case in cases if case.found for count in case.marked]
    medians = float(np.median(shown)) if shown else None, float(np.median(marked)) if marked else None
    return {
        **_figures(cases),
        "median_words": medians[0],
        "annotated_median_words": medians[1],
        "length_ratio": round(medians[0] / medians[1], 4) if medians[0] and medians[1] else None,
        "labels": {name: _figures([case for case in cases if case.label == name]) for name in INDICATOR_IDS},
    }


def annotator_figures(texts: Sequence[AnnotatedText]) -> dict[str, Any]:
    """Word F1 of two annotators over the indicators that both gave, to set the model's beside; None where there is none."""
    found = [label for label in passage_agreement(texts) if label.texts]
    total = sum(label.texts for label in found)
    mean = sum(label.word_f1 * label.texts for label in found) / total if total else None
    return {
        "cases": total,
        "word_f1": round(mean, 4) if mean is not None else None,
        "labels": {label.id: {"cases": label.texts, "word_f1": round(label.word_f1, 4)} for label in found},
    }


def _cases(text: AnnotatedText, prediction: Prediction) -> list[_Case]:
    evidence = {indicator.id: indicator.evidence for indicator in prediction.indicators if indicator.present}
    cases = []
    for label in sorted(text.labels()):
        marked = [Span(passage.start, passage.end) for passage in text.indicators if passage.label == label]
        shown = [Span(passage.start, passage.end) for passage in evidence.get(label, ())]
        cases.append(
            _Case(
                label,
                label in evidence,
                any(one.overlaps(other) for one in marked for other in shown),
                word_f1(text.text, marked, shown),
                tuple(len(words_of(text.text[span.start : span.end])) for span in shown),
                tuple(len(words_of(text.text[span.start : span.end])) for span in marked),
            )
        )
    return cases


def _figures(cases: Sequence[_Case]) -> dict[str, Any]:
    found = [case for case in cases if case.found]
    hit = sum(case.touching for case in found)
    return {
        "overlap": share(hit, len(found)).to_json(),
        "overlap_of_all": share(hit, len(cases)).to_json(),
        "word_f1": _mean([case.word_f1 for case in found]),
        "word_f1_of_all": _mean([case.word_f1 for case in cases]),
    }


def _mean(values: Sequence[float]) -> dict[str, Any]:
    scores = np.asarray(values)
    return bootstrap(len(scores), lambda rows: float(scores[rows].mean()) if len(rows) else float("nan")).to_json()
