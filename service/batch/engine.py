"""Score rows in order with one or more processes, each with one thread and the model loaded once."""

import signal
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain, islice
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from model.analyser import Analyser, Options
from model.errors import BatchError
from model.records import Prediction, Problem
from service.batch.outputs import Output
from service.batch.rows import Row, Source, read_rows

_CHUNK: Final = 16
#: Loading the model in another process costs seconds; fewer rows than this are scored faster in this one.
_WORTH_WORKERS: Final = 400
_IN_FLIGHT: Final = 4
_MOST_PROBLEMS: Final = 5

Progress = Callable[[int, float], None]


@dataclass(frozen=True, slots=True)
class Job:
    """What to score and how: input, output, model, options, processes."""

    source: Source
    output: Path
    model_dir: Path
    options: Options
    workers: int = 1
    overwrite: bool = False


@dataclass(slots=True)
class Report:
    """What a run did: rows by status and by level, identifiers met twice, the first faults with their row."""

    rows: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    levels: Counter[int] = field(default_factory=Counter)
    duplicates: int = 0
    faults: list[str] = field(default_factory=list)
    first_duplicates: list[str] = field(default_factory=list)


def run(job: Job, progress: Progress | None = None, analyser: Analyser | None = None) -> Report:
    """Score all rows of a job; a row that cannot be scored becomes a row with an error.

    `analyser` spares loading the model where rows are few enough to be scored in this process.

    Raises:
        BatchError: input or output cannot be used; then no file is left under the output's name.
        ArtefactError: the model cannot be trusted.
    """
    if job.source.path.resolve() == job.output.resolve():
        raise BatchError(f"{job.output} : l'entrée et la sortie sont le même fichier.")
    report = Report()
    seen: set[bytes] = set()
    rows = read_rows(job.source)
    first = list(islice(rows, 1))
    with Output(job.output, overwrite=job.overwrite) as output:
        for row, prediction in _predictions(chain(first, rows), job, analyser):
            report.rows += 1
            report.statuses[prediction.status] += 1
            if prediction.risk:
                report.levels[prediction.risk.level] += 1
            if prediction.error and len(report.faults) < _MOST_PROBLEMS:
                report.faults.append(f"ligne {row.number} (id {row.id}) : {prediction.error.message}")
            output.write(_marked(row, prediction, seen, report))
            if progress:
                progress(report.rows, row.progress)
    return report


def _marked(row: Row, prediction: Prediction, seen: set[bytes], report: Report) -> Prediction:
    """The prediction, with a warning if its identifier was met before."""
    key = blake2b(row.id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    if key not in seen:
        seen.add(key)
        return prediction
    report.duplicates += 1
    if len(report.first_duplicates) < _MOST_PROBLEMS:
        report.first_duplicates.append(f"ligne {row.number} (id {row.id})")
    note = Problem(code="duplicate_id", message="Cet identifiant se trouve déjà plus haut dans le fichier.")
    return prediction.model_copy(update={"warnings": [*prediction.warnings, note]})


def _predictions(rows: Iterator[Row], job: Job, loaded: Analyser | None) -> Iterator[tuple[Row, Prediction]]:
    start = list(islice(rows, _WORTH_WORKERS))
    if job.workers > 1 and len(start) == _WORTH_WORKERS:
        yield from _in_processes(chain(start, rows), job)
    else:
        analyser = loaded or Analyser.load(job.model_dir)
        for row in chain(start, rows):
            yield row, _predict_row(analyser, row, job.options)


def _predict_row(analyser: Analyser, row: Row, options: Options) -> Prediction:
    if row.text is not None:
        return analyser.predict(row.text, id=row.id, options=options)
    return Prediction(
        id=row.id,
        status="error",
        model_version=analyser.artefact.version,
        operating_point=options.operating_point,
        error=Problem(code="invalid_text", message=row.problem or "texte illisible"),
    )


_ANALYSER: list[Analyser] = []


def _start_worker(model_dir: Path) -> None:
    # Ctrl-C is for the parent, which then stops its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _ANALYSER.append(Analyser.load(model_dir))


def _score_chunk(rows: list[Row], options: Options) -> list[Prediction]:
    return [_predict_row(_ANALYSER[0], row, options) for row in rows]


def _in_processes(rows: Iterator[Row], job: Job) -> Iterator[tuple[Row, Prediction]]:
    context = get_context("spawn")
    pool = ProcessPoolExecutor(job.workers, mp_context=context, initializer=_start_worker, initargs=(job.model_dir,))
    waiting: deque[tuple[list[Row], Future[list[Prediction]]]] = deque()
    try:
        while True:
            while len(waiting) < job.workers * _IN_FLIGHT and (chunk := list(islice(rows, _CHUNK))):
                waiting.append((chunk, pool.submit(_score_chunk, chunk, job.options)))
            if not waiting:
                return
            chunk, future = waiting.popleft()
            yield from zip(chunk, future.result(), strict=True)
    except BrokenProcessPool as error:
        raise BatchError("Un processus de calcul s'est arrêté (mémoire ?) ; relancez avec moins de --workers.") from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
