"""Cases: who may do what and when, blind texts kept out, the answer of the person concerned, a history that loses nothing."""

import json
from datetime import date, timedelta

import pytest
from sqlalchemy import Connection, Engine, inspect, select, text

from service.cases.cases import (
    MOVES,
    STATUS_NAMES,
    Case,
    CaseError,
    StaleCaseError,
    Words,
    create_case,
    edit_case,
    find_case,
    move_case,
)
from service.cases.contents import MOST_TEXTS, Event, add_texts, cases_of, events_of, explain_text, remove_text, texts_of
from service.cases.lists import Wanted, list_cases
from service.cases.records import add_answer, add_note, add_sending, answers_of, notes_of, sendings_of
from service.cases.schema import CASE_EVENTS
from service.database import connect_database, open_database
from service.migrations import upgrade
from service.workplace.choices import choose
from service.workplace.people import Person, Role
from service.workplace.times import now
from tests.service.workplace.conftest import add_people
from tests.service.workplace.made import add, prediction, say

WHY = "Promesse de guérison."
People = dict[Role, Person]


def fresh(engine: Engine, case: Case) -> Case:
    with engine.connect() as connection:
        found = find_case(connection, case.id)
    assert found
    return found


def made(engine: Engine, people: People, count: int = 1, *, decided: bool = True, **words: str) -> tuple[Case, list[str]]:
    """A case with texts, decided on by this person."""
    choose(engine, "second_share", 0.0, people["administrator"])
    person = people["analyst"]
    case = create_case(engine, person, Words("Annonces", **words))  # type: ignore[arg-type]
    with engine.begin() as connection:
        ids = [add(connection, prediction("miracle_cure")) for _ in range(count)]
    for id in ids if decided else ():
        say(engine, id, person, "miracle_cure")
    with engine.begin() as connection:
        add_texts(connection, case.id, person, ids, WHY)
    return fresh(engine, case), ids


def test_a_case_keeps_its_texts_in_order_and_why_they_are_there(engine: Engine, people: People) -> None:
    case, ids = made(engine, people, 3, decided=False)
    with engine.begin() as connection:
        assert add_texts(connection, case.id, people["analyst"], ids[:1], "autre") == 0
        remove_text(connection, case.id, people["analyst"], ids[1])
        explain_text(connection, case.id, people["reviewer"], ids[2], "Même téléphone.")
        assert [(one.item_id, one.place, one.why) for one in texts_of(connection, case.id)] == [
            (ids[0], 1, WHY),
            (ids[2], 3, "Même téléphone."),
        ]
        assert [(name, why) for _, _, name, _, why in cases_of(connection, ids[2])] == [("Annonces", "Même téléphone.")]
        kinds = [(event.kind, event.who) for event in events_of(connection, case.id)]
        removed = next(event for event in events_of(connection, case.id) if event.kind == "removed")
    assert kinds == [("opened", "Analyst"), ("added", "Analyst"), ("removed", "Analyst"), ("explained", "Reviewer")]
    assert removed.detail == {"items": [ids[1]], "why": WHY}


@pytest.mark.parametrize(
    ("ids", "why", "told"),
    [
        ([], WHY, "choisissez-en au moins un"),
        (["rien"], WHY, "rien n'existe pas"),
        (["rien"], "  ", "Pourquoi ce texte : un texte est attendu"),
        (["rien"], "x" * 2_001, "Pourquoi ce texte : 2001 caractères"),
        ([str(number) for number in range(MOST_TEXTS + 1)], WHY, "500 au plus"),
    ],
)
def test_what_cannot_be_added_says_why(engine: Engine, people: People, ids: list[str], why: str, told: str) -> None:
    case = create_case(engine, people["analyst"], Words("A"))
    with pytest.raises(CaseError, match=told), engine.begin() as connection:
        add_texts(connection, case.id, people["analyst"], ids, why)
    assert [event.kind for event in _events(engine, case)] == ["opened"]


def _events(engine: Engine, case: Case) -> list[Event]:
    with engine.connect() as connection:
        return list(events_of(connection, case.id))


def test_a_text_to_read_blind_stays_out_and_its_level_is_not_told(engine: Engine, people: People) -> None:
    choose(engine, "second_share", 1.0, people["administrator"])
    case = create_case(engine, people["analyst"], Words("A"))
    with engine.begin() as connection:
        id = add(connection, prediction("miracle_cure"))
    say(engine, id, people["analyst"], "miracle_cure")
    with pytest.raises(CaseError, match="aveugle"), engine.begin() as connection:
        add_texts(connection, case.id, people["reviewer"], [id], WHY)
    with engine.begin() as connection:
        # Who decided it may: they will not read it again.
        assert add_texts(connection, case.id, people["analyst"], [id], WHY) == 1
        assert list_cases(connection, Wanted(level="3"), people["reviewer"]).total == 0
        (listed,) = list_cases(connection, Wanted(), people["reviewer"]).cases
    assert (listed.texts, listed.decided, listed.level) == (1, 0, None)


