"""Whom the service answers and under which names; what it refuses to start without; what its secret protects."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import uvicorn
from pydantic import SecretStr
from sqlalchemy import Engine

from service.app import create_app
from service.database import connect_database, open_database
from service.exposure import check_exposure, host_of, is_loopback, roles_of
from service.secret import Keyring, derive, keyring_of, new_secret
from service.server import _options
from service.settings import NO_SECRET, Settings, SettingsError
from service.workplace.audit import seal_with
from service.workplace.keys import create_key, find_key
from service.workplace.people import Person, create_user
from service.workplace.sessions import find_session, open_session
from tests.service.conftest import free_port
from tests.service.test_batch import ROOT, vigie

SECRET = SecretStr(new_secret())
PASSWORD = "une phrase que personne ne tape"
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"host": "0.0.0.0"}, "VIGIE_ALLOW_REMOTE"),
        ({"host": "192.168.1.4"}, "VIGIE_ALLOW_REMOTE"),
        ({"host": "::"}, "VIGIE_ALLOW_REMOTE"),
        ({"host": "0.0.0.0", "allow_remote": True}, "VIGIE_ALLOWED_HOSTS manque"),
        ({"host": "0.0.0.0", "allow_remote": True, "secret_key": SECRET}, "VIGIE_ALLOWED_HOSTS manque"),
        ({"host": "0.0.0.0", "allow_remote": True, "allowed_hosts": "vigie.example"}, "VIGIE_SECRET_KEY manque.*vigie secret"),
        ({"allowed_hosts": "vigie.example"}, "VIGIE_SECRET_KEY manque"),
        ({"allowed_hosts": "https://vigie.example/"}, "VIGIE_ALLOWED_HOSTS"),
        ({"allowed_hosts": "*"}, "VIGIE_ALLOWED_HOSTS"),
        ({"secret_key": SecretStr("trop court")}, "VIGIE_SECRET_KEY : 32 octets"),
        ({"secret_key": SecretStr("a" * 64)}, "VIGIE_SECRET_KEY : 32 octets"),
        ({"previous_secret_key": SECRET}, "sans VIGIE_SECRET_KEY"),
        ({"secret_key": SECRET, "previous_secret_key": SecretStr("court")}, "VIGIE_PREVIOUS_SECRET_KEY : 32 octets"),
        ({"oidc_client_id": "vigie"}, "sans VIGIE_OIDC_ISSUER"),
        ({"oidc_issuer": "http://idp.example"}, "https://"),
        ({"oidc_issuer": "https://idp.example"}, "VIGIE_OIDC_CLIENT_ID manque"),
        ({"oidc_issuer": "https://idp.example", "oidc_client_id": "v"}, "VIGIE_OIDC_CLIENT_SECRET manque"),
        ({"oidc_issuer": "https://idp.example", "oidc_client_id": "v", "oidc_client_secret": SECRET}, "VIGIE_SECRET_KEY manque"),
    ],
)
def test_a_service_that_is_not_protected_is_refused(given: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        check_exposure(Settings(**given))  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=said):
        create_app(Settings(**given))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"oidc_scopes": "profile"}, "openid"),
        ({"oidc_role_claim": "groups"}, "vont ensemble"),
        ({"oidc_roles": "a=analyst"}, "vont ensemble"),
        ({"oidc_role_claim": "groups", "oidc_roles": "a=chef"}, "a=chef"),
        ({"oidc_role_claim": "groups", "oidc_roles": "analyst"}, "valeur=rôle"),
    ],
)
def test_a_provider_that_cannot_serve_is_refused(more: dict[str, str], said: str) -> None:
    known = {"oidc_issuer": "https://idp.example", "oidc_client_id": "v", "oidc_client_secret": SECRET, "secret_key": SECRET}
    check_exposure(Settings(**known))  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match=said):
        check_exposure(Settings(**known, **more))  # type: ignore[arg-type]


def test_a_service_that_is_protected_starts() -> None:
    check_exposure(Settings())
    check_exposure(Settings(host="::1", secret_key=SECRET))
    check_exposure(
        Settings(host="0.0.0.0", allow_remote=True, secret_key=SECRET, allowed_hosts="vigie.example, *.exemple.example")
    )
    check_exposure(Settings(secret_key=SECRET, previous_secret_key=SecretStr(NO_SECRET)))
    assert roles_of(Settings(oidc_roles="CN=a,OU=b=analyst ; c=reviewer;")) == {"CN=a,OU=b": "analyst", "c": "reviewer"}


def test_the_command_refuses_and_says_how_to_make_a_secret(artefacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_ALLOWED_HOSTS", "vigie.example")
    refused = vigie("serve", artefacts=artefacts)
    assert refused.returncode == 1
    assert "VIGIE_SECRET_KEY manque" in refused.stderr
    assert "« vigie secret »" in refused.stderr
    drawn = vigie("secret", artefacts=artefacts)
    assert drawn.returncode == 0
    check_exposure(Settings(secret_key=SecretStr(drawn.stdout.strip()), allowed_hosts="vigie.example"))


def test_names_are_read_from_the_header() -> None:
    assert host_of("Vigie.Example:8443") == "vigie.example"
    assert host_of("[::1]:8000") == "::1"
    assert host_of("") == ""
    assert [
        is_loopback(name) for name in ("localhost", "127.0.0.9", "::1", "0.0.0.0", "vigie.example", "localhost.mal.example")
    ] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]


@pytest.fixture(scope="module")
def exposed(artefacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A service behind a proxy of the same machine, started as the command starts it."""
    folder = tmp_path_factory.mktemp("expose")
    settings = Settings(
        model_dir=artefacts,
        database_url=f"sqlite:///{folder / 'v.db'}",
        port=free_port(),
        scoring=False,
        spool_dir=folder / "attente",
        secret_key=SECRET,
        allowed_hosts="vigie.example,*.exemple.example",
    )
    server = uvicorn.Server(uvicorn.Config(lambda: create_app(settings), **_options(settings)))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    for _ in range(600):
        if server.started:
            break
        time.sleep(0.1)
    engine = connect_database(settings.database_url)
    seal_with(engine, settings)
    create_user(engine, "nina", "Nina", "analyst", PASSWORD)
    engine.dispose()
    yield settings
    server.should_exit = True
    thread.join(timeout=15)


