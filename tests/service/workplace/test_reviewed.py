"""What people decided becomes lines of the corpus: the right labels, nobody's name, and nothing that is not settled."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from model.levels import level_of
from service.workplace.decided import Mark, Verdict
from service.workplace.decisions import decide, withdraw
from service.workplace.items import Received, add_item
from service.workplace.people import Person, Role
from service.workplace.reviewed import count_decided, reviewed_texts
from service.workplace.schema import GOLDEN, READINGS
from service.workplace.times import now
from tests.service.workplace.conftest import add_person
from tests.service.workplace.volume import fill
from training.corpus import load_corpus
from training.joining import read_reviewed

OFFER = "Je soigne le cancer par les plantes, venez me voir au cabinet."
_CURE = Mark(0, 19, "miracle_cure")


def add(engine: Engine, text: str = OFFER, **fields: Any) -> str:
    with engine.begin() as connection:
        return add_item(connection, Received(text, **fields)).id


def say(engine: Engine, item: str, person: Person, **changes: Any) -> str:
    """Keep a decision: by default, the offer that promises a cure of a serious illness."""
    values: dict[str, Any] = {
        "stance": "promotes",
        "targets": ("illness", "serious_illness"),
        "indicators": (_CURE,),
    } | changes
    if values.get("verdict") == "unsure":
        values |= {"stance": None, "targets": (), "indicators": ()}
    elif values["stance"] != "promotes":
        values["indicators"] = ()
    if values["stance"] is not None:
        values["level"] = level_of(values["stance"], {mark.label for mark in values["indicators"]}, values["targets"]).value
    return decide(engine, item, person, Verdict(**values), None)


def by_item(engine: Engine) -> dict[str, Mapping[str, Any]]:
    return {text.item_id: text.line for text in reviewed_texts(engine).texts}


def test_a_decision_becomes_a_line_that_names_nobody(engine: Engine, people: dict[Role, Person]) -> None:
    item = add(engine, source="forum", author="@camille-du-13", channel="comment", theme="phytotherapie")
    decision = say(engine, item, people["analyst"])
    (found,) = reviewed_texts(engine).texts
    assert (found.item_id, found.decision_id) == (item, decision)
    line = found.line
    assert {key: line[key] for key in ("id", "text", "channel", "provenance", "stance", "risk_level", "targets")} == {
        "id": item,
        "text": OFFER,
        "channel": "comment",
        "provenance": "reviewed",
        "stance": "promotes",
        "risk_level": 3,
        "targets": ["illness", "serious_illness"],
    }
    assert line["indicators"] == [{"label": "miracle_cure", "start": 0, "end": 19}]
    assert line["annotator"]["kind"] == "person"
    shown = json.dumps(line)
    assert "camille" not in shown
    assert people["analyst"].id not in shown
    (text,) = read_reviewed([line])
    assert text.writer == line["writer"] != ""


def test_one_author_is_one_hand_and_nobody_known_is_none(engine: Engine, people: dict[Role, Person]) -> None:
    texts = {
        "one": add(engine, OFFER + " Premier.", source="forum", author="lou"),
        "same": add(engine, OFFER + " Deuxième.", source="forum", author="lou"),
        "elsewhere": add(engine, OFFER + " Troisième.", source="annuaire", author="lou"),
        "site": add(engine, OFFER + " Quatrième.", url="https://soins.example/a"),
        "same site": add(engine, OFFER + " Cinquième.", url="https://soins.example/b?c=1"),
        "broken": add(engine, OFFER + " Sixième.", url="http://[bad"),
    }
    for item in texts.values():
        say(engine, item, people["analyst"])
    lines = by_item(engine)
    hands = {name: lines[item]["writer"] for name, item in texts.items()}
    assert hands["one"] == hands["same"] != hands["elsewhere"]
    assert hands["site"] == hands["same site"] != ""
    assert hands["broken"] == ""
    assert hands == {name: by_item(engine)[item]["writer"] for name, item in texts.items()}  # always the same codes


def test_adjudication_comes_first_and_keeps_what_the_others_said(engine: Engine, people: dict[Role, Person]) -> None:
    item = add(engine)
    say(engine, item, people["analyst"])
    say(engine, item, people["reviewer"], kind="second", stance="warns", targets=())
    found = reviewed_texts(engine)
    assert (found.texts, found.left) == ((), {"disputed": 1})
    decision = say(engine, item, people["administrator"], kind="adjudication", stance="neutral", targets=())
    (text,) = reviewed_texts(engine).texts
    assert text.decision_id == decision
    assert (text.line["stance"], text.line["risk_level"], text.line["indicators"]) == ("neutral", 0, [])
    assert [(one["stance"], one["risk_level"]) for one in text.line["annotations"]] == [("promotes", 3), ("warns", 0)]
    assert "second_reader" not in text.line


def test_two_readings_that_agree_say_who_read_again_and_what_changed(engine: Engine, people: dict[Role, Person]) -> None:
    item = add(engine)
    say(engine, item, people["analyst"])
    say(engine, item, people["reviewer"], kind="second")
    (text,) = reviewed_texts(engine).texts
    assert text.line["second_reader"]["changed"] == []
    assert text.line["second_reader"]["id"] != text.line["annotator"]["id"]
    assert read_reviewed([text.line])[0].annotations[0].risk_level == 3


def test_withdrawn_unsure_and_measuring_readings_give_no_line(engine: Engine, people: dict[Role, Person]) -> None:
    gone, unsure, measured, second = (add(engine, f"{OFFER} {number}") for number in range(4))
    withdraw(engine, say(engine, gone, people["analyst"]), people["analyst"])
    say(engine, unsure, people["analyst"], verdict="unsure")
    with engine.begin() as connection:
        asked = {"id": "r1", "item_id": measured, "kind": "golden", "state": "waiting", "asked_at": now()}
        connection.execute(READINGS.insert().values(**asked, user_id=people["analyst"].id))
    # A reading made only to measure a reader labels nothing.
    say(engine, measured, people["analyst"], kind="golden", stance="neutral", targets=())
    say(engine, second, people["analyst"])
    say(engine, second, people["reviewer"], kind="second", verdict="unsure")
    found = reviewed_texts(engine)
    assert not found.texts
    assert found.left == {"unsure": 2}
    with engine.connect() as connection:
        assert count_decided(connection) <= 2


def test_what_a_golden_text_is_agreed_to_be_comes_before_a_first_reading(engine: Engine, people: dict[Role, Person]) -> None:
    item = add(engine)
    agreed = say(engine, item, people["reviewer"])
    with engine.begin() as connection:
        other = add_person(connection, "dominique", "analyst")
        chosen = {"item_id": item, "decision_id": agreed, "user_id": people["reviewer"].id, "made_at": now()}
        connection.execute(GOLDEN.insert().values(**chosen))
    say(engine, item, other, stance="neutral", targets=())
    (text,) = reviewed_texts(engine).texts
    assert (text.decision_id, text.line["risk_level"]) == (agreed, 3)


def test_the_verb_writes_a_file_that_the_corpus_reads(
    base: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from service.cli import main
    from service.settings import load_settings

    with base.begin() as connection:
        person = add_person(connection, "sacha", "analyst")
    near = "Une séance de soin à la ferme du bois joli avec thé offert à toutes les personnes qui viennent le"
    items = [add(base, f"{near} {day}") for day in ("lundi matin", "mardi soir")]
    for item in items:
        say(base, item, person, indicators=(Mark(0, 10, "mystical_discourse"),), targets=())
    target = tmp_path / "relus.jsonl"
    monkeypatch.setenv("VIGIE_DATABASE_URL", str(base.url))
    monkeypatch.setattr("sys.argv", ["vigie", "review", "corpus", "-o", str(target)])
    load_settings.cache_clear()
    with pytest.raises(SystemExit) as done:
        main()
    load_settings.cache_clear()
    assert done.value.code == 0
    assert "2 textes relus" in capsys.readouterr().err
    first, second = load_corpus(target)
    assert first.group == second.group != ""  # near-duplicates stay together
    assert first.writer == second.writer != ""
    assert {first.split, second.split} <= {"train", "test"}


def test_decided_texts_are_counted_along_an_index(engine: Engine) -> None:
    fill(engine, 2_000)
    seen: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def sees(_: object, __: object, statement: str, *___: object) -> None:
        if "count" in statement:
            seen.append(statement)

    with engine.connect() as connection:
        counted = count_decided(connection)
        assert counted > 100
        if engine.dialect.name == "sqlite":
            plan = connection.exec_driver_sql(f"explain query plan {seen[0]}").all()
        else:
            connection.exec_driver_sql("set enable_seqscan = off")
            plan = connection.exec_driver_sql(f"explain {seen[0]}").all()
    assert "ix_items_decided_level" in str(plan)
