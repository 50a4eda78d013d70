"""The texts to examine: each is kept once, and each further time that it is received is kept beside it."""

import secrets
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from model.text import words_of
from service.database import sha256_text
from service.workplace.receptions import keep_receptions, row_of
from service.workplace.said import contradicts, doubt_of, keep_prediction, keep_predictions, newest_prediction
from service.workplace.schema import ITEMS
from service.workplace.times import aware, now

__all__ = [
    "Added",
    "Item",
    "Received",
    "add_item",
    "add_items",
    "contradicts",
    "doubt_of",
    "find_item",
    "item_of",
    "keep_prediction",
    "keep_predictions",
    "new_id",
    "newest_prediction",
]


@dataclass(frozen=True, slots=True)
class Received:
    """A text as it came: `parent_sha256` is that of the parent's text, `parent` its identifier or address at the source.

    `channel` is one of the guide's; `external_id`, `source`, `author` and `parent` have at most 200 characters.
    """

    text: str
    external_id: str | None = None
    source: str = ""
    channel: str | None = None
    theme: str | None = None
    author: str | None = None
    url: str | None = None
    captured_at: datetime | None = None
    parent_sha256: str | None = None
    parent: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """The identifier of a text, and whether it was not known before."""

    id: str
    new: bool


@dataclass(frozen=True, slots=True)
class Item:
    """A text as it is kept: the columns of `items`, instants in UTC."""

    id: str
    external_id: str | None
    text: str
    sha256: str
    words: int
    source: str
    channel: str | None
    theme: str | None
    region: str | None
    author: str | None
    url: str | None
    captured_at: datetime | None
    parent_id: str | None
    parent_ref: str | None
    import_id: str | None
    received_at: datetime
    seen: int
    model_version: str | None
    status: str | None
    level: int | None
    score: float | None
    stance: str | None
    author_status: str | None
    at_risk: bool
    hesitates: bool
    doubt: float
    state: str
    decided_level: int | None
    decided_stance: str | None
    decided_at: datetime | None
    decided_by: str | None
    contradicts: bool
    assigned_to: str | None
    resembles: str | None


_COLUMNS: Final = tuple(field.name for field in fields(Item))


