"""The part of a text's page that says where and when else the text was seen."""

from typing import Final

from sqlalchemy import Connection

from service.workplace.items import Item
from service.workplace.panels import Panel
from service.workplace.people import Person
from service.workplace.receptions import receptions_of

_MOST: Final = 50


def receptions_panel(connection: Connection, item: Item, person: Person) -> Panel | None:
    """Each further time that a text came, with what its source said of it then; none where it came once."""
    found = receptions_of(connection, item.id, _MOST) if item.seen > 1 else []
    return Panel("receptions_panel.html", {"found": found, "seen": item.seen, "most": _MOST}) if found else None
