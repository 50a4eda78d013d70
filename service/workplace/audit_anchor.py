"""Notes the head of the audit log outside of the database, again and again: an end cut off, or a log made anew, then shows."""

import logging
import os
import time
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, select

from service.database import serialise
from service.settings import Settings
from service.state import State
from service.workplace.audit import LOCK, head_of, record
from service.workplace.audit_chain import Head, instant_of
from service.workplace.audit_schema import AUDIT
from service.workplace.audit_verify import read_anchors
from service.workplace.background import RunWaiting, keep_running
from service.workplace.times import now

_LOG: Final = logging.getLogger("vigie")
_PAUSE: Final = 5.0


def anchor(engine: Engine, path: Path | None) -> Head:
    """Write the head to the service's log and, where one is named, at the end of a file; returns it.

    A line of the file is an instant and `NUMBER:HASH`; a head that it ends with is not written again.
    """
    with engine.connect() as connection:
        head = head_of(connection)
    if path is None:
        _LOG.info("Tête du journal d'audit : %s", head)
    elif not path.exists() or head not in read_anchors(path)[-1:]:
        _LOG.info("Tête du journal d'audit : %s", head)
        path.parent.mkdir(parents=True, exist_ok=True)
        # One write at the end: lines of several processes do not mix.
        file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, f"{instant_of(now())} {head}\n".encode())
            os.fsync(file)
        finally:
            os.close(file)
    return head


def note_model(engine: Engine, version: str) -> bool:
    """Record which model serves, if the last record of that says otherwise: whoever put it there, and by whatever way."""
    with engine.connect() as connection:
        if _last_model(connection) == version:
            return False
    with engine.begin() as connection:
        serialise(connection, LOCK)
        before = _last_model(connection)
        if before == version:
            return False
        record(connection, None, "model.serves", f"model:{version}", {"before": before})
    return True


def _last_model(connection: Connection) -> str | None:
    query = select(AUDIT.c.object).where(AUDIT.c.action == "model.serves").order_by(AUDIT.c.number.desc()).limit(1)
    found: str | None = connection.execute(query).scalar()
    return found.removeprefix("model:") if found else None


def _watching(state: State) -> RunWaiting:
    """Notes the head when the time has come, and the model that serves when it changes; says how many of both it did."""
    anchored: float | None = None
    served = ""

    def look(engine: Engine, settings: Settings, _: object) -> int:
        nonlocal anchored, served
        done = 0
        version = state.analyser.artefact.version
        if version != served:
            done += note_model(engine, version)
            served = version
        if anchored is None or time.monotonic() - anchored >= settings.audit_anchor_seconds:
            anchor(engine, settings.audit_anchor)
            anchored = time.monotonic()
            done += 1
        return done

    return look


async def keep_anchoring(state: State) -> None:
    """Note the head and the model that serves until cancelled."""
    pause = min(_PAUSE, state.settings.audit_anchor_seconds)
    await keep_running(state, _watching(state), pause, "Les relevés du journal d'audit sont")
