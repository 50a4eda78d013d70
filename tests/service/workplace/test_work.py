"""A day's work in real browsers: open by the row, read, decide by keyboard, meet somebody else, mask."""

import re
from html import unescape

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine, select

from service.workplace.choices import choose
from service.workplace.claims import claim, claim_of, free, release
from service.workplace.comments import comments_of
from service.workplace.decided import Decided, decisions_of
from service.workplace.draws import next_reading
from service.workplace.items import Received, add_item, keep_prediction
from service.workplace.schema import ITEMS
from tests.service.workplace.conftest import Place, Visitor
from tests.service.workplace.looks import assert_accessible
from tests.service.workplace.made import add, prediction, say
from tests.service.workplace.volume import fill

pytestmark = pytest.mark.browser
TEXT = "Le soin de lumière guérit tout.\r\nLaissez vos cachets et venez, séance à 80 €. Numéro "
PASSAGE = "Laissez vos cachets"


@pytest.fixture(params=["sqlite", "postgresql"])
def working(request: pytest.FixtureRequest, browser: Browser) -> Place:
    """A workplace on each kind of database in turn, with a browser; nothing is read twice unless a test says so."""
    place: Place = request.getfixturevalue("place" if request.param == "sqlite" else "postgres_place")
    place.browser = browser
    choose(place.engine, "second_share", 0.0, place.people["administrator"])
    return place


def records(engine: Engine, item_id: str) -> list[Decided]:
    with engine.connect() as connection:
        return decisions_of(connection, item_id)


def texts(place: Place, count: int) -> list[str]:
    """Texts in which a model found a promise of healing, the first in the queue first."""
    with place.engine.begin() as connection:
        return [
            add(connection, prediction("miracle_cure", risk=0.99 - number / 1000), f"{TEXT}{number}.") for number in range(count)
        ]


def ready(page: Page) -> None:
    expect(page.locator("[data-help]")).to_be_visible()


def open_row(page: Page, row: int = 1) -> None:
    """Open a row of the queue as people do: go there by `j`, then Enter."""
    page.goto("/file")
    ready(page)
    for _ in range(row):
        page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/textes/"))
    ready(page)


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_two_people_who_open_one_row_are_told_before_they_type(working: Place) -> None:
    (id,) = texts(working, 1)
    first, second = working.page("analyst"), working.page("reviewer")
    for page in (first, second):
        page.goto("/file")
        ready(page)
    for page in (first, second):
        press(page, "j", "Enter")
        page.wait_for_url(re.compile("/textes/"))
        ready(page)
    expect(first.locator("#tenu")).to_contain_text("Ce texte est à vous")
    expect(second.get_by_role("alert")).to_contain_text("Analyst travaille sur ce texte jusqu'au")
    expect(second.get_by_role("button", name="Je ne sais pas")).to_be_disabled()
    press(second, "x", "p")
    expect(second.locator("#stance-promotes")).not_to_be_checked()
    press(first, "p", "e")
    first.wait_for_url(re.compile("fait="))
    assert [one.user_id for one in records(working.engine, id)] == [working.people["analyst"].id]


def test_what_was_typed_is_kept_when_the_text_was_taken_meanwhile(working: Place) -> None:
    (id,) = texts(working, 1)
    page = working.page("reviewer")
    open_row(page)
    with working.engine.begin() as connection:
        free(connection, id)
        claim(connection, id, working.people["analyst"])
    page.check("#stance-promotes")
    page.get_by_label("« Le soin »").check()
    page.fill("#note", "vingt minutes de travail")
    page.keyboard.press("Escape")
    working.faults.clear()
    page.keyboard.press("e")
    expect(page.get_by_role("heading", level=1)).to_have_text("Texte pris par quelqu'un d'autre")
    told = page.locator("main").inner_text()
    for kept in ("Analyst travaille", "vingt minutes de travail", "«\u00a0Le soin\u00a0»", "promeut"):
        assert kept in told
    assert_accessible(page)
    assert records(working.engine, id) == []
    with working.engine.begin() as connection:
        release(connection, id, working.people["analyst"])
    working.faults.clear()
    page.get_by_role("button", name="Enregistrer de nouveau").click()
    page.wait_for_url(re.compile("fait=|dit="))
    (decided,) = records(working.engine, id)
    assert (decided.note, [mark.label for mark in decided.indicators]) == ("vingt minutes de travail", ["miracle_cure"])