@pytest.mark.parametrize(
    "host", ["mal.example", "exemple.example.mal.example", "exemple.example", "10.0.0.1", "vigie.example.", "[::2]"]
)
def test_under_another_name_nothing_is_answered(exposed: Settings, host: str) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{exposed.port}", headers={"Host": host}) as client:
        for path in ("/", "/v1/labels", "/static/page.css", "/connexion", "/metrics"):
            refused = client.get(path)
            assert refused.status_code == 421
            assert refused.headers["content-type"] == "application/problem+json"
            assert "VIGIE_ALLOWED_HOSTS" in refused.json()["detail"]
            assert "content-security-policy" in refused.headers
        assert client.post("/v1/predict", json={"text": "un texte"}).status_code == 421
        assert client.get("/health/live").status_code == 200, "les sondes demandent par l'adresse"


@pytest.mark.parametrize("host", ["vigie.example", "VIGIE.example:443", "a.exemple.example", "localhost", "127.0.0.1:1"])
def test_under_its_names_it_answers(exposed: Settings, host: str) -> None:
    answer = httpx.get(f"http://127.0.0.1:{exposed.port}/v1/labels", headers={"Host": host})
    assert answer.status_code == 200
    assert "strict-transport-security" not in answer.headers


def test_behind_https_cookies_are_for_it_alone(exposed: Settings) -> None:
    fields = {"login": "nina", "password": PASSWORD}
    by_proxy = {"Host": "vigie.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}
    with httpx.Client(base_url=f"http://127.0.0.1:{exposed.port}") as client:
        entered = client.post("/connexion", data=fields, headers=by_proxy)
        assert entered.status_code == 303
        assert all("Secure" in cookie for cookie in entered.headers.get_list("set-cookie"))
        assert len(entered.headers.get_list("set-cookie")) == 2
        assert entered.headers["strict-transport-security"] == "max-age=31536000"
        # A browser would not send it in clear; the service does not ask for more.
        token = entered.cookies["vigie_session"]
        shown = client.get("/compte", headers=by_proxy | {"Cookie": f"vigie_session={token}"})
        assert "203.0.113.9" in shown.text, "l'adresse que dit le mandataire"
        # In clear, under a public name, no password is taken.
        refused = client.post("/connexion", data=fields, headers={"Host": "vigie.example", "Accept": "text/html"})
        assert refused.status_code == 403
        assert "ouvrez cette page en https://" in refused.text
        assert "set-cookie" not in refused.headers


def test_a_proxy_that_is_not_trusted_is_not_believed() -> None:
    assert _options(Settings(trusted_proxies=""))["proxy_headers"] is False
    assert _options(Settings(trusted_proxies="10.0.0.0/8"))["forwarded_allow_ips"] == "10.0.0.0/8"
    assert _options(Settings())["forwarded_allow_ips"] == "127.0.0.1,::1"


def test_a_name_without_a_host_is_refused(exposed: Settings) -> None:
    with socket.create_connection(("127.0.0.1", exposed.port)) as raw:
        raw.sendall(b"GET /v1/labels HTTP/1.0\r\n\r\n")
        assert b" 421 " in raw.recv(200)


@pytest.fixture
def person(tmp_path: Path) -> Iterator[tuple[Engine, Person]]:
    engine = open_database(f"sqlite:///{tmp_path / 'v.db'}")
    yield engine, create_user(engine, "nina", "Nina", "analyst", PASSWORD)
    engine.dispose()


def test_without_the_secret_a_copy_of_the_base_opens_nothing(person: tuple[Engine, Person]) -> None:
    engine, nina = person
    serving, other = Keyring(new_secret()), Keyring(new_secret())
    key = create_key(engine, nina, "k", ["predict"], serving)
    token = open_session(engine, nina, HOUR, keyring=serving).token
    assert find_key(engine, key, serving)
    assert find_session(engine, token, HOUR, serving)
    for wrong in (other, Keyring()):
        assert find_key(engine, key, wrong) is None
        assert find_session(engine, token, HOUR, wrong) is None
    # What somebody writes into the base, as one hashes without the secret, opens nothing either.
    forged = create_key(engine, nina, "forged", ["predict"], Keyring())
    assert find_key(engine, forged, serving) is None
    assert find_key(engine, open_session(engine, nina, HOUR).token, serving) is None


@pytest.mark.parametrize("before", [None, "former"])
def test_a_secret_changes_without_loss_while_the_one_before_is_told(person: tuple[Engine, Person], before: str | None) -> None:
    engine, nina = person
    former = Keyring(new_secret() if before else None)
    used, unused = (create_key(engine, nina, name, ["predict"], former) for name in ("used", "unused"))
    token = open_session(engine, nina, HOUR, keyring=former).token
    new = Keyring(new_secret(), (former.current,))
    assert find_key(engine, used, new)
    assert find_session(engine, token, HOUR, new)
    alone = Keyring(new.current)
    assert find_key(engine, used, alone), "repris sous le nouveau secret à son premier usage"
    assert find_session(engine, token, HOUR, alone)
    assert find_key(engine, unused, alone) is None


def test_the_settings_give_the_secrets() -> None:
    settings = Settings(secret_key=SECRET, previous_secret_key=SecretStr(NO_SECRET))
    assert keyring_of(settings) == Keyring(SECRET.get_secret_value(), (None,))
    assert keyring_of(Settings()) == Keyring()
    assert SECRET.get_secret_value() not in repr(settings)


def test_sealed_content_is_for_its_purpose_and_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = Keyring(new_secret())
    sealed = keyring.seal("state", "contenu")
    assert "contenu" not in sealed
    assert keyring.unseal("state", sealed, 60) == "contenu"
    assert keyring.unseal("device", sealed, 60) is None
    assert keyring.unseal("state", sealed[:-4] + "AAAA", 60) is None
    assert keyring.unseal("state", "é", 60) is None
    monkeypatch.setattr("cryptography.fernet.time.time", lambda: 4_000_000_000.0)
    assert keyring.unseal("state", sealed, 60) is None
    assert derive("a" * 43, "state") != derive("a" * 43, "device")


def test_the_secret_is_in_no_process_list_nor_log(artefacts: Path, tmp_path: Path) -> None:
    script = "from service.settings import load_settings; print(load_settings())"
    environment = {"VIGIE_SECRET_KEY": SECRET.get_secret_value(), "PATH": "/usr/bin:/bin"}
    shown = subprocess.run([sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert SECRET.get_secret_value() not in shown.stdout
