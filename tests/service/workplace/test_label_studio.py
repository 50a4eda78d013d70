"""Label Studio's calls as its server makes them: keys, predictions that its SDK accepts, annotations that become decisions."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from model.labels import CHANNELS, INDICATORS, LEVELS, STANCES, TARGETS
from service.annotations import verdict_of
from service.label_studio import labelling_config, map_people, missing_controls, prediction_result, text_of
from service.workplace import claims
from service.workplace.agreement import measure
from service.workplace.choices import choose
from service.workplace.decided import Decided, Verdict, decisions_of
from service.workplace.decisions import decide
from service.workplace.golden import make_golden
from service.workplace.items import Received, add_item, find_item, keep_prediction
from service.workplace.keys import create_key
from service.workplace.people import AccountError, Role
from service.workplace.schema import COMMENTS, DECISIONS, ITEMS, READINGS, USERS
from tests.service.workplace.conftest import Place, Read
from tests.service.workplace.looks import assert_accessible
from tests.training.test_exchange import tools

OFFER = "👩🏽‍⚕️ Bonjour, je soigne le cancer par les plantes, arrêtez la chimio."
WHERE = (OFFER.index("je soigne"), OFFER.index(" par les"))


def item(name: str, kind: str, **value: Any) -> dict[str, Any]:
    return {"id": name, "from_name": name, "to_name": "text", "type": kind, "value": value}


def result(stance: str = "promotes", level: str | None = None) -> list[dict[str, Any]]:
    start, end = WHERE
    found = [item("stance", "choices", choices=[stance])]
    if stance == "promotes":
        found.append(item("signs", "labels", start=start, end=end, text=OFFER[start:end], labels=["miracle_cure"]))
        found.append(item("targets", "choices", choices=["illness", "serious_illness"]))
    if level is not None:
        found.append(item("level", "choices", choices=[level]))
    return found


def message(action: str = "ANNOTATION_CREATED", number: int = 5, **changes: Any) -> dict[str, Any]:
    """A webhook as Label Studio 1.23 sends it."""
    annotation = {
        "id": number,
        "task": 11,
        "completed_by": 3,
        "was_cancelled": False,
        "parent_prediction": None,
        "updated_at": "2026-11-22T20:00:00Z",
        "result": result(),
    } | changes
    return {
        "action": action,
        "annotation": annotation,
        "task": {"id": 11, "data": {"text": OFFER}},
        "project": {"id": 1, "created_at": "2026-11-01T08:00:00Z", "title": "Relecture"},
    }


def keyed(place: Place, *scopes: str, basic: bool = False, role: Role = "analyst") -> httpx.Client:
    """A program with a key of the analyst (or of another role), sent as Label Studio sends it."""
    key = create_key(place.engine, place.people[role], "Label Studio", scopes or ("predict", "review"))
    if basic:
        return place.client(auth=("label-studio", key))
    return place.client(headers={"Authorization": f"Bearer {key}"})


def records(place: Place) -> list[Decided]:
    """All decisions, oldest first."""
    with place.engine.connect() as connection:
        items = connection.execute(select(ITEMS.c.id)).scalars().all()
        return sorted((one for id in items for one in decisions_of(connection, id)), key=lambda one: one.number)


def test_a_key_is_needed_and_may_only_do_what_it_may(each_place: Place) -> None:
    nobody = each_place.client()
    for method, path in (("GET", "health"), ("POST", "setup"), ("POST", "predict"), ("POST", "webhook"), ("GET", "versions")):
        answer = nobody.request(method, f"/label-studio/{path}", json={})
        assert answer.status_code == 401, path
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert each_place.client(auth=("a", "vigie_wrong")).get("/label-studio/health").status_code == 401
    assert each_place.client(headers={"Authorization": "Basic %%%"}).get("/label-studio/health").status_code == 401
    up = keyed(each_place, basic=True).get("/label-studio/health")
    assert (up.status_code, up.json()["status"]) == (200, "UP")
    assert keyed(each_place, "predict").post("/label-studio/webhook", json=message()).status_code == 403
    assert keyed(each_place, "review").post("/label-studio/predict", json={"tasks": []}).status_code == 403
    assert not records(each_place)


def test_setup_takes_the_ready_configuration_and_refuses_one_that_cannot_show_anything(place: Place) -> None:
    program = keyed(place)
    config = program.get("/label-studio/interface.xml").text
    assert config == labelling_config()
    ready = program.post("/label-studio/setup", json={"project": "1.2", "schema": config, "hostname": "", "access_token": ""})
    version = program.get("/label-studio/versions").json()["versions"]
    assert (ready.status_code, [ready.json()["model_version"]]) == (200, version)
    other = '<View><Text name="text" value="$text"/><Choices name="c" toName="text"><Choice value="a"/></Choices></View>'
    refused = program.post("/label-studio/setup", json={"project": "1.2", "schema": other})
    assert refused.status_code == 422
    assert "signs, stance, targets" in refused.json()["detail"]


def test_the_configuration_has_every_label_of_the_guide() -> None:
    config = labelling_config()
    assert not missing_controls(config)
    for label in (*INDICATORS, *STANCES, *TARGETS):
        assert f'value="{label.name}" alias="{label.id}"' in config
    for level in LEVELS:
        assert f'value="{level.id} : {level.name}" alias="{level.id}"' in config
    assert CHANNELS[0].name not in config


def test_predictions_fit_the_interface_by_the_sdk_of_label_studio(place: Place, read: list[Read], tmp_path: Path) -> None:
    texts = [OFFER, *(one.annotated.text for one in read[::6]), "", "The weather is nice today, and we will all go for a walk."]
    tasks = [{"id": number, "project": 1, "data": {"text": text}} for number, text in enumerate(texts)]
    answer = keyed(place, basic=True).post(
        "/label-studio/predict", json={"tasks": tasks, "project": "1.2", "label_config": labelling_config(), "params": {}}
    )
    assert answer.status_code == 200
    predictions = answer.json()["results"]
    assert len(predictions) == len(tasks)
    for text, prediction in zip(texts, predictions, strict=True):
        assert prediction["model_version"] == answer.json()["model_version"]
        for region in (one for one in prediction["result"] if one["type"] == "labels"):
            assert text[region["value"]["start"] : region["value"]["end"]] == region["value"]["text"] != ""
    assert predictions[0]["score"] > 0.5
    assert {one["from_name"] for one in predictions[0]["result"]} == {"signs", "stance", "targets", "level"}
    assert predictions[-1] == {"model_version": answer.json()["model_version"], "result": [], "score": 0.0}
    (tmp_path / "c.xml").write_text(labelling_config(), encoding="utf-8")
    exchanged = {"tasks": tasks, "predictions": predictions}
    (tmp_path / "x.json").write_text(json.dumps(exchanged), encoding="utf-8")
    regions = sum(len(prediction["result"]) for prediction in predictions)
    counts = tools("label-studio-predictions", str(tmp_path / "x.json"), str(tmp_path / "c.xml"))
    assert counts == {"tasks": len(tasks), "predictions": len(tasks), "regions": regions}
    predictions[0]["result"][0]["value"]["labels"] = ["magie"]
    (tmp_path / "x.json").write_text(json.dumps(exchanged), encoding="utf-8")
    assert tools("label-studio-predictions", str(tmp_path / "x.json"), str(tmp_path / "c.xml"))["regions"] == regions - 1


def test_an_annotation_becomes_a_decision_once(each_place: Place) -> None:
    program = keyed(each_place)
    answer = program.post("/label-studio/webhook", json=message())
    assert answer.status_code == 201, answer.text
    (decided,) = records(each_place)
    assert answer.json() == {"decisions": [decided.id], "withdrawn": []}
    assert (decided.user_id, decided.kind, decided.stance, decided.level) == (
        each_place.people["analyst"].id,
        "first",
        "promotes",
        3,
    )
    assert [(mark.start, mark.end, mark.label) for mark in decided.indicators] == [(*WHERE, "miracle_cure")]
    assert (decided.drawn_by, decided.said) == ("label_studio", None)
    with each_place.engine.connect() as connection:
        kept = find_item(connection, decided.item_id)
    assert kept
    assert (kept.text, kept.source, kept.external_id, kept.decided_level) == (OFFER, "Label Studio", "11", 3)
    # Sent again by a network that doubts: nothing more.
    assert program.post("/label-studio/webhook", json=message()).json() == {"decisions": [], "withdrawn": []}
    assert len(records(each_place)) == 1


def test_a_changed_annotation_withdraws_the_one_before_and_a_deleted_one_leaves_none(each_place: Place) -> None:
    program = keyed(each_place)
    first = program.post("/label-studio/webhook", json=message()).json()["decisions"]
    changed = message("ANNOTATION_UPDATED", updated_at="2026-11-22T20:05:00Z", result=result("warns"))
    answer = program.post("/label-studio/webhook", json=changed).json()
    assert answer["withdrawn"] == first
    # Back to what it was: a third record, not the first one again.
    back = message("ANNOTATION_UPDATED", updated_at="2026-11-22T20:06:00Z")
    third = program.post("/label-studio/webhook", json=back).json()
    assert third["withdrawn"] == answer["decisions"]
    with each_place.engine.connect() as connection:
        item_id = connection.execute(select(ITEMS.c.id)).scalar_one()
        assert connection.execute(select(ITEMS.c.decided_stance)).scalar_one() == "promotes"
    gone = {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 5}], "project": back["project"]}
    assert program.post("/label-studio/webhook", json=gone).json() == {"decisions": [], "withdrawn": third["decisions"]}
    with each_place.engine.connect() as connection:
        kept = find_item(connection, item_id)
        assert kept
        assert (kept.state, kept.decided_level) == ("new", None)
        assert len(decisions_of(connection, item_id)) == 6  # three decisions, three withdrawals: nothing is erased


def test_people_are_who_the_administration_says_they_are(each_place: Place) -> None:
    # None of these texts is drawn for a second reading, which hides it from who decides elsewhere.
    choose(each_place.engine, "second_share", 0.0, each_place.people["administrator"])
    administrator = each_place.visitor("administrator")
    wrong = administrator.post("/modeles/label-studio", data={"people": "3 = personne"})
    assert wrong.status_code == 422
    assert "Aucun compte ouvert de cet identifiant : personne" in wrong.text
    assert administrator.post("/modeles/label-studio", data={"people": "trois"}).status_code == 422
    assert administrator.post("/modeles/label-studio", data={"people": "3 = reviewer\r\n\r\n"}).status_code == 303
    assert "3 = reviewer" in administrator.get("/modeles/label-studio").text
    assert each_place.visitor("reviewer").get("/modeles/label-studio").status_code == 403
    # Whoever is named there, a key signs as its holder, even where the login is the address.
    named = each_place.person("lou@vigie.example")
    program = keyed(each_place)
    for number, by in ((5, 3), (6, {"id": 12, "email": "lou@vigie.example"}), (7, {"username": "administrator"})):
        program.post("/label-studio/webhook", json=message(number=number, completed_by=by))
    assert {decided.user_id for decided in records(each_place)} == {each_place.people["analyst"].id}
    # One that may speak for others does so for those whom the administration named, and the record says whose key it was.
    with pytest.raises(AccountError, match="Votre rôle"):
        create_key(each_place.engine, each_place.people["analyst"], "Label Studio", ("review", "speak"))
    chief = each_place.people["administrator"]
    key = create_key(each_place.engine, chief, "Label Studio", ("review", "speak"))
    speaking = each_place.client(headers={"Authorization": f"Bearer {key}"})
    given = (8, 3), (9, {"id": 9, "email": "x@y.example"}), (10, {"id": 12, "email": "lou@vigie.example"})
    for number, by in given:
        task = {"id": number, "data": {"text": f"{OFFER} Texte {number}."}}
        speaking.post("/label-studio/webhook", json=message(number=number, completed_by=by) | {"task": task})
    made = {decided.item_id: decided for decided in records(each_place) if decided.user_id != each_place.people["analyst"].id}
    signed = {(decided.user_id, decided.sent_by, decided.kind) for decided in made.values()}
    assert signed == {(each_place.people["reviewer"].id, chief.id, "first"), (chief.id, None, "first")}
    assert named.id not in {decided.user_id for decided in made.values()}
    (spoken,) = (decided for decided in made.values() if decided.sent_by)
    assert "envoyée avec la clé de Administrator" in administrator.get(f"/textes/{spoken.item_id}").text
    # Somebody whose role was taken away speaks for nobody any more.
    with each_place.engine.begin() as connection:
        connection.execute(update(USERS).where(USERS.c.id == chief.id).values(role="analyst"))
    task = {"id": 11, "data": {"text": f"{OFFER} Texte 11."}}
    speaking.post("/label-studio/webhook", json=message(number=11) | {"task": task})
    assert (records(each_place)[-1].user_id, records(each_place)[-1].sent_by) == (chief.id, None)


def _first(place: Place, share: float) -> str:
    """The text of the tasks, read first by the reviewer; a share of such texts is read twice."""
    choose(place.engine, "second_share", share, place.people["administrator"])
    with place.engine.begin() as connection:
        item_id = add_item(connection, Received(OFFER)).id
    decide(place.engine, item_id, place.people["reviewer"], Verdict(stance="neutral", level=0), None)
    return item_id


def _comments(place: Place) -> list[str]:
    with place.engine.connect() as connection:
        return list(connection.execute(select(COMMENTS.c.text)).scalars())


@pytest.mark.parametrize("closed_by", ["second reading", "golden"])
def test_what_is_closed_here_is_not_decided_there(each_place: Place, closed_by: str) -> None:
    item_id = _first(each_place, 1 if closed_by == "second reading" else 0)
    if closed_by == "golden":
        with each_place.engine.begin() as connection:
            make_golden(connection, item_id, each_place.people["administrator"])
    else:
        with each_place.engine.begin() as connection:
            claims.claim(connection, item_id, each_place.people["administrator"])
    program = keyed(each_place)
    for _ in range(2):
        answer = program.post("/label-studio/webhook", json=message())
        assert answer.status_code == 409
        assert "gardée en commentaire" in answer.json()["detail"]
        assert not any(one.name in answer.text for one in each_place.people.values())
    assert [decided.kind for decided in records(each_place)] == ["first"]
    with each_place.engine.connect() as connection:
        kept = find_item(connection, item_id)
    assert kept
    assert (kept.state, kept.decided_level) == ("open" if closed_by == "second reading" else "done", 0)
    (told,) = _comments(each_place)
    assert f"« {OFFER[slice(*WHERE)]} »" in told
    assert "Position de l'auteur : promeut" in told


def test_it_never_reads_blind_nor_ends_a_dispute(each_place: Place) -> None:
    item_id = _first(each_place, 1)
    program = keyed(each_place, "review", "speak", role="administrator")
    map_people(each_place.engine, {"3": "reviewer"}, each_place.people["administrator"])
    assert program.post("/label-studio/webhook", json=message(result=result("neutral"))).status_code == 201
    with each_place.engine.connect() as connection:
        kept = find_item(connection, item_id)
        assert kept
        assert kept.state == "open"
        assert connection.execute(select(READINGS.c.state)).scalar_one() == "waiting"
        assert measure(connection).texts + measure(connection).other == 0
    assert [decided.kind for decided in records(each_place)] == ["first", "first"]
    second = Verdict("second", stance="warns", level=0)
    decide(each_place.engine, item_id, each_place.people["administrator"], second, None)
    changed = message("ANNOTATION_UPDATED", updated_at="2026-11-22T20:05:00Z", result=result("warns"))
    answer = program.post("/label-studio/webhook", json=changed)
    assert answer.status_code == 422
    assert "une autre personne arbitre" in answer.json()["detail"]
    assert len(records(each_place)) == 3


def test_what_somebody_else_signed_is_not_withdrawn_by_a_key(place: Place) -> None:
    chief = place.people["administrator"]
    map_people(place.engine, {"3": "reviewer"}, chief)
    key = create_key(place.engine, chief, "Label Studio", ("review", "speak"))
    speaking = place.client(headers={"Authorization": f"Bearer {key}"})
    speaking.post("/label-studio/webhook", json=message())
    gone = {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 5}], "project": message()["project"]}
    changed = message("ANNOTATION_UPDATED", updated_at="2026-11-22T20:05:00Z")
    for sent in (gone, changed):
        refused = keyed(place).post("/label-studio/webhook", json=sent)
        assert refused.status_code == 422
        assert "Seule la personne" in refused.json()["detail"]
    assert [decided.kind for decided in records(place)] == ["first"]
    assert speaking.post("/label-studio/webhook", json=gone).status_code == 201
    withdrawal = records(place)[-1]
    assert (withdrawal.kind, withdrawal.user_id) == ("withdrawal", chief.id)


def test_a_text_claimed_here_is_not_decided_there_and_a_comment_says_so(each_place: Place) -> None:
    program = keyed(each_place)
    program.post("/label-studio/webhook", json=message())
    with each_place.engine.begin() as connection:
        item_id = connection.execute(select(ITEMS.c.id)).scalar_one()
        claims.claim(connection, item_id, each_place.people["reviewer"])
    answer = program.post("/label-studio/webhook", json=message(number=8))
    assert answer.status_code == 409
    assert "Reviewer" in answer.json()["detail"]
    assert len(records(each_place)) == 1
    with each_place.engine.connect() as connection:
        told = connection.execute(select(COMMENTS.c.text)).scalar_one()
    assert "l'annotation 8 n'a pas été gardée" in told


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"result": []}, "une position de l'auteur (stance) est attendue"),
        ({"result": [*result(), item("stance", "choices", choices=["warns"])]}, "une position"),
        ({"result": [*result(), item("signs", "labels", start=0, end=9999, labels=["isolation"])]}, "une partie du texte"),
        ({"result": [*result(), item("signs", "labels", start=0, end=5, labels=["magie"])]}, "Signe « magie »"),
        ({"result": [*result(), {"type": "labels", "value": {"start": "x"}}]}, "résultat mal formé"),
        ({"result": [*result("warns"), item("signs", "labels", start=0, end=5, labels=["isolation"])]}, "n'a aucun signe"),
    ],
)
def test_what_is_no_decision_is_refused_and_says_why(place: Place, changes: dict[str, Any], why: str) -> None:
    answer = keyed(place).post("/label-studio/webhook", json=message(**changes))
    assert answer.status_code == 422
    assert why in answer.json()["detail"]
    assert not records(place)


def test_messages_without_payload_or_of_another_kind(place: Place) -> None:
    program = keyed(place)
    assert program.post("/label-studio/webhook", json={"action": "ANNOTATION_CREATED"}).status_code == 422
    assert program.post("/label-studio/webhook", json=message() | {"task": {"id": 1, "data": {}}}).status_code == 422
    assert program.post("/label-studio/webhook", json={"action": "START_TRAINING"}).json() == {"decisions": [], "withdrawn": []}
    assert program.post("/label-studio/train", json={}).status_code == 200
    assert program.post("/label-studio/predict", json={"tasks": "x"}).status_code == 422
    assert program.post("/label-studio/predict", json={"tasks": [{}] * 300}).status_code == 413
    assert not records(place)


def test_what_the_person_saw_is_kept_and_confirming_it_is_said(place: Place, read: list[Read]) -> None:
    shown = next(one for one in read if one.prediction.present())
    text, prediction = shown.annotated.text, shown.prediction
    program = keyed(place)
    answers = prediction_result(text, prediction)["result"]
    sent = message(result=answers, parent_prediction=77) | {"task": {"id": 11, "data": {"text": text}}}
    first = program.post("/label-studio/webhook", json=sent | {"annotation": sent["annotation"] | {"parent_prediction": None}})
    (decided,) = records(place)
    assert (first.status_code, decided.verdict, decided.said) == (201, "corrected", None)
    with place.engine.begin() as connection:
        keep_prediction(connection, decided.item_id, prediction)
    sent["annotation"] |= {"updated_at": "2026-11-22T21:00:00Z"}
    program.post("/label-studio/webhook", json=sent | {"action": "ANNOTATION_UPDATED"})
    confirmed = next(one for one in records(place) if one.verdict == "confirmed")
    assert confirmed.model_version == prediction.model_version
    assert confirmed.level == (prediction.risk.level if prediction.risk else None)


def test_skipping_is_not_knowing_and_a_level_against_the_guide_is_a_note() -> None:
    skipped = verdict_of({"id": 1, "was_cancelled": True, "result": []}, OFFER, None)
    assert (skipped.verdict, skipped.stance, skipped.level) == ("unsure", None, None)
    chosen = [*result(level="1"), item("note", "textarea", text=["À revoir."])]
    other = verdict_of({"id": 1, "result": chosen}, OFFER, None)
    assert other.level == 3
    assert other.note == "À revoir.\nNiveau choisi dans Label Studio : 1 ; le guide donne 3."


def test_the_text_of_a_task_is_found() -> None:
    assert text_of({"data": {"text": "a", "title": "b"}}) == "a"
    assert text_of({"data": {"annonce": "a", "prix": 3}}) == "a"
    assert text_of({"data": {"one": "a", "other": "b"}}) is None
    assert text_of({"data": "a"}) is None
    assert text_of(None) is None


@pytest.mark.parametrize("dark", [False, True])
def test_its_page_is_accessible(browsed: Place, dark: bool) -> None:
    page = browsed.page("administrator", width=390, dark=dark)
    page.goto("/modeles/label-studio")
    page.get_by_label("Personnes de Label Studio, une par ligne").fill("3 = analyst")
    page.get_by_role("button", name="Enregistrer").click()
    assert page.get_by_label("Personnes de Label Studio, une par ligne").input_value() == "3 = analyst"
    page.get_by_text("Interface d'annotation").first.click()
    assert_accessible(page)


def test_decisions_are_kept_in_the_table(place: Place) -> None:
    keyed(place).post("/label-studio/webhook", json=message())
    with place.engine.connect() as connection:
        request = connection.execute(select(DECISIONS.c.request)).scalar_one()
    assert request.startswith("ls")
    assert len(request) <= 64
