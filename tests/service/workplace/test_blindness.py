"""Who reads blind knows nothing: what was opened, looked alike or was told elsewhere keeps people out, and origins stay."""

import pytest
from sqlalchemy import Engine, select, text, update

from service.database import connect_database
from service.migrations import upgrade
from service.workplace.choices import choose
from service.workplace.comments import comments_of
from service.workplace.decided import decisions_of
from service.workplace.decisions import DecisionError, decide, withdraw
from service.workplace.draws import (
    ask_second,
    begun_among,
    find_reading,
    give_up,
    next_reading,
    put_back,
    stuck_readings,
    waiting_of,
)
from service.workplace.golden import ReadingError, drop_golden, make_golden
from service.workplace.people import Person, Role
from service.workplace.reading import blind_for, hidden_from
from service.workplace.schema import CLAIMS, ITEMS, READINGS
from service.workplace.seen import note_seen, unseen_of
from service.workplace.similar import index
from service.workplace.textpage import note_opened, whole_of
from tests.service.workplace.conftest import add_person
from tests.service.workplace.made import TEXT, add, say, verdict

People = dict[Role, Person]


@pytest.fixture
def people(engine: Engine) -> People:
    """One person of each role, and one more reader; every text is read twice, none is golden."""
    with engine.begin() as connection:
        made = {role: add_person(connection, role, role) for role in ("analyst", "reviewer", "administrator")}
    choose(engine, "second_share", 1, made["administrator"])
    choose(engine, "golden_share", 0, made["administrator"])
    return made  # type: ignore[return-value]


def _text(engine: Engine, words: str | None = None) -> str:
    with engine.begin() as connection:
        item = add(connection, text=words)
        if words:
            index(connection, item, words)
        return item


def _see(engine: Engine, item: str, person: Person) -> None:
    """Open a text's page."""
    whole = whole_of(engine, item, person)
    assert whole
    assert not whole.blind
    note_opened(engine, whole, person)


def _golden(engine: Engine, people: People, words: str | None = None) -> str:
    choose(engine, "second_share", 0, people["administrator"])
    item = _text(engine, words)
    say(engine, item, people["administrator"], "miracle_cure")
    with engine.begin() as connection:
        make_golden(connection, item, people["administrator"])
    choose(engine, "second_share", 1, people["administrator"])
    return item


def test_who_opened_the_page_does_not_read_blind(engine: Engine, people: People) -> None:
    item = _text(engine)
    _see(engine, item, people["reviewer"])
    with engine.connect() as connection:
        assert unseen_of(connection, [item, "autre"], people["reviewer"]) == ["autre"]
    say(engine, item, people["analyst"], "miracle_cure")
    assert next_reading(engine, people["reviewer"]) is None
    with engine.connect() as connection:
        assert waiting_of(connection, people["reviewer"]) == (0, 1)
        assert waiting_of(connection, people["administrator"]) == (
            1,
            0,
        )
    assert next_reading(engine, people["administrator"])
    # Nor out of turn, where an error is suspected.
    choose(engine, "second_share", 0, people["administrator"])
    other = _text(engine)
    say(engine, other, people["analyst"], "miracle_cure")
    _see(engine, other, people["reviewer"])
    with engine.begin() as connection:
        assert ask_second(connection, other, people["reviewer"]) is None
        assert connection.execute(select(CLAIMS.c.item_id).where(CLAIMS.c.item_id == other)).first() is None
        assert ask_second(connection, other, people["administrator"])


def test_who_opened_one_almost_the_same_does_not_either(engine: Engine, people: People) -> None:
    words = " ".join(f"mot{number}" for number in range(60))
    seen = _text(engine, f"{words} un")
    _see(engine, seen, people["reviewer"])
    # The other comes later: what was opened before is looked for when it is drawn.
    item = _text(engine, f"{words} deux")
    say(engine, item, people["analyst"], "miracle_cure")
    with engine.connect() as connection:
        assert waiting_of(connection, people["reviewer"]).mine == 1
    assert next_reading(engine, people["reviewer"]) is None
    with engine.connect() as connection:
        assert waiting_of(connection, people["reviewer"]).mine == 0, "ce qui ne peut être fait n'est plus compté"
    given = next_reading(engine, people["administrator"])
    assert given
    # While it is being read, the page of the other is shut, and nothing leads from one to the other.
    with engine.connect() as connection:
        assert begun_among(connection, [item], people["administrator"]) == given.id
    whole = whole_of(engine, seen, people["administrator"])
    assert whole
    assert whole.blind
    whole = whole_of(engine, seen, people["reviewer"])
    assert whole
    assert (whole.blind, list(whole.near)) == (False, [])


