"""Twenty people who work at once: no error, no lost decision, no text decided by two of them at the same time.

`python -m tests.harness.reviewers` does it for five minutes (`--seconds`, `--people`, `--url` of a database, `--workers` that
serve it); the tests for some seconds. Everyone takes the next text or opens one by its row, gives every kind of answer (unsure,
neutral, warns, promotes with passages and targets, confirmed), goes on with the next or not, sends a form twice, takes a decision
back, gives a text back unread, reads blind and, for those who may, adjudicates.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from sqlalchemy import Engine, func, select

from service.workplace.decided import VALID
from service.workplace.people import Person
from service.workplace.schema import CLAIMS, DECISIONS, ITEMS, READINGS

if TYPE_CHECKING:
    from service.settings import Settings

_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')
HOUR = timedelta(hours=1)
_QUEUE = "tout=1&etat=new"
#: What a person is told whose text somebody else decided, or took back, since it was opened: the form is shown again.
_OVERTAKEN = "depuis que vous avez ouvert ce texte"


@dataclass
class Report:
    """What happened: forms (by their token) told to be kept and taken back, and how many were overtaken by somebody else's;
    faults, seconds that each answer took, and how many answers there were of each kind.
    """

    kept: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    overtaken: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    spent: list[float] = field(default_factory=list)

    def summary(self) -> str:
        """One line."""
        times = sorted(self.spent) or [0.0]
        return (
            f"{len(self.kept)} décisions, {len(self.withdrawn)} retraits, "
            f"{self.overtaken} devancées, {len(self.spent)} réponses, "
            f"médiane {1000 * times[len(times) // 2]:.0f} ms, 95 % sous {1000 * times[len(times) * 95 // 100]:.0f} ms, "
            f"la plus longue {1000 * times[-1]:.0f} ms, {len(self.faults)} fautes ; "
            + ", ".join(f"{name} {count}" for name, count in sorted(self.verdicts.items()))
        )


@dataclass
class Reader:
    """One person at work with a browser's requests; `reviews`: whether they adjudicate too."""

    client: httpx.Client
    csrf: str
    chance: random.Random
    report: Report = field(default_factory=Report)
    reviews: bool = False

    def ask(self, method: str, path: str, data: dict[str, Any] | None = None, expected: tuple[int, ...] = ()) -> httpx.Response:
        """Ask for a page; what fails, unless it is expected, is noted."""
        started = time.perf_counter()
        answer = self.client.request(method, path, data=None if data is None else {"csrf": self.csrf, **data})
        self.report.spent.append(time.perf_counter() - started)
        if answer.status_code >= 400 and answer.status_code not in expected:
            self.report.faults.append(f"{method} {path} : {answer.status_code}")
        return answer

    def work(self, until: float) -> Report:
        """Read until an instant of `time.monotonic`."""
        while time.monotonic() < until:
            way = self.chance.random()
            if way < 0.15:
                self._blind()
            elif way < 0.25 and self.reviews:
                self._adjudicate()
            else:
                self._triage()
        return self.report

    def _triage(self) -> None:
        """A text of the queue, and sometimes those that come after it."""
        opened = self._by_row() if self.chance.random() < 0.3 else self._next()
        while opened is not None:
            page = self.ask("GET", opened)
            if page.status_code != 200 or 'id="decision"' not in page.text:
                return
            opened = self._decide(opened.split("?")[0], page.text)

    def _next(self) -> str | None:
        opened: str = self.ask("POST", "/file/suivant", {"file": _QUEUE}).headers.get("location", "")
        if not opened.startswith("/textes/"):
            time.sleep(0.2)
            return None
        return opened

    def _by_row(self) -> str | None:
        """Open a row of the queue, as a click does; somebody else may be faster."""
        rows = re.findall(r"/textes/([0-9a-f]{28})", self.ask("GET", f"/file?{_QUEUE}").text)
        if not rows:
            return None
        answer = self.ask("POST", f"/textes/{self.chance.choice(rows)}/ouverture", {"file": _QUEUE})
        opened: str = answer.headers.get("location", "")
        return opened if opened.startswith("/textes/") else None

    def _decide(self, path: str, page: str) -> str | None:
        """Answer the form of a text's page; the page that follows, if the person goes on."""
        form = page[page.index('id="decision"') :].split("</form>")[0]
        theirs = "fieldset disabled" in form
        if theirs or self.chance.random() < 0.05:
            if not theirs:
                self.ask("POST", f"{path}/liberation", {"file": _QUEUE})
            return None
        onward = self.chance.random() < 0.3
        sent = {**dict(_HIDDEN.findall(form)), **self._answer(form), "file": _QUEUE if onward else ""}
        times = range(1 + (self.chance.random() < 0.2))
        answers = [self.ask("POST", f"{path}/decision", sent, expected=(409,)) for _ in times]
        if all(answer.status_code == 409 and _OVERTAKEN in answer.text for answer in answers):
            self.report.overtaken += 1
            return None
        places = [answer.headers.get("location", "") for answer in answers]
        told = {found for place in places for found in re.findall(r"fait=([\w-]+)", place)}
        if len(told) != 1:
            answered = ", ".join(str(answer.status_code) for answer in answers)
            self.report.faults.append(f"{path} : {len(told)} décisions pour un formulaire ({answered})")
            return None
        (decision,) = told
        self.report.kept.append(sent["request"])
        self.report.verdicts[sent["action"] + ":" + sent.get("stance", "")] += 1
        if not onward and self.chance.random() < 0.1:
            self._take_back(path, decision, sent["request"])
        return places[0] if onward and places[0].startswith("/textes/") and self.chance.random() < 0.8 else None

    def _take_back(self, path: str, decision: str, request: str) -> None:
        # Somebody may have read the text blind meanwhile: then it stands.
        answer = self.ask("POST", f"/decisions/{decision}/retrait", {"file": _QUEUE}, expected=(409,))
        if answer.status_code == 303:
            self.report.withdrawn.append(request)
            self.ask("POST", f"{path}/liberation", {"file": _QUEUE})

    def _answer(self, form: str) -> dict[str, Any]:
        """What the person says, of every kind in turn."""
        way = self.chance.random()
        more: dict[str, Any] = {"note": self.chance.choice(("", "lu", "é ' <b> 🙂"))}
        if way < 0.15:
            return {"action": "unsure", "reason": "guide_silent", **more}
        if way < 0.3 and 'value="confirm"' in form:
            return {"action": "confirm", **more}
        stance = self.chance.choice(("promotes", "warns", "neutral"))
        if stance == "promotes":
            start = self.chance.randrange(3)
            more["passage"] = [f"isolation:{start}:{start + 9}", *(["miracle_cure:0:7"] if self.chance.random() < 0.5 else [])]
            more["target"] = self.chance.choice(([], ["illness"], ["illness", "serious_illness"]))
            more["reason"] = "missed_passage"
        return {"action": "correct", "stance": stance, **more}

    def _blind(self) -> None:
        """A blind second reading, if one waits; it may be taken away by who withdraws the first one."""
        opened = self.ask("POST", "/relecture/suivante", {}).headers.get("location", "").split("?")[0]
        if not opened.startswith("/relecture/"):
            return
        page = self.ask("GET", opened, expected=(404,))
        self._send(opened, page, "faite=1", "relecture")

    def _adjudicate(self) -> None:
        """A dispute, if there is one that this person may settle."""
        found = re.findall(r'/arbitrage/([0-9a-f]{28})[/"]', self.ask("GET", "/arbitrage").text)
        if not found:
            return
        path = f"/arbitrage/{self.chance.choice(found)}"
        self.ask("POST", f"{path}/prise", {}, expected=(403, 404, 409))
        page = self.ask("GET", path, expected=(403, 404))
        self._send(path, page, "fait=1", "arbitrage")

    def _send(self, path: str, page: httpx.Response, told: str, kind: str) -> None:
        """Answer a form that somebody else's act may close meanwhile; what is told to be kept is noted."""
        if page.status_code != 200 or 'id="decision"' not in page.text:
            return
        form = page.text[page.text.index('id="decision"') :].split("</form>")[0]
        if "fieldset disabled" in form:
            return
        answer = self._answer("")
        sent = {**dict(_HIDDEN.findall(form)), **answer}
        back = self.ask("POST", path, sent, expected=(404, 409))
        if back.status_code == 303 and told in back.headers.get("location", ""):
            self.report.kept.append(sent["request"])
            self.report.verdicts[kind] += 1


