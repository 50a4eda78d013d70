"""Signing in and out, the first account, one's own account and those of others, over HTTP on both kinds of database."""

import re
import threading
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import select

import service
from service.database import connect_database
from service.settings import Settings
from service.workplace.keys import SCOPES
from service.workplace.opening import open_workplace
from service.workplace.people import ROLES
from service.workplace.schema import API_KEYS, SESSIONS, USERS
from service.workplace.times import now
from tests.service.conftest import free_port, start
from tests.service.workplace.conftest import PASSWORD, Place, Visitor, empty

OTHER = "encore une autre phrase bien longue"
REFUSED = "Identifiant ou mot de passe incorrect, ou compte fermé."


def sign_in(client: httpx.Client, login: str, password: str = PASSWORD, **fields: str) -> httpx.Response:
    return client.post("/connexion", data={"login": login, "password": password, **fields})


def found(pattern: str, answer: httpx.Response) -> str:
    match = re.search(pattern, answer.text)
    assert match, answer.text
    return match.group(1)


def csrf_of(client: httpx.Client) -> str:
    return found(r'name="csrf" value="([^"]+)"', client.get("/compte"))


def test_sign_in_leads_where_one_was_going(each_place: Place) -> None:
    client = each_place.client()
    asked = client.get("/compte?vue=cles")
    assert asked.status_code == 303
    assert asked.headers["location"] == "/connexion?suite=/compte%3Fvue%3Dcles"
    form = client.get(asked.headers["location"])
    assert 'value="/compte?vue=cles"' in form.text
    entered = sign_in(client, " ANALYST ", suite="/compte?vue=cles")
    assert (entered.status_code, entered.headers["location"]) == (303, "/compte?vue=cles")
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie
    assert "Analyst" in client.get("/compte").text
    assert client.get("/connexion").headers["location"] == "/file"


def test_the_cookie_is_for_https_alone_where_the_request_is(place: Place) -> None:
    entered = place.client(headers={"X-Forwarded-Proto": "https"}).post(
        "/connexion", data={"login": "analyst", "password": PASSWORD}
    )
    assert "Secure" in entered.headers["set-cookie"]


@pytest.mark.parametrize(
    "elsewhere",
    ["//mal.example/x", "https://mal.example/", "/\\mal.example", "javascript:alert(1)", "mal.example", "/\t/mal.example", ""],
)
def test_sign_in_never_leads_to_another_site(place: Place, elsewhere: str) -> None:
    assert sign_in(place.client(), "analyst", suite=elsewhere).headers["location"] == "/file"


def test_refusals_all_look_the_same(each_place: Place) -> None:
    closed = each_place.person("fermee")
    each_place.visitor("administrator").post(f"/comptes/{closed.id}/fermer")
    for login, password in (("analyst", OTHER), ("personne", PASSWORD), ("fermee", PASSWORD), ("analyst", "x" * 5000), ("", "")):
        refused = sign_in(each_place.client(), login, password)
        assert refused.status_code == 403
        assert REFUSED in refused.text
        assert "set-cookie" not in refused.headers
        assert password not in refused.text or not password


def test_null_characters_are_refused_not_a_fault(each_place: Place) -> None:
    assert sign_in(each_place.client(), "ana\0lyst").status_code == 403
    boss = each_place.visitor("administrator")
    assert boss.post("/comptes", {"login": "nul", "name": "N\0l"}).status_code == 422
    assert boss.post("/comptes/%00/fermer").status_code == 422
    assert boss.post("/compte/cles", {"name": "\0", "scopes": "predict"}).status_code == 422
    assert boss.post("/compte/cles/%00/revoquer").status_code in (404, 422)


def test_a_burst_of_sign_ins_leaves_room_for_the_rest(place: Place) -> None:
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda login: answers.append(sign_in(place.client(), login).status_code), args=(f"personne{n}",))
        for n in range(25)
    ]
    visitor = place.visitor("analyst")
    for thread in threads:
        thread.start()
    assert visitor.get("/compte").status_code == 200
    for thread in threads:
        thread.join()
    assert set(answers) <= {403, 503}
    assert 403 in answers


