"""A process is killed while a model is changed: what was told is there, nothing is in between."""

import fcntl
import json
import os
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from model.errors import ArtefactError
from model.store import current_name
from service.settings import Settings
from service.workplace import loop
from service.workplace.people import Person, Role
from service.workplace.schema import PROMOTIONS

_ROLL_BACK = """
import sys
from service.database import connect_database
from service.settings import Settings
from service.workplace.loop import roll_back
from service.workplace.people import find_person
engine = connect_database(sys.argv[1])
roll_back(engine, Settings(model_dir=sys.argv[2], database_url=sys.argv[1]), find_person(engine, sys.argv[3]), "trop d'alertes")
"""


def test_a_rollback_killed_before_the_switch_leaves_no_record(engine: Engine, people: dict[Role, Person], tmp_path: Path) -> None:
    """The record comes first; if the process dies then, the model is as before, and the record goes."""
    root, person = tmp_path / "modeles", people["administrator"]
    url = engine.url.render_as_string(hide_password=False)
    for name in ("un", "deux"):
        (root / name).mkdir(parents=True)
    (root / "current").write_text("deux\n", encoding="utf-8")
    lines = [json.dumps({"at": "2026-01-01T00:00:00+00:00", "verb": "promote", "name": name}) for name in ("un", "deux")]
    (root / "history.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    settings = Settings(model_dir=root, database_url=url)
    # The folder of models is held by somebody else: the switch waits.
    held = os.open(root, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    process = subprocess.Popen([sys.executable, "-c", _ROLL_BACK, url, str(root), person.id])
    deadline = time.monotonic() + 60
    while not (records := loop.list_promotions(engine)) and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    os.close(held)
    assert [(one.kind, one.artefact, one.previous, one.by) for one in records] == [("rollback", "un", "deux", "Administrator")]
    assert current_name(root) == "deux"
    loop.refresh(engine, settings)
    assert len(loop.list_promotions(engine)) == 1, "une bascule peut être en cours"
    with engine.begin() as connection:
        connection.execute(update(PROMOTIONS).values(made_at=records[0].made_at - timedelta(minutes=5)))
    loop.refresh(engine, settings)
    assert loop.list_promotions(engine) == []
    # A switch that is refused takes its record back at once: the model before cannot be loaded.
    with pytest.raises(ArtefactError):
        loop.roll_back(engine, settings, person, "")
    assert loop.list_promotions(engine) == []
    assert current_name(root) == "deux"
