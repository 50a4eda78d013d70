"""The queue: a page of texts, those before and after it, how many there are, and the next one to work on."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from threading import Lock
from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import ColumnElement, Connection, Engine, RowMapping, Select, func, literal, literal_column, or_, select, tuple_

from service.workplace.claims import Claim, Taken, claim, claims_of
from service.workplace.filters import SORTS, Filter, conditions, free_of_claims
from service.workplace.people import Person
from service.workplace.reading import hidden_from
from service.workplace.schema import ITEM_SIGNS, ITEMS
from service.workplace.search import Piece, extract
from service.workplace.times import aware

PAGE_SIZE: Final = 50
_FEW: Final = 5_000
_TRIES: Final = 20
_COUNTED_FOR: Final = 10.0
#: What is counted in less (seconds) is counted anew each time.
_QUICK: Final = 0.03
_MOST_COUNTED: Final = 500
_MOST_VALUES: Final = 300
_BEGINNING: Final = 20_000


@dataclass(frozen=True, slots=True)
class Row:
    """A text as the queue lists it; `extract` shows what was searched for."""

    id: str
    extract: list[Piece]
    words: int
    source: str
    channel: str | None
    theme: str | None
    received_at: datetime
    captured_at: datetime | None
    level: int | None
    score: float | None
    stance: str | None
    at_risk: bool
    hesitates: bool
    doubt: float
    state: str
    decided_level: int | None
    decided_at: datetime | None
    contradicts: bool
    assigned_to: str | None
    resembles: str | None
    indicators: tuple[str, ...]
    claim: Claim | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place between two texts of a sorted list: the value and identifier of one of them."""

    value: Any
    id: str

    def written(self) -> str:
        """The cursor as an address holds it."""
        value = self.value.isoformat() if isinstance(self.value, datetime) else "" if self.value is None else repr(self.value)
        return f"{value}~{self.id}"

    @classmethod
    def read(cls, written: str, sort: str) -> "Cursor | None":
        """The cursor of an address; None where it is none of this sort."""
        value, separator, id = written.partition("~")
        if not separator:
            return None
        try:
            if not value:
                return cls(None, id)
            kind = SORTS[sort][0].type.python_type
            return cls(datetime.fromisoformat(value) if kind is datetime else kind(value), id)
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Page:
    """Texts in order, and the addresses' cursors of the pages before and after (None: there is none)."""

    rows: list[Row]
    before: str | None
    after: str | None


_LISTED: Final = tuple(field.name for field in fields(Row) if field.name not in ("extract", "indicators", "claim"))


def page_of(
    connection: Connection,
    wanted: Filter,
    person: Person,
    *,
    after: str = "",
    before: str = "",
    size: int = PAGE_SIZE,
    found: int | None = None,
) -> Page:
    """The first page of a filter, or the one after or before a cursor; texts without a value to sort by come last.

    `found`: how many texts the filter finds, if that is known; few ones are better sorted than sought along the sort.
    """
    where = _seen(wanted, person, connection)
    back = bool(before)
    cursor = Cursor.read(before or after, wanted.tri)
    few = found is not None and found <= _FEW
    keys = _keys(connection, wanted, where, cursor, size + 1, back=back and cursor is not None, few=few)
    more = len(keys) > size
    keys = keys[:size]
    if back and cursor is not None:
        keys.reverse()
    rows = _rows(connection, [id for _, id in keys], wanted.q)
    edges = [Cursor(value, id).written() for value, id in keys]
    started = cursor is not None
    if not edges:
        return Page([], None, None)
    if back and started:
        return Page(rows, edges[0] if more else None, edges[-1])
    return Page(rows, edges[0] if started else None, edges[-1] if more else None)


def _seen(wanted: Filter, person: Person, connection: Connection) -> list[ColumnElement[bool]]:
    """The conditions of a filter, less what this person must not see before a blind reading."""
    return [*conditions(wanted, person, connection.dialect), ITEMS.c.id.not_in(hidden_from(person))]


def _keys(
    connection: Connection,
    wanted: Filter,
    where: list[ColumnElement[bool]],
    cursor: Cursor | None,
    size: int,
    *,
    back: bool,
    few: bool = False,
) -> list[tuple[Any, str]]:
    """Sort values and identifiers: those that have a value, then those that have none (the other way round going back).

    Two queries, each along an index, since databases do not agree on where to put what is missing.
    """
    named = SORTS[wanted.tri][0]
    column = _unsought(named, connection) if few else named
    down = (wanted.sens == "desc") != back
    parts = [True, False] if named.nullable else [True]
    if back:
        parts.reverse()
    if cursor is not None and (cursor.value is None) == parts[0] and named.nullable:
        parts = parts[1:]
    found: list[tuple[Any, str]] = []
    for valued in parts:
        if len(found) >= size:
            break
        query = select(column, ITEMS.c.id).where(*where)
        order = (column, ITEMS.c.id) if valued else (ITEMS.c.id,)
        if named.nullable:
            query = query.where(column.is_not(None) if valued else column.is_(None))
        if cursor is not None and (cursor.value is not None) == valued:
            query = query.where(_beyond(column, cursor, down=down))
        query = query.order_by(*(each.desc() if down else each.asc() for each in order)).limit(size - len(found))
        found += [(value, id) for value, id in connection.execute(query)]
    return found


