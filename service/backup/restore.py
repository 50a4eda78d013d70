"""Puts a backup in the place of a database: verified first, purged of what was erased since, then in one step.

All is prepared in a file beside the target. Killed before the last step, nothing has changed; after it, all has.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, delete, text
from sqlalchemy.exc import SQLAlchemyError

from model.errors import ArtefactError
from model.store import current_name, set_current
from service.backup.copying import alone, fill_postgresql, read_only, step_of, total_rows
from service.backup.manifest import DATABASE, MODEL, SPOOL, BackupError, Manifest
from service.backup.placing import SIDES, refuse_open, set_aside, sync
from service.backup.verify import verify
from service.database import connect_database, open_database
from service.leftovers import half_written, temporary_name
from service.outages import outage_of
from service.privacy.manifest import apply_purges
from service.settings import Settings
from service.workplace.access_schema import SIGN_IN_TRIES
from service.workplace.audit import record
from service.workplace.schema import CLAIMS, SESSIONS

#: What was true of people at work then, and is not now.
_PASSING: Final = (SESSIONS, CLAIMS, SIGN_IN_TRIES)


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done: the backup's manifest, where the database of before is kept (None: there was none, or it is PostgreSQL),
    rows purged again, files of imports put back, and whether the model of the backup was put back.
    """

    manifest: Manifest
    aside: Path | None
    purged: int
    spooled: int
    model: bool


def restore(settings: Settings, folder: Path, *, replace: bool = False) -> Restored:
    """Put a backup in the place of the database of these settings, SQLite or PostgreSQL, whichever it was made of.

    With `replace`, in place of what is there: a SQLite file is kept beside, under another name; what a PostgreSQL database
    held is gone. Everyone signs in again.

    Raises:
        BackupError: the backup is not whole, the target holds something and `replace` is not given, a service still has it
            open, or the disk does not allow it; what was there is as it was.
    """
    manifest, wrong = verify(folder, settings)
    if wrong:
        raise BackupError(f"{folder} : sauvegarde abîmée, rien n'est restauré. {' '.join(wrong[:5])}")
    engine = connect_database(settings.database_url)
    engine.dispose()
    try:
        if engine.dialect.name == "sqlite":
            return _to_file(settings, folder, manifest, Path(engine.url.database or ""), replace)
        return _to_server(settings, folder, manifest, replace)
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        outage = outage_of(error)
        reason = f"{outage.title}. {outage.remedy}" if outage else str(error).splitlines()[0][:200]
        raise BackupError(f"{folder} : rien n'est restauré ({reason})") from error


def _to_file(settings: Settings, folder: Path, manifest: Manifest, path: Path, replace: bool) -> Restored:
    if not path.name or path.name == ":memory:":
        raise BackupError("Une base en mémoire ne se restaure pas.")
    if path.exists():
        refuse_open(path)
        if not replace and _holds(connect_database(settings.database_url)):
            raise BackupError(
                f"{path} contient déjà quelque chose : --replace pour le remplacer (l'ancien fichier est gardé à côté)."
            )
    with _prepared(settings, folder, path.parent) as (ready, purged):
        spooled, model = _put_files(settings, folder, manifest)
        aside = set_aside(path) if path.exists() else None
        ready.replace(path)
        sync(path.parent)
    return Restored(manifest, aside, purged, spooled, model)


def _to_server(settings: Settings, folder: Path, manifest: Manifest, replace: bool) -> Restored:
    engine = open_database(settings.database_url)
    try:
        _refuse_others(engine)
        if not replace and _holds(engine):
            raise BackupError(
                "La base PostgreSQL contient déjà quelque chose : --replace pour le remplacer (rien n'en est gardé)."
            )
        settings.spool_dir.mkdir(parents=True, exist_ok=True)
        with _prepared(settings, folder, settings.spool_dir) as (ready, purged):
            spooled, model = _put_files(settings, folder, manifest)
            source = read_only(ready)
            try:
                fill_postgresql(engine, source)
            finally:
                source.dispose()
    finally:
        engine.dispose()
    return Restored(manifest, None, purged, spooled, model)


@contextmanager
def _prepared(settings: Settings, folder: Path, beside: Path) -> Iterator[tuple[Path, int]]:
    """A SQLite file, ready to serve, in the folder `beside`; and how many rows were purged of it."""
    beside.mkdir(parents=True, exist_ok=True)
    for old in half_written(beside):
        with suppress(OSError):
            old.unlink()
    ready = beside / temporary_name(DATABASE)
    try:
        shutil.copyfile(folder / DATABASE, ready)
        ready.chmod(0o600)
        engine = open_database(f"sqlite:///{ready}")
        try:
            purged = sum(apply_purges(engine, settings.purged_file).values()) if settings.purged_file.exists() else 0
            with engine.begin() as connection:
                for table in _PASSING:
                    connection.execute(delete(table))
                details = {"purged": purged, "step": step_of(connection)}
                record(connection, None, "backup.restored", f"backup:{folder.resolve().name}", details)
        finally:
            engine.dispose()
        alone(ready)
        sync(ready)
        yield ready, purged
    finally:
        for name in ("", *SIDES):
            ready.with_name(f"{ready.name}{name}").unlink(missing_ok=True)


def _holds(engine: Engine) -> bool:
    """Whether there is anything of people's work in a database; one that cannot be read may hold something."""
    try:
        with engine.connect() as connection:
            return total_rows(connection) > 0
    except SQLAlchemyError:
        return True
    finally:
        engine.dispose()


def _refuse_others(engine: Engine) -> None:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
    with engine.connect() as connection:
        others = connection.execute(text(f"{query} AND pid <> pg_backend_pid()")).scalar_one()
    if others:
        raise BackupError(f"{others} autre(s) connexion(s) à la base PostgreSQL : arrêtez le service d'abord.")


def _put_files(settings: Settings, folder: Path, manifest: Manifest) -> tuple[int, bool]:
    """Put back the files that imports still need, and the model where it is missing; what is there stays."""
    spooled = 0
    settings.spool_dir.mkdir(parents=True, exist_ok=True)
    for path in sorted((folder / SPOOL).glob("*")):
        target = settings.spool_dir / path.name
        if not target.exists():
            temporary = settings.spool_dir / temporary_name(path.name)
            shutil.copyfile(path, temporary)
            temporary.replace(target)
            spooled += 1
    source = folder / MODEL / manifest.model if manifest.model else None
    if source is None or not source.is_dir():
        return spooled, False
    target = settings.model_dir / source.name
    if not target.exists():
        temporary = settings.model_dir / temporary_name(source.name)
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.copytree(source, temporary)
        temporary.rename(target)
    try:
        current_name(settings.model_dir)
    except ArtefactError:
        set_current(settings.model_dir, source.name)
        return spooled, True
    return spooled, False
