"""The stream beside its reference: noted, counted by week, told where it moves; a reference is a period that people choose."""

import csv
import io
import json
import math
import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, delete, func, select, update

from model.facts import Facts, measures
from model.records import LanguageInfo, Prediction
from model.reference import Reference
from service.drift.counting import note_facts, read_facts
from service.drift.precision import precision_by_period
from service.drift.psi import LEAST_TEXTS
from service.drift.references import Chosen, DriftError, Model, chosen_reference, forget_reference, set_reference
from service.drift.schema import DRIFT_REFERENCES, DRIFT_WEEKS, ITEM_FACTS
from service.drift.view import drift_figures, watched
from service.drift.watching import drift_of, look, tell
from service.drift.weeks import WEEKS, monday_of, read_weeks, refresh
from service.metrics import Metrics
from service.workplace.audit_schema import AUDIT
from service.workplace.choices import choose
from service.workplace.items import keep_prediction
from service.workplace.people import Person, Role
from service.workplace.schema import ITEM_SIGNS, ITEMS
from service.workplace.times import local_day, midnight, now
from tests.harness import drift as simulated
from tests.harness.drift import SHIFTS, Stream
from tests.service.test_batch import inside
from tests.service.workplace.conftest import Place
from tests.service.workplace.looks import assert_accessible
from tests.service.workplace.made import add, prediction, say

VERSION = "m1"
MODEL = Model(VERSION, Chosen(None, problem="pas de référence"))
WEEK = timedelta(days=7)
THRESHOLD = 0.1


def this_monday() -> date:
    return monday_of(local_day(now()))


def put(engine: Engine, monday: date, texts: Sequence[Facts], *, version: str = VERSION, name: str = "t") -> list[str]:
    """Texts of a week with what a model says of them, as if they had come, been read and noted."""
    rows, facts, signs = [], [], []
    for number, one in enumerate(texts):
        id = f"{name}-{monday:%y%m%d}-{number:05d}"
        received = midnight(monday) + timedelta(minutes=number % 10_000)
        rows.append(
            {
                "id": id,
                "text": f"texte {id}",
                "sha256": f"{id:0>64}"[-64:],
                "words": one.words,
                "source": "essai",
                "author": one.group,
                "channel": one.channel or None,
                "theme": one.theme or None,
                "received_at": received,
                "seen": 1,
                "model_version": version,
                "status": "ok" if one.level is not None else "unsupported_language",
                "level": one.level,
                "score": one.score,
                "stance": one.stance,
                "doubt": 0.0,
                "state": "new",
                **dict.fromkeys(("at_risk", "hesitates", "contradicts"), False),
            }
        )
        noted = {"language": one.language, "unknown": one.unknown, "practice": one.practice, "illness": one.illness}
        facts.append({"item_id": id, "model_version": version, **noted})
        signs += [{"item_id": id, "indicator": sign, "score": 0.9} for sign in one.present]
    with engine.begin() as connection:
        for table, values in ((ITEMS, rows), (ITEM_FACTS, facts), (ITEM_SIGNS, signs)):
            if values:
                connection.execute(table.insert(), values)
    return [str(row["id"]) for row in rows]


def weeks_of(engine: Engine, version: str = VERSION) -> dict[date, Any]:
    with engine.connect() as connection:
        return {week.monday: week for week in read_weeks(connection, version)}


@pytest.fixture(scope="module")
def stream() -> list[list[Facts]]:
    """Seven weeks of a simulated stream: six calm ones, then one with another channel and another language."""
    made = Stream(1)
    weeks = [made.week() for _ in range(6)]
    channel, language = SHIFTS["autre canal (30 %)"][0], SHIFTS["autre langue (15 %)"][0]
    return [*weeks, made.week(lambda of, facts, random: language(of, channel(of, facts, random), random))]


@pytest.fixture
def filled_weeks(engine: Engine, stream: list[list[Facts]]) -> list[date]:
    """Those weeks in the database, the last one being the last that is over; their Mondays."""
    mondays = [this_monday() - (7 - number) * WEEK for number in range(7)]
    for monday, texts in zip(mondays, stream, strict=True):
        put(engine, monday, texts)
    return mondays


