"""Campaigns: contacts of texts, links between texts, what people said of them.

The way down loses all of it. Up again, contacts and near-duplicates are found anew; what people said of them is not.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
#: What the way down loses: a table, or a column of it, and what is counted there.
loses = {
    "campaigns": "campagnes, avec leurs noms, leurs notes et ce que des personnes y ont réuni ou séparé",
    "contacts": "contacts, avec ce que des personnes en ont dit",
    "item_links": "liens entre textes",
    "campaign_events": "lignes d'histoire de campagnes",
}

#: A text waits to be linked when a model has read it, or when people have said something else of it.
_SQLITE = """CREATE TRIGGER campaign_waits AFTER UPDATE OF model_version, stance, decided_stance, level, decided_level ON items
    WHEN new.model_version IS NOT NULL BEGIN
        INSERT OR IGNORE INTO campaign_waiting (item_id) VALUES (new.id);
    END"""
_POSTGRESQL = (
    """CREATE FUNCTION campaign_waits() RETURNS trigger AS $$ BEGIN
        INSERT INTO campaign_waiting (item_id) VALUES (new.id) ON CONFLICT DO NOTHING; RETURN NULL;
    END $$ LANGUAGE plpgsql""",
    """CREATE TRIGGER campaign_waits AFTER UPDATE OF model_version, stance, decided_stance, level, decided_level ON items
        FOR EACH ROW WHEN (new.model_version IS NOT NULL) EXECUTE FUNCTION campaign_waits()""",
)


def _item(name: str = "item_id", *, primary: bool = False) -> "sa.Column[str]":
    return sa.Column(name, sa.String(36), sa.ForeignKey("items.id", ondelete="CASCADE"), primary_key=primary, nullable=False)


def _campaign(*, primary: bool = False) -> "sa.Column[str]":
    return sa.Column("campaign_id", sa.String(36), sa.ForeignKey("campaigns.id"), primary_key=primary, nullable=False)


def _said() -> "tuple[sa.Column[Any], ...]":
    return (
        sa.Column("decided_by", sa.String(200), sa.ForeignKey("users.id"), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("why", sa.Text, nullable=True),
    )


def upgrade() -> None:
    """Make the tables; what was read before waits to be linked."""
    _make_links()
    _make_campaigns()
    for statement in (_SQLITE,) if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.execute(statement)
    op.execute("INSERT INTO campaign_waiting (item_id) SELECT id FROM items WHERE model_version IS NOT NULL")


def _make_links() -> None:
    op.create_table(
        "contacts",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("value", sa.String(300), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("texts", sa.Integer, nullable=False),
        *_said(),
    )
    op.create_index("ix_contacts_value", "contacts", ["value"])
    op.create_table(
        "item_contacts",
        _item(primary=True),
        sa.Column("contact_id", sa.String(36), sa.ForeignKey("contacts.id"), primary_key=True),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("origin", sa.String(10), nullable=False),
        sa.Column("start", sa.Integer, nullable=True),
        sa.Column("end", sa.Integer, nullable=True),
        sa.Column("state", sa.String(10), nullable=False),
        *_said(),
    )
    op.create_index("ix_item_contacts_contact", "item_contacts", ["contact_id", "item_id"])
    op.create_table(
        "item_links",
        _item(primary=True),
        _item("other_id", primary=True),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("likeness", sa.Float, nullable=True),
        sa.Column("state", sa.String(10), nullable=False),
        *_said(),
    )
    op.create_index("ix_item_links_other_id", "item_links", ["other_id"])


def _make_campaigns() -> None:
    instants = [sa.Column(name, sa.DateTime(timezone=True), nullable=True) for name in ("first_at", "last_at")]
    op.create_table(
        "campaigns",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.String(200), nullable=True),
        sa.Column("note", sa.Text, nullable=True),
        sa.Column("into", sa.String(36), nullable=True),
        sa.Column("cut", sa.Boolean, nullable=False),
        sa.Column("texts", sa.Integer, nullable=False),
        sa.Column("level", sa.Integer, nullable=True),
        sa.Column("places", sa.Integer, nullable=False),
        *instants,
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_campaigns_into", "campaigns", ["into"])
    for column in ("texts", "level", "places", "last_at"):
        op.create_index(f"ix_campaigns_{column}_id", "campaigns", [column, "id"])
    op.create_table("campaign_items", _item(primary=True), _campaign())
    op.create_index("ix_campaign_items_campaign_id", "campaign_items", ["campaign_id"])
    op.create_table("campaign_apart", _item(primary=True), _campaign(primary=True), *_said())
    op.create_index("ix_campaign_apart_campaign_id", "campaign_apart", ["campaign_id"])
    op.create_table(
        "campaign_events",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        _campaign(),
        sa.Column("item_id", sa.String(36), nullable=True),
        sa.Column("user_id", sa.String(200), sa.ForeignKey("users.id"), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.Column("why", sa.Text, nullable=True),
    )
    op.create_index("ix_campaign_events_campaign_id", "campaign_events", ["campaign_id"])
    op.create_table("campaign_waiting", _item(primary=True))


def downgrade() -> None:
    """Drop the tables and the trigger; texts, decisions and cases stay."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER campaign_waits")
    else:
        op.execute("DROP TRIGGER campaign_waits ON items")
        op.execute("DROP FUNCTION campaign_waits()")
    for table in ("campaign_waiting", "campaign_events", "campaign_apart", "campaign_items", "campaigns"):
        op.drop_table(table)
    for table in ("item_links", "item_contacts", "contacts"):
        op.drop_table(table)
