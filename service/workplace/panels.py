"""Parts that other modules add to a text's page, and actions that they add to the queue's ticked texts.

`service.routes` names them in `ITEM_PANELS` and `LOT_ACTIONS`, as "service.module:function".
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Protocol

from sqlalchemy import Connection

from service.workplace.items import Item
from service.workplace.people import Person


@dataclass(frozen=True, slots=True)
class Panel:
    """A part of a text's page: a template, with its own h2, and what it shows, under the name `panel`.

    Besides `panel`, the template may use `item`, `person`, `csrf`, `masked` and the filters of all pages; it imports the
    macros that it needs itself.
    """

    template: str
    values: Mapping[str, Any]


class Sent(Protocol):
    """A form as it was sent."""

    def get(self, key: str, /) -> object:
        """The value of a field."""


@dataclass(frozen=True, slots=True)
class LotAction:
    """Something to do with the texts ticked in the queue.

    `name` is the value of the button's field `action`: lower-case ASCII letters and dashes. `template` holds the fields
    and the button `<button type="submit" name="action" value="{name}">`, without a form of its own; it is given
    `lot`, that is `values`. `run` is given the identifiers that were ticked (those of texts that exist and that the person
    may see) and the form, in a transaction, and returns how many it was done with; `told` says it, in French, for one and
    for more: "un texte est ajouté au dossier.|{n} textes sont ajoutés au dossier."

    Raises (`run`):
        ValueError: nothing was done; the message, in French, says why.
    """

    name: str
    template: str
    values: Mapping[str, Any]
    run: Callable[[Connection, Sequence[str], Person, Sent], int]
    told: str


ItemPanel = Callable[[Connection, Item, Person], Panel | None]
#: The action for this person, with what its fields offer now; None where they may not.
LotActionOf = Callable[[Connection, Person], LotAction | None]


@cache
def named(path: str) -> Callable[..., Any]:
    """The function that "service.module:function" names."""
    module, _, function = path.partition(":")
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found


def panels_of(names: Sequence[str], connection: Connection, item: Item, person: Person) -> list[Panel]:
    """The parts that these functions make of a text's page for a person, in their order."""
    found = (named(name)(connection, item, person) for name in names)
    return [panel for panel in found if panel is not None]


def lot_actions_of(names: Sequence[str], connection: Connection, person: Person) -> list[LotAction]:
    """What these functions let a person do with ticked texts, in their order."""
    found = (named(name)(connection, person) for name in names)
    return [action for action in found if action is not None]
