"""Score a table on a cluster: parts in any order, each kept as it is done; the output is a folder of Parquet files, in order.

1. The rows of the input are cut into parts of as many; only its footers are read here.
2. Each part is a task of Spark that reads, scores and keeps its part by itself (`service.cluster.worker`): what is done stays
   done, whatever becomes of Spark.
3. Once all parts are there, the manifest is written, their folder takes the name of the output, and the work folder goes.
"""

import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, Final

from model.errors import BatchError, VigieError
from model.store import current_name
from service.batch.engine import Job
from service.batch.journal import locked
from service.batch.manifest import date, manifest_path
from service.batch.outputs import settle
from service.batch.records import Report
from service.batch.scoring import ModelFile
from service.cluster import session
from service.cluster.manifest import SUCCESS, finished, is_ours, manifest_of, report_of_run
from service.cluster.table import InputTable
from service.cluster.work import Work, write_whole
from service.cluster.worker import Loader, Setup

Progress = Callable[[int, float], None]
_MOST_FAULTS: Final = 3


def run(job: Job, progress: Progress | None = None) -> Report:
    """Score all rows of a job with Spark; a row that cannot be scored becomes a row with an error.

    Raises:
        BatchError: input or output cannot be used, Spark cannot be started, the run cannot be resumed, or parts could not be
            done; then nothing is under the output's name, and what was scored is kept in the work folder.
        ArtefactError: the model cannot be trusted.
    """
    _check_output(job)
    table = InputTable.of(job.source)
    root = job.model_dir.resolve()
    # One model for the whole run, whichever comes to serve meanwhile.
    model = ModelFile.of(root, current_name(root), job.trust)
    with locked(job.output) as folder:
        return Run(job, table, model, Work(folder.resolve()), progress).go()


def _check_output(job: Job) -> None:
    source, output = job.source.path.resolve(), job.output.resolve()
    if output == source or output in source.parents or source in output.parents:
        raise BatchError(f"{job.output} : l'entrée et la sortie sont le même dossier, ou l'un est dans l'autre.")
    if job.output.suffix.lower() not in ("", ".parquet"):
        raise BatchError(f"{job.output} : --engine spark écrit un dossier de fichiers Parquet ; donnez un nom en .parquet.")
    if not job.output.parent.is_dir():
        raise BatchError(f"{job.output} : écriture impossible (le dossier {job.output.parent} n'existe pas).")
    if job.output.exists() and not job.overwrite and not job.resume:
        raise BatchError(f"{job.output} : cette sortie existe déjà. Choisissez un autre nom ou ajoutez --overwrite.")
    if job.output.exists() and not is_ours(job.output):
        raise BatchError(f"{job.output} : ce qui s'y trouve n'est pas une sortie de Vigie, et ne sera pas remplacé.")


