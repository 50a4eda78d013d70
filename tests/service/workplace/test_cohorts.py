"""Estimates hold the truth whatever people choose to read, and whenever texts come; where nothing can be said, they say so."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, delete, select, update
from sqlalchemy.pool import StaticPool

from service.database import METADATA, sha256_text
from service.workplace.choices import choose
from service.workplace.cohorts import Sample, frontiers, sample
from service.workplace.decisions import decide, withdraw
from service.workplace.estimates import share, weighted_share
from service.workplace.items import add_item
from service.workplace.people import Person, Role
from service.workplace.schema import DECISIONS, IMPORTS, ITEMS, TRAINING_DECISIONS, TRAININGS, USERS
from service.workplace.times import now
from tests.service.workplace.made import add, prediction, say, unsure

People = dict[Role, Person]
RATE = 0.10


@dataclass
class World:
    """Texts whose truth is known, kept with what a model that is often right says; readers always find the truth."""

    engine: Engine
    chance: random.Random
    truth: dict[str, bool] = field(default_factory=dict)

    def send(self, name: str, count: int, rate: float = RATE) -> None:
        """An import of texts, analysed."""
        rows = []
        for number in range(count):
            text = f"{name} {number} {self.chance.random()}"
            true = self.chance.random() < rate
            score = min(0.99, max(0.01, self.chance.gauss(0.6 if true else 0.3, 0.15)))
            rows.append(
                {
                    **{"id": f"{name}-{number}", "text": text, "sha256": sha256_text(text), "words": 3, "source": "s"},
                    **{"import_id": name, "received_at": now(), "seen": 1, "status": "ok", "model_version": "m1"},
                    **{"level": 2 if score > 0.5 else 0, "score": score, "stance": "promotes", "state": "new"},
                    **dict.fromkeys(("at_risk", "hesitates", "contradicts"), False),
                    "doubt": 0.0,
                }
            )
            self.truth[f"{name}-{number}"] = true
        counts = dict.fromkeys(("read", "added", "duplicates", "errors"), 0)
        kept = {"id": name, "name": name, "source": "s", "state": "done", "options": {}, "started_at": now(), **counts}
        with self.engine.begin() as connection:
            connection.execute(IMPORTS.insert().values(**kept))
            connection.execute(ITEMS.insert(), rows)

    def read(self, count: int, by: str) -> None:
        """Decide so many new texts: by chance (the walk), or those with the greatest score."""
        order = ITEMS.c.sha256 if by == "random" else ITEMS.c.score.desc()
        with self.engine.begin() as connection:
            ids = connection.scalars(select(ITEMS.c.id).where(ITEMS.c.state == "new").order_by(order).limit(count)).all()
            for id in ids:
                level = 2 if self.truth[id] else 0
                record = {"id": id, "item_id": id, "user_id": "u", "made_at": now(), "kind": "first", "verdict": "corrected"}
                said = {"level": level, "stance": "promotes", "targets": [], "indicators": [], "drawn_by": by}
                connection.execute(DECISIONS.insert().values(**record, **said))
                values = {"state": "done", "decided_level": level}
                connection.execute(update(ITEMS).where(ITEMS.c.id == id).values(**values))

    def says(self) -> Sample:
        """The estimates."""
        with self.engine.connect() as connection:
            return sample(connection)

    def true_rates(self) -> tuple[float, float, float]:
        """The true share to flag, and the model's true precision and recall."""
        with self.engine.connect() as connection:
            flagged = {id for id, level in connection.execute(select(ITEMS.c.id, ITEMS.c.level)) if level >= 2}
        true = {id for id, holds in self.truth.items() if holds}
        return len(true) / len(self.truth), len(true & flagged) / len(flagged), len(true & flagged) / len(true)


