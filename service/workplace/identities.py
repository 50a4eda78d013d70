"""Accounts that come in through an identity provider: linked by the provider's subject, never by a name or an address.

Such an account has no password here. Who it is for the provider is said once: at the first sign-in, which opens the account, or
by an administrator, who links an account that is already there.
"""

import re
from typing import Final

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import IntegrityError

from service.database import serialise
from service.workplace import passwords
from service.workplace.access_schema import IDENTITIES
from service.workplace.audit import record
from service.workplace.people import (
    AccountError,
    Person,
    Role,
    add_user,
    anyone,
    change_role,
    find_login,
    named_user,
    person_of,
)
from service.workplace.schema import SESSIONS, USERS
from service.workplace.times import now

_LONGEST_SUBJECT: Final = 255
_LONGEST_NAME: Final = 100
#: What a login here may not hold.
_UNFIT: Final = re.compile(r"[\s\x00-\x1f<>\"'/\\]+")


def enter(engine: Engine, issuer: str, subject: str, login: str, name: str, role: Role | None, *, create: bool) -> Person:
    """The person whom the provider names; their role here is made what it says, if it says one.

    Raises:
        AccountError: the account is closed, there is none and none is to be made, its login is another's, or the role cannot be
            changed because nobody would be left to administer.
    """
    found = _find(engine, issuer, subject)
    if found is None:
        if not create:
            raise AccountError(f"Aucun compte de Vigie n'est relié à vous. Donnez ceci à l'administration : {subject}")
        return _open(engine, issuer, subject, login, name, role or "analyst")
    person, active = found
    if not active:
        raise AccountError("Votre compte est fermé.")
    if role is not None and role != person.role:
        change_role(engine, person.id, role)
    with engine.begin() as connection:
        connection.execute(IDENTITIES.update().where(IDENTITIES.c.user_id == person.id).values(used_at=now()))
        row = connection.execute(select(USERS).where(USERS.c.id == person.id)).mappings().one()
    return person_of(row)


def _find(engine: Engine, issuer: str, subject: str) -> tuple[Person, bool] | None:
    query = select(USERS).join_from(IDENTITIES, USERS).where(IDENTITIES.c.issuer == issuer, IDENTITIES.c.subject == subject)
    with engine.connect() as connection:
        row = connection.execute(query).mappings().first()
    return (person_of(row), row["active"]) if row else None


def _open(engine: Engine, issuer: str, subject: str, login: str, name: str, role: Role) -> Person:
    values = named_user(_UNFIT.sub("-", login)[:_LONGEST_NAME], name[:_LONGEST_NAME], role)
    try:
        with engine.begin() as connection:
            serialise(connection, "people")
            if role != "administrator" and not anyone(connection):
                raise AccountError("Vigie n'a aucun compte encore : le premier est celui d'une personne qui l'administre.")
            made = add_user(connection, values)
            _link(connection, made, issuer, subject)
    except IntegrityError as error:
        raise AccountError(
            f"Un autre compte de Vigie porte déjà l'identifiant « {values['login']} ». S'il est à vous, l'administration peut le "
            f"relier : vigie people link {values['login']} {subject}"
        ) from error
    return made


def link(engine: Engine, login: str, issuer: str, subject: str) -> Person:
    """Link an account to who comes in under this subject: it loses its password, and its sessions end.

    Raises:
        AccountError: there is no such account, it is linked already, or the subject is another account's.
    """
    person = find_login(engine, login)
    if person is None:
        raise AccountError(f"Aucun compte « {login} ».")
    if not 0 < len(subject) <= _LONGEST_SUBJECT or not subject.isprintable():
        raise AccountError(f"L'identifiant chez le fournisseur doit compter de 1 à {_LONGEST_SUBJECT} caractères.")
    try:
        with engine.begin() as connection:
            _link(connection, person, issuer, subject)
            connection.execute(USERS.update().where(USERS.c.id == person.id).values(password_hash=""))
            connection.execute(SESSIONS.delete().where(SESSIONS.c.user_id == person.id))
    except IntegrityError as error:
        raise AccountError(f"« {person.login} » est déjà relié, ou « {subject} » l'est à un autre compte.") from error
    return person


def unlink(engine: Engine, login: str, password: str) -> Person:
    """Give an account a password again, and forget who it is for the provider; its sessions end.

    Raises:
        AccountError: there is no such account, or it is not linked.
        WeakPasswordError: the password is too easy to guess.
    """
    person = find_login(engine, login)
    if person is None:
        raise AccountError(f"Aucun compte « {login} ».")
    passwords.check_password(password, person.login)
    hashed = passwords.hash_password(password)
    with engine.begin() as connection:
        if connection.execute(IDENTITIES.delete().where(IDENTITIES.c.user_id == person.id)).rowcount != 1:
            raise AccountError(f"« {person.login} » n'est relié à aucun fournisseur d'identité.")
        connection.execute(USERS.update().where(USERS.c.id == person.id).values(password_hash=hashed))
        record(connection, None, "account.link", f"account:{person.id}", {"linked": False})
        connection.execute(SESSIONS.delete().where(SESSIONS.c.user_id == person.id))
    return person


def _link(connection: Connection, person: Person, issuer: str, subject: str) -> None:
    values = {"issuer": issuer, "subject": subject, "user_id": person.id, "linked_at": now()}
    connection.execute(IDENTITIES.insert().values(**values))
    record(connection, None, "account.link", f"account:{person.id}", {"linked": True})
