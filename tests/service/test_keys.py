"""The verbs of the keys: made, told, trusted, revoked, replaced; a model is loaded by who trusts its key, and by nobody else."""

import asyncio
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from model.errors import ArtefactError
from model.signing import PublicKey, read_key, read_trust
from model.store import MANIFEST, SIGNATURE, current_name
from service.metrics import Metrics
from service.models import Models
from service.settings import Settings
from tests.service.test_batch import OFFER, ROOT, inside


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of keys of one's own, with nothing in it."""
    folder = tmp_path / "cles"
    monkeypatch.setenv("VIGIE_SIGNING_KEY", str(folder / "operateur.pem"))
    monkeypatch.setenv("VIGIE_TRUSTED_KEYS", str(folder / "confiance.txt"))
    return folder


@pytest.fixture
def models(artefacts: Path, tmp_path: Path) -> Path:
    """A copy of the model that serves, signed by the operator of this checkout; its files are the original's own."""
    name = current_name(artefacts)
    root = tmp_path / "modeles"
    shutil.copytree(artefacts / name, root / name, copy_function=os.link)
    for changed in (MANIFEST, SIGNATURE):  # those may be written
        content = (root / name / changed).read_bytes()
        (root / name / changed).unlink()
        (root / name / changed).write_bytes(content)
    (root / "current").write_text(name + "\n", encoding="utf-8")
    return root


def run(*arguments: str, models: Path) -> tuple[int, str]:
    done = inside(*arguments, artefacts=models)
    return done.returncode, done.stdout + done.stderr


def test_keys_are_made_told_trusted_and_revoked(keys: Path, tmp_path: Path) -> None:
    code, said = run("keys", "list", models=tmp_path / "m")
    assert code == 1
    assert "vigie keys make" in said
    assert run("keys", "make", "--note", "Claire, poste 3", models=tmp_path / "m")[0] == 0
    own = read_key(keys / "operateur.pem").public
    assert stat.S_IMODE((keys / "operateur.pem").stat().st_mode) == 0o600
    assert inside("keys", "show", artefacts=tmp_path / "m").stdout == own.written + "\n"
    assert run("keys", "make", models=tmp_path / "m")[0] == 1
    other = PublicKey(bytes(range(32)))
    assert run("keys", "trust", other.written, "--note", "labo", models=tmp_path / "m")[0] == 0
    assert "déjà de confiance" in run("keys", "trust", other.written, models=tmp_path / "m")[1]
    listed = json.loads(inside("keys", "list", "--json", artefacts=tmp_path / "m").stdout)
    assert [(line["id"], line["state"], line["signs"]) for line in listed] == [
        (own.id, "trusted", True),
        (other.id, "trusted", False),
    ]
    assert "Claire, poste 3" in run("keys", "list", models=tmp_path / "m")[1]
    assert run("keys", "revoke", other.id, "--reason", "perdue", models=tmp_path / "m")[0] == 0
    code, said = run("keys", "trust", other.written, models=tmp_path / "m")
    assert (code, "ne redevient pas" in said) == (1, True)
    assert "révoquée" in run("keys", "list", models=tmp_path / "m")[1]
    code, said = run("keys", "trust", "ed25519:quoi", models=tmp_path / "m")
    assert (code, "n'est pas une clé publique" in said) == (1, True)


def test_the_private_key_does_not_lie_among_the_models(keys: Path, tmp_path: Path) -> None:
    code, said = run("keys", "make", models=tmp_path)
    assert (code, "hors de" in said) == (1, True)
    assert not keys.exists()


def test_a_model_serves_who_trusts_its_key_and_is_signed_anew_for_another(keys: Path, models: Path) -> None:
    code, said = run("explain", OFFER, models=models)
    assert (code, "étrangère" in said) == (1, True)
    for verb in (["model", "show"], ["model", "verify"], ["model", "promote", current_name(models)]):
        code, said = run(*verb, models=models)
        assert (code, "étrangère" in said) == (1, True), verb
    assert run("keys", "make", models=models)[0] == 0
    assert run("model", "sign", models=models)[0] == 0
    code, said = run("model", "verify", "--all", models=models)
    assert (code, "intact" in said) == (0, True)
    assert run("explain", OFFER, models=models)[0] == 0
    # A new key: what the old one signed is loaded until it is revoked.
    old = read_key(keys / "operateur.pem").public
    assert run("keys", "rotate", models=models)[0] == 0
    new = read_key(keys / "operateur.pem").public
    assert new != old
    assert [path.name for path in keys.glob(f"*{old.id}.pem")]
    assert run("model", "verify", models=models)[0] == 0
    assert run("keys", "revoke", old.id, "--reason", "remplacée", models=models)[0] == 0
    code, said = run("model", "verify", models=models)
    assert (code, "révoquée" in said, "remplacée" in said) == (1, True, True)
    assert run("model", "sign", "--all", models=models)[0] == 0
    assert run("model", "verify", models=models)[0] == 0
    trust = read_trust(keys / "confiance.txt")
    assert trust.trusted(old.id) is None
    assert trust.trusted(new.id) == new


def test_every_process_of_a_batch_believes_the_keys_of_the_settings(artefacts: Path, tmp_path: Path) -> None:
    """Run from a folder that has no keys of its own, by absolute settings: only what was handed over can be trusted."""
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"id": str(n), "text": OFFER}) + "\n" for n in range(3)), "utf-8")
    command = [sys.executable, "-m", "service.cli", "score", "in.jsonl", "--workers", "1"]
    environment = os.environ | {"VIGIE_MODEL_DIR": str(artefacts), "PYTHONPATH": str(ROOT)}

    def score(output: str, trusted: Path) -> "subprocess.CompletedProcess[str]":
        known = {"VIGIE_TRUSTED_KEYS": str(trusted)}
        return subprocess.run(
            [*command, "-o", output], env=environment | known, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    done = score("out.jsonl", ROOT / "var" / "keys" / "trusted.txt")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.jsonl").read_text("utf-8").count("\n") == 3
    refused = score("non.jsonl", tmp_path / "aucune.txt")
    assert (refused.returncode, "étrangère" in refused.stderr) == (1, True)
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "non.jsonl").exists()


def test_a_running_service_tells_that_its_key_was_revoked_and_goes_on(keys: Path, models: Path) -> None:
    for verb in (["keys", "make"], ["model", "sign"]):
        assert run(*verb, models=models)[0] == 0
    known = Settings(model_dir=models, signing_key=keys / "operateur.pem", trusted_keys=keys / "confiance.txt").keys
    serving = Models(models, Metrics(), known)
    asyncio.run(serving.refresh())
    assert serving.problem is None
    revoked = read_key(known.private).public
    assert run("keys", "revoke", revoked.id, "--reason", "volée", models=models)[0] == 0
    asyncio.run(serving.refresh())
    assert serving.problem is not None
    assert "volée" in serving.problem
    assert serving.current.predict(OFFER).risk is not None
    with pytest.raises(ArtefactError, match="volée"):
        Models(models, Metrics(), known)
