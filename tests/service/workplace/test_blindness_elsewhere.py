"""Cases, campaigns, directions and the queue keep a text blind too: what they show is known, what waits is not shown."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from service.cases.cases import find_case
from service.cases.contents import explain_text
from service.cases.gathering import gather
from service.cases.pages import case_values, put_in_case
from service.workplace.choices import choose
from service.workplace.draws import ask_second, next_reading, put_back, shut_for
from service.workplace.filters import Filter
from service.workplace.golden import make_golden
from service.workplace.people import Person, Role
from service.workplace.queue import page_of
from service.workplace.reading import blind_for
from service.workplace.similar import index
from service.workplace.textpage import whole_of
from tests.service.workplace.conftest import add_person
from tests.service.workplace.made import add, say

People = dict[Role, Person]
NOWHERE = Path("/absent")
REASON = "Il fait arreter les traitements"


@pytest.fixture
def people(engine: Engine) -> People:
    """One person of each role; no text is read twice unless a test says so."""
    with engine.begin() as connection:
        roles: tuple[Role, ...] = ("analyst", "reviewer", "administrator")
        made = {role: add_person(connection, role, role) for role in roles}
    _shares(engine, made, 0, 0)
    return made


def _shares(engine: Engine, people: People, second: float, golden: float) -> None:
    choose(engine, "second_share", second, people["administrator"])
    choose(engine, "golden_share", golden, people["administrator"])


def _text(engine: Engine, words: str | None = None) -> str:
    with engine.begin() as connection:
        item = add(connection, text=words)
        if words:
            index(connection, item, words)
        return item


def _case(engine: Engine, person: Person, item: str) -> str:
    with engine.begin() as connection:
        name, _ = put_in_case(connection, person, "nouveau", [item], REASON, "Un dossier")
    with engine.connect() as connection:
        found = find_case(connection, name)
    assert found
    return found.id


def test_who_read_a_decision_in_a_case_does_not_read_the_text_blind(engine: Engine, people: People) -> None:
    words = " ".join(f"mot{number}" for number in range(60))
    item, alike = _text(engine, f"{words} un"), _text(engine, f"{words} deux")
    for one in (item, alike):
        say(engine, one, people["analyst"], "miracle_cure")
    values = case_values(engine, _case(engine, people["analyst"], item), people["reviewer"], NOWHERE, 0)
    assert values["texts"][0]["read"]["decision"]["level"] == 2
    with engine.begin() as connection:
        for one in (item, alike):
            assert ask_second(connection, one, people["reviewer"]) is None


def test_a_case_keeps_to_itself_why_a_text_that_waits_blind_is_in_it(engine: Engine, people: People) -> None:
    _shares(engine, people, 1, 0)
    item = _text(engine)
    case = _case(engine, people["analyst"], item)
    with engine.begin() as connection:
        explain_text(connection, case, people["analyst"], item, f"{REASON}, et bien plus")
    say(engine, item, people["analyst"], "miracle_cure")
    seen = gather(engine, case, people["reviewer"], NOWHERE)
    assert [one.why for one in seen.apart] == ["blind"]
    assert REASON not in repr((seen.apart, seen.events))
    assert REASON not in repr(case_values(engine, case, people["reviewer"], NOWHERE, 0))
    reading = next_reading(engine, people["reviewer"])
    assert reading
    assert reading.item_id == item
    # Who decided it still reads why, before and after.
    mine = gather(engine, case, people["analyst"], NOWHERE)
    assert REASON in repr(mine.events)


def test_a_golden_text_is_hidden_but_from_who_decided_it_or_administers(engine: Engine, people: People) -> None:
    item = _text(engine)
    say(engine, item, people["analyst"], "miracle_cure")
    with engine.begin() as connection:
        make_golden(connection, item, people["administrator"])
    with engine.connect() as connection:
        assert [blind_for(connection, item, people[role]) for role in ("analyst", "reviewer", "administrator")] == [
            False,
            True,
            False,
        ]
        done = Filter.read("etat=done&tout=1")
        assert [len(page_of(connection, done, people[role]).rows) for role in ("analyst", "reviewer", "administrator")] == [
            1,
            0,
            1,
        ]


def test_who_administers_sees_golden_texts_and_is_never_given_one(engine: Engine, people: People) -> None:
    golden = [_text(engine) for _ in range(3)]
    for item in golden:
        say(engine, item, people["analyst"], "miracle_cure")
        with engine.begin() as connection:
            make_golden(connection, item, people["administrator"])
    _shares(engine, people, 1, 0.5)
    others = [_text(engine) for _ in range(12)]
    for item in others:
        say(engine, item, people["analyst"], "miracle_cure")
    for _ in others:
        reading = next_reading(engine, people["administrator"])
        assert reading
        assert (reading.kind, reading.item_id in others) == ("second", True)
        with engine.begin() as connection:
            put_back(connection, reading, people["administrator"])


def test_while_a_text_is_read_blind_those_like_it_are_closed_everywhere(engine: Engine, people: People) -> None:
    words = " ".join(f"mot{number}" for number in range(60))
    alike, far = _text(engine, f"{words} deux"), _text(engine, " ".join(f"autre{number}" for number in range(60)))
    _shares(engine, people, 1, 0)
    item = _text(engine, f"{words} un")
    say(engine, item, people["analyst"], "miracle_cure")
    with engine.connect() as connection:
        assert not shut_for(connection, alike, people["reviewer"])
    assert next_reading(engine, people["reviewer"])
    with engine.connect() as connection:
        assert [shut_for(connection, one, people["reviewer"]) for one in (alike, far)] == [True, False]
        assert not shut_for(connection, alike, people["analyst"])
    whole = whole_of(engine, alike, people["reviewer"])
    assert whole
    assert whole.blind
    case = _case(engine, people["analyst"], alike)
    assert [one.why for one in gather(engine, case, people["reviewer"], NOWHERE).apart] == ["blind"]
    assert [one.why for one in gather(engine, case, people["analyst"], NOWHERE).apart] == ["unread"]
