"""The last count kept in the database: a process that starts shows it at once, with its date, while it counts anew.

Kept are the rows as numbers (weeks, levels, groups, places among values) and the names of values, as figures show them: no text,
no author, no contact.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from sqlalchemy import Column, Connection, DateTime, Integer, LargeBinary, Table, Text, delete, select

from service.database import METADATA
from service.observatory.cells import Forced
from service.observatory.rows import MODES, Dimension, Ints, Mode, Rows
from service.workplace.times import aware

#: One row: the last count. `stamp` says what there was to count, `content` is a file of arrays (NumPy's npz).
OBSERVATORY: Final = Table(
    "observatory",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("stamp", Text, nullable=False),
    Column("least", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
#: Changes with what the arrays mean: a file of another form is left aside.
_FORM: Final = 1
_COLUMNS: Final = ("week", "level", "decided", "family", "author", "cluster")


@dataclass(frozen=True, slots=True)
class Stored:
    """A count as it was kept; `forced`: by way of counting, what had to be hidden besides, where the least count is `least`."""

    made_at: datetime
    stamp: str
    least: int
    rows: Rows
    forced: Mapping[Mode, Forced]


def store(connection: Connection, count: Stored) -> None:
    """Keep a count in place of the one that was kept."""
    rows = count.rows
    arrays = {name: getattr(rows, name) for name in _COLUMNS}
    for place, one in enumerate(rows.dimensions):
        arrays |= {f"codes{place}": one.codes} | ({} if one.rows is None else {f"rows{place}": one.rows})
    forced = {mode: [[*key, sorted(cells)] for key, cells in found.items()] for mode, found in count.forced.items()}
    said = {"form": _FORM, "undated": rows.undated, "forced": forced}
    said["dimensions"] = [[one.id, one.name, one.values] for one in rows.dimensions]
    target = io.BytesIO()
    narrow = {name: array.astype(np.int32) for name, array in arrays.items()}
    np.savez_compressed(target, said=np.frombuffer(json.dumps(said).encode(), dtype=np.uint8), allow_pickle=False, **narrow)
    values = {"number": 1, "made_at": count.made_at, "stamp": count.stamp, "least": count.least, "content": target.getvalue()}
    connection.execute(delete(OBSERVATORY))
    connection.execute(OBSERVATORY.insert().values(**values))


def stored(connection: Connection) -> Stored | None:
    """The count that is kept; None where there is none, or none that this version reads."""
    row = connection.execute(select(OBSERVATORY)).first()
    if row is None:
        return None
    with np.load(io.BytesIO(row.content), allow_pickle=False) as kept:
        arrays = {name: kept[name] for name in kept.files}
    said: dict[str, Any] = json.loads(arrays.pop("said").tobytes())
    if said["form"] != _FORM:
        return None
    wide = {name: array.astype(np.int64) for name, array in arrays.items()}
    dimensions = tuple(_dimension(place, one, wide) for place, one in enumerate(said["dimensions"]))
    rows = Rows(**{name: wide[name] for name in _COLUMNS}, dimensions=dimensions, undated=int(said["undated"]))
    forced = {mode: _forced(said["forced"][mode]) for mode in MODES if mode in said["forced"]}
    return Stored(aware(row.made_at), row.stamp, row.least, rows, forced)


def _dimension(place: int, said: Sequence[Any], arrays: Mapping[str, Ints]) -> Dimension:
    id, name, values = said
    named = tuple((str(value), str(shown)) for value, shown in values)
    return Dimension(id, name, named, arrays[f"codes{place}"], arrays.get(f"rows{place}"))


def _forced(said: Sequence[Sequence[Any]]) -> Forced:
    return {(measure, id): frozenset((int(node), int(value)) for node, value in cells) for measure, id, cells in said}
