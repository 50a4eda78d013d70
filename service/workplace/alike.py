"""Which texts are nearly the same: those that share a band, then of these whose signatures agree, then word for word."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, FromClause, not_, select

from service.workplace.lots import KEYS, among, keys_for, newest_of_each
from service.workplace.minhash import Values, bands_of, hashes_of, likenesses, matrix_of
from service.workplace.schema import ITEMS
from service.workplace.similar_schema import BANDS, SIGNATURES

#: Likeness from which a text counts as a near-duplicate.
NEAR: Final = 0.5
#: Of the texts that share a band, how many are looked at (the newest), and how many of all are compared word for word.
PER_BAND: Final = 100
_COMPARED: Final = 50
#: An estimate on 72 values is this far off at most (three standard errors at 0.5).
_SLACK: Final = 0.18
_LOT: Final = 5_000

Numbers = NDArray[np.int64]
_NOBODY: Final = np.empty(0, dtype=np.int64)
_NOTHING: Final = np.empty(0, dtype=np.uint32)


@dataclass(frozen=True, slots=True)
class Near:
    """Another text and its likeness: the Jaccard similarity of their runs of words, in [0, 1]."""

    item_id: str
    likeness: float


@dataclass(frozen=True, slots=True)
class Alike:
    """The near-duplicates of a text, most alike first. `crowded`: so many texts share some of its words in the same way that
    only the newest of them were looked at.
    """

    near: tuple[Near, ...] = ()
    crowded: bool = False


@dataclass(frozen=True, slots=True)
class Signed:
    """Indexed texts, a row each, in the order of their numbers."""

    numbers: Numbers
    ids: tuple[str, ...]
    values: Values
    resembles: tuple[str | None, ...] = ()

    def rows_of(self, numbers: Numbers) -> Numbers:
        """The rows of these numbers that are here."""
        if not self.numbers.size:
            return _NOBODY
        places = np.minimum(np.searchsorted(self.numbers, numbers), self.numbers.size - 1)
        found: Numbers = places[self.numbers[places] == numbers]
        return found


def signed(connection: Connection, column: Any, keys: Sequence[Any]) -> Signed:
    """The indexed texts of these keys (identifiers or numbers of signatures); those without a word are left out."""
    columns = (SIGNATURES.c.number, SIGNATURES.c.item_id, SIGNATURES.c.minhash, ITEMS.c.resembles)
    query = select(*columns).join(ITEMS, ITEMS.c.id == SIGNATURES.c.item_id).where(among(connection, column))
    rows: list[Any] = []
    for first in range(0, len(keys), _LOT):
        rows += connection.execute(query, {KEYS: keys_for(connection, keys[first : first + _LOT])})
    rows = sorted(row for row in rows if row.minhash)
    numbers = np.array([row.number for row in rows], dtype=np.int64)
    values = matrix_of(row.minhash for row in rows)
    return Signed(numbers, tuple(row.item_id for row in rows), values, tuple(row.resembles for row in rows))


def met(connection: Connection, own: Signed) -> tuple[list[Numbers], NDArray[np.bool_]]:
    """For each of these texts, the numbers of the others that share a band with it, and whether there were too many to see."""
    bands = bands_of(own.values)
    given = {KEYS: keys_for(connection, np.unique(bands).tolist()), "own": keys_for(connection, own.numbers.tolist())}

    def others(table: FromClause) -> Sequence[ColumnElement[bool]]:
        # These meet each other here: in most of their bands there is nobody else, and nothing comes back.
        return (not_(among(connection, table.c.number, "own")),)

    query = newest_of_each(connection, BANDS.c.band, BANDS.c.number, PER_BAND + 1, others)
    rows = connection.execute(query, given).all()
    found = np.fromiter(chain.from_iterable(rows), dtype=np.int64, count=2 * len(rows)).reshape(-1, 2)
    # Of each band, the newest first: what is one too many comes last.
    found = found[np.lexsort((-found[:, 1], found[:, 0]))]
    starts, ends = np.searchsorted(found[:, 0], bands), np.searchsorted(found[:, 0], bands, side="right")
    many = ends - starts > PER_BAND
    ends = np.where(many, starts + PER_BAND, ends)
    order = np.argsort(bands, axis=None, kind="stable")
    keys, rows_in_order = bands.ravel()[order], order // bands.shape[1]
    first, last = np.searchsorted(keys, bands), np.searchsorted(keys, bands, side="right")
    numbers = []
    for row in range(bands.shape[0]):
        shared, ours = ends[row] > starts[row], last[row] - first[row] > 1
        parts = [found[start:end, 1] for start, end in zip(starts[row][shared], ends[row][shared], strict=True)]
        parts += [own.numbers[rows_in_order[start:end]] for start, end in zip(first[row][ours], last[row][ours], strict=True)]
        numbers.append(np.unique(np.concatenate(parts)) if parts else _NOBODY)
    return [some[some != own.numbers[row]] for row, some in enumerate(numbers)], np.asarray(many.any(axis=1))


def likely(own: Values, others: Signed, rows: Numbers, least: float) -> list[int]:
    """Of these rows, those that are probably as alike as that to a signature: the most alike by estimate, at most fifty."""
    estimates = (others.values[rows] == own).mean(axis=1)
    order = np.lexsort((others.numbers[rows], estimates))[::-1][:_COMPARED]
    found: list[int] = rows[order][estimates[order] >= least - _SLACK].tolist()
    return found


def alike_to(connection: Connection, ids: Sequence[str], least: float = NEAR) -> dict[str, Alike]:
    """For each indexed text its near-duplicates: at most fifty, and the decided texts that some of its family resemble."""
    own = signed(connection, SIGNATURES.c.item_id, list(ids))
    if not own.ids:
        return {}
    numbers, crowded = met(connection, own)
    others = signed(connection, SIGNATURES.c.number, np.unique(np.concatenate(numbers)).tolist())
    chosen: dict[str, set[str]] = {}
    for row, id in enumerate(own.ids):
        rows = others.rows_of(numbers[row])
        if not rows.size:
            chosen[id] = set()
            continue
        named = {name for place in rows.tolist() if (name := others.resembles[place])}
        chosen[id] = ({others.ids[place] for place in likely(own.values[row], others, rows, least)} | named) - {id}
    held = grams_of(connection, {*(id for id in own.ids if chosen[id]), *(one for many in chosen.values() for one in many)})
    return {id: Alike(compared(id, chosen[id], held, least), bool(crowded[row])) for row, id in enumerate(own.ids)}


def compared(item_id: str, others: Collection[str], held: Mapping[str, Values], least: float) -> tuple[Near, ...]:
    """Of other texts those that are near, most alike first, by the runs of words in `held`."""
    ids = [id for id in others if id in held and held[id].size]
    own = held.get(item_id, _NOTHING)
    if not ids or not own.size:
        return ()
    found = [Near(id, round(one, 4)) for id, one in zip(ids, likenesses(own, [held[id] for id in ids]), strict=True)]
    return tuple(sorted((one for one in found if one.likeness >= least), key=lambda one: (-one.likeness, one.item_id)))


def grams_of(connection: Connection, ids: Collection[str]) -> dict[str, Values]:
    """The hashes of the runs of words of texts: as kept, or made of a text that was signed before they were."""
    wanted = sorted(ids)
    kept: dict[str, Values] = {}
    query = select(SIGNATURES.c.item_id, SIGNATURES.c.grams).where(among(connection, SIGNATURES.c.item_id))
    texts = select(ITEMS.c.id, ITEMS.c.text).where(among(connection, ITEMS.c.id))
    for first in range(0, len(wanted), _LOT):
        lot = wanted[first : first + _LOT]
        rows = connection.execute(query, {KEYS: keys_for(connection, lot)})
        kept |= {row.item_id: np.frombuffer(row.grams, dtype="<u4") for row in rows if row.grams is not None}
        if older := [id for id in lot if id not in kept]:
            rows = connection.execute(texts, {KEYS: keys_for(connection, older)})
            kept |= {id: hashes_of(text) for id, text in rows}
    return kept
