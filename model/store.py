"""The artefact: a folder whose manifest is signed, and that is verified, file by file, before anything in it is loaded.

manifest.json   format, version, library versions, corpus hash, labels, operating points, sha256 of each file
manifest.sig    the operator's signature of those bytes (`model.signing`)
classifier.joblib   the trained object of `model.classifier`
looks.joblib    the cheap looks of `model.firstlook`; where they are missing, every text is analysed in full
finders.joblib      the patterns of the tables, compiled; where it is missing, each process compiles them
reference.json  what the model says of a set of texts, in counts (`model.reference`), to see a stream drift from
metrics.json, card.md, plots   what was measured, for people
"""

import io
import json
import os
import pickle
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import joblib

from model.classifier import MIXED_HEADS, Classifier
from model.compatibility import check_compatible, library_versions, sha256_of, tables_hash, weights_hash
from model.context import CONTEXT, context_finder
from model.decide import OperatingPoint, points_from_json
from model.errors import ArtefactError
from model.firstlook import Looks
from model.labels import INDICATOR_IDS, OPERATING_POINTS, STANCE_IDS, TARGET_IDS
from model.reference import Reference
from model.signals import SIGNALS, signal_finder
from model.signing import Named, SigningKey, Trust, read_trust
from model.verified import FORMAT, MANIFEST, SIGNATURE, Vouched, opened, read_files, read_unbelieved, read_vouched
from model.wordings import WordingFinder, keep_finders

CLASSIFIER: Final = "classifier.joblib"
LOOKS: Final = "looks.joblib"
FINDERS: Final = "finders.joblib"
REFERENCE: Final = "reference.json"
METRICS: Final = "metrics.json"
CARD: Final = "card.md"
CURRENT: Final = "current"


@dataclass(frozen=True, slots=True)
class Artefact:
    """A verified artefact: its folder, its manifest, its operating points, classifier, and cheap looks if any.

    `papers`: the bytes of its other files by name, as verified; `key`: who signed; `trust`: the keys it was verified with.
    """

    folder: Path
    manifest: Mapping[str, Any]
    points: Mapping[str, OperatingPoint]
    classifier: Classifier
    looks: Looks | None
    papers: Mapping[str, bytes]
    key: str
    trust: Trust

    @property
    def version(self) -> str:
        """Version of the model, such as `2026.11.1+3f2a9c1e`."""
        return str(self.manifest["version"])

    def card(self) -> str:
        """The model card, Markdown, in French."""
        return self.papers[CARD].decode("utf-8")

    def reference(self) -> Reference | None:
        """What the model says of the texts that it was measured on, to see a stream drift from; None where it has none.

        Raises:
            ArtefactError: it cannot be read.
        """
        return Reference.from_json(self.papers[REFERENCE]) if REFERENCE in self.papers else None

    def metrics(self) -> dict[str, Any]:
        """What was measured at training."""
        found: dict[str, Any] = json.loads(self.papers[METRICS])
        return found


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
    key: SigningKey,
    looks: Looks | None = None,
    finders: Mapping[str, WordingFinder] | None = None,
) -> Path:
    """Write an artefact under `root/name` and return its folder; an artefact of that name is replaced as a whole.

    `facts` joins the manifest (corpus hash, seed, base rate…); `files` are further files by relative name (card, plots);
    `key` signs. The folder takes its final name only when everything is on disk.
    """
    folder = root / name
    building = root / f".{name}.tmp-{os.getpid()}"
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    _pickle(classifier, building / CLASSIFIER)
    if looks is not None:
        _pickle(looks, building / LOOKS)
    if finders:
        _pickle(dict(finders), building / FINDERS)
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
        "weights_sha256": weights_hash(),
        "files": hashes,
    }
    content = (json.dumps(manifest, ensure_ascii=False, indent=2) + "\n").encode()
    (building / MANIFEST).write_bytes(content)
    (building / SIGNATURE).write_bytes(key.sign(content))
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
    except (OSError, UnicodeDecodeError) as error:
        raise ArtefactError(
            f"Aucun modèle dans {root} : lancez « make train » (ou « vigie train »), ou indiquez VIGIE_MODEL_DIR."
        ) from error


def folder_of(root: Path, name: str | None = None) -> Path:
    """The folder of the artefact `name` under `root` (default: the one that serves), never one that lies elsewhere.

    Raises:
        ArtefactError: none was chosen, or the name is that of no folder of `root`.
    """
    chosen = name or current_name(root)
    if chosen in (".", "..") or "/" in chosen or "\x00" in chosen:
        raise ArtefactError(f"« {chosen} » n'est pas le nom d'un artefact de {root}.")
    return root / chosen


def list_artefacts(root: Path, trust: Trust | None = None) -> list[dict[str, Any]]:
    """Manifests of the artefacts under `root`, by version; those that cannot be believed are given with an `error`."""
    known = trust or read_trust()
    found: list[dict[str, Any]] = []
    for path in sorted(root.glob(f"*/{MANIFEST}")):
        if path.parent.name.startswith("."):
            continue  # left half-written by a training that was stopped
        try:
            found.append(read_manifest(path.parent, known))
        except ArtefactError as error:
            found.append({"version": path.parent.name, "error": str(error)})
    return found


