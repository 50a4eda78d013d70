"""Connections that cost nobody else anything: a client that is too slow, or deaf, is let go, and there is room for many.

The server behind this reads a request however long it takes. A request whose first lines do not come in time, or whose body
comes more slowly than any network, holds a descriptor for nothing; so does a client that does not read its answer.
"""

import asyncio
import resource
from contextlib import suppress
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

from service.settings import load_settings

#: Bodies whose sender may be silent: the route looks to that itself.
_CONVERSATIONS: Final = frozenset({"/v1/predict/stream"})
#: Bytes a second that a body brings at least, once the patience for its first ones is over.
LEAST_RATE: Final = 500
_LATE: Final = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
#: How many times a connection is looked at before it can be late.
_LOOKS: Final = 4
_MOST_DESCRIPTORS: Final = 65_536


def make_room() -> int:
    """Allow this process as many connections as the system lets it; returns how many descriptors it may open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class PatientProtocol(H11Protocol):
    """HTTP as the server speaks it, with an end to patience: `client_seconds` and `stream_idle` of the settings."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        settings = load_settings()
        self._patience, self._idle = settings.client_seconds, settings.stream_idle
        self._since = 0.0  # when this request, or the wait for it, began
        self._received = 0  # bytes of it
        self._followed: object = None
        self._deaf_since: float | None = None
        self._look: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to look at the clock."""
        super().connection_made(transport)
        self._since = self.loop.time()
        self._look = self.loop.call_later(self._patience / _LOOKS, self._look_at_it)

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        if self._look is not None:
            self._look.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what comes in, from the first line of a request on."""
        self._received += len(data)
        super().data_received(data)
        if self.cycle is not self._followed:
            self._followed, self._since, self._received = self.cycle, self.loop.time(), len(data)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._since, self._received = self.loop.time(), 0
        super().on_response_complete()

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered."""
        self._deaf_since = self.loop.time()
        super().pause_writing()

    def resume_writing(self) -> None:
        """It read on."""
        self._deaf_since = None
        super().resume_writing()

    def _look_at_it(self) -> None:
        at = self.loop.time()
        if self._deaf_since is not None and at - self._deaf_since > self._idle:
            # To close politely would be to wait until it has read what it does not read.
            self.transport.abort()
            return
        if not self.transport.is_closing() and self._is_late(at - self._since):
            if self.cycle is None or self.cycle.response_complete:
                self.transport.write(_LATE)
            self.transport.close()
        self._look = self.loop.call_later(self._patience / _LOOKS, self._look_at_it)

    def _is_late(self, spent: float) -> bool:
        if spent <= self._patience:
            return False
        if self.cycle is None or self.cycle.response_complete:
            return True
        if not self.cycle.more_body or self.flow.read_paused or self.scope["path"] in _CONVERSATIONS:
            return False
        return self._received < (spent - self._patience) * LEAST_RATE
