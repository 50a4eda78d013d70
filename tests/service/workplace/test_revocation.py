"""Taking back what was given: sessions and keys, by their owner, by administrators, by the command; questions before acts."""

import json
import re
from datetime import timedelta
from html import unescape
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from service.workplace.audit_schema import AUDIT
from service.workplace.keys import create_key, find_key, list_keys
from service.workplace.origin import Origin
from service.workplace.people import disable
from service.workplace.schema import SESSIONS
from service.workplace.sessions import find_session, list_sessions, open_session, revoke_sessions
from service.workplace.times import now
from tests.service.workplace.conftest import PASSWORD, Place
from tests.service.workplace.looks import assert_accessible
from tests.service.workplace.test_people_command import run

HOUR = timedelta(hours=1)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = "Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36"


def entered(place: Place, login: str, agent: str) -> httpx.Client:
    """A browser that has just signed in."""
    client = place.client(headers={"User-Agent": agent})
    assert client.post("/connexion", data={"login": login, "password": PASSWORD}).status_code == 303
    return client


def csrf(client: httpx.Client) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', client.get("/compte").text)
    assert found
    return found[1]


def recorded(place: Place, action: str) -> list[str]:
    """The objects of the records of an action."""
    with place.engine.connect() as connection:
        return list(connection.execute(select(AUDIT.c.object).where(AUDIT.c.action == action)).scalars())


def test_ones_sessions_are_listed_and_ended(each_place: Place) -> None:
    desk, phone = entered(each_place, "analyst", FIREFOX), entered(each_place, "analyst", PHONE)
    other = entered(each_place, "reviewer", PHONE)
    shown = unescape(desk.get("/compte").text)
    assert "2 sessions ouvertes" in shown
    assert "Firefox sous Linux (celle-ci)" in shown
    assert "Chrome sous Android" in shown
    assert "127.0.0.1" in shown
    mine = list_sessions(each_place.engine, each_place.people["analyst"].id, HOUR)
    there = next(one.id for one in mine if one.device == "Chrome sous Android")
    theirs = list_sessions(each_place.engine, each_place.people["reviewer"].id, HOUR)[0].id
    token = csrf(desk)
    assert desk.post(f"/compte/sessions/{theirs}/fermer", data={"csrf": token}).status_code == 404, "celles des autres, non"
    assert other.get("/compte").status_code == 200
    assert desk.post(f"/compte/sessions/{there}/fermer", data={"csrf": token}).status_code == 303
    assert phone.get("/compte").status_code == 303
    assert desk.get("/compte").status_code == 200
    again = entered(each_place, "analyst", PHONE)
    assert desk.post("/compte/sessions/fermer", data={"csrf": token}).headers["location"] == "/compte?fait=sessions"
    assert again.get("/compte").status_code == 303
    assert "1 session ouverte" in unescape(desk.get("/compte").text)
    here = list_sessions(each_place.engine, each_place.people["analyst"].id, HOUR)[0].id
    assert desk.post(f"/compte/sessions/{here}/fermer", data={"csrf": token}).status_code == 303
    assert desk.get("/compte").status_code == 303, "la sienne aussi"
    assert recorded(each_place, "session.revoked") == [f"account:{each_place.people['analyst'].id}"] * 3


def test_sessions_that_are_over_are_not_listed(place: Place) -> None:
    person = place.people["analyst"]
    open_session(place.engine, person, HOUR)
    open_session(place.engine, person, HOUR, Origin("192.0.2.1", FIREFOX))
    assert len(list_sessions(place.engine, person.id, HOUR)) == 2
    with place.engine.begin() as connection:
        old = SESSIONS.c.device == "Firefox sous Linux"
        connection.execute(SESSIONS.update().where(old).values(seen_at=now() - HOUR))
    assert [one.device for one in list_sessions(place.engine, person.id, HOUR)] == ["Navigateur ou programme inconnu"]


def test_a_session_in_use_says_when_it_was_seen(place: Place) -> None:
    opened = open_session(place.engine, place.people["analyst"], HOUR)
    with place.engine.begin() as connection:
        connection.execute(SESSIONS.update().values(seen_at=now() - timedelta(minutes=5)))
    assert find_session(place.engine, opened.token, HOUR)
    assert now() - list_sessions(place.engine, place.people["analyst"].id, HOUR)[0].seen_at < timedelta(minutes=1)


