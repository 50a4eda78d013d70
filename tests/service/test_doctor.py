"""`vigie doctor` says what would keep the service from running well, changes nothing, shows no secret: settings, machine."""

import hashlib
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from model.signing import new_key
from model.store import current_name
from service.cli import app
from service.database import open_database
from service.doctor.artefact import look_at_model
from service.doctor.findings import Finding, gravest, well, wrong
from service.doctor.keys import look_at_keys
from service.doctor.machine import look_at_documents, look_at_folders, look_at_memory, look_at_time, memory_of
from service.doctor.naming import look_at_file, look_at_names
from service.doctor.reach import answers, look_at_exposure, look_at_port
from service.secret import new_secret
from service.settings import SECRETS, Settings, load_settings
from service.workplace.people import create_user
from tests.service.conftest import Server, free_port
from tests.signed import renamed, rewritten

ROOT = Path(__file__).resolve().parents[2]
SECRET = SecretStr(new_secret())
NOW = datetime.now(UTC)


def states(findings: Iterable[Finding]) -> set[tuple[str, str]]:
    """What was looked at, and how it is; whatever is not well says what to do."""
    found = list(findings)
    assert all(finding.remedy for finding in found if finding.state != "ok")
    return {(finding.check, finding.state) for finding in found}


def told(findings: Iterable[Finding], state: str) -> str:
    """What is said of what is in this state."""
    return "\n".join(f"{finding.said} {finding.remedy}" for finding in findings if finding.state == state)


# Names of settings


def test_a_mistyped_setting_is_told_with_the_nearest_one() -> None:
    found = list(look_at_names(["VIGIE_WORKER", "VIGIE_SECRETKEY", "vigie_port", "PATH", "VIGIE_XYZZY"]))
    assert {finding.state for finding in found} == {"erreur"}
    said = told(found, "erreur")
    for given, near in (
        ("VIGIE_WORKER ", "VIGIE_WORKERS"),
        ("VIGIE_SECRETKEY", "VIGIE_SECRET_KEY"),
        ("VIGIE_XYZZY", ".env.example"),
    ):
        assert given in said
        assert near in said
    assert states(look_at_names(["VIGIE_PORT", "vigie_workers", "HOME"])) == {("réglages : noms", "ok")}


