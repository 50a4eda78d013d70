"""What the pages of cases show, and the parts that cases add to a text's page and to the queue."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, select

from service.cases.cases import (
    AUDIENCE_NAMES,
    EDITABLE,
    MOVES,
    STATUS_NAMES,
    CaseError,
    Words,
    add_case,
    find_case,
)
from service.cases.contents import add_texts, cases_of, hidden_among
from service.cases.dossier import content_of, event_words
from service.cases.excerpts import start_of
from service.cases.gathering import Gathered, Read, SetApart, gather
from service.cases.guidance import authority_names
from service.cases.records import WAYS
from service.cases.schema import CASE_EXPORTS, CASES
from service.cases.told import awaiting, told_of
from service.database import serialise
from service.workplace.items import Item
from service.workplace.masking import hidden_texts
from service.workplace.panels import LotAction, Panel, Sent
from service.workplace.people import Person
from service.workplace.schema import USERS
from service.workplace.textpage import LEVEL_NAMES
from service.workplace.times import aware, now

TEXTS_A_PAGE: Final = 25
_START: Final = 280
_RECENT: Final = 50
#: The value of a list of cases that opens a new one.
NEW: Final = "nouveau"


def case_values(engine: Engine, case_id: str, person: Person, model_dir: Path, start: int) -> dict[str, Any]:
    """What a case's page shows.

    Raises:
        CaseError: there is no such case.
    """
    gathered = gather(engine, case_id, person, model_dir)
    case = gathered.case
    content = content_of(gathered, masked=person.masks)
    everyone: list[Read | SetApart] = sorted([*gathered.read, *gathered.apart], key=lambda one: one.kept.place)
    shown = everyone[start : start + TEXTS_A_PAGE]
    found = {text["place"]: text for text in content["texts"]}
    state = {one["place"]: one["state_name"] for one in (*content["apart"], *content["cleared"])}
    blind = {one.kept.place for one in gathered.apart if one.why == "blind"}
    with engine.connect() as connection:
        starts = hidden_texts(connection, {one.item.id: start_of(one.item.text, _START) for one in shown}, person)
        exports = _exports(connection, case.id)
    texts = [
        {
            "kept": one.kept,
            "item": one.item,
            "who": gathered.people.get(one.kept.added_by, "?"),
            "start": "" if one.kept.place in blind else starts[one.item.id],
            "more": len(one.item.text) > _START,
            "read": found.get(one.kept.place),
            "state": state.get(one.kept.place, ""),
            "cleared": any(one.kept.place == other["place"] for other in content["cleared"]),
            "blind": one.kept.place in blind,
        }
        for one in shown
    ]
    return {
        "case": case,
        "content": content,
        "texts": texts,
        "start": start,
        "step": TEXTS_A_PAGE,
        "total": len(everyone),
        "gone": _gone(gathered),
        "moves": [
            (to, STATUS_NAMES[to]) for at, to in MOVES if at == case.status and to != "transmitted" and person.may(MOVES[at, to])
        ],
        "status_names": STATUS_NAMES,
        "level_names": LEVEL_NAMES,
        "people_names": gathered.people,
        "held_answers": [one for one in gathered.answers if not one.replaced],
        "answers": gathered.answers,
        "notes": gathered.notes,
        "sendings": gathered.sendings,
        "events": [(event, event_words(event.kind, event.detail)) for event in reversed(gathered.events)],
        "changes": _changes(gathered),
        "exports": exports,
        "ways": list(WAYS.items()),
        "names": authority_names(),
        "today": now().date().isoformat(),
        "may_send": person.may("reviewer") and case.status in ("ready", "transmitted"),
        "may_show": person.may("reviewer") and not person.masks,
        "audience": AUDIENCE_NAMES.get(case.audience or "", ""),
        **_told(gathered),
    }


def _told(gathered: Gathered) -> dict[str, Any]:
    return {"told": told_of(gathered.events), "awaiting": awaiting(gathered.answers, gathered.sendings)}


def _gone(gathered: Gathered) -> int:
    """How many texts that nobody took out of the case are no more in the database: demonstration texts that were removed."""
    held: set[str] = set()
    for event in gathered.events:
        if event.kind == "added":
            held |= set(event.detail["items"])
        elif event.kind == "removed":
            held -= set(event.detail["items"])
    return len(held - {one.item.id for one in gathered.read} - {one.item.id for one in gathered.apart})


def _changes(gathered: Gathered) -> Mapping[int, Sequence[tuple[str, str, str]]]:
    """What an edit of the words of a case changed, by the event's number: name, before, after."""
    told = {"title": "Titre", "summary": "Objet", "concerned": "Personne ou structure concernée", "masks": "À masquer"}
    found: dict[int, list[tuple[str, str, str]]] = {}
    for event in gathered.events:
        if event.kind == "edited":
            rows = [(told[name], change["before"], change["after"]) for name, change in event.detail.items() if name in told]
            found[event.number] = rows
        elif event.kind == "explained":
            found[event.number] = [("Pourquoi ce texte", event.detail["before"], event.detail["after"])]
    return found


