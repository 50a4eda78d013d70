"""Near-duplicates: texts that share half of their runs of five words, found by MinHash and then compared word for word.

Broder (1997), https://doi.org/10.1109/SEQUEN.1997.666900; bands as in Leskovec, Rajaraman and Ullman, « Mining of Massive
Datasets », chapter 3. With 24 bands of 3 values, a text of likeness 0.5 is met with a probability of 0.96, of 0.6 with
0.997, and one of likeness 0.05 with 0.003.
"""

import logging
from base64 import b85encode
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import numpy as np
from datasketch import MinHash
from numpy.typing import NDArray
from sqlalchemy import CompoundSelect, Connection, Engine, Select, bindparam, delete, exists, select, union_all, update
from sqlalchemy.exc import DBAPIError

from model.text import clean, fold, words_of
from service.database import serialise
from service.workplace.schema import BANDS, ITEMS, SIGNATURES

_LOG: Final = logging.getLogger("vigie")
#: How often what eases reading is tried.
_ATTEMPTS: Final = 3
#: Likeness from which a text counts as a near-duplicate.
NEAR: Final = 0.5
_BANDS: Final = 24
_ROWS: Final = 3
_SEED: Final = 1
_SCHEME: Final = "affine32"
_GRAM: Final = 5
_SHORT_GRAM: Final = 3
_SHORT: Final = 20
#: Of the texts that share a band, how many are looked at (the newest), and how many of all are compared word for word.
_PER_BAND: Final = 100
#: What was there first is what people read first: the decided text is sought among the oldest too.
_OLDEST: Final = 20
_COMPARED: Final = 50
#: An estimate on 72 values is this far off at most (three standard errors at 0.5).
_SLACK: Final = 0.18


@dataclass(frozen=True, slots=True)
class Near:
    """Another text and its likeness: the Jaccard similarity of their runs of words, in [0, 1]."""

    item_id: str
    likeness: float


def grams(text: str) -> frozenset[str]:
    """The runs of five words of a text, without case nor accents; of three in a text of under twenty words."""
    words = words_of(fold(clean(text).text))
    size = _GRAM if len(words) >= _SHORT else _SHORT_GRAM
    return frozenset(" ".join(words[i : i + size]) for i in range(max(1, len(words) - size + 1))) if words else frozenset()


def likeness(first: frozenset[str], second: frozenset[str]) -> float:
    """Jaccard similarity of two sets, in [0, 1]; 0 where both are empty."""
    both = len(first & second)
    return both / (len(first) + len(second) - both) if both else 0.0


def index(connection: Connection, item_id: str, text: str) -> None:
    """Make a text known to its near-duplicates; indexing it again changes nothing."""
    index_all(connection, {item_id: text})


def index_all(connection: Connection, texts: Mapping[str, str]) -> None:
    """As `index`, for several texts by their identifier; a text without a word has no near-duplicate."""
    known = indexed(connection, texts)
    index_signed(connection, signatures_of({id: text for id, text in texts.items() if id not in known}))


def indexed(connection: Connection, ids: Collection[str]) -> set[str]:
    """Those of the texts that are indexed."""
    return set(connection.scalars(select(SIGNATURES.c.item_id).where(SIGNATURES.c.item_id.in_(ids))))


def signatures_of(texts: Mapping[str, str]) -> dict[str, NDArray[np.uint32]]:
    """The signatures of texts by their identifier: what takes long of indexing them, out of any transaction."""
    return {id: _signature(text) for id, text in texts.items()}


def index_signed(connection: Connection, signatures: Mapping[str, NDArray[np.uint32]]) -> None:
    """As `index_all`, for texts whose signatures are made."""
    known = indexed(connection, signatures)
    new = {id: values for id, values in signatures.items() if id not in known}
    if not new:
        return
    connection.execute(SIGNATURES.insert(), [{"item_id": id, "minhash": values.tobytes()} for id, values in new.items()])
    rows = [{"band": band, "item_id": id} for id, values in new.items() for band in _bands(values)]
    if rows:
        # In the order of the key: neighbours of the tree are written together.
        connection.execute(BANDS.insert(), sorted(rows, key=lambda row: row["band"]))


def near(connection: Connection, item_id: str, least: float = NEAR) -> list[Near]:
    """The near-duplicates of an indexed text, most alike first; at most fifty, and the decided texts that some of its family
    resemble.
    """
    own = _own(connection, item_id)
    if own is None:
        return []
    ids = _met(connection, own.values) - {item_id}
    likely = _likely(connection, own.values, ids, least)
    decided = _named(connection, ids) - {item_id}
    return _compared(connection, sorted({*likely, *decided}), grams(own.text), least)


