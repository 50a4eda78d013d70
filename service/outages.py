"""What keeps the service from answering and is no fault of the request: the database away, damaged or read-only, the disk full.

Told as such, with what to do, to whoever starts the service here, and to people and programs by `service.outage_answers`.
"""

import errno
import sqlite3
from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError


@dataclass(frozen=True, slots=True)
class Outage:
    """What is wrong: a name for logs; title, explanation and what to do, in French; after how many seconds to try again.

    `seconds` is None where time alone mends nothing.
    """

    name: str
    title: str
    detail: str
    remedy: str
    seconds: int | None


_NOTHING_KEPT: Final = "Ce qui vient d'être envoyé n'a pas été enregistré."
AWAY: Final = Outage(
    "away", "Base de données injoignable", f"La base de données ne répond pas. {_NOTHING_KEPT}", "Elle est réessayée seule.", 5
)
BUSY: Final = Outage(
    "busy", "Base de données occupée", f"La base de données n'a pas pu répondre à temps. {_NOTHING_KEPT}", "Réessayez.", 2
)
FULL: Final = Outage(
    "full",
    "Plus de place sur le disque",
    f"Le disque du service est plein. {_NOTHING_KEPT}",
    "Libérez de la place : le service reprend seul.",
    60,
)
READ_ONLY: Final = Outage(
    "read_only",
    "Base de données en lecture seule",
    f"La base de données, ou son dossier, ne peut pas être écrite. {_NOTHING_KEPT}",
    "Rendez le fichier et son dossier à l'utilisateur du service, ou remontez le disque en écriture : le service reprend seul.",
    60,
)
CLOSED: Final = Outage(
    "closed",
    "Base de données inaccessible",
    f"Le fichier de la base de données ne peut pas être ouvert. {_NOTHING_KEPT}",
    "Voyez que le fichier et son dossier sont là, et à l'utilisateur du service : le service reprend seul.",
    60,
)
DAMAGED: Final = Outage(
    "damaged",
    "Base de données abîmée",
    f"Le fichier de la base de données est abîmé. {_NOTHING_KEPT}",
    "Arrêtez le service, lancez « vigie backup check », et restaurez au besoin une sauvegarde (docs/sauvegarde.md).",
    None,
)
BROKEN: Final = Outage(
    "disk",
    "Disque en défaut",
    f"Le disque du service ne peut pas être lu ou écrit. {_NOTHING_KEPT}",
    "Regardez le journal du système ; « vigie backup check » dit si la base est abîmée.",
    60,
)

_SQLITE: Final = {
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
    sqlite3.SQLITE_IOERR: BROKEN,
    sqlite3.SQLITE_CANTOPEN: CLOSED,
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
    sqlite3.SQLITE_PROTOCOL: BUSY,
}
#: SQLite's codes say more in their higher bytes.
_PRIMARY: Final = 0xFF
#: SQLSTATE of PostgreSQL, whole or by its first letters.
_POSTGRESQL: Final = (
    ("53100", FULL),
    ("53", BUSY),
    ("25006", READ_ONLY),
    ("57014", BUSY),
    ("57P", AWAY),
    ("08", AWAY),
    ("40", BUSY),
    ("55P03", BUSY),
    ("58", BROKEN),
    ("XX001", DAMAGED),
    ("XX002", DAMAGED),
)
_SYSTEM: Final = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EFBIG: FULL,
    errno.EROFS: READ_ONLY,
    errno.EMFILE: BUSY,
    errno.ENFILE: BUSY,
    errno.EIO: BROKEN,
}


def outage_of(error: BaseException | None) -> Outage | None:
    """What an exception tells of the service, if it is the service's own trouble; the causes of an exception are looked at."""
    while error is not None:
        if isinstance(error, PoolTimeoutError):
            return BUSY
        if isinstance(error, DBAPIError):
            found = _of_driver(error.orig) or (AWAY if error.connection_invalidated else None)
        else:
            found = _of_driver(error)
        if found is not None:
            return found
        error = error.__cause__
    return None


def _of_driver(error: BaseException | None) -> Outage | None:
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        return _SQLITE.get(code & _PRIMARY) if code is not None else None
    if isinstance(error, OSError):
        return _SYSTEM.get(error.errno) if error.errno is not None else None
    if error is None or not hasattr(error, "sqlstate"):
        return None
    state = error.sqlstate
    if not isinstance(state, str):
        # A connection that could not be made, or was cut, has no state; any other error of the driver is another class.
        return AWAY if type(error).__name__ == "OperationalError" else None
    return next((outage for start, outage in _POSTGRESQL if state.startswith(start)), None)