class _Clock:
    """Numbers that only grow within a process: milliseconds, then a count of those given in the same one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = (0, 0)

    def tick(self) -> tuple[int, int]:
        with self._lock:
            instant, count = self._last
            at = max(time.time_ns() // 1_000_000, instant)
            count = count + 1 if at == instant else 0
            self._last = (at + count // _IN_ONE, count % _IN_ONE)
            return self._last


_IN_ONE: Final = 1 << 16
_CLOCK: Final = _Clock()


def new_id() -> str:
    """An identifier of 28 hexadecimal digits: of two made in one process, the later is the greater."""
    instant, count = _CLOCK.tick()
    return f"{instant:012x}{count:04x}{secrets.token_hex(6)}"


def add_item(connection: Connection, received: Received, import_id: str | None = None) -> Added:
    """Keep a text; of one whose sha256 is known, what its source says this time is kept too (`seen`, `receptions`)."""
    return add_items(connection, [received], import_id)[0]


def add_items(connection: Connection, received: Sequence[Received], import_id: str | None = None) -> list[Added]:
    """Keep some hundreds of texts, in the order given; as `add_item` for each, in a few statements."""
    digests = [sha256_text(one.text) for one in received]
    known = _ids_of(connection, digests)
    fresh: dict[str, Received] = {}
    for digest, one in zip(digests, received, strict=True):
        if digest not in known:
            fresh.setdefault(digest, one)
    if fresh:
        ours = _insert(connection, fresh, import_id)
        # Another connection may have kept one of them meanwhile: then the identifier is its own.
        kept = _ids_of(connection, list(fresh))
        new = {digest for digest, id in ours.items() if kept[digest] == id}
        known |= kept
        _link(connection, {kept[digest]: fresh[digest] for digest in new})
    else:
        new = set()
    added = []
    again: dict[str, int] = {}
    rows = []
    for digest, one in zip(digests, received, strict=True):
        added.append(Added(known[digest], digest in new))
        if digest not in new:
            again[known[digest]] = again.get(known[digest], 0) + 1
            rows.append(row_of(known[digest], one, import_id))
        new.discard(digest)
    keep_receptions(connection, rows)
    # One order for all, so that two imports at once never wait for each other.
    for id in sorted(again):
        connection.execute(update(ITEMS).where(ITEMS.c.id == id).values(seen=ITEMS.c.seen + again[id]))
    return added


def _ids_of(connection: Connection, digests: Collection[str]) -> dict[str, str]:
    rows = connection.execute(select(ITEMS.c.sha256, ITEMS.c.id).where(ITEMS.c.sha256.in_(digests)))
    return {row.sha256: row.id for row in rows}


def _insert(connection: Connection, fresh: Mapping[str, Received], import_id: str | None) -> dict[str, str]:
    """Insert texts by their digest, unless another connection does; the identifiers that they get if it does not."""
    received_at = now()
    rows: list[dict[str, Any]] = [
        {
            "id": new_id(),
            "external_id": one.external_id,
            "text": one.text,
            "sha256": digest,
            "words": len(words_of(one.text)),
            "source": one.source,
            "channel": one.channel,
            "theme": one.theme,
            "region": one.region,
            "author": one.author,
            "url": one.url,
            "captured_at": one.captured_at,
            "parent_id": None,
            "parent_ref": one.parent or one.parent_sha256,
            "import_id": import_id,
            "received_at": received_at,
            "seen": 1,
            "at_risk": False,
            "hesitates": False,
            "doubt": 0.0,
            "state": "new",
            "contradicts": False,
        }
        for digest, one in fresh.items()
    ]
    # Identifiers follow the order given; the rows are written in one order for all, so that no import waits for another's.
    connection.execute(_insert_new(connection, ITEMS, ITEMS.c.sha256), sorted(rows, key=lambda row: row["sha256"]))
    return {row["sha256"]: row["id"] for row in rows}


def _link(connection: Connection, new: Mapping[str, Received]) -> None:
    """Link new texts to the parents that their source names, and to the children that came before them."""
    called = {one.parent or one.parent_sha256 for one in new.values()} - {None}
    if called:
        columns = (ITEMS.c.id, ITEMS.c.source, ITEMS.c.sha256, ITEMS.c.external_id, ITEMS.c.url)
        named = or_(ITEMS.c.sha256.in_(called), ITEMS.c.external_id.in_(called), ITEMS.c.url.in_(called))
        rows = connection.execute(select(*columns).where(named))
        parents = {place: row.id for row in rows for place in _places(row.source, row.sha256, row.external_id, row.url)}
        for id, one in new.items():
            reference = one.parent or one.parent_sha256 or ""
            parent = parents.get(("", reference)) or parents.get((one.source, reference))
            _give_parent(connection, id, parent)
    own = {place: id for id, one in new.items() for place in _places(one.source, sha256_text(one.text), one.external_id, one.url)}
    waiting = select(ITEMS.c.id, ITEMS.c.source, ITEMS.c.parent_ref).where(
        ITEMS.c.parent_ref.in_({name for _, name in own}), ITEMS.c.parent_id.is_(None)
    )
    for id, source, reference in connection.execute(waiting).all():
        _give_parent(connection, id, own.get(("", reference)) or own.get((source, reference)))


def _places(source: str, digest: str, external_id: str | None, url: str | None) -> list[tuple[str, str]]:
    """How a text may be named as a parent: by its digest anywhere, by its identifier or address within its source."""
    return [("", digest), *((source, name) for name in (external_id, url) if name)]


def _give_parent(connection: Connection, id: str, parent: str | None) -> None:
    if parent and parent != id:
        connection.execute(update(ITEMS).where(ITEMS.c.id == id, ITEMS.c.parent_id.is_(None)).values(parent_id=parent))


def _insert_new(connection: Connection, table: Any, *unique: Any) -> Any:
    """An insert that leaves rows alone whose `unique` columns are already there."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing(index_elements=list(unique))


def find_item(connection: Connection, id: str) -> Item | None:
    """The text of this identifier, if any."""
    row = connection.execute(select(*(ITEMS.c[name] for name in _COLUMNS)).where(ITEMS.c.id == id)).mappings().first()
    return item_of(row) if row else None


def item_of(row: RowMapping) -> Item:
    """A row with the columns of `items` as an `Item`."""
    values = {name: row[name] for name in _COLUMNS}
    for name in ("captured_at", "received_at", "decided_at"):
        values[name] = aware(values[name]) if values[name] else None
    return Item(**values)
