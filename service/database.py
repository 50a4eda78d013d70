"""The database, SQLite or PostgreSQL: opened and brought up to date; corrections, and the texts that people asked to keep."""

import hashlib
import sqlite3
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    DateTime,
    Engine,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from model.errors import VigieError
from service.followed_file import FollowedFile
from service.outages import READ_ONLY, outage_of
from service.postgresql import check_server, pool_of, unhurried
from service.settings import Settings, load_settings

METADATA: Final = MetaData()

#: Connections to a file that are kept, and as many more when pressed: a page holds one for a few milliseconds.
_POOL: Final = 20
_WAIT_SECONDS: Final = 30
_RETRY_SECONDS: Final = 0.05

TEXTS: Final = Table(
    "texts",
    METADATA,
    Column("id", String(200), primary_key=True),
    Column("text", Text, nullable=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("prediction", JSON, nullable=False),
    Column("model_version", String(100), nullable=False),
    Column("stored_at", DateTime(timezone=True), nullable=False),
)

FEEDBACK: Final = Table(
    "feedback",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("text_id", String(200), ForeignKey("texts.id"), nullable=True),
    Column("text", Text, nullable=True),
    Column("sha256", String(64), nullable=False, index=True),
    Column("indicator", String(50), nullable=True),
    Column("present", Boolean, nullable=True),
    Column("stance", String(20), nullable=True),
    Column("risk_level", Integer, nullable=True),
    Column("start", Integer, nullable=True),
    Column("end", Integer, nullable=True),
    Column("reviewer", String(200), nullable=True),
    Column("comment", Text, nullable=True),
    Column("model_version", String(100), nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
)


@dataclass(frozen=True, slots=True)
class StoredText:
    """A text kept on request, with the prediction of that time."""

    id: str
    text: str
    prediction: dict[str, Any]


def sha256_text(text: str) -> str:
    """Hexadecimal SHA-256 of a text as received, in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


class _OneWriter(Engine):
    """SQLite's engine: `begin` takes the write lock at once, so that what a transaction read still holds when it writes."""

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        with self.connect() as connection:
            connection.execution_options(vigie_writes=True)
            with connection.begin():
                yield connection


def connect_database(url: str, serving: Settings | None = None) -> Engine:
    """An engine on a database as it is; the folder of a SQLite file is made, its journal survives a crash.

    With the settings of a service, what it asks of PostgreSQL has an end (`database_statement_seconds`); a command has all the
    time it needs.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _connect_sqlite(parsed)
    if parsed.drivername in ("postgres", "postgresql"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    # What an error quotes of a statement may be somebody's words.
    wanted = pool_of(parsed, serving or load_settings(), ends=serving is not None)
    return create_engine(parsed, pool_pre_ping=True, hide_parameters=True, **wanted)


def _connect_sqlite(url: URL) -> Engine:
    pool, file = {}, None
    if url.database and url.database != ":memory:":
        file = Path(url.database)
        file.parent.mkdir(parents=True, exist_ok=True)
        pool = {"pool_size": _POOL, "max_overflow": _POOL}
    made = create_engine(url, connect_args={"timeout": _WAIT_SECONDS}, hide_parameters=True, **pool)
    if file is not None and not url.query:
        FollowedFile(file).follow(made)
    event.listen(made, "connect", _prepare_sqlite)
    engine = _OneWriter(made.pool, made.dialect, made.url)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def exists(url: str) -> bool:
    """Whether there is a database to open: a server is taken to hold one, a file must be there."""
    try:
        parsed = make_url(url)
    except SQLAlchemyError:
        return True  # to be opened, it says what is wrong
    return parsed.get_backend_name() != "sqlite" or bool(parsed.database and Path(parsed.database).is_file())


def open_database(url: str, serving: Settings | None = None) -> Engine:
    """An engine on a database whose tables are those of this version: made or migrated where needed; as `connect_database`.

    Raises:
        VigieError: the database was made by a later version, or PostgreSQL is too old.
    """
    from service.migrations import upgrade

    engine = connect_database(url, serving)
    try:
        with engine.begin() as connection:
            check_server(connection.dialect.name, connection.dialect.server_version_info)
            unhurried(connection)
            serialise(connection, "migrations")
            upgrade(connection)
    except BaseException:
        engine.dispose()
        raise
    return engine


def serialise(connection: Connection, name: str) -> None:
    """Until the end of its transaction, keep out every other transaction that asks for the same name.

    On SQLite a writing transaction is alone as it is.
    """
    if connection.dialect.name == "postgresql":
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
        connection.execute(select(func.pg_advisory_xact_lock(number)))


def open_checked(url: str) -> Engine:
    """As `open_database`, with one clear error.

    Raises:
        VigieError: the address cannot be read, its driver is missing, or the database cannot be opened or written.
    """
    try:
        return open_database(url)
    except (SQLAlchemyError, ImportError, OSError) as error:
        raise told_error(url, error) from error


def told_error(url: str, error: Exception) -> VigieError:
    """What an error of the driver, of the address or of the disk means, for whoever chose this address."""
    reason = str(error).splitlines()[0]
    outage = outage_of(error)
    told = f"base de données inutilisable ({reason})." + (f" {outage.title} : {outage.remedy}" if outage else "")
    return VigieError(f"VIGIE_DATABASE_URL={_shown(url)} : {told}")


def check_writable(engine: Engine) -> None:
    """See that a database can be written: one that is read-only opens all the same.

    Raises:
        VigieError: it cannot; the message says what to do.
    """
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "sqlite":
                kept = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
                connection.exec_driver_sql(f"PRAGMA user_version = {int(kept)}")
                return
            outage = READ_ONLY if connection.exec_driver_sql("SHOW transaction_read_only").scalar_one() == "on" else None
    except SQLAlchemyError as error:
        outage = outage_of(error)
        if outage is None:
            raise
    if outage is not None:
        shown = _shown(engine.url.render_as_string(hide_password=False))
        raise VigieError(f"VIGIE_DATABASE_URL={shown} : {outage.title}. {outage.remedy}")


def _shown(url: str) -> str:
    """An address without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return "…"


def _prepare_sqlite(connection: Any, _: Any) -> None:
    # Transactions are begun by `_begin_sqlite` alone; the driver's own would leave tables out of them.
    connection.isolation_level = None
    cursor = connection.cursor()
    _use_wal(cursor)
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _use_wal(cursor: Any) -> None:
    # Changing the journal does not wait for its turn, unlike everything else.
    deadline = time.monotonic() + _WAIT_SECONDS
    while cursor.execute("PRAGMA journal_mode").fetchone()[0] not in ("wal", "memory"):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_SECONDS)


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("vigie_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def store_text(engine: Engine, text: str, prediction: dict[str, Any], id: str | None) -> str:
    """Keep a text and its prediction; returns its identifier, new if none was given.

    Raises:
        KeyError: the identifier is already that of another text.
    """
    chosen = id or str(uuid.uuid4())
    values = {
        "text": text,
        "sha256": sha256_text(text),
        "prediction": prediction | {"id": chosen},
        "model_version": prediction["model_version"],
        "stored_at": datetime.now(UTC),
    }
    try:
        _store(engine, chosen, values)
    except IntegrityError:
        # Another process has just kept a text under this identifier: now it is seen.
        _store(engine, chosen, values)
    return chosen


def _store(engine: Engine, id: str, values: dict[str, Any]) -> None:
    with engine.begin() as connection:
        known = connection.execute(select(TEXTS.c.sha256).where(TEXTS.c.id == id)).scalar()
        if known is None:
            connection.execute(TEXTS.insert().values(id=id, **values))
        elif known == values["sha256"]:
            connection.execute(TEXTS.update().where(TEXTS.c.id == id).values(**values))
        else:
            raise KeyError(id)


def find_text(engine: Engine, id: str) -> StoredText | None:
    """The text kept under an identifier, if any."""
    with engine.connect() as connection:
        row = connection.execute(select(TEXTS).where(TEXTS.c.id == id)).mappings().first()
    return StoredText(row["id"], row["text"], row["prediction"]) if row else None


def add_feedback(engine: Engine, values: dict[str, Any]) -> str:
    """Keep a correction, on disk before this returns; returns its identifier."""
    id = str(uuid.uuid4())
    with engine.begin() as connection:
        connection.execute(FEEDBACK.insert().values(id=id, received_at=datetime.now(UTC), **values))
    return id


def all_feedback(engine: Engine) -> Sequence[dict[str, Any]]:
    """Every correction, oldest first."""
    with engine.connect() as connection:
        rows = connection.execute(select(FEEDBACK).order_by(FEEDBACK.c.number)).mappings()
        return [dict(row) for row in rows]
