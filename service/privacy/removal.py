"""Taking texts out of the workplace with all that hangs on them, in the transaction of whoever asks.

What goes: the text, its predictions, comments, readings, decisions with their notes, search words, signatures and bands of
near-duplicates (by the database's own keys and triggers), its contacts and the campaigns that it leaves empty, its place in
cases, copies kept by the API and corrections of the same words. What stays says nothing of anybody: `service.privacy.schema`.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, Connection, Table, delete, exists, select, update

from service.campaigns.components import campaigns_of
from service.campaigns.links import forget_items
from service.campaigns.schema import CAMPAIGN_EVENTS, CAMPAIGNS, CONTACTS, ITEM_CONTACTS
from service.cases.schema import CASE_EVENTS, CASE_ITEMS, CASES
from service.database import FEEDBACK, METADATA, TEXTS
from service.privacy.schema import PAST_DECISIONS, PURGED
from service.workplace.audit import record
from service.workplace.decided import VALID
from service.workplace.people import Person
from service.workplace.schema import DECISIONS, ITEMS
from service.workplace.times import now

LOT: Final = 200
_KEPT: Final = (
    *("sha256", "import_id", "received_at", "channel", "theme", "model_version", "status", "level", "state", "decided_level"),
)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why texts go: `why` is kept with each (`retention:new`, `request:7`), `told` is how histories of cases say it.

    `written`: the manifest that backups are purged with says so already.
    """

    why: str
    told: str
    person: Person | None = None
    written: bool = False


def lots(values: Sequence[Any], size: int = LOT) -> Iterator[Sequence[Any]]:
    """The values, so many at a time."""
    for first in range(0, len(values), size):
        yield values[first : first + size]


def remove_items(connection: Connection, ids: Collection[str], reason: Reason) -> int:
    """Take these texts out; returns how many were there. The transaction must be one that writes."""
    found = connection.execute(select(ITEMS.c.id, *(ITEMS.c[name] for name in _KEPT)).where(ITEMS.c.id.in_(ids))).mappings().all()
    gone = sorted(row["id"] for row in found)
    if not gone:
        return 0
    moment = now()
    digests = [row["sha256"] for row in found]
    _keep_figures(connection, found, reason, moment)
    _tell_cases(connection, gone, reason, moment)
    _leave_campaigns(connection, gone)
    connection.execute(update(ITEMS).where(ITEMS.c.parent_id.in_(gone)).values(parent_ref=None))
    for row in found:
        record(connection, reason.person, "text.erase", f"text:{row['id']}", {"sha256": row["sha256"], "why": reason.why})
    cut(connection, ITEMS, gone)
    remove_copies(connection, digests, reason)
    return len(gone)


def _keep_figures(connection: Connection, found: Sequence[Any], reason: Reason, moment: datetime) -> None:
    rows = [
        {"kind": "item", "item_id": row["id"], "why": reason.why, "purged_at": moment, "written": reason.written}
        | {name: row[name] for name in _KEPT}
        for row in found
    ]
    connection.execute(PURGED.insert(), rows)
    held = select(DECISIONS, VALID.label("held")).where(DECISIONS.c.item_id.in_([row["id"] for row in found]))
    names = (
        "id",
        "item_id",
        "made_at",
        "kind",
        "verdict",
        "stance",
        "level",
        "model_version",
        "drawn_by",
        "drawn_share",
        "targets",
    )
    past = [
        {name: row[name] for name in names}
        | {"held": bool(row["held"]), "indicators": sorted({mark["label"] for mark in row["indicators"]})}
        for row in connection.execute(held).mappings()
    ]
    if past:
        connection.execute(PAST_DECISIONS.insert(), past)


def _tell_cases(connection: Connection, ids: Sequence[str], reason: Reason, moment: datetime) -> None:
    """Write in the history of each case which of its texts go: identifiers and hashes, no words."""
    columns = (CASE_ITEMS.c.case_id, CASE_ITEMS.c.added_by, CASE_ITEMS.c.place, ITEMS.c.id, ITEMS.c.sha256)
    query = select(*columns).join(ITEMS, ITEMS.c.id == CASE_ITEMS.c.item_id).where(CASE_ITEMS.c.item_id.in_(ids))
    told: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in connection.execute(query.order_by(CASE_ITEMS.c.case_id, CASE_ITEMS.c.place)):
        about = {"id": row.id, "sha256": row.sha256, "place": row.place, "added_by": row.added_by}
        told[row.case_id].append(about)
        record(connection, reason.person, "case.erased", f"case:{row.case_id}", {"text": row.id, "sha256": row.sha256})
    for case_id, texts in told.items():
        detail = {"items": [one["id"] for one in texts], "texts": texts, "command": reason.told}
        who = reason.person.id if reason.person else None
        event = {"id": str(uuid.uuid4()), "case_id": case_id, "user_id": who, "made_at": moment, "kind": "erased"}
        connection.execute(CASE_EVENTS.insert().values(**event, detail=detail))
        # When it was closed is what its own time is counted from: `changed_at` stays.
        connection.execute(update(CASES).where(CASES.c.id == case_id).values(version=CASES.c.version + 1))
    _unsay_why(connection, set(ids))


