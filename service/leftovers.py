"""What a process that was killed left half-made: nobody reads it, and it is swept when the service starts.

Models being written, pointers being moved, files of imports that were never asked for or that are over, exports half-written.
Only what nobody can still be at is taken: the process is gone, or the file has not changed for an hour.
"""

import logging
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, select

from service.settings import Settings
from service.workplace.imports import OVER
from service.workplace.receptions import EXPORTS
from service.workplace.schema import IMPORTS

_LOG: Final = logging.getLogger("vigie")
#: `.NAME.tmp-PROCESS`: how everything that is written beside its final place is called.
_TEMPORARY: Final = re.compile(r"\.(?P<name>.+)\.tmp-(?P<process>\d+)")
_STILL: Final = 3_600.0
#: A number that a later process got again hides a leftover no longer than this.
_OLD: Final = 2 * 86_400.0
_IMPORT: Final = re.compile(r"(?P<id>[0-9a-f]{28})\.[\w.]+")
_EXPORTS: Final = "exports"


def temporary_name(name: str) -> str:
    """What something is called while this process writes it, beside its final place."""
    return f".{name}.tmp-{os.getpid()}"


def is_alive(process: int) -> bool:
    """Whether a process of this number runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def half_written(folder: Path) -> Iterator[Path]:
    """What a process that is gone was writing in a folder."""
    for path in sorted(folder.glob(".*.tmp-*")):
        found = _TEMPORARY.fullmatch(path.name)
        if found and (not is_alive(int(found["process"])) or _age(path) > _OLD):
            yield path


def sweep(engine: Engine, settings: Settings) -> list[Path]:
    """Remove what killed processes left; returns what was removed. What cannot be removed stays for the next time."""
    found = [*half_written(settings.model_dir), *_spooled(engine, settings)]
    gone = []
    for path in found:
        with suppress(OSError):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
            gone.append(path)
    if gone:
        _LOG.info("Restes d'arrêts brutaux retirés : %s.", ", ".join(path.name for path in gone[:20]))
    return gone


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _spooled(engine: Engine, settings: Settings) -> Iterator[Path]:
    """Files of the spool that no import needs, and no export."""
    if not settings.spool_dir.is_dir():
        return
    with engine.connect() as connection:
        needed = set(connection.scalars(select(IMPORTS.c.id).where(IMPORTS.c.state.not_in([s for s in OVER if s != "stopped"]))))
        wanted = set(connection.scalars(select(EXPORTS.c.file).where(EXPORTS.c.file.is_not(None))))
        going = set(connection.scalars(select(EXPORTS.c.id).where(EXPORTS.c.state.in_(("waiting", "running")))))
    for path in sorted(settings.spool_dir.iterdir()):
        found = _IMPORT.fullmatch(path.name)
        if path.is_file() and found and found["id"] not in needed and _age(path) > _STILL:
            yield path
    for path in sorted((settings.spool_dir / _EXPORTS).glob("*")):
        found = _IMPORT.fullmatch(path.name)
        useless = found and path.name not in wanted and found["id"] not in going
        if path.is_file() and useless and _age(path) > _STILL:
            yield path
