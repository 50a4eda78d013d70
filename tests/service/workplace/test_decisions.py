"""What people decide is kept whole, once, for ever, and says what the text's state is."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from model.labels import INDICATOR_IDS
from model.levels import level_of
from service.workplace.choices import choose
from service.workplace.claims import Taken, claim, claim_of
from service.workplace.decided import Mark, Verdict, decisions_of, valid_decisions
from service.workplace.decisions import ChangedError, DecisionError, decide, withdraw
from service.workplace.items import Item, Received, add_item, find_item, keep_prediction
from service.workplace.people import Person, Role
from service.workplace.schema import CLAIMS, DECISIONS, ITEMS
from tests.harness.reviewers import Reader, check, run
from tests.service.workplace.conftest import Place, Read, add_people
from tests.service.workplace.volume import fill

People = dict[Role, Person]
ROOT = Path(__file__).resolve().parents[3]
TEXT = "Magnétiseuse, je guéris le zona en deux séances. Laissez vos cachets. 😊 Tarif : 60 €."
CURE = Mark(14, 47, "miracle_cure")
RIGHT = Verdict(stance="promotes", level=2, targets=("illness",), indicators=(CURE,), reason="implied", note="Net.")


@pytest.fixture
def people(engine: Engine) -> People:
    """One person of each role; no second reading is asked."""
    made = add_people(engine)
    choose(engine, "second_share", 0.0, made["administrator"])
    return made


@pytest.fixture
def item_id(engine: Engine) -> str:
    with engine.begin() as connection:
        return add_item(connection, Received(TEXT)).id


def item_of(engine: Engine, item_id: str) -> Item:
    with engine.connect() as connection:
        found = find_item(connection, item_id)
    assert found
    return found


def test_a_decision_says_who_when_and_what_and_gives_the_state(engine: Engine, people: People, item_id: str) -> None:
    said = {"model_version": "m1", "operating_point": "strict", "risk": {"level": 0}}
    id = decide(engine, item_id, people["analyst"], RIGHT, said)
    with engine.connect() as connection:
        (kept,) = decisions_of(connection, item_id)
        assert claim_of(connection, item_id) is None
    assert (kept.id, kept.user_id, kept.level, kept.indicators) == (id, people["analyst"].id, 2, (CURE,))
    assert (kept.said, kept.model_version, kept.operating_point) == (said, "m1", "strict")
    item = item_of(engine, item_id)
    assert (item.state, item.decided_level, item.decided_stance, item.decided_by) == ("done", 2, "promotes", kept.user_id)
    assert item.decided_at == kept.made_at


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        pytest.param(Verdict(stance="promotes", level=3, indicators=(CURE,)), "donnent 2", id="niveau faux"),
        pytest.param(Verdict(stance="warns", level=0, indicators=(CURE,)), "aucun signe", id="signe sans promotion"),
        pytest.param(Verdict(stance="promotes", level=0), "", id="juste"),
        pytest.param(Verdict(stance="parle", level=0), "Position", id="position"),
        pytest.param(Verdict(stance="promotes", level=2, indicators=(Mark(0, 900, "miracle_cure"),)), "Passage", id="dehors"),
        pytest.param(Verdict(stance="promotes", level=2, indicators=(Mark(5, 5, "miracle_cure"),)), "Passage", id="passage vide"),
        pytest.param(Verdict(stance="promotes", level=0, indicators=(Mark(0, 5, "magie"),)), "Signe", id="signe inconnu"),
        pytest.param(Verdict(stance="promotes", level=0, targets=("serious_illness",)), "maladie", id="grave sans maladie"),
        pytest.param(Verdict(verdict="unsure", stance="promotes"), "ne sais pas", id="incertain avec position"),
        pytest.param(Verdict(stance="neutral", level=0, reason="parce que"), "Raison", id="raison"),
        pytest.param(Verdict(stance="neutral", level=0, note="x" * 5001), "Note", id="note"),
        pytest.param(Verdict(kind="withdrawal", stance="neutral", level=0), "Lecture", id="sorte"),
    ],
)
def test_what_the_guide_refuses_is_not_kept(engine: Engine, people: People, item_id: str, verdict: Verdict, words: str) -> None:
    if not words:
        assert decide(engine, item_id, people["analyst"], verdict, None)
        return
    with pytest.raises(ValueError, match=words):
        decide(engine, item_id, people["analyst"], verdict, None)
    assert item_of(engine, item_id).state == "new"
    with engine.connect() as connection:
        assert decisions_of(connection, item_id) == []


def test_a_form_sent_twice_is_one_decision(engine: Engine, people: People, item_id: str) -> None:
    verdict = Verdict(stance="neutral", level=0, request="jeton")

    def send(_: int) -> str:
        return decide(engine, item_id, people["analyst"], verdict, None, last=0)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(send, range(16)))) == 1
    with engine.begin() as connection:
        other = add_item(connection, Received("Autre texte.")).id
        assert len(decisions_of(connection, item_id)) == 1
    with pytest.raises(DecisionError, match="déjà servi"):
        decide(engine, other, people["analyst"], verdict, None)


def test_nobody_decides_on_what_they_did_not_see(engine: Engine, people: People, item_id: str) -> None:
    with engine.begin() as connection:
        claim(connection, item_id, people["reviewer"])
    with pytest.raises(Taken) as taken:
        decide(engine, item_id, people["analyst"], RIGHT, None)
    assert taken.value.by == "Reviewer"
    decide(engine, item_id, people["reviewer"], RIGHT, None, last=0)
    with pytest.raises(ChangedError):
        decide(engine, item_id, people["analyst"], Verdict(stance="neutral", level=0), None, last=0)
    with pytest.raises(DecisionError, match="n'existe pas"):
        decide(engine, "rien", people["analyst"], RIGHT, None)


def test_withdrawing_brings_back_what_held_before_and_keeps_the_past(engine: Engine, people: People, item_id: str) -> None:
    first = decide(engine, item_id, people["analyst"], RIGHT, None)
    second = decide(engine, item_id, people["reviewer"], Verdict(verdict="unsure"), None)
    assert item_of(engine, item_id).state == "unsure"
    with pytest.raises(DecisionError, match="retirer"):
        withdraw(engine, second, people["analyst"])
    taken_back = withdraw(engine, second, people["reviewer"])
    assert withdraw(engine, second, people["reviewer"]) == taken_back
    assert (item_of(engine, item_id).state, item_of(engine, item_id).decided_level) == ("done", 2)
    withdraw(engine, first, people["administrator"])
    item = item_of(engine, item_id)
    assert (item.state, item.decided_level, item.decided_at, item.decided_by) == ("new", None, None, None)
    with engine.connect() as connection:
        assert [one.kind for one in decisions_of(connection, item_id)] == ["first", "revision", "withdrawal", "withdrawal"]
        assert list(valid_decisions(connection)) == []
    with pytest.raises(DecisionError, match="n'existe pas"):
        withdraw(engine, taken_back, people["reviewer"])


def test_decisions_outlive_what_models_say_later(engine: Engine, people: People, read: list[Read]) -> None:
    known = next(one for one in read if one.prediction.risk and one.prediction.risk.level == 3)
    with engine.begin() as connection:
        item_id = add_item(connection, Received(known.annotated.text)).id
    decide(engine, item_id, people["analyst"], Verdict(stance="neutral", level=0), None)
    assert not item_of(engine, item_id).contradicts
    with engine.begin() as connection:
        keep_prediction(connection, item_id, known.prediction)
    item = item_of(engine, item_id)
    assert (item.level, item.decided_level, item.contradicts) == (3, 0, True)
    decide(engine, item_id, people["analyst"], Verdict(verdict="unsure"), known.prediction)
    assert not item_of(engine, item_id).contradicts


def test_a_near_duplicate_is_told_of_the_decision(engine: Engine, people: People, item_id: str) -> None:
    from service.workplace.similar import index

    with engine.begin() as connection:
        twin = add_item(connection, Received(TEXT + " À bientôt.")).id
        for id, text in ((item_id, TEXT), (twin, TEXT + " À bientôt.")):
            index(connection, id, text)
    id = decide(engine, item_id, people["analyst"], RIGHT, None)
    assert item_of(engine, twin).resembles == item_id
    withdraw(engine, id, people["analyst"])
    assert item_of(engine, twin).resembles is None


def test_twenty_reviewers_at_once_lose_nothing(engine: Engine, people: People) -> None:
    ids = fill(engine, 60)
    with engine.begin() as connection:
        connection.execute(ITEMS.update().values(state="new", decided_level=None, decided_stance=None, decided_at=None))

    def work(reader: int) -> int:
        person = list(people.values())[reader % 3]
        kept = 0
        for number in range(3):
            item_id = ids[reader * 3 + number]
            with engine.begin() as connection:
                claim(connection, item_id, person)
            verdict = Verdict(stance="neutral", level=0, request=f"{reader}-{number}", note="ù" * 50)
            kept += bool(decide(engine, item_id, person, verdict, None, last=0))
        return kept

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(work, range(20))) == 60
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(DECISIONS)).scalar() == 60
        assert connection.execute(select(func.count()).select_from(CLAIMS)).scalar() == 0
        assert set(connection.scalars(select(ITEMS.c.state))) == {"done"}


_DECIDER = """
import sys
from service.database import connect_database
from service.workplace.claims import claim
from service.workplace.decided import Verdict
from service.workplace.decisions import decide
from service.workplace.people import find_login
engine = connect_database(sys.argv[1])
person = find_login(engine, "analyst")
for item_id in sys.stdin.read().split():
    with engine.begin() as connection:
        claim(connection, item_id, person)
    decide(engine, item_id, person, Verdict(stance="neutral", level=0), None, last=0)
    print(item_id, flush=True)
