"""Clients that are slow, deaf or silent, by the hundred and by the thousand: everyone else is answered in less than a second."""

import os
import resource
import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import httpx

from service.access import COOKIE
from service.settings import Settings
from tests.harness.faults_field import Field, Outcome, environment, until
from tests.harness.faults_kills import signed_in
from tests.harness.killed import Served
from tests.service.workplace.conftest import add_person
from tests.service.workplace.volume import fill_unread

#: Seconds in which others are answered, whatever some do.
_QUICK = 1.0


def _open(port: int, sent: bytes = b"") -> socket.socket:
    made = socket.create_connection(("127.0.0.1", port), timeout=30)
    if sent:
        made.sendall(sent)
    return made


def _answered(client: httpx.Client, outcome: Outcome, when: str) -> None:
    """Others are answered: a page, a text, what watches."""
    asked = (("GET", "/file"), ("GET", "/health/ready"), ("POST", "/v1/predict"))
    for method, path in asked:
        started = time.monotonic()
        answer = client.request(method, path, json={"text": "Séance de repos, 40 euros."} if method == "POST" else None)
        spent = time.monotonic() - started
        outcome.expect(answer.status_code == 200, f"{when} : {path} répond {answer.status_code}")
        outcome.expect(spent < _QUICK, f"{when} : {path} en {spent:.1f} s")
        key = "réponse la plus longue (s)"
        outcome.counted[key] = max(outcome.counted.get(key, 0), round(spent, 2))


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


def _serving(field: Field, stack: ExitStack, texts: int, **more: object) -> tuple[Served, Settings, httpx.Client]:
    engine = stack.enter_context(field.database("sqlite"))
    fill_unread(engine, texts)
    with engine.begin() as connection:
        add_person(connection, "admin", "administrator")
    settings = field.settings(engine.url.render_as_string(), **more)
    served = Served(environment(settings), settings.port, field.zygote())
    served.start()
    stack.callback(served.kill)
    client, _ = signed_in(engine, settings.port, "admin")
    stack.callback(client.close)
    _answered(client, Outcome(), "au repos")  # what is loaded late is loaded
    return served, settings, client


def slow(field: Field) -> Outcome:
    """First lines, bodies and answers that take for ever: the service lets go of them, and answers everyone else meanwhile."""
    outcome, count = Outcome(), field.some(300, 40)
    with ExitStack() as stack:
        served, settings, client = _serving(field, stack, 6_000, client_seconds=3.0, stream_idle=4.0)
        over, before = threading.Event(), _connections(served)
        stack.callback(over.set)
        head = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 900000\r\n\r\n"
        kinds = {
            "des entêtes": [_open(settings.port, b"GET /file HTTP/1.1\r\nHost: 127.0.0.1\r\nX-") for _ in range(count)],
            "d'un corps": [_open(settings.port, head) for _ in range(count)],
        }
        dripping = threading.Thread(target=_drip, args=([one for some in kinds.values() for one in some], over), daemon=True)
        dripping.start()
        _answered(client, outcome, "clients lents")
        deaf = [_deaf(settings.port, f"{COOKIE}={client.cookies[COOKIE]}") for _ in range(4)]
        time.sleep(1)
        _answered(client, outcome, "clients sourds")
        for what, connections in kinds.items():
            outcome.expect(_closed(connections, 30), f"lenteur {what} : la connexion n'est pas fermée")
        over.set()
        outcome.expect(until(lambda: _connections(served) <= before, 30), "des clients sourds sont gardés")
        _answered(client, outcome, "après")
        outcome.expect(not served.over(), "le service s'est arrêté")
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
    opened = Path(f"/proc/{served.process.pid}/fd")
    return sum(os.readlink(opened / name).startswith("socket:") for name in os.listdir(opened))


def idle(field: Field) -> Outcome:
    """Ten thousand connections that say nothing: everyone else is answered, memory is told, and the service lets go of them."""
    outcome, wanted = Outcome(), field.some(10_000, 1_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536) if hard != resource.RLIM_INFINITY else 65_536, hard))
    patience = 60.0 if not field.small else 6.0
    connections: list[socket.socket] = []
    try:
        with ExitStack() as stack:
            served, settings, client = _serving(field, stack, 300, client_seconds=patience)
            before = _memory(served)
            started = time.monotonic()
            while len(connections) < wanted:
                connections.append(_open(settings.port))
            outcome.expect(time.monotonic() - started < patience, "les connexions prennent plus longtemps que la patience")
            for _ in range(5):
                _answered(client, outcome, f"{wanted} connexions")
            outcome.counted |= {"connexions": len(connections), "mémoire avant (Mo)": round(before)}
            outcome.counted["mémoire avec (Mo)"] = round(_memory(served))
            outcome.expect(
                _memory(served) - before < wanted * 0.05, f"{_memory(served) - before:.0f} Mo pour {wanted} connexions"
            )
            outcome.expect(_closed(connections, 2.5 * patience), "des connexions muettes sont gardées")
            _answered(client, outcome, "après")
            outcome.expect(not served.over(), "le service s'est arrêté")
    finally:
        for one in connections:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return outcome
