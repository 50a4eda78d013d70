"""Queries about many keys at once, on SQLite and PostgreSQL: the keys go in one value, whatever their number."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, FromClause, Select, bindparam, func, select, true
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY

Where = Callable[[FromClause], Sequence[ColumnElement[bool]]]
#: The name under which a query of this module takes its keys.
KEYS: Final = "keys"


def keys_for(connection: Connection, keys: Sequence[Any]) -> Any:
    """Keys (integers or strings) as the queries of this module take them."""
    return list(keys) if connection.dialect.name == "postgresql" else json.dumps(keys)


def among(connection: Connection, column: ColumnElement[Any], name: str = KEYS) -> ColumnElement[bool]:
    """That a column is one of the keys given under a name."""
    return column.in_(select(_asked(connection, column, name).c.key))


def _asked(connection: Connection, column: ColumnElement[Any], name: str) -> Any:
    if connection.dialect.name == "postgresql":
        return func.unnest(bindparam(name, type_=ARRAY(column.type))).table_valued("key", name=f"asked_{name}").render_derived()
    given = func.json_each(bindparam(name)).table_valued("value", name=f"given_{name}")
    return select(given.c.value.label("key")).subquery(f"asked_{name}")


def insert_new(connection: Connection, table: Any) -> Any:
    """An insert that leaves rows alone that are there."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing()


def newest_of_each(
    connection: Connection, key: ColumnElement[Any], value: ColumnElement[Any], most: int, where: Where | None = None
) -> Select[Any]:
    """A query for rows `key`, `value` of one table: of each key given under `KEYS`, the `most` greatest values, in no order.

    `where` gives conditions on the table, or on another name of it. An index on key and value is walked from its end.
    """
    table: Any = key.table
    asked = _asked(connection, key, KEYS)
    met = table.alias("met")
    ends = select(met.c[value.key].label("value")).where(met.c[key.key] == asked.c.key, *(where(met) if where else ()))
    ends = ends.order_by(met.c[value.key].desc())
    if connection.dialect.name == "postgresql":
        newest = ends.limit(most).lateral("newest")
        return select(asked.c.key.label("key"), newest.c.value).select_from(asked.join(newest, true()))
    # SQLite knows no lateral join: from the last of those wanted on, or from the first where there are fewer.
    last = ends.limit(1).offset(most - 1).correlate(asked).scalar_subquery()
    rows = select(asked.c.key, table.c[value.key].label("value")).select_from(asked.join(table, table.c[key.key] == asked.c.key))
    from_last = table.c[value.key] >= func.coalesce(last, _LEAST[value.type.python_type])
    return rows.where(from_last, *(where(table) if where else ()))


_LEAST: Final[dict[type, Any]] = {int: -(2**63), str: ""}
