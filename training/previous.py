"""The model that served before under the same root, and what it recorded, to set beside a new one."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from model.errors import ArtefactError
from model.signing import Trust, read_trust
from model.store import METRICS, current_name, read_manifest, read_paper

#: In an artefact: what its training took, and the name of the model before it.
TRAINING: Final = "training.json"


@dataclass(frozen=True, slots=True)
class Previous:
    """Name, hash of the corpus, and recorded metrics of the model before."""

    name: str
    corpus_sha256: str
    metrics: Mapping[str, Any]

    def same_texts(self, metrics: Mapping[str, Any], corpus_sha256: str, split: str) -> bool | None:
        """Whether it was measured on the same texts of a split with the same labels; None where that cannot be told."""
        there = figure(self.metrics, split, "texts_sha256")
        if there is not None:
            return bool(there == figure(metrics, split, "texts_sha256"))
        return True if self.corpus_sha256 == corpus_sha256 else None


def previous_model(root: Path, name: str, trust: Trust | None = None) -> Previous | None:
    """What served under `root` before the model `name`; None where nothing did, or its records cannot be read.

    A model trained again under the name it has keeps the one before it. Records are believed if a key of `trust` signed them.
    """
    try:
        known = trust or read_trust()
        before = current_name(root)
        if before == name:
            before = json.loads(read_paper(root / name, TRAINING, known))["previous"] or ""
        manifest = read_manifest(root / before, known)
        metrics = json.loads(read_paper(root / before, METRICS, known))
        return Previous(str(manifest["version"]), str(manifest["corpus_sha256"]), metrics)
    except (ArtefactError, OSError, ValueError, KeyError, TypeError):
        return None


def figure(metrics: Any, *path: str) -> Any:
    """What stands at a path of nested objects; None where a step is missing, as in the records of an older version."""
    for step in path:
        if not isinstance(metrics, Mapping) or step not in metrics:
            return None
        metrics = metrics[step]
    return metrics
