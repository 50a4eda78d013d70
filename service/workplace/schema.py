"""The tables of the workplace, for SQLite and PostgreSQL; migrations make them, `service.database` opens them.

Instants are in UTC with a time zone. Offsets count code points of the text as received. A decision is never changed nor
deleted: a later one says that it is withdrawn.
"""

from typing import Any, Final

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
)
from sqlalchemy.schema import UniqueConstraint

from service.database import METADATA

_ID: Final = 36
_NAME: Final = 200


def _key() -> "Column[Any]":
    return Column("id", String(_ID), primary_key=True)


def _item_key() -> "Column[Any]":
    return Column("item_id", String(_ID), ForeignKey("items.id"), primary_key=True)


def _instant(name: str, *, optional: bool = False) -> "Column[Any]":
    return Column(name, DateTime(timezone=True), nullable=optional)


def _of(name: str, target: str, *, optional: bool = False, index: bool = True) -> "Column[Any]":
    return Column(name, String(_NAME), ForeignKey(target), nullable=optional, index=index)


USERS: Final = Table(
    "users",
    METADATA,
    _key(),
    Column("login", String(_NAME), nullable=False, unique=True),
    Column("name", String(_NAME), nullable=False),
    Column("role", String(20), nullable=False),
    Column("password_hash", String(300), nullable=False),  # empty: comes in through the identity provider alone
    Column("active", Boolean, nullable=False),
    Column("masks", Boolean, nullable=False, server_default="0"),  # personal data, on every page they open
    _instant("created_at"),
)

SESSIONS: Final = Table(
    "sessions",
    METADATA,
    Column("token_hash", String(64), primary_key=True),
    Column("id", String(_ID), nullable=False, unique=True),  # what its owner names it by
    _of("user_id", "users.id"),
    Column("csrf", String(64), nullable=False),
    Column("device", String(_NAME), nullable=False),  # « Firefox sous Linux »
    Column("address", String(64), nullable=False),
    Column("way", String(20), nullable=False),  # password, provider, first (the first account's link)
    _instant("created_at"),
    _instant("seen_at"),
    _instant("expires_at"),
)

API_KEYS: Final = Table(
    "api_keys",
    METADATA,
    _key(),
    Column("name", String(_NAME), nullable=False),
    _of("user_id", "users.id"),
    Column("key_hash", String(64), nullable=False, unique=True),
    Column("start", String(12), nullable=False),
    Column("scopes", JSON, nullable=False),
    _instant("created_at"),
    _instant("used_at", optional=True),
    _instant("revoked_at", optional=True),
)

IMPORTS: Final = Table(
    "imports",
    METADATA,
    _key(),
    Column("name", String(_NAME), nullable=False),
    Column("source", String(_NAME), nullable=False),
    _of("user_id", "users.id", optional=True),
    Column("state", String(20), nullable=False),  # waiting, running, done, failed, stopped
    Column("options", JSON, nullable=False),  # how the file is read: columns, format, what to put where it is silent
    Column("sha256", String(64), nullable=True),  # of the file
    Column("rows", Integer, nullable=True),
    Column("read", Integer, nullable=False),
    Column("added", Integer, nullable=False),
    Column("duplicates", Integer, nullable=False),
    Column("errors", Integer, nullable=False),
    Column("message", Text, nullable=True),
    _instant("started_at"),
    _instant("finished_at", optional=True),
)

IMPORT_ERRORS: Final = Table(
    "import_errors",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    _of("import_id", "imports.id"),
    Column("row", Integer, nullable=False),
    Column("given_id", String(_NAME), nullable=True),
    Column("field", String(60), nullable=True),
    Column("message", Text, nullable=False),
)

