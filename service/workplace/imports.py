"""Imports: a file waits in a folder, is read in lots of 500, and what was read is written in the transaction of its texts.

Whoever holds the lock of a file reads it. The lock dies with its process: the next one goes on at the row that follows the
last that was kept, so that nothing is lost and nothing is kept twice.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

from sqlalchemy import Connection, Engine, RowMapping, select, update
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from model.errors import BatchError, VigieError
from model.text import MAX_CHARACTERS
from service.settings import Settings
from service.state import State
from service.workplace.audit import record
from service.workplace.background import keep_running
from service.workplace.columns import Fault, received_of, recognised
from service.workplace.first_look import columns_of, is_export
from service.workplace.items import Received, add_items, new_id
from service.workplace.leases import file_lease
from service.workplace.schema import IMPORT_ERRORS, IMPORTS
from service.workplace.similar import index_signed, signatures_of
from service.workplace.tables import (
    TEXT,
    Limits,
    Record,
    copy_bounded,
    kind_of,
    read_records,
    weight_of,
    which_sheets,
)
from service.workplace.times import now

_LOG: Final = logging.getLogger("vigie")
LOT: Final = 500
#: Characters after which a lot is kept as it is, however few its records are.
LOT_SIZE: Final = 4_000_000
#: Errors of one import that are kept; more are only counted.
MOST_ERRORS: Final = 100_000
_PAUSE: Final = 0.5
#: States in which there is nothing more to do.
OVER: Final = ("done", "failed", "stopped")
_UNDER_WAY: Final = ("waiting", "running")


@dataclass(frozen=True, slots=True)
class Wanted:
    """An import to begin: a name for people, who asks, what to put where the file is silent, columns by field if known."""

    name: str
    user_id: str | None = None
    defaults: Mapping[str, str] | None = None
    columns: Mapping[str, str] | None = None


def limits_of(settings: Settings) -> Limits:
    """What an imported file may cost."""
    return Limits(settings.max_import_bytes, settings.max_import_rows)


def ending_of(name: str) -> str:
    """The ending of a file name that says its format, such as `.csv.gz`.

    Raises:
        BatchError: it is not known; the message names those that are.
    """
    path = Path(name.lower())
    kind_of(path)
    return "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix


def begin(engine: Engine, settings: Settings, wanted: Wanted, ending: str, content: IO[bytes]) -> str:
    """Put a file aside and have it imported; returns the import's identifier. It waits for a person where no column holds
    the text (`state` is then `columns`).

    Raises:
        BatchError: the file is too large, empty, of an unknown format or unreadable; nothing is kept.
    """
    id = new_id()
    path = settings.spool_dir / f"{id}{ending}"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as target:
            size = copy_bounded(content, target, settings.max_import_bytes)
        if not size:
            raise BatchError("Le fichier est vide.")
        found = columns_of(path, limits_of(settings))
        columns = dict(wanted.columns) if wanted.columns is not None else recognised(found)
        with path.open("rb") as source:
            digest = hashlib.file_digest(source, "sha256").hexdigest()
        sheets = which_sheets(path, limits_of(settings))
        options = {
            **{"file": path.name, "columns": columns, "found": found[:200], "defaults": dict(wanted.defaults or {})},
            **{"sheets": sheets.read, "sheets_left": sheets.left},
        }
        values = {
            "id": id,
            "name": wanted.name[:200],
            "source": (wanted.defaults or {}).get("source", ""),
            "user_id": wanted.user_id,
            "state": "waiting" if "text" in columns else "columns",
            "options": options,
            "sha256": digest,
            **dict.fromkeys(("read", "added", "duplicates", "errors"), 0),
            "started_at": now(),
        }
        with engine.begin() as connection:
            connection.execute(IMPORTS.insert().values(**values))
            record(connection, wanted.user_id, "import.begin", f"import:{id}", {"sha256": digest, "bytes": size})
    except BaseException as error:
        path.unlink(missing_ok=True)
        if isinstance(error, BatchError):
            raise BatchError(_told(error, path, wanted.name)) from error
        raise
    return id


def _told(error: VigieError, path: Path, name: str) -> str:
    """What is wrong with a file, under the name that people know it by."""
    return str(error).replace(path.name, name)


def choose_columns(connection: Connection, id: str, columns: Mapping[str, str]) -> bool:
    """Say which column holds what, by field; False where the import does not wait for that, or no column holds the text."""
    row = find_import(connection, id)
    if row is None or row["state"] != "columns":
        return False
    known = {field: column for field, column in columns.items() if column in row["options"]["found"]}
    if TEXT not in known:
        return False
    values = {"options": row["options"] | {"columns": known}, "state": "waiting"}
    connection.execute(update(IMPORTS).where(IMPORTS.c.id == id, IMPORTS.c.state == "columns").values(**values))
    return True


def stop_import(connection: Connection, id: str) -> bool:
    """Stop an import at its next lot: what was kept stays; False where it is over."""
    mine = update(IMPORTS).where(IMPORTS.c.id == id, IMPORTS.c.state.in_((*_UNDER_WAY, "columns")))
    return connection.execute(mine.values(state="stopped", finished_at=now())).rowcount == 1


def resume_import(connection: Connection, id: str, settings: Settings) -> bool:
    """Go on with a stopped import at the row where it stopped; False where it is not stopped, or its file is gone."""
    row = find_import(connection, id)
    if row is None or row["state"] != "stopped" or not (settings.spool_dir / row["options"]["file"]).exists():
        return False
    state = "waiting" if TEXT in row["options"]["columns"] else "columns"
    mine = update(IMPORTS).where(IMPORTS.c.id == id, IMPORTS.c.state == "stopped")
    return connection.execute(mine.values(state=state, finished_at=None)).rowcount == 1


def find_import(connection: Connection, id: str) -> RowMapping | None:
    """An import as a row of `imports`, if there is one."""
    return connection.execute(select(IMPORTS).where(IMPORTS.c.id == id)).mappings().first()


def newest_imports(connection: Connection, limit: int = 50, before: str | None = None) -> list[RowMapping]:
    """Imports, newest first, from the one that follows `before`."""
    wanted = select(IMPORTS).order_by(IMPORTS.c.id.desc()).limit(limit)
    return list(connection.execute(wanted.where(IMPORTS.c.id < before) if before else wanted).mappings())


def errors_of(engine: Engine, id: str) -> Iterator[RowMapping]:
    """The errors of an import in the order of its rows, read a thousand at a time."""
    last = 0
    while True:
        wanted = select(IMPORT_ERRORS).where(IMPORT_ERRORS.c.import_id == id, IMPORT_ERRORS.c.number > last)
        with engine.connect() as connection:
            rows = list(connection.execute(wanted.order_by(IMPORT_ERRORS.c.number).limit(1_000)).mappings())
        if not rows:
            return
        yield from rows
        last = rows[-1]["number"]


def run(engine: Engine, settings: Settings, id: str, stopping: Callable[[], bool] = lambda: False) -> bool:
    """Read a waiting import, or go on with one that was broken off, until its end or until `stopping`; False where another
    process is at it. A fault of the file ends the import with a message; what was read before stays.
    """
    with file_lease(settings.spool_dir / f"{id}.lock") as held:
        if not held:
            return False
        with engine.begin() as connection:
            ours = update(IMPORTS).where(IMPORTS.c.id == id, IMPORTS.c.state.in_(_UNDER_WAY)).values(state="running")
            row = find_import(connection, id) if connection.execute(ours).rowcount else None
        if row is None:
            return True
        path = settings.spool_dir / row["options"]["file"]
        try:
            ended = _read(engine, settings, row, path, stopping)
        except VigieError as error:
            _finish(engine, id, "failed", _told(error, path, row["name"]))
            ended = True
        except (OperationalError, OSError):
            raise  # not the fault of the file: the next look goes on
        except Exception as error:
            # The message of an error may quote the texts.
            _LOG.error("L'import %s est abandonné (%s).", id, type(error).__name__)
            _finish(engine, id, "failed", f"Erreur inattendue ({type(error).__name__}) ; ce qui avait été lu est conservé.")
            ended = True
        if ended:
            path.unlink(missing_ok=True)
            (settings.spool_dir / f"{id}.lock").unlink(missing_ok=True)
    return True


def _read(engine: Engine, settings: Settings, row: RowMapping, path: Path, stopping: Callable[[], bool]) -> bool:
    """Whether the file was read to its end; False where someone stops it."""
    if not path.exists():
        raise BatchError("Le fichier à importer a disparu ; ce qui avait été lu est conservé. Envoyez-le de nouveau.")
    records = islice(read_records(path, limits_of(settings)), row["read"], None)
    while True:
        if stopping():
            return False
        lot, fault = _take(records)
        if lot and not _keep(engine, row, lot, min(settings.max_characters, MAX_CHARACTERS)):
            return False
        if fault is not None:
            raise fault
        if not lot:
            break
    _finish(engine, row["id"], "done", None)
    return True


def _take(records: Iterator[Record]) -> tuple[list[Record], BatchError | None]:
    """The next records, and the fault that keeps those after them from being read, if any."""
    lot: list[Record] = []
    size = 0
    try:
        for record in records:
            lot.append(record)
            size += weight_of(record)
            if len(lot) == LOT or size > LOT_SIZE:
                break
    except BatchError as error:
        return lot, error
    return lot, None


def _keep(engine: Engine, row: RowMapping, lot: list[Record], limit: int) -> bool:
    """Keep what a lot holds and say how far the file was read, in one transaction; False where the import was stopped."""
    columns, defaults = row["options"]["columns"], row["options"]["defaults"]
    good: list[Received] = []
    faults: list[dict[str, Any]] = []
    ours = is_export(row["options"]["file"], row["options"]["found"])
    for one in lot:
        read = received_of(one, columns, defaults, limit, exported=ours)
        if isinstance(read, Received):
            good.append(read)
        else:
            faults.append(_error(row["id"], one, columns, read))
    # What takes long is done before the transaction, while others write.
    signatures = signatures_of({str(place): received.text for place, received in enumerate(good)})
    with engine.begin() as connection:
        counted = IMPORTS.c.id == row["id"], IMPORTS.c.state == "running"
        # First, so that whoever stops the import waits for this lot, or this lot for them.
        held = connection.execute(update(IMPORTS).where(*counted).values(read=IMPORTS.c.read + len(lot))).rowcount
        if not held:
            return False
        added = add_items(connection, good, row["id"]) if good else []
        new = {one.id: signatures[str(place)] for place, one in enumerate(added) if one.new}
        index_signed(connection, new)
        kept = connection.execute(select(IMPORTS.c.errors).where(IMPORTS.c.id == row["id"])).scalar_one()
        if faults[: MOST_ERRORS - kept] and kept < MOST_ERRORS:
            connection.execute(IMPORT_ERRORS.insert(), faults[: MOST_ERRORS - kept])
        values = {
            "added": IMPORTS.c.added + len(new),
            "duplicates": IMPORTS.c.duplicates + len(good) - len(new),
            "errors": IMPORTS.c.errors + len(faults),
        }
        connection.execute(update(IMPORTS).where(*counted).values(**values))
    return True


def _error(id: str, record: Record, columns: Mapping[str, str], fault: Fault) -> dict[str, Any]:
    given = record.values.get(columns.get("external_id", ""))
    shown = str(given)[:200].encode("utf-8", "replace").decode().replace("\x00", "") if given is not None else None
    column = columns.get(fault.field or "", fault.field)
    message = f"{record.place} : {fault.message}"
    return {"import_id": id, "row": record.number, "given_id": shown, "field": column and column[:60], "message": message}


def _finish(engine: Engine, id: str, state: str, message: str | None) -> None:
    with engine.begin() as connection:
        values: dict[str, Any] = {"state": state, "message": message, "finished_at": now()}
        if state == "done":
            values["rows"] = IMPORTS.c.read
        mine = update(IMPORTS).where(IMPORTS.c.id == id, IMPORTS.c.state == "running")
        if connection.execute(mine.values(**values)).rowcount:
            record(connection, None, "import.end", f"import:{id}", {"state": state})


def run_waiting(engine: Engine, settings: Settings, stopping: Callable[[], bool] = lambda: False) -> int:
    """Read every import that waits or was broken off, oldest first; returns how many this process took up."""
    with engine.connect() as connection:
        wanted = select(IMPORTS.c.id).where(IMPORTS.c.state.in_(_UNDER_WAY)).order_by(IMPORTS.c.id)
        ids = connection.execute(wanted).scalars().all()
    taken = 0
    for id in ids:
        if stopping():
            break
        try:
            taken += run(engine, settings, id, stopping)
        except (SQLAlchemyError, OSError) as error:
            _LOG.error("L'import %s est remis à plus tard (%s).", id, type(error).__name__)
    return taken


async def keep_importing(state: State) -> None:
    """Read what is to be imported until cancelled; a lot under way is finished first."""
    await keep_running(state, run_waiting, _PAUSE, "Les imports sont")
