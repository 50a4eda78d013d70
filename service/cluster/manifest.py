"""The manifest of a run on a cluster: what the local engine's says, and what the parts cost; the output is a folder."""

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any, Final

import pyarrow.parquet as pq

from service.batch.engine import Job
from service.batch.manifest import MOST_NAMED, date, manifest_path, report_of
from service.batch.records import Report
from service.cluster.duplicates import repeated
from service.cluster.work import FORMAT, Done, Parts, Work

#: What says, as in any output of Spark, that a folder is complete.
SUCCESS: Final = "_SUCCESS"
_PART: Final = re.compile(r"part-\d{7}\.parquet")
#: The same by another name in both reports.
_SAME: Final = {"duplicates": "duplicates", "faults": "first_errors", "first_duplicates": "first_duplicates"}


def is_ours(output: Path) -> bool:
    """Whether what stands under an output's name may be replaced: a file, or a folder of nothing but parts."""
    return output.is_file() or all(path.name == SUCCESS or _PART.fullmatch(path.name) for path in output.iterdir())


def report_of_run(found: list[Done], parts: Parts, seconds: float) -> Report:
    """What all parts counted, with the rows whose identifier was met before; `found` is in the order of the parts."""
    report = report_of((done.shard for done in found), seconds, sum(done.shard.lost for done in found))
    files = [parts.ids(part) for part in range(len(found))]
    again = repeated(files, report.rows, MOST_NAMED)
    report.duplicates = again.count
    for number in again.first:
        part = next(part for part, done in enumerate(found) if done.shard.last >= number)
        place = number - found[part].shard.first
        id = pq.read_table(parts.data(part), columns=["id"]).column("id")[place].as_py()
        report.first_duplicates.append(f"ligne {number} (id {id})")
    return report


def manifest_of(work: Work, job: Job, found: list[Done], report: Report) -> bytes:
    """The manifest of a run whose parts are all there."""
    run = work.run or {}
    key = run["key"]
    loads = [done.load_seconds for done in found if done.load_seconds]
    content = {
        "format": FORMAT,
        "model": key["model"],
        "options": key["options"],
        "input": {"name": job.source.path.name, **key["input"]},
        "output": {"name": job.output.name, **_output(found)},
        "rows": report.rows,
        "statuses": dict(sorted(report.statuses.items())),
        "levels": {str(level): report.levels[level] for level in sorted(report.levels)},
        "errors": dict(sorted(report.errors.items())),
        "duplicates": report.duplicates,
        "first_errors": report.faults,
        "first_duplicates": report.first_duplicates,
        "lost_workers": report.lost,
        "sessions": len(work.seconds),
        "parts": len(found),
        "part_rows": run["part_rows"],
        "started": run["started"],
        "ended": date(),
        "seconds": round(report.seconds, 3),
        "rows_per_second": round(report.rows / report.seconds, 2) if report.seconds else None,
        "cost": {
            "scoring_seconds": round(sum(done.seconds for done in found), 3),
            "models_loaded": len(loads),
            "load_seconds": round(median(loads), 3) if loads else None,
            "peak_bytes": max((done.peak_bytes for done in found), default=0),
        },
    }
    return json.dumps(content, ensure_ascii=False, indent=2).encode() + b"\n"


def _output(found: list[Done]) -> dict[str, Any]:
    facts = "".join(f"part-{part:07d}.parquet\0{done.shard.sha256}\n" for part, done in enumerate(found))
    size = sum(done.shard.size for done in found)
    return {"files": len(found), "size": size, "sha256": hashlib.sha256(facts.encode()).hexdigest()}


def _standing(output: Path, *, deep: bool) -> dict[str, Any]:
    paths = sorted(path for path in output.iterdir() if _PART.fullmatch(path.name))
    found: dict[str, Any] = {"files": len(paths), "size": sum(path.stat().st_size for path in paths)}
    if deep:
        facts = hashlib.sha256()
        for path in paths:
            with path.open("rb") as content:
                facts.update(f"{path.name}\0{hashlib.file_digest(content, 'sha256').hexdigest()}\n".encode())
        found["sha256"] = facts.hexdigest()
    return found


def finished(output: Path, key: dict[str, Any], *, deep: bool) -> Report | None:
    """What the manifest reports, if the output in place is that of this very run; with `deep`, to the last byte."""
    try:
        content = json.loads(manifest_path(output).read_text(encoding="utf-8"))
        asked = {"model": content["model"], "options": content["options"], "input": dict(content["input"])}
        del asked["input"]["name"]
        standing = _standing(output, deep=deep)
        written = {name: content["output"][name] for name in standing}
        if asked != key or written != standing or not (output / SUCCESS).is_file():
            return None
        return Report(
            rows=content["rows"],
            statuses=Counter(content["statuses"]),
            levels=Counter({int(level): count for level, count in content["levels"].items()}),
            errors=Counter(content["errors"]),
            seconds=content["seconds"],
            lost=content["lost_workers"],
            **{field: content[name] for field, name in _SAME.items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
