"""Everything that a case holds, read at one moment for a dossier: what people read to the end, and apart, what they did not."""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from sqlalchemy import Connection, Engine, select

from model.records import Prediction
from service.cases.cases import Case, CaseError, find_case
from service.cases.contents import Event, Kept, events_of, hidden_among, texts_of
from service.cases.records import Answer, Note, Sending, answers_of, notes_of, sendings_of
from service.workplace.audit import record_alone
from service.workplace.decided import VALID, Decided, decisions_of, standing
from service.workplace.draws import note_shown
from service.workplace.items import Item, find_item
from service.workplace.people import Person
from service.workplace.said import newest_prediction
from service.workplace.schema import DECISIONS, PREDICTIONS, USERS

#: Why a text has no value as evidence in a dossier.
Apart = Literal["unread", "open", "disputed", "unsure", "blind"]
APART_NAMES: Final[Mapping[str, str]] = {
    "unread": "non relu",
    "open": "seconde lecture en attente",
    "disputed": "lectures en désaccord, non arbitrées",
    "unsure": "la personne qui l'a lu ne sait pas",
    "blind": "lecture à l'aveugle en attente",
}
_STATES: Final[Mapping[str, Apart]] = {"open": "open", "disputed": "disputed", "unsure": "unsure"}
_VERSION: Final = re.compile(r"[0-9A-Za-z.+_-]{1,100}")


@dataclass(frozen=True, slots=True)
class Read:
    """A text that people read to the end: the decision that holds, all records, and what the model said.

    `prediction` is the one that the person who decided saw, else the newest; None where no model read the text.
    """

    kept: Kept
    item: Item
    holds: Decided
    decisions: Sequence[Decided]
    valid: frozenset[str]
    prediction: Prediction | None


@dataclass(frozen=True, slots=True)
class SetApart:
    """A text without value as evidence, and why."""

    kept: Kept
    item: Item
    why: Apart


@dataclass(frozen=True, slots=True)
class Gathered:
    """A case and all that it holds; `people` gives names by identifier, `models` what was measured of each model."""

    case: Case
    read: Sequence[Read]
    apart: Sequence[SetApart]
    notes: Sequence[Note]
    answers: Sequence[Answer]
    sendings: Sequence[Sending]
    events: Sequence[Event]
    people: Mapping[str, str]
    models: Sequence[Mapping[str, Any]]


def gather(engine: Engine, case_id: str, person: Person, model_dir: Path) -> Gathered:
    """Everything that a case holds, as this person may see it; it is kept that they saw these texts.

    Raises:
        CaseError: there is no such case.
    """
    with engine.connect() as connection:
        case = find_case(connection, case_id)
        if case is None:
            raise CaseError("Ce dossier n'existe pas.")
        read, apart = _texts(connection, texts_of(connection, case.id), person)
        events = [_shown(event, {one.item.id for one in apart if one.why == "blind"}) for event in events_of(connection, case.id)]
        found = (
            notes_of(connection, case.id),
            answers_of(connection, case.id),
            sendings_of(connection, case.id),
            events,
            {id: name for id, name in connection.execute(select(USERS.c.id, USERS.c.name))},
        )
    note_shown(engine, [*(one.item.id for one in read), *(one.item.id for one in apart if one.why != "blind")], person)
    record_alone(engine, person, "case.view", f"case:{case.id}", {"texts": len(read) + len(apart), "masked": person.masks})
    versions = sorted({one.prediction.model_version for one in read if one.prediction is not None})
    return Gathered(case, read, apart, *found, [model_facts(model_dir, version) for version in versions])


def _shown(event: Event, blind: Collection[str]) -> Event:
    """An event without what was said of texts that are blind for the person."""
    if not set(event.detail.get("items", ())) & set(blind):
        return event
    return replace(event, detail=event.detail | {name: "" for name in ("before", "after", "why") if name in event.detail})


def _texts(connection: Connection, kept: Sequence[Kept], person: Person) -> tuple[list[Read], list[SetApart]]:
    hidden = hidden_among(connection, [one.item_id for one in kept], person)
    read: list[Read] = []
    apart: list[SetApart] = []
    for one in kept:
        item = find_item(connection, one.item_id)
        assert item is not None
        if item.id in hidden:
            # The reason why somebody put it here may say what they think of it.
            apart.append(SetApart(replace(one, why=""), item, "blind"))
            continue
        records = decisions_of(connection, item.id)
        valid = set(connection.scalars(select(DECISIONS.c.id).where(VALID, DECISIONS.c.item_id == item.id)))
        holds = standing([decided for decided in records if decided.id in valid])
        if item.state != "done" or holds is None or holds.verdict == "unsure":
            apart.append(SetApart(one, item, _STATES.get(item.state, "unread")))
            continue
        read.append(Read(one, item, holds, records, frozenset(valid), _prediction(connection, item, holds)))
    return read, apart


def _prediction(connection: Connection, item: Item, holds: Decided) -> Prediction | None:
    """What the person who decided saw, if it is known."""
    if holds.said:
        return Prediction.model_validate(holds.said)
    if holds.model_version:
        where = (PREDICTIONS.c.item_id == item.id, PREDICTIONS.c.model_version == holds.model_version)
        said = connection.execute(select(PREDICTIONS.c.prediction).where(*where)).scalar()
        if said is not None:
            return Prediction.model_validate(said)
    return newest_prediction(connection, item.id)


def model_facts(model_dir: Path, version: str) -> dict[str, Any]:
    """What was measured of a model on texts of writers that it never saw; `known` is False where its card is no more there.

    Shares are {"value", "low", "high", "hits", "total"}, the bounds at 95 %.
    """
    facts: dict[str, Any] = {"version": version, "known": False}
    if not _VERSION.fullmatch(version) or version in (".", ".."):
        return facts
    try:
        metrics = json.loads((model_dir / version / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return facts
    for name in ("test_unseen_writers", "test"):
        measured = metrics.get(name)
        if measured and measured.get("flag"):
            among = measured.get("flagged_among", {})
            return facts | {
                "known": True,
                "on": name,
                "texts": measured["texts"],
                "recall": measured["flag"]["recall"],
                "precision": measured["flag"]["precision"],
                "level": measured["level"]["accuracy"],
                "flagged_warnings": among.get("warns"),
                "flagged_neutral": among.get("neutral"),
            }
    return facts
