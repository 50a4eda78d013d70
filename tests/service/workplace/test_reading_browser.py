"""Blind reading and adjudication wholly by keyboard, promotion and return by their pages: a real Chromium, both databases."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import select

from model.store import current_name
from service.settings import Settings
from service.workplace import loop
from service.workplace.choices import choose
from service.workplace.decided import Decided, decisions_of
from service.workplace.schema import ITEMS, TRAININGS
from service.workplace.times import now
from tests.service.conftest import free_port, start
from tests.service.workplace.conftest import Place, _place
from tests.service.workplace.looks import assert_accessible
from tests.service.workplace.made import add, prediction, say
from tests.signed import renamed

pytestmark = pytest.mark.browser

WORDS = "Bonjour à tous.\r\nMa méthode guérit le cancer.\r\nArrêtez la chimiothérapie dès demain."
CURE = (WORDS.index("guérit"), WORDS.index("cancer") + len("cancer"))


@pytest.fixture
def disputable(each_place: Place, browser: Browser) -> Place:
    """A workplace of each kind with a browser, where every decided text is read twice and none is golden."""
    each_place.browser = browser
    for name, share in (("second_share", 1), ("golden_share", 0)):
        choose(each_place.engine, name, share, each_place.people["administrator"])
    return each_place


def _text(place: Place) -> str:
    with place.engine.begin() as connection:
        item = add(connection, prediction("miracle_cure"), text=WORDS)
    say(place.engine, item, place.people["analyst"], "pseudo_science")
    return item


def _decisions(place: Place, item: str) -> tuple[str, list[Decided]]:
    with place.engine.connect() as connection:
        return connection.execute(select(ITEMS.c.state).where(ITEMS.c.id == item)).scalar_one(), decisions_of(connection, item)


def _tab_to(page: Page, name: str) -> None:
    """Go to a button or link by the tabulator alone."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if name in page.evaluate("document.activeElement.innerText ?? ''"):
            return
    raise AssertionError(f"« {name} » ne s'atteint pas au clavier")


def _read_by_keyboard(page: Page, note: str) -> None:
    """Select « guérit le cancer » word by word, give it a sign, say what the author does, write a note and save."""
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "texte"
    page.keyboard.press("Home")
    while page.evaluate("getSelection().toString()") != "guérit":
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert "guérit le cancer" in page.locator("#selection").inner_text()
    sign = page.locator("[data-sign=miracle_cure]")
    page.keyboard.press(sign.get_attribute("data-sign-key") or "")
    assert "est ajouté" in page.locator("#selection").inner_text()
    page.keyboard.press("p")
    page.keyboard.press("o")
    page.keyboard.type(note)
    page.keyboard.press("Escape")
    page.locator("#niveau", has_text="Niveau 2").wait_for()
    page.keyboard.press("e")


def test_a_dispute_is_read_blind_then_adjudicated_by_keyboard_alone(disputable: Place) -> None:
    item = _text(disputable)
    page = disputable.page("reviewer")
    page.goto("/relecture")
    _tab_to(page, "Lire le suivant")
    page.keyboard.press("Enter")
    page.wait_for_url("**/relecture/*-*")
    assert page.evaluate("chars.length") == len(WORDS)
    _read_by_keyboard(page, "Lu seul.")
    page.wait_for_url("**/relecture?faite=1")
    state, records = _decisions(disputable, item)
    assert (state, records[-1].kind, records[-1].note) == ("disputed", "second", "Lu seul.")
    assert [(mark.start, mark.end, mark.label) for mark in records[-1].indicators] == [(*CURE, "miracle_cure")]

    judge = disputable.page("administrator")
    judge.goto("/arbitrage")
    _tab_to(judge, "Bonjour")
    judge.keyboard.press("Enter")
    judge.wait_for_url(f"**/arbitrage/{item}")
    assert judge.evaluate("chars.length") == len(WORDS)
    assert_accessible(judge)
    _read_by_keyboard(judge, "La promesse est dite.")
    judge.wait_for_url("**/arbitrage?fait=1")
    state, records = _decisions(disputable, item)
    assert (state, records[-1].kind, records[-1].user_id) == ("done", "adjudication", disputable.people["administrator"].id)
    assert (records[-1].level, records[-1].note) == (2, "La promesse est dite.")
    assert [(mark.start, mark.end, mark.label) for mark in records[-1].indicators] == [(*CURE, "miracle_cure")]


