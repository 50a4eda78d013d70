"""The audit log: `record` says what is done in the very transaction that does it, so that neither can be without the other.

Records are numbered without a hole and chained (`service.workplace.audit_chain`). They are written at the last moment, when the
transaction commits: whoever appends holds the end of the log no longer than it takes, and waits for nothing else meanwhile.
"""

import os
import pwd
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Engine, event, select

from model.errors import VigieError
from service.database import serialise
from service.secret import derive
from service.settings import NO_SECRET, Settings, load_settings
from service.workplace.audit_actions import ACTIONS
from service.workplace.audit_chain import START, Head, chained, details_of, instant_of
from service.workplace.audit_schema import AUDIT
from service.workplace.times import now

if TYPE_CHECKING:
    # That module records what it does, and so needs this one.
    from service.workplace.people import Person

_PENDING: Final = "vigie_audit"
_SEALING: Final = "vigie_audit_key"
#: What a transaction that must find the end of the log as it reads it is serialised by.
LOCK: Final = "audit"
_AT_ONCE: Final = 500
#: Identifiers, hashes and counts: a text does not fit.
_LONGEST_DETAILS: Final = 4_000
_OBJECT: Final = re.compile(r"[a-z_]+:[\x21-\x7e]{1,200}")


@dataclass(slots=True)
class Caller:
    """Whose request is being answered: the network address it came from and, once known, the identifier of the key it showed."""

    address: str = ""
    key: str = ""
    service: bool = False


#: None outside of a service: a command.
_CALLER: ContextVar[Caller | None] = ContextVar("vigie_caller", default=None)


@contextmanager
def called_from(address: str) -> Iterator[None]:
    """What is recorded in the block answers a request from this network address."""
    token = _CALLER.set(Caller(address[:200]))
    try:
        yield
    finally:
        _CALLER.reset(token)


def inside_service() -> None:
    """What is recorded from here on, in this context and those made of it, is done by the service itself."""
    _CALLER.set(Caller(service=True))


@contextmanager
def by_service() -> Iterator[None]:
    """What is recorded in the block, the service does of itself, whoever it answers meanwhile; a command stays a command."""
    token = _CALLER.set(Caller(service=True) if _CALLER.get() is not None else None)
    try:
        yield
    finally:
        _CALLER.reset(token)


def showed_key(key_id: str) -> None:
    """The request that is being answered showed this key."""
    caller = _CALLER.get()
    if caller is not None:
        caller.key = key_id


def record(
    connection: Connection, who: "Person | str | None", action: str, object: str, details: Mapping[str, Any] | None = None
) -> None:
    """Record what this transaction does; kept when it commits, forgotten with it when it is rolled back.

    `who` is the person, or the identifier of their account; None where nobody is known to act. `action` is one of `ACTIONS`,
    `object` what it is about (`text:…`, `case:…`), `details` identifiers, hashes, counts, names of values: never a text, nor
    the name, address or number of anyone whom texts speak of. The transaction must be one that writes (`engine.begin()`).

    Raises:
        ValueError: the action is unknown, the object or the details are not of these forms.
        RuntimeError: outside of a transaction, or inside a savepoint: whether it is kept would not be known.
    """
    if action not in ACTIONS:
        raise ValueError(f"Action « {action} » : elle n'est pas dans service.workplace.audit_actions.")
    if not _OBJECT.fullmatch(object):
        raise ValueError(f"Objet « {object[:80]} » : genre:identifiant est attendu, en ASCII sans espace.")
    written = details_of(details or {})
    if len(written) > _LONGEST_DETAILS:
        raise ValueError(f"Détails de « {action} » : {len(written)} caractères, {_LONGEST_DETAILS} au plus sont attendus.")
    if not connection.in_transaction() or connection.in_nested_transaction():
        raise RuntimeError("Un enregistrement d'audit se fait dans une transaction, hors d'un point de reprise.")
    _pending(connection).append(_actor(who) | {"action": action, "object": object, "details": written})


def record_alone(
    engine: Engine, who: "Person | str | None", action: str, object: str, details: Mapping[str, Any] | None = None
) -> None:
    """Record what changes nothing else, such as a view, in a transaction of its own; kept before this returns."""
    with engine.begin() as connection:
        record(connection, who, action, object, details)


def _actor(who: "Person | str | None") -> dict[str, str]:
    account = (who if isinstance(who, str) else who.id) if who is not None else ""
    caller = _CALLER.get()
    if caller is None:
        return {"actor": account, "means": "command", "means_id": _user_of_machine(), "address": ""}
    if caller.service:
        return {"actor": account, "means": "service", "means_id": "", "address": ""}
    means = "key" if caller.key else "session" if account else "visitor"
    return {"actor": account, "means": means, "means_id": caller.key, "address": caller.address}


def _user_of_machine() -> str:
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return name.encode("ascii", "backslashreplace").decode()[:200]


def _pending(connection: Connection) -> list[dict[str, str]]:
    """What waits for the transaction of this connection to commit."""
    kept: list[dict[str, str]] | None = connection.get_execution_options().get(_PENDING)
    if kept is None:
        kept = []
        connection.execution_options(**{_PENDING: kept})
        event.listen(connection, "commit", _append)
        event.listen(connection, "rollback", _forget)
    return kept


def _forget(connection: Connection) -> None:
    _pending(connection).clear()


def _append(connection: Connection) -> None:
    """Write what waits at the end of the log; nobody else appends until the transaction ends."""
    waiting = _pending(connection)
    if not waiting:
        return
    serialise(connection, LOCK)
    before, key, at = head_of(connection), _sealing_key(connection), instant_of(now())
    rows = []
    for values in waiting:
        rows.append(chained(before, values | {"at": at}, key))
        before = Head(rows[-1]["number"], rows[-1]["hash"])
    for first in range(0, len(rows), _AT_ONCE):
        connection.execute(AUDIT.insert(), rows[first : first + _AT_ONCE])
    waiting.clear()


def head_of(connection: Connection) -> Head:
    """The end of the log."""
    row = connection.execute(select(AUDIT.c.number, AUDIT.c.hash).order_by(AUDIT.c.number.desc()).limit(1)).first()
    return Head(row.number, row.hash) if row else START


def seal_with(engine: Engine, settings: Settings) -> None:
    """Seal what this engine records from now on with the secret of these settings, rather than of the environment.

    Raises:
        VigieError: the log is sealed and they have no secret.
    """
    engine.update_execution_options(**{_SEALING: next(iter(sealing_keys(settings)), None)})
    with engine.connect() as connection:
        _sealing_key(connection)


def _sealing_key(connection: Connection) -> bytes | None:
    options = connection.get_execution_options()
    key: bytes | None = options[_SEALING] if _SEALING in options else next(iter(sealing_keys(load_settings())), None)
    last = select(AUDIT.c.sealed_by).order_by(AUDIT.c.number.desc()).limit(1)
    if key is None and connection.execute(last).scalar():
        # A record without a seal after one that has it would read as one that somebody forged.
        raise VigieError("Le journal d'audit de cette base est scellé : posez VIGIE_SECRET_KEY, le secret du service.")
    return key


def sealing_keys(settings: Settings) -> list[bytes]:
    """The keys of the seals that these settings can check, the one that seals first; none without VIGIE_SECRET_KEY."""
    given = (settings.secret_key, settings.previous_secret_key)
    secrets = [secret.get_secret_value() for secret in given if secret is not None]
    return [derive(secret, "audit") for secret in secrets if secret != NO_SECRET]
