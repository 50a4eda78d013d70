"""Real requests over HTTP: how long one takes, and how many a second one process answers."""

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from tests.bench.plan import Plan, Say, conditions
from tests.bench.runs import ONE_THREAD, BenchError
from tests.bench.texts import Maker
from training.corpus import CORPUS, load_corpus

_HOST: Final = "127.0.0.1"
_PATIENCE: Final = 300.0
_KEPT: Final = 2.0
_WORDS: Final = range(75, 86)
#: Servers take turns after as many requests, so that what slows the machine for a while slows them all.
_TURN: Final = 50
#: Requests before any is timed: tables and networks are partly made by the first ones.
_WARM_UP: Final = 200
SERVERS: Final = {
    "vigie": "**Vigie**",
    "constant": "serveur qui répond une constante",
    "spacy": "fr_core_news_md derrière FastAPI",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request came to: HTTP status (0: none), the `status` of its prediction, seconds."""

    http: int
    status: str
    seconds: float


class Client:
    """One kept connection; the standard library's, whose own cost (some 0.2 ms) hides least of the server's."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection(_HOST, port, timeout=_PATIENCE)
        self._answered = time.monotonic()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def predict(self, text: str) -> Answer:
        """Ask for the prediction of a text."""
        body = json.dumps({"text": text}).encode()
        if time.monotonic() - self._answered > _KEPT:
            # The server closes what stays silent for five seconds, perhaps at the very moment of the next request.
            self._connection.close()
            self._connection.connect()
        started = time.perf_counter()
        try:
            self._connection.request("POST", "/v1/predict", body, {"content-type": "application/json"})
            response = self._connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return Answer(0, "", time.perf_counter() - started)
        seconds = time.perf_counter() - started
        self._answered = time.monotonic()
        return Answer(response.status, json.loads(content).get("status", "") if response.status == 200 else "", seconds)

    def ready(self) -> bool:
        """Whether the server says that it is ready."""
        try:
            self._connection.request("GET", "/health/ready")
            response = self._connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return False
        return response.status == 200


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers: where, and its process."""

    port: int
    process: int


@contextmanager
def served(name: str, work: Path) -> Iterator[Running]:
    """Start a server in a process of its own, wait until it is ready, end it with the block.

    Raises:
        BenchError: it ended, or is not ready in time.
    """
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        port = int(probe.getsockname()[1])
    module = ["service.cli", "serve"] if name == "vigie" else ["tests.bench.servers", name]
    command = [sys.executable, "-m", *module, "--port", str(port)]
    database = {"VIGIE_DATABASE_URL": f"sqlite:///{(work / 'serveur.db').resolve()}"}
    with (work / f"serveur-{name}.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | ONE_THREAD | database)
        try:
            begun = time.monotonic()
            with closing(Client(port)) as client:
                while not client.ready():
                    if process.poll() is not None or time.monotonic() - begun > _PATIENCE:
                        raise BenchError(f"Le serveur {name} n'a pas démarré : voir {log.name}")
                    time.sleep(0.1)
            yield Running(port, process.pid)
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def measure(plan: Plan, work: Path, say: Say) -> dict[str, Any]:
    """Times of single requests, then requests a second from several clients; all servers are up, and take turns."""
    work.mkdir(parents=True, exist_ok=True)
    maker = Maker(load_corpus(CORPUS))
    made = (text.text for text in maker.stream("realistic", 40 * plan.requests))
    texts = [text for text in made if len(text.split()) in _WORDS][: plan.requests]
    found: dict[str, Any] = {"conditions": conditions(plan), "requests": len(texts), "clients": plan.clients, "measures": []}
    lines: dict[str, dict[str, Any]] = {
        name: {"server": name, "p50": [], "p99": [], "rates": [], "failures": 0} for name in SERVERS
    }
    with ExitStack() as stack:
        running = {name: stack.enter_context(served(name, work)) for name in SERVERS}
        clients = {name: stack.enter_context(closing(Client(server.port))) for name, server in running.items()}
        for client in clients.values():
            for text in texts[:_WARM_UP]:
                client.predict(text)
        for number in range(plan.runs):
            answers = _in_turn(clients, texts)
            for name, line in lines.items():
                _add_times(line, answers[name])
                flood = flooded(running[name].port, [texts[place % len(texts)] for place in range(plan.flood)], plan.clients)
                _add_rate(line, flood)
                shown = f"p50 {line['p50'][-1] * 1000:.1f} ms, p99 {line['p99'][-1] * 1000:.1f} ms, {line['rates'][-1]:.1f}/s"
                say(f"service, passage {number + 1}/{plan.runs} : {SERVERS[name]} {shown}")
    found["measures"] = list(lines.values())
    return found


@dataclass(frozen=True, slots=True)
class Flood:
    """Answers to requests from several clients at once, and how long all took."""

    answers: list[Answer]
    seconds: float


def flooded(port: int, texts: Sequence[str], clients: int) -> Flood:
    """Send texts from several connections at once; answers are in no particular order."""
    answers: list[Answer] = []

    def work(part: Sequence[str]) -> None:
        with closing(Client(port)) as client:
            answers.extend([client.predict(text) for text in part])

    threads = [threading.Thread(target=work, args=(texts[first::clients],)) for first in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Flood(answers, time.perf_counter() - started)


def _in_turn(clients: dict[str, Client], texts: Sequence[str]) -> dict[str, list[Answer]]:
    answers: dict[str, list[Answer]] = {name: [] for name in clients}
    for first in range(0, len(texts), _TURN):
        for name, client in clients.items():
            answers[name] += [client.predict(text) for text in texts[first : first + _TURN]]
    return answers


def _add_times(line: dict[str, Any], answers: Sequence[Answer]) -> None:
    seconds = [answer.seconds for answer in answers if answer.http == 200]
    if not seconds:
        raise BenchError(f"{SERVERS[line['server']]} : aucune requête n'a abouti")
    line["p50"].append(float(np.quantile(seconds, 0.5)))
    line["p99"].append(float(np.quantile(seconds, 0.99)))
    line["failures"] += len(answers) - len(seconds)


def _add_rate(line: dict[str, Any], flood: Flood) -> None:
    done = sum(answer.http == 200 for answer in flood.answers)
    line["rates"].append(done / flood.seconds)
    line["failures"] += len(flood.answers) - done
