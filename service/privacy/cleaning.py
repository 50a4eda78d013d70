"""After rows are deleted, their bytes: a database keeps them in free pages, in its index of words and in its journal.

SQLite: the index of words is merged, the file is written anew, the journal is emptied. PostgreSQL: the tables are written anew;
what its own journal (WAL) and the archives of it hold is the operator's to let expire.
"""

import sqlite3
import time
from typing import Any, Final

from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

_WAIT_SECONDS: Final = 30.0
_PAUSE: Final = 0.2
#: Tables whose rows hold texts, names or what people wrote of them.
_TABLES: Final = (
    *("items", "predictions", "receptions", "decisions", "comments", "contacts", "item_contacts", "campaigns", "campaign_events"),
    *("texts", "feedback", "signatures", "bands", "import_errors", "exports", "views", "cases", "case_items", "case_notes"),
    *("case_answers", "case_events", "case_sendings", "privacy_requests", "privacy_steps"),
)


def clean_files(engine: Engine) -> str:
    """Take the bytes of deleted rows out of the files of the database; returns what is left, in French, empty if nothing."""
    return _clean_sqlite(engine) if engine.dialect.name == "sqlite" else _clean_postgresql(engine)


def _clean_sqlite(engine: Engine) -> str:
    raw = engine.raw_connection()
    try:
        connection: Any = raw.driver_connection
        # Deleted words stay in the segments of the index until they are merged.
        connection.execute("INSERT INTO item_words (item_words) VALUES ('optimize')")
        connection.execute("VACUUM")
        return _empty_journal(connection)
    except sqlite3.OperationalError as error:
        return f"la base n'a pas pu être récrite ({error}) : il faut de la place pour une seconde base, et personne qui écrive."
    finally:
        raw.close()


def _empty_journal(connection: Any) -> str:
    """Bring the journal into the file and empty it; whoever reads the database holds it for a moment."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if not busy:
            return ""
        if time.monotonic() > deadline:
            return "le journal de la base (-wal) n'a pas pu être vidé : une lecture longue est en cours."
        time.sleep(_PAUSE)


def _clean_postgresql(engine: Engine) -> str:
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"SET lock_timeout = '{int(_WAIT_SECONDS)}s'"))
            # A large table takes as long as it takes.
            connection.execute(text("SET statement_timeout = 0"))
            for table in _TABLES:
                connection.execute(text(f"VACUUM (FULL, ANALYZE) {table}"))
            for name in ("lock_timeout", "statement_timeout"):
                connection.execute(text(f"RESET {name}"))
    except DBAPIError as error:
        return f"une table n'a pas pu être récrite ({type(error.orig).__name__}) : quelqu'un s'en sert."
    return ""
