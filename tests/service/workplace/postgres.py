"""A real PostgreSQL cluster in a folder, for the time of a test session."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

from tests.service.conftest import free_port

_PLACES = ("/usr/lib/postgresql", "/usr/local/pgsql", "/opt/homebrew/opt")


def _binaries() -> Path:
    found = shutil.which("initdb") and Path(str(shutil.which("initdb")))
    known = [path for place in _PLACES for path in sorted(Path(place).glob("*/bin/initdb"), reverse=True)]
    if not found and not known:
        raise FileNotFoundError("PostgreSQL est introuvable : installez le paquet « postgresql ».")
    return (found or known[0]).parent


def _run(*command: str | Path, check: bool = True) -> None:
    # PostgreSQL refuses to run as root: there, it runs as the user that its package makes.
    user = "postgres" if os.geteuid() == 0 else None
    subprocess.run([str(part) for part in command], user=user, check=check, cwd="/", stdout=subprocess.DEVNULL)


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """Start a cluster in a folder (a new one); gives the URL of its server, without a database name."""
    binaries = _binaries()
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        for parent in (folder, *folder.parents):
            # The folders of tests are closed to other users, who must pass through.
            if parent.stat().st_uid == 0 and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
    data, port = folder / "data", free_port()
    _run(binaries / "initdb", "-D", data, "-U", "vigie", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c shared_buffers=64MB -c max_connections=200"
    _run(binaries / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
    try:
        yield f"postgresql+psycopg://vigie@127.0.0.1:{port}"
    finally:
        # A server that is already gone is no fault of the tests.
        _run(binaries / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop", check=False)


def run_sql(url: str, statement: str) -> None:
    """Run a statement out of any transaction, as `create database` wants."""
    engine = create_engine(f"{url}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
