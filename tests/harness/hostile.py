"""Calls made to break the API: `python -m tests.harness.hostile` sends twenty thousand, of every caller, to a real server.

Schemathesis reads the document of the API and makes calls that it allows and calls that it does not, as nobody, with a key
of each role and with a session of each. Whatever is answered must be declared, in the declared form, and never a fault of the
service. What was answered is counted by the service itself (`/metrics`). 1 where something is found.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
from sqlalchemy import Engine

from service.access import COOKIE
from service.database import open_database, store_text
from service.secret import keyring_of
from service.settings import Settings
from service.workplace.exports import FORMATS
from service.workplace.keys import ROLE_OF, SCOPES, create_key
from service.workplace.people import ROLES, Person
from service.workplace.sessions import find_session, open_session
from service.workplace.takeouts import ask, filter_of
from tests.service.conftest import free_port, start
from tests.service.workplace.conftest import add_person
from tests.service.workplace.made import add, prediction

ROOT: Final = Path(__file__).resolve().parents[2]
CALLS: Final = 20_000
_HOUR: Final = timedelta(hours=1)
#: What an answer is held to. Left out: that what the document allows is accepted (texts must exist, fields agree), and that
#: calls it does not allow are refused (unknown parameters are passed over, and any line is a text to the stream).
_CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "ignored_auth",
)
_COUNTED: Final = re.compile(r'vigie_requests_total\{method="([^"]*)",route="([^"]*)",status="(\d+)"\} (\S+)')


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who calls: a name for people, and the headers that say who they are."""

    name: str
    headers: Mapping[str, str]


@dataclass(slots=True)
class Found:
    """What came of the calls: how many by status and by path, and what was found wrong, once each."""

    statuses: Counter[str] = field(default_factory=Counter)
    paths: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    @property
    def calls(self) -> int:
        """How many calls were answered."""
        return self.statuses.total()

    @property
    def broken(self) -> int:
        """How many were answered by a fault of the service; 503, which says when to come back, is none."""
        return sum(count for status, count in self.statuses.items() if status.startswith("5") and status != "503")

    def summary(self) -> str:
        """Some lines."""
        shown = ", ".join(f"{status} : {count}" for status, count in sorted(self.statuses.items()))
        worst = "\n".join(f"- {fault}" for fault in self.faults)
        return f"{self.calls} appels à {len(self.paths)} adresses ({shown}), {self.broken} fautes du service\n{worst}\n"


@contextmanager
def served(folder: Path, model_dir: Path, url: str | None = None) -> Iterator[tuple[Settings, Engine]]:
    """A server on a fresh database (SQLite in the folder, or the empty one named), with texts that can be asked for."""
    settings = Settings(
        model_dir=model_dir,
        database_url=url or f"sqlite:///{folder / 'vigie.db'}",
        port=free_port(),
        max_items=20,
        max_body_bytes=1_000_000,
        max_line_bytes=100_000,
        scoring=False,
        spool_dir=folder / "attente",
    )
    engine = open_database(settings.database_url)
    server, thread = start(settings)
    try:
        yield settings, engine
    finally:
        server.should_exit = True
        thread.join(timeout=15)
        engine.dispose()


def callers(engine: Engine, settings: Settings) -> list[Caller]:
    """Nobody, a key of each role with all the rights that the role may have, a session of each role."""
    found = [Caller("personne", {})]
    keyring = keyring_of(settings)
    for role in ROLES:
        with engine.begin() as connection:
            person = add_person(connection, f"{role}-hostile", role)
        scopes = [scope for scope in SCOPES if person.may(ROLE_OF[scope])]
        key = create_key(engine, person, "essai", scopes, keyring)
        found.append(Caller(f"clé, {role}", {"Authorization": f"Bearer {key}"}))
        found.append(Caller(f"session, {role}", _signed_in(engine, person, settings)))
        if role == ROLES[-1]:
            _fill(engine, person)
    return found


def _signed_in(engine: Engine, person: Person, settings: Settings) -> dict[str, str]:
    keyring = keyring_of(settings)
    opened = open_session(engine, person, _HOUR, keyring=keyring)
    session = find_session(engine, opened.token, _HOUR, keyring)
    assert session
    return {"Cookie": f"{COOKIE}={opened.token}", "X-CSRF-Token": session.csrf}


