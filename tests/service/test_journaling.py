"""What a service writes as it runs can be read by a machine, follows a request, and tells nothing of texts or people."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from service.journaling import HEADER, logging_settings
from service.settings import SettingsError, load_settings
from tests.service.conftest import free_port

ROOT = Path(__file__).resolve().parents[2]
MARKER = "Zorvanelle"  # a word that stands nowhere else


@pytest.fixture(scope="module")
def written(artefacts: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, object]], str, dict[str, str]]:
    """The lines of a service driven with the marker in all that it can be sent, all it wrote, and identifiers answered."""
    folder, port = tmp_path_factory.mktemp("lignes"), free_port()
    names = {
        "MODEL_DIR": artefacts, "DATABASE_URL": f"sqlite:///{folder}/v.db", "PORT": port, "LOG_FORMAT": "json", "DEMO": "false",
        "SPOOL_DIR": folder, "ADMIN_LOGIN": "chef", "ADMIN_PASSWORD": f"une phrase avec {MARKER} dedans",
    }  # fmt: skip
    environment = {**os.environ, **{f"VIGIE_{name}": str(value) for name, value in names.items()}}
    command = [sys.executable, "-m", "service.cli", "serve"]
    running = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    answered = {}
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            for _ in range(1800):
                try:
                    client.get("/health/live")
                    break
                except httpx.HTTPError:
                    time.sleep(0.1)
            text = f"{MARKER} guérit le cancer, 06 39 98 12 34, {MARKER}@exemple.example"
            given = client.post("/v1/predict", json={"id": MARKER, "text": text}, headers={HEADER: "suivi-42"})
            answered["given"] = given.headers[HEADER]
            answered["made"] = client.post("/v1/predict", json={"text": ""}, headers={HEADER: f"{MARKER} <x>"}).headers[HEADER]
            client.post("/v1/feedback", json={"text": text, "comment": MARKER, "reviewer": MARKER})
            client.post("/v1/predict", content=f"{{{MARKER}".encode(), headers={"content-type": "application/json"})
            client.get(f"/file?q={MARKER}&auteur={MARKER}")
            client.get(f"/textes/{MARKER}")
            client.get(f"/{MARKER}")
            client.post("/", data={"text": text})
            client.post("/connexion", data={"login": MARKER, "password": MARKER})
            client.get("/", headers={"host": f"{MARKER}.example"})
            client.post("/label-studio/predict", json={"tasks": [{"data": {"text": text}}]})
    finally:
        running.send_signal(signal.SIGTERM)
        out, err = running.communicate(timeout=60)
    return [_read(line) for line in err.splitlines()], out + err, answered


def _read(line: str) -> dict[str, object]:
    try:
        found: dict[str, object] = json.loads(line)
    except ValueError:
        pytest.fail(f"n'est pas une ligne de JSON : {line}")
    return found


def test_every_line_is_an_object_with_its_time_and_level(written: tuple[list[dict[str, object]], str, dict[str, str]]) -> None:
    lines, _, _ = written
    assert lines
    for line in lines:
        assert {"time", "level", "logger", "message", "request_id"} <= line.keys()
    answers = [line for line in lines if line["logger"] == "vigie.access"]
    assert {"method", "route", "status", "milliseconds", "actor"} <= answers[0].keys()
    assert "/textes/{id}" in {line["route"] for line in answers} or "/textes/{item_id}" in {line["route"] for line in answers}
    assert not [line for line in answers if str(line["route"]).startswith("/health")], "ce qui surveille n'est pas écrit"


def test_no_line_holds_what_was_sent(written: tuple[list[dict[str, object]], str, dict[str, str]]) -> None:
    _, everything, _ = written
    assert MARKER.lower() not in everything.lower()
    assert "06 39 98" not in everything


def test_a_request_keeps_the_plain_identifier_that_it_came_with(
    written: tuple[list[dict[str, object]], str, dict[str, str]],
) -> None:
    lines, _, answered = written
    assert answered["given"] == "suivi-42"
    assert "suivi-42" in {line["request_id"] for line in lines}
    assert len(answered["made"]) == 16


def test_an_exception_tells_where_and_not_what(capsys: pytest.CaptureFixture[str]) -> None:
    script = f"""
import logging, logging.config
from service.journaling import logging_settings
logging.config.dictConfig(logging_settings("json", "info"))
try:
    int("{MARKER}")
except ValueError:
    logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    line = json.loads(done.stderr)
    assert MARKER not in done.stderr
    assert line["exc_info"].startswith("ValueError : <string>:")


def test_a_format_or_level_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("VIGIE_LOG_FORMAT", "xml"), ("VIGIE_LOG_LEVEL", "bavard")):
        monkeypatch.setenv(name, value)
        load_settings.cache_clear()
        with pytest.raises(SettingsError, match=name):
            load_settings()
        monkeypatch.delenv(name)
    load_settings.cache_clear()
    assert logging_settings("text", "error")["loggers"]["vigie"]["level"] == "ERROR"
