"""The tables of privacy, for SQLite and PostgreSQL; migration 0011 makes them. None holds a text.

What is purged leaves its identifier and hash, so that a restored backup can be purged again, and what people decided of it, so
that figures still count it.
"""

from typing import Any, Final

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    func,
    select,
)

import service.workplace.schema  # noqa: F401 - declares the tables that these refer to
from service.database import METADATA

_ID: Final = 36
_NAME: Final = 200


def _instant(name: str, *, optional: bool = False) -> "Column[Any]":
    return Column(name, DateTime(timezone=True), nullable=optional)


#: A purge: `state` removing, cleaning (what was removed is to be taken out of the files), done. `counts`: by rule.
PURGES: Final = Table(
    "purges",
    METADATA,
    Column("id", String(_ID), primary_key=True),
    Column("user_id", String(_NAME), ForeignKey("users.id"), nullable=True),  # none: by the command
    Column("state", String(20), nullable=False),
    Column("counts", JSON, nullable=False),
    _instant("started_at"),
    _instant("finished_at", optional=True),
)

#: What was purged. `kind`: item (of the workplace), stored (`texts`), feedback, case. `item_id` is the identifier of the row,
#: empty where a client chose it. Of items, what estimates need: the cohort, its order, what the model and people said.
PURGED: Final = Table(
    "purged",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("kind", String(10), nullable=False),
    Column("item_id", String(_ID), nullable=False, index=True),
    Column("sha256", String(64), nullable=False),
    Column("why", String(60), nullable=False),
    _instant("purged_at"),
    Column("written", Boolean, nullable=False),  # in the manifest that backups are purged with
    Column("import_id", String(_NAME), nullable=True),
    _instant("received_at", optional=True),
    Column("channel", String(30), nullable=True),
    Column("theme", String(60), nullable=True),
    Column("model_version", String(100), nullable=True),
    Column("status", String(30), nullable=True),
    Column("level", Integer, nullable=True),
    Column("state", String(20), nullable=True),
    Column("decided_level", Integer, nullable=True),
)
Index("ix_purged_kind_sha256", PURGED.c.kind, PURGED.c.sha256)
Index("ix_purged_written", PURGED.c.written)

#: Decisions on purged texts, without their author, note nor passages; `held`: no later one had taken it back.
PAST_DECISIONS: Final = Table(
    "past_decisions",
    METADATA,
    Column("id", String(_ID), primary_key=True),
    Column("item_id", String(_ID), nullable=False, index=True),
    _instant("made_at"),
    Column("kind", String(20), nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("stance", String(20), nullable=True),
    Column("level", Integer, nullable=True),
    Column("indicators", JSON, nullable=False),  # identifiers alone
    Column("targets", JSON, nullable=False),
    Column("model_version", String(100), nullable=True),
    Column("drawn_by", String(30), nullable=False),
    Column("drawn_share", Float, nullable=True),
    Column("held", Boolean, nullable=False),
)

#: What somebody asked about what is held on them. `kind`: access, erasure, contestation; `contact_kind` and `contact`: the
#: account or the way to reach them, in one form for all ways to write it. `state`: open, answered, refused.
REQUESTS: Final = Table(
    "privacy_requests",
    METADATA,
    Column("id", String(_ID), primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("kind", String(20), nullable=False),
    Column("contact_kind", String(20), nullable=False),
    Column("contact", String(300), nullable=False),
    Column("proof", Text, nullable=False),  # how it was made sure that the contact is theirs; empty: not yet
    Column("note", Text, nullable=False),
    Column("state", String(20), nullable=False, index=True),
    Column("received_on", Date, nullable=False),
    Column("due_on", Date, nullable=False),
    Column("extended", Boolean, nullable=False),
    Column("user_id", String(_NAME), ForeignKey("users.id"), nullable=True),
    _instant("made_at"),
    _instant("closed_at", optional=True),
)

#: What was done of a request; never changed but to take words out of it when the request itself is purged.
REQUEST_STEPS: Final = Table(
    "privacy_steps",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("request_id", String(_ID), ForeignKey("privacy_requests.id"), nullable=False, index=True),
    Column("user_id", String(_NAME), ForeignKey("users.id"), nullable=True),
    _instant("made_at"),
    Column("kind", String(20), nullable=False),
    Column("detail", JSON, nullable=False),
)

#: A text that somebody must look at again because it is contested, before a day. Done once a person decided on it anew:
#: `after` is the number of its last decision when it was asked for.
REEXAMINATIONS: Final = Table(
    "reexaminations",
    METADATA,
    Column("request_id", String(_ID), ForeignKey("privacy_requests.id"), primary_key=True),
    Column("item_id", String(_ID), ForeignKey("items.id", ondelete="CASCADE"), primary_key=True, index=True),
    Column("after", Integer, nullable=False),
    Column("level", Integer, nullable=True),  # what held then: decided, else as the model says
    _instant("asked_at"),
    Column("due_on", Date, nullable=False),
)


def kept_figures(connection: Connection) -> tuple[int, int]:
    """How many texts were purged, and how many decisions on them are still counted."""
    texts = connection.execute(select(func.count()).select_from(PURGED).where(PURGED.c.kind == "item")).scalar_one()
    return int(texts), int(connection.execute(select(func.count()).select_from(PAST_DECISIONS)).scalar_one())
