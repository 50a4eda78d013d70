"""What a scenario of faults is given: a folder, databases of both kinds, people, the process that forks; and what it says."""

import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine

from service.database import connect_database, open_database
from service.settings import Settings
from service.workplace.people import Person
from tests.harness.faults_zygote import Zygote
from tests.harness.killed import Found, Report
from tests.service.conftest import free_port

KINDS = ("sqlite", "postgresql")
#: Settings that a process is given.
_GIVEN = (
    *("database_url", "port", "spool_dir", "model_dir", "scoring", "scoring_batch", "demo", "workers", "client_seconds"),
    *("stream_idle", "corpus_dir", "suites_dir", "purged_file"),
)


@dataclass
class Outcome:
    """What a scenario found.

    `kills`: times something was killed. `acknowledged`: things told to be kept or done, of which `lost` are not there
    afterwards, and `half` are there, or shown, half-made. `recovery`: the longest that it took, in seconds, until all went on
    once the fault was over; None where nothing stopped. `counted`: what else was counted. `wrong`: what is wrong, in French.
    """

    kills: int = 0
    acknowledged: int = 0
    lost: int = 0
    half: int = 0
    recovery: float | None = None
    counted: dict[str, float] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def expect(self, held: bool, otherwise: str) -> None:
        """Note what is wrong where something does not hold."""
        if not held:
            self.wrong.append(otherwise)

    def expect_none_lost(self, count: int, otherwise: str) -> None:
        """Note so many things that were acknowledged and are not there."""
        self.lost += count
        self.expect(not count, otherwise)

    def expect_none_half(self, count: int, otherwise: str) -> None:
        """Note so many things that are there, or shown, half-made."""
        self.half += count
        self.expect(not count, otherwise)

    def take(self, report: Report, found: Found) -> None:
        """Add what people who decide were told, and what the database holds of it."""
        self.acknowledged += len(report.kept)
        self.lost, self.half = self.lost + found.lost, self.half + found.half
        self.wrong += found.wrong

    def recovered(self, since: float) -> None:
        """Note that all goes on now, what stopped it having ended at an instant of the monotonic clock."""
        self.recovery = max(self.recovery or 0.0, time.monotonic() - since)

    def said(self) -> str:
        """Counts in one line, in French."""
        parts = [f"{self.kills} arrêts brutaux"] if self.kills else []
        parts.append(f"confirmés {self.acknowledged}, perdus {self.lost}, à moitié écrits {self.half}")
        if self.recovery is not None:
            parts.append(f"reprise en {in_french(self.recovery)} s au plus")
        return " ; ".join([*parts, *(f"{name} {value:g}".replace(".", ",") for name, value in self.counted.items())])


def in_french(seconds: float) -> str:
    """A number with a comma, to a tenth."""
    return f"{seconds:.1f}".replace(".", ",")


@dataclass
class Field:
    """Where scenarios run. `small`: the short form."""

    folder: Path
    models: Path
    small: bool = False
    seed: int = 7
    server: str | None = None
    _zygote: Zygote | None = None
    _stack: ExitStack = field(default_factory=ExitStack)
    _count: int = 0

    def chance(self) -> random.Random:
        """Draws that are the same each time."""
        return random.Random(self.seed)

    def some(self, long: int, short: int) -> int:
        """How many, in the long form and in the short one."""
        return short if self.small else long

    def zygote(self) -> Zygote:
        """The process that forks, started once."""
        if self._zygote is None:
            self._zygote = Zygote(self.models, self.folder / "journal")
        return self._zygote

    def new_folder(self, name: str) -> Path:
        """A folder of its own."""
        self._count += 1
        path = self.folder / f"{name}-{self._count}"
        path.mkdir()
        return path

    def url(self, kind: str) -> str:
        """The address of a database with nothing in it."""
        if kind == "sqlite":
            return f"sqlite:///{self.new_folder('base') / 'vigie.db'}"
        from tests.service.workplace.postgres import cluster, run_sql

        if self.server is None:
            self.server = self._stack.enter_context(cluster(self.new_folder("postgres")))
        self._count += 1
        run_sql(self.server, f"create database faults{self._count}")
        return f"{self.server}/faults{self._count}"

    @contextmanager
    def database(self, kind: str) -> Iterator[Engine]:
        """A database with every table."""
        url = self.url(kind)
        open_database(url).dispose()
        engine = connect_database(url)
        yield engine
        engine.dispose()

    def settings(self, url: str, **more: object) -> Settings:
        """Settings of a service on a database, with a port and a spool of its own."""
        given = {"database_url": url, "port": free_port(), "spool_dir": self.new_folder("attente"), "model_dir": self.models}
        return Settings.model_validate({**given, "scoring": False, "demo": False, **more})

    def close(self) -> None:
        """End what was started."""
        if self._zygote is not None:
            self._zygote.stop()
        self._stack.close()


def environment(settings: Settings) -> dict[str, str]:
    """Settings as a process is given them."""
    return {f"VIGIE_{name.upper()}": str(getattr(settings, name)) for name in _GIVEN}


def pick_up(outcome: Outcome, since: float, condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Wait until all goes on again, and note how long that took since an instant of the monotonic clock."""
    if until(condition, seconds):
        outcome.recovered(since)
    else:
        outcome.wrong.append(otherwise)


def more(report: Report) -> Callable[[], bool]:
    """Whether three more decisions were acknowledged since now."""
    enough = len(report.kept) + 3
    return lambda: len(report.kept) >= enough


def add_people(engine: Engine, count: int) -> list[Person]:
    """So many analysts."""
    from tests.service.workplace.conftest import add_person

    with engine.begin() as connection:
        return [add_person(connection, f"lecteur{number}", "analyst") for number in range(count)]


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until something holds; False where it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def copy_models(models: Path, target: Path) -> Path:
    """A root of models of its own, with the one that serves."""
    from model.store import current_name

    name = current_name(models)
    target.mkdir()
    shutil.copytree(models / name, target / name)
    (target / "current").write_text(f"{name}\n", encoding="utf-8")
    return target


Scenario = Callable[[Field], Outcome]