def test_a_golden_text_is_shut_to_readers_for_good_and_known_to_none_who_saw_it(engine: Engine, people: People) -> None:
    choose(engine, "second_share", 0, people["administrator"])
    item = _text(engine)
    say(engine, item, people["administrator"], "miracle_cure")
    # Whoever saw it decided, before it was golden, is never given it.
    _see(engine, item, people["reviewer"])
    with engine.begin() as connection:
        make_golden(connection, item, people["administrator"])
    choose(engine, "second_share", 1, people["administrator"])
    with engine.begin() as connection:
        lou, ari = (add_person(connection, login, "analyst") for login in ("lou", "ari"))
        assert blind_for(connection, item, lou)
        shown = select(ITEMS.c.id).where(ITEMS.c.id.not_in(hidden_from(lou)))
        assert item not in connection.scalars(shown)
        assert blind_for(connection, item, people["reviewer"])
    choose(engine, "golden_share", 0.5, people["administrator"])
    for _ in range(40):
        say(engine, _text(engine), people["administrator"], "miracle_cure")
    given = {"reviewer": set[str](), "lou": set[str]()}
    for person in (people["reviewer"], lou):
        for _ in range(20):
            reading = next_reading(engine, person)
            assert reading
            given[person.login].add(reading.item_id)
            with engine.begin() as connection:
                put_back(connection, reading, person)
    assert item not in given["reviewer"]
    assert item in given["lou"]
    with engine.connect() as connection:
        assert blind_for(connection, item, lou), "rendu, il reste fermé"
        assert not blind_for(connection, item, people["administrator"])
    with engine.begin() as connection:
        assert drop_golden(connection, item, people["administrator"])
        assert not blind_for(connection, item, ari)


def test_beginning_a_golden_reading_counts_as_any_other(engine: Engine, people: People) -> None:
    golden = _golden(engine, people)
    seconds = [_text(engine) for _ in range(2)]
    for item in seconds:
        say(engine, item, people["administrator"], "miracle_cure")
    reader = people["analyst"]
    choose(engine, "golden_share", 0.5, people["administrator"])
    counts = set()
    begun: set[str] = set()
    for _ in range(60):
        with engine.connect() as connection:
            before = waiting_of(connection, reader).mine
        reading = next_reading(engine, reader)
        assert reading
        begun.add(reading.kind)
        with engine.begin() as connection:
            counts.add((before, waiting_of(connection, reader).mine))
            # As if it had never been begun.
            gone = READINGS.c.id == reading.id
            if reading.kind == "golden":
                connection.execute(READINGS.delete().where(gone))
            else:
                connection.execute(update(READINGS).where(gone).values(user_id=None))
            connection.execute(CLAIMS.delete())
        if len(begun) == 2:
            break
    assert begun == {"second", "golden"}
    assert counts == {(2, 2)}, golden


def test_nobody_erases_what_they_read_blind(engine: Engine, people: People) -> None:
    golden = _golden(engine, people)
    kept = say(engine, golden, people["reviewer"], "pseudo_science", kind="golden")
    item = _text(engine)
    say(engine, item, people["analyst"], "miracle_cure")
    second = say(engine, item, people["reviewer"], "miracle_cure", kind="second")
    told = set()
    for decision in (kept, second):
        with pytest.raises(DecisionError) as refused:
            withdraw(engine, decision, people["reviewer"])
        told.add(str(refused.value))
    assert len(told) == 1, "les mots ne disent pas lequel est l'étalon"
    assert "étalon" not in told.pop()
    assert withdraw(engine, kept, people["administrator"])


def test_a_suspected_error_keeps_its_origin_whoever_reads_it_in_the_end(engine: Engine, people: People) -> None:
    choose(engine, "second_share", 0, people["administrator"])
    item = _text(engine)
    say(engine, item, people["analyst"], "miracle_cure")
    with engine.begin() as connection:
        reading = ask_second(connection, item, people["reviewer"], "disagreement", 0.15)
    assert reading
    again = next_reading(engine, people["reviewer"])
    assert again
    assert (again.drawn_by, again.drawn_share) == ("disagreement", 0.15)
    with engine.begin() as connection:
        put_back(connection, again, people["reviewer"])
    other = next_reading(engine, people["administrator"])
    assert other
    assert (other.id, other.drawn_by, other.drawn_share) == (reading.id, "disagreement", 0.15)


def test_a_text_given_back_does_not_come_back(engine: Engine, people: People) -> None:
    items = [_text(engine) for _ in range(2)]
    for item in items:
        say(engine, item, people["analyst"], "miracle_cure")
    first = next_reading(engine, people["reviewer"])
    assert first
    with engine.begin() as connection:
        put_back(connection, first, people["reviewer"])
    second = next_reading(engine, people["reviewer"])
    assert second
    assert {first.item_id, second.item_id} == set(items)
    say(engine, second.item_id, people["reviewer"], "miracle_cure", kind="second")
    assert next_reading(engine, people["reviewer"]) is None
    assert next_reading(engine, people["administrator"])


