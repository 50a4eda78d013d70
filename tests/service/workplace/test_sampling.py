"""What is read next follows the shares; each way finds what it looks for; the random sample stays one."""

from collections import Counter
from collections.abc import Mapping
from itertools import count

import pytest
from sqlalchemy import Engine, select, update

from model.decide import OperatingPoint
from model.labels import INDICATOR_IDS, TARGET_IDS
from service.database import sha256_text
from service.workplace import candidates, sampling
from service.workplace.choices import POLICIES, choose
from service.workplace.claims import claim, release
from service.workplace.cohorts import sample
from service.workplace.items import keep_prediction
from service.workplace.people import Person, Role
from service.workplace.sampling import draw, drawn, forget_candidates
from service.workplace.schema import ITEMS, READINGS, TRAINING_DECISIONS, TRAININGS
from service.workplace.times import now
from tests.service.workplace.made import add, prediction, say

People = dict[Role, Person]
POINT = OperatingPoint({name: 0.5 for name in INDICATOR_IDS}, 0.5, {name: 0.5 for name in TARGET_IDS}, 0.5)


def _only(engine: Engine, people: People, policy: str) -> None:
    """All but the least random share to one way."""
    most = {"random": 1.0} if policy == "random" else {policy: 0.9, "random": 0.1}
    choose(engine, "sampling_shares", dict.fromkeys(POLICIES, 0.0) | most, people["administrator"])
    choose(engine, "second_share", 0, people["administrator"])


def _digests(engine: Engine) -> Mapping[str, str]:
    with engine.connect() as connection:
        return {id: digest for id, digest in connection.execute(select(ITEMS.c.id, ITEMS.c.sha256).order_by(ITEMS.c.sha256))}


def test_ways_come_as_often_as_their_shares(base: Engine) -> None:
    shares = {"uncertainty": 0.5, "disagreement": 0.0, "diversity": 0.2, "suspect": 0.0, "random": 0.3}
    orders = [sampling._order(shares) for _ in range(3_000)]
    first = Counter(order[0] for order in orders)
    assert set(first) == {"uncertainty", "diversity", "random"}
    for policy, number in first.items():
        assert abs(number / len(orders) - shares[policy]) < 0.04
    assert all(sorted(order) == ["diversity", "random", "uncertainty"] for order in orders), "une façon vide passe son tour"


def test_random_walk_follows_the_digests_and_nobody_chooses(engine: Engine, people: People) -> None:
    _only(engine, people, "random")
    with engine.begin() as connection:
        for _ in range(6):
            add(connection, prediction())
    furthest = max(_digests(engine).values())
    with engine.begin() as connection:
        # After all the others: what the model has not read ends the beginning that counts.
        unscored = add(connection, text=next(one for n in count() if sha256_text(one := f"Pas encore lu, {n}.") > furthest))
    order = [id for id in _digests(engine) if id != unscored]
    analyst, reviewer = people["analyst"], people["reviewer"]
    first = draw(engine, analyst, POINT)
    assert first
    assert (first.item_id, first.policy, first.share) == (order[0], "random", 1.0)
    again = draw(engine, analyst, POINT)
    assert again
    assert again.item_id == order[0], "redemander ne change pas de texte"
    other = draw(engine, reviewer, POINT)
    assert other
    assert other.item_id == order[1]
    with engine.begin() as connection:
        release(connection, order[1], reviewer)
        assert sample(connection).texts == 0
    say(engine, order[2], reviewer)
    say(engine, order[0], analyst, drawn_by="random", drawn_share=1.0)
    with engine.connect() as connection:
        assert sample(connection).texts == 1, "le texte au-delà de la lecture au hasard ne compte pas"