def _fill(engine: Engine, person: Person) -> None:
    said = prediction("miracle_cure")
    with engine.begin() as connection:
        for _ in range(5):
            add(connection, said)
    store_text(engine, "Je soigne tout.", said.model_dump(mode="json"), "garde")
    for kind in FORMATS:
        ask(engine, person, kind, filter_of(""))


def called(url: str, caller: Caller, examples: int, seconds: int, seed: int) -> list[str]:
    """Send calls of one caller: so many examples of each operation at most, for so many seconds; what was found wrong."""
    # The session goes along in a header that the check of keys does not take away.
    checks = [check for check in _CHECKS if check != "ignored_auth" or "Cookie" not in caller.headers]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "rapport.json"
        command = [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{url}/openapi.json", "--no-color", "--workers", "1"),
            *("--checks", ",".join(checks), "--max-examples", str(examples), "--max-time", str(seconds), "--seed", str(seed)),
            *("--phases", "examples,coverage,fuzzing", "--suppress-health-check", "all", "--continue-on-failure", "--no-shrink"),
            *("--report", "json", "--report-json-path", str(report), "--generation-database", "none", "--warnings", "off"),
            *(part for name, value in caller.headers.items() for part in ("-H", f"{name}: {value}")),
        ]
        known = os.environ | {"SCHEMATHESIS_HOOKS": "tests.harness.hostile_hooks", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=known, timeout=seconds + 120)
        if not report.exists():
            raise RuntimeError(f"Schemathesis n'a rien rendu :\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return _told(json.loads(report.read_text(encoding="utf-8")), caller, done.stdout)


def _told(report: Mapping[str, Any], caller: Caller, shown: str) -> list[str]:
    """What was found wrong, each on a line; then how to see it again, as Schemathesis says it."""
    found = [*report["failures"], *report.get("errors", ())]
    faults = [f"{one['title']} ({caller.name}) : {', '.join(one.get('operations', ()))}" for one in found]
    # Headings of the terminal; what an error says is nowhere else.
    said = re.split(r"^=+ (?:ERRORS|FAILURES) =+$", shown, maxsplit=1, flags=re.MULTILINE)
    return [*faults, said[-1].partition("= SUMMARY =")[0][:20_000]] if faults else faults


def counted(url: str) -> Counter[tuple[str, str, str]]:
    """The calls that the service has answered, by method, path and status."""
    text = httpx.get(f"{url}/metrics", timeout=60).text
    return Counter({(method, path, status): int(float(count)) for method, path, status, count in _COUNTED.findall(text)})


def run(url: str, everyone: Sequence[Caller], turn: int, examples: int, calls: int = 1, seconds: float = 1) -> Found:
    """Have everyone call in turn, two at once, for `turn` seconds each, until so many calls are answered or the time is over.

    Two processes: the threads of one make Hypothesis fail now and then (« AST constructor recursion depth mismatch »).
    """
    end, seed = time.monotonic() + seconds, 1
    faults: dict[str, None] = {}
    while True:
        with ThreadPoolExecutor(2) as two:
            for told in two.map(partial(called, url, examples=examples, seconds=turn, seed=seed), everyone):
                faults |= dict.fromkeys(told)
        found = Found(faults=list(faults))
        for (method, path, status), count in counted(url).items():
            found.statuses[status] += count
            found.paths[f"{method} {path}"] += count
        if found.calls >= calls or time.monotonic() > end:
            return found
        seed += 1


def main() -> int:
    """Run it as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--seconds", type=float, default=3_600)
    parser.add_argument("--turn", type=int, default=60, help="secondes de chaque appelant, à son tour")
    parser.add_argument("--examples", type=int, default=100, help="exemples de chaque appel, par appelant et par tour")
    parser.add_argument("--url", help="base de données vide ; par défaut un fichier SQLite")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder), Path("artefacts").resolve(), given.url) as (settings, engine),
    ):
        address = f"http://127.0.0.1:{settings.port}"
        found = run(address, callers(engine, settings), given.turn, given.examples, given.calls, given.seconds)
    sys.stdout.write(found.summary())
    return 1 if found.faults or found.broken or found.calls < given.calls else 0


if __name__ == "__main__":
    raise SystemExit(main())