def test_what_is_counted_of_texts_is_noted_and_goes_with_them(engine: Engine) -> None:
    read = prediction("miracle_cure")
    said = Prediction.model_validate(
        read.model_dump()
        | {
            "language": {"code": "fr", "confidence": 1.0},
            "practices": [{"start": 0, "end": 4, "text": "reiki", "id": "reiki", "name": "Reiki"}],
            "entities": [{"kind": "condition", "start": 5, "end": 8, "text": "x", "value": {"id": "c", "theme": "cancer"}}],
        }
    )
    with engine.begin() as connection:
        first = add(connection, said, "Le reiki guérit le cancer, xqzorvak vous le dit")
        other = add(connection, said.model_copy(update={"language": LanguageInfo(code="en", confidence=1.0)}))
        add(connection)  # not read yet
    assert note_facts(engine) == 2
    assert note_facts(engine) == 0
    with engine.connect() as connection:
        noted = {row.item_id: row for row in connection.execute(select(ITEM_FACTS))}
        facts = read_facts(connection, local_day(now()), local_day(now()), VERSION)
    assert (noted[first].language, noted[first].practice, noted[first].illness) == ("fr", "reiki", "cancer")
    assert noted[first].unknown == pytest.approx(1 / 9)
    assert (noted[other].language, noted[other].unknown) == ("en", None)
    assert len(facts) == 2
    by_language = {one.language: one for one in facts}
    assert by_language["fr"].present == {"miracle_cure"}
    assert by_language["fr"].words == 9
    # Another model reads the text: what it says is noted in the place of what was.
    with engine.begin() as connection:
        keep_prediction(connection, first, said.model_copy(update={"model_version": "m2", "practices": []}))
    assert note_facts(engine) == 1
    with engine.begin() as connection:
        assert connection.execute(select(ITEM_FACTS.c.practice).where(ITEM_FACTS.c.item_id == first)).scalar_one() == ""
        for table in ("predictions", "item_signs", "item_practices"):
            connection.exec_driver_sql(f"delete from {table}")
        connection.execute(delete(ITEMS))
        assert connection.execute(select(func.count()).select_from(ITEM_FACTS)).scalar_one() == 0


def test_a_shift_is_told_and_the_calm_weeks_before_it_are_not(engine: Engine, filled_weeks: list[date]) -> None:
    chosen = set_reference(engine, MODEL, filled_weeks[0], filled_weeks[3] + WEEK - timedelta(days=1))
    assert chosen.source == "stream"
    assert refresh(engine, VERSION, chosen, THRESHOLD) == 7
    weeks = weeks_of(engine)
    assert [weeks[monday].at("alert") for monday in filled_weeks[:6]] == [[]] * 6
    told = {shift.measure for shift in weeks[filled_weeks[6]].at("alert")}
    assert told >= {"channel", "language"}
    # Nothing changed: nothing is computed again. A text more in a week, or another threshold, and it is.
    assert refresh(engine, VERSION, chosen, THRESHOLD) == 0
    put(engine, filled_weeks[2], Stream(5).week()[:1], name="tard")
    assert refresh(engine, VERSION, chosen, THRESHOLD) == 1
    assert refresh(engine, VERSION, chosen, 50.0) == 7
    assert [len(week.at("alert")) for week in weeks_of(engine).values()] == [0] * 7
    # Erased texts change nothing of what was computed of their week.
    before = weeks_of(engine)[filled_weeks[6]].shifts
    with engine.begin() as connection:
        gone = select(ITEMS.c.id).where(ITEMS.c.received_at >= midnight(filled_weeks[6]))
        connection.execute(delete(ITEM_SIGNS).where(ITEM_SIGNS.c.item_id.in_(gone)))
        connection.execute(delete(ITEMS).where(ITEMS.c.id.in_(gone)))
    assert refresh(engine, VERSION, chosen, 50.0) == 0
    assert weeks_of(engine)[filled_weeks[6]].shifts == before


