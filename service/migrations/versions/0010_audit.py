"""The audit log, its guards and its first record; events of cases that no person made say so.

The way down loses the log: export it first. Up again, another begins.
"""

import hashlib
import json
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None
#: What the way down loses: a table, or a column of it, and what is counted there.
loses = {
    "audit_records": "enregistrements du journal d'audit (« vigie audit export » les écrit dans un fichier, avant)",
}

_ZEROS = "0" * 64
# What the statements below hold is written here, by nobody else.
_KEPT = "journal d''audit : un enregistrement ne se change ni ne s''efface"
_ORDER = "journal d''audit : un enregistrement suit le dernier"

_SQLITE = (
    f"create trigger audit_records_no_update before update on audit_records begin select raise(abort, '{_KEPT}'); end",
    f"create trigger audit_records_no_delete before delete on audit_records begin select raise(abort, '{_KEPT}'); end",
    # Without it « insert or replace » would change a record, for which SQLite wakes no other trigger.
    f"""create trigger audit_records_in_order before insert on audit_records
    when new.number is not (select coalesce(max(number), 0) + 1 from audit_records)
      or new.previous is not coalesce((select hash from audit_records order by number desc limit 1), '{_ZEROS}')
    begin select raise(abort, '{_ORDER}'); end""",  # noqa: S608
)
_POSTGRESQL = (
    f"""create function audit_records_refuse() returns trigger language plpgsql as $$
    begin raise exception '{_KEPT}' using errcode = 'restrict_violation'; end $$""",
    f"""create function audit_records_follow() returns trigger language plpgsql as $$
    declare last record;
    begin
      select number, hash into last from audit_records order by number desc limit 1;
      if new.number <> coalesce(last.number, 0) + 1 or new.previous <> coalesce(last.hash, '{_ZEROS}') then
        raise exception '{_ORDER}' using errcode = 'restrict_violation';
      end if;
      return new;
    end $$""",  # noqa: S608
    "create trigger audit_records_no_update before update on audit_records for each row execute function audit_records_refuse()",
    "create trigger audit_records_no_delete before delete on audit_records for each row execute function audit_records_refuse()",
    "create trigger audit_records_no_truncate before truncate on audit_records execute function audit_records_refuse()",
    "create trigger audit_records_in_order before insert on audit_records for each row execute function audit_records_follow()",
)

#: Says, of an event that has an author because there had to be one, that it had none.
_UNSIGNED = "unsigned"
_EVENTS = sa.table(
    "case_events",
    *(sa.column(name) for name in ("number", "case_id", "kind", "user_id")),
    sa.column("detail", sa.JSON),
)


def upgrade() -> None:
    """Make the log and its guards, write its first record; let events of cases be without an author."""
    lengths = {"actor": 200, "means": 20, "means_id": 200, "address": 200, "action": 60, "object": 250}
    records = op.create_table(
        "audit_records",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.String(27), nullable=False),
        *(sa.Column(name, sa.String(length), nullable=False) for name, length in lengths.items()),
        sa.Column("details", sa.Text, nullable=False),
        sa.Column("sealed_by", sa.String(8), nullable=False),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("seal", sa.String(64), nullable=True),
    )
    for name in ("actor", "action", "object", "at"):
        op.create_index(f"ix_audit_records_{name}_number", "audit_records", [name, "number"])
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.get_bind().exec_driver_sql(statement)
    op.bulk_insert(records, [_first()])
    _free_events()


def _first() -> dict[str, object]:
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    values = [1, at, "", "service", "", "", "journal.open", "journal:audit", '{"step":"0010"}', "", _ZEROS]
    names = ("number", "at", "actor", "means", "means_id", "address", "action", "object", "details", "sealed_by", "previous")
    form = json.dumps(["vigie-audit-1", *values], ensure_ascii=True, separators=(",", ":"))
    return dict(zip(names, values, strict=True)) | {"hash": hashlib.sha256(form.encode()).hexdigest(), "seal": None}


def _free_events() -> None:
    """What the command that removes demonstration texts did was kept under the name of who had put them in the case."""
    with op.batch_alter_table("case_events") as table:
        table.alter_column("user_id", existing_type=sa.String(36), nullable=True)
    connection = op.get_bind()
    erased = connection.execute(sa.select(_EVENTS).where(_EVENTS.c.kind == "erased")).mappings().all()
    for row in erased:
        detail = dict(row["detail"])
        texts = detail.get("texts", ())
        if detail.pop(_UNSIGNED, False):
            pass  # the way down had put it under a name
        elif detail.get("command") and all("added_by" not in one for one in texts):
            detail["texts"] = [one | {"added_by": row["user_id"]} for one in texts]
        else:
            continue
        connection.execute(sa.update(_EVENTS).where(_EVENTS.c.number == row["number"]).values(user_id=None, detail=detail))


def downgrade() -> None:
    """Drop the log and its guards; an event of a case without an author is again under the name of who had put its text there."""
    op.drop_table("audit_records")
    if op.get_bind().dialect.name == "postgresql":
        for function in ("refuse", "follow"):
            op.execute(f"DROP FUNCTION audit_records_{function}()")
    _bind_events()


def _bind_events() -> None:
    connection, cases = op.get_bind(), sa.table("cases", sa.column("id"), sa.column("created_by"))
    query = sa.select(_EVENTS, cases.c.created_by).join(cases, cases.c.id == _EVENTS.c.case_id).where(_EVENTS.c.user_id.is_(None))
    for row in connection.execute(query).mappings().all():
        named = (one.get("added_by") for one in row["detail"].get("texts", ()))
        author = next((id for id in named if id), row["created_by"])
        values = {"user_id": author, "detail": row["detail"] | {_UNSIGNED: True}}
        connection.execute(sa.update(_EVENTS).where(_EVENTS.c.number == row["number"]).values(**values))
    with op.batch_alter_table("case_events") as table:
        table.alter_column("user_id", existing_type=sa.String(36), nullable=False)
