"""How long each page takes with a hundred thousand texts that people work on: `python -m tests.harness.queue [--url …]`.

The texts have decisions, readings, claims, comments, predictions and signatures. Every filter, sort and search of the queue
is asked for over HTTP, first page and the one after it, then the pages of a text, of readings, of what to read next and of
the overview, several times each. 1 if the median of one is over what it may take.
"""

import argparse
import html
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx
from sqlalchemy import Engine, select

from service.access import COOKIE
from service.database import open_database
from service.settings import Settings
from service.workplace.people import Person, list_people
from service.workplace.schema import ITEMS
from service.workplace.sessions import open_session
from tests.harness.reviewers import HOUR
from tests.service.conftest import free_port, start
from tests.service.workplace.conftest import add_person
from tests.service.workplace.test_queue import QUERIES
from tests.service.workplace.volume import fill
from tests.service.workplace.work import fill_work

_MOST = 0.3
_TIMES = 3
_READER = "lecteur0"
_PAGES = ("/apercu", "/accord", "/relecture", "/arbitrage", "/a-etiqueter", "/imports", "/export")


def main() -> int:
    """Run it as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--predictions", type=int, default=30_000)
    parser.add_argument("--url", help="base de données vide, ou remplie par un essai d'avant ; par défaut un fichier SQLite")
    given = parser.parse_args()
    slow = 0
    with tempfile.TemporaryDirectory() as folder:
        url = given.url or f"sqlite:///{Path(folder) / 'vigie.db'}"
        engine = open_database(url)
        ids, reader = _filled(engine, given.texts, given.predictions)
        settings = Settings(database_url=url, port=free_port(), scoring=False, demo=False, spool_dir=Path(folder))
        server, thread = start(settings)
        cookies = {COOKIE: open_session(engine, reader, HOUR).token}
        with httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", cookies=cookies, timeout=120) as client:
            # What is counted beside the answers is counted once before.
            for page in ("/file?tout=1", *_PAGES):
                slow += _first(client, page)
            time.sleep(2)
            middle = len(ids) // 2
            texts = (f"/textes/{id}" for id in (ids[0], ids[middle], ids[middle + 1], ids[-1]))
            for path in (*(f"/file?{query}" for query in QUERIES), *_PAGES, *texts):
                slow += _timed(client, path, follow=path.startswith("/file"))
        server.should_exit = True
        thread.join(timeout=30)
        engine.dispose()
    sys.stdout.write(f"{slow} pages au-delà de {1000 * _MOST:.0f} ms\n")
    return 1 if slow else 0


def _filled(engine: Engine, texts: int, predictions: int) -> tuple[list[str], Person]:
    """Identifiers of the texts, and who looks at them; a database that an earlier run has filled is taken as it is."""
    with engine.connect() as connection:
        ids = list(connection.scalars(select(ITEMS.c.id).order_by(ITEMS.c.id)))
    if ids:
        return ids, next(person for person in list_people(engine) if person.login == _READER)
    began = time.perf_counter()
    ids = fill(engine, texts)
    with engine.begin() as connection:
        reader, *people = [
            add_person(connection, login, "administrator") for login in (_READER, *(f"lecteur{number}" for number in range(1, 6)))
        ]
    fill_work(engine, people, predictions=predictions)
    sys.stdout.write(f"{texts} textes en {time.perf_counter() - began:.0f} s\n")
    return ids, reader


def _first(client: httpx.Client, path: str) -> bool:
    started = time.perf_counter()
    answer = client.get(path)
    sys.stdout.write(f"{1000 * (time.perf_counter() - started):6.0f} ms  (la première fois, {answer.status_code}) {path}\n")
    return answer.status_code != 200


def _timed(client: httpx.Client, path: str, *, follow: bool) -> int:
    """Ask for a page several times, and the one after it; how many of the two are slow or fail."""
    slow = 0
    for _ in range(2 if follow else 1):
        spent: list[float] = []
        text, status = "", 200
        for _ in range(_TIMES):
            started = time.perf_counter()
            answer = client.get(path)
            spent.append(time.perf_counter() - started)
            text, status = answer.text, answer.status_code
        median = statistics.median(spent)
        slow += median > _MOST or status not in (200, 303)
        sys.stdout.write(f"{1000 * median:6.0f} ms  (au plus {1000 * max(spent):.0f}, {status}) {path[:110]}\n")
        following = re.search(r'rel="next" href="([^"]+)"', text)
        if not following:
            break
        path = html.unescape(following[1])
    return slow


if __name__ == "__main__":
    raise SystemExit(main())