def test_token_says_how_a_text_came_and_cannot_be_made_up(engine: Engine, people: People) -> None:
    _only(engine, people, "random")
    with engine.begin() as connection:
        item = add(connection, prediction())
        other = add(connection, prediction())
    found = draw(engine, people["analyst"], POINT)
    assert found
    path, _, query = found.path.partition("?tirage=")
    assert path == f"/textes/{found.item_id}"
    token = query.replace("%3A", ":")
    with engine.connect() as connection:
        assert drawn(connection, token, found.item_id, people["analyst"]) == ("random", 1.0)
        queue = ("queue", None)
        assert drawn(connection, token, other if found.item_id == item else item, people["analyst"]) == queue
        assert drawn(connection, token, found.item_id, people["reviewer"]) == queue
        assert drawn(connection, token.replace("random", "suspect"), found.item_id, people["analyst"]) == queue
        for wrong in (None, "", "random", "random:1.0000:", "random:x:y", "random:²:y", ":::"):
            assert drawn(connection, wrong, found.item_id, people["analyst"]) == queue


def test_uncertainty_takes_each_label_in_turn(engine: Engine, people: People) -> None:
    with engine.begin() as connection:
        sure = add(connection, prediction("miracle_cure"))
        flag = [add(connection, prediction("miracle_cure", risk=risk)) for risk in (0.45, 0.48, 0.52)]
        rare = add(connection, prediction(scores={"isolation": 0.4}))
        far = add(connection, prediction(scores={"isolation": 0.4}, promotes=0.1))
        found = list(candidates.uncertain(connection, POINT))
    ids = [one.item_id for one in found]
    assert sure not in ids
    assert far not in ids, "un signe dans un texte qui ne promeut rien n'est pas une question"
    assert {one.why for one in found[:2]} == {"flag", "isolation"}, "une étiquette rare n'est pas noyée"
    assert rare in ids[:2]
    assert ids.index(flag[2]) < ids.index(flag[0])


def test_disagreement_finds_people_models_and_readings(engine: Engine, people: People) -> None:
    _only(engine, people, "disagreement")
    with engine.begin() as connection:
        changed = add(connection, prediction("miracle_cure", version="m1"))
        keep_prediction(connection, changed, prediction(version="m2"))
        same = add(connection, prediction("miracle_cure", version="m1"))
        keep_prediction(connection, same, prediction("miracle_cure", version="m2"))
        against = add(connection, prediction("miracle_cure"))
        disputed = add(connection, prediction("miracle_cure"))
    say(engine, against, people["analyst"])
    choose(engine, "second_share", 1, people["administrator"])
    say(engine, disputed, people["analyst"], "miracle_cure")
    say(engine, disputed, people["reviewer"], kind="second")
    with engine.connect() as connection:
        found = {(one.item_id, one.task, one.why) for one in candidates.disagreed(connection)}
    assert found == {
        (disputed, "adjudication", "readers"),
        (against, "second", "model"),
        (changed, "first", "older_model"),
    }
    assert same not in {one[0] for one in found}


def test_person_against_model_is_read_again_blind_by_another(engine: Engine, people: People) -> None:
    _only(engine, people, "disagreement")
    with engine.begin() as connection:
        item = add(connection, prediction("miracle_cure"))
    say(engine, item, people["analyst"])
    assert draw(engine, people["analyst"], POINT) is None, "personne ne relit son propre texte"
    forget_candidates(engine)
    found = draw(engine, people["reviewer"], POINT)
    assert found
    assert (found.item_id, found.task, found.policy) == (item, "second", "disagreement")
    with engine.connect() as connection:
        reading = connection.execute(select(READINGS)).mappings().one()
        # How it was drawn stays with the reading, not in an address that the next reader would not have.
        assert found.path == f"/relecture/{reading['id']}?retour=1"
        assert (reading["drawn_by"], reading["drawn_share"]) == ("disagreement", found.share)
        assert connection.execute(select(ITEMS.c.state).where(ITEMS.c.id == item)).scalar() == "open"


