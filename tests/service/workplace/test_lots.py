"""Queries about many keys at once say the same on both databases."""

from collections import defaultdict

import pytest
from sqlalchemy import Engine, select

from service.workplace.items import Received, add_items
from service.workplace.lots import KEYS, among, insert_new, keys_for, newest_of_each
from service.workplace.schema import ITEMS
from service.workplace.similar_schema import BANDS, SIGNATURES


@pytest.fixture
def rows(engine: Engine) -> dict[int, list[int]]:
    """Bands of one to nine texts, some with keys under zero."""
    made = {(-1) ** band * band * 2**40: list(range(band, 2 * band)) for band in range(1, 10)}
    with engine.begin() as connection:
        connection.execute(BANDS.insert(), [{"band": band, "number": number} for band in made for number in made[band]])
    return made


@pytest.mark.parametrize("most", [1, 3, 50])
def test_of_each_key_the_newest_come_back(engine: Engine, rows: dict[int, list[int]], most: int) -> None:
    asked = [*list(rows)[2:], 12345]
    found: dict[int, set[int]] = defaultdict(set)
    with engine.connect() as connection:
        query = newest_of_each(connection, BANDS.c.band, BANDS.c.number, most)
        for band, number in connection.execute(query, {KEYS: keys_for(connection, asked)}):
            found[band].add(number)
    assert found == {band: set(rows[band][-most:]) for band in asked if band in rows}


def test_conditions_are_met_before_the_newest_are_taken(engine: Engine, rows: dict[int, list[int]]) -> None:
    with engine.connect() as connection:
        query = newest_of_each(connection, BANDS.c.band, BANDS.c.number, 2, lambda table: (table.c.number % 2 == 0,))
        found = connection.execute(query, {KEYS: keys_for(connection, list(rows))}).all()
    expected = {(band, number) for band in rows for number in [one for one in rows[band] if one % 2 == 0][-2:]}
    assert {tuple(row) for row in found} == expected


def test_no_key_finds_nothing_and_thousands_are_one_value(engine: Engine) -> None:
    with engine.begin() as connection:
        ids = [one.id for one in add_items(connection, [Received(f"texte numéro {number}") for number in range(40)])]
        query = select(ITEMS.c.id).where(among(connection, ITEMS.c.id))
        assert connection.scalars(query, {KEYS: keys_for(connection, [])}).all() == []
        asked = [*ids[::2], *(f"x{number}" for number in range(80_000))]
        assert sorted(connection.scalars(query, {KEYS: keys_for(connection, asked)})) == sorted(ids[::2])


def test_rows_that_are_there_stay_as_they_are(engine: Engine) -> None:
    with engine.begin() as connection:
        ids = [one.id for one in add_items(connection, [Received("un"), Received("deux")])]
        new = insert_new(connection, SIGNATURES)
        connection.execute(new, [{"item_id": ids[0], "minhash": b"1", "grams": None}])
        connection.execute(new, [{"item_id": id, "minhash": b"2", "grams": None} for id in ids])
        kept = select(SIGNATURES.c.minhash).order_by(SIGNATURES.c.item_id)
        assert connection.scalars(kept).all() == [b"1", b"2"]
