"""The observatory as people and programs reach it: roles, page, downloads, report, API; looked at in a real browser."""

import asyncio
import io
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from statistics import median
from time import perf_counter, process_time, sleep
from types import SimpleNamespace
from typing import Any

import openpyxl
import pypdfium2
import pytest
from sqlalchemy import Engine, select, text, update

from model.analyser import Analyser
from service.database import connect_database
from service.gauges import Gauges
from service.metrics import Metrics
from service.observatory import snapshot
from service.observatory.answers import answer_of, keep_observing
from service.observatory.selection import Answer, Wanted
from service.observatory.sheets import sheets_of
from service.observatory.snapshot import Snapshot, newest, take
from service.observatory.stored import stored
from service.slots import Slots
from service.state import State
from service.workplace.choices import choose
from service.workplace.keys import create_key
from service.workplace.schema import ITEMS
from tests.service.workplace.conftest import Place, Visitor, add_people
from tests.service.workplace.looks import assert_accessible
from tests.service.workplace.test_observatory import fill
from tests.service.workplace.volume import fill as fill_many
from tests.service.workplace.volume import replace_with
from tests.timing import quickest


@pytest.fixture
def observed(place: Place) -> Place:
    """A workplace with texts, counted anew."""
    fill(place.engine, 4)
    assert place.visitor("administrator").post("/observatoire/seuil", {"least": "5"}).status_code == 303
    return place


def test_who_is_signed_in_reads_it_and_administrators_set_the_least_count(observed: Place) -> None:
    assert observed.client().get("/observatoire").status_code == 303
    analyst = observed.visitor("analyst")
    page = analyst.get("/observatoire")
    assert page.status_code == 200
    assert "Ce que ces figures ne mesurent pas" in page.text
    assert "Plus petit compte montré" not in page.text
    assert "@auteur" not in page.text
    assert analyst.post("/observatoire/seuil", {"least": "9"}).status_code == 403
    boss = observed.visitor("administrator")
    refused = boss.post("/observatoire/seuil", {"least": "1"})
    assert refused.status_code == 422
    assert "Plus petit compte montré" in refused.text


def test_every_download_holds_what_the_page_shows(observed: Place) -> None:
    analyst: Visitor = observed.visitor("analyst")
    query = "?du=2025-12-01&au=2026-03-01&compter=authors"
    with observed.engine.connect() as connection:
        snapshot = take(connection)
    answer = Answer(snapshot, Wanted(date(2025, 12, 1), date(2026, 3, 1), mode="authors"))
    made = {sheet.id: sheet for sheet in sheets_of(answer, None)}
    for name in ("volumes", "channel", "region"):
        got = analyst.get(f"/observatoire/{name}.csv{query}")
        assert got.content.decode("utf-8-sig").replace("\r\n", "\n") == made[name].figure().to_csv().replace("\r\n", "\n")
    book = openpyxl.load_workbook(io.BytesIO(analyst.get(f"/observatoire/tout.xlsx{query}").content))
    assert book.sheetnames[1:] == list(made)
    document = pypdfium2.PdfDocument(analyst.get(f"/observatoire/rapport.pdf{query}").content)
    assert len(document) >= 5
    document.close()
    assert analyst.get("/observatoire/rien.csv").status_code == 404


def test_what_cannot_be_selected_is_said_and_nothing_is_lost(observed: Place) -> None:
    analyst = observed.visitor("analyst")
    page = analyst.get("/observatoire?du=2026-03-40")
    assert page.status_code == 422
    assert "Du « 2026-03-40 » : une date est attendue" in page.text
    assert "Textes par période" in page.text
    told = "Par « siecle » : semaine (week), mois (month), trimestre (quarter), année (year) attendu."
    assert told in analyst.get("/observatoire?par=siecle").text
    chosen = analyst.get("/observatoire?choix=channel:ad&par=quarter")
    assert chosen.status_code == 303
    assert "dimension=channel" in chosen.headers["location"]
    assert "ne se croisent pas" in analyst.get(chosen.headers["location"]).text


