"""Migrations that are interrupted, or run at once by several processes: the next start completes them, and nothing is missing."""

import json
import os
import signal
import sqlite3
import time
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import MetaData, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from service.backup.copying import step_of
from service.database import connect_database, open_database, serialise, sha256_text
from service.migrations import upgrade
from tests.harness.faults_field import Field, Outcome
from tests.service.workplace.postgres import run_sql
from tests.service.workplace.volume import corpus_texts

#: The step that databases are at before they are migrated.
_OLD = "0002"


def _old_database(field: Field, kind: str) -> str:
    """The address of a database of long ago, with people, texts and decisions."""
    url = field.url(kind)
    engine = connect_database(url)
    with engine.begin() as connection:
        upgrade(connection, _OLD)
        known = MetaData()
        known.reflect(connection)
        at = datetime(2026, 3, 1, tzinfo=UTC)
        texts = corpus_texts(field.some(800, 60))
        rows: dict[str, list[dict[str, Any]]] = {
            "users": [{"id": f"u{n}", "login": f"l{n}", "name": "Lou", "role": "analyst", "active": True} for n in range(3)],
            "items": [{"id": f"{n:028x}", "text": t, "sha256": sha256_text(t), "state": "done"} for n, t in enumerate(texts)],
            "decisions": [
                {"id": f"d{n}", "item_id": f"{n:028x}", "user_id": f"u{n % 3}", "verdict": "unsure", "request": f"r{n}"}
                for n in range(len(texts) // 2)
            ],
        }
        for name, some in rows.items():
            connection.execute(known.tables[name].insert(), [_whole(known.tables[name], row, at) for row in some])
    engine.dispose()
    return url


def _whole(table: Any, row: dict[str, Any], at: datetime) -> dict[str, Any]:
    """A row with something in every column that wants something."""
    blank: dict[type, Any] = {str: "", int: 0, bool: False, float: 0.0, datetime: at, object: [], dict: [], bytes: b""}
    missing = {c.name: blank[c.type.python_type] for c in table.columns if not c.nullable and c.name not in row}
    missing = {name: value for name, value in missing.items() if name != "number"}
    return missing | row


def _said(url: str) -> tuple[Any, ...]:
    """What people would miss: texts, decisions, accounts."""
    engine = create_engine(make_url(url), poolclass=NullPool)
    with engine.connect() as connection:
        return tuple(
            tuple(connection.execute(text(query)).all())
            for query in (
                "SELECT id, text, sha256, state FROM items ORDER BY id",
                "SELECT id, item_id, user_id, kind, verdict, request FROM decisions ORDER BY id",
                "SELECT id, login, name, role FROM users ORDER BY id",
            )
        )


def _copy(field: Field, url: str, kind: str) -> str:
    """Another database that holds the same."""
    if kind == "sqlite":
        path = field.new_folder("copie") / "vigie.db"
        with closing(sqlite3.connect(str(make_url(url).database))) as one, closing(sqlite3.connect(path)) as other:
            one.backup(other)
        return f"sqlite:///{path}"
    field._count += 1
    name = f"copy{field._count}"
    run_sql(str(field.server), f"create database {name} template {make_url(url).database}")
    return f"{field.server}/{name}"


def migrate_until(url: str, most: int) -> None:
    """Bring a database up to date, and be killed by the system at its statement `most`; the count goes to a file otherwise."""
    count = 0
    engine = connect_database(url)

    def look(*_: Any) -> None:
        nonlocal count
        count += 1
        if count == most:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(engine, "before_cursor_execute", look)
    with engine.begin() as connection:
        serialise(connection, "migrations")
        upgrade(connection)
    engine.dispose()
    print(json.dumps({"statements": count}), flush=True)  # noqa: T201 - read from the journal


def interrupted(field: Field, kind: str) -> Outcome:
    """A migration killed at one statement after the other, with data: the next start completes it, and nothing is missing."""
    outcome = Outcome()
    old = _old_database(field, kind)
    before = _said(old)
    call = ["call", "tests.harness.faults_database:migrate_until"]
    outcome.expect(field.zygote().start([*call, _copy(field, old, kind), 0], {}).wait() == 0, "la migration entière échoue")
    lines = field.zygote().log.read_text(encoding="utf-8", errors="replace").splitlines()
    total = next(json.loads(line)["statements"] for line in reversed(lines) if '"statements"' in line)
    step = max(1, total // field.some(30, 2))
    for most in range(1, total + 1, step):
        url = _copy(field, old, kind)
        code = field.zygote().start([*call, url, most], {}).wait()
        outcome.expect(code == -signal.SIGKILL, f"instruction {most} : code {code}")
        outcome.kills += 1
        engine = create_engine(make_url(url), poolclass=NullPool)
        with engine.connect() as connection:
            step_left = step_of(connection)
        outcome.expect_none_half(step_left != _OLD, f"instruction {most} : l'étape est {step_left}")
        _brought_up(url, before, outcome, f"instruction {most}")
        if kind == "postgresql":
            run_sql(str(field.server), f"drop database {make_url(url).database} with (force)")
    outcome.acknowledged = sum(len(rows) for rows in before)
    outcome.counted = {"instructions": total}
    return outcome


def _brought_up(url: str, before: tuple[Any, ...], outcome: Outcome, when: str) -> None:
    since = time.monotonic()
    opened = open_database(url)
    outcome.recovered(since)
    with opened.connect() as connection:
        head = step_of(connection)
    opened.dispose()
    outcome.expect_none_half(head <= _OLD, f"{when} : la base reste à l'étape {head}")
    changed = sum(len(set(old) - set(new)) for old, new in zip(before, _said(url), strict=True))
    outcome.expect_none_lost(changed, f"{when} : {changed} lignes de ce que la base contenait manquent ou ont changé")


def at_once(field: Field, kind: str) -> Outcome:
    """Several processes that migrate one database at the same time, the first killed half-way: all the others serve it."""
    outcome = Outcome()
    old = _old_database(field, kind)
    before, chance = _said(old), field.chance()
    for _ in range(field.some(6, 1)):
        url = _copy(field, old, kind)
        first = field.zygote().start(["call", "tests.harness.faults_database:migrate_until", url, chance.randint(20, 100)], {})
        call = ["call", "service.database:open_checked", url]
        running = [field.zygote().start(call, {}) for _ in range(4)]
        # Another may have been faster: there is then nothing left for it to be killed at.
        outcome.kills += first.wait() == -signal.SIGKILL
        codes = [process.wait() for process in running]
        outcome.expect(codes == [0] * len(codes), f"codes {codes}")
        _brought_up(url, before, outcome, "à plusieurs")
    outcome.acknowledged = sum(len(rows) for rows in before)
    return outcome