def _unsought(column: Any, connection: Connection) -> Any:
    """A column of `items` that SQLite does not look for an index of: without statistics it walks the wrong one."""
    return literal_column(f"+items.{column.name}", column.type) if connection.dialect.name == "sqlite" else column


def _beyond(column: Any, cursor: Cursor, *, down: bool) -> ColumnElement[bool]:
    if cursor.value is None:
        return ITEMS.c.id < cursor.id if down else ITEMS.c.id > cursor.id
    here = tuple_(literal(cursor.value, column.type), literal(cursor.id))
    place = tuple_(column, ITEMS.c.id)
    return place < here if down else place > here


def _rows(connection: Connection, ids: list[str], query: str) -> list[Row]:
    columns = [ITEMS.c[name] for name in _LISTED]
    # Only as much of a very long text as an extract may come from.
    beginning = func.substr(ITEMS.c.text, 1, _BEGINNING).label("beginning")
    found = {row["id"]: row for row in connection.execute(select(*columns, beginning).where(ITEMS.c.id.in_(ids))).mappings()}
    signs: dict[str, list[str]] = {}
    wanted = select(ITEM_SIGNS.c.item_id, ITEM_SIGNS.c.indicator).where(ITEM_SIGNS.c.item_id.in_(ids))
    for item_id, indicator in connection.execute(wanted.order_by(ITEM_SIGNS.c.score.desc())):
        signs.setdefault(item_id, []).append(indicator)
    claims = claims_of(connection, ids)
    return [_row(found[id], query, tuple(signs.get(id, ())), claims.get(id)) for id in ids if id in found]


def _row(row: RowMapping, query: str, signs: tuple[str, ...], held: Claim | None) -> Row:
    values = {name: row[name] for name in _LISTED}
    for name in ("received_at", "captured_at", "decided_at"):
        values[name] = aware(values[name]) if values[name] else None
    return Row(extract=extract(row["beginning"], query), indicators=signs, claim=held, **values)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many texts a filter finds: all, by level (None: no level yet) and by state."""

    total: int
    levels: Mapping[int | None, int]
    states: Mapping[str, int]


class _Kept:
    """What was counted of a database a moment ago: a queue that many people look at is not counted for each."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._of: WeakKeyDictionary[Engine, dict[Any, tuple[float, Any]]] = WeakKeyDictionary()

    def get(self, engine: Engine, key: Any) -> Any:
        with self._lock:
            at, value = self._of.get(engine, {}).get(key, (0.0, None))
        return value if time.monotonic() - at < _COUNTED_FOR else None

    def put(self, engine: Engine, key: Any, value: Any) -> None:
        with self._lock:
            kept = self._of.setdefault(engine, {})
            if len(kept) >= _MOST_COUNTED:
                kept.clear()
            kept[key] = (time.monotonic(), value)


_KEPT: Final = _Kept()


def counts_of(connection: Connection, wanted: Filter, person: Person) -> Counts:
    """How many texts a filter finds, as they were at most ten seconds ago where that takes long to count."""
    key = ("counts", person.id, wanted.query())
    kept: Counts | None = _KEPT.get(connection.engine, key)
    if kept is not None:
        return kept
    started = time.monotonic()
    where = _seen(wanted, person, connection)
    by = [_unsought(column, connection) for column in (ITEMS.c.state, ITEMS.c.level)]
    query: Select[Any] = select(*by, func.count()).select_from(ITEMS).where(*where).group_by(*by)
    levels: dict[int | None, int] = {}
    states: dict[str, int] = {}
    for state, level, count in connection.execute(query):
        levels[level] = levels.get(level, 0) + count
        states[state] = states.get(state, 0) + count
    counted = Counts(sum(states.values()), levels, states)
    if time.monotonic() - started > _QUICK:
        _KEPT.put(connection.engine, key, counted)
    return counted


def values_of(connection: Connection, name: str) -> list[str]:
    """The values of a column of `items` to choose from (`theme` or `source`), at most some hundreds, sorted."""
    kept: list[str] | None = _KEPT.get(connection.engine, ("values", name))
    if kept is None:
        column = ITEMS.c[name]
        kept = [value for value in connection.scalars(select(column).distinct().order_by(column).limit(_MOST_VALUES)) if value]
        _KEPT.put(connection.engine, ("values", name), kept)
    return kept


def claim_next(connection: Connection, wanted: Filter, person: Person, past: str | None = None) -> str | None:
    """Take the first text of a filter that is free or theirs already; None where there is none.

    `past`: the first one after that text, and from the beginning again after the last.
    """
    where = [
        *_seen(wanted, person, connection),
        free_of_claims(person),
        or_(ITEMS.c.assigned_to.is_(None), ITEMS.c.assigned_to == person.id),
    ]
    starts: list[Cursor | None] = [None]
    if past is not None:
        value = connection.execute(select(SORTS[wanted.tri][0]).where(ITEMS.c.id == past)).first()
        starts = [Cursor(value[0], past), None] if value else [None]
        where.append(ITEMS.c.id != past)
    for start in starts:
        for _, id in _keys(connection, wanted, where, start, _TRIES, back=False):
            try:
                return claim(connection, id, person).item_id
            except Taken:
                continue
    return None


def assign(connection: Connection, item_id: str, user_id: str | None) -> None:
    """Give a text to a person to read, or to nobody in particular."""
    connection.execute(ITEMS.update().where(ITEMS.c.id == item_id).values(assigned_to=user_id))
