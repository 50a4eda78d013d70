"""Requests of the people whom texts are about: access, erasure, contestation. Every step is kept; a person takes each of them.

The answer is due within one month of the request, two months more where it is complex and the person is told so (GDPR,
article 12, 3). Nothing is sent by the program.
"""

import calendar
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal

from sqlalchemy import Connection, RowMapping, func, select, update

from model.errors import VigieError
from service.database import serialise
from service.privacy.contacts import KIND_NAMES as CONTACT_NAMES
from service.privacy.contacts import Wanted, read_contact
from service.privacy.schema import REEXAMINATIONS, REQUEST_STEPS, REQUESTS
from service.workplace.audit import record
from service.workplace.people import ROLE_NAMES, Person, Role
from service.workplace.schema import USERS
from service.workplace.times import aware, local_day, now

Kind = Literal["access", "erasure", "contestation"]
KIND_NAMES: Final[Mapping[str, str]] = {
    "access": "accès",
    "erasure": "effacement",
    "contestation": "contestation",
}
STATE_NAMES: Final = {"open": "en cours", "answered": "répondue", "refused": "refusée"}
STEP_NAMES: Final = {
    "opened": "demande enregistrée",
    "proved": "identité vérifiée",
    "searched": "recherche faite",
    "extended": "délai prolongé",
    "exported": "réponse à un accès préparée",
    "erased": "effacement fait",
    "contested": "réexamen demandé",
    "answered": "réponse donnée",
    "refused": "demande refusée",
}
#: Months to answer, and more of them where the request is complex.
MONTHS: Final = 1
MORE_MONTHS: Final = 2
LONGEST: Final = 2_000


class RequestError(VigieError):
    """What cannot be done of a request; the message names the field or says why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it is now; instants in UTC, days as people count them. `proof`: how it was made sure who asks."""

    id: str
    number: int
    kind: Kind
    contact_kind: str
    contact: str
    proof: str
    note: str
    state: str
    received_on: date
    due_on: date
    extended: bool
    made_at: datetime
    closed_at: datetime | None

    @property
    def wanted(self) -> Wanted:
        """The contact to look for.

        Raises:
            RequestError: it was purged with the request.
        """
        if self.contact_kind not in CONTACT_NAMES:
            raise RequestError("Cette demande est purgée : son contact n'est plus connu.")
        return Wanted(self.contact_kind, self.contact)  # type: ignore[arg-type]

    @property
    def words(self) -> str:
        """The contact, for people."""
        return self.wanted.words if self.contact_kind in CONTACT_NAMES else "contact purgé"

    @property
    def open(self) -> bool:
        """Whether it waits for an answer."""
        return self.state == "open"

    def late(self, today: date) -> bool:
        """Whether it should have been answered."""
        return self.open and today > self.due_on


@dataclass(frozen=True, slots=True)
class Step:
    """Something that was done of a request: by whom (the role; None: the command), when (UTC), what."""

    role: Role | None
    who: str
    made_at: datetime
    kind: str
    detail: Mapping[str, Any]


def months_later(day: date, months: int) -> date:
    """The same day so many months later, or the last one of that month where it has no such day."""
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def _said(value: str, field: str, *, needed: bool = False) -> str:
    kept = value.replace("\r\n", "\n").replace("\x00", "").strip()
    if len(kept) > LONGEST:
        raise RequestError(f"{field} : {len(kept)} caractères, {LONGEST} au plus sont attendus.")
    if needed and not kept:
        raise RequestError(f"{field} : un texte est attendu.")
    return kept


def open_request(
    connection: Connection, person: Person | None, kind: str, contact: str, received_on: date, note: str = ""
) -> Asked:
    """Keep a request; its contact is kept in one form, however it is written.

    Raises:
        ContactError: the contact is none that can be looked for.
        RequestError: the kind is unknown, or the day is to come.
    """
    if kind not in KIND_NAMES:
        raise RequestError(f"Demande « {kind[:40]} » : une de celles-ci est attendue : {', '.join(KIND_NAMES)}.")
    wanted = read_contact(contact)
    if received_on > local_day(now()):
        raise RequestError(f"Reçue le : {received_on.isoformat()} est à venir ; le jour où la demande est arrivée est attendu.")
    serialise(connection, "requests")
    number = int(connection.execute(select(func.coalesce(func.max(REQUESTS.c.number), 0))).scalar_one()) + 1
    id = str(uuid.uuid4())
    values = {
        "id": id,
        "number": number,
        "kind": kind,
        "contact_kind": wanted.kind,
        "contact": wanted.value,
        "proof": "",
        "note": _said(note, "Note"),
        "state": "open",
        "received_on": received_on,
        "due_on": months_later(received_on, MONTHS),
        "extended": False,
        "user_id": person.id if person else None,
        "made_at": now(),
    }
    connection.execute(REQUESTS.insert().values(**values))
    note_step(connection, id, person, "opened", {"kind": kind})
    record(connection, person, "privacy.request", f"request:{id}", {"kind": kind, "number": number})
    return need_request(connection, id)


def note_step(connection: Connection, id: str, person: Person | None, kind: str, detail: Mapping[str, Any]) -> None:
    """Keep what was done of a request."""
    row = {"request_id": id, "user_id": person.id if person else None, "made_at": now(), "kind": kind, "detail": dict(detail)}
    connection.execute(REQUEST_STEPS.insert().values(**row))