def test_sign_out_ends_the_session_itself(each_place: Place) -> None:
    client = each_place.client()
    sign_in(client, "analyst")
    token = client.cookies["vigie_session"]
    left = client.post("/deconnexion", data={"csrf": csrf_of(client)})
    assert left.headers["location"] == "/connexion?sorti=1"
    assert each_place.client(cookies={"vigie_session": token}).get("/compte").status_code == 303


def test_signing_in_again_changes_the_token_and_ends_the_old_one(place: Place) -> None:
    client = place.client()
    sign_in(client, "analyst")
    before = client.cookies["vigie_session"]
    sign_in(client, "reviewer")
    after = client.cookies["vigie_session"]
    assert before != after
    assert place.client(cookies={"vigie_session": before}).get("/compte").status_code == 303
    # A token that somebody else chose is never taken up.
    fixed = place.client(cookies={"vigie_session": "choisi"})
    assert "choisi" not in sign_in(fixed, "analyst").headers["set-cookie"]


def test_tokens_keys_and_passwords_are_kept_hashed(each_place: Place) -> None:
    client = each_place.client()
    sign_in(client, "analyst")
    made = client.post("/compte/cles", data={"csrf": csrf_of(client), "name": "essai", "scopes": "predict"})
    key = found(r'id="nouvelle-cle">([^<]+)<', made)
    with each_place.engine.connect() as connection:
        rows = [connection.execute(select(table)).all() for table in (SESSIONS, API_KEYS, USERS)]
    for secret in (client.cookies["vigie_session"], key, PASSWORD):
        assert secret not in repr(rows)
    assert "$argon2id$" in repr(rows)


@pytest.mark.parametrize(("column", "age"), [("seen_at", timedelta(hours=8)), ("expires_at", timedelta(0))])
def test_sessions_end_when_idle_and_when_old(each_place: Place, column: str, age: timedelta) -> None:
    visitor = each_place.visitor("analyst")
    assert visitor.get("/compte").status_code == 200
    with each_place.engine.begin() as connection:
        connection.execute(SESSIONS.update().values({column: now() - age - timedelta(seconds=1)}))
    assert visitor.get("/compte").status_code == 303


def test_what_has_no_right_token_changes_nothing(each_place: Place) -> None:
    visitor, other = each_place.visitor("administrator"), each_place.visitor("analyst")
    new = {"name": "Nouvelle", "login": "nouvelle", "role": "administrator", "password": OTHER}
    for csrf in (None, "", "é", other.csrf):
        sent = new if csrf is None else new | {"csrf": csrf}
        refused = visitor.client.post("/comptes", data=sent, headers={"Accept": "text/html"})
        assert refused.status_code == 403
        assert "rechargez la page" in refused.text
    assert visitor.client.post("/comptes", json=new).status_code == 403
    assert "nouvelle" not in visitor.get("/comptes").text
    assert visitor.client.post("/comptes", data=new, headers={"X-CSRF-Token": visitor.csrf}).status_code == 303
    assert "nouvelle" in visitor.get("/comptes").text


