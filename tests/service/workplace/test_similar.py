"""Near-duplicates are found, others are not, and decisions are told to those that resemble."""

import random
import string
from collections import Counter
from time import perf_counter
from typing import Any

import numpy as np
import pytest
from datasketch import MinHash
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, event, func, select, text, update

from model.text import clean, fold, words_of
from service.workplace import alike
from service.workplace.alike import alike_to
from service.workplace.decisions import decisions_of
from service.workplace.items import Received, add_item, find_item
from service.workplace.minhash import VALUES, bands_of, grams, signatures_of
from service.workplace.schema import ITEMS
from service.workplace.scoring import keep
from service.workplace.similar import Near, forget, forget_all, index, index_all, likeness, near, resemble, retract, spread
from service.workplace.similar_schema import BANDS, SIGNATURES
from service.workplace.times import now
from tests.service.workplace.conftest import add_people
from tests.service.workplace.made import prediction, say

WORDS = [f"mot{number}" for number in range(2_000)]


def changed(words: list[str], count: int, rng: random.Random) -> list[str]:
    """The words with `count` of them replaced."""
    places = rng.sample(range(len(words)), count)
    return [f"autre{place}" if place in places else word for place, word in enumerate(words)]


def test_near_duplicates_are_found_and_others_are_not(engine: Engine) -> None:
    rng = random.Random(5)
    originals = [rng.choices(WORDS, k=80) for _ in range(40)]
    ids: list[tuple[str, str]] = []
    with engine.begin() as connection:
        for words in originals:
            pair = []
            for version in (words, changed(words, 3, rng)):
                text = " ".join(version)
                pair.append(add_item(connection, Received(text)).id)
                index(connection, pair[-1], text)
                index(connection, pair[-1], text)
            ids.append((pair[0], pair[1]))
        found = [near(connection, first) for first, _ in ids]
    assert all(one.likeness >= 0.5 for many in found for one in many)
    assert [[one.item_id for one in many] for many in found] == [[second] for _, second in ids]


def test_likeness_is_exact_and_case_and_accents_do_not_count(base: Engine) -> None:
    first = "Séance de magnétisme à distance pour soulager le stress et les douleurs de dos sur rendez-vous 40 euros par séance"
    second = first.upper().replace("É", "E")
    with base.begin() as connection:
        ids = [add_item(connection, Received(text)).id for text in (first, second)]
        for id, text in zip(ids, (first, second), strict=True):
            index(connection, id, text)
        assert near(connection, ids[0]) == [Near(ids[1], 1.0)]


def test_short_texts_are_compared_by_three_words() -> None:
    assert likeness(grams("je soulage le stress à distance"), grams("je soulage le stress à distance aussi")) == 0.8
    assert grams("🙂") == frozenset()


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_likeness_is_symmetric_and_bounded(first: str, second: str) -> None:
    one, other = grams(first), grams(second)
    assert likeness(one, other) == likeness(other, one)
    assert 0 <= likeness(one, other) <= 1
    assert likeness(one, one) == (1 if one else 0)


def test_a_text_without_a_word_is_near_nothing(base: Engine) -> None:
    with base.begin() as connection:
        ids = [add_item(connection, Received(text)).id for text in ("🙂", "🙃")]
        for id, text in zip(ids, "🙂🙃", strict=True):
            index(connection, id, text)
        assert near(connection, ids[0]) == []
        assert near(connection, "inconnu") == []


def family(connection: Connection, count: int, seed: int, words: int = 60) -> list[str]:
    """Indexed texts that are near-duplicates of each other."""
    common = random.Random(seed).choices(WORDS, k=words)
    texts = {add_item(connection, Received(text)).id: text for text in (" ".join([*common, str(n)]) for n in range(count))}
    index_all(connection, texts)
    return list(texts)


def set_decided(engine: Engine, id: str, *, decided: bool = True) -> None:
    with engine.begin() as connection:
        connection.execute(update(ITEMS).where(ITEMS.c.id == id).values(decided_at=now() if decided else None))


def resembling(engine: Engine) -> dict[str, str | None]:
    with engine.connect() as connection:
        return {id: name for id, name in connection.execute(select(ITEMS.c.id, ITEMS.c.resembles))}


