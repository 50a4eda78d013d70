"""What a text's state follows from: first and second readings, adjudications, revisions; and for whom a text is closed.

A set share of decided texts is read again by someone else, drawn by a keyed hash of the text's identifier. Golden texts,
whose right reading is agreed on, come to readers among those, and look the same (`service.workplace.draws`).
"""

import hashlib
import hmac
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, or_, select, union_all, update

from service.workplace.choices import choice, secret
from service.workplace.decided import Decided, standing, valid_decisions
from service.workplace.people import Person
from service.workplace.schema import CLAIMS, DECISIONS, GOLDEN, READINGS
from service.workplace.times import now

#: `drawn_by` of a reading that the set share asked for, and of a golden one.
DRAWN_SECOND: Final = "second_share"
DRAWN_GOLDEN: Final = "golden_share"


@dataclass(frozen=True, slots=True)
class Settled:
    """The state that a text's valid decisions give it, and the identifier of the one that holds, if any."""

    state: str
    decision_id: str | None


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
    """Of valid decisions, the first blind second reading, and the last first reading by somebody else made before it.

    What was filed later was filed with a reading of somebody else in sight: it says nothing of how far two readers agree.
    """
    second = next((decided for decided in decisions if decided.kind == "second"), None)
    if second is None:
        return None
    firsts = [
        decided
        for decided in decisions
        if decided.kind == "first" and decided.number < second.number and decided.user_id != second.user_id
    ]
    return (firsts[-1], second) if firsts else None


def drawn_for_second(key: bytes, item_id: str, share: float) -> bool:
    """Whether a text falls in a share (0 to 1) of all texts; the same texts as long as the share does not shrink."""
    digest = hmac.new(key, item_id.encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8]) < share * 2**64


def settle(connection: Connection, item_id: str) -> Settled:
    """What a text's state is now, from its valid decisions; asks for the second reading, closes those made.

    `open` if and only if a second reading waits. `disputed` until somebody adjudicates, or an administrator takes a reading
    back. To be called in the transaction that wrote a decision or a withdrawal.
    """
    valid = list(valid_decisions(connection, DECISIONS.c.item_id == item_id))
    _close_golden(connection, item_id, valid)
    holds = standing(valid)
    if holds is None or any(decided.kind == "adjudication" for decided in valid):
        _cancel(connection, item_id)
        return Settled(_sure(holds), holds.id) if holds else Settled("new", None)
    pair = two_readings(valid)
    if pair is not None:
        _close_second(connection, item_id, pair[1])
        return Settled(_sure(holds) if agree(*pair) else "disputed", holds.id)
    if not any(decided.kind == "first" for decided in valid):
        # Nothing to compare a second reading with.
        _cancel(connection, item_id)
        return Settled(_sure(holds), holds.id)
    waits = _reopen(connection, item_id, valid)
    if not waits and holds.kind == "first" and holds.verdict != "unsure" and _just_made(connection, holds):
        waits = _ask_if_drawn(connection, item_id)
    return Settled("open" if waits else _sure(holds), holds.id)


def _sure(decided: Decided) -> str:
    return "unsure" if decided.verdict == "unsure" else "done"


def second_of(item_id: str) -> ColumnElement[bool]:
    """The second reading of a text, whatever its state."""
    return and_(READINGS.c.item_id == item_id, READINGS.c.kind == "second")


def _cancel(connection: Connection, item_id: str) -> None:
    """Nothing to read again; the row stays, for who has the page open still, but the text is theirs no more."""
    waiting = and_(second_of(item_id), READINGS.c.state == "waiting")
    reader = select(READINGS.c.user_id).where(waiting)
    connection.execute(CLAIMS.delete().where(CLAIMS.c.item_id == item_id, CLAIMS.c.user_id.in_(reader)))
    connection.execute(update(READINGS).where(waiting).values(state="cancelled", done_at=now()))


def _close_golden(connection: Connection, item_id: str, valid: Sequence[Decided]) -> None:
    for decided in valid:
        if decided.kind == "golden":
            mine = and_(READINGS.c.item_id == item_id, READINGS.c.kind == "golden", READINGS.c.user_id == decided.user_id)
            values = {"state": "done", "done_at": decided.made_at, "decision_id": decided.id}
            connection.execute(update(READINGS).where(mine, READINGS.c.state == "waiting").values(**values))


def _close_second(connection: Connection, item_id: str, second: Decided) -> None:
    values = {"state": "done", "done_at": second.made_at, "decision_id": second.id, "user_id": second.user_id}
    connection.execute(update(READINGS).where(second_of(item_id), READINGS.c.state == "waiting").values(**values))


