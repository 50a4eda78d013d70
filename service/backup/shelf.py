"""The folder that backups are put in: listed, and thinned out."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from service.backup.manifest import MANIFEST, BackupError, Manifest, read_manifest
from service.leftovers import half_written

_NAME: Final = re.compile(r"vigie-(\d{8}T\d{6}Z)(?:-(\d+))?")


def backups(shelf: Path) -> list[Path]:
    """The backups of a folder, oldest first; what has another name, or no manifest, is none."""
    found = []
    for path in shelf.glob("vigie-*"):
        named = _NAME.fullmatch(path.name)
        if named and (path / MANIFEST).is_file():
            found.append((named[1], int(named[2] or 1), path))
    return [path for _, _, path in sorted(found)]


def listed(shelf: Path) -> Iterator[tuple[Path, Manifest | None]]:
    """The backups, oldest first, each with its manifest; None where that cannot be read."""
    for path in backups(shelf):
        try:
            yield path, read_manifest(path)
        except BackupError:
            yield path, None


def thin_out(shelf: Path, keep: int) -> list[Path]:
    """Remove all but the `keep` newest backups (at least 1); returns those that went.

    Raises:
        BackupError: one cannot be removed.
    """
    gone = backups(shelf)[: -max(1, keep)]
    for path in gone:
        # Its manifest first: half removed, it is no longer a backup.
        try:
            (path / MANIFEST).unlink()
            shutil.rmtree(path)
        except OSError as error:
            raise BackupError(f"{path} : cette vieille sauvegarde ne peut pas être retirée ({error.strerror}).") from error
    return gone


def sweep_shelf(shelf: Path) -> None:
    """Remove what backups that were killed left: half-written ones, and half-removed ones."""
    left = [path for path in shelf.glob("vigie-*") if _NAME.fullmatch(path.name) and not (path / MANIFEST).exists()]
    for path in (*half_written(shelf), *left):
        shutil.rmtree(path, ignore_errors=True)
