"""Nothing is stored unless asked: a text that goes through the service leaves its words in no file that the service can write."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from service.database import open_database
from service.workplace.keys import create_key
from service.workplace.people import add_user, new_user
from tests.service.conftest import free_port

MARK = "zygomorphe"
TEXT = f"Je suis Odile {MARK}, je guéris le cancer, jetez vos comprimés. 06 39 98 12 40"


@dataclass
class Kept:
    """A service in a process of its own, whose every file is under `folder`: base, spool, temporary files, home, logs."""

    folder: Path
    process: "subprocess.Popen[bytes]"
    client: httpx.Client
    key: str

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=60)

    def holders(self, mark: str = MARK) -> list[str]:
        """The files where the mark is, in UTF-8 or as JSON writes it."""
        found = [path for path in self.folder.rglob("*") if path.is_file()]
        assert any(path.name == "vigie.db" for path in found), "la base est bien là"
        assert any(path.name == "sortie.log" for path in found)
        return [str(path.relative_to(self.folder)) for path in found if mark.encode() in path.read_bytes()]


@pytest.fixture
def kept(artefacts: Path, tmp_path: Path) -> Iterator[Kept]:
    port = free_port()
    for name in ("tmp", "maison", "base"):
        (tmp_path / name).mkdir()
    settings = {
        "VIGIE_MODEL_DIR": str(artefacts),
        "VIGIE_DATABASE_URL": f"sqlite:///{tmp_path / 'base' / 'vigie.db'}",
        "VIGIE_SPOOL_DIR": str(tmp_path / "attente"),
        "VIGIE_PURGED_FILE": str(tmp_path / "purged.jsonl"),
        "VIGIE_PORT": str(port),
        "VIGIE_MAX_CHARACTERS": "2000",
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(tmp_path / "tmp")),
        **{"HOME": str(tmp_path / "maison"), "XDG_CACHE_HOME": str(tmp_path / "maison" / "cache")},
    }
    engine = open_database(settings["VIGIE_DATABASE_URL"])
    with engine.begin() as connection:
        person = add_user(connection, new_user("annotation", "Annotation", "reviewer", "une phrase que personne ne tape"))
    key = create_key(engine, person, "label studio", ["predict"])
    engine.dispose()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VIGIE_")} | settings
    # What it imports is where it runs from; what it writes is elsewhere.
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    with (tmp_path / "sortie.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "service.cli", "serve"], env=environment, cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT
        )
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            running = Kept(tmp_path, process, client, key)
            try:
                _wait(running)
                yield running
            finally:
                running.stop()


def _wait(running: Kept) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert running.process.poll() is None, (running.folder / "sortie.log").read_text("utf-8")
        try:
            if running.client.get("/health/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError("le service n'a pas démarré")


def test_a_text_leaves_no_trace_unless_asked(kept: Kept) -> None:
    """Every way to have a text read, well formed or not; then the files are searched, as it runs and once it has stopped."""
    client = kept.client
    right = [
        client.post("/v1/predict", json={"id": f"{MARK}-1", "text": TEXT}),
        client.post("/v1/predict", json={"text": TEXT, "store": False}),
        client.post("/v1/predict/batch", json={"items": [{"text": TEXT}, {"text": f"{TEXT} {MARK * 300}"}]}),
        client.post("/v1/predict/stream", content="".join(json.dumps({"text": f"{TEXT} {n}"}) + "\n" for n in range(20))),
        client.post(
            "/label-studio/predict",
            json={"tasks": [{"id": 1, "data": {"text": TEXT}}]},
            headers={"authorization": f"Bearer {kept.key}"},
        ),
        client.post("/v1/route", json={"text": TEXT}),
        client.get("/", params={"texte": TEXT}),
        client.post("/", data={"text": TEXT, "texte": TEXT}, headers={"accept": "text/html"}),
    ]
    wrong = [
        client.post("/v1/predict", content=f'{{"text": "{TEXT}'.encode(), headers={"content-type": "application/json"}),
        client.post("/v1/predict", json={"text": TEXT, MARK: MARK}),
        client.post("/v1/predict", json={"text": [TEXT]}),
        client.post("/v1/predict/stream", content=f"{TEXT}\n{{{MARK}\n".encode()),
        client.post("/v1/feedback", json={"text": TEXT, MARK: 1}),
        client.post("/label-studio/predict", json={"tasks": [{"data": {"text": TEXT}}]}),
        client.get(f"/file?q={MARK}"),
        client.get(f"/{MARK}"),
        client.post("/connexion", data={"login": MARK, "password": TEXT}),
    ]
    assert [answer.status_code for answer in right[:5]] == [200] * 5
    assert all(answer.status_code < 500 for answer in (*right, *wrong))
    assert all(prediction["status"] for prediction in map(json.loads, right[3].text.splitlines()))
    assert kept.holders() == []
    kept.stop()
    assert kept.holders() == []


def test_a_text_is_kept_where_it_is_asked_for(kept: Kept) -> None:
    """So that the search above could not fail to see one."""
    assert kept.client.post("/v1/predict", json={"text": TEXT, "store": True}).status_code == 200
    kept.stop()
    assert any("vigie.db" in name for name in kept.holders())
    with sqlite3.connect(kept.folder / "base" / "vigie.db") as base:
        assert base.execute("select count(*) from texts").fetchone() == (1,)
