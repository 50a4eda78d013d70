"""Personal data of a text: one finder for the screen, the dossiers, the exports and the logs.

Names come from the French pipeline (spaCy, fr_core_news_md) and from rules; ways to reach people, addresses and numbers from
rules alone. Recall and precision are measured on texts written for it (`tests/data/privacy`). What makes somebody known
without naming them (a trade in a village, an illness, a story) is not found: masking is not anonymisation.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import regex

from model.document import Document
from model.entities import find_entities
from model.records import Prediction
from model.text import Span, clean, fold
from service.cases.names import parts_of
from service.privacy.people import is_nobody, names_in, widened
from service.privacy.reach import reach_in

#: Kinds of entities that say who somebody is or how to reach them.
PRIVATE: Final = frozenset({"person", "phone", "email", "url", "handle", "address", "siret", "rpps", "adeli"})
#: How each kind is called where it is shown in place of the words.
KIND_NAMES: Final = {
    "person": "personne",
    "phone": "téléphone",
    "email": "courriel",
    "url": "adresse en ligne",
    "handle": "compte",
    "address": "adresse",
    "siret": "identifiant",
    "rpps": "identifiant",
    "adeli": "identifiant",
    "registration": "identifiant",
    "nir": "numéro de sécurité sociale",
    "iban": "compte bancaire",
    "card": "carte bancaire",
    "birth": "date de naissance",
}
_SHORTEST: Final = 3


@dataclass(frozen=True, slots=True)
class Personal:
    """A part of a text that is personal data: its kind (a key of KIND_NAMES), code points, `end` excluded."""

    kind: str
    start: int
    end: int


def find_personal(text: str, prediction: Prediction | None = None, known: Collection[str] = ()) -> tuple[Personal, ...]:
    """The personal data of a text, sorted, none over another.

    `prediction`: that of this text, if there is one; where it was made in full its names need not be looked for again.
    `known`: names and accounts that are personal here, such as the author's.
    """
    told = [(one.kind, one.start, one.end) for one in prediction.entities] if prediction is not None else []
    full = prediction is not None and prediction.analysis == "full" and prediction.status == "ok"
    return personal_with(text, told, full=full, known=known)


def personal_with(
    text: str, told: Iterable[tuple[str, int, int]], *, full: bool, known: Collection[str] = ()
) -> tuple[Personal, ...]:
    """As `find_personal`, with the entities of a prediction; `full`: its names need not be looked for again.

    `text` may be the beginning only of what the entities are of: one that it cuts is found up to the cut.
    """
    found = []
    for kind, start, last in told:
        end = min(last, len(text))
        if start >= end:
            continue
        if kind == "person":
            # Half a name says too little to be judged.
            place = widened(text, (start, end)) if end == last else (start, end)
            found += [("person", *place)] if place else []
        elif kind in PRIVATE:
            found.append((kind, start, end))
    found += _found(text, pipeline=not full)
    found += _again(text, [text[start:end] for kind, start, end in found if kind == "person"])
    found += _known(text, known)
    return _apart(found, len(text))


@lru_cache(maxsize=1024)
def _found(text: str, *, pipeline: bool) -> tuple[tuple[str, int, int], ...]:
    cleaned = clean(text)
    read = cleaned.text
    found = list(reach_in(read))
    taken = [(start, end) for _, start, end in found]
    people = names_in(read)
    if pipeline and any(one.isupper() for one in read):
        people += _by_pipeline(read)
    found += [("person", *place) for place in people if not any(first <= place[0] and place[1] <= last for first, last in taken)]
    places = [(kind, cleaned.to_raw(Span(start, end))) for kind, start, end in found]
    return tuple((kind, place.start, place.end) for kind, place in places if place.start < place.end)


def _by_pipeline(read: str) -> list[tuple[int, int]]:
    """People that the French pipeline finds in a clean text; nothing else of the document is needed for it."""
    document = Document(clean(read), (), (), (), frozenset())
    if document.text != read:
        return []
    people = [one.span for one in find_entities(document) if one.kind == "person"]
    return [place for span in people if (place := widened(read, (span.start, span.end)))]


def _again(text: str, names: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """The words of names that are found, wherever they stand with their capital."""
    parts = sorted({part for name in names for part in parts_of(name)}, key=len, reverse=True)
    if not parts:
        return
    pattern = regex.compile(rf"(?<!\w)(?:{'|'.join(map(regex.escape, parts))})(?!\w)")
    yield from (("person", *one.span()) for one in pattern.finditer(text) if not is_nobody(text, one.span()))


def _known(text: str, known: Collection[str]) -> Iterator[tuple[str, int, int]]:
    values = sorted({one.strip() for one in known if len(one.strip()) >= _SHORTEST}, key=len, reverse=True)
    folded = fold(text)
    if not values or len(folded) != len(text):
        return
    pattern = regex.compile("|".join(rf"(?<!\w){regex.escape(fold(one))}(?!\w)" for one in values))
    kinds = {fold(one): "handle" if one.startswith("@") or " " not in one else "person" for one in values}
    yield from ((kinds[one.group()], *one.span()) for one in pattern.finditer(folded))


def _apart(found: Sequence[tuple[str, int, int]], length: int) -> tuple[Personal, ...]:
    """These places, those that overlap made one of the kind of the longest."""
    merged: list[tuple[int, int, int, str]] = []
    for kind, start, end in sorted(found, key=lambda one: (one[1], -one[2], one[0])):
        stop = min(end, length)
        if start >= stop:
            continue
        if merged and start < merged[-1][1]:
            first, last, widest, name = merged[-1]
            wider = stop - start > widest
            merged[-1] = first, max(last, stop), max(widest, stop - start), kind if wider else name
        else:
            merged.append((start, stop, stop - start, kind))
    return tuple(Personal(kind, start, end) for start, end, _, kind in merged)
