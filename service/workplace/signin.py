"""Coming in with a login and a password: tries counted, the password compared, the same work for a login that is nobody's."""

import logging
from typing import Final

from sqlalchemy import Engine, select

from service.secret import PLAIN, Keyring
from service.workplace import passwords
from service.workplace.access_schema import IDENTITIES
from service.workplace.audit import record_alone
from service.workplace.origin import Origin
from service.workplace.people import Person, normal_login, person_of
from service.workplace.schema import USERS
from service.workplace.tries import HeldError, count_try, take_back

_LOG: Final = logging.getLogger("vigie")
#: How long a device is known by, once it has come in: a cookie of this name, sealed.
DEVICE_COOKIE: Final = "vigie_appareil"
DEVICE_SECONDS: Final = 90 * 24 * 3_600


def check_sign_in(
    engine: Engine, login: str, password: str, origin: Origin | None = None, keyring: Keyring = PLAIN
) -> Person | None:
    """The person of this login and password; None otherwise, whatever the reason, after the same work.

    Raises:
        HeldError: too many failures; the try must wait, and its password was not looked at.
        BusyError: too many passwords are compared at this instant.
    """
    where = origin or Origin()
    kept = normal_login(login)
    try:
        counted = count_try(engine, kept, where, keyring)
    except HeldError:
        # Not a record of the audit log: whoever insists would write it without end.
        _LOG.warning("Connexion remise à plus tard, depuis %s.", where.address or "une adresse inconnue")
        raise
    person = _compare(engine, kept, password)
    if person is None:
        refused(engine, kept, where, "password", holds=counted.holds)
        return None
    with engine.begin() as connection:
        take_back(connection, counted)
    return person


def _compare(engine: Engine, login: str, password: str) -> Person | None:
    linked = select(IDENTITIES.c.user_id).where(IDENTITIES.c.user_id == USERS.c.id).exists()
    with engine.connect() as connection:
        found = select(USERS).where(USERS.c.login == login, USERS.c.active, ~linked)
        row = None if "\0" in login else connection.execute(found).mappings().first()
    if not passwords.verify_password(row["password_hash"] if row else None, password) or row is None:
        return None
    again = passwords.hash_password(password) if passwords.outdated(row["password_hash"]) else row["password_hash"]
    with engine.begin() as connection:
        # An account disabled, or whose password was changed meanwhile, is not entered.
        same = (USERS.c.id == row["id"]) & (USERS.c.password_hash == row["password_hash"]) & USERS.c.active
        if connection.execute(USERS.update().where(same).values(password_hash=again)).rowcount != 1:
            return None
    return person_of(row)


def refused(engine: Engine, login: str, origin: Origin, way: str, *, holds: bool = False) -> None:
    """Tell of someone who was not let in by this way (password, provider), in the log and in the audit log: the one place for it.

    `holds`: the next try must wait. What was typed as a login is written nowhere; the account of that login, if any, is named.
    """
    _LOG.warning("Connexion refusée (%s) depuis %s.", way, origin.address or "une adresse inconnue")
    with engine.connect() as connection:
        query = select(USERS.c.id).where(USERS.c.login == login)
        account = None if "\0" in login else connection.execute(query).scalar()
    action = "session.locked" if holds else "session.refused"
    record_alone(engine, None, action, f"account:{account or 'unknown'}", {"way": way})


def known_device(keyring: Keyring, sealed: str, login: str) -> str:
    """The device that a browser's sealed cookie proves, if it has come in with this login; empty otherwise."""
    content = keyring.unseal("device", sealed, DEVICE_SECONDS) if sealed else None
    name, _, device = (content or "").partition("\n")
    return device if device and name == normal_login(login) else ""


def seal_device(keyring: Keyring, sealed: str, login: str, new: str) -> str:
    """What the cookie of a browser that has come in with this login holds: the device it was known as, or `new`."""
    return keyring.seal("device", f"{login}\n{known_device(keyring, sealed, login) or new}")
