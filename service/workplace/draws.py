"""Who reads what blind: the next reading of a person, those put back, and those that nobody could make any more.

Whoever decided on, commented or opened a text, or one almost the same, is never given it to read blind.
"""

import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Engine, Select, and_, exists, func, or_, select, union, update

from service.workplace.audit import record
from service.workplace.choices import choice
from service.workplace.claims import Taken, claim
from service.workplace.comments import add_comment
from service.workplace.decided import VALID
from service.workplace.decisions import resettle
from service.workplace.golden import ReadingError
from service.workplace.people import Person
from service.workplace.reading import DRAWN_GOLDEN, ask, blind_for, second_of
from service.workplace.schema import CLAIMS, DECISIONS, GOLDEN, ITEMS, READINGS, USERS
from service.workplace.seen import KNOWING, known_by, knows, note_seen, unseen_of
from service.workplace.similar import near
from service.workplace.times import aware, now

_TRIED: Final = 20
_ROUNDS: Final = 3
_MOST_STUCK: Final = 100
_START: Final = 160
_SYSTEM: Final = random.SystemRandom()


class Waiting(NamedTuple):
    """Blind readings that wait: those that a person could make now, begun ones included, and those left to the others.

    What is left to the others: this person knows the text, or somebody has begun.
    """

    mine: int
    others: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A blind reading asked of a person: `kind` is `second` or `golden`, which the person is not told.

    `drawn_by` and `drawn_share` say how it came to be asked for; they are kept with the decision that it gives.
    """

    id: str
    item_id: str
    kind: str
    user_id: str | None
    drawn_by: str
    drawn_share: float | None


@dataclass(frozen=True, slots=True)
class Stuck:
    """A second reading that nobody could make blind: everyone who has an account knows the text."""

    id: str
    item_id: str
    start: str
    asked_at: datetime
    drawn_by: str


_COLUMNS: Final = tuple(READINGS.c[name] for name in ("id", "item_id", "kind", "user_id", "drawn_by", "drawn_share"))


def ask_second(
    connection: Connection, item_id: str, person: Person, drawn_by: str = "suspect", drawn_share: float | None = None
) -> Reading | None:
    """Give a person a decided text to read again, blind, out of turn (a suspected error); None if it cannot be theirs."""
    if not _take(connection, item_id, person):
        return None
    state = connection.execute(select(ITEMS.c.state).where(ITEMS.c.id == item_id)).scalar()
    asked = connection.execute(select(READINGS.c.id).where(second_of(item_id))).first()
    # Once somebody spoke with others' readings in sight, there is no reading left to compare a blind one with.
    kinds = set(connection.scalars(select(DECISIONS.c.kind).where(DECISIONS.c.item_id == item_id, VALID))) - {"golden"}
    if state != "done" or asked is not None or kinds != {"first"} or _met(connection, item_id, person):
        connection.execute(CLAIMS.delete().where(CLAIMS.c.item_id == item_id, CLAIMS.c.user_id == person.id))
        return None
    id = ask(connection, item_id, "second", person.id, drawn_by, drawn_share)
    connection.execute(update(ITEMS).where(ITEMS.c.id == item_id).values(state="open"))
    return Reading(id, item_id, "second", person.id, drawn_by, drawn_share)


def next_reading(engine: Engine, person: Person) -> Reading | None:
    """The blind reading that a person makes next: the one they began, else a second one or, at the set share, a golden one.

    A golden text only comes where a second reading waits too, so that nothing tells them apart. None: nothing waits.
    """
    with engine.connect() as connection:
        begun = connection.execute(_waiting().where(READINGS.c.user_id == person.id).order_by(READINGS.c.asked_at)).all()
        share = float(choice(connection, "golden_share"))
    for row in begun:
        with engine.begin() as connection:
            if find_reading(connection, row.id, person) and _take(connection, row.item_id, person):
                return Reading(*row)
    for tried in range(_ROUNDS):
        with engine.connect() as connection:
            free = _for_anyone(person).order_by(READINGS.c.asked_at, READINGS.c.id).limit(_TRIED)
            candidates = connection.execute(free).all()
        if not candidates:
            return None
        if tried == 0 and _SYSTEM.random() < share and (golden := _give_golden(engine, person, share)):
            return golden
        for row in candidates:
            if (given := _give_second(engine, row.id, row.item_id, person)) is not None:
                return given
    return None


def _give_second(engine: Engine, id: str, item_id: str, person: Person) -> Reading | None:
    if _knows_alike(engine, item_id, person):
        return None
    with engine.begin() as connection:
        row = connection.execute(_for_anyone(person).where(READINGS.c.id == id)).first()
        if row is None or not _take(connection, item_id, person):
            return None
        connection.execute(update(READINGS).where(READINGS.c.id == id).values(user_id=person.id))
        return Reading(id, item_id, row.kind, person.id, row.drawn_by, row.drawn_share)


def _give_golden(engine: Engine, person: Person, share: float) -> Reading | None:
    """A golden text that a person does not know, drawn at random, or None; never for who administers, who sees them all."""
    if person.may("administrator"):
        return None
    given = select(READINGS.c.item_id).where(READINGS.c.user_id == person.id)
    unknown = (~known_by(person, GOLDEN.c.item_id), GOLDEN.c.item_id.not_in(given), GOLDEN.c.user_id != person.id)
    held = select(DECISIONS.c.id).where(VALID)
    with engine.connect() as connection:
        ids = list(connection.scalars(select(GOLDEN.c.item_id).where(*unknown, GOLDEN.c.decision_id.in_(held))))
    _SYSTEM.shuffle(ids)
    for item_id in ids[:_TRIED]:
        if _knows_alike(engine, item_id, person):
            continue
        with engine.begin() as connection:
            if knows(connection, [item_id], person) or not _take(connection, item_id, person):
                continue
            id = ask(connection, item_id, "golden", person.id, DRAWN_GOLDEN, share)
            return Reading(id, item_id, "golden", person.id, DRAWN_GOLDEN, share)
    return None


def find_reading(connection: Connection, id: str, person: Person) -> Reading | None:
    """The reading of this identifier if it waits for this person."""
    row = connection.execute(_waiting().where(READINGS.c.id == id, READINGS.c.user_id == person.id)).first()
    return Reading(*row) if row else None


def text_of_reading(connection: Connection, id: str) -> str | None:
    """The text that a reading was of, whatever became of it."""
    found: str | None = connection.execute(select(READINGS.c.item_id).where(READINGS.c.id == id)).scalar()
    return found


def note_shown(engine: Engine, item_ids: Collection[str], person: Person) -> None:
    """Keep that a person was shown texts with what is said of them, and so knows those that are almost the same.

    Nothing is written the second time.
    """
    with engine.connect() as connection:
        fresh = unseen_of(connection, item_ids, person)
        alike = {one.item_id for id in fresh for one in near(connection, id)} - set(item_ids)
        fresh_alike = unseen_of(connection, alike, person) if alike else []
    if fresh or fresh_alike:
        with engine.begin() as connection:
            note_seen(connection, fresh, person)
            note_seen(connection, fresh_alike, person, "near")


def alike_to_begun(connection: Connection, person: Person) -> set[str]:
    """The texts almost the same as those that a person reads blind now: their pages would show what the model says."""
    begun = select(READINGS.c.item_id).where(READINGS.c.user_id == person.id, READINGS.c.state == "waiting")
    return {one.item_id for id in connection.scalars(begun).all() for one in near(connection, id)}


def shut_for(connection: Connection, item_id: str, person: Person) -> bool:
    """Whether a text is blind for a person (`blind_for`), or almost the same as one that they read blind now."""
    return blind_for(connection, item_id, person) or item_id in alike_to_begun(connection, person)


def begun_among(connection: Connection, item_ids: Collection[str], person: Person) -> str | None:
    """The blind reading that a person has begun of one of these texts, if any."""
    mine = (READINGS.c.user_id == person.id, READINGS.c.state == "waiting", READINGS.c.item_id.in_(item_ids))
    found: str | None = connection.execute(select(READINGS.c.id).where(*mine).limit(1)).scalar()
    return found


def put_back(connection: Connection, reading: Reading, person: Person) -> None:
    """Give back a reading that a person will not make, for anybody else; they are not given that text again."""
    if reading.kind == "second":
        connection.execute(update(READINGS).where(READINGS.c.id == reading.id).values(user_id=None))
    else:
        gone = {"state": "cancelled", "done_at": now()}
        connection.execute(update(READINGS).where(READINGS.c.id == reading.id).values(**gone))
    note_seen(connection, [reading.item_id], person, "returned")
    connection.execute(CLAIMS.delete().where(CLAIMS.c.item_id == reading.item_id, CLAIMS.c.user_id == person.id))


def waiting_of(connection: Connection, person: Person) -> Waiting:
    """How many blind readings wait, for a person and for the others.

    A golden one that they began stands for one of the others, so that beginning it changes the number no more than theirs.
    """
    seconds = select(func.count()).where(READINGS.c.kind == "second", READINGS.c.state == "waiting")
    free = int(connection.execute(select(func.count()).select_from(_for_anyone(person).subquery())).scalar_one())
    begun = [row.kind for row in connection.execute(_waiting().where(READINGS.c.user_id == person.id))]
    open_to = free + begun.count("second")
    others = int(connection.execute(seconds).scalar_one()) - open_to
    return Waiting(max(open_to, int(bool(begun))), max(0, others))


def stuck_readings(connection: Connection) -> list[Stuck]:
    """The second readings that nobody with an open account could make, the oldest first; at most a hundred."""
    waits = and_(READINGS.c.kind == "second", READINGS.c.state == "waiting", READINGS.c.user_id.is_(None))
    items = select(READINGS.c.item_id).where(waits)
    active = select(USERS.c.id).where(USERS.c.active)
    # Who knows each of them, counted at once: asking of every reading whether somebody is left takes ten times as long.
    pairs = [select(one.c.item_id, one.c.user_id).where(one.c.item_id.in_(items), one.c.user_id.in_(active)) for one in KNOWING]
    knowing = union(*pairs).subquery()
    people = select(func.count()).select_from(active.subquery()).scalar_subquery()
    known = select(knowing.c.item_id).group_by(knowing.c.item_id).having(func.count() >= people)
    start = func.substr(ITEMS.c.text, 1, _START).label("start")
    columns = (READINGS.c.id, READINGS.c.item_id, start, READINGS.c.asked_at, READINGS.c.drawn_by)
    query = select(*columns).join(ITEMS, ITEMS.c.id == READINGS.c.item_id).where(waits, READINGS.c.item_id.in_(known))
    rows = connection.execute(query.order_by(READINGS.c.asked_at, READINGS.c.id).limit(_MOST_STUCK))
    return [Stuck(row.id, row.item_id, row.start, aware(row.asked_at), row.drawn_by) for row in rows]


def give_up(connection: Connection, id: str, person: Person) -> str:
    """Do without a second reading that nobody could make; a comment on the text says who chose so. Returns the text.

    Raises:
        ReadingError: the person does not administer, or somebody could make it still.
    """
    if not person.may("administrator"):
        raise ReadingError("Seule l'administration renonce à une relecture.")
    found = next((one for one in stuck_readings(connection) if one.id == id), None)
    if found is None:
        raise ReadingError("Cette relecture est faite, ou quelqu'un peut encore la faire à l'aveugle.")
    connection.execute(update(READINGS).where(READINGS.c.id == id).values(state="given_up", done_at=now()))
    told = "Relecture à l'aveugle abandonnée : tous les comptes ouverts connaissaient ce texte. La première lecture tient seule."
    add_comment(connection, found.item_id, person, told)
    record(connection, person, "reading.given_up", f"reading:{id}")
    resettle(connection, found.item_id)
    return found.item_id


def _waiting() -> Select[Any]:
    return select(*_COLUMNS).where(READINGS.c.state == "waiting")


def _for_anyone(person: Person) -> Select[Any]:
    """Second readings that a person could take: unknown to them, begun by nobody or left by who began."""
    live = exists(select(CLAIMS.c.item_id).where(CLAIMS.c.item_id == READINGS.c.item_id, CLAIMS.c.expires_at > now()))
    return _waiting().where(
        READINGS.c.kind == "second",
        or_(READINGS.c.user_id.is_(None), READINGS.c.user_id != person.id),
        ~live.correlate(READINGS),
        ~known_by(person, READINGS.c.item_id),
    )


def _knows_alike(engine: Engine, item_id: str, person: Person) -> bool:
    """Whether a person knows a text that is almost the same; kept, so that it is not sought again."""
    with engine.connect() as connection:
        met = _met(connection, item_id, person)
    if met:
        with engine.begin() as connection:
            note_seen(connection, [item_id], person, "near")
    return met


def _met(connection: Connection, item_id: str, person: Person) -> bool:
    """Whether a person knows a text or one that is almost the same."""
    return knows(connection, [item_id, *(one.item_id for one in near(connection, item_id))], person)


def _take(connection: Connection, item_id: str, person: Person) -> bool:
    try:
        claim(connection, item_id, person)
    except Taken:
        return False
    return True
