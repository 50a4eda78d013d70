"""The list of cases: filtered by status, who is in charge, level, theme and recipient; each page reads what it shows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

from sqlalchemy import Connection, and_, exists, func, or_, select

from service.cases.cases import STATUS_NAMES, Case, case_of
from service.cases.contents import hidden_among
from service.cases.schema import CASE_ITEMS, CASE_PEOPLE, CASE_RECIPIENTS, CASES
from service.workplace.people import Person
from service.workplace.reading import hidden_from
from service.workplace.schema import ITEMS

PAGE: Final = 50
_LEVELS: Final = ("0", "1", "2", "3")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the list is asked for; empty: everything. `words` are looked for in titles and whom the case concerns."""

    status: str = ""
    in_charge: str = ""
    level: str = ""
    theme: str = ""
    recipient: str = ""
    words: str = ""

    @staticmethod
    def read(query: str) -> "Wanted":
        """What an address asks for; values that mean nothing are left out."""
        sent = {name: values[-1].strip()[:200] for name, values in parse_qs(query[:4_000]).items()}
        found = {_SHORT[field.name]: field.name for field in fields(Wanted)}
        values = {found[name]: value.replace("\x00", "") for name, value in sent.items() if name in found}
        if values.get("status") not in STATUS_NAMES:
            values.pop("status", None)
        if values.get("level") not in _LEVELS:
            values.pop("level", None)
        return Wanted(**values)

    def query(self) -> str:
        """The part of an address that asks for this."""
        named = ((_SHORT[field.name], getattr(self, field.name)) for field in fields(self))
        return urlencode({name: value for name, value in named if value})


_SHORT: Final = {
    "status": "etat",
    "in_charge": "charge",
    "level": "niveau",
    "theme": "theme",
    "recipient": "destinataire",
    "words": "q",
}


@dataclass(frozen=True, slots=True)
class Listed:
    """A case in the list: how many texts it has, how many were decided, and the highest level that people gave."""

    case: Case
    texts: int
    decided: int
    level: int | None


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the list, how many cases there are in all, and where the next page starts (None: nowhere)."""

    cases: Sequence[Listed]
    total: int
    following: int | None


def list_cases(connection: Connection, wanted: Wanted, person: Person, start: int = 0, most: int = PAGE) -> Page:
    """Cases, those that changed last first, from the `start`-th on."""
    where = _conditions(wanted, person)
    total = int(connection.execute(select(func.count()).select_from(CASES).where(*where)).scalar_one())
    query = select(CASES).where(*where).order_by(CASES.c.changed_at.desc(), CASES.c.id).offset(start).limit(most)
    found = [case_of(connection, row) for row in connection.execute(query).mappings().all()]
    counts = _counts(connection, [case.id for case in found], person)
    listed = [Listed(case, *counts.get(case.id, (0, 0, None))) for case in found]
    return Page(listed, total, start + most if start + most < total else None)


def _conditions(wanted: Wanted, person: Person) -> list[Any]:
    where: list[Any] = []
    if wanted.status:
        where.append(CASES.c.status == wanted.status)
    if wanted.in_charge:
        one = person.id if wanted.in_charge == "moi" else wanted.in_charge
        where.append(CASES.c.id.in_(select(CASE_PEOPLE.c.case_id).where(CASE_PEOPLE.c.user_id == one)))
    if wanted.recipient:
        where.append(CASES.c.id.in_(select(CASE_RECIPIENTS.c.case_id).where(CASE_RECIPIENTS.c.recipient == wanted.recipient)))
    seen = and_(CASE_ITEMS.c.case_id == CASES.c.id, CASE_ITEMS.c.item_id == ITEMS.c.id, ITEMS.c.id.not_in(hidden_from(person)))
    if wanted.level:
        where.append(exists(select(ITEMS.c.id).where(seen, ITEMS.c.decided_level == int(wanted.level))))
    if wanted.theme:
        where.append(exists(select(ITEMS.c.id).where(seen, ITEMS.c.theme == wanted.theme)))
    for word in wanted.words.split()[:8]:
        part = f"%{_literal(word.lower())}%"
        title, concerned = func.lower(CASES.c.title), func.lower(CASES.c.concerned)
        where.append(or_(title.like(part, escape="\\"), concerned.like(part, escape="\\")))
    return where


def _literal(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _counts(connection: Connection, ids: Sequence[str], person: Person) -> Mapping[str, tuple[int, int, int | None]]:
    query = select(CASE_ITEMS.c.case_id, ITEMS.c.id, ITEMS.c.state, ITEMS.c.decided_level)
    rows = connection.execute(query.join(ITEMS, ITEMS.c.id == CASE_ITEMS.c.item_id).where(CASE_ITEMS.c.case_id.in_(ids))).all()
    hidden = hidden_among(connection, {row.id for row in rows}, person)
    texts = Counter(row.case_id for row in rows)
    decided = Counter(row.case_id for row in rows if row.state == "done" and row.id not in hidden)
    levels: dict[str, int] = {}
    for row in rows:
        if row.state == "done" and row.id not in hidden and row.decided_level is not None:
            levels[row.case_id] = max(levels.get(row.case_id, 0), row.decided_level)
    return {id: (texts[id], decided[id], levels.get(id)) for id in texts}


def themes_of(connection: Connection) -> list[str]:
    """The themes of the texts that cases hold."""
    query = select(ITEMS.c.theme).join(CASE_ITEMS, CASE_ITEMS.c.item_id == ITEMS.c.id).where(ITEMS.c.theme.is_not(None))
    return sorted(set(connection.scalars(query.distinct())))


def recipients_chosen(connection: Connection) -> list[str]:
    """The recipients that cases name."""
    return sorted(set(connection.scalars(select(CASE_RECIPIENTS.c.recipient).distinct())))
