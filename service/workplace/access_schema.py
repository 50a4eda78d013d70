"""The tables of coming in: failures to sign in, accounts of an identity provider (the others: `service.workplace.schema`)."""

from typing import Final

from sqlalchemy import Column, DateTime, ForeignKey, Index, Integer, String, Table

from service.database import METADATA

#: Who an account is for an identity provider: by subject, never by name or address.
IDENTITIES: Final = Table(
    "identities",
    METADATA,
    Column("issuer", String(300), primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("user_id", String(200), ForeignKey("users.id"), nullable=False, unique=True),
    Column("linked_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True), nullable=True),
)

#: Failures to sign in, kept a day. `scope`: pair (login and address), device, login, address; `name`: the hash of it.
SIGN_IN_TRIES: Final = Table(
    "sign_in_tries",
    METADATA,
    Column("scope", String(10), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("login_hash", String(64), nullable=True, index=True),  # of a pair or a login; a login typed may be a password
    Column("address", String(64), nullable=True),  # of a pair: where it comes from, for administrators
    Column("failures", Integer, nullable=False),
    Column("last_at", DateTime(timezone=True), nullable=False),
    Column("held_until", DateTime(timezone=True), nullable=True),
)
Index("ix_sign_in_tries_last_at", SIGN_IN_TRIES.c.last_at)