def test_a_reference_is_a_period_that_is_over_was_read_and_has_texts_enough(engine: Engine, filled_weeks: list[date]) -> None:
    first, last = filled_weeks[0], filled_weeks[3]
    with pytest.raises(DriftError, match="précède"):
        set_reference(engine, MODEL, last, first)
    with pytest.raises(DriftError, match="n'est pas fini"):
        set_reference(engine, MODEL, first, local_day(now()))
    with pytest.raises(DriftError, match="300 et 100"):
        set_reference(engine, MODEL, first, first)
    with pytest.raises(DriftError, match="n'a lu que 0 des"):
        set_reference(engine, Model("m2", MODEL.own), first, last)
    assert chosen_reference(engine, MODEL).problem == "pas de référence"
    made = set_reference(engine, MODEL, first, last)
    assert chosen_reference(engine, MODEL) == made
    assert forget_reference(engine, MODEL) == MODEL.own
    assert chosen_reference(engine, MODEL) == MODEL.own
    with engine.connect() as connection:
        said = select(AUDIT.c.action, AUDIT.c.object, AUDIT.c.details).where(AUDIT.c.action.like("drift.%"))
        kept = connection.execute(said.order_by(AUDIT.c.number)).all()
    assert [(row.action, row.object) for row in kept] == [
        ("drift.reference", f"drift:{made.number}"),
        ("drift.reference", "drift:artefact"),
    ]
    assert first.isoformat() in str(kept[0].details)


def test_a_model_that_comes_to_serve_reads_the_period_anew(engine: Engine, filled_weeks: list[date]) -> None:
    first, last = filled_weeks[0], filled_weeks[3]
    set_reference(engine, MODEL, first, last)
    second = Model("m2", Chosen(None, problem="pas de référence"))
    waiting = chosen_reference(engine, second)
    assert waiting.reference is None
    assert "En attendant" in (waiting.problem or "")
    with engine.begin() as connection:
        connection.execute(update(ITEMS).values(model_version="m2"))
        connection.execute(update(ITEM_FACTS).values(model_version="m2"))
    found = chosen_reference(engine, second)
    assert (found.source, found.first, found.last) == ("stream", first, last)
    assert chosen_reference(engine, second) == found, "lue une fois"
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(DRIFT_REFERENCES)).scalar_one() == 2


def test_few_texts_say_nothing(engine: Engine) -> None:
    made = Stream(2)
    own = Chosen(made.reference())
    put(engine, this_monday() - WEEK, made.week(SHIFTS["autre langue (15 %)"][0])[: LEAST_TEXTS - 1])
    assert refresh(engine, VERSION, own, THRESHOLD) == 1
    week = weeks_of(engine)[this_monday() - WEEK]
    assert {shift.state for shift in week.shifts} == {"few"}
    assert not week.enough


def test_one_author_is_not_a_stream(engine: Engine) -> None:
    """Whatever one account floods the week with, it says nothing of the others."""
    made = Stream(2)
    own = Chosen(made.reference())
    flood = [Facts(40, 0.5, "en", "comment", "", "", "", 0.9, 2, "promotes", frozenset(), "a1")] * 400
    put(engine, this_monday() - WEEK, flood)
    refresh(engine, VERSION, own, THRESHOLD)
    assert {shift.state for shift in weeks_of(engine)[this_monday() - WEEK].shifts} == {"few"}


def test_without_a_reference_nothing_is_compared_and_it_is_said(engine: Engine, filled_weeks: list[date]) -> None:
    look(engine, MODEL, THRESHOLD)
    found = drift_of(engine, MODEL)
    assert found.latest is None
    assert found.alerts == []
    assert found.chosen.problem == "pas de référence"
    figures = {figure.id: figure for figure in drift_figures(found)}
    assert figures["derive"].rows == []
    assert len(figures["derive-semaines"].rows) == 7
    for figure in figures.values():
        assert figure.to_csv()


def test_precision_is_told_by_month_and_by_week(engine: Engine, people: dict[Role, Person]) -> None:
    choose(engine, "second_share", 0.0, people["administrator"])
    month_ago = now() - timedelta(days=35)
    with engine.begin() as connection:
        for number in range(40):
            id = add(connection, prediction("isolation"))
            if number % 2:
                connection.execute(update(ITEMS).where(ITEMS.c.id == id).values(received_at=month_ago))
        rows = connection.execute(select(ITEMS.c.id, ITEMS.c.received_at).order_by(ITEMS.c.sha256)).all()
    old = [row.id for row in rows if row.received_at.replace(tzinfo=None) < (now() - timedelta(days=20)).replace(tzinfo=None)]
    for row in rows:
        say(engine, row.id, people["analyst"], *(["isolation"] if row.id in old else []), drawn_by="random")
    with engine.connect() as connection:
        found = precision_by_period(connection)
    months = [one for one in found if one.kind == "month"]
    assert [(one.precision.hits, one.precision.total) for one in months] == [(20, 20), (0, 20)]
    assert [one.precision.value for one in months] == [1.0, 0.0]
    assert months[0].precision.low > months[1].precision.high
    assert [one.first.weekday() for one in found if one.kind == "week"] == [0, 0]


