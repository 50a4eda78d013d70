"""Who opened which text: whoever saw what was said of a text, or of one almost the same, never reads it blind."""

from collections.abc import Collection
from typing import Final, Literal

from sqlalchemy import Column, ColumnElement, Connection, DateTime, ForeignKey, Index, String, Table, exists, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from service.database import METADATA
from service.workplace.people import Person
from service.workplace.schema import COMMENTS, DECISIONS, ITEMS
from service.workplace.times import now

#: How a person came to know a text: its page, a page that compares two models on it, the page of a near-duplicate, or a blind
#: reading that they gave back.
How = Literal["page", "flip", "near", "returned"]

SEEN: Final = Table(
    "seen",
    METADATA,
    Column("item_id", String(36), ForeignKey("items.id"), primary_key=True),
    Column("user_id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("how", String(20), nullable=False),
    Column("seen_at", DateTime(timezone=True), nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_seen_user_id", SEEN.c.user_id, SEEN.c.item_id)
#: Where it is kept that a person knows a text: what they decided, commented, opened.
KNOWING: Final = (DECISIONS, COMMENTS, SEEN)


def unseen_of(connection: Connection, item_ids: Collection[str], person: Person) -> list[str]:
    """Those of the texts that nothing says this person opened, sorted: a page asks before it takes the place of a writer."""
    mine = select(SEEN.c.item_id).where(SEEN.c.user_id == person.id, SEEN.c.item_id.in_(item_ids))
    return sorted(set(item_ids) - set(connection.scalars(mine)))


def note_seen(connection: Connection, item_ids: Collection[str], person: Person, how: How = "page") -> None:
    """Keep that a person saw these texts; the first time counts, again changes nothing."""
    if not item_ids:
        return
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    at = now()
    rows = [{"item_id": id, "user_id": person.id, "how": how, "seen_at": at} for id in sorted(set(item_ids))]
    connection.execute(insert(SEEN).on_conflict_do_nothing(index_elements=[SEEN.c.item_id, SEEN.c.user_id]), rows)


def known_by(person: Person, item_id: "Column[str]") -> ColumnElement[bool]:
    """Whether a person decided on, commented or opened the text that a column of a query names; indexes answer."""
    return or_(*(known_in(table, item_id, table.c.user_id == person.id) for table in KNOWING))


def known_in(table: Table, item_id: "Column[str]", *where: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a table (one of `KNOWING`) has a row on the text that a column of a query names, which meets these conditions."""
    return exists(select(table.c.item_id).where(table.c.item_id == item_id, *where).correlate_except(table))


def knows(connection: Connection, item_ids: Collection[str], person: Person) -> bool:
    """Whether a person knows any of these texts."""
    known = select(ITEMS.c.id).where(ITEMS.c.id.in_(item_ids), known_by(person, ITEMS.c.id))
    return connection.execute(known.limit(1)).first() is not None