def test_administrators_end_the_sessions_and_keys_of_others(each_place: Place) -> None:
    boss, person = each_place.visitor("administrator"), each_place.people["reviewer"]
    desk, phone = entered(each_place, "reviewer", FIREFOX), entered(each_place, "reviewer", PHONE)
    first, second = (create_key(each_place.engine, person, name, ["predict"]) for name in ("un", "deux"))
    page = unescape(boss.get(f"/comptes/{person.id}").text)
    for told in ("Firefox sous Linux", "Chrome sous Android", "un", "deux", first[:12], "Fermer toutes ses sessions"):
        assert told in page
    assert first not in page
    there = next(one.id for one in list_sessions(each_place.engine, person.id, HOUR) if "Android" in one.device)
    assert boss.post(f"/comptes/{person.id}/sessions/{there}/fermer").headers["location"].endswith("?fait=session")
    assert (desk.get("/compte").status_code, phone.get("/compte").status_code) == (200, 303)
    assert boss.post(f"/comptes/{person.id}/sessions/{there}/fermer").status_code == 404
    key = next(one.id for one in list_keys(each_place.engine, person) if one.name == "un")
    assert boss.post(f"/comptes/{person.id}/cles/{key}/revoquer").headers["location"].endswith("?fait=cle")
    assert find_key(each_place.engine, first) is None
    assert find_key(each_place.engine, second)
    assert boss.post(f"/comptes/{person.id}/cles/{key}/revoquer").status_code == 404
    assert boss.post(f"/comptes/{person.id}/sessions/fermer").status_code == 303
    assert boss.post(f"/comptes/{person.id}/cles/revoquer").status_code == 303
    assert desk.get("/compte").status_code == 303
    assert find_key(each_place.engine, second) is None
    shown = unescape(boss.get(f"/comptes/{person.id}").text)
    assert "Aucune session ouverte" in shown
    assert "Révoquer toutes ses clés" not in shown
    for path in ("", "/fermer", "/role?role=analyst", "/mot-de-passe"):
        assert boss.get(f"/comptes/personne{path}").status_code == 404
    assert boss.post("/comptes/personne/sessions/fermer").status_code == 404


def test_an_administrator_who_ends_all_of_his_own_sessions_is_out(place: Place) -> None:
    boss = place.visitor("administrator")
    left = boss.post(f"/comptes/{place.people['administrator'].id}/sessions/fermer")
    assert left.headers["location"] == "/compte"
    assert boss.get("/compte").status_code == 303


def test_a_key_dies_with_its_account_between_two_requests(each_place: Place) -> None:
    person = each_place.people["reviewer"]
    key = create_key(each_place.engine, person, "k", ["import"])
    with each_place.client(headers={"Authorization": f"Bearer {key}"}) as client:
        assert client.get("/v1/import/inconnu").status_code == 404
        disable(each_place.engine, person.id)
        assert client.get("/v1/import/inconnu").status_code == 401


def test_nothing_is_done_before_it_is_asked(each_place: Place) -> None:
    boss, person = each_place.visitor("administrator"), each_place.people["analyst"]
    visitor = each_place.visitor(person)
    listed = boss.get("/comptes").text
    # What acts at once is to open an account, open one again, or leave; everything else leads to a question.
    acts = set(re.findall(r'method="post" action="(/comptes[^"]*)"', listed))
    assert acts == {"/comptes"}
    for path, question in (
        ("fermer", "Fermer le compte de Analyst ?"),
        ("role?role=reviewer", "Donner le rôle « relecture » à Analyst ?"),
        ("mot-de-passe", "Donner un nouveau mot de passe à Analyst ?"),
    ):
        asked = boss.get(f"/comptes/{person.id}/{path}")
        assert asked.status_code == 200
        assert f"<h1>{question}</h1>" in unescape(asked.text)
        assert "Ne rien changer" in asked.text
    assert visitor.get("/compte").status_code == 200, "demander ne fait rien"
    assert boss.get(f"/comptes/{person.id}/role?role=chef").status_code == 422
    assert boss.post(f"/comptes/{person.id}/role", {"role": "reviewer"}).status_code == 303
    assert visitor.get("/arbitrage").status_code == 200


