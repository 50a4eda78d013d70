"""Blind reading, adjudication, drawing and the overview as people meet them: real server, real browser."""

import re
from html import unescape
from itertools import count

import pytest
from sqlalchemy import select, update

from service.workplace import lineage
from service.workplace.choices import choose
from service.workplace.decided import decisions_of
from service.workplace.decisions import withdraw
from service.workplace.draws import ask_second
from service.workplace.golden import make_golden
from service.workplace.people import disable
from service.workplace.reading import ask
from service.workplace.schema import CLAIMS, DECISIONS, ITEMS, READINGS, TRAINING_DECISIONS, TRAININGS
from service.workplace.seen import note_seen, unseen_of
from service.workplace.times import now
from tests.service.workplace.conftest import Place
from tests.service.workplace.looks import assert_accessible
from tests.service.workplace.made import TEXT, add, prediction, say

_SIGN = "quote_miracle_cure"
_NUMBERS = count()


def _open_reading(place: Place) -> str:
    """A text decided by the analyst whose second reading waits."""
    choose(place.engine, "second_share", 1, place.people["administrator"])
    choose(place.engine, "golden_share", 0, place.people["administrator"])
    with place.engine.begin() as connection:
        item = add(connection, prediction("miracle_cure"), text=f"{TEXT}. <b>Une seule fois</b> {next(_NUMBERS)}")
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
    assert (closed.status_code, closed.headers["location"]) == (303, "/relecture?ferme=1")
    assert "Ce texte vous est fermé" in reviewer.get("/relecture?ferme=1").text
    opened = reviewer.post("/relecture/suivante")
    path = opened.headers["location"]
    page = reviewer.get(path).text
    assert "&lt;b&gt;Une seule fois&lt;/b&gt;" in page
    for told in ("Confirmer la proposition", 'name="passage"', "<mark", "Analyst", "Niveau 2", "Niveau 1"):
        assert told not in page, told
    assert "checked" not in page.split('id="decision"')[1].split("</form>")[0]
    assert each_place.visitor("administrator").get(path).status_code == 404, "une lecture n'est qu'à une personne"
    form = {"action": "correct", "stance": "promotes", _SIGN: TEXT[:10], "request": "r1"}
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


def _claims(place: Place) -> list[str]:
    with place.engine.connect() as connection:
        return list(connection.scalars(select(CLAIMS.c.user_id)))


def _hidden_fields(page: str) -> dict[str, str]:
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.split('id="decision"')[1]))
    return {name: value for name, value in fields.items() if name not in ("csrf", "request")}


def test_nothing_on_the_page_tells_a_golden_text_nor_a_suspicion(place: Place) -> None:
    choose(place.engine, "second_share", 0, place.people["administrator"])
    with place.engine.begin() as connection:
        golden, suspect = (add(connection, prediction("miracle_cure")) for _ in range(2))
    for item in (golden, suspect):
        say(place.engine, item, place.people["administrator"], "miracle_cure")
    second = _open_reading(place)
    with place.engine.begin() as connection:
        make_golden(connection, golden, place.people["administrator"])
        assert ask_second(connection, suspect, place.people["reviewer"], "suspect", 0.1)
        for item, kind, drawn_by in ((golden, "golden", "golden_share"), (second, "second", "second_share")):
            if kind == "golden":
                ask(connection, item, kind, place.people["reviewer"].id, drawn_by, 0.05)
            else:
                connection.execute(update(READINGS).where(READINGS.c.item_id == item).values(user_id=place.people["reviewer"].id))
        readings = {row.item_id: row.id for row in connection.execute(select(READINGS.c.item_id, READINGS.c.id))}
    reviewer = place.visitor("reviewer")
    pages = [reviewer.get(f"/relecture/{readings[item]}").text for item in (golden, suspect, second)]
    assert [_hidden_fields(page) for page in pages] == [_hidden_fields(pages[0])] * 3
    assert _hidden_fields(pages[0]) == {"last": "0", "said": "", "file": "", "drawn": ""}
    for page in pages:
        assert not any(word in page for word in ("golden", "suspect", "second_share", golden, second, suspect))