def test_a_text_drawn_for_blind_reading_meanwhile_loses_nothing(working: Place) -> None:
    (id,) = texts(working, 1)
    reviewer = working.people["reviewer"]
    page = working.page("reviewer")
    open_row(page)
    choose(working.engine, "second_share", 1.0, working.people["administrator"])
    choose(working.engine, "golden_share", 0.0, working.people["administrator"])
    with working.engine.begin() as connection:
        free(connection, id)
    say(working.engine, id, working.people["analyst"], "pseudo_science")
    page.check("#stance-promotes")
    page.fill("#note", "vingt minutes de travail")
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    expect(page.get_by_role("heading", level=1)).to_have_text("Ce texte attend une lecture à l'aveugle")
    told = page.locator("main").inner_text()
    assert "vingt minutes de travail" in told
    assert "caution pseudo" not in told, "rien de la première lecture"
    assert_accessible(page)
    working.faults.clear()
    page.get_by_role("button", name="Garder en commentaire").click()
    page.wait_for_url(re.compile("/file"))
    expect(page.get_by_role("status").first).to_contain_text("gardée en commentaire")
    with working.engine.connect() as connection:
        (comment,) = comments_of(connection, id)
    assert "vingt minutes de travail" in comment.text
    assert next_reading(working.engine, reviewer) is None, "qui a vu la proposition ne relit pas à l'aveugle"
    taken = working.visitor("reviewer").post(f"/textes/{id}/prise")
    assert taken.status_code == 409
    assert working.visitor("reviewer").post("/file/lot", {"action": "prendre", "item": id}).headers["location"].endswith("n=0")
    with working.engine.connect() as connection:
        assert claim_of(connection, id) is None


def test_a_text_decided_meanwhile_shows_the_form_as_it_was_typed(working: Place) -> None:
    (id,) = texts(working, 1)
    page = working.page("reviewer")
    open_row(page)
    with working.engine.begin() as connection:
        free(connection, id)
    say(working.engine, id, working.people["analyst"], "pseudo_science")
    page.check("#stance-neutral")
    page.fill("#note", "ma note")
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    expect(page.locator("#faute")).to_contain_text("depuis que vous avez ouvert ce texte")
    working.faults.clear()
    expect(page.locator("#note")).to_have_value("ma note")
    expect(page.locator("#stance-neutral")).to_be_checked()
    expect(page.locator(".history")).to_contain_text("Analyst")
    assert len(records(working.engine, id)) == 1


def _corrected(page: Page) -> None:
    """Take the proposal away, show another sign on another passage, say why, note it, and keep it."""
    press(page, "p", "1", "Space")  # the promise's passage is ticked…
    expect(page.locator("[data-sign=miracle_cure] [data-count]")).to_have_text("(1 passage)")
    press(page, "Space")  # … and not any more
    expect(page.locator("[data-sign=miracle_cure] [data-count]")).to_have_text("")
    press(page, "/", *["ArrowRight"] * 7, "Shift+ArrowRight", "Shift+ArrowRight")
    expect(page.locator("#selection")).to_contain_text(PASSAGE)
    press(page, "2", "d")
    expect(page.locator("[data-sign=physical_danger] [data-count]")).to_have_text("(1 passage)")
    press(page, "d")
    expect(page.locator("[data-sign=physical_danger] [data-count]")).to_have_text("")
    expect(page.locator("#niveau")).to_contain_text("Niveau 3")
    press(page, "r", "a", "Escape", "o")
    page.keyboard.type("vu au clavier")
    press(page, "Escape", "e")


