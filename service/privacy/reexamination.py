"""Contested texts: a person looks at each again, in the queue, before a day; no answer is made of a computation alone."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Engine, Row, func, select

from service.privacy.held import held_now
from service.privacy.requests import Asked, RequestError, need_open, note_step
from service.privacy.retention import ANEW
from service.privacy.schema import REEXAMINATIONS, REQUESTS
from service.workplace.audit import record
from service.workplace.items import Item
from service.workplace.panels import Panel
from service.workplace.people import Person
from service.workplace.schema import DECISIONS, ITEMS
from service.workplace.times import local_day, now


@dataclass(frozen=True, slots=True)
class Reexamined:
    """A contested text: the level that held when it was contested, whether a person decided anew, and the level since."""

    item_id: str
    due_on: date
    before: int | None
    done: bool
    after: int | None

    @property
    def words(self) -> str:
        """How it ended, in French."""
        if not self.done:
            return f"à réexaminer avant le {self.due_on:%d/%m/%Y}"
        told = "sans niveau" if self.after is None else f"niveau {self.after}"
        return f"réexaminé : {told}" + (", maintenu" if self.after == self.before else "")


def contest(engine: Engine, id: str, person: Person | None, item_ids: Collection[str] | None = None) -> int:
    """Have texts of a contestation looked at again by a person before the answer is due; returns how many are new.

    `item_ids`: those that are contested (None: all that a search finds now).

    Raises:
        RequestError: the request is closed or not a contestation, a text is not among those found, or there is none.
    """
    with engine.begin() as connection:
        asked = need_open(connection, id)
    if asked.kind != "contestation":
        raise RequestError("Cette demande n'est pas une contestation.")
    found = held_now(engine, asked.wanted).ids
    wanted = [one for one in found if item_ids is None or one in item_ids]
    if strange := set(item_ids or ()) - set(found):
        raise RequestError(f"Texte « {sorted(strange)[0][:40]} » : ce contact n'y est pas.")
    if not wanted:
        raise RequestError("Textes contestés : la recherche n'en trouve aucun.")
    with engine.begin() as connection:
        return _ask(connection, need_open(connection, id), person, wanted)


def _ask(connection: Connection, asked: Asked, person: Person | None, wanted: Sequence[str]) -> int:
    known = set(connection.scalars(select(REEXAMINATIONS.c.item_id).where(REEXAMINATIONS.c.request_id == asked.id)))
    there = set(connection.scalars(select(ITEMS.c.id).where(ITEMS.c.id.in_(wanted))))
    fresh = [one for one in wanted if one in there and one not in known]
    for item_id in fresh:
        last = select(func.coalesce(func.max(DECISIONS.c.number), 0)).where(DECISIONS.c.item_id == item_id)
        level = select(func.coalesce(ITEMS.c.decided_level, ITEMS.c.level)).where(ITEMS.c.id == item_id)
        values = {"after": connection.execute(last).scalar_one(), "level": connection.execute(level).scalar()}
        row = {"request_id": asked.id, "item_id": item_id, "asked_at": now(), "due_on": asked.due_on} | values
        connection.execute(REEXAMINATIONS.insert().values(**row))
        record(connection, person, "privacy.contested", f"text:{item_id}", {"request": asked.id})
    if fresh:
        note_step(connection, asked.id, person, "contested", {"items": fresh})
    return len(fresh)


def reexamined(connection: Connection, asked: Asked) -> list[Reexamined]:
    """The contested texts of a request; those erased since are left out."""
    rows = connection.execute(
        select(REEXAMINATIONS).where(REEXAMINATIONS.c.request_id == asked.id).order_by(REEXAMINATIONS.c.item_id)
    )
    return [_ended(connection, row) for row in rows.all()]


def _ended(connection: Connection, row: Row[Any]) -> Reexamined:
    later = (DECISIONS.c.number > row.after, DECISIONS.c.kind.in_(ANEW))
    anew = select(DECISIONS.c.number).where(DECISIONS.c.item_id == row.item_id, *later).limit(1)
    done = connection.execute(anew).first() is not None
    level = connection.execute(select(ITEMS.c.decided_level).where(ITEMS.c.id == row.item_id)).scalar()
    return Reexamined(row.item_id, row.due_on, row.level, done, level if done else None)


def waiting_of(connection: Connection, item_ids: Sequence[str]) -> dict[str, date]:
    """Of these texts, those that wait to be looked at again, and before which day."""
    query = (
        select(REEXAMINATIONS)
        .join(REQUESTS, REQUESTS.c.id == REEXAMINATIONS.c.request_id)
        .where(REEXAMINATIONS.c.item_id.in_(item_ids), REQUESTS.c.state == "open")
        .order_by(REEXAMINATIONS.c.due_on.desc())
    )
    found = {row.item_id: _ended(connection, row) for row in connection.execute(query).all()}
    return {id: one.due_on for id, one in found.items() if not one.done}


def contested_panel(connection: Connection, item: Item, person: Person) -> Panel | None:
    """Says on a text's page that it is contested, and before which day a person looks at it again."""
    due = waiting_of(connection, [item.id]).get(item.id)
    if due is None:
        return None
    read = select(DECISIONS.c.number).where(DECISIONS.c.item_id == item.id, DECISIONS.c.user_id == person.id).limit(1)
    mine = connection.execute(read).first() is not None
    return Panel("contested_panel.html", {"due_on": due, "late": due < local_day(now()), "mine": mine})
