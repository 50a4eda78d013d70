"""Keeping what people decide: the record, the state of the text and the end of the claim, all at once or not at all."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, select, update

from model.errors import VigieError
from model.records import Prediction
from service.database import serialise
from service.workplace.claims import Taken, claim_of
from service.workplace.decided import (
    REASONS,
    VALID,
    Decided,
    Mark,
    Verdict,
    check_verdict,
    decision_of_request,
    decisions_of,
    find_decision,
    valid_decisions,
)
from service.workplace.people import Person
from service.workplace.reading import settle
from service.workplace.said import contradicts
from service.workplace.schema import CLAIMS, DECISIONS, ITEMS
from service.workplace.similar import retract, spread
from service.workplace.times import now

__all__ = [
    "REASONS",
    "VALID",
    "ChangedError",
    "Decided",
    "DecisionError",
    "Mark",
    "Verdict",
    "check_verdict",
    "decide",
    "decisions_of",
    "find_decision",
    "valid_decisions",
    "withdraw",
]

#: Readings that two people may make of one text at the same time.
_TOGETHER: Final = frozenset({"golden"})


class DecisionError(VigieError):
    """A decision that cannot be kept or withdrawn; the message says why."""


class ChangedError(DecisionError):
    """The text was decided, or a decision withdrawn, since the person opened it."""


def decide(
    engine: Engine,
    item_id: str,
    person: Person,
    verdict: Verdict,
    said: Prediction | Mapping[str, Any] | None,
    *,
    last: int | None = None,
) -> str:
    """Keep a verdict; returns the identifier of its record. Sent twice with one `request`, it is kept once.

    `said` is the prediction that the person saw (None where they read blind). `last` is the number of the text's last
    record when the page was shown (0: none): where another was made since, nothing is kept.

    Raises:
        ValueError: the verdict cannot be kept (`check_verdict`).
        DecisionError: there is no such text, or the request was another text's or another person's.
        ChangedError: the text's records are not those that the person saw.
        Taken: somebody else works on the text.
    """
    with engine.begin() as connection:
        text = _hold(connection, item_id)
        if verdict.request is not None and (known := decision_of_request(connection, verdict.request)) is not None:
            if (known.item_id, known.user_id) != (item_id, person.id):
                raise DecisionError("Ce formulaire a déjà servi pour une autre décision : rouvrez le texte.")
            return known.id
        if verdict.kind not in _TOGETHER:
            held = claim_of(connection, item_id)
            if held is not None and held.user_id != person.id:
                raise Taken(held.name, held.expires_at)
        before = decisions_of(connection, item_id)
        if last is not None and last != (before[-1].number if before else 0):
            raise ChangedError("Une décision a été prise ou retirée depuis que vous avez ouvert ce texte : relisez-la.")
        check_verdict(verdict, text)
        id = _write(connection, item_id, person, _values(verdict, said))
        _settle(connection, item_id)
        connection.execute(delete(CLAIMS).where(CLAIMS.c.item_id == item_id, CLAIMS.c.user_id == person.id))
    if verdict.kind != "golden":
        _tell_alike(engine, item_id, spread)
    return id


def withdraw(engine: Engine, decision_id: str, person: Person, request: str | None = None) -> str:
    """Take a decision back: a record of its own says so, and what held before holds again. Asked twice, it is done once.

    Returns the identifier of the withdrawal.

    Raises:
        DecisionError: there is no such decision, it is itself a withdrawal, or it is another person's (administrators may).
    """
    with engine.connect() as connection:
        decided = find_decision(connection, decision_id)
    if decided is None or decided.kind == "withdrawal":
        raise DecisionError("Cette décision n'existe pas.")
    if decided.user_id != person.id and not person.may("administrator"):
        raise DecisionError("Seule la personne qui a pris cette décision, ou l'administration, peut la retirer.")
    with engine.begin() as connection:
        _hold(connection, decided.item_id)
        done = select(DECISIONS.c.id).where(DECISIONS.c.withdraws == decision_id)
        if (known := connection.execute(done).scalar()) is not None:
            return str(known)
        values: dict[str, Any] = {
            "kind": "withdrawal",
            "verdict": "withdrawn",
            "targets": [],
            "indicators": [],
            "drawn_by": decided.drawn_by,
            "withdraws": decision_id,
            "request": request,
        }
        id = _write(connection, decided.item_id, person, values)
        _settle(connection, decided.item_id)
    _tell_alike(engine, decided.item_id, retract)
    return id


def _tell_alike(engine: Engine, item_id: str, tell: Callable[[Connection, str], object]) -> None:
    """Say on near-duplicates that they resemble a decided text, or no more; apart, since it reads other texts."""
    with engine.begin() as connection:
        serialise(connection, "resembles")
        tell(connection, item_id)


def _hold(connection: Connection, item_id: str) -> str:
    """The text, which nobody else decides on until the transaction ends: a write comes first, on both databases."""
    if connection.execute(update(ITEMS).where(ITEMS.c.id == item_id).values(state=ITEMS.c.state)).rowcount != 1:
        raise DecisionError("Ce texte n'existe pas.")
    return str(connection.execute(select(ITEMS.c.text).where(ITEMS.c.id == item_id)).scalar_one())


def _values(verdict: Verdict, said: Prediction | Mapping[str, Any] | None) -> dict[str, Any]:
    prediction = said.model_dump(mode="json") if isinstance(said, Prediction) else dict(said) if said is not None else None
    return {
        "kind": verdict.kind,
        "verdict": verdict.verdict,
        "stance": verdict.stance,
        "level": verdict.level,
        "targets": list(verdict.targets),
        "indicators": [{"label": mark.label, "start": mark.start, "end": mark.end} for mark in sorted(set(verdict.indicators))],
        "reason": verdict.reason,
        "note": verdict.note or None,
        "said": prediction,
        "model_version": prediction["model_version"] if prediction else None,
        "operating_point": prediction["operating_point"] if prediction else None,
        "drawn_by": verdict.drawn_by,
        "drawn_share": verdict.drawn_share,
        "request": verdict.request,
    }


def _write(connection: Connection, item_id: str, person: Person, values: Mapping[str, Any]) -> str:
    id = str(uuid.uuid4())
    connection.execute(DECISIONS.insert().values(id=id, item_id=item_id, user_id=person.id, made_at=now(), **values))
    return id


def _settle(connection: Connection, item_id: str) -> None:
    """Set what people say of the text, from the decisions that hold now."""
    settled = settle(connection, item_id)
    holds = find_decision(connection, settled.decision_id) if settled.decision_id else None
    values: dict[str, Any] = {
        "state": settled.state,
        "decided_level": holds.level if holds else None,
        "decided_stance": holds.stance if holds else None,
        "decided_at": holds.made_at if holds else None,
        "decided_by": holds.user_id if holds else None,
        "contradicts": False,
    }
    if holds is not None:
        level, stance = connection.execute(select(ITEMS.c.level, ITEMS.c.stance).where(ITEMS.c.id == item_id)).one()
        values["contradicts"] = contradicts(level, stance, holds.level, holds.stance)
    connection.execute(update(ITEMS).where(ITEMS.c.id == item_id).values(**values))
