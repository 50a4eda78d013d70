"""A correction that a program sends is on disk when it is acknowledged, and a person of the workplace sees it."""

import json
from typing import Any

import pytest
from sqlalchemy import select

from service.database import all_feedback, store_text
from service.workplace.comments import comments_of
from service.workplace.items import Received, add_item, find_item
from service.workplace.keys import create_key
from service.workplace.schema import ITEMS
from tests.service.workplace.conftest import Place
from tests.service.workplace.made import prediction

TEXT = "Je ne promets aucune guérison, je l'ai dit."


def send(place: Place, body: dict[str, Any], scope: str = "review") -> Any:
    key = create_key(place.engine, place.people["analyst"], "programme", [scope])
    return place.client().post("/v1/feedback", json=body, headers={"Authorization": f"Bearer {key}"})


def test_a_correction_is_kept_and_a_person_sees_it(each_place: Place) -> None:
    sent = {"text": TEXT, "indicator": "miracle_cure", "present": False, "start": 0, "end": 29, "comment": "niée"}
    answer = send(each_place, sent | {"reviewer": "Équipe B"})
    assert answer.status_code == 201
    with each_place.engine.connect() as connection:
        item = find_item(connection, answer.json()["item"])
        said = [comment.text for comment in comments_of(connection, answer.json()["item"])]
    assert item
    assert (item.text, item.state, item.source) == (TEXT, "new", "correction")
    assert len(said) == 1
    for part in ("Équipe B", "absent", "0-29", "« Je ne promets aucune guérison »", "niée"):
        assert part in said[0]
    (kept,) = all_feedback(each_place.engine)
    assert (kept["id"], kept["indicator"], kept["present"], kept["comment"]) == (
        answer.json()["id"],
        "miracle_cure",
        False,
        "niée",
    )
    page = each_place.visitor("reviewer").get(f"/textes/{item.id}").text
    assert "Correction reçue" in page
    assert "niée" in page


def test_a_correction_of_a_text_that_is_there_leaves_what_people_decided(each_place: Place) -> None:
    with each_place.engine.begin() as connection:
        item = add_item(connection, Received(TEXT, source="annuaire")).id
        connection.execute(ITEMS.update().values(state="done", decided_level=0))
    said = prediction("isolation").model_dump(mode="json")
    stored = store_text(each_place.engine, TEXT, said, None)
    answer = send(each_place, {"id": stored, "risk_level": 2, "comment": "long " * 990})
    assert (answer.status_code, answer.json()["item"]) == (201, item)
    with each_place.engine.connect() as connection:
        rows = connection.execute(select(ITEMS.c.state, ITEMS.c.decided_level, ITEMS.c.source, ITEMS.c.seen)).all()
        comments = comments_of(connection, item)
    assert [tuple(row) for row in rows] == [("done", 0, "annuaire", 2)]
    assert "".join(comment.text for comment in comments).count("long") == 990, "rien n'est coupé"
    assert send(each_place, {"id": stored, "risk_level": 2, "start": 0, "end": 99_999}).status_code == 422
    assert send(each_place, {"id": "inconnu", "risk_level": 2}).status_code == 404


def test_nobody_corrects_without_the_right_to(place: Place) -> None:
    body = {"text": TEXT, "risk_level": 0}
    assert place.client().post("/v1/feedback", json=body).status_code == 401
    assert send(place, body, "predict").status_code == 403
    assert send(place, body | {"text": "x" * 20_001}).status_code == 422
    assert all_feedback(place.engine) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param({"indicator": "isolation", "present": True}, "text", id="no-text"),
        pytest.param({"text": "x", "indicator": "magie", "present": True}, "indicator", id="unknown-indicator"),
        pytest.param({"text": "x", "indicator": "isolation"}, "present", id="no-value"),
        pytest.param({"text": "x"}, "valeur", id="nothing-to-correct"),
        pytest.param({"text": "x", "risk_level": 0, "comment": "nul\x00"}, "comment", id="nul-character"),
        pytest.param({"text": "x", "risk_level": 7}, "risk_level", id="level"),
        pytest.param({"text": "  ", "risk_level": 0}, "vide", id="blank"),
        pytest.param({"text": "abc", "stance": "warns", "start": 2, "end": 1}, "start", id="empty-passage"),
    ],
)
def test_bad_feedback_names_the_field(place: Place, body: dict[str, Any], expected: str) -> None:
    answer = send(place, body)
    assert answer.status_code == 422
    assert expected in json.dumps(answer.json(), ensure_ascii=False)
