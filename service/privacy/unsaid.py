"""Taking out what people wrote, where there is no text to delete: the words of closed cases, the contacts of closed requests."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, select, update

from service.cases.schema import CASE_ANSWERS, CASE_EVENTS, CASE_NOTES, CASE_SENDINGS, CASES
from service.privacy.removal import Reason
from service.privacy.schema import PURGED, REQUEST_STEPS, REQUESTS
from service.workplace.audit import record
from service.workplace.choices import secret
from service.workplace.times import now

#: What a case whose words were purged is called.
PURGED_TITLE: Final = "Dossier purgé"
#: What the contact of a request is, once it is only a hash.
PURGED_CONTACT: Final = "purged"
#: Events of a case whose details hold what people wrote.
_WORDED: Final = ("opened", "edited", "added", "removed", "explained")


def unsay_case(connection: Connection, id: str, reason: Reason) -> bool:
    """Take what people wrote out of a case; its number, dates, states, recipients and the hashes of its exports stay.

    False where there is no such case, or nothing left to take.
    """
    wanted = (CASES.c.id == id, CASES.c.title != PURGED_TITLE)
    blank = {"title": PURGED_TITLE, "summary": "", "concerned": "", "masks": ""}
    if not connection.execute(update(CASES).where(*wanted).values(**blank)).rowcount:
        return False
    connection.execute(update(CASE_NOTES).where(CASE_NOTES.c.case_id == id).values(text=""))
    connection.execute(update(CASE_ANSWERS).where(CASE_ANSWERS.c.case_id == id).values(text="", sha256=""))
    connection.execute(update(CASE_SENDINGS).where(CASE_SENDINGS.c.case_id == id).values(reference=""))
    events = select(CASE_EVENTS.c.number, CASE_EVENTS.c.detail).where(
        CASE_EVENTS.c.case_id == id, CASE_EVENTS.c.kind.in_(_WORDED)
    )
    for number, detail in connection.execute(events).all():
        kept = {"items": detail["items"]} if "items" in detail else {}
        connection.execute(update(CASE_EVENTS).where(CASE_EVENTS.c.number == number).values(detail=kept))
    row = {"kind": "case", "item_id": id, "sha256": "", "why": reason.why, "purged_at": now(), "written": reason.written}
    connection.execute(PURGED.insert().values(**row))
    record(connection, reason.person, "case.erased", f"case:{id}", {"why": reason.why})
    return True


def unsay_requests(connection: Connection, ids: Sequence[str]) -> None:
    """Take the contact and the words out of closed requests: a keyed hash tells later that the same contact asked before."""
    key = secret(connection)
    for row in connection.execute(select(REQUESTS.c.id, REQUESTS.c.contact).where(REQUESTS.c.id.in_(ids))).all():
        digest = hmac.new(key, f"request\x1f{row.contact}".encode(), hashlib.sha256).hexdigest()
        blank = {"contact_kind": PURGED_CONTACT, "contact": digest, "proof": "", "note": ""}
        connection.execute(update(REQUESTS).where(REQUESTS.c.id == row.id).values(**blank))
        connection.execute(update(REQUEST_STEPS).where(REQUEST_STEPS.c.request_id == row.id).values(detail={}))
