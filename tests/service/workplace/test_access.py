"""Every route, asked over HTTP by nobody, by each role, with keys of each scope: the answer that it declares, and no other."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import get_args

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine

from model.store import current_name
from service import routes
from service.access import COOKIE, Access
from service.app import create_app
from service.database import connect_database
from service.declared import Declared, UndeclaredRouteError, declared_routes, table_of
from service.settings import Settings
from service.workplace import runs
from service.workplace.keys import ROLE_OF, Scope, create_key, list_keys, revoke_key
from service.workplace.people import ROLES, Person, Role, disable
from service.workplace.schema import API_KEYS, TRAININGS
from service.workplace.sessions import open_session
from service.workplace.times import now
from tests.service.conftest import free_port, start
from tests.service.workplace.conftest import _HOUR, Place, add_people, add_person, empty

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "acces.md"
SCOPES: tuple[Scope, ...] = get_args(Scope)
#: What a path's parameters are filled with: nothing of that name is there.
PARAMETERS = {"number": "1"}
#: Refused inside, by a rule of its own: who has judged the text may make it a golden one; a wrong password is refused.
FINER = {("/relecture/etalons", "POST"), ("/connexion", "POST")}
SAFE = ("GET", "HEAD")


@cache
def declared() -> list[Declared]:
    return declared_routes(create_app(Settings()))


def test_the_document_says_what_the_application_declares() -> None:
    written = DOCUMENT.read_text(encoding="utf-8")
    told = "docs/acces.md n'est plus la table des routes : « vigie access » l'imprime, à mettre entre ses deux marques"
    assert table_of(create_app(Settings())) in written, told


def test_a_route_that_does_not_say_who_may_call_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    app = FastAPI(openapi_url=None)
    app.get("/tout")(lambda: {"tout": "à tous"})
    with pytest.raises(UndeclaredRouteError, match="/tout"):
        declared_routes(app)
    # The same within the application: it does not start.
    monkeypatch.setattr("service.routes.masking.router", app.router)
    assert "masking" in routes.WORKPLACE_ROUTES
    with pytest.raises(UndeclaredRouteError, match="/tout"):
        create_app(Settings())


@dataclass(frozen=True)
class Caller:
    """Somebody who asks: how they are told apart, what they send, what they may do."""

    name: str
    role: Role | None = None
    scopes: tuple[str, ...] = ()
    key: str = ""
    person: Person | None = None
    cookie: str = ""
    sends_csrf: bool = True


def expected(access: Access, caller: Caller, *, changes: bool, keys_asked: bool) -> str:
    """in, sign-in (led there, or 401), or refused (403)."""
    asked = access
    if access.kind == "guarded":
        asked = Access("key" if keys_asked else "open", access.name)
    if asked.kind == "open":
        return "in"
    if asked.kind in ("key", "key_alone") and (caller.key or asked.kind == "key_alone"):
        if caller.name in ("nobody", "revoked", "closed key", "unknown key") or not caller.key:
            return "sign-in"
        scope: Scope = asked.name  # type: ignore[assignment]
        return "in" if scope in caller.scopes and _has(caller.role, ROLE_OF[scope]) else "refused"
    if caller.role is None or caller.key:
        return "sign-in"
    if changes and not caller.sends_csrf:
        return "refused"
    role: Role = ROLE_OF[asked.name] if asked.kind == "key" else asked.name  # type: ignore[index, assignment]
    return "in" if _has(caller.role, role) else "refused"


def _has(role: Role | None, asked: Role) -> bool:
    return role is not None and ROLES.index(role) >= ROLES.index(asked)


def found(answer: httpx.Response) -> str:
    """What an answer says of who asked."""
    assert answer.status_code < 500 or answer.status_code == 503, answer.text
    led = answer.status_code == 303 and answer.headers["location"].startswith("/connexion?")
    left = answer.headers.get("location", "").endswith("sorti=1")
    if answer.status_code == 401 or (led and not left):
        return "sign-in"
    return "refused" if answer.status_code == 403 else "in"


@pytest.fixture(scope="module")
def closed_place(artefacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A service that asks for keys, on models of its own: no training may start there, and nothing can be rolled back."""
    folder = tmp_path_factory.mktemp("ferme")
    models = folder / "modeles"
    shutil.copytree(artefacts / current_name(artefacts), models / current_name(artefacts))
    shutil.copy(artefacts / "current", models)
    settings = Settings(
        model_dir=models,
        database_url=f"sqlite:///{folder / 'v.db'}",
        port=free_port(),
        scoring=False,
        require_key=True,
        spool_dir=folder / "attente",
    )
    server, thread = start(settings)
    engine = connect_database(settings.database_url)
    empty(engine)
    place = Place(f"http://127.0.0.1:{settings.port}", engine, settings, add_people(engine))
    held = runs.hold(models, "occupe")
    under_way = {"id": "occupe", "state": "running", "asked_at": now()}
    with engine.begin() as connection:
        connection.execute(TRAININGS.insert().values(**under_way))
    yield place
    runs.give_up(models, "occupe", held)
    place.close()
    engine.dispose()
    server.should_exit = True
    thread.join(timeout=15)


