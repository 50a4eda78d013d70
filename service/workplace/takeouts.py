"""Who takes what out: every export is recorded; those that are written to a file are made in the background."""

import logging
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl

from sqlalchemy import Connection, Engine, RowMapping, func, select, update
from sqlalchemy.exc import OperationalError

from model.errors import BatchError, VigieError
from service.database import sha256_text
from service.outages import outage_of
from service.privacy.pseudonyms import Pseudonyms, key_of, pseudonymise
from service.settings import Settings
from service.state import State
from service.workplace.audit import by_service, record
from service.workplace.background import keep_running
from service.workplace.exports import FORMATS, Change, as_it_is, everything, pieces_of, write
from service.workplace.filters import Filter, conditions
from service.workplace.items import new_id
from service.workplace.leases import file_lease
from service.workplace.people import Person, find_person
from service.workplace.receptions import EXPORTS
from service.workplace.schema import ITEMS, USERS
from service.workplace.times import aware, now

_LOG: Final = logging.getLogger("vigie")
_UNDER_WAY: Final = ("waiting", "running")
STATE_NAMES: Final = {
    "waiting": "en attente",
    "running": "en cours",
    "done": "terminé",
    "failed": "échoué",
    "stopped": "interrompu",
}
#: How long a file that was made can be fetched.
KEPT_FOR: Final = timedelta(hours=24)
_FOLDER: Final = "exports"
_PAUSE: Final = 1.0
#: What an export's address may hold beside filters.
_BESIDE: Final = ("format", "tout", "pseudonymise")
_PSEUDONYMISED: Final = "&pseudonymise=1"


@dataclass(frozen=True, slots=True)
class Takeout:
    """An export as it was recorded: `wanted` is the filter as an address has it, `by` a name (None: by the command).

    `file` is the name of the file that can be fetched, if there is one. Instants are in UTC.
    """

    id: str
    by: str | None
    kind: str
    wanted: str
    state: str
    texts: int
    file: str | None
    message: str | None
    asked_at: datetime
    finished_at: datetime | None

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self.state not in _UNDER_WAY


def filter_of(query: str) -> Filter:
    """The filter of an export's address: that of the queue; where nothing is asked, everything."""
    return Filter.read(f"{query}&tout=1")


def exact_filter(query: str) -> Filter:
    """The filter that an address asks for, to the letter: where the queue shows more, an export would give out more.

    Raises:
        BatchError: a name is none of the queue's filters, or a value cannot be; the message names both.
    """
    wanted = filter_of(query)
    names = {field.name for field in fields(wanted)}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in _BESIDE:
            continue
        if name not in names:
            raise BatchError(f"Filtre « {name} » : inconnu. Ceux de la file sont attendus : {', '.join(sorted(names))}.")
        read = getattr(wanted, name)
        if value.strip() and value.strip() not in (read if isinstance(read, tuple) else (read,)):
            raise BatchError(f"Filtre « {name} » : « {value[:80]} » n'est pas une valeur attendue.")
    return wanted


def pseudonymising(engine: Engine, settings: Settings) -> Change:
    """What makes the rows of an export pseudonymised, under the operator's key."""
    return partial(pseudonymise, pseudonyms=Pseudonyms(key_of(engine, settings)))


def open_takeout(
    engine: Engine, person: Person | None, kind: str, wanted: Filter, state: str, *, pseudonymised: bool = False
) -> str:
    """Record an export that begins (`running`), or is to be written to a file (`waiting`); returns its identifier."""
    id = new_id()
    asked = wanted.query() + (_PSEUDONYMISED if pseudonymised else "")
    values = {"id": id, "user_id": person.id if person else None, "kind": kind, "filter": asked}
    with engine.begin() as connection:
        connection.execute(EXPORTS.insert().values(**values, state=state, texts=0, asked_at=now()))
        # What was searched for may be somebody's name: the table of exports holds it, the log its hash.
        about = {"format": kind, "filter_sha256": sha256_text(wanted.query()), "pseudonymised": pseudonymised}
        record(connection, person, "export.ask", f"export:{id}", about)
    return id