@pytest.mark.parametrize(
    ("content", "mode", "given", "state", "said"),
    [
        ("VIGIE_SECRET_KEY=SECRET\n", 0o644, ["VIGIE_SECRET_KEY"], "erreur", "n'importe qui peut le lire"),
        ("VIGIE_PORT=8001\n", 0o666, ["VIGIE_PORT"], "erreur", "N'importe qui peut écrire"),
        ("VIGIE_PROT=8001\n", 0o640, [], "erreur", "VIGIE_PORT"),
        ("VIGIE_PORT=8001\nVIGIE_HOST=::1\n", 0o640, ["VIGIE_HOST"], "attention", "VIGIE_PORT, que cette commande ne voit pas"),
        ("# VIGIE_DEMO=true\nPATH=/bin\nVIGIE_PORT=8001\n", 0o640, ["VIGIE_PORT"], "ok", "1 réglage(s)"),
    ],
)
def test_a_file_of_settings(content: str, mode: int, given: list[str], state: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "vigie.env"
    path.write_text(content.replace("=SECRET", f"={SECRET.get_secret_value()}"), encoding="utf-8")
    path.chmod(mode)
    found = list(look_at_file(path, given))
    assert gravest(found) == state
    assert said in told(found, state)
    assert SECRET.get_secret_value() not in str(found)


def test_a_file_of_settings_that_cannot_be_read(tmp_path: Path) -> None:
    assert gravest(look_at_file(tmp_path / "absent.env", [])) == "erreur"
    (tmp_path / "latin.env").write_bytes("# réglages\n".encode("latin-1"))
    assert gravest(look_at_file(tmp_path / "latin.env", [])) == "erreur"


# Exposure, port

PUBLIC = {"allowed_hosts": "vigie.example", "secret_key": SECRET, "require_key": True, "rate_per_minute": 600}


@pytest.mark.parametrize(
    ("given", "state", "said"),
    [
        ({}, "ok", "Cette machine seule"),
        (PUBLIC, "ok", "vigie.example"),
        ({"allowed_hosts": "vigie.example"}, "erreur", "VIGIE_SECRET_KEY manque"),
        ({"host": "0.0.0.0"}, "erreur", "VIGIE_ALLOW_REMOTE"),
        ({"allow_remote": True}, "attention", "VIGIE_ALLOW_REMOTE=true"),
        ({**PUBLIC, "require_key": False}, "attention", "VIGIE_REQUIRE_KEY"),
        ({**PUBLIC, "rate_per_minute": 0}, "attention", "VIGIE_RATE_PER_MINUTE"),
        ({**PUBLIC, "previous_secret_key": SecretStr(new_secret())}, "attention", "VIGIE_PREVIOUS_SECRET_KEY"),
        ({**PUBLIC, "trusted_proxies": ""}, "erreur", "nul ne se connecte"),
        ({**PUBLIC, "trusted_proxies": "*"}, "erreur", "n'importe qui"),
        ({**PUBLIC, "trusted_proxies": "10.0.0.5,mandataire"}, "erreur", "mandataire n'est ni une adresse"),
        ({**PUBLIC, "host": "0.0.0.0", "allow_remote": True}, "attention", "ne croit que les mandataires de la machine"),
        ({**PUBLIC, "host": "0.0.0.0", "allow_remote": True, "trusted_proxies": "10.0.0.0/24"}, "ok", "10.0.0.0/24"),
    ],
)
def test_exposure(given: dict[str, object], state: str, said: str) -> None:
    found = list(look_at_exposure(Settings.model_validate(given)))
    assert gravest(found) == state
    assert said in told(found, state)


def test_the_port_is_free_taken_by_vigie_or_by_something_else(server: Server) -> None:
    ours = Settings(port=int(server.url.rpartition(":")[2]))
    assert answers(ours)
    assert states(look_at_port(ours, True)) == {("port", "ok")}
    free = Settings(port=free_port())
    assert not answers(free)
    assert states(look_at_port(free, False)) == {("port", "ok")}
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = Settings(port=other.getsockname()[1])
        assert "ne peut pas être pris" in told(look_at_port(taken, False), "erreur")
    elsewhere = Settings(host="192.0.2.7", port=8000)  # an address of documentation: no machine has it
    assert states(look_at_port(elsewhere, False)) == {("port", "erreur")}


# Keys


def test_keys(tmp_path: Path) -> None:
    private, trusted = tmp_path / "keys" / "operator.pem", tmp_path / "trusted.txt"
    settings = Settings(signing_key=private, trusted_keys=trusted, model_dir=tmp_path / "modeles")
    assert states(look_at_keys(settings)) == {("clé de signature", "ok"), ("clés de confiance", "erreur")}
    key = new_key(private)
    trusted.write_text(f"trusted {key.public.written} ici\n", encoding="utf-8")
    trusted.chmod(0o644)
    assert states(look_at_keys(settings)) == {("clé de signature", "ok"), ("clés de confiance", "ok")}
    private.chmod(0o640)
    assert "chmod 600" in told(look_at_keys(settings), "erreur")
    private.chmod(0o600)
    trusted.chmod(0o664)
    assert ("clés de confiance", "attention") in states(look_at_keys(settings))
    trusted.chmod(0o666)
    assert ("clés de confiance", "erreur") in states(look_at_keys(settings))
    trusted.chmod(0o644)
    trusted.write_text(f"trusted {key.public.written} ici\nrevoked {key.public.written} volée\n", encoding="utf-8")
    assert "ne nomme aucune clé" in told(look_at_keys(settings), "erreur")
    trusted.write_text("confiance totale\n", encoding="utf-8")
    assert "ligne 1" in told(look_at_keys(settings), "erreur")
    private.write_text("-----BEGIN rien-----\n", encoding="utf-8")
    assert ("clé de signature", "erreur") in states(look_at_keys(settings))
    inside = tmp_path / "modeles" / "operator.pem"
    new_key(inside)
    there = Settings(signing_key=inside, trusted_keys=trusted, model_dir=tmp_path / "modeles")
    assert "est dans le dossier des modèles" in told(look_at_keys(there), "erreur")


# The machine


def machine(root: Path, total: float, available: float, limit: str = "", used: float = 0) -> Path:
    """What the kernel tells, in gigabytes."""
    (root / "proc").mkdir(parents=True)
    lines = f"MemTotal: {int(total * 1e6)} kB\nMemFree: 1 kB\nMemAvailable: {int(available * 1e6)} kB\n"
    (root / "proc" / "meminfo").write_text(lines, encoding="ascii")
    group = root / "sys" / "fs" / "cgroup"
    group.mkdir(parents=True)
    if limit:
        (group / "memory.max").write_text(f"{limit}\n", encoding="ascii")
        (group / "memory.current").write_text(f"{int(used * 1e9)}\n", encoding="ascii")
    return root


@pytest.mark.parametrize(
    ("workers", "kernel", "running", "state"),
    [
        (1, (8, 6), False, "ok"),
        (2, (3.3, 3.2), False, "ok"),
        (2, (2.4, 2.3), False, "erreur"),
        (4, (5.5, 5), False, "attention"),
        (2, (8, 2), False, "attention"),
        (2, (8, 2), True, "ok"),
        (2, (64, 60, "max"), False, "ok"),
        (2, (64, 60, "2000000000", 0.1), False, "erreur"),
        (1, (64, 60, "2000000000", 1.9), False, "attention"),
    ],
)
def test_memory_against_what_processes_need(
    workers: int, kernel: tuple[float, float], running: bool, state: str, tmp_path: Path
) -> None:
    found = list(look_at_memory(Settings(workers=workers), memory_of(machine(tmp_path, *kernel)), running))
    assert gravest(found) == state
    assert f"{workers} processus" in found[0].said


def test_this_machine_is_read() -> None:
    assert memory_of().total > memory_of().available > 0


def test_folders_and_room(tmp_path: Path) -> None:
    database = tmp_path / "vigie.db"
    settings = Settings(spool_dir=tmp_path / "attente", purged_file=tmp_path / "purged.jsonl")
    found = list(look_at_folders(settings, database))
    assert ("dossier : imports et exports", "ok") in states(found)
    assert not (tmp_path / "attente").exists()
    (tmp_path / "fichier").write_text("", encoding="utf-8")
    blocked = Settings(spool_dir=tmp_path / "fichier" / "attente", purged_file=tmp_path / "purged.jsonl")
    assert "n'est pas un dossier" in told(look_at_folders(blocked, None), "erreur")
    # A file system that has no room at all, and where nobody may make a folder.
    full = Settings(spool_dir=tmp_path, purged_file=tmp_path / "p", audit_anchor=Path("/proc/vigie/tetes.txt"))
    assert "plus rien ne pourra être enregistré" in told(look_at_folders(full, None), "erreur")
    with database.open("wb") as file:
        file.truncate(shutil.disk_usage(tmp_path).free)  # a hole: it takes no room
    assert ("disque : imports et exports", "attention") in states(look_at_folders(settings, database))
    tmp_path.chmod(0o777)
    assert ("dossier : base", "attention") in states(look_at_folders(settings, database))


def test_a_clock_that_is_late_by_years() -> None:
    assert states(look_at_time(NOW)) == {("horloge", "ok"), ("fuseau", "ok")}
    assert ("horloge", "erreur") in states(look_at_time(datetime(2001, 1, 1, tzinfo=UTC)))


def test_documents_are_set() -> None:
    assert states(look_at_documents(NOW)) == {("documents PDF", "ok")}


# The model


def test_the_model_that_serves_loads(artefacts: Path) -> None:
    found = list(look_at_model(Settings(model_dir=artefacts)))
    assert gravest(found) == "ok"
    assert current_name(artefacts) in found[0].said


def test_a_model_that_would_be_refused_says_why(artefacts: Path, tmp_path: Path) -> None:
    settings = Settings(model_dir=tmp_path)
    assert "Aucun modèle" in told(look_at_model(settings), "erreur")
    folder = renamed(artefacts / current_name(artefacts), tmp_path, "essai")
    (tmp_path / "current").write_text("essai\n", encoding="utf-8")
    libraries = json.loads((folder / "manifest.json").read_bytes())["libraries"]
    rewritten(folder, libraries={**libraries, "numpy": "0.1.0"})
    assert "numpy 0.1.0" in told(look_at_model(settings), "erreur")
    rewritten(folder, libraries=libraries)
    with (folder / "card.md").open("ab") as card:
        card.write(b"\nexcellent modele\n")
    assert "card.md a été modifié" in told(look_at_model(settings), "erreur")
    (folder / "manifest.sig").unlink()
    assert "aucune signature" in told(look_at_model(settings), "erreur")


# The command


def invoked(*words: str, **settings: object) -> Result:
    """`vigie doctor` in this process, with these settings and no others of the environment."""
    with pytest.MonkeyPatch.context() as patched:
        for name in [name for name in os.environ if name.startswith("VIGIE_")]:
            patched.delenv(name)
        for name, value in settings.items():
            patched.setenv(f"VIGIE_{name.upper()}", str(value))
        load_settings.cache_clear()
        try:
            return CliRunner().invoke(app, ["doctor", *words])
        finally:
            patched.undo()
            load_settings.cache_clear()


def found_by(done: Result) -> set[tuple[str, str]]:
    """What was looked at, and how it is, as the command says it in JSON."""
    return {(finding["check"], finding["state"]) for finding in json.loads(done.stdout)["findings"]}


@pytest.fixture
def installed(tmp_path: Path) -> dict[str, object]:
    """The settings of an installation that is well, but for its model: a database with an account, keys."""
    database, folder = tmp_path / "var" / "vigie.db", tmp_path / "modeles"
    engine = open_database(f"sqlite:///{database}")
    create_user(engine, "chef", "Chef", "administrator", "une phrase que personne ne tape")
    engine.dispose()
    database.chmod(0o600)
    folder.mkdir()
    return {
        "model_dir": folder,
        "trusted_keys": os.environ["VIGIE_TRUSTED_KEYS"],
        "signing_key": os.environ["VIGIE_SIGNING_KEY"],
        "database_url": f"sqlite:///{database}",
        "spool_dir": tmp_path / "attente",
        "purged_file": tmp_path / "purged.jsonl",
        "port": free_port(),
    }


def tree(folder: Path) -> dict[str, tuple[str, int, int]]:
    """Every file of a folder: the hash of what it holds, its mode, when it changed."""
    found = {}
    for path in sorted(folder.rglob("*")):
        kept = path.stat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path)] = (content, kept.st_mode, kept.st_mtime_ns if path.is_file() else 0)
    return found


