"""Blind reading, adjudication, drawing and the overview as people meet them: real server, real browser."""

import pytest
from sqlalchemy import select

from service.workplace.choices import choose
from service.workplace.schema import DECISIONS, ITEMS
from tests.service.workplace.conftest import Place
from tests.service.workplace.looks import assert_accessible
from tests.service.workplace.made import TEXT, add, prediction, say

_SIGN = "quote_miracle_cure"


def _open_reading(place: Place) -> str:
    """A text decided by the analyst whose second reading waits."""
    choose(place.engine, "second_share", 1, place.people["administrator"])
    choose(place.engine, "golden_share", 0, place.people["administrator"])
    with place.engine.begin() as connection:
        item = add(connection, prediction("miracle_cure"), text=f"{TEXT}. <b>Une seule fois</b>")
    say(place.engine, item, place.people["analyst"], "pseudo_science")
    return item


def _state(place: Place, item: str) -> str:
    with place.engine.connect() as connection:
        return str(connection.execute(select(ITEMS.c.state).where(ITEMS.c.id == item)).scalar_one())


def test_a_text_with_carriage_returns_keeps_its_places(each_place: Place) -> None:
    choose(each_place.engine, "second_share", 1, each_place.people["administrator"])
    choose(each_place.engine, "golden_share", 0, each_place.people["administrator"])
    with each_place.engine.begin() as connection:
        item = add(connection, text=f"{TEXT}.\r\nSéance à distance.\r\n")
    say(each_place.engine, item, each_place.people["analyst"], "pseudo_science")
    reviewer = each_place.visitor("reviewer")
    page = reviewer.get(reviewer.post("/relecture/suivante").headers["location"]).text
    # A browser takes a bare carriage return away: only one written by its number stays, and the places of what follows with it.
    assert page.count("&#13;") == 2
    say(each_place.engine, item, each_place.people["reviewer"], "miracle_cure", kind="second")
    assert each_place.visitor("administrator").get(f"/arbitrage/{item}").text.count("&#13;") == 2


def test_second_reader_sees_nothing_of_what_was_said(each_place: Place) -> None:
    item = _open_reading(each_place)
    reviewer = each_place.visitor("reviewer")
    closed = reviewer.get(f"/textes/{item}")
    assert (closed.status_code, closed.headers["location"]) == (303, "/relecture")
    opened = reviewer.post("/relecture/suivante")
    path = opened.headers["location"]
    page = reviewer.get(path).text
    assert "&lt;b&gt;Une seule fois&lt;/b&gt;" in page
    for told in ("Confirmer la proposition", "checked", 'name="passage"', "<mark", "Analyst", "Niveau 2", "Niveau 1"):
        assert told not in page, told
    assert each_place.visitor("administrator").get(path).status_code == 404, "une lecture n'est qu'à une personne"
    form = {"action": "correct", "stance": "promotes", _SIGN: TEXT[:10], "request": "r1", "last": "1"}
    form["last"] = page.split('name="last" value="')[1].split('"')[0]
    wrong = reviewer.post(path, form | {_SIGN: "absent du texte"})
    assert wrong.status_code == 422
    assert "mot pour mot" in wrong.text
    kept = reviewer.post(path, form)
    assert (kept.status_code, kept.headers["location"]) == (303, "/relecture?faite=1")
    assert reviewer.post(path, form).status_code == 303, "le même envoi, deux fois, est gardé une fois"
    assert _state(each_place, item) == "disputed"
    with each_place.engine.connect() as connection:
        second = connection.execute(select(DECISIONS).where(DECISIONS.c.kind == "second")).mappings().one()
    assert (second["said"], second["drawn_by"], second["drawn_share"], second["level"]) == (None, "second_share", 1.0, 2)


def test_adjudicator_sees_both_and_decides(each_place: Place) -> None:
    item = _open_reading(each_place)
    say(each_place.engine, item, each_place.people["reviewer"], "miracle_cure", kind="second")
    assert each_place.visitor("reviewer").get(f"/arbitrage/{item}").status_code == 403
    assert each_place.visitor("analyst").get("/arbitrage").status_code == 403
    judge = each_place.visitor("administrator")
    assert f"/arbitrage/{item}" in judge.get("/arbitrage").text
    page = judge.get(f"/arbitrage/{item}").text
    assert page.count("≠ différent") == 3
    form = {"action": "correct", "stance": "promotes", "passage": "miracle_cure:0:7", "request": "r2", "golden": "1"}
    kept = judge.post(f"/arbitrage/{item}", form)
    assert (kept.status_code, kept.headers["location"]) == (303, "/arbitrage?fait=1")
    assert _state(each_place, item) == "done"
    assert TEXT[:20] in judge.get("/relecture/etalons").text
    assert judge.post(f"/relecture/etalons/{item}/retirer").status_code == 303


def test_draw_opens_a_text_and_shares_are_checked(place: Place) -> None:
    administrator = place.visitor("administrator")
    assert administrator.post("/a-etiqueter/suivant").headers["location"] == "/a-etiqueter?vide=1"
    with place.engine.begin() as connection:
        add(connection, prediction())
    shares = {"uncertainty": "0", "disagreement": "0", "diversity": "0", "suspect": "0", "random": "100"}
    refused = administrator.post("/a-etiqueter/parts", shares | {"random": "90,5"})
    assert refused.status_code == 422
    assert "100" in refused.text
    assert 'value="90,5"' in refused.text
    assert administrator.post("/a-etiqueter/parts", shares).headers["location"] == "/a-etiqueter?parts=1"
    assert place.visitor("analyst").post("/a-etiqueter/parts", shares).status_code == 403
    found = place.visitor("analyst").post("/a-etiqueter/suivant").headers["location"]
    assert found.startswith("/textes/")
    assert "?tirage=random" in found


def test_overview_and_its_files(place: Place) -> None:
    with place.engine.begin() as connection:
        add(connection, prediction("miracle_cure"))
    analyst = place.visitor("analyst")
    assert "Textes par indicateur" in analyst.get("/apercu").text
    for path in ("/apercu/semaines.csv", "/apercu/precision.csv", "/accord/accord.csv", "/accord/lecteurs.csv"):
        found = analyst.get(path)
        assert found.status_code == 200
        assert found.headers["content-type"].startswith("text/csv")
        assert found.text.startswith("\ufeff")
    assert analyst.get("/apercu/rien.csv").status_code == 404
    charge = analyst.get("/apercu/charge.csv").text
    assert "Analyst" in charge
    assert "Reviewer" not in charge, "la charge des autres n'est vue que de l'administration"


@pytest.mark.browser
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_pages_are_accessible(browsed: Place, width: int, dark: bool) -> None:
    item = _open_reading(browsed)
    page = browsed.page("administrator", width=width, dark=dark)
    page.goto("/relecture")
    assert_accessible(page)
    page.get_by_role("button", name="Lire le suivant").click()
    page.wait_for_url("**/relecture/*")
    assert_accessible(page)
    say(browsed.engine, item, browsed.people["administrator"], "miracle_cure", kind="second")
    judge = browsed.page("reviewer", width=width, dark=dark)
    for path in ("/arbitrage", f"/arbitrage/{item}"):
        judge.goto(path)
        assert_accessible(judge)
    for path in ("/a-etiqueter", "/apercu", "/accord", "/relecture/etalons"):
        page.goto(path)
        for details in page.locator("details").all():
            details.evaluate("shown => shown.open = true")
        assert_accessible(page)
