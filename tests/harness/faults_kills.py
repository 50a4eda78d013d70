"""kill -9 of what serves, scores, imports or exports, at random moments: nothing told is lost, nothing half-made is shown."""

import csv
import io
import json
import time
from datetime import timedelta
from pathlib import Path

import httpx
from sqlalchemy import Engine, func, select

from service.access import COOKIE
from service.leftovers import sweep
from service.settings import Settings
from service.workplace.audit_verify import Expected, verify_database
from service.workplace.filters import Filter
from service.workplace.imports import Wanted, begin, find_import
from service.workplace.receptions import EXPORTS
from service.workplace.schema import IMPORTS, ITEM_SIGNS, ITEMS, PREDICTIONS
from service.workplace.sessions import find_session, open_session
from service.workplace.takeouts import ask, find_takeout, place_of
from service.workplace.times import now
from tests.harness.faults_field import Field, Outcome, add_people, environment, until
from tests.harness.killed import Served, check, run
from tests.service.workplace.volume import corpus_texts, fill, fill_unread

_HOUR = timedelta(hours=1)


def log_is_whole(engine: Engine, outcome: Outcome) -> None:
    """The audit log has neither change nor hole."""
    report = verify_database(engine, Expected(), now())
    said = f"journal d'audit : {report.count} défaut(s), {[fault.message for fault in report.faults[:3]]}"
    outcome.expect_none_half(0 if report.whole else max(1, report.count), said)
    outcome.counted["enregistrements d'audit"] = report.checked


def server(field: Field, kind: str) -> Outcome:
    """The server killed while people decide; the last start is a cold one."""
    outcome = Outcome()
    with field.database(kind) as engine:
        fill_unread(engine, field.some(6_000, 600))
        people = add_people(engine, field.some(8, 4))
        settings = field.settings(engine.url.render_as_string(hide_password=False))
        served = Served(environment(settings), settings.port, field.zygote())
        try:
            report = run(served, engine, people, field.some(50, 3), 0.0, field.some(10, 2) / 10)
            outcome.kills, outcome.recovery = report.kills, report.recovery
            outcome.take(report, check(engine, report))
            if not field.small:
                _cold(field, settings, outcome)
        finally:
            served.kill()
        outcome.counted["sans réponse"] = len(report.unanswered)
        log_is_whole(engine, outcome)
    return outcome


def _cold(field: Field, settings: Settings, outcome: Outcome) -> None:
    """A start that loads everything itself, as on a machine that was just started."""
    served = Served(environment(settings), settings.port)
    started = time.monotonic()
    try:
        served.start()
        outcome.counted["départ à froid (s)"] = round(time.monotonic() - started, 1)
    finally:
        served.kill()
    outcome.kills += 1


def _kill_again_and_again(served: Served, outcome: Outcome, field: Field, kills: int, over: "Over") -> None:
    """Kill the server at random moments until it was killed so many times, then let it end its work."""
    chance = field.chance()
    for _ in range(kills):
        since = time.monotonic()
        served.start()
        outcome.recovered(since)
        time.sleep(chance.uniform(0.05, field.some(10, 3) / 10))
        if over.now():
            over.renew()
        served.kill()
        outcome.kills += 1
    since = time.monotonic()
    served.start()
    outcome.recovered(since)
    outcome.expect(until(over.now, 180), "le travail n'est pas fini trois minutes après le dernier arrêt")
    outcome.counted["travail fini en (s)"] = round(time.monotonic() - since, 1)
    served.kill()


