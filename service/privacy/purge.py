"""The purge: what is past keeping goes, some hundreds of rows at a time, each time all or nothing; then the files are cleaned.

Killed in the middle, nothing is half-done: what went is gone with its trace, what did not is still whole, and the next purge
goes on, cleaning included. Asked twice, it does nothing the second time.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, select, update

from model.errors import VigieError
from service.database import FEEDBACK, TEXTS
from service.privacy.cleaning import clean_files
from service.privacy.manifest import write_manifest
from service.privacy.removal import LOT, Reason, remove_copies, remove_items
from service.privacy.retention import ITEM_RULES, RULES, days_of, going_items, rows_of
from service.privacy.schema import PURGED, PURGES
from service.privacy.unsaid import unsay_case, unsay_requests
from service.settings import Settings
from service.workplace.audit import record
from service.workplace.leases import database_lease
from service.workplace.people import Person
from service.workplace.receptions import EXPORTS
from service.workplace.schema import IMPORT_ERRORS, IMPORTS
from service.workplace.times import aware, now

_STOPPED: Final = ("columns", "stopped")
_EXPORTS: Final = "exports"


class PurgeError(VigieError):
    """A purge that cannot be made now; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge took out, by rule."""

    counts: dict[str, int]

    @property
    def total(self) -> int:
        """All rules together."""
        return sum(self.counts.values())


def old_files(settings: Settings, connection: Connection) -> list[tuple[Path, datetime, str]]:
    """The files that wait in the spool: path, when they were asked for (UTC), identifier of the import (empty: an export)."""
    rows = connection.execute(select(IMPORTS.c.id, IMPORTS.c.options, IMPORTS.c.started_at).where(IMPORTS.c.state.in_(_STOPPED)))
    found = [(settings.spool_dir / row.options["file"], aware(row.started_at), row.id) for row in rows if "file" in row.options]
    folder = settings.spool_dir / _EXPORTS
    made = [path for path in sorted(folder.glob("*")) if path.is_file()] if folder.is_dir() else []
    found += [(path, datetime.fromtimestamp(path.stat().st_mtime, UTC), "") for path in made if path.suffix != ".lock"]
    return [one for one in found if one[0].is_file()]


def purge(
    engine: Engine, settings: Settings, person: Person | None = None, after: Callable[[str, int], None] = lambda _, __: None
) -> Purged:
    """Take out what is past keeping; `after` hears of each lot that is gone, by rule, and its number.

    Raises:
        PurgeError: another purge is at work, or the files could not be cleaned (what went is gone from the tables).
    """
    with database_lease(engine, "purge") as held:
        if not held:
            raise PurgeError("Une autre purge est en cours : attendez sa fin.")
        id = _begin(engine, person)
        for rule in RULES:
            for number in _lots_of(
                engine, settings, rule.id, Reason(f"retention:{rule.id}", "vigie retention purge", person), id
            ):
                after(rule.id, number)
        return _end(engine, settings, id, person)


def _begin(engine: Engine, person: Person | None) -> str:
    """The purge that was broken off, or a new one."""
    with engine.begin() as connection:
        broken = connection.execute(select(PURGES.c.id).where(PURGES.c.state != "done").order_by(PURGES.c.started_at)).scalar()
        if broken is not None:
            return str(broken)
        id = str(uuid.uuid4())
        who = person.id if person else None
        values: dict[str, Any] = {"id": id, "user_id": who, "state": "removing", "counts": {}, "started_at": now()}
        connection.execute(PURGES.insert().values(**values))
        return id


def _count(connection: Connection, id: str, rule: str, number: int) -> None:
    """Keep how much went, in the transaction that takes it out."""
    counts = dict(connection.execute(select(PURGES.c.counts).where(PURGES.c.id == id)).scalar_one())
    counts[rule] = counts.get(rule, 0) + number
    connection.execute(update(PURGES).where(PURGES.c.id == id).values(counts=counts))


def _lots_of(engine: Engine, settings: Settings, rule: str, reason: Reason, id: str) -> Iterator[int]:
    """Take out what a rule says, lot by lot; how many each took."""
    days = next(days_of(settings, one) for one in RULES if one.id == rule)
    before = now() - timedelta(days=days)
    while True:
        with engine.begin() as connection:
            number = (
                _remove_files(connection, settings, before) if rule == "files" else _remove_lot(connection, rule, before, reason)
            )
            if number:
                _count(connection, id, rule, number)
        if not number:
            return
        yield number


def _remove_lot(connection: Connection, rule: str, before: datetime, reason: Reason) -> int:
    """Take out the next rows of a rule, in the transaction that finds them; returns how many."""
    if rule in ITEM_RULES:
        return remove_items(connection, list(connection.scalars(going_items(rule, before, LOT).with_for_update())), reason)
    table, _, where = rows_of(rule, before)
    if rule in ("stored", "feedback"):
        digests = list(connection.scalars(select(table.c.sha256).where(*where).limit(LOT)))
        return (
            remove_copies(connection, digests, reason)
            if table is TEXTS
            else _remove_feedback(connection, digests, before, reason)
        )
    if rule == "errors":
        numbers = list(connection.scalars(select(IMPORT_ERRORS.c.number).where(*where).limit(LOT * 10)))
        connection.execute(delete(IMPORT_ERRORS).where(IMPORT_ERRORS.c.number.in_(numbers)))
        return len(numbers)
    ids = list(connection.scalars(select(table.c.id).where(*where).limit(LOT)))
    if rule == "cases":
        return sum(unsay_case(connection, one, reason) for one in ids)
    unsay_requests(connection, ids)
    return len(ids)


def _remove_feedback(connection: Connection, digests: Sequence[str], before: datetime, reason: Reason) -> int:
    """A correction alone leaves the text that it is about, which has its own time."""
    where = (FEEDBACK.c.sha256.in_(digests), FEEDBACK.c.received_at < before)
    rows = connection.execute(select(FEEDBACK.c.id, FEEDBACK.c.sha256).where(*where)).all()
    if not rows:
        return 0
    trace = {"kind": "feedback", "why": reason.why, "purged_at": now(), "written": reason.written}
    connection.execute(PURGED.insert(), [trace | {"item_id": row.id, "sha256": row.sha256} for row in rows])
    connection.execute(delete(FEEDBACK).where(FEEDBACK.c.id.in_([row.id for row in rows])))
    return len(rows)


def _remove_files(connection: Connection, settings: Settings, before: datetime) -> int:
    old = [one for one in old_files(settings, connection) if one[1] < before]
    for path, _, import_id in old:
        path.unlink(missing_ok=True)
        told = "Fichier retiré : il a attendu plus longtemps que la durée de conservation."
        values = {"state": "failed", "message": told, "finished_at": now()}
        connection.execute(update(IMPORTS).where(IMPORTS.c.id == import_id).values(**values))
    return len(old)


def forget_exports(engine: Engine, settings: Settings) -> None:
    """Remove every export that waits to be fetched: it may hold what is gone."""
    folder = settings.spool_dir / _EXPORTS
    with engine.begin() as connection:
        ready = connection.execute(
            select(EXPORTS.c.id, EXPORTS.c.file).where(EXPORTS.c.file.is_not(None), EXPORTS.c.state == "done")
        )
        for id, file in ready.all():
            (folder / file).unlink(missing_ok=True)
            connection.execute(update(EXPORTS).where(EXPORTS.c.id == id).values(file=None))


def _end(engine: Engine, settings: Settings, id: str, person: Person | None) -> Purged:
    """Write the manifest, take the bytes out of the files, say that the purge is over."""
    write_manifest(engine, settings.purged_file)
    with engine.begin() as connection:
        counts = dict(connection.execute(select(PURGES.c.counts).where(PURGES.c.id == id)).scalar_one())
        connection.execute(update(PURGES).where(PURGES.c.id == id).values(state="cleaning"))
    if counts:
        forget_exports(engine, settings)
        if told := clean_files(engine):
            raise PurgeError(f"{sum(counts.values())} éléments retirés des tables, mais {told} Relancez la purge : elle finira.")
    with engine.begin() as connection:
        connection.execute(update(PURGES).where(PURGES.c.id == id).values(state="done", finished_at=now()))
        record(connection, person, "retention.purge", f"purge:{id}", {"counts": counts})
    return Purged(counts)


def finish(engine: Engine, settings: Settings, counts: Mapping[str, int], person: Person | None) -> None:
    """After rows were taken out otherwise (an erasure): the manifest, the exports, the bytes in the files.

    Raises:
        PurgeError: the files could not be cleaned now; the next purge does it.
    """
    with engine.begin() as connection:
        id = str(uuid.uuid4())
        values: dict[str, Any] = {"id": id, "state": "cleaning", "counts": dict(counts), "started_at": now()}
        connection.execute(PURGES.insert().values(**values, user_id=person.id if person else None))
    _end(engine, settings, id, person)


def purges_of(connection: Connection, limit: int = 20) -> list[Any]:
    """The last purges, newest first, as rows of `purges`."""
    return list(connection.execute(select(PURGES).order_by(PURGES.c.started_at.desc()).limit(limit)).mappings())
