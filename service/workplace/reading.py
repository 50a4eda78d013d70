"""Second readings and golden texts: which are asked, who makes them blind, and what a text's state follows from.

A set share of decided texts is read again by someone else, drawn by a keyed hash of the text's identifier. Golden texts,
whose right reading is agreed on, come to readers among those, and look the same.
"""

import hashlib
import hmac
import random
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, Select, and_, exists, func, or_, select, union, update

from model.errors import VigieError
from service.workplace.choices import choice, secret
from service.workplace.claims import Taken, claim
from service.workplace.decided import VALID, Decided, decisions_of, standing, valid_decisions
from service.workplace.people import Person
from service.workplace.schema import CLAIMS, COMMENTS, DECISIONS, GOLDEN, ITEMS, READINGS
from service.workplace.times import now

_TRIED: Final = 20
_SYSTEM: Final = random.SystemRandom()
#: `drawn_by` of a reading that the set share asked for, and of a golden one.
DRAWN_SECOND: Final = "second_share"
DRAWN_GOLDEN: Final = "golden_share"


class ReadingError(VigieError):
    """A reading or golden text that cannot be had; the message says why."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The state that a text's valid decisions give it, and the identifier of the one that holds, if any."""

    state: str
    decision_id: str | None


@dataclass(frozen=True, slots=True)
class Reading:
    """A blind reading that waits for a person: `kind` is `second` or `golden`, which the person is not told."""

    id: str
    item_id: str
    kind: str
    user_id: str | None


def signs(decided: Decided) -> frozenset[str]:
    """The indicators that a decision gives."""
    return frozenset(mark.label for mark in decided.indicators)


def agree(first: Decided, second: Decided) -> bool:
    """Whether two readings say the same: both unsure, or same stance, same level and same indicators.

    Passages are not compared: people rarely cut at the same letter.
    """
    if "unsure" in (first.verdict, second.verdict):
        return first.verdict == second.verdict
    return (first.stance, first.level, signs(first)) == (second.stance, second.level, signs(second))


def two_readings(decisions: Sequence[Decided]) -> tuple[Decided, Decided] | None:
    """The last first reading among valid decisions and the last second one by somebody else, if there are both."""
    first = next((decided for decided in reversed(decisions) if decided.kind == "first"), None)
    if first is None:
        return None
    others = (decided for decided in reversed(decisions) if decided.kind == "second" and decided.user_id != first.user_id)
    second = next(others, None)
    return (first, second) if second else None


def drawn_for_second(key: bytes, item_id: str, share: float) -> bool:
    """Whether a text falls in a share (0 to 1) of all texts; the same texts as long as the share does not shrink."""
    digest = hmac.new(key, item_id.encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8]) < share * 2**64


def settle(connection: Connection, item_id: str) -> Settled:
    """What a text's state is now, from its valid decisions; asks for the second reading, closes those made.

    To be called in the transaction that wrote a decision or a withdrawal.
    """
    valid = list(valid_decisions(connection, DECISIONS.c.item_id == item_id))
    _close_golden(connection, item_id, valid)
    holds = standing(valid)
    if holds is None:
        _cancel(connection, item_id)
        return Settled("new", None)
    if holds.kind == "adjudication":
        _cancel(connection, item_id)
        return Settled(_sure(holds), holds.id)
    pair = two_readings(valid)
    if pair is not None:
        _close_second(connection, item_id, pair[1])
        if not agree(*pair):
            return Settled("disputed", holds.id)
        return Settled(_sure(holds), holds.id)
    if holds.kind != "first":
        _cancel(connection, item_id)
        return Settled(_sure(holds), holds.id)
    waits = _reopen(connection, item_id, {decided.id for decided in valid})
    if not waits and holds.verdict != "unsure" and _just_made(connection, holds):
        waits = _ask_if_drawn(connection, item_id)
    return Settled("open" if waits else _sure(holds), holds.id)


def _sure(decided: Decided) -> str:
    return "unsure" if decided.verdict == "unsure" else "done"


def _second_of(item_id: str) -> ColumnElement[bool]:
    return and_(READINGS.c.item_id == item_id, READINGS.c.kind == "second")


def _cancel(connection: Connection, item_id: str) -> None:
    connection.execute(READINGS.delete().where(_second_of(item_id), READINGS.c.state == "waiting"))


def _close_golden(connection: Connection, item_id: str, valid: Sequence[Decided]) -> None:
    for decided in valid:
        if decided.kind == "golden":
            mine = and_(READINGS.c.item_id == item_id, READINGS.c.kind == "golden", READINGS.c.user_id == decided.user_id)
            values = {"state": "done", "done_at": decided.made_at, "decision_id": decided.id}
            connection.execute(update(READINGS).where(mine, READINGS.c.state == "waiting").values(**values))


