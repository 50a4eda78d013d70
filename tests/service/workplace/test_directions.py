"""Practices and directions over texts that are kept: what people may see, over HTTP and in a browser."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
from sqlalchemy import Engine

from model.records import Prediction
from service.directions.texts import count_of, counts, known_of, naming, situation_of_item
from service.workplace.decided import Mark, Verdict
from service.workplace.decisions import decide
from service.workplace.items import Received, add_item, find_item, keep_prediction
from service.workplace.keys import create_key
from service.workplace.people import Person, Role
from service.workplace.schema import READINGS
from service.workplace.times import now
from tests.service.workplace.conftest import Place
from tests.service.workplace.looks import assert_accessible
from tests.service.workplace.made import prediction

OFFER = "Infirmière, je guéris le cancer par le reiki : arrêtez la chimio. Cure de gélules 90 €. Tél. 06 12 34 56 78."
CRY = "J'ai arrêté ma chimio parce que ma thérapeute me l'a demandé. Je veux en finir. Aidez-moi."


def _mention(id: str) -> dict[str, Any]:
    return {"id": id, "name": id.capitalize(), "start": OFFER.index("reiki"), "end": OFFER.index("reiki") + 5, "text": "reiki"}


def offer(*signs: str, practice: str = "reiki", **more: Any) -> Prediction:
    """What a model could say of OFFER."""
    place = OFFER.index("06 12")
    said = prediction(*signs, **more).model_dump()
    said["practices"] = [_mention(practice)]
    said["author"] = {"status": "regulated", "start": 0, "end": 10, "text": "Infirmière"}
    said["entities"] = [
        {"kind": "title", "start": 0, "end": 10, "text": "Infirmière", "value": {"id": "infirmier"}},
        {"kind": "phone", "start": place, "end": place + 14, "text": OFFER[place : place + 14]},
    ]
    return Prediction.model_validate(said)


def cry() -> Prediction:
    """What a model could say of CRY."""
    said = prediction(promotes=0.1).model_dump()
    said["context"] = [{"kind": "person_at_risk", "start": 62, "end": 77, "text": CRY[62:77]}]
    return Prediction.model_validate(said)


def keep(engine: Engine, said: Prediction | None, text: str = OFFER, **more: Any) -> str:
    with engine.begin() as connection:
        id = add_item(connection, Received(text, source="essai", **more)).id
        if said:
            keep_prediction(connection, id, said)
    return id


def hide(engine: Engine, item_id: str) -> None:
    """Draw a text for a blind second reading."""
    with engine.begin() as connection:
        connection.execute(
            READINGS.insert().values(id=f"r{item_id[:20]}", item_id=item_id, kind="second", state="waiting", asked_at=now())
        )


def test_counts_leave_out_what_is_blind_for_the_person(engine: Engine, people: dict[Role, Person]) -> None:
    ids = [keep(engine, offer("miracle_cure"), f"{OFFER} {number}") for number in range(3)]
    keep(engine, offer("miracle_cure", practice="healy"), f"{OFFER} autre")
    hide(engine, ids[0])
    me = people["analyst"]
    with engine.connect() as connection:
        assert counts(connection, me) == {"reiki": 2, "healy": 1}
        assert count_of(connection, me, "reiki") == 2
        assert [one.id for one in naming(connection, me, "reiki")] == [ids[2], ids[1]]
        assert naming(connection, me, "jeune-sec") == []


def test_what_a_person_decided_takes_the_place_of_what_the_model_says(engine: Engine, people: dict[Role, Person]) -> None:
    id = keep(engine, offer("breaking_with_medicine"), url="https://exemple.example/1")
    with engine.connect() as connection:
        item = find_item(connection, id)
        assert item
        before = situation_of_item(connection, item)
    assert before
    assert {"undecided", "level_3", "sign:breaking_with_medicine", "online_content"} <= before.conditions
    verdict = Verdict(stance="promotes", level=2, indicators=(Mark(12, 34, "miracle_cure"),), targets=())
    decide(engine, id, people["analyst"], verdict, None)
    with engine.connect() as connection:
        item = find_item(connection, id)
        assert item
        known = known_of(connection, item)
        after = situation_of_item(connection, item)
    assert (known.decided_level, known.decided_signs) == (2, ("miracle_cure",))
    assert after
    assert {"decided", "level_2", "sign:miracle_cure"} <= after.conditions
    assert not {"undecided", "level_3", "sign:breaking_with_medicine"} & after.conditions


def test_a_text_that_nobody_has_read_leads_nowhere(engine: Engine, people: dict[Role, Person]) -> None:
    id = keep(engine, None)
    with engine.connect() as connection:
        item = find_item(connection, id)
        assert item
        assert situation_of_item(connection, item) is None
    decide(engine, id, people["analyst"], Verdict(stance="promotes", level=2, indicators=(Mark(0, 5, "miracle_cure"),)), None)
    with engine.connect() as connection:
        item = find_item(connection, id)
        assert item
        found = situation_of_item(connection, item)
    assert found
    assert "sign:miracle_cure" in found.conditions


def test_sheets_are_open_to_all_and_counts_to_who_may_read(each_place: Place) -> None:
    keep(each_place.engine, offer("miracle_cure"))
    visitor = each_place.client()
    for path in ("/pratiques", "/pratiques/reiki", "/professions", "/orientation", "/aide"):
        answer = visitor.get(path)
        assert answer.status_code == 200, path
        assert 'href="/textes/' not in answer.text, path
    page = visitor.get("/pratiques/reiki").text
    assert "Un nom seul n'est pas un signe" in page.replace("&#39;", "'")
    assert "ne lie que les kinésithérapeutes" in page
    assert "Textes qui la nomment" not in page
    mine = each_place.visitor("analyst").get("/pratiques/reiki").text
    assert "1 texte de la file nomme cette pratique" in mine
    assert visitor.get("/pratiques/inconnue").status_code == 404
    told = visitor.get("/v1/practices/inconnue")
    assert told.status_code == 404
    assert "inconnue" in told.json()["detail"]
    open_sheet, own_sheet = (
        visitor.get("/v1/practices/reiki").json(),
        each_place.visitor("analyst").get("/v1/practices/reiki").json(),
    )
    assert (open_sheet["texts"], own_sheet["texts"]) == (None, 1)
    assert open_sheet["statements"][-1]["binds_physiotherapists_only"]
    listed = visitor.get("/v1/practices").json()
    assert {"id", "name", "variants", "family", "danger", "source", "to_verify"} <= set(listed[0])
    assert listed[0]["texts"] is None
    assert {one["texts"] for one in each_place.visitor("analyst").get("/v1/practices").json()} == {0, 1}


def test_a_text_is_routed_by_its_identifier_with_the_right_key(each_place: Place) -> None:
    engine, me = each_place.engine, each_place.people["analyst"]
    id = keep(engine, offer("breaking_with_medicine"), url="https://exemple.example/1")
    program = each_place.client()
    assert program.post("/v1/route", json={"id": id}).status_code == 401

    def ask(*scopes: Any, body: dict[str, Any] | None = None) -> Any:
        secret = create_key(engine, me if "export" not in scopes else each_place.people["administrator"], "essai", scopes)
        return program.post("/v1/route", json=body or {"id": id}, headers={"Authorization": f"Bearer {secret}"})

    assert ask("predict").status_code == 403
    for scope in ("review", "export"):
        answer = ask(scope)
        assert answer.status_code == 200, answer.text
    said = answer.json()
    by_id = {one["id"]: one for one in said["recipients"]}
    assert {"miviludes", "ordre-infirmiers", "anses-nutrivigilance", "pharos"} <= set(by_id)
    assert all(one["reasons"] for one in by_id.values())
    assert all(one["asks"].endswith("?") for one in said["questions"])
    assert said["advice"] is None
    assert "rien n'est envoyé" in said["note"]
    assert "06 12" not in answer.text
    agent = ask("review", body={"id": id, "public_agent": True}).json()
    assert "procureur-article-40" in {one["id"] for one in agent["recipients"]}
    assert ask("review", body={"id": "absent"}).status_code == 404
    waiting = keep(engine, None, "Un texte que personne n'a lu.")
    assert ask("review", body={"id": waiting}).status_code == 409
    hide(engine, id)
    blind = ask("review")
    assert blind.status_code == 403
    assert "aveugle" in blind.json()["detail"]


def test_predictions_are_routed_without_being_kept(place: Place) -> None:
    program = place.client()
    grave, calm = offer("breaking_with_medicine").model_dump(mode="json"), prediction("pseudo_science").model_dump(mode="json")
    one = program.post("/v1/route", json={"prediction": grave})
    assert one.status_code == 200, one.text
    assert "miviludes" in {found["id"] for found in one.json()["recipients"]}
    assert program.post("/v1/route", json={"prediction": calm}).json()["recipients"] == []
    several = program.post("/v1/route", json={"predictions": [calm, grave], "online": True}).json()
    assert "pharos" in {found["id"] for found in several["recipients"]}
    helped = program.post("/v1/route", json={"prediction": cry().model_dump(mode="json")}).json()
    assert helped["advice"]
    assert {found["group"] for found in helped["recipients"]} == {"emergency", "help"}
    wrong_ones: list[dict[str, Any]] = [
        {},
        {"id": "x", "prediction": grave},
        {"predictions": []},
        {"prediction": {"status": "ok"}},
        {"id": "x", "non": 1},
    ]
    for body in wrong_ones:
        wrong = program.post("/v1/route", json=body)
        assert wrong.status_code == 422, body
        assert wrong.headers["content-type"].startswith("application/problem+json")
    assert "un seul des trois" in program.post("/v1/route", json={}).text


def test_a_kept_answer_of_predict_is_routed_too(place: Place) -> None:
    kept = place.client().post("/v1/predict", json={"text": OFFER, "id": "gardé-1", "store": True}).json()
    answer = place.visitor("analyst")
    said = answer.client.post("/v1/route", json={"id": "gardé-1"}, headers={"X-CSRF-Token": answer.csrf})
    assert said.status_code == 200, said.text
    assert bool(said.json()["recipients"]) == (kept["risk"]["level"] >= 2)


def test_the_page_of_directions_asks_to_sign_in_and_respects_blind_readings(place: Place) -> None:
    id = keep(place.engine, offer("breaking_with_medicine"))
    assert place.client().get(f"/orienter/{id}", headers={"Accept": "text/html"}).headers["location"].startswith("/connexion")
    visitor = place.visitor("analyst")
    page = visitor.get(f"/orienter/{id}").text.replace("&#39;", "'")
    assert "personne n'a encore décidé" in page
    assert "Ordre national des infirmiers" in page
    assert "Rien n'est envoyé" in page
    assert "06 12" not in page
    assert "agent public" in visitor.get(f"/orienter/{id}?agent=1").text
    assert "article 40" in visitor.get(f"/orienter/{id}?agent=1").text
    assert visitor.get("/orienter/absent", headers={"Accept": "text/html"}).status_code == 404
    hide(place.engine, id)
    assert visitor.get(f"/orienter/{id}").headers["location"] == "/relecture"
    # Nothing on this page sends, changes or keeps anything.
    assert 'method="post" action="/orienter' not in page


def test_the_text_s_page_shows_where_it_may_go_and_help_at_once(place: Place) -> None:
    grave, calm, danger = (
        keep(place.engine, offer("breaking_with_medicine")),
        keep(place.engine, offer("mystical_discourse"), f"{OFFER} bis"),
        keep(place.engine, cry(), CRY),
    )
    visitor = place.visitor("analyst")
    first, second, third = (visitor.get(f"/textes/{id}").text.replace("&#39;", "'") for id in (grave, calm, danger))
    assert f'href="/orienter/{grave}"' in first
    assert "Miviludes" in first
    assert "aucun destinataire n'est proposé" in second
    assert "Miviludes (" not in second
    assert "une aide d'abord" in third
    assert "01 34 00 14 58" in third
    assert "SignalConso" not in third


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_pages_are_accessible(browsed: Place, width: int, dark: bool) -> None:
    """All pages by axe at one width; at the other those that show texts, and none scrolls sideways."""
    grave = keep(browsed.engine, offer("breaking_with_medicine", "financial_pressure"), url="https://exemple.example/1")
    danger = keep(browsed.engine, cry(), CRY)
    page = browsed.page("analyst", width=width, dark=dark)
    public = ["/pratiques?q=natropate", "/professions", "/orientation", "/aide"]
    about_texts = ["/pratiques/reiki", f"/orienter/{grave}?victime=1&urgence=1", f"/textes/{danger}"]
    for path in public:
        page.goto(path)
        if dark:
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        else:
            assert_accessible(page)
    for path in about_texts:
        page.goto(path)
        assert_accessible(page)


def test_a_practice_is_searched_and_read_by_keyboard_without_scripts(browsed: Place) -> None:
    page = browsed.page(None, scripts=False)
    page.goto("/pratiques")
    page.get_by_label("Nom, variante ou famille").fill("kinesiologi")
    page.keyboard.press("Enter")
    page.wait_for_url("**/pratiques?q=kinesiologi*")
    page.get_by_role("link", name="Kinésiologie", exact=True).press("Enter")
    page.wait_for_url("**/pratiques/kinesiologie")
    assert page.get_by_role("heading", level=1).inner_text().startswith("Kinésiologie")
    assert page.get_by_text("ne lie que les kinésithérapeutes").first.is_visible()


def test_help_is_printed_whole_on_a_few_sheets(browsed: Place, tmp_path: Any, printed: Callable[[bytes], list[str]]) -> None:
    page = browsed.page(None)
    page.goto("/aide")
    sheets = printed(page.pdf(format="A4"))
    whole = " ".join(sheets)
    assert len(sheets) <= 3
    assert all(one in whole for one in ("Je pense être victime", "Un de mes proches", "je suis malade ou fragile", "116 006"))
    assert "Pratiques" not in sheets[0]


@pytest.fixture
def printed() -> Callable[[bytes], list[str]]:
    """The text of each sheet of a PDF."""
    pypdfium2 = import_module("pypdfium2")

    def read(content: bytes) -> list[str]:
        document = pypdfium2.PdfDocument(content)
        return [document[index].get_textpage().get_text_range() for index in range(len(document))]

    return read
