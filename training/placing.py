"""A model takes its place at once: whoever looks finds the one before or the new one, whole, even if this process is killed."""

import ctypes
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_HERE: Final = -100  # AT_FDCWD
_EXCHANGE: Final = 2  # RENAME_EXCHANGE


@contextmanager
def scratch(root: Path) -> Iterator[Path]:
    """A folder under `root` that no model is read from, for the time of the block; what a killed process leaves is named so
    that the service sweeps it (`service.leftovers`).
    """
    folder = root / f".training.tmp-{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put_in_place(built: Path, folder: Path) -> Path:
    """Give a folder its final name, in place of what had it, which takes the name of the first; returns the final name.

    On Linux both change at once. Elsewhere there is an instant without either.
    """
    if not folder.exists():
        built.rename(folder)
    elif not _exchanged(built, folder):
        before = built.with_name(f"{built.name}.before")
        folder.rename(before)
        built.rename(folder)
    return folder


def _exchanged(one: Path, other: Path) -> bool:
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return bool(rename(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0)
