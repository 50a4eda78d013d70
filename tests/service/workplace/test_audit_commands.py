"""`vigie audit`: the log checked, its head noted elsewhere, written out; what other commands do is in it."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from typer.testing import CliRunner, Result

from model.store import current_name, set_current
from service.cli import app
from service.settings import load_settings
from service.workplace.audit import record_alone
from service.workplace.audit_anchor import anchor, note_model
from service.workplace.audit_chain import FIELDS
from service.workplace.audit_verify import read_anchors
from tests.service.workplace.audited import head, since, told, unguarded, write
from tests.signed import renamed

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")


def run(base: Engine, *words: str, typed: str = "", **settings: str) -> Result:
    """A command of `vigie` on a database, with these settings and no others."""
    url = base.url.render_as_string(hide_password=False)
    with pytest.MonkeyPatch.context() as patched:
        for name in [name for name in os.environ if name.startswith("VIGIE_")]:
            patched.delenv(name)
        for name, value in {"VIGIE_DATABASE_URL": url, **settings}.items():
            patched.setenv(name, value)
        load_settings.cache_clear()
        try:
            return CliRunner().invoke(app, [*words], input=typed)
        finally:
            patched.undo()
            load_settings.cache_clear()


def test_a_log_is_checked_against_the_head_that_was_noted(base: Engine) -> None:
    write(base, 20)
    noted = run(base, "audit", "head").stdout.strip()
    assert noted == str(head(base))
    assert json.loads(run(base, "audit", "head", "--json").stdout) == {"number": 21, "hash": head(base).hash}
    done = run(base, "audit", "verify", "--head", noted)
    assert (done.exit_code, "Journal entier : 21 enregistrements" in done.stderr) == (0, True), done.stderr
    with unguarded(base) as connection:
        connection.execute(text("delete from audit_records where number > 15"))
    assert run(base, "audit", "verify").exit_code == 0, "sans tête relevée, une fin coupée ne se voit pas"
    done = run(base, "audit", "verify", "--head", noted, "--json")
    assert done.exit_code == 1
    assert [fault["kind"] for fault in json.loads(done.stdout)["faults"]] == ["cut"]


def test_a_check_stops_and_goes_on(base: Engine) -> None:
    write(base, 20)
    first = json.loads(run(base, "audit", "verify", "--most", "8", "--json").stdout)
    assert (first["complete"], first["head"]["number"]) == (False, 8)
    rest = run(base, "audit", "verify", "--since", f"8:{first['head']['hash']}", "--json")
    assert (json.loads(rest.stdout)["head"]["number"], rest.exit_code) == (21, 0)


@pytest.mark.parametrize("words", [("--head", "3"), ("--since", "x:y"), ("--head", f"3:{'g' * 64}")])
def test_a_head_that_is_none_is_a_misuse(base: Engine, words: tuple[str, ...]) -> None:
    done = run(base, "audit", "verify", *words)
    assert done.exit_code == 2
    assert "NUMÉRO:EMPREINTE" in " ".join(done.stderr.replace("│", " ").split())


def test_a_tampered_record_is_named(base: Engine) -> None:
    write(base, 20)
    with unguarded(base) as connection:
        connection.execute(text("update audit_records set actor = 'x' where number = 7"))
    done = run(base, "audit", "verify")
    assert done.exit_code == 1
    assert "N° 7 : son contenu n'est plus celui qui a été enregistré." in done.stderr
    assert "ALTÉRÉ (1 défaut(s))" in done.stderr


def test_the_log_is_written_out_and_checked_without_its_database(base: Engine, tmp_path: Path) -> None:
    write(base, 20)
    path, table = tmp_path / "journal.jsonl", tmp_path / "journal.csv"
    assert run(base, "audit", "export", "-o", str(path)).exit_code == 0
    assert path.stat().st_mode & 0o077 == 0
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert rows[-1]["action"] == "journal.export", "qui l'a pris est dedans"
    assert list(rows[0]) == list(FIELDS)
    noted = str(head(base))
    base.dispose()
    done = run(base, "audit", "verify", "--file", str(path), "--head", noted)
    assert done.exit_code == 0, done.stderr
    assert run(base, "audit", "export", "-o", str(path)).exit_code == 1, "un fichier n'est pas remplacé sans le dire"
    assert run(base, "audit", "export", "--format", "csv", "-o", str(table)).exit_code == 0
    assert table.read_text(encoding="utf-8-sig").splitlines()[0].split(",") == list(FIELDS)
    assert run(base, "audit", "export", "--format", "pdf").exit_code == 2


def test_the_program_of_the_document_checks_an_exported_log(base: Engine, tmp_path: Path) -> None:
    """What docs/audit.md gives to a third party needs Python alone, and sees what Vigie sees."""
    write(base, 20)
    path, program = tmp_path / "journal.jsonl", tmp_path / "verifier.py"
    program.write_text(DOCUMENT.split("```python\n")[1].split("```")[0], encoding="utf-8")
    run(base, "audit", "export", "-o", str(path))

    def check() -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-I", str(program), str(path)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    done = check()
    assert (done.returncode, done.stdout.strip()) == (0, f"22 enregistrements, tête {head(base)}")
    rows = path.read_text().splitlines()
    path.write_text("\n".join([*rows[:6], rows[6].replace("text.view", "text.take"), *rows[7:]]) + "\n")
    assert check().returncode == 1
    path.write_text("\n".join([*rows[:6], *rows[7:]]) + "\n")
    assert check().returncode == 1


def test_the_program_of_the_document_checks_seals(base: Engine, tmp_path: Path) -> None:
    secret = "s" * 43
    path, program = tmp_path / "journal.jsonl", tmp_path / "verifier.py"
    program.write_text(DOCUMENT.split("```python\n")[1].split("```")[0], encoding="utf-8")
    assert run(base, "audit", "export", "-o", str(path), VIGIE_SECRET_KEY=secret).exit_code == 0
    codes = []
    for given in (secret, "t" * 43):
        command = [sys.executable, "-I", str(program), str(path), given]
        codes.append(subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).returncode)
    assert codes == [0, 1]
    done = run(base, "audit", "verify", VIGIE_SECRET_KEY=secret)
    assert (done.exit_code, "1 scellés, 1 sans sceau" in done.stderr) == (0, True), done.stderr
    assert run(base, "audit", "verify", VIGIE_SECRET_KEY="t" * 43).exit_code == 1
    done = run(base, "audit", "verify")
    assert (done.exit_code, "non vérifié" in done.stderr) == (0, True)


def test_what_commands_do_is_recorded_with_the_user_of_the_machine(base: Engine) -> None:
    before = head(base)
    made = run(base, "people", "add", "lou", "--role", "administrator", "--password-stdin", typed="une phrase que nul ne tape\n")
    assert made.exit_code == 0, made.output
    assert run(base, "people", "role", "lou", "administrator").exit_code == 0
    rows = since(base, before)
    assert [row["action"] for row in rows] == ["account.create", "account.role"]
    assert {row["means"] for row in rows} == {"command"}
    assert all(row["means_id"] and row["object"].startswith("account:") for row in rows)
    assert "lou" not in str(rows)


def test_anchors_are_added_where_the_head_moved(base: Engine, tmp_path: Path) -> None:
    path = tmp_path / "ailleurs" / "têtes"
    first = anchor(base, path)
    assert anchor(base, path) == first
    record_alone(base, "u", "text.view", "text:a")
    second = anchor(base, path)
    assert list(read_anchors(path)) == [first, second]
    assert path.stat().st_mode & 0o077 == 0
    assert run(base, "audit", "verify", VIGIE_AUDIT_ANCHOR=str(path)).exit_code == 0
    with unguarded(base) as connection:
        connection.execute(text("delete from audit_records where number = 2"))
    done = run(base, "audit", "verify", VIGIE_AUDIT_ANCHOR=str(path))
    assert (done.exit_code, "sa fin a été coupée" in done.stderr) == (1, True)


def test_a_file_of_anchors_that_is_asked_for_must_be_there(base: Engine, tmp_path: Path) -> None:
    done = run(base, "audit", "verify", "--anchors", str(tmp_path / "absent"))
    assert done.exit_code == 1
    assert "ne peut pas être lu" in str(done.exception)
    missing = run(base, "audit", "verify", VIGIE_AUDIT_ANCHOR=str(tmp_path / "absent"))
    assert missing.exit_code == 0, "le service ne l'a pas encore écrit"


def test_the_model_that_serves_is_recorded_once(base: Engine) -> None:
    before = head(base)
    assert [note_model(base, name) for name in ("m1", "m1", "m2", "m2", "m1")] == [True, False, True, False, True]
    assert told(base, before) == [("model.serves", f"model:{name}") for name in ("m1", "m2", "m1")]


def test_models_that_a_command_puts_into_service_are_recorded(base: Engine, artefacts: Path, tmp_path: Path) -> None:
    first, other, root = current_name(artefacts), "2026.11.1+autre", tmp_path / "modeles"
    root.mkdir()
    for name in (first, other):
        renamed(artefacts / first, root, name)
    set_current(root, first)
    before, url = head(base), base.url.render_as_string(hide_password=False)
    assert run(base, "model", "promote", other, VIGIE_MODEL_DIR=str(root)).exit_code == 0
    assert run(base, "model", "promote", other, VIGIE_MODEL_DIR=str(root)).exit_code == 0, "il sert déjà"
    assert run(base, "model", "rollback", VIGIE_MODEL_DIR=str(root)).exit_code == 0
    assert run(base, "model", "promote", "aucun", VIGIE_MODEL_DIR=str(root)).exit_code != 0
    assert told(base, before) == [("model.promotion", f"model:{other}"), ("model.rollback", f"model:{first}")]
    nowhere = url.replace("vigie.db", "nulle-part.db")
    assert run(base, "model", "promote", other, VIGIE_MODEL_DIR=str(root), VIGIE_DATABASE_URL=nowhere).exit_code == 0
    assert not Path(nowhere.removeprefix("sqlite:///")).exists(), "promouvoir ne fait pas de base"


def test_the_reviewed_corpus_that_is_written_out_is_recorded(base: Engine, tmp_path: Path) -> None:
    before = head(base)
    assert run(base, "review", "corpus", "-o", str(tmp_path / "corpus.jsonl")).exit_code == 0
    assert run(base, "review", "export", "-o", str(tmp_path / "tout.csv")).exit_code == 0
    assert [action for action, _ in told(base, before)] == ["corpus.export", "export.ask", "export.end"]


def test_the_log_is_written_out_a_page_at_a_time(base: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole log is written out without ever being asked for at once."""
    from service.workplace import audit_list

    write(base, 50)
    monkeypatch.setattr(audit_list, "_PAGE", 7)
    pieces = list(audit_list.exported(base, "jsonl"))
    assert len(pieces) == 51
    written: list[dict[str, Any]] = [json.loads(line) for line in io.BytesIO(b"".join(pieces))]
    assert [row["number"] for row in written] == list(range(1, 52))


def test_the_anchor_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_AUDIT_ANCHOR", "var/têtes")
    load_settings.cache_clear()
    try:
        assert load_settings().audit_anchor == Path("var/têtes")
    finally:
        monkeypatch.undo()
        load_settings.cache_clear()
