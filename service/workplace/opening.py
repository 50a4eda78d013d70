"""The first account: from the settings, or from a link that is told once, to whoever starts the service."""

import hmac
import logging
import secrets
from typing import Final

from sqlalchemy import Connection, Engine, select

from service.database import serialise
from service.settings import Settings
from service.workplace.people import AccountError, Person, add_user, anyone, new_user
from service.workplace.schema import CHOICES
from service.workplace.times import now

#: Where the link leads.
FIRST_ACCOUNT: Final = "/premier-compte"
_LOG: Final = logging.getLogger("vigie")
_CHOICE: Final = "first_account"
_PEOPLE: Final = "people"


def open_workplace(engine: Engine, settings: Settings) -> str | None:
    """See to it that somebody can come in; returns the path of the link that makes the first account, if it is to be made.

    Several processes may call this at once: the account is made once, and the link is the same for all.

    Raises:
        AccountError, WeakPasswordError: VIGIE_ADMIN_LOGIN or VIGIE_ADMIN_PASSWORD cannot be used.
    """
    with engine.connect() as connection:
        if anyone(connection):
            return None
    if settings.admin_login and settings.admin_password:
        make_first(engine, settings.admin_login, settings.admin_login, settings.admin_password.get_secret_value())
        return None
    if settings.admin_login or settings.admin_password:
        raise AccountError("VIGIE_ADMIN_LOGIN et VIGIE_ADMIN_PASSWORD vont ensemble : l'un des deux manque.")
    with engine.begin() as connection:
        serialise(connection, _PEOPLE)
        if anyone(connection):
            return None
        token = _token(connection)
        if token is None:
            token = secrets.token_urlsafe(24)
            connection.execute(CHOICES.insert().values(name=_CHOICE, value={"token": token}, made_at=now()))
    return f"{FIRST_ACCOUNT}?jeton={token}"


def tell_link(settings: Settings, path: str) -> None:
    """Tell whoever starts the service where the first account is made."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    _LOG.warning("Aucun compte encore. Ouvrez le premier, d'administration : http://%s:%d%s", host, settings.port, path)


def first_allowed(engine: Engine, token: str) -> bool:
    """Whether this token may make the first account: it is the one told at start, and there is no account yet."""
    with engine.connect() as connection:
        return not anyone(connection) and _right(connection, token)


def make_first(engine: Engine, login: str, name: str, password: str, token: str | None = None) -> Person | None:
    """Make the first account, of an administrator; None if there is one already, or a token is given and not the right one.

    Raises:
        AccountError, WeakPasswordError: as `people.create_user`.
    """
    values = new_user(login, name, "administrator", password)
    with engine.begin() as connection:
        serialise(connection, _PEOPLE)
        if anyone(connection) or (token is not None and not _right(connection, token)):
            return None
        # The token has served: it is not kept any longer than it is useful.
        connection.execute(CHOICES.delete().where(CHOICES.c.name == _CHOICE))
        return add_user(connection, values)


def _token(connection: Connection) -> str | None:
    found = connection.execute(select(CHOICES.c.value).where(CHOICES.c.name == _CHOICE).limit(1)).scalar()
    return str(found["token"]) if found else None


def _right(connection: Connection, token: str) -> bool:
    kept = _token(connection)
    return kept is not None and hmac.compare_digest(kept.encode(), token.encode())
