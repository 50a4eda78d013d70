"""The texts kept on request, and the corrections.

Below this step there is nothing: the way down loses both.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None
#: What the way down loses: a table, or a column of it, and what is counted there.
loses = {
    "texts": "textes gardés par l'API",
    "feedback": "corrections reçues par l'API",
}


def upgrade() -> None:
    """Make the two tables as they were before steps were counted."""
    op.create_table(
        "texts",
        sa.Column("id", sa.String(200), primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("prediction", sa.JSON, nullable=False),
        sa.Column("model_version", sa.String(100), nullable=False),
        sa.Column("stored_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_texts_sha256", "texts", ["sha256"])
    op.create_table(
        "feedback",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        sa.Column("text_id", sa.String(200), sa.ForeignKey("texts.id"), nullable=True),
        sa.Column("text", sa.Text, nullable=True),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("indicator", sa.String(50), nullable=True),
        sa.Column("present", sa.Boolean, nullable=True),
        sa.Column("stance", sa.String(20), nullable=True),
        sa.Column("risk_level", sa.Integer, nullable=True),
        sa.Column("start", sa.Integer, nullable=True),
        sa.Column("end", sa.Integer, nullable=True),
        sa.Column("reviewer", sa.String(200), nullable=True),
        sa.Column("comment", sa.Text, nullable=True),
        sa.Column("model_version", sa.String(100), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_feedback_sha256", "feedback", ["sha256"])


def downgrade() -> None:
    """Drop them: nothing is left."""
    op.drop_table("feedback")
    op.drop_table("texts")
