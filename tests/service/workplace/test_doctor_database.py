"""`vigie doctor` on real databases of both kinds: what is well, and each thing that can be wrong with them."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, text

from service.backup.create import create
from service.database import connect_database, open_database
from service.doctor.contents import look_at_backups, look_at_contents
from service.doctor.database import clocks_agree, look_at_database, look_at_server
from service.doctor.findings import Finding, gravest
from service.migrations import steps, upgrade
from service.secret import new_secret
from service.settings import Settings
from service.workplace.audit import record_alone, seal_with
from service.workplace.audit_anchor import anchor
from service.workplace.people import Person, Role
from service.workplace.times import now
from tests.service.conftest import free_port
from tests.service.workplace.audited import unguarded, write
from tests.service.workplace.conftest import add_people
from tests.service.workplace.postgres import run_sql

SECRET = SecretStr(new_secret())


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def look(url: str, at: datetime | None = None, **settings: object) -> list[Finding]:
    """What is found of a database, and of what it holds."""
    chosen, instant = Settings.model_validate({**settings, "database_url": url}), at or now()
    return list(look_at_database(chosen, instant, partial(look_at_contents, settings=chosen, at=instant)))


def states(found: Iterable[Finding]) -> set[tuple[str, str]]:
    return {(finding.check, finding.state) for finding in found}


def told(found: Iterable[Finding], state: str = "erreur") -> str:
    """All that is said of what is in this state; what is not well says what to do."""
    chosen = [finding for finding in found if finding.state == state]
    assert all(finding.remedy for finding in chosen) or state == "ok"
    return "\n".join(f"{finding.check} : {finding.said} {finding.remedy}" for finding in chosen)


# Either kind


def test_a_database_that_is_well(engine: Engine, people: dict[Role, Person], tmp_path: Path) -> None:
    anchor(engine, tmp_path / "tetes.txt")
    record_alone(engine, None, "backup.made", "backup:vigie-20261123T021500Z")
    found = look(url_of(engine), audit_anchor=tmp_path / "tetes.txt")
    checks = {"base", "base : migrations", "comptes", "journal d'audit", "sauvegardes"}
    assert {(check, "ok") for check in checks} <= states(found)
    assert told(found) == ""


def test_first_account_and_its_password(engine: Engine) -> None:
    assert ("comptes", "attention") in states(look(url_of(engine)))
    add_people(engine)
    assert ("comptes", "ok") in states(look(url_of(engine)))
    left = look(url_of(engine), admin_password=SECRET)
    assert "VIGIE_ADMIN_PASSWORD est encore posé" in told(left, "attention")
    assert SECRET.get_secret_value() not in str(left)


def test_tables_of_another_step(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    assert "version plus récente" in told(look(url_of(engine)))


def test_tables_of_an_earlier_step_and_none(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'vigie.db'}"
    engine = connect_database(url)
    with engine.begin() as connection:
        upgrade(connection, steps()[-2])
    engine.dispose()
    found = look(url)
    assert "vigie database upgrade" in told(found, "attention")
    assert gravest(found) == "attention"
    with closing(sqlite3.connect(tmp_path / "vide.db")) as empty:
        empty.execute("create table autre (x)")
    assert "La base est vide" in told(look(f"sqlite:///{tmp_path / 'vide.db'}"), "attention")


def test_an_audit_log_that_was_emptied_or_is_unguarded(engine: Engine) -> None:
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            name = connection.execute(
                text("select name from sqlite_master where type = 'trigger' and tbl_name = 'audit_records'")
            )
            connection.execute(text(f"drop trigger {name.scalars().first()}"))
        else:
            connection.execute(text("alter table audit_records disable trigger user"))
    assert "Rien ne protège plus le journal" in told(look(url_of(engine)))
    with unguarded(engine) as connection:
        connection.execute(text("delete from audit_records"))
    assert "il a été vidé" in told(look(url_of(engine)))


def test_a_sealed_log_without_its_secret(engine: Engine) -> None:
    seal_with(engine, Settings(secret_key=SECRET))
    write(engine, 1)
    assert "VIGIE_SECRET_KEY manque" in told(look(url_of(engine)))
    assert told(look(url_of(engine), secret_key=SECRET)) == ""


def test_the_head_that_was_noted_elsewhere(base: Engine, tmp_path: Path) -> None:
    path = tmp_path / "tetes.txt"
    assert "relevée nulle part" in told(look(url_of(base)), "attention")
    assert "sera fait" in told(look(url_of(base), audit_anchor=path), "ok")
    write(base, 5)
    anchor(base, path)
    assert "y est" in told(look(url_of(base), audit_anchor=path), "ok")
    with unguarded(base) as connection:
        connection.execute(text("delete from audit_records where number > 3"))
    assert "il est coupé, ou refait" in told(look(url_of(base), audit_anchor=path))
    path.write_text("n'importe quoi\n", encoding="utf-8")
    assert "ligne 1" in told(look(url_of(base), audit_anchor=path))


def test_a_clock_that_went_back(engine: Engine) -> None:
    found = look(url_of(engine), at=now() - timedelta(days=400))
    assert "dans l'avenir" in told(found, "attention")


def test_the_age_of_the_last_backup(base: Engine, tmp_path: Path) -> None:
    assert "Aucune sauvegarde n'a été faite" in told(look(url_of(base)), "attention")
    shelf, later = tmp_path / "sauvegardes", now() + timedelta(days=3)
    settings = Settings(database_url=url_of(base), spool_dir=tmp_path / "attente", model_dir=tmp_path / "modeles")
    assert "n'est pas un dossier" in told(look_at_backups(shelf, now()), "attention")
    shelf.mkdir()
    assert "aucune sauvegarde" in told(look_at_backups(shelf, now()), "attention")
    folder, _ = create(settings, shelf)
    assert ("sauvegardes", "ok") in states(look(url_of(base)))
    assert states(look_at_backups(shelf, now())) == {("sauvegardes", "ok")}
    assert "plus de 2 jours" in told(look(url_of(base), at=later), "attention")
    assert "plus de 2 jours" in told(look_at_backups(shelf, later), "attention")
    (folder / "manifest.json").write_text("{", encoding="utf-8")
    assert "manifeste illisible" in told(look_at_backups(shelf, now()))


# An address


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("n'importe quoi", "pas une adresse de base"),
        ("mysql://vigie@127.0.0.1/vigie", "« mysql »"),
        ("sqlite://", "en mémoire"),
        ("sqlite:///:memory:", "en mémoire"),
    ],
)
def test_an_address_that_cannot_serve(url: str, said: str) -> None:
    assert said in told(look(url))


# SQLite


def test_a_file_that_is_not_there_stays_so(tmp_path: Path) -> None:
    assert "n'existe pas encore" in told(look(f"sqlite:///{tmp_path / 'la-bas' / 'vigie.db'}"), "attention")
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file(base: Engine, tmp_path: Path) -> None:
    write(base, 400)
    base.dispose()
    path = Path(str(base.url.database))
    with closing(sqlite3.connect(path)) as opened:
        opened.execute("PRAGMA journal_mode=DELETE")
        root = opened.execute("select rootpage from sqlite_master where name = 'audit_records'").fetchone()[0]
        size = opened.execute("PRAGMA page_size").fetchone()[0]
    with path.open("r+b") as file:
        file.seek((root - 1) * size + 8)
        file.write(b"\xff" * 200)
    found = look(url_of(base))
    assert "est abîmée" in told(found)
    assert "vigie backup restore" in told(found)
    (tmp_path / "autre.db").write_text("ceci n'est pas une base\n" * 100, encoding="utf-8")
    assert "n'est plus une base" in told(look(f"sqlite:///{tmp_path / 'autre.db'}"))


def test_a_file_of_another_encoding(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "utf16.db")) as opened:
        opened.execute("PRAGMA encoding = 'UTF-16le'")
        opened.execute("create table autre (x)")
    assert "UTF-16le, UTF-8 attendu" in told(look(f"sqlite:///{tmp_path / 'utf16.db'}"))


def test_a_file_that_anyone_may_read_and_several_processes(base: Engine) -> None:
    Path(str(base.url.database)).chmod(0o644)
    said = told(look(url_of(base), workers=3), "attention")
    assert "chmod 640" in said
    assert "3 processus sur SQLite" in said
    Path(str(base.url.database)).chmod(0o640)
    assert "chmod" not in told(look(url_of(base)), "attention")


# PostgreSQL


def test_a_server_that_does_not_answer_and_no_password_in_what_is_said(postgres: str) -> None:
    hidden = "motdepasse9"
    away = look(f"postgresql://vigie:{hidden}@127.0.0.1:{free_port()}/vigie?sslrootcert={hidden}")
    assert "Base de données injoignable" in told(away)
    assert "vigie:***@127.0.0.1" in told(away)
    assert "nulle_part" in told(look(f"{postgres}/nulle_part"))
    assert hidden not in str(away)


def test_more_processes_than_the_server_gives_connections(postgres_base: Engine) -> None:
    said = told(look(url_of(postgres_base), workers=64))
    assert "64 processus × 15 = 960 au plus" in said
    assert "max_connections = " in said
    assert ("base : connexions", "ok") in states(look(url_of(postgres_base), workers=64, database_pool=1, database_pool_more=1))


def test_a_database_that_only_reads(postgres: str, postgres_base: Engine) -> None:
    run_sql(postgres, f"alter database {postgres_base.url.database} set default_transaction_read_only = on")
    assert "ne fait que lire" in told(look(url_of(postgres_base)))


def test_a_database_of_another_encoding(postgres: str) -> None:
    run_sql(postgres, "create database ancienne encoding 'LATIN1' lc_collate 'C' lc_ctype 'C' template template0")
    try:
        assert "LATIN1, UTF8 attendu" in told(look(f"{postgres}/ancienne"))
    finally:
        run_sql(postgres, "drop database ancienne with (force)")


def test_an_account_that_may_not_make_tables(postgres: str) -> None:
    run_sql(postgres, "create role etroit login")
    run_sql(postgres, "create database fermee template template0")
    try:
        narrow = f"{postgres}/fermee".replace("vigie@", "etroit@")
        assert "n'a pas le droit d'y faire des tables" in told(look(narrow))
        assert "La base est vide" in told(look(f"{postgres}/fermee"), "attention")
    finally:
        run_sql(postgres, "drop database fermee with (force)")
        run_sql(postgres, "drop role etroit")


def test_an_account_that_may_not_read_the_tables(postgres: str, postgres_base: Engine) -> None:
    run_sql(postgres, "create role aveugle login")
    try:
        assert "inutilisable" in told(look(url_of(postgres_base).replace("vigie@", "aveugle@")))
    finally:
        run_sql(postgres, "drop role aveugle")


def test_a_server_that_is_too_old(postgres_base: Engine) -> None:
    with postgres_base.connect() as connection:
        names = ("server_version", "server_version_num", "server_encoding", "default_transaction_read_only", "data_checksums")
        shown = {name: str(connection.execute(text(f"show {name}")).scalar_one()) for name in names}
    assert told(look_at_server("serveur", shown)) == ""
    assert ("base : intégrité", "attention") in states(look_at_server("serveur", shown)), "les épreuves n'en ont pas"
    assert ("base : intégrité", "ok") in states(look_at_server("serveur", {**shown, "data_checksums": "on"}))
    assert "PostgreSQL 15" in told(look_at_server("serveur", {**shown, "server_version": "14.9", "server_version_num": "140009"}))


def test_a_server_whose_clock_differs() -> None:
    here = datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert clocks_agree(here, here + timedelta(seconds=20)).state == "ok"
    assert clocks_agree(here, here - timedelta(minutes=3)).state == "attention"


def test_an_old_database_that_grows_up_is_well(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'vigie.db'}"
    engine = connect_database(url)
    with engine.begin() as connection:
        upgrade(connection, steps()[0])
    engine.dispose()
    assert "vigie database upgrade" in told(look(url), "attention")
    open_database(url).dispose()
    assert ("base : migrations", "ok") in states(look(url))
