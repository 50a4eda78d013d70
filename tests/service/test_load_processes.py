"""`vigie serve` with real processes: models swapped, processes killed, the service stopped, all while requests come."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from model.promotion import history
from model.store import current_name, set_current
from tests.service.conftest import free_port
from tests.service.test_api import HARMLESS, OFFER
from tests.service.test_batch import ROOT, inside
from tests.service.test_load import answers, chunk, metric, talking, until
from tests.signed import renamed

OTHER = "2026.11.1+autre"


@pytest.fixture(scope="module")
def models(artefacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the model that serves, and the same under another name."""
    root = tmp_path_factory.mktemp("artefacts")
    name = current_name(artefacts)
    renamed(artefacts / name, root, name)
    renamed(artefacts / name, root, OTHER)
    set_current(root, name)
    return root


@dataclass
class Service:
    """A running `vigie serve`, and what it logs."""

    url: str
    running: subprocess.Popen[bytes]
    log: Path

    def workers(self) -> list[int]:
        """Processes that serve, by number."""
        path = Path(f"/proc/{self.running.pid}/task/{self.running.pid}/children")
        found = map(int, path.read_text().split())
        return [number for number in found if b"spawn_main" in Path(f"/proc/{number}/cmdline").read_bytes()]

    def stop(self) -> int:
        """Tell it to stop; its exit code."""
        self.running.send_signal(signal.SIGTERM)
        return self.running.wait(timeout=60)


@contextmanager
def serving(models: Path, folder: Path, workers: int, **settings: str) -> Iterator[Service]:
    port = free_port()
    environment = os.environ | {
        "VIGIE_MODEL_DIR": str(models),
        "VIGIE_DATABASE_URL": f"sqlite:///{folder / 'v.db'}",
        "VIGIE_MODEL_POLL": "0.2",
        "OMP_NUM_THREADS": "1",
        **settings,
    }
    command = [sys.executable, "-m", "service.cli", "serve", "--port", str(port), "--workers", str(workers)]
    log = folder / "log"
    with log.open("wb") as errors:
        running = subprocess.Popen(command, env=environment, cwd=ROOT, stderr=errors)
    service = Service(f"http://127.0.0.1:{port}", running, log)
    try:
        until(lambda: ready(service), 300)
        yield service
    finally:
        if running.poll() is None:
            assert service.stop() == 0


def ready(service: Service) -> bool:
    assert service.running.poll() is None, service.log.read_text()
    try:
        return metric(service.url, "vigie_model_processes") >= len(service.workers() or [0])
    except OSError:
        return False


@dataclass
class Load:
    """Clients that send single texts and batches without pause, and what they were answered."""

    url: str
    versions: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    stopping: threading.Event = field(default_factory=threading.Event)

    def single(self) -> None:
        while not self.stopping.is_set():
            self.send("/v1/predict", {"text": OFFER})

    def batch(self) -> None:
        while not self.stopping.is_set():
            self.send("/v1/predict/batch", {"items": [{"text": HARMLESS}] * 8})

    def send(self, path: str, body: dict[str, Any]) -> None:
        try:
            answer = httpx.post(self.url + path, json=body, timeout=60)
            found = answer.json()
            versions = {one["model_version"] for one in found.get("results", [found])}
        except (httpx.TransportError, KeyError, ValueError) as error:
            self.failures.append(repr(error))
            return
        if answer.status_code != 200 or len(versions) != 1:
            self.failures.append(f"{answer.status_code} {versions}")
        self.versions.append(versions.pop())

    @contextmanager
    def running(self) -> Iterator["Load"]:
        with ThreadPoolExecutor(3) as pool:
            sent = [pool.submit(self.single), pool.submit(self.single), pool.submit(self.batch)]
            try:
                yield self
            finally:
                self.stopping.set()
        for future in sent:
            future.result()


