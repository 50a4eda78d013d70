"""From every earlier step, with data: up, nothing is lost and the service answers; down again, what was there is there; up."""

import gc
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from sqlalchemy import Connection, Engine, text

from service.access import COOKIE
from service.database import connect_database
from service.metrics import Metrics
from service.migrations import NOTHING, current, downgrade, losses, steps, upgrade
from service.models import Models
from service.settings import Settings
from service.workplace.audit_verify import Expected, verify_database
from service.workplace.people import find_login
from service.workplace.sessions import open_session
from service.workplace.times import now
from tests.service.conftest import free_port, start
from tests.service.workplace.believable import WORDS, fill, held, shape
from tests.service.workplace.conftest import add_person
from tests.service.workplace.postgres import run_sql

# A connection that the service still holds when its thread ends is closed by its deletion, of which psycopg warns: in this test
# or in one that follows.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

STEPS = steps()
KINDS = ("sqlite", "postgresql")
PAGES = (
    *("/", "/file?tout=1", "/imports", "/export", "/a-etiqueter", "/relecture", "/relecture/etalons", "/arbitrage", "/comptes"),
    *("/apercu", "/accord", "/campagnes", "/dossiers", "/conservation", "/journal", "/compte"),
    *("/observatoire", "/health/ready", "/metrics", "/v1/campaigns"),
    *("/modeles", "/vie-privee", "/pratiques", "/orientation"),
)
#: The pages of one thing: the table whose rows are shown, the address, and how many of the rows have such a page (a reading
#: that was cancelled or a link to a text alone has none; what has none is said, with the status of an answer of ours).
DETAILS = (
    *(("items", "/textes/{id}", 4), ("items", "/orienter/{id}", 4), ("items", "/textes/{id}/extension", 0)),
    *(("campaigns", "/campagnes/{id}", 1), ("contacts", "/contacts/{id}", 1)),
    *(("cases", "/dossiers/{id}", 4), ("cases", "/dossiers/{id}/apercu", 4), ("cases", "/dossiers/{id}/modifier", 4)),
    *(("imports", "/imports/{id}", 4), ("exports", "/export/{id}", 4), ("trainings", "/modeles/essais/{id}", 4)),
    *(("readings", "/relecture/{id}", 0), ("readings", "/arbitrage/{id}", 0)),
    *(("users", "/comptes/{id}", 4), ("privacy_requests", "/vie-privee/{id}", 4)),
)
#: Steps from which the service is started on what came of them: it takes seconds.
SERVED = ("0001", "0008", "0012")
#: What a step makes anew, both ways: crossing it, rows of these tables, or these columns, are not the same.
ANEW = {
    "0009": {"sessions", "sign_in_tries", "users.failures", "users.locked_until"},
    "0010": {"audit_records", "case_events.user_id", "case_events.detail"},
}
ERASED = 3  # the event of a case that a command made
Held = Mapping[str, Mapping[tuple[Any, ...], Mapping[str, Any]]]


@pytest.fixture
def new_base(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[[str], Engine]]:
    """`new_base(kind)`: a database with nothing in it."""
    opened: list[Engine] = []

    def make(kind: str) -> Engine:
        if kind == "sqlite":
            url = f"sqlite:///{tmp_path / 'v.db'}"
        else:
            server, name = request.getfixturevalue("postgres"), f"step_{abs(hash(request.node.name)) % 10**9}"
            run_sql(server, f"drop database if exists {name} with (force)")
            run_sql(server, f"create database {name}")
            url = f"{server}/{name}"
        opened.append(connect_database(url))
        return opened[-1]

    yield make
    for engine in opened:
        engine.dispose()
    gc.collect()


@pytest.fixture(scope="module")
def models(artefacts: Path) -> Models:
    """The model that serves, loaded once for every service of this file."""
    return Models(artefacts, Metrics(), Settings(model_dir=artefacts).keys)


def move(engine: Engine, way: Callable[[Connection, str], None], step: str) -> tuple[Held, Mapping[str, Any]]:
    """Bring a database to a step; what it then holds, and its shape."""
    with engine.begin() as connection:
        way(connection, step)
    with engine.connect() as connection:
        return held(connection), shape(connection)


def crossed(step: str) -> set[str]:
    """What is made anew between a step and the last one."""
    return {name for over, names in ANEW.items() if over > step for name in names}


def differences(before: Held, after: Held, but: Collection[str] = ()) -> list[str]:
    """Rows that are missing, there unasked or otherwise, in the tables and columns that both have."""
    found = []
    for name in (before.keys() & after.keys()) - set(but):
        found += [f"{name} {key} : perdue" for key in before[name].keys() - after[name].keys()]
        found += [f"{name} {key} : en trop" for key in after[name].keys() - before[name].keys()]
        for key in before[name].keys() & after[name].keys():
            row, other = before[name][key], after[name][key]
            shared = [column for column in row.keys() & other.keys() if f"{name}.{column}" not in but]
            found += [
                f"{name}.{column} {key} : {row[column]!r}, puis {other[column]!r}"
                for column in shared
                if row[column] != other[column]
            ]
    return sorted(found)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", STEPS[:-1])
