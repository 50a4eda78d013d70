"""How long each page of the queue takes with a hundred thousand texts: `python -m tests.harness.queue [--url …]`.

1 if one takes longer than it may. Every filter and sort is asked for over HTTP, first page and the one after it.
"""

import argparse
import html
import re
import sys
import tempfile
import time
from pathlib import Path

import httpx

from service.access import COOKIE
from service.database import open_database
from service.settings import Settings
from service.workplace.sessions import open_session
from tests.harness.reviewers import HOUR
from tests.service.conftest import free_port, start
from tests.service.workplace.conftest import add_person
from tests.service.workplace.test_queue import QUERIES
from tests.service.workplace.volume import fill

_MOST = 0.3


def main() -> int:
    """Run it as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--url", help="base de données vide ; par défaut un fichier SQLite")
    given = parser.parse_args()
    slow = 0
    with tempfile.TemporaryDirectory() as folder:
        url = given.url or f"sqlite:///{Path(folder) / 'vigie.db'}"
        engine = open_database(url)
        ids = fill(engine, given.texts)
        with engine.begin() as connection:
            person = add_person(connection, "lecteur", "analyst")
        settings = Settings(database_url=url, port=free_port(), scoring=False, spool_dir=Path(folder))
        server, thread = start(settings)
        cookies = {COOKIE: open_session(engine, person, HOUR).token}
        with httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", cookies=cookies, timeout=60) as client:
            client.get("/file?tout=1")
            for path in (*(f"/file?{query}" for query in QUERIES), f"/textes/{ids[0]}", f"/textes/{ids[-1]}"):
                times: list[float] = []
                while path and len(times) < 2:
                    started = time.perf_counter()
                    answer = client.get(path)
                    times.append(time.perf_counter() - started)
                    assert answer.status_code == 200, path
                    following = re.search(r'rel="next" href="([^"]+)"', answer.text)
                    shown, path = path, html.unescape(following[1]) if following else ""
                    slow += times[-1] > _MOST
                    sys.stdout.write(f"{1000 * times[-1]:6.0f} ms  {shown[:110]}\n")
        server.should_exit = True
        thread.join(timeout=30)
        engine.dispose()
    sys.stdout.write(f"{slow} pages au-delà de {1000 * _MOST:.0f} ms\n")
    return 1 if slow else 0


if __name__ == "__main__":
    raise SystemExit(main())
