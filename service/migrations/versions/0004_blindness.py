"""What a blind reading must know: who opened a text, and how it was drawn; who sent a decision in another's name.

The way down loses these four and whether an account masks personal data: readings, decisions and accounts stay. Up again, the
origin of a reading is that of its decision, or is not known.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
#: What the way down loses: a table, or a column of it, and what is counted there.
loses = {
    "seen": "ouvertures d'un texte par une personne",
    "decisions.sent_by": "décisions envoyées avec la clé d'un autre (elles restent, sans dire de qui)",
    "readings": "origines de lectures (les lectures restent)",
    "users": "choix de masquer les données personnelles (les comptes restent)",
}

#: Where a reading is made, its origin is that of its decision. A golden one was always drawn by the share of golden texts; of a
#: second one that waits nobody can say, so that it stays out of the figures.
_ORIGINS = (
    """UPDATE readings SET
        drawn_by = (SELECT decisions.drawn_by FROM decisions WHERE decisions.id = readings.decision_id),
        drawn_share = (SELECT decisions.drawn_share FROM decisions WHERE decisions.id = readings.decision_id)
        WHERE decision_id IN (SELECT id FROM decisions)""",
    "UPDATE readings SET drawn_by = 'golden_share' WHERE kind = 'golden' AND decision_id IS NULL",
)

#: PostgreSQL keeps the words of a text as they are, without accents, cut where SQLite cuts them: a search means the same
#: on both. (Stems and stop words were PostgreSQL's own.)
_WORDS = (
    "ALTER TABLE items DROP COLUMN text_words",
    """ALTER TABLE items ADD COLUMN text_words tsvector GENERATED ALWAYS AS (to_tsvector('simple'::regconfig, regexp_replace(
        translate(lower(normalize(left(text, 100000), NFC)), 'àâäáãåçéèêëîïíìñôöóõòûùüúÿÀÂÄÁÃÅÇÉÈÊËÎÏÍÌÑÔÖÓÕÒÛÙÜÚŸ',
        'aaaaaaceeeeiiiinooooouuuuyaaaaaaceeeeiiiinooooouuuuy'), '[^[:alnum:]œæŒÆ]+', ' ', 'g'))) STORED""",
    "CREATE INDEX ix_items_text_words ON items USING gin (text_words) WITH (fastupdate = off)",
)

#: As step 0003 had them.
_WORDS_BEFORE = (
    _WORDS[0],
    """ALTER TABLE items ADD COLUMN text_words tsvector GENERATED ALWAYS AS (to_tsvector('french'::regconfig, translate(
        lower(left(text, 100000)), 'àâäáãçéèêëîïíñôöóõùûüúÿ’', 'aaaaaceeeeiiinoooouuuuy'''))) STORED""",
    _WORDS[2],
)


def upgrade() -> None:
    """Whether a person's pages hide personal data; who opened what; how readings came to be asked for."""
    op.add_column("users", sa.Column("masks", sa.Boolean, nullable=False, server_default="0"))
    for statement in _WORDS if op.get_bind().dialect.name == "postgresql" else ():
        op.execute(statement)
    op.create_table(
        "seen",
        sa.Column("item_id", sa.String(36), sa.ForeignKey("items.id"), primary_key=True),
        sa.Column("user_id", sa.String(36), sa.ForeignKey("users.id"), primary_key=True),
        sa.Column("how", sa.String(20), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_seen_user_id", "seen", ["user_id", "item_id"])
    op.add_column("readings", sa.Column("drawn_by", sa.String(30), nullable=False, server_default="unknown"))
    op.add_column("readings", sa.Column("drawn_share", sa.Float, nullable=True))
    for statement in _ORIGINS:
        op.execute(statement)
    # SQLite adds a column that refers to another table only when this is said in one go.
    op.execute("ALTER TABLE decisions ADD COLUMN sent_by VARCHAR(200) REFERENCES users (id)")
    op.create_index("ix_decisions_sent_by", "decisions", ["sent_by"])


def downgrade() -> None:
    """Take them away; on PostgreSQL, words are again kept by their stems."""
    op.drop_index("ix_decisions_sent_by", "decisions")
    op.drop_column("decisions", "sent_by")
    for column in ("drawn_share", "drawn_by"):
        op.drop_column("readings", column)
    op.drop_table("seen")
    for statement in _WORDS_BEFORE if op.get_bind().dialect.name == "postgresql" else ():
        op.execute(statement)
    op.drop_column("users", "masks")
