"""The database away and back while people decide: what that is told to everyone, and that all goes on afterwards."""

import shlex
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from service.database import connect_database, open_database
from tests.harness.faults_field import Field, Outcome, add_people, environment, more, pick_up, until
from tests.harness.faults_kills import log_is_whole
from tests.harness.killed import Report, Served, check, deciding
from tests.service.workplace.postgres import _binaries, _run, cluster, run_sql
from tests.service.workplace.volume import fill_unread

#: How to take a database away; returns how to bring it back.
_Taking = Callable[[], Callable[[], None]]


def away(field: Field, kind: str) -> Outcome:
    """The database taken away under load and brought back: 503 that says when to try again, then on as if nothing were.

    PostgreSQL is stopped at once and started again. The SQLite file is moved elsewhere and back, alone or with its folder.
    """
    outcome = Outcome()
    if kind == "postgresql":
        with _server(field) as (url, taking):
            _away(field, url, taking, "Base de données injoignable", outcome)
            outcome.kills = field.some(5, 1)
    else:
        folder = field.new_folder("base")
        _away(field, f"sqlite:///{folder / 'vigie.db'}", _moving(folder), "Base de données inaccessible", outcome)
    return outcome


@contextmanager
def _server(field: Field) -> Iterator[tuple[str, list[_Taking]]]:
    """A PostgreSQL of its own: others are not to be stopped."""
    folder = field.new_folder("postgres-à-part")

    def stop() -> Callable[[], None]:
        _run(_binaries() / "pg_ctl", "-D", folder / "data", "-m", "immediate", "-w", "stop")
        return lambda: _start(folder)

    with cluster(folder) as server:
        run_sql(server, "create database vigie")
        yield f"{server}/vigie", [stop]


def _start(folder: Path) -> None:
    words = shlex.split((folder / "data" / "postmaster.opts").read_text(encoding="utf-8"))[1:]
    place = words.index("-D")
    options = shlex.join(words[:place] + words[place + 2 :])
    _run(_binaries() / "pg_ctl", "-D", folder / "data", "-o", options, "-l", folder / "log", "-w", "start")


def _moving(folder: Path) -> list[_Taking]:
    def move(path: Path) -> Callable[[], None]:
        elsewhere = path.with_name(f"{path.name}-ailleurs")
        path.rename(elsewhere)

        def back() -> None:
            elsewhere.rename(path)

        return back

    return [lambda: move(folder / "vigie.db"), lambda: move(folder)]


def _away(field: Field, url: str, taking: list[_Taking], title: str, outcome: Outcome) -> None:
    open_database(url).dispose()
    engine = connect_database(url)
    fill_unread(engine, field.some(4_000, 500))
    people = add_people(engine, field.some(8, 3))
    settings = field.settings(url)
    served = Served(environment(settings), settings.port, field.zygote())
    served.start()
    report, over = Report(), threading.Event()
    threads = deciding(f"http://127.0.0.1:{settings.port}", engine, people, over, report)
    times = field.some(5, len(taking))
    try:
        for number in range(times):
            outcome.expect(until(more(report), 120), "personne ne décide")
            back = taking[number % len(taking)]()
            _told_away(settings.port, title, outcome)
            back()
            since = time.monotonic()
            pick_up(outcome, since, more(report), 120, "personne ne décide après le retour de la base")
            ready = httpx.get(f"http://127.0.0.1:{settings.port}/health/ready", timeout=30)
            outcome.expect(ready.status_code == 200, f"/health/ready : {ready.status_code} après le retour")
    finally:
        over.set()
        for thread in threads:
            thread.join(60)
        outcome.expect(not served.over(), "le service s'est arrêté")
        served.kill()
    outcome.take(report, check(engine, report))
    outcome.counted["absences"] = times
    log_is_whole(engine, outcome)
    engine.dispose()


def _told_away(port: int, title: str, outcome: Outcome) -> None:
    """What people and programs are told while the database is away."""
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, cookies={"vigie_session": "x"}) as client:
        page = client.get("/file", headers={"Accept": "text/html"})
        said = page.status_code == 503 and "Retry-After" in page.headers and title in page.text
        outcome.expect(said and "<h1>" in page.text, f"/file sans base : {page.status_code}, {page.text[:200]}")
        answer = client.get("/v1/import/x", headers={"Authorization": "Bearer vigie_x"})
        problem = answer.headers.get("content-type", "").startswith("application/problem+json")
        said = answer.status_code == 503 and problem and "Retry-After" in answer.headers
        outcome.expect(said, f"/v1/import sans base : {answer.status_code}")
        ready = client.get("/health/ready")
        said = ready.status_code == 503 and "Retry-After" in ready.headers
        outcome.expect(said, f"/health/ready sans base : {ready.status_code}")
        outcome.expect(client.get("/health/live").status_code == 200, "/health/live ne répond plus")
        read = client.post("/v1/predict", json={"text": "Séance de repos, 40 euros."})
        outcome.expect(read.status_code == 200, f"l'analyse d'un texte, qui ne veut pas de base : {read.status_code}")
