"""What a dossier says that nobody told, or that nobody needs: harm and danger only by two boxes, calm texts named alone."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine

from model.records import PracticeMention
from service.cases.cases import Case, CaseError, Words, create_case, find_case, move_case
from service.cases.contents import add_texts
from service.cases.dossier import Content, content_of
from service.cases.gathering import gather
from service.cases.guidance import practice_sources
from service.cases.layout import Export, blocks_of
from service.cases.pages import case_values
from service.cases.records import add_answer, add_sending
from service.cases.told import Told, tell
from service.directions.tables import load_directions
from service.workplace.choices import choose
from service.workplace.decided import Mark, Verdict
from service.workplace.decisions import decide
from service.workplace.items import Received, add_item, keep_prediction
from service.workplace.people import Person, Role
from tests.service.workplace.conftest import Place
from tests.service.workplace.made import prediction

People = dict[Role, Person]
NOWHERE = Path("nulle-part")
CALM = "Bonne fête à tous, on se retrouve sur le balcon de ma sœur."
OFFER = "Je guéris le cancer par le magnétisme."


def put(engine: Engine, people: People, *texts: tuple[str, int, str], audience: str | None = None) -> Case:
    """A case of decided texts: words, level, practice."""
    choose(engine, "second_share", 0.0, people["administrator"])
    person = people["reviewer"]
    case = create_case(engine, person, Words("Annonces", "Objet", "Lumière", audience))
    ids = []
    for text, level, practice in texts:
        mention = PracticeMention(id=practice, name=practice, start=0, end=2, text=text[:2])
        said = prediction("miracle_cure").model_copy(update={"practices": [mention]})
        with engine.begin() as connection:
            id = add_item(connection, Received(text, source="essai", channel="ad")).id
            keep_prediction(connection, id, said)
        marks = (Mark(0, 14, "miracle_cure"),) if level else ()
        stance = "promotes" if level else "neutral"
        decide(engine, id, person, Verdict(stance=stance, level=level, targets=(), indicators=marks, reason="implied"), said)
        ids.append(id)
    with engine.begin() as connection:
        add_texts(connection, case.id, person, ids, "Campagne entière.")
    return case


def content(engine: Engine, people: People, case: Case) -> Content:
    return content_of(gather(engine, case.id, people["reviewer"], NOWHERE), masked=True)


@pytest.mark.parametrize("audience", ["victim", "person_at_risk"])
def test_advice_for_a_victim_says_of_nobody_that_they_were_harmed(engine: Engine, people: People, audience: str) -> None:
    case = put(engine, people, (OFFER, 2, "magnetisme"), audience=audience)
    said = json.dumps(content(engine, people, case), ensure_ascii=False)
    assert "dit avoir subi un tort" not in said
    assert "danger immédiat est possible" not in said
    with engine.begin() as connection:
        assert tell(connection, case.id, people["analyst"], Told(victim=True))
        assert not tell(connection, case.id, people["analyst"], Told(victim=True))
    told = content(engine, people, case)
    reasons = [reason for one in told["recipients"] for reason in one["reasons"]]
    assert "Une personne dit avoir subi un tort" in reasons
    assert not [reason for reason in reasons if "danger immédiat" in reason]
    assert told["history"][-1]["what"] == "dit du dossier : une personne dit avoir subi un tort"
    with engine.begin() as connection:
        tell(connection, case.id, people["analyst"], Told())
    assert "Une personne dit avoir subi un tort" not in str(content(engine, people, case)["recipients"])


def test_a_text_without_any_sign_is_named_without_its_words(engine: Engine, people: People) -> None:
    case = put(engine, people, (OFFER, 2, "magnetisme"), (CALM, 0, "reiki"))
    found = content(engine, people, case)
    assert [one["place"] for one in found["texts"]] == [1]
    assert [(one["place"], one["state_name"]) for one in found["cleared"]] == [(2, "relu, aucun indice retenu")]
    assert "balcon" not in json.dumps(found, ensure_ascii=False)
    assert "balcon" not in str(blocks_of(found, Export("A", "2026-11-23T10:00:00+00:00", "1", "0" * 64)))
    assert found["counts"]["read"] == 2
    assert [one["id"] for one in found["practices"]] == ["magnetisme"]


def test_no_judgment_of_somebody_else_is_printed(engine: Engine, people: People) -> None:
    judged = [id for id, fact in load_directions().facts.items() if any("Justice pénale" in one.who for one in fact.statements)]
    assert judged
    assert "Justice pénale" not in json.dumps(practice_sources(judged), ensure_ascii=False)


def test_questions_of_law_are_said_to_be_questions_with_what_raises_them(engine: Engine, people: People) -> None:
    case = put(engine, people, (OFFER, 2, "magnetisme"))
    found = content(engine, people, case)
    assert not {"rgpd-infractions", "ia-act", "homicide-involontaire"} & {one["id"] for one in found["questions"]}
    printed = str(blocks_of(found, Export("A", "2026-11-23T10:00:00+00:00", "1", "0" * 64)))
    assert "des questions, pas des qualifications" in printed
    assert printed.count("Posée parce que : ") == len(found["questions"]) > 0


def test_an_answer_that_comes_after_a_sending_waits_for_each_who_got_the_case(engine: Engine, people: People) -> None:
    case, person = put(engine, people, (OFFER, 2, "magnetisme")), people["reviewer"]
    for status in ("review", "ready"):
        with engine.connect() as connection:
            now = find_case(connection, case.id)
        assert now
        move_case(engine, case.id, person, status, now.version)

    def waiting() -> list[str]:
        return list(content(engine, people, case)["answer_awaited_by"])

    def send(to: str, on: str) -> None:
        with engine.begin() as connection:
            add_sending(connection, case.id, person, to, on, "")

    send("Miviludes", "2026-11-01")
    send("ARS", "2026-11-02")
    assert waiting() == []
    with engine.begin() as connection:
        add_answer(connection, case.id, person, "2026-11-10", "mail", "Je conteste.")
    assert waiting() == ["Miviludes", "ARS"]
    assert "Réponse à transmettre" in str(
        blocks_of(content(engine, people, case), Export("A", "2026-11-23T10:00:00+00:00", "1", "0" * 64))
    )
    send(" miviludes", "2026-11-12")
    send("ARS", "2026-11-05")
    assert waiting() == ["ARS"]
    assert case_values(engine, case.id, person, NOWHERE, 0)["awaiting"] == ["ARS"]
    with pytest.raises(CaseError, match="transmis"), engine.begin() as connection:
        tell(connection, case.id, person, Told(urgency=True))


def test_the_two_boxes_of_the_page_are_kept_and_shown(place: Place) -> None:
    case = put(place.engine, place.people, (OFFER, 2, "magnetisme"), audience="victim")
    visitor = place.visitor("analyst")
    before = visitor.get(f"/dossiers/{case.name}").text
    assert "ni tort subi ni danger immédiat" in before
    kept = visitor.post(f"/dossiers/{case.name}/dit", {"urgency": "1"})
    assert (kept.status_code, kept.headers["location"]) == (303, f"/dossiers/{case.name}?dit=modifie#destinataires")
    after = visitor.get(f"/dossiers/{case.name}").text
    assert 'id="told-urgency" name="urgency" value="1" checked' in after
    assert 'name="victim" value="1">' in after
    assert "Urgences : 15 ou 112" in after
    assert visitor.post("/dossiers/D-999/dit", {}).status_code == 404
