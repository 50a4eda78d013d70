"""Section 3 of the annotation guide as one table: from indicators present and targets to a level and its reasons."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

WEAK: Final = frozenset({"mystical_discourse", "pseudo_science", "unrecognised_training", "misleading_title"})
GRAVE: Final = frozenset(
    {
        "miracle_cure",
        "medicine_disparagement",
        "undue_influence",
        "isolation",
        "financial_pressure",
        "vulnerable_target",
    }
)
IMMEDIATE: Final = frozenset({"breaking_with_medicine", "physical_danger"})
_ILL: Final = frozenset({"illness", "serious_illness"})
WEAK_TOGETHER: Final = 3


@dataclass(frozen=True, slots=True)
class LevelRule:
    """One line of the guide's table: the level it gives and a function that returns the reasons, empty if it fails."""

    level: int
    meaning: str
    reasons: Callable[[frozenset[str], frozenset[str]], frozenset[str]]


@dataclass(frozen=True, slots=True)
class Level:
    """A level from 0 to 3 and the identifiers of indicators and targets that decided it, sorted."""

    value: int
    reasons: tuple[str, ...]


def _cure_of(target: str) -> Callable[[frozenset[str], frozenset[str]], frozenset[str]]:
    wanted = frozenset({target})
    return lambda found, targets: (
        frozenset({"miracle_cure"}) | wanted if "miracle_cure" in found and wanted <= targets else frozenset()
    )


def _weak_with_illness(found: frozenset[str], targets: frozenset[str]) -> frozenset[str]:
    return (found & WEAK) | (targets & _ILL) if found & WEAK and targets & _ILL else frozenset()


def _three_weak(found: frozenset[str], _: frozenset[str]) -> frozenset[str]:
    return found & WEAK if len(found & WEAK) >= WEAK_TOGETHER else frozenset()


LEVEL_RULES: Final[tuple[LevelRule, ...]] = (
    LevelRule(3, "rupture avec la médecine ou danger pour le corps", lambda found, _: found & IMMEDIATE),
    LevelRule(3, "guérison promise d'une maladie grave", _cure_of("serious_illness")),
    LevelRule(3, "guérison promise visant un enfant", _cure_of("minor")),
    LevelRule(2, "au moins un signe grave", lambda found, _: found & GRAVE),
    LevelRule(2, "un signe faible avec une maladie visée", _weak_with_illness),
    LevelRule(2, "trois signes faibles", _three_weak),
    LevelRule(1, "un ou deux signes faibles", lambda found, _: found & WEAK),
)


def level_of(stance: str, indicators: Collection[str], targets: Collection[str]) -> Level:
    """The level of a text: the highest rule of the guide's section 3 that holds; 0 for any stance but `promotes`.

    Only the identifiers decide, so a reader of a prediction can compute the same level again.
    """
    if stance != "promotes":
        return Level(0, ())
    found, aimed = frozenset(indicators), frozenset(targets)
    best = 0
    reasons: set[str] = set()
    for rule in LEVEL_RULES:
        why = rule.reasons(found, aimed)
        if why and rule.level >= best:
            best = rule.level
            reasons |= why
    return Level(best, tuple(sorted(reasons)))
