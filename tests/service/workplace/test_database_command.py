"""`vigie database`: where the tables are, up, and down after saying what is lost; what the settings ask of PostgreSQL."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from typer.testing import CliRunner

from model.errors import VigieError
from service.cli import app
from service.database import connect_database, open_database
from service.migrations import current, downgrade, steps
from service.outages import BUSY, outage_of
from service.postgresql import check_server
from service.settings import Settings, load_settings
from tests.service.workplace.believable import fill, held

ROOT = Path(__file__).resolve().parents[3]
HEAD = steps()[-1]


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def said(monkeypatch: pytest.MonkeyPatch, url: str, *words: str) -> tuple[int, str]:
    """Run the command on a database; its code and what it said."""
    monkeypatch.setenv("VIGIE_DATABASE_URL", url)
    load_settings.cache_clear()
    try:
        done = CliRunner().invoke(app, ["database", *words])
    finally:
        monkeypatch.undo()
        load_settings.cache_clear()
    if isinstance(done.exception, VigieError):
        return 1, str(done.exception)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, " ".join(done.output.split())


def test_where_a_database_is(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[engine.dialect.name]
    code, told = said(monkeypatch, url_of(engine), "current")
    assert code == 0
    assert re.search(rf"^{kind} [0-9]+\.[0-9.]+.* Étape {HEAD} ; .* La base est à jour\.$", told)
    found = json.loads(said(monkeypatch, url_of(engine), "current", "--json")[1])
    assert (found["step"], found["head"], found["behind"], found["kind"]) == (HEAD, HEAD, 0, kind)


def test_up_by_steps_and_never_down_by_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'v.db'}"
    code, told = said(monkeypatch, url, "current")
    assert (code, "n'existe pas" in told) == (1, True)
    assert not (tmp_path / "v.db").exists(), "demander où en est la base n'en fait pas une"
    assert said(monkeypatch, url, "upgrade", "--to", "0004")[0] == 0
    assert "9 étape(s) à monter" in said(monkeypatch, url, "current")[1]
    assert said(monkeypatch, url, "downgrade", "--to", "0009", "--yes") == (
        1,
        "La base est à l'étape 0004 : « vigie database upgrade --to 0009 » monte.",
    )
    code, told = said(monkeypatch, url, "upgrade")
    assert (code, told) == (0, f"Étape {HEAD} : la base y est, montée de 0004.")
    assert "y est déjà" in said(monkeypatch, url, "upgrade")[1]
    code, told = said(monkeypatch, url, "upgrade", "--to", "0004")
    assert (code, "vigie database downgrade --to 0004" in told) == (1, True)


@pytest.mark.parametrize("step", ["12", "9999", "head", "", "é", "0" * 300])
def test_a_step_that_is_none_is_refused(base: Engine, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for verb in ("upgrade", "downgrade"):
        if verb == "downgrade" or step:
            code, told = said(monkeypatch, url_of(base), verb, "--to", step)
            assert code == 1
            assert f"de 0001 à {HEAD} est attendu" in told


def test_down_says_what_is_lost_and_wants_to_be_told_so(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    url = url_of(engine)
    with engine.begin() as connection:
        fill(connection)
        before = held(connection)
    engine.dispose()
    code, told = said(monkeypatch, url, "downgrade", "--to", "0006")
    assert code == 1
    assert "rien n'est fait" in told
    with engine.connect() as connection:
        assert held(connection) == before
    engine.dispose()
    code, told = said(monkeypatch, url, "downgrade", "--to", "0006", "--yes")
    assert code == 0
    for line in ("4 dossiers (étape 0007)", "4 demandes de personnes concernées (étape 0011)", "« vigie audit export »"):
        assert line in told
    assert "campagnes" not in told, "elles sont de l'étape 0006, qui reste"
    with engine.connect() as connection:
        assert current(connection) == "0006"
        assert held(connection)["items"] == before["items"]


def test_down_is_refused_while_somebody_has_the_database_open(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    url = url_of(engine)
    script = (
        f"import sys; from service.database import connect_database as c; k = c({url!r}).connect(); "
        "k.exec_driver_sql('select 1'); print('ouvert', flush=True); sys.stdin.read()"
    )
    engine.dispose()
    other = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdin
    assert other.stdout
    assert other.stdout.readline() == "ouvert\n"
    code, told = said(monkeypatch, url, "downgrade", "--to", "0011", "--yes")
    other.stdin.close()
    other.wait(timeout=30)
    other.stdout.close()
    assert code == 1
    assert re.search(r"est ouvert par un service en marche|1 autre\(s\) connexion\(s\) à la base \(vigie, processus \d+\)", told)
    assert said(monkeypatch, url, "downgrade", "--to", "0011", "--yes")[0] == 0


@pytest.mark.parametrize(("typed", "step"), [("n\n", HEAD), ("y\n", "0012")])
def test_in_a_terminal_it_asks(base: Engine, typed: str, step: str) -> None:
    base.dispose()
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "service.cli", "database", "downgrade", "--to", "0012"]
    environment = os.environ | {"VIGIE_DATABASE_URL": url_of(base)}
    os.write(ours, typed.encode())
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdin=theirs, capture_output=True, text=True, timeout=120, check=False
    )
    os.close(ours)
    os.close(theirs)
    assert "Redescendre à 0012 ?" in done.stderr
    assert done.returncode == (1 if step == HEAD else 0), done.stderr
    with base.connect() as connection:
        assert current(connection) == step


def test_what_cannot_be_opened_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "v.db").write_bytes(b"Ce n'est pas une base, mais un texte assez long pour en avoir l'air." * 50)
    for url, told in (
        (f"sqlite:///{tmp_path / 'v.db'}", "Base de données abîmée"),
        ("postgresql://vigie:motdepasse@127.0.0.1:1/vigie", "Base de données injoignable"),
        ("n'importe quoi", "VIGIE_DATABASE_URL"),
    ):
        for verb in (["current"], ["upgrade"], ["downgrade", "--to", "0001", "--yes"]):
            code, answer = said(monkeypatch, url, *verb)
            assert code == 1
            assert told in answer, answer
            assert "motdepasse" not in answer


def test_a_service_tells_postgresql_its_name_and_its_patience(postgres_base: Engine) -> None:
    url = url_of(postgres_base)
    settings = Settings(database_url=url, database_application="vigie essai", database_statement_seconds=1, database_pool=1)
    serving = open_database(url, settings)
    with serving.connect() as connection:
        assert connection.exec_driver_sql("show application_name").scalar_one() == "vigie essai"
        with pytest.raises(OperationalError) as found:
            connection.exec_driver_sql("select pg_sleep(30)")
        assert outage_of(found.value) is BUSY
    serving.dispose()
    with postgres_base.connect() as connection:
        assert connection.exec_driver_sql("show statement_timeout").scalar_one() == "0", "une commande a tout son temps"
    own = connect_database(f"{url}?application_name=autre&options=-c%20statement_timeout%3D9s", settings)
    with own.connect() as connection:
        assert connection.exec_driver_sql("show application_name").scalar_one() == "autre", "l'adresse l'emporte"
        assert connection.exec_driver_sql("show statement_timeout").scalar_one() == "9s"
    own.dispose()


def test_a_service_opens_no_more_connections_than_it_may(postgres_base: Engine) -> None:
    url = url_of(postgres_base)
    few = connect_database(url, Settings(database_pool=1, database_pool_more=1, database_wait=0.2))
    with few.connect(), few.connect(), pytest.raises(PoolTimeoutError) as found:
        few.connect()
    assert outage_of(found.value) is BUSY
    few.dispose()


def test_a_step_takes_all_the_time_it_needs(postgres_base: Engine) -> None:
    url = url_of(postgres_base)
    with postgres_base.begin() as connection:
        downgrade(connection, "0012")
        # A step that waits longer than a page may: for a table that somebody holds, or because there is much to copy.
        connection.exec_driver_sql("""create function slowly() returns event_trigger language plpgsql as $$
            begin perform pg_sleep(1.5); end $$""")
        connection.exec_driver_sql(
            "create event trigger slow on ddl_command_end when tag in ('CREATE INDEX') execute function slowly()"
        )
    serving = open_database(url, Settings(database_statement_seconds=1))
    with serving.connect() as connection:
        assert current(connection) == HEAD
    serving.dispose()


def test_an_older_postgresql_is_refused() -> None:
    with pytest.raises(VigieError, match=r"PostgreSQL 14\.9 : il faut PostgreSQL 15 ou plus récent"):
        check_server("postgresql", (14, 9))
    for name, version in (("postgresql", (15, 0)), ("postgresql", (17, 2)), ("sqlite", (3, 40, 1)), ("postgresql", None)):
        check_server(name, version)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("database_pool", 0),
        ("database_pool_more", -1),
        ("database_wait", 0),
        ("database_connect_seconds", 1),
        ("database_statement_seconds", -1),
        ("database_application", "été"),
        ("database_application", "a" * 64),
        ("database_application", "a\n"),
        ("database_application", ""),
    ],
)
def test_settings_of_no_use_are_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({name: value})
