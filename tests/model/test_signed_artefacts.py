"""Only what a trusted key signed is loaded, byte for byte; a bomb in anything else never goes off."""

import base64
import json
import os
import pickle
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.decide import OperatingPoint
from model.errors import ArtefactError
from model.labels import INDICATOR_IDS, OPERATING_POINTS, TARGET_IDS
from model.signing import (
    Keys,
    Named,
    PublicKey,
    SigningError,
    SigningKey,
    Trust,
    add_line,
    new_key,
    operator_key,
    read_key,
    read_trust,
)
from model.store import (
    CARD,
    CLASSIFIER,
    MANIFEST,
    SIGNATURE,
    list_artefacts,
    load_artefact,
    read_paper,
    save_artefact,
    set_current,
    sha256_of,
    sign_artefact,
    verify_artefact,
)

ROOT = Path(__file__).resolve().parents[2]
NAME = "2026.1.0+essai001"
OLD = "2025.1.0+essai000"
FACTS = {"base_rate": 0.3, "rule_precision": 0.9}
POINTS = {
    name: OperatingPoint(dict.fromkeys(INDICATOR_IDS, 0.5), 0.5, dict.fromkeys(TARGET_IDS, 0.5)) for name in OPERATING_POINTS
}
FILES = {"card.md": b"# Carte\n", "metrics.json": b"{}", "plots/a.png": b"\x89PNG"}


class Bomb:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return os.mkdir, (str(self.marker),)


def key() -> SigningKey:
    return SigningKey(Ed25519PrivateKey.generate())


OURS, THEIRS = key(), key()


def trusting(*lines: Named) -> Trust:
    return Trust(Path("cles.txt"), lines)


TRUST = trusting(Named("trusted", OURS.public, ""))


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """What the bomb makes when it goes off."""
    return tmp_path / "explosion"


@pytest.fixture
def root(tmp_path: Path, marker: Path) -> Path:
    """Two signed artefacts whose classifier is a bomb: were it ever unpickled, it would be seen."""
    folder = tmp_path / "artefacts"
    for name in (OLD, NAME):
        bomb: Any = Bomb(marker)
        save_artefact(folder, name, bomb, POINTS, FACTS, FILES | {"card.md": f"# {name}\n".encode()}, OURS)
    set_current(folder, NAME)
    return folder


def test_the_bomb_goes_off_where_a_trusted_key_vouches_for_it(root: Path, marker: Path) -> None:
    """Shows that the marker of all the tests below can appear."""
    with pytest.raises(ArtefactError, match="classifieur"):
        load_artefact(root, trust=TRUST)
    assert marker.exists()


def _unsigned(folder: Path) -> None:
    (folder / SIGNATURE).unlink()


def _by_another(folder: Path) -> None:
    (folder / SIGNATURE).write_bytes(THEIRS.sign((folder / MANIFEST).read_bytes()))


def _in_our_name(folder: Path) -> None:
    """A signature of theirs that says it is ours."""
    theirs = THEIRS.sign((folder / MANIFEST).read_bytes()).decode("ascii")
    (folder / SIGNATURE).write_text(theirs.replace(THEIRS.public.id, OURS.public.id), encoding="ascii")


