"""What tests look for in the audit log, and ways to tamper with it that no guard stops."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, select, text

from service.workplace.audit import head_of, record
from service.workplace.audit_chain import Head
from service.workplace.audit_schema import AUDIT

_SQLITE = "select name, sql from sqlite_master where type = 'trigger' and tbl_name = 'audit_records'"


def head(engine: Engine) -> Head:
    """The end of the log."""
    with engine.connect() as connection:
        return head_of(connection)


def since(engine: Engine, before: Head) -> list[dict[str, Any]]:
    """The records that came after a head."""
    with engine.connect() as connection:
        rows = connection.execute(select(AUDIT).where(AUDIT.c.number > before.number).order_by(AUDIT.c.number)).mappings()
        return [dict(row) for row in rows]


def told(engine: Engine, before: Head) -> list[tuple[str, str]]:
    """The actions and objects recorded after a head."""
    return [(row["action"], row["object"]) for row in since(engine, before)]


def write(engine: Engine, count: int) -> None:
    """Add so many records, ten a transaction."""
    for first in range(0, count, 10):
        with engine.begin() as connection:
            for number in range(first, min(first + 10, count)):
                record(connection, f"u{number % 3}", "text.view", f"text:{number}", {"masked": number % 2 == 0})


@contextmanager
def unguarded(engine: Engine) -> Iterator[Connection]:
    """A transaction in which nothing protects the log; its guards are put back as they were afterwards."""
    with engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            guards = list(connection.execute(text(_SQLITE)))
            for name, _ in guards:
                connection.execute(text(f"drop trigger {name}"))
            yield connection
            for _, statement in guards:
                connection.exec_driver_sql(statement)
        else:
            connection.execute(text("alter table audit_records disable trigger user"))
            yield connection
            connection.execute(text("alter table audit_records enable trigger user"))
