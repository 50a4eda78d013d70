"""Texts, predictions and decisions made by hand, for tests that check values and need no model."""

import itertools
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine

from model.labels import INDICATORS, STANCE_IDS
from model.levels import level_of
from model.records import Prediction
from service.workplace.decided import Mark, Verdict
from service.workplace.decisions import decide
from service.workplace.items import Received, add_item, keep_prediction
from service.workplace.people import Person

_NUMBERS = itertools.count()
TEXT = "Le soin de lumière guérit tout, jetez vos comprimés et venez"


def prediction(
    *signs: str, promotes: float = 0.9, risk: float | None = None, version: str = "m1", scores: Mapping[str, float] | None = None
) -> Prediction:
    """A prediction with these indicators present; `scores` gives those of indicators, 0.95 or 0.05 otherwise."""
    stance = "promotes" if promotes >= 0.5 else "neutral"
    level = level_of(stance, signs, ()).value
    others = (1 - promotes) / 2
    indicators = [
        {
            "id": label.id,
            "label": label.name,
            "score": (scores or {}).get(label.id, 0.95 if label.id in signs else 0.05),
            "present": label.id in signs,
            "evidence": [{"start": 0, "end": 7, "text": TEXT[:7], "source": "model", "score": 0.9}] if label.id in signs else [],
        }
        for label in INDICATORS
    ]
    return Prediction.model_validate(
        {
            "status": "ok",
            "model_version": version,
            "operating_point": "balanced",
            "risk": {
                "score": (0.9 if level >= 2 else 0.1) if risk is None else risk,
                "level": level,
                "label": "x",
                "reasons": [],
            },
            "stance": {"value": stance, "scores": {"promotes": promotes, "warns": others, "neutral": others}},
            "indicators": indicators,
        }
    )


def add(connection: Connection, said: Prediction | None = None, text: str | None = None) -> str:
    """A text of its own, with what a model says of it."""
    id = add_item(connection, Received(text or f"{TEXT} numéro {next(_NUMBERS)}.", source="essai", channel="ad")).id
    if said is not None:
        keep_prediction(connection, id, said)
    return id


def verdict(*signs: str, kind: Any = "first", stance: str = "promotes", **more: Any) -> Verdict:
    """A verdict that gives these indicators, each by the first seven letters."""
    assert stance in STANCE_IDS
    marks = tuple(Mark(0, 7, sign) for sign in signs)
    return Verdict(kind=kind, stance=stance, level=level_of(stance, signs, ()).value, indicators=marks, **more)


def unsure(kind: Any = "first", **more: Any) -> Verdict:
    """« Je ne sais pas »."""
    return Verdict(kind=kind, verdict="unsure", **more)


def say(engine: Engine, item_id: str, person: Person, *signs: str, **more: Any) -> str:
    """Decide that a text shows these indicators."""
    return decide(engine, item_id, person, verdict(*signs, **more), None)
