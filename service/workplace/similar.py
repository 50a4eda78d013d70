"""Near-duplicates: texts that share half of their runs of five words, found by MinHash and then compared word for word.

Broder (1997), https://doi.org/10.1109/SEQUEN.1997.666900; bands as in Leskovec, Rajaraman and Ullman, « Mining of Massive
Datasets », chapter 3. With 24 bands of 3 values, a text of likeness 0.5 is met with a probability of 0.96, of 0.6 with
0.997, and one of likeness 0.05 with 0.003.
"""

from base64 import b85encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from datasketch import MinHash
from numpy.typing import NDArray
from sqlalchemy import Connection, delete, select, union_all, update

from model.text import clean, fold, words_of
from service.workplace.schema import BANDS, ITEMS, SIGNATURES

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
    known = set(connection.execute(select(SIGNATURES.c.item_id).where(SIGNATURES.c.item_id.in_(texts))).scalars())
    signatures = {id: _signature(text) for id, text in texts.items() if id not in known}
    if not signatures:
        return
    connection.execute(SIGNATURES.insert(), [{"item_id": id, "minhash": values.tobytes()} for id, values in signatures.items()])
    rows = [{"band": band, "item_id": id} for id, values in signatures.items() for band in _bands(values)]
    if rows:
        # In the order of the key: neighbours of the tree are written together.
        connection.execute(BANDS.insert(), sorted(rows, key=lambda row: row["band"]))


def near(connection: Connection, item_id: str, least: float = NEAR) -> list[Near]:
    """The near-duplicates of an indexed text, most alike first; at most fifty, and the decided texts that some of its family
    resemble.
    """
    row = connection.execute(
        select(SIGNATURES.c.minhash, ITEMS.c.text).join(ITEMS, ITEMS.c.id == SIGNATURES.c.item_id).where(ITEMS.c.id == item_id)
    ).first()
    bands = _bands(_values(row.minhash)) if row else []
    if row is None or not bands:
        return []
    met = union_all(
        *(
            select(
                select(BANDS.c.item_id).where(BANDS.c.band == band).order_by(BANDS.c.item_id.desc()).limit(_PER_BAND).subquery()
            )
            for band in bands
        )
    )
    # A decided text of a large family may be older than those looked at: the others of the family name it.
    ids = set(connection.execute(met).scalars()) - {item_id}
    named = select(ITEMS.c.resembles).where(ITEMS.c.id.in_(ids), ITEMS.c.resembles.is_not(None)).distinct()
    decided = {id for id in connection.execute(named).scalars() if id and id != item_id}
    likely = _likely(connection, _values(row.minhash), ids, least)
    return _compared(connection, sorted({*likely, *decided}), row.text, least)


def _likely(connection: Connection, own: NDArray[np.uint32], ids: set[str], least: float) -> list[str]:
    rows = connection.execute(select(SIGNATURES.c.item_id, SIGNATURES.c.minhash).where(SIGNATURES.c.item_id.in_(ids)))
    estimates = [(float((_values(minhash) == own).mean()), id) for id, minhash in rows if minhash]
    return [id for estimate, id in sorted(estimates, reverse=True)[:_COMPARED] if estimate >= least - _SLACK]


def _compared(connection: Connection, ids: Sequence[str], text: str, least: float) -> list[Near]:
    own = grams(text)
    rows = connection.execute(select(ITEMS.c.id, ITEMS.c.text).where(ITEMS.c.id.in_(ids)))
    found = [Near(id, round(likeness(own, grams(other)), 4)) for id, other in rows]
    return sorted((one for one in found if one.likeness >= least), key=lambda one: (-one.likeness, one.item_id))


def resemble(connection: Connection, item_id: str) -> str | None:
    """Set, on a text, the decided text that it is most like (`resembles`), or none; returns it."""
    ids = [one.item_id for one in near(connection, item_id)]
    wanted = select(ITEMS.c.id).where(ITEMS.c.id.in_(ids), ITEMS.c.decided_at.is_not(None))
    decided = set(connection.execute(wanted).scalars()) if ids else set()
    chosen = next((id for id in ids if id in decided), None)
    connection.execute(update(ITEMS).where(ITEMS.c.id == item_id).values(resembles=chosen))
    return chosen


def spread(connection: Connection, item_id: str) -> int:
    """Say on the near-duplicates of a text that was just decided that they resemble it; returns how many it is."""
    ids = sorted(one.item_id for one in near(connection, item_id))
    if not ids:
        return 0
    mine = update(ITEMS).where(ITEMS.c.id.in_(ids), ITEMS.c.decided_at.is_(None), ITEMS.c.resembles.is_(None))
    return connection.execute(mine.values(resembles=item_id)).rowcount


def retract(connection: Connection, item_id: str) -> None:
    """Undo `spread` for a text whose decision was withdrawn: its near-duplicates resemble another decided text, or none."""
    ids = sorted(one.item_id for one in near(connection, item_id))
    touched = select(ITEMS.c.id).where(ITEMS.c.id.in_(ids), ITEMS.c.resembles == item_id)
    for id in connection.execute(touched).scalars().all() if ids else ():
        resemble(connection, id)


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
