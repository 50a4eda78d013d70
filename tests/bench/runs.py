"""One run over a file in processes of its own, one thread each: how long without loading, how much memory."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from model.errors import VigieError
from tests.bench.watching import Look, watched

#: Every library that would start threads of its own is held to one.
ONE_THREAD: Final = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS")} | {
    "TOKENIZERS_PARALLELISM": "false"
}

#: Share of the rows that warm a tool up: tables, caches and networks are partly made by the first texts.
_WARM_UP: Final = 0.1


class BenchError(VigieError):
    """A measure that cannot be taken; the message says of what, and why."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run told: rows and seconds that count, seconds before them, peak bytes of the tree of processes.

    `report` holds all that the process wrote, `looks` its memory over time.
    """

    rows: int
    seconds: float
    startup: float
    peak: int | None
    report: dict[str, Any]
    looks: list[Look]

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds


def run_module(module: str, arguments: Sequence[object], every: float = 0.5) -> Run:
    """Run a module that writes a JSON object to standard output: `begun`, and `progress` as `counted` takes it.

    Raises:
        BenchError: it failed; the message ends with its last line.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said, tempfile.TemporaryFile("w+", encoding="utf-8") as faults:
        process = subprocess.Popen(command, stdout=said, stderr=faults, env=os.environ | ONE_THREAD)
        try:
            with watched(process.pid, every) as watch:
                code = process.wait()
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
        said.seek(0)
        faults.seek(0)
        if code != 0:
            last = (faults.read().strip() or f"code {code}").splitlines()[-1]
            raise BenchError(f"{module} {' '.join(map(str, arguments))} : {last}")
        report: dict[str, Any] = json.loads(said.read())
    rows, seconds, startup = counted(report["begun"], report["progress"])
    return Run(rows, seconds, startup, watch.peak, report, watch.looks)


def counted(begun: float, progress: Sequence[Sequence[float]]) -> tuple[int, float, float]:
    """Rows and seconds that count, and the seconds before them: loading, and the first tenth of the rows, as warm-up.

    Args:
        begun: when the run began, in seconds of the monotonic clock.
        progress: moments and rows done by then; the last is the end.
    """
    ended, total = progress[-1]
    # A file so small that all is answered at once still has a rate: that of all of it.
    whole = progress[0] if progress[0][1] < total else (begun, 0)
    first, before = next(((at, rows) for at, rows in progress if _WARM_UP * total <= rows < total), whole)
    return int(total - before), ended - first, first - begun


def lines_of(path: Path) -> int:
    """Number of lines of a file."""
    with path.open("rb") as content:
        return sum(1 for _ in content)
