"""Signing in through an identity provider: a real one in a process of its own, and one that signs anything, over HTTP."""

import json
import re
import subprocess
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey
from playwright.sync_api import Browser, expect
from pydantic import SecretStr
from sqlalchemy import select

from service.database import connect_database
from service.oidc import found_at, role_of
from service.secret import new_secret
from service.settings import Settings
from service.workplace.access_schema import IDENTITIES
from service.workplace.audit import seal_with
from service.workplace.identities import link, unlink
from service.workplace.people import AccountError, change_password, create_user, disable, find_login
from service.workplace.schema import USERS
from tests.service.conftest import free_port, start
from tests.service.workplace.conftest import PASSWORD, Place, add_people, empty
from tests.service.workplace.looks import assert_accessible
from tests.service.workplace.provider import Provider, provider_running

MOCK = Path(__file__).resolve().parents[3] / ".venv-tools" / "bin" / "oidc-provider-mock"
ROLES = "vigie=analyst; vigie-relecture=reviewer; CN=admins,OU=vigie=administrator"
BACK = "/connexion/fournisseur/retour"


@contextmanager
def _service(artefacts: Path, folder: Path, issuer: str, **more: Any) -> Iterator[Place]:
    settings = Settings(
        model_dir=artefacts,
        database_url=f"sqlite:///{folder / 'v.db'}",
        port=free_port(),
        scoring=False,
        spool_dir=folder / "attente",
        secret_key=SecretStr(new_secret()),
        oidc_issuer=issuer,
        oidc_client_id="vigie",
        oidc_client_secret=SecretStr("secret-chez-lui"),
        oidc_name="Mon organisme",
        **more,
    )
    server, thread = start(settings)
    engine = connect_database(settings.database_url)
    seal_with(engine, settings)
    yield Place(f"http://127.0.0.1:{settings.port}", engine, settings)
    engine.dispose()
    server.should_exit = True
    thread.join(timeout=15)


