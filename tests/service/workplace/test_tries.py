"""Failures to sign in: who waits, how long, and who never does; at the table on both databases, and over HTTP."""

import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import Engine, select

from service.database import connect_database
from service.secret import Keyring, new_secret
from service.settings import Settings
from service.workplace import passwords, tries
from service.workplace.access_schema import SIGN_IN_TRIES
from service.workplace.audit import seal_with
from service.workplace.identities import link
from service.workplace.origin import Origin, device_name, network_of
from service.workplace.people import Person, Role, disable
from service.workplace.signin import DEVICE_COOKIE, check_sign_in, known_device, seal_device
from service.workplace.tries import RULES, HeldError, count_try, failures_of, in_words, lift, take_back
from tests.service.conftest import free_port, start
from tests.service.workplace.conftest import PASSWORD, Place, add_people, empty
from tests.service.workplace.test_accounts import OTHER, sign_in

HERE, THERE = Origin("192.0.2.1"), Origin("198.51.100.7")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> "Clock":
    return Clock(monkeypatch)


class Clock:
    """The time that failures are counted by; `pass_` lets it pass."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at = datetime.now(UTC)
        monkeypatch.setattr(tries, "now", self.now)

    def now(self) -> datetime:
        return self.at

    def pass_(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def wait(engine: Engine, login: str, origin: Origin) -> int:
    """Try and fail: 0, or the seconds to wait, the try not being counted."""
    try:
        count_try(engine, login, origin)
    except HeldError as held:
        return held.seconds
    return 0


def test_delays_double_from_the_fifth_failure(engine: Engine, clock: Clock) -> None:
    waits = []
    for _ in range(14):
        told = wait(engine, "nina", HERE)
        if told:
            waits.append(told)
            clock.pass_(told)
            assert wait(engine, "nina", HERE) == 0, "l'attente dite suffit"
    assert waits[:6] == [30, 60, 120, 240, 480, 960]
    assert max(waits) <= 3_600
    clock.pass_(86_401 + 3_600)
    assert [wait(engine, "nina", HERE) for _ in range(5)] == [0] * 5, "oubliés au bout d'un jour"


def test_a_stranger_does_not_shut_the_owner_out(engine: Engine, people: dict[Role, Person], clock: Clock) -> None:
    for _ in range(5):
        assert check_sign_in(engine, "analyst", OTHER, THERE) is None
    with pytest.raises(HeldError):
        check_sign_in(engine, "analyst", PASSWORD, THERE)
    assert check_sign_in(engine, "analyst", PASSWORD, HERE) == people["analyst"]
    with pytest.raises(HeldError):
        check_sign_in(engine, "analyst", PASSWORD, THERE)
    clock.pass_(31)
    assert check_sign_in(engine, "analyst", PASSWORD, THERE) == people["analyst"]
    # A success forgets what came before it there.
    assert [wait(engine, "analyst", THERE) for _ in range(5)] == [0] * 5


def test_from_everywhere_at_once_a_login_is_slowed_never_shut(engine: Engine, clock: Clock) -> None:
    for number in range(1, 20):
        assert wait(engine, "nina", Origin(f"203.0.113.{number}")) == 0
    waits = []
    for number in range(200):
        origin = Origin(f"10.0.{number}.1")
        told = wait(engine, "nina", origin)
        if told:
            waits.append(told)
            clock.pass_(told)
            assert wait(engine, "nina", origin) == 0
    assert waits[:4] == [2, 4, 8, 16]
    assert set(waits[4:]) == {30}
    # A device that is known, or a session, does not wait; another login neither.
    assert wait(engine, "nina", Origin("203.0.113.1", device="le sien")) == 0
    assert wait(engine, "zoe", HERE) == 0


def test_an_address_that_tries_every_login_waits_alone(engine: Engine, clock: Clock) -> None:
    for number in range(30):
        assert wait(engine, f"personne{number}", THERE) == 0
    assert wait(engine, "personne30", THERE) == 60
    assert wait(engine, "personne30", HERE) == 0
    assert wait(engine, "personne0", Origin(THERE.address, device="connu")) == 0


def test_a_known_device_counts_apart_and_waits_too(engine: Engine, clock: Clock) -> None:
    device = Origin(HERE.address, device="le portable")
    assert [wait(engine, "nina", device) for _ in range(6)] == [0, 0, 0, 0, 0, 30]
    assert wait(engine, "nina", HERE) == 0


def test_tries_made_at_once_are_all_counted(engine: Engine) -> None:
    told: list[int] = []
    threads = [threading.Thread(target=lambda: told.append(wait(engine, "nina", HERE))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told)[:6] == [0, 0, 0, 0, 0, sorted(told)[5]]
    assert sum(one == 0 for one in told) == 5


def test_a_success_takes_back_its_own_count_alone(engine: Engine) -> None:
    for _ in range(3):
        wait(engine, "nina", THERE)
    counted = count_try(engine, "nina", HERE)
    with engine.begin() as connection:
        take_back(connection, counted)
        rows = connection.execute(select(SIGN_IN_TRIES.c.scope, SIGN_IN_TRIES.c.failures)).all()
    assert sorted((row.scope, row.failures) for row in rows) == [("address", 3), ("login", 3), ("pair", 3)]


def test_administrators_see_failures_and_lift_them(engine: Engine, people: dict[Role, Person]) -> None:
    for _ in range(5):
        wait(engine, "analyst", THERE)
    wait(engine, "analyst", HERE)
    with engine.connect() as connection:
        found = failures_of(connection, ["analyst", "reviewer"])
    assert set(found) == {"analyst"}
    assert (found["analyst"].count, found["analyst"].addresses) == (6, ("192.0.2.1", "198.51.100.7"))
    assert found["analyst"].held_until is not None
    account = (people["analyst"].id, "analyst")
    assert lift(engine, account, people["administrator"].id)
    assert not lift(engine, account, None)
    assert wait(engine, "analyst", THERE) == 0


def test_what_was_typed_is_not_kept(engine: Engine) -> None:
    wait(engine, "le mot de passe tapé dans le mauvais champ", HERE)
    with engine.connect() as connection:
        kept = repr(connection.execute(select(SIGN_IN_TRIES)).all())
    assert "mauvais" not in kept
    assert "192.0.2.1" in kept, "l'adresse, pour l'administration"


@given(st.integers(0, 500), st.sampled_from(sorted(RULES)))
def test_delays_grow_and_are_bounded(failures: int, scope: tries.Scope) -> None:
    rule = RULES[scope]
    delay, next_one = rule.delay(failures), rule.delay(failures + 1)
    assert timedelta(0) <= delay <= next_one <= timedelta(seconds=rule.longest)
    assert (delay == timedelta(0)) == (failures < rule.free)


def test_networks_stand_for_clients() -> None:
    assert network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("2001:db8:1:2:3:4:5:6") == network_of("2001:db8:1:2::9") == "2001:db8:1:2::/64"
    assert network_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert network_of("fe80::1%eth0") == "fe80::/64"
    assert network_of("testclient") == "testclient"
    assert network_of("") == ""


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox sous Linux"),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0",
            "Edge sous Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1",
            "Safari sous iPhone",
        ),
        ("python-httpx/0.28", "Navigateur ou programme inconnu"),
        ("<script>Linux", "Navigateur inconnu sous Linux"),
        ("", "Navigateur ou programme inconnu"),
    ],
)
def test_devices_are_named_for_people(agent: str, said: str) -> None:
    assert device_name(agent) == said


def test_delays_are_told_in_words() -> None:
    assert [in_words(seconds) for seconds in (1, 30, 60, 61, 3_600)] == [
        "1 seconde",
        "30 secondes",
        "1 minute",
        "2 minutes",
        "60 minutes",
    ]


def test_a_device_is_known_for_its_login_alone() -> None:
    keyring = Keyring(new_secret())
    sealed = seal_device(keyring, "", "nina", "d-1")
    assert known_device(keyring, sealed, " NINA ") == "d-1"
    assert known_device(keyring, sealed, "zoe") == ""
    assert known_device(keyring, sealed[:-2], "nina") == ""
    assert known_device(keyring, "", "nina") == ""
    assert known_device(Keyring(), sealed, "nina") == ""
    assert known_device(Keyring(new_secret()), sealed, "nina") == ""
    assert known_device(keyring, seal_device(keyring, sealed, "nina", "d-2"), "nina") == "d-1", "le même appareil le reste"
    assert known_device(keyring, seal_device(keyring, sealed, "zoe", "d-3"), "zoe") == "d-3"


def test_the_page_says_to_wait_and_who_is_in_stays_in(each_place: Place) -> None:
    inside = each_place.visitor("analyst")
    for login in ("analyst", "personne-de-ce-nom"):
        for _ in range(5):
            assert sign_in(each_place.client(), login, OTHER).status_code == 403
        held = sign_in(each_place.client(), login)
        assert held.status_code == 429, "le bon mot de passe attend aussi, d'ici"
        assert 25 <= int(held.headers["retry-after"]) <= 30
        assert re.search(r"Trop d'essais : réessayez dans \d+ secondes", unescape(held.text))
    assert inside.get("/compte").status_code == 200
    changed = inside.post("/compte/mot-de-passe", {"old": PASSWORD, "password": OTHER, "again": OTHER})
    assert changed.status_code == 303, "une session ouverte n'attend pas"
    assert sign_in(each_place.client(), "analyst", OTHER).status_code == 303, "un nouveau mot de passe oublie les échecs"


def test_guesses_from_within_a_session_wait_too(place: Place) -> None:
    visitor = place.visitor("analyst")
    fields = {"old": "x" * 20, "password": OTHER, "again": OTHER}
    for _ in range(5):
        assert "n'est pas le bon" in unescape(visitor.post("/compte/mot-de-passe", fields).text)
    assert "Trop d'essais" in unescape(visitor.post("/compte/mot-de-passe", fields | {"old": PASSWORD}).text)
    assert sign_in(place.client(), "analyst").status_code == 303


def test_the_page_of_an_account_shows_failures_and_lifts_them(each_place: Place) -> None:
    boss, person = each_place.visitor("administrator"), each_place.people["analyst"]
    assert "Aucun depuis un jour" in boss.get(f"/comptes/{person.id}").text
    for _ in range(5):
        sign_in(each_place.client(), "analyst", OTHER)
    assert "essais en attente après des échecs" in boss.get("/comptes").text
    shown = boss.get(f"/comptes/{person.id}").text
    assert "5 échecs en un jour, depuis 127.0.0.1" in shown
    assert boss.post(f"/comptes/{person.id}/essais/oublier").headers["location"].endswith("?fait=essais")
    assert "Aucun depuis un jour" in boss.get(f"/comptes/{person.id}").text
    assert sign_in(each_place.client(), "analyst").status_code == 303


@pytest.fixture
def with_secret(artefacts: Path, tmp_path: Path) -> Iterator[Place]:
    """A service with a secret: devices that have come in are known again."""
    settings = Settings(
        model_dir=artefacts,
        database_url=f"sqlite:///{tmp_path / 'v.db'}",
        port=free_port(),
        scoring=False,
        spool_dir=tmp_path / "attente",
        secret_key=SecretStr(new_secret()),
    )
    server, thread = start(settings)
    engine = connect_database(settings.database_url)
    seal_with(engine, settings)
    empty(engine)
    place = Place(f"http://127.0.0.1:{settings.port}", engine, settings, add_people(engine))
    yield place
    place.close()
    engine.dispose()
    server.should_exit = True
    thread.join(timeout=15)


def test_a_device_that_came_in_is_not_slowed_by_others_of_its_address(with_secret: Place) -> None:
    client = with_secret.client()
    entered = sign_in(client, "analyst")
    cookie = next(one for one in entered.headers.get_list("set-cookie") if one.startswith(DEVICE_COOKIE))
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/connexion" in cookie
    client.cookies.delete("vigie_session")
    for _ in range(5):
        sign_in(with_secret.client(), "analyst", OTHER)
    assert sign_in(with_secret.client(), "analyst").status_code == 429
    assert sign_in(client, "analyst").status_code == 303
    # For another login it is a device like any other.
    for _ in range(5):
        sign_in(client, "reviewer", OTHER)
    assert sign_in(client, "reviewer").status_code == 429


class Counting:
    """The real hasher, which says how often it worked."""

    def __init__(self) -> None:
        self.real = passwords._HASHER
        self.verified: list[str] = []

    def verify(self, hash: str, password: str) -> bool:
        self.verified.append(hash)
        return self.real.verify(hash, password)

    def check_needs_rehash(self, hash: str) -> bool:
        return self.real.check_needs_rehash(hash)


def test_a_login_that_is_nobodys_takes_the_same_work(base: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    people = add_people(base)
    disable(base, people["reviewer"].id)
    link(base, "administrator", "https://idp.example", "s-1")
    counting = Counting()
    monkeypatch.setattr(passwords, "_HASHER", counting)
    logins = ("analyst", "personne-de-ce-nom", "reviewer", "administrator", "nul\0", "")
    for number, login in enumerate(logins):
        assert check_sign_in(base, login, OTHER, Origin(f"203.0.113.{number}")) is None
        assert len(counting.verified) == number + 1, login
    # The same costs too: a hash of other parameters would tell them apart.
    assert len({hash.rsplit("$", 2)[0] for hash in counting.verified}) == 1


def test_nothing_but_the_password_is_said_to_be_wrong(place: Place) -> None:
    answers: set[str] = set()
    for login in ("analyst", "personne-de-ce-nom"):
        with httpx.Client(base_url=place.url, timeout=60) as client:
            answers.add(sign_in(client, login, OTHER).text.replace(login, "…"))
    assert len(answers) == 1