def test_looking_takes_nothing(each_place: Place) -> None:
    item = _open_reading(each_place)
    reviewer = each_place.visitor("reviewer")
    path = reviewer.post("/relecture/suivante").headers["location"]
    with each_place.engine.begin() as connection:
        connection.execute(CLAIMS.delete())
    assert reviewer.get(path).status_code == 200
    assert _claims(each_place) == []
    kept = reviewer.post(f"{path}/prise", headers={"Accept": "application/json"})
    assert (kept.status_code, _claims(each_place)) == (200, [each_place.people["reviewer"].id])
    assert "à vous jusqu" in kept.json()["text"]
    say(each_place.engine, item, each_place.people["reviewer"], "miracle_cure", kind="second")
    judge = each_place.visitor("administrator")
    page = judge.get(f"/arbitrage/{item}").text
    assert "Prendre ce texte pour l'arbitrer" in page
    assert "fieldset disabled" in page
    assert _claims(each_place) == []
    taken = judge.post(f"/arbitrage/{item}/prise")
    assert (taken.status_code, taken.headers["location"]) == (303, f"/arbitrage/{item}")
    assert _claims(each_place) == [each_place.people["administrator"].id]
    assert "fieldset disabled" not in judge.get(f"/arbitrage/{item}").text


def test_what_was_typed_of_a_reading_that_is_over_is_shown(each_place: Place) -> None:
    item = _open_reading(each_place)
    reviewer = each_place.visitor("reviewer")
    path = reviewer.post("/relecture/suivante").headers["location"]
    with each_place.engine.connect() as connection:
        (first,) = decisions_of(connection, item)
    withdraw(each_place.engine, first.id, each_place.people["analyst"])
    form = {"action": "correct", "stance": "promotes", "passage": "miracle_cure:0:7", "note": "Une heure de travail."}
    answer = reviewer.post(path, form)
    assert answer.status_code == 409
    for words in ("n'a pas été enregistrée", "Une heure de travail.", TEXT[:7], "Promesse de guérison"):
        assert words in unescape(answer.text), words
    with each_place.engine.connect() as connection:
        assert len([one for one in decisions_of(connection, item) if one.kind == "second"]) == 0
    # So too for whoever adjudicates what somebody else has just adjudicated.
    other = _open_reading(each_place)
    say(each_place.engine, other, each_place.people["reviewer"], "miracle_cure", kind="second")
    judge = each_place.visitor("administrator")
    judge.post(f"/arbitrage/{other}/prise")
    say(each_place.engine, other, each_place.people["administrator"], "miracle_cure", kind="adjudication")
    late = judge.post(f"/arbitrage/{other}", form | {"request": "tard"})
    assert late.status_code == 409
    assert "Une heure de travail." in late.text


def test_a_reading_given_back_is_passed_over(place: Place) -> None:
    for _ in range(2):
        _open_reading(place)
    reviewer = place.visitor("reviewer")
    first = reviewer.post("/relecture/suivante").headers["location"]
    second = reviewer.post(f"{first}/rendre", {"suivante": "1"}).headers["location"].partition("?")[0]
    assert second.startswith("/relecture/")
    assert second != first
    assert reviewer.post(f"{second}/rendre").headers["location"] == "/relecture?rendue=1"
    page = reviewer.get("/relecture").text
    assert "<strong>0</strong> relecture vous attend" in page
    assert "2 autres attendent quelqu'un d'autre" in page


def test_the_administration_sees_readings_that_nobody_can_make(place: Place) -> None:
    item = _open_reading(place)
    with place.engine.begin() as connection:
        for role in ("reviewer", "administrator"):
            note_seen(connection, [item], place.people[role])
        reading = connection.execute(select(READINGS.c.id)).scalar_one()
    assert place.visitor("reviewer").get("/relecture/impossibles").status_code == 403
    administrator = place.visitor("administrator")
    assert "ne peut plus faire (1)" in administrator.get("/relecture").text
    assert TEXT[:20] in administrator.get("/relecture/impossibles").text
    path = f"/relecture/impossibles/{reading}/renoncer"
    assert administrator.post(path).headers["location"] == "/relecture/impossibles?fait=1"
    assert administrator.post(path).status_code == 409
    assert _state(place, item) == "done"