@dataclass(frozen=True, slots=True)
class _Own:
    """An indexed text with its signature."""

    text: str
    values: NDArray[np.uint32]


def _own(connection: Connection, item_id: str) -> _Own | None:
    row = connection.execute(
        select(SIGNATURES.c.minhash, ITEMS.c.text).join(ITEMS, ITEMS.c.id == SIGNATURES.c.item_id).where(ITEMS.c.id == item_id)
    ).first()
    return _Own(row.text, _values(row.minhash)) if row is not None and row.minhash else None


def _met(connection: Connection, values: NDArray[np.uint32], oldest: int = 0) -> set[str]:
    """The texts that share a band with a signature: the newest of each band, and some of its oldest."""
    bands = _bands(values)
    named = {f"band{place}": band for place, band in enumerate(bands)}
    return set(connection.execute(_sharing(len(bands), oldest), named).scalars())


@cache
def _sharing(bands: int, oldest: int) -> "CompoundSelect[Any]":
    # Made once: writing it anew for each text costs more than asking it.
    ends = ((BANDS.c.item_id.desc(), _PER_BAND), *([(BANDS.c.item_id.asc(), oldest)] if oldest else []))
    return union_all(
        *(
            select(
                select(BANDS.c.item_id).where(BANDS.c.band == bindparam(f"band{place}")).order_by(order).limit(most).subquery()
            )
            for place in range(bands)
            for order, most in ends
        )
    )


def _named(connection: Connection, ids: Collection[str]) -> set[str]:
    """The decided texts that these name: of a large family, one may be older than those looked at."""
    named = select(ITEMS.c.resembles).where(ITEMS.c.id.in_(ids), ITEMS.c.resembles.is_not(None)).distinct()
    return {id for id in connection.execute(named).scalars() if id}


def _likely(connection: Connection, own: NDArray[np.uint32], ids: Collection[str], least: float) -> list[str]:
    rows = connection.execute(select(SIGNATURES.c.item_id, SIGNATURES.c.minhash).where(SIGNATURES.c.item_id.in_(ids)))
    estimates = [(float((_values(minhash) == own).mean()), id) for id, minhash in rows if minhash]
    return [id for estimate, id in sorted(estimates, reverse=True)[:_COMPARED] if estimate >= least - _SLACK]


def _compared(connection: Connection, ids: Sequence[str], own: frozenset[str], least: float) -> list[Near]:
    rows = connection.execute(select(ITEMS.c.id, ITEMS.c.text).where(ITEMS.c.id.in_(ids)))
    found = [Near(id, round(likeness(own, grams(other)), 4)) for id, other in rows]
    return sorted((one for one in found if one.likeness >= least), key=lambda one: (-one.likeness, one.item_id))


def nearest_decided(connection: Connection, item_id: str) -> str | None:
    """The decided text that a text is most like, if any; texts that nobody decided are not compared word for word."""
    own = _own(connection, item_id)
    if own is None:
        return None
    ids = _met(connection, own.values, _OLDEST)
    ids = (ids | _named(connection, ids)) - {item_id}
    decided = connection.scalars(select(ITEMS.c.id).where(ITEMS.c.id.in_(ids), ITEMS.c.decided_at.is_not(None))).all()
    likely = _likely(connection, own.values, decided, NEAR) if decided else []
    return next((one.item_id for one in _compared(connection, likely, grams(own.text), NEAR)), None) if likely else None


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
    row = connection.execute(select(SIGNATURES.c.minhash).where(SIGNATURES.c.item_id == item_id)).first()
    if row is not None:
        connection.execute(delete(BANDS).where(BANDS.c.band.in_(_bands(_values(row.minhash))), BANDS.c.item_id == item_id))
        connection.execute(delete(SIGNATURES).where(SIGNATURES.c.item_id == item_id))


def _signature(text: str) -> NDArray[np.uint32]:
    """The least hash of the runs of words under each of 72 permutations; empty for a text without a word."""
    found = grams(text)
    if not found:
        return np.empty(0, dtype=np.uint32)
    sketch = MinHash(num_perm=_BANDS * _ROWS, seed=_SEED, scheme=_SCHEME)
    sketch.update_batch([gram.encode() for gram in found])
    return np.asarray(sketch.hashvalues, dtype="<u4")


def _values(minhash: bytes) -> NDArray[np.uint32]:
    return np.frombuffer(minhash, dtype="<u4")


def _bands(values: NDArray[np.uint32]) -> list[str]:
    """The keys of the bands, 16 characters each: a letter for the band, then its three values."""
    content = values.astype("<u4").tobytes()
    size = 4 * _ROWS
    return [
        chr(ord("A") + band) + b85encode(content[band * size : (band + 1) * size]).decode()
        for band in range(len(content) // size)
    ]