def test_an_installation_that_is_well_and_nothing_changes(installed: dict[str, object], artefacts: Path, tmp_path: Path) -> None:
    before = tree(tmp_path)
    done = invoked("--json", **{**installed, "model_dir": artefacts})
    assert done.exit_code == 0, done.output
    assert tree(tmp_path) == before
    told_as_json = json.loads(done.stdout)
    assert told_as_json["state"] == "attention", "aucune sauvegarde n'a été faite"
    assert told_as_json["counts"]["erreur"] == 0
    assert sum(told_as_json["counts"].values()) == len(told_as_json["findings"])
    assert {check for check, _ in found_by(done)} >= {
        "réglages : noms", "exposition", "clé de signature", "clés de confiance", "port", "mémoire", "dossier : base",
        "disque : imports et exports", "horloge", "fuseau", "base", "base : migrations", "comptes", "journal d'audit",
        "sauvegardes", "documents PDF", "modèle",
    }  # fmt: skip


def test_an_error_is_said_in_words_and_the_code_is_one(installed: dict[str, object], tmp_path: Path) -> None:
    done = invoked("--backups", str(tmp_path), **installed, worker=2)
    assert done.exit_code == 1
    assert "erreur     réglages : noms : VIGIE_WORKER n'est pas un réglage" in done.stdout
    assert "           → Le plus proche est VIGIE_WORKERS" in done.stdout
    assert "erreur     modèle : Aucun modèle dans" in done.stdout
    assert f"attention  sauvegardes : {tmp_path} ne contient aucune sauvegarde" in done.stdout
    assert re.search(r"^\d+ ok, \d+ attention, 2 erreur$", done.stdout, re.MULTILINE)


