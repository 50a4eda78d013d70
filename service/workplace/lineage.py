"""Which decisions trained which model, asked both ways."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, exists, func, select

from service.workplace.decided import VALID
from service.workplace.people import Person
from service.workplace.reading import hidden_from
from service.workplace.schema import DECISIONS, TRAINING_DECISIONS, TRAININGS, USERS
from service.workplace.times import aware

PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class Learned:
    """A decision that trained a model; `holds` is false where it was withdrawn since."""

    number: int
    id: str
    item_id: str
    made_at: datetime
    kind: str
    stance: str | None
    level: int | None
    by: str
    holds: bool


@dataclass(frozen=True, slots=True)
class Taught:
    """A model that a decision trained, and the training that made it."""

    artefact: str
    training_id: str
    asked_at: datetime


def _trained(artefact: str) -> ColumnElement[bool]:
    kept = TRAINING_DECISIONS.c
    of_model = select(TRAININGS.c.id).where(TRAININGS.c.challenger == artefact)
    return exists().where(kept.decision_id == DECISIONS.c.id, kept.training_id.in_(of_model))


def count_learned(connection: Connection, artefact: str) -> int:
    """How many decisions trained a model."""
    kept = TRAINING_DECISIONS.c
    query = select(func.count(kept.decision_id.distinct())).join(TRAININGS, TRAININGS.c.id == kept.training_id)
    return int(connection.execute(query.where(TRAININGS.c.challenger == artefact)).scalar_one())


def decisions_of_model(
    connection: Connection, artefact: str, before: int | None = None, limit: int = PAGE, person: Person | None = None
) -> Sequence[Learned]:
    """The decisions that trained a model, newest first; `before` is the number of the last one of the page above.

    `person`: without those on texts that are blind for this person.
    """
    query = (
        select(
            *(DECISIONS.c[name] for name in ("number", "id", "item_id", "made_at", "kind", "stance", "level")),
            USERS.c.name.label("by"),
            VALID.label("holds"),
        )
        .join(USERS, USERS.c.id == DECISIONS.c.user_id)
        .where(_trained(artefact))
        .order_by(DECISIONS.c.number.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(DECISIONS.c.number < before)
    if person is not None:
        query = query.where(DECISIONS.c.item_id.not_in(hidden_from(person)))
    rows = connection.execute(query).mappings()
    return [Learned(**(dict(row) | {"made_at": aware(row["made_at"]), "holds": bool(row["holds"])})) for row in rows]


def models_of_decision(connection: Connection, decision_id: str) -> Sequence[Taught]:
    """The models that a decision trained, newest first; a training that made none does not count."""
    kept = TRAINING_DECISIONS.c
    query = (
        select(TRAININGS.c.challenger, TRAININGS.c.id, TRAININGS.c.asked_at)
        .join(TRAININGS, TRAININGS.c.id == kept.training_id)
        .where(kept.decision_id == decision_id, TRAININGS.c.challenger.is_not(None))
        .order_by(TRAININGS.c.asked_at.desc())
    )
    return [Taught(row.challenger, row.id, aware(row.asked_at)) for row in connection.execute(query)]


def learned_items(connection: Connection, artefact: str) -> frozenset[str]:
    """The texts of the decisions that trained a model; empty for a model that learned from the corpus alone."""
    query = select(DECISIONS.c.item_id).where(_trained(artefact)).distinct()
    return frozenset(connection.execute(query).scalars())
