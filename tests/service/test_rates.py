"""How many requests a minute: each key, account and address has its own allowance, which the processes of a service share."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from limits import RateLimitItemPerMinute
from limits.strategies import MovingWindowRateLimiter
from sqlalchemy import Engine

from service.database import connect_database
from service.hits import SharedStorage
from service.rates import allowances
from service.settings import Settings
from service.workplace.keys import create_key, list_keys, revoke_key
from service.workplace.people import Person, create_user
from tests.service.conftest import free_port, start
from tests.service.test_batch import ROOT
from tests.service.test_load_processes import serving

PASSWORD = "une phrase que personne ne tape"


def test_what_is_not_said_is_as_the_rest() -> None:
    assert allowances(Settings()) == {"key": 0, "account": 0, "address": 0}
    assert allowances(Settings(rate_per_minute=9)) == {"key": 9, "account": 9, "address": 9}
    said = Settings(rate_per_minute=9, key_rate_per_minute=0, account_rate_per_minute=2)
    assert allowances(said) == {"key": 0, "account": 2, "address": 9}


@pytest.fixture(scope="module")
def limited(artefacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Engine, Person]]:
    """A service whose keys may ask six times a minute, accounts five, addresses four; an account of administration."""
    folder = tmp_path_factory.mktemp("debit")
    settings = Settings(
        model_dir=artefacts,
        database_url=f"sqlite:///{folder / 'v.db'}",
        port=free_port(),
        scoring=False,
        spool_dir=folder / "attente",
        rate_per_minute=4,
        account_rate_per_minute=5,
        key_rate_per_minute=6,
    )
    server, thread = start(settings)
    engine = connect_database(settings.database_url)
    yield f"http://127.0.0.1:{settings.port}", engine, create_user(engine, "cheffe", "Cheffe", "administrator", PASSWORD)
    engine.dispose()
    server.should_exit = True
    thread.join(timeout=15)


def flood(client: httpx.Client, path: str, count: int, **headers: str) -> list[httpx.Response]:
    return [client.get(path, headers=headers) for _ in range(count)]


def statuses(answers: list[httpx.Response]) -> list[int]:
    return [answer.status_code for answer in answers]


def test_one_key_that_floods_takes_nothing_from_others(limited: tuple[str, Engine, Person]) -> None:
    url, engine, boss = limited
    keys = {name: create_key(engine, boss, name, ["predict", "import"]) for name in ("folle", "sage", "retirée")}
    with httpx.Client(base_url=url, timeout=60) as client:
        mad = flood(client, "/v1/labels", 12, Authorization=f"Bearer {keys['folle']}")
        assert statuses(mad) == [200] * 6 + [429] * 6
        assert mad[-1].headers["content-type"] == "application/problem+json"
        assert "6 requêtes en une minute pour cette clé" in mad[-1].json()["detail"]
        assert 1 <= int(mad[-1].headers["retry-after"]) <= 60
        assert statuses(flood(client, "/v1/labels", 6, Authorization=f"Bearer {keys['sage']}")) == [200] * 6
        # However it is sent, a key is one key: as Label Studio does, too.
        basic = httpx.BasicAuth("vigie", keys["folle"])
        assert client.get("/label-studio/health", auth=basic).status_code == 429
        # A person who is signed in from the same address is not slowed.
        entered = client.post("/connexion", data={"login": "cheffe", "password": PASSWORD})
        assert entered.status_code == 303
        assert statuses(flood(client, "/compte", 6)) == [200] * 5 + [429]
        client.cookies.clear()
        # Keys that are none, and those that are revoked, count for the address: making them up gives nothing.
        revoke_key(engine, boss, next(one.id for one in list_keys(engine, boss) if one.name == "retirée"))
        made_up = [client.get("/v1/labels", headers={"Authorization": f"Bearer vigie_{n}"}) for n in range(3)]
        assert statuses(made_up) == [200] * 3, "la connexion a compté aussi"
        assert client.get("/v1/labels", headers={"Authorization": f"Bearer {keys['retirée']}"}).status_code == 429
        assert client.get("/v1/labels", headers={"Cookie": "vigie_session=faux"}).status_code == 429
        assert client.get("/v1/labels").status_code == 429
        for path in ("/health/live", "/metrics", "/static/page.css"):
            assert client.get(path).status_code == 200, "jamais compté"


def test_the_moving_window_is_exact_in_the_shared_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_000_000.0]
    monkeypatch.setattr("service.hits.time", SimpleNamespace(monotonic=lambda: now[0]))
    first, second = (MovingWindowRateLimiter(SharedStorage(tmp_path / "rates")) for _ in range(2))
    item = RateLimitItemPerMinute(3)
    assert [first.hit(item, "a"), second.hit(item, "a"), first.hit(item, "a"), second.hit(item, "a")] == [True, True, True, False]
    assert first.hit(item, "b")
    assert first.get_window_stats(item, "a").reset_time == now[0] + 60
    assert first.get_window_stats(item, "c").remaining == 3
    now[0] += 59.9
    assert not first.hit(item, "a")
    now[0] += 0.2
    assert second.hit(item, "a")
    now[0] += 120
    assert first.get_window_stats(item, "a").remaining == 3
    second.clear(item, "a")
    assert first.storage.check()
    assert first.storage.reset() is not None


def test_processes_count_together(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from limits import RateLimitItemPerMinute as Item;"
        "from limits.strategies import MovingWindowRateLimiter as Limiter; from service.hits import SharedStorage;"
        "limiter = Limiter(SharedStorage(Path(sys.argv[1])));"
        "print(sum(limiter.hit(Item(100), 'a') for _ in range(80)))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "rates")]
    running = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    assert sum(int(process.communicate(timeout=600)[0]) for process in running) == 100


def test_the_processes_of_a_service_share_the_allowances(artefacts: Path, tmp_path: Path) -> None:
    spool = str(tmp_path / "attente")
    with serving(artefacts, tmp_path, 2, VIGIE_SCORING="false", VIGIE_SPOOL_DIR=spool, VIGIE_RATE_PER_MINUTE="20") as service:
        # Each on a connection of its own, which either process takes.
        told = Counter(httpx.get(f"{service.url}/v1/labels", timeout=60).status_code for _ in range(30))
        assert told == {200: 20, 429: 10}
