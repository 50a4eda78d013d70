"""Endurance: many varied texts through the batch engine and through the service; does memory grow, does speed fall?"""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np

from tests.bench import runs
from tests.bench.plan import Plan, Say, conditions
from tests.bench.runs import BenchError
from tests.bench.serving import Client, served
from tests.bench.texts import Made, Maker, write_texts
from tests.bench.watching import Look, watched
from training.corpus import CORPUS, load_corpus

#: Shares of the work: warm-up before the first, memory compared between the first two and after the last.
_WARM: Final = (0.1, 0.2)
_LATE: Final = 0.9
_POINTS: Final = 120
_TOLD_EVERY: Final = 1.0
#: Looks a run keeps, at most some thousands: growth is slow.
_LOOK_EVERY: Final = 2.0

Progress = Sequence[tuple[float, int]]


def soak_batch(plan: Plan, work: Path, say: Say) -> dict[str, Any]:
    """All rows in one run of the engine, with as many processes as the plan's most."""
    work.mkdir(parents=True, exist_ok=True)
    source, target = work / "endurance.jsonl", work / "endurance-sortie.jsonl"
    write_texts(source, Maker(load_corpus(CORPUS)).varied(plan.soak_rows))
    arguments = [source, target, "--workers", max(plan.workers)]
    run = runs.run_module("tests.bench.engine", arguments, min(_LOOK_EVERY, plan.every * 4))
    progress = [(at, rows) for at, rows in run.report["progress"]]
    found = {
        "conditions": conditions(plan),
        "processes": max(plan.workers),
        "texts": run.report["rows"],
        "errors": run.report["statuses"].get("error", 0),
        "error_codes": run.report["errors"],
        "lost": run.report["lost"],
        **drift(progress, run.looks),
    }
    for path in (source, target, target.with_name(f"{target.name}.manifest.json")):
        path.unlink(missing_ok=True)
    say(f"endurance par lots : {_shown(found)}")
    return found


def soak_service(plan: Plan, work: Path, say: Say) -> dict[str, Any]:
    """All requests to one server, from several clients at once."""
    work.mkdir(parents=True, exist_ok=True)
    waiting = Maker(load_corpus(CORPUS)).varied(plan.soak_requests, seed=1)
    with served("vigie", work) as server, watched(server.process, min(_LOOK_EVERY, plan.every * 4)) as watch:
        traffic = _Traffic(waiting, server.port, plan.clients)
        progress = traffic.go()
    found = {
        "conditions": conditions(plan),
        "processes": 1,
        "texts": traffic.done,
        "errors": traffic.failures.total(),
        "error_codes": dict(traffic.failures),
        "lost": 0,
        **drift(progress, watch.looks),
    }
    say(f"endurance du service : {_shown(found)}")
    return found


class _Traffic:
    """Requests from several connections until the texts end; answers are counted, not kept."""

    def __init__(self, texts: Iterator[Made], port: int, clients: int) -> None:
        self._texts = texts
        self._port = port
        self._clients = clients
        self._lock = threading.Lock()
        self.done = 0
        self.failures: Counter[str] = Counter()

    def go(self) -> Progress:
        """Send everything; how many were answered by when."""
        threads = [threading.Thread(target=self._work) for _ in range(self._clients)]
        for thread in threads:
            thread.start()
        progress = [(time.monotonic(), 0)]
        while any(thread.is_alive() for thread in threads):
            time.sleep(min(_TOLD_EVERY, 0.05 if self.done < 1_000 else _TOLD_EVERY))
            progress.append((time.monotonic(), self.done))
        return progress

    def _work(self) -> None:
        with closing(Client(self._port)) as client:
            while (text := self._next()) is not None:
                answer = client.predict(text)
                with self._lock:
                    self.done += 1
                    if answer.http != 200 or answer.status == "error":
                        self.failures[f"HTTP {answer.http} {answer.status}".strip()] += 1

    def _next(self) -> str | None:
        with self._lock:
            made = next(self._texts, None)
        return made.text if made else None


def drift(progress: Progress, looks: Sequence[Look]) -> dict[str, Any]:
    """Growth of memory after warm-up and change of speed, as shares of what they were; and both over time.

    `growth`: memory of all processes, median over the last tenth of the work against that over its second tenth;
    `growth_largest`: the same of the largest process. `drift`: texts a second over the last third against the first third
    after warm-up. `points`: share of the work done, bytes of all processes, texts a second around that moment.

    Raises:
        BenchError: the system does not tell a process its memory.
    """
    total = progress[-1][1]
    at = [moment for moment, _ in progress]
    shares = [rows / total for _, rows in progress]
    seen = [(float(np.interp(look.at, at, shares)), look) for look in looks if at[0] <= look.at <= at[-1]]
    if not seen:
        raise BenchError("Mémoire des processus inconnue sur ce système.")
    early, late = _within(seen, *_WARM), _within(seen, _LATE, 1.0)
    third = (1 - _WARM[0]) / 3
    begin, end = _rate(progress, _WARM[0], _WARM[0] + third), _rate(progress, 1 - third, 1.0)
    step = max(1, len(seen) // _POINTS)
    return {
        "seconds": at[-1] - at[0],
        "rate": (total - progress[0][1]) / (at[-1] - at[0]),
        "early_bytes": median(look.total for look in early),
        "late_bytes": median(look.total for look in late),
        "peak_bytes": max(look.total for look in looks),
        "growth": median(look.total for look in late) / median(look.total for look in early) - 1,
        "growth_largest": median(look.largest for look in late) / median(look.largest for look in early) - 1,
        "drift": end / begin - 1,
        "points": [
            [round(share, 4), look.total, round(_rate(progress, max(0.0, share - 0.03), min(1.0, share + 0.03)), 2)]
            for share, look in seen[::step]
        ],
    }


def _within(seen: Sequence[tuple[float, Look]], first: float, last: float) -> list[Look]:
    """The looks between two shares of the work; the nearest one where work was too short to look in between."""
    found = [look for share, look in seen if first <= share <= last]
    return found or [min(seen, key=lambda pair: abs(pair[0] - (first + last) / 2))[1]]


def _rate(progress: Progress, first: float, last: float) -> float:
    """Texts a second between two shares of the work."""
    total = progress[-1][1]
    begin, end = np.interp([first, last], [rows / total for _, rows in progress], [moment for moment, _ in progress])
    return float((last - first) * total / max(end - begin, 1e-9))


def _shown(found: dict[str, Any]) -> str:
    growth, change = f"{found['growth']:+.1%}", f"{found['drift']:+.1%}"
    return f"{found['texts']} textes, {found['rate']:.1f}/s, mémoire {growth}, débit {change}, {found['errors']} erreur(s)"