def _last(place: Place, item: str) -> str:
    """What the form says of the text's records when it is shown."""
    with place.engine.connect() as connection:
        return str(decisions_of(connection, item)[-1].number)


def test_two_people_alone_can_end_their_dispute_and_it_is_told(place: Place) -> None:
    item = _open_reading(place)
    say(place.engine, item, place.people["administrator"], "miracle_cure", kind="second")
    other = place.visitor("administrator")
    assert "arbitrage d'une autre personne" in other.get("/arbitrage").text, "il reste quelqu'un : la relecture"
    assert other.get(f"/arbitrage/{item}").status_code == 403
    disable(place.engine, place.people["reviewer"].id)
    page = other.get("/arbitrage").text
    assert "personne d'autre ne peut l'arbitrer" in page
    assert f"/arbitrage/{item}/prise" in page
    form = {"action": "correct", "stance": "promotes", "passage": "miracle_cure:0:7", "last": _last(place, item)}
    refused = other.post(f"/arbitrage/{item}", form | {"request": "r1"})
    assert refused.status_code == 422
    assert "comment vous vous êtes mis d'accord" in unescape(refused.text)
    kept = other.post(f"/arbitrage/{item}", form | {"request": "r2", "note": "Vu ensemble au téléphone."})
    assert kept.status_code == 303
    assert _state(place, item) == "done"


def test_models_pages_tell_a_blind_reader_nothing(place: Place) -> None:
    item, plain = _open_reading(place), _open_reading(place)
    flips = [
        {
            "part": part,
            "id": id,
            "text": words,
            "expected": [1],
            "before": 0,
            "after": 2,
            "direction": "up",
            "nearer": "better",
            "champion": {"status": "error"},
            "challenger": {"status": "error"},
        }
        for part, id, words in (("fresh", item, None), ("test", "c1", "Un texte du corpus."), ("fresh", plain, None))
    ]
    parts = [{"id": "fresh", "name": "textes relus", "texts": 2}, {"id": "test", "name": "épreuve", "texts": 1}]
    comparison = {"flips": flips, "parts": parts, "champion": "a", "challenger": "b", "passes": False}
    with place.engine.begin() as connection:
        values = {"id": "t1", "state": "done", "champion": "a", "challenger": "b", "asked_at": now()}
        connection.execute(TRAININGS.insert().values(**values, comparison=comparison))
        decision = decisions_of(connection, item)[0].id
        connection.execute(TRAINING_DECISIONS.insert().values(training_id="t1", decision_id=decision))
        assert len(lineage.decisions_of_model(connection, "b", person=place.people["administrator"])) == 0
        assert len(lineage.decisions_of_model(connection, "b", person=place.people["analyst"])) == 1
    reviewer = place.visitor("reviewer")
    say(place.engine, plain, place.people["reviewer"], "miracle_cure", kind="second")
    table = reviewer.get("/modeles/essais/t1/bascules.csv").text
    assert item not in table
    assert plain in table
    assert reviewer.get("/modeles/essais/t1/bascules/1").status_code == 403
    shown = reviewer.get("/modeles/essais/t1/bascules/2").text
    assert 'rel="prev"' not in shown, "la bascule fermée n'est pas la précédente"
    assert reviewer.get("/modeles/essais/t1/bascules/3").status_code == 200
    with place.engine.connect() as connection:
        assert unseen_of(connection, [item, plain], place.people["reviewer"]) == [item]


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
    unguarded = judge.post(f"/arbitrage/{item}", form)
    assert unguarded.status_code == 422
    assert "champ « last »" in unguarded.text
    form["last"] = _last(each_place, item)
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
