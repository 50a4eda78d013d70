"""The tables of drift, for SQLite and PostgreSQL; migration 0012 makes them. None holds a text nor anything of one."""

from typing import Final

from sqlalchemy import JSON, Column, Date, DateTime, Float, ForeignKey, Integer, String, Table, Text

import service.workplace.schema  # noqa: F401 - declares the tables that these refer to
from service.database import METADATA

_ID: Final = 36
_VERSION: Final = 100

#: What is counted of a text beside what `items` says of it, when the model `model_version` had read it.
ITEM_FACTS: Final = Table(
    "item_facts",
    METADATA,
    Column("item_id", String(_ID), ForeignKey("items.id", ondelete="CASCADE"), primary_key=True),
    Column("model_version", String(_VERSION), nullable=False),
    Column("language", String(10), nullable=False),
    Column("unknown", Float, nullable=True),  # share of its words that no list knows; none for another language
    Column("practice", String(100), nullable=False),  # the first one named; empty for none
    Column("illness", String(60), nullable=False),  # theme of the first one named; empty for none
)

#: References that people chose: the last row holds. `first` to `last`: days of the stream, both included; none: the artefact's.
#: `content`: the counts of that period as `model_version` reads it.
DRIFT_REFERENCES: Final = Table(
    "drift_references",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("first", Date, nullable=True),
    Column("last", Date, nullable=True),
    Column("model_version", String(_VERSION), nullable=True),
    Column("content", Text, nullable=True),
    Column("made_at", DateTime(timezone=True), nullable=False),
)

#: A week of the stream beside a reference (none: the artefact's), as last computed: `covered` texts were counted.
DRIFT_WEEKS: Final = Table(
    "drift_weeks",
    METADATA,
    Column("monday", Date, primary_key=True),
    Column("model_version", String(_VERSION), primary_key=True),
    Column("reference", Integer, ForeignKey("drift_references.number"), nullable=True),
    Column("threshold", Float, nullable=False),
    Column("covered", Integer, nullable=False),
    Column("shifts", JSON, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
)
