"""One process under more work than it can do: who is served, who is sent away, what is bounded. Real HTTP, real model."""

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import httpx
import pytest

from model.analyser import Analyser
from service.metrics import Metrics
from service.reading import Reader
from service.samples import SAMPLES
from service.settings import Settings
from service.streaming import LineCutter
from tests.service.conftest import free_port, start
from tests.service.test_api import HARMLESS, OFFER, assert_problem

MAX_QUEUE = 2
#: Takes a second or more.
PAGE = ((OFFER + "\n" + HARMLESS + "\n") * 20)[:12_000]


@pytest.fixture(scope="module")
def url(artefacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = Settings(
        model_dir=artefacts,
        database_url=f"sqlite:///{tmp_path_factory.mktemp('base') / 'v.db'}",
        port=free_port(),
        max_queue=MAX_QUEUE,
        max_streams=2,
        stream_idle=4,
    )
    running, thread = start(settings)
    yield f"http://127.0.0.1:{settings.port}"
    running.should_exit = True
    thread.join(timeout=15)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(12) as opened:
        yield opened


def metric(url: str, name: str) -> float:
    """The sum of the samples of that name, labels included in the name if any."""
    with urlopen(f"{url}/metrics", timeout=30) as answer:  # lighter than a new client each time
        found = re.findall(rf"^{re.escape(name)}(?:\{{.*\}})? (\S+)$", answer.read().decode(), re.MULTILINE)
    return sum(map(float, found))


def until(reached: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for something that must come."""
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, "rien n'est venu"
        time.sleep(0.05)


def post(url: str, text: str = PAGE) -> httpx.Response:
    return httpx.post(f"{url}/v1/predict", json={"text": text}, timeout=120)


def fill(url: str, pool: ThreadPoolExecutor) -> list[Future[httpx.Response]]:
    """One request under way and as many waiting as may wait."""
    sent = []
    for number in range(1 + MAX_QUEUE):
        sent.append(pool.submit(post, url))
        until(lambda number=number: metric(url, "vigie_requests_held") == number + 1)  # type: ignore[misc]
    return sent


@contextmanager
def talking(url: str, *, receive_buffer: int | None = None) -> Iterator[socket.socket]:
    """A connection on which a stream has been asked for."""
    address = urlsplit(url)
    with socket.socket() as link:
        if receive_buffer:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        link.settimeout(60)
        link.connect((address.hostname, address.port))
        link.sendall(b"POST /v1/predict/stream HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        yield link


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def answers(link: socket.socket) -> list[dict[str, object]]:
    """The lines answered on a connection, until the answer ends."""
    with link.makefile("rb") as received:
        assert received.readline().startswith(b"HTTP/1.1 200")
        while received.readline() != b"\r\n":
            pass
        body = b""
        while size := int(received.readline(), 16):
            body += received.read(size)
            received.read(2)
    return [json.loads(line) for line in body.splitlines()]


def test_past_the_queue_requests_are_told_when_to_come_back(url: str, pool: ThreadPoolExecutor) -> None:
    sent = fill(url, pool)
    refused = [
        post(url),
        httpx.post(f"{url}/v1/predict/batch", json={"items": [{"text": PAGE}]}),
        httpx.post(url, data={"text": "x"}),
    ]
    started = time.perf_counter()
    assert httpx.get(f"{url}/health/live").status_code == 200
    assert httpx.get(f"{url}/health/ready").status_code == 200
    assert metric(url, "vigie_queue_length") <= MAX_QUEUE
    assert time.perf_counter() - started < 3
    for answer in refused:
        body = assert_problem(answer, 503)
        assert 1 <= int(answer.headers["retry-after"]) <= 300
        assert answer.headers["retry-after"] in body["detail"]
    assert [future.result().status_code for future in sent] == [200] * len(sent)
    assert metric(url, 'vigie_refused_total{reason="full"}') >= 3
    assert post(url, HARMLESS).status_code == 200


def test_a_batch_delays_a_single_text_by_one_turn(url: str, pool: ThreadPoolExecutor) -> None:
    before = metric(url, "vigie_text_seconds_count")
    batch = pool.submit(httpx.post, f"{url}/v1/predict/batch", json={"items": [{"text": OFFER}] * 40}, timeout=120)
    until(lambda: metric(url, "vigie_text_seconds_count") > before + 2)
    for _ in range(3):
        assert post(url, HARMLESS).status_code == 200
    done = metric(url, "vigie_text_seconds_count") - before
    assert not batch.done()
    assert done < 30
    assert len(batch.result().json()["results"]) == 40


def test_clients_that_leave_free_their_place(url: str, pool: ThreadPoolExecutor) -> None:
    gone = metric(url, "vigie_disconnected_total")
    waiting = []
    first = pool.submit(post, url)
    until(lambda: metric(url, "vigie_requests_held") == 1)
    body = json.dumps({"text": PAGE}).encode()
    address = urlsplit(url)
    for _ in range(MAX_QUEUE):
        link = socket.create_connection((address.hostname, address.port))
        kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}"
        head = f"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\n{kind}\r\n\r\n"
        link.sendall(head.encode() + body)
        waiting.append(link)
    until(lambda: metric(url, "vigie_requests_held") == 1 + MAX_QUEUE)
    assert post(url, HARMLESS).status_code == 503
    for link in waiting:
        link.close()
    until(lambda: metric(url, "vigie_disconnected_total") == gone + MAX_QUEUE)
    assert metric(url, "vigie_requests_held") <= 1
    assert post(url, HARMLESS).status_code == 200
    assert first.result().status_code == 200


def test_a_stream_whose_client_does_not_read_is_not_read_either(url: str) -> None:
    line = chunk(json.dumps({"id": "é" * 180, "text": ""}).encode() + b"\n")
    many = line * 500
    memory = resident()
    with talking(url, receive_buffer=4096) as link:
        link.settimeout(2)
        link.sendall(line)
        assert link.recv(12) == b"HTTP/1.1 200"
        with pytest.raises(TimeoutError):
            endless(link, many)
        assert metric(url, "vigie_streams_open") == 1
        assert resident() - memory < 50_000_000
    until(lambda: metric(url, "vigie_streams_open") == 0)


def endless(link: socket.socket, content: bytes) -> None:
    """Send for as long as it is taken, up to far more than any buffer holds."""
    sent = 0
    while sent < 200_000_000:
        sent += link.send(content)


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_streams_are_counted_and_a_silent_one_is_let_go(url: str) -> None:
    with talking(url) as first, talking(url) as second:
        until(lambda: metric(url, "vigie_streams_open") == 2)
        refused = httpx.post(f"{url}/v1/predict/stream", content=b'{"text": ""}')
        assert_problem(refused, 503)
        assert "retry-after" in refused.headers
        line = json.dumps({"id": "1", "text": HARMLESS}).encode() + b"\n"
        first.sendall(chunk(line + b'{"id": "2", "te'))
        whole, last = answers(first)
        assert (whole["id"], whole["status"]) == ("1", "ok")
        assert (last["status"], last["error"]["code"]) == ("error", "unavailable")  # type: ignore[index]
        assert "ligne 2" in last["error"]["message"]  # type: ignore[index]
        assert len(answers(second)) == 1
    until(lambda: metric(url, "vigie_streams_open") == 0)


def test_a_text_that_takes_too_long_is_an_answer(analyser: Analyser) -> None:
    reader = Reader(analyser, Settings(timeout=0.001), Metrics())
    prediction = reader.text(SAMPLES[0].text, "a")
    assert prediction.error is not None
    assert (prediction.id, prediction.status, prediction.error.code) == ("a", "error", "timeout")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_lines_are_the_same_however_the_body_is_cut(size: int) -> None:
    body = b"abc\n\n0123456789\nde\r\nfin"
    cutter = LineCutter(8)
    lines = [line for at in range(0, len(body), size) for line in cutter.feed(body[at : at + size])]
    assert [*lines, *cutter.end()] == [b"abc", b"", None, b"de\r", b"fin"]