@pytest.mark.browser
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_the_pages_are_accessible_and_work_without_scripts(browsed: Place, width: int, dark: bool) -> None:
    person = browsed.people["reviewer"]
    create_key(browsed.engine, person, "collecteur du lundi", ["predict"])
    open_session(browsed.engine, person, HOUR, Origin("2001:db8:1234:5678:9abc:def0:1234:5678", PHONE))
    page = browsed.page("administrator", width=width, dark=dark)
    for path in ("", "/fermer", "/role?role=analyst", "/mot-de-passe"):
        page.goto(f"/comptes/{person.id}{path}")
        assert_accessible(page)
    plain = browsed.page("administrator", scripts=False)
    plain.goto("/comptes")
    plain.get_by_role("link", name="Reviewer", exact=True).click()
    plain.get_by_role("button", name="Révoquer la clé collecteur du lundi").click()
    expect(plain.get_by_role("row", name="collecteur du lundi")).to_contain_text("révoquée")
    plain.get_by_role("button", name="Fermer la session Chrome sous Android").click()
    expect(plain.get_by_role("status")).to_contain_text("la session est fermée")
    plain.get_by_label("Rôle").select_option("analyst")
    plain.get_by_role("button", name="Changer…").click()
    plain.get_by_role("button", name="Changer le rôle").click()
    expect(plain.get_by_role("row", name="Reviewer")).to_contain_text("Reviewer")
    plain.goto("/compte")
    plain.get_by_role("button", name="Fermer la session", exact=False).first.click()


def test_the_command_lists_and_takes_back(blank: Path, tmp_path: Path) -> None:
    path = tmp_path / "v.db"
    path.write_bytes(blank.read_bytes())
    database = f"sqlite:///{path}"
    assert run(database, "add", "nina", "--role", "administrator", "--password-stdin", given=PASSWORD).returncode == 0
    from service.database import connect_database
    from service.workplace.people import find_login

    engine = connect_database(database)
    nina = find_login(engine, "nina")
    assert nina
    tokens = [open_session(engine, nina, HOUR, Origin("192.0.2.1", agent)).token for agent in (FIREFOX, PHONE)]
    keys = [create_key(engine, nina, name, ["predict"]) for name in ("un", "deux")]
    seen = json.loads(run(database, "sessions", "nina", "--json").stdout)
    assert {one["device"] for one in seen} == {"Firefox sous Linux", "Chrome sous Android"}
    assert "Firefox sous Linux" in run(database, "sessions", "nina").stdout.replace("\n", " ")
    one = next(one["id"] for one in seen if one["device"] == "Firefox sous Linux")
    assert run(database, "sign-out", "nina", "--session", one).stderr == "nina : 1 session(s) fermée(s).\n"
    assert run(database, "sign-out", "nina", "--session", one).returncode == 1
    assert [bool(find_session(engine, token, HOUR)) for token in tokens] == [False, True]
    assert run(database, "sign-out", "nina").stderr == "nina : 1 session(s) fermée(s).\n"
    listed = json.loads(run(database, "keys", "nina", "--json").stdout)
    assert {key["name"] for key in listed} == {"un", "deux"}
    assert not any(key in json.dumps(listed) for key in keys)
    wanted = next(key["id"] for key in listed if key["name"] == "un")
    assert run(database, "revoke", "nina", "--key", wanted).stderr == "nina : 1 clé(s) révoquée(s).\n"
    assert run(database, "revoke", "nina", "--key", wanted).returncode == 1
    assert run(database, "revoke", "nina").stderr == "nina : 1 clé(s) révoquée(s).\n"
    assert [find_key(engine, key) for key in keys] == [None, None]
    assert run(database, "unlock", "nina").stderr == "nina : aucun échec.\n"
    assert "VIGIE_OIDC_ISSUER manque" in run(database, "link", "nina", "s-1").stderr
    assert run(database, "unlink", "nina", "--password-stdin", given=PASSWORD).returncode == 1
    assert revoke_sessions(engine, nina.id, None) == 0
    engine.dispose()
