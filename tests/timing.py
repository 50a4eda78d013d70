"""How long something takes, measured so that a busy machine fails no test and a slow program fails each of its tries."""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_TRIES = 5


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector: after thousands of tests it looks through millions of objects, in whatever thread it falls."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def quickest(work: Callable[[], object], limit: float, clock: Callable[[], float] = time.thread_time) -> float:
    """Seconds that `work` takes, of this thread's processor by default: the first try under the limit, or the least."""
    least = float("inf")
    with _uncollected():
        for _ in range(_TRIES):
            started = clock()
            work()
            least = min(least, clock() - started)
            if least < limit:
                break
    return least


def growth(work: Callable[[int], object], short: int, long: int, limit: float, spare: float = 0.0) -> float:
    """How many times dearer `work(long)` is than `work(short)`, in seconds of the processor less the ones that are spared.

    The first try under the limit, or the least of five: one after the other, so that a busy moment slows both.
    """
    least = float("inf")
    with _uncollected():
        for _ in range(_TRIES):
            started = time.thread_time()
            work(short)
            between = time.thread_time()
            work(long)
            least = min(least, max(0.0, time.thread_time() - between - spare) / max(between - started, 1e-9))
            if least < limit:
                break
    return least