def test_keys_are_told_and_can_be_switched_off(disputable: Place) -> None:
    item = _text(disputable)
    page = disputable.page("reviewer", width=390)
    page.goto("/relecture")
    page.get_by_role("button", name="Lire le suivant").click()
    page.wait_for_url("**/relecture/*-*")
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()
    assert_accessible(page)
    page.get_by_label("Touches simples actives").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("x")
    page.keyboard.press("t")
    assert page.locator("#stance-neutral").is_checked() is False
    assert _decisions(disputable, item)[0] == "open"


@pytest.fixture(scope="module")
def models(artefacts: Path, blank: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A server on a folder of two models; which one it answers with is not looked at anew."""
    folder = tmp_path_factory.mktemp("deux-modeles")
    name = current_name(artefacts)
    for copy in (name, "deux"):
        renamed(artefacts / name, folder / "modeles", copy, shared=True)
    (folder / "modeles" / "current").write_text(name + "\n", encoding="utf-8")
    shutil.copy(blank, folder / "vigie.db")
    url = f"sqlite:///{folder / 'vigie.db'}"
    settings = Settings(
        model_dir=folder / "modeles", database_url=url, port=free_port(), scoring=False, model_poll=60, spool_dir=folder
    )
    server, thread = start(settings)
    yield settings
    server.should_exit = True
    thread.join(timeout=15)


def _compared(place: Place, champion: str, challenger: str) -> str:
    """A training that is over, whose gate is shut."""
    rule = {
        "id": "flag_recall",
        "name": "Rappel du signalement",
        "part": "test",
        "champion": 0.9,
        "challenger": 0.8,
        "low": -0.15,
        "high": -0.05,
        "higher_is_better": True,
        "most": 0.01,
        "texts": 400,
        "verdict": "failed",
        "why": "perd plus que ce qui est admis",
    }
    comparison = {
        "champion": champion,
        "challenger": challenger,
        "passes": False,
        "operating_point": "balanced",
        "rules": [rule],
        "flips": [],
        "parts": [{"id": "test", "name": "épreuve du corpus", "texts": 400}],
        "learned": {"corpus": 8000, "reviewed": 12, "left": {}},
    }
    with place.engine.begin() as connection:
        values = {"id": "essai-deux", "state": "done", "champion": champion, "challenger": challenger, "asked_at": now()}
        connection.execute(TRAININGS.insert().values(**values, finished_at=now(), comparison=comparison))
    return "essai-deux"


def test_a_model_is_put_into_service_against_the_gate_and_taken_back_in_the_browser(models: Settings, browser: Browser) -> None:
    for place in _place(models):
        place.browser = browser
        root = models.model_dir
        champion = current_name(root)
        id = _compared(place, champion, "deux")
        reviewer = place.page("reviewer")
        reviewer.goto(f"/modeles/essais/{id}")
        assert reviewer.get_by_role("button", name="Mettre en service").count() == 0
        page = place.page("administrator")
        page.goto("/modeles")
        page.get_by_role("row").filter(has_text="fermée").get_by_role("link").first.click()
        page.get_by_role("heading", name="Barrière : fermée").wait_for()
        button = page.get_by_role("button", name="Mettre en service malgré la barrière")
        page.get_by_label("Motif").fill("bref")
        button.click()
        assert page.url.endswith(id), "le navigateur refuse un motif trop court"
        assert current_name(root) == champion
        page.get_by_label("Motif").fill("Le corpus d'épreuve est trop vieux.")
        assert_accessible(page)
        button.click()
        page.wait_for_url("**/modeles")
        assert current_name(root) == "deux"
        assert "Le corpus d'épreuve est trop vieux." in page.locator("main").inner_text()
        page.get_by_label("Motif").fill("Pour voir.")
        page.get_by_role("button", name="Revenir").click()
        page.wait_for_load_state()
        assert current_name(root) == champion
        assert [(one.kind, one.by) for one in loop.list_promotions(place.engine)] == [
            ("rollback", "Administrator"),
            ("override", "Administrator"),
        ]
        assert_accessible(page)
