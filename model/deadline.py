"""A time limit that the work itself looks at: it ends between two steps, never inside a library or while a lock is held."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import Final

from model.errors import OutOfTime

_END: Final[ContextVar[float | None]] = ContextVar("vigie_deadline", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Limit the work of the block, in this thread or task alone; an outer limit that ends earlier holds.

    Raises:
        OutOfTime: from a `check` inside the block, once the time is over.
        ValueError: `seconds` is not more than 0.
    """
    if not seconds > 0:
        raise ValueError(f"Limite de temps {seconds} : un nombre de secondes supérieur à 0 est attendu.")
    end, outer = monotonic() + seconds, _END.get()
    token = _END.set(end if outer is None else min(end, outer))
    try:
        yield
    finally:
        _END.reset(token)


def check() -> None:
    """End here if the time is over; called between the steps of an analysis.

    Raises:
        OutOfTime: the time of the enclosing `within` is over.
    """
    end = _END.get()
    if end is not None and monotonic() > end:
        raise over()


def over() -> OutOfTime:
    """What is raised once the time is over."""
    return OutOfTime("L'analyse a dépassé son temps.")


def left() -> float | None:
    """Seconds until the end of the enclosing `within`, at least a thousandth; None without one.

    Given to a search that could take long by itself, which then raises `TimeoutError`.
    """
    end = _END.get()
    return None if end is None else max(end - monotonic(), 0.001)