def test_a_large_family_stays_quick_and_names_its_decided_text(engine: Engine) -> None:
    with engine.begin() as connection:
        first = family(connection, 1, 1)[0]
    set_decided(engine, first)
    with engine.begin() as connection:
        ids = family(connection, 150, 1)[1:]
    for lot in (ids[:75], ids[75:]):
        resemble(engine, lot)
    with engine.connect() as connection:
        assert 50 <= len(near(connection, ids[75])) <= 51
    assert Counter(resembling(engine).values()) == {None: 1, first: 149}


def test_a_decision_spreads_and_its_withdrawal_takes_it_back(engine: Engine) -> None:
    with engine.begin() as connection:
        ids = family(connection, 3, 2)
    set_decided(engine, ids[0])
    spread(engine, ids[0])
    assert resembling(engine) == {ids[0]: None, ids[1]: ids[0], ids[2]: ids[0]}
    set_decided(engine, ids[0], decided=False)
    retract(engine, ids[0])
    assert set(resembling(engine).values()) == {None}
    with engine.begin() as connection:
        forget(connection, ids[0])
        assert [one.item_id for one in near(connection, ids[1])] == [ids[2]]
        assert connection.execute(select(func.count()).select_from(BANDS)).scalar() == 48


def test_a_withdrawal_leaves_another_decided_text_to_name(engine: Engine) -> None:
    with engine.begin() as connection:
        ids = family(connection, 4, 3)
    for id in ids[:2]:
        set_decided(engine, id)
    spread(engine, ids[0])
    set_decided(engine, ids[0], decided=False)
    retract(engine, ids[0])
    assert [resembling(engine)[id] for id in ids[2:]] == [ids[1], ids[1]]


def test_a_text_withdrawn_while_others_are_compared_is_not_named(engine: Engine) -> None:
    with engine.begin() as connection:
        ids = family(connection, 3, 4)
    # Nobody decided it (any more) when what was compared is written.
    spread(engine, ids[0])
    assert set(resembling(engine).values()) == {None}


def test_the_only_writer_is_not_held_while_a_large_family_is_compared(base: Engine) -> None:
    with base.begin() as connection:
        ids = family(connection, 60, 5, words=600)
    set_decided(base, ids[0])
    spread(base, ids[0])
    set_decided(base, ids[1])
    set_decided(base, ids[0], decided=False)
    held: list[float] = []
    begun: dict[int, float] = {}

    @event.listens_for(base, "begin")
    def begins(connection: Connection) -> None:
        if connection.get_execution_options().get("vigie_writes"):
            begun[id(connection.connection.dbapi_connection)] = perf_counter()

    @event.listens_for(base, "commit")
    def ends(connection: Connection) -> None:
        started = begun.pop(id(connection.connection.dbapi_connection), None)
        if started is not None:
            held.append(perf_counter() - started)

    started = perf_counter()
    retract(base, ids[0])
    spent = perf_counter() - started
    assert set(resembling(base).values()) == {None, ids[1]}
    assert held
    assert max(held) < max(0.05, spent / 4), f"{max(held):.2f} s de {spent:.2f} s"