def callers(place: Place) -> list[Caller]:
    """Nobody; each role, with and without the token of forms; keys of each scope; what is revoked, closed or made up."""
    people, engine = place.people, place.engine
    found = [Caller("nobody")]
    for role in ROLES:
        found.append(Caller(role, role, person=people[role]))
        found.append(Caller(f"{role} without token", role, person=people[role], sends_csrf=False))
    boss = people["administrator"]
    found += [Caller(f"key {scope}", "administrator", (scope,), create_key(engine, boss, scope, [scope])) for scope in SCOPES]
    all_of = [scope for scope in SCOPES if _has("analyst", ROLE_OF[scope])]
    found.append(Caller("key of an analyst", "analyst", tuple(all_of), create_key(engine, people["analyst"], "a", all_of)))
    found.append(Caller("key outgrown", "analyst", ("export", "speak"), _outgrown(engine, people["analyst"])))
    key = create_key(engine, boss, "revoked", SCOPES)
    revoke_key(engine, boss, next(one.id for one in list_keys(engine, boss) if one.name == "revoked"))
    found.append(Caller("revoked", "administrator", SCOPES, key))
    found.append(Caller("unknown key", "administrator", SCOPES, "vigie_" + "x" * 43))
    with engine.begin() as connection:
        gone = add_person(connection, "partie", "administrator")
    kept = create_key(engine, gone, "k", SCOPES)
    token = open_session(engine, gone, _HOUR).token
    disable(engine, gone.id)
    return [*found, Caller("closed key", "administrator", SCOPES, kept), Caller("closed account", cookie=token)]


def _outgrown(engine: Engine, person: Person) -> str:
    """A key whose scopes are beyond what its owner's role has become."""
    key = create_key(engine, person, "outgrown", ["predict"])
    with engine.begin() as connection:
        connection.execute(
            API_KEYS.update().where(API_KEYS.c.name == "outgrown").values(scopes=["export", "speak"], used_at=now())
        )
    return key


def ask(place: Place, client: httpx.Client, route: Declared, caller: Caller) -> httpx.Response:
    path = route.path
    for name in [part[1:-1].partition(":")[0] for part in path.replace(".", "/").split("/") if part.startswith("{")]:
        path = path.replace(f"{{{name}}}", PARAMETERS.get(name, "inconnu"))
    headers, data = {"Accept": "text/html"}, None
    client.cookies.clear()
    if caller.key:
        headers["Authorization"] = f"Bearer {caller.key}"
    if caller.cookie:
        client.cookies.set(COOKIE, caller.cookie, domain="127.0.0.1")
    if caller.person is not None:
        # Anew for each: some answers end it.
        token, csrf = place._session(caller.person)
        client.cookies.set(COOKIE, token, domain="127.0.0.1")
        if route.method not in SAFE and caller.sends_csrf:
            headers["X-CSRF-Token"] = csrf
    if route.method not in SAFE:
        data = {"rien": "rien"}
    return client.request(route.method, path, headers=headers, data=data)


def wrong(place: Place, routes: list[Declared], *, keys_asked: bool) -> dict[str, str]:
    """Where an answer is not the declared one: who, what, and both."""
    faults = {}
    with httpx.Client(base_url=place.url, timeout=60) as client:
        for caller in callers(place):
            for route in routes:
                api = route.path.startswith(("/v1/", "/label-studio/"))
                changes = route.method not in SAFE
                wanted = expected(route.access, caller, changes=changes, keys_asked=keys_asked)
                answer = ask(place, client, route, caller)
                given = found(answer)
                finer = (route.path, route.method) in FINER and (wanted, given) == ("in", "refused")
                if given != wanted and not finer:
                    faults[f"{caller.name}, {route.method} {route.path}"] = f"{given} ({answer.status_code}) au lieu de {wanted}"
                if wanted == "sign-in":
                    assert (answer.status_code == 401) == api, (caller, route)
    return faults


def test_every_route_answers_as_it_declares(closed_place: Place) -> None:
    asked = [route for route in declared() if route.path != "/static"]
    assert len(asked) > 150
    assert wrong(closed_place, asked, keys_asked=True) == {}


def test_guarded_routes_are_open_unless_the_setting_says_otherwise(place: Place) -> None:
    guarded = [route for route in declared() if route.access.kind == "guarded"]
    assert {route.path for route in guarded} == {"/v1/predict", "/v1/predict/batch", "/v1/predict/stream"}
    assert wrong(place, guarded, keys_asked=False) == {}


def test_the_files_of_the_pages_are_for_everybody(place: Place) -> None:
    assert place.client().get("/static/workplace.css").status_code == 200
    assert place.client().get("/static/../settings.py").status_code == 404
