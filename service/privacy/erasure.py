"""Erasing what is held on who asked for it: texts, copies, what people wrote of them; what is refused is told, with why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import regex
from sqlalchemy import Column, Connection, Engine, Table, delete, select, update

from model.text import fold
from service.campaigns.links import forget_items
from service.campaigns.schema import CAMPAIGN_WAITING
from service.cases.schema import CASES
from service.database import FEEDBACK, METADATA, TEXTS
from service.privacy.held import Finder, Held, HeldText, Place, cases_of, held_now
from service.privacy.purge import finish
from service.privacy.removal import Reason, lots, remove_copies, remove_items
from service.privacy.requests import RequestError, need_open, need_proof, note_step
from service.settings import Settings
from service.workplace.audit import record
from service.workplace.people import Person
from service.workplace.receptions import EXPORTS, RECEPTIONS
from service.workplace.schema import ITEMS, VIEWS

ERASED: Final = "[effacé]"
OPEN_CASE: Final = "dans un dossier en cours (D-{number}) : l'effacement attend sa clôture"
_CASES: Final = frozenset({"cases", "case_notes", "case_answers", "case_sendings"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an erasure did: texts erased, texts kept without their author, places where words were taken out; refusals by text."""

    erased: int
    unsigned: int
    words: int
    refused: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """As a step keeps it."""
        return {"erased": self.erased, "unsigned": self.unsigned, "words": self.words, "refused": dict(self.refused)}


def erase(
    engine: Engine, settings: Settings, id: str, person: Person | None, refused: Mapping[str, str] | None = None
) -> Outcome:
    """Erase what a search finds now for a request; `refused`: texts that the person keeps, each with a reason.

    Each lot is all or nothing; asked again, it erases what is left. A text of a case that is not closed is refused.

    Raises:
        RequestError: the request is closed, is not one of erasure, nobody made sure who asks, or a reason is missing.
        PurgeError: everything is erased, but its bytes could not be taken out of the files yet; the next purge does it.
    """
    with engine.begin() as connection:
        asked = need_open(connection, id)
        if asked.kind != "erasure":
            raise RequestError("Cette demande n'est pas une demande d'effacement.")
        need_proof(asked)
    # Every text is read: nobody who writes waits for it.
    held = held_now(engine, asked.wanted)
    finder = Finder(asked.wanted)
    kept = _refusals(held, refused or {})
    reason = Reason(f"request:{asked.number}", f"demande d'effacement n° {asked.number}", person)
    erased = unsigned = 0
    for some in lots([one for one in held.texts if one.id not in kept]):
        with engine.begin() as connection:
            going, staying = _sorted_out(connection, some, kept)
            erased += remove_items(connection, [one.id for one in going], reason)
            unsigned += _unsign(connection, staying, finder)
    places = held_now(engine, asked.wanted).places
    with engine.begin() as connection:
        words = _unsay(connection, places, finder, reason, kept)
        outcome = Outcome(erased, unsigned, words, kept)
        note_step(connection, asked.id, person, "erased", outcome.to_json())
        record(connection, person, "privacy.answer", f"request:{asked.id}", {"erased": erased, "refused": len(kept)})
    if erased or unsigned or words:
        finish(engine, settings, {"erasure": erased + unsigned + words}, person)
    return outcome


def _refusals(held: Held, refused: Mapping[str, str]) -> dict[str, str]:
    kept = {one.id: OPEN_CASE.format(number=one.open_cases[0]) for one in held.texts if one.open_cases}
    for id, why in refused.items():
        if not why.strip():
            raise RequestError(f"Texte {id} : un refus se motive ; une raison est attendue.")
        if id in held.ids:
            kept.setdefault(id, why.strip()[:500])
    return kept


def _sorted_out(connection: Connection, some: Sequence[HeldText], kept: dict[str, str]) -> tuple[list[HeldText], list[HeldText]]:
    """Texts to erase, and those to keep without their author: the same words came from somebody else too, and do not give the
    contact. One that was put into a case meanwhile is refused.
    """
    for row in cases_of(connection, [one.id for one in some]):
        if row["status"] != "closed":
            kept[row["item_id"]] = OPEN_CASE.format(number=row["number"])
    left = [one for one in some if one.id not in kept]
    staying = [one for one in left if one.others and not one.text]
    return [one for one in left if one not in staying], staying


def _unsign(connection: Connection, texts: Sequence[HeldText], finder: Finder) -> int:
    """Take an author out of texts that came from others too; what links them is looked for again."""
    blank = {"author": None, "url": None, "external_id": None}
    for one in texts:
        if one.author:
            connection.execute(update(ITEMS).where(ITEMS.c.id == one.id).values(**blank))
        again = select(RECEPTIONS.c.number, RECEPTIONS.c.author, RECEPTIONS.c.url).where(RECEPTIONS.c.item_id == one.id)
        for row in connection.execute(again).all():
            if finder.is_author(row.author, row.url):
                connection.execute(update(RECEPTIONS).where(RECEPTIONS.c.number == row.number).values(**blank))
    forget_items(connection, [one.id for one in texts])
    for one in texts:
        connection.execute(CAMPAIGN_WAITING.insert().values(item_id=one.id))
    return len(texts)


def _unsay(connection: Connection, places: Sequence[Place], finder: Finder, reason: Reason, kept: dict[str, str]) -> int:
    """Take the contact out of what people wrote, and copies kept by the API; returns in how many places."""
    done = 0
    for place in places:
        if place.item_id in kept:
            continue
        table = METADATA.tables[place.table]
        if place.table in _CASES and (number := _open_case(connection, table, place.key)) is not None:
            kept[f"D-{number}, {place.name}"] = OPEN_CASE.format(number=number)
            continue
        if table in (TEXTS, FEEDBACK) and place.column == "text":
            digest = connection.execute(select(table.c.sha256).where(table.c.id == place.key)).scalar()
            # The same words may have been taken out already, with another copy.
            done += min(1, remove_copies(connection, [digest], reason)) if digest else 0
        elif table is VIEWS:
            done += connection.execute(delete(VIEWS).where(VIEWS.c.id == place.key)).rowcount
        elif table is EXPORTS:
            done += connection.execute(update(EXPORTS).where(EXPORTS.c.id == place.key).values(filter="tout=1")).rowcount
        else:
            column = table.c[place.column]
            said = connection.execute(select(column).where(table.c.id == place.key)).scalar() or ""
            values = {place.column: without(said, finder.pattern)[: _longest(column)]}
            done += connection.execute(update(table).where(table.c.id == place.key).values(**values)).rowcount
    return done


def _longest(column: "Column[Any]") -> int | None:
    return getattr(column.type, "length", None)


def _open_case(connection: Connection, table: Table, key: str) -> int | None:
    """The number of the case that this row is of, where it is not closed."""
    wanted = select(CASES.c.number).where(CASES.c.status != "closed")
    if table is CASES:
        return connection.execute(wanted.where(CASES.c.id == key)).scalar()
    return connection.execute(wanted.join(table, table.c.case_id == CASES.c.id).where(table.c.id == key)).scalar()


def without(said: str, pattern: "regex.Pattern[str]") -> str:
    """What somebody wrote, a contact taken out wherever it stands."""
    folded = fold(said)
    if len(folded) != len(said):
        return ERASED if pattern.search(folded) else said
    place, pieces = 0, []
    for found in pattern.finditer(folded):
        pieces += [said[place : found.start()], ERASED]
        place = found.end()
    return "".join([*pieces, said[place:]])
