"""A search means the same on SQLite and PostgreSQL, whatever the words."""

import pytest
from sqlalchemy import Engine

from service.workplace.filters import Filter
from service.workplace.items import Received, add_item
from service.workplace.people import Person, Role
from service.workplace.queue import page_of
from service.workplace.search import extract

TEXTS = {
    "a": "Bijoux en or, en argent ou en cuivre : le métal guérit.",
    "b": "Argent et cuivre seulement.",
    "c": "Une GUÉRISON sans médecin, dit-il ; l\u2019œuvre d'une vie.",
    "d": "Cours de yoga doux. Des guérisons ? Non.",
    "e": "Rendez-vous le mardi, salle_des_fêtes, à Besanc\u0327on.",
    "f": "Medecin sans le savoir.",
    "g": "Œuvre du CŒUR : une soeur et un coeur, ex æquo.",
    "h": "Deux cœurs, une sœur.",
}


@pytest.fixture
def named(engine: Engine, people: dict[Role, Person]) -> dict[str, str]:
    with engine.begin() as connection:
        return {add_item(connection, Received(text)).id: name for name, text in TEXTS.items()}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("or", "a"),
        ("argent or cuivre", "a"),
        ("argent OR cuivre", "a"),
        ("argent cuivre", "ab"),
        ("le", "aef"),
        ('"le"', "aef"),
        ("-le", "bcdgh"),
        ("-guérison", "abefgh"),
        ("-guérison -cuivre", "efgh"),
        ("-yoga", "abcefgh"),
        ("guerison", "cd"),
        ("guérisons", "cd"),
        ("guérison -yoga", "c"),
        ('"guérison"', "c"),
        ('"sans médecin"', "c"),
        ('"médecin sans"', "f"),
        ("rendez-vous", "e"),
        ("besançon", "e"),
        ("fêtes", "e"),
        ("l'œuvre", "c"),
        ("guérit", "a"),
        ("coeur", "gh"),
        ("cœur", "gh"),
        ("sœurs coeurs", "gh"),
        ('"soeur"', "gh"),
        ('"deux coeurs"', "h"),
        ('"cœur une soeur"', "g"),
        ("oeuvre", "cg"),
        ("ex aequo", "g"),
        ("-coeur -sœur", "abcdef"),
        ("and not near", ""),
        ("or!", "a"),
        ("a:* & | ! <-> '", "e"),
        ("… !", "abcdefgh"),
    ],
)
def test_a_search_finds_the_same_texts_on_both(
    engine: Engine, people: dict[Role, Person], named: dict[str, str], query: str, expected: str
) -> None:
    with engine.connect() as connection:
        page = page_of(connection, Filter(q=query), people["analyst"])
    assert "".join(sorted(named[row.id] for row in page.rows)) == expected


def test_an_extract_shows_a_word_found_with_its_ligature() -> None:
    found = [piece.text for piece in extract("Une sœur, un coeur, le CŒUR.", "coeurs soeur") if piece.found]
    assert found == ["sœur", "coeur", "CŒUR"]