def test_up_with_data_the_service_answers_then_down_and_up(
    step: str, kind: str, new_base: Callable[[str], Engine], models: Models, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = new_base(kind)
    with engine.begin() as connection:
        upgrade(connection, step)
        fill(connection)
        before, was = held(connection), shape(connection)
    assert len(before) >= 2
    assert all(rows for name, rows in before.items() if not name.startswith("campaign_waiting"))
    after, _ = move(engine, upgrade, "head")
    assert set(before) - set(after) == set()
    assert differences(before, after, crossed(step)) == []
    back, is_again = move(engine, downgrade, step)
    assert is_again == was
    assert set(back) == set(before)
    assert differences(before, back, crossed(step)) == []
    once_more, _ = move(engine, upgrade, "head")
    assert differences(after, once_more, {"audit_records"}) == []
    if "0007" <= step < "0010":
        events = [one["case_events"][(ERASED,)] for one in (before, after, back)]
        assert [event["user_id"] is None for event in events] == [False, True, False]
        assert events[0]["user_id"] == events[1]["detail"]["texts"][0]["added_by"] == events[2]["user_id"]
        assert events[2]["detail"]["items"] == events[0]["detail"]["items"]
    if step >= "0010":
        assert after["audit_records"] == once_more["audit_records"]
    assert verify_database(engine, Expected(), now()).whole
    engine.dispose()
    if step not in SERVED:
        return
    monkeypatch.setattr("service.app.Models", lambda *_: models)
    answers(engine, Settings(database_url=url_of(engine), port=free_port(), scoring=False, spool_dir=tmp_path / "attente"))


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def answered(client: httpx.Client, page: str) -> int:
    """The status of a page; 0 where the connection was cut."""
    try:
        return client.get(page).status_code
    except httpx.TransportError:
        return 0


def answers(engine: Engine, settings: Settings) -> None:
    """Start the service on a database, sign in, and open its lists, and search."""
    server, thread = start(settings)
    try:
        person = find_login(engine, "amélie")
        if person is None:
            with engine.begin() as connection:
                person = add_person(connection, "amélie", "administrator")
        token = open_session(engine, person, timedelta(hours=1)).token
        with engine.connect() as connection:
            found = connection.execute(text("select id from items where text like 'Massage doux%' order by id")).scalars().first()
        with httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", cookies={COOKIE: token}, timeout=60) as client:
            told = {page: answered(client, page) for page in PAGES}
            assert {page: status for page, status in told.items() if status != 200} == {}
            assert shown(client, engine) == []
            if found is not None:
                assert found in client.get("/file", params={"tout": "1", "q": "lithotherapie chimie"}).text
    finally:
        server.should_exit = True
        thread.join(timeout=15)


def shown(client: httpx.Client, engine: Engine) -> list[str]:
    """What is wrong with the pages of single things: failures, and fewer pages shown than there are things to show."""
    wrong = []
    for table, address, least in DETAILS:
        with engine.connect() as connection:
            ids = list(connection.scalars(text(f"select id from {table}")))
        told = {id: answered(client, address.format(id=id)) for id in ids}
        wrong += [f"{address} {id} : {status}" for id, status in told.items() if status not in (200, 404, 409, 422)]
        if (seen := list(told.values()).count(200)) < min(least, len(ids)):
            wrong.append(f"{address} : {seen} pages sur {len(ids)}, {least} attendues ; {told}")
    return wrong


@pytest.mark.parametrize("kind", KINDS)
def test_down_one_step_at_a_time_with_every_table_full(kind: str, new_base: Callable[[str], Engine]) -> None:
    engine = new_base(kind)
    shapes = {}
    for step in STEPS:
        _, shapes[step] = move(engine, upgrade, step)
    with engine.begin() as connection:
        fill(connection)
        before = held(connection)
        lost = list(losses(connection, NOTHING))
    # Everything that people made is named before it goes, by the step that made it.
    assert {(one.step, one.count) for one in lost} >= {(step, 4) for step in ("0001", "0002", "0005", "0007", "0012")}
    for above, step in zip(STEPS[:0:-1], STEPS[-2::-1], strict=True):
        after, is_now = move(engine, downgrade, step)
        assert is_now == shapes[step], step
        assert differences(before, after, ANEW.get(above, ())) == [], step
        before = {name: dict(rows) for name, rows in after.items()}
    with engine.begin() as connection:
        downgrade(connection, NOTHING)
        assert current(connection) == NOTHING
        assert {name for name in shape(connection) if name not in ("alembic_version", "sqlite_sequence")} == set()
        upgrade(connection)
        assert current(connection) == STEPS[-1]


@pytest.mark.parametrize("kind", KINDS)
def test_near_duplicates_are_found_as_before_by_the_version_of_before(kind: str, new_base: Callable[[str], Engine]) -> None:
    engine = new_base(kind)
    with engine.begin() as connection:
        upgrade(connection, "0012")
        fill(connection)
        connection.execute(
            text("update signatures set minhash = :made"), {"made": (np.arange(72, dtype="<u4") * np.uint32(59652323)).tobytes()}
        )
        upgrade(connection)
        downgrade(connection, "0012")
        query = text("select band, count(item_id) from bands group by band order by band")
        bands = {band: count for band, count in connection.execute(query)}
    # As that version wrote them.
    assert {"A00000<2a53#&H}6", "Bsj8|9jN>>CZyd)F", "CQdLzIHICyL7{_rO", "XFI83b5{~2e^~Q1h"} < set(bands)
    assert len(bands) == 24
    assert set(bands.values()) == {len(WORDS)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_way_down_that_fails_changes_nothing(kind: str, new_base: Callable[[str], Engine]) -> None:
    engine = new_base(kind)
    with engine.begin() as connection:
        upgrade(connection)
        fill(connection)
        # In the way of what step 0005 takes away, after eight others.
        connection.execute(text("drop table exports"))
        before = held(connection)
    with pytest.raises(Exception, match="exports"), engine.begin() as connection:
        downgrade(connection, "0003")
    with engine.connect() as connection:
        assert current(connection) == STEPS[-1]
        assert held(connection) == before