def _reopen(connection: Connection, item_id: str, valid: Sequence[Decided]) -> bool:
    """Whether a second reading waits; one whose decision was withdrawn waits anew, for anybody."""
    ids = {decided.id for decided in valid}
    rows = connection.execute(select(READINGS.c.id, READINGS.c.state, READINGS.c.decision_id).where(second_of(item_id))).all()
    for row in rows:
        if row.state == "done" and row.decision_id not in ids:
            anew = {"state": "waiting", "done_at": None, "decision_id": None, "user_id": None}
            connection.execute(update(READINGS).where(READINGS.c.id == row.id).values(**anew))
    waiting = and_(second_of(item_id), READINGS.c.state == "waiting")
    # Who spoke of the text elsewhere meanwhile does not read it blind any more.
    spoke = {decided.user_id for decided in valid}
    connection.execute(update(READINGS).where(waiting, READINGS.c.user_id.in_(spoke)).values(user_id=None))
    return connection.execute(select(READINGS.c.id).where(waiting).limit(1)).first() is not None


def _just_made(connection: Connection, decided: Decided) -> bool:
    """Whether nothing was recorded of the text since: a text is drawn once, when it is decided, by the share of that day."""
    last = select(func.max(DECISIONS.c.number)).where(DECISIONS.c.item_id == decided.item_id)
    return connection.execute(last).scalar() == decided.number


def _ask_if_drawn(connection: Connection, item_id: str) -> bool:
    share = float(choice(connection, "second_share"))
    if not share or not drawn_for_second(secret(connection), item_id, share):
        return False
    known = connection.execute(select(READINGS.c.id, READINGS.c.state).where(second_of(item_id))).first()
    if known is None:
        ask(connection, item_id, "second", None, DRAWN_SECOND, share)
        return True
    anew = {"state": "waiting", "user_id": None, "asked_at": now(), "done_at": None}
    origin = {"drawn_by": DRAWN_SECOND, "drawn_share": share}
    cancelled = and_(READINGS.c.id == known.id, READINGS.c.state == "cancelled")
    return bool(connection.execute(update(READINGS).where(cancelled).values(**anew, **origin)).rowcount)


def ask(connection: Connection, item_id: str, kind: str, user_id: str | None, drawn_by: str, share: float | None) -> str:
    """Ask for a blind reading (of anybody, if nobody is named); how it was drawn stays with it. Returns its identifier."""
    id = str(uuid.uuid4())
    row = {"id": id, "item_id": item_id, "kind": kind, "user_id": user_id, "state": "waiting", "asked_at": now()}
    connection.execute(READINGS.insert().values(**row, drawn_by=drawn_by, drawn_share=share))
    return id


def blind_for(connection: Connection, item_id: str, person: Person) -> bool:
    """Whether a text, what people and the model say of it, must not be open to a person.

    So it is while its second reading waits, but for those who decided it; for whom its golden reading waits; and, once it is
    golden, for who did not decide it nor administers. `service.workplace.draws.shut_for` adds those like what is being read.
    """
    return connection.execute(_hidden(person, item_id).limit(1)).first() is not None


def blind_among(connection: Connection, item_ids: Collection[str], person: Person) -> set[str]:
    """Those of the texts that are blind for a person (`blind_for`)."""
    hidden = _hidden(person).subquery()
    return set(connection.scalars(select(hidden.c.item_id).where(hidden.c.item_id.in_(item_ids)))) if item_ids else set()


def hidden_from(person: Person) -> Select[tuple[str]]:
    """The identifiers of the texts that are blind for a person (`blind_for`), as a query: lists leave them out."""
    return _hidden(person)


def _hidden(person: Person, item_id: str | None = None) -> Select[tuple[str]]:
    mine = and_(DECISIONS.c.item_id == READINGS.c.item_id, DECISIONS.c.user_id == person.id)
    decided = exists(select(DECISIONS.c.number).where(mine)).correlate(READINGS)
    own = READINGS.c.user_id == person.id
    blind = or_(and_(READINGS.c.kind == "second", ~decided), and_(READINGS.c.kind == "golden", own))
    waiting = select(READINGS.c.item_id).where(READINGS.c.state == "waiting", blind)
    mine = and_(DECISIONS.c.item_id == GOLDEN.c.item_id, DECISIONS.c.user_id == person.id, DECISIONS.c.kind != "golden")
    golden = select(GOLDEN.c.item_id).where(~exists(select(DECISIONS.c.number).where(mine)).correlate(GOLDEN))
    if item_id is not None:
        waiting, golden = waiting.where(READINGS.c.item_id == item_id), golden.where(GOLDEN.c.item_id == item_id)
    # Who administers keeps the golden texts, sees them all, and so is never given one.
    if person.may("administrator"):
        return waiting
    both = union_all(waiting, golden).subquery()
    return select(both.c.item_id)
