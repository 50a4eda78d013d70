"""The frame of every page: one line of menu where there is room, a folded one where there is not; help is never far."""

import pytest
from playwright.sync_api import expect

from service.pages import MENU
from tests.service.workplace.conftest import Place
from tests.service.workplace.looks import assert_accessible
from tests.service.workplace.test_observatory import fill

pytestmark = pytest.mark.browser
NAMES = [name for _, entries in MENU for _, name, _ in entries]


def test_each_person_has_the_groups_and_entries_of_their_role(place: Place) -> None:
    page = place.visitor("analyst").get("/aide").text
    assert page.count('href="/file"') == 2
    assert "/comptes" not in page
    assert 'aria-label="Administrer"' in page
    public = place.client().get("/aide").text
    assert 'class="menu' not in public


@pytest.mark.parametrize("path", ["/connexion", "/", "/pratiques", "/nulle-part"])
def test_help_for_victims_is_one_link_away_on_every_page(place: Place, path: str) -> None:
    page = place.client().get(path, headers={"accept": "text/html"}).text
    assert 'href="/aide"' in page[page.index("<footer>") :]


def test_an_address_that_does_not_exist_keeps_the_menu_of_who_is_signed_in(place: Place) -> None:
    for visitor, menu in ((place.visitor("analyst"), True), (place.client(), False)):
        answer = visitor.get("/nulle-part", headers={"accept": "text/html"})
        assert answer.status_code == 404
        assert ('class="menu' in answer.text) is menu


def test_the_menu_takes_one_line_where_there_is_room(browsed: Place) -> None:
    page = browsed.page("administrator")
    page.goto("/aide")
    menu = page.get_by_role("navigation", name="Poste de travail")
    expect(menu).to_have_count(1)
    links = menu.get_by_role("link")
    assert links.all_inner_texts() == NAMES
    tops = {round(box["y"]) for link in links.all() if (box := link.bounding_box())}
    assert len(tops) == 1
    assert menu.locator("summary:visible").count() == 0


def test_the_folded_menu_opens_with_the_keyboard_and_without_scripts(browsed: Place) -> None:
    page = browsed.page("administrator", width=390, scripts=False)
    page.goto("/aide")
    menu = page.get_by_role("navigation", name="Poste de travail")
    expect(menu.get_by_role("link")).to_have_count(0)
    summary = menu.locator("summary:visible")
    box = summary.bounding_box()
    assert box
    assert box["height"] >= 24
    summary.focus()
    page.keyboard.press("Enter")
    expect(menu.get_by_role("link")).to_have_count(len(NAMES))
    for _ in range(5):
        page.keyboard.press("Tab")
    expect(menu.get_by_role("link", name="Campagnes")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_url("**/campagnes")
    expect(page.locator("nav summary:visible")).to_have_text("Menu : Campagnes")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False), (390, True)])
def test_ten_pages_are_accessible_in_the_frame(browsed: Place, width: int, dark: bool) -> None:
    fill(browsed.engine, 1)
    page = browsed.page("administrator", width=width, dark=dark)
    for path in (
        "file",
        "a-etiqueter",
        "relecture",
        "campagnes",
        "dossiers",
        "orientation",
        "apercu",
        "imports",
        "modeles",
        "aide",
    ):
        page.goto(f"/{path}")
        if width < 640:
            page.locator("nav summary:visible").first.click()
        assert_accessible(page)
