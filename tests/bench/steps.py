"""How many texts a second the serving model reads on one process, step by step; medians of several runs.

`python -m tests.bench.steps`
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

from model.analyser import Analyser
from model.document import read_document
from model.entities import find_entities
from model.features import view
from model.language import guess_language
from model.text import words_of
from service.settings import load_settings
from service.terminal import console, table
from training.corpus import load_corpus

RUNS = 5
TEXTS = 120


def median_seconds(work: Callable[[], object]) -> float:
    """Median duration of a piece of work over the runs, after one to warm up."""
    work()
    durations = []
    for _ in range(RUNS):
        started = time.perf_counter()
        work()
        durations.append(time.perf_counter() - started)
    return statistics.median(durations)


def main() -> None:
    """Print texts a second and milliseconds a text for each step and for the whole."""
    analyser = Analyser.load(load_settings().model_dir)
    texts = [text.text for text in load_corpus(Path("data/annotated")) if 60 <= len(words_of(text.text)) <= 100][:TEXTS]
    documents = [read_document(text) for text in texts]
    views = [view(document) for document in documents]
    steps: dict[str, Callable[[], object]] = {
        "lecture (nettoyage, phrases, tables)": lambda: [read_document(text) for text in texts],
        "langue": lambda: [guess_language(document.text, []) for document in documents],
        "traits et vecteurs": lambda: [view(document) for document in documents],
        "scores": lambda: analyser.artefact.classifier.score(views),
        "entités (dont personnes et lieux)": lambda: [find_entities(document) for document in documents],
        "prédiction entière": lambda: [analyser.predict(text) for text in texts],
    }
    rows = []
    for name, work in steps.items():
        seconds = median_seconds(work)
        rows.append((name, f"{len(texts) / seconds:.0f}", f"{1000 * seconds / len(texts):.2f}"))
    title = f"{len(texts)} textes de 60 à 100 mots, un processus, médiane de {RUNS} passages"
    console().print(table(title, ("étape", "textes/s", "ms/texte"), rows))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
