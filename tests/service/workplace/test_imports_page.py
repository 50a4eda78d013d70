"""The import pages in a real browser: by keyboard, with and without scripts, and without a fault of accessibility."""

import io
import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from service.workplace.imports import Wanted, begin
from tests.service.workplace.conftest import Place
from tests.service.workplace.looks import assert_accessible

pytestmark = pytest.mark.browser


def test_a_file_is_sent_and_followed(browsed: Place, tmp_path: Path) -> None:
    path = tmp_path / "trois cents.jsonl"
    rows = [{"texte": f"Séance numéro {number}", "auteur": "@x"} for number in range(300)]
    path.write_text("\n".join(json.dumps(row) for row in [*rows, {"texte": ""}]))
    page = browsed.page("analyst")
    page.goto("/imports")
    page.get_by_label("Fichier").set_input_files(path)
    page.get_by_label("Source").fill("annuaire")
    page.get_by_role("button", name="Importer").press("Enter")
    expect(page.locator("#etat-nom")).to_have_text("terminé", timeout=20_000)
    expect(page.locator("#compte-added")).to_have_text("300")
    expect(page.get_by_role("table")).to_contain_text("Le texte est vide")


def test_a_paste_works_without_scripts(browsed: Place) -> None:
    page = browsed.page("analyst", scripts=False)
    page.goto("/imports")
    page.get_by_label("Ou textes collés").fill("un texte\n---\nun autre texte")
    page.get_by_role("button", name="Importer").click()
    for _ in range(50):
        page.reload()
        if page.locator("#etat-nom").inner_text() == "terminé":
            break
    expect(page.locator("#compte-added")).to_have_text("2")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_are_accessible(browsed: Place, width: int, dark: bool) -> None:
    content = io.BytesIO(b"verbatim,qui\nun,deux\n")
    waiting = begin(browsed.engine, browsed.settings, Wanted("colonnes à dire.csv"), ".csv", content)
    bad = io.BytesIO(b'{"text": "bon"}\n{"text": ""}\n')
    read = begin(browsed.engine, browsed.settings, Wanted("liste <b>.jsonl"), ".jsonl", bad)
    page = browsed.page("administrator", width=width, dark=dark)
    page.goto(f"/imports/{read}")
    expect(page.locator("#etat-nom")).to_have_text("terminé", timeout=20_000)
    for address in ("/imports", f"/imports/{read}", f"/imports/{waiting}", "/export"):
        page.goto(address)
        assert_accessible(page)
