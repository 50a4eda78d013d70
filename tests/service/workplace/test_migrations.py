"""A database is made, adopted or brought up to date when it is opened, by one process at a time."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect, select, text
from sqlalchemy.pool import NullPool

from model.errors import VigieError
from service.database import FEEDBACK, METADATA, TEXTS, add_feedback, all_feedback, connect_database, open_checked, open_database
from service.migrations import upgrade
from service.workplace.minhash import signatures_of
from service.workplace.schema import ITEMS
from service.workplace.similar import index, near
from service.workplace.times import now
from tests.service.workplace.postgres import run_sql

ROOT = Path(__file__).resolve().parents[3]
HEAD = "select version_num from alembic_version"


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database with nothing in it, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'neuve' / 'v.db'}"
    server = request.getfixturevalue("postgres")
    name = f"new_{abs(hash(request.node.name)) % 10**9}"
    run_sql(server, f"drop database if exists {name}")
    run_sql(server, f"create database {name}")
    return f"{server}/{name}"


def test_the_steps_make_the_tables_as_declared(engine: Engine) -> None:
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), METADATA)
    # What a step makes beside them (the search's tables, indexes of one kind of database) is not declared.
    changes = [change for found in differences for change in (found if isinstance(found, list) else [found])]
    assert [change for change in changes if not change[0].startswith("remove_")] == []


def test_opening_twice_changes_nothing(new_url: str) -> None:
    first = open_database(new_url)
    with first.connect() as connection:
        step = connection.execute(text(HEAD)).scalar_one()
    first.dispose()
    again = open_database(new_url)
    with again.connect() as connection:
        assert connection.execute(text(HEAD)).scalars().all() == [step]
    again.dispose()


def test_a_database_older_than_the_steps_keeps_what_it_holds(new_url: str) -> None:
    made = connect_database(new_url)
    with made.begin() as connection:
        METADATA.create_all(connection, tables=[TEXTS, FEEDBACK])
        values = {"id": "a", "text": "été", "sha256": "0", "prediction": {}, "model_version": "m", "stored_at": now()}
        connection.execute(TEXTS.insert().values(**values))
    add_feedback(made, {"text_id": "a", "sha256": "0", "indicator": "miracle_cure", "present": True, "model_version": "m"})
    made.dispose()
    opened = open_database(new_url)
    with opened.connect() as connection:
        assert connection.execute(select(TEXTS.c.text)).scalars().all() == ["été"]
        assert {"users", "items", "decisions"} <= set(inspect(connection).get_table_names())
    assert [kept["indicator"] for kept in all_feedback(opened)] == ["miracle_cure"]
    opened.dispose()


def test_processes_that_start_at_once_do_not_clash(new_url: str) -> None:
    script = f"from service.database import open_database; open_database({new_url!r}).dispose()"
    running = [subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    told = [process.communicate(timeout=120)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0, 0], told
    engine = create_engine(new_url, poolclass=NullPool)
    with engine.connect() as connection:
        assert len(connection.execute(text(HEAD)).scalars().all()) == 1
        assert "users" in inspect(connection).get_table_names()


def test_a_step_that_fails_leaves_nothing_behind(new_url: str) -> None:
    engine = connect_database(new_url)
    with engine.begin() as connection:
        upgrade(connection, "0001")
        # In the way of a table that step 0002 makes after several others.
        connection.execute(text("create table views (id integer)"))
    with pytest.raises(VigieError):
        open_checked(new_url)
    with engine.connect() as connection:
        assert connection.execute(text(HEAD)).scalar_one() == "0001"
        assert set(inspect(connection).get_table_names()) == {"alembic_version", "texts", "feedback", "views"}
    engine.dispose()


def test_a_database_of_a_later_version_is_refused(new_url: str) -> None:
    engine = open_database(new_url)
    with engine.begin() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    engine.dispose()
    with pytest.raises(VigieError, match="version plus récente"):
        open_database(new_url)


def test_a_writing_transaction_on_sqlite_is_alone_from_its_start(base: Engine) -> None:
    other = create_engine(url_of(base), connect_args={"timeout": 0.1}, poolclass=NullPool)
    with base.begin() as connection:
        assert connection.execute(text("select count(*) from users")).scalar() == 0
        with other.connect() as second:
            assert second.execute(text("select count(*) from users")).scalar() == 0, "on peut toujours lire"
            with pytest.raises(Exception, match="database is locked"):
                second.execute(text("delete from users"))


def test_texts_of_before_keep_what_they_hold_and_get_a_region(new_url: str) -> None:
    engine = connect_database(new_url)
    with engine.begin() as connection:
        upgrade(connection, "0004")
        before = [column for column in ITEMS.c if column.name != "region"]
        values = {
            "id": "a",
            "text": "été",
            "sha256": "0",
            "words": 1,
            "source": "s",
            "received_at": now(),
            "seen": 2,
            "doubt": 0.0,
        }
        values |= {"state": "done", "decided_level": 2, **dict.fromkeys(("at_risk", "hesitates", "contradicts"), False)}
        connection.execute(ITEMS.insert().values(**values))
        kept = dict(connection.execute(select(*before)).mappings().one())
    with engine.begin() as connection:
        upgrade(connection)
        assert dict(connection.execute(select(*before)).mappings().one()) == kept
        assert connection.execute(select(ITEMS.c.region)).scalar_one() is None
        tables = set(inspect(connection).get_table_names())
        assert {"receptions", "exports"} <= tables
    engine.dispose()


def test_near_duplicates_signed_before_are_found_after(new_url: str) -> None:
    engine = connect_database(new_url)
    words = "Soin de lumière et massage doux au cabinet sur rendez-vous le matin ou le soir à deux pas de la gare {} parking"
    texts = {id: words.format(town) for id, town in (("a", "de Brest"), ("b", "de Lyon"), ("c", "du Mans"))}
    with engine.begin() as connection:
        upgrade(connection, "0012")
        values = {"words": 20, "source": "s", "received_at": now(), "seen": 1, "doubt": 0.0, "state": "new"}
        values |= dict.fromkeys(("at_risk", "hesitates", "contradicts"), False)
        for id, content in texts.items():
            connection.execute(ITEMS.insert().values(id=id, text=content, sha256=id, **values))
        old = text("insert into signatures (item_id, minhash) values (:id, :minhash)")
        for id, signature in signatures_of(texts).items():
            connection.execute(old, {"id": id, "minhash": signature.values.tobytes()})
        connection.execute(old, {"id": connection.execute(_empty(values)).scalar_one(), "minhash": b""})
        connection.execute(text("insert into bands (band, item_id) values ('A0123456789abcde', 'a')"))
    with engine.begin() as connection:
        upgrade(connection)
        assert [one.item_id for one in near(connection, "a")] == ["b", "c"]
        assert near(connection, "vide") == []
        index(connection, "a", texts["a"])
        assert connection.execute(text("select count(*) from bands")).scalar_one() == 3 * 24
    engine.dispose()


def _empty(values: dict[str, Any]) -> Any:
    return ITEMS.insert().values(id="vide", text="🙂", sha256="v", **values).returning(ITEMS.c.id)
