"""People who have an account: their role, their password. Nobody is ever erased: an account is disabled."""

import re
import unicodedata
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from sqlalchemy import Connection, Engine, RowMapping, func, select
from sqlalchemy.exc import IntegrityError

from model.errors import VigieError
from service.database import serialise
from service.secret import PLAIN, Keyring
from service.workplace import passwords
from service.workplace.access_schema import IDENTITIES
from service.workplace.audit import record
from service.workplace.schema import API_KEYS, SESSIONS, USERS
from service.workplace.times import now
from service.workplace.tries import Failures, failures_of, forget_failures

Role = Literal["analyst", "reviewer", "administrator"]
#: Each role includes those before it.
ROLES: Final[tuple[Role, ...]] = get_args(Role)
ROLE_NAMES: Final = {"analyst": "analyse", "reviewer": "relecture", "administrator": "administration"}

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
    """A person's account as administrators see it; `provider`: it comes in through the identity provider, without a password."""

    person: Person
    active: bool
    provider: bool
    failures: Failures | None

    @property
    def held(self) -> bool:
        """Whether tries to sign in with its login must wait, from one place at least."""
        return self.failures is not None and self.failures.held_until is not None


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


def create_user(engine: Engine, login: str, name: str, role: Role, password: str, by: Person | None = None) -> Person:
    """Open an account; `by`: the administrator who does, None for a command.

    Raises:
        AccountError: the login is taken or unusable, or the name is empty.
        WeakPasswordError: the password is too easy to guess.
    """
    values = new_user(login, name, role, password)
    try:
        with engine.begin() as connection:
            return add_user(connection, values, by)
    except IntegrityError as error:
        raise AccountError(f"L'identifiant « {values['login']} » est déjà pris.") from error


def new_user(login: str, name: str, role: Role, password: str) -> dict[str, Any]:
    """The row of a new account, checked; the slow hash is made here, outside of any transaction.

    Raises:
        AccountError, WeakPasswordError: as `create_user`.
    """
    values = named_user(login, name, role)
    passwords.check_password(password, values["login"])
    return values | {"password_hash": passwords.hash_password(password)}


def named_user(login: str, name: str, role: Role) -> dict[str, Any]:
    """The row of a new account that has no password, checked.

    Raises:
        AccountError: the login is unusable, or the name is empty or too long.
    """
    kept, shown = normal_login(login), " ".join(name.split())
    if not _LOGIN.fullmatch(kept):
        raise AccountError("L'identifiant doit compter de 2 à 100 caractères, sans espace ni guillemet ni barre oblique.")
    if not 0 < len(shown) <= _LONGEST_NAME or not shown.isprintable():
        raise AccountError(f"Un nom de 1 à {_LONGEST_NAME} caractères est attendu.")
    return {
        "id": str(uuid.uuid4()),
        "login": kept,
        "name": shown,
        "role": as_role(role),
        "password_hash": "",
        "active": True,
        "created_at": now(),
    }


def add_user(connection: Connection, values: dict[str, Any], by: Person | None = None) -> Person:
    """Keep the row of a new account; `by`: who opens it, None for a command or for who comes in with it."""
    connection.execute(USERS.insert().values(**values))
    record(connection, by, "account.create", f"account:{values['id']}", {"role": values["role"]})
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
    query = select(USERS).where(USERS.c.active).order_by(func.lower(USERS.c.name), USERS.c.id)
    with engine.connect() as connection:
        return [person_of(row) for row in connection.execute(query).mappings()]


def list_accounts(engine: Engine, keyring: Keyring = PLAIN) -> Sequence[Account]:
    """Every account, disabled ones last, by name."""
    order = (USERS.c.active.desc(), func.lower(USERS.c.name), USERS.c.id)
    query = select(USERS, IDENTITIES.c.user_id.label("linked")).join_from(USERS, IDENTITIES, isouter=True)
    with engine.connect() as connection:
        rows = connection.execute(query.order_by(*order)).mappings().all()
        failures = failures_of(connection, [row["login"] for row in rows], keyring)
    return [Account(person_of(row), row["active"], row["linked"] is not None, failures.get(row["login"])) for row in rows]


