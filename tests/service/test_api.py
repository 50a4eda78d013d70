"""The HTTP API as a client meets it: over real HTTP, on the trained model."""

import json
import re
import socket
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from model.labels import INDICATOR_IDS
from model.records import Prediction
from service.exposure import check_exposure
from service.samples import SAMPLES
from service.settings import Settings, SettingsError
from tests.service.conftest import Server, free_port, start

OFFER = SAMPLES[0].text
HARMLESS = "Vends vélo enfant 16 pouces, très bon état, pneus neufs, à venir chercher sur place le week-end. 40 €."
ENGLISH = "We sell second hand bicycles for children in very good condition, please come and collect them at our house."


def assert_problem(response: httpx.Response, status: int) -> dict[str, Any]:
    """An RFC 9457 answer of that status, in French, without a trace."""
    assert response.status_code == status
    assert response.headers["content-type"].startswith("application/problem+json")
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    assert {"type", "title", "detail"} <= set(body)
    assert "Traceback" not in response.text
    return body


def test_predict_answers_the_whole_contract(client: httpx.Client) -> None:
    response = client.post("/v1/predict", json={"id": "annonce-17", "text": OFFER})
    assert response.status_code == 200
    body = response.json()
    assert Prediction.model_validate(body).id == "annonce-17"
    assert body["status"] == "ok"
    assert body["risk"]["level"] >= 2
    assert body["stance"]["value"] == "promotes"
    assert [indicator["id"] for indicator in body["indicators"]] == list(INDICATOR_IDS)
    for indicator in body["indicators"]:
        assert bool(indicator["evidence"]) == indicator["present"]
        for passage in indicator["evidence"]:
            assert OFFER[passage["start"] : passage["end"]] == passage["text"]
    assert {"disclaimer", "negation"} & {cue["kind"] for cue in body["context"]}
    assert any(entity["kind"] == "price" and entity["value"]["amount"] == 1900 for entity in body["entities"])
    assert {"condition", "price"} <= {entity["kind"] for entity in body["entities"]}
    assert "illness" in body["targets"]


def test_a_harmless_text_is_level_0(client: httpx.Client) -> None:
    body = client.post("/v1/predict", json={"text": HARMLESS}).json()
    assert (body["risk"]["level"], body["stance"]["value"]) == (0, "neutral")
    assert not any(indicator["present"] for indicator in body["indicators"])


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        pytest.param("", "error", "empty_text", id="empty"),
        pytest.param(" \n\t\u200b", "error", "empty_text", id="blank"),
        pytest.param("a" * 20_001, "error", "too_long", id="long"),
        pytest.param("abc\x00def\x01\x02", "error", "invalid_text", id="binary"),
        pytest.param("promesse \ud800 coupée", "error", "invalid_text", id="surrogate"),
        pytest.param("😀🎉💫", "ok", None, id="emoji"),
        pytest.param("https://exemple.example/page", "ok", None, id="link"),
        pytest.param(ENGLISH, "unsupported_language", "unsupported_language", id="english"),
        pytest.param(f"<div><p>{HARMLESS}</p><br></div>&nbsp;", "ok", None, id="html"),
    ],
)
def test_odd_texts_get_a_status_and_a_reason(client: httpx.Client, text: str, status: str, code: str | None) -> None:
    sent = json.dumps({"text": text}).encode()
    body = client.post("/v1/predict", content=sent, headers={"content-type": "application/json"}).json()
    assert body["status"] == status
    given = body["error"] or (body["warnings"][0] if status != "ok" else None)
    assert (given["code"] if given else None) == code
    if given:
        assert body["risk"] is None
        assert body["stance"] is None
        assert body["indicators"] == []
        assert given["message"]