def test_ten_texts_are_triaged_by_keyboard_alone(working: Place) -> None:
    ids = texts(working, 11)
    page = working.page("analyst")
    open_row(page, 1)
    for number in range(10):
        here = page.url
        assert f"/textes/{ids[number]}" in here
        if number == 2:
            press(page, "v")
            page.wait_for_url(re.compile(f"/textes/{ids[3]}"))
            ready(page)
            press(page, "u")
            page.wait_for_url(re.compile("dit=retire"))
            ready(page)
        match number % 5:
            case 0:
                press(page, "v")
            case 1:
                _corrected(page)
            case 2:
                press(page, "x")
            case 3:
                press(page, "w", "e")
            case 4:
                press(page, "t", "e")
        page.wait_for_url(re.compile(f"/textes/{ids[number + 1]}"))
        ready(page)
    kept = {id: [one for one in records(working.engine, id) if one.kind == "first"] for id in ids}
    assert [kept[id][-1].verdict for id in ids[:5]] == ["confirmed", "corrected", "unsure", "corrected", "corrected"]
    assert [kept[id][-1].level for id in ids[:5]] == [2, 3, None, 0, 0]
    for id in (ids[1], ids[6]):
        (mark,) = kept[id][-1].indicators
        assert (mark.label, TEXT[mark.start : mark.end]) == ("breaking_with_medicine", PASSAGE)
        assert kept[id][-1].note == "vu au clavier"
        assert kept[id][-1].reason is not None
    assert [one.kind for one in records(working.engine, ids[2])] == ["first", "withdrawal", "first"]
    assert kept[ids[10]] == []


def test_the_keys_are_right_on_azerty_and_qwerty(browsed: Place) -> None:
    (id,) = texts(browsed, 1)
    page = browsed.page("analyst")
    open_row(page)
    device = page.context.new_cdp_session(page)

    def strike(code: str, key: str) -> None:
        device.send("Input.dispatchKeyEvent", {"type": "keyDown", "code": code, "key": key, "text": key[:1]})
        device.send("Input.dispatchKeyEvent", {"type": "keyUp", "code": code, "key": key})

    assert page.locator(".sign > summary kbd").all_inner_texts() == [*"1234567890fd"]
    page.locator("#texte").focus()
    page.keyboard.press("ArrowRight")
    # AZERTY prints « - » and « ) » on the keys of 6 and of QWERTY's « - »; QWERTY prints digits.
    for code, key, label in (("Digit6", "-", "6"), ("Digit7", "7", "7"), ("KeyF", "f", "f")):
        strike(code, key)
        expect(page.locator(f'[data-sign-key="{label}"] [data-count]')).to_have_text("(1 passage)")
    strike("Minus", ")")
    strike("Equal", "=")
    assert page.locator("[name=passage]:checked").count() == 3
    page.keyboard.press("?")
    for row in page.locator("#touches tr[data-for]").all():
        if row.is_visible():
            assert (row.get_attribute("data-for") or "") in "ncvpreoxm/"
    expect(page.locator("#touches tr[data-for=j]").first).to_be_hidden()
    assert id in page.url


def test_at_least_ten_rows_are_seen_at_once(browsed: Place) -> None:
    fill(browsed.engine, 60)
    page = browsed.page("analyst")
    page.goto("/file?tout=1")
    ready(page)
    heights = "[...document.querySelectorAll('[data-row]')].map(row => row.getBoundingClientRect())"
    seen = page.evaluate(f"{heights}.filter(box => box.bottom <= innerHeight).length")
    assert seen >= 10
    header = page.locator("tbody th[scope=row]").nth(2)
    assert re.fullmatch(r"Texte 3, (niveau \d|sans niveau)", (header.text_content() or "").strip())
    narrow = browsed.page("analyst", width=390)
    narrow.goto("/file?tout=1")
    assert narrow.evaluate(f"Math.max(...{heights}.map(box => box.height))") < 190
    assert narrow.evaluate(f"{heights}[0].top") < 800
    for one in (page, narrow):
        assert_accessible(one)


