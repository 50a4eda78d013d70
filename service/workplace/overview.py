"""Counts for those who would rather look: what came in, what the model says, what people made of it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Column, Connection, Table, and_, case, func, select, true

from model.labels import CHANNELS, INDICATORS, LEVELS
from model.tables import load_tables
from service.privacy.schema import PAST_DECISIONS, PURGED, kept_figures
from service.workplace.cohorts import Sample, sample
from service.workplace.decided import VALID
from service.workplace.said import FLAGGED
from service.workplace.schema import CLAIMS, DECISIONS, ITEM_PRACTICES, ITEM_SIGNS, ITEMS, READINGS, USERS
from service.workplace.times import local_day, midnight, now

_WEEKS: Final = 26
_MOST_PRACTICES: Final = 20
_WEEK: Final = timedelta(days=7)
_MONTH: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Week:
    """A week from its Monday: texts received and decisions made (all readings)."""

    monday: date
    received: int
    decided: int


@dataclass(frozen=True, slots=True)
class Count:
    """How many texts carry a value; `id` is empty where the value is not known."""

    id: str
    name: str
    texts: int


@dataclass(frozen=True, slots=True)
class LevelCount:
    """Texts that the model puts at a level: how many, how many decided, how many of those people put at level 2 or 3."""

    level: int
    name: str
    texts: int
    decided: int
    flagged: int


@dataclass(frozen=True, slots=True)
class Load:
    """What a person has done and has begun: decisions in the last 7 and 30 days, texts theirs now, blind readings begun."""

    user_id: str
    name: str
    week: int
    month: int
    claimed: int
    readings: int


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything that the overview shows, counted at `made_at`."""

    made_at: datetime
    texts: int
    states: Mapping[str, int]
    weeks: Sequence[Week]
    levels: Sequence[LevelCount]
    unread: int
    indicators: Sequence[Count]
    practices: Sequence[Count]
    channels: Sequence[Count]
    sample: Sample
    load: Sequence[Load]
    purged: int = 0
    past_decisions: int = 0


def has_more_than(connection: Connection, texts: int) -> bool:
    """Whether a database holds more than so many texts, without counting them all."""
    return connection.execute(select(ITEMS.c.id).order_by(ITEMS.c.id).offset(texts).limit(1)).first() is not None


def count_all(connection: Connection) -> Overview:
    """The overview of a database, by queries on indexed columns."""
    levels, unread, states = _levels(connection)
    return Overview(
        now(),
        sum(states.values()),
        states,
        _weeks(connection),
        levels,
        unread,
        _counts(connection, ITEM_SIGNS, ITEM_SIGNS.c.indicator, {label.id: label.name for label in INDICATORS}),
        _practices(connection),
        _counts(connection, ITEMS, ITEMS.c.channel, {label.id: label.name for label in CHANNELS}),
        sample(connection),
        _load(connection),
        *kept_figures(connection),
    )


def _levels(connection: Connection) -> tuple[list[LevelCount], int, dict[str, int]]:
    query = select(ITEMS.c.state, ITEMS.c.level, func.count()).group_by(ITEMS.c.state, ITEMS.c.level)
    states: dict[str, int] = defaultdict(int)
    texts: dict[int | None, int] = defaultdict(int)
    for state, level, number in connection.execute(query):
        states[state] += number
        texts[level] += number
    judged = (
        select(ITEMS.c.level, func.count(), func.sum(_yes(ITEMS.c.decided_level >= FLAGGED)))
        .where(ITEMS.c.state.in_(("done", "open", "disputed")), ITEMS.c.decided_level.is_not(None))
        .group_by(ITEMS.c.level)
    )
    said = {level: (number, int(flagged)) for level, number, flagged in connection.execute(judged)}
    found = [
        LevelCount(level, f"{level} : {label.name}", texts[level], *said.get(level, (0, 0))) for level, label in enumerate(LEVELS)
    ]
    return found, texts[None], dict(states)


def _yes(condition: Any) -> Any:
    return case((condition, 1), else_=0)


def _weeks(connection: Connection) -> list[Week]:
    today = local_day(now())
    last = today - timedelta(days=today.weekday())
    first = last - (_WEEKS - 1) * _WEEK
    mondays = [first + number * _WEEK for number in range(_WEEKS)]
    received = _by_week(connection, mondays, ITEMS.c.received_at, true())
    decided = _by_week(connection, mondays, DECISIONS.c.made_at, VALID)
    # Texts that were purged were received and decided on all the same.
    gone = _by_week(connection, mondays, PURGED.c.received_at, PURGED.c.kind == "item")
    past = _by_week(connection, mondays, PAST_DECISIONS.c.made_at, PAST_DECISIONS.c.held)
    rows = zip(mondays, received, gone, decided, past, strict=True)
    return [Week(monday, came + before, said + then) for monday, came, before, said, then in rows]


def _by_week(connection: Connection, mondays: Sequence[date], column: Column[Any], where: Any) -> list[int]:
    """Counts of the weeks that begin on these days, in Paris: a week of the change of hour has an hour more or less."""
    begun = [midnight(monday) for monday in mondays]
    ended = [*begun[1:], midnight(mondays[-1] + _WEEK)]
    weeks = [func.sum(_yes(and_(column >= start, column < end))) for start, end in zip(begun, ended, strict=True)]
    row = connection.execute(select(*weeks).where(column >= begun[0], where)).one()
    return [int(number or 0) for number in row]


def _counts(connection: Connection, table: Table, column: Column[Any], names: Mapping[str, str]) -> list[Count]:
    """Counts of every value that has a name, in its order, then of any other, then of none where there is some."""
    rows = connection.execute(select(column, func.count()).select_from(table).group_by(column))
    found = {value: number for value, number in rows}
    unknown = found.pop(None, 0)
    others = [Count(value, value, found[value]) for value in sorted(set(found) - set(names))]
    return [
        *(Count(id, name, found.get(id, 0)) for id, name in names.items()),
        *others,
        *([Count("", "non dit", unknown)] if unknown else []),
    ]


def _practices(connection: Connection) -> list[Count]:
    number = func.count().label("texts")
    query = select(ITEM_PRACTICES.c.practice, number).group_by(ITEM_PRACTICES.c.practice)
    rows = connection.execute(query.order_by(number.desc(), ITEM_PRACTICES.c.practice).limit(_MOST_PRACTICES)).all()
    names = {practice.id: practice.name for practice in load_tables().practices} if rows else {}
    return [Count(row.practice, names.get(row.practice, row.practice), row.texts) for row in rows]


def _load(connection: Connection) -> list[Load]:
    instant = now()
    since = func.sum(_yes(DECISIONS.c.made_at >= instant - _WEEK))
    made = select(DECISIONS.c.user_id, since, func.count()).where(DECISIONS.c.made_at >= instant - _MONTH, VALID)
    done = {user: (int(week), month) for user, week, month in connection.execute(made.group_by(DECISIONS.c.user_id))}
    held = _by_user(connection, CLAIMS, CLAIMS.c.expires_at > instant)
    begun = _by_user(connection, READINGS, READINGS.c.state == "waiting")
    people = connection.execute(select(USERS.c.id, USERS.c.name).where(USERS.c.active).order_by(USERS.c.name, USERS.c.id))
    return [Load(id, name, *done.get(id, (0, 0)), held.get(id, 0), begun.get(id, 0)) for id, name in people]


def _by_user(connection: Connection, table: Table, where: Any) -> dict[str, int]:
    rows = connection.execute(select(table.c.user_id, func.count()).where(where).group_by(table.c.user_id))
    return {user: number for user, number in rows if user is not None}