def test_programs_need_the_right_to_export(observed: Place) -> None:
    boss = observed.people["administrator"]
    keys = {scope: create_key(observed.engine, boss, scope, [scope]) for scope in ("export", "import")}
    client = observed.client()
    assert client.get("/v1/observatory").status_code == 401
    assert client.get("/v1/observatory", headers={"Authorization": f"Bearer {keys['import']}"}).status_code == 403
    found = client.get("/v1/observatory?par=quarter", headers={"Authorization": f"Bearer {keys['export']}"}).json()
    sheets = {sheet["id"]: sheet for sheet in found["sheets"]}
    assert found["least"] == 5
    assert found["limits"]
    assert [row[0] for row in sheets["volumes"]["rows"]][:2] == ["4e trimestre 2025", "1er trimestre 2026"]
    for row in sheets["channel"]["rows"]:
        assert all(cell is None or isinstance(cell, dict) or cell >= 5 for cell in row[2:8])
    wrong = client.get("/v1/observatory?au=demain", headers={"Authorization": f"Bearer {keys['export']}"})
    assert (wrong.status_code, wrong.headers["content-type"]) == (422, "application/problem+json")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_the_pages_are_accessible(observed: Place, browser: object, width: int, dark: bool) -> None:
    observed.browser = browser  # type: ignore[assignment]
    page = observed.page("administrator", width=width, dark=dark)
    page.goto("/observatoire")
    for summary in page.locator("main summary").all():
        summary.click()
    assert_accessible(page)
    page.goto("/observatoire/rapport")
    assert_accessible(page)


def test_a_value_is_followed_with_the_keyboard_alone(observed: Place, browser: object) -> None:
    observed.browser = browser  # type: ignore[assignment]
    page = observed.page("analyst", scripts=False)
    page.goto("/observatoire")
    page.get_by_label("Suivre").select_option("channel:ad")
    page.get_by_role("button", name="Montrer").press("Enter")
    page.wait_for_url("**/observatoire?*dimension=channel*")
    assert page.get_by_text("Une seule valeur est suivie").is_visible()


def test_a_hundred_thousand_texts_do_not_slow_the_page(
    place: Place, volume: Path, record_property: Callable[[str, object], None]
) -> None:
    replace_with(place.engine, volume)
    place.people = add_people(place.engine)
    boss = place.visitor("administrator")
    assert boss.post("/observatoire/seuil", {"least": "5"}).status_code == 303
    # Until each way of counting is counted.
    for query in ("", "?compter=authors&dimension=channel&valeur=ad", "?compter=families&dimension=channel&valeur=ad"):
        assert boss.get(f"/observatoire{query}").status_code == 200
    first: list[float] = []
    again: list[float] = []
    for query in (
        "?par=week",
        "?par=quarter",
        "?par=year",
        "?compter=authors",
        "?compter=families",
        "?dimension=channel&valeur=ad",
    ):
        # Time of the processor: what a selection costs, whatever else the machine does.
        for spent, clock in ((first, process_time), (again, perf_counter)):
            begun = clock()
            assert boss.get(f"/observatoire{query}").status_code == 200
            spent.append(clock() - begun)
    record_property("seconds", (first, again))
    # A selection that nobody asked for before is worked out; in the middle of them, as quick as a page has to be.
    assert (median(first) < 0.3, max(again) < 0.3) == (True, True), (first, again)


def test_the_usual_answer_is_ready_before_anybody_asks(place: Place, analyser: Analyser) -> None:
    """The background work counts at the start and keeps the answer that the page shows first."""
    fill(place.engine, 4)
    served: Any = SimpleNamespace(current=analyser)
    state = State(served, Slots(place.settings, Metrics()), place.engine, place.settings, Metrics(), Gauges(place.engine))

    async def start() -> None:
        work = asyncio.create_task(keep_observing(state))
        while not newest(place.engine).answers:
            await asyncio.sleep(0.05)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    # The browser's own loop runs in this thread.
    with ThreadPoolExecutor(1) as apart:
        apart.submit(asyncio.run, asyncio.wait_for(start(), 30)).result()
    kept = newest(place.engine).answers
    assert [wanted for wanted, _ in kept] == [Wanted()]
    assert answer_of(state, Wanted()) is next(iter(kept.values()))


def test_counting_a_hundred_thousand_texts_is_a_matter_of_seconds(base: Engine, volume: Path) -> None:
    replace_with(base, volume)

    def counted() -> Snapshot:
        with base.connect() as connection:
            snapshot = take(connection)
        snapshot.counted("texts")
        return snapshot

    assert quickest(counted, 15) < 15
    snapshot = counted()
    assert quickest(lambda: sheets_of(Answer(snapshot, Wanted()), None), 2) < 2


