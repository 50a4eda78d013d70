"""Campaigns at scale: narrow bands of near-duplicates, counts in turn; the last count of the observatory is kept.

The way down loses nothing that is not counted anew, but takes a while: bands are made again, one by one.
"""

from base64 import b85encode

import numpy as np
import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_LOT = 2_000
_SIGNATURES = sa.table("signatures", sa.column("number"), sa.column("item_id"), sa.column("minhash"))
_BANDS = sa.table("bands", sa.column("band"), sa.column("number"))


def upgrade() -> None:
    """Number the signatures, and make their bands anew; campaigns keep what their list shows, and are counted for it."""
    _number_signatures()
    _make_bands()
    _widen_campaigns()
    op.create_table(
        "observatory",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stamp", sa.Text, nullable=False),
        sa.Column("least", sa.Integer, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )


def _number_signatures() -> None:
    op.drop_table("bands")
    op.rename_table("signatures", "signatures_before")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER INDEX signatures_pkey RENAME TO signatures_before_pkey")
    op.create_table(
        "signatures",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("item_id", sa.String(36), sa.ForeignKey("items.id"), nullable=False, unique=True),
        sa.Column("minhash", sa.LargeBinary, nullable=False),
        sa.Column("grams", sa.LargeBinary, nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "bands",
        sa.Column("band", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO signatures (item_id, minhash) SELECT item_id, minhash FROM signatures_before ORDER BY item_id")
    op.drop_table("signatures_before")


def _make_bands() -> None:
    connection, last = op.get_bind(), 0
    query = sa.select(_SIGNATURES.c.number, _SIGNATURES.c.minhash).order_by(_SIGNATURES.c.number).limit(_LOT)
    while rows := connection.execute(query.where(_SIGNATURES.c.number > last)).all():
        last = rows[-1].number
        signed = [row for row in rows if row.minhash]
        if signed:
            keys = _keys(np.frombuffer(b"".join(row.minhash for row in signed), dtype="<u4"))
            pairs = zip(keys.ravel().tolist(), np.repeat([row.number for row in signed], keys.shape[1]).tolist(), strict=True)
            connection.execute(sa.insert(_BANDS), [{"band": band, "number": number} for band, number in sorted(pairs)])


def _keys(values: "np.ndarray[tuple[int], np.dtype[np.uint32]]") -> "np.ndarray[tuple[int, ...], np.dtype[np.int64]]":
    """As `service.workplace.minhash.bands_of` made them at this step."""
    mix = np.array([0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB], dtype=np.uint64)
    parts = values.reshape(-1, 24, 3).astype(np.uint64)
    keys = (parts[:, :, 0] << np.uint64(32) | parts[:, :, 1]) + np.arange(1, 25, dtype=np.uint64) * mix[0]
    keys = (keys ^ (keys >> np.uint64(30))) * mix[1] + parts[:, :, 2]
    keys = (keys ^ (keys >> np.uint64(27))) * mix[2]
    made: np.ndarray[tuple[int, ...], np.dtype[np.int64]] = (keys ^ (keys >> np.uint64(31))).view(np.int64)
    return made


def _widen_campaigns() -> None:
    op.add_column("campaigns", sa.Column("decided_level", sa.Integer, nullable=True))
    op.add_column("campaigns", sa.Column("chief", sa.String(36), nullable=True))
    item = sa.ForeignKey("items.id", ondelete="CASCADE")
    op.create_table("campaign_crowded", sa.Column("item_id", sa.String(36), item, primary_key=True))
    op.create_table(
        "campaign_stale",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("campaign_id", sa.String(36), sa.ForeignKey("campaigns.id", ondelete="CASCADE"), nullable=False, unique=True),
        sqlite_autoincrement=True,
    )
    op.execute("INSERT INTO campaign_stale (campaign_id) SELECT id FROM campaigns WHERE texts > 1")
    # The list by level, in its order, and how many it holds; `service.campaigns.lists` asks for it in these words.
    last = "NULLS LAST" if op.get_bind().dialect.name == "postgresql" else ""
    op.execute(f"CREATE INDEX ix_campaigns_rank ON campaigns (level DESC {last}, texts DESC, id DESC) WHERE texts > 1")


def downgrade() -> None:
    """Make bands as they were of the signatures; campaigns lose what their list shows, the observatory its last count."""
    op.drop_table("observatory")
    op.drop_index("ix_campaigns_rank", "campaigns")
    op.drop_table("campaign_stale")
    op.drop_table("campaign_crowded")
    for column in ("chief", "decided_level"):
        op.drop_column("campaigns", column)
    _name_signatures()
    _make_bands_before()


def _name_signatures() -> None:
    op.drop_table("bands")
    op.rename_table("signatures", "signatures_after")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER INDEX signatures_pkey RENAME TO signatures_after_pkey")
    op.create_table(
        "signatures",
        sa.Column("item_id", sa.String(36), sa.ForeignKey("items.id"), primary_key=True),
        sa.Column("minhash", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "bands",
        sa.Column("band", sa.String(24), primary_key=True),
        sa.Column("item_id", sa.String(36), sa.ForeignKey("items.id"), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO signatures (item_id, minhash) SELECT item_id, minhash FROM signatures_after ORDER BY item_id")
    op.drop_table("signatures_after")


def _make_bands_before() -> None:
    connection, last = op.get_bind(), ""
    bands = sa.table("bands", sa.column("band"), sa.column("item_id"))
    query = sa.select(_SIGNATURES.c.item_id, _SIGNATURES.c.minhash).order_by(_SIGNATURES.c.item_id).limit(_LOT)
    while rows := connection.execute(query.where(_SIGNATURES.c.item_id > last)).all():
        last = rows[-1].item_id
        pairs = sorted((band, row.item_id) for row in rows for band in _former_keys(bytes(row.minhash)))
        if pairs:
            connection.execute(sa.insert(bands), [{"band": band, "item_id": id} for band, id in pairs])


def _former_keys(minhash: bytes) -> list[str]:
    """A letter for the band, then its three values: the keys of the steps before this one."""
    size = 3 * 4
    return [chr(ord("A") + at // size) + b85encode(minhash[at : at + size]).decode() for at in range(0, len(minhash), size)]
