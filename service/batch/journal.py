"""The work folder beside an output: a lock, finished shards, and a journal that says which ones are whole.

`OUTPUT.parts/lock`            held (flock) by the run at work; the system frees it when that run ends, however it ends
`OUTPUT.parts/journal.jsonl`   one line an event, each on disk before the next: run, session, shard, unreadable, input, assembling
`OUTPUT.parts/000000001.rows`  encoded rows from that row on
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from model.errors import BatchError
from service.batch.outputs import settle

FORMAT: Final = "vigie-batch-1"
#: Endings of what a run keeps in its folder, beside lock and journal.
_OURS: Final = frozenset({".rows", ".tmp"})
_JOURNAL: Final = "journal.jsonl"
_LOCK: Final = "lock"


@dataclass(frozen=True, slots=True)
class Shard:
    """A finished shard: rows `first` to `last`, digest of what was read, size and sha256 of its file, and what was counted.

    `elapsed` is in seconds since the start of session `session`, which had lost that many processes by then.
    """

    first: int
    last: int
    digest: str
    size: int
    sha256: str
    statuses: dict[str, int]
    levels: dict[str, int]
    errors: dict[str, int]
    duplicates: int
    faults: list[str]
    first_duplicates: list[str]
    session: int
    elapsed: float
    lost: int


def parts_folder(output: Path) -> Path:
    """The work folder of an output."""
    return output.with_name(f"{output.name}.parts")


@contextmanager
def locked(output: Path) -> Iterator[Path]:
    """The work folder of an output, held for this run alone.

    Raises:
        BatchError: another run holds it, or the folder cannot be made.
    """
    folder = parts_folder(output)
    try:
        descriptor = _take(folder)
    except BlockingIOError:
        raise BatchError(f"{output} : une autre analyse est en train d'écrire ce fichier.") from None
    except OSError as error:
        raise BatchError(f"{output} : écriture impossible ({error.strerror or error}).") from error
    try:
        yield folder
    finally:
        # A run that was refused leaves nothing of its own.
        if folder.is_dir() and [path.name for path in folder.iterdir()] == [_LOCK]:
            shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _take(folder: Path) -> int:
    while True:
        folder.mkdir(exist_ok=True)
        try:
            descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A run that has just ended may have removed the file between the two calls.
            if (folder / _LOCK).stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        except FileNotFoundError:
            pass
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)


class Journal:
    """The journal of a work folder that this run holds.

    `key` tells what run it is of (None: no run was begun); `shards` are those that were finished, by first row; `spent`
    is how long each session was seen at work, in seconds, and how many processes it lost; `idle_sessions` counts the last
    ones, the present one included, that have finished no shard.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / _JOURNAL
        self.key: dict[str, Any] | None = None
        self.started = ""
        self.shard_rows = 0
        self.overwrite = False
        self.sessions = 0
        self.idle_sessions = 0
        self.unreadable = False
        self.assembling = False
        self.shards: dict[int, Shard] = {}
        self.spent: dict[int, tuple[float, int]] = {}
        self._whole = 0
        self._read()

    @property
    def rows(self) -> int:
        """Rows that are kept."""
        return sum(shard.last - shard.first + 1 for shard in self.shards.values())

    def _read(self) -> None:
        if not self.path.exists():
            return
        for line in self.path.read_bytes().splitlines(keepends=True):
            # What a killed run was writing has no end.
            if not line.endswith(b"\n"):
                return
            try:
                self._note(json.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError):
                if self.key is None:
                    return
            self._whole += len(line)

    def _note(self, event: dict[str, Any]) -> None:
        kind = event.pop("event")
        if kind == "run" and event["format"] == FORMAT:
            self.key, self.started = event["key"], event["started"]
            self.shard_rows, self.overwrite = event["shard_rows"], event["overwrite"]
        elif kind == "session":
            self.sessions += 1
            self.idle_sessions += 1
        elif kind == "shard":
            shard = Shard(**event)
            self.shards[shard.first] = shard
            self.idle_sessions = 0
            self.spent[shard.session] = max((shard.elapsed, shard.lost), self.spent.get(shard.session, (0.0, 0)))
        elif kind == "input" and self.key is not None:
            self.key["input"] = event["input"]
        elif kind == "unreadable":
            self.unreadable = True
        elif kind == "assembling":
            self.assembling = True

    def foreign(self) -> str | None:
        """The name of something in the folder that no run wrote there, if any."""
        names = sorted(path.name for path in self.folder.iterdir() if path.is_dir() or path.suffix not in _OURS)
        return next((name for name in names if name not in {_LOCK, _JOURNAL}), None)

    def clear(self) -> None:
        """Forget everything that an earlier run kept."""
        for path in self.folder.iterdir():
            if path.name != _LOCK:
                path.unlink()
        self.__init__(self.folder)  # type: ignore[misc]

    def check_shards(self) -> None:
        """Forget the shards whose file is missing, truncated or changed, and remove what belongs to none."""
        with self.path.open("r+b") as journal:
            journal.truncate(self._whole)
        kept = {first: shard for first, shard in self.shards.items() if self.is_whole(shard)}
        self.shards = kept
        names = {self.file_of(first).name for first in kept} | {_LOCK, _JOURNAL}
        for path in self.folder.iterdir():
            if path.name not in names:
                path.unlink()

    def file_of(self, first: int) -> Path:
        """The file of the shard that begins with that row."""
        return self.folder / f"{first:09d}.rows"

    def is_whole(self, shard: Shard) -> bool:
        """Whether the file of a shard is what was written."""
        path = self.file_of(shard.first)
        if not path.is_file() or path.stat().st_size != shard.size:
            return False
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == shard.sha256

    def keep(self, shard: Shard, content: bytes) -> None:
        """Put a shard on disk, then in the journal.

        Raises:
            OSError: the disk is full or failing.
        """
        path = self.file_of(shard.first)
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(content)
        settle(temporary, path)
        self.write("shard", **asdict(shard))

    def write(self, kind: str, **facts: Any) -> None:
        """Add an event, on disk before this returns.

        Raises:
            OSError: the disk is full or failing.
        """
        line = json.dumps({"event": kind, **facts}, ensure_ascii=False).encode() + b"\n"
        with self.path.open("ab") as journal:
            journal.write(line)
            journal.flush()
            os.fsync(journal.fileno())
        self._note(json.loads(line))

    def remove(self) -> None:
        """Remove the work folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
