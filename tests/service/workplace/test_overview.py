"""Counts are those of the texts, figures are estimated on the random sample alone, and plots say what their tables say."""

import xml.etree.ElementTree as ET
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event
from time import perf_counter, sleep

import pytest
from sqlalchemy import Engine, select, update

from service.workplace.choices import choose
from service.workplace.cohorts import sample
from service.workplace.decisions import decide
from service.workplace.estimates import Estimate, Recent
from service.workplace.figures import Bar, Ranged, bars, columns, intervals
from service.workplace.overview import count_all
from service.workplace.people import Person, Role
from service.workplace.plots import Figure, load_figure, overview_figures
from service.workplace.schema import ITEMS
from service.workplace.times import local_day, midnight, now
from tests.service.workplace.made import add, prediction, say, unsure
from tests.service.workplace.volume import replace_with
from tests.timing import quickest

People = dict[Role, Person]


def test_counts_are_those_of_the_texts(engine: Engine, people: People) -> None:
    choose(engine, "second_share", 0, people["administrator"])
    with engine.begin() as connection:
        grave = [add(connection, prediction("miracle_cure", "isolation")) for _ in range(3)]
        calm = [add(connection, prediction()) for _ in range(2)]
        add(connection)
        long_ago = now() - timedelta(days=14)
        connection.execute(update(ITEMS).where(ITEMS.c.id == calm[0]).values(received_at=long_ago, channel=None))
    say(engine, grave[0], people["analyst"], "miracle_cure")
    say(engine, grave[1], people["analyst"])
    say(engine, calm[0], people["reviewer"])
    with engine.connect() as connection:
        found = count_all(connection)
    assert (found.texts, found.unread) == (6, 1)
    assert found.states == {"new": 3, "done": 3}
    assert [(level.texts, level.decided, level.flagged) for level in found.levels] == [(2, 1, 0), (0, 0, 0), (3, 2, 1), (0, 0, 0)]
    assert {one.id: one.texts for one in found.indicators if one.texts} == {"miracle_cure": 3, "isolation": 3}
    assert {one.id: one.texts for one in found.channels if one.texts} == {"ad": 5, "": 1}
    assert [week.received for week in found.weeks[-3:]] == [1, 0, 5]
    assert [week.decided for week in found.weeks[-2:]] == [0, 3]
    load = {one.name: (one.week, one.month) for one in found.load}
    assert load == {"Analyst": (2, 2), "Reviewer": (1, 1), "Administrator": (0, 0)}
    figures = {figure.id: figure for figure in [*overview_figures(found), load_figure(found.load)]}
    assert figures["niveaux"].rows[2] == ("2 : à examiner", 3, 2, 1)
    for figure in figures.values():
        assert figure.to_csv().count("\n") == len(figure.rows) + 1
        if figure.plot:
            drawing = ET.fromstring(figure.plot)
            assert drawing[0].text == figure.title


def test_precision_is_estimated_on_the_random_sample_alone(engine: Engine, people: People) -> None:
    choose(engine, "second_share", 0, people["administrator"])
    analyst = people["analyst"]
    with engine.begin() as connection:
        for number in range(12):
            add(connection, prediction(*(["isolation"] if number % 2 else [])))
    with engine.connect() as connection:
        assert sample(connection).texts == 0
        rows = connection.execute(select(ITEMS.c.id, ITEMS.c.level).order_by(ITEMS.c.sha256)).all()
    walked, beyond = rows[:8], rows[9:]
    # Of the flagged ones people keep all but the first; the first of the others is held to be flagged as well.
    flagged = [row.id for row in walked if row.level >= 2]
    calm = [row.id for row in walked if row.level < 2]
    held = {*flagged[1:], *calm[:1]}
    for place, row in enumerate(walked[:-1]):
        way = "uncertainty" if place == 1 else "random"
        say(engine, row.id, analyst, *(["isolation"] if row.id in held else []), drawn_by=way)
    decide(engine, walked[-1].id, analyst, unsure(drawn_by="random"), None)
    # Texts that people chose themselves, past the first one that waits, say nothing of texts at large.
    for row in beyond:
        say(engine, row.id, analyst, "isolation", drawn_by="queue")
    with engine.connect() as connection:
        found = sample(connection)
    answered = {row.id for row in walked[:-1]}
    right = len(held & answered & set(flagged))
    assert (found.texts, found.decided, found.unsure, found.learned) == (8, 7, 1, 0)
    assert (found.precision.hits, found.precision.total) == (right, len(answered & set(flagged)))
    assert (found.prevalence.hits, found.prevalence.total) == (len(held & answered), 7)
    assert (found.recall.hits, found.recall.total) == (right, len(held & answered))