def run(readers: list[Reader], seconds: float) -> Report:
    """Let them all read for so long; one report of all."""
    until = time.monotonic() + seconds
    total = Report()
    with ThreadPoolExecutor(len(readers)) as pool:
        for report in pool.map(lambda reader: reader.work(until), readers):
            total.kept += report.kept
            total.withdrawn += report.withdrawn
            total.overtaken += report.overtaken
            total.faults += report.faults
            total.spent += report.spent
            total.verdicts += report.verdicts
    return total


def check(engine: Engine, report: Report, people: list[Person]) -> list[str]:
    """What is wrong with what the database holds after a run, in French; empty where nothing is."""
    wrong = list(report.faults)
    first = (DECISIONS.c.kind == "first", VALID)
    with engine.connect() as connection:
        records = connection.execute(select(DECISIONS.c.id, DECISIONS.c.request).where(DECISIONS.c.kind != "withdrawal")).all()
        token_of = {id: request for id, request in records}
        back = {token_of[id] for id in connection.scalars(select(DECISIONS.c.withdraws).where(DECISIONS.c.kind == "withdrawal"))}
        twice = select(DECISIONS.c.item_id).where(*first).group_by(DECISIONS.c.item_id).having(func.count() > 1)
        wrong += [f"{id} : décidé par deux personnes" for id in connection.scalars(twice)]
        own = select(DECISIONS.c.item_id).where(VALID).group_by(DECISIONS.c.item_id, DECISIONS.c.user_id)
        wrong += [f"{id} : lu deux fois par la même personne" for id in connection.scalars(own.having(func.count() > 1))]
        valid = set(connection.scalars(select(DECISIONS.c.item_id).where(VALID)))
        decided = set(connection.scalars(select(ITEMS.c.id).where(ITEMS.c.state != "new")))
        waiting = set(
            connection.scalars(select(READINGS.c.item_id).where(READINGS.c.state == "waiting", READINGS.c.kind == "second"))
        )
        opened = set(connection.scalars(select(ITEMS.c.id).where(ITEMS.c.state == "open")))
        claims = connection.execute(select(func.count()).select_from(CLAIMS)).scalar_one()
    kept = Counter(token_of.values())
    wrong += [f"{token} : gardé {count} fois" for token, count in kept.items() if count > 1]
    if set(kept) != set(report.kept):
        lost, more = set(report.kept) - set(kept), set(kept) - set(report.kept)
        wrong.append(f"{len(lost)} décisions perdues, {len(more)} en trop")
    if back != set(report.withdrawn):
        wrong.append(f"{len(set(report.withdrawn) ^ back)} retraits perdus ou en trop")
    if report.overtaken > len(report.withdrawn):
        wrong.append(f"{report.overtaken} formulaires devancés pour {len(report.withdrawn)} retraits")
    if valid != decided:
        wrong.append(f"{len(valid ^ decided)} textes dont l'état ne suit pas les décisions")
    if waiting != opened:
        wrong.append(f"{len(waiting ^ opened)} textes ouverts sans relecture attendue, ou l'inverse")
    if claims > 3 * len(people):
        wrong.append(f"{claims} textes tenus par {len(people)} personnes")
    return wrong


