"""Is a backup whole? Its files, its database, its rows, its audit log, each against what the manifest says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from model.errors import VigieError
from service.backup.copying import counts_of, read_only, step_of
from service.backup.damage import check_database
from service.backup.manifest import DATABASE, Manifest, digest_of, files_of, read_manifest
from service.settings import Settings
from service.workplace.audit import sealing_keys
from service.workplace.audit_chain import read_head
from service.workplace.audit_verify import Expected, keys_by_name, verify_database
from service.workplace.times import now

_MOST_TOLD: Final = 20


def verify(folder: Path, settings: Settings) -> tuple[Manifest, list[str]]:
    """Read a whole backup; gives its manifest, and what is wrong in French, empty where nothing is.

    Raises:
        BackupError: the manifest itself cannot be read.
    """
    manifest = read_manifest(folder)
    wrong = list(_wrong_files(folder, manifest))
    if not wrong:
        engine = read_only(folder / DATABASE)
        try:
            wrong += _wrong_database(engine, manifest, settings)
        except (SQLAlchemyError, VigieError) as error:
            wrong.append(f"{DATABASE} : illisible ({str(error).splitlines()[0][:200]}).")
        finally:
            engine.dispose()
    return manifest, wrong


def _wrong_files(folder: Path, manifest: Manifest) -> Iterator[str]:
    there = files_of(folder)
    for name in sorted(there.keys() - manifest.files.keys()):
        yield f"{name} : ce fichier n'est pas de la sauvegarde."
    for name, (size, digest) in sorted(manifest.files.items()):
        path = there.get(name)
        if path is None:
            yield f"{name} : ce fichier manque."
            continue
        if path.is_symlink():
            yield f"{name} : c'est un lien ; un fichier est attendu."
            continue
        try:
            found = digest_of(path)
        except OSError as error:
            yield f"{name} : lecture impossible ({error.strerror})."
            continue
        if found != (size, digest):
            sums = f"{found[0]} octets, {size} attendus ; SHA-256 {found[1][:12]}…, {digest[:12]}… attendu"
            yield f"{name} : modifié ou tronqué ({sums})."


def _wrong_database(engine: Engine, manifest: Manifest, settings: Settings) -> Iterator[str]:
    damage = check_database(engine, "full", search=False)
    yield from (str(one) for one in damage[:_MOST_TOLD])
    if damage:
        return
    with engine.connect() as connection:
        step, counts = step_of(connection), counts_of(connection)
    if step != manifest.step:
        yield f"{DATABASE} : étape {step}, {manifest.step} attendue."
    for table in sorted(counts.keys() | manifest.counts.keys()):
        found, expected = counts.get(table), manifest.counts.get(table)
        if found != expected:
            yield f"Table {table} : {found} lignes, {expected} attendues."
    if manifest.head is not None:
        expected_log = Expected([read_head(manifest.head)], keys_by_name(sealing_keys(settings)))
        report = verify_database(engine, expected_log, now())
        yield from (f"Journal d'audit : {fault.message}" for fault in report.faults[:_MOST_TOLD])
