"""What people know of a case besides its texts: somebody says to have been harmed, somebody may be in danger now.

Only a person says so, in two boxes of the case's page: nothing else ever does, neither a text nor whom the advice is for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from service.cases.cases import add_event, hold_case, need_editable
from service.cases.contents import Event, events_of
from service.cases.records import Answer, Sending
from service.workplace.people import Person

#: The kind of the event that holds it, in the history of the case.
KIND: Final = "told"


@dataclass(frozen=True, slots=True)
class Told:
    """What people said last of a case."""

    victim: bool = False
    urgency: bool = False

    @property
    def words(self) -> str:
        """What was said, in one French phrase."""
        both = ((self.victim, "une personne dit avoir subi un tort"), (self.urgency, "un danger immédiat est possible"))
        return ", ".join(words for holds, words in both if holds) or "ni tort subi ni danger immédiat n'est dit"


def told_of(events: Sequence[Event]) -> Told:
    """What the history of a case, oldest first, says last."""
    last = next((one.detail for one in reversed(events) if one.kind == KIND), {})
    return Told(last.get("victim") is True, last.get("urgency") is True)


def tell(connection: Connection, case_id: str, person: Person, told: Told) -> bool:
    """Write what a person knows of a case; returns whether that changes anything.

    Raises:
        CaseError: there is no such case, or it cannot change.
    """
    need_editable(hold_case(connection, case_id))
    if told == told_of(events_of(connection, case_id)):
        return False
    add_event(connection, case_id, person, KIND, {"victim": told.victim, "urgency": told.urgency})
    return True


def awaiting(answers: Sequence[Answer], sendings: Sequence[Sending]) -> list[str]:
    """Who got the case before an answer of the person concerned was written down, and was not sent it since."""
    held = [one for one in answers if not one.replaced]
    waiting: dict[str, str] = {}
    for answer in held:
        later = {_key(one) for one in sendings if one.made_at > answer.made_at and one.sent_on >= answer.received_on}
        before = [one for one in sendings if one.made_at <= answer.made_at]
        waiting |= {_key(one): one.recipient for one in before if _key(one) not in later}
    return list(waiting.values())


def _key(sending: Sending) -> str:
    return " ".join(sending.recipient.casefold().split())
