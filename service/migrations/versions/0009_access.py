"""Sessions that can be told apart, failures counted by address and device, accounts of an identity provider.

Both ways end every session and forget failures to sign in. The way down loses who is whom for the identity provider.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None
#: What the way down loses: a table, or a column of it, and what is counted there.
loses = {
    "identities": "comptes reliés au fournisseur d'identité (ils restent, sans mot de passe : donnez-leur-en un)",
    "sessions": "sessions (chacun se connecte de nouveau)",
    "sign_in_tries": "échecs de connexion comptés",
}


def _instant(name: str, *, optional: bool = False) -> "sa.Column[Any]":
    return sa.Column(name, sa.DateTime(timezone=True), nullable=optional)


def _user() -> "sa.Column[str]":
    return sa.Column("user_id", sa.String(200), sa.ForeignKey("users.id"), nullable=False, index=True)


def upgrade() -> None:
    """Make the tables; people sign in once more, for their sessions could not say where they come from."""
    op.drop_table("sessions")
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        _user(),
        sa.Column("csrf", sa.String(64), nullable=False),
        sa.Column("device", sa.String(200), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("way", sa.String(20), nullable=False),
        _instant("created_at"),
        _instant("seen_at"),
        _instant("expires_at"),
    )
    for column in ("failures", "locked_until"):
        op.drop_column("users", column)
    op.create_table(
        "sign_in_tries",
        sa.Column("scope", sa.String(10), primary_key=True),
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("login_hash", sa.String(64), nullable=True, index=True),
        sa.Column("address", sa.String(64), nullable=True),
        sa.Column("failures", sa.Integer, nullable=False),
        _instant("last_at"),
        _instant("held_until", optional=True),
    )
    op.create_index("ix_sign_in_tries_last_at", "sign_in_tries", ["last_at"])
    op.create_table(
        "identities",
        sa.Column("issuer", sa.String(300), primary_key=True),
        sa.Column("subject", sa.String(255), primary_key=True),
        sa.Column("user_id", sa.String(200), sa.ForeignKey("users.id"), nullable=False, unique=True),
        _instant("linked_at"),
        _instant("used_at", optional=True),
    )


def downgrade() -> None:
    """Take them away; accounts of an identity provider stay, without a password."""
    op.drop_table("identities")
    op.drop_table("sign_in_tries")
    op.add_column("users", sa.Column("failures", sa.Integer, nullable=False, server_default="0"))
    op.add_column("users", _instant("locked_until", optional=True))
    op.drop_table("sessions")
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        _user(),
        sa.Column("csrf", sa.String(64), nullable=False),
        _instant("created_at"),
        _instant("seen_at"),
        _instant("expires_at"),
    )
