"""Rows for the tables of any step of the migrations, as they are found in the database: nothing of today's tables is asked.

Four rows a table: French words, accents of both kinds, quotes, emoji, empty words, values that are absent where they may be,
dates before and after the change of the hour. What rows refer to is there.
"""

import hashlib
import warnings
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    select,
)
from sqlalchemy.exc import SAWarning

from service.workplace.audit_chain import START, Head, chained
from service.workplace.minhash import signatures_of
from tests.service.workplace.made import prediction

ROWS = 4
WORDS = (
    "Séance d'« énergie » à Saint-Rivel : je soigne l'eczéma, dit-elle\u00a0; 60 € 🙂",
    "L’été, le cœur s’ouvre ; e\u0301coutez votre corps \u202f— ça 'guérit' \"tout\"\nDeuxième ligne\ttabulée, 100 % naturel",
    "œuvre",
    (
        "Massage doux au cabinet, à deux pas de la gare, sur rendez-vous le matin ou le soir : venez comme vous êtes, vous "
        "repartirez apaisé. Lithothérapie, magnétisme, pranâ ; jetez vos comprimés et dites non à la chimie %s"
    ),
)
_FIRST = datetime(2026, 3, 28, 23, 59, 59, 123456, tzinfo=UTC)
_MARKS = [{"label": "miracle_cure", "start": 0, "end": 7}]
_SAID = prediction("miracle_cure").model_dump(mode="json")
_SENT = {"file": "relevé.csv", "columns": {"text": "corps"}, "found": ["corps", "date"], "defaults": {}}
_SHARES = {"uncertainty": 0.3, "disagreement": 0.2, "diversity": 0.2, "suspect": 0.1, "random": 0.2}
_ERASED = {
    "items": ["f" * 28],
    "texts": [{"id": "f" * 28, "sha256": "0" * 64, "place": 1, "why": "à vérifier"}],
    "command": "vigie demo remove",
}

