"""A database as one SQLite file, and back: the form that every backup has, whatever the database is.

A SQLite file is copied by SQLite itself while others write. PostgreSQL is read in one snapshot, row by row, into a SQLite file
whose tables the same steps made; the other way round the tables are filled in one transaction. Rows keep their values to the
letter: JSON goes as the text it is, instants in UTC.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import (
    JSON,
    Connection,
    DateTime,
    Engine,
    MetaData,
    Table,
    Text,
    bindparam,
    cast,
    create_engine,
    inspect,
    select,
    text,
    type_coerce,
)
from sqlalchemy.pool import NullPool

from model.errors import VigieError
from service.backup.damage import rebuild_search
from service.database import connect_database
from service.migrations import upgrade
from service.workplace.times import aware

_STEP: Final = "alembic_version"
#: What is made again on each side, from the texts.
_MADE_AGAIN: Final = frozenset({_STEP, "item_numbers"})
_AT_ONCE: Final = 1_000
#: What values are called in a statement, where the names of columns are taken.
_GIVEN: Final = "given_"
_ORDER: Final = "number"


def is_ours(name: str) -> bool:
    """Whether a table holds rows that a copy must bring along: not those of the search, which are made again."""
    return name not in _MADE_AGAIN and not name.startswith(("item_words", "sqlite_"))


def step_of(connection: Connection) -> str:
    """The step of the migrations that a database is at; a database older than the steps is at the first.

    Raises:
        VigieError: there is nothing of Vigie in it.
    """
    tables = set(inspect(connection).get_table_names())
    if _STEP in tables and (step := connection.execute(text(f"SELECT version_num FROM {_STEP}")).scalar()):  # noqa: S608
        return str(step)
    if "texts" in tables:
        return "0001"
    raise VigieError("La base de données ne contient rien de Vigie.")


def counts_of(connection: Connection) -> dict[str, int]:
    """How many rows each table has, by name; those of the search are left out."""
    names = [name for name in sorted(inspect(connection).get_table_names()) if is_ours(name)]
    return {name: connection.execute(text(f'SELECT count(*) FROM "{name}"')).scalar_one() for name in names}  # noqa: S608


def read_only(path: Path) -> Engine:
    """An engine that reads a SQLite file nobody writes, and leaves nothing beside it."""
    where = f"file:{quote(str(path))}?mode=ro&immutable=1"
    return create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(where, uri=True, check_same_thread=False), poolclass=NullPool
    )


def copy_out(engine: Engine, target: Path) -> None:
    """Write all that a database holds at this instant to a new SQLite file; others go on reading and writing meanwhile.

    Raises:
        VigieError: the database holds nothing of Vigie, is in memory, or was made by a later version.
    """
    target.touch(mode=0o600)
    if engine.dialect.name == "sqlite":
        _copy_file(engine, target)
    else:
        _copy_rows_out(engine, target)
    alone(target)


def alone(path: Path) -> None:
    """Make a SQLite file one file: nothing is left beside it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as opened:
        opened.execute("PRAGMA journal_mode=DELETE")


def _copy_file(engine: Engine, target: Path) -> None:
    source = engine.url.database
    if not source or source == ":memory:":
        raise VigieError("Une base en mémoire ne se sauvegarde pas.")
    if not Path(source).exists():
        raise VigieError(f"La base de données {source} n'existe pas ; VIGIE_DATABASE_URL ?")
    with closing(sqlite3.connect(source)) as original, closing(sqlite3.connect(target)) as copied:
        # All pages at once, in one reading transaction: writers neither wait nor make it begin again.
        original.backup(copied, pages=-1)


def _copy_rows_out(engine: Engine, target: Path) -> None:
    snapshot = engine.connect().execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with snapshot as source, _made(target, step_of(source)) as filled:
        _fill(source, filled)


@contextmanager
def _made(path: Path, step: str) -> Iterator[Connection]:
    """A new SQLite database at a step of the migrations, empty, without what watches over it until the block ends."""
    engine = connect_database(f"sqlite:///{path}")
    try:
        with engine.begin() as connection:
            upgrade(connection, step)
        with engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            guards = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
            for name, _ in guards:
                connection.exec_driver_sql(f'DROP TRIGGER "{name}"')
            for name in reversed(counts_of(connection)):
                connection.exec_driver_sql(f'DELETE FROM "{name}"')  # noqa: S608 - the name of a table
            yield connection
            for _, definition in guards:
                connection.exec_driver_sql(definition)
            connection.commit()
        rebuild_search(engine)
    finally:
        engine.dispose()


