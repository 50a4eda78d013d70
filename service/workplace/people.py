"""People who have an account: their role, their password, their sign-in. Nobody is ever erased: an account is disabled."""

import re
import unicodedata
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Literal, get_args

from sqlalchemy import Connection, Engine, RowMapping, func, select
from sqlalchemy.exc import IntegrityError

from model.errors import VigieError
from service.database import serialise
from service.workplace import passwords
from service.workplace.schema import API_KEYS, SESSIONS, USERS
from service.workplace.times import aware, now

Role = Literal["analyst", "reviewer", "administrator"]
#: Each role includes those before it.
ROLES: Final[tuple[Role, ...]] = get_args(Role)
ROLE_NAMES: Final = {"analyst": "analyse", "reviewer": "relecture", "administrator": "administration"}

_FAILURES: Final = 5
_LOCK: Final = timedelta(minutes=15)
_LOGIN: Final = re.compile(r"[^\s\x00-\x1f<>\"'/\\]{2,100}")
_LONGEST_NAME: Final = 100


class AccountError(VigieError):
    """An account that cannot be made or changed as asked; the message says why."""


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who has an account; `masks`: personal data is hidden on the pages that they open."""

    id: str
    login: str
    name: str
    role: Role
    masks: bool = False

    def may(self, role: Role) -> bool:
        """Whether this person's role includes another."""
        return ROLES.index(self.role) >= ROLES.index(role)


@dataclass(frozen=True, slots=True)
class Account:
    """A person's account as administrators see it."""

    person: Person
    active: bool
    locked: bool


def as_role(value: str) -> Role:
    """The role of that name.

    Raises:
        AccountError: there is none.
    """
    for role in ROLES:
        if role == value:
            return role
    raise AccountError(f"« {value} » : un rôle est attendu ({', '.join(ROLES)}).")


def person_of(row: RowMapping) -> Person:
    """The person of a row of the table of users."""
    return Person(row["id"], row["login"], row["name"], as_role(row["role"]), bool(row["masks"]))


def normal_login(login: str) -> str:
    """A login as it is kept: without regard to case, spaces around or the way accents are coded."""
    return unicodedata.normalize("NFKC", login).strip().casefold()


def create_user(engine: Engine, login: str, name: str, role: Role, password: str) -> Person:
    """Open an account.

    Raises:
        AccountError: the login is taken or unusable, or the name is empty.
        WeakPasswordError: the password is too easy to guess.
    """
    values = new_user(login, name, role, password)
    try:
        with engine.begin() as connection:
            return add_user(connection, values)
    except IntegrityError as error:
        raise AccountError(f"L'identifiant « {values['login']} » est déjà pris.") from error


def new_user(login: str, name: str, role: Role, password: str) -> dict[str, Any]:
    """The row of a new account, checked; the slow hash is made here, outside of any transaction.

    Raises:
        AccountError, WeakPasswordError: as `create_user`.
    """
    kept, shown = normal_login(login), " ".join(name.split())
    if not _LOGIN.fullmatch(kept):
        raise AccountError("L'identifiant doit compter de 2 à 100 caractères, sans espace ni guillemet ni barre oblique.")
    if not 0 < len(shown) <= _LONGEST_NAME or not shown.isprintable():
        raise AccountError(f"Un nom de 1 à {_LONGEST_NAME} caractères est attendu.")
    passwords.check_password(password, kept)
    return {
        "id": str(uuid.uuid4()),
        "login": kept,
        "name": shown,
        "role": as_role(role),
        "password_hash": passwords.hash_password(password),
        "active": True,
        "failures": 0,
        "created_at": now(),
    }


def add_user(connection: Connection, values: dict[str, Any]) -> Person:
    """Keep the row of a new account."""
    connection.execute(USERS.insert().values(**values))
    return Person(values["id"], values["login"], values["name"], values["role"])


def find_person(engine: Engine, id: str) -> Person | None:
    """The person of an identifier, even if the account is disabled."""
    with engine.connect() as connection:
        row = connection.execute(select(USERS).where(USERS.c.id == id)).mappings().first()
    return person_of(row) if row else None


def find_login(engine: Engine, login: str) -> Person | None:
    """The person of a login, even if the account is disabled."""
    with engine.connect() as connection:
        row = connection.execute(select(USERS).where(USERS.c.login == normal_login(login))).mappings().first()
    return person_of(row) if row else None


def list_people(engine: Engine) -> Sequence[Person]:
    """Everyone whose account is open, by name."""
    return [account.person for account in list_accounts(engine) if account.active]


def list_accounts(engine: Engine) -> Sequence[Account]:
    """Every account, disabled ones last, by name."""
    with engine.connect() as connection:
        rows = connection.execute(select(USERS).order_by(USERS.c.active.desc(), func.lower(USERS.c.name), USERS.c.id)).mappings()
        return [Account(person_of(row), row["active"], _locked(row)) for row in rows]


