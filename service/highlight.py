"""Cut a text where passages start and end, so that overlapping passages can be shown one beside the other."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from model.records import Prediction


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of the submitted text and the numbers (from 1) of the present indicators that it shows, sorted."""

    text: str
    numbers: tuple[int, ...]
    names: tuple[str, ...]
    closes: tuple[int, ...]


def segments(text: str, prediction: Prediction) -> list[Segment]:
    """Pieces that join back to `text`; `closes` holds the numbers of the passages that end with the piece."""
    present = [indicator for indicator in prediction.indicators if indicator.present]
    passages = [
        (passage.start, passage.end, number, indicator.label)
        for number, indicator in enumerate(present, start=1)
        for passage in indicator.evidence
    ]
    return _cut(text, passages)


def _cut(text: str, passages: Sequence[tuple[int, int, int, str]]) -> list[Segment]:
    edges = sorted({0, len(text), *(start for start, *_ in passages), *(end for _, end, *_ in passages)})
    pieces = []
    for start, end in pairwise(edges):
        over = sorted({(number, name) for first, last, number, name in passages if first <= start and end <= last})
        closes = tuple(sorted({number for _, last, number, _ in passages if last == end}))
        numbers = tuple(number for number, _ in over)
        pieces.append(Segment(text[start:end], numbers, tuple(name for _, name in over), closes))
    return pieces
