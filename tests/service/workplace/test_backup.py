"""Backups hold everything, are verified, and come back, into the same kind of database or the other, without what was erased."""

import io
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select, text

from model.errors import VigieError
from model.store import current_name
from service.backup.copying import counts_of
from service.backup.create import create
from service.backup.damage import check_database
from service.backup.manifest import BackupError, read_manifest
from service.backup.restore import restore
from service.backup.shelf import backups, thin_out
from service.backup.verify import verify
from service.database import METADATA, connect_database, open_database
from service.migrations import upgrade
from service.privacy.manifest import write_manifest
from service.privacy.removal import Reason, remove_items
from service.settings import Settings
from service.workplace.audit_verify import Expected, verify_database
from service.workplace.imports import Wanted, begin, run_waiting
from service.workplace.people import Person, Role
from service.workplace.schema import CLAIMS, DECISIONS, IMPORTS, ITEMS, SESSIONS
from service.workplace.search import matches
from service.workplace.sessions import open_session
from service.workplace.times import now
from tests.service.workplace.conftest import add_people
from tests.service.workplace.made import add, prediction, say, unsure
from tests.service.workplace.postgres import run_sql
from tests.service.workplace.test_audit_commands import run as command


def settings_of(engine: Engine, folder: Path, **more: object) -> Settings:
    url = engine.url.render_as_string(hide_password=False)
    given = {"database_url": url, "spool_dir": folder / "attente", "model_dir": folder / "modeles"}
    return Settings.model_validate({**given, "purged_file": folder / "purged.jsonl", **more})


ROOT = Path(__file__).resolve().parents[3]


