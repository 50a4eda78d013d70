"""The manifest of a finished run, `OUTPUT.manifest.json`: what was scored, with what, and what came of it."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from service.batch.journal import FORMAT, Journal, Shard
from service.batch.outputs import settle
from service.batch.records import Report

MOST_NAMED: Final = 5


def manifest_path(output: Path) -> Path:
    """Where the manifest of an output is."""
    return output.with_name(f"{output.name}.manifest.json")


def fingerprint(path: Path) -> dict[str, Any]:
    """Size in bytes and sha256 of a file."""
    with path.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    return {"size": path.stat().st_size, "sha256": digest}


def date() -> str:
    """The date and time, for people; durations never come from it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def report_of(shards: Iterable[Shard], seconds: float, lost: int) -> Report:
    """What shards counted, in the order of their rows."""
    report = Report(seconds=seconds, lost=lost)
    for shard in sorted(shards, key=lambda shard: shard.first):
        report.rows += shard.last - shard.first + 1
        report.statuses.update(shard.statuses)
        report.levels.update({int(level): count for level, count in shard.levels.items()})
        report.errors.update(shard.errors)
        report.duplicates += shard.duplicates
        report.faults += shard.faults[: MOST_NAMED - len(report.faults)]
        report.first_duplicates += shard.first_duplicates[: MOST_NAMED - len(report.first_duplicates)]
    return report


def write_manifest(output: Path, source: Path, journal: Journal, report: Report, workers: int) -> None:
    """Write the manifest of a run whose output is in place.

    Raises:
        OSError: the disk is full or failing.
    """
    key = journal.key or {}
    content = {
        "format": FORMAT,
        "model": key["model"],
        "options": key["options"],
        "input": {"name": source.name, **key["input"]},
        "output": {"name": output.name, **fingerprint(output)},
        "rows": report.rows,
        "statuses": dict(sorted(report.statuses.items())),
        "levels": {str(level): report.levels[level] for level in sorted(report.levels)},
        "errors": dict(sorted(report.errors.items())),
        "duplicates": report.duplicates,
        "first_errors": report.faults,
        "first_duplicates": report.first_duplicates,
        "workers": workers,
        "lost_workers": report.lost,
        "sessions": journal.sessions,
        "shards": len(journal.shards),
        "started": journal.started,
        "ended": date(),
        "seconds": round(report.seconds, 3),
        "rows_per_second": round(report.rows / report.seconds, 2) if report.seconds else None,
    }
    path = manifest_path(output)
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    settle(temporary, path)


def finished(output: Path, key: dict[str, Any]) -> Report | None:
    """What the manifest reports, if the output in place is that of this very run."""
    try:
        content = json.loads(manifest_path(output).read_text(encoding="utf-8"))
        source = {name: content["input"][name] for name in ("size", "sha256")}
        written = {name: content["output"][name] for name in ("size", "sha256")}
        asked = {"model": content["model"], "options": content["options"], "input": source}
        if asked != key or written != fingerprint(output):
            return None
        return Report(
            rows=content["rows"],
            statuses=Counter(content["statuses"]),
            levels=Counter({int(level): count for level, count in content["levels"].items()}),
            errors=Counter(content["errors"]),
            duplicates=content["duplicates"],
            faults=content["first_errors"],
            first_duplicates=content["first_duplicates"],
            seconds=content["seconds"],
            lost=content["lost_workers"],
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
