"""Where and when a known text came again, and who took texts out: both are only ever added to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, Connection, DateTime, ForeignKey, Index, Integer, String, Table, Text, select

from service.database import METADATA
from service.workplace.schema import IMPORTS
from service.workplace.times import aware, now

if TYPE_CHECKING:
    from service.workplace.items import Received

#: A text that came again: what its source said of it that time. What it said the first time is in `items`.
RECEPTIONS: Final = Table(
    "receptions",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("item_id", String(36), ForeignKey("items.id"), nullable=False),
    Column("import_id", String(200), ForeignKey("imports.id"), nullable=True, index=True),
    Column("external_id", String(200), nullable=True),
    Column("source", String(200), nullable=False),
    Column("channel", String(30), nullable=True),
    Column("theme", String(60), nullable=True),
    Column("region", String(60), nullable=True),
    Column("author", String(200), nullable=True, index=True),
    Column("url", Text, nullable=True),
    Column("captured_at", DateTime(timezone=True), nullable=True),
    Column("received_at", DateTime(timezone=True), nullable=False),
)
Index("ix_receptions_item_id_number", RECEPTIONS.c.item_id, RECEPTIONS.c.number)

#: What was taken out: by whom, in which format, which texts (the queue's filter as an address has it), how many.
#: `state`: waiting, running, done, failed, stopped.
EXPORTS: Final = Table(
    "exports",
    METADATA,
    Column("id", String(36), primary_key=True),
    Column("user_id", String(200), ForeignKey("users.id"), nullable=True, index=True),  # none: by the command
    Column("kind", String(10), nullable=False),
    Column("filter", Text, nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("texts", Integer, nullable=False),
    Column("file", String(200), nullable=True),
    Column("message", Text, nullable=True),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    Column("finished_at", DateTime(timezone=True), nullable=True),
)

_FIELDS: Final = ("external_id", "source", "channel", "theme", "region", "author", "url", "captured_at")


@dataclass(frozen=True, slots=True)
class Reception:
    """One more time that a text came; `import_name` is that of the import it came by, instants are in UTC."""

    external_id: str | None
    source: str
    channel: str | None
    theme: str | None
    region: str | None
    author: str | None
    url: str | None
    captured_at: datetime | None
    received_at: datetime
    import_id: str | None
    import_name: str | None


def row_of(item_id: str, received: "Received", import_id: str | None) -> dict[str, Any]:
    """A text that came again, as a row of `receptions`."""
    said = {name: getattr(received, name) for name in _FIELDS}
    return {"item_id": item_id, "import_id": import_id, "received_at": now(), **said}


def keep_receptions(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep what `row_of` made, in the order given."""
    if rows:
        connection.execute(RECEPTIONS.insert(), [dict(row) for row in rows])


def receptions_of(connection: Connection, item_id: str, limit: int | None = None) -> list[Reception]:
    """The times that a text came again, oldest first."""
    columns = [RECEPTIONS.c[name] for name in (*_FIELDS, "received_at", "import_id")]
    query = (
        select(*columns, IMPORTS.c.name.label("import_name"))
        .outerjoin(IMPORTS, IMPORTS.c.id == RECEPTIONS.c.import_id)
        .where(RECEPTIONS.c.item_id == item_id)
        .order_by(RECEPTIONS.c.number)
        .limit(limit)
    )
    return [Reception(**_timed(dict(row))) for row in connection.execute(query).mappings()]


def receptions_by_item(connection: Connection, item_ids: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """What the sources of these texts said each further time, oldest first, by text."""
    columns = [RECEPTIONS.c[name] for name in ("item_id", *_FIELDS, "received_at", "import_id")]
    query = select(*columns).where(RECEPTIONS.c.item_id.in_(list(item_ids))).order_by(RECEPTIONS.c.number)
    found: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(query).mappings():
        values = _timed(dict(row))
        found.setdefault(values.pop("item_id"), []).append(values)
    return found


def _timed(values: dict[str, Any]) -> dict[str, Any]:
    for name in ("captured_at", "received_at"):
        values[name] = aware(values[name]) if values[name] else None
    return values