def test_a_process_that_starts_shows_the_last_count_at_once_with_its_date(base: Engine) -> None:
    """The first answer does not wait for a count: it is that of before, which says when it was made, then the new one."""
    fill_many(base, 6_000)
    before = newest(base)
    kept_in(base)
    fill(base, 4)
    again = connect_database(base.url.render_as_string(hide_password=False))
    first = newest(again)
    # Of this thread: another one counts anew meanwhile.
    assert quickest(lambda: sheets_of(Answer(first, Wanted()), None), 0.3) < 0.3
    assert (first.made_at, first.rows.count) == (before.made_at, 6_000)
    assert first.counted("texts").totals["flagged"].counts.tolist() == before.counted("texts").totals["flagged"].counts.tolist()
    while newest(again).rows.count == 6_000:
        sleep(0.05)
    assert newest(again).rows.count == 6_240
    again.dispose()


def test_texts_that_arrive_are_counted_soon_and_a_few_in_their_time(base: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first count, of the few texts that were there, would stand twenty times as long as it took."""
    monkeypatch.setattr(snapshot, "_FRESH", 0.0)
    monkeypatch.setattr(snapshot, "_REST", 1e9)
    fill(base, 1, 8)
    newest(base)
    kept_in(base)
    fill(base, 2, 2)
    for _ in range(10):
        assert newest(base).rows.count == 8
        sleep(0.05)
    fill(base, 3, 8)
    end = perf_counter() + 120
    while newest(base).rows.count == 8:
        assert perf_counter() < end
        sleep(0.05)
    assert newest(base).rows.count == 18


def test_what_was_counted_while_texts_waited_is_counted_anew_at_the_last(base: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The demonstration arrives at once and is read over a minute: counts made meanwhile would show « n. d. » long after."""
    monkeypatch.setattr(snapshot, "_FRESH", 0.0)
    monkeypatch.setattr(snapshot, "_REST", 1e9)
    fill(base, 1, 20)
    with base.begin() as connection:
        waiting = list(connection.execute(select(ITEMS.c.id)).scalars())[:6]
        connection.execute(update(ITEMS).where(ITEMS.c.level.is_(None)).values(level=0))
        connection.execute(update(ITEMS).where(ITEMS.c.id.in_(waiting)).values(level=None))
    assert (newest(base).rows.level < 0).sum() == 6
    kept_in(base)
    for id in waiting:
        assert (newest(base).rows.level < 0).sum() == 6
        with base.begin() as connection:
            connection.execute(update(ITEMS).where(ITEMS.c.id == id).values(level=2))
    end = perf_counter() + 120
    while (newest(base).rows.level < 0).any():
        assert perf_counter() < end
        sleep(0.05)


#: Asks for the figures of a database, then ends while they are counted once more.
ENDING = """
import sys, time
from service.database import connect_database
from service.observatory.snapshot import newest
newest(connect_database(sys.argv[1]))
time.sleep(float(sys.argv[2]))
"""


def test_a_process_that_ends_while_figures_are_counted_ends_well(base: Engine) -> None:
    """A thread that is cut short within the solver aborts the whole process: « terminate called », and a failed service."""
    fill_many(base, 3_000)
    for wait in (0.1, 0.2, 0.3, 0.4):
        with base.begin() as connection:
            connection.execute(text("delete from observatory"))
        words = [sys.executable, "-c", ENDING, base.url.render_as_string(hide_password=False), str(wait)]
        done = subprocess.run(words, cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def kept_in(engine: Engine) -> None:
    """Wait until the count is kept in the database."""
    while True:
        with engine.connect() as connection:
            if stored(connection) is not None:
                return
        sleep(0.05)


def test_another_least_count_is_not_answered_with_what_was_hidden_for_before(base: Engine) -> None:
    fill(base, 4)
    people = add_people(base)
    newest(base)
    kept_in(base)
    choose(base, "observatory_least", 12, people["administrator"])
    again = connect_database(base.url.render_as_string(hide_password=False))
    found = newest(again)
    assert found.least == 12
    totals = found.counted("texts").totals.values()
    assert all(series.hidden[series.counts < 12].all() for series in totals)
    again.dispose()