def test_text_and_form_are_in_sight_together(browsed: Place) -> None:
    with browsed.engine.begin() as connection:
        id = add_item(connection, Received("\n".join(f"{TEXT}{number}." for number in range(40)))).id
        keep_prediction(connection, id, prediction("miracle_cure"))
    page = browsed.page("analyst")
    open_row(page)
    expect(page.locator("[data-take]:visible")).to_have_count(0)  # nothing is selected yet
    shown = "(selector) => { const box = document.querySelector(selector).getBoundingClientRect(); return [box.top, box.bottom] }"
    for scrolled in (0, 500):
        page.evaluate(f"scrollTo(0, {scrolled})")
        top, bottom = page.evaluate(shown, ".send")
        assert 0 <= top < bottom <= 901
        top, bottom = page.evaluate(shown, "#texte")
        assert top < 450
        assert bottom <= 901 or scrolled == 0
    page.evaluate("scrollTo(0, 0)")
    page.reload()
    page.keyboard.press("Tab")
    skips = page.locator(".skip")
    assert skips.count() == 2
    skips.nth(1).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#titre-decision")).to_be_focused()
    narrow = browsed.page("analyst", width=390)
    narrow.goto(page.url)
    assert narrow.evaluate(shown, "#titre-decision")[0] - narrow.evaluate(shown, "#texte")[1] < 120
    assert id in page.url


def test_each_text_has_its_title_and_is_told(browsed: Place) -> None:
    ids = texts(browsed, 3)
    page = browsed.page("analyst")
    titles = set()
    open_row(page)
    for number in range(2):
        titles.add(page.title())
        expect(page.locator("h1")).to_be_focused()
        press(page, "x")
        page.wait_for_url(re.compile(f"/textes/{ids[number + 1]}"))
        ready(page)
    assert len(titles) == 2


def test_masking_holds_on_every_page_until_it_is_taken_back(browsed: Place) -> None:
    secret = "lou@exemple.example"
    choose(browsed.engine, "second_share", 0.0, browsed.people["administrator"])
    with browsed.engine.begin() as connection:
        for number in range(3):
            id = add_item(connection, Received(f"{secret}, séance à distance {number}.", author="@lou_ange")).id
            keep_prediction(connection, id, prediction())
    page = browsed.page("analyst")
    page.goto("/file")
    ready(page)
    assert page.locator("main").inner_text().count(secret) == 3
    press(page, "m")
    expect(page.locator("#masque")).to_have_attribute("data-masked", "1")
    assert secret not in page.content()
    ready(page)
    press(page, "j", "Enter")
    page.wait_for_url(re.compile("/textes/"))
    ready(page)
    page.check("#stance-neutral")
    page.fill("#note", f"écrire à {secret}")
    assert page.evaluate("chars.length") == len(f"{secret}, séance à distance 0.")
    page.keyboard.press("Escape")
    press(page, "m")
    expect(page.locator("#masque")).to_have_attribute("data-masked", "0")
    assert secret in page.locator("#texte").inner_text()
    expect(page.locator("#note")).to_have_value(f"écrire à {secret}")
    expect(page.locator("#stance-neutral")).to_be_checked()
    ready(page)
    press(page, "m")
    expect(page.locator("#masque")).to_have_attribute("data-masked", "1")
    ready(page)
    here = page.url.split("?")[0]
    press(page, "e")
    page.wait_for_url(re.compile("fait="))
    assert secret not in page.content(), "le texte suivant aussi"
    page.goto(here)
    assert "écrire à" in page.content()
    assert secret not in page.content()
    assert "lou_ange" not in page.content()
    other = browsed.page("analyst")
    other.goto(here)
    assert secret not in other.content(), "le réglage est celui de la personne, pas de l'appareil"
    visitor = browsed.visitor("analyst")
    wrong = visitor.post(f"{here.replace(browsed.url, '')}/decision", {"action": "correct", "stance": "", "note": secret})
    assert wrong.status_code == 422
    assert secret not in wrong.text.split("<textarea")[0]
    assert secret in browsed.visitor("reviewer").get(here.replace(browsed.url, "")).text


def test_states_of_the_queue_are_asked_for_by_their_counts(browsed: Place) -> None:
    fill(browsed.engine, 200)
    page = browsed.page("administrator")
    page.goto("/file?tout=1&niveau=2&niveau=3")
    page.get_by_role("link", name=re.compile("^niveau 2")).click()
    assert "niveau=2" in page.url
    assert "niveau=3" not in page.url
    page.get_by_role("link", name=re.compile("^décidé")).click()
    assert "etat=done" in page.url
    with browsed.engine.connect() as connection:
        count = len(connection.execute(select(ITEMS.c.id).where(ITEMS.c.level == 2, ITEMS.c.state == "done")).all())
    expect(page.locator(".counts p")).to_have_text(f"{count} texte{'s' if count > 1 else ''}")
    href = page.locator(".export a").first.get_attribute("href") or ""
    assert href.startswith("/v1/export?format=csv&")
    assert "etat=done" in href
    assert browsed.visitor("analyst").get("/file").text.count("/v1/export") == 0


