"""The file of a SQLite database changed for another: not under a service that runs, and what was there is kept."""

import fcntl
import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

from service.backup.copying import alone
from service.backup.manifest import BackupError
from service.workplace.times import now

#: Where SQLite notes, in the file beside a database, that somebody has it open.
_OPEN_BYTE: Final = 128
#: What SQLite keeps beside a database.
SIDES: Final = ("-wal", "-shm", "-journal")


def refuse_open(path: Path) -> None:
    """See that no process has the file open, even one that cannot be read any more.

    Raises:
        BackupError: one has.
    """
    beside = path.with_name(f"{path.name}-shm")
    if not beside.exists():
        return
    with beside.open("rb+") as shared:
        try:
            fcntl.lockf(shared, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _OPEN_BYTE)
        except OSError as error:
            raise BackupError(f"{path} est ouvert par un service en marche : arrêtez-le d'abord.") from error


def set_aside(path: Path) -> Path:
    """Keep the present file under another name too; what SQLite has beside it goes along."""
    aside = path.with_name(f"{path.name}.avant-{now():%Y%m%dT%H%M%SZ}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.avant-{now():%Y%m%dT%H%M%SZ}-{number}")
    with suppress(sqlite3.Error):
        alone(path)
    os.link(path, aside)
    for side in SIDES:
        # A journal that stayed would be played on the file that comes.
        beside = path.with_name(f"{path.name}{side}")
        if beside.exists():
            beside.rename(aside.with_name(f"{aside.name}{side}"))
    return aside


def sync(path: Path) -> None:
    """See a file, or the names in a folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
