"""One process at a time: a lock that dies with its process, so that work left half-way can be taken up by the next."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, text


@contextmanager
def file_lease(path: Path) -> Iterator[bool]:
    """Hold the lock of a file while the block lasts; False where another process or thread holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


@contextmanager
def database_lease(engine: Engine, name: str) -> Iterator[bool]:
    """Hold a lock that all processes on a database share while the block lasts; False where another one holds it.

    PostgreSQL keeps it with the connection; beside a SQLite file there is a lock file. A database in memory has one process.
    """
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            key = {"name": f"vigie.{name}"}
            held = bool(connection.execute(text("select pg_try_advisory_lock(hashtextextended(:name, 0))"), key).scalar())
            try:
                yield held
            finally:
                if held:
                    connection.execute(text("select pg_advisory_unlock(hashtextextended(:name, 0))"), key)
    elif engine.url.database and engine.url.database != ":memory:":
        with file_lease(Path(f"{engine.url.database}.{name}.lock")) as held:
            yield held
    else:
        yield True
