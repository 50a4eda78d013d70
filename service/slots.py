"""Who computes now, who waits, who is sent away: the slots of a process, and the bounded queue in front of them.

A slot is taken for one text, not for one request, and a request waits for one text at a time: texts of all requests take
turns, so that a large batch delays a single text by one turn, never by its whole.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from anyio import CapacityLimiter, fail_after, to_thread

from service.metrics import Metrics
from service.problems import ApiError
from service.settings import Settings

_Result = TypeVar("_Result")

#: Weight of the newest text in the running mean of the seconds that a text takes.
_NEWEST: Final = 0.05
_LONGEST_RETRY: Final = 300


class Slots:
    """The slots of one process; made and used on its event loop alone."""

    def __init__(self, settings: Settings, metrics: Metrics, seconds: float = 0.05) -> None:
        self._count = settings.compute_slots
        self._free = settings.compute_slots
        self._most_held = settings.compute_slots + settings.max_queue
        self._most_streams = settings.max_streams
        self._metrics = metrics
        self._threads = CapacityLimiter(settings.compute_slots)
        self._turns: deque[asyncio.Future[None]] = deque()
        self._held = 0
        self._streams = 0
        self._seconds = seconds
        self._stopped = False

    @property
    def full(self) -> bool:
        """Whether a request that comes now would be sent away."""
        return self._stopped or self._held >= self._most_held

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue for one request, as long as the block lasts.

        Raises:
            ApiError: 503, the queue is full or the service is stopping.
        """
        if self.full:
            raise self.refusal()
        self._held += 1
        self._metrics.held.set(self._held)
        try:
            yield
        finally:
            self._held -= 1
            self._metrics.held.set(self._held)

    @contextmanager
    def stream(self) -> Iterator[None]:
        """A place for one open stream, as long as the block lasts.

        Raises:
            ApiError: 503, as many streams as may be are open, or the service is stopping.
        """
        if self._stopped:
            raise self.refusal()
        if self._streams >= self._most_streams:
            raise self._refused("streams", f"Déjà {self._streams} flux ouverts, autant qu'il se peut.")
        self._streams += 1
        self._metrics.streams.set(self._streams)
        try:
            yield
        finally:
            self._streams -= 1
            self._metrics.streams.set(self._streams)

    async def run(self, work: Callable[[], _Result], longest: float | None = None) -> _Result:
        """What `work` returns, computed in a thread once it is its turn.

        A caller that is cancelled while it waits leaves the queue; one that is cancelled later keeps its slot until the
        thread is done, as the computation itself cannot be broken off.

        Raises:
            ApiError: 503, its turn did not come within `longest` seconds, or the service is stopping.
        """
        arrived = time.perf_counter()
        await self._turn(longest)
        started = time.perf_counter()
        self._metrics.wait_seconds.observe(started - arrived)
        try:
            return await to_thread.run_sync(work, limiter=self._threads)
        finally:
            self._learn(time.perf_counter() - started)
            self._pass_on()

    def stop(self) -> None:
        """Send away those who wait, and whoever comes: the time to stop is over."""
        self._stopped = True
        for turn in self._turns:
            if not turn.done():
                turn.set_exception(self.refusal())
        self._turns.clear()
        self._metrics.waiting.set(0)

    def refusal(self) -> ApiError:
        """The answer to a request for which there is no place."""
        if self._stopped:
            return self._refused("stopping", "Le service s'arrête.")
        return self._refused("full", f"Service saturé : {self._held} requêtes attendent ou sont en cours.")

    def _refused(self, reason: str, detail: str) -> ApiError:
        self._metrics.refused.labels(reason).inc()
        seconds = self._retry_after()
        return ApiError(503, f"{detail} Réessayez dans {seconds} s.", headers={"Retry-After": str(seconds)})

    def _retry_after(self) -> int:
        """Whole seconds until those who wait now have had their turn, by the time that texts have taken lately."""
        ahead = max(len(self._turns), self._held) + 1
        return min(_LONGEST_RETRY, max(1, math.ceil(ahead * self._seconds / self._count)))

    async def _turn(self, longest: float | None) -> None:
        if self._stopped:
            raise self.refusal()
        if self._free and not self._turns:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns.append(turn)
        self._metrics.waiting.set(len(self._turns))
        try:
            with fail_after(longest):
                await turn
        except TimeoutError:
            self._leave(turn)
            raise self._refused("wait", f"Service saturé : aucune analyse possible en {longest:g} s.") from None
        except asyncio.CancelledError:
            self._leave(turn)
            raise

    def _leave(self, turn: asyncio.Future[None]) -> None:
        if turn in self._turns:
            self._turns.remove(turn)
            self._metrics.waiting.set(len(self._turns))
        elif turn.done() and not turn.cancelled() and turn.exception() is None:
            # The slot was given at the very moment when its taker left.
            self._pass_on()

    def _pass_on(self) -> None:
        while self._turns:
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(None)
                break
        else:
            self._free += 1
        self._metrics.waiting.set(len(self._turns))

    def _learn(self, seconds: float) -> None:
        self._metrics.text_seconds.observe(seconds)
        self._seconds += _NEWEST * (seconds - self._seconds)
