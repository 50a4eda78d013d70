"""Corrections that programs send: kept as they came, and put before a person, as a text of the queue with a comment."""

import textwrap
import uuid
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Engine

from model.labels import INDICATORS, LEVELS, STANCES
from service.database import FEEDBACK, sha256_text
from service.workplace.audit import record
from service.workplace.comments import LONGEST, add_comment
from service.workplace.items import Received, add_item
from service.workplace.people import Person
from service.workplace.similar import index_signed, signatures_of
from service.workplace.times import now

SOURCE: Final = "correction"
_INDICATORS: Final = {label.id: label.name for label in INDICATORS}
_STANCES: Final = {label.id: label.name for label in STANCES}


def take_in(engine: Engine, text: str, correction: Mapping[str, Any], person: Person) -> tuple[str, str]:
    """Keep a correction and the text that it is about, on disk before this returns: all of it or nothing.

    `correction` has the columns of `feedback` that were sent. Returns the identifiers of the correction and of the text in
    the queue; a text that people already have stays as they left it, and gets the comment.
    """
    id = str(uuid.uuid4())
    signatures = signatures_of({"": text})
    with engine.begin() as connection:
        kept = {**correction, "sha256": sha256_text(text), "received_at": now()}
        connection.execute(FEEDBACK.insert().values(id=id, **kept))
        added = add_item(connection, Received(text, external_id=correction.get("text_id"), source=SOURCE))
        if added.new:
            index_signed(connection, {added.id: signatures[""]})
        record(connection, person, "correction.received", f"text:{added.id}", {"correction": id, "sha256": kept["sha256"]})
        for part in _parts(_said(text, correction)):
            add_comment(connection, added.id, person, part)
    return id, added.id


def _said(text: str, correction: Mapping[str, Any]) -> str:
    """What a correction says, in French."""
    by = f" (« {correction['reviewer']} »)" if correction.get("reviewer") else ""
    said = [f"Correction reçue par l'API{by}, à vérifier."]
    if correction.get("indicator") is not None:
        found = "présent" if correction["present"] else "absent"
        said.append(f"Signe « {_INDICATORS[correction['indicator']]} » : {found}.")
    if correction.get("stance") is not None:
        said.append(f"Position de l'auteur : {_STANCES[correction['stance']]}.")
    if correction.get("risk_level") is not None:
        said.append(f"Niveau {correction['risk_level']} : {LEVELS[correction['risk_level']].name}.")
    if correction.get("start") is not None:
        start, end = correction["start"], correction["end"]
        said.append(f"Passage {start}-{end} : « {textwrap.shorten(text[start:end], 300, placeholder='…')} ».")
    if correction.get("comment"):
        said.append(f"Commentaire : {correction['comment']}")
    return "\n".join(said)


def _parts(said: str) -> list[str]:
    return [said[at : at + LONGEST] for at in range(0, len(said), LONGEST)]