#: A text to examine, with what the queue sorts and filters on; the rest of the prediction is in `predictions`.
ITEMS: Final = Table(
    "items",
    METADATA,
    _key(),
    Column("external_id", String(_NAME), nullable=True, index=True),
    Column("text", Text, nullable=False),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("words", Integer, nullable=False),
    Column("source", String(_NAME), nullable=False, index=True),
    Column("channel", String(30), nullable=True, index=True),
    Column("theme", String(60), nullable=True, index=True),
    Column("region", String(60), nullable=True, index=True),
    Column("author", String(_NAME), nullable=True, index=True),
    Column("url", Text, nullable=True),
    _instant("captured_at", optional=True),
    Column("parent_id", String(_ID), ForeignKey("items.id"), nullable=True, index=True),
    Column("parent_ref", String(_NAME), nullable=True, index=True),  # the parent as the source names it: it may come later
    _of("import_id", "imports.id", optional=True),
    _instant("received_at"),
    Column("seen", Integer, nullable=False),  # how many times it was received
    # What the model that scored it last says.
    Column("model_version", String(100), nullable=True, index=True),
    Column("status", String(30), nullable=True),  # of the prediction
    Column("level", Integer, nullable=True),
    Column("score", Float, nullable=True),
    Column("stance", String(20), nullable=True),
    Column("author_status", String(20), nullable=True),
    Column("at_risk", Boolean, nullable=False),  # « personne en danger »
    Column("hesitates", Boolean, nullable=False),  # « le modèle hésite »
    Column("doubt", Float, nullable=False),  # 0 (sure) to 1 (even odds)
    # What people say: state new, open (read once, more to come), disputed, done, unsure; the last valid decision's values.
    Column("state", String(20), nullable=False, index=True),
    Column("decided_level", Integer, nullable=True),
    Column("decided_stance", String(20), nullable=True),
    _instant("decided_at", optional=True),
    _of("decided_by", "users.id", optional=True),
    Column("contradicts", Boolean, nullable=False),  # « le modèle contredit l'étiquette »
    _of("assigned_to", "users.id", optional=True),
    Column("resembles", String(_ID), nullable=True),  # a decided item that this one is a near-duplicate of
)
for _first in ("score", "level", "received_at", "captured_at", "decided_at", "doubt"):
    Index(f"ix_items_{_first}_id", ITEMS.c[_first], ITEMS.c.id)
# An address may be longer than an entry of an ordered index.
Index("ix_items_url", ITEMS.c.url, postgresql_using="hash")
Index("ix_items_state_level_score", ITEMS.c.state, ITEMS.c.level, ITEMS.c.score, ITEMS.c.id)

#: Every prediction that was kept of a text; the newest is the one of its `model_version`.
PREDICTIONS: Final = Table(
    "predictions",
    METADATA,
    _item_key(),
    Column("model_version", String(100), primary_key=True),
    Column("prediction", JSON, nullable=False),
    _instant("made_at"),
)

#: Indicators of the newest prediction that are present.
ITEM_SIGNS: Final = Table(
    "item_signs",
    METADATA,
    _item_key(),
    Column("indicator", String(50), primary_key=True),
    Column("score", Float, nullable=False),
    sqlite_with_rowid=False,
)
Index("ix_item_signs_indicator", ITEM_SIGNS.c.indicator, ITEM_SIGNS.c.item_id)

ITEM_PRACTICES: Final = Table(
    "item_practices", METADATA, _item_key(), Column("practice", String(100), primary_key=True), sqlite_with_rowid=False
)
Index("ix_item_practices_practice", ITEM_PRACTICES.c.practice, ITEM_PRACTICES.c.item_id)

CLAIMS: Final = Table("claims", METADATA, _item_key(), _of("user_id", "users.id"), _instant("claimed_at"), _instant("expires_at"))

