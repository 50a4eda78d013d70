"""The answer to a request of access: what is held on who asks, as plain data and as a page that can be read by everybody.

Reviewers are named by their role alone. In texts that the person did not post, others' personal data is masked (GDPR, article
15, 4). Levels and signs are those of texts: nothing is computed of a person.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Engine, select

from model.labels import INDICATOR_NAMES
from service.cases.cases import STATUS_NAMES
from service.cases.schema import CASE_RECIPIENTS
from service.pages import environment
from service.privacy.held import Finder, Held, HeldText, cases_of, find_held
from service.privacy.personal import KIND_NAMES, find_personal
from service.privacy.requests import KIND_NAMES as REQUEST_NAMES
from service.privacy.requests import Asked, RequestError, need_open, need_proof, note_step, role_name
from service.workplace.audit import record
from service.workplace.comments import comments_of
from service.workplace.decided import REASON_NAMES, Decided, decisions_of
from service.workplace.items import find_item
from service.workplace.people import Person
from service.workplace.receptions import receptions_of
from service.workplace.said import newest_prediction
from service.workplace.schema import USERS
from service.workplace.textpage import CHANNEL_NAMES, NAMES, VERDICT_NAMES
from service.workplace.textpage import KIND_NAMES as READING_NAMES
from service.workplace.times import now

FORMAT: Final = "vigie-access-1"

Answer = dict[str, Any]


def access(engine: Engine, id: str, person: Person | None, withheld: str = "") -> Answer:
    """What is held on who asks; `withheld`: why cases are not told, empty to tell them. The step is kept.

    Raises:
        RequestError: the request is closed, is not one of access, or nobody made sure who asks.
    """
    with engine.begin() as connection:
        asked = need_open(connection, id)
        if asked.kind != "access":
            raise RequestError("Cette demande n'est pas une demande d'accès.")
        need_proof(asked)
    # Every text is read: nobody who writes waits for it.
    with engine.connect() as connection:
        held = find_held(connection, asked.wanted)
        answer = answer_of(connection, asked, held, withheld.strip()[:500])
    with engine.begin() as connection:
        counted = {"texts": len(held.texts), "places": len(held.places), "withheld": answer["withheld"]}
        note_step(connection, asked.id, person, "exported", counted)
        for one in held.texts:
            record(connection, person, "text.view", f"text:{one.id}", {"masked": False, "request": asked.id})
    return answer


def answer_of(connection: Connection, asked: Asked, held: Held, withheld: str) -> Answer:
    """The content of an answer, as plain data."""
    finder = Finder(asked.wanted)
    roles = {id: role for id, role in connection.execute(select(USERS.c.id, USERS.c.role))}
    return {
        "format": FORMAT,
        "request": {"number": asked.number, "kind": REQUEST_NAMES[asked.kind], "received_on": asked.received_on.isoformat()},
        "contact": asked.wanted.words,
        "made_at": now().isoformat(timespec="seconds"),
        "texts": [_text(connection, one, finder, roles) for one in held.texts],
        "cases": [] if withheld else _cases(connection, held),
        "withheld": withheld,
        "elsewhere": [{"name": name, "places": number} for name, number in sorted(_elsewhere(held).items())],
    }


def _text(connection: Connection, one: HeldText, finder: Finder, roles: Mapping[str, str]) -> dict[str, Any]:
    item = find_item(connection, one.id)
    assert item is not None
    said = newest_prediction(connection, one.id)
    own = one.author or one.again
    return {
        "id": item.id,
        "why": _why(one),
        "text": item.text if own else masked(item.text, finder),
        "source": item.source,
        "channel": CHANNEL_NAMES.get(item.channel or "", item.channel),
        "author": item.author if one.author else None,
        "url": item.url if own or finder.in_text(item.url) else None,
        "captured_at": item.captured_at.isoformat() if item.captured_at else None,
        "received_at": item.received_at.isoformat(),
        "received_again": [_again(reception, finder) for reception in receptions_of(connection, item.id)],
        "model": None
        if said is None or said.risk is None
        else {
            "version": said.model_version,
            "level_of_the_text": said.risk.level,
            "score_of_the_text": said.risk.score,
            "signs": [INDICATOR_NAMES[sign.id] for sign in said.indicators if sign.present],
        },
        "decisions": [_decision(decided, finder, roles, own=own) for decided in decisions_of(connection, item.id)],
        "comments": [
            {"at": comment.made_at.isoformat(), "text": masked(comment.text, finder)}
            for comment in comments_of(connection, item.id)
        ],
    }


def _why(one: HeldText) -> list[str]:
    told = (
        (one.author, "publié par ce compte"),
        (one.text, "ce contact est dans le texte"),
        (one.again, "reçu aussi de ce compte"),
    )
    return [words for holds, words in told if holds]


def _again(reception: Any, finder: Finder) -> dict[str, Any]:
    own = finder.is_author(reception.author, reception.url)
    told = {"received_at": reception.received_at.isoformat(), "source": reception.source}
    return told | {"author": reception.author if own else None, "url": reception.url if own else None}


def _decision(decided: Decided, finder: Finder, roles: Mapping[str, str], *, own: bool) -> dict[str, Any]:
    return {
        "at": decided.made_at.isoformat(),
        "by": role_name(roles.get(decided.user_id)),
        "kind": READING_NAMES.get(decided.kind, decided.kind),
        "verdict": VERDICT_NAMES.get(decided.verdict, decided.verdict),
        "stance": NAMES.get(decided.stance or "", decided.stance),
        "level_of_the_text": decided.level,
        "signs": sorted({INDICATOR_NAMES[mark.label] for mark in decided.indicators}),
        "reason": REASON_NAMES.get(decided.reason or "", decided.reason),
        "note": masked(decided.note, finder) if decided.note else None,
    }


def _cases(connection: Connection, held: Held) -> list[dict[str, Any]]:
    recipients: dict[str, list[str]] = defaultdict(list)
    for case_id, recipient in connection.execute(select(CASE_RECIPIENTS.c.case_id, CASE_RECIPIENTS.c.recipient)):
        recipients[case_id].append(recipient)
    found: dict[str, dict[str, Any]] = {}
    for row in cases_of(connection, held.ids):
        told = found.setdefault(
            row["id"],
            {
                "number": f"D-{row['number']}",
                "status": STATUS_NAMES[row["status"]],
                "opened_on": row["created_at"].date().isoformat(),
                "recipients": sorted(recipients[row["id"]]),
                "texts": [],
            },
        )
        told["texts"].append(row["item_id"])
    return list(found.values())


def _elsewhere(held: Held) -> dict[str, int]:
    counts: dict[str, int] = defaultdict(int)
    for place in held.places:
        # Notes and comments on the texts above are given with them.
        if place.item_id not in held.ids:
            counts[place.name] += 1
    return counts


def masked(text: str, finder: Finder) -> str:
    """A text whose personal data is replaced by its kind, but for the contact that is asked for."""
    pieces, place = [], 0
    for one in find_personal(text):
        if finder.in_text(text[one.start : one.end]):
            continue
        pieces += [text[place : one.start], f"[{KIND_NAMES[one.kind]}]"]
        place = one.end
    return "".join([*pieces, text[place:]])


def as_json(answer: Answer) -> str:
    """The answer for programs."""
    return json.dumps(answer, ensure_ascii=False, indent=1) + "\n"


def as_page(answer: Answer) -> str:
    """The answer for people: one file without style sheet nor script of another place, that a screen reader reads in order."""
    return environment().get_template("privacy_answer.html").render(answer=answer)
