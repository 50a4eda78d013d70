"""Cases as people work on them: opened, edited, moved from one status to the next; each change leaves an event."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, RowMapping, delete, func, select, update

from model.errors import VigieError
from service.cases.schema import CASE_EVENTS, CASE_ITEMS, CASE_PEOPLE, CASE_RECIPIENTS, CASES
from service.database import serialise
from service.workplace.audit_events import record_case_event
from service.workplace.people import Person, Role
from service.workplace.schema import ITEMS, USERS
from service.workplace.times import aware, now

STATUS_NAMES: Final = {
    "open": "ouvert",
    "review": "en relecture",
    "ready": "prêt",
    "transmitted": "transmis",
    "closed": "clos",
}
#: The moves that are allowed, and the least role of who makes them.
MOVES: Final[Mapping[tuple[str, str], Role]] = {
    ("open", "review"): "analyst",
    ("open", "closed"): "analyst",
    ("review", "open"): "analyst",
    ("review", "ready"): "reviewer",
    ("review", "closed"): "analyst",
    ("ready", "review"): "analyst",
    ("ready", "transmitted"): "reviewer",
    ("ready", "closed"): "reviewer",
    ("transmitted", "review"): "reviewer",
    ("transmitted", "closed"): "reviewer",
    ("closed", "open"): "reviewer",
}
#: Where the texts and words of a case may change.
EDITABLE: Final = frozenset({"open", "review"})
AUDIENCE_NAMES: Final = {"victim": "une victime", "relative": "un proche", "person_at_risk": "une personne en danger"}
LONGEST_TITLE: Final = 200
LONGEST_TEXT: Final = 20_000


class CaseError(VigieError):
    """What cannot be done with a case; the message, in French, names the field or says why."""


class StaleCaseError(CaseError):
    """Somebody changed the case since the person opened it."""


@dataclass(frozen=True, slots=True)
class Words:
    """What people write of a case; `people` and `recipients` are identifiers, `audience` whom the advice is for."""

    title: str
    summary: str = ""
    concerned: str = ""
    audience: str | None = None
    masks: str = ""
    people: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A case as it is now; instants in UTC, `people` and `recipients` are identifiers."""

    id: str
    number: int
    title: str
    summary: str
    concerned: str
    audience: str | None
    masks: str
    status: str
    version: int
    created_by: str
    created_at: datetime
    changed_at: datetime
    people: tuple[str, ...]
    recipients: tuple[str, ...]

    @property
    def editable(self) -> bool:
        """Whether its texts and words may change."""
        return self.status in EDITABLE

    @property
    def name(self) -> str:
        """How people name it: `D-12`."""
        return f"D-{self.number}"


def clean(value: str, field: str, longest: int, *, needed: bool = False) -> str:
    """What was typed in a field, with one kind of line end and nothing around.

    Raises:
        CaseError: it is too long, missing though needed, or holds a null character.
    """
    kept = value.replace("\r\n", "\n").replace("\r", "\n").strip()
    if "\x00" in kept:
        raise CaseError(f"{field} : un caractère nul ne peut pas être gardé.")
    if len(kept) > longest:
        raise CaseError(f"{field} : {len(kept)} caractères, {longest} au plus sont attendus.")
    if needed and not kept:
        raise CaseError(f"{field} : un texte est attendu.")
    return kept


def _checked(connection: Connection, words: Words) -> Words:
    title = " ".join(clean(words.title, "Titre", LONGEST_TITLE, needed=True).split())
    if words.audience is not None and words.audience not in AUDIENCE_NAMES:
        raise CaseError(f"Conseils pour « {words.audience} » : {', '.join(AUDIENCE_NAMES)} sont attendus.")
    people = tuple(sorted(set(words.people)))
    known = set(connection.scalars(select(USERS.c.id).where(USERS.c.id.in_(people), USERS.c.active)))
    if len(known) != len(people):
        raise CaseError("Personnes en charge : un des comptes choisis n'existe pas, ou il est fermé.")
    return Words(
        title,
        clean(words.summary, "Objet", LONGEST_TEXT),
        " ".join(clean(words.concerned, "Personne ou structure concernée", LONGEST_TITLE).split()),
        words.audience,
        clean(words.masks, "À masquer", LONGEST_TEXT),
        people,
        tuple(sorted({clean(one, "Destinataires", 60) for one in words.recipients} - {""})),
    )


