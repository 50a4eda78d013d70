"""The texts of a case, why each is there, and the history of the case."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, delete, func, select, update

from service.cases.cases import CaseError, add_event, clean, hold_case, need_editable
from service.cases.schema import CASE_EVENTS, CASE_ITEMS, CASES
from service.workplace.draws import alike_to_begun
from service.workplace.people import Person
from service.workplace.reading import hidden_from
from service.workplace.schema import ITEMS, USERS
from service.workplace.times import aware, now

#: Texts of a case: more would make a dossier that nobody reads.
MOST_TEXTS: Final = 500
LONGEST_WHY: Final = 2_000


@dataclass(frozen=True, slots=True)
class Kept:
    """A text of a case: where it stands in it, why it is there, who put it there and when (UTC)."""

    item_id: str
    place: int
    why: str
    added_by: str
    added_at: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was done on a case: number, who (a name, or the command that did it), when (UTC), what and its details."""

    number: int
    who: str
    made_at: datetime
    kind: str
    detail: dict[str, Any]


def add_texts(connection: Connection, case_id: str, person: Person, item_ids: Sequence[str], why: str) -> int:
    """Put texts in a case; returns how many were not there yet.

    Raises:
        CaseError: the case cannot change, a text does not exist, is blind for the person, or the case would be too long.
    """
    case = hold_case(connection, case_id)
    need_editable(case)
    reason = clean(why, "Pourquoi ce texte", LONGEST_WHY, needed=True)
    wanted = list(dict.fromkeys(item_ids))
    if not wanted:
        raise CaseError("Textes : choisissez-en au moins un.")
    if len(wanted) > MOST_TEXTS:
        raise CaseError(f"Textes : {MOST_TEXTS} au plus dans un dossier, {len(wanted)} choisis.")
    known = set(connection.scalars(select(ITEMS.c.id).where(ITEMS.c.id.in_(wanted))))
    if missing := [id for id in wanted if id not in known]:
        raise CaseError(f"Textes : {missing[0][:40]} n'existe pas.")
    if blind := hidden_among(connection, known, person):
        some = (
            "1 texte est à lire à l'aveugle : il ne peut"
            if len(blind) == 1
            else f"{len(blind)} textes sont à lire à l'aveugle : ils ne peuvent"
        )
        raise CaseError(f"{some} pas encore entrer dans un dossier.")
    here = {kept.item_id: kept.place for kept in texts_of(connection, case_id)}
    fresh = [id for id in wanted if id not in here]
    if len(here) + len(fresh) > MOST_TEXTS:
        raise CaseError(f"Textes : {MOST_TEXTS} au plus dans un dossier, il en aurait {len(here) + len(fresh)}.")
    if fresh:
        first, moment = max(here.values(), default=0) + 1, now()
        about = {"case_id": case_id, "why": reason, "added_by": person.id, "added_at": moment}
        connection.execute(CASE_ITEMS.insert(), [about | {"item_id": id, "place": first + n} for n, id in enumerate(fresh)])
        add_event(connection, case_id, person, "added", {"items": fresh, "why": reason})
    return len(fresh)


def hidden_among(connection: Connection, ids: Collection[str], person: Person) -> set[str]:
    """Which of these texts must not be open to a person, who may still read them blind."""
    found = alike_to_begun(connection, person) & set(ids)
    wanted = sorted(ids)
    for first in range(0, len(wanted), 500):
        part = wanted[first : first + 500]
        found |= set(connection.scalars(select(ITEMS.c.id).where(ITEMS.c.id.in_(part), ITEMS.c.id.in_(hidden_from(person)))))
    return found


def remove_text(connection: Connection, case_id: str, person: Person, item_id: str) -> None:
    """Take a text out of a case; the history keeps that it was there, and why.

    Raises:
        CaseError: the case cannot change, or the text is not in it.
    """
    need_editable(hold_case(connection, case_id))
    kept = _text_of(connection, case_id, item_id)
    connection.execute(delete(CASE_ITEMS).where(CASE_ITEMS.c.case_id == case_id, CASE_ITEMS.c.item_id == item_id))
    add_event(connection, case_id, person, "removed", {"items": [item_id], "why": kept.why})


def explain_text(connection: Connection, case_id: str, person: Person, item_id: str, why: str) -> None:
    """Say anew why a text is in a case.

    Raises:
        CaseError: the case cannot change, the text is not in it, or nothing was said.
    """
    need_editable(hold_case(connection, case_id))
    kept = _text_of(connection, case_id, item_id)
    reason = clean(why, "Pourquoi ce texte", LONGEST_WHY, needed=True)
    if reason != kept.why:
        where = (CASE_ITEMS.c.case_id == case_id, CASE_ITEMS.c.item_id == item_id)
        connection.execute(update(CASE_ITEMS).where(*where).values(why=reason))
        add_event(connection, case_id, person, "explained", {"items": [item_id], "before": kept.why, "after": reason})


def _text_of(connection: Connection, case_id: str, item_id: str) -> Kept:
    found = next((kept for kept in texts_of(connection, case_id) if kept.item_id == item_id), None)
    if found is None:
        raise CaseError("Ce texte n'est pas dans ce dossier.")
    return found


def texts_of(connection: Connection, case_id: str) -> list[Kept]:
    """The texts of a case, in order."""
    columns = (CASE_ITEMS.c.item_id, CASE_ITEMS.c.place, CASE_ITEMS.c.why, CASE_ITEMS.c.added_by, CASE_ITEMS.c.added_at)
    rows = connection.execute(select(*columns).where(CASE_ITEMS.c.case_id == case_id).order_by(CASE_ITEMS.c.place))
    return [Kept(id, place, why, by, aware(at)) for id, place, why, by, at in rows]


def cases_of(connection: Connection, item_id: str) -> list[tuple[str, int, str, str, str]]:
    """The cases that hold a text: identifier, number, title, status, and why it is there."""
    columns = (CASES.c.id, CASES.c.number, CASES.c.title, CASES.c.status, CASE_ITEMS.c.why)
    query = select(*columns).join(CASE_ITEMS, CASE_ITEMS.c.case_id == CASES.c.id).where(CASE_ITEMS.c.item_id == item_id)
    return [tuple(row) for row in connection.execute(query.order_by(CASES.c.number))]


def events_of(connection: Connection, case_id: str) -> list[Event]:
    """The history of a case, oldest first."""
    query = select(CASE_EVENTS, USERS.c.name.label("who")).outerjoin(USERS, USERS.c.id == CASE_EVENTS.c.user_id)
    rows = connection.execute(query.where(CASE_EVENTS.c.case_id == case_id).order_by(CASE_EVENTS.c.number)).mappings()
    return [Event(row["number"], _who(row), aware(row["made_at"]), row["kind"], row["detail"]) for row in rows]


def _who(row: RowMapping) -> str:
    """The name of the person, or of the command where no person acted here."""
    return row["who"] or f"commande « {row['detail'].get('command', 'vigie')} »"


def count_texts(connection: Connection, case_id: str) -> int:
    """How many texts a case holds."""
    query = select(func.count()).select_from(CASE_ITEMS).where(CASE_ITEMS.c.case_id == case_id)
    return int(connection.execute(query).scalar_one())