def test_disputed_text_goes_to_a_reviewer_who_read_it_not(engine: Engine, people: People) -> None:
    _only(engine, people, "disagreement")
    choose(engine, "second_share", 1, people["administrator"])
    with engine.begin() as connection:
        item = add(connection, prediction("miracle_cure"))
    say(engine, item, people["analyst"], "miracle_cure")
    say(engine, item, people["reviewer"], "isolation", "pseudo_science", kind="second")
    assert draw(engine, people["reviewer"], POINT) is None
    found = draw(engine, people["administrator"], POINT)
    assert found
    assert found.path.startswith(f"/arbitrage/{item}?tirage=")


def test_diversity_starts_with_groups_that_nobody_read(engine: Engine, people: People) -> None:
    choose(engine, "second_share", 0, people["administrator"])
    with engine.begin() as connection:
        stones = [add(connection, prediction(), f"Pierres et cristaux de quartz rose pour apaiser, lot {n}") for n in range(12)]
        fasts = [add(connection, prediction(), f"Jeûne sec de sept jours en montagne avec guide, séjour {n}") for n in range(12)]
    for item in stones[:9]:
        say(engine, item, people["analyst"])
    with engine.connect() as connection:
        found = [one.item_id for one in candidates.diverse(connection)]
    assert sorted(found) == sorted([*stones[9:], *fasts])
    assert found[0] in fasts


def test_suspects_are_unlikely_labels_that_the_model_did_not_learn(engine: Engine, people: People) -> None:
    choose(engine, "second_share", 0, people["administrator"])
    made = {}
    with engine.begin() as connection:
        yes = [add(connection, prediction("isolation")) for _ in range(8)]
        no = [add(connection, prediction()) for _ in range(8)]
    for item in yes[1:] + no[:1]:
        made[item] = say(engine, item, people["analyst"], "isolation")
    for item in no[1:] + yes[:1]:
        made[item] = say(engine, item, people["analyst"])
    with engine.connect() as connection:
        found = list(candidates.suspects(connection))
    assert {one.item_id for one in found} == {yes[0], no[0]}
    assert {one.task for one in found} == {"second"}
    with engine.begin() as connection:
        training = {"id": "t1", "state": "done", "challenger": "m1", "asked_at": now()}
        connection.execute(TRAININGS.insert().values(**training))
        connection.execute(TRAINING_DECISIONS.insert().values(training_id="t1", decision_id=made[yes[0]]))
        assert yes[0] not in {one.item_id for one in candidates.suspects(connection)}


def test_empty_way_gives_way_to_the_next(engine: Engine, people: People) -> None:
    _only(engine, people, "suspect")
    assert draw(engine, people["analyst"], POINT) is None
    with engine.begin() as connection:
        item = add(connection, prediction())
    found = draw(engine, people["analyst"], POINT)
    assert found
    assert (found.item_id, found.policy, found.share) == (item, "random", 0.1)


def test_candidate_taken_or_decided_since_is_passed_over(engine: Engine, people: People) -> None:
    _only(engine, people, "uncertainty")
    with engine.begin() as connection:
        near = [add(connection, prediction("miracle_cure", risk=risk)) for risk in (0.5, 0.51, 0.52)]
    pools = sampling.candidates(engine, POINT, wait=20)
    assert pools
    assert len(pools["uncertainty"]) == 3
    say(engine, near[0], people["analyst"])
    with engine.begin() as connection:
        claim(connection, near[1], people["reviewer"])
        connection.execute(update(ITEMS).where(ITEMS.c.id == near[2]).values(sha256="f" * 64))
    found = draw(engine, people["analyst"], POINT)
    assert found
    assert found.item_id == near[2]


@pytest.mark.parametrize("policy", POLICIES)
def test_every_way_holds_on_an_empty_database(engine: Engine, people: People, policy: str) -> None:
    _only(engine, people, policy)
    assert draw(engine, people["administrator"], POINT) is None
