"""Second readings are drawn by chance, made blind by somebody else, and settle what a text's state is."""

import pytest
from sqlalchemy import Engine, select

from service.workplace.choices import ChoiceError, changes, choice, choose, secret
from service.workplace.claims import claim
from service.workplace.decisions import withdraw
from service.workplace.people import Person, Role
from service.workplace.reading import (
    ReadingError,
    blind_for,
    drawn_for_second,
    drop_golden,
    find_reading,
    hidden_from,
    make_golden,
    next_reading,
    put_back,
    waiting_for,
)
from service.workplace.schema import CLAIMS, GOLDEN, ITEMS, READINGS
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


def test_second_reader_who_files_again_leaves_no_reading_that_nobody_can_make(engine: Engine, people: People) -> None:
    choose(engine, "second_share", 1, people["administrator"])
    item = _text(engine)
    say(engine, item, people["analyst"], "miracle_cure")
    say(engine, item, people["reviewer"], "miracle_cure", kind="second")
    say(engine, item, people["reviewer"], "pseudo_science")
    with engine.connect() as connection:
        state = connection.execute(select(ITEMS.c.state).where(ITEMS.c.id == item)).scalar_one()
        waits = connection.execute(select(READINGS.c.id).where(READINGS.c.item_id == item, READINGS.c.state == "waiting")).first()
    assert (state == "open") == (waits is not None)


def test_differing_readings_wait_for_adjudication(engine: Engine, people: People) -> None:
    _share(engine, people, 1)
    item = _text(engine)
    first = say(engine, item, people["analyst"], "miracle_cure")
    say(engine, item, people["reviewer"], "pseudo_science", kind="second")
    assert (_state(engine, item), _level(engine, item)) == ("disputed", 2)
    adjudication = say(engine, item, people["administrator"], "pseudo_science", kind="adjudication")
    assert (_state(engine, item), _level(engine, item)) == ("done", 1)
    withdraw(engine, adjudication, people["administrator"])
    assert _state(engine, item) == "disputed"
    withdraw(engine, first, people["analyst"])
    assert (_state(engine, item), _level(engine, item)) == ("done", 1), "il reste la seconde lecture"


def test_withdrawn_second_reading_waits_anew(engine: Engine, people: People) -> None:
    _share(engine, people, 1)
    item = _text(engine)
    say(engine, item, people["analyst"], "miracle_cure")
    second = say(engine, item, people["reviewer"], "pseudo_science", kind="second")
    withdraw(engine, second, people["reviewer"])
    assert _state(engine, item) == "open"
    assert next_reading(engine, people["reviewer"]) is None, "qui a déjà lu le texte ne le relit pas à l'aveugle"
    assert next_reading(engine, people["administrator"])


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
        assert waiting_for(connection, people["administrator"]) == 1
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
        assert not blind_for(connection, golden, people["reviewer"])
        assert drop_golden(connection, golden)
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
