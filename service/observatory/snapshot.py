"""Everything counted at one moment, kept in memory: pages read it at once, and it is counted anew beside them."""

import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np
from sqlalchemy import Connection, Engine

from service.observatory.cells import Counted, count
from service.observatory.periods import Calendar, calendar_of
from service.observatory.rows import MODES, Ints, Mode, Rows, read_rows, stamp
from service.workplace.choices import choice
from service.workplace.times import now

_LOG: Final = logging.getLogger("vigie")
#: Seconds after which a look is taken whether anything changed, and how many times longer than the last count took.
_FRESH: Final = 20.0
_REST: Final = 20.0
_MOST_ANSWERS: Final = 200


@dataclass
class Snapshot:
    """Texts as rows and every count of them, at `made_at`. `answers` keeps what was worked out of it."""

    made_at: datetime
    stamp: tuple[Any, ...]
    least: int
    rows: Rows
    calendar: Calendar
    _counted: dict[Mode, Counted] = field(default_factory=dict)
    answers: dict[Any, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def counted(self, mode: Mode) -> Counted:
        """The counts of a way of counting, made once."""
        with self._lock:
            if mode not in self._counted:
                self._counted[mode] = count(self.rows, self.calendar, mode, self.least)
            return self._counted[mode]

    @cached_property
    def by_week(self) -> Ints:
        """The texts in the order of their weeks."""
        order: Ints = np.argsort(self.rows.week, kind="stable")
        return order

    def keep(self, key: Any, answer: Any) -> Any:
        """Keep an answer; the oldest makes room."""
        while len(self.answers) >= _MOST_ANSWERS:
            self.answers.pop(next(iter(self.answers)), None)
        self.answers[key] = answer
        return answer


@dataclass
class _Kept:
    snapshot: Snapshot | None = None
    looked: float = 0.0
    cost: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)
    busy: threading.Lock = field(default_factory=threading.Lock)


_KEPT: "WeakKeyDictionary[Engine, _Kept]" = WeakKeyDictionary()
_GUARD: Final = threading.Lock()


def take(connection: Connection) -> Snapshot:
    """Count everything now."""
    mark, least = _mark(connection)
    rows = read_rows(connection)
    return Snapshot(now(), mark, least, rows, calendar_of(rows.week))


def _mark(connection: Connection) -> tuple[tuple[Any, ...], int]:
    least = int(choice(connection, "observatory_least"))
    return (*stamp(connection), least), least


def newest(engine: Engine) -> Snapshot:
    """The counts as they are kept. The first time they are made; later, where something changed, they are made anew in the
    background while the last ones are given.
    """
    with _GUARD:
        kept = _KEPT.setdefault(engine, _Kept())
    if kept.snapshot is None:
        with kept.lock:
            if kept.snapshot is None:
                with engine.connect() as connection:
                    made = take(connection)
                made.counted("texts")
                kept.snapshot, kept.looked = made, time.monotonic()
                threading.Thread(target=_other_modes, args=(made,), daemon=True).start()
    elif time.monotonic() - kept.looked > max(_FRESH, _REST * kept.cost) and kept.busy.acquire(blocking=False):
        kept.looked = time.monotonic()
        threading.Thread(target=_again, args=(engine, kept), daemon=True).start()
    return kept.snapshot


def forget(engine: Engine) -> None:
    """Count anew at the next request."""
    with _GUARD:
        _KEPT.pop(engine, None)


def _again(engine: Engine, kept: _Kept) -> None:
    try:
        with engine.connect() as connection:
            mark, _ = _mark(connection)
            if kept.snapshot is not None and kept.snapshot.stamp == mark:
                return
            begun = time.monotonic()
            made = take(connection)
        for mode in MODES:
            made.counted(mode)
        kept.snapshot, kept.cost = made, time.monotonic() - begun
    except Exception as error:
        # The next look tries again; the message of an error may quote the texts.
        _LOG.error("Les chiffres de l'observatoire sont recomptés plus tard (%s).", type(error).__name__)
    finally:
        kept.busy.release()


def _other_modes(snapshot: Snapshot) -> None:
    for mode in MODES:
        snapshot.counted(mode)
