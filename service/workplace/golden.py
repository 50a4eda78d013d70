"""Golden texts: those whose right reading is agreed on, to measure readers with."""

from sqlalchemy import Connection, and_, select, update

from model.errors import VigieError
from service.workplace.audit import record
from service.workplace.decided import decisions_of, standing
from service.workplace.people import Person
from service.workplace.schema import GOLDEN, ITEMS, READINGS
from service.workplace.times import now


class ReadingError(VigieError):
    """A reading or golden text that cannot be had; the message says why."""


def make_golden(connection: Connection, item_id: str, person: Person) -> str:
    """Hold what stands of a text as its right reading; returns the decision's identifier.

    Raises:
        ReadingError: the text is unknown, undecided, disputed or unsure, or the person may not (an administrator may, and
            who adjudicated the text).
    """
    records = decisions_of(connection, item_id)
    gone = {decided.withdraws for decided in records}
    held = [decided for decided in records if decided.kind not in ("golden", "withdrawal") and decided.id not in gone]
    holds = standing(held)
    state = connection.execute(select(ITEMS.c.state).where(ITEMS.c.id == item_id)).scalar()
    if holds is None or state != "done":
        raise ReadingError("Un texte étalon doit exister et être décidé : ni en attente, ni en désaccord, ni incertain.")
    if not (person.may("administrator") or (holds.kind == "adjudication" and holds.user_id == person.id)):
        raise ReadingError("L'administration, ou la personne qui a arbitré ce texte, peut en faire un texte étalon.")
    connection.execute(GOLDEN.delete().where(GOLDEN.c.item_id == item_id))
    row = {"item_id": item_id, "decision_id": holds.id, "user_id": person.id, "made_at": now()}
    connection.execute(GOLDEN.insert().values(**row))
    # By its decision: which text it is, nobody who may read it blind learns from the log.
    record(connection, person, "golden.add", f"decision:{holds.id}")
    return holds.id


def drop_golden(connection: Connection, item_id: str, person: Person) -> bool:
    """Take a text out of the golden ones, and its readings that wait; says whether it was one. Decisions stay."""
    waiting = and_(READINGS.c.item_id == item_id, READINGS.c.kind == "golden", READINGS.c.state == "waiting")
    connection.execute(update(READINGS).where(waiting).values(state="cancelled", done_at=now()))
    decision = connection.execute(select(GOLDEN.c.decision_id).where(GOLDEN.c.item_id == item_id)).scalar()
    connection.execute(GOLDEN.delete().where(GOLDEN.c.item_id == item_id))
    if decision is not None:
        record(connection, person, "golden.remove", f"decision:{decision}")
    return decision is not None
