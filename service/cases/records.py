"""What people write into a case: notes, the answers of the person concerned, what was handed on. Nothing is changed later."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, select

from service.cases.cases import LONGEST_TEXT, CaseError, add_event, change_status, clean, hold_case, need_editable
from service.cases.schema import CASE_ANSWERS, CASE_NOTES, CASE_SENDINGS
from service.database import sha256_text
from service.workplace.people import Person
from service.workplace.schema import USERS
from service.workplace.times import aware, now

#: By which way the person concerned answered.
WAYS: Final = {
    "mail": "courriel",
    "letter": "courrier",
    "phone": "téléphone",
    "meeting": "entretien",
    "publication": "publication",
    "other": "autre voie",
}


@dataclass(frozen=True, slots=True)
class Note:
    """A note; `exported`: dossiers hold it."""

    id: str
    who: str
    made_at: datetime
    text: str
    exported: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What the person concerned answered, as it was received; `replaced`: a later entry corrects this one."""

    id: str
    who: str
    made_at: datetime
    received_on: date
    way: str
    text: str
    sha256: str
    replaces: str | None
    replaced: bool

    @property
    def way_name(self) -> str:
        """The way, for people."""
        return WAYS[self.way]


@dataclass(frozen=True, slots=True)
class Sending:
    """What people say that they handed on: to whom, when, under which reference."""

    id: str
    who: str
    made_at: datetime
    recipient: str
    sent_on: date
    reference: str


def _write(connection: Connection, table: Any, case_id: str, person: Person, **values: Any) -> str:
    id = str(uuid.uuid4())
    connection.execute(table.insert().values(id=id, case_id=case_id, user_id=person.id, made_at=now(), **values))
    return id


def add_note(connection: Connection, case_id: str, person: Person, text: str, *, exported: bool) -> str:
    """Keep a note; nothing changes it afterwards. Returns its identifier.

    Raises:
        CaseError: there is no such case, or the note is empty or too long.
    """
    case = hold_case(connection, case_id)
    kept = clean(text, "Note", LONGEST_TEXT, needed=True)
    if exported:
        need_editable(case)
    id = _write(connection, CASE_NOTES, case_id, person, text=kept, exported=exported)
    add_event(connection, case_id, person, "noted", {"note": id, "exported": exported})
    return id


def add_answer(
    connection: Connection, case_id: str, person: Person, received_on: str, way: str, text: str, replaces: str | None = None
) -> str:
    """Keep what the person concerned answered, word for word, whatever the status of the case. Returns its identifier.

    `received_on` is a day (YYYY-MM-DD). `replaces` is the entry that this one corrects; both stay.

    Raises:
        CaseError: a field cannot be kept, or the entry to correct is not one of this case that still holds.
    """
    hold_case(connection, case_id)
    day = _day(received_on, "Reçue le")
    if way not in WAYS:
        raise CaseError("Voie de la réponse : choisissez-en une dans la liste.")
    if not text.strip() or len(text) > LONGEST_TEXT or "\x00" in text:
        raise CaseError(f"Réponse : un texte de 1 à {LONGEST_TEXT} caractères est attendu, tel que reçu.")
    kept = text.replace("\r\n", "\n")
    if replaces is not None and replaces not in {one.id for one in answers_of(connection, case_id) if not one.replaced}:
        raise CaseError("Réponse corrigée : elle n'est pas de ce dossier, ou elle a déjà été corrigée.")
    values = {"received_on": day, "way": way, "text": kept, "sha256": sha256_text(kept), "replaces": replaces}
    id = _write(connection, CASE_ANSWERS, case_id, person, **values)
    add_event(connection, case_id, person, "answered", {"answer": id, "way": way, "on": day.isoformat(), "replaces": replaces})
    return id


def add_sending(connection: Connection, case_id: str, person: Person, recipient: str, sent_on: str, reference: str) -> str:
    """Keep what a person says that they handed on; a ready case becomes a transmitted one. Returns its identifier.

    Raises:
        CaseError: a field cannot be kept, the case is not ready, or the person may not.
    """
    case = hold_case(connection, case_id)
    if case.status not in ("ready", "transmitted"):
        raise CaseError("Seul un dossier prêt se transmet : faites-le relire, puis marquez-le prêt.")
    if not person.may("reviewer"):
        raise CaseError("Dire un dossier transmis demande le rôle de relecture.")
    values = {
        "recipient": clean(recipient, "À qui", 200, needed=True),
        "sent_on": _day(sent_on, "Transmis le"),
        "reference": clean(reference, "Référence", 200),
    }
    id = _write(connection, CASE_SENDINGS, case_id, person, **values)
    detail = {"recipient": values["recipient"], "on": str(values["sent_on"]), "reference": values["reference"]}
    add_event(connection, case_id, person, "sent", detail)
    if case.status == "ready":
        change_status(connection, case, person, "transmitted")
    return id


def _day(value: str, field: str) -> date:
    try:
        day = date.fromisoformat(value.strip())
    except ValueError:
        raise CaseError(f"{field} : une date est attendue (AAAA-MM-JJ).") from None
    if not date(2000, 1, 1) <= day <= now().date():
        raise CaseError(f"{field} : une date entre 2000 et aujourd'hui est attendue.")
    return day


def notes_of(connection: Connection, case_id: str) -> list[Note]:
    """The notes of a case, oldest first."""
    return [
        Note(row["id"], row["who"], aware(row["made_at"]), row["text"], row["exported"])
        for row in _read(connection, CASE_NOTES, case_id)
    ]


def answers_of(connection: Connection, case_id: str) -> list[Answer]:
    """The answers of the person concerned, oldest first, corrected ones too."""
    rows = _read(connection, CASE_ANSWERS, case_id)
    replaced = {row["replaces"] for row in rows}
    names = ("id", "who", "received_on", "way", "text", "sha256", "replaces")
    return [
        Answer(**{name: row[name] for name in names}, made_at=aware(row["made_at"]), replaced=row["id"] in replaced)
        for row in rows
    ]


def sendings_of(connection: Connection, case_id: str) -> list[Sending]:
    """What was handed on, oldest first."""
    return [
        Sending(row["id"], row["who"], aware(row["made_at"]), row["recipient"], row["sent_on"], row["reference"])
        for row in _read(connection, CASE_SENDINGS, case_id)
    ]


def _read(connection: Connection, table: Any, case_id: str) -> Sequence[Any]:
    query = select(table, USERS.c.name.label("who")).join(USERS, USERS.c.id == table.c.user_id)
    return connection.execute(query.where(table.c.case_id == case_id).order_by(table.c.made_at, table.c.id)).mappings().all()
