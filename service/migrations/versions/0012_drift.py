"""Drift: what is counted of texts, references that people chose, and weeks beside them.

The way down loses all of it; what is counted of a text comes back when a model reads it again.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None
#: What the way down loses: a table, or a column of it, and what is counted there.
loses = {
    "item_facts": "textes comptés pour la dérive (comptés de nouveau à leur prochaine lecture)",
    "drift_references": "références de dérive choisies",
    "drift_weeks": "semaines de dérive calculées",
}


def _version(*, optional: bool = False, first: bool = False) -> "sa.Column[Any]":
    return sa.Column("model_version", sa.String(100), nullable=optional, primary_key=first)


def _made_at() -> "sa.Column[Any]":
    return sa.Column("made_at", sa.DateTime(timezone=True), nullable=False)


def upgrade() -> None:
    """Make the tables of drift; nothing else changes."""
    op.create_table(
        "item_facts",
        sa.Column("item_id", sa.String(36), sa.ForeignKey("items.id", ondelete="CASCADE"), primary_key=True),
        _version(),
        sa.Column("language", sa.String(10), nullable=False),
        sa.Column("unknown", sa.Float, nullable=True),
        sa.Column("practice", sa.String(100), nullable=False),
        sa.Column("illness", sa.String(60), nullable=False),
    )
    op.create_table(
        "drift_references",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("first", sa.Date, nullable=True),
        sa.Column("last", sa.Date, nullable=True),
        _version(optional=True),
        sa.Column("content", sa.Text, nullable=True),
        _made_at(),
    )
    op.create_table(
        "drift_weeks",
        sa.Column("monday", sa.Date, primary_key=True),
        _version(first=True),
        sa.Column("reference", sa.Integer, sa.ForeignKey("drift_references.number"), nullable=True),
        sa.Column("threshold", sa.Float, nullable=False),
        sa.Column("covered", sa.Integer, nullable=False),
        sa.Column("shifts", sa.JSON, nullable=False),
        _made_at(),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("drift_weeks", "drift_references", "item_facts"):
        op.drop_table(table)