def remake(engine: Engine, target: Path) -> None:
    """Write all that the tables of a SQLite database hold to a new file, whose indexes are made anew; its own are not read.

    Raises:
        DBAPIError: a table itself cannot be read.
    """
    target.touch(mode=0o600)
    with engine.connect() as source, _made(target, step_of(source)) as filled:
        _fill(source, filled)
    alone(target)


def fill_postgresql(engine: Engine, source: Engine) -> None:
    """Put what a SQLite file holds into a PostgreSQL database at the same step, in place of what is there, all or nothing.

    Raises:
        VigieError: the steps are not the same.
    """
    with source.connect() as origin, engine.begin() as connection:
        if step_of(origin) != step_of(connection):
            raise VigieError("La base et la sauvegarde ne sont pas de la même version.")
        names = [name for name in counts_of(connection)]
        keys = connection.execute(
            text(
                "SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint "
                "WHERE contype = 'f' AND connamespace = current_schema()::regnamespace"
            )
        ).all()
        for table, key, _ in keys:
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP CONSTRAINT {key}")
        for name in names:
            connection.exec_driver_sql(f'ALTER TABLE "{name}" DISABLE TRIGGER USER')
        connection.exec_driver_sql("TRUNCATE " + ", ".join(f'"{name}"' for name in names))
        _fill(origin, connection)
        for name in names:
            connection.exec_driver_sql(f'ALTER TABLE "{name}" ENABLE TRIGGER USER')
        for table, key, definition in keys:
            connection.exec_driver_sql(f"ALTER TABLE {table} ADD CONSTRAINT {key} {definition}")
        _number_on(connection, names)


def _number_on(connection: Connection, names: list[str]) -> None:
    """Let numbers that the database gives go on after the last one."""
    for name in names:
        for column in inspect(connection).get_columns(name):
            given = {"table": f'"{name}"', "column": column["name"]}
            sequence = connection.execute(text("SELECT pg_get_serial_sequence(:table, :column)"), given).scalar()
            if sequence:
                last = f'SELECT coalesce(max("{column["name"]}"), 0) + 1 FROM "{name}"'  # noqa: S608
                connection.execute(text(f"SELECT setval('{sequence}', ({last}), false)"))


def _fill(source: Connection, target: Connection) -> None:
    """Copy every table that both have; generated columns are left to the target."""
    there, here = MetaData(), MetaData()
    there.reflect(source, only=lambda name, _: is_ours(name))
    here.reflect(target, only=lambda name, _: is_ours(name))
    for name, table in sorted(here.tables.items()):
        if name not in there.tables:
            raise VigieError(f"La table {name} manque à la sauvegarde.")
        _fill_table(source, there.tables[name], target, table)


def _fill_table(source: Connection, origin: Table, target: Connection, table: Table) -> None:
    columns = [column.name for column in table.columns if column.computed is None]
    wanted = []
    for name in columns:
        column = origin.c[name]
        if isinstance(column.type, JSON):
            raw: Any = cast(column, Text) if source.dialect.name == "postgresql" else type_coerce(column, Text)
            wanted.append(raw.label(name))
        else:
            wanted.append(column)
    instants = [name for name in columns if isinstance(origin.c[name].type, DateTime)]
    values: dict[str, Any] = {}
    for name in columns:
        as_json = isinstance(table.c[name].type, JSON)
        given = bindparam(f"{_GIVEN}{name}", type_=Text() if as_json else table.c[name].type)
        values[name] = cast(given, JSON) if as_json and target.dialect.name == "postgresql" else given
    add = table.insert().values(values)
    query = select(*wanted).with_hint(origin, "NOT INDEXED", "sqlite")
    if _ORDER in columns or source.dialect.name == "postgresql":
        # What is chained comes in the order of its numbers.
        query = query.order_by(*(origin.c[column.name] for column in origin.primary_key.columns))
    rows = source.execution_options(stream_results=True).execute(query).mappings()
    for some in rows.partitions(_AT_ONCE):
        target.execute(add, [_given(dict(row), instants) for row in some])


def _given(row: Mapping[str, Any], instants: list[str]) -> dict[str, Any]:
    values = dict(row)
    for name in instants:
        if values[name] is not None:
            values[name] = aware(values[name])
    return {f"{_GIVEN}{name}": value for name, value in values.items()}


def total_rows(connection: Connection) -> int:
    """Rows of people's work: accounts, texts, decisions and all else; what a new database has of itself does not count."""
    return sum(count for name, count in counts_of(connection).items() if name not in ("audit_records", "choices"))
