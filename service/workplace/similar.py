"""Near-duplicates: texts that share half of their runs of five words. Making them known, and telling them of decisions."""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, Engine, Select, bindparam, delete, exists, select, update
from sqlalchemy.exc import DBAPIError

from service.database import serialise
from service.workplace.alike import NEAR, Near, alike_to, compared, grams_of, likely, met, signed
from service.workplace.lots import KEYS, among, keys_for
from service.workplace.minhash import Signature, bands_of, grams, likeness, matrix_of, rows_of, signatures_of
from service.workplace.schema import ITEMS
from service.workplace.similar_schema import BANDS, SIGNATURES

__all__ = [
    "NEAR",
    "Near",
    "forget",
    "forget_all",
    "grams",
    "index",
    "index_all",
    "index_signed",
    "indexed",
    "likeness",
    "near",
    "nearest_decided",
    "resemble",
    "retract",
    "signatures_of",
    "spread",
]

_LOG: Final = logging.getLogger("vigie")
#: How often what eases reading is tried.
_ATTEMPTS: Final = 3
#: What was there first is what people read first: the decided text is sought among the oldest that share a band, too.
_OLDEST: Final = 20


def index(connection: Connection, item_id: str, text: str) -> None:
    """Make a text known to its near-duplicates; indexing it again changes nothing."""
    index_all(connection, {item_id: text})


def index_all(connection: Connection, texts: Mapping[str, str]) -> None:
    """As `index`, for several texts by their identifier; a text without a word has no near-duplicate."""
    known = indexed(connection, texts)
    index_signed(connection, signatures_of({id: text for id, text in texts.items() if id not in known}))


def indexed(connection: Connection, ids: Collection[str]) -> set[str]:
    """Those of the texts that are indexed."""
    query = select(SIGNATURES.c.item_id).where(among(connection, SIGNATURES.c.item_id))
    return set(connection.scalars(query, {KEYS: keys_for(connection, list(ids))}))


def index_signed(connection: Connection, signatures: Mapping[str, Signature]) -> None:
    """As `index_all`, for texts whose signatures are made."""
    known = indexed(connection, signatures)
    new = {id: one for id, one in signatures.items() if id not in known}
    if not new:
        return
    rows = [{"item_id": id, "minhash": one.values.tobytes(), "grams": one.grams.tobytes()} for id, one in new.items()]
    made = connection.execute(SIGNATURES.insert().returning(SIGNATURES.c.item_id, SIGNATURES.c.number), rows)
    numbers = {id: number for id, number in made if new[id].values.size}
    if numbers:
        bands = rows_of([new[id] for id in numbers])
        keys = bands.ravel()
        who = np.repeat(np.array(list(numbers.values()), dtype=np.int64), bands.shape[1])
        # In the order of the key: neighbours of the tree are written together.
        order = np.argsort(keys, kind="stable")
        pairs = zip(keys[order].tolist(), who[order].tolist(), strict=True)
        connection.execute(BANDS.insert(), [{"band": band, "number": number} for band, number in pairs])


def near(connection: Connection, item_id: str, least: float = NEAR) -> list[Near]:
    """The near-duplicates of an indexed text, most alike first; at most fifty, and the decided texts that some of its family
    resemble.
    """
    found = alike_to(connection, [item_id], least).get(item_id)
    return list(found.near) if found else []


def nearest_decided(connection: Connection, item_id: str) -> str | None:
    """The decided text that a text is most like, if any; texts that nobody decided are not compared word for word."""
    own = signed(connection, SIGNATURES.c.item_id, [item_id])
    if not own.ids:
        return None
    numbers = set(met(connection, own)[0][0].tolist()) | _oldest(connection, own.values)
    others = signed(connection, SIGNATURES.c.number, sorted(numbers))
    ids = ({*others.ids} | {name for name in others.resembles if name}) - {item_id}
    decided = select(ITEMS.c.id).where(among(connection, ITEMS.c.id), ITEMS.c.decided_at.is_not(None))
    chosen = list(connection.scalars(decided, {KEYS: keys_for(connection, sorted(ids))})) if ids else []
    if not chosen:
        return None
    among_them = signed(connection, SIGNATURES.c.item_id, chosen)
    rows = likely(own.values[0], among_them, np.arange(len(among_them.ids)), NEAR)
    held = grams_of(connection, [item_id, *(among_them.ids[row] for row in rows)]) if rows else {}
    return (
        next((one.item_id for one in compared(item_id, [id for id in held if id != item_id], held, NEAR)), None) if rows else None
    )