def close_takeout(engine: Engine, id: str, state: str, texts: int, message: str | None = None) -> None:
    """Record how an export ended, and how many texts went out."""
    values = {"state": state, "texts": texts, "message": message, "finished_at": now()}
    with engine.begin() as connection, by_service():
        connection.execute(update(EXPORTS).where(EXPORTS.c.id == id).values(**values))
        record(connection, None, "export.end", f"export:{id}", {"state": state, "texts": texts})


def _update(engine: Engine, id: str, values: dict[str, Any]) -> None:
    with engine.begin() as connection:
        connection.execute(update(EXPORTS).where(EXPORTS.c.id == id).values(**values))


def streamed(
    engine: Engine, person: Person, kind: str, wanted: Filter, change: Change | None = None
) -> Generator[bytes, None, None]:
    """The texts of a filter as `csv` or `jsonl`, piece by piece; recorded with how many went out, to the end or not.

    `change`: `pseudonymising`, where pseudonyms are asked for.

    Raises:
        BatchError: another format.
    """
    id = open_takeout(engine, person, kind, wanted, "running", pseudonymised=change is not None)
    texts = 0

    def counted() -> Iterator[dict[str, Any]]:
        nonlocal texts
        for row in everything(engine, conditions(wanted, person, engine.dialect)):
            texts += 1
            yield change(row) if change else row

    ended = False
    try:
        yield from pieces_of(counted(), kind)
        ended = True
    finally:
        close_takeout(engine, id, "done" if ended else "stopped", texts)


def count_of(connection: Connection, wanted: Filter, person: Person) -> int:
    """How many texts `streamed` gives: the queue leaves out those that are blind for the person, an export does not."""
    query = select(func.count()).select_from(ITEMS).where(*conditions(wanted, person, connection.dialect))
    return connection.execute(query).scalar_one()


def _find() -> Any:
    columns = [EXPORTS.c[name] for name in ("id", "kind", "state", "texts", "file", "message", "asked_at", "finished_at")]
    query = select(*columns, EXPORTS.c.filter.label("wanted"), USERS.c.name.label("by"))
    return query.outerjoin(USERS, USERS.c.id == EXPORTS.c.user_id)


def _of(row: RowMapping) -> Takeout:
    values = dict(row)
    for name in ("asked_at", "finished_at"):
        values[name] = aware(values[name]) if values[name] else None
    return Takeout(**values)


def find_takeout(connection: Connection, id: str) -> Takeout | None:
    """The export of this identifier, if any."""
    row = connection.execute(_find().where(EXPORTS.c.id == id)).mappings().first()
    return _of(row) if row else None


def newest_takeouts(connection: Connection, limit: int = 50, before: str | None = None) -> list[Takeout]:
    """Exports, newest first, from the one that follows `before`."""
    query = _find().order_by(EXPORTS.c.id.desc()).limit(limit)
    rows = connection.execute(query.where(EXPORTS.c.id < before) if before else query).mappings()
    return [_of(row) for row in rows]


def place_of(settings: Settings, takeout: Takeout) -> Path | None:
    """Where the file of an export is; None where there is none (not yet, or no more)."""
    path = settings.spool_dir / _FOLDER / takeout.file if takeout.file else None
    return path if path is not None and path.is_file() else None


def run_waiting(engine: Engine, settings: Settings, stopping: Callable[[], bool] = lambda: False) -> int:
    """Write every export that waits or was broken off; returns how many this process wrote. Old files are removed."""
    _forget_old(engine, settings)
    with engine.connect() as connection:
        waiting = select(EXPORTS.c.id).where(EXPORTS.c.state.in_(_UNDER_WAY), EXPORTS.c.file.is_not(None)).order_by(EXPORTS.c.id)
        ids = connection.scalars(waiting).all()
    return sum(_run(engine, settings, id, stopping) for id in ids if not stopping())


