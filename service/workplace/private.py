"""Personal data in what is shown: told apart so that it can be masked on the screen, by as many signs as it has."""

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

from model.records import Prediction
from service.workplace.identifiers import identifiers

#: Kinds of entities that say who somebody is or how to reach them.
PRIVATE: Final = frozenset({"person", "phone", "email", "url", "handle", "address", "siret", "rpps", "adeli"})
MASK: Final = "■"
#: E-mail addresses, pages' addresses, accounts, telephone numbers: told by their form alone.
_REACHED: Final = re.compile(
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|\b(?:https?://|www\.)\S+"
    r"|(?<!\w)@\w[\w.]{2,}"
    r"|(?<!\d)(?:\+\d{1,3}[ .-]?|0)\d(?:[ .-]?\d\d){4}(?!\d)"
)


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
    """Where personal data is in a text, sorted: what the model found, and how to reach people, found without it."""
    entities = prediction.entities if prediction is not None else ()
    return sorted({*reached(text), *((entity.start, entity.end) for entity in entities if entity.kind in PRIVATE)})


@lru_cache(maxsize=256)
def reached(text: str) -> tuple[tuple[int, int], ...]:
    """Where a text, or what somebody wrote, says how to reach people, or holds a number that is one person's."""
    found = [found.span() for found in _REACHED.finditer(text)]
    return (*found, *((start, end) for _, start, end in identifiers(text)))


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


def hidden(text: str, prediction: Prediction | None, *, masked: bool) -> str:
    """A text, or its beginning, with its personal data masked if asked."""
    return "".join(piece.text for piece in shown(text, prediction, 0, len(text), masked=masked))
