"""Keeping what people decide: the record, the state of the text and the end of the claim, all at once or not at all."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, select, update

from model.errors import VigieError
from model.records import Prediction
from service.database import sha256_text
from service.workplace.audit import record
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
    first_kind,
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
    "DisputedError",
    "Mark",
    "Verdict",
    "check_verdict",
    "decide",
    "decisions_of",
    "find_decision",
    "resettle",
    "valid_decisions",
    "withdraw",
    "withdrawal_refused",
]

#: Readings that two people may make of one text at the same time.
_TOGETHER: Final = frozenset({"golden"})


class DecisionError(VigieError):
    """A decision that cannot be kept or withdrawn; the message says why."""


class ChangedError(DecisionError):
    """The text was decided, or a decision withdrawn, since the person opened it."""


class DisputedError(ChangedError):
    """Two readings of the text differ, or it was adjudicated: a reading of its own settles nothing."""


def decide(
    engine: Engine,
    item_id: str,
    person: Person,
    verdict: Verdict,
    said: Prediction | Mapping[str, Any] | None,
    *,
    last: int | None = None,
    also: Callable[[Connection, str], None] | None = None,
) -> str:
    """Keep a verdict; returns the identifier of its record. Sent twice with one `request`, it is kept once.

    `said` is the prediction that the person saw (None where they read blind). `last` is the number of the text's last
    record when the page was shown (0: none): where another was made since, nothing is kept. A first reading is kept as a
    revision where the person could see others' (`first_kind`). `also` writes what goes with a new record, given its
    identifier, in the same transaction.

    Raises:
        ValueError: the verdict cannot be kept (`check_verdict`).
        DecisionError: there is no such text, or the request was another text's or another person's.
        ChangedError: the text's records are not those that the person saw.
        DisputedError: only an adjudication settles the text, or did.
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
        if verdict.kind in ("first", "revision"):
            _check_undisputed(connection, item_id, person, before)
        kind = first_kind(before, person.id) if verdict.kind == "first" else verdict.kind
        id = _write(connection, item_id, person, _values(verdict, said) | {"kind": kind})
        # Neither what was decided nor in which reading: the log would tell it to who reads the text blind.
        about = {"decision": id, "sha256": sha256_text(text)} | ({"sent_by": verdict.sent_by} if verdict.sent_by else {})
        record(connection, person, "decision.made", f"text:{item_id}", about)
        resettle(connection, item_id)
        connection.execute(delete(CLAIMS).where(CLAIMS.c.item_id == item_id, CLAIMS.c.user_id == person.id))
        if also is not None:
            also(connection, id)
    if verdict.kind != "golden":
        spread(engine, item_id)
    return id


def withdraw(engine: Engine, decision_id: str, person: Person, request: str | None = None) -> str:
    """Take a decision back: a record of its own says so, and what held before holds again. Asked twice, it is done once.

    Returns the identifier of the withdrawal.

    Raises:
        DecisionError: there is no such decision, it is itself a withdrawal, or the person may not (`withdrawal_refused`).
    """
    with engine.connect() as connection:
        decided = find_decision(connection, decision_id)
    if decided is None or decided.kind == "withdrawal":
        raise DecisionError("Cette décision n'existe pas.")
    with engine.begin() as connection:
        text = _hold(connection, decided.item_id)
        done = select(DECISIONS.c.id).where(DECISIONS.c.withdraws == decision_id)
        if (known := connection.execute(done).scalar()) is not None:
            return str(known)
        state = connection.execute(select(ITEMS.c.state).where(ITEMS.c.id == decided.item_id)).scalar_one()
        if (refused := withdrawal_refused(decided, person, state)) is not None:
            raise DecisionError(refused)
        if state == "disputed" and decided.user_id != person.id and _read_by(connection, decided.item_id, person):
            raise DecisionError("Votre lecture diffère de celle-ci : une autre personne arbitre, ou retire l'une des deux.")
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
        about = {"decision": id, "withdraws": decision_id, "sha256": sha256_text(text)}
        record(connection, person, "decision.withdrawn", f"text:{decided.item_id}", about)
        resettle(connection, decided.item_id)
    retract(engine, decided.item_id)
    return id


def _read_by(connection: Connection, item_id: str, person: Person) -> bool:
    where = (DECISIONS.c.item_id == item_id, DECISIONS.c.user_id == person.id, DECISIONS.c.kind.in_(("first", "second")), VALID)
    return connection.execute(select(DECISIONS.c.id).where(*where).limit(1)).first() is not None


def withdrawal_refused(decided: Decided, person: Person, state: str) -> str | None:
    """Why a person may not take a decision back, in French; None where they may. `state` is that of the text.

    Nobody takes back what they read blind once it counts, nor ends a dispute by giving way: somebody else adjudicates it. The
    words are the same for a golden text and any other, so that nothing tells them apart.
    """
    if decided.user_id != person.id:
        mine = "Seule la personne qui a pris cette décision, ou l'administration, peut la retirer."
        return None if person.may("administrator") else mine
    if decided.kind == "golden" or (decided.kind == "second" and state != "open"):
        return "Une lecture à l'aveugle ne se retire plus une fois enregistrée : dites à l'administration ce qui ne va pas."
    if decided.kind == "first" and state == "disputed":
        return "Deux lectures de ce texte diffèrent : la vôtre reste, et une autre personne arbitre."
    return None


def _check_undisputed(connection: Connection, item_id: str, person: Person, before: list[Decided]) -> None:
    if connection.execute(select(ITEMS.c.state).where(ITEMS.c.id == item_id)).scalar() == "disputed":
        raise DisputedError("Deux lectures de ce texte diffèrent : il attend un arbitrage, et rien d'autre ne le règle.")
    gone = {decided.withdraws for decided in before}
    held = [decided for decided in before if decided.kind != "withdrawal" and decided.id not in gone]
    judges = {decided.user_id for decided in held if decided.kind == "adjudication"}
    readers = {decided.user_id for decided in held if decided.kind in ("first", "second")}
    if judges and person.id not in judges and (person.id in readers or not person.may("administrator")):
        told = "Ce texte a été arbitré : qui a arbitré, ou l'administration, peut y revenir. Commentez ce qui ne va pas."
        raise DisputedError(told)


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
        "sent_by": verdict.sent_by,
    }


def _write(connection: Connection, item_id: str, person: Person, values: Mapping[str, Any]) -> str:
    id = str(uuid.uuid4())
    connection.execute(DECISIONS.insert().values(id=id, item_id=item_id, user_id=person.id, made_at=now(), **values))
    return id


def resettle(connection: Connection, item_id: str) -> None:
    """Set what people say of a text, from the decisions that hold now and the readings that wait."""
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