def _asked(row: RowMapping) -> Asked:
    values = {name: row[name] for name in Asked.__dataclass_fields__}
    values["made_at"] = aware(values["made_at"])
    values["closed_at"] = aware(values["closed_at"]) if values["closed_at"] else None
    return Asked(**values)


def find_request(connection: Connection, id: str) -> Asked | None:
    """The request of this identifier, or of its number (`12`), if any."""
    where = REQUESTS.c.number == int(id) if id.isdecimal() and len(id) < 10 else REQUESTS.c.id == id
    row = connection.execute(select(REQUESTS).where(where)).mappings().first()
    return _asked(row) if row else None


def need_request(connection: Connection, id: str) -> Asked:
    """As `find_request`.

    Raises:
        RequestError: there is none.
    """
    found = find_request(connection, id)
    if found is None:
        raise RequestError(f"Demande « {id[:40]} » : elle n'existe pas.")
    return found


def need_open(connection: Connection, id: str) -> Asked:
    """The request, which nobody else changes until the transaction ends.

    Raises:
        RequestError: there is none, or it is closed.
    """
    found = need_request(connection, id)
    held = connection.execute(update(REQUESTS).where(REQUESTS.c.id == found.id, REQUESTS.c.state == "open").values(state="open"))
    if not held.rowcount:
        raise RequestError(f"La demande n° {found.number} est close.")
    return found


def requests_of(connection: Connection, limit: int = 200) -> list[Asked]:
    """Requests: those that wait first, the nearest due first; then the others, newest first."""
    waiting = select(REQUESTS).where(REQUESTS.c.state == "open").order_by(REQUESTS.c.due_on, REQUESTS.c.number)
    over = select(REQUESTS).where(REQUESTS.c.state != "open").order_by(REQUESTS.c.number.desc()).limit(limit)
    return [_asked(row) for query in (waiting, over) for row in connection.execute(query).mappings()]


def steps_of(connection: Connection, id: str) -> list[Step]:
    """What was done of a request, oldest first."""
    query = (
        select(REQUEST_STEPS, USERS.c.role, USERS.c.name)
        .outerjoin(USERS, USERS.c.id == REQUEST_STEPS.c.user_id)
        .where(REQUEST_STEPS.c.request_id == id)
        .order_by(REQUEST_STEPS.c.number)
    )
    return [
        Step(row["role"], row["name"] or "commande", aware(row["made_at"]), row["kind"], row["detail"])
        for row in connection.execute(query).mappings()
    ]


def prove(connection: Connection, id: str, person: Person | None, proof: str) -> None:
    """Say how it was made sure that the contact is theirs.

    Raises:
        RequestError: nothing is said, or the request is closed.
    """
    asked = need_open(connection, id)
    said = _said(proof, "Vérification de l'identité", needed=True)
    connection.execute(update(REQUESTS).where(REQUESTS.c.id == asked.id).values(proof=said))
    note_step(connection, asked.id, person, "proved", {})


def need_proof(asked: Asked) -> None:
    """Whether it was made sure who asks.

    Raises:
        RequestError: nobody said so yet.
    """
    if not asked.proof:
        raise RequestError("Dites d'abord comment vous avez vérifié que ce contact est bien celui de la personne qui demande.")


def extend(connection: Connection, id: str, person: Person | None, why: str) -> Asked:
    """Give two months more, once, where the request is complex; the person must be told within the first month.

    Raises:
        RequestError: it was extended, is closed or late already, or nothing says why.
    """
    asked = need_open(connection, id)
    said = _said(why, "Pourquoi prolonger", needed=True)
    if asked.extended or asked.late(local_day(now())):
        raise RequestError("Le délai ne se prolonge qu'une fois, et avant qu'il ne soit passé.")
    due = months_later(asked.received_on, MONTHS + MORE_MONTHS)
    connection.execute(update(REQUESTS).where(REQUESTS.c.id == asked.id).values(due_on=due, extended=True))
    connection.execute(update(REEXAMINATIONS).where(REEXAMINATIONS.c.request_id == asked.id).values(due_on=due))
    note_step(connection, asked.id, person, "extended", {"why": said, "due_on": due.isoformat()})
    return need_request(connection, asked.id)


def close_request(connection: Connection, id: str, person: Person | None, state: str, words: str) -> None:
    """Say that a person answered, or refused, and what they said; the program sends nothing.

    Raises:
        RequestError: the state is none of these, nothing is said, or the request is closed.
    """
    if state not in ("answered", "refused"):
        raise RequestError(f"Issue « {state[:40]} » : answered ou refused est attendu.")
    asked = need_open(connection, id)
    said = _said(words, "Ce qui a été répondu", needed=True)
    connection.execute(update(REQUESTS).where(REQUESTS.c.id == asked.id).values(state=state, closed_at=now()))
    note_step(connection, asked.id, person, state, {"words": said})
    action = "privacy.answer" if state == "answered" else "privacy.refused"
    record(connection, person, action, f"request:{asked.id}", {"number": asked.number})


def role_name(role: str | None) -> str:
    """Who did something, without their name: « relecture », « commande »."""
    return next((name for known, name in ROLE_NAMES.items() if known == role), "commande")


def searched(steps: Sequence[Step]) -> Mapping[str, Any] | None:
    """What the last search found; None where nobody searched yet."""
    return next((step.detail for step in reversed(steps) if step.kind == "searched"), None)
