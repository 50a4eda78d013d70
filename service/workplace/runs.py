"""A training in a process of its own, which outlives the server: started, seen alive or dead, stopped.

Its folder, under that of the models, holds a lock that the process keeps as long as it lives (the system lets go of it
however the process ends), its number and its journal. Trainings run on the machine of the server that was asked.
"""

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from service.settings import SECRETS, Settings

_FOLDER: Final = ".trainings"
_LOCK: Final = "lock"
_PID: Final = "pid"
_JOURNAL: Final = "journal.txt"
_PATIENCE: Final = 5.0
_LOOK_EVERY: Final = 0.05
_TOLD: Final = 500


def folder_of(root: Path, training_id: str) -> Path:
    """Where a training under the models' folder `root` keeps its lock and its journal."""
    return root / _FOLDER / training_id


def hold(root: Path, training_id: str) -> int:
    """Take the lock of a training that is about to start; returns its descriptor, which `start` hands over.

    Raises:
        OSError: the folder of the models cannot be written.
    """
    folder = folder_of(root, training_id)
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def give_up(root: Path, training_id: str, lock: int) -> None:
    """Let go of the lock of a training that does not start, and leave nothing of it."""
    os.close(lock)
    shutil.rmtree(folder_of(root, training_id), ignore_errors=True)


def start(settings: Settings, training_id: str, lock: int) -> None:
    """Start the process of a training, which goes on when the server stops; the lock becomes its own.

    Raises:
        OSError: the process cannot be started.
    """
    folder = folder_of(settings.model_dir, training_id)
    command = [sys.executable, "-m", "service.cli", "review", "challenge", "--training", training_id, "--settings-from-input"]
    try:
        with (folder / _JOURNAL).open("ab") as journal:
            process = subprocess.Popen(  # noqa: S603 - our own command
                command,
                stdin=subprocess.PIPE,
                stdout=journal,
                stderr=subprocess.STDOUT,
                pass_fds=(lock,),
                start_new_session=True,
            )
    finally:
        os.close(lock)
    (folder / _PID).write_text(str(process.pid), encoding="ascii")
    if process.stdin is not None:
        # Not among the arguments, where anyone on the machine could read the address of the database.
        with suppress(BrokenPipeError), process.stdin as told:
            told.write(settings.model_dump_json(exclude=set(SECRETS)).encode())
    # So that its end is noticed by the system while this server lives.
    threading.Thread(target=process.wait, daemon=True).start()


def alive(root: Path, training_id: str) -> bool:
    """Whether the process of a training still runs."""
    try:
        lock = os.open(folder_of(root, training_id) / _LOCK, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def stop(root: Path, training_id: str) -> None:
    """End a training and all that it started: first asked, after some seconds forced."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        if not alive(root, training_id):
            return
        with suppress(OSError, ValueError):
            os.killpg(int((folder_of(root, training_id) / _PID).read_text(encoding="ascii")), how)
        end = time.monotonic() + _PATIENCE
        while alive(root, training_id) and time.monotonic() < end:
            time.sleep(_LOOK_EVERY)


def last_words(root: Path, training_id: str) -> str:
    """The last line of a training's journal, cut; empty where it wrote nothing."""
    try:
        lines = (folder_of(root, training_id) / _JOURNAL).read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip()[:_TOLD] for line in reversed(lines) if line.strip()), "")
