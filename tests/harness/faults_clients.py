"""Clients that are slow, deaf or silent, by the hundred and by the thousand: everyone else is answered in less than a second."""

import resource
import socket
import threading
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from sqlalchemy import Engine

from service.access import COOKIE
from service.settings import Settings
from tests.harness.faults_field import Field, Outcome, add_people, environment, more, pick_up, until
from tests.harness.faults_kills import signed_in
from tests.harness.killed import Report, Served, check, deciding
from tests.service.workplace.conftest import add_person
from tests.service.workplace.volume import fill_unread

#: Seconds in which others are answered, whatever some do.
_QUICK = 1.0
#: The short form says nothing of how fast this machine is.
_EVER = 25.0
_LONGEST = "réponse la plus longue (s)"


def _open(port: int, sent: bytes = b"") -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), timeout=30)
    if sent:
        made.sendall(sent)
    return made


def _answered(limit: float, client: httpx.Client, outcome: Outcome, when: str) -> None:
    """Others are answered: a page, a text, what watches."""
    asked = (("GET", "/file"), ("GET", "/health/ready"), ("POST", "/v1/predict"))
    for method, path in asked:
        started = time.monotonic()
        answer = client.request(method, path, json={"text": "Séance de repos, 40 euros."} if method == "POST" else None)
        spent = time.monotonic() - started
        outcome.expect(answer.status_code == 200, f"{when} : {path} répond {answer.status_code}")
        outcome.expect(spent < limit, f"{when} : {path} en {spent:.1f} s")
        outcome.counted[_LONGEST] = max(outcome.counted.get(_LONGEST, 0), round(spent, 2))


def _memory(served: Served) -> float:
    """Resident memory of the server, in MB."""
    assert served.process
    status = Path(f"/proc/{served.process.pid}/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024


def _closed(connections: list[socket.socket], seconds: float) -> bool:
    """Whether the server let go of all of them in time."""
    left = list(connections)

    def over() -> bool:
        for one in list(left):
            one.setblocking(False)
            try:
                while one.recv(65_536):
                    pass
                left.remove(one)
            except BlockingIOError:
                continue
            except OSError:
                left.remove(one)
        return not left

    return until(over, seconds)


@dataclass
class _Serving:
    """A service, a program signed in to it, answered in `limit` seconds, and two people who decide meanwhile."""

    engine: Engine
    served: Served
    settings: Settings
    client: httpx.Client
    limit: float
    report: Report
    over: threading.Event
    threads: list[threading.Thread]

    def end(self, outcome: Outcome) -> None:
        """Nothing of what the two were told is lost, and they go on."""
        since = time.monotonic()
        pick_up(outcome, since, more(self.report), 120, "personne ne décide, après")
        _answered(self.limit, self.client, outcome, "après")
        outcome.expect(not self.served.over(), "le service s'est arrêté")
        self.over.set()
        for thread in self.threads:
            thread.join(60)
        outcome.take(self.report, check(self.engine, self.report))


def _serving(field: Field, stack: ExitStack, texts: int, **changed: object) -> _Serving:
    engine = stack.enter_context(field.database("sqlite"))
    fill_unread(engine, texts)
    people = add_people(engine, 2)
    with engine.begin() as connection:
        add_person(connection, "admin", "administrator")
    settings = field.settings(engine.url.render_as_string(), **changed)
    served = Served(environment(settings), settings.port, field.zygote())
    served.start()
    stack.callback(served.kill)
    client, _ = signed_in(engine, settings.port, "admin")
    stack.callback(client.close)
    _answered(_EVER, client, Outcome(), "au repos")  # what is loaded late is loaded
    limit = _EVER if field.small else _QUICK
    report, over = Report(), threading.Event()
    threads = deciding(f"http://127.0.0.1:{settings.port}", engine, people, over, report)
    stack.callback(over.set)
    return _Serving(engine, served, settings, client, limit, report, over, threads)


def slow(field: Field) -> Outcome:
    """First lines, bodies and answers that take for ever: the service lets go of them, and answers everyone else meanwhile."""
    outcome, count = Outcome(), field.some(300, 40)
    with ExitStack() as stack:
        serving = _serving(field, stack, 6_000, client_seconds=3.0, stream_idle=4.0)
        settings, client = serving.settings, serving.client
        over, before = threading.Event(), _connections(serving.served) + len(serving.threads)
        stack.callback(over.set)
        head = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n"
        kinds = {
            "des entêtes": [_open(settings.port, b"GET /file HTTP/1.1\r\nHost: 127.0.0.1\r\nX-") for _ in range(count)],
            "d'un corps": [_open(settings.port, head) for _ in range(count)],
        }
        dripping = threading.Thread(target=_drip, args=([one for some in kinds.values() for one in some], over), daemon=True)
        dripping.start()
        _answered(serving.limit, client, outcome, "clients lents")
        deaf = [_deaf(settings.port, f"{COOKIE}={client.cookies[COOKIE]}") for _ in range(4)]
        time.sleep(1)
        _answered(serving.limit, client, outcome, "clients sourds")
        for what, connections in kinds.items():
            outcome.expect(_closed(connections, 60), f"lenteur {what} : la connexion n'est pas fermée")
        over.set()
        outcome.expect(until(lambda: _connections(serving.served) <= before, 60), "des clients sourds sont gardés")
        serving.end(outcome)
        for one in (*deaf, *(one for some in kinds.values() for one in some)):
            one.close()
    outcome.counted["clients lents"] = 2 * count + len(deaf)
    return outcome


def _drip(connections: list[socket.socket], over: threading.Event) -> None:
    """One byte from each, now and then."""
    while not over.wait(0.5):
        for one in connections:
            try:
                one.send(b"a")
            except OSError:
                continue


def _deaf(port: int, cookie: str) -> socket.socket:
    """Ask for all the texts, and read nothing."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    made.connect(("127.0.0.1", port))
    made.sendall(f"GET /v1/export?format=jsonl HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n".encode())
    return made


def _connections(served: Served) -> int:
    """How many connections the server holds."""
    assert served.process
    held = 0
    for opened in Path(f"/proc/{served.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            held += str(opened.readlink()).startswith("socket:")
    return held


def idle(field: Field) -> Outcome:
    """Ten thousand connections that say nothing: everyone else is answered, memory is told, and the service lets go of them."""
    outcome, wanted = Outcome(), field.some(10_000, 500)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536) if hard != resource.RLIM_INFINITY else 65_536, hard))
    patience = 60.0 if not field.small else 3.0
    connections: list[socket.socket] = []
    try:
        with ExitStack() as stack:
            serving = _serving(field, stack, 6_000, client_seconds=patience)
            before = _memory(serving.served)
            while len(connections) < wanted:
                connections.append(_open(serving.settings.port))
            until(lambda: _connections(serving.served) >= wanted, 0.0 if field.small else 30.0)
            held = _connections(serving.served)
            outcome.expect(field.small or held >= wanted, f"{held} connexions tenues en même temps, {wanted} voulues")
            for _ in range(5):
                _answered(serving.limit, serving.client, outcome, f"{wanted} connexions")
            spent = _memory(serving.served) - before
            outcome.counted |= {"connexions": held, "mémoire avant (Mo)": round(before), "de plus (Mo)": round(spent)}
            outcome.expect(field.small or spent < wanted * 0.05, f"{spent:.0f} Mo pour {wanted} connexions")
            outcome.expect(_closed(connections, 60 + 2 * patience), "des connexions muettes sont gardées")
            serving.end(outcome)
    finally:
        for one in connections:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return outcome