"""


def test_a_process_killed_while_deciding_leaves_nothing_half_written(engine: Engine, people: People) -> None:
    ids = fill(engine, 300)
    with engine.begin() as connection:
        connection.execute(ITEMS.update().values(state="new", decided_level=None, decided_stance=None, decided_at=None))
    url = engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", _DECIDER, url]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    process.stdin.write("\n".join(ids))
    process.stdin.close()
    told = [process.stdout.readline().strip() for _ in range(15)]
    time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    told += process.stdout.read().split()
    process.wait()
    process.stdout.close()
    assert 15 <= len(told) < 300
    with engine.connect() as connection:
        decided = set(connection.scalars(select(DECISIONS.c.item_id)))
        done = set(connection.scalars(select(ITEMS.c.id).where(ITEMS.c.state == "done")))
        claimed = set(connection.scalars(select(CLAIMS.c.item_id)))
    # What was told is kept; each text is decided or not, never between.
    assert set(told) <= decided
    assert decided == done
    assert not claimed & decided
    assert len(claimed) <= 1


def test_real_predictions_can_be_confirmed(engine: Engine, people: People, filled: Callable[[Engine, int], list[str]]) -> None:
    from service.workplace.forms import proposed
    from service.workplace.said import newest_prediction

    for item_id in filled(engine, 60):
        with engine.connect() as connection:
            said = newest_prediction(connection, item_id)
        assert said
        assert said.risk
        assert said.stance
        verdict = Verdict(
            verdict="confirmed",
            stance=said.stance.value,
            level=said.risk.level,
            targets=tuple(said.targets),
            indicators=proposed(said),
        )
        decide(engine, item_id, people["analyst"], verdict, said)
        item = item_of(engine, item_id)
        assert (item.decided_level, item.contradicts) == (said.risk.level, False)


def test_the_level_is_that_of_the_guide_for_every_sign(engine: Engine, people: People, item_id: str) -> None:
    for label in INDICATOR_IDS:
        due = level_of("promotes", [label], ()).value
        decide(engine, item_id, people["analyst"], Verdict(stance="promotes", level=due, indicators=(Mark(0, 12, label),)), None)
        assert item_of(engine, item_id).decided_level == due


def test_twenty_people_read_the_queue_at_once(each_place: Place) -> None:
    """A short form of `make harness`."""
    fill(each_place.engine, 600)
    clean = {"state": "new", "decided_level": None, "decided_stance": None, "decided_at": None, "contradicts": False}
    with each_place.engine.begin() as connection:
        connection.execute(ITEMS.update().values(**clean))
    people = [each_place.person(f"lecteur{number}") for number in range(20)]
    visitors = [each_place.visitor(person) for person in people]
    readers = [Reader(visitor.client, visitor.csrf, random.Random(number)) for number, visitor in enumerate(visitors)]
    report = run(readers, 8)
    assert check(each_place.engine, report, people) == []
    assert len(report.kept) > 20, report.summary()
