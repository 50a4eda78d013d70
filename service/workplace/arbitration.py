"""Texts on which two blind readings differ: who may decide, and what differs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, exists, func, or_, select

from model.labels import INDICATOR_IDS, INDICATOR_NAMES, LEVELS, STANCES, TARGETS
from service.workplace.claims import claims_of
from service.workplace.decided import Decided, valid_decisions
from service.workplace.people import ROLES, Person
from service.workplace.reading import signs, two_readings
from service.workplace.schema import DECISIONS, ITEMS, USERS
from service.workplace.times import aware

_STANCES: Final = {label.id: label.name for label in STANCES}
_TARGETS: Final = {label.id: label.name for label in TARGETS}
_NOTHING: Final = "–"
_UNSURE: Final = "je ne sais pas"
_JUDGES: Final = tuple(role for role in ROLES if role != "analyst")


@dataclass(frozen=True, slots=True)
class Dispute:
    """A text that waits for adjudication; `taken` names who has it now.

    `alone`: nobody but its readers could adjudicate it, so that an administrator who is one of them may.
    """

    item_id: str
    start: str
    since: datetime | None
    taken: str | None
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that readings say: its name, what each says, and whether they differ."""

    name: str
    first: str
    second: str
    differs: bool


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of the text, and the indicators that the first and the second reading show there."""

    text: str
    first: tuple[str, ...]
    second: tuple[str, ...]


def disputes(connection: Connection, person: Person, limit: int = 200) -> list[Dispute]:
    """The texts that a person may adjudicate, the oldest first; those that they read themselves are left out.

    Administrators are given those too on which nobody else is left.
    """
    own = select(DECISIONS.c.item_id).where(DECISIONS.c.user_id == person.id)
    start = func.substr(ITEMS.c.text, 1, 160).label("start")
    left = _judge_left()
    mine = or_(ITEMS.c.id.not_in(own), ~left) if person.may("administrator") else ITEMS.c.id.not_in(own)
    query = select(ITEMS.c.id, start, ITEMS.c.decided_at, left.label("left")).where(ITEMS.c.state == "disputed", mine)
    rows = connection.execute(query.order_by(ITEMS.c.decided_at, ITEMS.c.id).limit(limit)).all()
    claims = claims_of(connection, [row.id for row in rows])
    found = []
    for row in rows:
        held = claims.get(row.id)
        taken = held.name if held and held.user_id != person.id else None
        found.append(Dispute(row.id, row.start, aware(row.decided_at) if row.decided_at else None, taken, not row.left))
    return found


def disputes_of_others(connection: Connection, person: Person) -> tuple[int, int]:
    """How many disputed texts a person read themselves, and on how many of these nobody is left to adjudicate."""
    own = select(DECISIONS.c.item_id).where(DECISIONS.c.user_id == person.id)
    query = select(_judge_left().label("left")).where(ITEMS.c.state == "disputed", ITEMS.c.id.in_(own))
    left = list(connection.scalars(query))
    return len(left), sum(not one for one in left)


def may_adjudicate(connection: Connection, item_id: str, person: Person) -> bool:
    """Whether a person may adjudicate a text: they never read it; or they administer, and nobody who did not is left."""
    read = (DECISIONS.c.item_id == item_id, DECISIONS.c.user_id == person.id)
    if connection.execute(select(DECISIONS.c.number).where(*read).limit(1)).first() is None:
        return person.may("reviewer")
    left = connection.execute(select(_judge_left()).where(ITEMS.c.id == item_id)).scalar()
    return person.may("administrator") and not left


def _judge_left() -> ColumnElement[bool]:
    """Whether somebody who may adjudicate never read a text of `ITEMS`."""
    read = and_(DECISIONS.c.item_id == ITEMS.c.id, DECISIONS.c.user_id == USERS.c.id)
    unread = ~exists(select(DECISIONS.c.number).where(read)).correlate(ITEMS, USERS)
    return exists(select(USERS.c.id).where(USERS.c.active, USERS.c.role.in_(_JUDGES), unread)).correlate(ITEMS)


def disputed_pair(connection: Connection, item_id: str) -> tuple[Decided, Decided] | None:
    """The two readings of a text that waits for adjudication; None for any other text."""
    state = connection.execute(select(ITEMS.c.state).where(ITEMS.c.id == item_id)).scalar()
    if state != "disputed":
        return None
    return two_readings(list(valid_decisions(connection, DECISIONS.c.item_id == item_id)))


def lines(first: Decided, second: Decided, text: str) -> list[Line]:
    """What two readings say of a text, line by line: stance, level, every indicator that either gives, targets."""
    made = [_line("Position de l'auteur", *(_stance(one) for one in (first, second)))]
    made.append(_line("Niveau", *(_level(one) for one in (first, second))))
    either = signs(first) | signs(second)
    for id in INDICATOR_IDS:
        if id in either:
            differs = (id in signs(first)) != (id in signs(second))
            name = INDICATOR_NAMES[id].capitalize()
            made.append(Line(name, _passages(first, id, text), _passages(second, id, text), differs))
    for target, name in _TARGETS.items():
        if target in (*first.targets, *second.targets):
            made.append(_line(name.capitalize(), *("oui" if target in one.targets else "non" for one in (first, second))))
    return made


def _line(name: str, first: str, second: str) -> Line:
    return Line(name, first, second, first != second)


def _stance(decided: Decided) -> str:
    return _STANCES[decided.stance] if decided.stance else _UNSURE


def _level(decided: Decided) -> str:
    return _UNSURE if decided.level is None else f"{decided.level} : {LEVELS[decided.level].name}"


def _passages(decided: Decided, indicator: str, text: str) -> str:
    quoted = [f"« {text[mark.start : mark.end]} »" for mark in decided.indicators if mark.label == indicator]
    return " ; ".join(quoted) or _NOTHING


def stretches(first: Decided, second: Decided, text: str) -> list[Stretch]:
    """Pieces that join back to the text, cut where a passage of either reading starts or ends."""
    marks = [*first.indicators, *second.indicators]
    edges = sorted({0, len(text), *(mark.start for mark in marks), *(mark.end for mark in marks)})
    return [
        Stretch(text[start:end], _over(first, start, end), _over(second, start, end))
        for start, end in pairwise(edges)
        if end > start
    ]


def _over(decided: Decided, start: int, end: int) -> tuple[str, ...]:
    over: Sequence[str] = [mark.label for mark in decided.indicators if mark.start <= start and end <= mark.end]
    return tuple(INDICATOR_NAMES[id] for id in INDICATOR_IDS if id in over)
