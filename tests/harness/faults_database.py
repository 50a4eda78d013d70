"""The database away and back, pages that are damaged, migrations that are interrupted or run at once."""

import json
import os
import shlex
import signal
import sqlite3
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import MetaData, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from service.backup.copying import step_of
from service.database import connect_database, open_database, serialise, sha256_text
from service.migrations import upgrade
from tests.harness.faults_field import Field, Outcome, add_people, environment, until
from tests.harness.faults_kills import log_is_whole
from tests.harness.killed import Report, Served, check, deciding
from tests.service.workplace.postgres import _binaries, _run, cluster, run_sql
from tests.service.workplace.volume import corpus_texts, fill_unread

#: The step that databases are at before they are migrated.
_OLD = "0002"


def away(field: Field) -> Outcome:
    """PostgreSQL stopped at once and started again under load: 503 that says when to come back, then on as if nothing were."""
    outcome = Outcome()
    folder = field.new_folder("postgres-à-part")
    with cluster(folder) as server:
        run_sql(server, "create database vigie")
        url = f"{server}/vigie"
        open_database(url).dispose()
        engine = connect_database(url)
        fill_unread(engine, field.some(4_000, 500))
        people = add_people(engine, field.some(8, 3))
        settings = field.settings(url)
        served = Served(environment(settings), settings.port, field.zygote())
        served.start()
        report, over = Report(), threading.Event()
        threads = deciding(f"http://127.0.0.1:{settings.port}", engine, people, over, report)
        try:
            for _ in range(field.some(5, 1)):
                outcome.expect(_grows(report, 3), "personne ne décide")
                _stop(folder)
                outcome.kills += 1
                _told_away(settings.port, outcome)
                since = _start(folder)
                outcome.expect(_grows(report, 3), "personne ne décide après le retour de la base")
                outcome.counted["reprise (s)"] = round(time.monotonic() - since, 1)
                ready = httpx.get(f"http://127.0.0.1:{settings.port}/health/ready", timeout=10)
                outcome.expect(ready.status_code == 200, f"/health/ready : {ready.status_code} après le retour")
        finally:
            over.set()
            for thread in threads:
                thread.join(60)
            outcome.expect(not served.over(), "le service s'est arrêté")
            served.kill()
        outcome.wrong += check(engine, report)
        outcome.counted["décisions"] = len(report.kept)
        log_is_whole(engine, outcome)
        engine.dispose()
    return outcome


def _grows(report: Report, by: int) -> bool:
    enough = len(report.kept) + by
    return until(lambda: len(report.kept) >= enough, 60)


def _stop(folder: Path) -> None:
    _run(_binaries() / "pg_ctl", "-D", folder / "data", "-m", "immediate", "-w", "stop")


def _start(folder: Path) -> float:
    words = shlex.split((folder / "data" / "postmaster.opts").read_text(encoding="utf-8"))[1:]
    place = words.index("-D")
    options = shlex.join(words[:place] + words[place + 2 :])
    _run(_binaries() / "pg_ctl", "-D", folder / "data", "-o", options, "-l", folder / "log", "-w", "start")
    return time.monotonic()


def _told_away(port: int, outcome: Outcome) -> None:
    """What people and programs are told while the database is away."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10, cookies={"vigie_session": "x"}) as client:
        page = client.get("/file", headers={"Accept": "text/html"})
        said = page.status_code == 503 and "Retry-After" in page.headers and "Base de données injoignable" in page.text
        outcome.expect(said and "<h1>" in page.text, f"/file sans base : {page.status_code}, {page.text[:200]}")
        answer = client.get("/v1/import/x", headers={"Authorization": "Bearer vigie_x"})
        problem = answer.headers.get("content-type", "").startswith("application/problem+json")
        said = answer.status_code == 503 and problem and "Retry-After" in answer.headers
        outcome.expect(said, f"/v1/import sans base : {answer.status_code}")
        ready = client.get("/health/ready")
        outcome.expect(
            ready.status_code == 503 and "Retry-After" in ready.headers, f"/health/ready sans base : {ready.status_code}"
        )
        outcome.expect(client.get("/health/live").status_code == 200, "/health/live ne répond plus")
        read = client.post("/v1/predict", json={"text": "Séance de repos, 40 euros."})
        outcome.expect(read.status_code == 200, f"l'analyse d'un texte, qui ne veut pas de base : {read.status_code}")


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
    step = max(1, total // field.some(30, 4))
    for most in range(1, total + 1, step):
        url = _copy(field, old, kind)
        code = field.zygote().start([*call, url, most], {}).wait()
        outcome.expect(code == -signal.SIGKILL, f"instruction {most} : code {code}")
        outcome.kills += 1
        engine = create_engine(make_url(url), poolclass=NullPool)
        with engine.connect() as connection:
            outcome.expect(step_of(connection) == _OLD, f"instruction {most} : l'étape est {step_of(connection)}")
        _brought_up(url, before, outcome, f"instruction {most}")
        if kind == "postgresql":
            run_sql(str(field.server), f"drop database {make_url(url).database} with (force)")
    outcome.counted = {"instructions": total, "textes": len(before[0]), "décisions": len(before[1])}
    return outcome


def _brought_up(url: str, before: tuple[Any, ...], outcome: Outcome, when: str) -> None:
    opened = open_database(url)
    with opened.connect() as connection:
        head = step_of(connection)
    opened.dispose()
    outcome.expect(head > _OLD, f"{when} : la base reste à l'étape {head}")
    outcome.expect(_said(url) == before, f"{when} : ce que la base contenait a changé")


def at_once(field: Field, kind: str) -> Outcome:
    """Several processes that migrate one database at the same time, one of which is killed: all the others serve it."""
    outcome = Outcome()
    old = _old_database(field, kind)
    before, chance = _said(old), field.chance()
    for _ in range(field.some(6, 1)):
        url = _copy(field, old, kind)
        call = ["call", "service.database:open_checked", url]
        running = [field.zygote().start(call, {}) for _ in range(5)]
        time.sleep(chance.uniform(0.0, 0.5))
        first = running.pop(0)
        outcome.kills += not first.over()
        first.kill()
        codes = [process.wait() for process in running]
        outcome.expect(codes == [0] * len(codes), f"codes {codes}")
        _brought_up(url, before, outcome, "à plusieurs")
    outcome.counted = {"textes": len(before[0])}
    return outcome
