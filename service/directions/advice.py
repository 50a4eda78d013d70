"""What a victim, a relative or a person at risk can do, and whom to call."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from model.errors import TableError
from service.directions.checks import read_table, rows_of
from service.directions.tables import load_directions

Audience = Literal["victim", "relative", "person_at_risk"]
AUDIENCES: Final[tuple[Audience, ...]] = ("victim", "relative", "person_at_risk")


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do: a short title, the sentence; `verify`: our sources do not say it word for word."""

    title: str
    text: str
    verify: bool


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to call or write to, and what for; the entry of the authorities' table of the same identifier."""

    id: str
    name: str
    takes: str
    how: str
    phone: str
    link: str
    verify: bool
    group: str


@dataclass(frozen=True, slots=True)
class Advice:
    """Advice for somebody: a title, steps in order, contacts; `first` is what to do in an immediate danger."""

    title: str
    steps: tuple[Step, ...]
    contacts: tuple[Contact, ...]
    audience: str
    intro: str
    first: tuple[Step, ...]


def advice_for(audience: Audience) -> Advice:
    """The advice for a `victim`, a `relative` or a `person_at_risk`."""
    return _load()[audience]


@cache
def _load() -> Mapping[str, Advice]:
    """Every advice, by audience.

    Raises:
        TableError: the table is missing or wrong; the message names entry and field.
    """
    name = "advice.toml"
    table = read_table(name)
    fields: dict[str, type] = {"audience": str, "title": str, "intro": str, "contacts": list, "step": list}
    rows = rows_of(name, table.get("advice"), fields, unique="audience")
    if sorted(row["audience"] for row in rows) != sorted(AUDIENCES):
        raise TableError(f"Table {name} : une entrée pour chacun de {', '.join(AUDIENCES)} est attendue.")
    first = _steps(name, table.get("first"))
    found = {}
    for row in rows:
        where = f"{name} (« {row['audience']} »)"
        contacts = tuple(_contact(where, id) for id in row["contacts"])
        found[row["audience"]] = Advice(
            row["title"], _steps(where, list(row["step"])), contacts, row["audience"], row["intro"], first
        )
    return found


def _steps(where: str, rows: object) -> tuple[Step, ...]:
    return tuple(Step(**row) for row in rows_of(where, rows, {"title": str, "text": str, "verify": bool}, unique="title"))


def _contact(where: str, id: str) -> Contact:
    found = next((one for one in load_directions().authorities if one.id == id), None)
    if found is None:
        raise TableError(f"Table {where} : champ « contacts », « {id} » n'est pas dans authorities.toml.")
    return Contact(found.id, found.name, found.takes, found.how, found.phone, found.link, found.verify, found.group)
