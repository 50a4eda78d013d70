"""The tables of the cases, for SQLite and PostgreSQL. What was done is never changed nor deleted: events say what came after."""

from typing import Any, Final

from sqlalchemy import JSON, Boolean, Column, Date, DateTime, ForeignKey, Index, Integer, String, Table, Text

from service.database import METADATA

_ID: Final = 36
_NAME: Final = 200


def _id() -> "Column[Any]":
    return Column("id", String(_ID), primary_key=True)


def _case(*, first: bool = False) -> "Column[Any]":
    return Column("case_id", String(_ID), ForeignKey("cases.id"), primary_key=first, nullable=False, index=not first)


def _user(name: str = "user_id", *, optional: bool = False) -> "Column[Any]":
    return Column(name, String(_ID), ForeignKey("users.id"), nullable=optional, index=True)


def _instant(name: str) -> "Column[Any]":
    return Column(name, DateTime(timezone=True), nullable=False)


CASES: Final = Table(
    "cases",
    METADATA,
    _id(),
    Column("number", Integer, nullable=False, unique=True),
    Column("title", String(_NAME), nullable=False),
    Column("summary", Text, nullable=False),
    Column("concerned", String(_NAME), nullable=False),  # whom or what the texts present, as they name it
    Column("audience", String(20), nullable=True),  # whom the advice is for: victim, relative, person_at_risk
    Column("masks", Text, nullable=False),  # expressions to mask in exports, one a line
    Column("status", String(20), nullable=False),
    Column("version", Integer, nullable=False),  # counts the changes, so that two people never overwrite one another
    _user("created_by"),
    _instant("created_at"),
    _instant("changed_at"),
)
Index("ix_cases_changed_at_id", CASES.c.changed_at, CASES.c.id)
Index("ix_cases_status_changed_at_id", CASES.c.status, CASES.c.changed_at, CASES.c.id)

#: The texts of a case, in the order in which they were added, and why each is there.
CASE_ITEMS: Final = Table(
    "case_items",
    METADATA,
    _case(first=True),
    Column("item_id", String(_ID), ForeignKey("items.id"), primary_key=True, index=True),
    Column("place", Integer, nullable=False),
    Column("why", Text, nullable=False),
    _user("added_by"),
    _instant("added_at"),
)

CASE_PEOPLE: Final = Table(
    "case_people",
    METADATA,
    _case(first=True),
    Column("user_id", String(_ID), ForeignKey("users.id"), primary_key=True, index=True),
)

#: To whom the people in charge mean to hand the case: identifiers of the table of authorities.
CASE_RECIPIENTS: Final = Table(
    "case_recipients",
    METADATA,
    _case(first=True),
    Column("recipient", String(60), primary_key=True, index=True),
)

CASE_EVENTS: Final = Table(
    "case_events",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String(_ID), nullable=False, unique=True),
    _case(),
    _user(optional=True),  # nobody: what a command did, which `detail` names
    _instant("made_at"),
    Column("kind", String(20), nullable=False),
    Column("detail", JSON, nullable=False),
)

CASE_NOTES: Final = Table(
    "case_notes",
    METADATA,
    _id(),
    _case(),
    _user(),
    _instant("made_at"),
    Column("text", Text, nullable=False),
    Column("exported", Boolean, nullable=False),  # whether dossiers hold it
)

#: What the person concerned answered. A corrected entry is a new one that replaces the former.
CASE_ANSWERS: Final = Table(
    "case_answers",
    METADATA,
    _id(),
    _case(),
    _user(),
    _instant("made_at"),
    Column("received_on", Date, nullable=False),
    Column("way", String(40), nullable=False),
    Column("text", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("replaces", String(_ID), nullable=True),
)

#: What people say that they handed on, themselves and elsewhere: Vigie sends nothing.
CASE_SENDINGS: Final = Table(
    "case_sendings",
    METADATA,
    _id(),
    _case(),
    _user(),
    _instant("made_at"),
    Column("recipient", String(_NAME), nullable=False),
    Column("sent_on", Date, nullable=False),
    Column("reference", String(_NAME), nullable=False),
)

#: What was exported; the hashes tell a file of ours, whole, from any other.
CASE_EXPORTS: Final = Table(
    "case_exports",
    METADATA,
    _id(),
    _case(),
    _user(),
    _instant("made_at"),
    Column("status", String(20), nullable=False),
    Column("kind", String(10), nullable=False),  # pdf, docx, json, csv, zip
    Column("masked", Boolean, nullable=False),
    Column("texts", Integer, nullable=False),
    Column("content_sha256", String(64), nullable=False, index=True),
    Column("manifest_sha256", String(64), nullable=False, index=True),
    Column("seal_sha256", String(64), nullable=False, index=True),
    Column("file_sha256", String(64), nullable=False, index=True),
)