def test_forms_without_session_must_come_from_our_pages(place: Place) -> None:
    client, fields = place.client(), {"login": "analyst", "password": PASSWORD}
    for headers in (
        {"Origin": "https://mal.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert client.post("/connexion", data=fields, headers=headers).status_code == 403
    assert client.post("/connexion", data=fields, headers={"Origin": place.url}).status_code == 303


def test_roles_open_what_they_must(each_place: Place) -> None:
    for role in ROLES:
        status = 200 if role == "administrator" else 403
        visitor = each_place.visitor(role)
        answer = visitor.get("/comptes", headers={"Accept": "text/html"})
        assert answer.status_code == status
        assert ('href="/comptes"' in answer.text) == (role == "administrator")
        assert ("Accès réservé" in answer.text) == (status == 403)
    analyst = each_place.visitor("analyst")
    assert analyst.post(f"/comptes/{each_place.people['analyst'].id}/role", {"role": "administrator"}).status_code == 403
    assert each_place.client().post("/comptes", data={"login": "x"}).headers["location"] == "/connexion?perdue=1"


def test_a_lost_session_is_said_not_hidden(place: Place) -> None:
    assert "rien n'a été enregistré" in unescape(place.client().get("/connexion?perdue=1").text)


def test_an_administrator_opens_accounts(each_place: Place) -> None:
    administrator = each_place.visitor("administrator")
    made = administrator.post("/comptes", {"name": "Ève <b>", "login": "Ève", "role": "reviewer", "password": ""})
    drawn = found(r'id="mot-de-passe-donne">([^<]+)<', made)
    assert "Ève &lt;b&gt;" in made.text
    client = each_place.client()
    assert sign_in(client, "ève", drawn).status_code == 303
    assert "relecture" in client.get("/compte").text
    for faulty, said in (
        ({"login": "ÈVE", "name": "Une autre"}, "déjà pris"),
        ({"login": "a b", "name": "X"}, "sans espace"),
        ({"login": "bon", "name": "  "}, "Un nom"),
        ({"login": "bon", "name": "X", "password": "court"}, "au moins 12"),
        ({"login": "bonjour", "name": "X", "password": "bonjour-bonjour-2"}, "contenir"),
        ({"login": "bon", "name": "X", "role": "chef"}, "un rôle est attendu"),
    ):
        refused = administrator.post("/comptes", faulty)
        assert refused.status_code == 422
        assert said in unescape(refused.text)


def test_a_new_role_holds_at_once(each_place: Place) -> None:
    administrator, other = each_place.visitor("administrator"), each_place.visitor("reviewer")
    assert administrator.post(f"/comptes/{each_place.people['reviewer'].id}/role", {"role": "administrator"}).status_code == 303
    assert other.get("/comptes").status_code == 200
    assert other.post(f"/comptes/{each_place.people['administrator'].id}/role", {"role": "analyst"}).status_code == 303
    assert administrator.get("/comptes").status_code == 403


def test_a_closed_account_has_no_effect_left(each_place: Place) -> None:
    person = each_place.people["reviewer"]
    visitor, administrator = each_place.visitor(person), each_place.visitor("administrator")
    key = found(r'id="nouvelle-cle">([^<]+)<', visitor.post("/compte/cles", {"name": "k", "scopes": "predict"}))
    assert administrator.post(f"/comptes/{person.id}/fermer").status_code == 303
    assert visitor.get("/compte").status_code == 303
    assert sign_in(each_place.client(), person.login).status_code == 403
    assert "fermé" in administrator.get("/comptes").text
    assert administrator.post(f"/comptes/{person.id}/rouvrir").status_code == 303
    assert sign_in(each_place.client(), person.login).status_code == 303
    with each_place.engine.connect() as connection:
        revoked = connection.execute(select(API_KEYS.c.revoked_at)).scalars().all()
    assert None not in revoked, "une clé révoquée ne revit pas"
    assert key


def test_the_last_administrator_stays(each_place: Place) -> None:
    administrator, mine = each_place.visitor("administrator"), each_place.people["administrator"]
    for path, fields in ((f"/comptes/{mine.id}/fermer", {}), (f"/comptes/{mine.id}/role", {"role": "analyst"})):
        refused = administrator.post(path, fields)
        assert refused.status_code == 422
        assert "dernier compte" in refused.text
    assert administrator.get("/comptes").status_code == 200


def test_two_administrators_cannot_take_each_other_out(each_place: Place) -> None:
    first, second = each_place.people["administrator"], each_place.person("seconde", "administrator")
    for _ in range(4):
        visitors = [(each_place.visitor(first), second), (each_place.visitor(second), first)]
        threads = [
            threading.Thread(target=visitor.post, args=(f"/comptes/{other.id}/role", {"role": "analyst"}))
            for visitor, other in visitors
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with each_place.engine.begin() as connection:
            left = connection.execute(select(USERS.c.login).where(USERS.c.role == "administrator")).all()
            assert len(left) == 1
            connection.execute(USERS.update().values(role="administrator").where(USERS.c.id.in_([first.id, second.id])))


def test_a_new_password_ends_sessions_and_waits(each_place: Place) -> None:
    administrator, other = each_place.visitor("administrator"), each_place.visitor("analyst")
    for _ in range(5):
        sign_in(each_place.client(), "analyst", OTHER)
    assert sign_in(each_place.client(), "analyst").status_code == 429
    given = administrator.post(f"/comptes/{each_place.people['analyst'].id}/mot-de-passe")
    drawn = found(r'id="mot-de-passe-donne">([^<]+)<', given)
    assert other.get("/compte").status_code == 303
    assert sign_in(each_place.client(), "analyst").status_code == 403
    assert sign_in(each_place.client(), "analyst", drawn).status_code == 303
    assert administrator.post("/comptes/personne/mot-de-passe").status_code == 404
    assert administrator.post(f"/comptes/{each_place.people['administrator'].id}/mot-de-passe").status_code == 422


def test_one_changes_ones_password(each_place: Place) -> None:
    visitor, elsewhere = each_place.visitor("analyst"), each_place.visitor("analyst")
    fields = {"old": PASSWORD, "password": OTHER, "again": OTHER}
    for faulty, said in (
        ({"old": OTHER}, "actuel"),
        ({"again": PASSWORD}, "diffèrent"),
        ({"password": "court", "again": "court"}, "12"),
        ({"password": "aaaaaaaaaaaaaaaa", "again": "aaaaaaaaaaaaaaaa"}, "différents"),
    ):
        refused = visitor.post("/compte/mot-de-passe", fields | faulty)
        assert refused.status_code == 422
        assert said in unescape(refused.text)
    before = visitor.client.cookies["vigie_session"]
    assert visitor.post("/compte/mot-de-passe", fields).status_code == 303
    assert visitor.get("/compte").status_code == 200
    assert visitor.client.cookies["vigie_session"] != before
    assert elsewhere.get("/compte").status_code == 303
    assert sign_in(each_place.client(), "analyst", OTHER).status_code == 303


def make_key(visitor: Visitor, *scopes: str) -> httpx.Response:
    return visitor.post("/compte/cles", {"name": "  un   collecteur ", "scopes": list(scopes)})


def test_a_key_is_shown_once_and_can_be_revoked(each_place: Place) -> None:
    visitor = each_place.visitor("analyst")
    key = found(r'id="nouvelle-cle">([^<]+)<', make_key(visitor, "predict", "import"))
    listed = visitor.get("/compte")
    assert key not in listed.text
    assert "un collecteur" in listed.text
    assert "analyser des textes, importer des textes" in listed.text
    path = found(r'action="(/compte/cles/[^"]+/revoquer)"', listed)
    assert each_place.visitor("reviewer").post(path).status_code == 404
    assert visitor.post(path).status_code == 303
    assert "révoquée" in visitor.get("/compte").text
    assert visitor.post(path).status_code == 404


def test_a_key_never_gives_more_than_the_role(each_place: Place) -> None:
    visitor = each_place.visitor("analyst")
    assert 'value="admin"' not in visitor.get("/compte").text
    for scopes in (("admin",), ("export",), (), ("tout",), ("predict", "tout")):
        assert make_key(visitor, *scopes).status_code == 422


@pytest.fixture
def closed_place(each_place: Place) -> Place:
    """A workplace without any account."""
    empty(each_place.engine)
    return each_place


def test_the_first_account_is_made_by_the_link_once(closed_place: Place) -> None:
    path = open_workplace(closed_place.engine, closed_place.settings)
    assert path
    assert open_workplace(closed_place.engine, closed_place.settings) == path, "le lien est le même pour tous les processus"
    client = closed_place.client()
    assert client.get("/premier-compte?jeton=autre").status_code == 404
    assert client.get("/premier-compte").status_code == 404
    token = path.partition("=")[2]
    fields = {"token": token, "login": "cheffe", "name": "Cheffe", "password": PASSWORD, "again": PASSWORD}
    assert "premier compte" in client.get(path).text
    assert client.post("/premier-compte", data=fields | {"token": "autre"}).status_code == 404
    refused = client.post("/premier-compte", data=fields | {"again": OTHER})
    assert (refused.status_code, "diffèrent" in refused.text) == (422, True)
    threads = [
        threading.Thread(
            target=closed_place.client().post, args=("/premier-compte",), kwargs={"data": fields | {"login": f"c{n}"}}
        )
        for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with closed_place.engine.connect() as connection:
        assert len(connection.execute(select(USERS)).all()) == 1
    assert client.get(path).status_code == 404
    assert open_workplace(closed_place.engine, closed_place.settings) is None


@pytest.fixture
def guarded(artefacts: Path, tmp_path: Path) -> Iterator[Settings]:
    """A server that asks for a key, whose first account comes from the settings."""
    settings = Settings(
        model_dir=artefacts,
        database_url=f"sqlite:///{tmp_path / 'v.db'}",
        port=free_port(),
        scoring=False,
        spool_dir=tmp_path / "attente",
        admin_login="Racine",
        admin_password=SecretStr(PASSWORD),
        require_key=True,
    )
    server, thread = start(settings)
    yield settings
    server.should_exit = True
    thread.join(timeout=15)


def test_settings_make_the_first_account_and_close_the_api(guarded: Settings) -> None:
    assert PASSWORD not in repr(guarded)
    text = {"text": "Je soigne le cancer par les plantes, arrêtez la chimio."}
    with httpx.Client(base_url=f"http://127.0.0.1:{guarded.port}", timeout=60) as client:
        refused = client.post("/v1/predict", json=text)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"] == "Bearer"
        assert refused.headers["content-type"] == "application/problem+json"
        assert client.get("/health/ready").status_code == 200
        assert sign_in(client, "racine").status_code == 303
        assert client.get("/comptes").status_code == 200
        csrf = csrf_of(client)
        assert client.post("/v1/predict", json=text).status_code == 403, "une page d'un autre site ne fait rien en notre nom"
        assert client.post("/v1/predict", json=text, headers={"X-CSRF-Token": csrf}).status_code == 200
        made = {
            scope: found(
                r'id="nouvelle-cle">([^<]+)<', client.post("/compte/cles", data={"csrf": csrf, "name": scope, "scopes": scope})
            )
            for scope in ("predict", "export")
        }
    with httpx.Client(base_url=f"http://127.0.0.1:{guarded.port}", timeout=60) as program:

        def status(authorization: str) -> int:
            return program.post("/v1/predict", json=text, headers={"Authorization": authorization}).status_code

        assert status(f"Bearer {made['predict']}") == 200
        assert status(f"bearer  {made['predict']}") == 200
        assert status(f"Bearer {made['export']}") == 403
        assert status(f"Bearer {made['predict']}x") == 401
        assert status(f"Basic {made['predict']}") == 401
        assert status("Bearer") == 401
        engine = connect_database(guarded.database_url)
        with engine.begin() as connection:
            connection.execute(API_KEYS.update().where(API_KEYS.c.name == "predict").values(revoked_at=now()))
            used = connection.execute(select(API_KEYS.c.used_at).where(API_KEYS.c.name == "predict")).scalar_one()
        engine.dispose()
        assert used is not None
        assert status(f"Bearer {made['predict']}") == 401


def test_every_page_has_the_headers_that_protect_it(place: Place) -> None:
    for answer in (place.client().get("/connexion"), place.client().get("/"), place.visitor("analyst").get("/comptes")):
        assert answer.headers["content-security-policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
            "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        )
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"


def test_what_does_not_exist_is_a_page_for_people_and_a_problem_for_programs(place: Place) -> None:
    person = place.client().get("/rien", headers={"Accept": "text/html"})
    assert (person.status_code, "Page introuvable" in person.text) == (404, True)
    assert place.client().get("/rien").headers["content-type"] == "application/problem+json"


def test_every_right_of_a_key_opens_something() -> None:
    files = [path for path in Path(service.__file__).parent.rglob("*.py") if path.name != "keys.py"]
    routes = "".join(path.read_text(encoding="utf-8") for path in files)
    for scope in SCOPES:
        assert re.search(rf'(KeyDep|with_key|guard|_keyed)\("{scope}"\)|"{scope}" in', routes), scope
