"""The work folder of a run on a cluster, on storage that all machines share: what is done is what its files say.

`OUTPUT.parts/lock`             held by the run at work (`service.batch.journal`)
`OUTPUT.parts/run.json`         what run it is of: model, options, input, rows a part
`OUTPUT.parts/sessions.json`    seconds that each session was seen at work
`OUTPUT.parts/run-…/data/`      `part-….parquet`: finished parts, which become the output
`OUTPUT.parts/run-…/done/`      `….json`, written last: a part is done when it is there; `….ids`: digests of its identifiers
`OUTPUT.parts/run-…/tries/`     the row that each attempt at a part has under way, and the rows that were given up
`OUTPUT.parts/manifest.json`    the manifest, before the output takes its name
"""

import hashlib
import json
import os
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from service.batch.journal import Shard
from service.batch.outputs import settle

FORMAT: Final = "vigie-cluster-1"
_LOCK: Final = "lock"
_RUN: Final = "run.json"
_SESSIONS: Final = "sessions.json"
_MANIFEST: Final = "manifest.json"
_FOLDER: Final = "run-"
_FOLDERS: Final = re.compile(r"run-[0-9a-f]{12}")
_STRIKES: Final = 3


@dataclass(frozen=True, slots=True)
class Done:
    """A finished part: what it counted as a shard of its run, and what it cost: seconds to load the model (0 if it was
    already loaded) and to score, most memory that its process ever used, in bytes.
    """

    shard: Shard
    load_seconds: float
    seconds: float
    peak_bytes: int


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the parts of one run are; used by the driver and by the processes that score."""

    folder: Path

    def data(self, part: int) -> Path:
        """The rows of a part."""
        return self.folder / "data" / f"part-{part:07d}.parquet"

    def ids(self, part: int) -> Path:
        """The digests of the identifiers of a part."""
        return self.folder / "done" / f"{part:07d}.ids"

    def note(self, part: int) -> Path:
        """What says that a part is done."""
        return self.folder / "done" / f"{part:07d}.json"

    def make(self) -> None:
        """Make the folders."""
        for name in ("data", "done", "tries"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    def keep(self, part: int, written: Path, ids: bytes, done: Done) -> None:
        """Put a scored part in its place; two attempts at once write the same.

        Raises:
            OSError: the disk is full or failing.
        """
        written.replace(self.data(part))
        for path, content in ((self.ids(part), ids), (self.note(part), json.dumps(asdict(done), ensure_ascii=False).encode())):
            write_whole(path, content, f"{os.getpid()}")

    def finished(self) -> set[int]:
        """The parts that say they are done."""
        if not (self.folder / "done").is_dir():
            return set()
        with os.scandir(self.folder / "done") as found:
            return {int(entry.name[:-5]) for entry in found if entry.name.endswith(".json")}

    def read(self, part: int) -> Done | None:
        """What a finished part says of itself; None if it cannot be read."""
        try:
            content = json.loads(self.note(part).read_bytes())
            return Done(**content | {"shard": Shard(**content["shard"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def is_whole(self, part: int, rows: tuple[int, int], *, deep: bool) -> bool:
        """Whether the files of a finished part are those of these rows, first and last; with `deep`, to the last byte."""
        done, path = self.read(part), self.data(part)
        if done is None or (done.shard.first, done.shard.last) != rows or not path.is_file():
            return False
        if path.stat().st_size != done.shard.size or not self.ids(part).is_file():
            return False
        if self.ids(part).stat().st_size != 8 * (done.shard.last - done.shard.first + 1):
            return False
        if not deep:
            return True
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == done.shard.sha256

    def forget(self, part: int) -> None:
        """Undo a part, its note first."""
        for path in (self.note(part), self.ids(part), self.data(part)):
            path.unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what attempts that were stopped left half written; what they gave up stays."""
        tries = [path for path in (self.folder / "tries").glob("*") if path.suffix != ".lost"]
        for path in [*(self.folder / "data").glob(".*"), *(self.folder / "done").glob("*.tmp"), *tries]:
            path.unlink(missing_ok=True)