#: What a person said of a text. `kind`: first, second, adjudication, golden, revision (filed after others' readings could be
#: seen), withdrawal. `verdict`: confirmed, corrected, unsure, withdrawn.
DECISIONS: Final = Table(
    "decisions",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(_ID), nullable=False, unique=True),
    _of("item_id", "items.id"),
    _of("user_id", "users.id"),
    _instant("made_at"),
    Column("kind", String(20), nullable=False),
    Column("verdict", String(20), nullable=False),
    Column("stance", String(20), nullable=True),
    Column("level", Integer, nullable=True),
    Column("targets", JSON, nullable=False),
    Column("indicators", JSON, nullable=False),  # [{"label", "start", "end"}, …]
    Column("reason", String(50), nullable=True),
    Column("note", Text, nullable=True),
    Column("said", JSON, nullable=True),  # the prediction that the person saw; null where read blind
    Column("model_version", String(100), nullable=True),
    Column("operating_point", String(20), nullable=True),
    Column("drawn_by", String(30), nullable=False),  # how the text came to the person: queue, uncertainty, random…
    Column("drawn_share", Float, nullable=True),  # the share of that way at the time
    Column("withdraws", String(_ID), nullable=True, index=True),
    Column("request", String(64), nullable=True, unique=True),  # sent twice, kept once
    _of("sent_by", "users.id", optional=True),  # whose key sent it in this person's name
)

#: Readings still to be made or made: a blind second one, or one of a golden text. `state`: waiting, done, cancelled (nothing
#: to read again), given_up (nobody left who could).
READINGS: Final = Table(
    "readings",
    METADATA,
    _key(),
    _of("item_id", "items.id"),
    Column("kind", String(20), nullable=False),
    _of("user_id", "users.id", optional=True),
    Column("state", String(20), nullable=False, index=True),
    Column("drawn_by", String(30), nullable=False, server_default="unknown"),  # second_share, golden_share, suspect…
    Column("drawn_share", Float, nullable=True),
    _instant("asked_at"),
    _instant("done_at", optional=True),
    Column("decision_id", String(_ID), nullable=True),
    UniqueConstraint("item_id", "kind", "user_id"),
)

#: Texts whose right reading is agreed on, to measure readers with.
GOLDEN: Final = Table(
    "golden",
    METADATA,
    _item_key(),
    Column("decision_id", String(_ID), nullable=False),
    _of("user_id", "users.id"),
    _instant("made_at"),
)

COMMENTS: Final = Table(
    "comments",
    METADATA,
    _key(),
    _of("item_id", "items.id"),
    _of("user_id", "users.id"),
    Column("text", Text, nullable=False),
    _instant("made_at"),
)

VIEWS: Final = Table(
    "views",
    METADATA,
    _key(),
    _of("user_id", "users.id"),
    Column("name", String(_NAME), nullable=False),
    Column("query", Text, nullable=False),
    Column("shared", Boolean, nullable=False),
    _instant("made_at"),
    UniqueConstraint("user_id", "name"),
)

#: Settings that administrators change while the service runs; every change is kept, the last one holds.
CHOICES: Final = Table(
    "choices",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("name", String(60), nullable=False, index=True),
    Column("value", JSON, nullable=False),
    _of("user_id", "users.id", optional=True),
    _instant("made_at"),
)

#: A challenger asked for. `state`: waiting, running, done, failed, stopped.
TRAININGS: Final = Table(
    "trainings",
    METADATA,
    _key(),
    _of("user_id", "users.id", optional=True),
    Column("state", String(20), nullable=False, index=True),
    Column("step", Text, nullable=True),
    Column("champion", String(100), nullable=True),
    Column("challenger", String(100), nullable=True, index=True),
    Column("comparison", JSON, nullable=True),
    Column("message", Text, nullable=True),
    _instant("asked_at"),
    _instant("finished_at", optional=True),
)
TRAINING_DECISIONS: Final = Table(
    "training_decisions",
    METADATA,
    Column("training_id", String(_ID), ForeignKey("trainings.id"), primary_key=True),
    Column("decision_id", String(_ID), primary_key=True, index=True),
)

PROMOTIONS: Final = Table(
    "promotions",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("artefact", String(100), nullable=False),
    Column("previous", String(100), nullable=True),
    Column("kind", String(20), nullable=False),  # promotion, override, rollback
    Column("reason", Text, nullable=True),
    _of("user_id", "users.id", optional=True),
    _instant("made_at"),
)