def test_plots_escape_what_they_show() -> None:
    drawn = str(bars("x", "<b>", [Bar('"><script>alert(1)</script>', (1,))], ("a & b",)))
    assert "<script>" not in drawn
    assert ET.fromstring(drawn).attrib["role"] == "img"


def test_plots_hold_without_anything_to_show() -> None:
    nothing = Estimate(float("nan"), 0, 1, 0)
    for drawn in (
        bars("a", "t", [], ("x",)),
        columns("b", "t", [], ("x", "y")),
        columns("c", "t", [Bar("lundi", (0, 0))], ("x", "y")),
        intervals("d", "t", [Ranged("rien", nothing)]),
    ):
        assert "nan" not in str(ET.fromstring(drawn).attrib) + drawn.lower().replace("nan ", "")


def test_bars_are_as_long_as_their_values() -> None:
    drawing = ET.fromstring(bars("x", "t", [Bar("un", (50,)), Bar("deux", (100,))], ("textes",)))
    first, second = (float(shape.attrib["width"]) for shape in drawing.iter("rect"))
    assert second == pytest.approx(2 * first)
    assert [text.text for text in drawing.iter("text")] == ["un", "50", "deux", "100"]


def test_csv_guards_formulas() -> None:
    figure = Figure("x", "t", "", None, ("nom", "valeur"), [("=1+1", -0.5), ("b,c", None), ("'@moi", 1)])
    assert figure.to_csv().splitlines() == ["nom,valeur", "'=1+1,-0.5000", '"b,c",', "''@moi,1"]
    lines = Figure("x", "t", "", None, ("nom",), [("\n=1",)]).to_csv()
    assert "'\n=1" in lines, "une seule règle pour tous les fichiers"


def test_recent_counts_once(base: Engine) -> None:
    recent, calls = Recent(60), []
    for _ in range(3):
        recent.get(base, "x", lambda: calls.append(1))
    assert len(calls) == 1
    recent.forget(base)
    recent.get(base, "x", lambda: calls.append(1))
    assert len(calls) == 2


def test_nobody_waits_for_a_figure_that_is_counted_anew(base: Engine) -> None:
    recent, go = Recent(0.0), Event()
    assert recent.get(base, "x", lambda: 1) == 1

    def slow() -> int:
        go.wait(10)
        return 2

    started = perf_counter()
    assert [recent.get(base, "x", slow) for _ in range(20)] == [1] * 20, "l'ancien chiffre, en attendant"
    assert recent.get(base, "y", lambda: 3) == 3, "un autre chiffre n'attend pas celui-là"
    assert perf_counter() - started < 1
    go.set()
    deadline = perf_counter() + 5
    while (found := recent.get(base, "x", lambda: 2)) == 1 and perf_counter() < deadline:
        sleep(0.01)
    assert found == 2


def test_a_figure_that_cannot_be_counted_anew_stands(base: Engine) -> None:
    recent, tried = Recent(0.0), Event()
    assert recent.get(base, "x", lambda: 1) == 1

    def broken() -> int:
        tried.set()
        raise RuntimeError

    assert recent.get(base, "x", broken) == 1
    assert tried.wait(5)
    assert recent.get(base, "x", lambda: 1) == 1


def test_a_very_old_figure_is_waited_for(base: Engine) -> None:
    recent = Recent(0.0, 0.0)
    assert recent.get(base, "x", lambda: 1) == 1
    assert recent.get(base, "x", lambda: 2) == 2


def test_hundred_thousand_texts_are_counted_fast(base: Engine, volume: Path) -> None:
    replace_with(base, volume)
    with base.connect() as connection:
        assert count_all(connection).texts == 100_000
        assert quickest(lambda: count_all(connection), 2, perf_counter) < 2


def test_weeks_begin_on_monday_in_paris(engine: Engine, people: People) -> None:
    today = local_day(now())
    monday = midnight(today - timedelta(days=today.weekday()))
    with engine.begin() as connection:
        before, after = add(connection, prediction()), add(connection, prediction())
        connection.execute(update(ITEMS).where(ITEMS.c.id == before).values(received_at=monday - timedelta(minutes=1)))
        connection.execute(update(ITEMS).where(ITEMS.c.id == after).values(received_at=monday))
    with engine.connect() as connection:
        assert [week.received for week in count_all(connection).weeks[-2:]] == [1, 1]


def test_days_are_those_of_paris_in_winter_summer_and_when_the_hour_changes() -> None:
    assert midnight(date(2026, 1, 15)) == datetime(2026, 1, 14, 23, tzinfo=UTC)
    assert midnight(date(2026, 7, 15)) == datetime(2026, 7, 14, 22, tzinfo=UTC)
    assert midnight(date(2026, 10, 26)) - midnight(date(2026, 10, 25)) == timedelta(hours=25)
    assert local_day(datetime(2026, 7, 14, 22, 30, tzinfo=UTC)) == date(2026, 7, 15)
