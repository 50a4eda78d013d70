"""Files scored by Vigie and by the others in turn, and by Vigie at growing sizes."""

import json
import shutil
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from statistics import median
from typing import Any, Final

from tests.bench import runs
from tests.bench.plan import FULL, NAMES, VIGIE, Plan, Say, conditions
from tests.bench.runs import BenchError, Run, lines_of
from tests.bench.texts import KINDS, MIX_NAMES, Maker, kind_of_id, write_texts
from training.corpus import CORPUS, load_corpus

#: Input, shards and output of a row at the same time, in bytes, on disk; measured: some 0.6, 4 and 4 kB.
_DISK_A_ROW: Final = 12_000
_COUNTED: Final = ("texts", "screened", "flagged", "lost", "watch", "watch_lost")


def measure(plan: Plan, work: Path, say: Say, only: Iterable[str] | None = None) -> dict[str, Any]:
    """All contenders on all mixes, in turn within each repetition, for each number of processes."""
    kept = tuple(NAMES) if only is None else tuple(only)
    found: dict[str, Any] = {"conditions": conditions(plan), "rows": plan.rows, "runs": plan.runs, "measures": []}
    work.mkdir(parents=True, exist_ok=True)
    maker = Maker(load_corpus(CORPUS))
    for mix in plan.mixes:
        keys = [key for key in plan.keys(mix) if key in kept]
        files = {key: _file(maker, work, mix, plan.rows_of(key, mix)) for key in keys}
        for workers in plan.workers:
            lines = {key: _blank(mix, workers, key) for key in keys}
            for number in range(plan.runs):
                for key in keys:
                    run = score(key, files[key], work / f"{mix}-{key}.jsonl", workers, work, plan)
                    _add(lines[key], run)
                    where = f"{MIX_NAMES[mix]}, {workers} processus, passage {number + 1}/{plan.runs}"
                    say(f"{where} : {NAMES[key]} {run.rate:.1f} textes/s ({run.rows} lignes, {run.seconds:.1f} s)")
            found["measures"] += lines.values()
        if {VIGIE, FULL} <= set(keys):
            found.setdefault("verdicts", {})[mix] = verdicts(work / f"{mix}-{VIGIE}.jsonl", work / f"{mix}-{FULL}.jsonl")
    found["texts"] = _texts(maker, plan)
    return found


def measure_sizes(plan: Plan, work: Path, say: Say) -> dict[str, Any]:
    """What a row costs Vigie as files grow: the realistic mix, as many processes as the plan's most.

    Raises:
        BenchError: the disk is too full for the largest file.
    """
    work.mkdir(parents=True, exist_ok=True)
    needed, free = max(plan.sizes, default=0) * _DISK_A_ROW, shutil.disk_usage(work).free
    if needed > free:
        raise BenchError(f"{work} : {needed / 1e9:.1f} Go sont nécessaires pour la plus grande taille, {free / 1e9:.1f} libres.")
    maker = Maker(load_corpus(CORPUS))
    found: dict[str, Any] = {"conditions": conditions(plan), "workers": max(plan.workers), "measures": []}
    for size in sorted(plan.sizes):
        source, target = _file(maker, work, "realistic", size), work / f"taille-{size}.jsonl"
        line: dict[str, Any] = {"rows": size, "rates": [], "startups": [], "peaks": [], "errors": 0}
        # The largest take long enough not to need repeating.
        for _ in range(plan.size_runs if size <= 10_000 else 1):
            run = score(VIGIE, source, target, max(plan.workers), work, plan)
            _add(line, run)
            line["errors"] += run.report["statuses"].get("error", 0)
            say(f"{size} lignes : {run.rate:.1f} textes/s, {run.seconds:.1f} s")
        found["measures"].append(line)
        for path in (source, target, target.with_name(f"{target.name}.manifest.json")):
            path.unlink(missing_ok=True)
    return found


def score(key: str, source: Path, target: Path, workers: int, work: Path, plan: Plan) -> Run:
    """One run of one contender over a file.

    Raises:
        BenchError: it failed, or lost rows.
    """
    if key in (VIGIE, FULL):
        module, arguments = "tests.bench.engine", [source, target, "--workers", workers]
        arguments += ["--no-screen"] if key == FULL else []
    else:
        module, arguments = "tests.bench.contenders", [key, source, target, "--workers", workers, "--work", work]
        arguments += ["--small"] if plan.small else []
    run = runs.run_module(module, arguments, plan.every)
    given, written = lines_of(source), lines_of(target)
    if given != written:
        raise BenchError(f"{NAMES[key]} : {written} lignes écrites pour {given} lues")
    return run


def verdicts(screened: Path, full: Path) -> dict[str, Any]:
    """By kind, on the texts that both outputs hold: how many are flagged (level 2 or 3) with and without the first look."""
    with_screen, without = _levels(screened), _levels(full)
    found = {
        kind: Counter[str](dict.fromkeys(("texts", "screened", "flagged", "lost", "watch", "watch_lost"), 0)) for kind in KINDS
    }
    for id in with_screen.keys() & without.keys():
        counts = found[next(kind for kind in KINDS if kind == kind_of_id(id))]
        analysis, level = with_screen[id]
        _, full_level = without[id]
        counts["texts"] += 1
        counts["screened"] += analysis == "screen"
        counts["flagged"] += full_level >= 2
        counts["lost"] += full_level >= 2 > level
        counts["watch"] += full_level == 1
        counts["watch_lost"] += full_level == 1 and level == 0
    return {kind: dict(counts) for kind, counts in found.items()}


def _levels(path: Path) -> dict[str, tuple[str, int]]:
    """The analysis and the level of each row of an output."""
    with path.open(encoding="utf-8") as content:
        return {row["id"]: (row["analysis"], (row["risk"] or {"level": 0})["level"]) for row in map(json.loads, content)}


def _texts(maker: Maker, plan: Plan) -> dict[str, Any]:
    """Median and middle nine tenths of the words of a text."""
    words = sorted(len(made.text.split()) for made in maker.stream("realistic", min(plan.rows, 4_000)))
    return {"low": words[len(words) // 20], "median": median(words), "high": words[-1 - len(words) // 20]}


def _file(maker: Maker, work: Path, mix: str, rows: int) -> Path:
    path = work / f"{mix}-{rows}.jsonl"
    write_texts(path, maker.stream(mix, rows))
    return path


def _blank(mix: str, workers: int, key: str) -> dict[str, Any]:
    return {"mix": mix, "workers": workers, "contender": key, "rates": [], "startups": [], "peaks": []}


def _add(line: dict[str, Any], run: Run) -> None:
    line["rates"].append(run.rate)
    line["startups"].append(run.startup)
    line["peaks"].append(run.peak)
    line["counted"] = run.rows
