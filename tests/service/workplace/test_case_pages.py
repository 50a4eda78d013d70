"""The pages of cases, by program and in a real browser: open, fill, answer, mark ready, export, check an archive."""

import io
import json
import re
from zipfile import ZipFile

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine, select
from typer.testing import CliRunner

from service.cases.cases import Words, create_case, find_case
from service.cases.contents import add_texts, events_of, texts_of
from service.cases.records import add_answer, add_note
from service.cases.schema import CASE_EXPORTS
from service.workplace.choices import choose
from tests.service.workplace.conftest import Place
from tests.service.workplace.looks import assert_accessible
from tests.service.workplace.made import add, prediction, say

pytestmark = pytest.mark.browser
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}"


def new_texts(place: Place, count: int = 1, *, decided: bool = True) -> list[str]:
    choose(place.engine, "second_share", 0.0, place.people["administrator"])
    with place.engine.begin() as connection:
        ids = [add(connection, prediction("miracle_cure")) for _ in range(count)]
    for id in ids if decided else ():
        say(place.engine, id, place.people["reviewer"], "miracle_cure")
    return ids


def texts_in(engine: Engine, name: str) -> list[str]:
    with engine.connect() as connection:
        case = find_case(connection, name)
        assert case
        return [kept.item_id for kept in texts_of(connection, case.id)]


def full_case(place: Place, count: int = 3) -> str:
    """A case with decided and undecided texts, an answer, notes and a title that would be markup."""
    decided, waiting = new_texts(place, count), new_texts(place, 1, decided=False)
    person = place.people["reviewer"]
    case = create_case(
        place.engine, person, Words(f"Annonces {EVIL}", f"Objet {EVIL}", "Lumière", "relative", "", (), ("miviludes",))
    )
    with place.engine.begin() as connection:
        add_texts(connection, case.id, person, [*decided, *waiting], f"Même promesse. {EVIL}")
        add_answer(connection, case.id, person, "2026-11-02", "mail", f"Je conteste. {EVIL}")
        add_note(connection, case.id, person, f"Note {EVIL}", exported=True)
    return case.name


def test_a_case_is_made_and_exported_by_program(place: Place) -> None:
    (id,) = new_texts(place)
    visitor = place.visitor("analyst")
    empty = visitor.post("/dossiers", {"title": " "})
    assert (empty.status_code, "Titre" in empty.text) == (422, True)
    opened = visitor.post("/dossiers", {"title": "Annonces", "summary": "Objet"})
    assert (opened.status_code, opened.headers["location"]) == (303, "/dossiers/D-1?dit=cree")
    added = visitor.post("/dossiers/D-1/textes", {"items": f"http://exemple.example/textes/{id}?x=1", "why": "Promesse."})
    assert added.status_code == 303
    assert texts_in(place.engine, "D-1") == [id]
    for kind in ("zip", "pdf", "docx", "json", "csv"):
        made = visitor.post("/dossiers/D-1/export", {"kind": kind})
        assert made.status_code == 200
        assert f".{kind}" in made.headers["content-disposition"]
    page = visitor.get("/dossiers/D-1").text
    with place.engine.connect() as connection:
        hashes = connection.execute(select(CASE_EXPORTS.c.manifest_sha256, CASE_EXPORTS.c.seal_sha256)).all()
        kinds = [event.kind for event in events_of(connection, find_case(connection, "D-1").id)]  # type: ignore[union-attr]
    assert len(hashes) == 5
    assert all(digest in page for row in hashes for digest in row)
    assert kinds == ["opened", "added"] + ["exported"] * 5
    assert visitor.post("/dossiers/D-1/export", {"kind": "exe"}).status_code == 422
    assert visitor.post("/dossiers/D-1/export", {"kind": "pdf", "masked": "0"}).status_code == 403
    assert place.visitor("reviewer").post("/dossiers/D-1/export", {"kind": "pdf", "masked": "0"}).status_code == 200


def test_pages_that_do_not_exist_or_without_right_say_so(place: Place) -> None:
    full_case(place)
    visitor = place.visitor("analyst")
    assert visitor.get("/dossiers/D-99").status_code == 404
    assert visitor.client.post("/dossiers", data={"title": "A"}).status_code == 403
    assert place.client().get("/dossiers").status_code == 303
    page = visitor.get("/dossiers/D-1").text
    version = re.search(r'name="version" value="(\d+)"', page)
    assert version
    assert visitor.post("/dossiers/D-1/etat", {"status": "ready", "version": version[1]}).status_code == 422
    assert visitor.post("/dossiers/D-1/etat", {"status": "review", "version": "1"}).status_code == 409
    assert visitor.post("/dossiers/D-1/etat", {"status": "review", "version": version[1]}).status_code == 303
    assert visitor.post("/dossiers/D-1/textes", {"items": "rien", "why": "x"}).status_code == 422
    assert visitor.post("/dossiers/D-1/transmissions", {"recipient": "x", "sent_on": "2026-01-01"}).status_code == 422


