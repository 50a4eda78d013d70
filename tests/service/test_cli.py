"""The verbs besides `score`: what they print, what they refuse."""

import json
import os
import pty
import re
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from model.records import Prediction
from service.settings import SettingsError, load_settings
from tests.service.conftest import free_port
from tests.service.test_batch import OFFER, ROOT, inside, vigie


def test_explain_shows_passages(artefacts: Path) -> None:
    done = inside("explain", OFFER, artefacts=artefacts)
    assert done.returncode == 0
    assert "Niveau 3" in done.stdout
    assert "« arrêtez la chimio »" in done.stdout
    assert "\x1b" not in done.stdout


def test_explain_colours_a_terminal(artefacts: Path) -> None:
    parent, child = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    with subprocess.Popen(
        [sys.executable, "-m", "service.cli", "explain", OFFER],
        env=environment | {"VIGIE_MODEL_DIR": str(artefacts), "TERM": "xterm-256color"},
        stdout=child,
        cwd=ROOT,
    ) as running:
        os.close(child)
        shown = b""
        try:
            while piece := os.read(parent, 4096):
                shown += piece
        except OSError:  # the terminal closes when the command ends
            pass
    os.close(parent)
    assert running.returncode == 0
    assert re.search(rb"\x1b\[[0-9;]*m[^\x1b]*chimio", shown)


def test_explain_reads_standard_input_and_writes_json(artefacts: Path) -> None:
    done = inside("explain", "-", "--json", "--operating-point", "triage", artefacts=artefacts, input=OFFER + "\n")
    prediction = Prediction.model_validate_json(done.stdout)
    assert prediction.operating_point == "triage"
    for indicator in prediction.indicators:
        for passage in indicator.evidence:
            assert OFFER[passage.start : passage.end] == passage.text


def test_the_operating_point_may_be_a_setting(artefacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_OPERATING_POINT", "strict")
    done = inside("explain", OFFER, "--json", artefacts=artefacts)
    assert Prediction.model_validate_json(done.stdout).operating_point == "strict"
    done = inside("explain", OFFER, "--json", "--operating-point", "triage", artefacts=artefacts)
    assert Prediction.model_validate_json(done.stdout).operating_point == "triage"


def test_explain_of_nothing_fails_with_the_reason(artefacts: Path) -> None:
    done = inside("explain", "  ", artefacts=artefacts)
    assert done.returncode == 1
    assert "vide" in done.stdout


def test_model_list_and_show(artefacts: Path) -> None:
    listed = json.loads(inside("model", "list", "--json", artefacts=artefacts).stdout)
    serving = [entry["version"] for entry in listed if entry["current"]]
    assert len(serving) == 1
    assert serving[0] in inside("model", "list", artefacts=artefacts).stdout
    assert f"# Carte du modèle {serving[0]}" in inside("model", "show", artefacts=artefacts).stdout
    assert json.loads(inside("model", "show", "--json", artefacts=artefacts).stdout)["version"] == serving[0]


def test_no_model_says_what_to_do(tmp_path: Path) -> None:
    for arguments in (["explain", "bonjour"], ["serve"], ["model", "show"], ["model", "list"]):
        done = vigie(*arguments, artefacts=tmp_path)
        assert done.returncode == 1
        assert "train" in done.stderr
        assert "Traceback" not in done.stderr


def test_evaluate_prints_counts(artefacts: Path) -> None:
    done = inside("evaluate", "--data", "data/annotated/w11.jsonl", "--json", artefacts=artefacts)
    measured = json.loads(done.stdout)
    assert measured["texts"] > 100
    assert measured["flag"]["recall"]["total"] > 20
    table = inside("evaluate", "--data", "data/annotated/w11.jsonl", artefacts=artefacts).stdout
    assert "signalés parmi warns" in table


def test_corpus_check_and_stats(artefacts: Path, tmp_path: Path) -> None:
    assert inside("corpus", "check", artefacts=artefacts).returncode == 0
    bad = tmp_path / "bad.jsonl"
    bad.write_text("{}\n", encoding="utf-8")
    done = inside("corpus", "check", str(bad), artefacts=artefacts)
    assert done.returncode == 1
    assert "bad.jsonl:1" in done.stdout
    counted = inside("corpus", "stats", "--plots", str(tmp_path / "plots"), artefacts=artefacts)
    assert "Indicateurs" in counted.stdout
    assert len(list((tmp_path / "plots").glob("*.png"))) == 4


def test_serve_answers_and_stops(artefacts: Path, tmp_path: Path) -> None:
    port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "service.cli", "serve", "--port", str(port)],
        env=os.environ | {"VIGIE_MODEL_DIR": str(artefacts), "VIGIE_DATABASE_URL": f"sqlite:///{tmp_path / 'v.db'}"},
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as running:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=httpx.HTTPTransport(retries=60)) as client:
            assert client.post("/v1/predict", json={"text": OFFER}, timeout=60).json()["risk"]["level"] == 3
        running.terminate()
        running.wait(timeout=30)
        assert running.stderr is not None
        log = running.stderr.read()
    assert f"http://127.0.0.1:{port}/" in log
    assert "chimio" not in log


def test_serve_refuses_other_addresses(artefacts: Path) -> None:
    done = vigie("serve", "--host", "0.0.0.0", artefacts=artefacts)
    assert done.returncode == 1
    assert "VIGIE_ALLOW_REMOTE" in done.stderr


def test_serve_says_in_one_line_what_cannot_work(artefacts: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = vigie("serve", "--port", str(taken.getsockname()[1]), artefacts=artefacts)
    assert done.returncode == 1
    assert "Impossible d'écouter" in done.stderr
    (tmp_path / "fichier").write_text("x", encoding="utf-8")
    for url in (f"sqlite:///{tmp_path / 'fichier' / 'v.db'}", "nimporte"):
        variables = os.environ | {"VIGIE_MODEL_DIR": str(artefacts), "VIGIE_DATABASE_URL": url}
        command = [sys.executable, "-m", "service.cli", "serve", "--port", str(free_port())]
        failed = subprocess.run(command, env=variables, capture_output=True, text=True, check=False, cwd=ROOT)
        assert failed.returncode == 1
        assert "VIGIE_DATABASE_URL" in failed.stderr
        assert "Traceback" not in failed.stderr


def test_a_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    load_settings.cache_clear()
    monkeypatch.setenv("VIGIE_PORT", "beaucoup")
    with pytest.raises(SettingsError, match="VIGIE_PORT"):
        load_settings()
    load_settings.cache_clear()


def test_predictions_refuse_unknown_fields() -> None:
    with pytest.raises(ValidationError):
        Prediction.model_validate({"status": "ok", "model_version": "x", "operating_point": "balanced", "colour": 1})
