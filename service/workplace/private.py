"""Personal data in what is shown: told apart so that it can be masked on the screen, by as many signs as it has."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from model.records import Prediction

#: Kinds of entities that say who somebody is or how to reach them.
PRIVATE: Final = frozenset({"person", "phone", "email", "url", "handle", "address", "siret", "rpps", "adeli"})
MASK: Final = "■"


@dataclass(frozen=True, slots=True)
class Shown:
    """A piece of text, and whether it is personal data."""

    text: str
    private: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the text of a page: the numbers and names of the signs that it shows, those that end with it."""

    shown: tuple[Shown, ...]
    numbers: tuple[int, ...]
    names: tuple[str, ...]
    closes: tuple[int, ...]


def private_spans(prediction: Prediction | None) -> list[tuple[int, int]]:
    """Where personal data is in a text, sorted."""
    if prediction is None:
        return []
    return sorted({(entity.start, entity.end) for entity in prediction.entities if entity.kind in PRIVATE})


def shown(text: str, prediction: Prediction | None, start: int, end: int, *, masked: bool = False) -> tuple[Shown, ...]:
    """The part of a text from `start` to `end` (code points), cut where personal data starts and ends."""
    spans = [(first, last) for first, last in private_spans(prediction) if first < end and start < last]
    edges = {start, end, *(place for span in spans for place in span if start < place < end)}
    pieces = []
    for first, last in pairwise(sorted(edges)):
        inside = any(begin <= first and last <= stop for begin, stop in spans)
        pieces.append(Shown(MASK * (last - first) if inside and masked else text[first:last], inside))
    return tuple(pieces)
