"""What the database and the disk raise is told; what killed processes leave is swept; a clock put right holds nobody."""

import errno
import os
import sqlite3
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import NullPool

from model.errors import VigieError
from service.database import add_feedback, all_feedback, check_writable, connect_database, open_checked, open_database
from service.leftovers import half_written, sweep
from service.outages import AWAY, BUSY, CLOSED, DAMAGED, FULL, READ_ONLY, Outage, outage_of
from service.settings import Settings
from service.workplace.access_schema import SIGN_IN_TRIES
from service.workplace.claims import claim, claim_of
from service.workplace.clock import settle
from service.workplace.people import Person, Role
from service.workplace.schema import SESSIONS
from service.workplace.sessions import find_session, open_session
from service.workplace.times import now
from tests.service.workplace.made import add
from tests.service.workplace.postgres import run_sql

ROOT = Path(__file__).resolve().parents[3]


def raised(engine: Engine, statement: str) -> Outage | None:
    """What is told of the error of a statement."""
    with pytest.raises(SQLAlchemyError) as found, engine.begin() as connection:
        connection.execute(text(statement))
    return outage_of(found.value)


def test_what_sqlite_raises_is_told(base: Engine, tmp_path: Path) -> None:
    path = Path(str(base.url.database))
    with base.begin() as connection:
        size = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    bounded = create_engine(base.url, poolclass=NullPool)
    with bounded.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {size}")
        with pytest.raises(DBAPIError) as found:
            connection.exec_driver_sql("create table much as select randomblob(1000000)")
    assert outage_of(found.value) is FULL
    reader = create_engine("sqlite://", creator=lambda: sqlite3.connect(f"file:{path}?mode=ro", uri=True), poolclass=NullPool)
    assert raised(reader, "delete from claims") is READ_ONLY
    with base.begin():
        busy = create_engine(base.url, connect_args={"timeout": 0.05}, poolclass=NullPool)
        assert raised(busy, "delete from claims") is BUSY
    (tmp_path / "dossier").mkdir()
    assert raised(create_engine(f"sqlite:///{tmp_path / 'dossier'}", poolclass=NullPool), "select 1 from x") is CLOSED
    (tmp_path / "abime.db").write_bytes(b"SQLite format 3\x00" + bytes(5_000))
    assert raised(create_engine(f"sqlite:///{tmp_path / 'abime.db'}", poolclass=NullPool), "select 1 from x") is DAMAGED
    assert raised(base, "insert into claims (item_id) values ('x')") is None, "ce que la base refuse n'est pas une panne"
    assert raised(base, "select n from nowhere") is None


def test_what_postgresql_raises_is_told(postgres_base: Engine) -> None:
    nobody = create_engine("postgresql+psycopg://vigie@127.0.0.1:1/vigie", poolclass=NullPool)
    assert raised(nobody, "select 1") is AWAY
    assert raised(postgres_base, "set local statement_timeout = 1; select pg_sleep(5)") is BUSY
    assert raised(postgres_base, "set transaction read only; delete from claims") is READ_ONLY
    with postgres_base.connect() as connection:
        number = connection.execute(text("select pg_backend_pid()")).scalar_one()
        server = postgres_base.url.render_as_string(hide_password=False).rpartition("/")[0]
        run_sql(server, f"select pg_terminate_backend({number})")
        with pytest.raises(OperationalError) as found:
            connection.execute(text("select 1"))
    assert outage_of(found.value) is AWAY
    assert raised(postgres_base, "insert into claims (item_id) values ('x')") is None
    with postgres_base.begin() as connection:
        connection.execute(text(f"alter database {postgres_base.url.database} set default_transaction_read_only = on"))
    postgres_base.dispose()
    with pytest.raises(VigieError, match="lecture seule"):
        check_writable(postgres_base)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENOSPC, "x"), FULL),
        (OSError(errno.EDQUOT, "x"), FULL),
        (OSError(errno.EROFS, "x"), READ_ONLY),
        (OSError(errno.EMFILE, "x"), BUSY),
        (FileNotFoundError(errno.ENOENT, "x"), None),
        (PoolTimeoutError("x"), BUSY),
        (ValueError("x"), None),
        (IntegrityError("x", {}, sqlite3.IntegrityError("x")), None),
    ],
    ids=lambda value: getattr(value, "name", None) or type(value).__name__,
)
def test_what_the_system_raises_is_told(error: Exception, told: Outage | None) -> None:
    assert outage_of(error) is told
    wrapped = VigieError("autre chose")
    wrapped.__cause__ = error
    assert outage_of(wrapped) is told, "une cause compte"


def test_an_address_is_shown_without_its_password() -> None:
    with pytest.raises(VigieError) as found:
        open_checked("postgresql://vigie:secret@127.0.0.1:1/vigie")
    assert "secret" not in str(found.value)
    assert "Base de données injoignable : " in str(found.value)