def url_of(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database with nothing in it."""
    if kind == "sqlite":
        return f"sqlite:///{tmp_path / 'ailleurs' / 'vigie.db'}"
    server: str = request.getfixturevalue("postgres")
    name = f"restored{abs(hash(request.node.name)) % 10**9}"
    run_sql(server, f"drop database if exists {name} with (force)")
    run_sql(server, f"create database {name}")
    return f"{server}/{name}"


def at_work(engine: Engine, people: dict[Role, Person]) -> list[str]:
    """Texts, predictions, decisions of every kind, with what JSON and instants may hold."""
    from service.workplace.decisions import decide

    with engine.begin() as connection:
        ids = [
            add(connection, prediction("miracle_cure"), text=f"Éte « où » 🙂 numéro {number}\r\n\t«fin»") for number in range(6)
        ]
    say(engine, ids[0], people["analyst"], "miracle_cure", note="é' <b> \\ \" 🙂")
    say(engine, ids[1], people["reviewer"], stance="warns")
    decide(engine, ids[2], people["analyst"], unsure(note="je doute"), None)
    return ids


def everything(url: str) -> dict[str, Any]:
    """Every row of every table, as the product reads it."""
    engine = connect_database(url)
    with engine.connect() as connection:
        found = {
            table.name: sorted(repr(_plain(row)) for row in connection.execute(table.select()).mappings())
            for table in METADATA.sorted_tables
        }
    engine.dispose()
    return found


def _plain(row: Any) -> dict[str, Any]:
    from service.workplace.times import aware

    return {name: aware(value).isoformat() if isinstance(value, datetime) else value for name, value in row.items()}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_is_restored_is_what_was_there(
    engine: Engine, people: dict[Role, Person], kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    ids = at_work(engine, people)
    open_session(engine, people["analyst"], timedelta(hours=1))
    with engine.begin() as connection:
        connection.execute(
            CLAIMS.insert().values(item_id=ids[3], user_id=people["analyst"].id, claimed_at=now(), expires_at=now())
        )
    config = settings_of(engine, tmp_path)
    before = everything(config.database_url)
    folder, manifest = create(config, tmp_path / "sauvegardes")
    assert manifest.counts["items"] == 6
    assert manifest.counts["decisions"] == 3
    assert verify(folder, config) == (read_manifest(folder), [])
    target = config.model_copy(update={"database_url": url_of(kind, request, tmp_path)})
    done = restore(target, folder)
    assert (done.aside, done.purged, done.spooled) == (None, 0, 0)
    after = everything(target.database_url)
    changed = {name for name, rows in before.items() if after[name] != rows}
    assert changed == {"sessions", "claims", "audit_records"}
    assert (after["sessions"], after["claims"]) == ([], [])
    assert after["audit_records"][: len(before["audit_records"])] != []
    opened = open_database(target.database_url)
    try:
        assert check_database(opened) == []
        assert verify_database(opened, Expected(), now()).whole
        with opened.connect() as connection:
            looked_for = matches("ete", opened.dialect)
            assert looked_for is not None
            found = connection.execute(select(ITEMS.c.id).where(looked_for)).scalars().all()
            assert set(found) == set(ids), "la recherche trouve comme avant"
            assert connection.execute(text("select count(*) from decisions where said is null")).scalar_one() == _nulls(engine)
        # Numbers that the database gives go on after the last one.
        with opened.begin() as connection:
            fresh = add(connection, prediction())
        say(opened, fresh, people["analyst"], stance="neutral")
        with opened.connect() as connection:
            numbers = connection.execute(select(DECISIONS.c.number).order_by(DECISIONS.c.number)).scalars().all()
            assert numbers[-1] == max(numbers[:-1]) + 1
    finally:
        opened.dispose()


def _nulls(engine: Engine) -> int:
    with engine.connect() as connection:
        found: int = connection.execute(text("select count(*) from decisions where said is null")).scalar_one()
    return found


def test_a_target_that_holds_something_is_left_unless_told(base: Engine, tmp_path: Path) -> None:
    people = add_people(base)
    ids = at_work(base, people)
    config = settings_of(base, tmp_path)
    folder, _ = create(config, tmp_path / "sauvegardes")
    say(base, ids[3], people["analyst"], stance="neutral")
    path = Path(str(base.url.database))
    assert "arrêtez-le d'abord" in _restored_elsewhere(config, folder)
    base.dispose()
    before = path.read_bytes()
    with pytest.raises(BackupError, match="--replace"):
        restore(config, folder)
    assert path.read_bytes() == before
    done = restore(config, folder, replace=True)
    assert done.aside is not None
    kept = connect_database(f"sqlite:///{done.aside}")
    with kept.connect() as connection:
        assert counts_of(connection)["decisions"] == 4
    kept.dispose()
    again = connect_database(config.database_url)
    with again.connect() as connection:
        assert counts_of(connection)["decisions"] == 3
        last = connection.execute(text("select action from audit_records order by number desc limit 1")).scalar_one()
    again.dispose()
    assert last == "backup.restored"
    assert sorted(one.name for one in path.parent.iterdir() if one.name.startswith(".")) == []


def _restored_elsewhere(config: Settings, folder: Path) -> str:
    """What `vigie backup restore --replace` says in another process, which must refuse."""
    names = ("database_url", "spool_dir", "model_dir", "purged_file")
    given = {f"VIGIE_{name.upper()}": str(getattr(config, name)) for name in names}
    words = [sys.executable, "-m", "service.cli", "backup", "restore", str(folder), "--replace"]
    done = subprocess.run(words, cwd=ROOT, env={**os.environ, **given}, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    return " ".join(done.stderr.split())


def test_a_database_that_others_use_is_not_replaced(postgres_base: Engine, tmp_path: Path) -> None:
    add_people(postgres_base)
    config = settings_of(postgres_base, tmp_path)
    folder, _ = create(config, tmp_path / "sauvegardes")
    with postgres_base.connect(), pytest.raises(BackupError, match="arrêtez le service"):
        restore(config, folder, replace=True)
    postgres_base.dispose()
    with pytest.raises(BackupError, match="--replace"):
        restore(config, folder)
    restore(config, folder, replace=True)


def test_what_was_erased_since_is_erased_again(base: Engine, tmp_path: Path) -> None:
    people = add_people(base)
    ids = at_work(base, people)
    with base.begin() as connection:
        gone = add(connection, prediction(), text="Chez Odile Zygomorphe, 06 39 98 00 12")
    config = settings_of(base, tmp_path)
    folder, _ = create(config, tmp_path / "sauvegardes")
    with base.begin() as connection:
        remove_items(connection, [gone], Reason("request", "essai"))
    assert write_manifest(base, config.purged_file) == 1
    target = config.model_copy(update={"database_url": f"sqlite:///{tmp_path / 'neuve.db'}"})
    assert restore(target, folder).purged == 1
    restored = connect_database(target.database_url)
    with restored.connect() as connection:
        assert set(connection.scalars(select(ITEMS.c.id))) == set(ids)
    restored.dispose()
    assert b"Zygomorphe" not in (tmp_path / "neuve.db").read_bytes()


def test_an_import_that_waits_is_read_after_it_is_restored(base: Engine, tmp_path: Path) -> None:
    config = settings_of(base, tmp_path)
    rows = "".join(json.dumps({"text": f"Séance de repos numéro {number}"}) + "\n" for number in range(30))
    begin(base, config, Wanted("essai"), ".jsonl", io.BytesIO(rows.encode()))
    stale = config.spool_dir / f"{'0' * 28}.csv"
    stale.write_text("text\n")
    folder, manifest = create(config, tmp_path / "sauvegardes")
    assert [name for name in manifest.files if name.startswith("spool/")] != [], "le fichier de l'import y est"
    assert f"spool/{stale.name}" not in manifest.files
    shutil.rmtree(config.spool_dir)
    target = config.model_copy(update={"database_url": f"sqlite:///{tmp_path / 'neuve.db'}"})
    assert restore(target, folder).spooled == 1
    opened = connect_database(target.database_url)
    run_waiting(opened, target)
    with opened.connect() as connection:
        assert connection.execute(select(IMPORTS.c.state, IMPORTS.c.added)).one() == ("done", 30)
    opened.dispose()


def test_the_model_comes_along(base: Engine, artefacts: Path, tmp_path: Path) -> None:
    config = settings_of(base, tmp_path, model_dir=artefacts)
    folder, manifest = create(config, tmp_path / "sauvegardes")
    name = current_name(artefacts)
    assert manifest.model == name
    assert f"model/{name}/manifest.json" in manifest.files
    fresh = {"database_url": f"sqlite:///{tmp_path / 'neuve.db'}", "model_dir": tmp_path / "modeles"}
    fresh["model_dir"].mkdir()  # type: ignore[attr-defined]
    target = config.model_copy(update=fresh)
    assert restore(target, folder).model
    assert current_name(tmp_path / "modeles") == name
    same = {path.name: path.read_bytes() for path in (artefacts / name).iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "modeles" / name).iterdir()} == same


@pytest.mark.parametrize("step", ["0002", "0008"])
def test_a_database_of_an_older_version_is_saved_before_it_is_migrated(
    step: str, postgres: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    for kind in ("sqlite", "postgresql"):
        url = url_of(kind, request, tmp_path)
        engine = connect_database(url)
        with engine.begin() as connection:
            upgrade(connection, step)
            connection.execute(
                text(
                    "insert into imports (id, name, source, state, options, read, added, duplicates, errors, started_at) "
                    "values ('i', 'vieux', '', 'done', '{\"a\": null}', 1, 1, 0, 0, '2026-01-02 03:04:05.000006')"
                )
            )
        config = settings_of(engine, tmp_path)
        folder, manifest = create(config, tmp_path / kind)
        assert (manifest.step, manifest.head, manifest.counts["imports"]) == (step, None, 1)
        with engine.connect() as connection:
            assert connection.execute(text("select version_num from alembic_version")).scalar_one() == step
        engine.dispose()
        target = config.model_copy(update={"database_url": f"sqlite:///{tmp_path / f'{kind}.db'}"})
        restore(target, folder)
        restored = connect_database(target.database_url)
        with restored.connect() as connection:
            kept = connection.execute(select(IMPORTS.c.name, IMPORTS.c.options, IMPORTS.c.started_at)).one()
        restored.dispose()
        shown = kept.started_at.replace(tzinfo=UTC)
        assert (kept.name, kept.options, shown) == ("vieux", {"a": None}, datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC))


@pytest.fixture(scope="module")
def whole(blank: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Settings]:
    """A backup of a small database."""
    folder = tmp_path_factory.mktemp("entiere")
    shutil.copy(blank, folder / "vigie.db")
    engine = connect_database(f"sqlite:///{folder / 'vigie.db'}")
    at_work(engine, add_people(engine))
    config = settings_of(engine, folder)
    saved, _ = create(config, folder / "sauvegardes")
    engine.dispose()
    return saved, config


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_byte_changed_is_seen(whole: tuple[Path, Settings], tmp_path: Path, data: st.DataObject) -> None:
    folder, config = whole
    copy = tmp_path / "copie"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    path = data.draw(st.sampled_from(sorted(one for one in copy.rglob("*") if one.is_file())))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        manifest, wrong = verify(copy, config)
    except BackupError:
        return
    assert wrong or manifest != read_manifest(folder) or path.name == "manifest.json"


def test_what_is_missing_or_too_much_is_named(whole: tuple[Path, Settings], tmp_path: Path) -> None:
    folder, config = whole
    copy = tmp_path / "copie"
    shutil.copytree(folder, copy)
    (copy / "autre.txt").write_text("là")
    assert verify(copy, config)[1] == ["autre.txt : ce fichier n'est pas de la sauvegarde."]
    (copy / "autre.txt").unlink()
    (copy / "database.sqlite").rename(tmp_path / "base")
    assert verify(copy, config)[1] == ["database.sqlite : ce fichier manque."]
    (copy / "database.sqlite").symlink_to(tmp_path / "base")
    assert verify(copy, config)[1] == ["database.sqlite : c'est un lien ; un fichier est attendu."]
    with pytest.raises(BackupError, match="rien n'est restauré"):
        restore(config.model_copy(update={"database_url": f"sqlite:///{tmp_path / 'neuve.db'}"}), copy)
    assert not (tmp_path / "neuve.db").exists()
    said = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    wrongs: tuple[dict[str, Any], ...] = (
        {"format": "autre"},
        {"files": {"../x": said["files"]["database.sqlite"]}},
        {"model": "../x"},
        {"database": {}},
    )
    for wrong in wrongs:
        (copy / "manifest.json").write_text(json.dumps(said | wrong), encoding="utf-8")
        with pytest.raises(BackupError, match=r"manifest\.json"):
            verify(copy, config)


def test_a_backup_whose_rows_do_not_agree_is_refused(whole: tuple[Path, Settings], tmp_path: Path) -> None:
    folder, config = whole
    copy = tmp_path / "copie"
    shutil.copytree(folder, copy)
    said = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
    said["database"]["counts"]["decisions"] += 1
    said["database"]["audit_head"] = f"1:{'0' * 64}"
    (copy / "manifest.json").write_text(json.dumps(said), encoding="utf-8")
    wrong = verify(copy, config)[1]
    assert "Table decisions : 3 lignes, 4 attendues." in wrong
    assert any(one.startswith("Journal d'audit") for one in wrong)


def test_the_newest_are_kept_and_nothing_else_is_touched(whole: tuple[Path, Settings], tmp_path: Path) -> None:
    shelf = tmp_path / "sauvegardes"
    for name in (
        "vigie-20260101T000000Z",
        "vigie-20260102T000000Z",
        "vigie-20260102T000000Z-2",
        "vigie-20260103T000000Z",
        "photos",
    ):
        shutil.copytree(whole[0], shelf / name)
    (shelf / "vigie-20260104T000000Z").mkdir()
    assert [path.name for path in backups(shelf)][-1] == "vigie-20260103T000000Z"
    assert [path.name for path in thin_out(shelf, 2)] == ["vigie-20260101T000000Z", "vigie-20260102T000000Z"]
    assert {path.name for path in shelf.iterdir()} >= {"vigie-20260102T000000Z-2", "vigie-20260103T000000Z", "photos"}


def test_the_commands_make_list_verify_and_restore(base: Engine, tmp_path: Path) -> None:
    add_people(base)
    folders = {"VIGIE_SPOOL_DIR": str(tmp_path / "attente"), "VIGIE_MODEL_DIR": str(tmp_path / "modeles")}
    folders["VIGIE_PURGED_FILE"] = str(tmp_path / "purged.jsonl")
    shelf = str(tmp_path / "sauvegardes")
    done = command(base, "backup", "create", shelf, "--keep", "1", **folders)
    assert (done.exit_code, "relue" in done.stderr) == (0, True), done.stderr
    made = json.loads(command(base, "backup", "create", shelf, "--keep", "1", "--json", **folders).stdout)
    assert (made["counts"]["users"], len(made["removed"])) == (3, 1)
    listed = json.loads(command(base, "backup", "list", shelf, "--json", **folders).stdout)
    assert [one["backup"] for one in listed] == [made["backup"]]
    assert Path(made["backup"]).name in command(base, "backup", "list", shelf, **folders).stderr
    assert "entière" in command(base, "backup", "verify", made["backup"], **folders).stderr
    whole = json.loads(command(base, "backup", "verify", made["backup"], "--json", **folders).stdout)
    assert (whole["whole"], whole["faults"]) == (True, [])
    assert "La base est saine" in command(base, "backup", "check", **folders).stderr
    assert json.loads(command(base, "backup", "check", "--quick", "--json", **folders).stdout) == {"sound": True, "damage": []}
    base.dispose()
    again = command(base, "backup", "restore", made["backup"], "--replace", **folders)
    assert (again.exit_code, "La base d'avant est gardée" in again.stderr) == (0, True), again.output
    (Path(made["backup"]) / "database.sqlite").write_bytes(b"")
    spoilt = command(base, "backup", "verify", made["backup"], **folders)
    assert (spoilt.exit_code, "ABÎMÉE" in spoilt.stderr) == (1, True)
    assert "manifeste illisible" not in command(base, "backup", "list", shelf, **folders).stderr
    (Path(made["backup"]) / "manifest.json").write_text("{}", encoding="utf-8")
    assert "manifeste illisible" in command(base, "backup", "list", shelf, **folders).stderr


def test_no_room_and_no_database_are_told(base: Engine, tmp_path: Path) -> None:
    config = settings_of(base, tmp_path)
    nowhere = config.model_copy(update={"database_url": f"sqlite:///{tmp_path / 'absente.db'}"})
    with pytest.raises(VigieError, match="n'existe pas"):
        create(nowhere, tmp_path / "sauvegardes")
    (tmp_path / "fichier").write_text("")
    with pytest.raises(BackupError, match="rien n'est sauvegardé"):
        create(config, tmp_path / "fichier" / "sauvegardes")
    with base.connect() as connection:
        assert connection.execute(select(SESSIONS)).all() == []
