"""Everything counted at one moment, kept in memory and in the database: pages read it at once, it is counted anew beside them."""

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

from service.observatory.cells import Counted, Forced
from service.observatory.deduction import EndingError
from service.observatory.periods import Calendar, calendar_of
from service.observatory.rows import MODES, Ints, Mode, Rows, Size, read_rows, size, stamp
from service.observatory.safe import count_safely
from service.observatory.stored import Stored, store, stored
from service.workplace.choices import choice
from service.workplace.times import now

_LOG: Final = logging.getLogger("vigie")
#: Seconds after which a look is taken whether anything changed; how many times longer than the last count took nothing is
#: counted anew, unless texts have come to be so many times as many, or the last that waited for the model was read: the first
#: of them tell nothing of the others.
_FRESH: Final = 20.0
_REST: Final = 20.0
_GROWN: Final = 1.5
_MOST_ANSWERS: Final = 200


@dataclass
class Snapshot:
    """Texts as rows and every count of them, at `made_at`. `size` as it was then, none where that is not known; `answers` keeps
    what was worked out of it.
    """

    made_at: datetime
    stamp: str
    least: int
    rows: Rows
    calendar: Calendar
    forced: dict[Mode, Forced] = field(default_factory=dict)
    size: Size = field(default_factory=lambda: Size(0, 0))
    _counted: dict[Mode, Counted] = field(default_factory=dict)
    answers: dict[Any, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def counted(self, mode: Mode) -> Counted:
        """The counts of a way of counting, made once."""
        with self._lock:
            if mode not in self._counted:
                found = count_safely(self.rows, self.calendar, mode, self.least, self.forced.get(mode))
                self._counted[mode], self.forced[mode] = found
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
    counted: float = 0.0
    cost: float = 0.0
    #: Whether a count of before will not do for the first answer.
    exact: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    busy: threading.Lock = field(default_factory=threading.Lock)


_KEPT: "WeakKeyDictionary[Engine, _Kept]" = WeakKeyDictionary()
_GUARD: Final = threading.Lock()


def take(connection: Connection) -> Snapshot:
    """Count everything now."""
    mark, least = _mark(connection)
    rows = read_rows(connection)
    return Snapshot(now(), mark, least, rows, calendar_of(rows.week), size=size(connection))


def _mark(connection: Connection) -> tuple[str, int]:
    return repr(stamp(connection)), int(choice(connection, "observatory_least"))


def _stored(connection: Connection, *, exact: bool) -> Snapshot | None:
    """The count that is kept in the database, `exact`: if nothing changed since; with the least count of now."""
    kept = stored(connection)
    if kept is None:
        return None
    least = int(choice(connection, "observatory_least"))
    if exact and kept.stamp != _mark(connection)[0]:
        return None
    forced = dict(kept.forced) if kept.least == least else {}
    return Snapshot(kept.made_at, kept.stamp, least, kept.rows, calendar_of(kept.rows.week), forced)


def newest(engine: Engine) -> Snapshot:
    """The counts as they are kept: by this process, else in the database, as some process left them. Where there are none they
    are made; where something changed, they are made anew in the background while the last ones are given.
    """
    with _GUARD:
        kept = _KEPT.setdefault(engine, _Kept())
    if kept.snapshot is None:
        with kept.lock:
            if kept.snapshot is None:
                with engine.connect() as connection:
                    found = _stored(connection, exact=kept.exact)
                    made = found or take(connection)
                made.counted("texts")
                kept.snapshot, kept.looked = made, time.monotonic()
                kept.busy.acquire()
                _count_beside(engine, kept, found is None)
    elif time.monotonic() - kept.looked > _FRESH and kept.busy.acquire(blocking=False):
        kept.looked = time.monotonic()
        _count_beside(engine, kept)
    return kept.snapshot


def forget(engine: Engine) -> None:
    """Count anew at the next request, by what is there and the least count that holds then."""
    with _GUARD:
        _KEPT[engine] = _Kept(exact=True)


def _count_beside(engine: Engine, kept: _Kept, new: bool = False) -> None:
    # The process waits for it, a moment, when it ends (`EndingError`): cut short within the solver, it would abort.
    threading.Thread(target=_again, args=(engine, kept, new), daemon=False).start()


def _is_due(connection: Connection, kept: _Kept, made: Snapshot) -> bool:
    return time.monotonic() - kept.counted >= _REST * kept.cost or size(connection).outgrows(made.size, _GROWN)


def _again(engine: Engine, kept: _Kept, new: bool = False) -> None:
    """Count anew where anything changed; `new`: what is kept was counted just now, but for the other ways of counting."""
    try:
        begun = time.thread_time()
        made = kept.snapshot
        if not new:
            with engine.connect() as connection:
                if made is not None and not _is_due(connection, kept, made):
                    return
                changed = made is None or (made.stamp, made.least) != _mark(connection)
                made = take(connection) if changed else made
        if made is None or (made is kept.snapshot and len(made.forced) == len(MODES)):
            return
        for mode in MODES:
            made.counted(mode)
        kept.snapshot, kept.counted = made, time.monotonic()
        # Of the processor: a count beside much else takes longer without weighing more.
        kept.cost = time.thread_time() - begun
        with engine.begin() as connection:
            store(connection, Stored(made.made_at, made.stamp, made.least, made.rows, made.forced))
    except EndingError:
        return
    except Exception as error:
        # The next look tries again; the message of an error may quote the texts.
        _LOG.error("Les chiffres de l'observatoire sont recomptés plus tard (%s).", type(error).__name__)
    finally:
        kept.busy.release()
