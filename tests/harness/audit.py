"""What the audit log costs: `python -m tests.harness.audit decisions`, `… people`, `… verify 1000000`; `--url` for PostgreSQL.

`decisions`: milliseconds of a decision with its record and without, in turns on the same database, and those of processor.
`people`: twenty people who decide at once, in four processes; nothing may be lost. `verify`: a log of so many records written,
checked, exported and looked through, with the peak memory.
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Final
from unittest.mock import patch

from sqlalchemy import Engine, func, select

from service.database import connect_database, open_database
from service.workplace import audit, decisions
from service.workplace.audit_chain import Head, chained, details_of, instant_of
from service.workplace.audit_list import Wanted, exported, page_of
from service.workplace.audit_schema import AUDIT
from service.workplace.audit_verify import Expected, verify_database
from service.workplace.choices import choose
from service.workplace.people import Person, add_user, find_person, new_user
from service.workplace.schema import DECISIONS, USERS
from service.workplace.times import now
from tests.service.workplace.made import add, prediction, verdict

_PROCESSES: Final = 4
_PEOPLE: Final = 20
_EACH: Final = 15
_LOT: Final = 5_000


def main() -> None:
    """Print what was measured, a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("decisions", "people", "verify"))
    parser.add_argument("count", type=int, nargs="?", default=400)
    parser.add_argument("--url", help="base de données vide ; par défaut un fichier SQLite passager")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = asked.url or f"sqlite:///{Path(folder) / 'vigie.db'}"
        engine = open_database(url)
        {"decisions": _decisions, "people": _people, "verify": _verify}[asked.what](engine, asked.count)
        engine.dispose()


def _say(**figures: object) -> None:
    print(json.dumps(figures, ensure_ascii=False), flush=True)  # noqa: T201


def _prepare(engine: Engine, people: int, texts: int) -> list[str]:
    """Accounts `p0`, `p1`…, and texts to decide; returns the texts."""
    row = new_user("compte", "P", "administrator", "une phrase que personne ne tape")
    with engine.begin() as connection:
        for number in range(people):
            add_user(connection, row | {"id": f"p{number}", "login": f"p{number}"})
        ids = [add(connection, prediction("isolation"), f"Texte {number} qui guérit tout.") for number in range(texts)]
    choose(engine, "second_share", 0.0, _person(engine, 0))
    return ids


def _person(engine: Engine, number: int) -> Person:
    found = find_person(engine, f"p{number}")
    assert found is not None
    return found


def _decisions(engine: Engine, count: int) -> None:
    ids = _prepare(engine, 1, 2 * count)
    person = _person(engine, 0)
    took: dict[bool, list[float]] = {True: [], False: []}
    computed = dict.fromkeys(took, 0.0)
    for number, id in enumerate(ids):
        recorded = number % 2 == 0
        begun, before = time.perf_counter(), time.process_time()
        if recorded:
            decisions.decide(engine, id, person, verdict("isolation"), None)
        else:
            with patch("service.workplace.decisions.record"):
                decisions.decide(engine, id, person, verdict("isolation"), None)
        took[recorded].append(1_000 * (time.perf_counter() - begun))
        computed[recorded] += 1_000 * (time.process_time() - before) / count
    for recorded, times in took.items():
        cuts = statistics.quantiles(times, n=100)
        figures = {"p50": round(cuts[49], 2), "p95": round(cuts[94], 2), "processor": round(computed[recorded], 2)}
        _say(base=engine.dialect.name, recorded=recorded, n=len(times), **figures)


def _work(url: str, first: int, ids: list[str], results: "multiprocessing.Queue[int]") -> None:
    engine = connect_database(url)
    faults = []

    def one(number: int) -> None:
        person = _person(engine, number)
        for id in ids[number * _EACH : (number + 1) * _EACH]:
            try:
                decisions.decide(engine, id, person, verdict("isolation"), None)
            except Exception as error:
                faults.append(f"{type(error).__name__} : {error}"[:200])

    threads = [threading.Thread(target=one, args=(number,)) for number in range(first, first + _PEOPLE // _PROCESSES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for fault in faults:
        _say(fault=fault)
    results.put(len(faults))
    engine.dispose()


def _people(engine: Engine, _: int) -> None:
    ids = _prepare(engine, _PEOPLE, _PEOPLE * _EACH)
    url = engine.url.render_as_string(hide_password=False)
    spawned = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[int] = spawned.Queue()
    steps = range(0, _PEOPLE, _PEOPLE // _PROCESSES)
    running = [spawned.Process(target=_work, args=(url, first, ids, results)) for first in steps]
    begun = time.perf_counter()
    for process in running:
        process.start()
    faults = sum(results.get() for _ in running)
    took = time.perf_counter() - begun
    for process in running:
        process.join()
    with engine.connect() as connection:
        kept = connection.execute(select(func.count()).select_from(DECISIONS)).scalar_one()
        recorded = connection.execute(
            select(func.count()).select_from(AUDIT).where(AUDIT.c.action == "decision.made")
        ).scalar_one()
        people = connection.execute(select(func.count()).select_from(USERS)).scalar_one()
    whole = verify_database(engine, Expected(), now()).whole
    figures = {"people": people, "decisions": kept, "recorded": recorded, "faults": faults, "whole": whole}
    _say(base=engine.dialect.name, seconds=round(took, 1), **figures)


def _verify(engine: Engine, count: int) -> None:
    begun = time.perf_counter()
    with engine.connect() as connection:
        head = audit.head_of(connection)
    while head.number < count:
        rows = []
        for number in range(head.number, min(head.number + _LOT, count)):
            values = {
                "at": instant_of(now()),
                "actor": f"u{number % 20}",
                "means": "session",
                "means_id": "",
                "address": "192.0.2.7",
            }
            details = details_of({"masked": number % 2 == 0})
            action = "decision.made" if number % 5 == 0 else "text.view"
            rows.append(chained(head, values | {"action": action, "object": f"text:{number % 90_000}", "details": details}, None))
            head = Head(rows[-1]["number"], rows[-1]["hash"])
        with engine.begin() as connection:
            connection.execute(AUDIT.insert(), rows)
    _say(base=engine.dialect.name, written=head.number, seconds=round(time.perf_counter() - begun, 1), megabytes=_memory())
    begun = time.perf_counter()
    report = verify_database(engine, Expected(heads=[head]), now())
    _say(checked=report.checked, whole=report.whole, seconds=round(time.perf_counter() - begun, 1), megabytes=_memory())
    begun = time.perf_counter()
    size = sum(len(piece) for piece in exported(engine, "jsonl"))
    _say(exported=size, seconds=round(time.perf_counter() - begun, 1), megabytes=_memory())
    for query in (
        "",
        "personne=u3",
        "action=decision",
        "action=session",
        "objet=text:77",
        "depuis=2020-01-01&personne=u3&action=text",
    ):
        begun = time.perf_counter()
        with engine.connect() as connection:
            found = len(page_of(connection, Wanted.read(query), 101))
        _say(page=query, rows=found, milliseconds=round(1_000 * (time.perf_counter() - begun), 1))


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
