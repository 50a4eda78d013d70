"""Two people never work on one text."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from service.workplace.claims import (
    LASTS,
    Taken,
    claim,
    claim_many,
    claim_of,
    claimed_by,
    claims_of,
    free,
    release,
    release_all,
    renew,
)
from service.workplace.people import Person, Role
from service.workplace.times import now
from tests.service.workplace.conftest import add_person
from tests.service.workplace.volume import fill

People = dict[Role, Person]


@pytest.fixture
def ids(engine: Engine) -> list[str]:
    return fill(engine, 10)


def test_one_of_many_gets_the_text_and_the_others_are_told(engine: Engine, ids: list[str]) -> None:
    with engine.begin() as connection:
        crowd = [add_person(connection, f"lecteur{number}", "analyst") for number in range(12)]

    def take(person: Person) -> str:
        try:
            with engine.begin() as connection:
                return claim(connection, ids[0], person).name
        except Taken as taken:
            return f"pris par {taken.by}"

    with ThreadPoolExecutor(12) as pool:
        told = list(pool.map(take, crowd))
    (winner,) = (name for name in told if not name.startswith("pris"))
    assert told.count(f"pris par {winner}") == 11


def test_a_claim_ends_after_half_an_hour_unless_renewed(engine: Engine, people: People, ids: list[str]) -> None:
    start = now() - timedelta(minutes=50)
    analyst, reviewer = people["analyst"], people["reviewer"]
    with engine.begin() as connection:
        assert claim(connection, ids[0], analyst, start).expires_at == start + LASTS
        renewed = claim(connection, ids[0], analyst, start + timedelta(minutes=25))
        assert (renewed.claimed_at, renewed.expires_at) == (start, start + timedelta(minutes=55))
        with pytest.raises(Taken) as taken:
            claim(connection, ids[0], reviewer)
        assert (taken.value.by, taken.value.until) == ("Analyst", renewed.expires_at)
        assert claim(connection, ids[0], reviewer, start + timedelta(minutes=56)).user_id == reviewer.id
        with pytest.raises(Taken):
            claim(connection, ids[0], analyst)


def test_pages_are_taken_and_given_back(engine: Engine, people: People, ids: list[str]) -> None:
    analyst, reviewer, administrator = people["analyst"], people["reviewer"], people["administrator"]
    with engine.begin() as connection:
        claim(connection, ids[3], reviewer)
        assert claim_many(connection, ids, analyst) == [id for id in ids if id != ids[3]]
        assert set(claimed_by(connection, analyst)) == set(ids) - {ids[3]}
        assert claims_of(connection, ids)[ids[3]].name == "Reviewer"
        assert not release(connection, ids[0], reviewer)
        assert release(connection, ids[0], analyst)
        assert not release(connection, ids[1], administrator), "rendre ne libère que ses propres textes"
        freed = free(connection, ids[1])
        assert freed is not None
        assert freed.name == "Analyst"
        assert claim_of(connection, ids[1]) is None
        assert renew(connection, ids[1], analyst) is None, "ce qui a été libéré ne se reprend pas sans le dire"
        assert claim_of(connection, ids[1]) is None
        assert renew(connection, ids[2], analyst) is not None
        assert release_all(connection, analyst) == 7
        assert claim_of(connection, ids[3]) is not None


def test_only_texts_that_exist_can_be_taken(engine: Engine, people: People) -> None:
    with pytest.raises(IntegrityError), engine.begin() as connection:
        claim(connection, "rien", people["analyst"])
