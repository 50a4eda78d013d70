"""The processes that score: whatever ends or holds one of them, every row has its answer, in order."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import pytest

from model import deadline
from model.errors import ArtefactError, BatchError
from model.records import Prediction
from service.batch.pool import Pool, Setup
from service.batch.records import Row, Task
from service.batch.scoring import TextScorer

OUTPUT = Path("out.jsonl")


def _predict(text: str, id: str) -> Prediction:
    if text == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    elif text == "slow":
        while True:
            time.sleep(0.01)
            deadline.check()
    elif text == "hangs":
        # As in a library that never comes back: the time limit is not looked at.
        time.sleep(60)
    elif text == "fails":
        raise KeyError(text)
    return Prediction(id=id, status="ok", model_version="m", operating_point="balanced")


def load() -> TextScorer:
    return TextScorer("m", "balanced", _predict)


def refuse() -> TextScorer:
    raise ArtefactError("Le modèle m n'est plus là.")


def die() -> TextScorer:
    os._exit(9)


def tasks(texts: list[str], size: int) -> Iterator[Task]:
    rows = [Row(n, str(n), text, None, n / len(texts)) for n, text in enumerate(texts, start=1)]
    return (Task(rows[at : at + size], "") for at in range(0, len(rows), size))


def setup(seconds: float = 30.0) -> Setup:
    return Setup(load, OUTPUT, seconds, "m", "balanced")


def test_only_the_row_that_ends_or_holds_a_process_is_lost() -> None:
    texts = ["calm"] * 40
    texts[3], texts[17], texts[18], texts[30], texts[39] = "dies", "fails", "slow", "hangs", "dies"
    pool = Pool(setup(0.5), 2)
    done = sorted(pool.run(tasks(texts, 10), lambda task: None), key=lambda task: task.first)
    scored = [one for task in done for one in task.done]
    ids = [Prediction.model_validate_json(one.line).id for one in scored]
    assert ids == [str(n) for n in range(1, 41)]
    errors = {number: one.error[0] for number, one in enumerate(scored) if one.error}
    assert errors == {3: "invalid_text", 17: "invalid_text", 18: "timeout", 30: "timeout", 39: "invalid_text"}
    # Three or four processes for each text that ends them, two for the one that hangs.
    assert 8 <= pool.lost <= 10


def test_a_process_that_has_answered_enough_makes_way_for_a_new_one() -> None:
    pool = Pool(replace(setup(), recycle=20), 2)
    seen: set[int] = set()
    rows = 0
    for task in pool.run(tasks(["calm"] * 100, 10), lambda task: seen.update(worker.process.pid or 0 for worker in pool.workers)):
        assert all(one.error is None for one in task.done)
        rows += len(task.done)
    assert (rows, pool.lost) == (100, 0)
    assert len(seen) >= 4


def test_a_process_killed_by_the_system_costs_no_row() -> None:
    pool = Pool(setup(), 2)
    victims: list[int] = []

    def tick(task: Task) -> None:
        if not victims:
            victims.extend(worker.process.pid or 0 for worker in pool.workers)
            for pid in victims:
                os.kill(pid, signal.SIGKILL)

    done = list(pool.run(tasks(["calm"] * 60, 5), tick))
    assert sum(len(task.done) for task in done) == 60
    assert all(one.status == "ok" for task in done for one in task.done)
    assert 1 <= pool.lost <= 2


def _long_run(report: Path) -> None:
    pool = Pool(setup(), 1)

    def tick(task: Task) -> None:
        report.write_text(str(pool.workers[0].process.pid), encoding="utf-8")

    list(pool.run(tasks(["calm", "hangs"], 1), tick))


def test_processes_end_with_the_run_that_started_them(tmp_path: Path) -> None:
    report = tmp_path / "pid"
    running = get_context("spawn").Process(target=_long_run, args=(report,))
    running.start()
    while not report.exists() or not report.read_text(encoding="utf-8"):
        assert running.is_alive()
        time.sleep(0.05)
    worker = Path("/proc") / report.read_text(encoding="utf-8") / "cmdline"
    assert worker.exists()
    running.kill()
    running.join()
    for _ in range(100):
        if not worker.exists() or not worker.read_bytes():
            return
        time.sleep(0.1)
    pytest.fail("Le processus de calcul survit à l'analyse.")


@pytest.mark.parametrize(("loader", "expected"), [(refuse, ArtefactError), (die, BatchError)])
def test_a_model_that_cannot_be_loaded_stops_the_run(loader: object, expected: type[Exception]) -> None:
    pool = Pool(Setup(loader, OUTPUT, 30.0, "m", "balanced"), 1)  # type: ignore[arg-type]
    with pytest.raises(expected, match="modèle"):
        list(pool.run(tasks(["calm"], 1), lambda task: None))
    assert not any(worker.process.is_alive() for worker in pool.workers)
