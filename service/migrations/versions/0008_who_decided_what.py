"""What a person decided on of a text, found by both at once: a query of each page asks it for every text that waits.

The way down loses nothing.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index decisions and comments by text and person."""
    for table in ("decisions", "comments"):
        op.create_index(f"ix_{table}_item_id_user_id", table, ["item_id", "user_id"])


def downgrade() -> None:
    """Drop the two indexes."""
    for table in ("decisions", "comments"):
        op.drop_index(f"ix_{table}_item_id_user_id", table)
