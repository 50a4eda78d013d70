"""Databases of both kinds, made by the migrations; people; a running workplace; browsers signed in."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page
from sqlalchemy import Connection, Engine

from model.analyser import Analyser
from model.records import Prediction
from service.access import COOKIE
from service.database import METADATA, connect_database, open_database
from service.settings import Settings
from service.workplace.audit_schema import AUDIT
from service.workplace.people import ROLES, Person, Role, add_user, new_user
from service.workplace.sessions import find_session, open_session
from tests.service.conftest import free_port, start
from tests.service.workplace.postgres import cluster, run_sql
from tests.service.workplace.volume import hundred_thousand
from training.corpus import AnnotatedText

PASSWORD = "une phrase que personne ne tape"
_NUMBERS = count()
_HOUR = timedelta(hours=1)


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with every table and nothing in them."""
    path = tmp_path_factory.mktemp("vierge") / "vigie.db"
    open_database(f"sqlite:///{path}").dispose()
    return path


@pytest.fixture
def base(blank: Path, tmp_path: Path) -> Iterator[Engine]:
    """A fresh SQLite database."""
    path = tmp_path / "vigie.db"
    shutil.copy(blank, path)
    engine = connect_database(f"sqlite:///{path}")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def volume(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database of 100,000 texts, one for all processes of a run: to be copied, never written."""
    own = tmp_path_factory.getbasetemp()
    return hundred_thousand(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a real PostgreSQL server, whose database `blank` has every table and nothing in them."""
    with cluster(tmp_path_factory.mktemp("postgres")) as url:
        run_sql(url, "create database blank")
        open_database(f"{url}/blank").dispose()
        yield url


@pytest.fixture
def postgres_base(postgres: str) -> Iterator[Engine]:
    """A fresh PostgreSQL database."""
    name = f"fresh{next(_NUMBERS)}"
    run_sql(postgres, f"create database {name} template blank")
    engine = connect_database(f"{postgres}/{name}")
    yield engine
    engine.dispose()
    run_sql(postgres, f"drop database {name} with (force)")


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """A fresh database of each kind in turn."""
    found: Engine = request.getfixturevalue("base" if request.param == "sqlite" else "postgres_base")
    return found


@cache
def _row(login: str, role: Role) -> Mapping[str, Any]:
    # The slow hash is made once a session.
    return new_user(login, login.capitalize(), role, PASSWORD)


def add_person(connection: Connection, login: str, role: Role) -> Person:
    """Add a person whose password is PASSWORD, quickly: login, name made of it, role."""
    return add_user(connection, dict(_row(login, role)))


def add_people(engine: Engine) -> dict[Role, Person]:
    """One person of each role: `analyst`, `reviewer` and `administrator` are their logins too."""
    with engine.begin() as connection:
        return {role: add_person(connection, role, role) for role in ROLES}


@pytest.fixture
def people(engine: Engine) -> dict[Role, Person]:
    """One person of each role in the database `engine`."""
    return add_people(engine)


@dataclass
class Visitor:
    """A program signed in as a person: `post` sends the token of its session along."""

    client: httpx.Client
    csrf: str

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.client.get(path, **options)

    def post(self, path: str, data: Mapping[str, Any] | None = None, **options: Any) -> httpx.Response:
        return self.client.post(path, data={"csrf": self.csrf, **(data or {})}, **options)


@dataclass
class Place:
    """A running workplace, emptied for this test, with one person of each role."""

    url: str
    engine: Engine
    settings: Settings
    people: dict[Role, Person] = field(default_factory=dict)
    browser: Browser | None = None
    faults: list[str] = field(default_factory=list)
    _open: list[httpx.Client | BrowserContext] = field(default_factory=list)

    def person(self, login: str, role: Role = "analyst") -> Person:
        """One more person."""
        with self.engine.begin() as connection:
            return add_person(connection, login, role)

    def _session(self, person: Person) -> tuple[str, str]:
        opened = open_session(self.engine, person, _HOUR)
        found = find_session(self.engine, opened.token, _HOUR)
        assert found
        return opened.token, found.csrf

    def client(self, **options: Any) -> httpx.Client:
        """A program that is not signed in; redirections are not followed."""
        client = httpx.Client(base_url=self.url, timeout=60, **options)
        self._open.append(client)
        return client

    def visitor(self, who: Person | Role) -> Visitor:
        """A program signed in as a person, or as the one of a role."""
        token, csrf = self._session(who if isinstance(who, Person) else self.people[who])
        client = self.client()
        client.cookies.set(COOKIE, token, domain="127.0.0.1")
        return Visitor(client, csrf)

    def context(
        self, who: Person | Role | None = None, *, width: int = 1280, dark: bool = False, scripts: bool = True
    ) -> BrowserContext:
        """A browser's own space, signed in as a person if one is given."""
        assert self.browser, "demandez la fixture « browsed »"
        context = self.browser.new_context(
            base_url=self.url,
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            locale="fr-FR",
        )
        self._open.append(context)
        if who is not None:
            token, _ = self._session(who if isinstance(who, Person) else self.people[who])
            context.add_cookies([{"name": COOKIE, "value": token, "url": self.url, "httpOnly": True, "sameSite": "Lax"}])
        return context

    def page(self, who: Person | Role | None = None, *, width: int = 1280, dark: bool = False, scripts: bool = True) -> Page:
        """A page in a browser's own space; a fault in its console fails the test as it happens."""
        page = self.context(who, width=width, dark=dark, scripts=scripts).new_page()
        page.on("console", lambda told: self.faults.append(told.text) if told.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        return page

    def close(self) -> None:
        """Close what was opened; the consoles must have stayed silent."""
        for opened in self._open:
            opened.close()
        assert self.faults == []


def empty(engine: Engine) -> None:
    """Take everything out of every table, but the audit log, which nothing empties."""
    with engine.begin() as connection:
        for table in reversed(METADATA.sorted_tables):
            if table is not AUDIT:
                connection.execute(table.delete())


@pytest.fixture(scope="session")
def running(artefacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Settings]]:
    """Starts a server on a database, once for each; background scoring is off."""
    started: dict[str, Any] = {}

    def run(database_url: str) -> Settings:
        if database_url not in started:
            settings = Settings(
                model_dir=artefacts,
                database_url=database_url,
                port=free_port(),
                scoring=False,
                spool_dir=tmp_path_factory.mktemp("attente"),
            )
            started[database_url] = (settings, *start(settings))
        settings_of: Settings = started[database_url][0]
        return settings_of

    yield run
    for _, server, thread in started.values():
        server.should_exit = True
        thread.join(timeout=15)


@pytest.fixture(scope="session")
def sqlite_place_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('poste') / 'vigie.db'}"


