"""Second readings are drawn by chance, made blind by somebody else, and settle what a text's state is."""

import random
from contextlib import suppress

import pytest
from sqlalchemy import Engine, func, select

from service.workplace.choices import ChoiceError, changes, choice, choose, secret
from service.workplace.claims import Taken, claim
from service.workplace.decided import decisions_of
from service.workplace.decisions import DecisionError, DisputedError, withdraw
from service.workplace.draws import ask_second, find_reading, next_reading, put_back, waiting_of
from service.workplace.golden import ReadingError, drop_golden, make_golden
from service.workplace.people import Person, Role
from service.workplace.reading import blind_for, drawn_for_second, hidden_from
from service.workplace.reviewed import reviewed_texts
from service.workplace.schema import CLAIMS, GOLDEN, ITEMS, READINGS
from service.workplace.seen import note_seen
from tests.service.workplace.conftest import add_people, add_person
from tests.service.workplace.made import add, say

People = dict[Role, Person]


def _text(engine: Engine) -> str:
    with engine.begin() as connection:
        return add(connection)


def _state(engine: Engine, item: str) -> str:
    with engine.connect() as connection:
        return str(connection.execute(select(ITEMS.c.state).where(ITEMS.c.id == item)).scalar_one())


def _level(engine: Engine, item: str) -> int | None:
    with engine.connect() as connection:
        level: int | None = connection.execute(select(ITEMS.c.decided_level).where(ITEMS.c.id == item)).scalar_one()
        return level


def _share(engine: Engine, people: People, second: float, golden: float = 0.0) -> None:
    choose(engine, "second_share", second, people["administrator"])
    choose(engine, "golden_share", golden, people["administrator"])


def test_share_drawn_is_the_share_set_and_cannot_be_guessed() -> None:
    ids = [f"{number:028x}" for number in range(4_000)]
    drawn = {id for id in ids if drawn_for_second(b"k" * 32, id, 0.2)}
    assert 0.17 < len(drawn) / len(ids) < 0.23
    assert drawn <= {id for id in ids if drawn_for_second(b"k" * 32, id, 0.4)}, "une part plus grande contient la plus petite"
    other = {id for id in ids if drawn_for_second(b"z" * 32, id, 0.2)}
    assert len(drawn & other) < 0.4 * len(drawn), "une autre clé tire d'autres textes"
    assert not any(drawn_for_second(b"k" * 32, id, 0) for id in ids)
    assert all(drawn_for_second(b"k" * 32, id, 1) for id in ids)


def test_without_second_reading_a_decided_text_is_done(engine: Engine, people: People) -> None:
    _share(engine, people, 0)
    item = _text(engine)
    first = say(engine, item, people["analyst"], "miracle_cure")
    assert (_state(engine, item), _level(engine, item)) == ("done", 2)
    withdraw(engine, first, people["analyst"])
    assert (_state(engine, item), _level(engine, item)) == ("new", None)


def test_agreeing_second_reading_ends_it(engine: Engine, people: People) -> None:
    _share(engine, people, 1)
    item = _text(engine)
    say(engine, item, people["analyst"], "miracle_cure")
    assert _state(engine, item) == "open"
    assert next_reading(engine, people["analyst"]) is None, "personne ne relit son propre texte"
    reading = next_reading(engine, people["reviewer"])
    assert reading
    assert (reading.item_id, reading.kind) == (item, "second")
    assert next_reading(engine, people["reviewer"]) == reading, "une lecture commencée revient d'abord"
    assert next_reading(engine, people["administrator"]) is None, "elle n'est confiée qu'à une personne"
    second = say(engine, item, people["reviewer"], "miracle_cure", kind="second")
    assert _state(engine, item) == "done"
    with engine.connect() as connection:
        row = connection.execute(select(READINGS)).mappings().one()
        assert (row["state"], row["decision_id"], row["user_id"]) == ("done", second, people["reviewer"].id)


def _kinds(engine: Engine, item: str) -> list[str]:
    with engine.connect() as connection:
        return [decided.kind for decided in decisions_of(connection, item)]


