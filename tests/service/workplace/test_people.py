"""Accounts, passwords, sessions and keys, on both kinds of database."""

from sqlalchemy import Engine

from service.workplace.people import Person, Role, create_user, find_person, list_people
from service.workplace.signin import check_sign_in
from tests.service.workplace.conftest import PASSWORD


def test_a_person_signs_in(engine: Engine, people: dict[Role, Person]) -> None:
    made = create_user(engine, " Zoé@Exemple.example ", "Zoé  Martin", "reviewer", PASSWORD)
    assert made == Person(made.id, "zoé@exemple.example", "Zoé Martin", "reviewer")
    assert find_person(engine, made.id) == made
    assert {person.name for person in list_people(engine)} == {"Analyst", "Reviewer", "Administrator", "Zoé Martin"}
    assert check_sign_in(engine, "ZOÉ@exemple.example", PASSWORD) == made
    assert check_sign_in(engine, "zoé@exemple.example", PASSWORD + " ") is None