def _serve(settings: "Settings", workers: int) -> Callable[[], object]:
    """Start a service, here or in so many processes of its own; returns what stops it."""
    from tests.service.conftest import start

    if workers == 1:
        server, thread = start(settings)

        def stop() -> None:
            server.should_exit = True
            thread.join(timeout=30)

        return stop
    names = ("database_url", "port", "scoring", "spool_dir")
    given = {f"VIGIE_{name.upper()}": str(getattr(settings, name)) for name in names}
    command = [sys.executable, "-m", "service.cli", "serve", "--workers", str(workers)]
    process = subprocess.Popen(command, env={**os.environ, **given})
    _await(settings.port, workers)

    def end() -> None:
        process.terminate()
        process.wait(timeout=60)

    return end


def _await(port: int, workers: int) -> None:
    """Wait until every process answers."""
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        try:
            counted = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
        except httpx.TransportError:
            counted = ""
        if re.search(rf"^vigie_model_processes{{.*}} {workers}\.0$", counted, re.MULTILINE):
            return
        time.sleep(0.2)
    raise RuntimeError("Le service n'a pas démarré.")


def main() -> int:
    """Run it as a command; 1 if anything is wrong."""
    from service.access import COOKIE
    from service.database import open_database
    from service.settings import Settings
    from service.workplace.sessions import find_session, open_session
    from tests.service.conftest import free_port
    from tests.service.workplace.conftest import add_person
    from tests.service.workplace.volume import fill_unread

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=1, help="processus qui servent")
    parser.add_argument("--url", help="base de données vide ; par défaut un fichier SQLite")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = given.url or f"sqlite:///{Path(folder) / 'vigie.db'}"
        engine = open_database(url)
        fill_unread(engine, given.texts)
        with engine.begin() as connection:
            people = [
                add_person(connection, f"lecteur{number}", ("analyst", "reviewer")[number % 2]) for number in range(given.people)
            ]
        settings = Settings(database_url=url, port=free_port(), scoring=False, spool_dir=Path(folder))
        stop = _serve(settings, given.workers)
        readers = []
        for number, person in enumerate(people):
            token = open_session(engine, person, HOUR).token
            session = find_session(engine, token, HOUR)
            assert session
            client = httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", cookies={COOKIE: token}, timeout=60)
            readers.append(Reader(client, session.csrf, random.Random(number), reviews=person.may("reviewer")))
        report = run(readers, given.seconds)
        wrong = check(engine, report, people)
        for reader in readers:
            reader.client.close()
        stop()
        engine.dispose()
    sys.stdout.write(report.summary() + "\n" + "".join(f"{one}\n" for one in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
