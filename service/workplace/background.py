"""Work that goes on beside the answers, in a thread: looked for again and again, finished before the service stops."""

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Final

from sqlalchemy import Engine

from service.settings import Settings
from service.state import State

_LOG: Final = logging.getLogger("vigie")

#: Does what waits, and gives up between two parts where the function says so; returns how much this process took up.
RunWaiting = Callable[[Engine, Settings, Callable[[], bool]], int]


async def keep_running(state: State, run_waiting: RunWaiting, pause: float, what: str) -> None:
    """Look for work every `pause` seconds until cancelled; the part under way is finished first. `what`: in the log."""
    stop = threading.Event()

    def look() -> None:
        try:
            run_waiting(state.engine, state.settings, lambda: stop.is_set() or state.draining.is_set())
        except Exception as error:
            # Whatever happens, the next look is tried.
            _LOG.error("%s remis à plus tard (%s).", what, type(error).__name__)

    while True:
        work = asyncio.create_task(asyncio.to_thread(look))
        try:
            await asyncio.shield(work)
            await asyncio.sleep(pause)
        except asyncio.CancelledError:
            stop.set()
            await work
            raise