@pytest.fixture(scope="session")
def postgres_place_url(postgres: str) -> str:
    run_sql(postgres, "create database place template blank")
    return f"{postgres}/place"


def _place(settings: Settings) -> Iterator[Place]:
    engine = connect_database(settings.database_url)
    empty(engine)
    place = Place(f"http://127.0.0.1:{settings.port}", engine, settings, add_people(engine))
    yield place
    place.close()
    engine.dispose()


@pytest.fixture
def place(running: Callable[[str], Settings], sqlite_place_url: str) -> Iterator[Place]:
    """A running workplace on SQLite, emptied, with one person of each role."""
    yield from _place(running(sqlite_place_url))


@pytest.fixture
def postgres_place(running: Callable[[str], Settings], postgres_place_url: str) -> Iterator[Place]:
    """The same on PostgreSQL."""
    yield from _place(running(postgres_place_url))


@pytest.fixture(params=["sqlite", "postgresql"])
def each_place(request: pytest.FixtureRequest) -> Place:
    """A running workplace on each kind of database in turn."""
    found: Place = request.getfixturevalue("place" if request.param == "sqlite" else "postgres_place")
    return found


@pytest.fixture
def browsed(place: Place, browser: Browser) -> Place:
    """`place`, with a browser: `browsed.page("analyst")` opens a page that is signed in."""
    place.browser = browser
    return place


@dataclass(frozen=True)
class Read:
    """A text of the corpus and what the model that serves says of it."""

    annotated: AnnotatedText
    prediction: Prediction


_READ = 60


@pytest.fixture(scope="session")
def read(corpus: list[AnnotatedText], analyser: Analyser) -> list[Read]:
    """Sixty texts of the corpus, of every level, with their real predictions."""
    by_level: dict[int, list[AnnotatedText]] = {level: [] for level in range(4)}
    for text in corpus:
        by_level[text.risk_level].append(text)
    chosen = [text for texts in by_level.values() for text in texts[: _READ // 4]]
    return [Read(text, analyser.predict(text.text, id=text.id)) for text in chosen]


@pytest.fixture
def filled(read: list[Read]) -> Callable[[Engine, int], list[str]]:
    """`filled(engine, count)` adds so many texts with their predictions, and gives their identifiers.

    Past sixty the same texts come back with a number at their end.
    """
    from service.workplace.items import Received, add_item, keep_prediction

    def fill(engine: Engine, wanted: int) -> list[str]:
        ids = []
        for first in range(0, wanted, 500):
            with engine.begin() as connection:
                for index in range(first, min(first + 500, wanted)):
                    known = read[index % len(read)]
                    again = index // len(read)
                    text = known.annotated.text + (f"\n{again}" if again else "")
                    received = Received(text, source="corpus", channel=known.annotated.channel, theme=known.annotated.theme)
                    added = add_item(connection, received)
                    keep_prediction(connection, added.id, known.prediction)
                    ids.append(added.id)
        return ids

    return fill
