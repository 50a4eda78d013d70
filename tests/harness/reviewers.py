"""Twenty people who read the queue at once: no error, no lost decision, no text read by two of them.

`python -m tests.harness.reviewers` does it for five minutes (`--seconds`, `--people`, `--url` of a database); the tests for
some seconds. Everyone takes the next text, opens its page, decides; sometimes sends the form twice, takes the decision
back, or gives the text back unread.
"""

import argparse
import random
import re
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import httpx
from sqlalchemy import Engine, func, select

from service.workplace.decided import VALID
from service.workplace.people import Person
from service.workplace.schema import CLAIMS, DECISIONS, ITEMS

_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')
HOUR = timedelta(hours=1)
_QUEUE = "tout=1&etat=new"


@dataclass
class Report:
    """What happened: decisions told to be kept and taken back, faults, seconds that each answer took."""

    kept: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    spent: list[float] = field(default_factory=list)

    def summary(self) -> str:
        """One line."""
        times = sorted(self.spent) or [0.0]
        return (
            f"{len(self.kept)} décisions, {len(self.withdrawn)} retraits, {len(self.spent)} réponses, "
            f"médiane {1000 * times[len(times) // 2]:.0f} ms, 95 % sous {1000 * times[len(times) * 95 // 100]:.0f} ms, "
            f"la plus longue {1000 * times[-1]:.0f} ms, {len(self.faults)} fautes"
        )


@dataclass
class Reader:
    """One person at work with a browser's requests."""

    client: httpx.Client
    csrf: str
    chance: random.Random
    report: Report = field(default_factory=Report)

    def ask(self, method: str, path: str, data: dict[str, str] | None = None) -> httpx.Response:
        """Ask for a page; what fails is noted."""
        started = time.perf_counter()
        answer = self.client.request(method, path, data=None if data is None else {"csrf": self.csrf, **data})
        self.report.spent.append(time.perf_counter() - started)
        if answer.status_code >= 400:
            self.report.faults.append(f"{method} {path} : {answer.status_code}")
        return answer

    def work(self, until: float) -> Report:
        """Read until an instant of `time.monotonic`."""
        while time.monotonic() < until:
            self._one()
        return self.report

    def _one(self) -> None:
        opened = self.ask("POST", "/file/suivant", {"file": _QUEUE}).headers.get("location", "")
        if not opened.startswith("/textes/"):
            time.sleep(0.2)
            return
        page = self.ask("GET", opened).text
        fields = dict(_HIDDEN.findall(page[page.index('id="decision"') :].split("</form>")[0]))
        path = opened.split("?")[0]
        if self.chance.random() < 0.05:
            self.ask("POST", f"{path}/liberation", {"file": _QUEUE})
            return
        action = {"action": "unsure"} if self.chance.random() < 0.2 else {"action": "correct", "stance": "neutral"}
        # Without a queue the answer names the decision and takes nothing more.
        sent = fields | action | {"file": "", "note": "lu"}
        answers = [self.ask("POST", f"{path}/decision", sent) for _ in range(1 + (self.chance.random() < 0.2))]
        told = {found for answer in answers for found in re.findall(r"fait=([\w-]+)", answer.headers.get("location", ""))}
        if len(told) != 1:
            self.report.faults.append(f"{path} : {len(told)} décisions pour un formulaire")
            return
        (decision,) = told
        self.report.kept.append(decision)
        if self.chance.random() < 0.1:
            self.ask("POST", f"/decisions/{decision}/retrait", {"file": _QUEUE})
            self.report.withdrawn.append(decision)
            self.ask("POST", f"{path}/liberation", {"file": _QUEUE})


def run(readers: list[Reader], seconds: float) -> Report:
    """Let them all read for so long; one report of all."""
    until = time.monotonic() + seconds
    total = Report()
    with ThreadPoolExecutor(len(readers)) as pool:
        for report in pool.map(lambda reader: reader.work(until), readers):
            total.kept += report.kept
            total.withdrawn += report.withdrawn
            total.faults += report.faults
            total.spent += report.spent
    return total


def check(engine: Engine, report: Report, people: list[Person]) -> list[str]:
    """What is wrong with what the database holds after a run, in French; empty where nothing is."""
    wrong = list(report.faults)
    with engine.connect() as connection:
        all_ids = set(connection.scalars(select(DECISIONS.c.id).where(DECISIONS.c.kind != "withdrawal")))
        back = set(connection.scalars(select(DECISIONS.c.withdraws).where(DECISIONS.c.kind == "withdrawal")))
        twice = select(DECISIONS.c.item_id).where(VALID).group_by(DECISIONS.c.item_id).having(func.count() > 1)
        wrong += [f"{id} : décidé deux fois" for id in connection.scalars(twice)]
        valid = set(connection.scalars(select(DECISIONS.c.item_id).where(VALID)))
        decided = set(connection.scalars(select(ITEMS.c.id).where(ITEMS.c.state != "new")))
        claims = connection.execute(select(func.count()).select_from(CLAIMS)).scalar_one()
    if all_ids != set(report.kept):
        wrong.append(f"{len(set(report.kept) - all_ids)} décisions perdues, {len(all_ids - set(report.kept))} en trop")
    if back != set(report.withdrawn):
        wrong.append(f"{len(set(report.withdrawn) ^ back)} retraits perdus ou en trop")
    if valid != decided:
        wrong.append(f"{len(valid ^ decided)} textes dont l'état ne suit pas les décisions")
    if claims > len(people):
        wrong.append(f"{claims} textes tenus par {len(people)} personnes")
    return wrong


def main() -> int:
    """Run it as a command; 1 if anything is wrong."""
    from service.access import COOKIE
    from service.database import open_database
    from service.settings import Settings
    from service.workplace.sessions import find_session, open_session
    from tests.service.conftest import free_port, start
    from tests.service.workplace.conftest import add_person
    from tests.service.workplace.volume import fill

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--url", help="base de données vide ; par défaut un fichier SQLite")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = given.url or f"sqlite:///{Path(folder) / 'vigie.db'}"
        engine = open_database(url)
        fill(engine, given.texts)
        clean = {"state": "new", "decided_level": None, "decided_stance": None, "decided_at": None, "contradicts": False}
        with engine.begin() as connection:
            connection.execute(ITEMS.update().values(**clean))
            people = [add_person(connection, f"lecteur{number}", "analyst") for number in range(given.people)]
        settings = Settings(database_url=url, port=free_port(), scoring=False, spool_dir=Path(folder))
        server, thread = start(settings)
        readers = []
        for number, person in enumerate(people):
            token = open_session(engine, person, HOUR).token
            session = find_session(engine, token, HOUR)
            assert session
            client = httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", cookies={COOKIE: token}, timeout=60)
            readers.append(Reader(client, session.csrf, random.Random(number)))
        report = run(readers, given.seconds)
        wrong = check(engine, report, people)
        for reader in readers:
            reader.client.close()
        server.should_exit = True
        thread.join(timeout=30)
        engine.dispose()
    sys.stdout.write(report.summary() + "\n" + "".join(f"{one}\n" for one in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
