"""Texts received once and counted each time; what a model says beside them, and never over what people decided."""

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, update

from model.records import ContextCue, IndicatorScore, PracticeMention, Prediction, Risk, Stance
from service.database import sha256_text
from service.pages import environment
from service.workplace.items import (
    Received,
    add_item,
    add_items,
    contradicts,
    doubt_of,
    find_item,
    keep_prediction,
    new_id,
    newest_prediction,
)
from service.workplace.people import Person
from service.workplace.receptions import receptions_of
from service.workplace.schema import IMPORTS, ITEM_PRACTICES, ITEM_SIGNS, ITEMS, PREDICTIONS
from service.workplace.seen_again import receptions_panel
from service.workplace.times import now


def predicted(level: int = 0, score: float = 0.1, stance: str = "promotes", version: str = "1", **more: object) -> Prediction:
    """A whole prediction with this level, score and stance."""
    rest = {name: 0.05 for name in ("promotes", "warns", "neutral")}
    values = {
        "status": "ok",
        "model_version": version,
        "operating_point": "balanced",
        "risk": Risk(score=score, level=level, label="x", reasons=[]),
        "stance": Stance.model_validate({"value": stance, "scores": rest | {stance: 0.9}}),
    }
    return Prediction.model_validate(values | more)


def test_a_text_is_kept_once_and_counted(engine: Engine) -> None:
    with engine.begin() as connection:
        first = add_item(connection, Received("Séance 40 €", source="a", author="@x"))
    with engine.begin() as connection:
        again = add_item(connection, Received("Séance 40 €", source="b"))
        other = add_item(connection, Received("Séance 40 € ", source="b"))
        item = find_item(connection, first.id)
    assert (first.new, again.new, other.new) == (True, False, True)
    assert again.id == first.id
    assert item
    assert (item.seen, item.source, item.author, item.sha256) == (2, "a", "@x", sha256_text("Séance 40 €"))
    assert item.received_at.tzinfo is not None


def test_duplicates_within_a_lot_and_order(engine: Engine) -> None:
    with engine.begin() as connection:
        added = add_items(connection, [Received(text) for text in ("a", "b", "a", "c", "b", "a")])
        seen = {row.text: row.seen for row in connection.execute(select(ITEMS.c.text, ITEMS.c.seen))}
    assert [one.new for one in added] == [True, True, False, True, False, False]
    assert added[0].id == added[2].id == added[5].id
    assert seen == {"a": 3, "b": 2, "c": 1}


