"""`vigie people`, as who runs the service types it."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.service.test_batch import ROOT
from tests.service.workplace.conftest import PASSWORD

VIGIE = ROOT / ".venv" / "bin" / "vigie"


@pytest.fixture
def database(blank: Path, tmp_path: Path) -> str:
    """The address of a fresh database."""
    path = tmp_path / "v.db"
    path.write_bytes(blank.read_bytes())
    return f"sqlite:///{path}"


def run(database: str, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"VIGIE_DATABASE_URL": database}
    return subprocess.run(
        [VIGIE, "people", *words], input=given, capture_output=True, text=True, env=environment, timeout=60, check=False
    )


def test_accounts_from_the_command(database: str) -> None:
    added = run(
        database, "add", "Cheffe", "--name", "La cheffe", "--role", "administrator", "--password-stdin", given=PASSWORD + "\n"
    )
    assert (added.returncode, added.stderr) == (0, "Compte ouvert : cheffe (administration).\n")
    refused = run(database, "disable", "cheffe")
    assert refused.returncode == 1
    assert "dernier compte" in refused.stderr
    assert run(database, "add", "nina", "--password-stdin", given="court\n").returncode == 1
    assert run(database, "add", "nina", "--role", "chef", "--password-stdin", given=PASSWORD).returncode == 2
    assert run(database, "add", "nina", "--password-stdin", given=PASSWORD).returncode == 0
    assert run(database, "role", "nina", "reviewer").returncode == 0
    assert run(database, "password", "nina", "--password-stdin", given="une tout autre phrase, longue").returncode == 0
    assert run(database, "disable", "nina").returncode == 0
    listed = json.loads(run(database, "list", "--json").stdout)
    assert {(one["login"], one["role"], one["active"]) for one in listed} == {
        ("cheffe", "administrator", True),
        ("nina", "reviewer", False),
    }
    unknown = run(database, "enable", "personne")
    assert (unknown.returncode, unknown.stderr) == (1, "vigie : Aucun compte « personne ».\n")
