"""What each process of a cluster does: score a part, one thread, the model loaded once, and put it in its place whole."""

import hashlib
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from model.errors import VigieError
from model.records import OperatingPointName, Problem
from service.batch.encode import encoder_for
from service.batch.journal import Shard
from service.batch.manifest import MOST_NAMED
from service.batch.outputs import Output
from service.batch.pool import answered
from service.batch.records import Row, Scored, failed
from service.batch.scoring import ModelFile, TextScorer, encoded, load_scorer, too_slow
from service.cluster.table import InputTable
from service.cluster.work import Attempt, Done, Parts

if TYPE_CHECKING:
    from model.analyser import Options

#: Attempts at a part, whatever ends them; the last one gives the part up without touching its rows.
ATTEMPTS: Final = 8
#: What a process answers for each of its parts, in the terms of Spark.
SCHEMA: Final = "part int, fault string"
_DIGEST: Final = 8


@dataclass(frozen=True, slots=True)
class Loader:
    """How a process loads its scorer; two that are equal load the same one."""

    model: ModelFile
    options: "Options"

    def __call__(self) -> TextScorer:
        """Load it, the manifest checked against the one that the run was begun with."""
        return load_scorer(self.model, self.options)


@dataclass(frozen=True, slots=True)
class Setup:
    """What processes need: how to load the scorer, the table, where parts go, rows a part, seconds a text, and the session."""

    load: Callable[[], TextScorer]
    table: InputTable
    parts: Parts
    part_rows: int
    seconds: float
    version: str
    operating_point: OperatingPointName
    session: int
    waiting: tuple[int, ...] = ()

    def bounds(self, part: int) -> tuple[int, int]:
        """The rows of a part: the first, from 0, and the one after the last."""
        return part * self.part_rows, min((part + 1) * self.part_rows, self.table.rows)


@lru_cache(maxsize=1)
def _loaded(load: Callable[[], TextScorer]) -> TextScorer:
    return load()


def score_frames(setup: Setup, frames: Iterator[Any]) -> Iterator[Any]:
    """For `DataFrame.mapInPandas`: places in `waiting` in (column `id`), parts and their fault, if any, out."""
    import pandas as pd
    from pyspark import TaskContext

    task = TaskContext.get()
    for frame in frames:
        parts = [setup.waiting[place] for place in frame["id"]]
        faults = [score_part(setup, part, task.attemptNumber(), task.taskAttemptId()) for part in parts]
        yield pd.DataFrame({"part": pd.array(parts, dtype="int32"), "fault": pd.array(faults, dtype="object")})


def score_part(setup: Setup, part: int, number: int = 0, attempt_id: int = 0) -> str | None:
    """Score a part and keep it; None, or why it could not be done, which another attempt would not change.

    `number` counts the attempts at this task from 0; `attempt_id` grows from one attempt to the next.
    """
    if setup.parts.note(part).is_file():
        return None
    first, after = setup.bounds(part)
    place = f"lignes {first + 1} à {after}"
    if number >= ATTEMPTS - 1:
        return f"{place} : le système a arrêté {number} fois le processus qui les analysait (mémoire ?)."
    try:
        attempt = Attempt(setup.parts, part, setup.session, attempt_id)
        try:
            _score(setup, part, attempt, attempt_id)
        except Exception:
            attempt.end()
            raise
        attempt.end()
    except VigieError as error:
        return f"{place} : {error}"
    except OSError as error:
        return f"{place} : {error.strerror or error}."
    return None


class _Tally:
    """What the rows of a part come to."""

    def __init__(self) -> None:
        self.rows = hashlib.sha256()
        self.ids: list[bytes] = []
        self.statuses: Counter[str] = Counter()
        self.levels: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.faults: list[str] = []

    def add(self, row: Row, scored: Scored) -> None:
        self.rows.update(repr((row.id, row.text, row.problem)).encode("utf-8", "surrogatepass"))
        self.ids.append(hashlib.blake2b(row.id.encode("utf-8", "surrogatepass"), digest_size=_DIGEST).digest())
        self.statuses[scored.status] += 1
        if scored.level is not None:
            self.levels[str(scored.level)] += 1
        if scored.error:
            self.errors[scored.error[0]] += 1
            if len(self.faults) < MOST_NAMED:
                self.faults.append(f"ligne {row.number} (id {row.id}) : {scored.error[1]}")


def _score(setup: Setup, part: int, attempt: Attempt, attempt_id: int) -> None:
    begun = time.monotonic()
    scorer = _loaded(setup.load)
    loaded = time.monotonic()
    final = setup.parts.data(part)
    written = final.with_name(f".{part:07d}.{setup.session}.{attempt_id}.parquet")
    first, after = setup.bounds(part)
    tally = _Tally()
    with Output(written) as output, closing(setup.table.read(first, after)) as rows:
        for row in rows:
            scored = _answer(setup, scorer, row, attempt, written)
            output.sink.write(scored.line)
            tally.add(row, scored)
    with written.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    ended = time.monotonic()
    shard = Shard(
        first=first + 1,
        last=after,
        digest=tally.rows.hexdigest(),
        size=written.stat().st_size,
        sha256=digest,
        statuses=dict(tally.statuses),
        levels=dict(tally.levels),
        errors=dict(tally.errors),
        duplicates=0,
        faults=tally.faults,
        first_duplicates=[],
        session=setup.session,
        elapsed=round(ended - begun, 3),
        lost=attempt.before,
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    done = Done(shard, round(loaded - begun, 3), round(ended - loaded, 3), peak)
    setup.parts.keep(part, written, b"".join(tally.ids), done)


def _answer(setup: Setup, scorer: TextScorer, row: Row, attempt: Attempt, written: Path) -> Scored:
    encode = encoder_for(written)
    if row.number in attempt.lost:
        message = "Le système a arrêté chaque processus qui analysait ce texte (mémoire ?)."
        late = attempt.lost[row.number] == "timeout"
        problem = too_slow(setup.seconds) if late else Problem(code="invalid_text", message=message)
        return encoded(failed(row.id, problem, scorer.version, scorer.operating_point), row, encode)
    attempt.begin(row.number)
    return answered(scorer, row, setup.seconds, encode, attempt.overdue)
