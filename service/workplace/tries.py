"""Failures to sign in, and how long the next try must wait: fairly, so that whoever knows a login cannot shut its owner out.

A try is counted before it is judged, so that tries made at once are counted too. It counts for the login from that address, for
the login from anywhere, and for the address with any login; each has its own delays, which double. A device that has already
come in as this person counts apart and alone: what strangers do elsewhere does not slow it. Unknown logins are counted
alike, so that nothing tells them from others.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import ColumnElement, Connection, Engine, RowMapping, delete, or_, select

from model.errors import VigieError
from service.database import serialise
from service.secret import PLAIN, Keyring
from service.workplace.access_schema import SIGN_IN_TRIES
from service.workplace.audit import record
from service.workplace.origin import Origin, network_of
from service.workplace.times import aware, now

Scope = Literal["pair", "device", "login", "address"]

_FORGOTTEN: Final = timedelta(days=1)
_MINUTE: Final = 60
_HOUR: Final = 3_600


@dataclass(frozen=True, slots=True)
class Rule:
    """So many failures without a delay; then `first` seconds, twice as long after each, up to `longest`."""

    free: int
    first: int
    longest: int

    def delay(self, failures: int) -> timedelta:
        """How long the next try waits after so many failures."""
        if failures < self.free:
            return timedelta(0)
        return timedelta(seconds=min(self.longest, self.first * 2 ** min(failures - self.free, 20)))


RULES: Final[dict[Scope, Rule]] = {
    "pair": Rule(5, 30, _HOUR),
    "device": Rule(5, 30, _HOUR),
    # From everywhere at once: slowed, never shut.
    "login": Rule(20, 2, 30),
    # With whatever logins: behind one address there may be a whole office.
    "address": Rule(30, _MINUTE, _HOUR // 4),
}


class HeldError(VigieError):
    """A try that must wait: so many seconds."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Trop d'essais : réessayez dans {in_words(seconds)}.")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Counted:
    """A try that was counted, to be taken back if it succeeds: the names that it counts for; `holds`: the next one waits."""

    names: tuple[tuple[Scope, str], ...]
    holds: bool


@dataclass(frozen=True, slots=True)
class Failures:
    """What administrators see of an account: failures of a day, until when tries are held, from which addresses."""

    count: int
    held_until: datetime | None
    addresses: tuple[str, ...]


def in_words(seconds: int) -> str:
    """A delay for people."""
    if seconds < _MINUTE:
        return f"{seconds} seconde{'s' if seconds > 1 else ''}"
    minutes = math.ceil(seconds / _MINUTE)
    return f"{minutes} minute{'s' if minutes > 1 else ''}"


def count_try(engine: Engine, login: str, origin: Origin, keyring: Keyring = PLAIN) -> Counted:
    """Count a try to sign in with this login, as if it failed.

    Raises:
        HeldError: it must wait, and was not counted.
    """
    at, holds = now(), False
    names = _names(login, origin, keyring)
    with engine.begin() as connection:
        serialise(connection, "sign-in")
        connection.execute(delete(SIGN_IN_TRIES).where(SIGN_IN_TRIES.c.last_at < at - _FORGOTTEN))
        known = {(row["scope"], row["name"]): row for row in _rows(connection, names)}
        until = max((aware(row["held_until"]) for row in known.values() if row["held_until"]), default=at)
        if until > at:
            raise HeldError(math.ceil((until - at).total_seconds()))
        for scope, name in names:
            row = known.get((scope, name))
            failures = (row["failures"] if row else 0) + 1
            delay = RULES[scope].delay(failures)
            holds = holds or bool(delay)
            values = {"failures": failures, "last_at": at, "held_until": at + delay if delay else None}
            if row is not None:
                connection.execute(SIGN_IN_TRIES.update().where(_is(scope, name)).values(**values))
                continue
            whose = {} if scope == "address" else {"login_hash": _hash_login(login, keyring)}
            place = {"address": origin.address[:64]} if scope == "pair" else {}
            connection.execute(SIGN_IN_TRIES.insert().values(scope=scope, name=name, **values, **whose, **place))
    return Counted(names, holds)


def take_back(connection: Connection, counted: Counted) -> None:
    """Forget a try that succeeded, and the failures of its login from there; those from elsewhere stay."""
    for row in _rows(connection, counted.names):
        here = _is(row["scope"], row["name"])
        if row["scope"] in ("pair", "device") or row["failures"] <= 1:
            connection.execute(delete(SIGN_IN_TRIES).where(here))
        else:
            connection.execute(SIGN_IN_TRIES.update().where(here).values(failures=row["failures"] - 1, held_until=None))


def forget_failures(connection: Connection, login: str, keyring: Keyring = PLAIN) -> int:
    """Forget every failure of a login: whoever waited may try again at once; returns how many names were forgotten."""
    whose = SIGN_IN_TRIES.c.login_hash == _hash_login(login, keyring)
    return connection.execute(delete(SIGN_IN_TRIES).where(whose)).rowcount


def lift(engine: Engine, account: tuple[str, str], by: str | None, keyring: Keyring = PLAIN) -> bool:
    """Let people try again at once with an account (its identifier, its login); False if there was no failure to forget.

    `by`: the identifier of the administrator's account; None for the command.
    """
    id, login = account
    with engine.begin() as connection:
        forgotten = forget_failures(connection, login, keyring) > 0
        if forgotten:
            record(connection, by, "session.unlocked", f"account:{id}")
    return forgotten


def failures_of(connection: Connection, logins: Iterable[str], keyring: Keyring = PLAIN) -> dict[str, Failures]:
    """The failures of these logins, by login; a login without any is left out."""
    by_hash = {_hash_login(login, keyring): login for login in logins}
    rows = connection.execute(select(SIGN_IN_TRIES).where(SIGN_IN_TRIES.c.login_hash.is_not(None))).mappings().all()
    found: dict[str, list[RowMapping]] = {}
    for row in rows:
        if row["login_hash"] in by_hash:
            found.setdefault(by_hash[row["login_hash"]], []).append(row)
    return {login: _failures(rows) for login, rows in found.items()}


def _failures(rows: Sequence[RowMapping]) -> Failures:
    at = now()
    held = [aware(row["held_until"]) for row in rows if row["held_until"] is not None]
    until = max((one for one in held if one > at), default=None)
    count = sum(row["failures"] for row in rows if row["scope"] in ("pair", "device"))
    return Failures(count, until, tuple(sorted({row["address"] for row in rows if row["address"]})))


def _names(login: str, origin: Origin, keyring: Keyring) -> tuple[tuple[Scope, str], ...]:
    if origin.device:
        return (("device", keyring.hash_token(f"device:{login}\n{origin.device}")),)
    network = network_of(origin.address)
    names: list[tuple[Scope, str]] = [
        ("pair", keyring.hash_token(f"pair:{login}\n{network}")),
        ("login", _hash_login(login, keyring)),
    ]
    if network:
        names.append(("address", keyring.hash_token(f"address:{network}")))
    return tuple(names)


def _hash_login(login: str, keyring: Keyring) -> str:
    # People type their password in the wrong field: what was typed is not kept in clear.
    return keyring.hash_token(f"login:{login}")


def _rows(connection: Connection, names: Iterable[tuple[Scope, str]]) -> Sequence[RowMapping]:
    return connection.execute(select(SIGN_IN_TRIES).where(or_(*(_is(*name) for name in names)))).mappings().all()


def _is(scope: str, name: str) -> ColumnElement[bool]:
    return (SIGN_IN_TRIES.c.scope == scope) & (SIGN_IN_TRIES.c.name == name)
