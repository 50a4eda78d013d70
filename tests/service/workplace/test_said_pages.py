"""« Fait : … » on the pages of the workplace: said once, to who did it; and what is shown keeps its marks with its words."""

import re

import pytest

from tests.service.workplace.conftest import Place
from tests.service.workplace.made import add, say


def _text(place: Place) -> str:
    with place.engine.begin() as connection:
        return add(connection)


@pytest.mark.parametrize("told", ["decide", "pris", "retire", "rendu", "libere", "commente"])
def test_the_address_of_a_text_says_nothing_was_done(place: Place, told: str) -> None:
    page = place.visitor("analyst").get(f"/textes/{_text(place)}?dit={told}")
    assert page.status_code == 200
    assert "Fait :" not in page.text


@pytest.mark.parametrize("path", ["/file?tout=1&dit=dossier&n=1", "/file?dit=vue", "/relecture?faite=1", "/compte?fait=cle"])
def test_no_address_says_that_something_was_done(place: Place, path: str) -> None:
    assert "Fait :" not in place.visitor("analyst").get(path).text


def test_a_text_taken_is_said_once(place: Place) -> None:
    analyst, item = place.visitor("analyst"), _text(place)
    taken = analyst.post(f"/textes/{item}/prise").headers["location"]
    assert "Ce texte est à vous" in analyst.get(taken).text
    assert "Ce texte est à vous pour une demi-heure" not in analyst.get(taken).text


def test_a_decision_taken_back_is_no_longer_said_to_be_kept(place: Place) -> None:
    analyst, item = place.visitor("analyst"), _text(place)
    decision = say(place.engine, item, place.people["analyst"])
    address = f"/textes/{item}?fait={decision}"
    assert "Votre décision sur ce texte est enregistrée" in analyst.get(address).text
    assert "est enregistrée" not in place.visitor("reviewer").get(address).text
    assert analyst.post(f"/decisions/{decision}/retrait").status_code == 303
    assert "Votre décision sur ce texte est enregistrée" not in analyst.get(address).text


def test_going_back_does_not_say_again_what_was_done(browsed: Place) -> None:
    page, item = browsed.page("analyst"), _text(browsed)
    page.goto(f"/textes/{item}")
    page.locator(f"form[action='/textes/{item}/prise'] button").first.click()
    page.wait_for_url(re.compile("dit=pris"))
    assert page.get_by_text("Ce texte est à vous pour une demi-heure").count() == 1
    page.goto("/file?tout=1")
    page.go_back()
    assert "dit=pris" in page.url
    assert page.get_by_text("Ce texte est à vous pour une demi-heure").count() == 0


def test_exports_are_named_in_words(place: Place) -> None:
    administrator = place.visitor("administrator")
    for query in ("tout=1", "source=jsu"):
        for hidden in ("", "1"):
            assert administrator.post("/export", {"format": "csv", "file": query, "pseudonymise": hidden}).status_code == 303
    page = administrator.get("/export").text.replace("\u00a0", " ")
    for told in ("tous les textes<", "tous les textes, pseudonymisés<", "source : jsu<", "source : jsu, pseudonymisés<"):
        assert told in page
    shown = administrator.get("/export").text.replace("&nbsp;", " ")
    assert "« Exporter »" in shown
    assert "<summary>Exporter</summary>" in administrator.get("/file?tout=1").text


def test_names_of_their_own_keep_their_capitals(place: Place) -> None:
    assert "(Label Studio, corrections)" in place.visitor("analyst").get("/compte").text
