"""What a compared model costs when it predicts, measured in a process of its own: speed, memory, size on disk."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import joblib
import numpy as np
from threadpoolctl import threadpool_limits

from model import features
from model.encoder import DIMENSIONS, Vectors
from model.errors import VigieError

# Imported here so that memory is counted from the point where every library that any model needs is loaded.
from training import families, textcat  # noqa: F401
from training.baselines import BlockPredictor, Predictor

_WARM_UP: Final = 5
_MEGA: Final = 1_000_000
_STATUS: Final = Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Footprint:
    """Texts predicted a second, one by one on one thread; peak memory added and size on disk in MB (10^6 bytes).

    `memory` is NaN where the system does not tell a process its peak (elsewhere than on Linux).
    """

    rate: float
    memory: float
    disk: float


def measure_footprint(predictor: Predictor, texts: Sequence[str]) -> Footprint:
    """Save a model, load it in a fresh process and let it predict raw texts there.

    Raises:
        VigieError: the other process failed; the message ends with the last line that it wrote.
    """
    with tempfile.TemporaryDirectory() as folder:
        model, sample = Path(folder) / "model.joblib", Path(folder) / "texts.json"
        joblib.dump(predictor, model, compress=3)
        sample.write_text(json.dumps(list(texts)), encoding="utf-8")
        command = [sys.executable, "-m", "training.footprint", str(model), str(sample)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode != 0:
            raise VigieError(f"Coût d'un modèle non mesuré : {(done.stderr.strip() or 'processus interrompu').splitlines()[-1]}")
        found = json.loads(done.stdout)
        return Footprint(found["rate"], found["memory"], model.stat().st_size / _MEGA)


def _peak() -> float:
    """Peak memory of this process so far, in MB; NaN where it is not told."""
    if not _STATUS.exists():
        return float("nan")
    line = next(line for line in _STATUS.read_text(encoding="ascii").splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / _MEGA


def _leave_encoder_out() -> None:
    """Reading a text makes sentence vectors: a model whose blocks leave them out must not pay for them, in this process."""
    vars(features)["encode"] = _no_vectors


def _no_vectors(sentences: Sequence[str]) -> Vectors:
    return Vectors(np.zeros(DIMENSIONS, dtype=np.float32), np.zeros((len(sentences), DIMENSIONS), dtype=np.float32))


def main(model: Path, sample: Path) -> None:
    """Write rate and memory as JSON on standard output."""
    texts = json.loads(sample.read_text(encoding="utf-8"))
    before = _peak()
    with threadpool_limits(limits=1):
        predictor = joblib.load(model)
        if isinstance(predictor, BlockPredictor) and "vector" not in predictor.features.weights:
            _leave_encoder_out()
        for text in texts[:_WARM_UP]:
            predictor.predict([text])
        started = time.perf_counter()
        for text in texts:
            predictor.predict([text])
        seconds = time.perf_counter() - started
    sys.stdout.write(json.dumps({"rate": len(texts) / seconds, "memory": _peak() - before}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
