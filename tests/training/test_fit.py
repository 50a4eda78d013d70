"""Training: the same inputs give the same model, whatever the number of threads; what cannot be learned from is refused."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from model.analyser import Analyser
from model.errors import CorpusError
from model.store import load_artefact
from tests.service.test_batch import inside
from tests.training.test_corpus import line
from training.corpus import AnnotatedText, load_corpus, to_line
from training.fit import train

ROOT = Path(__file__).resolve().parents[2]

SCRIPT = """
import sys
from pathlib import Path
from training.corpus import load_corpus
from training.fit import train
train(load_corpus(Path(sys.argv[2])), Path(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, corpus: list[AnnotatedText]) -> Path:
    """A sixteenth of the corpus, all splits and writers."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "small.jsonl").write_text("\n".join(to_line(text) for text in corpus[::16]) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def by_verb(tmp_path_factory: pytest.TempPathFactory, small: Path) -> tuple[Path, "subprocess.CompletedProcess[str]"]:
    """What `vigie train` made of it, and said."""
    root = tmp_path_factory.mktemp("verb")
    return root, inside("train", "--data", str(small), artefacts=root)


def test_the_verb_trains_measures_and_serves_what_it_trained(
    by_verb: tuple[Path, "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    root, done = by_verb
    assert done.returncode == 0, done.stderr
    name = load_artefact(root).version
    assert f"Modèle {name}" in done.stderr
    assert "signalés parmi warns" in done.stdout
    again = inside("train", "--if-needed", "--data", str(tmp_path / "absent"), artefacts=root)
    assert (again.returncode, again.stderr) == (0, f"Le modèle {name} est prêt.\n")
    shown = inside("model", "show", artefacts=root).stdout
    assert shown.startswith(f"# Carte du modèle {name}")


def test_two_trainings_give_the_same_predictions(
    by_verb: tuple[Path, "subprocess.CompletedProcess[str]"], tmp_path: Path, small: Path
) -> None:
    """One by the command, in this process, one by a script with another number of threads and another order of sets."""
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "two"), str(small)]
    alone = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1") | {"PYTHONHASHSEED": "2"}
    done = subprocess.run(command, env=os.environ | alone, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    one, two = Analyser.load(by_verb[0]), Analyser.load(tmp_path / "two")
    texts = load_corpus(small)[::7]
    assert len(texts) > 20
    for text in texts:
        assert one.predict(text.text, id=text.id) == two.predict(text.text, id=text.id)
    first, second = one.artefact, two.artefact
    assert first.version == second.version
    assert first.manifest["operating_points"] == second.manifest["operating_points"]
    card = first.card()
    assert first.version in card
    assert "modèles de langue" in card
    assert set(first.metrics()) >= {"points", "dev", "test", "deletion", "annotators"}
    assert first.metrics() == second.metrics()
    reference = first.reference()
    assert reference is not None
    assert reference == second.reference()
    assert reference.source == "corpus"
    assert reference.facts["assumed_rate"] == 0.05
    assert {"score", "words", "unknown", "language", "channel", "level", "indicator.miracle_cure"} <= set(reference.shares)
    assert json.loads((first.folder / "training.json").read_text("utf-8"))["cpu_seconds"] > 0
    assert (first.folder / "calibration.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "texts",
    [
        pytest.param([], id="empty"),
        pytest.param([line(id=f"c{i}") for i in range(60)], id="one-writer"),
        pytest.param([line(id=f"c{i}", writer=f"w{i}", split="test") for i in range(60)], id="nothing-to-train-on"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(tmp_path: Path, texts: list[dict[str, object]]) -> None:
    with pytest.raises(CorpusError, match="train"):
        train([AnnotatedText.model_validate(text) for text in texts], tmp_path)
    assert not list(tmp_path.iterdir())