def _unsay_why(connection: Connection, gone: set[str]) -> None:
    """Take out of the histories of cases what people wrote of texts that go: why they were there, or left."""
    events = select(CASE_EVENTS.c.number, CASE_EVENTS.c.detail).where(CASE_EVENTS.c.kind.in_(("added", "removed", "explained")))
    for number, detail in connection.execute(events).all():
        if gone & set(detail.get("items", ())) and len(detail) > 1:
            kept = {"items": detail["items"]}
            connection.execute(update(CASE_EVENTS).where(CASE_EVENTS.c.number == number).values(detail=kept))


def _leave_campaigns(connection: Connection, ids: Sequence[str]) -> None:
    """Take texts out of campaigns; what no text gives any more and what people wrote of campaigns without a text goes too."""
    named = set(connection.scalars(select(ITEM_CONTACTS.c.contact_id).where(ITEM_CONTACTS.c.item_id.in_(ids))))
    touched = set(connection.scalars(select(CAMPAIGN_EVENTS.c.campaign_id).where(CAMPAIGN_EVENTS.c.item_id.in_(ids))))
    touched |= set(campaigns_of(connection, ids).values())
    forget_items(connection, ids)
    linked = exists().where(ITEM_CONTACTS.c.contact_id == CONTACTS.c.id)
    connection.execute(delete(CONTACTS).where(CONTACTS.c.id.in_(named), ~linked))
    connection.execute(update(CAMPAIGN_EVENTS).where(CAMPAIGN_EVENTS.c.item_id.in_(ids)).values(detail={}, why=None))
    for some in lots(sorted(touched)):
        bare = list(connection.scalars(select(CAMPAIGNS.c.id).where(CAMPAIGNS.c.id.in_(some), CAMPAIGNS.c.texts == 0)))
        connection.execute(update(CAMPAIGN_EVENTS).where(CAMPAIGN_EVENTS.c.campaign_id.in_(bare)).values(detail={}, why=None))
        connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.id.in_(bare)).values(name=None, note=None))


def remove_copies(connection: Connection, digests: Collection[str], reason: Reason) -> int:
    """Take out the texts of these SHA-256 that the API was asked to keep, and corrections of them; returns how many."""
    moment = now()
    kept = connection.execute(select(TEXTS.c.id, TEXTS.c.sha256).where(TEXTS.c.sha256.in_(digests))).all()
    said = connection.execute(select(FEEDBACK.c.id, FEEDBACK.c.sha256).where(FEEDBACK.c.sha256.in_(digests))).all()
    rows = [_row("stored", "", row.sha256, reason, moment) for row in kept]
    rows += [_row("feedback", row.id, row.sha256, reason, moment) for row in said]
    if rows:
        connection.execute(PURGED.insert(), rows)
        connection.execute(delete(FEEDBACK).where(FEEDBACK.c.sha256.in_(digests)))
        connection.execute(update(FEEDBACK).where(FEEDBACK.c.text_id.in_([row.id for row in kept])).values(text_id=None))
        connection.execute(delete(TEXTS).where(TEXTS.c.sha256.in_(digests)))
    return len(rows)


def _row(kind: str, id: str, digest: str, reason: Reason, moment: datetime) -> Mapping[str, Any]:
    row = {"kind": kind, "item_id": id, "sha256": digest, "why": reason.why, "purged_at": moment, "written": reason.written}
    return dict.fromkeys(_KEPT) | row


def cut(connection: Connection, table: Table, keys: Sequence[Any]) -> None:
    """Delete rows of a table by their `id`, and first what refers to them: rows that are about them go, others only let go."""
    for column in _references(table):
        holder = column.table
        if column.nullable and not column.primary_key:
            connection.execute(update(holder).where(column.in_(keys)).values({column.name: None}))
        elif "id" in holder.c and any(_references(holder)):
            rows = connection.execute(select(holder.c.id).where(column.in_(keys))).scalars().all()
            for some in lots(rows):
                cut(connection, holder, some)
        else:
            connection.execute(delete(holder).where(column.in_(keys)))
    if table is ITEMS:
        connection.execute(update(ITEMS).where(ITEMS.c.resembles.in_(keys)).values(resembles=None))
    connection.execute(delete(table).where(table.c.id.in_(keys)))


def _references(table: Table) -> "Iterator[Column[Any]]":
    for holder in METADATA.sorted_tables:
        for key in holder.foreign_keys:
            if key.column.table is table and key.column.name == "id":
                column: Column[Any] = key.parent
                yield column
