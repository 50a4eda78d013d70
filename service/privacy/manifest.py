"""`purged.jsonl`: what was purged, so that a backup of before, once restored, is purged again. It holds no text.

One JSON object a line, only ever appended to: `kind` (item, stored, feedback, case), `id` (of the row; empty where a client
chose it), `sha256` (of the text in UTF-8; empty for a case), `purged_at` (ISO 8601, UTC) and `why`.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, or_, select, update

from model.errors import VigieError
from service.database import FEEDBACK, TEXTS, sha256_text
from service.privacy.cleaning import clean_files
from service.privacy.removal import Reason, lots, remove_items
from service.privacy.schema import PURGED
from service.privacy.unsaid import unsay_case
from service.workplace.schema import ITEMS
from service.workplace.times import aware

_FIELDS: Final = ("kind", "id", "sha256", "purged_at", "why")
_KINDS: Final = ("item", "stored", "feedback", "case")
_HEX: Final = re.compile(r"[0-9a-f]{64}|")
_AT_ONCE: Final = 500
_APPLIED: Final = "vigie retention apply"


@dataclass(frozen=True, slots=True)
class Trace:
    """A line of the manifest."""

    kind: str
    id: str
    sha256: str
    purged_at: datetime
    why: str

    def line(self) -> str:
        """The line, with its end."""
        values = (self.kind, self.id, self.sha256, self.purged_at.isoformat(), self.why)
        return json.dumps(dict(zip(_FIELDS, values, strict=True)), ensure_ascii=False) + "\n"


def write_manifest(engine: Engine, path: Path) -> int:
    """Append what was purged since the last time, on disk before this returns; returns how many lines.

    Killed in between, a line may be there twice: that does no harm. A line cut by a crash is taken away first.

    Raises:
        VigieError: the file cannot be written.
    """
    written = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _mend(path)
        while True:
            with engine.connect() as connection:
                rows = (
                    connection.execute(select(PURGED).where(~PURGED.c.written).order_by(PURGED.c.number).limit(_AT_ONCE))
                    .mappings()
                    .all()
                )
            if not rows:
                return written
            traces = [Trace(r["kind"], r["item_id"], r["sha256"], aware(r["purged_at"]), r["why"]) for r in rows]
            with path.open("a", encoding="utf-8") as target:
                target.writelines(trace.line() for trace in traces)
                target.flush()
                os.fsync(target.fileno())
            with engine.begin() as connection:
                connection.execute(update(PURGED).where(PURGED.c.number.in_([r["number"] for r in rows])).values(written=True))
            written += len(rows)
    except OSError as error:
        raise VigieError(f"{path} : écriture impossible ({error.strerror}) ; VIGIE_PURGED_FILE nomme ce fichier.") from error


def _mend(path: Path) -> None:
    if not path.exists():
        path.touch(mode=0o600)
        return
    with path.open("rb+") as file:
        size = file.seek(0, os.SEEK_END)
        back = min(size, 4_096)
        file.seek(size - back)
        tail = file.read(back)
        if tail and not tail.endswith(b"\n"):
            file.truncate(size - back + tail.rfind(b"\n") + 1)


def read_manifest(path: Path) -> Iterator[Trace]:
    """The lines of a manifest.

    Raises:
        VigieError: the file cannot be read, or a line is not one of a manifest; the message names it.
    """
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                yield _trace(line, f"{path}, ligne {number}")
    except (OSError, UnicodeDecodeError) as error:
        raise VigieError(f"{path} : lecture impossible ({getattr(error, 'strerror', None) or 'UTF-8 attendu'}).") from error


def _trace(line: str, place: str) -> Trace:
    try:
        said = json.loads(line)
        values = {name: said[name] for name in _FIELDS}
        trace = Trace(values["kind"], values["id"], values["sha256"], datetime.fromisoformat(values["purged_at"]), values["why"])
    except (ValueError, KeyError, TypeError) as error:
        raise VigieError(f"{place} : un objet JSON avec {', '.join(_FIELDS)} est attendu.") from error
    right = trace.kind in _KINDS and isinstance(trace.id, str) and isinstance(trace.why, str)
    if not right or not _HEX.fullmatch(trace.sha256) or trace.purged_at.tzinfo is None:
        raise VigieError(f"{place} : genre parmi {', '.join(_KINDS)}, SHA-256 et instant avec fuseau sont attendus.")
    return trace


def apply_purges(engine: Engine, path: Path) -> Mapping[str, int]:
    """Purge again what a manifest says was purged, in a database restored from a backup; returns how many rows, by kind.

    A text goes by its identifier, or by its hash if it was received before it was purged: one that came again since stays.
    Applying it again changes nothing.

    Raises:
        VigieError: the manifest cannot be read; nothing after the faulty line is applied.
    """
    counts: dict[str, int] = dict.fromkeys(_KINDS, 0)
    waiting: list[Trace] = []
    for trace in read_manifest(path):
        waiting.append(trace)
        if len(waiting) == _AT_ONCE:
            _apply(engine, waiting, counts)
            waiting = []
    _apply(engine, waiting, counts)
    if sum(counts.values()) and (told := clean_files(engine)):
        raise VigieError(f"La base est purgée, mais {told}")
    return counts


def _apply(engine: Engine, traces: Sequence[Trace], counts: dict[str, int]) -> None:
    for some in lots(traces):
        with engine.begin() as connection:
            for why, ids in _items_of(connection, [one for one in some if one.kind == "item"]).items():
                counts["item"] += remove_items(connection, ids, Reason(why, _APPLIED, written=True))
            for trace in some:
                if trace.kind in ("stored", "feedback"):
                    counts[trace.kind] += _remove_row(connection, trace)
                elif trace.kind == "case":
                    counts["case"] += unsay_case(connection, trace.id, Reason(trace.why, _APPLIED, written=True))


def _items_of(connection: Connection, traces: Sequence[Trace]) -> dict[str, list[str]]:
    """The texts that these lines name, by why they were purged."""
    by_id = {trace.id: trace for trace in traces}
    by_hash = {trace.sha256: trace for trace in traces}
    rows = connection.execute(
        select(ITEMS.c.id, ITEMS.c.sha256, ITEMS.c.received_at).where(or_(ITEMS.c.id.in_(by_id), ITEMS.c.sha256.in_(by_hash)))
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        trace = by_id.get(row.id)
        if trace is None:
            trace = by_hash[row.sha256]
            if aware(row.received_at) > trace.purged_at:
                continue
        found.setdefault(trace.why, []).append(row.id)
    return found


def _remove_row(connection: Connection, trace: Trace) -> int:
    table, at = (TEXTS, TEXTS.c.stored_at) if trace.kind == "stored" else (FEEDBACK, FEEDBACK.c.received_at)
    if table is TEXTS:
        said = select(TEXTS.c.id).where(TEXTS.c.sha256 == trace.sha256, at <= trace.purged_at)
        connection.execute(update(FEEDBACK).where(FEEDBACK.c.text_id.in_(said)).values(text_id=None))
    return connection.execute(delete(table).where(table.c.sha256 == trace.sha256, at <= trace.purged_at)).rowcount


def clean_export(path: Path, gone: "Gone") -> tuple[int, int]:
    """Take purged texts out of a JSONL file (corpus, export); returns how many lines stay and how many went.

    Raises:
        VigieError: the file cannot be read or written, or a line is not a JSON object; the file is left as it is.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    kept = left = 0
    try:
        with path.open(encoding="utf-8") as lines, temporary.open("w", encoding="utf-8") as target:
            for number, line in enumerate(lines, start=1):
                if _is_gone(line, gone, f"{path}, ligne {number}"):
                    left += 1
                else:
                    kept += 1
                    target.write(line)
        temporary.replace(path)
    except (OSError, UnicodeDecodeError) as error:
        raise VigieError(f"{path} : lecture ou écriture impossible.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return kept, left


@dataclass(frozen=True, slots=True)
class Gone:
    """Identifiers and hashes of the purged texts of a database."""

    ids: frozenset[str]
    hashes: frozenset[str]


def gone_of(connection: Connection) -> Gone:
    """What was purged of a database."""
    rows = connection.execute(select(PURGED.c.item_id, PURGED.c.sha256).where(PURGED.c.kind != "case")).all()
    return Gone(frozenset(row.item_id for row in rows if row.item_id), frozenset(row.sha256 for row in rows if row.sha256))


def _is_gone(line: str, gone: Gone, place: str) -> bool:
    try:
        said: Any = json.loads(line)
    except ValueError as error:
        raise VigieError(f"{place} : un objet JSON est attendu.") from error
    if not isinstance(said, dict):
        raise VigieError(f"{place} : un objet JSON est attendu.")
    text = said.get("text")
    return said.get("id") in gone.ids or (isinstance(text, str) and sha256_text(text) in gone.hashes)
