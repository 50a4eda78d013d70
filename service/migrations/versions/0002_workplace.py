"""The workplace: accounts, texts to examine, decisions, models; the way down loses all, not texts and corrections of the API."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
#: What the way down loses: a table, or a column of it, and what is counted there.
loses = {
    "users": "comptes, avec leurs sessions et leurs clés d'accès", "imports": "imports",
    "items": "textes à examiner, avec ce que le modèle en dit", "decisions": "décisions",
    "readings": "lectures demandées ou faites", "comments": "commentaires", "views": "vues enregistrées",
    "choices": "choix d'administration", "trainings": "apprentissages demandés", "promotions": "mises en service de modèles",
}  # fmt: skip

_TABLES = [
    "promotions", "training_decisions", "trainings", "choices", "views", "comments", "golden", "readings", "decisions", "claims",
    "bands", "signatures", "item_practices", "item_signs", "predictions", "items", "import_errors", "imports", "api_keys",
    "sessions", "users",
]  # fmt: skip


def _index(table: str, *columns: str) -> None:
    for column in columns:
        op.create_index(f"ix_{table}_{column}", table, [column])


def upgrade() -> None:
    """Make the tables of the workplace."""
    for make in (_people, _imports, _items, _said, _decisions, _readings, _talk, _loop):
        make()


def _people() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("login", sa.String(200), nullable=False, unique=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("password_hash", sa.String(300), nullable=False),
        sa.Column("active", sa.Boolean, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.String(200), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("csrf", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    _index("sessions", "user_id")
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("user_id", sa.String(200), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("start", sa.String(12), nullable=False),
        sa.Column("scopes", sa.JSON, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
    )
    _index("api_keys", "user_id")


def _imports() -> None:
    op.create_table(
        "imports",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("source", sa.String(200), nullable=False),
        sa.Column("user_id", sa.String(200), sa.ForeignKey("users.id"), nullable=True),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=True),
        sa.Column("rows", sa.Integer, nullable=True),
        sa.Column("read", sa.Integer, nullable=False),
        sa.Column("added", sa.Integer, nullable=False),
        sa.Column("duplicates", sa.Integer, nullable=False),
        sa.Column("errors", sa.Integer, nullable=False),
        sa.Column("message", sa.Text, nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
    )
    _index("imports", "user_id")
    op.create_table(
        "import_errors",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("import_id", sa.String(200), sa.ForeignKey("imports.id"), nullable=False),
        sa.Column("row", sa.Integer, nullable=False),
        sa.Column("given_id", sa.String(200), nullable=True),
        sa.Column("field", sa.String(60), nullable=True),
        sa.Column("message", sa.Text, nullable=False),
    )
    _index("import_errors", "import_id")


def _items() -> None:
    op.create_table(
        "items",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("external_id", sa.String(200), nullable=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False, unique=True),
        sa.Column("words", sa.Integer, nullable=False),
        sa.Column("source", sa.String(200), nullable=False),
        sa.Column("channel", sa.String(30), nullable=True),
        sa.Column("theme", sa.String(60), nullable=True),
        sa.Column("author", sa.String(200), nullable=True),
        sa.Column("url", sa.Text, nullable=True),
        sa.Column("captured_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("parent_id", sa.String(36), sa.ForeignKey("items.id"), nullable=True),
        sa.Column("parent_ref", sa.String(200), nullable=True),
        sa.Column("import_id", sa.String(200), sa.ForeignKey("imports.id"), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen", sa.Integer, nullable=False),
        sa.Column("model_version", sa.String(100), nullable=True),
        sa.Column("status", sa.String(30), nullable=True),
        sa.Column("level", sa.Integer, nullable=True),
        sa.Column("score", sa.Float, nullable=True),
        sa.Column("stance", sa.String(20), nullable=True),
        sa.Column("author_status", sa.String(20), nullable=True),
        sa.Column("at_risk", sa.Boolean, nullable=False),
        sa.Column("hesitates", sa.Boolean, nullable=False),
        sa.Column("doubt", sa.Float, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("decided_level", sa.Integer, nullable=True),
        sa.Column("decided_stance", sa.String(20), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.String(200), sa.ForeignKey("users.id"), nullable=True),
        sa.Column("contradicts", sa.Boolean, nullable=False),
        sa.Column("assigned_to", sa.String(200), sa.ForeignKey("users.id"), nullable=True),
        sa.Column("resembles", sa.String(36), nullable=True),
    )
    _items_indexes()


def _items_indexes() -> None:
    _index("items", "external_id", "source", "channel", "theme", "author", "parent_id", "parent_ref", "import_id")
    _index("items", "model_version", "state", "decided_by", "assigned_to")
    op.create_index("ix_items_url", "items", ["url"], postgresql_using="hash")
    for column in ("captured_at", "received_at", "level", "score", "doubt", "decided_at"):
        op.create_index(f"ix_items_{column}_id", "items", [column, "id"])
    op.create_index("ix_items_state_level_score", "items", ["state", "level", "score", "id"])


def _said() -> None:
    op.create_table(
        "predictions",
        sa.Column("item_id", sa.String(36), sa.ForeignKey("items.id"), primary_key=True),
        sa.Column("model_version", sa.String(100), primary_key=True),
        sa.Column("prediction", sa.JSON, nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "item_signs",
        sa.Column("item_id", sa.String(36), sa.ForeignKey("items.id"), primary_key=True),
        sa.Column("indicator", sa.String(50), primary_key=True),
        sa.Column("score", sa.Float, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_item_signs_indicator", "item_signs", ["indicator", "item_id"])
    op.create_table(
        "item_practices",
        sa.Column("item_id", sa.String(36), sa.ForeignKey("items.id"), primary_key=True),
        sa.Column("practice", sa.String(100), primary_key=True),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_item_practices_practice", "item_practices", ["practice", "item_id"])
    op.create_table(
        "signatures",
        sa.Column("item_id", sa.String(36), sa.ForeignKey("items.id"), primary_key=True),
        sa.Column("minhash", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "bands",
        sa.Column("band", sa.String(24), primary_key=True),
        sa.Column("item_id", sa.String(36), sa.ForeignKey("items.id"), primary_key=True),
        sqlite_with_rowid=False,
    )


def _decisions() -> None:
    op.create_table(
        "claims",
        sa.Column("item_id", sa.String(36), sa.ForeignKey("items.id"), primary_key=True),
        sa.Column("user_id", sa.String(200), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("claimed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    )
    _index("claims", "user_id")
    op.create_table(
        "decisions",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        sa.Column("item_id", sa.String(200), sa.ForeignKey("items.id"), nullable=False),
        sa.Column("user_id", sa.String(200), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("verdict", sa.String(20), nullable=False),
        sa.Column("stance", sa.String(20), nullable=True),
        sa.Column("level", sa.Integer, nullable=True),
        sa.Column("targets", sa.JSON, nullable=False),
        sa.Column("indicators", sa.JSON, nullable=False),
        sa.Column("reason", sa.String(50), nullable=True),
        sa.Column("note", sa.Text, nullable=True),
        sa.Column("said", sa.JSON, nullable=True),
        sa.Column("model_version", sa.String(100), nullable=True),
        sa.Column("operating_point", sa.String(20), nullable=True),
        sa.Column("drawn_by", sa.String(30), nullable=False),
        sa.Column("drawn_share", sa.Float, nullable=True),
        sa.Column("withdraws", sa.String(36), nullable=True),
        sa.Column("request", sa.String(64), nullable=True, unique=True),
    )
    _index("decisions", "item_id", "user_id", "withdraws")


def _readings() -> None:
    op.create_table(
        "readings",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("item_id", sa.String(200), sa.ForeignKey("items.id"), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("user_id", sa.String(200), sa.ForeignKey("users.id"), nullable=True),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decision_id", sa.String(36), nullable=True),
        sa.UniqueConstraint("item_id", "kind", "user_id"),
    )
    _index("readings", "item_id", "user_id", "state")
    op.create_table(
        "golden",
        sa.Column("item_id", sa.String(36), sa.ForeignKey("items.id"), primary_key=True),
        sa.Column("decision_id", sa.String(36), nullable=False),
        sa.Column("user_id", sa.String(200), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
    )
    _index("golden", "user_id")


def _talk() -> None:
    op.create_table(
        "comments",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("item_id", sa.String(200), sa.ForeignKey("items.id"), nullable=False),
        sa.Column("user_id", sa.String(200), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
    )
    _index("comments", "item_id", "user_id")
    op.create_table(
        "views",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("user_id", sa.String(200), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("query", sa.Text, nullable=False),
        sa.Column("shared", sa.Boolean, nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.UniqueConstraint("user_id", "name"),
    )
    _index("views", "user_id")


def _loop() -> None:
    op.create_table(
        "choices",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("value", sa.JSON, nullable=False),
        sa.Column("user_id", sa.String(200), sa.ForeignKey("users.id"), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
    )
    _index("choices", "name", "user_id")
    op.create_table(
        "trainings",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("user_id", sa.String(200), sa.ForeignKey("users.id"), nullable=True),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("step", sa.Text, nullable=True),
        sa.Column("champion", sa.String(100), nullable=True),
        sa.Column("challenger", sa.String(100), nullable=True),
        sa.Column("comparison", sa.JSON, nullable=True),
        sa.Column("message", sa.Text, nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
    )
    _index("trainings", "user_id", "state", "challenger")
    op.create_table(
        "training_decisions",
        sa.Column("training_id", sa.String(36), sa.ForeignKey("trainings.id"), primary_key=True),
        sa.Column("decision_id", sa.String(36), primary_key=True),
    )
    _index("training_decisions", "decision_id")
    op.create_table(
        "promotions",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("artefact", sa.String(100), nullable=False),
        sa.Column("previous", sa.String(100), nullable=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("reason", sa.Text, nullable=True),
        sa.Column("user_id", sa.String(200), sa.ForeignKey("users.id"), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
    )
    _index("promotions", "user_id")


def downgrade() -> None:
    """Drop them, those that refer to others first."""
    for table in _TABLES:
        op.drop_table(table)
