"""Reviewed texts on which two models differ, as far as a person may see them: a blind reader must not."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Engine

from service.workplace.audit import record
from service.workplace.items import Item, find_item
from service.workplace.loop import Training
from service.workplace.people import Person
from service.workplace.reading import blind_among
from service.workplace.seen import note_seen, unseen_of

#: The part of a comparison that is made of texts of the workplace.
FRESH: Final = "fresh"


def open_flips(connection: Connection, training: Training, person: Person) -> dict[int, Mapping[str, Any]]:
    """The texts that change level, by number, less those that the person may still have to read blind."""
    flips = dict(enumerate(training.comparison["flips"], start=1)) if training.comparison else {}
    closed = blind_among(connection, [flip["id"] for flip in flips.values() if flip["part"] == FRESH], person)
    return {number: flip for number, flip in flips.items() if flip["part"] != FRESH or flip["id"] not in closed}


def open_flipped(engine: Engine, item_id: str, person: Person) -> Item | None:
    """A reviewed text that a person now sees with what models and people say of it, and so never reads blind."""
    with engine.connect() as connection:
        item = find_item(connection, item_id)
        fresh = unseen_of(connection, [item_id], person) if item else []
    if item is not None:
        with engine.begin() as connection:
            note_seen(connection, fresh, person, "flip")
            record(connection, person, "text.view", f"text:{item_id}", {"masked": person.masks})
    return item
