"""The page of a text, by program and in a real browser: read, select, decide, undo, mask; no script is needed."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from markupsafe import escape
from playwright.sync_api import Page, expect
from sqlalchemy import Engine

from model.analyser import Analyser
from model.records import Prediction
from service.titles import BESIDE, NOT_ADMITTED
from service.workplace.choices import choose
from service.workplace.claims import claim
from service.workplace.decided import Decided, decisions_of
from service.workplace.items import Received, add_item, keep_prediction
from service.workplace.people import set_masks
from tests.service.workplace.conftest import Place, Read
from tests.service.workplace.looks import assert_accessible
from tests.service.workplace.volume import fill

pytestmark = pytest.mark.browser
DEMO = Path(__file__).parents[3] / "service" / "data" / "demo" / "demo.jsonl"
TEXT = (
    "Je guéris le zona 😊 en deux séances.\r\nLaissez vos cachets. Je guéris aussi les verrues, écrivez à lou@exemple.example !"
)
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}"


def records(engine: Engine, item_id: str) -> list[Decided]:
    with engine.connect() as connection:
        return decisions_of(connection, item_id)


def new_text(engine: Engine, text: str = TEXT, prediction: Prediction | None = None, **about: str) -> str:
    with engine.begin() as connection:
        id = add_item(connection, replace(Received(text), **about)).id  # type: ignore[arg-type]
        if prediction is not None:
            keep_prediction(connection, id, prediction)
    return id


@pytest.fixture
def flagged(read: list[Read]) -> Read:
    """A text in which the model found signs."""
    return next(one for one in read if one.prediction.risk and one.prediction.risk.level >= 2)


def form_of(page: str) -> dict[str, str]:
    """The hidden fields of the decision form."""
    form = page[page.index('id="decision"') :]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', form[: form.index("</form>")]))


def test_nothing_is_decided_before_a_person_says_so(place: Place, flagged: Read) -> None:
    id = new_text(place.engine, flagged.annotated.text, flagged.prediction)
    page = place.visitor("analyst").get(f"/textes/{id}").text
    form = page[page.index('id="decision"') :]
    form = form[: form.index("</form>")]
    assert 'name="passage"' in form
    assert " checked" not in form
    assert "Personne n'a encore décidé" in page
    started = place.visitor("analyst").get(f"/textes/{id}?partir=1").text
    assert started.count(" checked") > 1


def test_a_practice_beside_the_author_s_title_is_shown_to_be_checked(place: Place, flagged: Read) -> None:
    said = flagged.prediction
    author = {"status": "regulated", "start": 0, "end": 2, "text": said.author.text if said.author else "", "title": "infirmier"}
    known = Prediction.model_validate(said.model_dump(mode="json") | {"author": author | {"beside": ["reiki"]}})
    page = place.visitor("analyst").get(f"/textes/{new_text(place.engine, flagged.annotated.text, known)}").text
    assert "profession de santé réglementée, Infirmier" in page
    assert f"<dt>{escape(BESIDE)}</dt>" in page
    assert escape(NOT_ADMITTED) in page
    without = Prediction.model_validate(said.model_dump(mode="json") | {"author": author})
    page = place.visitor("analyst").get(f"/textes/{new_text(place.engine, flagged.annotated.text + ' ', without)}").text
    assert escape(BESIDE) not in page


def test_a_decision_is_made_without_scripts(place: Place) -> None:
    choose(place.engine, "second_share", 0.0, place.people["administrator"])
    id = new_text(place.engine)
    visitor = place.visitor("analyst")
    sent = form_of(visitor.get(f"/textes/{id}").text) | {"action": "correct", "stance": "promotes", "target": "illness"}
    twice = visitor.post(f"/textes/{id}/decision", sent | {"quote_miracle_cure": "Je guéris"})
    assert twice.status_code == 422
    assert "plusieurs fois" in twice.text
    absent = visitor.post(f"/textes/{id}/decision", sent | {"quote_miracle_cure": "Je soigne"})
    assert (absent.status_code, records(place.engine, id)) == (422, [])
    assert "mot pour mot" in absent.text
    assert ">\nJe soigne</textarea>" in absent.text
    quotes = {
        "quote_miracle_cure": "Je guéris le zona 😊\r\nJe guéris aussi",
        "quote_breaking_with_medicine": "Laissez vos cachets.",
    }
    kept = visitor.post(f"/textes/{id}/decision", sent | quotes)
    assert kept.status_code == 303
    (decided,) = records(place.engine, id)
    assert [TEXT[mark.start : mark.end] for mark in decided.indicators] == [
        "Je guéris le zona 😊",
        "Laissez vos cachets.",
        "Je guéris aussi",
    ]
    assert (decided.level, decided.said) == (3, None)
    again = visitor.post(f"/textes/{id}/decision", sent | quotes)
    assert (again.status_code, len(records(place.engine, id))) == (303, 1)
    undone = visitor.post(f"/decisions/{decided.id}/retrait")
    assert undone.status_code == 303
    assert "retirée" in visitor.get(undone.headers["location"]).text
    stale = visitor.post(f"/textes/{id}/decision", sent | quotes | {"request": "autre"})
    assert stale.status_code == 409


@pytest.mark.parametrize("masked", [False, True])
def test_long_texts_that_name_people_open(place: Place, analyser: Analyser, *, masked: bool) -> None:
    """Long texts of the demonstration, as the model reads them; the heading shows the beginning only, names come later."""
    set_masks(place.engine, place.people["analyst"], masks=masked)
    visitor = place.visitor("analyst")
    named = 0
    texts = [json.loads(line)["text"] for line in DEMO.read_text(encoding="utf-8").splitlines()]
    for text in [text for text in texts if len(text) > 450][::3]:
        said = analyser.predict(text)
        named += any(one.kind == "person" and one.start > 200 for one in said.entities)
        answer = visitor.get(f"/textes/{new_text(place.engine, text, said)}")
        assert answer.status_code == 200, text
        # What is personal is found in the whole text, also where the beginning alone is shown.
        assert not masked or all(one.text not in answer.text for one in said.entities if one.kind in ("email", "phone"))
    assert named > 3


def test_confirming_keeps_what_the_model_said(place: Place, flagged: Read) -> None:
    id = new_text(place.engine, flagged.annotated.text, flagged.prediction)
    visitor = place.visitor("analyst")
    sent = form_of(visitor.get(f"/textes/{id}").text)
    assert visitor.post(f"/textes/{id}/decision", sent | {"action": "confirm"}).status_code == 303
    (decided,) = records(place.engine, id)
    assert flagged.prediction.risk
    assert (decided.verdict, decided.level) == ("confirmed", flagged.prediction.risk.level)
    assert {mark.label for mark in decided.indicators} == set(flagged.prediction.present())
    assert decided.said
    assert decided.said["model_version"] == flagged.prediction.model_version == decided.model_version


@pytest.mark.parametrize("path", ["textes/rien", "textes/rien/decision", "decisions/rien/retrait"])
def test_what_is_not_there_says_so(place: Place, path: str) -> None:
    visitor = place.visitor("analyst")
    answer = visitor.get(f"/{path}") if path == "textes/rien" else visitor.post(f"/{path}", {"action": "unsure"})
    assert answer.status_code in (404, 409)
    assert place.client().get(f"/{path}").status_code in (303, 405)


def test_forms_without_their_token_are_refused(place: Place) -> None:
    id = new_text(place.engine)
    visitor = place.visitor("analyst")
    for path in (f"/textes/{id}/decision", f"/textes/{id}/prise", f"/textes/{id}/commentaires", "/file/suivant", "/file/lot"):
        assert visitor.client.post(path, data={"action": "unsure"}).status_code == 403
    assert records(place.engine, id) == []


def test_the_level_is_told_live(place: Place) -> None:
    visitor = place.visitor("analyst")
    told = visitor.get("/textes/niveau?stance=promotes&signe=miracle_cure&vise=serious_illness&vise=illness&signe=rien").json()
    assert told["level"] == 3
    assert visitor.get("/textes/niveau?stance=warns&signe=isolation").json()["level"] == 0
    assert visitor.get("/textes/niveau").json()["level"] is None


def test_what_is_received_is_never_run(browsed: Place) -> None:
    id = new_text(
        browsed.engine, EVIL + " texte", source=EVIL[:190], author=EVIL, theme="<b>x", url="javascript:alert(3)", external_id=EVIL
    )
    page = browsed.page("analyst")
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.goto(f"/textes/{id}")
    page.fill("#comment", EVIL)
    page.get_by_role("button", name="Commenter").click()
    page.get_by_role("button", name="Prendre ce texte").click()
    page.wait_for_selector("#tenu")
    page.check("#stance-neutral")
    page.fill("#note", EVIL)
    page.get_by_role("button", name="Enregistrer cette lecture").click()
    page.wait_for_url(re.compile("fait="))
    for address in (
        f"/textes/{id}",
        "/file?tout=1",
        f"/file?tout=1&q={EVIL}",
        f"/file?tout=1&source={EVIL}",
        f"/textes/{id}?file={EVIL}",
    ):
        page.goto(address)
        assert page.locator("script:not([src]), img, b").count() == 0
        assert page.locator('a[href^="javascript"]').count() == 0
    page.goto(f"/textes/{id}")
    assert EVIL in page.locator("#texte").inner_text()


def open_at(page: Page, id: str) -> None:
    """The page of a text, which is taken by its key."""
    page.goto(f"/textes/{id}")
    expect(page.locator("[data-help]")).to_be_visible()
    page.keyboard.press("c")
    page.wait_for_selector("#tenu")
    expect(page.locator("[data-help]")).to_be_visible()


def test_a_passage_is_chosen_by_keyboard_alone(browsed: Place) -> None:
    choose(browsed.engine, "second_share", 0.0, browsed.people["administrator"])
    id = new_text(browsed.engine)
    page = browsed.page("analyst")
    open_at(page, id)
    page.keyboard.press("p")
    expect(page.locator("#niveau")).to_contain_text("Niveau 0")
    page.keyboard.press("/")
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("#selection")).to_contain_text("Laissez vos cachets")
    page.keyboard.press("2")
    expect(page.locator("#niveau")).to_contain_text("Niveau 3")
    page.keyboard.press("e")
    page.wait_for_url(re.compile("fait="))
    (decided,) = records(browsed.engine, id)
    (mark,) = decided.indicators
    assert (mark.label, TEXT[mark.start : mark.end]) == ("breaking_with_medicine", "Laissez vos cachets")
    page.keyboard.press("u")
    page.wait_for_url(re.compile("dit=retire"))
    assert [one.kind for one in records(browsed.engine, id)] == ["first", "withdrawal"]


def test_a_passage_is_chosen_by_mouse_over_marks_and_masks(browsed: Place, flagged: Read) -> None:
    text, prediction = flagged.annotated.text, flagged.prediction
    id = new_text(browsed.engine, text, prediction)
    page = browsed.page("analyst")
    open_at(page, id)
    assert page.evaluate("chars.join('')") == text
    evidence = next(one for one in prediction.indicators if one.present).evidence[0]
    page.evaluate(
        """([a, b]) => {
            getSelection().setBaseAndExtent(...placeOf(a), ...placeOf(b));
            document.dispatchEvent(new MouseEvent('mouseup'));
        }""",
        [evidence.start, evidence.end],
    )
    expect(page.locator("#selection")).to_contain_text("Sélection")
    page.keyboard.press("0")
    box = page.locator('[data-sign="unrecognised_training"] [name=passage]').last
    expect(box).to_be_checked()
    label, start, end = str(box.get_attribute("value")).split(":")
    assert label == "unrecognised_training"
    assert text[int(start) : int(end)] == text[evidence.start : evidence.end].strip()


def test_single_keys_can_be_switched_off(browsed: Place) -> None:
    id = new_text(browsed.engine)
    page = browsed.page("analyst")
    open_at(page, id)
    page.keyboard.press("?")
    page.get_by_label("Touches simples actives").uncheck()
    page.get_by_role("button", name="Fermer").click()
    page.keyboard.press("x")
    page.keyboard.press("2")
    page.reload()
    page.keyboard.press("x")
    expect(page.locator("button[data-key=x]")).to_be_visible()
    expect(page.locator("kbd:visible")).to_have_count(0)
    assert records(browsed.engine, id) == []


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_hold_to_the_rules(browsed: Place, flagged: Read, analyser: object, *, width: int, dark: bool) -> None:
    from model.analyser import Analyser

    assert isinstance(analyser, Analyser)
    fill(browsed.engine, 60)
    id = new_text(browsed.engine, flagged.annotated.text, flagged.prediction, author="@a", url="https://a.example/x")
    page = browsed.page("reviewer", width=width, dark=dark)
    with browsed.engine.begin() as connection:
        claim(connection, id, browsed.people["reviewer"])
    page.goto(f"/textes/{id}?partir=1")
    page.get_by_role("button", name="Enregistrer cette lecture").click()
    page.wait_for_url(re.compile("fait="))
    for address in ("/file?tout=1&q=je&niveau=2&niveau=3", "/file?q=rien-de-tel", f"/textes/{id}", f"/textes/{id}/filtres"):
        page.goto(address)
        for details in page.locator("main details").all():
            details.evaluate("one => { one.open = true }")
        assert_accessible(page)
    page.goto("/file")
    page.keyboard.press("?")
    assert_accessible(page)


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"passage": "zz:0:5"}, "champ « passage »"),
        ({"passage": "miracle_cure:0:"}, "champ « passage »"),
        ({"target": "zz"}, "champ « target »"),
        ({"last": "99999999999999999999999"}, "champ « last »"),
        ({"last": ""}, "champ « last »"),
    ],
)
def test_what_a_form_says_that_cannot_be_read_is_refused_by_its_name(place: Place, sent: dict[str, str], said: str) -> None:
    id = new_text(place.engine)
    visitor = place.visitor("analyst")
    whole = form_of(visitor.get(f"/textes/{id}").text) | {"action": "correct", "stance": "promotes"} | sent
    answer = visitor.post(f"/textes/{id}/decision", whole)
    assert (answer.status_code, records(place.engine, id)) == (422, [])
    assert said in answer.text
    kept = visitor.post(f"/textes/{id}/decision", form_of(answer.text) | {"action": "correct", "stance": "promotes"})
    assert (kept.status_code, len(records(place.engine, id))) == (303, 1)