def test_a_dispute_stays_open_whatever_readers_do_until_somebody_adjudicates(engine: Engine, people: People) -> None:
    _share(engine, people, 1)
    item = _text(engine)
    first = say(engine, item, people["analyst"], "miracle_cure")
    second = say(engine, item, people["reviewer"], "pseudo_science", kind="second")
    assert (_state(engine, item), _level(engine, item)) == ("disputed", 2)
    for person in people.values():
        with pytest.raises(DisputedError, match="arbitrage"):
            say(engine, item, person, "pseudo_science")
    with pytest.raises(DecisionError, match="la vôtre reste"):
        withdraw(engine, first, people["analyst"])
    with pytest.raises(DecisionError, match="à l'aveugle ne se retire plus"):
        withdraw(engine, second, people["reviewer"])
    assert _state(engine, item) == "disputed"
    adjudication = say(engine, item, people["administrator"], "pseudo_science", kind="adjudication")
    assert (_state(engine, item), _level(engine, item)) == ("done", 1)
    # What was adjudicated is not undone by who lost; who judged may come back on it, in the record.
    for loser in ("analyst", "reviewer"):
        with pytest.raises(DisputedError, match="arbitré"):
            say(engine, item, people[loser], "miracle_cure")
    say(engine, item, people["administrator"], "miracle_cure", "pseudo_science")
    assert (_state(engine, item), _level(engine, item)) == ("done", 2)
    assert _kinds(engine, item) == ["first", "second", "adjudication", "revision"]
    with engine.connect() as connection:
        revision = decisions_of(connection, item)[-1]
    withdraw(engine, revision.id, people["administrator"])
    withdraw(engine, adjudication, people["administrator"])
    assert _state(engine, item) == "disputed"
    withdraw(engine, first, people["administrator"])
    assert (_state(engine, item), _level(engine, item)) == ("done", 1), "il reste la seconde lecture"


def test_what_is_filed_with_others_readings_in_sight_is_a_revision(engine: Engine, people: People) -> None:
    _share(engine, people, 0)
    item = _text(engine)
    say(engine, item, people["analyst"], "miracle_cure")
    say(engine, item, people["analyst"], "pseudo_science")
    assert _kinds(engine, item) == ["first", "first"], "se corriger avant que personne n'ait parlé est une première lecture"
    say(engine, item, people["reviewer"])
    assert _kinds(engine, item)[-1] == "revision"
    assert (_state(engine, item), _level(engine, item)) == ("done", 0), "elle change ce qui tient"
    say(engine, item, people["analyst"], "miracle_cure")
    assert _kinds(engine, item)[-1] == "revision"
    # After a second reading, even one that was taken back since, nobody reads as if alone.
    _share(engine, people, 1)
    other = _text(engine)
    first = say(engine, other, people["analyst"], "miracle_cure")
    second = say(engine, other, people["reviewer"], "miracle_cure", kind="second")
    for decision in (second, first):
        withdraw(engine, decision, people["administrator"])
    assert _state(engine, other) == "new"
    say(engine, other, people["analyst"], "pseudo_science")
    assert _kinds(engine, other)[-1] == "revision"
    assert _state(engine, other) == "done", "une révision n'appelle pas de seconde lecture"


def test_a_revision_gives_the_label_that_a_model_learns(engine: Engine, people: People) -> None:
    _share(engine, people, 1)
    item = _text(engine)
    say(engine, item, people["analyst"], "miracle_cure")
    say(engine, item, people["reviewer"], "miracle_cure", kind="second")
    say(engine, item, people["administrator"], "pseudo_science")
    (line,) = reviewed_texts(engine).lines
    assert (line["risk_level"], [mark["label"] for mark in line["indicators"]]) == (1, ["pseudo_science"])
    assert _level(engine, item) == 1


def test_withdrawn_second_reading_waits_anew(engine: Engine, people: People) -> None:
    _share(engine, people, 1)
    item = _text(engine)
    say(engine, item, people["analyst"], "miracle_cure")
    second = say(engine, item, people["reviewer"], "pseudo_science", kind="second")
    withdraw(engine, second, people["administrator"])
    assert _state(engine, item) == "open"
    assert next_reading(engine, people["reviewer"]) is None, "qui a déjà lu le texte ne le relit pas à l'aveugle"
    with engine.begin() as connection:
        fourth = add_person(connection, "quatre", "analyst")
    assert next_reading(engine, fourth)


