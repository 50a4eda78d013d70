"""The tables that near-duplicates are found by, for SQLite and PostgreSQL; migration 0013 made them what they are."""

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, String, Table

import service.workplace.schema  # noqa: F401 - declares the table that these refer to
from service.database import METADATA

#: MinHash signatures of the texts, the hashes of their runs of words (none where signed before these were kept), and their
#: bands: texts that share a band may be near-duplicates. Of each text there are 24 bands: their rows are kept narrow, and
#: refer to the text by the number of its signature, which is never given twice.
SIGNATURES: Final = Table(
    "signatures",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("item_id", String(36), ForeignKey("items.id"), nullable=False, unique=True),
    Column("minhash", LargeBinary, nullable=False),
    Column("grams", LargeBinary, nullable=True),
    sqlite_autoincrement=True,
)
BANDS: Final = Table(
    "bands",
    METADATA,
    Column("band", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
