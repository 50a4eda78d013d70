"""Every command that the documents show is run, or said here why not; every verb, link and picture they name exists."""

import contextlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import typer
import uvicorn
from PIL import Image
from typer.testing import CliRunner

from model.signing import new_key
from model.store import current_name
from service.cli import app
from service.database import open_database
from service.settings import Settings, load_settings
from service.workplace.keys import SCOPES, create_key
from service.workplace.people import create_user
from tests.documented import Command, all_commands, blocks, documents
from tests.service.conftest import free_port, start
from tests.signed import renamed

ROOT: Final = Path(__file__).resolve().parents[1]
#: How a command begins that is not run here, and why; a test that runs it is named by its file.
ELSEWHERE: Final = {
    "make": "un verbe du Makefile : qu'il existe est vérifié ci-dessous",
    "vigie doctor": "dépend de la machine : tests/service/test_doctor.py",
    "vigie backup restore": "veut un service arrêté : tests/service/workplace/test_backup.py",
    "vigie drift reference --from": "veut des semaines de textes : tests/service/workplace/test_drift.py",
    "vigie score /partage/annonces": "veut une grappe : tests/service/test_spark.py la lance sur une machine",
    "export": "des variables pour la commande qui suit",
    ".venv/bin/pip": "fait l'archive d'un environnement pour une grappe",
    ".venv/bin/venv-pack": "fait l'archive d'un environnement pour une grappe",
    ".venv/bin/python -m tests.": "une mesure qui prend des minutes : qu'elle existe est vérifié ci-dessous",
    "systemctl": "change la machine",
    "systemd-": "change la machine",
    "install -m": "change la machine ; que les fichiers de deploy/ soient là est vérifié ci-dessous",
    "cp -r deploy/": "change la machine ; que les fichiers de deploy/ soient là est vérifié ci-dessous",
    "cd /opt/vigie": "le dossier d'une installation",
    "git": "apporte le code d'une installation",
    "sudo -u postgres": "change la base de la machine ; les tests ont un PostgreSQL à eux",
    "podman": "fabrique ou lance un conteneur : tests/service/test_deploy.py en lit les instructions",
}
#: What stands for something of one's own in a document, and the name of what is put in its place.
STANDS_FOR: Final = {
    "http://127.0.0.1:8000": "url",
    "/v1/import/ID": "import",
    "ed25519:…": "other_key",
    "4b6871998e624b2f": "old_key",
    "vigie-20261123T021500Z": "backup",
    "/var/backups/vigie": "backups",
    "vigie-admin ": "command",
}
#: What begins as a command and is none.
NO_COMMAND: Final = {"vigie audit seal 1"}
#: The name that documents give to a model.
MODEL: Final = "2026.11.1+934a54de"
COMMANDS: Final = all_commands()
#: What is typed where a password is asked for, twice.
_TYPED: Final = "une phrase pour les documents\n" * 2
_BIN: Final = Path(sys.executable).parent


@dataclass
class Scene:
    """A folder to run commands in, with a database, models and keys; a service is started for the first command that calls it."""

    folder: Path
    environment: dict[str, str]
    settings: Settings
    imported: str = ""
    running: tuple[uvicorn.Server, threading.Thread] | None = None

    @property
    def url(self) -> str:
        """Where the service answers, started if it was not."""
        if self.running is None:
            self.running = start(self.settings)
        return f"http://127.0.0.1:{self.settings.port}"

    def stop(self) -> None:
        """Stop the service, if it was started."""
        if self.running is not None:
            server, thread = self.running
            server.should_exit = True
            thread.join(timeout=15)

    def value(self, name: str) -> str:
        """What is put in the place of something that a document names."""
        if name == "other_key":
            return new_key(self.folder / "autre.pem").public.written
        if name == "old_key":
            (old,) = self.folder.glob("var/keys/operator-*.pem")
            return old.stem.rpartition("-")[2]
        if name == "backup":
            return max((self.folder / "sauvegardes").iterdir()).name
        if name == "url":
            return self.url
        return {"import": f"/v1/import/{self.imported}", "backups": "sauvegardes", "command": "vigie "}[name]

    def filled(self, shown: str) -> str:
        """A command with what is here in the place of what a document names."""
        for mark, name in STANDS_FOR.items():
            if mark in shown:
                shown = shown.replace(mark, self.value(name))
        return shown


