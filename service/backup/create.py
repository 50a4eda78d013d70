"""Makes a backup while people work: the database at one instant, the files that imports still need, the model that serves."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from model.errors import ArtefactError
from model.store import current_name
from service.backup.copying import copy_out, counts_of, read_only, step_of
from service.backup.manifest import DATABASE, MANIFEST, MODEL, SPOOL, BackupError, Manifest, digest_of, files_of
from service.backup.shelf import sweep_shelf
from service.backup.verify import verify
from service.database import connect_database
from service.leftovers import temporary_name
from service.outages import outage_of
from service.settings import Settings
from service.workplace.audit import head_of, record_alone
from service.workplace.imports import OVER
from service.workplace.schema import IMPORTS
from service.workplace.times import now

#: States of an import whose file is still to be read.
_READ: Final = tuple(state for state in OVER if state != "stopped")
_SPARE: Final = 1.1


def create(settings: Settings, shelf: Path, *, with_model: bool = True) -> tuple[Path, Manifest]:
    """Make a backup in a new folder of `shelf`, verify it, and only then give it its name; returns both.

    All that was acknowledged before this was called is in it. What a backup that was killed left is removed first.

    Raises:
        BackupError: the database or the disk does not allow it, or what was written does not read back; nothing is left.
    """
    began = now()
    name = began.strftime("vigie-%Y%m%dT%H%M%SZ")
    building = shelf / temporary_name(name)
    engine = connect_database(settings.database_url)
    try:
        with _told(shelf):
            shelf.mkdir(parents=True, exist_ok=True, mode=0o700)
            sweep_shelf(shelf)
            _check_room(engine, shelf)
            shutil.rmtree(building, ignore_errors=True)
            building.mkdir(mode=0o700)
            manifest = _write(engine, settings, building, began.isoformat(timespec="microseconds"), with_model)
            _, wrong = verify(building, settings)
            if wrong:
                raise BackupError(f"La sauvegarde ne se relit pas, et n'est pas gardée : {' '.join(wrong[:5])}")
            folder = _free(shelf / name)
            building.rename(folder)
            _sync(shelf)
        _record(engine, folder)
    finally:
        engine.dispose()
        shutil.rmtree(building, ignore_errors=True)
    return folder, manifest


def _write(engine: Engine, settings: Settings, folder: Path, began: str, with_model: bool) -> Manifest:
    warnings: list[str] = []
    # Before the database: a file whose import ends meanwhile is here, and one too many does no harm.
    _copy_spool(settings, folder)
    copy_out(engine, folder / DATABASE)
    copied = read_only(folder / DATABASE)
    try:
        with copied.connect() as connection:
            step, counts = step_of(connection), counts_of(connection)
            head = str(head_of(connection)) if "audit_records" in counts else None
            needed = _needed(connection) if "imports" in counts else set()
    finally:
        copied.dispose()
    warnings += _settle_spool(settings, folder, needed)
    model = _copy_model(settings, folder, with_model, warnings)
    files = {}
    for relative, path in files_of(folder).items():
        path.chmod(0o600)
        _sync(path)
        files[relative] = digest_of(path)
    kind = engine.dialect.name
    ended = now().isoformat(timespec="microseconds")
    manifest = Manifest(version("vigie"), began, ended, kind, step, counts, head, model, files, tuple(warnings))
    written = folder / MANIFEST
    written.write_text(manifest.written(), encoding="utf-8")
    written.chmod(0o600)
    for path in (written, *(one for one in folder.rglob("*") if one.is_dir()), folder):
        _sync(path)
    return manifest


def _needed(connection: Connection) -> set[str]:
    rows = connection.execute(select(IMPORTS.c.options).where(IMPORTS.c.state.not_in(_READ)))
    return {str(options["file"]) for (options,) in rows if "file" in options}


def _copy_spool(settings: Settings, folder: Path) -> None:
    target = folder / SPOOL
    target.mkdir(mode=0o700)
    if settings.spool_dir.is_dir():
        for path in sorted(settings.spool_dir.iterdir()):
            if path.is_file() and path.suffix != ".lock":
                with suppress(FileNotFoundError):
                    shutil.copy2(path, target / path.name)


def _settle_spool(settings: Settings, folder: Path, needed: set[str]) -> Iterator[str]:
    """Keep what the imports of the copy need: what came since is fetched, the rest goes; says what is missing."""
    target = folder / SPOOL
    for path in list(target.iterdir()):
        if path.name not in needed:
            path.unlink()
    for name in sorted(needed):
        if not (target / name).exists():
            try:
                shutil.copy2(settings.spool_dir / name, target / name)
            except FileNotFoundError:
                yield f"Le fichier d'un import en attente manque ({name}) : il sera à renvoyer."


def _copy_model(settings: Settings, folder: Path, with_model: bool, warnings: list[str]) -> str | None:
    try:
        name = current_name(settings.model_dir)
    except ArtefactError:
        warnings.append("Aucun modèle ne sert : il n'y en a pas dans la sauvegarde.")
        return None
    source = settings.model_dir / name
    if not with_model:
        return name
    if not source.is_dir():
        warnings.append(f"Le modèle {name} n'est pas dans {settings.model_dir} : il n'est pas dans la sauvegarde.")
        return name
    shutil.copytree(source, folder / MODEL / name, symlinks=True)
    return name


def _check_room(engine: Engine, shelf: Path) -> None:
    if engine.dialect.name == "sqlite":
        path = Path(engine.url.database or "")
        wanted = sum(one.stat().st_size for one in (path, path.with_name(f"{path.name}-wal")) if one.exists())
    else:
        with engine.connect() as connection:
            wanted = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
    free = shutil.disk_usage(shelf).free
    if free < wanted * _SPARE:
        room = f"{free / 1e6:.0f} Mo libres, {wanted * _SPARE / 1e6:.0f} voulus"
        raise BackupError(f"{shelf} : pas assez de place ({room}). Libérez-en, ou sauvegardez ailleurs.")


def _free(path: Path) -> Path:
    """The path, or the same with a number where it is taken."""
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.name}-{number}")
    return found


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _record(engine: Engine, folder: Path) -> None:
    """Note in the audit log that all was copied; a database that cannot be written is all the more worth a backup."""
    with suppress(SQLAlchemyError):
        if inspect(engine).has_table("audit_records"):
            digest = digest_of(folder / MANIFEST)[1]
            record_alone(engine, None, "backup.made", f"backup:{folder.name}", {"manifest_sha256": digest})


@contextmanager
def _told(shelf: Path) -> Iterator[None]:
    """Say in one line what the database or the disk does not allow."""
    try:
        yield
    except (OSError, sqlite3.Error, SQLAlchemyError) as error:
        outage = outage_of(error)
        reason = f"{outage.title}. {outage.remedy}" if outage else str(error).splitlines()[0][:200]
        raise BackupError(f"{shelf} : rien n'est sauvegardé ({reason})") from error
