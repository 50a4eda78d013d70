"""Where and when else a text was seen, its region, what was taken out, and indexes that the figures are counted along.

The way down loses the region of texts, where else they were seen, and the list of exports.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
#: What the way down loses: a table, or a column of it, and what is counted there.
loses = {
    "items.region": "régions de textes (les textes restent)",
    "receptions": "provenances successives de textes (« Vu aussi »)",
    "exports": "exports demandés (leurs fichiers restent)",
}


def upgrade() -> None:
    """Add a column and two tables; what is there stays."""
    op.add_column("items", sa.Column("region", sa.String(60), nullable=True))
    op.create_index("ix_items_region", "items", ["region"])
    op.create_table(
        "receptions",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("item_id", sa.String(36), sa.ForeignKey("items.id"), nullable=False),
        sa.Column("import_id", sa.String(200), sa.ForeignKey("imports.id"), nullable=True),
        sa.Column("external_id", sa.String(200), nullable=True),
        sa.Column("source", sa.String(200), nullable=False),
        sa.Column("channel", sa.String(30), nullable=True),
        sa.Column("theme", sa.String(60), nullable=True),
        sa.Column("region", sa.String(60), nullable=True),
        sa.Column("author", sa.String(200), nullable=True),
        sa.Column("url", sa.Text, nullable=True),
        sa.Column("captured_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_receptions_import_id", "receptions", ["import_id"])
    op.create_index("ix_receptions_author", "receptions", ["author"])
    op.create_index("ix_receptions_item_id_number", "receptions", ["item_id", "number"])
    op.create_table(
        "exports",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("user_id", sa.String(200), sa.ForeignKey("users.id"), nullable=True),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("filter", sa.Text, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("texts", sa.Integer, nullable=False),
        sa.Column("file", sa.String(200), nullable=True),
        sa.Column("message", sa.Text, nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.create_index("ix_exports_user_id", "exports", ["user_id"])
    op.create_index("ix_exports_state", "exports", ["state"])
    # How many texts are decided, and which decisions came by chance.
    op.create_index("ix_items_decided_level", "items", ["decided_level"])
    op.create_index("ix_decisions_drawn_by_item_id", "decisions", ["drawn_by", "item_id"])
    # The first text of an import that nobody decided, in the order by chance, from the index alone.
    op.create_index("ix_items_import_id_state_status_sha256", "items", ["import_id", "state", "status", "sha256"])
    if op.get_bind().dialect.name == "postgresql":
        # A beginning is sought in the order of the bytes, whatever the order of words is here.
        op.execute('CREATE INDEX ix_decisions_request_bytes ON decisions (request COLLATE "C")')


def downgrade() -> None:
    """Take them away; a text keeps how it was received first."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_index("ix_decisions_request_bytes", "decisions")
    op.drop_index("ix_items_import_id_state_status_sha256", "items")
    op.drop_index("ix_decisions_drawn_by_item_id", "decisions")
    op.drop_index("ix_items_decided_level", "items")
    op.drop_table("exports")
    op.drop_table("receptions")
    op.drop_index("ix_items_region", "items")
    op.drop_column("items", "region")
