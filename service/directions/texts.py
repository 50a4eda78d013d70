"""The texts of the queue that practices and directions are about; those that are blind for a person stay out."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, select

from model.records import Prediction
from service.directions.situations import Known, Situation, situation_of
from service.workplace.decided import valid_decisions
from service.workplace.items import Item
from service.workplace.people import Person
from service.workplace.reading import hidden_from
from service.workplace.said import newest_prediction
from service.workplace.schema import DECISIONS, ITEM_PRACTICES, ITEMS
from service.workplace.times import aware

_MOST: Final = 10


@dataclass(frozen=True, slots=True)
class Naming:
    """A text that names a practice: `level` is the one that a person decided, or else the model's."""

    id: str
    source: str
    channel: str | None
    received_at: datetime
    level: int | None
    decided: bool


def counts(connection: Connection, person: Person) -> dict[str, int]:
    """How many texts name each practice, by its identifier; those that are blind for the person are not counted."""
    named = ITEM_PRACTICES.c
    query = select(named.practice, func.count()).where(named.item_id.not_in(hidden_from(person))).group_by(named.practice)
    return {practice: count for practice, count in connection.execute(query)}


def count_of(connection: Connection, person: Person, practice: str) -> int:
    """How many texts that the person may see name a practice."""
    named = ITEM_PRACTICES.c
    query = select(func.count()).where(named.practice == practice, named.item_id.not_in(hidden_from(person)))
    return connection.execute(query).scalar_one()


def naming(connection: Connection, person: Person, practice: str) -> list[Naming]:
    """The last ten texts received that name a practice, among those that the person may see."""
    named = ITEM_PRACTICES.c
    columns = (ITEMS.c.id, ITEMS.c.source, ITEMS.c.channel, ITEMS.c.received_at, ITEMS.c.level, ITEMS.c.decided_level)
    query = (
        select(*columns)
        .join(ITEM_PRACTICES, named.item_id == ITEMS.c.id)
        .where(named.practice == practice, named.item_id.not_in(hidden_from(person)))
        # Identifiers grow with time: their index gives the last ones without a sort.
        .order_by(named.item_id.desc())
        .limit(_MOST)
    )
    return [
        Naming(
            row.id,
            row.source,
            row.channel,
            aware(row.received_at),
            row.level if row.decided_level is None else row.decided_level,
            row.decided_level is not None,
        )
        for row in connection.execute(query)
    ]


def known_of(connection: Connection, item: Item) -> Known:
    """What is known of a text besides its prediction, with the level, signs and targets of the decision that holds."""
    known = Known(text=item.text, channel=item.channel, url=item.url, region=item.region, author=item.author or "")
    if item.decided_level is None:
        return known
    made = list(valid_decisions(connection, DECISIONS.c.item_id == item.id, DECISIONS.c.level == item.decided_level))
    held = next((one for one in reversed(made) if one.stance == item.decided_stance), None)
    signs = tuple(dict.fromkeys(mark.label for mark in held.indicators)) if held else ()
    targets = held.targets if held else ()
    return replace(known, decided_level=item.decided_level, decided_signs=signs, decided_targets=targets)


def prediction_of(connection: Connection, item: Item) -> Prediction | None:
    """What the model says of a text; an empty prediction where it says nothing but a person decided; None otherwise."""
    found = newest_prediction(connection, item.id)
    if found is None and item.decided_level is not None:
        return Prediction(status="ok", model_version="", operating_point="balanced")
    return found


def situation_of_item(
    connection: Connection, item: Item, *, victim: bool = False, urgency: bool = False, public_agent: bool = False
) -> Situation | None:
    """The situation that one text shows; None while neither a model nor a person has read it."""
    prediction = prediction_of(connection, item)
    if prediction is None:
        return None
    known = known_of(connection, item)
    return situation_of([prediction], known=[known], victim=victim, urgency=urgency, public_agent=public_agent)
