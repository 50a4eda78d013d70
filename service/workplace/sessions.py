"""Sessions of browsers: a token in a cookie, its hash in the table; they end when idle, when old, and when told to."""

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine, select

from service.secret import PLAIN, Keyring
from service.workplace.audit import record
from service.workplace.origin import Origin, device_name
from service.workplace.people import Person, person_of
from service.workplace.schema import SESSIONS, USERS
from service.workplace.times import aware, now

#: How late the last use may be noted: reading a page must not write each time.
_NOTED_EVERY: Final = timedelta(minutes=1)
_LONGEST_ADDRESS: Final = 64
#: How one came in, for people.
WAY_NAMES: Final = {"password": "mot de passe", "provider": "fournisseur d'identité", "first": "lien du premier compte"}


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in, the token that their forms must send back, and the session's own name."""

    person: Person
    csrf: str
    token_hash: str
    id: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A session just opened: the token for the cookie, shown nowhere else."""

    token: str
    longest: timedelta


@dataclass(frozen=True, slots=True)
class Seen:
    """A live session as its owner sees it in a list."""

    id: str
    device: str
    address: str
    way: str
    created_at: datetime
    seen_at: datetime


def open_session(
    engine: Engine,
    person: Person,
    longest: timedelta,
    origin: Origin | None = None,
    way: str = "password",
    keyring: Keyring = PLAIN,
) -> Opened:
    """Open a session under a new token, and sweep those that are over: the one place where somebody comes in."""
    token, id, at, where = secrets.token_urlsafe(32), str(uuid.uuid4()), now(), origin or Origin()
    with engine.begin() as connection:
        connection.execute(SESSIONS.delete().where(SESSIONS.c.expires_at <= at))
        connection.execute(
            SESSIONS.insert().values(
                token_hash=keyring.hash_token(token),
                id=id,
                user_id=person.id,
                csrf=secrets.token_urlsafe(32),
                device=device_name(where.agent),
                address=where.address[:_LONGEST_ADDRESS],
                way=way,
                created_at=at,
                seen_at=at,
                expires_at=at + longest,
            )
        )
        record(connection, person, "session.open", f"account:{person.id}", {"session": id, "way": way})
    return Opened(token, longest)


def find_session(engine: Engine, token: str, idle: timedelta, keyring: Keyring = PLAIN) -> Session | None:
    """The session of a token, unless it is over, was idle too long, or the account is closed."""
    at, hashed = now(), keyring.hash_token(token)
    columns = (
        SESSIONS.c.token_hash,
        SESSIONS.c.id.label("session_id"),
        SESSIONS.c.csrf,
        SESSIONS.c.seen_at,
        SESSIONS.c.expires_at,
    )
    query = select(*columns, USERS).join(USERS).where(SESSIONS.c.token_hash.in_(keyring.accepted(token)), USERS.c.active)
    with engine.connect() as connection:
        row = connection.execute(query).mappings().first()
    if row is None or aware(row["expires_at"]) <= at or aware(row["seen_at"]) + idle <= at:
        return None
    if at - aware(row["seen_at"]) >= _NOTED_EVERY or row["token_hash"] != hashed:
        with engine.begin() as connection:
            kept = SESSIONS.c.token_hash == row["token_hash"]
            connection.execute(SESSIONS.update().where(kept).values(seen_at=at, token_hash=hashed))
    return Session(person_of(row), row["csrf"], hashed, row["session_id"])


def list_sessions(engine: Engine, person_id: str, idle: timedelta) -> Sequence[Seen]:
    """A person's live sessions, the last used first."""
    at = now()
    live = (SESSIONS.c.user_id == person_id, SESSIONS.c.expires_at > at, SESSIONS.c.seen_at > at - idle)
    query = select(SESSIONS).where(*live).order_by(SESSIONS.c.seen_at.desc(), SESSIONS.c.id)
    with engine.connect() as connection:
        return [
            Seen(row["id"], row["device"], row["address"], row["way"], aware(row["created_at"]), aware(row["seen_at"]))
            for row in connection.execute(query).mappings()
        ]


def close_session(engine: Engine, session: Session) -> None:
    """End the session that one is in: the one place where somebody signs out."""
    with engine.begin() as connection:
        connection.execute(SESSIONS.delete().where(SESSIONS.c.token_hash == session.token_hash))
        record(connection, session.person, "session.close", f"account:{session.person.id}", {"session": session.id})


def revoke_sessions(engine: Engine, person_id: str, by: Person | None, *, only: str | None = None, but: str | None = None) -> int:
    """End a person's sessions at once, or only one of them, or all but one; returns how many ended.

    The one place where a session is ended from elsewhere, by its owner or by an administrator (None: by the command).
    """
    whose = SESSIONS.c.user_id == person_id
    if only is not None:
        whose &= SESSIONS.c.id == only
    if but is not None:
        whose &= SESSIONS.c.id != but
    with engine.begin() as connection:
        ended = connection.execute(SESSIONS.delete().where(whose).returning(SESSIONS.c.id)).scalars().all()
        for id in ended:
            record(connection, by, "session.revoked", f"account:{person_id}", {"session": id})
    return len(ended)
