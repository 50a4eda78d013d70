"""`vigie case`, as a script calls it: list, show and export; and what becomes of a case whose demonstration texts are removed."""

import json
import os
import subprocess
from pathlib import Path
from zipfile import ZipFile

import pytest
from sqlalchemy import Engine, select, update

from service.campaigns.links import campaign_of
from service.campaigns.work import link_all
from service.cases.cases import Case, Words, create_case, find_case, move_case
from service.cases.contents import add_texts, events_of
from service.cases.pages import case_values
from service.cases.schema import CASE_EXPORTS
from service.cases.verify import verify
from service.demo import DEMO_NAME, remove_demo
from service.workplace.choices import choose
from service.workplace.people import Person, Role
from service.workplace.schema import IMPORTS, ITEMS, READINGS
from service.workplace.similar import index
from service.workplace.times import now
from tests.service.test_batch import ROOT
from tests.service.workplace.conftest import add_people
from tests.service.workplace.made import add, prediction, say

VIGIE = ROOT / ".venv" / "bin" / "vigie"
PHONE = "06 39 98 41 07"


def run(engine: Engine, models: Path, *words: str) -> subprocess.CompletedProcess[str]:
    place = {"VIGIE_DATABASE_URL": engine.url.render_as_string(hide_password=False), "VIGIE_MODEL_DIR": str(models)}
    return subprocess.run(
        [VIGIE, "case", *words], capture_output=True, text=True, env=os.environ | place, timeout=60, check=False
    )


def filled(engine: Engine, people: dict[Role, Person], *, decided: bool = True) -> tuple[Case, list[str]]:
    """A case of two texts, the first of which is decided."""
    choose(engine, "second_share", 0.0, people["administrator"])
    case = create_case(engine, people["analyst"], Words("Annonces de soins", "Objet"))
    with engine.begin() as connection:
        ids = [add(connection, prediction("miracle_cure")) for _ in range(2)]
    if decided:
        say(engine, ids[0], people["analyst"], "miracle_cure", note=f"Voir aussi le {PHONE}.")
    with engine.begin() as connection:
        add_texts(connection, case.id, people["analyst"], ids, "Même promesse.")
    return case, ids


def test_cases_are_listed_shown_and_exported_by_command(base: Engine, tmp_path: Path) -> None:
    """A script reads the list and the content, and makes an archive that is whole and known; every export is in the history."""
    people = add_people(base)
    case, ids = filled(base, people)
    listed = json.loads(run(base, tmp_path, "list", "--as", "analyst", "--json").stdout)
    assert [(one["name"], one["title"], one["status"], one["texts"], one["decided"], one["level"]) for one in listed] == [
        ("D-1", "Annonces de soins", "open", 2, 1, 2)
    ]
    told = run(base, tmp_path, "list", "--as", "analyst").stdout
    assert "Annonces de soins" in told
    content = json.loads(run(base, tmp_path, "show", "D-1", "--as", "analyst").stdout)
    assert [one["place"] for one in content["texts"]] == [1]
    assert [(one["place"], one["state_name"]) for one in content["apart"]] == [(2, "non relu")]
    assert PHONE not in json.dumps(content)
    target = tmp_path / "dossier.zip"
    made = run(base, tmp_path, "export", "D-1", "--as", "analyst", "--output", str(target))
    assert (made.returncode, "1 texte(s) relus" in made.stderr + made.stdout) == (0, True)
    with target.open("rb") as source:
        report = verify(source)
    assert (report.whole, report.case, report.exporter) == (True, "D-1", "Analyst")
    with ZipFile(target) as archive:
        assert "dossier.pdf" in archive.namelist()
    with base.connect() as connection:
        (manifest,) = connection.execute(select(CASE_EXPORTS.c.manifest_sha256)).scalars()
        assert events_of(connection, case.id)[-1].kind == "exported"
    assert manifest == report.manifest_sha256
    assert manifest in made.stderr + made.stdout
    assert ids


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("show", "D-99", "--as", "analyst"), 1, "Aucun dossier « D-99 »"),
        (("list", "--as", "personne"), 1, "Aucun compte ouvert « personne »"),
        (("export", "D-1", "--as", "analyst", "--output", "d.exe"), 2, "attendu"),
        (("export", "D-1", "--as", "analyst", "--output", "absent/d.json"), 1, "ne peut pas être écrit"),
        (("export", "D-1", "--as", "analyst", "--output", "d.json", "--show-third-parties"), 1, "relecture"),
    ],
)
def test_what_a_command_cannot_do_is_told(base: Engine, tmp_path: Path, words: tuple[str, ...], code: int, told: str) -> None:
    """A wrong name, account, file or right stops the command with a French sentence; nothing is exported."""
    filled(base, add_people(base))
    done = run(base, tmp_path, *words)
    assert done.returncode == code
    assert told in " ".join(done.stderr.split())
    with base.connect() as connection:
        assert connection.execute(select(CASE_EXPORTS.c.id)).all() == []


def test_demonstration_texts_that_are_removed_leave_a_case_whole(
    engine: Engine, people: dict[Role, Person], tmp_path: Path
) -> None:
    """A case, blind and claimed texts and a campaign survive the removal; the case says how many texts are gone."""
    case, ids = filled(engine, people)
    long = "Dans notre maison au calme le corps se répare sans rien couper, on marche, on se tait, on boit l'eau de la source"
    with engine.begin() as connection:
        row = {"id": "demo", "name": DEMO_NAME, "source": "", "state": "done", "options": {}, "started_at": now()}
        connection.execute(IMPORTS.insert().values(**row, read=0, added=0, duplicates=0, errors=0))
        connection.execute(update(ITEMS).where(ITEMS.c.id == ids[0]).values(import_id="demo"))
        family = [add(connection, prediction(), f"{long}, départ de {town}.") for town in ("Lyon", "Valence", "Annecy")]
        for id, town in zip(family, ("Lyon", "Valence", "Annecy"), strict=True):
            index(connection, id, f"{long}, départ de {town}.")
        connection.execute(update(ITEMS).where(ITEMS.c.id == family[0]).values(import_id="demo"))
        add_texts(connection, case.id, people["analyst"], family[:1], "Même maison.")
        asked = {"id": "r1", "item_id": family[0], "kind": "second", "user_id": None, "state": "waiting", "asked_at": now()}
        connection.execute(READINGS.insert().values(**asked))
    link_all(engine)
    case = move_case(engine, case.id, people["analyst"], "review", _version(engine, case))
    removed = remove_demo(engine)
    assert removed is not None
    assert removed.texts == 2
    values = case_values(engine, case.id, people["reviewer"], tmp_path, 0)
    assert (values["gone"], values["total"], [one["item"].id for one in values["texts"]]) == (2, 1, ids[1:])
    with engine.connect() as connection:
        assert [event.kind for event in events_of(connection, case.id)] == ["opened", "added", "added", "moved", "erased"]
        left = campaign_of(connection, family[1])
    assert left is not None
    assert left.texts == 2


def _version(engine: Engine, case: Case) -> int:
    with engine.connect() as connection:
        found = find_case(connection, case.id)
    assert found
    return found.version
