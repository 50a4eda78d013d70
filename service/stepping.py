"""The database of the settings brought from one step of the migrations to another, for whoever runs the service."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from model.errors import VigieError
from service.backup.placing import refuse_open
from service.database import connect_database, exists, serialise, told_error
from service.migrations import NOTHING, Loss, current, downgrade, losses, steps, upgrade
from service.postgresql import check_server, unhurried

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Standing:
    """The step that a database is at, the one that this version wants, how many lie between, and what the database is."""

    step: str
    head: str
    behind: int
    kind: str
    version: str


@dataclass(frozen=True, slots=True)
class Descent:
    """A way down, from a step to another, and what it loses, the last step first."""

    here: str
    goal: str
    lost: Sequence[Loss]


def standing(url: str) -> Standing:
    """Where a database is; nothing in it is changed.

    Raises:
        VigieError: there is none, it cannot be opened, or a later version made it.
    """
    with _opened(url) as engine, engine.connect() as connection:
        here, known = current(connection), steps()
        if connection.dialect.name == "postgresql":
            kind, query = "PostgreSQL", "SHOW server_version"
        else:
            kind, query = "SQLite", "SELECT sqlite_version()"
        version = str(connection.execute(text(query)).scalar_one())
    behind = len(known) - (known.index(here) + 1 if here != NOTHING else 0)
    return Standing(here, known[-1], behind, kind, version)


def climb(url: str, to: str | None = None) -> tuple[str, str]:
    """Bring a database up to a step, the last one if none is given, all or nothing; returns where it was and where it is.

    Raises:
        VigieError: as `standing`, or it is above already, or there is no such step.
    """
    goal = _known(to or steps()[-1])
    with _opened(url, makes=True) as engine, engine.begin() as connection:
        check_server(connection.dialect.name, connection.dialect.server_version_info)
        unhurried(connection)
        serialise(connection, "migrations")
        here = current(connection)
        if here != NOTHING and goal < here:
            raise VigieError(f"La base est à l'étape {here} : « vigie database downgrade --to {goal} » redescend.")
        upgrade(connection, goal)
    return here, goal


def plan(url: str, to: str) -> Descent:
    """What bringing a database down to a step (`NOTHING`: below the first) would lose; nothing is changed.

    Raises:
        VigieError: as `standing`, or it is below already, there is no such step, or somebody has the database open.
    """
    goal = to if to == NOTHING else _known(to)
    with _opened(url) as engine:
        _refuse_others(engine)
        with engine.connect() as connection:
            here = current(connection)
            if goal != NOTHING and (here == NOTHING or goal > here):
                raise VigieError(f"La base est à l'étape {here} : « vigie database upgrade --to {goal} » monte.")
            return Descent(here, goal, tuple(losses(connection, goal)))


def descend(url: str, descent: Descent) -> None:
    """Bring a database down as planned, all or nothing.

    Raises:
        VigieError: as `plan`, or it moved since it was planned.
    """
    with _opened(url) as engine:
        _refuse_others(engine)
        with engine.begin() as connection:
            unhurried(connection)
            serialise(connection, "migrations")
            if current(connection) != descent.here:
                raise VigieError("La base a changé d'étape entre-temps : rien n'est fait, recommencez.")
            downgrade(connection, descent.goal)


def _known(step: str) -> str:
    known = steps()
    if step not in known:
        raise VigieError(f"Étape « {step[:40]} » inconnue : de {known[0]} à {known[-1]} est attendu, en quatre chiffres.")
    return step


@contextmanager
def _opened(url: str, *, makes: bool = False) -> Iterator[Engine]:
    """The database as it is; `makes`: a file that is not there is made."""
    if not makes and not exists(url):
        raise VigieError(f"La base de données {make_url(url).database or '(sans nom)'} n'existe pas ; VIGIE_DATABASE_URL ?")
    try:
        engine = connect_database(url)
        try:
            yield engine
        finally:
            engine.dispose()
    except (SQLAlchemyError, ImportError, OSError) as error:
        raise told_error(url, error) from error


def _refuse_others(engine: Engine) -> None:
    """See that nobody else has the database open; to be called before this process has."""
    if engine.dialect.name == "sqlite":
        refuse_open(Path(engine.url.database or ""))
        return
    with engine.connect() as connection:
        others = _others(connection)
    if others:
        told = ", ".join(others[:_SHOWN]) + (" …" if len(others) > _SHOWN else "")
        raise VigieError(f"{len(others)} autre(s) connexion(s) à la base ({told}) : arrêtez le service d'abord.")


def _others(connection: Connection) -> list[str]:
    query = """SELECT coalesce(nullif(application_name, ''), 'sans nom') || ', processus ' || pid FROM pg_stat_activity
        WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid"""
    return list(connection.scalars(text(query)))