@pytest.fixture(scope="module")
def scene(artefacts: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("documents")
    database = f"sqlite:///{folder / 'var' / 'vigie.db'}"
    (folder / "var" / "keys").mkdir(parents=True)
    shutil.copy(Settings().trusted_keys, folder / "var" / "keys" / "trusted.txt")
    models = folder / "artefacts"
    current = current_name(artefacts)
    shutil.copytree(artefacts / current, models / current, copy_function=os.link)
    (models / "current").write_text(current + "\n", encoding="utf-8")
    renamed(artefacts / current, models, MODEL, shared=True)
    for name in ("data", "tests", "docs"):
        (folder / name).symlink_to(ROOT / name)
    offer = {"text": "Je soigne l'eczéma et le zona. Séance 60 €.", "id": "1", "source": "annuaire"}
    (folder / "textes.ndjson").write_text(json.dumps(offer, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "annonces.csv").write_text("id,text\n1,Cours de yoga doux le mardi.\n", encoding="utf-8")
    (folder / ".curlrc").write_text("fail-with-body\n", encoding="utf-8")
    engine = open_database(database)
    person = create_user(engine, "exploitation", "Exploitation", "administrator", "une phrase pour les documents")
    key = create_key(engine, person, "documents", SCOPES)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VIGIE_")}
    environment |= {"CLE": key, "CURL_HOME": str(folder), "PATH": f"{_BIN}{os.pathsep}{environment['PATH']}"}
    settings = Settings(model_dir=artefacts, database_url=database, port=free_port(), scoring=False, spool_dir=folder / "attente")
    engine.dispose()
    made = Scene(folder, environment, settings)
    yield made
    made.stop()


def reason(part: list[str]) -> str | None:
    """Why a simple command is not run here; None where it is."""
    line = re.sub("^vigie-admin ", "vigie ", " ".join(part))
    return next((why for begins, why in ELSEWHERE.items() if line == begins or line.startswith(begins)), None)


def inside(scene: Scene, words: list[str]) -> tuple[int, str]:
    """Run a verb of `vigie` in this process, in the folder of the scene; its exit code and what it wrote."""
    with pytest.MonkeyPatch.context() as patched, contextlib.chdir(scene.folder):
        for name in [name for name in os.environ if name.startswith("VIGIE_")]:
            patched.delenv(name)
        load_settings.cache_clear()
        try:
            done = CliRunner().invoke(app, words, input=_TYPED)
        finally:
            load_settings.cache_clear()
    return done.exit_code, f"{done.output}{done.stderr}{done.exception or ''}"


def outside(scene: Scene, shown: str) -> tuple[int, str]:
    """Run a command by a shell, in the folder of the scene."""
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", shown],
        cwd=scene.folder,
        env=scene.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.place)
def test_a_command_shown_works(scene: Scene, command: Command) -> None:
    reasons = [reason(part) for part in command.parts]
    if any(reasons):
        assert all(reasons), f"{command.place} : « {command.shown} » mêle ce qui est lancé ici et ce qui ne l'est pas"
        return
    shown = scene.filled(command.shown)
    (first, *others) = Command(command.document, command.line, shown).parts
    alone = not others and first[0] == "vigie" and not re.search(r"[<>$`]", shown.partition(" #")[0])
    code, written = inside(scene, first[1:]) if alone else outside(scene, shown)
    assert code == 0, f"{command.place} : « {shown} » a échoué ({code}) : {written}"
    if "/v1/import?" in shown:
        scene.imported = json.loads(written[written.index("{") : written.rindex("}") + 1])["id"]


def test_what_is_not_run_here_is_shown_somewhere_and_the_tests_named_exist() -> None:
    given = {reason(part) for command in COMMANDS for part in command.parts}
    for begins, why in ELSEWHERE.items():
        assert why in given, f"plus aucun document ne montre « {begins} »"
        for named in re.findall(r"tests/\S+\.py", why):
            assert (ROOT / named).exists(), named


@pytest.mark.parametrize("command", [one for one in COMMANDS if "make " in one.shown], ids=lambda command: command.place)
def test_verbs_of_make_exist(command: Command) -> None:
    for part in command.parts:
        if part[0] == "make":
            done = subprocess.run(["make", "-n", *part[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{command.place} : {done.stderr}"


def test_the_files_that_an_installation_takes_are_there() -> None:
    named = {word for command in COMMANDS for part in command.parts for word in part if word.startswith("deploy/")}
    assert len(named) > 5
    for name in named:
        assert list(ROOT.glob(name)), name


def test_modules_that_are_run_exist() -> None:
    named = {name for path in documents() for name in re.findall(r"python -m ([\w.]+)", path.read_text(encoding="utf-8"))}
    assert {"tests.harness.pictures", "tests.harness.drift"} <= named
    for name in named:
        assert importlib.util.find_spec(name), f"python -m {name} : ce module n'existe pas"


_VERBS: Final = ("vigie", "vigie-admin")


def _spoken() -> list[tuple[str, str]]:
    """Every `vigie …` of the documents, between backquotes or fences: where, and its words."""
    found = [(command.place, " ".join(part)) for command in COMMANDS for part in command.parts if part[0] in _VERBS]
    for path in documents():
        text = path.read_text(encoding="utf-8")
        for fenced in blocks(path):
            text = text.replace(fenced.content, "")
        found += [(path.name, " ".join(one.split())) for one in re.findall(r"(?<!`)`(vigie(?:-admin)? [^`]+)`(?!`)", text)]
    return found


def test_every_verb_and_option_named_exists() -> None:
    spoken = _spoken()
    assert len(spoken) > 100
    wrong = []
    for place, line in spoken:
        if line in NO_COMMAND:
            continue
        words = line.replace("[", " ").replace("]", " ").split()[1:]
        verb: Any = typer.main.get_command(app)
        while words and words[0].strip(",") in getattr(verb, "commands", {}):
            verb = verb.commands[words.pop(0).strip(",")]
        known = {option for parameter in verb.params for option in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
        if hasattr(verb, "commands") and words and re.match(r"[a-z]", words[0]):
            wrong.append(f"{place} : « {line} » : {words[0]} n'est pas un verbe")
        wrong += [
            f"{place} : « {line} » : {word}" for word in words if re.match(r"--\w", word) and word.split("=")[0] not in known
        ]
    assert not wrong, "\n".join(wrong)


def test_what_a_block_shows_as_console_has_a_prompt() -> None:
    for path in documents():
        for block in blocks(path):
            if block.language == "console":
                assert re.search(r"^[$#] ", block.content, re.MULTILINE), f"{block.document}:{block.line}"


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_links_lead_somewhere_and_pictures_are_described(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for described, link, anchor in re.findall(r"\[([^\]]*)\]\((?!https?:)([^)#\s]*)(#[^)\s]*)?\)", text):
        target = (path.parent / link) if link else path
        assert target.exists(), f"{path.name} : {link}"
        if anchor and target.suffix == ".md":
            assert anchor[1:] in _anchors(target), f"{path.name} : {link}{anchor}"
        if target.suffix == ".png":
            assert len(described) > 20, f"{path.name} : {link} est à décrire"


def _anchors(path: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def test_pictures_are_small_shown_and_as_wide_as_the_screen() -> None:
    shown = {name for path in documents() for name in re.findall(r"\((?:docs/)?images/([\w-]+\.png)\)", path.read_text("utf-8"))}
    for picture in (ROOT / "docs" / "images").glob("*.png"):
        assert picture.name in shown, f"{picture.name} : aucun document ne la montre"
        if not picture.name.startswith("performances"):
            assert picture.stat().st_size < 150_000, picture.name
            with Image.open(picture) as image:
                assert image.width <= 1280, picture.name
