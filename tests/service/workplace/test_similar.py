"""Near-duplicates are found, others are not, and decisions are told to those that resemble."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, func, select, update

from service.workplace.items import Received, add_item, find_item
from service.workplace.schema import BANDS, ITEMS
from service.workplace.similar import Near, forget, grams, index, likeness, near, resemble, retract, spread
from service.workplace.times import now

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


def test_a_large_family_stays_quick_and_names_its_decided_text(engine: Engine) -> None:
    words = random.Random(1).choices(WORDS, k=60)
    with engine.begin() as connection:
        ids = []
        for number in range(150):
            text = " ".join([*words, str(number)])
            ids.append(add_item(connection, Received(text)).id)
            index(connection, ids[-1], text)
            if number == 0:
                connection.execute(update(ITEMS).values(decided_at=now(), decided_level=2, decided_stance="promotes"))
            resemble(connection, ids[-1])
        assert 50 <= len(near(connection, ids[75])) <= 51
        named = connection.execute(select(func.count()).select_from(ITEMS).where(ITEMS.c.resembles == ids[0])).scalar()
    assert named == 149


def test_a_decision_spreads_and_its_withdrawal_takes_it_back(engine: Engine) -> None:
    words = random.Random(2).choices(WORDS, k=60)
    with engine.begin() as connection:
        ids = []
        for number in range(3):
            text = " ".join([*words, str(number)])
            ids.append(add_item(connection, Received(text)).id)
            index(connection, ids[-1], text)
        connection.execute(update(ITEMS).where(ITEMS.c.id == ids[0]).values(decided_at=now()))
        assert spread(connection, ids[0]) == 2
        resembling = [find_item(connection, id) for id in ids]
        assert [item and item.resembles for item in resembling] == [None, ids[0], ids[0]]
        connection.execute(update(ITEMS).where(ITEMS.c.id == ids[0]).values(decided_at=None))
        retract(connection, ids[0])
        assert connection.execute(select(ITEMS.c.resembles)).scalars().all() == [None, None, None]
        forget(connection, ids[0])
        assert [one.item_id for one in near(connection, ids[1])] == [ids[2]]
        assert connection.execute(select(func.count()).select_from(BANDS)).scalar() == 48
