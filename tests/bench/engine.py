"""Run Vigie's own batch engine on a file, as `vigie score` does, and tell its progress over time.

`python -m tests.bench.engine INPUT OUTPUT --workers N`
"""

import argparse
import json
import sys
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

from model.analyser import Options
from service.batch.engine import Job, run
from service.batch.records import Source
from service.settings import load_settings
from tests.bench.runs import BenchError

_TOLD_EVERY = 0.2


def options(*, screen: bool) -> Options:
    """The default options, with or without the cheap first look.

    Raises:
        BenchError: this version of Vigie has no first look that could be left out.
    """
    known = "screen" in {field.name for field in fields(Options)}
    if not known and not screen:
        raise BenchError("Cette version n'a pas de premier regard à omettre (Options.screen) ; choisissez avec --only.")
    chosen: dict[str, Any] = {"screen": screen} if known else {}
    return Options(**chosen)


def main() -> None:
    """Score, then write counts and the progress over time as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--no-screen", action="store_true")
    given = parser.parse_args()
    try:
        chosen = options(screen=not given.no_screen)
    except BenchError as error:
        raise SystemExit(str(error)) from None
    begun = time.monotonic()
    told: list[tuple[float, int]] = []

    def progress(rows: int, _: float) -> None:
        now = time.monotonic()
        if not told or now - told[-1][0] >= _TOLD_EVERY:
            told.append((now, rows))

    job = Job(Source(given.input), given.output, load_settings().model_dir, chosen, given.workers, overwrite=True)
    report = run(job, progress)
    ended = time.monotonic()
    found = {
        "begun": begun,
        "rows": report.rows,
        "statuses": dict(report.statuses),
        "errors": dict(report.errors),
        "lost": report.lost,
        "progress": [*told, (ended, report.rows)],
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
