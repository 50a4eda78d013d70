"""Narrow windows: nothing scrolls sideways, nothing hides what has the focus; a person in danger is said at the top."""

import pytest
from sqlalchemy import Engine

from model.records import Prediction
from service.cases.pages import put_in_case
from service.workplace.items import Received, add_item, keep_prediction
from service.workplace.people import Person
from tests.service.workplace.conftest import Place
from tests.service.workplace.looks import assert_accessible
from tests.service.workplace.made import prediction

pytestmark = pytest.mark.browser
WORDS = "Séance à 80 €, écrivez à lou.delamaison.bienetre@lasantenaturelle-exemple.example ou venez. Je n'en peux plus."
LONG = "Anticancer-naturel : stages, cures, régimes et méthodes de la vallée, suite"
SIDEWAYS = "document.documentElement.scrollWidth - window.innerWidth"
#: How much of what has the focus can be seen: at its middle, nothing of another part of the page lies over it.
COVERED = """() => {
  const one = document.activeElement, box = one.getBoundingClientRect();
  if (!box.width || !box.height) return false;
  const left = box.left + Math.min(box.width, innerWidth) / 2;
  const tops = [box.top + 1, (box.top + box.bottom) / 2, box.bottom - 1].filter((top) => top >= 0 && top < innerHeight);
  const at = (top) => document.elementFromPoint(left, top);
  const seen = (top) => at(top) && (one.contains(at(top)) || at(top).contains(one));
  return !tops.some(seen);
}"""


def _at_risk() -> Prediction:
    start = WORDS.index("Je n'en")
    cue = {"kind": "person_at_risk", "start": start, "end": len(WORDS), "text": WORDS[start:]}
    found = prediction("miracle_cure", promotes=0.2).model_dump(mode="json")
    return Prediction.model_validate(found | {"context": [cue]})


def _filled(engine: Engine, person: Person) -> str:
    with engine.begin() as connection:
        item = add_item(connection, Received(WORDS, source="annuaire-des-therapeutes-de-la-region.example")).id
        keep_prediction(connection, item, _at_risk())
        put_in_case(connection, person, "nouveau", [item], "Prix et adresse", LONG)
    return item


@pytest.mark.parametrize("width", [320, 390])
def test_nothing_scrolls_sideways_nor_hides_what_has_the_focus(browsed: Place, width: int) -> None:
    item = _filled(browsed.engine, browsed.people["analyst"])
    page = browsed.page("analyst", width=width)
    page.goto("/file")
    for drawer in page.locator("details").all():
        drawer.evaluate("one => { one.open = true; }")
    assert page.evaluate(SIDEWAYS) <= 0, "la file"
    page.goto(f"/textes/{item}")
    page.get_by_role("button", name="Prendre ce texte").click()
    page.wait_for_load_state()
    page.set_viewport_size({"width": width, "height": 640})
    for drawer in page.locator("main details").all():
        drawer.evaluate("one => { one.open = true; }")
    assert page.evaluate(SIDEWAYS) <= 0, "la page du texte"
    page.locator("#texte").focus()
    hidden = []
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(COVERED):
            hidden.append(page.evaluate("document.activeElement.outerHTML.slice(0, 120)"))
    assert hidden == []


@pytest.mark.parametrize("width", [390, 1280])
def test_that_somebody_may_be_in_danger_is_on_the_first_screen_and_leads_to_advice(browsed: Place, width: int) -> None:
    item = _filled(browsed.engine, browsed.people["analyst"])
    page = browsed.page("analyst", width=width)
    page.goto(f"/textes/{item}")
    told = page.get_by_role("alert").filter(has_text="peut-être en danger")
    box = told.bounding_box()
    assert box
    assert box["y"] + box["height"] < 900 * 0.75
    assert "3114" in told.inner_text()
    assert_accessible(page)
    told.get_by_role("link").click()
    heading = page.locator("#ou-aller")
    heading.wait_for()
    assert "une aide d'abord" in page.locator("main").inner_text()
    reached = heading.bounding_box()
    assert reached
    assert 0 <= reached["y"] < 900