def test_a_folder_of_backups_is_looked_at_where_it_is_set(installed: dict[str, object], tmp_path: Path) -> None:
    assert f"{tmp_path} ne contient aucune sauvegarde" in invoked(**installed, backup_dir=tmp_path).stdout


def test_libraries_that_are_broken_are_told_with_the_rest(installed: dict[str, object], tmp_path: Path) -> None:
    broken = tmp_path / "casse"
    (broken / "tzdata").mkdir(parents=True)
    (broken / "tzdata" / "__init__.py").write_text("", encoding="utf-8")
    (broken / "typst.py").write_text("raise ImportError('libtypst.so: cannot open shared object file')\n", encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VIGIE_")}
    given = {f"VIGIE_{name.upper()}": str(value) for name, value in installed.items()}
    path = f"{broken}{os.pathsep}{ROOT}"
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", "doctor", "--json"],
        cwd=tmp_path,
        env={**kept, **given, "PYTHONPATH": path, "PYTHONTZPATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    found = {(finding["check"], finding["state"]) for finding in json.loads(done.stdout)["findings"]}
    assert {("fuseau", "attention"), ("documents PDF", "erreur"), ("base", "ok"), ("modèle", "erreur")} <= found
    assert "libtypst.so" in done.stdout


def test_a_value_that_is_refused_is_told_with_the_names() -> None:
    done = invoked(port="huit mille", prot=8000)
    assert done.exit_code == 1
    assert "VIGIE_PORT :" in done.stdout
    assert "VIGIE_PROT n'est pas un réglage" in done.stdout
    assert isinstance(done.exception, SystemExit)


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_no_secret_is_shown(installed: dict[str, object], form: tuple[str, ...]) -> None:
    secrets = {name: new_secret() for name in SECRETS}
    url = f"postgresql://vigie:{secrets['secret_key']}x@127.0.0.1:{free_port()}/v?application_name={secrets['pseudonym_key']}x"
    private = Path(str(installed["signing_key"])).read_text(encoding="utf-8").splitlines()[1]
    for more in ({}, {"database_url": url}, {"database_url": url.replace("postgresql", "mysql")}, {"database_url": url[12:]}):
        done = invoked(*form, **{**installed, **secrets, **more})
        assert isinstance(done.exception, SystemExit)
        assert len(done.output) > 500
        for hidden in (*secrets.values(), private):
            assert hidden not in done.output


_LOOK = """
import os
import pwd
import sys
from pathlib import Path
from service.doctor.machine import look_at_folders
from service.settings import Settings

settings = Settings(spool_dir=Path(sys.argv[1]) / "attente", purged_file=Path("/tmp/purged.jsonl"))
if os.geteuid() == 0:
    os.setuid(pwd.getpwnam("nobody").pw_uid)
print([(one.check, one.state, one.remedy) for one in look_at_folders(settings, None)])
"""


def test_an_account_that_may_not_write_is_told_so(tmp_path: Path) -> None:
    # Nothing is closed to root: there, the question is asked as another, once everything is loaded.
    folder = Path("/usr/lib") if os.geteuid() == 0 else tmp_path / "ferme"
    if os.geteuid() != 0:
        folder.mkdir(mode=0o500)
    command = [sys.executable, "-c", _LOOK, str(folder)]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "('dossier : imports et exports', 'erreur'" in found.stdout
    assert "chown vigie:" in found.stdout


def test_a_database_in_use_is_read_beside_it(installed: dict[str, object], tmp_path: Path) -> None:
    path = str(installed["database_url"]).removeprefix("sqlite:///")
    with closing(sqlite3.connect(path, isolation_level=None)) as used:
        used.execute("PRAGMA journal_mode=WAL")
        used.execute("CREATE TABLE attente (x)")
        before = {name: kept[0] for name, kept in tree(tmp_path).items() if not name.endswith("-shm")}
        assert ("base", "ok") in found_by(invoked("--json", **installed))
        assert {name: kept[0] for name, kept in tree(tmp_path).items() if not name.endswith("-shm")} == before


def test_the_gravest_state_is_that_of_the_whole() -> None:
    assert gravest([]) == "ok"
    assert gravest([well("a", "b"), wrong("c", "d", "e"), well("f", "g")]) == "erreur"
