"""What is typed in a form of reading outlives the session under it, in the tab and for the person who typed it."""

import re

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import select

from service.access import COOKIE
from service.workplace.choices import choose
from service.workplace.decided import Verdict, decisions_of
from service.workplace.decisions import decide
from service.workplace.people import Person
from service.workplace.schema import READINGS
from tests.service.workplace.conftest import Place
from tests.service.workplace.looks import assert_accessible
from tests.service.workplace.made import add, prediction, say

pytestmark = pytest.mark.browser
NOTE = "Relu avec le guide, page 12."
KINDS = ("decision", "blind", "adjudication")


def _item(place: Place, kind: str) -> str:
    choose(place.engine, "golden_share", 0, place.people["administrator"])
    choose(place.engine, "second_share", 0 if kind == "decision" else 1, place.people["administrator"])
    with place.engine.begin() as connection:
        item = add(connection, prediction("miracle_cure"))
    if kind != "decision":
        say(place.engine, item, place.people["analyst"], "miracle_cure")
    if kind == "adjudication":
        second = Verdict("second", stance="neutral", level=0)
        decide(place.engine, item, place.people["administrator"], second, None)
    return item


def _opened(page: Page, kind: str, item: str) -> None:
    """The page of the form, the text taken."""
    if kind == "blind":
        page.goto("/relecture")
        page.get_by_role("button", name="Lire le suivant").click()
        page.wait_for_url("**/relecture/*-*")
        return
    page.goto(f"/textes/{item}" if kind == "decision" else f"/arbitrage/{item}")
    page.get_by_role("button", name=re.compile("^Prendre ce texte")).click()
    page.wait_for_load_state()


def _typed(page: Page, kind: str) -> None:
    page.locator("#stance-neutral").check()
    page.locator("#target-illness").check()
    page.locator("#note").fill(NOTE)
    if kind == "adjudication":
        page.locator("#golden").check()


def _expect_typed(page: Page, kind: str) -> None:
    expect(page.locator("#note")).to_have_value(NOTE)
    expect(page.locator("#stance-neutral")).to_be_checked()
    expect(page.locator("#target-illness")).to_be_checked()
    if kind == "adjudication":
        expect(page.locator("#golden")).to_be_checked()


def _signed_in_again(place: Place, page: Page, person: Person) -> None:
    """As in another tab: the session of the cookie is a new one."""
    token, _ = place._session(person)
    page.context.add_cookies([{"name": COOKIE, "value": token, "url": place.url, "httpOnly": True, "sameSite": "Lax"}])


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_typed_is_found_again_and_dropped_once_kept(browsed: Place, kind: str) -> None:
    item = _item(browsed, kind)
    person = browsed.people["reviewer"]
    page = browsed.page(person)
    _opened(page, kind, item)
    _typed(page, kind)
    address = page.url
    _signed_in_again(browsed, page, person)
    page.get_by_role("button", name=re.compile("^Enregistrer cette lecture")).click()
    page.get_by_role("heading", name="Formulaire périmé").wait_for()
    expect(page.get_by_text("Ce que vous aviez saisi est gardé dans cet onglet")).to_be_visible()
    assert_accessible(page)
    assert all("403" in told for told in browsed.faults), browsed.faults
    browsed.faults.clear()
    page.get_by_role("link", name="rouvrez le texte").click()
    page.wait_for_load_state()
    _expect_typed(page, kind)
    page.get_by_role("button", name=re.compile("^Enregistrer cette lecture")).click()
    page.wait_for_url(re.compile(r"[?&]faite?="))
    with browsed.engine.connect() as connection:
        decided = decisions_of(connection, item)[-1]
    assert (decided.user_id, decided.note, decided.stance) == (person.id, NOTE, "neutral")
    assert page.evaluate("Object.keys(sessionStorage).filter((name) => name.startsWith('vigie'))") == []
    if kind == "decision":
        page.goto(address)
        expect(page.locator("#note")).to_have_value("")


def test_the_sign_in_page_says_it_and_nobody_else_finds_it(browsed: Place) -> None:
    item = _item(browsed, "decision")
    page = browsed.page("analyst")
    _opened(page, "decision", item)
    _typed(page, "decision")
    page.context.clear_cookies()
    page.get_by_role("button", name=re.compile("^Enregistrer cette lecture")).click()
    page.wait_for_url("**/connexion?perdue=1")
    expect(page.get_by_text("Ce que vous aviez saisi est gardé dans cet onglet")).to_be_visible()
    _signed_in_again(browsed, page, browsed.people["reviewer"])
    page.goto(f"/textes/{item}")
    expect(page.locator("#note")).to_have_value("")
    _signed_in_again(browsed, page, browsed.people["analyst"])
    page.goto(f"/textes/{item}")
    _expect_typed(page, "decision")
    page.get_by_role("button", name="Se déconnecter").click()
    page.wait_for_load_state()
    assert page.evaluate("Object.keys(sessionStorage).filter((name) => name.startsWith('vigie'))") == []


def test_a_golden_text_is_asked_for_before_the_buttons_that_send(browsed: Place) -> None:
    item = _item(browsed, "adjudication")
    page = browsed.page("reviewer")
    _opened(page, "adjudication", item)
    page.locator("#note").focus()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "golden"
    with browsed.engine.connect() as connection:
        assert connection.execute(select(READINGS.c.state)).scalars().all() == ["done"]