@pytest.fixture(scope="module")
def service(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with serving(models, tmp_path_factory.mktemp("service"), 2) as running:
        yield running


def test_the_counters_of_all_processes_are_added_up(service: Service) -> None:
    before = metric(service.url, "vigie_texts_total")
    with ThreadPoolExecutor(4) as pool:
        sent = [{"json": {"id": f"t{n % 5}", "text": HARMLESS + f" {n % 5}", "store": True}} for n in range(20)]
        found = list(pool.map(lambda options: httpx.post(f"{service.url}/v1/predict", **options, timeout=60), sent))
    # Several processes keep the same text under the same identifier at once.
    assert [answer.status_code for answer in found] == [200] * 20
    assert metric(service.url, "vigie_texts_total") == before + 20
    assert metric(service.url, "vigie_requests_held") == 0


def test_a_model_is_promoted_and_taken_back_under_load(service: Service, models: Path) -> None:
    first = current_name(models)
    with Load(service.url).running() as load:
        until(lambda: len(load.versions) > 5, 60)
        assert inside("model", "promote", OTHER, artefacts=models).returncode == 0
        until(lambda: metric(service.url, f'vigie_model_processes{{version="{OTHER}"}}') == 2, 60)
        count = len(load.versions)
        until(lambda: len(load.versions) > count + 8, 60)
        assert set(load.versions[count + 4 :]) == {OTHER}
        assert inside("model", "rollback", artefacts=models).returncode == 0
        until(lambda: metric(service.url, f'vigie_model_processes{{version="{first}"}}') == 2, 60)
    assert load.failures == []
    assert set(load.versions) == {first, OTHER}
    assert [(change.verb, change.name) for change in history(models)] == [
        ("found", first),
        ("promote", OTHER),
        ("rollback", first),
    ]


def test_a_model_that_cannot_be_loaded_leaves_the_old_one_even_to_new_processes(service: Service, models: Path) -> None:
    first = current_name(models)
    renamed(models / first, models, "abime")
    (models / "abime" / "classifier.joblib").write_bytes(b"tronque")
    refused = inside("model", "promote", "abime", artefacts=models)
    assert (refused.returncode, current_name(models)) == (1, first)
    assert "classifier.joblib" in refused.stderr
    with Load(service.url).running() as load:
        set_current(models, "abime")
        until(lambda: metric(service.url, 'vigie_model_swaps_total{outcome="failed"}') >= 2, 60)
        body = httpx.get(f"{service.url}/health/ready").json()
        assert (body["status"], body["model_version"]) == ("ok", first)
        assert "classifier.joblib" in body["warnings"][0]
        assert load.failures == []
        killed = service.workers()[0]
        os.kill(killed, signal.SIGKILL)
        until(lambda: len(set(service.workers()) - {killed}) == 2, 20)
    until(lambda: metric(service.url, f'vigie_model_processes{{version="{first}"}}') == 2, 300)
    # Only what the killed process held is lost.
    assert len(load.failures) <= 3
    assert all("Error" in failure for failure in load.failures)
    assert set(load.versions) == {first}
    set_current(models, first)
    until(lambda: not any(httpx.get(f"{service.url}/health/ready").json()["warnings"] for _ in range(6)))
    assert str(killed) in service.log.read_text()
    assert "classifier.joblib" in service.log.read_text()


def test_a_service_told_to_stop_finishes_what_it_began(models: Path, tmp_path: Path) -> None:
    with serving(models, tmp_path, 1) as service, ThreadPoolExecutor(2) as pool, talking(service.url) as link:
        link.sendall(chunk(json.dumps({"id": "1", "text": HARMLESS}).encode() + b"\n"))
        before = metric(service.url, "vigie_text_seconds_count")
        batch = pool.submit(httpx.post, f"{service.url}/v1/predict/batch", json={"items": [{"text": OFFER}] * 120}, timeout=60)
        until(lambda: metric(service.url, "vigie_text_seconds_count") > before + 2)
        stopped = pool.submit(service.stop)
        first, last = answers(link)
        assert (first["id"], first["status"]) == ("1", "ok")
        assert last["error"]["code"] == "unavailable"  # type: ignore[index]
        assert not batch.done()
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", int(service.url.rpartition(":")[2])))
        answer = batch.result()
        assert answer.status_code == 200
        assert Counter(found["status"] for found in answer.json()["results"]) == {"ok": 120}
        assert stopped.result() == 0
        assert "Traceback" not in service.log.read_text()


def test_what_cannot_be_finished_in_time_is_told_so(models: Path, tmp_path: Path) -> None:
    with serving(models, tmp_path, 2, VIGIE_SHUTDOWN_SECONDS="3") as service, ThreadPoolExecutor(2) as pool:
        body = {"items": [{"text": OFFER * 3}] * 256}
        batch = pool.submit(httpx.post, f"{service.url}/v1/predict/batch", json=body, timeout=60)
        until(lambda: metric(service.url, "vigie_text_seconds_count") > 1)
        started = time.monotonic()
        stopped = pool.submit(service.stop)
        answer = batch.result()
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert stopped.result() == 0
        assert time.monotonic() - started < 15
        assert "Traceback" not in service.log.read_text()


def test_processes_do_not_outlive_the_one_that_started_them(service: Service) -> None:
    left = service.workers()
    assert len(left) == 2
    service.running.kill()
    service.running.wait()
    until(lambda: not any(map(alive, left)), 60)


def alive(number: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{number}/status").read_text()
    except FileNotFoundError:
        return False