def anyone(connection: Connection) -> bool:
    """Whether there is an account at all, open or not."""
    return connection.execute(select(USERS.c.id).limit(1)).first() is not None


def _locked(row: RowMapping) -> bool:
    return row["locked_until"] is not None and aware(row["locked_until"]) > now()


def check_sign_in(engine: Engine, login: str, password: str) -> Person | None:
    """The person of this login and password; None otherwise, whatever the reason, after the same work.

    Each try is counted before it is judged, so that tries made at once are counted too; five locks the account for fifteen
    minutes, a success forgets them.
    """
    row = _count_try(engine, normal_login(login))
    if not passwords.verify_password(row["password_hash"] if row else None, password) or row is None:
        return None
    changed: dict[str, Any] = {"failures": 0, "locked_until": None}
    if passwords.outdated(row["password_hash"]):
        changed["password_hash"] = passwords.hash_password(password)
    with engine.begin() as connection:
        # An account disabled, or whose password was changed meanwhile, is not entered.
        kept = (USERS.c.id == row["id"]) & (USERS.c.password_hash == row["password_hash"]) & USERS.c.active
        if connection.execute(USERS.update().where(kept).values(**changed)).rowcount != 1:
            return None
    return person_of(row)


def _count_try(engine: Engine, login: str) -> RowMapping | None:
    """The account to compare to, this try counted; None where it is unknown, disabled or locked."""
    if not _LOGIN.fullmatch(login):
        return None
    with engine.begin() as connection:
        found = select(USERS).where(USERS.c.login == login, USERS.c.active).with_for_update()
        row = connection.execute(found).mappings().first()
        if row is None or _locked(row):
            return None
        failures = 1 if row["locked_until"] is not None else row["failures"] + 1
        until = now() + _LOCK if failures >= _FAILURES else None
        connection.execute(USERS.update().where(USERS.c.id == row["id"]).values(failures=failures, locked_until=until))
    return row


def change_password(engine: Engine, person_id: str, password: str) -> None:
    """Give a person a new password; every session and lock ends, keys stay.

    Raises:
        AccountError: there is no such person.
        WeakPasswordError: the password is too easy to guess.
    """
    person = find_person(engine, person_id)
    if person is None:
        raise AccountError("Ce compte n'existe pas.")
    passwords.check_password(password, person.login)
    values = {"password_hash": passwords.hash_password(password), "failures": 0, "locked_until": None}
    with engine.begin() as connection:
        connection.execute(USERS.update().where(USERS.c.id == person_id).values(**values))
        connection.execute(SESSIONS.delete().where(SESSIONS.c.user_id == person_id))


def change_role(engine: Engine, person_id: str, role: Role) -> None:
    """Give a person another role, at once.

    Raises:
        AccountError: there is no such person, or nobody would be left to administer.
    """
    with engine.begin() as connection:
        _lock_people(connection)
        _update(connection, person_id, {"role": as_role(role)})
        _check_administered(connection)


def disable(engine: Engine, person_id: str) -> None:
    """Close an account: its sessions and keys die with it, what the person wrote stays.

    Raises:
        AccountError: there is no such person, or nobody would be left to administer.
    """
    with engine.begin() as connection:
        _lock_people(connection)
        _update(connection, person_id, {"active": False})
        _check_administered(connection)
        connection.execute(SESSIONS.delete().where(SESSIONS.c.user_id == person_id))
        live = (API_KEYS.c.user_id == person_id) & API_KEYS.c.revoked_at.is_(None)
        connection.execute(API_KEYS.update().where(live).values(revoked_at=now()))


def set_masks(engine: Engine, person: Person, *, masks: bool) -> None:
    """Hide personal data on the pages that a person opens, or show it; it holds on every device until it is changed."""
    with engine.begin() as connection:
        _update(connection, person.id, {"masks": masks})


def enable(engine: Engine, person_id: str) -> None:
    """Open again an account that was disabled, with the password that it had; its keys stay revoked.

    Raises:
        AccountError: there is no such person.
    """
    with engine.begin() as connection:
        _update(connection, person_id, {"active": True, "failures": 0, "locked_until": None})


def _lock_people(connection: Connection) -> None:
    serialise(connection, "people")


def _update(connection: Connection, person_id: str, values: dict[str, Any]) -> None:
    if connection.execute(USERS.update().where(USERS.c.id == person_id).values(**values)).rowcount != 1:
        raise AccountError("Ce compte n'existe pas.")


def _check_administered(connection: Connection) -> None:
    left = select(USERS.c.id).where(USERS.c.role == "administrator", USERS.c.active).limit(1)
    if connection.execute(left).first() is None:
        raise AccountError("C'est le dernier compte d'administration : ouvrez-en un autre d'abord.")