def test_texts_are_written_in_one_order_whoever_writes_them(engine: Engine) -> None:
    with engine.begin() as connection:
        ids = family(connection, 5, 6)
        texts = {id: find.text for id in ids if (find := find_item(connection, id))}
    set_decided(engine, ids[2])
    written: list[list[str]] = []

    @event.listens_for(engine, "begin")
    def begins(_: Connection) -> None:
        written.append([])

    @event.listens_for(engine, "before_cursor_execute")
    def sees(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        if statement.startswith("UPDATE items"):
            values = parameters.values() if isinstance(parameters, dict) else parameters
            written[-1] += [value for value in values if value in ids and value != ids[2]]

    said = {id: prediction("isolation") for id in reversed(ids)}
    keep(engine, texts, said, 0.5)
    spread(engine, ids[2])
    assert [lot for lot in written if len(lot) > 1]
    assert all(lot == sorted(lot) for lot in written)


def test_a_decision_stands_where_its_near_duplicates_cannot_be_told(base: Engine) -> None:
    person = add_people(base)["analyst"]
    with base.begin() as connection:
        ids = family(connection, 2, 7)
        connection.execute(text("drop table bands"))
    made = say(base, ids[0], person, "isolation")
    with base.connect() as connection:
        assert [one.id for one in decisions_of(connection, ids[0])] == [made]


#: What people write: words, letters with accents, marks, HTML, what other alphabets and old files leave.
MARKS = " \n\t.,;:!?'’«»–—•€°&<>/\"@🌿🙏\u00a0\u200b\u0301"
WRITTEN = st.text(st.sampled_from(string.ascii_letters + string.digits + "ÉéàçœŒ²½ﬁ" + MARKS), max_size=200)


@settings(max_examples=200, deadline=None)
@given(WRITTEN)
def test_what_needs_no_cleaning_has_the_same_words(written: str) -> None:
    """Most texts are not cleaned before their runs of words are taken: it would change none."""
    words = words_of(fold(clean(written).text))
    size = 5 if len(words) >= 20 else 3
    expected = {" ".join(words[i : i + size]) for i in range(max(1, len(words) - size + 1))} if words else set()
    assert grams(written) == expected


@settings(max_examples=40, deadline=None)
@given(st.lists(st.text(st.sampled_from("abcdé .,"), min_size=0, max_size=400), max_size=8))
def test_many_texts_are_signed_as_each_by_the_library(texts: list[str]) -> None:
    found = signatures_of({str(place): written for place, written in enumerate(texts)})
    for place, written in enumerate(texts):
        sketch = MinHash(num_perm=VALUES, seed=1, scheme="affine32")
        sketch.update_batch([gram.encode() for gram in grams(written)])
        expected = sketch.hashvalues.tolist() if grams(written) else []
        assert found[str(place)].values.tolist() == expected
        assert len(found[str(place)].grams) == len(grams(written))


KEYS = [1452537921197276302, 2241207540209681798, 5033356640428534381]


def test_the_keys_of_bands_never_change() -> None:
    """They are kept in databases: others would be found there no more."""
    keys = bands_of(np.arange(VALUES, dtype=np.uint32))
    assert keys.shape == (1, 24)
    assert keys[0, :3].tolist() == KEYS
    assert len(set(bands_of(np.zeros(VALUES, dtype=np.uint32))[0].tolist())) == 24, "chaque bande a les siennes"


def test_many_are_compared_as_each_alone(engine: Engine) -> None:
    rng = random.Random(8)
    with engine.begin() as connection:
        ids = [id for seed in range(5) for id in family(connection, 4, 30 + seed)]
        alone = add_item(connection, Received("Club de marche du jeudi, départ du parking à huit heures.")).id
        index(connection, alone, "Club de marche du jeudi, départ du parking à huit heures.")
        rng.shuffle(ids)
        many = alike_to(connection, [*ids, alone, "inconnu"], 0.4)
        assert {id: list(found.near) for id, found in many.items()} == {id: near(connection, id, 0.4) for id in [*ids, alone]}
        assert [len(many[id].near) for id in ids] == [3] * 20
        assert not any(found.crowded for found in many.values())


def test_a_text_that_too_many_resemble_is_said_to_be_compared_in_part(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alike, "PER_BAND", 5)
    with engine.begin() as connection:
        ids = family(connection, 12, 50)
        other = family(connection, 3, 51)
        found = alike_to(connection, [ids[0], ids[-1], other[0]])
    assert [found[id].crowded for id in (ids[0], ids[-1], other[0])] == [True, True, False]
    # The newest of them are those that were seen.
    assert {one.item_id for one in found[ids[0]].near} >= set(ids[-5:])


def test_a_text_signed_before_its_runs_of_words_were_kept_is_compared(engine: Engine) -> None:
    with engine.begin() as connection:
        ids = family(connection, 3, 52)
        before = near(connection, ids[0])
        connection.execute(update(SIGNATURES).where(SIGNATURES.c.item_id.in_(ids[:2])).values(grams=None))
        assert near(connection, ids[0]) == before != []


def test_texts_taken_out_leave_nothing_to_find_them_by(engine: Engine) -> None:
    with engine.begin() as connection:
        ids = family(connection, 6, 53)
        forget_all(connection, ids[1:])
        assert connection.execute(select(func.count()).select_from(BANDS)).scalar() == 24
        assert connection.execute(select(SIGNATURES.c.item_id)).scalars().all() == ids[:1]
        assert near(connection, ids[0]) == []
