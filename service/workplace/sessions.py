"""Sessions of browsers: a token in a cookie, its hash in the table; they end when idle, when old, and when told to."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import Engine, select

from service.workplace.people import Person, person_of
from service.workplace.schema import SESSIONS, USERS
from service.workplace.times import aware, now

#: How late the last use may be noted: reading a page must not write each time.
_NOTED_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Session:
    """Who is signed in, and the token that their forms must send back."""

    person: Person
    csrf: str
    token_hash: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A session just opened: the token for the cookie, shown nowhere else."""

    token: str
    longest: timedelta


def hash_token(token: str) -> str:
    """What is kept of a token: it is random and long, so a plain SHA-256 tells nothing of it."""
    return hashlib.sha256(token.encode()).hexdigest()


def open_session(engine: Engine, person: Person, longest: timedelta) -> Opened:
    """Open a session under a new token, and sweep those that are over."""
    token, at = secrets.token_urlsafe(32), now()
    with engine.begin() as connection:
        connection.execute(SESSIONS.delete().where(SESSIONS.c.expires_at <= at))
        connection.execute(
            SESSIONS.insert().values(
                token_hash=hash_token(token),
                user_id=person.id,
                csrf=secrets.token_urlsafe(32),
                created_at=at,
                seen_at=at,
                expires_at=at + longest,
            )
        )
    return Opened(token, longest)


def find_session(engine: Engine, token: str, idle: timedelta) -> Session | None:
    """The session of a token, unless it is over, was idle too long, or the account is closed."""
    hashed, at = hash_token(token), now()
    with engine.connect() as connection:
        query = select(SESSIONS.c.csrf, SESSIONS.c.seen_at, SESSIONS.c.expires_at, USERS).join(USERS)
        row = connection.execute(query.where(SESSIONS.c.token_hash == hashed, USERS.c.active)).mappings().first()
    if row is None or aware(row["expires_at"]) <= at or aware(row["seen_at"]) + idle <= at:
        return None
    if at - aware(row["seen_at"]) >= _NOTED_EVERY:
        with engine.begin() as connection:
            connection.execute(SESSIONS.update().where(SESSIONS.c.token_hash == hashed).values(seen_at=at))
    return Session(person_of(row), row["csrf"], hashed)


def close_session(engine: Engine, session: Session) -> None:
    """End a session."""
    with engine.begin() as connection:
        connection.execute(SESSIONS.delete().where(SESSIONS.c.token_hash == session.token_hash))