def test_gauges_say_what_the_page_says(engine: Engine, filled_weeks: list[date]) -> None:
    set_reference(engine, MODEL, filled_weeks[0], filled_weeks[3])
    look(engine, MODEL, THRESHOLD)
    metrics = Metrics()
    found = drift_of(engine, MODEL)
    tell(metrics, found)
    told = dict(re.findall(r"^(vigie_(?:drift|precision)\S*?(?:\{.*?\})?) (\S+)$", metrics.exposed().decode(), re.MULTILINE))
    assert told['vigie_drift_alert{measure="channel"}'] == "1.0"
    assert told['vigie_drift_alert{measure="score"}'] in ("0.0", "1.0")
    assert float(told['vigie_drift_index{bound="low",measure="channel"}']) > THRESHOLD
    assert told['vigie_drift_reference{source="stream"}'] == "1.0"
    assert told['vigie_drift_reference{source="corpus"}'] == "0.0"
    assert float(told["vigie_drift_week_seconds"]) == midnight(filled_weeks[6]).timestamp()
    assert math.isnan(float(told['vigie_precision{bound="value"}']))
    # What is no longer known is not left standing.
    with engine.begin() as connection:
        connection.execute(delete(DRIFT_WEEKS))
    tell(metrics, drift_of(engine, MODEL))
    again = metrics.exposed().decode()
    assert 'vigie_drift_alert{measure="channel"} 0.0' in again
    assert 'vigie_drift_index{bound="low",measure="channel"} NaN' in again


def test_the_same_week_gives_the_same_figures_and_they_hold_together(engine: Engine, filled_weeks: list[date]) -> None:
    chosen = set_reference(engine, MODEL, filled_weeks[0], filled_weeks[3])
    refresh(engine, VERSION, chosen, THRESHOLD)
    first = weeks_of(engine)
    with engine.begin() as connection:
        connection.execute(delete(DRIFT_WEEKS))
    refresh(engine, VERSION, chosen, THRESHOLD)
    second = weeks_of(engine)
    assert {monday: week.shifts for monday, week in first.items()} == {monday: week.shifts for monday, week in second.items()}
    for week in first.values():
        assert [shift.measure for shift in week.shifts] == [measure.id for measure in measures()]
        for shift in week.shifts:
            if shift.psi is not None and shift.low is not None and shift.high is not None:
                assert 0 <= shift.low <= shift.psi <= shift.high
            assert shift.texts <= week.covered
    with engine.connect() as connection:
        figures = {figure.id: figure for figure in drift_figures(watched(connection, VERSION, chosen))}
    rows = list(csv.DictReader(io.StringIO(figures["derive-semaines"].to_csv())))
    assert len(rows) == 7
    assert rows[0]["remarque"] == "semaine de la référence"
    assert "canal" in rows[6]["en alerte"]
    assert WEEKS >= 26


def _placed(place: Place, stream: list[list[Facts]], version: str) -> list[date]:
    mondays = [this_monday() - (7 - number) * WEEK for number in range(7)]
    for monday, texts in zip(mondays, stream, strict=True):
        put(place.engine, monday, texts, version=version)
    return mondays


@pytest.fixture
def shown(browsed: Place, stream: list[list[Facts]], version: str) -> Place:
    """A workplace whose last week drifts, by the model that serves."""
    mondays = _placed(browsed, stream, version)
    model = Model(version, Chosen(None))
    set_reference(browsed.engine, model, mondays[0], mondays[3])
    look(browsed.engine, model, THRESHOLD)
    return browsed


@pytest.fixture(scope="session")
def version(analyser: Any) -> str:
    """The version of the model that serves."""
    found: str = analyser.artefact.version
    return found


def test_the_overview_without_reference_says_so(place: Place) -> None:
    # Before the next one: what the overview counts is kept some seconds.
    text = place.visitor("analyst").get("/apercu").text
    assert "vigie drift reference" in text


