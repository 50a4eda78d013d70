"""Nothing that is recorded can be without its record, nor a record without what it records; nothing changes the log."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import DBAPIError

from model.errors import VigieError
from service.database import open_database
from service.settings import Settings, load_settings
from service.workplace.audit import by_service, called_from, record, record_alone, seal_with, sealing_keys, showed_key
from service.workplace.audit_actions import ACTIONS, GROUPS
from service.workplace.audit_chain import OPENING, digest_of
from service.workplace.audit_schema import missing_guards
from service.workplace.audit_verify import Expected, keys_by_name, verify_database
from service.workplace.decisions import decide, withdraw
from service.workplace.people import Person, Role
from service.workplace.schema import DECISIONS, USERS
from service.workplace.times import now
from tests.service.workplace.audited import head, since, told, write
from tests.service.workplace.conftest import add_people
from tests.service.workplace.made import add, prediction, say, verdict

COPIED = "at, actor, means, means_id, address, action, object, details, sealed_by, previous, hash, seal"
ROOT = Path(__file__).resolve().parents[3]


def whole(engine: Engine) -> bool:
    return verify_database(engine, Expected(), now()).whole


def test_a_new_log_opens_with_a_record_and_is_guarded(engine: Engine) -> None:
    with engine.connect() as connection:
        first = connection.execute(text("select number, action from audit_records order by number")).first()
        assert first is not None
        assert tuple(first) == (1, OPENING)
        assert missing_guards(connection) == []
    assert whole(engine)


@pytest.mark.parametrize(
    "statement",
    [
        "update audit_records set actor = 'x' where number = 2",
        "update audit_records set seal = 'x'",
        "delete from audit_records where number = 3",
        "delete from audit_records",
        f"insert into audit_records select 9, {COPIED} from audit_records where number = 3",
        f"insert into audit_records select 4, {COPIED} from audit_records where number = 3",
    ],
)
def test_the_database_refuses_to_change_the_log(engine: Engine, statement: str) -> None:
    write(engine, 2)
    with pytest.raises(DBAPIError, match="journal d'audit"), engine.begin() as connection:
        connection.execute(text(statement))
    assert whole(engine)


def test_sqlite_replaces_no_record(base: Engine) -> None:
    write(base, 2)
    with pytest.raises(DBAPIError, match="journal d'audit"), base.begin() as connection:
        connection.execute(text(f"insert or replace into audit_records select 3, {COPIED} from audit_records where number = 2"))


def test_postgresql_empties_no_log(postgres_base: Engine) -> None:
    with pytest.raises(DBAPIError, match="journal d'audit"), postgres_base.begin() as connection:
        connection.execute(text("truncate audit_records"))


def test_what_is_rolled_back_leaves_no_record_and_no_hole(engine: Engine) -> None:
    before = head(engine)
    with suppress(KeyError), engine.begin() as connection:
        record(connection, "u", "text.view", "text:a")
        raise KeyError
    record_alone(engine, "u", "text.view", "text:b")
    assert told(engine, before) == [("text.view", "text:b")]
    assert since(engine, before)[0]["number"] == before.number + 1


def test_a_connection_that_goes_on_after_a_rollback_keeps_nothing_of_it(engine: Engine) -> None:
    before = head(engine)
    with engine.connect() as connection:
        connection.begin()
        record(connection, "u", "text.view", "text:a")
        connection.rollback()
        for object in ("text:b", "text:c"):
            connection.begin()
            record(connection, "u", "text.view", object)
            connection.commit()
        connection.begin()
        connection.commit()
    assert told(engine, before) == [("text.view", "text:b"), ("text.view", "text:c")]


def test_a_decision_whose_record_cannot_be_written_is_not_kept(engine: Engine, people: dict[Role, Person]) -> None:
    with engine.begin() as connection:
        item = add(connection, prediction("isolation"))
        connection.execute(text("alter table audit_records rename to audit_elsewhere"))
    with pytest.raises(DBAPIError):
        say(engine, item, people["analyst"], "isolation")
    with engine.begin() as connection:
        assert connection.execute(select(DECISIONS.c.id)).all() == []
        connection.execute(text("alter table audit_elsewhere rename to audit_records"))
    assert whole(engine)
    say(engine, item, people["analyst"], "isolation")
    assert whole(engine)


def test_a_decision_and_its_withdrawal_name_the_person_the_text_and_nothing_of_what_was_said(
    engine: Engine, people: dict[Role, Person]
) -> None:
    with engine.begin() as connection:
        item = add(connection, prediction("isolation"), "Appelez Odile au 01 99 00 12 34, elle guérit tout.")
    before = head(engine)
    with called_from("192.0.2.7"):
        made = decide(engine, item, people["analyst"], verdict("isolation", note="Odile encore"), None)
    withdraw(engine, made, people["analyst"])
    kept, back = since(engine, before)
    assert (kept["action"], kept["object"]) == ("decision.made", f"text:{item}")
    assert (kept["actor"], kept["means"], kept["address"]) == (people["analyst"].id, "session", "192.0.2.7")
    assert json.loads(kept["details"])["decision"] == made
    assert set(json.loads(kept["details"])) == {"decision", "sha256"}
    assert (back["action"], json.loads(back["details"])["withdraws"]) == ("decision.withdrawn", made)
    assert (back["means"], back["address"]) == ("command", "")
    assert back["means_id"]
    for row in (kept, back):
        assert not {"Odile", "isolation", "promotes"} & set(str(row).replace('"', " ").split())


def test_a_decision_sent_twice_is_recorded_once(engine: Engine, people: dict[Role, Person]) -> None:
    with engine.begin() as connection:
        item = add(connection, prediction("isolation"))
    before = head(engine)
    once = say(engine, item, people["analyst"], "isolation", request="r1")
    assert say(engine, item, people["analyst"], "isolation", request="r1") == once
    assert [action for action, _ in told(engine, before)] == ["decision.made"]


def test_how_someone_acted_is_told(engine: Engine) -> None:
    before = head(engine)
    record_alone(engine, "u", "text.view", "text:a")
    with called_from("192.0.2.7"):
        record_alone(engine, None, "session.refused", "account:unknown")
        record_alone(engine, "u", "text.view", "text:a")
        with by_service():
            record_alone(engine, None, "import.end", "import:a")
        showed_key("k1")
        record_alone(engine, "u", "text.view", "text:a")
    told = [(row["means"], row["means_id"], row["address"]) for row in since(engine, before)]
    assert told[0][0] == "command"
    assert told[1:] == [
        ("visitor", "", "192.0.2.7"),
        ("session", "", "192.0.2.7"),
        ("service", "", ""),
        ("key", "k1", "192.0.2.7"),
    ]


@pytest.mark.parametrize(
    ("action", "object", "details"),
    [
        ("text.vew", "text:a", {}),
        ("text.view", "a", {}),
        ("text.view", "text:é", {}),
        ("text.view", "text:a b", {}),
        ("text.view", "text:a", {"text": "x" * 5_000}),
        ("text.view", "text:a", {"at": object()}),
        ("text.view", "text:a", {"at": float("nan")}),
    ],
)
def test_what_the_log_cannot_hold_is_refused(base: Engine, action: str, object: str, details: dict[str, object]) -> None:
    before = head(base)
    with pytest.raises(ValueError, match=r".+"), base.begin() as connection:
        record(connection, "u", action, object, details)
    assert head(base) == before


def test_a_record_that_could_be_lost_is_refused(base: Engine) -> None:
    with pytest.raises(RuntimeError), base.begin() as connection, connection.begin_nested():
        record(connection, "u", "text.view", "text:a")
    with pytest.raises(RuntimeError), base.connect() as connection:
        record(connection, "u", "text.view", "text:a")


def test_every_action_has_a_group() -> None:
    assert {name.partition(".")[0] for name in ACTIONS} == set(GROUPS)


def test_twenty_people_at_once_lose_nothing(engine: Engine) -> None:
    """Each decides on texts of their own: every decision has its record, no record is without its decision, no hole."""
    people = add_people(engine)
    with engine.begin() as connection:
        items = [add(connection, prediction("isolation")) for _ in range(60)]
    before, faults = head(engine), []

    def work(person: int) -> None:
        for item in items[3 * person : 3 * person + 3]:
            try:
                say(engine, item, people["analyst"], "isolation")
            except Exception as error:
                faults.append(error)

    threads = [threading.Thread(target=work, args=(person,)) for person in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert faults == []
    kept = since(engine, before)
    with engine.connect() as connection:
        decisions = set(connection.scalars(select(DECISIONS.c.id)))
    assert len(decisions) == 60
    assert {json.loads(row["details"])["decision"] for row in kept if row["action"] == "decision.made"} == decisions
    assert [row["number"] for row in kept] == list(range(before.number + 1, before.number + 1 + len(kept)))
    assert whole(engine)


def test_several_processes_share_one_chain(engine: Engine) -> None:
    url = engine.url.render_as_string(hide_password=False)
    script = (
        "from service.database import connect_database; from service.workplace.audit import record_alone\n"
        f"engine = connect_database({url!r})\n"
        "for number in range(40): record_alone(engine, 'u', 'text.view', f'text:{number}')"
    )
    before = head(engine)
    running = [subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    told = [process.communicate(timeout=120)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0, 0, 0], told
    assert head(engine).number == before.number + 160
    assert whole(engine)


def test_records_survive_what_they_are_about(engine: Engine, people: dict[Role, Person]) -> None:
    """An account or a text that is erased leaves the chain whole: records point at nothing."""
    record_alone(engine, people["analyst"], "text.view", "text:a")
    with engine.begin() as connection:
        connection.execute(USERS.delete())
    assert whole(engine)


def test_a_database_of_before_gets_its_log(tmp_path: Path) -> None:
    from service.database import connect_database
    from service.migrations import upgrade

    url = f"sqlite:///{tmp_path}/v.db"
    engine = connect_database(url)
    with engine.begin() as connection:
        upgrade(connection, "0008")
    engine.dispose()
    opened = open_database(url)
    assert head(opened).number == 1
    assert whole(opened)
    opened.dispose()


@pytest.fixture
def sealed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str | None], None]]:
    """Sets the secret of this process."""

    def choose(secret: str | None) -> None:
        monkeypatch.setenv("VIGIE_SECRET_KEY", secret) if secret else monkeypatch.delenv("VIGIE_SECRET_KEY", raising=False)
        load_settings.cache_clear()

    yield choose
    monkeypatch.undo()
    load_settings.cache_clear()


def test_records_are_sealed_where_there_is_a_secret(base: Engine, sealed: Callable[[str | None], None]) -> None:
    before = head(base)
    record_alone(base, "u", "text.view", "text:a")
    sealed("x" * 43)
    record_alone(base, "u", "text.view", "text:b")
    plain, kept = since(base, before)
    assert plain["seal"] is None
    assert kept["seal"]
    assert kept["sealed_by"]
    assert kept["hash"] == digest_of(kept)
    keys = keys_by_name(sealing_keys(load_settings()))
    assert verify_database(base, Expected(keys=keys), now()).whole


def test_a_sealed_log_takes_no_record_without_its_secret(base: Engine, sealed: Callable[[str | None], None]) -> None:
    """A command run without the secret says so, and leaves nothing that would read as forged."""
    sealed("x" * 43)
    record_alone(base, "u", "text.view", "text:b")
    before = head(base)
    sealed(None)
    with pytest.raises(VigieError, match="VIGIE_SECRET_KEY"):
        record_alone(base, "u", "text.view", "text:c")
    with pytest.raises(VigieError, match="VIGIE_SECRET_KEY"):
        seal_with(base, load_settings())
    assert head(base) == before


def test_a_new_secret_goes_on_where_the_one_before_sealed(base: Engine, sealed: Callable[[str | None], None]) -> None:
    sealed("x" * 43)
    record_alone(base, "u", "text.view", "text:a")
    seal_with(base, Settings(secret_key=SecretStr("y" * 43)))
    record_alone(base, "u", "text.view", "text:b")
    both = Settings(secret_key=SecretStr("y" * 43), previous_secret_key=SecretStr("x" * 43))
    report = verify_database(base, Expected(keys=keys_by_name(sealing_keys(both))), now())
    assert (report.whole, report.sealed) == (True, 2)
    alone = Settings(secret_key=SecretStr("y" * 43))
    assert not verify_database(base, Expected(keys=keys_by_name(sealing_keys(alone))), now()).whole