def _close_second(connection: Connection, item_id: str, second: Decided) -> None:
    values = {"state": "done", "done_at": second.made_at, "decision_id": second.id, "user_id": second.user_id}
    connection.execute(update(READINGS).where(_second_of(item_id), READINGS.c.state == "waiting").values(**values))


def _reopen(connection: Connection, item_id: str, valid: set[str]) -> bool:
    """Whether a second reading waits; one whose decision was withdrawn waits anew, for anybody."""
    rows = connection.execute(select(READINGS.c.id, READINGS.c.state, READINGS.c.decision_id).where(_second_of(item_id))).all()
    for row in rows:
        if row.state == "done" and row.decision_id not in valid:
            anew = {"state": "waiting", "done_at": None, "decision_id": None, "user_id": None}
            connection.execute(update(READINGS).where(READINGS.c.id == row.id).values(**anew))
    return connection.execute(_waiting().where(_second_of(item_id))).first() is not None


def _just_made(connection: Connection, decided: Decided) -> bool:
    """Whether nothing was recorded of the text since: a text is drawn once, when it is decided, by the share of that day."""
    last = select(func.max(DECISIONS.c.number)).where(DECISIONS.c.item_id == decided.item_id)
    return connection.execute(last).scalar() == decided.number


def _ask_if_drawn(connection: Connection, item_id: str) -> bool:
    share = float(choice(connection, "second_share"))
    if not share or not drawn_for_second(secret(connection), item_id, share):
        return False
    _insert(connection, item_id, "second", None)
    return True


def _insert(connection: Connection, item_id: str, kind: str, user_id: str | None) -> str:
    id = str(uuid.uuid4())
    row = {"id": id, "item_id": item_id, "kind": kind, "user_id": user_id, "state": "waiting", "asked_at": now()}
    connection.execute(READINGS.insert().values(**row))
    return id


def ask_second(connection: Connection, item_id: str, person: Person) -> Reading | None:
    """Give a person a decided text to read again, blind, out of turn (a suspected error); None if somebody else has it."""
    try:
        claim(connection, item_id, person)
    except Taken:
        return None
    state = connection.execute(select(ITEMS.c.state).where(ITEMS.c.id == item_id)).scalar()
    known = connection.execute(select(READINGS.c.id).where(_second_of(item_id))).first()
    if state != "done" or known is not None or _knows(connection, item_id, person):
        connection.execute(CLAIMS.delete().where(CLAIMS.c.item_id == item_id, CLAIMS.c.user_id == person.id))
        return None
    id = _insert(connection, item_id, "second", person.id)
    connection.execute(update(ITEMS).where(ITEMS.c.id == item_id).values(state="open"))
    return Reading(id, item_id, "second", person.id)


def next_reading(engine: Engine, person: Person) -> Reading | None:
    """The blind reading that a person makes next: the one they began, else a second one or, at the set share, a golden one.

    A golden text only comes where a second reading waits too, so that nothing tells them apart. None: nothing waits.
    """
    with engine.begin() as connection:
        begun = connection.execute(_waiting().where(READINGS.c.user_id == person.id).order_by(READINGS.c.asked_at)).all()
        for row in begun:
            if _take(connection, row.item_id, person):
                return Reading(*row)
        candidates = connection.execute(_for_anyone(person).order_by(READINGS.c.asked_at, READINGS.c.id).limit(_TRIED)).all()
        if not candidates:
            return None
        if _SYSTEM.random() < float(choice(connection, "golden_share")) and (golden := _give_golden(connection, person)):
            return golden
        for row in candidates:
            if _take(connection, row.item_id, person):
                connection.execute(update(READINGS).where(READINGS.c.id == row.id).values(user_id=person.id))
                return Reading(row.id, row.item_id, row.kind, person.id)
    return None


def find_reading(connection: Connection, id: str, person: Person) -> Reading | None:
    """The reading of this identifier if it waits for this person."""
    row = connection.execute(_waiting().where(READINGS.c.id == id, READINGS.c.user_id == person.id)).first()
    return Reading(*row) if row else None


def put_back(connection: Connection, reading: Reading, person: Person) -> None:
    """Give back a second reading that a person will not make, for anybody else; a golden one stays theirs."""
    if reading.kind == "second":
        connection.execute(update(READINGS).where(READINGS.c.id == reading.id).values(user_id=None))
    connection.execute(CLAIMS.delete().where(CLAIMS.c.item_id == reading.item_id, CLAIMS.c.user_id == person.id))


def waiting_for(connection: Connection, person: Person) -> int:
    """How many second readings a person could make now, those they began included."""
    mine = select(func.count()).select_from(_waiting().where(READINGS.c.user_id == person.id).subquery())
    others = select(func.count()).select_from(_for_anyone(person).subquery())
    return int(connection.execute(mine).scalar_one()) + int(connection.execute(others).scalar_one())


def blind_for(connection: Connection, item_id: str, person: Person) -> bool:
    """Whether a text, what people and the model say of it, must not be open to a person.

    So it is while its second reading waits, but for those who decided it; and for whom its golden reading waits.
    """
    return connection.execute(hidden_from(person).where(READINGS.c.item_id == item_id)).first() is not None