@pytest.fixture(scope="module")
def memory() -> Iterator[Engine]:
    """A database in memory, for figures that take many draws."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    METADATA.create_all(engine)
    yield engine
    engine.dispose()


def _world(engine: Engine, seed: int) -> World:
    with engine.begin() as connection:
        for table in (DECISIONS, ITEMS, IMPORTS, USERS):
            connection.execute(delete(table))
        person = {"id": "u", "login": "u", "name": "u", "role": "analyst", "password_hash": "", "active": True}
        connection.execute(USERS.insert().values(**person, created_at=now()))
    return World(engine, random.Random(seed))


def test_estimates_hold_the_truth_when_texts_come_after_the_walk_began(memory: Engine) -> None:
    held = {"prevalence": 0, "precision": 0, "recall": 0}
    means: list[float] = []
    seeds = 60
    for seed in range(seeds):
        world = _world(memory, seed)
        world.send("avant", 400)
        world.read(150, "random")
        world.send("apres", 600)
        world.read(60, "queue")
        first = world.says()
        assert (first.cohorts, first.covered, first.analysed) == (1, 400, 1_000), "de l'import suivant, rien n'est dit encore"
        world.read(120, "random")
        found = world.says()
        assert (found.cohorts, found.covered) == (2, 1_000)
        for name, truth in zip(held, world.true_rates(), strict=True):
            estimate = getattr(found, name)
            held[name] += estimate.low <= truth <= estimate.high
        means.append(found.prevalence.value - world.true_rates()[0])
    # About 95 %: of 60 runs, fewer than 53 would be less than one time in a hundred.
    assert min(held.values()) >= 53, held
    assert abs(sum(means) / seeds) < 0.01, "sans biais en moyenne"


def test_what_people_pick_from_a_new_import_moves_nothing(memory: Engine) -> None:
    world = _world(memory, 1)
    world.send("avant", 400)
    world.read(150, "random")
    before = world.says()
    world.send("apres", 600)
    world.read(60, "queue")
    after = world.says()
    picked = after.decided - before.decided
    assert picked <= 3, "seuls ceux qui touchent la frontière"
    assert abs(after.prevalence.value - before.prevalence.value) < 0.02


def test_unlike_imports_weigh_by_their_size(memory: Engine) -> None:
    world = _world(memory, 2)
    world.send("grand", 900, rate=0.5)
    world.send("petit", 100, rate=0.0)
    with memory.begin() as connection:
        # The small one is read whole, the large one a little: plain counting would halve the share.
        connection.execute(update(ITEMS).where(ITEMS.c.import_id == "grand").values(status=None))
        connection.execute(update(ITEMS).where(ITEMS.c.import_id == "grand", ITEMS.c.state == "new").values(state="held"))
    world.read(100, "random")
    with memory.begin() as connection:
        connection.execute(update(ITEMS).where(ITEMS.c.state == "held").values(state="new", status="ok"))
    world.read(100, "random")
    found = world.says()
    assert found.cohorts == 2
    assert found.prevalence.total == 200
    assert found.prevalence.hits is not None
    assert found.prevalence.hits / 200 < 0.32
    assert found.prevalence.value == pytest.approx(0.45, abs=0.08)
    assert found.prevalence.high - found.prevalence.low > share(90, 200).high - share(90, 200).low, (
        "moins de textes qu'il n'y paraît"
    )


def test_a_text_that_waits_for_the_model_keeps_what_lies_beyond_it_out(engine: Engine, people: People) -> None:
    choose(engine, "second_share", 0, people["administrator"])
    with engine.begin() as connection:
        for _ in range(6):
            add(connection, prediction("isolation"))
        order = list(connection.scalars(select(ITEMS.c.id).order_by(ITEMS.c.sha256)))
        connection.execute(update(ITEMS).where(ITEMS.c.id == order[2]).values(status=None, level=None))
    for id in (order[0], order[1], order[3], order[4]):
        say(engine, id, people["analyst"], "isolation", drawn_by="random")
    with engine.connect() as connection:
        found = sample(connection)
        assert frontiers(connection)[""] is not None
    assert (found.texts, found.analysed, found.covered) == (2, 6, 6)


def test_unsure_is_in_the_sample_and_a_withdrawal_moves_the_frontier_back(engine: Engine, people: People) -> None:
    choose(engine, "second_share", 0, people["administrator"])
    with engine.begin() as connection:
        for _ in range(5):
            add(connection, prediction("isolation"))
        order = list(connection.scalars(select(ITEMS.c.id).order_by(ITEMS.c.sha256)))
    decide(engine, order[0], people["analyst"], unsure(drawn_by="random"), None)
    made = say(engine, order[1], people["analyst"], "isolation", drawn_by="random")
    say(engine, order[2], people["analyst"], drawn_by="random")
    with engine.connect() as connection:
        found = sample(connection)
    assert (found.texts, found.decided, found.unsure, found.prevalence.hits, found.prevalence.total) == (3, 2, 1, 1, 2)
    withdraw(engine, made, people["analyst"])
    with engine.connect() as connection:
        found = sample(connection)
    assert (found.texts, found.decided, found.unsure) == (1, 0, 1)
    assert not found.prevalence.known, "une lecture sans réponse ne donne pas de chiffre"


def test_texts_that_nobody_drew_by_chance_say_nothing(engine: Engine, people: People) -> None:
    choose(engine, "second_share", 0, people["administrator"])
    with engine.begin() as connection:
        items = [add(connection, prediction("isolation")) for _ in range(4)]
    for item in items:
        say(engine, item, people["analyst"], "isolation", drawn_by="queue")
    with engine.connect() as connection:
        found = sample(connection)
    assert (found.texts, found.cohorts, found.all_cohorts, found.analysed) == (0, 0, 1, 4)
    assert not found.precision.known


def test_what_the_model_learned_from_is_left_out_of_its_own_figures_only(engine: Engine, people: People) -> None:
    choose(engine, "second_share", 0, people["administrator"])
    with engine.begin() as connection:
        for _ in range(4):
            add(connection, prediction("isolation"))
        order = list(connection.scalars(select(ITEMS.c.id).order_by(ITEMS.c.sha256)))
    made = [say(engine, id, people["analyst"], "isolation", drawn_by="random") for id in order[:3]]
    with engine.begin() as connection:
        connection.execute(TRAININGS.insert().values(id="t1", state="done", challenger="m1", asked_at=now()))
        connection.execute(TRAINING_DECISIONS.insert().values(training_id="t1", decision_id=made[0]))
        found = sample(connection)
    assert (found.texts, found.learned) == (3, 1)
    assert (found.prevalence.total, found.precision.total, found.recall.total) == (3, 2, 2)


def test_small_imports_make_one_cohort(engine: Engine, people: People) -> None:
    from service.workplace.items import Received

    with engine.begin() as connection:
        counts = dict.fromkeys(("read", "added", "duplicates", "errors"), 0)
        for name in ("a", "b"):
            kept: dict[str, Any] = {
                "id": name,
                "name": name,
                "source": "",
                "state": "done",
                "options": {},
                "started_at": now(),
                **counts,
            }
            connection.execute(IMPORTS.insert().values(**kept))
            add_item(connection, Received(f"texte {name}"), name)
        add_item(connection, Received("sans import"))
        assert set(frontiers(connection)) == {""}
        first = connection.scalar(select(ITEMS.c.sha256).order_by(ITEMS.c.sha256).limit(1))
        assert frontiers(connection)[""] == first


def test_weighted_share_is_the_plain_one_where_all_weigh_the_same() -> None:
    same = weighted_share([(3.0, 1, 10), (3.0, 2, 20)])
    plain = share(3, 30)
    assert (same.value, same.low, same.high) == pytest.approx((plain.value, plain.low, plain.high))
    assert (same.hits, same.total) == (3, 30)
    assert weighted_share([(9.0, 5, 10), (1.0, 0, 10)]).value == pytest.approx(0.45)
    assert not weighted_share([]).known