class Over:
    """Whether the work is over, and how to give more of it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def now(self) -> bool:
        """Whether nothing is left to do."""
        raise NotImplementedError

    def renew(self) -> None:
        """Give more to do."""


class _Scored(Over):
    def now(self) -> bool:
        with self.engine.connect() as connection:
            return (
                connection.execute(select(func.count()).select_from(ITEMS).where(ITEMS.c.model_version.is_(None))).scalar() == 0
            )


def scoring(field: Field, kind: str) -> Outcome:
    """The server killed while it scores in the background: each text is read once, whole or not at all."""
    outcome = Outcome()
    with field.database(kind) as engine:
        content = "\n".join(json.dumps({"text": f"{text}\n{n}"}) for n, text in enumerate(corpus_texts(field.some(240, 40))))
        settings = field.settings(engine.url.render_as_string(hide_password=False), scoring=True, scoring_batch=8)
        id = begin(engine, settings, Wanted("essai", None), ".jsonl", io.BytesIO(content.encode()))
        served = Served(environment(settings), settings.port, field.zygote())
        try:
            _kill_again_and_again(served, outcome, field, field.some(12, 2), _Imported(engine, settings, id, [], None))
            served.start()
            outcome.expect(until(_Scored(engine).now, 180), "des textes ne sont pas lus trois minutes après le dernier arrêt")
        finally:
            served.kill()
        with engine.connect() as connection:
            texts = connection.execute(select(func.count()).select_from(ITEMS)).scalar_one()
            rows = connection.execute(select(ITEMS.c.id, ITEMS.c.level, PREDICTIONS.c.prediction).join(PREDICTIONS)).all()
            signs: dict[str, set[str]] = {}
            for item, indicator in connection.execute(select(ITEM_SIGNS.c.item_id, ITEM_SIGNS.c.indicator)):
                signs.setdefault(item, set()).add(indicator)
        outcome.acknowledged = len(content.splitlines())
        outcome.expect_none_lost(abs(outcome.acknowledged - len(rows)), f"{len(rows)} prédictions pour {texts} textes")
        for item, level, said in rows:
            present = {sign["id"] for sign in said["indicators"] if sign["present"]}
            agrees = signs.get(item, set()) == present and level == (said["risk"] or {}).get("level")
            outcome.expect_none_half(not agrees, f"{item} : la file ne dit pas ce que dit la prédiction")
    return outcome


class _Imported(Over):
    """Whether every import that was asked for is over; `renew` asks for one more of the same file."""

    def __init__(self, engine: Engine, settings: Settings, id: str, ids: list[str], content: bytes | None) -> None:
        super().__init__(engine)
        self.settings, self.ids, self.content = settings, ids, content
        self.ids.append(id)

    def now(self) -> bool:
        with self.engine.connect() as connection:
            states = connection.scalars(select(IMPORTS.c.state).where(IMPORTS.c.id.in_(self.ids))).all()
        return all(state in ("done", "failed") for state in states)

    def renew(self) -> None:
        if self.content is not None:
            later = self.content.replace(b"essai-", f"essai-{len(self.ids)}-".encode())
            self.ids.append(begin(self.engine, self.settings, Wanted("essai", None), ".csv", io.BytesIO(later)))


def importing(field: Field, kind: str) -> Outcome:
    """The server killed while it imports: every row is there once, whatever was killed; uploads broken off leave nothing."""
    outcome = Outcome()
    rows = field.some(12_000, 1_500)
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(["text", "id"])
    table.writerows([f"Annonce numéro essai-{number} de bien-être et de repos", f"essai-{number}"] for number in range(rows))
    with field.database(kind) as engine:
        settings = field.settings(engine.url.render_as_string(hide_password=False))
        content = written.getvalue().encode()
        ids: list[str] = []
        first = begin(engine, settings, Wanted("essai", None), ".csv", io.BytesIO(content))
        over = _Imported(engine, settings, first, ids, content)
        served = Served(environment(settings), settings.port, field.zygote())
        try:
            _kill_again_and_again(served, outcome, field, field.some(12, 2), over)
        finally:
            served.kill()
        with engine.connect() as connection:
            texts = connection.execute(select(func.count()).select_from(ITEMS)).scalar_one()
            for id in ids:
                found = find_import(connection, id)
                counts = found and (found["state"], found["read"], found["added"], found["duplicates"], found["errors"])
                outcome.expect_none_half(counts != ("done", rows, rows, 0, 0), f"import {id} : {counts}, {rows} lignes")
        outcome.acknowledged = rows * len(ids)
        outcome.expect_none_lost(abs(outcome.acknowledged - texts), f"{texts} textes pour {outcome.acknowledged} lignes")
        outcome.counted["imports"] = len(ids)
        orphan = settings.spool_dir / f"{'0' * 28}.csv"
        orphan.write_text("text\n")
        _make_old(orphan)
        outcome.expect(sweep(engine, settings) == [orphan], "les restes d'un envoi coupé ne sont pas retirés")
        left = [path.name for path in settings.spool_dir.iterdir() if path.is_file() and path.suffix != ".lock"]
        outcome.expect(not left, f"il reste {left} dans l'attente")
        log_is_whole(engine, outcome)
    return outcome


def _make_old(path: Path) -> None:
    import os

    os.utime(path, (time.time() - 7_200,) * 2)


class _Exported(Over):
    def __init__(self, engine: Engine, settings: Settings, asked: list[str], again: "_Asking") -> None:
        super().__init__(engine)
        self.settings, self.asked, self.again = settings, asked, again

    def now(self) -> bool:
        with self.engine.connect() as connection:
            rows = connection.execute(select(EXPORTS.c.state).where(EXPORTS.c.id.in_(self.asked))).scalars().all()
        return all(state not in ("waiting", "running") for state in rows)

    def renew(self) -> None:
        self.asked.append(self.again())


class _Asking:
    def __init__(self, engine: Engine) -> None:
        from tests.service.workplace.conftest import add_person

        self.engine = engine
        with engine.begin() as connection:
            self.person = add_person(connection, "admin", "administrator")

    def __call__(self) -> str:
        return ask(self.engine, self.person, "jsonl", Filter.read("tout=1"))


def exporting(field: Field, kind: str) -> Outcome:
    """The server killed while it writes exports: a file is offered whole, or not at all."""
    outcome = Outcome()
    with field.database(kind) as engine:
        texts = field.some(8_000, 1_500)
        fill(engine, texts)
        settings = field.settings(engine.url.render_as_string(hide_password=False))
        asking = _Asking(engine)
        over = _Exported(engine, settings, [asking()], asking)
        served = Served(environment(settings), settings.port, field.zygote())
        try:
            _kill_again_and_again(served, outcome, field, field.some(10, 2), over)
        finally:
            served.kill()
        with engine.connect() as connection:
            for id in over.asked:
                found = find_takeout(connection, id)
                path = found and place_of(settings, found)
                lines = path.read_text(encoding="utf-8").splitlines() if path else []
                outcome.expect_none_lost(found is None or found.state != "done", f"export {id} : {found and found.state}")
                whole = found is not None and len({json.loads(line)["id"] for line in lines}) == found.texts == texts
                outcome.expect_none_half(not whole, f"export {id} : {len(lines)} lignes pour {texts} textes")
        left = [path.name for path in (settings.spool_dir / "exports").glob("*.tmp")]
        outcome.expect(not left, f"il reste {left}")
        outcome.acknowledged = len(over.asked)
        log_is_whole(engine, outcome)
    return outcome


def signed_in(engine: Engine, port: int, login: str = "lecteur0") -> tuple[httpx.Client, str]:
    """A program signed in as somebody, and the token that forms send back."""
    from service.workplace.people import find_login

    person = find_login(engine, login)
    assert person
    token = open_session(engine, person, _HOUR).token
    session = find_session(engine, token, _HOUR)
    assert session
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", cookies={COOKIE: token}, timeout=30), session.csrf