def create_case(engine: Engine, person: Person, words: Words) -> Case:
    """Open a case; who opens it is in charge unless others are named.

    Raises:
        CaseError: a field cannot be kept.
    """
    with engine.begin() as connection:
        serialise(connection, "cases")
        return add_case(connection, person, words)


def add_case(connection: Connection, person: Person, words: Words) -> Case:
    """As `create_case`, in a transaction that writes."""
    kept = _checked(connection, words)
    number = int(connection.execute(select(func.coalesce(func.max(CASES.c.number), 0))).scalar_one()) + 1
    moment = now()
    id = str(uuid.uuid4())
    values = {"id": id, "number": number, "status": "open", "version": 1, "created_by": person.id}
    connection.execute(CASES.insert().values(**values, created_at=moment, changed_at=moment, **_columns(kept)))
    _link(connection, id, kept.people or (person.id,), kept.recipients)
    add_event(connection, id, person, "opened", {"title": kept.title})
    case = find_case(connection, id)
    assert case is not None
    return case


def _columns(words: Words) -> dict[str, Any]:
    return {name: getattr(words, name) for name in ("title", "summary", "concerned", "audience", "masks")}


def _link(connection: Connection, id: str, people: Sequence[str], recipients: Sequence[str]) -> None:
    connection.execute(delete(CASE_PEOPLE).where(CASE_PEOPLE.c.case_id == id))
    connection.execute(delete(CASE_RECIPIENTS).where(CASE_RECIPIENTS.c.case_id == id))
    if people:
        connection.execute(CASE_PEOPLE.insert(), [{"case_id": id, "user_id": one} for one in people])
    if recipients:
        connection.execute(CASE_RECIPIENTS.insert(), [{"case_id": id, "recipient": one} for one in recipients])


def edit_case(engine: Engine, id: str, person: Person, words: Words, version: int) -> Case:
    """Change the words of a case; `version` is the one that the person saw. What was written before stays in the history.

    Raises:
        CaseError: a field cannot be kept, or the case is no more editable.
        StaleCaseError: somebody changed the case meanwhile.
    """
    with engine.begin() as connection:
        case = hold_case(connection, id)
        if case.version != version:
            raise StaleCaseError("Ce dossier a changé depuis que vous l'avez ouvert : relisez-le, puis recommencez.")
        need_editable(case)
        kept = _checked(connection, words)
        before = {name: getattr(case, name) for name in (*_columns(kept), "people", "recipients")}
        after = _columns(kept) | {"people": kept.people or (person.id,), "recipients": kept.recipients}
        changed = [name for name, value in after.items() if value != before[name]]
        if changed:
            connection.execute(update(CASES).where(CASES.c.id == id).values(**_columns(kept)))
            _link(connection, id, after["people"], kept.recipients)
            add_event(
                connection, id, person, "edited", {name: {"before": before[name], "after": after[name]} for name in changed}
            )
        found = find_case(connection, id)
        assert found is not None
        return found


def move_case(engine: Engine, id: str, person: Person, status: str, version: int) -> Case:
    """Move a case to another status.

    Raises:
        CaseError: the move is not one of the table, the person's role does not allow it, or what it needs is missing.
        StaleCaseError: somebody changed the case meanwhile.
    """
    with engine.begin() as connection:
        case = hold_case(connection, id)
        if case.version != version:
            raise StaleCaseError("Ce dossier a changé depuis que vous l'avez ouvert : relisez-le, puis recommencez.")
        if status == "transmitted":
            raise CaseError("Un dossier est transmis quand vous dites à qui, quand, et sous quelle référence.")
        change_status(connection, case, person, status)
        found = find_case(connection, id)
        assert found is not None
        return found