def test_two_at_once_keep_one(engine: Engine) -> None:
    texts = [Received(f"texte {number}") for number in range(60)]
    faults: list[BaseException] = []

    def work(order: int) -> None:
        try:
            for first in range(0, 60, 20):
                with engine.begin() as connection:
                    add_items(connection, texts[first : first + 20][::order])
        except BaseException as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(order,)) for order in (1, -1, 1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    with engine.connect() as connection:
        assert connection.execute(select(func.count(), func.sum(ITEMS.c.seen)).select_from(ITEMS)).one() == (60, 240)


@pytest.mark.parametrize("child_first", [False, True])
def test_a_parent_is_linked_whichever_comes_first(engine: Engine, child_first: bool) -> None:
    parent = Received("le message", external_id="p1", source="forum", url="https://exemple.fr/p1")
    children = [
        Received("par identifiant", source="forum", parent="p1"),
        Received("par adresse", source="forum", parent="https://exemple.fr/p1"),
        Received("par empreinte", source="ailleurs", parent_sha256=sha256_text("le message")),
        Received("autre source", source="ailleurs", parent="p1"),
    ]
    with engine.begin() as connection:
        for lot in [children, [parent]] if child_first else [[parent], children]:
            add_items(connection, lot)
        ids = {row.text: row.id for row in connection.execute(select(ITEMS.c.text, ITEMS.c.id))}
        parents = {row.text: row.parent_id for row in connection.execute(select(ITEMS.c.text, ITEMS.c.parent_id))}
    linked = {text for text, found in parents.items() if found == ids["le message"]}
    assert linked == {"par identifiant", "par adresse", "par empreinte"}
    assert parents["autre source"] is None


def test_a_prediction_is_kept_whole_and_replaced_by_the_next(engine: Engine) -> None:
    signs = [
        IndicatorScore(id="miracle_cure", label="x", score=0.9, present=True, evidence=[]),
        IndicatorScore(id="isolation", label="x", score=0.2, present=False, evidence=[]),
    ]
    reiki = PracticeMention(id="reiki", name="Reiki", start=0, end=5, text="Reiki")
    first = predicted(2, 0.8, indicators=signs, practices=[reiki, reiki])
    with engine.begin() as connection:
        id = add_item(connection, Received("Reiki")).id
        assert newest_prediction(connection, id) is None
        keep_prediction(connection, id, first)
        assert newest_prediction(connection, id) == first.model_copy(update={"id": id})
        assert connection.execute(select(ITEM_SIGNS.c.indicator)).scalars().all() == ["miracle_cure"]
        assert connection.execute(select(ITEM_PRACTICES.c.practice)).scalars().all() == ["reiki"]
        keep_prediction(connection, id, predicted(0, 0.1, "neutral", "2"))
        keep_prediction(connection, id, predicted(0, 0.2, "neutral", "2"))
        item, said = find_item(connection, id), newest_prediction(connection, id)
        assert connection.execute(select(func.count()).select_from(PREDICTIONS)).scalar() == 2
        assert connection.execute(select(func.count()).select_from(ITEM_SIGNS)).scalar() == 0
    assert item
    assert said
    assert (item.model_version, item.level, item.stance, item.score, said.risk and said.risk.score) == (
        "2",
        0,
        "neutral",
        0.2,
        0.2,
    )


@pytest.mark.parametrize(
    ("level", "stance", "decided_level", "decided_stance", "expected"),
    [
        (2, "promotes", 3, "promotes", False),
        (1, "promotes", 2, "promotes", True),
        (3, "promotes", 1, "promotes", True),
        (0, "warns", 0, "neutral", True),
        (0, "promotes", 1, "promotes", False),
        (2, "promotes", None, None, False),
    ],
)
def test_contradiction(
    engine: Engine, level: int, stance: str, decided_level: int | None, decided_stance: str | None, expected: bool
) -> None:
    assert contradicts(level, stance, decided_level, decided_stance) is expected
    with engine.begin() as connection:
        id = add_item(connection, Received("texte")).id
        decided = {"decided_level": decided_level, "decided_stance": decided_stance, "decided_at": now(), "state": "done"}
        connection.execute(update(ITEMS).where(ITEMS.c.id == id).values(**decided))
        keep_prediction(connection, id, predicted(level, 0.5, stance))
        item = find_item(connection, id)
    assert item
    assert item.contradicts is expected
    assert (item.decided_level, item.decided_stance, item.state) == (decided_level, decided_stance, "done")


def test_a_text_that_cannot_be_read_contradicts_nothing(engine: Engine) -> None:
    failed = Prediction(status="error", model_version="1", operating_point="balanced")
    with engine.begin() as connection:
        id = add_item(connection, Received("texte")).id
        connection.execute(update(ITEMS).values(decided_level=3, decided_stance="promotes"))
        keep_prediction(connection, id, failed)
        item = find_item(connection, id)
    assert item
    assert (item.level, item.score, item.contradicts, item.doubt, item.status) == (None, None, False, 0.0, "error")


def test_doubt_is_greatest_at_the_threshold_and_between_two_stances() -> None:
    assert doubt_of(predicted(score=0.75), 0.75) == 1
    assert doubt_of(predicted(score=0.375), 0.75) == 0.5
    assert doubt_of(predicted(score=0.875), 0.75) == 0.5
    assert doubt_of(predicted(score=1.0), 0.75) == 0.15  # the stances: 0.9 against 0.05
    torn = Stance(value="warns", scores={"promotes": 0.45, "warns": 0.5, "neutral": 0.05})
    assert doubt_of(predicted(score=0.0).model_copy(update={"stance": torn})) == 0.95


def test_hesitation_and_danger_are_columns(base: Engine) -> None:
    cue = ContextCue(kind="person_at_risk", start=0, end=1, text="j")
    with base.begin() as connection:
        ids = [add_item(connection, Received(f"texte {number}")).id for number in range(3)]
        keep_prediction(connection, ids[0], predicted(1, 0.7), 0.75)
        keep_prediction(connection, ids[1], predicted(0, 0.1, "warns", context=[cue]), 0.75)
        keep_prediction(connection, ids[2], predicted(0, 0.1, "promotes", context=[cue]), 0.75)
        found = [find_item(connection, id) for id in ids]
    assert [(item.hesitates, item.at_risk) for item in found if item] == [(True, False), (False, True), (False, False)]


def test_where_and_when_else_a_text_was_seen_is_kept(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(IMPORTS.insert().values(**an_import("i1")))
        first = add_item(connection, Received("texte", source="a", author="@un", url="https://a.fr/1", region="Bretagne"))
        instant = datetime(2026, 11, 2, 9, tzinfo=UTC)
        again = [
            Received(
                "texte", source="b", author="@deux", url="https://b.fr/2", captured_at=instant, region="Corse", channel="ad"
            ),
            Received("texte", source="b", author="@trois"),
        ]
        assert [one.new for one in add_items(connection, again, "i1")] == [False, False]
        item = find_item(connection, first.id)
        found = receptions_of(connection, first.id)
        assert item
        panel = receptions_panel(connection, item, Person("x", "x", "X", "analyst"))
    assert (item.author, item.region, item.seen) == ("@un", "Bretagne", 3), "la première réception reste celle du texte"
    assert [(one.author, one.source, one.url, one.region, one.channel) for one in found] == [
        ("@deux", "b", "https://b.fr/2", "Corse", "ad"),
        ("@trois", "b", None, None, None),
    ]
    assert found[0].captured_at == instant
    assert {one.import_name for one in found} == {"essai"}
    assert panel
    assert "@deux" in environment().get_template(panel.template).render(panel=panel.values, masked=False)
    assert "@deux" not in environment().get_template(panel.template).render(panel=panel.values, masked=True)


def an_import(id: str) -> dict[str, Any]:
    counts = dict.fromkeys(("read", "added", "duplicates", "errors"), 0)
    return {"id": id, "name": "essai", "source": "", "state": "done", "options": {}, "started_at": now(), **counts}


def test_what_arrives_together_keeps_its_order(engine: Engine) -> None:
    texts = [f"texte numéro {number}" for number in range(700)]
    with engine.begin() as connection:
        for lot in (texts[:500], texts[500:]):
            add_items(connection, [Received(text) for text in lot])
        assert list(connection.scalars(select(ITEMS.c.text).order_by(ITEMS.c.id))) == texts


def test_identifiers_grow_and_are_never_given_twice() -> None:
    made = [new_id() for _ in range(100_000)]
    assert made == sorted(set(made))
    assert {len(id) for id in made} == {28}
