"""The queue: a page of texts, those before and after it, how many there are, and the next one to work on."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from functools import partial
from typing import Any, Final, TypeVar

from sqlalchemy import Column, ColumnElement, Connection, RowMapping, Select, func, literal, literal_column, or_, select, tuple_

from service.privacy.reexamination import waiting_of
from service.workplace.claims import Claim, Taken, claim, claims_of
from service.workplace.estimates import Recent
from service.workplace.filters import SORTS, Filter, conditions, free_of_claims
from service.workplace.masking import hidden_texts
from service.workplace.people import Person
from service.workplace.reading import hidden_from
from service.workplace.schema import ITEM_SIGNS, ITEMS
from service.workplace.search import Piece, extract
from service.workplace.times import aware

_Value = TypeVar("_Value")

PAGE_SIZE: Final = 50
_FEW: Final = 5_000
_TRIES: Final = 20
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
    contested: date | None  # before which day a person looks at it again


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


_LISTED: Final = tuple(field.name for field in fields(Row) if field.name not in ("extract", "indicators", "claim", "contested"))


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
    rows = _rows(connection, [id for _, id in keys], wanted.q, person)
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
    column, ids, where = _apart(connection, named, where) if few else (named, ITEMS.c.id, where)
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
        query = select(column, ids).where(*where)
        order = (column, ids) if valued else (ids,)
        if named.nullable:
            query = query.where(column.is_not(None) if valued else column.is_(None))
        if cursor is not None and (cursor.value is not None) == valued:
            query = query.where(_beyond(column, ids, cursor, down=down))
        query = query.order_by(*(each.desc() if down else each.asc() for each in order)).limit(size - len(found))
        found += [(value, id) for value, id in connection.execute(query)]
    return found


def _apart(
    connection: Connection, column: "Column[Any]", where: list[ColumnElement[bool]]
) -> tuple[Any, "ColumnElement[str]", list[ColumnElement[bool]]]:
    """Sort value, identifier and conditions of few texts, so that they are found first, and sorted then."""
    if connection.dialect.name == "sqlite":
        return _unsought(column, connection), ITEMS.c.id, where
    # PostgreSQL would walk the index of the sort until it has met enough of them; it does not look into an offset.
    few = select(column.label("value"), ITEMS.c.id).where(*where).offset(0).subquery()
    return few.c.value, few.c.id, []


def _unsought(column: Any, connection: Connection) -> Any:
    """A column of `items` that SQLite does not look for an index of: without statistics it walks the wrong one."""
    return literal_column(f"+items.{column.name}", column.type) if connection.dialect.name == "sqlite" else column


def _beyond(column: Any, ids: "ColumnElement[str]", cursor: Cursor, *, down: bool) -> ColumnElement[bool]:
    if cursor.value is None:
        return ids < cursor.id if down else ids > cursor.id
    here = tuple_(literal(cursor.value, column.type), literal(cursor.id))
    place = tuple_(column, ids)
    return place < here if down else place > here


def _rows(connection: Connection, ids: list[str], query: str, person: Person) -> list[Row]:
    columns = [ITEMS.c[name] for name in _LISTED]
    # Only as much of a very long text as an extract may come from.
    beginning = func.substr(ITEMS.c.text, 1, _BEGINNING).label("beginning")
    found = {row["id"]: row for row in connection.execute(select(*columns, beginning).where(ITEMS.c.id.in_(ids))).mappings()}
    signs: dict[str, list[str]] = {}
    wanted = select(ITEM_SIGNS.c.item_id, ITEM_SIGNS.c.indicator).where(ITEM_SIGNS.c.item_id.in_(ids))
    for item_id, indicator in connection.execute(wanted.order_by(ITEM_SIGNS.c.score.desc())):
        signs.setdefault(item_id, []).append(indicator)
    claims = claims_of(connection, ids)
    shown = hidden_texts(connection, {id: row["beginning"] for id, row in found.items()}, person)
    due = waiting_of(connection, ids)
    return [
        _row(found[id], extract(shown[id], query), tuple(signs.get(id, ())), claims.get(id), due.get(id))
        for id in ids
        if id in found
    ]


def _row(row: RowMapping, shown: list[Piece], signs: tuple[str, ...], held: Claim | None, due: date | None) -> Row:
    values = {name: row[name] for name in _LISTED}
    for name in ("received_at", "captured_at", "decided_at"):
        values[name] = aware(values[name]) if values[name] else None
    return Row(extract=shown, indicators=signs, claim=held, contested=due, **values)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many texts a filter finds: all, by level (None: no level yet) and by state."""

    total: int
    levels: Mapping[int | None, int]
    states: Mapping[str, int]


#: A queue that many people look at is not counted for each: for some seconds what was counted a moment ago is said again,
#: and what is counted anew then is counted beside the answers. What takes less (seconds) is counted each time.
_RECENT: Final = Recent(seconds=10.0, longest=60.0, quick=0.03)
_VALUES: Final = Recent(seconds=5.0, longest=30.0)


def counts_of(connection: Connection, wanted: Filter, person: Person) -> Counts:
    """How many texts a filter finds; as they were at most a minute ago where that takes long to count."""
    key = (person.id, person.role, wanted.query())
    return _kept(_RECENT, connection, key, partial(_count, wanted=wanted, person=person))


def _kept(recent: Recent, connection: Connection, key: Hashable, count: Callable[[Connection], _Value]) -> _Value:
    """What is counted of a database, now on this connection or a moment ago."""
    engine = connection.engine

    def again() -> _Value:
        with engine.connect() as other:
            return count(other)

    return recent.get(engine, key, lambda: count(connection), again)


def _count(connection: Connection, *, wanted: Filter, person: Person) -> Counts:
    where = _seen(wanted, person, connection)
    by = [_unsought(column, connection) for column in (ITEMS.c.state, ITEMS.c.level)]
    query: Select[Any] = select(*by, func.count()).select_from(ITEMS).where(*where).group_by(*by)
    levels: dict[int | None, int] = {}
    states: dict[str, int] = {}
    for state, level, count in connection.execute(query):
        levels[level] = levels.get(level, 0) + count
        states[state] = states.get(state, 0) + count
    return Counts(sum(states.values()), levels, states)


def values_of(connection: Connection, name: str) -> list[str]:
    """The values of a column of `items` to choose from (`theme`, `source` or `region`), at most some hundreds, sorted."""
    return _kept(_VALUES, connection, name, partial(_values, name=name))


def _values(connection: Connection, *, name: str) -> list[str]:
    column = ITEMS.c[name]
    return [value for value in connection.scalars(select(column).distinct().order_by(column).limit(_MOST_VALUES)) if value]


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


def assign(connection: Connection, item_ids: Sequence[str], user_id: str | None) -> int:
    """Give texts to a person to read, or to nobody in particular; says how many."""
    return connection.execute(ITEMS.update().where(ITEMS.c.id.in_(item_ids)).values(assigned_to=user_id)).rowcount


def seen_by(connection: Connection, item_ids: Sequence[str], person: Person) -> list[str]:
    """Those of the texts that exist and are not blind for this person, in the order given."""
    where = (ITEMS.c.id.in_(item_ids), ITEMS.c.id.not_in(hidden_from(person)))
    found = set(connection.scalars(select(ITEMS.c.id).where(*where)))
    return [item_id for item_id in item_ids if item_id in found]
