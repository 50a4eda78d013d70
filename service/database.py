"""What people told us, in a database: corrections, and the texts that they asked to keep. Nothing else is stored."""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
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
    select,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from model.errors import VigieError

METADATA: Final = MetaData()

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


def open_database(url: str) -> Engine:
    """An engine on a database whose tables exist; the folder of a SQLite file is made, its journal survives a crash."""
    parsed = make_url(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    if sqlite and parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": 15} if sqlite else {})
    if sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
    METADATA.create_all(engine)
    return engine


def open_checked(url: str) -> Engine:
    """As `open_database`, with one clear error.

    Raises:
        VigieError: the address cannot be read, its driver is missing, or the database cannot be opened or written.
    """
    try:
        return open_database(url)
    except (SQLAlchemyError, ImportError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise VigieError(f"VIGIE_DATABASE_URL={url} : base de données inutilisable ({reason}).") from error


def _prepare_sqlite(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


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
