"""Practice sheets: what a practice is called and claims, who said what of it; found despite accents and typing slips."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from rapidfuzz import fuzz

from model.tables import Practice, load_tables
from model.text import fold, words_of
from service.directions.routing import has_source
from service.directions.tables import Fact, Statement, load_directions

_LIKE: Final = 80.0
_SHORT: Final = 4
_MOST_RELATED: Final = 6
_LONGEST: Final = 100
_MOST_BEYOND: Final = 5


@dataclass(frozen=True, slots=True)
class Sheet:
    """A practice, what is known of it (None: nothing was gathered) and practices near it."""

    practice: Practice
    fact: Fact | None
    related: tuple[Practice, ...]

    @property
    def statements(self) -> tuple[Statement, ...]:
        """Who said what, with what binds physiotherapists only last."""
        found = self.fact.statements if self.fact else ()
        return tuple(sorted(found, key=lambda one: one.binds_physiotherapists))

    @property
    def sourced(self) -> bool:
        """Whether anybody is known to say anything of it; without, its dangers are what the table supposes."""
        return has_source(self.practice)

    @property
    def titles(self) -> tuple[str, ...]:
        """Titles for which the act is recognised, to be verified case by case."""
        names = {title.id: title.name for title in load_tables().titles}
        return tuple(names[id] for id in self.practice.recognised if id in names)


@dataclass(frozen=True, slots=True)
class Found:
    """A practice that a search finds, and the name that matched (empty where nothing was searched for)."""

    practice: Practice
    name: str
    likeness: float


def sheet_of(id: str) -> Sheet | None:
    """The sheet of a practice, if there is one."""
    found = next((one for one in load_tables().practices if one.id == id), None)
    return Sheet(found, load_directions().facts.get(id), _related(found)) if found else None


def _related(practice: Practice) -> tuple[Practice, ...]:
    """Practices of the same family, those that share most dangers first."""
    others = [one for one in load_tables().practices if one.family == practice.family and one.id != practice.id]
    shared = {one.id: len(set(one.danger) & set(practice.danger)) for one in others}
    return tuple(sorted(others, key=lambda one: (-shared[one.id], fold(one.name)))[:_MOST_RELATED])


def search(query: str = "", family: str = "", danger: str = "") -> list[Found]:
    """Practices of a family (or its name) and a danger whose name or a variant is like `query`, nearest first.

    Without a query: all, by name. Accents, capitals, hyphens and the order of words make no difference; a name within a few
    letters is found too.
    """
    kept = [one for one in load_tables().practices if family in ("", one.family) and (not danger or danger in one.danger)]
    wanted = " ".join(words_of(fold(query[:_LONGEST])))
    if not wanted:
        return sorted((Found(one, "", 0.0) for one in kept), key=lambda found: fold(found.practice.name))
    found = [Found(one, *_best(wanted, _names(one))) for one in kept]
    return sorted((one for one in found if one.likeness >= _LIKE), key=lambda one: (-one.likeness, fold(one.practice.name)))


@cache
def _names(practice: Practice) -> tuple[tuple[str, str], ...]:
    family = load_directions().families.get(practice.family, practice.family)
    names = dict.fromkeys((practice.name, *practice.variants, family))
    return tuple((" ".join(words_of(fold(name))), name) for name in names)


def _best(wanted: str, names: Sequence[tuple[str, str]]) -> tuple[str, float]:
    return max(((name, _likeness(wanted, folded)) for folded, name in names), key=lambda one: one[1])


def _likeness(wanted: str, name: str) -> float:
    """From 0 to 100: the same, the beginning of a word, a part, or each word near one of the name's."""
    if wanted == name:
        return 100.0
    if f" {wanted}" in f" {name}":
        return 99.0
    if len(wanted) < _SHORT:
        return 0.0
    if wanted in name or wanted.replace(" ", "") == name.replace(" ", ""):
        return 97.0
    words = [word for word in wanted.split() if len(word) >= _SHORT] or wanted.split()
    each = [max((fuzz.ratio(word, other) for other in name.split()), default=0.0) for word in words]
    # A name that says more than was asked for comes after one that says just that.
    beyond = max(0, len(name.split()) - len(words))
    return min(96.0, max(fuzz.ratio(wanted, name), min(each) - min(beyond, _MOST_BEYOND)))