def test_where_nobody_is_left_the_administration_does_without(engine: Engine, people: People) -> None:
    item = _text(engine)
    say(engine, item, people["analyst"], "miracle_cure")
    with engine.begin() as connection:
        note_seen(connection, [item], people["reviewer"])
        assert stuck_readings(connection) == [], "l'administration pourrait encore la faire"
        note_seen(connection, [item], people["administrator"], "near")
        (found,) = stuck_readings(connection)
        assert (found.item_id, found.drawn_by) == (item, "second_share")
        with pytest.raises(ReadingError, match="administration"):
            give_up(connection, found.id, people["reviewer"])
        assert give_up(connection, found.id, people["administrator"]) == item
        assert connection.execute(select(ITEMS.c.state).where(ITEMS.c.id == item)).scalar_one() == "done"
        assert "abandonnée" in comments_of(connection, item)[0].text
        with pytest.raises(ReadingError, match="encore"):
            give_up(connection, found.id, people["administrator"])
    # It is not drawn anew when its first reader corrects themselves.
    say(engine, item, people["analyst"], "pseudo_science")
    with engine.connect() as connection:
        assert [one.kind for one in decisions_of(connection, item)] == ["first", "first"]
        assert connection.execute(select(ITEMS.c.state).where(ITEMS.c.id == item)).scalar_one() == "done"


def test_who_speaks_of_a_text_elsewhere_does_not_go_on_reading_it_blind(engine: Engine, people: People) -> None:
    item = _text(engine)
    say(engine, item, people["analyst"], "miracle_cure")
    reading = next_reading(engine, people["reviewer"])
    assert reading
    decide(engine, item, people["reviewer"], verdict("pseudo_science", drawn_by="label_studio"), None)
    with engine.connect() as connection:
        assert decisions_of(connection, item)[-1].kind == "revision"
        assert find_reading(connection, reading.id, people["reviewer"]) is None
        assert connection.execute(select(ITEMS.c.state).where(ITEMS.c.id == item)).scalar_one() == "open"
    given = next_reading(engine, people["administrator"])
    assert given
    assert given.id == reading.id


def test_a_first_reading_that_changes_asks_for_the_same_second_one_again(engine: Engine, people: People) -> None:
    item = _text(engine)
    first = say(engine, item, people["analyst"], "miracle_cure")
    reading = next_reading(engine, people["reviewer"])
    assert reading
    withdraw(engine, first, people["analyst"])
    with engine.connect() as connection:
        assert find_reading(connection, reading.id, people["reviewer"]) is None
        assert not blind_for(connection, item, people["reviewer"])
    say(engine, item, people["analyst"], "miracle_cure")
    with engine.begin() as connection:
        connection.execute(CLAIMS.delete())
    again = next_reading(engine, people["reviewer"])
    assert again
    assert again.id == reading.id


def test_readings_of_before_keep_their_origin_through_the_step(engine: Engine) -> None:
    fresh = _before(engine)
    with fresh.begin() as connection:
        at = "2026-11-01 00:00:00+00:00"
        connection.execute(
            text("insert into users values ('u', 'u', 'U', 'analyst', 'x', :yes, 0, null, :at)"), {"yes": True, "at": at}
        )
        for id in "abc":
            columns = "id, text, sha256, words, source, received_at, seen, at_risk, hesitates, doubt, state, contradicts"
            values = f"'{id}', '{TEXT}', '{id}', 3, 's', :at, 1, :no, :no, 0, 'open', :no"
            connection.execute(text(f"insert into items ({columns}) values ({values})"), {"no": False, "at": at})
        columns = "id, item_id, user_id, made_at, kind, verdict, targets, indicators, drawn_by, drawn_share"
        values = "'d', 'a', 'u', :at, 'second', 'unsure', '[]', '[]', 'suspect', 0.1"
        connection.execute(text(f"insert into decisions ({columns}) values ({values})"), {"at": at})
        for id, item, kind, state, decision in (
            ("1", "a", "second", "done", "d"),
            ("2", "b", "second", "waiting", None),
            ("3", "c", "golden", "waiting", None),
        ):
            connection.execute(
                text("insert into readings values (:id, :item, :kind, null, :state, :at, null, :decision)"),
                {"id": id, "item": item, "kind": kind, "state": state, "decision": decision, "at": at},
            )
        upgrade(connection)
        rows = connection.execute(select(READINGS.c.id, READINGS.c.drawn_by, READINGS.c.drawn_share)).all()
        assert {tuple(row) for row in rows} == {("1", "suspect", 0.1), ("2", "unknown", None), ("3", "golden_share", None)}
        assert [one.sent_by for one in decisions_of(connection, "a")] == [None]
    fresh.dispose()


def _before(engine: Engine) -> Engine:
    """A database of the same kind, as it was before this step."""
    url = engine.url
    if engine.dialect.name == "sqlite":
        url = url.set(database=f"{url.database}.avant")
    else:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"create database {url.database}_avant"))
        url = url.set(database=f"{url.database}_avant")
    made = connect_database(url.render_as_string(hide_password=False))
    with made.begin() as connection:
        upgrade(connection, "0003")
    return made
