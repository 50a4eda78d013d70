"""Personal data in what is shown: told apart so that it can be masked on the screen, by as many signs as it has."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from model.records import Prediction
from service.privacy.personal import PRIVATE, find_personal

__all__ = ["MASK", "PRIVATE", "Piece", "Shown", "beginning", "private_spans", "private_words", "reached", "shown"]

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


def private_spans(text: str, prediction: Prediction | None) -> list[tuple[int, int]]:
    """Where personal data is in a text, sorted, none over another (`service.privacy.personal`)."""
    return [(one.start, one.end) for one in find_personal(text, prediction)]


def reached(text: str) -> tuple[tuple[int, int], ...]:
    """Where a text that no model read, or what somebody wrote, holds personal data, names included."""
    return tuple((one.start, one.end) for one in find_personal(text))


def shown(text: str, prediction: Prediction | None, start: int, end: int, *, masked: bool = False) -> tuple[Shown, ...]:
    """The part of a text from `start` to `end` (code points), cut where personal data starts and ends."""
    spans = [(first, last) for first, last in private_spans(text, prediction) if first < end and start < last]
    edges = {start, end, *(place for span in spans for place in span if start < place < end)}
    pieces = []
    for first, last in pairwise(sorted(edges)):
        inside = any(begin <= first and last <= stop for begin, stop in spans)
        pieces.append(Shown(MASK * (last - first) if inside and masked else text[first:last], inside))
    return tuple(pieces)


def private_words(text: str, prediction: Prediction | None) -> set[str]:
    """The personal data of a text, as it is written there."""
    return {text[start:end] for start, end in private_spans(text, prediction)}


def beginning(text: str, prediction: Prediction | None, size: int, *, masked: bool) -> str:
    """The first characters of a text, with its personal data masked if asked; found in the whole, as the prediction is of it."""
    return "".join(piece.text for piece in shown(text, prediction, 0, min(size, len(text)), masked=masked))
