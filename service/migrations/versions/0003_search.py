"""Full-text search over the texts, and indexes that the queue sorts by.

The way down loses nothing: the index of the words is made of the texts.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

#: SQLite keeps the words apart from the texts, by a number that nothing renumbers; triggers keep them up to date.
_SQLITE = (
    "CREATE TABLE item_numbers (number INTEGER PRIMARY KEY, item_id VARCHAR(36) NOT NULL UNIQUE)",
    """CREATE VIRTUAL TABLE item_words USING fts5(
        text, content='', tokenize='unicode61 remove_diacritics 2', prefix='3 4 5', detail=full)""",
    """CREATE TRIGGER item_words_added AFTER INSERT ON items BEGIN
        INSERT INTO item_numbers (item_id) VALUES (new.id);
        INSERT INTO item_words (rowid, text) SELECT number, new.text FROM item_numbers WHERE item_id = new.id;
    END""",
    """CREATE TRIGGER item_words_removed AFTER DELETE ON items BEGIN
        INSERT INTO item_words (item_words, rowid, text)
            SELECT 'delete', number, old.text FROM item_numbers WHERE item_id = old.id;
        DELETE FROM item_numbers WHERE item_id = old.id;
    END""",
    """CREATE TRIGGER item_words_changed AFTER UPDATE OF text ON items BEGIN
        INSERT INTO item_words (item_words, rowid, text)
            SELECT 'delete', number, old.text FROM item_numbers WHERE item_id = old.id;
        INSERT INTO item_words (rowid, text) SELECT number, new.text FROM item_numbers WHERE item_id = new.id;
    END""",
    "INSERT INTO item_numbers (item_id) SELECT id FROM items ORDER BY id",
    "INSERT INTO item_words (rowid, text) SELECT number, text FROM item_numbers JOIN items ON items.id = item_id",
)
#: PostgreSQL keeps the words of a text beside it; a document of its full text holds a megabyte at most.
_POSTGRESQL = (
    """ALTER TABLE items ADD COLUMN text_words tsvector GENERATED ALWAYS AS (to_tsvector('french'::regconfig, translate(
        lower(left(text, 100000)), 'àâäáãçéèêëîïíñôöóõùûüúÿ’', 'aaaaaceeeeiiinoooouuuuy'''))) STORED""",
    "CREATE INDEX ix_items_text_words ON items USING gin (text_words) WITH (fastupdate = off)",
)

_SQLITE_BACK = (
    *(f"DROP TRIGGER item_words_{when}" for when in ("added", "removed", "changed")),
    "DROP TABLE item_words",
    "DROP TABLE item_numbers",
)
_POSTGRESQL_BACK = ("DROP INDEX ix_items_text_words", "ALTER TABLE items DROP COLUMN text_words")

#: What the queue shows first, whatever it sorts by: texts of one state.
_SORTED = ("score", "received_at", "doubt")
#: On SQLite, what is counted by state and level from an index alone; PostgreSQL counts quickly enough without.
_COUNTED = ("at_risk", "hesitates", "contradicts", "captured_at", "received_at", "channel", "theme")


def upgrade() -> None:
    """Index the words of the texts."""
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.execute(statement)
    if op.get_bind().dialect.name == "sqlite":
        for column in _COUNTED:
            op.create_index(f"ix_items_{column}_state_level", "items", [column, "state", "level", "id"])
    for column in _SORTED:
        op.create_index(f"ix_items_state_{column}_id", "items", ["state", column, "id"])


def downgrade() -> None:
    """Take away the index of the words and those of the order."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    for column in _SORTED:
        op.drop_index(f"ix_items_state_{column}_id", "items")
    for column in _COUNTED if sqlite else ():
        op.drop_index(f"ix_items_{column}_state_level", "items")
    for statement in _SQLITE_BACK if sqlite else _POSTGRESQL_BACK:
        op.execute(statement)