def test_lots_say_what_was_done_and_touch_nothing_else(working: Place) -> None:
    ids = texts(working, 3)
    analyst, administrator = working.visitor("analyst"), working.visitor("administrator")

    def told(visitor: Visitor, **sent: object) -> str:
        answer = visitor.post("/file/lot", {"file": "tout=1", **sent})
        assert answer.status_code == 303
        page = visitor.get(answer.headers["location"]).text
        return unescape(re.sub(r"<[^>]+>", "", page[page.index('<p class="notice') :].split("</p>")[0])).strip()

    assert told(analyst, action="prendre", item=["zzz", ids[0]]) == "Fait : un texte est à vous pour une demi-heure."
    assert told(analyst, action="prendre", item=ids) == "Fait : 3 textes sont à vous pour une demi-heure."
    assert told(analyst, action="prendre", item="zzz").startswith("À corriger : Aucun texte n'a pu être pris")
    assert told(analyst, action="attribuer", item="zzz", user=working.people["analyst"].id).startswith("À corriger : Aucun texte")
    assert told(administrator, action="rendre", item=ids) == "Aucun texte n'a été rendu : on ne rend que ceux que l'on a pris."
    # Passing over a text that somebody else reads leaves it with them, even for an administrator.
    administrator.post("/file/suivant", {"file": "tout=1", "past": ids[0]})
    with working.engine.connect() as connection:
        held = claim_of(connection, ids[0])
    assert held is not None
    assert held.name == "Analyst"
    assert told(analyst, action="rendre", item=ids[1]) == "Fait : un texte a été rendu."
    assert told(analyst, action="rendre-tout") == "Fait : 2 textes ont été rendus."
    assert administrator.post("/file/lot", {"action": "inconnue"}).status_code == 400


def test_an_administrator_frees_a_text_and_the_person_is_told(working: Place) -> None:
    (id,) = texts(working, 1)
    page = working.page("analyst")
    open_row(page)
    assert working.visitor("reviewer").post(f"/textes/{id}/liberation-forcee").status_code == 403
    chief = working.page("administrator")
    chief.goto(f"/textes/{id}")
    chief.get_by_role("button", name="Libérer ce texte, pris par Analyst").click()
    expect(chief.get_by_role("status").first).to_contain_text("Ce texte est libre")
    renewed = working.visitor("analyst").post(f"/textes/{id}/maintien")
    assert renewed.status_code == 409
    assert "n'est plus à vous" in renewed.json()["text"]
    page.reload()
    expect(page.locator("main")).to_contain_text("Texte libéré par l'administration ; il était pris par Analyst.")
    expect(page.get_by_role("button", name="Prendre ce texte")).to_be_visible()


def test_administrators_make_a_text_golden_from_its_page(browsed: Place) -> None:
    choose(browsed.engine, "second_share", 0.0, browsed.people["administrator"])
    (id,) = texts(browsed, 1)
    say(browsed.engine, id, browsed.people["analyst"], "miracle_cure")
    assert "étalon" not in browsed.visitor("analyst").get(f"/textes/{id}").text
    page = browsed.page("administrator")
    page.goto(f"/textes/{id}")
    page.get_by_role("button", name="En faire un texte étalon").click()
    page.goto(f"/textes/{id}")
    page.get_by_role("button", name="Retirer des étalons").click()
    page.goto(f"/textes/{id}")
    expect(page.get_by_role("button", name="En faire un texte étalon")).to_be_visible()


def test_a_search_without_words_says_so(browsed: Place) -> None:
    texts(browsed, 2)
    page = browsed.visitor("analyst").get("/file?tout=1&q=%21%20%22%22").text
    assert "aucun mot à chercher" in page
    assert page.count("data-row") == 2
    assert "aucun mot à chercher" not in browsed.visitor("analyst").get("/file?tout=1&q=-soin").text
