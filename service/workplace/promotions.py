"""The changes of model that people asked for, as they are recorded."""

from dataclasses import dataclass, fields
from datetime import datetime

from sqlalchemy import Engine, select

from service.workplace.audit_events import record_model_change, record_model_undone
from service.workplace.people import Person
from service.workplace.schema import PROMOTIONS, USERS
from service.workplace.times import aware, now


@dataclass(frozen=True, slots=True)
class Promotion:
    """A change of the model that serves, as it was recorded: `kind` promotion, override or rollback."""

    number: int
    artefact: str
    previous: str | None
    kind: str
    reason: str | None
    made_at: datetime
    by: str | None


def record_promotion(engine: Engine, artefact: str, previous: str | None, kind: str, reason: str, person: Person) -> Promotion:
    """Keep a change of model with who asked for it and why, before it is made."""
    values = {"artefact": artefact, "previous": previous, "kind": kind, "reason": reason or None, "made_at": now()}
    with engine.begin() as connection:
        made = connection.execute(PROMOTIONS.insert().values(**values, user_id=person.id).returning(PROMOTIONS.c.number))
        number = made.scalar_one()
        record_model_change(connection, person, kind, artefact, previous, number)
        return Promotion(number=number, by=person.name, **values)  # type: ignore[arg-type]


def forget_promotion(engine: Engine, made: Promotion) -> None:
    """Take back the record of a change that did not come about."""
    with engine.begin() as connection:
        connection.execute(PROMOTIONS.delete().where(PROMOTIONS.c.number == made.number))
        record_model_undone(connection, made.artefact, made.number)


def list_promotions(engine: Engine, limit: int = 50) -> list[Promotion]:
    """The changes of model that were recorded, newest first."""
    columns = [PROMOTIONS.c[field.name] for field in fields(Promotion) if field.name != "by"]
    query = select(*columns, USERS.c.name.label("by")).outerjoin(USERS, USERS.c.id == PROMOTIONS.c.user_id)
    with engine.connect() as connection:
        rows = connection.execute(query.order_by(PROMOTIONS.c.number.desc()).limit(limit)).mappings()
        return [Promotion(**(dict(row) | {"made_at": aware(row["made_at"])})) for row in rows]
