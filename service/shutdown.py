"""How a process of the service stops: told so by a signal, or orphaned, it answers what is under way and takes nothing more."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import parent_process
from multiprocessing.connection import wait
from types import FrameType
from typing import Final

from service.state import State

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
#: Part of the time to stop after which those who still wait for their turn are sent away, so that they get an answer.
_SHARE: Final = 0.8


def drain(state: State) -> None:
    """Begin to stop: streams end at their next line, and the queue is emptied once most of the time left is over."""
    if not state.draining.is_set():
        state.draining.set()
        asyncio.get_running_loop().call_later(_SHARE * state.settings.shutdown_seconds, state.slots.stop)


@contextmanager
def told_to_stop(act: Callable[[], None]) -> Iterator[None]:
    """While the block lasts, call `act` on the running loop when a signal says to stop, before the server's own handling.

    In a thread that cannot receive signals, nothing is done. A process whose parent dies stops as if told to.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    _stop_when_orphaned()
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(act)
        following = before[signal.Signals(number)]
        if callable(following):
            following(number, frame)

    for number, following in before.items():
        # Without a server that handles the signal, its default stays.
        if callable(following):
            signal.signal(number, handle)
    try:
        yield
    finally:
        for number, following in before.items():
            if callable(following):
                signal.signal(number, following)


def _stop_when_orphaned() -> None:
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="orphaned", daemon=True).start()
