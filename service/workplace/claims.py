"""Who works on which text: one person at a time, for half an hour from their last sign of life."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from service.workplace.people import Person
from service.workplace.schema import CLAIMS, USERS
from service.workplace.times import aware, now

LASTS: Final = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Claim:
    """A text that a person works on, until an instant in UTC; `name` is the person's."""

    item_id: str
    user_id: str
    name: str
    claimed_at: datetime
    expires_at: datetime


class Taken(Exception):  # noqa: N818 - what happened, not a fault
    """Somebody else works on the text: `by` is their name, `until` an instant in UTC."""

    def __init__(self, by: str, until: datetime) -> None:
        super().__init__(f"{by} travaille sur ce texte.")
        self.by = by
        self.until = until


def claim(connection: Connection, item_id: str, person: Person, at: datetime | None = None) -> Claim:
    """Take a text, or keep it for half an hour more if it is already theirs.

    Of several who take one text at once, in any process, exactly one gets it.

    Raises:
        Taken: somebody else has it.
        IntegrityError: there is no such text.
    """
    instant = at or now()
    until = instant + LASTS
    mine = (CLAIMS.c.item_id == item_id, CLAIMS.c.user_id == person.id)
    # A write comes first, so that on SQLite too all that follows sees one state of the table.
    connection.execute(delete(CLAIMS).where(CLAIMS.c.item_id == item_id, CLAIMS.c.expires_at <= instant))
    if not connection.execute(update(CLAIMS).where(*mine).values(expires_at=until)).rowcount:
        insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        row = {"item_id": item_id, "user_id": person.id, "claimed_at": instant, "expires_at": until}
        connection.execute(insert(CLAIMS).values(row).on_conflict_do_nothing(index_elements=[CLAIMS.c.item_id]))
    held = claim_of(connection, item_id, instant)
    if held is None:
        # The other's claim ended between the two statements: now the place is free.
        return claim(connection, item_id, person, at)
    if held.user_id != person.id:
        raise Taken(held.name, held.expires_at)
    return held


def claim_many(connection: Connection, item_ids: Sequence[str], person: Person) -> list[str]:
    """Take those of the texts that nobody else has; returns their identifiers, in the order given."""
    taken = set()
    # One order for all, so that two people who take a page at once never wait for each other.
    for item_id in sorted(set(item_ids)):
        try:
            taken.add(claim(connection, item_id, person).item_id)
        except Taken:
            continue
    return [item_id for item_id in item_ids if item_id in taken]


def release(connection: Connection, item_id: str, person: Person) -> bool:
    """Give back a text of one's own. Says whether there was something to give back."""
    mine = (CLAIMS.c.item_id == item_id, CLAIMS.c.user_id == person.id)
    return bool(connection.execute(delete(CLAIMS).where(*mine)).rowcount)


def free(connection: Connection, item_id: str) -> Claim | None:
    """Take a text from whoever works on it, whose claim is returned; for administrators, who tell the person."""
    held = claim_of(connection, item_id)
    connection.execute(delete(CLAIMS).where(CLAIMS.c.item_id == item_id))
    return held


def renew(connection: Connection, item_id: str, person: Person) -> Claim | None:
    """Keep a text of one's own for half an hour more; None where it is not theirs any longer: nothing is taken."""
    mine = (CLAIMS.c.item_id == item_id, CLAIMS.c.user_id == person.id, CLAIMS.c.expires_at > now())
    if not connection.execute(update(CLAIMS).where(*mine).values(expires_at=now() + LASTS)).rowcount:
        return None
    return claim_of(connection, item_id)


def release_all(connection: Connection, person: Person) -> int:
    """Give back every text that a person has; returns how many."""
    return connection.execute(delete(CLAIMS).where(CLAIMS.c.user_id == person.id)).rowcount


def claim_of(connection: Connection, item_id: str, at: datetime | None = None) -> Claim | None:
    """Who works on a text now, if anybody."""
    return claims_of(connection, [item_id], at).get(item_id)


def claims_of(connection: Connection, item_ids: Collection[str], at: datetime | None = None) -> dict[str, Claim]:
    """Who works now on which of these texts."""
    query = (
        select(CLAIMS.c.item_id, CLAIMS.c.user_id, USERS.c.name, CLAIMS.c.claimed_at, CLAIMS.c.expires_at)
        .join(USERS, USERS.c.id == CLAIMS.c.user_id)
        .where(CLAIMS.c.item_id.in_(item_ids), CLAIMS.c.expires_at > (at or now()))
    )
    return {
        item_id: Claim(item_id, user_id, name, aware(claimed_at), aware(expires_at))
        for item_id, user_id, name, claimed_at, expires_at in connection.execute(query)
    }


def claimed_by(connection: Connection, person: Person) -> list[str]:
    """The texts that a person has now, the one taken first first."""
    query = select(CLAIMS.c.item_id).where(CLAIMS.c.user_id == person.id, CLAIMS.c.expires_at > now())
    return list(connection.scalars(query.order_by(CLAIMS.c.claimed_at, CLAIMS.c.item_id)))