def hidden_from(person: Person) -> Select[tuple[str]]:
    """The identifiers of the texts that are blind for a person (`blind_for`), as a query: lists leave them out."""
    decided = exists(
        select(DECISIONS.c.number).where(DECISIONS.c.item_id == READINGS.c.item_id, DECISIONS.c.user_id == person.id)
    ).correlate(READINGS)
    own = READINGS.c.user_id == person.id
    blind = or_(and_(READINGS.c.kind == "second", ~decided), and_(READINGS.c.kind == "golden", own))
    return select(READINGS.c.item_id).where(READINGS.c.state == "waiting", blind)


def _waiting() -> Select[Any]:
    return select(READINGS.c.id, READINGS.c.item_id, READINGS.c.kind, READINGS.c.user_id).where(READINGS.c.state == "waiting")


def _for_anyone(person: Person) -> Select[Any]:
    """Second readings that a person could take: unknown to them, begun by nobody or left by who began."""
    live = exists(select(CLAIMS.c.item_id).where(CLAIMS.c.item_id == READINGS.c.item_id, CLAIMS.c.expires_at > now()))
    known = union(*_known_to(person)).subquery()
    return _waiting().where(
        READINGS.c.kind == "second",
        or_(READINGS.c.user_id.is_(None), READINGS.c.user_id != person.id),
        ~live.correlate(READINGS),
        READINGS.c.item_id.not_in(select(known.c.item_id)),
    )


def _known_to(person: Person) -> tuple[Select[Any], Select[Any]]:
    """The texts that a person decided on or commented, as queries."""
    decided = select(DECISIONS.c.item_id).where(DECISIONS.c.user_id == person.id)
    return decided, select(COMMENTS.c.item_id).where(COMMENTS.c.user_id == person.id)


def _knows(connection: Connection, item_id: str, person: Person) -> bool:
    known = union(*_known_to(person)).subquery()
    return connection.execute(select(known.c.item_id).where(known.c.item_id == item_id)).first() is not None


def _take(connection: Connection, item_id: str, person: Person) -> bool:
    try:
        claim(connection, item_id, person)
    except Taken:
        return False
    return True


def _give_golden(connection: Connection, person: Person) -> Reading | None:
    """A golden text that a person does not know, drawn at random, or None."""
    known = union(*_known_to(person)).subquery()
    given = select(READINGS.c.item_id).where(READINGS.c.user_id == person.id)
    unknown = (GOLDEN.c.item_id.not_in(select(known.c.item_id)), GOLDEN.c.item_id.not_in(given), GOLDEN.c.user_id != person.id)
    held = select(DECISIONS.c.id).where(VALID)
    ids = list(connection.scalars(select(GOLDEN.c.item_id).where(*unknown, GOLDEN.c.decision_id.in_(held))))
    _SYSTEM.shuffle(ids)
    for item_id in ids[:_TRIED]:
        if _take(connection, item_id, person):
            return Reading(_insert(connection, item_id, "golden", person.id), item_id, "golden", person.id)
    return None


def make_golden(connection: Connection, item_id: str, person: Person) -> str:
    """Hold what stands of a text as its right reading; returns the decision's identifier.

    Raises:
        ReadingError: the text is unknown, undecided, disputed or unsure, or the person may not (an administrator may, and
            who adjudicated the text).
    """
    valid = [decided for decided in decisions_of(connection, item_id) if decided.kind not in ("golden", "withdrawal")]
    withdrawn = {decided.withdraws for decided in decisions_of(connection, item_id)}
    holds = standing([decided for decided in valid if decided.id not in withdrawn])
    state = connection.execute(select(ITEMS.c.state).where(ITEMS.c.id == item_id)).scalar()
    if holds is None or state != "done":
        raise ReadingError("Un texte étalon doit exister et être décidé : ni en attente, ni en désaccord, ni incertain.")
    if not (person.may("administrator") or (holds.kind == "adjudication" and holds.user_id == person.id)):
        raise ReadingError("L'administration, ou la personne qui a arbitré ce texte, peut en faire un texte étalon.")
    connection.execute(GOLDEN.delete().where(GOLDEN.c.item_id == item_id))
    row = {"item_id": item_id, "decision_id": holds.id, "user_id": person.id, "made_at": now()}
    connection.execute(GOLDEN.insert().values(**row))
    return holds.id


def drop_golden(connection: Connection, item_id: str) -> bool:
    """Take a text out of the golden ones, and its readings that wait; says whether it was one. Decisions stay."""
    waiting = and_(READINGS.c.item_id == item_id, READINGS.c.kind == "golden", READINGS.c.state == "waiting")
    connection.execute(READINGS.delete().where(waiting))
    return bool(connection.execute(GOLDEN.delete().where(GOLDEN.c.item_id == item_id)).rowcount)
