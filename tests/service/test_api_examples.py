"""docs/api.md: every route of the API is in it, as it is; every example in it runs as shown, on a real service."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from openpyxl import load_workbook
from playwright.sync_api import Browser
from sqlalchemy import Engine, func, select

from service.app import create_app
from service.database import FEEDBACK, open_database
from service.openapi import document
from service.settings import Settings
from service.workplace.keys import ROLE_OF, SCOPES, create_key
from service.workplace.people import create_user
from service.workplace.schema import COMMENTS, ITEMS
from tests.documented import ROOT, blocks
from tests.service.conftest import free_port, start
from tests.service.workplace.made import add, prediction

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = ROOT / "docs" / "exemples"
#: Rows of three columns or more: those of two say what may be sent again.
_ROUTE = re.compile(r"^\| `(GET|POST) (/[^`]*)` \| ([^|]*) \|[^|\n]*\|", re.MULTILINE)
_SHOWN = re.compile(r"<!-- exemple : docs/exemples/(\S+) -->\n```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LANGUAGES = {"sh": "sh", "py": "python", "mjs": "js"}
_ROLES = {"analyst": "analyse", "reviewer": "relecture", "administrator": "administration"}


@dataclass(frozen=True)
class Place:
    """A running service, its database, and a key of every right."""

    url: str
    engine: Engine
    key: str


@pytest.fixture(scope="module")
def place(artefacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("exemples")
    url = f"sqlite:///{folder / 'vigie.db'}"
    engine = open_database(url)
    person = create_user(engine, "collecte", "Collecte", "administrator", "une phrase pour les exemples")
    settings = Settings(
        model_dir=artefacts, database_url=url, port=free_port(), scoring=True, spool_dir=folder / "attente", max_wait=120
    )
    server, thread = start(settings)
    yield Place(f"http://127.0.0.1:{settings.port}", engine, create_key(engine, person, "exemples", SCOPES))
    server.should_exit = True
    thread.join(timeout=30)
    engine.dispose()


@pytest.fixture
def run(place: Place, tmp_path: Path) -> Callable[[str], str]:
    """`run("flux.py")` runs an example in a folder of its own, and gives what it wrote."""
    programs = {".sh": "sh", ".py": sys.executable, ".mjs": "node"}

    def example(name: str) -> str:
        done = subprocess.run(
            [programs[Path(name).suffix], str(EXAMPLES / name)],
            cwd=tmp_path,
            env=os.environ | {"VIGIE_ADRESSE": place.url, "VIGIE_CLE": place.key, "PYTHONUTF8": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, f"{name} : {done.stdout}{done.stderr}"
        return done.stdout

    return example


def _browsed(browser: Browser, place: Place, name: str) -> str:
    """What an example in JavaScript writes, run in a page of the service."""
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda told: said.append(told.text))
    page.goto(f"{place.url}/aide")
    page.evaluate("given => Object.assign(globalThis, given)", {"VIGIE_ADRESSE": place.url, "VIGIE_CLE": place.key})
    page.evaluate(f"async () => {{ {(EXAMPLES / name).read_text(encoding='utf-8')} }}")
    page.close()
    return "\n".join(said) + "\n"


def test_every_route_is_on_the_page_and_every_route_of_the_page_exists(tmp_path: Path) -> None:
    settings = Settings(database_url=f"sqlite:///{tmp_path / 'vigie.db'}")
    known = document(create_app(settings), settings)["paths"]
    real = {(method.upper(), path) for path, operations in known.items() for method in operations}
    told = [(method, path) for method, path, _ in _ROUTE.findall(PAGE)]
    assert len(told) == len(set(told))
    assert set(told) == real


def test_who_may_call_is_told_as_it_is() -> None:
    table = (ROOT / "docs" / "acces.md").read_text(encoding="utf-8")
    asked = {path: who for path, _, who in re.findall(r"^\| `(/[^`]*)` \| ([A-Z, ]+) \| (.*) \|$", table, re.MULTILINE)}
    before = ""
    for _, path, who in _ROUTE.findall(PAGE):
        before = before if who.startswith("de même") else who
        real = asked[path]
        assert ("ouverte à tous" in before) == ("ouverte à tous" in real), path
        for right in re.findall(r"clé `(\w+)`", real):
            assert f"`{right}`" in before, f"{path} : le droit {right}"
    for right, role in ROLE_OF.items():
        assert re.search(rf"^\| `{right}` \| .* \| {_ROLES[role]} \|$", PAGE, re.MULTILINE), right


def test_limits_and_statuses_are_those_of_the_service() -> None:
    settings = Settings()
    for value in (settings.max_characters, settings.max_line_bytes):
        assert f"{value:,}".replace(",", " ") in PAGE
    assert (settings.max_items, settings.max_body_bytes) == (256, 8_000_000)
    answered = set()
    for operations in document(create_app(settings), settings)["paths"].values():
        for operation in operations.values():
            answered |= {status for status in operation["responses"] if status >= "400"}
    told = {status for row in re.findall(r"^\| ([45]\d\d(?:, [45]\d\d)*) \|", PAGE, re.MULTILINE) for status in row.split(", ")}
    assert told == answered


def test_every_example_is_shown_as_it_is_in_its_file() -> None:
    shown = {name: (language, content) for name, language, content in _SHOWN.findall(PAGE)}
    assert set(shown) == {path.name for path in EXAMPLES.iterdir()}
    for name, (language, content) in shown.items():
        assert language == _LANGUAGES[name.rpartition(".")[2]]
        assert content == (EXAMPLES / name).read_text(encoding="utf-8"), f"docs/api.md ne montre plus {name} tel quel"
    languages = {block.language for block in blocks(ROOT / "docs" / "api.md")}
    assert languages == {"json", *_LANGUAGES.values()}


def test_the_error_shown_is_the_error_given(place: Place) -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    answer = httpx.post(f"{place.url}/v1/predict", json={})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == json.loads(shown)


def test_one_text_and_a_batch_by_shell_and_python(run: Callable[[str], str]) -> None:
    one, batch = map(json.loads, run("analyser.sh").splitlines())
    assert (one["id"], one["status"]) == ("annonce-17", "ok")
    assert "miracle_cure" in {sign["id"] for sign in one["indicators"] if sign["present"]}
    assert [(each["id"], each["status"]) for each in batch["results"]] == [("a1", "ok"), ("a2", "error")]
    told = run("analyser.py").splitlines()
    assert re.fullmatch(r"a1 niveau [123]", told[0])
    assert any("Je soigne le zona" in line for line in told)
    assert told[-1] == "a3 non analysé : invalid_text"


def test_javascript_counts_code_points(run: Callable[[str], str], browser: Browser, place: Place) -> None:
    told = _browsed(browser, place, "analyser.mjs")
    assert re.match(r"annonce-17 niveau [123] ", told)
    assert re.search(r"promesse de guérison : Je soigne le zona", told)
    if shutil.which("node"):
        assert run("analyser.mjs").split() == told.split()


def test_streams(run: Callable[[str], str]) -> None:
    lines = [json.loads(line) for line in run("flux.sh").splitlines()]
    assert [(line["id"], line["status"], line["operating_point"]) for line in lines] == [
        ("1", "ok", "triage"),
        (None, "error", "triage"),
        ("3", "ok", "triage"),
    ]
    told = run("flux.py").splitlines()
    assert [line.split()[:2] for line in told[:-1]] == [[str(number), "ok"] for number in range(1, 6)]
    assert told[-1] == "5 lignes lues"


def test_imports_and_exports(run: Callable[[str], str], browser: Browser, place: Place, tmp_path: Path) -> None:
    state, *errors, exported = run("importer.sh").splitlines()
    assert {"state": "done", "read": 2, "added": 1, "errors": 1}.items() <= json.loads(state).items()
    assert len(errors) == 2
    assert "a-2" in errors[1]
    assert exported.strip() == "1"
    assert run("importer.py").splitlines() == [
        "ajoutés : 1 déjà connus : 0 erreurs : 0",
        "ajoutés : 0 déjà connus : 1 erreurs : 0",
        "textes écrits : 1",
    ]
    assert load_workbook(tmp_path / "petites-annonces.xlsx").worksheets[0].max_row == 2
    assert _browsed(browser, place, "importer.mjs") == "lus : 1 ajoutés : 1 erreurs : 0\n"
    if shutil.which("node"):
        assert run("importer.mjs") == "lus : 1 ajoutés : 0 erreurs : 0\n"
    with place.engine.connect() as connection:
        assert connection.scalars(select(ITEMS.c.region).where(ITEMS.c.external_id == "p-1")).all() == ["Bretagne"]


def test_campaigns_are_read_page_after_page(run: Callable[[str], str], place: Place) -> None:
    with place.engine.begin() as connection:
        for town in ("Saint-Rivel", "Varennes-le-Haut"):
            add(connection, prediction("miracle_cure"), f"Cure de lumière à {town}, écrivez-nous : cure@lumiere.example.")
    asked: dict[str, Any] = {"url": f"{place.url}/v1/campaigns", "headers": {"Authorization": f"Bearer {place.key}"}}
    end = time.monotonic() + 60
    while not httpx.get(**asked).json()["total"]:
        assert time.monotonic() < end, "les deux textes ne sont pas réunis"
        time.sleep(0.2)
    told = run("campagnes.py").splitlines()
    assert re.fullmatch(r"([1-9]\d*) campagnes sur \1", told[-1])
    assert any(line.endswith(": 2 textes, 0 cachés") for line in told)


def test_directions_are_proposed_with_reasons(run: Callable[[str], str]) -> None:
    told = run("orienter.py")
    assert "rien n'est envoyé" in told
    assert len(re.findall(r"^- .+ : .+", told, re.MULTILINE)) >= 2
    assert re.search(r"^\? .+ : .+\?", told, re.MULTILINE)


def test_a_correction_waits_for_a_person(run: Callable[[str], str], place: Place) -> None:
    kept = json.loads(run("corriger.sh"))
    with place.engine.connect() as connection:
        comments = connection.scalars(select(COMMENTS.c.text).where(COMMENTS.c.item_id == kept["item"])).all()
        state = connection.execute(select(ITEMS.c.state).where(ITEMS.c.id == kept["item"])).scalar_one()
    assert state == "new"
    assert any("Signe « promesse de guérison » : absent." in comment for comment in comments)


def test_what_may_be_sent_again(place: Place) -> None:
    text = {"id": "renvoi-1", "text": "Cours de chant le jeudi, tous niveaux.", "store": True}
    with httpx.Client(base_url=place.url, timeout=60, headers={"Authorization": f"Bearer {place.key}"}) as client:
        assert [client.post("/v1/predict", json=text).status_code for _ in range(2)] == [200, 200]
        assert client.post("/v1/predict", json={**text, "text": "Un autre texte."}).status_code == 409
        correction = {"text": "Je ne promets rien.", "stance": "neutral"}
        for _ in range(2):
            assert client.post("/v1/feedback", json=correction).status_code == 201
        sent = client.get("/openapi.json", headers={"X-Request-ID": "essai-1.a"})
    assert sent.headers["X-Request-ID"] == "essai-1.a"
    assert sent.json()["openapi"].startswith("3.1")
    assert "access-control-allow-origin" not in sent.headers
    with place.engine.connect() as connection:
        twice = select(func.count()).select_from(FEEDBACK).where(FEEDBACK.c.text == correction["text"])
        assert connection.execute(twice).scalar_one() == 2