def _oldest(connection: Connection, values: Any) -> set[int]:
    first = select(BANDS.c.number).where(BANDS.c.band == bindparam("band")).order_by(BANDS.c.number).limit(_OLDEST)
    return {number for band in bands_of(values)[0].tolist() for number in connection.scalars(first, {"band": band})}


def resemble(engine: Engine, item_ids: Iterable[str]) -> None:
    """Set, on these texts, the decided text that each is most like (`resembles`), or none.

    They are compared first, while others write; what changed meanwhile is left as it is.
    """
    with engine.connect() as connection:
        before = {id: name for id, name in connection.execute(_resembling().where(ITEMS.c.id.in_(list(item_ids))))}
        chosen = {id: nearest_decided(connection, id) for id in before}
    _write(engine, {id: (before[id], chosen[id]) for id in before if before[id] != chosen[id]})


def spread(engine: Engine, item_id: str) -> None:
    """Say on the near-duplicates of a text that was just decided that they resemble it. It never fails the decision."""

    def tell() -> None:
        with engine.connect() as connection:
            ids = [one.item_id for one in near(connection, item_id)]
            free = _resembling().where(ITEMS.c.id.in_(ids), ITEMS.c.decided_at.is_(None), ITEMS.c.resembles.is_(None))
            found = connection.execute(free).all() if ids else []
        _write(engine, {id: (None, item_id) for id, _ in found})

    _without_fail(tell)


def retract(engine: Engine, item_id: str) -> None:
    """Undo `spread` for a text whose decision was withdrawn: its near-duplicates resemble another decided text, or none."""

    def tell() -> None:
        with engine.connect() as connection:
            ids = [one.item_id for one in near(connection, item_id)]
            touched = _resembling().where(ITEMS.c.id.in_(ids), ITEMS.c.resembles == item_id)
            chosen = {id: nearest_decided(connection, id) for id, _ in connection.execute(touched).all()} if ids else {}
        _write(engine, {id: (item_id, other) for id, other in chosen.items() if other != item_id})

    _without_fail(tell)


def _resembling() -> Select[Any]:
    return select(ITEMS.c.id, ITEMS.c.resembles)


def _write(engine: Engine, changes: Mapping[str, tuple[str | None, str | None]]) -> None:
    """Set what texts resemble, by text (what it was, what it is to be), where it still is what it was and the decision of
    the other text still holds.
    """
    if not changes:
        return
    other = ITEMS.alias("other")
    with engine.begin() as connection:
        serialise(connection, "resembles")
        # In the order in which every lot of texts is written, so that no two wait for each other.
        for id in sorted(changes):
            was, new = changes[id]
            mine = update(ITEMS).where(ITEMS.c.id == id, ITEMS.c.resembles.is_not_distinct_from(was))
            if new is not None:
                mine = mine.where(exists(select(other.c.id).where(other.c.id == new, other.c.decided_at.is_not(None))))
            connection.execute(mine.values(resembles=new))


def _without_fail(tell: Callable[[], None]) -> None:
    """Do what only eases the reading of other texts; a fault is told to whoever runs the service, not to the reader."""
    for attempt in range(_ATTEMPTS):
        try:
            tell()
            return
        except DBAPIError as error:
            _LOG.warning("Les quasi-doublons n'ont pas été mis à jour, essai %d (%s).", attempt + 1, type(error).__name__)


def forget(connection: Connection, item_id: str) -> None:
    """Take a text out of the index."""
    forget_all(connection, [item_id])


def forget_all(connection: Connection, ids: Collection[str]) -> None:
    """Take texts out of the index."""
    query = select(SIGNATURES.c.number, SIGNATURES.c.minhash).where(among(connection, SIGNATURES.c.item_id))
    rows = [row for row in connection.execute(query, {KEYS: keys_for(connection, list(ids))}) if row.minhash]
    if rows:
        bands = bands_of(matrix_of(row.minhash for row in rows)).tolist()
        gone = [{"of": band, "who": row.number} for row, keys in zip(rows, bands, strict=True) for band in keys]
        one = delete(BANDS).where(BANDS.c.band == bindparam("of"), BANDS.c.number == bindparam("who"))
        connection.execute(one, gone)
    connection.execute(delete(SIGNATURES).where(among(connection, SIGNATURES.c.item_id)), {KEYS: keys_for(connection, list(ids))})
