"""Reading and predicting many texts: order kept, the same whatever the number of processes, every text counted."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from model.store import load_artefact
from training.corpus import AnnotatedText, load_corpus
from training.predicting import predict_with_levels
from training.reading import read_examples

CORPUS = Path(__file__).parents[2] / "data" / "annotated"


@pytest.fixture(scope="module")
def texts() -> list[AnnotatedText]:
    return load_corpus(CORPUS)[:50]


def test_processes_change_nothing(texts: list[AnnotatedText]) -> None:
    counted: list[tuple[int, int]] = []
    alone = read_examples(texts, lambda done, total: counted.append((done, total)), processes=1)
    shared = read_examples(texts, lambda _, __: None, processes=2)
    assert counted == [(done, len(texts)) for done in range(1, len(texts) + 1)]
    assert [example.text.id for example in shared] == [text.id for text in texts]
    for one, other in zip(alone, shared, strict=True):
        assert one.document == other.document
        assert one.view.whole.classes == other.view.whole.classes
        assert np.array_equal(one.view.whole.vector, other.view.whole.vector)
        assert np.array_equal(one.sentence_truth, other.sentence_truth)


def test_predictions_do_not_depend_on_processes(artefacts: Path, texts: list[AnnotatedText]) -> None:
    artefact = load_artefact(artefacts)
    counted: list[tuple[int, int]] = []
    alone = predict_with_levels(artefact, texts[:8], lambda done, total: counted.append((done, total)), processes=1)
    assert counted[-1] == (8, 8)
    assert predict_with_levels(artefact, texts[:8], lambda _, __: None, processes=2) == alone
    assert all(one.levels["balanced"] == one.prediction.risk.level for one in alone if one.prediction.risk)


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "endless.py"
    script.write_text(
        "import os, sys, time\n"
        "from training.workers import workers\n"
        "if __name__ == '__main__':\n"
        "    with workers(1) as pool:\n"
        "        print(pool.submit(os.getpid).result(), flush=True)\n"
        "        time.sleep(60)\n",
        encoding="utf-8",
    )
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
    for _ in range(100):
        if not Path(f"/proc/{worker}").exists():
            return
        time.sleep(0.1)
    pytest.fail("Le processus lancé survit à celui qui l'a lancé.")