def ask(engine: Engine, person: Person, kind: str, wanted: Filter, *, pseudonymised: bool = False) -> str:
    """Have the texts of a filter written to a file, in the background; returns the export's identifier.

    Raises:
        VigieError: the format is not known.
    """
    if kind not in FORMATS:
        raise VigieError(f"Format « {kind} » : un de ceux-ci est attendu : {', '.join(FORMATS)}.")
    id = open_takeout(engine, person, kind, wanted, "waiting", pseudonymised=pseudonymised)
    _update(engine, id, {"file": f"{id}.{kind}"})
    return id


class _StopError(Exception):
    """The service is stopping: the export begins again with the next one."""


def _run(engine: Engine, settings: Settings, id: str, stopping: Callable[[], bool]) -> bool:
    folder = settings.spool_dir / _FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with file_lease(folder / f"{id}.lock") as held:
        with engine.connect() as connection:
            row = connection.execute(select(EXPORTS).where(EXPORTS.c.id == id)).mappings().first()
        if not held or row is None or row["state"] not in _UNDER_WAY:
            return False
        temporary = folder / f"{row['file']}.tmp"
        try:
            texts = _write(engine, settings, row, temporary, stopping)
            temporary.replace(folder / row["file"])
            close_takeout(engine, id, "done", texts)
        except _StopError:
            return False
        except VigieError as error:
            close_takeout(engine, id, "failed", 0, str(error))
        except OperationalError:
            raise  # the database is away for a moment: the next look begins again
        except Exception as error:
            # The message of an error may quote the texts.
            _LOG.error("L'export %s est abandonné (%s).", id, type(error).__name__)
            outage = outage_of(error)
            said = f"{outage.title}. {outage.remedy}" if outage else f"Erreur inattendue ({type(error).__name__})."
            close_takeout(engine, id, "failed", 0, said)
        finally:
            temporary.unlink(missing_ok=True)
        (folder / f"{id}.lock").unlink(missing_ok=True)
    return True


def _write(engine: Engine, settings: Settings, row: RowMapping, path: Path, stopping: Callable[[], bool]) -> int:
    """Write one export; returns how many texts it holds."""
    person = find_person(engine, row["user_id"])
    if person is None or not person.may("administrator"):
        raise VigieError("La personne qui a demandé cet export n'administre plus.")
    written = 0

    def told(texts: int) -> None:
        nonlocal written
        written = texts
        if stopping():
            raise _StopError
        _update(engine, row["id"], {"state": "running", "texts": texts})

    path.touch(mode=0o600)
    change = pseudonymising(engine, settings) if _PSEUDONYMISED in row["filter"] else as_it_is
    write(engine, row["kind"], path, conditions(filter_of(row["filter"]), person, engine.dialect), told, change)
    return written


def _forget_old(engine: Engine, settings: Settings) -> None:
    """Remove the files that were kept long enough; that they were made stays recorded. A stream of long ago was broken off."""
    broken = (EXPORTS.c.file.is_(None), EXPORTS.c.state == "running", EXPORTS.c.asked_at < now() - KEPT_FOR)
    old = (EXPORTS.c.file.is_not(None), EXPORTS.c.finished_at < now() - KEPT_FOR)
    with engine.connect() as connection:
        rows = connection.execute(select(EXPORTS.c.id, EXPORTS.c.file).where(*old)).all()
        lost = connection.scalars(select(EXPORTS.c.id).where(*broken)).all()
    for id in lost:
        _update(engine, id, {"state": "stopped"})
    for id, file in rows:
        with suppress(OSError):
            (settings.spool_dir / _FOLDER / file).unlink(missing_ok=True)
            _update(engine, id, {"file": None})


async def keep_exporting(state: State) -> None:
    """Write what is to be exported until cancelled."""
    await keep_running(state, run_waiting, _PAUSE, "Les exports sont")