def is_linked(engine: Engine, person_id: str) -> bool:
    """Whether a person comes in through the identity provider, and so has no password here."""
    with engine.connect() as connection:
        return connection.execute(select(IDENTITIES.c.user_id).where(IDENTITIES.c.user_id == person_id)).first() is not None


def find_account(engine: Engine, person_id: str, keyring: Keyring = PLAIN) -> Account | None:
    """The account of an identifier."""
    return next((account for account in list_accounts(engine, keyring) if account.person.id == person_id), None)


def anyone(connection: Connection) -> bool:
    """Whether there is an account at all, open or not."""
    return connection.execute(select(USERS.c.id).limit(1)).first() is not None


def change_password(engine: Engine, person_id: str, password: str, keyring: Keyring = PLAIN, by: Person | None = None) -> None:
    """Give a person a new password; every session ends, failures are forgotten, keys stay. `by`: as `create_user`.

    Raises:
        AccountError: there is no such person, or they come in through the identity provider.
        WeakPasswordError: the password is too easy to guess.
    """
    person = find_person(engine, person_id)
    if person is None:
        raise AccountError("Ce compte n'existe pas.")
    passwords.check_password(password, person.login)
    hashed = passwords.hash_password(password)
    with engine.begin() as connection:
        if connection.execute(select(IDENTITIES.c.user_id).where(IDENTITIES.c.user_id == person_id)).first():
            raise AccountError(
                f"{person.name} se connecte par le fournisseur d'identité, sans mot de passe (« vigie people unlink » le délie)."
            )
        _update(connection, person_id, {"password_hash": hashed})
        connection.execute(SESSIONS.delete().where(SESSIONS.c.user_id == person_id))
        forget_failures(connection, person.login, keyring)
        record(connection, by, "account.password", f"account:{person_id}")


def change_role(engine: Engine, person_id: str, role: Role, by: Person | None = None) -> None:
    """Give a person another role, at once. `by`: as `create_user`.

    Raises:
        AccountError: there is no such person, or nobody would be left to administer.
    """
    with engine.begin() as connection:
        _lock_people(connection)
        _update(connection, person_id, {"role": as_role(role)})
        _check_administered(connection)
        record(connection, by, "account.role", f"account:{person_id}", {"role": role})


def disable(engine: Engine, person_id: str, by: Person | None = None) -> None:
    """Close an account: its sessions and keys die with it, what the person wrote stays. `by`: as `create_user`.

    Raises:
        AccountError: there is no such person, or nobody would be left to administer.
    """
    with engine.begin() as connection:
        _lock_people(connection)
        _update(connection, person_id, {"active": False})
        _check_administered(connection)
        connection.execute(SESSIONS.delete().where(SESSIONS.c.user_id == person_id))
        live = (API_KEYS.c.user_id == person_id) & API_KEYS.c.revoked_at.is_(None)
        ended = connection.execute(API_KEYS.update().where(live).values(revoked_at=now())).rowcount
        record(connection, by, "account.disable", f"account:{person_id}", {"keys": ended})


def set_masks(engine: Engine, person: Person, *, masks: bool) -> None:
    """Hide personal data on the pages that a person opens, or show it; it holds on every device until it is changed."""
    with engine.begin() as connection:
        _update(connection, person.id, {"masks": masks})
        record(connection, person, "masking.on" if masks else "masking.off", f"account:{person.id}")


def enable(engine: Engine, person_id: str, by: Person | None = None) -> None:
    """Open again an account that was disabled, with the password that it had; its keys stay revoked. `by`: as `create_user`.

    Raises:
        AccountError: there is no such person.
    """
    with engine.begin() as connection:
        _update(connection, person_id, {"active": True})
        record(connection, by, "account.enable", f"account:{person_id}")


def _lock_people(connection: Connection) -> None:
    serialise(connection, "people")


def _update(connection: Connection, person_id: str, values: dict[str, Any]) -> None:
    if connection.execute(USERS.update().where(USERS.c.id == person_id).values(**values)).rowcount != 1:
        raise AccountError("Ce compte n'existe pas.")


def _check_administered(connection: Connection) -> None:
    left = select(USERS.c.id).where(USERS.c.role == "administrator", USERS.c.active).limit(1)
    if connection.execute(left).first() is None:
        raise AccountError("C'est le dernier compte d'administration : ouvrez-en un autre d'abord.")