def test_second_reader_who_files_again_leaves_no_reading_that_nobody_can_make(engine: Engine, people: People) -> None:
    _share(engine, people, 1)
    item = _text(engine)
    say(engine, item, people["analyst"], "miracle_cure")
    say(engine, item, people["reviewer"], "miracle_cure", kind="second")
    say(engine, item, people["reviewer"], "pseudo_science")
    assert (_state(engine, item), _level(engine, item)) == ("done", 1)
    assert _waiting(engine, item) == 0


def _waiting(engine: Engine, item: str) -> int:
    waits = select(func.count()).where(READINGS.c.item_id == item, READINGS.c.kind == "second", READINGS.c.state == "waiting")
    with engine.connect() as connection:
        return int(connection.execute(waits).scalar_one())


def _anything(engine: Engine, chance: random.Random, item: str, team: list[Person]) -> None:
    """Something that somebody may try on a text, whether they may or not."""
    person = chance.choice(team)
    signs = chance.choice([(), ("miracle_cure",), ("pseudo_science",)])
    with engine.connect() as connection:
        records = [one for one in decisions_of(connection, item) if one.kind != "withdrawal"]
        reading = connection.execute(select(READINGS.c.id).where(READINGS.c.user_id == person.id)).scalars().first()
    act = chance.choice(["first", "first", "read", "read", "adjudicate", "withdraw", "ask", "back", "seen"])
    with suppress(DecisionError, Taken):
        if act == "first":
            say(engine, item, person, *signs)
        elif act == "read" and (given := next_reading(engine, person)):
            say(engine, given.item_id, person, *signs, kind=given.kind)
        elif act == "adjudicate" and _state(engine, item) == "disputed":
            say(engine, item, person, *signs, kind="adjudication")
        elif act == "withdraw" and records:
            withdraw(engine, chance.choice(records).id, person)
        else:
            with engine.begin() as connection:
                if act == "ask":
                    ask_second(connection, item, person)
                elif act == "seen":
                    note_seen(connection, [item], person)
                elif act == "back" and reading and (found := find_reading(connection, reading, person)):
                    put_back(connection, found, person)


@pytest.mark.parametrize("seed", range(12))
def test_open_means_that_a_second_reading_waits_and_no_dispute_ends_without_a_judge(base: Engine, seed: int) -> None:
    chance = random.Random(seed)
    people = add_people(base)
    with base.begin() as connection:
        team = [*people.values(), *(add_person(connection, login, "analyst") for login in ("xavier", "yvon"))]
    _share(base, people, 0.5)
    item = _text(base)
    readers = [person for person in team if not person.may("administrator")]
    for _ in range(40):
        before = _state(base, item)
        _anything(base, chance, item, readers)
        after = _state(base, item)
        assert (after == "open") == (_waiting(base, item) > 0)
        if before == "disputed" != after:
            assert _kinds(base, item)[-1] == "adjudication"


def test_text_is_blind_while_its_second_reading_waits(engine: Engine, people: People) -> None:
    _share(engine, people, 1)
    item = _text(engine)
    with engine.connect() as connection:
        assert not blind_for(connection, item, people["reviewer"])
    say(engine, item, people["analyst"], "miracle_cure")
    with engine.connect() as connection:
        assert blind_for(connection, item, people["reviewer"])
        assert blind_for(connection, item, people["administrator"]), "l'administration aussi peut relire"
        assert not blind_for(connection, item, people["analyst"]), "qui a décidé voit sa décision"
        shown = select(ITEMS.c.id).where(ITEMS.c.id.not_in(hidden_from(people["reviewer"])))
        assert list(connection.scalars(shown)) == []
    say(engine, item, people["reviewer"], "miracle_cure", kind="second")
    with engine.connect() as connection:
        assert not blind_for(connection, item, people["administrator"])