@pytest.mark.parametrize(
    ("content", "status", "expected"),
    [
        pytest.param(b"{pas du json", 400, "JSON", id="not-json"),
        pytest.param(b"", 422, "", id="empty-body"),
        pytest.param(b'{"texte": "x"}', 422, "text", id="missing-field"),
        pytest.param(b'{"text": 12}', 422, "cha", id="wrong-type"),
        pytest.param(b'{"text": "x", "operating_point": "loose"}', 422, "operating_point", id="bad-point"),
        pytest.param(b'{"text": "x", "prior": 2}', 422, "prior", id="bad-prior"),
        pytest.param(b'{"text": "x", "couleur": 1}', 422, "couleur", id="unknown-field"),
        pytest.param(b'{"id": "\\ud800", "text": "abc"}', 422, "id", id="lone-surrogate-in-id"),
        pytest.param(b'{"text": "\xff\xfe"}', 400, "", id="broken-utf8"),
        pytest.param(b'{"text": "' + b"a" * 1_100_000 + b'"}', 413, "1000000", id="one-megabyte"),
        pytest.param(b"[" * 100_000, 400, "", id="deep-json"),
    ],
)
def test_bad_requests_are_explained(client: httpx.Client, content: bytes, status: int, expected: str) -> None:
    response = client.post("/v1/predict", content=content, headers={"content-type": "application/json"})
    assert expected in json.dumps(assert_problem(response, status), ensure_ascii=False)


def test_broken_json_is_told_by_its_place_and_blames_no_field(client: httpx.Client) -> None:
    for path in ("/v1/predict", "/v1/predict/batch"):
        response = client.post(path, content=b'{"text":', headers={"content-type": "application/json"})
        found = assert_problem(response, 400)
        assert found["detail"] == "JSON illisible au caractère 8."
        assert found["errors"] == [{"field": "corps", "message": "JSON illisible au caractère 8"}]


