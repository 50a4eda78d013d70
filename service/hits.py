"""The requests of the last minute in a file, for processes of one machine that count together."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from threading import Lock
from typing import Any, Final

from limits.storage import MovingWindowSupport, Storage

_SWEPT_EVERY: Final = 60.0


class SharedStorage(Storage, MovingWindowSupport):
    """The hits of the last minute in a SQLite file, for processes of one machine that count together, or in memory for one.

    Seconds are those since the machine started, which the processes share: a clock that is put right holds nobody up.
    It is worth a minute, and is not written through to the disk. Of the library's operations: those of the moving window.
    """

    STORAGE_SCHEME = None

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._lock = Lock()
        self._swept = 0.0
        self._database = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute("CREATE TABLE IF NOT EXISTS hits (name TEXT NOT NULL, at REAL NOT NULL)")
        self._database.execute("CREATE INDEX IF NOT EXISTS hits_name_at ON hits (name, at)")

    @property
    def base_exceptions(self) -> type[Exception]:
        """What the file may raise."""
        return sqlite3.Error

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Add so many hits of this name, unless there are already too many since `expiry` seconds."""
        now = time.monotonic()
        with self._lock, closing(self._database.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            if now - self._swept > _SWEPT_EVERY:
                cursor.execute("DELETE FROM hits WHERE at <= ?", (now - expiry,))
                self._swept = now
            taken = amount + self._count(cursor, key, now - expiry)[1] <= limit
            if taken:
                cursor.executemany("INSERT INTO hits VALUES (?, ?)", [(key, now)] * amount)
            cursor.execute("COMMIT")
        return taken

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """When the oldest hit that counts was made, and how many count."""
        now = time.monotonic()
        with self._lock, closing(self._database.cursor()) as cursor:
            oldest, count = self._count(cursor, key, now - expiry)
        return oldest or now, count

    @staticmethod
    def _count(cursor: sqlite3.Cursor, key: str, since: float) -> tuple[float | None, int]:
        row = cursor.execute("SELECT min(at), count(*) FROM hits WHERE name = ? AND at > ?", (key, since)).fetchone()
        return row[0], row[1]

    def clear(self, key: str) -> None:
        """Forget the hits of a name."""
        with self._lock:
            self._database.execute("DELETE FROM hits WHERE name = ?", (key,))

    def reset(self) -> int | None:
        """Forget every hit."""
        with self._lock:
            return self._database.execute("DELETE FROM hits").rowcount

    def check(self) -> bool:
        """Whether the file can be read."""
        with self._lock:
            return bool(self._database.execute("SELECT 1").fetchone())

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Not of the moving window."""
        raise NotImplementedError

    def get(self, key: str) -> Any:
        """Not of the moving window."""
        raise NotImplementedError

    def get_expiry(self, key: str) -> float:
        """Not of the moving window."""
        raise NotImplementedError