def test_text_that_somebody_works_on_is_not_given(engine: Engine, people: People) -> None:
    _share(engine, people, 1)
    item = _text(engine)
    say(engine, item, people["analyst"], "miracle_cure")
    with engine.begin() as connection:
        claim(connection, item, people["administrator"])
    assert next_reading(engine, people["reviewer"]) is None


def test_reading_put_back_goes_to_others(engine: Engine, people: People) -> None:
    _share(engine, people, 1)
    item = _text(engine)
    say(engine, item, people["analyst"], "miracle_cure")
    reading = next_reading(engine, people["reviewer"])
    assert reading
    with engine.begin() as connection:
        put_back(connection, reading, people["reviewer"])
        assert find_reading(connection, reading.id, people["reviewer"]) is None
        assert waiting_of(connection, people["administrator"]).mine == 1
        assert connection.execute(select(CLAIMS)).first() is None
    assert next_reading(engine, people["administrator"])


def test_golden_text_comes_unseen_among_second_readings(engine: Engine, people: People) -> None:
    _share(engine, people, 0)
    golden = _text(engine)
    say(engine, golden, people["administrator"], "miracle_cure")
    with engine.begin() as connection:
        make_golden(connection, golden, people["administrator"])
    _share(engine, people, 1, 0.5)
    assert next_reading(engine, people["reviewer"]) is None, "un texte étalon seul se reconnaîtrait"
    for _ in range(30):
        say(engine, _text(engine), people["analyst"], "miracle_cure")
    kinds = []
    for _ in range(30):
        reading = next_reading(engine, people["reviewer"])
        assert reading
        kinds.append(reading.kind)
        say(engine, reading.item_id, people["reviewer"], "pseudo_science", kind=reading.kind)
        if reading.kind == "golden":
            break
    assert kinds[-1] == "golden"
    assert (_state(engine, golden), _level(engine, golden)) == ("done", 2), "la lecture d'un étalon ne change pas le texte"
    with engine.begin() as connection:
        row = connection.execute(select(READINGS).where(READINGS.c.item_id == golden)).mappings().one()
        assert row["state"] == "done"
        assert blind_for(connection, golden, people["reviewer"]), "il reste étalon, et donc fermé"
        assert drop_golden(connection, golden, people["administrator"])
        assert connection.execute(select(GOLDEN)).first() is None


def test_golden_text_must_be_decided_and_its_maker_entitled(engine: Engine, people: People) -> None:
    _share(engine, people, 0)
    item = _text(engine)
    with engine.begin() as connection, pytest.raises(ReadingError, match="décidé"):
        make_golden(connection, item, people["administrator"])
    say(engine, item, people["analyst"])
    with engine.begin() as connection, pytest.raises(ReadingError, match="administration"):
        make_golden(connection, item, people["analyst"])


def test_choices_are_kept_with_their_author(engine: Engine, people: People) -> None:
    with engine.connect() as connection:
        assert choice(connection, "second_share") == 0.2
    choose(engine, "second_share", 0.3, people["administrator"])
    choose(engine, "second_share", 0.3, people["administrator"])
    with engine.begin() as connection:
        assert choice(connection, "second_share") == 0.3
        assert [(one.value, one.by) for one in changes(connection, "second_share")] == [(0.3, "Administrator")]
        assert secret(connection) == secret(connection)
    with pytest.raises(ChoiceError, match="administration"):
        choose(engine, "second_share", 0.3, people["reviewer"])
    with pytest.raises(ChoiceError, match="50"):
        choose(engine, "golden_share", 0.9, people["administrator"])


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ((0.3, 0.2, 0.2, 0.2, 0.2), "somme"),
        ((0.5, 0.2, 0.2, 0.05, 0.05), "hasard"),
        ((0.6, -0.1, 0.2, 0.1, 0.2), "négative"),
    ],
)
def test_shares_that_would_spoil_figures_are_refused(base: Engine, shares: tuple[float, ...], message: str) -> None:
    names = ("uncertainty", "disagreement", "diversity", "suspect", "random")
    administrator = Person("a", "a", "A", "administrator")
    with pytest.raises(ChoiceError, match=message):
        choose(base, "sampling_shares", dict(zip(names, shares, strict=True)), administrator)