class Run:
    """One session of a run that holds its work folder."""

    def __init__(self, job: Job, table: InputTable, model: ModelFile, work: Work, progress: Progress | None) -> None:
        self.job = job
        self.table = table
        self.model = model
        self.work = work
        self.progress = progress
        self.begun = time.monotonic()

    def go(self) -> Report:
        """Do what is left of the run; see `run`."""
        job, work = self.job, self.work
        key = self.key()
        self._refuse_leftovers()
        if job.resume and (done := finished(job.output, key, deep=True)):
            work.clear()
            return done
        try:
            self._open(key)
            self._score()
            return self._finish()
        except OSError as error:
            raise BatchError(f"{work.folder} : écriture impossible ({error.strerror or error}).{self._hint()}") from error
        except VigieError as error:
            raise type(error)(f"{error}{self._hint()}") from error

    def key(self) -> dict[str, Any]:
        """What makes two runs the same: model, options, input."""
        job = self.job
        source = {"text_column": job.source.text_column, "id_column": job.source.id_column}
        options = {**asdict(job.options), **source, "timeout": job.timeout, "engine": "spark"}
        model = {"version": self.model.name, "manifest_sha256": self.model.sha256}
        return {"model": model, "options": options, "input": self.table.fingerprint()}

    def _hint(self) -> str:
        """What to do with the rows that are kept, as a sentence; a run that kept none leaves nothing."""
        if self.work.run is None:
            return ""
        if self.work.named:
            return " Relancez avec --resume."
        rows = self._rows(self.work.parts.finished())
        if rows:
            return f" {rows} ligne(s) analysée(s), gardée(s) dans {self.work.folder} : relancez avec --resume."
        self.work.clear()
        return ""

    def _refuse_leftovers(self) -> None:
        """Refuse to mix with what an earlier run left.

        Raises:
            BatchError: there is something, and the command does not say what to do with it.
        """
        work = self.work
        if foreign := work.foreign():
            raise BatchError(
                f"{work.folder} : ce dossier contient « {foreign} », qui n'est pas d'une analyse sur Spark. "
                "Déplacez-le ou choisissez un autre nom de sortie."
            )
        if work.run is not None and not self.job.resume and not self.job.overwrite:
            raise BatchError(
                f"{work.folder} : une analyse interrompue s'y trouve. "
                "Ajoutez --resume pour la reprendre ou --overwrite pour tout recommencer."
            )

    def _open(self, key: dict[str, Any]) -> None:
        """Begin a run, or go on with the one that was interrupted.

        Raises:
            BatchError: it cannot be resumed; the message says what is not as it was.
        """
        job, work = self.job, self.work
        if work.run is None or not job.resume:
            if job.output.exists() and not job.overwrite:
                raise BatchError(f"{job.output} : cette sortie existe déjà, et aucune analyse interrompue ne l'a écrite.")
            work.begin(key, job.shard_rows or self.table.part_rows(), date(), overwrite=job.overwrite)
        else:
            self._compare(work.run["key"], key)
            if not work.named:
                work.parts.make()
                work.parts.sweep()
        work.spend(0.0, new=True)

    def _compare(self, then: dict[str, Any], now: dict[str, Any]) -> None:
        faults = []
        if then["model"] != now["model"]:
            names = f"{then['model']['version']} alors, {now['model']['version']} à présent"
            faults.append(f"le modèle qui sert n'est plus le même ({names})")
        for name, value in now["options"].items():
            if then["options"].get(name) != value:
                faults.append(f"l'option {name} a changé ({then['options'].get(name)} alors, {value} à présent)")
        if then["input"] != now["input"]:
            faults.append(f"l'entrée {self.job.source.path} a changé")
        if faults:
            raise BatchError(
                f"{self.work.folder} : reprise impossible, {' ; '.join(faults)}. "
                "Relancez avec les mêmes réglages, ou avec --overwrite et sans --resume pour tout recommencer."
            )

    def _setup(self) -> Setup:
        work, job = self.work, self.job
        assert work.run is not None
        return Setup(
            Loader(self.model, job.options),
            self.table,
            work.parts,
            work.run["part_rows"],
            job.timeout,
            self.model.name,
            job.options.operating_point,
            len(work.seconds),
        )

    def _rows(self, parts: set[int]) -> int:
        setup = self._setup()
        return sum(after - first for first, after in map(setup.bounds, parts))

    def _score(self) -> None:
        """Do the parts that are not done.

        Raises:
            BatchError: Spark cannot be started or stopped half way, or some parts cannot be done.
        """
        parts = self.work.parts
        if self.work.named:
            return
        setup = self._setup()
        count = max(1, -(-self.table.rows // setup.part_rows))
        for part in parts.finished():
            if part >= count or not self._whole(setup, part, deep=True):
                parts.forget(part)
        waiting = sorted(set(range(count)) - parts.finished())
        if not waiting:
            return
        with session.started(self.job.workers) as spark:
            setup = session.at_executors(spark, setup)
            faults = session.score(spark, replace(setup, waiting=tuple(waiting)), self._tick)
        self._tick()
        missing = [part for part in waiting if not self._whole(setup, part, deep=False)]
        if missing:
            named = " ; ".join(faults[:_MOST_FAULTS]) or "Spark n'en a rien dit"
            raise BatchError(f"{len(missing)} part(s) sur {count} n'ont pas pu être analysées ({named}).")

    def _whole(self, setup: Setup, part: int, *, deep: bool) -> bool:
        first, after = setup.bounds(part)
        return setup.parts.is_whole(part, (first + 1, after), deep=deep)

    def _tick(self) -> None:
        rows = self._rows(self.work.parts.finished())
        self.work.spend(round(time.monotonic() - self.begun, 3))
        if self.progress:
            self.progress(rows, rows / max(1, self.table.rows))

    def _finish(self) -> Report:
        """Write the manifest, give the output its name, then remove the work folder; each step can be done again."""
        job, work = self.job, self.work
        report: Report | None
        if not work.named:
            work.parts.sweep()
            self.work.spend(round(time.monotonic() - self.begun, 3))
            count = max(1, -(-self.table.rows // self._setup().part_rows))
            found = [done for part in range(count) if (done := work.parts.read(part)) is not None]
            report = report_of_run(found, work.parts, sum(work.seconds))
            write_whole(work.manifest, manifest_of(work, job, found, report))
            self._name()
        if work.manifest.is_file():
            settle(work.manifest, manifest_path(job.output))
        report = finished(job.output, self.key(), deep=False)
        if report is None:
            raise BatchError(f"{job.output} : la sortie n'est pas celle qui vient d'être écrite (disque ?).")
        work.clear()
        return report

    def _name(self) -> None:
        """Put finished parts under the output's name; what stands there goes."""
        output, data = self.job.output, self.work.parts.folder / "data"
        (data / SUCCESS).touch()
        assert self.work.run is not None
        if output.exists() and not (self.job.overwrite or self.work.run["overwrite"]):
            raise BatchError(f"{output} : cette sortie existe déjà, et l'analyse interrompue ne l'a pas écrite.")
        if output.is_dir():
            shutil.rmtree(output)
        output.unlink(missing_ok=True)
        data.replace(output)
