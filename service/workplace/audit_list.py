"""The audit log as people look through it: narrowed, page by page, newest first; and as files."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

from sqlalchemy import ColumnElement, Connection, Engine, RowMapping, select

from model.errors import VigieError
from service.workplace.audit_actions import ACTIONS, DETAILS, GROUPS
from service.workplace.audit_chain import FIELDS
from service.workplace.audit_schema import AUDIT
from service.workplace.exports import csv_lines
from service.workplace.people import Person
from service.workplace.schema import USERS
from service.workplace.times import aware, midnight

#: Formats of an exported log: content type and name.
FORMATS: Final = {"jsonl": ("application/x-ndjson", "JSONL"), "csv": ("text/csv; charset=utf-8", "CSV")}

_PAGE: Final = 2_000
_LONGEST: Final = 250


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records: an account's identifier, an action or a group of them, an object (`text:…`, or its identifier alone), days
    of people in Paris (ISO, both included). Empty values ask for nothing.
    """

    personne: str = ""
    action: str = ""
    objet: str = ""
    depuis: str = ""
    jusqua: str = ""

    @classmethod
    def read(cls, query: str) -> "Wanted":
        """What an address asks for; what it does not know, or cannot be, is left aside."""
        given = parse_qs(query[:4_000])
        kept = {one.name: given.get(one.name, [""])[-1].strip().replace("\x00", "")[:_LONGEST] for one in fields(cls)}
        if kept["action"] not in ACTIONS and kept["action"] not in GROUPS:
            kept["action"] = ""
        return cls(**{name: value for name, value in kept.items() if name not in ("depuis", "jusqua") or _day(value)})

    def query(self) -> str:
        """The address's query that reads as this."""
        return urlencode({one.name: getattr(self, one.name) for one in fields(self) if getattr(self, one.name)})

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same, for a query on the table."""
        found: list[ColumnElement[bool]] = []
        if self.personne:
            found.append(AUDIT.c.actor == self.personne)
        if self.action:
            names = [name for name in ACTIONS if name == self.action or name.startswith(f"{self.action}.")]
            found.append(AUDIT.c.action.in_(names))
        if self.objet:
            kinds = sorted({name.partition(".")[0] for name in ACTIONS} | {"decision"})
            whole = [self.objet] if ":" in self.objet else [f"{kind}:{self.objet}" for kind in kinds]
            found.append(AUDIT.c.object.in_(whole))
        if first := _day(self.depuis):
            found.append(AUDIT.c.at >= _start(first))
        if last := _day(self.jusqua):
            found.append(AUDIT.c.at < _start(last + timedelta(days=1)))
        return found


def _day(value: str) -> date | None:
    try:
        found = date.fromisoformat(value)
    except ValueError:
        return None
    # Beyond these, the instant of midnight in UTC, or the day after, would be no date.
    return found if date(1900, 1, 1) <= found <= date(9000, 1, 1) else None


def _start(day: date) -> str:
    return midnight(day).strftime("%Y-%m-%dT%H:%M:%S")


@dataclass(frozen=True, slots=True)
class Shown:
    """A record for people: `who` is the name of the account (None where there is none, or it is unknown)."""

    number: int
    at: datetime
    who: str | None
    actor: str
    means: str
    means_id: str
    address: str
    action: str
    object: str
    details: Mapping[str, Any]

    @property
    def action_name(self) -> str:
        """What was done, in French."""
        return ACTIONS.get(self.action, self.action)

    @property
    def told(self) -> list[tuple[str, str]]:
        """The details, each with its name, in French as far as they are words."""
        return [(DETAILS.get(name, name), _words(value)) for name, value in self.details.items()]

    @property
    def link(self) -> str | None:
        """The page of what it is about, if there is one."""
        kind, _, id = self.object.partition(":")
        place = _PLACES.get(kind)
        return f"{place}/{id}" if place and id.replace("-", "").isalnum() else None


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "oui" if value else "non"
    if isinstance(value, list):
        return ", ".join(map(_words, value)) or "–"
    return "–" if value is None else str(value)


_PLACES: Final = {
    "text": "/textes",
    "case": "/dossiers",
    "contact": "/contacts",
    "campaign": "/campagnes",
    "import": "/imports",
    "export": "/export",
}


def page_of(
    connection: Connection, wanted: Wanted, most: int, before: int | None = None, after: int | None = None
) -> list[Shown]:
    """Records, newest first: those older than number `before`, or the ones that come just after number `after`."""
    query = select(AUDIT, USERS.c.name.label("who")).outerjoin(USERS, USERS.c.id == AUDIT.c.actor).where(*wanted.conditions())
    if after is not None:
        found = query.where(AUDIT.c.number > after).order_by(AUDIT.c.number)
    elif before is not None:
        found = query.where(AUDIT.c.number < before).order_by(AUDIT.c.number.desc())
    else:
        found = query.order_by(AUDIT.c.number.desc())
    rows = [_shown(row) for row in connection.execute(found.limit(most)).mappings()]
    return sorted(rows, key=lambda row: -row.number)


def own_trail(engine: Engine, person: Person, most: int = 5) -> list[Shown]:
    """The last of what a person did, newest first."""
    with engine.connect() as connection:
        return page_of(connection, Wanted(personne=person.id), most)


def _shown(row: RowMapping) -> Shown:
    names = ("number", "who", "actor", "means", "means_id", "address", "action", "object")
    return Shown(**{name: row[name] for name in names}, at=_instant(row["at"]), details=_details(row["details"]))


def _instant(at: str) -> datetime:
    # What was tampered with is shown as far as it can be; it is for the verification to say so.
    try:
        return aware(datetime.fromisoformat(at))
    except ValueError:
        return aware(datetime.min)


def _details(written: str) -> Mapping[str, Any]:
    try:
        found = json.loads(written)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def exported(engine: Engine, kind: str, wanted: Wanted | None = None) -> Iterator[bytes]:
    """The records as `jsonl` or `csv`, oldest first, piece by piece in constant memory. Whole, it can be verified elsewhere.

    Raises:
        VigieError: another format.
    """
    if kind not in FORMATS:
        raise VigieError(f"Format « {kind} » : un de ceux-ci est attendu : {', '.join(FORMATS)}.")
    rows = _rows(engine, wanted or Wanted())
    if kind == "csv":
        return csv_lines(FIELDS, ([row[name] for name in FIELDS] for row in rows))
    return (json.dumps(dict(row), ensure_ascii=True).encode() + b"\n" for row in rows)


def _rows(engine: Engine, wanted: Wanted) -> Iterator[Mapping[str, Any]]:
    query = select(*(AUDIT.c[name] for name in FIELDS)).where(*wanted.conditions()).order_by(AUDIT.c.number).limit(_PAGE)
    last = None
    while True:
        with engine.connect() as connection:
            found = query if last is None else query.where(AUDIT.c.number > last)
            rows = connection.execute(found).mappings().all()
        yield from map(dict, rows)
        if not rows:
            return
        last = rows[-1]["number"]