def test_what_killed_processes_left_is_swept(base: Engine, tmp_path: Path) -> None:
    config = Settings(model_dir=tmp_path / "modeles", spool_dir=tmp_path / "attente", database_url=str(base.url))
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True)
    dead = ended.stdout.strip()
    gone = [config.model_dir / f".2026.1.1+aa.tmp-{dead}", config.model_dir / f".current.tmp-{dead}"]
    kept = [config.model_dir / f".2026.1.1+bb.tmp-{os.getpid()}", config.model_dir / "2026.1.1+cc"]
    for folder in (gone[0], *kept):
        (folder / "plots").mkdir(parents=True)
    gone[1].write_text("x")
    old, young = config.spool_dir / f"{'a' * 28}.csv.gz", config.spool_dir / f"{'b' * 28}.csv"
    stray, unknown = config.spool_dir / "exports" / f"{'c' * 28}.jsonl.tmp", config.spool_dir / "LISEZMOI.txt"
    stray.parent.mkdir(parents=True)
    for path in (old, young, stray, unknown):
        path.write_text("x")
    for path in (old, stray, unknown):
        os.utime(path, (time.time() - 7_200,) * 2)
    assert set(half_written(config.model_dir)) == set(gone)
    assert set(sweep(base, config)) == {*gone, old, stray}
    assert all(path.exists() for path in (*kept, young, unknown))
    assert sweep(base, config) == []


def test_what_a_clock_that_was_ahead_holds_is_settled(
    engine: Engine, people: dict[Role, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Settings()
    hour, year = timedelta(hours=1), timedelta(days=365)
    with engine.begin() as connection:
        mine, theirs = add(connection), add(connection)
        claim(connection, mine, people["analyst"])
        claim(connection, theirs, people["analyst"], now() + year)
        far = {"failures": 9, "last_at": now() + year, "held_until": now() + year + hour}
        connection.execute(SIGN_IN_TRIES.insert().values(scope="login", name="avance", **far))
        near = {"failures": 9, "last_at": now(), "held_until": now() + timedelta(minutes=50)}
        connection.execute(SIGN_IN_TRIES.insert().values(scope="login", name="juste", **near))
    now_open, later_open = (open_session(engine, people["analyst"], hour) for _ in range(2))
    with engine.begin() as connection:
        ahead = {"seen_at": now() + year, "created_at": now() + year, "expires_at": now() + year + hour}
        token = select(SESSIONS.c.token_hash).order_by(SESSIONS.c.created_at.desc()).limit(1).scalar_subquery()
        connection.execute(SESSIONS.update().where(SESSIONS.c.token_hash == token).values(**ahead))
    assert settle(engine, config) == 3
    assert settle(engine, config) == 0
    with engine.connect() as connection:
        assert claim_of(connection, mine) is not None
        assert claim_of(connection, theirs) is None
        assert connection.scalars(select(SIGN_IN_TRIES.c.name)).all() == ["juste"]
        latest = connection.scalars(select(SESSIONS.c.expires_at)).all()
    assert len(latest) == 2
    assert find_session(engine, now_open.token, hour) is not None
    assert find_session(engine, later_open.token, hour) is not None
    monkeypatch.setattr("service.workplace.clock.now", lambda: now() - year)
    assert settle(engine, config) == 4, "une horloge qui recule d'un an ne laisse rien tenu"


@pytest.mark.parametrize("what", ["vigie.db", "."])
def test_a_file_taken_away_is_told_and_taken_up_again(tmp_path: Path, what: str) -> None:
    """SQLite would write to the file without a name, and make an empty one whose journal spoils the first one put back."""
    folder = tmp_path / "base"
    folder.mkdir()
    engine = open_database(f"sqlite:///{folder / 'vigie.db'}")
    kept = [add_feedback(engine, {"sha256": "0" * 64, "model_version": "m"})]
    taken = (folder / what).resolve()
    taken.rename(tmp_path / "ailleurs")
    for _ in range(2):
        assert raised(engine, "delete from feedback") is CLOSED
    (tmp_path / "ailleurs").rename(taken)
    kept.append(add_feedback(engine, {"sha256": "0" * 64, "model_version": "m"}))
    engine.dispose()
    again = connect_database(f"sqlite:///{folder / 'vigie.db'}")
    assert [row["id"] for row in all_feedback(again)] == kept
    again.dispose()


def test_a_file_put_in_the_place_of_another_is_the_one_that_is_read(tmp_path: Path) -> None:
    one, other = (open_database(f"sqlite:///{tmp_path / name}") for name in ("vigie.db", "autre.db"))
    add_feedback(one, {"sha256": "0" * 64, "model_version": "m"})
    there = add_feedback(other, {"sha256": "1" * 64, "model_version": "m"})
    other.dispose()
    for side in ("", "-wal", "-shm"):
        (tmp_path / f"vigie.db{side}").rename(tmp_path / f"avant.db{side}")
    (tmp_path / "autre.db").rename(tmp_path / "vigie.db")
    assert [row["id"] for row in all_feedback(one)] == [there]
    one.dispose()


def test_a_database_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vigie.db"
    engine = connect_database(f"sqlite:///{path}")
    check_writable(engine)
    engine.dispose()
    reader = create_engine("sqlite://", creator=lambda: sqlite3.connect(f"file:{path}?mode=ro", uri=True), poolclass=NullPool)
    with pytest.raises(VigieError, match="lecture seule"):
        check_writable(reader)