@pytest.mark.browser
def test_the_overview_tells_alerts_and_gives_plot_table_and_file(shown: Place) -> None:
    page = shown.page("analyst")
    page.goto("/apercu")
    notice = page.locator(".notice.warn", has_text="Dérive")
    for _ in range(60):  # what was counted for the test before may still stand, some seconds
        if notice.count():
            break
        page.wait_for_timeout(500)
        page.reload()
    assert "canal" in notice.inner_text()
    notice.locator("a").click()
    title = page.locator("#titre-derive")
    assert title.is_visible()
    assert_accessible(page)
    figure = page.locator(".figure-of", has=title)
    assert figure.locator("svg[role=img]").count() == 1
    figure.locator("summary").click()
    assert figure.locator("tr", has_text="langue").locator("td").last.inner_text() == "alerte"
    narrow = shown.page("analyst", width=390, dark=True)
    narrow.goto("/apercu")
    assert_accessible(narrow)
    for name in ("derive", "derive-semaines", "precision-mois"):
        answer = shown.visitor("analyst").get(f"/apercu/{name}.csv")
        assert answer.status_code == 200
        assert answer.text.startswith("\ufeff")
    assert "langue" in shown.visitor("analyst").get("/apercu/derive.csv").text


@pytest.fixture
def command(place: Place, artefacts: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """`vigie drift …` on the database of the place."""
    monkeypatch.setenv("VIGIE_DATABASE_URL", place.settings.database_url)

    def run(*arguments: str) -> tuple[int, str, str]:
        done = inside("drift", *arguments, artefacts=artefacts)
        return done.returncode, done.stdout, done.stderr

    return run


def test_the_command_sets_the_reference_and_shows_drift(
    place: Place, stream: list[list[Facts]], version: str, command: Callable[..., tuple[int, str, str]]
) -> None:
    code, _, said = command("show")
    assert (code, "Aucune semaine" in said) == (0, True)
    mondays = _placed(place, stream, version)
    assert command("reference", "--from", mondays[0].isoformat())[0] == 2
    code, _, said = command("reference", "--from", mondays[0].isoformat(), "--to", mondays[0].isoformat())
    assert (code, "300 et 100" in said) == (1, True)
    code, _, said = command("reference", "--from", mondays[0].isoformat(), "--to", mondays[4].isoformat())
    assert code == 0, said
    assert "votre flux du" in said
    assert "votre flux du" in command("reference")[2]
    code, shown, said = command("show")
    assert code == 0
    assert "canal" in said
    assert "alerte" in shown
    code, shown, _ = command("show", "--json")
    found = json.loads(shown)
    assert "canal" in found["alerts"]
    assert len(found["weeks"]) == 7
    code, _, said = command("reference", "--artefact")
    assert code == 0
    assert "votre flux du" not in said


def test_a_reference_comes_back_as_it_was_written() -> None:
    made = Stream(3).reference()
    again = Reference.from_json(made.to_json())
    assert again.to_json() == made.to_json()
    assert set(again.shares) == {measure.id for measure in measures()}


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda found: b"[]", id="list"),
        pytest.param(lambda found: b"\xff", id="bytes"),
        pytest.param(lambda found: json.dumps(found | {"format": "vigie-reference-0"}).encode(), id="format"),
        pytest.param(lambda found: json.dumps(found | {"source": "ailleurs"}).encode(), id="source"),
        pytest.param(lambda found: json.dumps(found | {"measures": {"score": {"shares": [1]}}}).encode(), id="measure"),
    ],
)
def test_a_reference_that_cannot_be_read_is_told(spoil: Callable[[dict[str, Any]], bytes]) -> None:
    found = json.loads(Stream(3).reference().to_json())
    with pytest.raises(Exception, match="vigie-reference-1"):
        Reference.from_json(spoil(found))


def test_a_measure_that_is_cut_otherwise_is_left_out() -> None:
    found = json.loads(Stream(3).reference().to_json())
    found["measures"]["channel"]["values"][0] = "fax"
    found["measures"]["fumee"] = found["measures"]["score"]
    kept = Reference.from_json(json.dumps(found).encode()).shares
    assert "channel" not in kept
    assert "fumee" not in kept
    assert "score" in kept


def test_calm_years_stay_calm_and_shifts_are_seen() -> None:
    """The short form of `python -m tests.harness.drift`, whose figures are in docs/derive.md."""
    assert not any(week for seed in (100, 101) for week in simulated.calm_year(seed, weeks=26))
    for name in ("autre canal (30 %)", "deux fois plus longs (50 %)", "autre langue (15 %)", "mots nouveaux (1 sur 30)"):
        change, expected = SHIFTS[name]
        assert simulated.first_seen(100, change, expected) is not None, name
