"""The table of the audit log. Triggers that the step 0010 makes refuse to change, delete or reorder what it holds.

Nothing refers to it and it refers to nothing: what is erased elsewhere leaves its records, which hold identifiers and hashes.
"""

from typing import Final

from sqlalchemy import Column, Connection, Index, Integer, String, Table, Text, text

from service.database import METADATA

#: The columns are those of `service.workplace.audit_chain.Record`, kept as the very strings that are hashed.
AUDIT: Final = Table(
    "audit_records",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("at", String(27), nullable=False),
    Column("actor", String(200), nullable=False),
    Column("means", String(20), nullable=False),
    Column("means_id", String(200), nullable=False),
    Column("address", String(200), nullable=False),
    Column("action", String(60), nullable=False),
    Column("object", String(250), nullable=False),
    Column("details", Text, nullable=False),
    Column("sealed_by", String(8), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("seal", String(64), nullable=True),
)
for _first in ("actor", "action", "object", "at"):
    Index(f"ix_audit_records_{_first}_number", AUDIT.c[_first], AUDIT.c.number)

_GUARDS: Final = {
    "sqlite": ("audit_records_no_update", "audit_records_no_delete", "audit_records_in_order"),
    "postgresql": ("audit_records_no_update", "audit_records_no_delete", "audit_records_no_truncate", "audit_records_in_order"),
}
_STANDING: Final = {
    "sqlite": "select name from sqlite_master where type = 'trigger' and tbl_name = 'audit_records'",
    # A trigger can also be put to sleep, or wake on replicas only.
    "postgresql": "select tgname from pg_trigger where tgrelid = to_regclass('audit_records') and tgenabled in ('O', 'A')",
}


def missing_guards(connection: Connection) -> list[str]:
    """The triggers that protect the log and are not there, or asleep."""
    kind = connection.dialect.name
    standing = set(connection.scalars(text(_STANDING[kind])))
    return [name for name in _GUARDS[kind] if name not in standing]
