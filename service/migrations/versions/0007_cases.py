"""Cases: the texts they gather, their notes, history and dossiers.

The way down loses all of it, and with it the hashes that tell an exported dossier of ours; its texts stay.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None
#: What the way down loses: a table, or a column of it, and what is counted there.
loses = {
    "cases": "dossiers",
    "case_notes": "notes de dossiers",
    "case_answers": "réponses de personnes concernées",
    "case_sendings": "transmissions",
    "case_events": "lignes d'histoire de dossiers",
    "case_exports": "empreintes de dossiers exportés (« vigie case verify » ne les reconnaîtra plus)",
}


def _id() -> "sa.Column[Any]":
    return sa.Column("id", sa.String(36), primary_key=True)


def _case(*, first: bool = False) -> "sa.Column[Any]":
    return sa.Column("case_id", sa.String(36), sa.ForeignKey("cases.id"), primary_key=first, nullable=False, index=not first)


def _user(name: str = "user_id") -> "sa.Column[Any]":
    return sa.Column(name, sa.String(36), sa.ForeignKey("users.id"), nullable=False, index=True)


def _instant(name: str) -> "sa.Column[Any]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def upgrade() -> None:
    """Make the tables of the cases; nothing else changes."""
    _make_cases()
    op.create_table(
        "case_items",
        _case(first=True),
        sa.Column("item_id", sa.String(36), sa.ForeignKey("items.id"), primary_key=True, index=True),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        _user("added_by"),
        _instant("added_at"),
    )
    op.create_table(
        "case_people",
        _case(first=True),
        sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id"), primary_key=True, index=True),
    )
    op.create_table("case_recipients", _case(first=True), sa.Column("recipient", sa.String(60), primary_key=True, index=True))
    op.create_table(
        "case_events",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        _case(),
        _user(),
        _instant("made_at"),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
    )
    _make_pieces()


def _make_cases() -> None:
    op.create_table(
        "cases",
        _id(),
        sa.Column("number", sa.Integer, nullable=False, unique=True),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("concerned", sa.String(200), nullable=False),
        sa.Column("audience", sa.String(20), nullable=True),
        sa.Column("masks", sa.Text, nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        _user("created_by"),
        _instant("created_at"),
        _instant("changed_at"),
    )
    op.create_index("ix_cases_changed_at_id", "cases", ["changed_at", "id"])
    op.create_index("ix_cases_status_changed_at_id", "cases", ["status", "changed_at", "id"])


def _make_pieces() -> None:
    written = (_id, _case, _user, lambda: _instant("made_at"))
    op.create_table(
        "case_notes",
        *(make() for make in written),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("exported", sa.Boolean, nullable=False),
    )
    op.create_table(
        "case_answers",
        *(make() for make in written),
        sa.Column("received_on", sa.Date, nullable=False),
        sa.Column("way", sa.String(40), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("replaces", sa.String(36), nullable=True),
    )
    op.create_table(
        "case_sendings",
        *(make() for make in written),
        sa.Column("recipient", sa.String(200), nullable=False),
        sa.Column("sent_on", sa.Date, nullable=False),
        sa.Column("reference", sa.String(200), nullable=False),
    )
    hashes = ("content_sha256", "manifest_sha256", "seal_sha256", "file_sha256")
    op.create_table(
        "case_exports",
        *(make() for make in written),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("masked", sa.Boolean, nullable=False),
        sa.Column("texts", sa.Integer, nullable=False),
        *(sa.Column(name, sa.String(64), nullable=False, index=True) for name in hashes),
    )


def downgrade() -> None:
    """Drop the tables of the cases; nothing else changes."""
    for table in ("exports", "sendings", "answers", "notes", "events", "recipients", "people", "items"):
        op.drop_table(f"case_{table}")
    op.drop_table("cases")