def test_moves_follow_the_table_and_roles(engine: Engine, people: People) -> None:
    case, _ = made(engine, people)
    for status in STATUS_NAMES:
        if ("open", status) not in MOVES:
            with pytest.raises(CaseError):
                move_case(engine, case.id, people["administrator"], status, case.version)
    case = move_case(engine, case.id, people["analyst"], "review", case.version)
    with pytest.raises(CaseError, match="rôle de relecture"):
        move_case(engine, case.id, people["analyst"], "ready", case.version)
    case = move_case(engine, case.id, people["reviewer"], "ready", case.version)
    with pytest.raises(CaseError, match="prêt"), engine.begin() as connection:
        add_texts(connection, case.id, people["analyst"], ["x"], WHY)
    with pytest.raises(CaseError, match="à qui, quand"):
        move_case(engine, case.id, people["reviewer"], "transmitted", case.version)
    with engine.begin() as connection:
        add_sending(connection, case.id, people["reviewer"], "Miviludes", now().date().isoformat(), "R-12")
        assert [(one.recipient, one.reference) for one in sendings_of(connection, case.id)] == [("Miviludes", "R-12")]
    assert fresh(engine, case).status == "transmitted"


def test_a_case_without_a_closed_human_reading_is_never_ready(engine: Engine, people: People) -> None:
    case, ids = made(engine, people, decided=False)
    case = move_case(engine, case.id, people["analyst"], "review", case.version)
    with pytest.raises(CaseError, match="lecture humaine close"):
        move_case(engine, case.id, people["reviewer"], "ready", case.version)
    say(engine, ids[0], people["analyst"], "miracle_cure")
    assert move_case(engine, case.id, people["reviewer"], "ready", case.version).status == "ready"


def test_two_people_never_overwrite_one_another(engine: Engine, people: People) -> None:
    case = create_case(engine, people["analyst"], Words("Avant", "Objet d'avant"))
    edited = edit_case(engine, case.id, people["analyst"], Words("Après", "Objet d'avant"), case.version)
    with pytest.raises(StaleCaseError):
        edit_case(engine, case.id, people["reviewer"], Words("Autre"), case.version)
    assert (edited.title, edited.people) == ("Après", (people["analyst"].id,))
    with engine.connect() as connection:
        event = events_of(connection, case.id)[-1]
    assert event.detail == {"title": {"before": "Avant", "after": "Après"}}
    with pytest.raises(CaseError, match="Titre"):
        edit_case(engine, case.id, people["analyst"], Words(" "), edited.version)
    with pytest.raises(CaseError, match="Personnes en charge"):
        edit_case(engine, case.id, people["analyst"], Words("A", people=("rien",)), edited.version)


def test_an_answer_is_kept_word_for_word_and_its_correction_beside_it(engine: Engine, people: People) -> None:
    case = create_case(engine, people["analyst"], Words("A"))
    text = "  Je conteste.\n\n# Tout est faux ! "
    with engine.begin() as connection:
        first = add_answer(connection, case.id, people["analyst"], "2026-03-02", "mail", text)
        second = add_answer(connection, case.id, people["reviewer"], "2026-03-02", "letter", "Je conteste.", first)
    with pytest.raises(CaseError, match="corrigée"), engine.begin() as connection:
        add_answer(connection, case.id, people["reviewer"], "2026-03-02", "letter", "Encore.", first)
    with engine.connect() as connection:
        answers = {one.id: one for one in answers_of(connection, case.id)}
    assert (answers[first].text, answers[first].replaced, answers[second].replaced) == (text, True, False)
    assert answers[first].received_on == date(2026, 3, 2)


@pytest.mark.parametrize(
    ("on", "way", "text", "told"),
    [
        ("hier", "mail", "x", "Reçue le|Reçu le"),
        ((now().date() + timedelta(days=2)).isoformat(), "mail", "x", "aujourd'hui"),
        ("2026-01-01", "pigeon", "x", "Voie"),
        ("2026-01-01", "mail", " ", "Réponse"),
        ("2026-01-01", "mail", "a\x00", "Réponse"),
    ],
)
def test_an_answer_that_cannot_be_kept_names_the_field(base: Engine, on: str, way: str, text: str, told: str) -> None:
    people = add_people(base)
    case = create_case(base, people["analyst"], Words("A"))
    with pytest.raises(CaseError, match=told), base.begin() as connection:
        add_answer(connection, case.id, people["analyst"], on, way, text)