def _older_under_this_name(folder: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(folder.parent / OLD, folder)


def _older_manifest(folder: Path) -> None:
    for name in (MANIFEST, SIGNATURE):
        shutil.copy(folder.parent / OLD / name, folder / name)


def _changed_and_vouched_for(folder: Path) -> None:
    """The manifest gives the hash of what was put there, as whoever changes a file would write it."""
    (folder / CLASSIFIER).write_bytes(pickle.dumps(Bomb(folder.parent.parent / "explosion")))
    manifest = json.loads((folder / MANIFEST).read_bytes())
    manifest["files"][CLASSIFIER] = sha256_of(folder / CLASSIFIER)
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def _signature_for_something_else(folder: Path) -> None:
    raw = OURS._key.sign((folder / MANIFEST).read_bytes()).hex()
    (folder / SIGNATURE).write_text(f"vigie-signature-1 ed25519 {OURS.public.id} {raw}\n", encoding="ascii")


REFUSED: dict[str, tuple[Callable[[Path], Any], str]] = {
    "unsigned": (_unsigned, "aucune signature"),
    "foreign": (_by_another, f"signé par la clé {THEIRS.public.id}, étrangère"),
    "foreign-in-our-name": (_in_our_name, "n'est pas celle de ce manifeste"),
    "signed-for-something-else": (_signature_for_something_else, "n'est pas celle de ce manifeste"),
    "older-under-this-name": (_older_under_this_name, f"celui du modèle « {OLD.replace('+', chr(92) + '+')} »"),
    "older-manifest": (_older_manifest, f"celui du modèle « {OLD.replace('+', chr(92) + '+')} »"),
    "changed-and-vouched-for": (_changed_and_vouched_for, "n'est pas celle de ce manifeste"),
    "changed": (lambda folder: (folder / CLASSIFIER).write_bytes(b"x"), "classifier.joblib a été modifié"),
    "missing": (lambda folder: (folder / CARD).unlink(), "card.md manque"),
    "beside": (lambda folder: (folder / "weights.bin").write_bytes(b"x"), "weights.bin est en trop"),
    "signature-emptied": (lambda folder: (folder / SIGNATURE).write_bytes(b""), "forme attendue"),
    "signature-a-link": (lambda folder: _link(folder / SIGNATURE), "aucune signature"),
    "manifest-a-link": (lambda folder: _link(folder / MANIFEST), "introuvable"),
}


def _link(path: Path) -> None:
    elsewhere = path.parent.parent.parent / path.name
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_ours_to_the_byte_is_refused_and_nothing_of_it_runs(root: Path, marker: Path, case: str) -> None:
    damage, message = REFUSED[case]
    damage(root / NAME)
    for refuse in (
        lambda: load_artefact(root, trust=TRUST),
        lambda: verify_artefact(root / NAME, TRUST),
    ):
        with pytest.raises(ArtefactError, match=message):
            refuse()
    assert not marker.exists()
    if case not in ("changed", "missing", "beside"):  # the manifest itself is not believed
        assert "error" in {item["version"]: item for item in list_artefacts(root, TRUST)}.get(NAME, {"error": ""})


def test_a_manifest_that_nobody_signed_is_not_even_read_as_json(root: Path) -> None:
    (root / NAME / MANIFEST).write_bytes(b"[" * 1_000_000)
    with pytest.raises(SigningError, match="n'est pas celle de ce manifeste"):
        load_artefact(root, trust=TRUST)


def test_nobody_is_trusted_where_no_key_is_named(root: Path, marker: Path, tmp_path: Path) -> None:
    with pytest.raises(SigningError, match="étrangère"):
        load_artefact(root, trust=read_trust(tmp_path / "absent.txt"))
    assert not marker.exists()


def test_a_revoked_key_is_refused_whatever_else_is_said_of_it(root: Path, marker: Path) -> None:
    lines = [Named("trusted", OURS.public, ""), Named("revoked", OURS.public, "2026-12-01 clé perdue")]
    for order in (lines, lines[::-1]):
        with pytest.raises(SigningError, match=r"révoquée.*clé perdue"):
            load_artefact(root, trust=trusting(*order))
    assert not marker.exists()


def test_signing_answers_for_a_model_and_refuses_one_that_does_not_hold_together(root: Path, marker: Path) -> None:
    both = trusting(Named("trusted", THEIRS.public, ""))
    with pytest.raises(SigningError):
        verify_artefact(root / NAME, both)
    assert sign_artefact(root / NAME, THEIRS).key == THEIRS.public.id
    assert verify_artefact(root / NAME, both).key == THEIRS.public.id
    assert read_paper(root / NAME, CARD, both) == f"# {NAME}\n".encode()
    before = (root / OLD / SIGNATURE).read_bytes()
    (root / OLD / "card.md").write_text("autre", encoding="utf-8")
    with pytest.raises(ArtefactError, match="modifié"):
        sign_artefact(root / OLD, THEIRS)
    assert (root / OLD / SIGNATURE).read_bytes() == before
    assert sorted(path.name for path in root.iterdir()) == sorted([NAME, OLD, "current"])
    assert not marker.exists()


@pytest.fixture(scope="module")
def flipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A root with one artefact for every flip, put right after each; and what its bomb would make."""
    folder = tmp_path_factory.mktemp("octets")
    bomb: Any = Bomb(folder / "explosion")
    save_artefact(folder / "artefacts", NAME, bomb, POINTS, FACTS, FILES, OURS)
    return folder / "artefacts", folder / "explosion"


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_byte_of_any_file_can_change(flipped: tuple[Path, Path], data: st.DataObject) -> None:
    root, marker = flipped
    files = sorted(path for path in (root / NAME).rglob("*") if path.is_file())
    path = data.draw(st.sampled_from(files))
    content = bytearray(original := path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    how = data.draw(st.sampled_from(("flip", "drop", "add")))
    if how == "flip":
        content[place] ^= data.draw(st.integers(1, 255))
    elif how == "drop":
        del content[place]
    else:
        content.insert(place, data.draw(st.integers(0, 255)))
    if bytes(content) == original:
        content.append(0)
    try:
        path.write_bytes(bytes(content))
        with pytest.raises(ArtefactError):
            load_artefact(root, NAME, TRUST)
    finally:
        path.write_bytes(original)
    assert not marker.exists()


def test_what_was_hashed_is_what_is_loaded_even_while_files_are_swapped(root: Path, marker: Path, tmp_path: Path) -> None:
    good: Any = "rien de dangereux"
    save_artefact(root, NAME, good, POINTS, FACTS, FILES, OURS)
    path, stop = root / NAME / CLASSIFIER, threading.Event()
    safe, bomb = path.read_bytes(), pickle.dumps(Bomb(marker))

    def swap() -> None:
        while not stop.is_set():
            for content in (bomb, safe):
                (tmp_path / "new").write_bytes(content)
                (tmp_path / "new").replace(path)

    swapping = threading.Thread(target=swap)
    swapping.start()
    told = set()
    try:
        for _ in range(60):
            with pytest.raises(ArtefactError) as refused:
                load_artefact(root, NAME, TRUST)
            told.add("classifieur" if "classifieur" in str(refused.value) else "modifié")
    finally:
        stop.set()
        swapping.join()
    assert not marker.exists()
    assert "modifié" in told


def test_a_key_is_for_its_owner_alone_and_never_replaced(tmp_path: Path) -> None:
    private = tmp_path / "cles" / "operateur.pem"
    made = new_key(private)
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert stat.S_IMODE(private.parent.stat().st_mode) == 0o700
    assert read_key(private).public == made.public
    with pytest.raises(SigningError, match="il y a déjà une clé"):
        new_key(private)
    assert read_key(private).public == made.public
    assert list(private.parent.iterdir()) == [private]
    private.chmod(0o640)
    with pytest.raises(SigningError, match="chmod 600"):
        read_key(private)


def _other_kind() -> bytes:
    return generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "Ed25519 en PEM", id="empty"),
        pytest.param(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "Ed25519 en PEM", id="spoilt"),
        pytest.param(_other_kind(), "une autre sorte", id="other-kind"),
    ],
)
def test_a_key_that_cannot_be_used_says_so(tmp_path: Path, content: bytes, message: str) -> None:
    private = tmp_path / "k.pem"
    private.write_bytes(content)
    private.chmod(0o600)
    with pytest.raises(SigningError, match=message):
        read_key(private)


def test_a_missing_key_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(SigningError, match=r"VIGIE_SIGNING_KEY=.*absente"):
        read_key(tmp_path / "absente.pem")


def test_the_file_of_keys_is_read_line_by_line(tmp_path: Path) -> None:
    trusted = tmp_path / "cles.txt"
    add_line(trusted, "trusted", OURS.public, "chef\nde  salle")
    add_line(trusted, "trusted", THEIRS.public, "")
    add_line(trusted, "revoked", THEIRS.public, "partie")
    with trusted.open("a") as file:
        file.write("\n# un commentaire\n")
    trust = read_trust(trusted)
    assert [line.verb for line in trust.lines] == ["trusted", "trusted", "revoked"]
    assert trust.lines[0].note.endswith(" chef de salle")
    assert trust.trusted(OURS.public.id) == OURS.public
    assert trust.trusted(THEIRS.public.id) is None


def _swapped_end(written: str) -> str:
    """The same 32 bytes by another last letter: base 64 leaves two bits of it unused."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = letters[letters.index(written[-2]) ^ 1]
    assert base64.b64decode(f"{written[8:-2]}{last}=") == base64.b64decode(written[8:])
    return f"{written[:-2]}{last}="


@pytest.mark.parametrize(
    "line",
    [
        "confiance ed25519:AAAA",
        "trusted",
        "trusted rsa:AAAA",
        "trusted ed25519:AAAA",
        "trusted ed25519:" + "é" * 44,
        "trusted " + _swapped_end(OURS.public.written),
    ],
    # The last one is another key each time: the processes that share the tests must give them the same names.
    ids=["verb", "nothing", "kind", "short", "letters", "end"],
)
def test_a_line_that_is_not_a_key_is_named(tmp_path: Path, line: str) -> None:
    trusted = tmp_path / "cles.txt"
    trusted.write_text(f"# clés\n{line}\n", encoding="utf-8")
    with pytest.raises(SigningError, match=r"cles\.txt, ligne 2"):
        read_trust(trusted)


def test_a_file_of_keys_that_anyone_may_write_is_not_believed(tmp_path: Path) -> None:
    trusted = tmp_path / "cles.txt"
    add_line(trusted, "trusted", OURS.public, "")
    trusted.chmod(0o666)
    with pytest.raises(SigningError, match="n'importe qui"):
        read_trust(trusted)


@given(raw=st.binary(min_size=32, max_size=32))
def test_a_public_key_is_written_in_one_way(raw: bytes) -> None:
    assert PublicKey.parse(PublicKey(raw).written) == PublicKey(raw)


def test_a_fresh_machine_gets_a_key_and_an_installed_one_does_not(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "k" / "operateur.pem", tmp_path / "k" / "cles.txt")
    made = keys.signer()
    assert keys.trust().trusted(made.public.id) == made.public
    assert keys.signer().public == made.public
    keys.private.unlink()
    with pytest.raises(SigningError, match="aucune clé pour signer"):
        keys.signer()
    new_key(keys.private)
    with pytest.raises(SigningError, match="n'est pas de confiance"):
        keys.signer()


@pytest.fixture
def together() -> Iterator[list["subprocess.Popen[str]"]]:
    """Processes, ended with the test."""
    running: list[subprocess.Popen[str]] = []
    yield running
    for process in running:
        process.kill()
        process.wait()


def test_the_first_trusted_key_is_seen_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process may look at any moment, the one when a file is made and not yet written among them."""
    trusted, real = tmp_path / "cles.txt", os.open
    seen: list[str | None] = []

    def opened(path: Path, *more: Any) -> int:
        descriptor = real(path, *more)
        seen.append(trusted.read_text(encoding="utf-8") if trusted.exists() else None)
        return descriptor

    monkeypatch.setattr(os, "open", opened)
    key = operator_key(tmp_path / "k.pem", trusted)
    assert len(seen) >= 2
    assert "" not in seen
    assert key.public.written in trusted.read_text(encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cles.txt", "k.pem"]


def test_processes_that_need_a_first_key_at_once_get_the_same(tmp_path: Path, together: list["subprocess.Popen[str]"]) -> None:
    script = f"from pathlib import Path; from model.signing import Keys; root = Path({str(tmp_path)!r})\n"
    script += "print(Keys(root / 'k.pem', root / 'cles.txt').signer().public.id)"
    for _ in range(6):
        together.append(subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT))
    told = {process.communicate(timeout=60)[0].strip() for process in together}
    assert told == {read_key(tmp_path / "k.pem").public.id}
    assert operator_key(tmp_path / "k.pem", tmp_path / "cles.txt").public.id in told