@pytest.fixture(scope="module")
def mock() -> Iterator[str]:
    """A real provider, in a process of its own: its address."""
    assert MOCK.exists(), "« make test » installe .venv-tools."
    port = free_port()
    claims = [
        {"sub": "s-admin", "preferred_username": "rose", "name": "Rose Martin", "groups": ["autre", "CN=admins,OU=vigie"]},
        {"sub": "s-lecture", "email": "leo@exemple.example", "groups": ["vigie", "vigie-relecture"]},
        {"sub": "s-autre", "preferred_username": "autre", "groups": ["comptabilite"]},
    ]
    command = [str(MOCK), "--port", str(port), "--require-nonce", "true"]
    for one in claims:
        command += ["--user-claims", json.dumps(one)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        address = f"http://127.0.0.1:{port}"
        for _ in range(300):
            try:
                httpx.get(f"{address}/.well-known/openid-configuration")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield address
        running.terminate()
        running.wait(timeout=15)


@pytest.fixture(scope="module")
def real_service(artefacts: Path, mock: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("reel")
    with _service(artefacts, folder, mock, oidc_role_claim="groups", oidc_roles=ROLES) as place:
        yield place


@pytest.fixture
def real(real_service: Place) -> Iterator[Place]:
    """A service that knows the real provider, emptied; one person of each role has a password."""
    empty(real_service.engine)
    real_service.people = add_people(real_service.engine)
    yield real_service
    real_service.close()


@pytest.fixture(scope="module")
def _signing(artefacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Place, Provider]]:
    with (
        provider_running(free_port()) as provider,
        _service(
            artefacts, tmp_path_factory.mktemp("signe"), provider.issuer, oidc_role_claim="groups", oidc_roles=ROLES
        ) as place,
    ):
        yield place, provider


@pytest.fixture
def provider(_signing: tuple[Place, Provider]) -> Provider:
    _signing[1].reset()
    return _signing[1]


@pytest.fixture
def signing(_signing: tuple[Place, Provider], provider: Provider) -> Iterator[Place]:
    """A service that knows the provider that signs anything, emptied."""
    empty(_signing[0].engine)
    _signing[0].people = add_people(_signing[0].engine)
    yield _signing[0]
    _signing[0].close()


def visit(place: Place) -> httpx.Client:
    """A program that asks for pages, as a browser does."""
    return place.client(headers={"Accept": "text/html"})


def come_in(client: httpx.Client, suite: str = "") -> httpx.Response:
    """Leave for the provider that signs anything, and come back: the answer to the coming back."""
    left = client.get("/connexion/fournisseur", params={"suite": suite} if suite else {})
    assert left.status_code == 303, left.text
    with httpx.Client() as elsewhere:
        sent_back = elsewhere.get(left.headers["location"]).headers["location"]
    return client.get(sent_back)


def grant(client: httpx.Client, subject: str, change: Callable[[str], str] = str) -> str:
    """Leave for the real provider, say there who one is: the address that it sends back to."""
    address = change(client.get("/connexion/fournisseur").headers["location"])
    with httpx.Client() as elsewhere:
        return str(elsewhere.post(address, data={"sub": subject}).headers["location"])


def heading(answer: httpx.Response) -> str:
    found = re.search(r"<h1>(.*?)</h1>\s*<p>(.*?)</p>", answer.text, re.DOTALL)
    assert found, answer.text
    return unescape(f"{found[1]} | {found[2]}")


def test_the_whole_way_in_a_browser(real: Place, browser: Browser) -> None:
    real.browser = browser
    page = real.page()
    # The provider's own pages are not ours: they may ask for what they like elsewhere, and say it in the console.
    page.context.route(lambda address: "127.0.0.1" not in address, lambda route: route.abort())
    page.goto("/comptes")
    assert_accessible(page)
    assert real.faults == []
    page.get_by_role("link", name="Se connecter par Mon organisme").click()
    expect(page.get_by_role("heading", name="Authorize Client")).to_be_visible()
    page.get_by_role("button", name="s-admin").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Comptes")
    expect(page.get_by_role("row", name="Rose Martin (vous)")).to_contain_text("par le fournisseur d'identité")
    page.goto("/compte")
    expect(page.get_by_text("c'est lui qui garde votre mot de passe")).to_be_visible()
    expect(page.get_by_role("row", name="(celle-ci)")).to_contain_text("fournisseur d'identité")
    assert_accessible(page)
    page.get_by_role("button", name="Se déconnecter").click()
    expect(page.get_by_role("status").filter(has_text="vous êtes déconnecté")).to_be_visible()
    page.get_by_role("link", name="Fermer aussi sa session chez Mon organisme").click()
    page.wait_for_url("**/oauth2/end_session?*", wait_until="commit")
    asked = parse_qs(urlsplit(page.url).query)
    assert asked["post_logout_redirect_uri"] == [f"{real.url}/connexion"]
    assert asked["client_id"] == ["vigie"]
    page.goto("/comptes")
    expect(page.get_by_role("heading", level=1)).to_have_text("Se connecter au poste de travail")
    real.faults.clear()


def test_an_account_opens_by_subject_and_its_role_follows_the_provider(real: Place) -> None:
    client = visit(real)
    assert client.get(grant(client, "s-lecture")).headers["location"] == "/file"
    found = find_login(real.engine, "leo@exemple.example")
    assert found
    assert found.role == "reviewer", "le plus large des rôles donnés"
    with real.engine.connect() as connection:
        rows = connection.execute(select(IDENTITIES)).mappings().all()
        kept = connection.execute(select(USERS.c.password_hash).where(USERS.c.id == found.id)).scalar_one()
    assert [(row["issuer"], row["subject"], row["user_id"]) for row in rows] == [
        (real.settings.oidc_issuer, "s-lecture", found.id)
    ]
    assert kept == ""
    assert client.get("/arbitrage").status_code == 200
    refused = client.get("/comptes")
    assert refused.status_code == 403


def test_whoever_has_no_role_of_ours_is_refused(real: Place) -> None:
    client = visit(real)
    refused = client.get(grant(client, "s-autre"))
    assert refused.status_code == 403
    assert "aucun des rôles de Vigie" in unescape(refused.text)
    assert find_login(real.engine, "autre") is None
    assert client.get("/compte").status_code == 303


def test_what_the_browser_brings_back_must_be_what_it_left_with(real: Place) -> None:
    def other_nonce(address: str) -> str:
        nonce = parse_qs(urlsplit(address).query)["nonce"][0]
        return address.replace(nonce, "x" * len(nonce))

    client = visit(real)
    refused = client.get(grant(client, "s-admin", other_nonce))
    assert "n'est pas recevable" in heading(refused)
    back = grant(client, "s-admin")
    for altered in (
        re.sub(r"state=[^&]+", "state=autre", back),
        re.sub(r"&?state=[^&]+", "", back),
        BACK,
        f"{BACK}?state=&code=",
    ):
        refused = client.get(altered)
        assert refused.status_code == 403
        assert "n'a pas été commencée ici" in heading(refused)
    # Somebody else's browser, to which a victim's address was given.
    assert visit(real).get(back).status_code == 403
    # Refused is not used up: the same browser may go on, once.
    assert client.get(back).status_code == 303
    assert client.get(back).status_code == 403


def test_the_code_of_another_client_is_refused(real: Place) -> None:
    client = visit(real)
    stolen = grant(client, "s-admin", lambda address: address.replace("client_id=vigie", "client_id=autre"))
    refused = client.get(stolen)
    assert refused.status_code == 403
    assert "n'a pas confirmé" in heading(refused)


def test_the_flow_is_that_of_the_book(signing: Place, provider: Provider) -> None:
    client = visit(signing)
    left = client.get("/connexion/fournisseur?suite=/compte")
    cookie = left.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/connexion/fournisseur" in cookie
    sent = {name: values[0] for name, values in parse_qs(urlsplit(left.headers["location"]).query).items()}
    assert sent["response_type"] == "code"
    assert sent["code_challenge_method"] == "S256"
    assert sent["scope"] == "openid profile email"
    assert sent["redirect_uri"] == f"{signing.url}{BACK}"
    for secret in (sent["state"], sent["nonce"]):
        assert secret not in cookie
    entered = come_in(client, "/compte?vue=cles")
    assert entered.headers["location"] == "/compte?vue=cles"
    last = provider.asked[-1]
    challenge = urlsafe_b64encode(sha256(last["verifier"].encode()).digest()).rstrip(b"=").decode()
    assert challenge == last["code_challenge"]
    assert len({one["nonce"] for one in provider.asked} | {one["state"] for one in provider.asked}) == 2 * len(provider.asked)
    assert come_in(visit(signing), "//mal.example/").headers["location"] == "/file"


def _other(**changed: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda claims: {name: value for name, value in (claims | changed).items() if value is not None}


LIES: dict[str, dict[str, Any]] = {
    "another audience": {"change": _other(aud="autre")},
    "ours among others, for another party": {"change": _other(aud=["vigie", "autre"], azp="autre")},
    "no audience": {"change": _other(aud=None)},
    "another issuer": {"change": _other(iss="https://autre.example")},
    "no issuer": {"change": _other(iss=None)},
    "expired": {"change": _other(exp=int(time.time()) - 3_600)},
    "no expiry": {"change": _other(exp=None)},
    "issued in the future": {"change": _other(nbf=int(time.time()) + 3_600)},
    "another nonce": {"change": _other(nonce="autre")},
    "no nonce": {"change": _other(nonce=None)},
    "no subject": {"change": _other(sub=None)},
    "another access token": {"change": _other(at_hash="AAAAAAAAAAAAAAAAAAAAAA")},
    "not signed": {"header": {"alg": "none"}},
    "signed by somebody else": {"sign_with": RSAKey.generate_key(2048, {"kid": "une"})},
}


@pytest.mark.parametrize("lie", LIES)
def test_an_answer_that_is_not_for_us_lets_nobody_in(signing: Place, provider: Provider, lie: str) -> None:
    vars(provider).update(LIES[lie])
    client = visit(signing)
    refused = come_in(client)
    assert refused.status_code == 403, lie
    assert "n'est pas recevable" in heading(refused)
    assert "set-cookie" not in refused.headers
    assert find_login(signing.engine, "nina") is None
    provider.reset()
    assert come_in(client).status_code == 303


def test_a_signature_made_with_the_public_key_as_a_secret_is_refused(signing: Place, provider: Provider) -> None:
    provider.header = {"alg": "HS256", "kid": "une"}
    assert come_in(visit(signing)).status_code == 403


def test_a_new_key_of_the_provider_is_found(signing: Place, provider: Provider) -> None:
    assert come_in(visit(signing)).status_code == 303
    provider.key = RSAKey.generate_key(2048, {"kid": "deux"})
    provider.header = {"alg": "RS256", "kid": "deux"}
    assert come_in(visit(signing)).status_code == 303


def test_a_provider_that_does_not_answer_is_told(signing: Place, provider: Provider) -> None:
    come_in(visit(signing))
    provider.token = lambda answer: {"access_token": "x", "token_type": "Bearer"}
    told = come_in(visit(signing))
    assert told.status_code == 503
    assert "Fournisseur d'identité indisponible" in heading(told)
    provider.reset()
    provider.error = "access_denied"
    denied = come_in(visit(signing))
    assert denied.status_code == 403
    assert "n'a pas accordé" in heading(denied)


def test_a_provider_that_is_down_leaves_passwords(artefacts: Path, tmp_path: Path) -> None:
    port = free_port()
    with _service(artefacts, tmp_path, f"http://127.0.0.1:{port}") as place:
        add_people(place.engine)
        client = visit(place)
        for path in ("/connexion/fournisseur", "/connexion/fournisseur/fin"):
            down = client.get(path)
            assert down.status_code == 503
            assert "ne répond pas" in heading(down)
        assert client.get(BACK).status_code == 403
        assert client.post("/connexion", data={"login": "analyst", "password": PASSWORD}).status_code == 303
        # It comes up: nothing is to be started again; then it names itself otherwise.
        with provider_running(port) as provider:
            provider.described_as = {"issuer": "https://autre.example"}
            assert "se nomme autrement" in heading(client.get("/connexion/fournisseur"))
            provider.reset()
            entered = come_in(visit(place))
            assert entered.headers["location"] == "/file"
        opened = find_login(place.engine, "nina")
        assert opened
        assert opened.role == "analyst", "sans rôle lu chez le fournisseur"
        place.close()


def test_roles_may_come_from_what_is_told_beside_the_token(signing: Place, provider: Provider) -> None:
    provider.claims = {"sub": "s-1", "preferred_username": "nina"}
    provider.userinfo = {"sub": "s-1", "groups": "vigie-relecture", "name": "Nina"}
    assert come_in(visit(signing)).status_code == 303
    found = find_login(signing.engine, "nina")
    assert found
    assert (found.role, found.name) == ("reviewer", "Nina")
    provider.userinfo = {"sub": "s-2", "groups": ["CN=admins,OU=vigie"]}
    assert come_in(visit(signing)).status_code == 503, "une autre personne que celle du jeton"
    assert find_login(signing.engine, "nina") == found


def test_a_role_taken_away_is_taken_away_here(signing: Place, provider: Provider) -> None:
    provider.claims["groups"] = ["vigie-relecture"]
    client = visit(signing)
    come_in(client)
    assert client.get("/arbitrage").status_code == 200
    provider.claims["groups"] = ["vigie"]
    assert come_in(visit(signing)).status_code == 303
    assert client.get("/arbitrage").status_code == 403, "dans les autres sessions aussi"
    provider.claims["groups"] = []
    assert come_in(visit(signing)).status_code == 403


def test_a_name_or_an_address_opens_no_account(signing: Place, provider: Provider) -> None:
    taken = create_user(signing.engine, "nina", "Nina d'ici", "administrator", PASSWORD)
    refused = come_in(visit(signing))
    assert refused.status_code == 403
    assert "vigie people link nina s-1" in heading(refused)
    provider.claims = {"sub": "s-1", "email": "nina", "groups": ["vigie"]}
    assert come_in(visit(signing)).status_code == 403
    # Linked by who administers, it comes in as itself; its password is gone, its role is the provider's.
    assert signing.settings.oidc_issuer
    link(signing.engine, "nina", signing.settings.oidc_issuer, "s-1")
    provider.claims["groups"] = ["CN=admins,OU=vigie"]
    assert come_in(visit(signing)).status_code == 303
    assert find_login(signing.engine, "nina") == taken
    refused = visit(signing).post("/connexion", data={"login": "nina", "password": PASSWORD})
    assert (refused.status_code, "incorrect" in refused.text) == (403, True)
    with pytest.raises(AccountError, match="fournisseur d'identité"):
        change_password(signing.engine, taken.id, "une tout autre phrase")
    with pytest.raises(AccountError, match="déjà relié"):
        link(signing.engine, "nina", signing.settings.oidc_issuer, "s-9")
    unlink(signing.engine, "nina", PASSWORD + " de plus")
    assert come_in(visit(signing)).status_code == 403
    assert visit(signing).post("/connexion", data={"login": "nina", "password": PASSWORD + " de plus"}).status_code == 303


def test_a_closed_account_stays_closed(signing: Place, provider: Provider) -> None:
    client = visit(signing)
    come_in(client)
    found = find_login(signing.engine, "nina")
    assert found
    disable(signing.engine, found.id)
    assert client.get("/compte").status_code == 303
    refused = come_in(client)
    assert refused.status_code == 403
    assert "compte est fermé" in heading(refused)


def test_the_first_account_of_all_administers(signing: Place, provider: Provider) -> None:
    empty(signing.engine)
    assert "le premier est celui d'une personne qui l'administre" in heading(come_in(visit(signing)))
    provider.claims["groups"] = ["CN=admins,OU=vigie"]
    assert come_in(visit(signing)).status_code == 303
    provider.claims["groups"] = ["vigie"]
    refused = come_in(visit(signing))
    assert "dernier compte d'administration" in heading(refused)


def test_accounts_may_be_those_that_were_linked_only(artefacts: Path, tmp_path: Path) -> None:
    with (
        provider_running(free_port()) as provider,
        _service(artefacts, tmp_path, provider.issuer, oidc_create=False) as place,
    ):
        people = add_people(place.engine)
        refused = come_in(visit(place))
        assert refused.status_code == 403
        assert "Donnez ceci à l'administration : s-1" in heading(refused)
        link(place.engine, "reviewer", provider.issuer, "s-1")
        client = visit(place)
        assert come_in(client).status_code == 303
        assert find_login(place.engine, "reviewer") == people["reviewer"], "sans réglage des rôles, le sien reste"
        assert client.get("/arbitrage").status_code == 200
        place.close()


def test_without_a_provider_there_is_no_button_and_no_way(place: Place) -> None:
    client = visit(place)
    assert "fournisseur" not in client.get("/connexion").text
    for path in ("", "/retour", "/fin"):
        assert client.get(f"/connexion/fournisseur{path}").status_code == 404


def test_claims_are_found_by_their_way_and_give_the_widest_role() -> None:
    claims = {"a": {"b": ["x"]}, "https://exemple.example/roles": "y"}
    assert found_at(claims, "a.b") == ["x"]
    assert found_at(claims, "https://exemple.example/roles") == "y"
    assert found_at(claims, "a.c.d") is None
    roles = {"x": "analyst", "y": "administrator"}
    assert role_of(["x", 3, None, {"y": 1}], roles) == "analyst"
    assert role_of(["x", "y"], roles) == "administrator"
    assert role_of(None, roles) is None