def _exports(connection: Connection, case_id: str) -> list[dict[str, Any]]:
    query = select(CASE_EXPORTS, USERS.c.name.label("who")).join(USERS, USERS.c.id == CASE_EXPORTS.c.user_id)
    rows = connection.execute(query.where(CASE_EXPORTS.c.case_id == case_id).order_by(CASE_EXPORTS.c.made_at.desc())).mappings()
    return [dict(row) | {"made_at": aware(row["made_at"]), "status_name": STATUS_NAMES[row["status"]]} for row in rows]


def form_values(people: Sequence[Person], words: Words) -> dict[str, Any]:
    """What the form of a case offers."""
    return {
        "words": words,
        "people": people,
        "audiences": [("", "Personne en particulier"), *AUDIENCE_NAMES.items()],
        "authorities": authority_names(),
    }


def open_cases(connection: Connection) -> list[tuple[str, str]]:
    """Cases that texts can be added to, those that changed last first: identifier and name."""
    query = select(CASES.c.id, CASES.c.number, CASES.c.title).where(CASES.c.status.in_(EDITABLE))
    rows = connection.execute(query.order_by(CASES.c.changed_at.desc(), CASES.c.id).limit(_RECENT))
    return [(row.id, f"D-{row.number} : {row.title}") for row in rows]


def put_in_case(
    connection: Connection, person: Person, case_id: str, item_ids: Sequence[str], why: str, title: str = ""
) -> tuple[str, int]:
    """Put texts in a case, opened with this title where `case_id` is `nouveau`; returns its number's name, how many were new.

    Raises:
        CaseError: as `add_texts` and `add_case`.
    """
    if case_id == NEW:
        serialise(connection, "cases")
        case = add_case(connection, person, Words(title))
    else:
        found = find_case(connection, case_id[:36])
        if found is None:
            raise CaseError("Dossier : choisissez-en un dans la liste.")
        case = found
    return case.name, add_texts(connection, case.id, person, item_ids, why)


def panel(connection: Connection, item: Item, person: Person) -> Panel | None:
    """The cases that hold a text, and the form to add it to one."""
    if hidden_among(connection, [item.id], person):
        return None
    held = [
        {"name": f"D-{number}", "title": title, "status": STATUS_NAMES[status], "why": why}
        for _, number, title, status, why in cases_of(connection, item.id)
    ]
    here = {one["name"] for one in held}
    offered = [(id, name) for id, name in open_cases(connection) if name.split(" : ", 1)[0] not in here]
    return Panel("case_panel.html", {"held": held, "offered": offered, "item_id": item.id, "new": NEW})


def lot_action(connection: Connection, person: Person) -> LotAction | None:
    """Put the texts ticked in the queue in a case."""
    values = {"offered": open_cases(connection), "new": NEW}

    def run(connection: Connection, item_ids: Sequence[str], person: Person, form: Sent) -> int:
        asked = [str(form.get(name) or "") for name in ("case", "case_why", "case_title")]
        try:
            return put_in_case(connection, person, asked[0], item_ids, asked[1], asked[2])[1]
        except CaseError as error:
            raise ValueError(str(error)) from error

    told = "un texte est ajouté au dossier.|{n} textes sont ajoutés au dossier."
    return LotAction("dossier", "case_lot.html", values, run, told)