def test_internal_notes_can_be_written_on_a_closed_case_but_not_those_of_the_dossier(engine: Engine, people: People) -> None:
    case = create_case(engine, people["analyst"], Words("A"))
    case = move_case(engine, case.id, people["analyst"], "closed", case.version)
    with engine.begin() as connection:
        add_note(connection, case.id, people["analyst"], "Interne", exported=False)
        assert [(one.text, one.exported) for one in notes_of(connection, case.id)] == [("Interne", False)]
    with pytest.raises(CaseError, match="clos"), engine.begin() as connection:
        add_note(connection, case.id, people["analyst"], "Pour le dossier", exported=True)


def test_the_list_is_filtered_by_what_people_ask(engine: Engine, people: People) -> None:
    case, _ = made(engine, people, 2, concerned="Lumière 100%")
    other = create_case(engine, people["reviewer"], Words("Autre", recipients=("miviludes",)))
    with engine.connect() as connection:

        def names(**wanted: str) -> set[str]:
            return {one.case.name for one in list_cases(connection, Wanted(**wanted), people["analyst"]).cases}

        assert names() == {case.name, other.name}
        assert names(in_charge="moi") == {case.name}
        assert names(recipient="miviludes") == {other.name}
        assert names(words="LUMI") == {case.name} or connection.dialect.name == "sqlite"
        assert names(words="100%") == {case.name}
        assert names(words="100_") == set()
        assert names(level="2") | names(level="3") | names(level="1") == {case.name}
        assert names(status="closed") == set()
        (listed,) = list_cases(connection, Wanted(in_charge="moi"), people["analyst"]).cases
    assert (listed.texts, listed.decided) == (2, 2)
    assert Wanted.read(Wanted(words="é &", status="open").query()) == Wanted(words="é &", status="open")


def _user(connection: Connection) -> Person:
    """An account as it was before the step 0009."""
    values = "'u1', 'ari', 'Ari', 'reviewer', 'x', 1 = 1, 0, '2026-01-01 00:00:00'"
    columns = "id, login, name, role, password_hash, active, failures, created_at"
    connection.execute(text(f"insert into users ({columns}) values ({values})"))
    return Person("u1", "ari", "Ari", "reviewer")


def test_data_survives_the_step_that_makes_the_tables(tmp_path: object) -> None:
    url = f"sqlite:///{tmp_path}/v.db"
    engine = connect_database(url)
    with engine.begin() as connection:
        upgrade(connection, "0006")
        before = _user(connection)
    engine.dispose()
    opened = open_database(url)
    assert {"cases", "case_items", "case_events", "case_exports"} <= set(inspect(opened).get_table_names())
    case = create_case(opened, before, Words("A"))
    with opened.connect() as connection:
        assert connection.execute(select(CASE_EVENTS.c.user_id)).scalars().all() == [before.id]
    assert case.number == 1
    opened.dispose()


def test_what_a_command_erased_is_no_longer_in_a_person_s_name(tmp_path: object) -> None:
    """Before the step 0010, an event needed a person: that of who had added the texts stood for the command."""
    url = f"sqlite:///{tmp_path}/v.db"
    engine = connect_database(url)
    at = "'2026-01-01 00:00:00'"
    with engine.begin() as connection:
        upgrade(connection, "0008")
        _user(connection)
        columns = "id, number, title, summary, concerned, masks, status, version, created_by, created_at, changed_at"
        connection.execute(text(f"insert into cases ({columns}) values ('c1', 1, 'A', '', '', '', 'open', 1, 'u1', {at}, {at})"))
        added = {"items": ["t1"], "why": "même annonce"}
        erased = {"items": ["t1"], "texts": [{"id": "t1", "sha256": "s", "place": 1}], "command": "vigie demo remove"}
        for number, (kind, detail) in enumerate((("added", added), ("erased", erased)), start=1):
            values = f"{number}, 'e{number}', 'c1', 'u1', {at}, '{kind}', :detail"
            given = text(f"insert into case_events (number, id, case_id, user_id, made_at, kind, detail) values ({values})")
            connection.execute(given, {"detail": json.dumps(detail)})
    engine.dispose()
    opened = open_database(url)
    with opened.connect() as connection:
        first, second = events_of(connection, "c1")
    assert (first.who, first.detail) == ("Ari", added)
    assert second.who == "commande « vigie demo remove »"
    assert second.detail["texts"] == [{"id": "t1", "sha256": "s", "place": 1, "added_by": "u1"}]
    opened.dispose()