#: What a column holds, in turn, in every table or in one (`table.column`); otherwise, what its kind allows.
_HELD: dict[str, tuple[Any, ...]] = {
    "role": ("administrator", "reviewer", "analyst", "analyst"),
    "login": ("amélie", "bruno", "chloé@exemple.example", "d'arcy"),
    "password_hash": ("$argon2id$v=19$m=65536,t=3,p=4$c2Vs$ZW1wcmVpbnRl", "$argon2id$v=19$m=8$c2Vs$eA", "", ""),
    "active": (True, True, True, False),
    "scopes": (["predict"], ["import", "export"], ["review"], ["predict", "review"]),
    "url": ("https://soins.example/été?a=1&b=%20", None, "https://" + "a" * 3_000 + ".example/", None),
    "theme": ("energy", None, "illness", None),
    "channel": ("ad", "post", None, "comment"),
    "language": ("fr",),
    "model_version": ("2026.09.1+aaaaaaaa", "2026.11.1+496468ba"),
    "exports.kind": ("csv", "jsonl", "csv", "jsonl"),
    "exports.filter": ("tout=1", "tout=1&q=%C3%A9t%C3%A9", "niveau=2", "etat=new"),
    "exports.state": ("done", "failed", "done", "failed"),
    "imports.state": ("done", "done", "failed", "stopped"),
    "imports.options": (_SENT, {**_SENT, "defaults": {"source": "relevé d'été"}}, _SENT, _SENT),
    "items.state": ("done", "open", "new", "unsure"),
    "items.status": ("ok", "ok", None, "unsupported_language"),
    "items.model_version": ("2026.11.1+496468ba", "2026.11.1+496468ba", None, "2026.09.1+aaaaaaaa"),
    "items.parent_id": (None,),
    "stance": ("promotes", "neutral", "warns", None),
    "decided_stance": ("promotes", None, None, None),
    "level": (2, 0, None, 1),
    "decided_level": (3, None, None, None),
    "decided_at": (_FIRST + timedelta(days=2), None, None, None),
    "indicator": ("miracle_cure", "mystical_discourse", "isolation", "miracle_cure"),
    "practice": ("magnetisme", "lithotherapie", "reiki", "magnetisme"),
    "prediction": (_SAID,),
    "indicators": (_MARKS, [], _MARKS, []),
    "past_decisions.indicators": (["miracle_cure"], []),
    "targets": (["illness"], [], [], []),
    "said": (_SAID, None, None, _SAID),
    "decisions.said": (_SAID,),
    "decisions.kind": ("first", "first", "second", "withdrawal"),
    "decisions.verdict": ("confirmed", "corrected", "unsure", "withdrawn"),
    "decisions.withdraws": (None,),
    "decisions.operating_point": ("triage", "balanced", "strict", "balanced"),
    "decisions.reason": (None, "missed_passage", "guide_silent", None),
    "drawn_by": ("queue", "random", "second_share", "uncertainty"),
    "readings.kind": ("second", "golden", "second", "suspect"),
    "readings.state": ("done", "waiting", "cancelled", "waiting"),
    "choices.name": ("second_share", "golden_share", "second_share", "shares"),
    "choices.value": (0.25, 0.05, 0.0, _SHARES),
    "trainings.state": ("done", "failed", "stopped", "done"),
    "trainings.comparison": (None,),
    "trainings.champion": ("2026.09.1+aaaaaaaa", None),
    "trainings.challenger": ("2026.11.1+496468ba", None, None, "2026.11.1+bbbbbbbb"),
    "promotions.artefact": ("2026.11.1+496468ba", "2026.09.1+aaaaaaaa"),
    "promotions.previous": ("2026.09.1+aaaaaaaa", None),
    "case_answers.way": ("letter", "mail", "phone", "other"),
    "promotions.kind": ("promotion", "override", "rollback", "promotion"),
    "contacts.kind": ("phone", "email", "handle", "phone"),
    "contacts.state": ("links", "common", "ignored", "kept"),
    "value": ("+33199000001", "accueil@soins.example", "@lumière", "+33199000002"),
    "item_contacts.role": ("own", "mention"),
    "origin": ("text", "author", "url", "text"),
    "item_contacts.state": ("suggested", "confirmed", "rejected", "suggested"),
    "item_links.kind": ("near", "merge"),
    "item_links.state": ("suggested", "confirmed", "rejected", "suggested"),
    "into": (None,),
    "cut": (False,),
    "campaign_events.kind": ("described", "decided", "merged", "joined"),
    "campaign_events.detail": ({"name": "Été"}, {}, {"texts": 2}, {}),
    "cases.status": ("open",),
    "audience": (None, "victim", "relative", None),
    "cases.masks": ("", "Mme D'Été\nla voisine", "", ""),
    "case_events.kind": ("opened", "noted", "erased", "moved"),
    "case_events.detail": ({"title": "Été"}, {"note": "x", "exported": True}, _ERASED, {"before": "open", "after": "open"}),
    "case_exports.status": ("open",),
    "case_exports.kind": ("pdf", "docx", "json", "zip"),
    "purges.counts": ({"new": 3}, {}),
    "purges.state": ("done",),
    "purged.kind": ("item", "stored", "feedback", "case"),
    "privacy_requests.kind": ("access", "erasure", "contestation", "access"),
    "contact_kind": ("email", "phone", "handle", "email"),
    "contact": ("a@soins.example", "+33199000001", "lumiere", "b@soins.example"),
    "privacy_requests.state": ("open", "answered", "refused", "open"),
    "privacy_steps.kind": ("opened",),
    "privacy_steps.detail": ({"kind": "access"},),
    "drift_weeks.shifts": ([],),
    "content": (None,),
    "observatory.content": (b"",),
}
#: Filled by what watches the others, or counted anew of them; the log is a chain, made apart.
_BY_ITSELF = frozenset(
    {"alembic_version", "sqlite_sequence", "item_numbers", "bands", "campaign_waiting", "campaign_stale", "audit_records"}
)

#: What names a row at every step, where its key changed.
_NAMED_BY = {"signatures": ["item_id"]}
#: Not compared: `bands` are made anew of the signatures, which are compared.
_NOT_ROWS = frozenset({"alembic_version", "sqlite_sequence", "bands"})


def reflected(connection: Connection) -> list[Table]:
    """The tables of a database, those that others refer to first; without those that the search keeps on SQLite."""
    found = MetaData()
    with warnings.catch_warnings():
        # SQLite tells nothing of an index on an expression, nor of the tables of a search.
        warnings.simplefilter("ignore", SAWarning)
        found.reflect(connection, only=lambda name, _: not name.startswith("item_words"))
    return found.sorted_tables


def fill(connection: Connection) -> None:
    """Put rows in every table."""
    made: dict[str, list[dict[str, Any]]] = {}
    for table in reflected(connection):
        if table.name not in _BY_ITSELF:
            made[table.name] = [_row(connection, table, number, made) for number in range(ROWS)]
            connection.execute(table.insert(), made[table.name])
        elif table.name == "audit_records":
            _audit(connection, table)
    _parents(connection, made)