def test_a_body_of_undeclared_length_is_bounded(client: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        yield b'{"text": "'
        for _ in range(40):
            yield b"a" * 50_000

    response = client.post("/v1/predict", content=endless(), headers={"content-type": "application/json"})
    assert_problem(response, 413)


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nulle-part", 404), ("GET", "/v1/predict", 405)])
def test_unknown_addresses_and_methods(client: httpx.Client, method: str, path: str, status: int) -> None:
    assert_problem(client.request(method, path), status)


def test_batch_keeps_order_and_errors_stay_with_their_item(client: httpx.Client) -> None:
    items = [{"id": "a", "text": OFFER}, {"id": "b"}, "pas un objet", {"id": "d", "text": ""}, {"id": "e", "text": HARMLESS}]
    response = client.post("/v1/predict/batch", json={"items": items})
    assert response.status_code == 200
    results = response.json()["results"]
    assert [found["id"] for found in results] == ["a", "b", None, "d", "e"]
    assert [found["status"] for found in results] == ["ok", "error", "error", "error", "ok"]
    assert [found["error"]["code"] for found in results if found["error"]] == ["invalid_text", "invalid_text", "empty_text"]
    assert results[0] == client.post("/v1/predict", json=items[0]).json()


def test_a_lone_surrogate_in_a_batch_spoils_only_its_item(client: httpx.Client) -> None:
    content = b'{"items": [{"id": "a", "text": "\\ud800"}, {"id": "b", "text": "Cours de yoga doux le mardi soir."}]}'
    response = client.post("/v1/predict/batch", content=content, headers={"content-type": "application/json"})
    assert [found["status"] for found in response.json()["results"]] == ["error", "ok"]


def test_batch_limits(client: httpx.Client) -> None:
    assert_problem(client.post("/v1/predict/batch", json={"items": []}), 422)
    body = assert_problem(client.post("/v1/predict/batch", json={"items": [{"text": "x"}] * 21}), 413)
    assert "20" in body["detail"]


def test_stream_answers_line_by_line(client: httpx.Client) -> None:
    lines = [
        json.dumps({"id": "1", "text": HARMLESS}),
        "",
        "pas du json",
        json.dumps({"id": "3"}),
        json.dumps({"id": "4", "text": "b" * 120_000}),
        json.dumps({"id": "5", "text": OFFER}, ensure_ascii=False),
    ]
    response = client.post("/v1/predict/stream", content="\n".join(lines).encode())
    assert response.headers["content-type"].startswith("application/x-ndjson")
    answers = [json.loads(line) for line in response.text.splitlines()]
    assert [(a["id"], a["status"]) for a in answers] == [
        ("1", "ok"),
        (None, "error"),
        ("3", "error"),
        (None, "error"),
        ("5", "ok"),
    ]
    assert "Ligne 3" in answers[1]["error"]["message"]
    assert "Ligne 5" in answers[3]["error"]["message"]


def test_stream_answers_before_the_request_is_over(server: Server) -> None:
    """Constant memory: each line is answered before the next one is sent."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as link, link.makefile("rb") as answers:
        link.sendall(b"POST /v1/predict/stream HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(3):
            line = json.dumps({"id": str(number), "text": HARMLESS}).encode() + b"\n"
            link.sendall(b"%x\r\n%s\r\n" % (len(line), line))
            if number == 0:
                assert answers.readline().startswith(b"HTTP/1.1 200")
                while answers.readline() != b"\r\n":
                    pass
            size = int(answers.readline(), 16)
            assert json.loads(answers.read(size + 2))["id"] == str(number)
        link.sendall(b"0\r\n\r\n")
        assert answers.readline() == b"0\r\n"


def test_texts_are_kept_only_when_asked(client: httpx.Client, server: Server) -> None:
    secret = "Atelier de vannerie sauvage, phrase témoin 7c1f, le samedi matin au hangar."
    client.post("/v1/predict", json={"text": secret})
    client.post("/", data={"text": secret})
    for path in server.database.parent.iterdir():
        assert b"7c1f" not in path.read_bytes()
    kept = client.post("/v1/predict", json={"text": secret, "store": True}).json()
    with sqlite3.connect(server.database) as base:
        assert base.execute("SELECT text FROM texts WHERE id = ?", (kept["id"],)).fetchone() == (secret,)
    assert_problem(client.post("/v1/predict", json={"id": kept["id"], "text": HARMLESS, "store": True}), 409)


def test_tables_model_and_limits(client: httpx.Client) -> None:
    labels = client.get("/v1/labels").json()
    assert [label["id"] for label in labels["indicators"]] == list(INDICATOR_IDS)
    assert len(client.get("/v1/practices").json()) >= 90
    model = client.get("/v1/model").json()
    assert model["limits"]["max_items"] == 20
    assert set(model["operating_points"]) == {"triage", "balanced", "strict"}
    assert model["version"] in model["card"]
    schema = client.get("/openapi.json").json()
    assert schema["info"]["x-limits"]["max_characters"] == 20_000
    example = schema["paths"]["/v1/predict"]["post"]["requestBody"]["content"]["application/json"]["examples"]["offre"]
    assert client.post("/v1/predict", json=example["value"]).status_code == 200


def test_health_and_metrics(client: httpx.Client) -> None:
    assert client.get("/health/live").json()["status"] == "ok"
    assert client.get("/health/ready").json()["model_version"]
    before = client.get("/metrics").text
    client.post("/v1/predict", json={"text": HARMLESS})
    after = client.get("/metrics").text

    def count(text: str) -> float:
        found = re.search(r'^vigie_texts_total\{level="0",status="ok"\} (\S+)', text, re.MULTILINE)
        return float(found.group(1)) if found else 0.0

    assert count(after) == count(before) + 1
    assert 'route="/v1/predict"' in after


def test_the_event_loop_answers_while_texts_are_analysed(client: httpx.Client, server: Server) -> None:
    page = (OFFER + "\n" + HARMLESS + "\n") * 26
    with ThreadPoolExecutor(4) as pool:
        busy = [pool.submit(httpx.post, f"{server.url}/v1/predict", json={"text": page[:20_000]}, timeout=120) for _ in range(4)]
        time.sleep(0.2)
        started = time.perf_counter()
        assert client.get("/health/live").status_code == 200
        waited = time.perf_counter() - started
        assert all(future.result().status_code == 200 for future in busy)
    assert waited < 3


def test_security_headers(client: httpx.Client) -> None:
    headers = client.get("/").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_requests_over_the_rate_are_told_to_wait(artefacts: Path, tmp_path: Path) -> None:
    settings = Settings(model_dir=artefacts, database_url=f"sqlite:///{tmp_path / 'v.db'}", port=free_port(), rate_per_minute=5)
    running, thread = start(settings)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{settings.port}") as own:
            answers = [own.get("/v1/labels") for _ in range(7)]
            assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
            assert 50 <= int(answers[-1].headers["retry-after"]) <= 60
            assert_problem(answers[-1], 429)
            assert own.get("/health/live").status_code == 200
    finally:
        running.should_exit = True
        thread.join(timeout=15)


def test_only_loopback_without_being_told() -> None:
    check_exposure(Settings(host="127.0.0.1"))
    with pytest.raises(SettingsError, match="VIGIE_HOST"):
        check_exposure(Settings(host="0.0.0.0"))