def test_an_archive_is_checked_by_page_and_by_command(place: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
    from service.cli import app

    full_case(place)
    visitor = place.visitor("analyst")
    data = visitor.post("/dossiers/D-1/export", {"kind": "zip"}).content
    good = visitor.post("/dossiers/verifier", files={"file": ("d.zip", data)})
    assert (good.status_code, "Export connu" in good.text, "Archive entière" in good.text) == (200, True, True)
    changed = io.BytesIO()
    with ZipFile(io.BytesIO(data)) as source, ZipFile(changed, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name) + (b"!" if name == "textes/001.txt" else b""))
    bad = visitor.post("/dossiers/verifier", files={"file": ("d.zip", changed.getvalue())})
    assert "Export connu" not in bad.text
    assert "textes/001.txt : le fichier a changé" in bad.text
    assert visitor.post("/dossiers/verifier").status_code == 422
    assert "ZIP lisible" in visitor.post("/dossiers/verifier", files={"file": ("vide.zip", b"")}).text
    folder = tmp_path_factory.mktemp("archives")
    (folder / "bon.zip").write_bytes(data)
    (folder / "mauvais.zip").write_bytes(changed.getvalue())
    runner = CliRunner()
    told = runner.invoke(app, ["case", "verify", str(folder / "bon.zip"), "--json"])
    report = json.loads(told.stdout)
    assert (told.exit_code, report["whole"], report["case"]) == (0, True, "D-1")
    again = runner.invoke(app, ["case", "verify", str(folder / "bon.zip"), "--manifest", "0" * 64])
    assert (again.exit_code, "refaite" in again.output) == (1, True)
    assert runner.invoke(app, ["case", "verify", str(folder / "bon.zip"), "--manifest", report["manifest_sha256"]]).exit_code == 0
    assert runner.invoke(app, ["case", "verify", str(folder / "mauvais.zip")]).exit_code == 1


def test_texts_come_from_their_page_and_from_the_queue(place: Place) -> None:
    ids = new_texts(place, 3, decided=False)
    visitor = place.visitor("analyst")
    page = visitor.get(f"/textes/{ids[0]}").text
    assert "Ajouter à un dossier" in page
    made = visitor.post("/dossiers/ajout", {"item": ids[0], "case": "nouveau", "case_title": "Annonces", "case_why": "Promesse."})
    assert made.headers["location"] == "/dossiers/D-1?dit=textes&n=1"
    assert "D-1 : Annonces" in visitor.get(f"/textes/{ids[0]}").text
    with place.engine.connect() as connection:
        case = find_case(connection, "D-1")
    assert case
    sent = {"action": "dossier", "item": ids[1:], "listed": ids, "case": case.id, "case_why": "Même annonce.", "file": "tout=1"}
    assert visitor.post("/file/lot", sent).status_code == 303
    assert texts_in(place.engine, "D-1") == ids


def _walk(page: Page, name: str) -> None:
    for address in (
        "/dossiers",
        f"/dossiers/{name}",
        f"/dossiers/{name}/modifier",
        f"/dossiers/{name}/apercu",
        "/dossiers/nouveau",
        "/dossiers/verifier",
    ):
        page.goto(address)
        for summary in page.locator("main summary").all():
            summary.click()
        assert_accessible(page)


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_every_page_is_accessible_and_runs_nothing_received(browsed: Place, width: int, dark: bool) -> None:
    name = full_case(browsed)
    browsed.visitor("reviewer").post(f"/dossiers/{name}/export", {"kind": "json"})
    page = browsed.page("reviewer", width=width, dark=dark)
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    _walk(page, name)
    page.goto(f"/dossiers/{name}")
    expect(page.locator("h1")).to_contain_text("<script>alert(1)</script>")


def test_a_case_is_taken_to_transmission_in_a_browser(browsed: Place) -> None:
    (id,) = new_texts(browsed)
    page = browsed.page("reviewer")
    page.goto(f"/textes/{id}")
    page.get_by_text("Ajouter à un dossier").click()
    page.fill("#case_title", "Annonces de soins")
    page.fill("#case_why", "Promesse de guérison.")
    page.get_by_role("button", name="Ajouter au dossier").click()
    expect(page.locator("h1")).to_have_text("Dossier D-1 : Annonces de soins")
    page.get_by_text("Enregistrer une réponse").click()
    page.fill("#received_on", "2026-11-02")
    page.fill("#answer-text", "Je conteste.")
    page.get_by_role("button", name="Enregistrer la réponse").click()
    expect(page.locator(".case-text").first).to_contain_text("reçue le 02/11/2026")
    page.get_by_role("button", name="en relecture").click()
    page.get_by_role("button", name="prêt").click()
    page.get_by_text("Noter une transmission").click()
    page.get_by_label("À qui").fill("Miviludes")
    page.fill("#sent_on", "2026-11-20")
    page.get_by_role("button", name="Noter la transmission").click()
    expect(page.locator("dl.facts").first).to_contain_text("transmis")
    with page.expect_download() as waited:
        page.get_by_role("button", name="Exporter").click()
    with ZipFile(waited.value.path()) as archive:
        assert {"manifest.json", "seal.json", "dossier.pdf", "dossier.docx"} <= set(archive.namelist())
