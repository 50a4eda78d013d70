"""« Docteur » says a degree or a habit, not a profession: whose order it is must be read in the words around it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import regex

from model.records import EntityMention
from model.text import fold

#: The title of the table that « docteur », « docteure », « dr » have alone.
DOCTOR: Final = "docteur"
_AROUND: Final = 120
_NEAR: Final = 60
#: Between a title and another one set beside it, where the text itself is not known: a comma, a dash, a space.
_JOINT: Final = 3

_HONORARY: Final = regex.compile(r"^[^.!?\n]{0,60}\bhonoris\s+causa\b|^[\s,]*h\.\s?c\.")
_DEGREE: Final = regex.compile(r"^\s*(?:diplome\w*\s+)?(?:en|es)\s+(?P<field>[^.,;:!?()\n–—]{2,60})")
#: What follows « en médecine » where it is the state's own degree; « en médecine chinoise » is another thing.
_PHYSICIAN: Final = regex.compile(
    r"^medecine(?=$|\s+(?:generale|interne|du travail|d'urgence|physique|legale|nucleaire|du sport|vasculaire|de famille|et"
    r"|diplome|de (?:la )?(?:faculte|l'universite)|a|depuis|je|qui|avec|specialis\w+)\b|\s*$)"
)
_ORDERS: Final = (
    (_PHYSICIAN, "ordre des médecins"),
    (regex.compile(r"^(?:chirurgie dentaire|odontologie)\b"), "ordre des chirurgiens-dentistes"),
    (regex.compile(r"^pharmacie\b"), "ordre des pharmaciens"),
)
_NAME: Final = r"(?:\s*+(?:\p{Lu}[\p{L}.'’-]*+|(?:de|du|le|la)\b))"
_AFTER: Final = regex.compile(rf"^{_NAME}{{0,4}}\s*+(?:[,(:|/–—-]\s*+)?$")
_BEFORE: Final = regex.compile(r"^\s*+(?:[,:|/–—-]\s*+)?$")


@dataclass(frozen=True, slots=True)
class Doctor:
    """What a « docteur » is: the order that the words around it name, if any; `health`: nothing says that it is no such title.

    `beside` is the more precise title that stands next to it, which says more than « docteur » does.
    """

    order: str
    health: bool
    beside: EntityMention | None = None


def doctor_of(entity: EntityMention, text: str, titles: Sequence[EntityMention], people: Iterable[EntityMention] = ()) -> Doctor:
    """What the words around a « docteur » say of it; `titles` are the other titles of the text, empty `text`: it is not known."""
    known = text if text[entity.start : entity.end] == entity.text else ""
    after = fold(known[entity.end : entity.end + _AROUND])
    if _HONORARY.search(after):
        return Doctor("", health=False)
    if degree := _DEGREE.search(after):
        field = degree["field"].strip()
        order = next((order for pattern, order in _ORDERS if pattern.search(field)), "")
        return Doctor(order, health=bool(order))
    near = [one for one in titles if _stands_beside(entity, one, known, people)]
    return Doctor("", health=True, beside=min(near, key=lambda one: abs(one.start - entity.start), default=None))


def _stands_beside(entity: EntityMention, other: EntityMention, text: str, people: Iterable[EntityMention]) -> bool:
    """Whether two titles are said of one person: « Dr Anne Roy, sage-femme », « pharmacien, docteur »."""
    first, second = sorted((entity, other), key=lambda one: one.start)
    gap = second.start - first.end
    if not 0 <= gap <= _NEAR:
        return False
    if text:
        between = text[first.end : second.start]
        return bool((_AFTER if first is entity else _BEFORE).search(between))
    named = sum(one.end - one.start for one in people if first.end <= one.start and one.end <= second.start)
    return gap - named <= _JOINT