def _row(connection: Connection, table: Table, number: int, made: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    columns = [column for column in table.columns if column.computed is None and not _numbered(connection, table, column)]
    row = {column.name: _value(table, column, number, made) for column in columns}
    if table.name == "signatures":
        item = made["items"][number]
        row |= {"item_id": item["id"], "minhash": signatures_of({"": item["text"]})[""].values.tobytes()}
    if table.name == "item_links":
        row["item_id"], row["other_id"] = sorted((made["items"][number]["id"], made["items"][(number + 1) % ROWS]["id"]))
    return row


def _numbered(connection: Connection, table: Table, column: "Column[Any]") -> bool:
    """Whether the database gives a number of its own."""
    alone = column.primary_key and isinstance(column.type, Integer) and len(table.primary_key) == 1
    return alone and (column.server_default is not None or connection.dialect.name == "sqlite")


def _value(table: Table, column: Column[Any], number: int, made: Mapping[str, list[dict[str, Any]]]) -> Any:
    name = f"{table.name}.{column.name}"
    for key in column.foreign_keys:
        target = key.column.table.name
        if target == table.name or (column.nullable and number % 2):
            return None
        return made[target][number].get(key.column.name, number + 1)
    held = _HELD.get(name, _HELD.get(column.name))
    if held is not None:
        return held[number % len(held)]
    if column.nullable and number == ROWS - 1:
        return None
    return _plain(table, column, number)


def _plain(table: Table, column: Column[Any], number: int) -> Any:
    kind = column.type
    if isinstance(kind, JSON):
        return {"é": number}
    if isinstance(kind, Boolean):
        return number % 2 == 0
    if isinstance(kind, DateTime):
        # A session, a claim: until long after.
        later = timedelta(days=100_000) if column.name in ("expires_at",) else timedelta()
        return _FIRST + timedelta(hours=7 * number) + later
    if isinstance(kind, Date):
        return date(2026, 10, 19) + timedelta(days=7 * number)
    if isinstance(kind, LargeBinary):
        return bytes(range(4))
    if isinstance(kind, Float):
        return (0.125, 1.0, 0.0, 0.7)[number]
    if isinstance(kind, Integer):
        return number + 1
    length = getattr(kind, "length", None)
    if column.primary_key or column.name.endswith("_id") or column.name == "id" or column.name.endswith(("sha256", "_hash")):
        digest = hashlib.sha256(f"{table.name}.{column.name}.{number}".encode()).hexdigest()
        return digest[:28] if length == 36 else digest[:length]
    words = WORDS[number] + ("" if length else f" {table.name}")
    return words[:length]


def _audit(connection: Connection, table: Table) -> None:
    last = connection.execute(select(table).order_by(table.c.number.desc()).limit(1)).mappings().first()
    head = Head(last["number"], last["hash"]) if last else START
    at = last["at"] if last else f"{_FIRST:%Y-%m-%dT%H:%M:%S.%fZ}"
    for number in range(ROWS):
        values = {"at": at, "actor": "", "means": "command", "means_id": "opérateur", "address": "", "action": "text.view"}
        row = chained(head, values | {"object": f"text:{number}", "details": '{"how":"queue"}'}, None)
        connection.execute(table.insert().values(**row))
        head = Head(row["number"], row["hash"])


def _parents(connection: Connection, made: Mapping[str, list[dict[str, Any]]]) -> None:
    """A text that answers another, once both are there."""
    for table in reflected(connection) if "items" in made else ():
        if table.name == "items":
            first, second = made["items"][0]["id"], made["items"][1]["id"]
            connection.execute(table.update().where(table.c.id == second).values(parent_id=first))


def held(connection: Connection) -> dict[str, dict[tuple[Any, ...], dict[str, Any]]]:
    """Every row of every table, by its key; what PostgreSQL makes of a text by itself is left out."""
    found: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {}
    for table in reflected(connection):
        if table.name in _NOT_ROWS:
            continue
        columns = [column for column in table.columns if column.computed is None]
        keys = _NAMED_BY.get(table.name) or [column.name for column in table.primary_key]
        rows = connection.execute(select(*columns)).mappings().all()
        found[table.name] = {tuple(row[key] for key in keys): dict(row) for row in rows}
    return found


def shape(connection: Connection) -> dict[str, Any]:
    """Columns (their kind, whether they may be empty) and indexes of every table, in no order."""
    return {
        table.name: {
            "columns": {column.name: (str(column.type), column.nullable, column.primary_key) for column in table.columns},
            "refers": sorted(f"{key.parent.name} {key.target_fullname} {key.ondelete}" for key in table.foreign_keys),
            "indexes": sorted(
                f"{index.name} {index.unique} {[str(one) for one in index.expressions]}" for index in table.indexes
            ),
        }
        for table in reflected(connection)
    }
