"""Score a file in shards that are kept as they are done: a run that stops, however it stops, goes on where it was.

1. The rows are read as a stream and cut into tasks; the processes score them in any order.
2. A finished task is a shard: a file in the work folder, on disk before the journal says so.
3. Shards are put together in the order of the rows, the output takes its name, the manifest is written, and the work
   folder goes.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from model.analyser import Analyser, Options
from model.errors import BatchError, VigieError
from model.signing import Trust
from model.store import current_name
from service.batch.encode import encoder_for
from service.batch.journal import FORMAT, Journal, Shard, locked
from service.batch.manifest import MOST_NAMED, date, fingerprint, finished, report_of, write_manifest
from service.batch.outputs import Output, check_output
from service.batch.plan import Reading, tasks
from service.batch.pool import Pool, Setup
from service.batch.records import Report, Source, Task
from service.batch.scoring import ModelFile, TextScorer, encoded, load_scorer, score_row, scorer_of

#: Loading the model in another process costs seconds; fewer rows than this are scored faster in this one.
_WORTH_WORKERS: Final = 400
#: Where as many sessions finish nothing, a text may be what ends them: processes of their own then score them.
_SUSPICIOUS_SESSIONS: Final = 3
#: Seconds a text. The longest that are allowed take some seconds each.
TIMEOUT: Final = 30.0

Progress = Callable[[int, float], None]


@dataclass(frozen=True, slots=True)
class Job:
    """What to score and how: input, output, model, options, processes, and what to do with what is already there.

    `timeout` is in seconds a text. `shard_rows` changes how much is lost when a run stops, never the output. `trust`: the
    keys whose model is loaded, as for `model.store.load_artefact`.
    """

    source: Source
    output: Path
    model_dir: Path
    options: Options
    workers: int = 1
    overwrite: bool = False
    resume: bool = False
    timeout: float = TIMEOUT
    shard_rows: int | None = None
    trust: Trust | None = None


def run(job: Job, progress: Progress | None = None, analyser: Analyser | None = None) -> Report:
    """Score all rows of a job; a row that cannot be scored becomes a row with an error.

    `analyser` spares loading the model where rows are few enough to be scored in this process.

    Raises:
        BatchError: input or output cannot be used, or the run cannot be resumed, or it stopped half way; then no file is
            left under the output's name, and what was scored is kept in the work folder.
        ArtefactError: the model cannot be trusted.
    """
    if job.source.path.resolve() == job.output.resolve():
        raise BatchError(f"{job.output} : l'entrée et la sortie sont le même fichier.")
    check_output(job.output)
    if job.output.exists() and not job.overwrite and not job.resume:
        raise BatchError(f"{job.output} : ce fichier existe déjà. Choisissez un autre nom ou ajoutez --overwrite.")
    # One model for the whole run, whichever comes to serve meanwhile.
    name = analyser.artefact.version if analyser else current_name(job.model_dir)
    model = ModelFile.of(analyser.artefact.folder.parent if analyser else job.model_dir, name, job.trust)
    reading = Reading(job.source, job.output, job.options.max_characters)
    with locked(job.output) as folder:
        return _Run(job, model, reading, Journal(folder), progress, analyser).go()


class _Run:
    """One session of a run that holds its work folder."""

    def __init__(
        self,
        job: Job,
        model: ModelFile,
        reading: Reading,
        journal: Journal,
        progress: Progress | None,
        analyser: Analyser | None,
    ) -> None:
        self.job = job
        self.model = model
        self.reading = reading
        self.journal = journal
        self.progress = progress
        self.analyser = analyser
        self.started = time.monotonic()
        self.share = 0.0
        self.begun: dict[int, int] = {}
        self.pool: Pool | None = None

    def go(self) -> Report:
        job, journal = self.job, self.journal
        self._refuse_leftovers()
        before = job.source.path.stat()
        key = self._key()
        if job.resume and (done := finished(job.output, key)):
            journal.remove()
            return done
        try:
            self._open(key)
        except OSError as error:
            raise BatchError(f"{journal.folder} : écriture impossible ({error.strerror or error}).") from error
        try:
            self._score()
            after = job.source.path.stat()
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) and self._key() != key:
                raise BatchError(f"{job.source.path} a changé pendant l'analyse.")
            return self._finish()
        except (OSError, VigieError) as error:
            message = f"écriture impossible ({error.strerror or error})." if isinstance(error, OSError) else str(error)
            kind = type(error) if isinstance(error, VigieError) and len(error.args) == 1 else BatchError
            raise kind(message + self._hint()) from error
        finally:
            if not journal.rows:
                journal.remove()

    def _hint(self) -> str:
        """What to do with the rows that are kept, as a sentence."""
        if not self.journal.rows:
            return ""
        return f" {self.journal.rows} ligne(s) analysée(s), gardée(s) dans {self.journal.folder} : relancez avec --resume."

    def _key(self) -> dict[str, Any]:
        """What makes two runs the same: model, options, input."""
        job = self.job
        source = {name: value for name, value in asdict(job.source).items() if name != "path"}
        options = {**asdict(job.options), **source, "timeout": job.timeout, "output_ending": "".join(job.output.suffixes[-2:])}
        model = {"version": self.model.name, "manifest_sha256": self.model.sha256}
        return {"model": model, "options": options, "input": fingerprint(job.source.path)}

    def _refuse_leftovers(self) -> None:
        """Refuse to mix with what an earlier run left.

        Raises:
            BatchError: there is something, and the command does not say what to do with it.
        """
        if self.journal.key is None and (foreign := self.journal.foreign()):
            raise BatchError(
                f"{self.journal.folder} : ce dossier contient « {foreign} », qui n'est pas d'une analyse. "
                "Déplacez-le ou choisissez un autre nom de sortie."
            )
        if self.journal.key is None or self.job.resume or self.job.overwrite:
            return
        raise BatchError(
            f"{self.journal.folder} : une analyse interrompue y a laissé {self.journal.rows} ligne(s). "
            "Ajoutez --resume pour la reprendre ou --overwrite pour tout recommencer."
        )

    def _open(self, key: dict[str, Any]) -> None:
        """Begin a run, or go on with the one that was interrupted.

        Raises:
            BatchError: it cannot be resumed; the message says what is not as it was.
        """
        job, journal = self.job, self.journal
        if journal.key is None or not job.resume:
            if job.output.exists() and not job.overwrite:
                raise BatchError(f"{job.output} : ce fichier existe déjà. Choisissez un autre nom ou ajoutez --overwrite.")
            journal.clear()
            rows = job.shard_rows or self.reading.shard_rows(job.workers)
            journal.write("run", format=FORMAT, key=key, started=date(), shard_rows=rows, overwrite=job.overwrite)
        else:
            self._compare(journal.key, key)
            if job.output.exists() and not (job.overwrite or journal.overwrite or journal.assembling):
                raise BatchError(f"{job.output} : ce fichier existe déjà, et l'analyse interrompue ne l'a pas écrit.")
            journal.check_shards()
            if journal.key["input"] != key["input"]:
                journal.write("input", input=key["input"])
        journal.write("session")

    def _compare(self, then: dict[str, Any], now: dict[str, Any]) -> None:
        faults = []
        if then["model"] != now["model"]:
            names = f"{then['model']['version']} alors, {now['model']['version']} à présent"
            faults.append(f"le modèle qui sert n'est plus le même ({names})")
        for name, value in now["options"].items():
            if then["options"].get(name) != value:
                faults.append(f"l'option {name} a changé ({then['options'].get(name)} alors, {value} à présent)")
        # A damaged input may come back repaired: the rows that were scored are then compared one shard at a time.
        if then["input"] != now["input"] and not self.journal.unreadable:
            faults.append(f"l'entrée {self.job.source.path} a changé (sha256)")
        if faults:
            raise BatchError(
                f"{self.journal.folder} : reprise impossible, {' ; '.join(faults)}. "
                "Relancez avec les mêmes réglages, ou avec --overwrite et sans --resume pour tout recommencer."
            )

    def _score(self) -> None:
        job, journal = self.job, self.journal
        waiting = tasks(self.reading.rows, dict(journal.shards), journal.shard_rows)
        few = self.reading.few is not None and self.reading.few < _WORTH_WORKERS
        if few and journal.idle_sessions < _SUSPICIOUS_SESSIONS:
            done = self._here(waiting)
        else:
            load = partial(load_scorer, self.model, job.options)
            setup = Setup(load, job.output, job.timeout, self.model.name, job.options.operating_point)
            self.pool = Pool(setup, job.workers)
            done = self.pool.run(waiting, self._tick)
        with closing(done):
            for task in done:
                self._keep(task)
        if self.reading.broken:
            journal.write("unreadable", rows=self.reading.broken.rows)
            raise BatchError(str(self.reading.broken))

    def _here(self, waiting: Iterator[Task]) -> Generator[Task]:
        """Score tasks in this process; the model is loaded for the first one."""
        encode = encoder_for(self.job.output)
        scorer: TextScorer | None = None
        for task in waiting:
            if scorer is None:
                scorer = (
                    scorer_of(self.analyser, self.job.options) if self.analyser else load_scorer(self.model, self.job.options)
                )
            for row in task.rows:
                task.done.append(encoded(score_row(scorer, row, self.job.timeout), row, encode))
                self._tick(task)
            yield task

    def _tick(self, task: Task) -> None:
        if self.progress and task.done:
            self.begun[task.first] = len(task.done)
            self.share = max(self.share, task.rows[len(task.done) - 1].progress)
            self.progress(self.journal.rows + sum(self.begun.values()), self.share)

    def _keep(self, task: Task) -> None:
        pairs = list(zip(task.rows, task.done, strict=True))
        lines = [scored.line for scored in task.done]
        content = b"".join(lines)
        faults = [f"ligne {row.number} (id {row.id}) : {scored.error[1]}" for row, scored in pairs if scored.error]
        again = [f"ligne {row.number} (id {row.id})" for row in task.rows if row.duplicate]
        self.journal.keep(
            Shard(
                first=task.first,
                last=task.rows[-1].number,
                digest=task.digest,
                size=len(content),
                sha256=hashlib.sha256(content).hexdigest(),
                statuses=dict(Counter(scored.status for scored in task.done)),
                levels=dict(Counter(str(scored.level) for scored in task.done if scored.level is not None)),
                errors=dict(Counter(scored.error[0] for scored in task.done if scored.error)),
                duplicates=len(again),
                faults=faults[:MOST_NAMED],
                first_duplicates=again[:MOST_NAMED],
                session=self.journal.sessions,
                elapsed=round(time.monotonic() - self.started, 3),
                lost=self.pool.lost if self.pool else 0,
            ),
            content,
        )
        self.begun.pop(task.first, None)

    def _finish(self) -> Report:
        """Put the shards together, then write the manifest, then remove the work folder."""
        job, journal = self.job, self.journal
        shards = sorted(journal.shards.values(), key=lambda shard: shard.first)
        journal.write("assembling")
        with Output(job.output) as output:
            for shard in shards:
                if not journal.is_whole(shard):
                    raise BatchError(f"{journal.file_of(shard.first)} a changé depuis son écriture (disque ?).")
                output.copy(journal.file_of(shard.first))
        journal.spent[journal.sessions] = (time.monotonic() - self.started, self.pool.lost if self.pool else 0)
        seconds, lost = (sum(figures) for figures in zip(*journal.spent.values(), strict=True))
        report = report_of(shards, seconds, int(lost))
        write_manifest(job.output, job.source.path, journal, report, job.workers)
        journal.remove()
        return report
