"""What a text's page shows of where it may go."""

from typing import Final

from sqlalchemy import Connection

from service.directions.advice import advice_for
from service.directions.routing import questions, recipients
from service.directions.texts import situation_of_item
from service.workplace.items import Item
from service.workplace.panels import Panel
from service.workplace.people import Person

_MOST_REASONS: Final = 2


def directions(connection: Connection, item: Item, person: Person) -> Panel | None:
    """« Où cela peut aller »: whom to consider and why; advice at once where somebody may be in danger."""
    situation = situation_of_item(connection, item)
    if situation is None:
        return None
    values = {
        "recipients": recipients(situation),
        "questions": len(questions(situation)),
        "undecided": "undecided" in situation.conditions,
        "flagged": "level_2" in situation.conditions,
        "advice": advice_for("person_at_risk") if "person_at_risk" in situation.conditions else None,
        "most": _MOST_REASONS,
    }
    return Panel("directions_panel.html", values)
