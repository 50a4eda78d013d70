"""What is counted of a text and of what a model says of it: numbers and categories, never a word of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from model.labels import CHANNELS, INDICATORS, LEVELS, STANCES
from model.records import Prediction
from model.tables import load_tables
from model.text import clean, fold, words_of
from model.words import vocabulary

FRENCH: Final = "fr"
OTHER: Final = "autre"
#: The category of what is not said, or not there.
NONE: Final = ""
_LEAST_LETTERS: Final = 2

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is counted of one text.

    `unknown`: share of its words that are in no list, None where that is not told (no word, or not French). `channel` and
    `theme` as its source says, `practice` (the first one named) and `illness` (theme of the first one named) are empty where
    there is none. `score`, `level` and `stance` are None and `present` is empty for a text that was not judged. `group`: what
    it shares with texts that resemble it for a reason (author, campaign). `weight`: for how many texts it stands.
    """

    words: int
    unknown: float | None
    language: str
    channel: str
    theme: str
    practice: str
    illness: str
    score: float | None
    level: int | None
    stance: str | None
    present: frozenset[str]
    group: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Measure:
    """Something that is counted of texts: what people call it, and of what kind it is.

    A number is cut in bins where the reference's texts are; categories are those of `values`, or where these are open, those
    that the reference has enough of, all others together, and none.
    """

    id: str
    name: str
    kind: Literal["number", "closed", "open"] = "number"
    values: tuple[str, ...] = ()


@cache
def measures() -> tuple[Measure, ...]:
    """Every measure, in the order that people see."""
    families = sorted({practice.family for practice in load_tables().practices})
    illnesses = sorted({condition.theme for condition in load_tables().conditions})
    return (
        Measure("score", "score de risque"),
        Measure("level", "niveau", "closed", tuple(level.id for level in LEVELS)),
        Measure("stance", "position de l'auteur", "closed", tuple(stance.id for stance in STANCES)),
        Measure("words", "longueur (mots)"),
        Measure("unknown", "mots inconnus (part)"),
        Measure("language", "langue", "closed", (FRENCH, OTHER)),
        Measure("channel", "canal", "closed", (*(channel.id for channel in CHANNELS), NONE)),
        Measure("theme", "thème donné à l'import", "open"),
        Measure("family", "famille de pratiques", "closed", (*families, NONE)),
        Measure("practice", "pratique", "open"),
        Measure("illness", "maladies nommées", "closed", (*illnesses, NONE)),
        *(Measure(f"indicator.{label.id}", f"signe : {label.name}", "closed", ("absent", "present")) for label in INDICATORS),
    )


def unknown_share(text: str) -> float | None:
    """Share of the words of a text, of two letters or more, that no list of the model knows; None where it has none."""
    known = vocabulary().known
    words = [fold(word) for word in words_of(clean(text).text) if word.isalpha() and len(word) >= _LEAST_LETTERS]
    return sum(word not in known for word in words) / len(words) if words else None


def practice_of(prediction: Prediction) -> str:
    """The first practice that a text names; empty where it names none."""
    return prediction.practices[0].id if prediction.practices else NONE


def illness_of(prediction: Prediction) -> str:
    """The theme of the first illness that a text names; empty where it names none."""
    named = (entity.value for entity in prediction.entities if entity.kind == "condition" and entity.value)
    return next((str(value.get("theme", NONE)) for value in named), NONE)


@cache
def _families() -> Mapping[str, str]:
    return {practice.id: practice.family for practice in load_tables().practices}


def facts_of(
    text: str, prediction: Prediction, group: str, *, channel: str | None = None, theme: str | None = None, weight: float = 1.0
) -> Facts:
    """What is counted of a text and of what a model says of it."""
    language = prediction.language.code if prediction.language else ""
    return Facts(
        words=len(words_of(text)),
        unknown=unknown_share(text) if language == FRENCH else None,
        language=language,
        channel=channel or NONE,
        theme=theme or NONE,
        practice=practice_of(prediction),
        illness=illness_of(prediction),
        score=prediction.risk.score if prediction.risk else None,
        level=prediction.risk.level if prediction.risk else None,
        stance=prediction.stance.value if prediction.stance else None,
        present=frozenset(prediction.present()),
        group=group,
        weight=weight,
    )


Value = float | str


def value_of(measure: Measure, facts: Facts) -> Value | None:
    """What a text counts for in a measure: its number, or its category; None where it does not count."""
    if measure.id.startswith("indicator."):
        shown = measure.id.removeprefix("indicator.") in facts.present
        return None if facts.level is None else measure.values[shown]
    if measure.id == "language":
        return None if not facts.language else FRENCH if facts.language == FRENCH else OTHER
    if measure.id == "level":
        return None if facts.level is None else str(facts.level)
    if measure.id == "family":
        return _families().get(facts.practice, NONE)
    found: Value | None = getattr(facts, measure.id)
    return found


#: The categories whose share stands for a measure: what is worth a look where it grows.
_TELLING: Final = {"level": ("2", "3"), "stance": ("promotes",), "language": (OTHER,)}


def headline(measure: Measure, values: Sequence[Value], weights: Floats) -> float:
    """The one number that stands for a measure: the mean of a number; else the share of the texts that are flagged, that promote,
    in another language, that show the sign, or of which the category is said.
    """
    if measure.kind == "number":
        return float(np.average(np.asarray(values, dtype=float), weights=weights))
    if measure.id.startswith("indicator."):
        telling = [value == measure.values[1] for value in values]
    else:
        telling = [value in _TELLING[measure.id] if measure.id in _TELLING else value != NONE for value in values]
    return float(np.average(np.asarray(telling, dtype=float), weights=weights))
