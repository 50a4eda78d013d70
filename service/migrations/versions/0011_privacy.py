"""Purges, what they leave, and the requests of the people whom texts are about.

The way down loses all of it: what was purged stays purged, but the database no longer says what, nor what was decided of it.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None
#: What the way down loses: a table, or a column of it, and what is counted there.
loses = {
    "purged": "éléments purgés, que l'on ne saura plus purger d'une sauvegarde restaurée (le fichier VIGIE_PURGED_FILE reste)",
    "purges": "purges faites",
    "past_decisions": "décisions sur des textes purgés",
    "privacy_requests": "demandes de personnes concernées",
    "privacy_steps": "étapes de ces demandes",
    "reexaminations": "réexamens demandés",
}


def _instant(name: str, *, optional: bool = False) -> "sa.Column[Any]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=optional)


def _user() -> "sa.Column[str]":
    return sa.Column("user_id", sa.String(200), sa.ForeignKey("users.id"), nullable=True)


def _word(name: str, length: int, *, optional: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.String(length), nullable=optional)


def upgrade() -> None:
    """Make the tables."""
    _purges()
    _requests()


def _purges() -> None:
    op.create_table(
        "purges",
        sa.Column("id", sa.String(36), primary_key=True),
        _user(),
        _word("state", 20),
        sa.Column("counts", sa.JSON, nullable=False),
        _instant("started_at"),
        _instant("finished_at", optional=True),
    )
    op.create_table(
        "purged",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        _word("kind", 10),
        _word("item_id", 36),
        _word("sha256", 64),
        _word("why", 60),
        _instant("purged_at"),
        sa.Column("written", sa.Boolean, nullable=False),
        _word("import_id", 200, optional=True),
        _instant("received_at", optional=True),
        _word("channel", 30, optional=True),
        _word("theme", 60, optional=True),
        _word("model_version", 100, optional=True),
        _word("status", 30, optional=True),
        sa.Column("level", sa.Integer, nullable=True),
        _word("state", 20, optional=True),
        sa.Column("decided_level", sa.Integer, nullable=True),
    )
    op.create_index("ix_purged_item_id", "purged", ["item_id"])
    op.create_index("ix_purged_kind_sha256", "purged", ["kind", "sha256"])
    op.create_index("ix_purged_written", "purged", ["written"])
    op.create_table(
        "past_decisions",
        sa.Column("id", sa.String(36), primary_key=True),
        _word("item_id", 36),
        _instant("made_at"),
        _word("kind", 20),
        _word("verdict", 20),
        _word("stance", 20, optional=True),
        sa.Column("level", sa.Integer, nullable=True),
        sa.Column("indicators", sa.JSON, nullable=False),
        sa.Column("targets", sa.JSON, nullable=False),
        _word("model_version", 100, optional=True),
        _word("drawn_by", 30),
        sa.Column("drawn_share", sa.Float, nullable=True),
        sa.Column("held", sa.Boolean, nullable=False),
    )
    op.create_index("ix_past_decisions_item_id", "past_decisions", ["item_id"])


def _requests() -> None:
    op.create_table(
        "privacy_requests",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("number", sa.Integer, nullable=False, unique=True),
        _word("kind", 20),
        _word("contact_kind", 20),
        _word("contact", 300),
        sa.Column("proof", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        _word("state", 20),
        sa.Column("received_on", sa.Date, nullable=False),
        sa.Column("due_on", sa.Date, nullable=False),
        sa.Column("extended", sa.Boolean, nullable=False),
        _user(),
        _instant("made_at"),
        _instant("closed_at", optional=True),
    )
    op.create_index("ix_privacy_requests_state", "privacy_requests", ["state"])
    op.create_table(
        "privacy_steps",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("request_id", sa.String(36), sa.ForeignKey("privacy_requests.id"), nullable=False),
        _user(),
        _instant("made_at"),
        _word("kind", 20),
        sa.Column("detail", sa.JSON, nullable=False),
    )
    op.create_index("ix_privacy_steps_request_id", "privacy_steps", ["request_id"])
    op.create_table(
        "reexaminations",
        sa.Column("request_id", sa.String(36), sa.ForeignKey("privacy_requests.id"), primary_key=True),
        sa.Column("item_id", sa.String(36), sa.ForeignKey("items.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("after", sa.Integer, nullable=False),
        sa.Column("level", sa.Integer, nullable=True),
        _instant("asked_at"),
        sa.Column("due_on", sa.Date, nullable=False),
    )
    op.create_index("ix_reexaminations_item_id", "reexaminations", ["item_id"])


def downgrade() -> None:
    """Take the tables away, with what they say of purges and requests."""
    for table in ("reexaminations", "privacy_steps", "privacy_requests", "past_decisions", "purged", "purges"):
        op.drop_table(table)