class Attempt:
    """One attempt at a part: says on disk which row it has under way, and learns from the attempts that ended on one.

    `lost` gives, by number of row, why it was given up: `timeout`, or `invalid_text` where it ended three processes in a
    row. `before` counts the attempts of this session that ended without a word.
    """

    def __init__(self, parts: Parts, part: int, session: int, attempt: int) -> None:
        folder = parts.folder / "tries"
        self._given_up = folder / f"{part:07d}.lost"
        self.lost: dict[int, str] = {}
        if self._given_up.is_file():
            self.lost = {int(row): code for row, code in json.loads(self._given_up.read_bytes()).items()}
        earlier = sorted(folder.glob(f"{part:07d}.{session}.*.row"))
        self.before = len(earlier)
        self._judge(earlier)
        self._mark = folder / f"{part:07d}.{session}.{attempt:012d}.row"
        self._overdue = self._mark.with_suffix(".overdue")
        self._descriptor = os.open(self._mark, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o644)
        self.overdue = self._overdue.open("w", encoding="utf-8")

    def _judge(self, earlier: list[Path]) -> None:
        rows = [int(path.read_bytes() or 0) for path in earlier]
        if not rows or not rows[-1] or rows[-1] in self.lost:
            return
        late = earlier[-1].with_suffix(".overdue")
        if late.is_file() and late.stat().st_size:
            self.lost[rows[-1]] = "timeout"
        elif rows[-_STRIKES:] == [rows[-1]] * _STRIKES:
            self.lost[rows[-1]] = "invalid_text"
        else:
            return
        write_whole(self._given_up, json.dumps(self.lost).encode(), f"{os.getpid()}")

    def begin(self, row: int) -> None:
        """Say that a row is under way; it is read back even if this process is killed."""
        os.pwrite(self._descriptor, b"%020d" % row, 0)

    def end(self) -> None:
        """Say that this attempt ended by itself."""
        self.close()
        self._mark.unlink(missing_ok=True)
        self._overdue.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the files."""
        os.close(self._descriptor)
        self.overdue.close()


class Work:
    """The work folder of an output, held by this run: what run was begun there, if any, and its parts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run: dict[str, Any] | None = None
        self.seconds: list[float] = []
        try:
            found = json.loads((folder / _RUN).read_bytes())
            if found["format"] == FORMAT and {"key", "name", "part_rows", "started", "overwrite"} <= set(found):
                self.run = found
            self.seconds = [float(seconds) for seconds in json.loads((folder / _SESSIONS).read_bytes())]
        except (OSError, ValueError, KeyError, TypeError):
            pass

    @property
    def parts(self) -> Parts:
        """The parts of the run that was begun."""
        assert self.run is not None
        return Parts(self.folder / self.run["name"])

    @property
    def named(self) -> bool:
        """Whether the parts are already under the output's name, and only the end of the run is missing."""
        return self.run is not None and self.manifest.is_file() and not (self.parts.folder / "data").is_dir()

    @property
    def manifest(self) -> Path:
        """Where the manifest waits for the output."""
        return self.folder / _MANIFEST

    def foreign(self) -> str | None:
        """The name of something in the folder that no run on a cluster wrote there, if any."""
        ours = {_LOCK, _RUN, _SESSIONS, _MANIFEST}
        names = sorted(path.name for path in self.folder.iterdir() if not _FOLDERS.fullmatch(path.name))
        return next((name for name in names if name not in ours and not name.endswith(".tmp")), None)

    def begin(self, key: dict[str, Any], part_rows: int, started: str, *, overwrite: bool) -> None:
        """Forget what is there and begin a run.

        Raises:
            OSError: the disk is full or failing.
        """
        self.clear()
        # A process of an earlier run that is still at work writes into a folder that is no more.
        name = f"{_FOLDER}{os.urandom(6).hex()}"
        run = {"format": FORMAT, "name": name, "key": key, "part_rows": part_rows, "started": started, "overwrite": overwrite}
        Parts(self.folder / name).make()
        write_whole(self.folder / _RUN, json.dumps(run, ensure_ascii=False, indent=1).encode())
        self.run, self.seconds = run, []

    def spend(self, seconds: float, *, new: bool = False) -> None:
        """Note how long this session has been at work.

        Raises:
            OSError: the disk is full or failing.
        """
        self.seconds = [*self.seconds, seconds] if new else [*self.seconds[:-1], seconds]
        write_whole(self.folder / _SESSIONS, json.dumps(self.seconds).encode())

    def clear(self) -> None:
        """Remove everything but the lock, what says whose it is last."""
        for path in sorted(self.folder.iterdir(), key=lambda path: path.name == _RUN):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != _LOCK:
                path.unlink(missing_ok=True)
        self.run = None


def write_whole(path: Path, content: bytes, mark: str = "") -> None:
    """Write a file that is either absent or whole; `mark` tells the writers of one file apart.

    Raises:
        OSError: the disk is full or failing.
    """
    temporary = path.with_name(f"{path.name}{mark}.tmp")
    temporary.write_bytes(content)
    settle(temporary, path)
