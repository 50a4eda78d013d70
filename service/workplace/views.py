"""Saved views of the queue: a name for a filter, one's own or shared with everyone."""

import uuid
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, func, or_, select

from model.errors import VigieError
from service.workplace.filters import Filter
from service.workplace.people import Person
from service.workplace.schema import USERS, VIEWS
from service.workplace.times import now

NAME_LONGEST: Final = 80
_MOST: Final = 100


class ViewError(VigieError):
    """A view that cannot be saved or removed; the message says why."""


@dataclass(frozen=True, slots=True)
class View:
    """A saved view; `owner` is the name of who saved it, `mine` whether that is who asks."""

    id: str
    name: str
    query: str
    shared: bool
    owner: str
    mine: bool


def save_view(connection: Connection, person: Person, name: str, wanted: Filter, *, shared: bool) -> str:
    """Save a filter under a name; a view of one's own of the same name is replaced. Returns its identifier.

    Raises:
        ViewError: the name is empty or too long, or there are too many views.
    """
    kept = " ".join(name.replace("\x00", "").split())
    if not 0 < len(kept) <= NAME_LONGEST:
        raise ViewError(f"Un nom de 1 à {NAME_LONGEST} caractères est attendu.")
    mine = VIEWS.c.user_id == person.id
    connection.execute(delete(VIEWS).where(mine, VIEWS.c.name == kept))
    if connection.execute(select(func.count()).select_from(VIEWS).where(mine)).scalar_one() >= _MOST:
        raise ViewError(f"Vous avez déjà {_MOST} vues : retirez-en une.")
    id = str(uuid.uuid4())
    row = {"id": id, "user_id": person.id, "name": kept, "query": wanted.query(), "shared": shared, "made_at": now()}
    connection.execute(VIEWS.insert().values(**row))
    return id


def views_of(connection: Connection, person: Person) -> list[View]:
    """One's own views and those that others share, by name."""
    query = (
        select(VIEWS.c.id, VIEWS.c.name, VIEWS.c.query, VIEWS.c.shared, USERS.c.name.label("owner"), VIEWS.c.user_id)
        .join(USERS, USERS.c.id == VIEWS.c.user_id)
        .where(or_(VIEWS.c.user_id == person.id, VIEWS.c.shared))
        .order_by(func.lower(VIEWS.c.name), VIEWS.c.id)
    )
    return [
        View(id, name, query, shared, owner, user == person.id)
        for id, name, query, shared, owner, user in connection.execute(query)
    ]


def remove_view(connection: Connection, id: str, person: Person) -> None:
    """Remove a view of one's own; administrators may remove any that is shared.

    Raises:
        ViewError: there is none of that identifier that the person may remove.
    """
    may = VIEWS.c.user_id == person.id
    if person.may("administrator"):
        may = or_(may, VIEWS.c.shared)
    if not connection.execute(delete(VIEWS).where(VIEWS.c.id == id, may)).rowcount:
        raise ViewError("Cette vue n'existe pas, ou c'est celle de quelqu'un d'autre.")
