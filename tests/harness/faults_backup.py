"""Backups: killed, made while people decide, restored; what was acknowledged before one began is in it."""

import threading
import time
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, select

from model.errors import VigieError
from service.backup.copying import counts_of
from service.backup.create import create
from service.backup.manifest import Manifest
from service.backup.restore import restore
from service.backup.shelf import backups
from service.backup.verify import verify
from service.database import connect_database, open_database
from service.workplace.decided import VALID
from service.workplace.schema import DECISIONS, ITEMS
from service.workplace.times import aware, now
from tests.harness.faults_field import KINDS, Field, Outcome, add_people, environment, until
from tests.harness.faults_kills import log_is_whole
from tests.harness.killed import Report, Served, deciding
from tests.service.workplace.volume import fill, fill_unread


def killed(field: Field, kind: str) -> Outcome:
    """`vigie backup create` and `restore` killed at random moments: no half backup has a name, no half database is served."""
    outcome, chance = Outcome(), field.chance()
    shelf = field.new_folder("sauvegardes")
    with field.database(kind) as engine:
        fill(engine, field.some(3_000, 600))
        add_people(engine, 3)
        settings = field.settings(engine.url.render_as_string(hide_password=False))
        started = time.monotonic()
        folder, manifest = create(settings, shelf, with_model=False)
        usual = time.monotonic() - started
        given = environment(settings)
        for _ in range(field.some(8, 1)):
            run = field.zygote().start(["vigie", "backup", "create", str(shelf), "--no-model"], given)
            until(lambda: any(shelf.glob(".*")) or run.over(), 60)  # noqa: B023
            until(run.over, chance.uniform(0.0, 0.0 if field.small else usual * 1.2))
            outcome.kills += run.code is None
            run.kill()
            for found in backups(shelf):
                half = verify(found, settings)[1] != []
                outcome.expect_none_half(half, f"{found.name} porte un nom sans être entière")
        again, _ = create(settings, shelf, with_model=False)
        left = [path.name for path in shelf.iterdir() if path.name.startswith(".")]
        outcome.expect(not left, f"il reste {left}")
        outcome.expect(again != folder, "une sauvegarde en remplace une autre")
        before = manifest.counts
    engine.dispose()
    for _ in range(field.some(8, 1)):
        run = field.zygote().start(["vigie", "backup", "restore", str(folder), "--replace"], given)
        until(run.over, chance.uniform(0.05, usual * field.some(20, 2) / 10))
        outcome.kills += run.code is None
        run.kill()
        _is_whole(settings.database_url, before, outcome)
    since = time.monotonic()
    restore(settings, folder, replace=True)
    outcome.recovered(since)
    _is_whole(settings.database_url, before, outcome)
    outcome.acknowledged = sum(before.values())
    return outcome


def _is_whole(url: str, before: object, outcome: Outcome) -> None:
    """All the rows are there, whichever of the two databases it is: they hold the same, but for what restoring notes."""
    engine = open_database(url)
    with engine.connect() as connection:
        counts = counts_of(connection)
    engine.dispose()
    assert isinstance(before, dict)
    differ = {name: count for name, count in before.items() if counts.get(name) != count and name != "audit_records"}
    missing = sum(max(0, count - counts.get(name, 0)) for name, count in differ.items())
    outcome.expect_none_lost(missing, f"{missing} lignes manquent : {differ}")
    outcome.expect_none_half(bool(differ), f"la base n'est ni l'ancienne ni la nouvelle : {differ}")


def under_load(field: Field, kind: str) -> Outcome:
    """A backup while people decide, restored into each kind of database: all that was told before it began is there."""
    outcome = Outcome()
    shelf = field.new_folder("sauvegardes")
    with field.database(kind) as engine:
        fill_unread(engine, field.some(6_000, 200))
        people = add_people(engine, field.some(20, 4))
        settings = field.settings(engine.url.render_as_string(hide_password=False))
        served = Served(environment(settings), settings.port, field.zygote())
        report, over = Report(), threading.Event()
        served.start()
        threads = deciding(f"http://127.0.0.1:{settings.port}", engine, people, over, report)
        made: list[tuple[set[str], Path, Manifest]] = []
        try:
            for _ in range(field.some(3, 1)):
                enough = len(report.kept) + 5
                outcome.expect(until(lambda: len(report.kept) >= enough, 60), "personne ne décide")  # noqa: B023
                kept = set(report.kept)
                made.append((kept, *create(settings, shelf, with_model=False)))
        finally:
            over.set()
            for thread in threads:
                thread.join(60)
            served.kill()
        outcome.wrong += report.faults
        meanwhile = _decided_between(engine, made)
        outcome.expect(field.small or meanwhile > 0, "personne n'a décidé pendant les sauvegardes")
        log_is_whole(engine, outcome)
    outcome.acknowledged = len(made[-1][0])
    outcome.counted |= {"décisions": len(report.kept), "pendant les sauvegardes": meanwhile}
    for target in KINDS[:1] if field.small else KINDS:
        kept, folder, manifest = made[-1]
        there, since = field.settings(field.url(target)), time.monotonic()
        restore(there, folder)
        outcome.recovered(since)
        _holds(there.database_url, kept, datetime.fromisoformat(manifest.began_at), outcome)
        try:
            restore(there, folder)
            outcome.wrong.append("une base qui contient quelque chose est remplacée sans --replace")
        except VigieError:
            pass
    return outcome


def _decided_between(engine: Engine, made: list[tuple[set[str], Path, Manifest]]) -> int:
    """How many decisions were made while a backup was."""
    with engine.connect() as connection:
        instants = [aware(at) for at in connection.scalars(select(DECISIONS.c.made_at))]
    spans = [(datetime.fromisoformat(one.began_at), datetime.fromisoformat(one.ended_at)) for _, _, one in made]
    return sum(any(began < at < ended for began, ended in spans) for at in instants)


def _holds(url: str, kept: set[str], began: datetime, outcome: Outcome) -> None:
    engine: Engine = connect_database(url)
    with engine.connect() as connection:
        requests = set(connection.scalars(select(DECISIONS.c.request)))
        decided = set(connection.scalars(select(DECISIONS.c.item_id).where(VALID)))
        left = set(connection.scalars(select(ITEMS.c.id).where(ITEMS.c.state != "new")))
        made = [aware(at) for at in connection.scalars(select(DECISIONS.c.made_at))]
    outcome.expect_none_lost(
        len(kept - requests), f"{len(kept - requests)} décisions confirmées avant la sauvegarde n'y sont pas"
    )
    outcome.expect_none_half(len(decided ^ left), "l'état des textes ne suit pas les décisions")
    outcome.expect(all(at <= now() for at in made) and any(at <= began for at in made), "les instants ont changé")
    log_is_whole(engine, outcome)
    engine.dispose()
