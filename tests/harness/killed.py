"""The server killed while people decide: nothing that it acknowledged is lost, nothing is half-written.

`python -m tests.harness.killed` does it twenty times (`--kills`, `--people`, `--url` of a database), `tests.harness.faults` more
often, the tests a few times. The server is a process of its own, killed by SIGKILL at random moments, while it starts too, and
started again; readers go on as a browser would: a form whose answer never came, or was 503, is sent again.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from sqlalchemy import Engine, func, select

from service.access import COOKIE
from service.workplace.decided import VALID
from service.workplace.people import Person
from service.workplace.schema import CLAIMS, DECISIONS, ITEMS
from service.workplace.sessions import find_session, open_session
from tests.harness.faults_zygote import Forked, Zygote
from tests.harness.reviewers import _HIDDEN, _QUEUE, HOUR
from tests.service.conftest import free_port

_ROOT = Path(__file__).resolve().parents[2]
#: Seconds that a start may take, on a machine that does much else.
_START_SECONDS = 600
#: How often it is killed again while it starts.
_AGAIN = 0.2


@dataclass
class Report:
    """Forms told to be kept, by token; those sent whose answer never came; times the server was killed; the longest that
    nobody could decide after that, in seconds; what is wrong.
    """

    kept: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    kills: int = 0
    recovery: float = 0.0
    faults: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """One line."""
        said = f"{self.kills} arrêts brutaux, {len(self.kept)} décisions confirmées, {len(self.unanswered)} sans réponse"
        return f"{said}, {len(self.faults)} fautes"


@dataclass
class Found:
    """What a database holds after a run: forms told to be kept that are not there, what is half-made, what is wrong in French."""

    lost: int = 0
    half: int = 0
    wrong: list[str] = field(default_factory=list)

    def half_made(self, count: int, said: str) -> None:
        """So many things that are half-made."""
        if count:
            self.half += count
            self.wrong.append(said)


@dataclass
class Served:
    """A server in a process of its own, on a database and a port: forked by a zygote if one is given, else started cold."""

    environment: Mapping[str, str]
    port: int
    zygote: Zygote | None = None
    process: "subprocess.Popen[bytes] | Forked | None" = None

    def launch(self) -> None:
        """Start it, and wait for nothing."""
        if self.zygote is not None:
            self.process = self.zygote.start(["serve"], self.environment)
            return
        command = [sys.executable, "-m", "service.cli", "serve"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, cwd=_ROOT, env={**os.environ, **self.environment}, **quiet)  # type: ignore[call-overload]

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.launch()
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/health/live", timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                time.sleep(0.02)
            if self.over():
                break
        raise RuntimeError("Le serveur n'a pas démarré.")

    def over(self) -> bool:
        """Whether it ended by itself."""
        if isinstance(self.process, Forked):
            return self.process.over()
        return self.process is not None and self.process.poll() is not None

    def kill(self) -> None:
        """End it at once, whatever it is doing."""
        if isinstance(self.process, Forked):
            self.process.kill()
        elif self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


def _decide_on(url: str, cookie: str, csrf: str, seed: int, over: threading.Event, report: Report) -> None:
    """One person who decides until all is over; an answer that never comes makes them send the same form again."""
    chance = random.Random(seed)
    pending: tuple[str, dict[str, str]] | None = None
    with httpx.Client(base_url=url, cookies={COOKIE: cookie}, timeout=10) as client:
        while not over.is_set() or pending is not None:
            try:
                if pending is None:
                    pending = _open(client, csrf, chance)
                    if pending is None:
                        continue
                    report.unanswered.add(pending[1]["request"])
                answer = client.post(pending[0], data=pending[1])
            except httpx.HTTPError:
                time.sleep(0.05)
                continue
            if answer.status_code == 503:
                time.sleep(0.2)
                continue
            if answer.status_code == 303 and "fait=" in answer.headers.get("location", ""):
                report.kept.add(pending[1]["request"])
                report.unanswered.discard(pending[1]["request"])
            else:
                report.faults.append(f"{pending[0]} : {answer.status_code}")
            pending = None


def _open(client: httpx.Client, csrf: str, chance: random.Random) -> tuple[str, dict[str, str]] | None:
    opened = client.post("/file/suivant", data={"csrf": csrf, "file": _QUEUE}).headers.get("location", "")
    if not opened.startswith("/textes/"):
        time.sleep(0.05)
        return None
    shown = client.get(opened)
    if shown.status_code == 503:
        return None
    page = shown.text
    form = page[page.index('id="decision"') :].split("</form>")[0]
    said = (
        {"action": "unsure"} if chance.random() < 0.2 else {"action": "correct", "stance": "promotes", "passage": "isolation:0:9"}
    )
    return f"{opened.split('?')[0]}/decision", {**dict(_HIDDEN.findall(form)), "csrf": csrf, **said, "file": ""}


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def deciding(url: str, engine: Engine, people: Sequence[Person], over: threading.Event, report: Report) -> list[threading.Thread]:
    """Let these people decide at an address until `over`; the threads that they are."""
    threads = []
    for number, person in enumerate(people):
        token = open_session(engine, person, HOUR).token
        session = find_session(engine, token, HOUR)
        assert session
        args = (url, token, session.csrf, number, over, report)
        threads.append(threading.Thread(target=_decide_on, args=args, daemon=True))
        threads[-1].start()
    return threads


def run(served: Served, engine: Engine, people: Sequence[Person], kills: int, least: float, most: float) -> Report:
    """Let these people decide while the server is killed so many times, `least` to `most` seconds after each start."""
    report = Report()
    chance = random.Random(7)
    over = threading.Event()
    served.start()
    threads = deciding(f"http://127.0.0.1:{served.port}", engine, people, over, report)
    _decided(report, None)
    while report.kills < kills:
        time.sleep(chance.uniform(least, most))
        served.kill()
        report.kills += 1
        if chance.random() < _AGAIN and report.kills < kills:
            # While it starts: a database being opened, a port being taken.
            served.launch()
            time.sleep(chance.uniform(0, most))
            served.kill()
            report.kills += 1
        since = time.monotonic()
        served.start()
        # Without a decision after each start there is nothing to lose at the next.
        _decided(report, since)
    over.set()
    for thread in threads:
        thread.join(90)
        if thread.is_alive():
            report.faults.append("une personne attend encore une réponse")
    served.kill()
    return report


def _decided(report: Report, since: float | None) -> None:
    """Wait until somebody has decided; note how long nobody could, if the server was started again at an instant `since`."""
    before = len(report.kept)
    if not _wait(lambda: len(report.kept) > before, 120):
        report.faults.append("personne ne décide, deux minutes après un départ")
    elif since is not None:
        report.recovery = max(report.recovery, time.monotonic() - since)


def check(engine: Engine, report: Report) -> Found:
    """What the database holds after a run, against what people were told."""
    found = Found(wrong=list(report.faults))
    with engine.connect() as connection:
        tokens = list(connection.scalars(select(DECISIONS.c.request)))
        decided = set(connection.scalars(select(DECISIONS.c.item_id).where(VALID)))
        left = set(connection.scalars(select(ITEMS.c.id).where(ITEMS.c.state != "new")))
        twice = select(DECISIONS.c.item_id).where(VALID).group_by(DECISIONS.c.item_id).having(func.count() > 1)
        for id in connection.scalars(twice):
            found.half_made(1, f"{id} : décidé deux fois")
        held = set(connection.scalars(select(CLAIMS.c.item_id)))
    found.half_made(len(tokens) - len(set(tokens)), "un formulaire gardé deux fois")
    if lost := report.kept - set(tokens):
        found.lost = len(lost)
        found.wrong.append(f"{len(lost)} décisions confirmées puis perdues")
    more = set(tokens) - report.kept - report.unanswered
    found.half_made(len(more), f"{len(more)} décisions que personne n'a envoyées")
    found.half_made(len(decided ^ left), f"{len(decided ^ left)} textes dont l'état ne suit pas les décisions")
    found.half_made(len(decided & held), f"{len(decided & held)} textes décidés et encore tenus")
    return found


def settings_of(url: str, port: int, folder: Path, models: Path | None = None) -> dict[str, str]:
    """The environment of a server on this database: nothing goes on in the background."""
    found = {"VIGIE_DATABASE_URL": url, "VIGIE_PORT": str(port), "VIGIE_SCORING": "false", "VIGIE_SPOOL_DIR": str(folder)}
    found |= {"VIGIE_DEMO": "false", "VIGIE_WORKERS": "1"}
    return found | ({"VIGIE_MODEL_DIR": str(models)} if models else {})


def main() -> int:
    """Run it as a command; 1 if anything is wrong."""
    from service.database import open_database
    from tests.service.workplace.conftest import add_person
    from tests.service.workplace.volume import fill_unread

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--url", help="base de données vide ; par défaut un fichier SQLite")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = given.url or f"sqlite:///{Path(folder) / 'vigie.db'}"
        engine = open_database(url)
        fill_unread(engine, given.texts)
        with engine.begin() as connection:
            people = [add_person(connection, f"lecteur{number}", "analyst") for number in range(given.people)]
        port = free_port()
        zygote = Zygote(Path("artefacts").resolve(), Path(folder) / "journal")
        served = Served(settings_of(url, port, Path(folder)), port, zygote)
        report = run(served, engine, people, given.kills, 0.3, 2.0)
        zygote.stop()
        wrong = check(engine, report).wrong
        engine.dispose()
    sys.stdout.write(report.summary() + "\n" + "".join(f"{one}\n" for one in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