def read_manifest(folder: Path, trust: Trust | None = None) -> dict[str, Any]:
    """The manifest of an artefact, its signature and form verified but not yet its files.

    Raises:
        ArtefactError: missing, unsigned, signed by a key that is not trusted, changed, or of another format.
    """
    with opened(folder) as descriptor:
        return dict(read_vouched(folder, descriptor, trust or read_trust()).manifest)


def read_paper(folder: Path, name: str, trust: Trust | None = None) -> bytes:
    """A file of an artefact that people read (card, measures), verified; what the artefact holds beside is not.

    Raises:
        ArtefactError: as `read_manifest`; or the file is missing or changed.
    """
    with opened(folder) as descriptor:
        vouched = read_vouched(folder, descriptor, trust or read_trust())
        found = read_files(folder, descriptor, vouched.manifest, {name})
    if name not in found:
        raise ArtefactError(f"Artefact {folder} : le manifeste ne nomme pas {name}.")
    return found[name]


def sign_artefact(folder: Path, key: SigningKey) -> Vouched:
    """Sign the manifest of an artefact as it stands, once all that can be verified of it without loading it was.

    Whoever signs answers for where the files come from: nothing here can tell.

    Raises:
        ArtefactError: as `load_artefact`, but for the signature; the folder is left as it was.
    """
    own = Trust(folder, (Named("trusted", key.public, ""),))
    with opened(folder) as descriptor:
        signature = key.sign(read_unbelieved(folder, descriptor))
    _verified(folder, own, signature)
    temporary = folder.parent / f".{SIGNATURE}.tmp-{os.getpid()}"
    temporary.write_bytes(signature)
    temporary.replace(folder / SIGNATURE)
    return verify_artefact(folder, own)


def verify_artefact(folder: Path, trust: Trust | None = None) -> Vouched:
    """Everything that `load_artefact` verifies, without loading anything.

    Raises:
        ArtefactError: as `load_artefact`.
    """
    vouched, _ = _verified(folder, trust or read_trust())
    return vouched


def load_artefact(root: Path, name: str | None = None, trust: Trust | None = None) -> Artefact:
    """Verify, then load, the artefact `name` under `root` (default: the one that serves).

    Nothing is unpickled before all this was verified, in this order: the signature by a key of `trust` (default: those of
    var/keys/trusted.txt), the format and the name, the labels and tables, the library versions, and the sha256 of every
    file. What is unpickled is the very bytes that were hashed.

    Raises:
        ArtefactError: the folder is missing, or anything differs; the message names what and what was expected.
    """
    folder, known = folder_of(root, name), trust or read_trust()
    vouched, files = _verified(folder, known)
    points = points_from_json(vouched.manifest["operating_points"])
    classifier = _unpickled(files, CLASSIFIER)
    if not isinstance(classifier, Classifier):
        raise ArtefactError(f"Artefact {folder} : {CLASSIFIER} ne contient pas un classifieur Vigie.")
    looks = _unpickled(files, LOOKS) if LOOKS in files else None
    if looks is not None and not (isinstance(looks, Looks) and looks.points == set(points)):
        raise ArtefactError(f"Artefact {folder} : {LOOKS} ne contient pas les regards rapides de Vigie.")
    if FINDERS in files:
        keep_finders(_unpickled(files, FINDERS))
    return Artefact(folder, vouched.manifest, points, classifier, looks, files, vouched.key, known)


def _verified(folder: Path, trust: Trust, signature: bytes | None = None) -> tuple[Vouched, dict[str, bytes]]:
    with opened(folder) as descriptor:
        vouched = read_vouched(folder, descriptor, trust, signature)
        check_compatible(folder, vouched.manifest)
        files = read_files(folder, descriptor, vouched.manifest)
    if CLASSIFIER not in files:
        raise ArtefactError(f"Artefact {folder} : le manifeste ne nomme pas {CLASSIFIER}.")
    return vouched, files


def _pickle(value: object, target: Path) -> None:
    # joblib keeps the bytes of a plain pickle: by itself, it would read vocabularies of some 700,000 strings one by one in
    # Python, 3 s at each start instead of 1.
    joblib.dump(pickle.dumps(value, protocol=5), target, compress=3)


def _unpickled(files: dict[str, bytes], name: str) -> Any:
    # The bytes are taken out: tens of megabytes that nobody needs twice.
    found = joblib.load(io.BytesIO(files.pop(name)))
    # Artefacts of before hold the object itself.
    return pickle.loads(found) if isinstance(found, bytes) else found  # noqa: S301  (signed and hashed: see `load_artefact`)


__all__ = [
    "CARD",
    "CLASSIFIER",
    "FORMAT",
    "MANIFEST",
    "METRICS",
    "REFERENCE",
    "SIGNATURE",
    "Artefact",
    "current_name",
    "folder_of",
    "library_versions",
    "list_artefacts",
    "load_artefact",
    "read_manifest",
    "read_paper",
    "ready_finders",
    "save_artefact",
    "set_current",
    "sha256_of",
    "sign_artefact",
    "tables_hash",
    "verify_artefact",
]