def change_status(connection: Connection, case: Case, person: Person, status: str) -> None:
    """Change the status of a case that this transaction holds.

    Raises:
        CaseError: as `move_case`.
    """
    role = MOVES.get((case.status, status))
    if role is None:
        allowed = ", ".join(STATUS_NAMES[to] for start, to in MOVES if start == case.status)
        raise CaseError(f"Un dossier {STATUS_NAMES[case.status]} ne peut devenir que : {allowed}.")
    if not person.may(role):
        raise CaseError(f"Marquer un dossier « {STATUS_NAMES[status]} » demande le rôle de relecture.")
    if status == "ready" and not _decided(connection, case.id):
        raise CaseError("Un dossier est prêt quand au moins un de ses textes a une lecture humaine close : il n'y en a pas.")
    connection.execute(update(CASES).where(CASES.c.id == case.id).values(status=status))
    add_event(connection, case.id, person, "moved", {"before": case.status, "after": status})


def _decided(connection: Connection, id: str) -> bool:
    query = select(ITEMS.c.id).join(CASE_ITEMS, CASE_ITEMS.c.item_id == ITEMS.c.id)
    return connection.execute(query.where(CASE_ITEMS.c.case_id == id, ITEMS.c.state == "done").limit(1)).first() is not None


def hold_case(connection: Connection, id: str) -> Case:
    """The case, which nobody else changes until the transaction ends.

    Raises:
        CaseError: there is none.
    """
    if connection.execute(update(CASES).where(CASES.c.id == id).values(status=CASES.c.status)).rowcount != 1:
        raise CaseError("Ce dossier n'existe pas.")
    case = find_case(connection, id)
    assert case is not None
    return case


def need_editable(case: Case) -> None:
    """Whether the texts and words of a case may change.

    Raises:
        CaseError: they may not, in its status.
    """
    if not case.editable:
        raise CaseError(f"Ce dossier est {STATUS_NAMES[case.status]} : remettez-le en relecture, ou rouvrez-le, pour le changer.")


def add_event(connection: Connection, case_id: str, person: Person, kind: str, detail: Mapping[str, Any]) -> str:
    """Write what was done, by whom and when, and count the change; returns the event's identifier."""
    moment, id = now(), str(uuid.uuid4())
    row = {"id": id, "case_id": case_id, "user_id": person.id, "made_at": moment, "kind": kind, "detail": dict(detail)}
    connection.execute(CASE_EVENTS.insert().values(**row))
    record_case_event(connection, case_id, person, kind, detail)
    counted = {"changed_at": moment, "version": CASES.c.version + 1} if kind != "exported" else {}
    if counted:
        connection.execute(update(CASES).where(CASES.c.id == case_id).values(**counted))
    return id


def find_case(connection: Connection, id: str) -> Case | None:
    """The case of this identifier, or of its number (`D-12`), if any."""
    where = CASES.c.id == id
    if id.upper().startswith("D-") and id[2:].isdecimal() and len(id) < 12:
        where = CASES.c.number == int(id[2:])
    row = connection.execute(select(CASES).where(where)).mappings().first()
    return case_of(connection, row) if row else None


def case_of(connection: Connection, row: RowMapping) -> Case:
    """A row of `cases`, with its people and recipients."""
    people = connection.scalars(select(CASE_PEOPLE.c.user_id).where(CASE_PEOPLE.c.case_id == row["id"]))
    recipients = connection.scalars(select(CASE_RECIPIENTS.c.recipient).where(CASE_RECIPIENTS.c.case_id == row["id"]))
    values = dict(row) | {"created_at": aware(row["created_at"]), "changed_at": aware(row["changed_at"])}
    return Case(**values, people=tuple(sorted(people)), recipients=tuple(sorted(recipients)))
