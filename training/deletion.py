"""The deletion test: are the words shown those that the score rests on?

The passages shown for an indicator are cut out of the text, which is then scored again; and, to compare, as many words
elsewhere in the text, drawn at random, one run for each passage. The first should lower the score, the second should not.
(DeYoung et al., ERASER, ACL 2020, call the first comprehensiveness.)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from model.records import IndicatorScore, Prediction
from model.text import Span, word_spans
from training.corpus import AnnotatedText
from training.intervals import share

#: A random cut always moves a score a little, since weights are normalised over the words that are left. Calibration is
#: known by bands of 0.1: a move of less than half a band is one that the score cannot tell.
EPSILON: Final = 0.05
MOST_CASES: Final = 150
#: What is left must be long enough to be judged (guide, section 4).
_LEAST_LEFT: Final = 8


@dataclass(frozen=True, slots=True)
class _Cut:
    """What cutting words did to an indicator: how much its score fell, and whether it is still present."""

    drop: float
    present: bool


def deletion_test(
    texts: Sequence[AnnotatedText],
    predictions: Sequence[Prediction],
    rescore: Callable[[str], Prediction],
    *,
    most: int = MOST_CASES,
    seed: int = 0,
) -> dict[str, Any]:
    """Cut passages out of texts with indicators found, at most `most` cases drawn by the seed, as plain numbers for JSON.

    A case is set aside, and counted, where what is left is too short to be judged, or there is no room elsewhere for as
    many words. For `shown` and `random` alike: `lowered` (by anything), `lowered_beyond` (by more than `epsilon`), `absent`
    (the indicator is no longer present) and the median drop.
    """
    random = np.random.default_rng(seed)
    found = [
        (text.text, indicator)
        for text, prediction in zip(texts, predictions, strict=True)
        for indicator in prediction.indicators
        if indicator.present and indicator.evidence
    ]
    shown: list[_Cut] = []
    elsewhere: list[_Cut] = []
    aside = 0
    for index in random.permutation(len(found)):
        if len(shown) == most:
            break
        text, indicator = found[index]
        passages = [Span(passage.start, passage.end) for passage in indicator.evidence]
        others = random_passages(text, passages, random)
        cuts = [_cut(text, spans, indicator, rescore) for spans in (passages, others)] if others else [None]
        if cuts[0] is None or cuts[-1] is None:
            aside += 1
            continue
        shown.append(cuts[0])
        elsewhere.append(cuts[-1])
    return {
        "found": len(found),
        "cases": len(shown),
        "set_aside": aside,
        "epsilon": EPSILON,
        "shown": _figures(shown),
        "random": _figures(elsewhere),
    }


def random_passages(text: str, passages: Sequence[Span], random: np.random.Generator) -> list[Span]:
    """For each passage a run of as many words, drawn at random, apart from the passages and from each other.

    Empty where one finds no room.
    """
    words = word_spans(text)
    free = [not any(word.overlaps(passage) for passage in passages) for word in words]
    sizes = sorted((sum(word.overlaps(passage) for word in words) for passage in passages), reverse=True)
    found = []
    for size in sizes:
        starts = [first for first in range(len(words) - size + 1) if all(free[first : first + size])]
        if not starts or not size:
            return []
        first = int(random.choice(starts))
        free[first : first + size] = [False] * size
        found.append(Span(words[first].start, words[first + size - 1].end))
    return found


def without(text: str, spans: Sequence[Span]) -> str:
    """A text with ranges cut out, a space in the place of each."""
    pieces, start = [], 0
    for span in sorted(spans, key=lambda span: span.start):
        pieces.append(text[start : span.start])
        start = max(start, span.end)
    return " ".join([*pieces, text[start:]])


def _cut(text: str, spans: Sequence[Span], indicator: IndicatorScore, rescore: Callable[[str], Prediction]) -> _Cut | None:
    left = without(text, spans)
    if len(word_spans(left)) < _LEAST_LEFT:
        return None
    again = next((other for other in rescore(left).indicators if other.id == indicator.id), None)
    return _Cut(indicator.score - again.score, again.present) if again else None


def _figures(cuts: Sequence[_Cut]) -> dict[str, Any]:
    return {
        "lowered": share(sum(cut.drop > 0 for cut in cuts), len(cuts)).to_json(),
        "lowered_beyond": share(sum(cut.drop > EPSILON for cut in cuts), len(cuts)).to_json(),
        "absent": share(sum(not cut.present for cut in cuts), len(cuts)).to_json(),
        "median_drop": round(float(np.median([cut.drop for cut in cuts])), 4) if cuts else None,
    }
