"""Processes that score tasks, one thread each; one that the system ends costs no row but the one that ended it."""

import faulthandler
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import IO, Any, Final

from model.errors import ArtefactError, BatchError, VigieError
from model.records import OperatingPointName, Problem
from service.batch.encode import Encoder, encoder_for
from service.batch.records import Row, Scored, Task, failed
from service.batch.scoring import TextScorer, encoded, score_row, too_slow

#: How often a worker tells what it has done, in seconds.
_REPORT: Final = 0.2
#: How many processes in a row a text must end before it is given up.
_STRIKES: Final = 3
_FAILED_STARTS: Final = 3
_GOODBYE: Final = 5.0
#: How `faulthandler` ends a process whose time is over.
_OVERDUE: Final = 1
#: After how many rows a process makes way for a new one, whatever its libraries keep of texts: a start costs 0.1 ms a row.
_RECYCLED: Final = 100_000

Tick = Callable[[Task], None]


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker needs: how to load its scorer, the name of the output, seconds a text; and what stands in lost rows.

    A worker that has answered `recycle` rows is replaced by a new one between two tasks.
    """

    load: Callable[[], TextScorer]
    output: Path
    seconds: float
    version: str
    operating_point: OperatingPointName
    recycle: int = _RECYCLED


class _Worker:
    def __init__(self, setup: Setup) -> None:
        context = get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, setup), daemon=True)
        self.process.start()
        theirs.close()
        self.ready = False
        self.task: Task | None = None
        self.answered = 0

    def give(self, task: Task) -> bool:
        """Hand over the rows of a task that have no answer yet; False if the process is gone."""
        self.task = task
        try:
            self.connection.send((task.waiting, task.careful))
        except OSError:
            return False
        return True

    def end(self, patience: float = 0.0) -> int | None:
        """End the process, first by itself, and return its exit code."""
        self.connection.close()
        self.process.join(patience)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        return self.process.exitcode


class Pool:
    """Workers, at most `limit`, started as there is work for them. `lost` counts those that the system ended."""

    def __init__(self, setup: Setup, limit: int) -> None:
        self.setup = setup
        self.limit = limit
        self.encode = encoder_for(setup.output)
        self.workers: list[_Worker] = []
        self.queue: deque[Task] = deque()
        self.lost = 0
        self.failed_starts = 0

    def run(self, tasks: Iterator[Task], tick: Tick) -> Generator[Task]:
        """The tasks with all their answers, as they are done; `tick` is told of every progress.

        Raises:
            ArtefactError: the model cannot be loaded.
            BatchError: processes end before they have loaded it.
        """
        patience = 0.0
        try:
            while self._hand_out(tasks):
                for ready in wait([worker.connection for worker in self.workers]):
                    worker = next(worker for worker in self.workers if worker.connection is ready)
                    task = self._hear(worker)
                    if task is not None:
                        tick(task)
                        if not task.waiting:
                            yield task
            patience = _GOODBYE
        finally:
            for worker in self.workers:
                worker.connection.close()
            for worker in self.workers:
                worker.end(patience)

    def _hand_out(self, tasks: Iterator[Task]) -> bool:
        """Give idle workers their next task, with one in reserve for each; False once all is done."""
        busy = sum(worker.task is not None for worker in self.workers)
        while len(self.queue) < self.limit - busy + 1 and (task := next(tasks, None)) is not None:
            self.queue.append(task)
        while len(self.workers) < min(self.limit, busy + len(self.queue)):
            self.workers.append(_Worker(self.setup))
        for worker in self.workers:
            if worker.ready and worker.task is None and self.queue:
                # One that is gone is heard of as the end of its connection.
                worker.give(self.queue.popleft())
        return bool(self.queue) or any(worker.task is not None for worker in self.workers)

    def _hear(self, worker: _Worker) -> Task | None:
        """Take what a worker says; the task that it moves forward, if any."""
        try:
            kind, content = worker.connection.recv()
        except (EOFError, OSError):
            return self._bury(worker)
        if kind == "failed":
            raise ArtefactError(content)
        if kind == "ready":
            worker.ready = True
            self.failed_starts = 0
            return None
        task = worker.task
        assert task is not None
        task.done.extend(content)
        worker.answered += len(content)
        if not task.waiting:
            worker.task = None
            if worker.answered >= self.setup.recycle:
                self.workers.remove(worker)
                worker.end(_GOODBYE)
        return task

    def _bury(self, worker: _Worker) -> Task | None:
        self.workers.remove(worker)
        code = worker.end(_GOODBYE)
        self.lost += 1
        if not worker.ready:
            self.failed_starts += 1
            if self.failed_starts >= _FAILED_STARTS:
                raise BatchError("Les processus de calcul s'arrêtent avant d'avoir chargé le modèle (mémoire ?).")
            return None
        task = worker.task
        if task is None:
            return None
        self._suspect(task, overdue=code == _OVERDUE)
        task.careful = True
        if task.waiting:
            self.queue.appendleft(task)
        return task

    def _suspect(self, task: Task, *, overdue: bool) -> None:
        """Count a strike against the first row without an answer; the last one makes it a row with an error.

        Where rows are not answered one at a time, it may be a row before the one at fault: that decides nothing yet.
        """
        place = len(task.done)
        task.strikes = task.strikes + 1 if task.suspect == place else 1
        task.suspect = place
        if not task.careful or (task.strikes < _STRIKES and not overdue):
            return
        row = task.rows[place]
        message = "Le système a arrêté chaque processus qui analysait ce texte (mémoire ?)."
        problem = too_slow(self.setup.seconds) if overdue else Problem(code="invalid_text", message=message)
        task.done.append(encoded(failed(row.id, problem, self.setup.version, self.setup.operating_point), row, self.encode))


def _work(connection: "Connection[Any, Any]", setup: Setup) -> None:
    # Ctrl-C is for the parent, which then ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_follow_parent, daemon=True).start()
    try:
        scorer = setup.load()
    except VigieError as error:
        connection.send(("failed", str(error)))
        return
    except Exception as error:
        connection.send(("failed", f"Le modèle n'a pas pu être chargé ({type(error).__name__} : {error})."))
        return
    encode = encoder_for(setup.output)
    connection.send(("ready", None))
    with Path(os.devnull).open("w") as nowhere:
        while True:
            try:
                rows, careful = connection.recv()
            except (EOFError, OSError):
                return
            waiting: list[Scored] = []
            told = time.monotonic()
            for row in rows:
                if waiting and (careful or time.monotonic() - told > _REPORT):
                    connection.send(("rows", waiting))
                    waiting, told = [], time.monotonic()
                waiting.append(answered(scorer, row, setup.seconds, encode, nowhere))
            connection.send(("rows", waiting))


def answered(scorer: TextScorer, row: Row, seconds: float, encode: Encoder, overdue: IO[str]) -> Scored:
    """The encoded answer of a row; a text that holds the process for much more than `seconds` ends it, told in `overdue`."""
    # The time limit is looked at between two steps; one step that never ends is ended from outside, with its process.
    faulthandler.dump_traceback_later(1.5 * seconds + 1, exit=True, file=overdue)
    try:
        return encoded(score_row(scorer, row, seconds), row, encode)
    except Exception as error:
        problem = Problem(code="invalid_text", message=f"La réponse n'a pas pu être écrite ({type(error).__name__}).")
        return encoded(failed(row.id, problem, scorer.version, scorer.operating_point), row, encode)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _follow_parent() -> None:
    """End this process as soon as its parent ends, even killed: a run that is resumed must be alone."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
