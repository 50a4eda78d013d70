"""What the audit log keeps of the histories that campaigns, cases and models have of their own: no words, no values."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection

from service.workplace.audit import by_service, record

if TYPE_CHECKING:
    from service.workplace.people import Person

#: Details that are hashes and states, by kind of event of a case.
_OF_CASES: Final = {"exported": ("kind", "masked", "manifest_sha256", "file_sha256"), "moved": ("before", "after")}


def record_campaign_event(
    connection: Connection, campaign_id: str, kind: str, user: str, item: str | None, detail: Mapping[str, Any]
) -> None:
    """Record what a person (an account's identifier) did in a campaign; a decision is recorded with its text."""
    about = {name: detail[name] for name in ("decision", "contact") if isinstance(detail.get(name), str)}
    if kind == "decided" and item is not None:
        record(connection, user, "campaign.decided", f"text:{item}", about | {"campaign": campaign_id})
    else:
        about |= {"kind": kind} | ({"text": item} if item else {})
        record(connection, user, "campaign.change", f"campaign:{campaign_id}", about)


def record_case_event(connection: Connection, case_id: str, person: "Person", kind: str, detail: Mapping[str, Any]) -> None:
    """Record what a person did on a case: one record a text where texts come or go."""
    about = {name: detail[name] for name in _OF_CASES.get(kind, ()) if name in detail}
    for text in detail.get("items", ()) or (None,):
        record(connection, person, f"case.{kind}", f"case:{case_id}", about | ({"text": text} if text else {}))


def record_model_change(
    connection: Connection, person: "Person", kind: str, artefact: str, previous: str | None, number: int
) -> None:
    """Record a promotion, an override or a rollback, by its number in the table of promotions."""
    record(connection, person, f"model.{kind}", f"model:{artefact or '-'}", {"previous": previous, "promotion": number})


def record_model_undone(connection: Connection, artefact: str, number: int) -> None:
    """Record that a change of model that was recorded did not come about."""
    with by_service():
        record(connection, None, "model.undone", f"model:{artefact or '-'}", {"promotion": number})
