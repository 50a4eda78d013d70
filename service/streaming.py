"""Answers that must mind their client: dropped when it leaves, and, for a stream, sent line by line while it still sends."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Final

from anyio import CancelScope, create_memory_object_stream, fail_after, move_on_after
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from service.problems import ApiError
from service.reading import Reader, encoded
from service.state import State

NDJSON: Final = "application/x-ndjson"
#: Status counted for a client that left before its answer; nobody receives it.
_GONE: Final = 499
#: A last line is read by more clients if the connection is not closed in their face.
_LINGER_SECONDS: Final = 2.0


async def while_connected(request: Request, state: State, work: Callable[[], Awaitable[Response]]) -> Response:
    """What `work` answers; it is cancelled, and leaves the queue, as soon as the client of this request leaves."""
    with CancelScope() as scope:
        watch = asyncio.create_task(_until_gone(request.receive, scope))
        try:
            return await work()
        finally:
            watch.cancel()
    state.metrics.gone.inc()
    return Response(status_code=_GONE)


async def _until_gone(receive: Receive, scope: CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


class LineCutter:
    """Cuts the pieces of a body into lines; holds at most one line of at most `most` bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept = bytearray()
        self._dropping = False

    def feed(self, piece: bytes) -> Iterator[bytes | None]:
        """The lines that end in this piece; None for one that is longer than `most`, whose content is dropped."""
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            self._keep(piece[start:end])
            start = end + 1
            yield from self.end(always=True)
        self._keep(piece[start:])

    def end(self, *, always: bool = False) -> Iterator[bytes | None]:
        """The line begun, if any, or an empty one with `always`."""
        if self._dropping:
            yield None
        elif self._kept or always:
            yield bytes(self._kept)
        self._kept.clear()
        self._dropping = False

    def _keep(self, part: bytes) -> None:
        if self._dropping or len(self._kept) + len(part) > self._most:
            self._dropping = True
            self._kept.clear()
        else:
            self._kept += part


class Conversation(Response):
    """An NDJSON answer sent line by line while the request still arrives.

    At most two pieces of the body and one answer are held: the client is read no faster than it is answered, and answered
    no faster than it reads. One that leaves, or that stays silent or deaf for `stream_idle` seconds, is let go. When the
    service stops, the line under way is answered, then a last one says which line was not read.
    """

    media_type = NDJSON

    def __init__(self, state: State, reader: Reader) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._state = state
        self._reader = reader
        self._idle = state.settings.stream_idle
        self._number = 0
        self._whole = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer until the client is done, leaves, or is let go.

        Raises:
            ApiError: 503, too many streams are open, or the service is stopping; nothing was sent.
        """
        with self._state.slots.stream(), CancelScope() as held:
            await self._send(send, {"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            into, pieces = create_memory_object_stream[bytes](0)
            reading = asyncio.create_task(self._read(receive, into, held))
            drained = asyncio.create_task(self._until_drained(reading))
            try:
                with suppress(TimeoutError), pieces:
                    await self._answer(pieces, receive, send)
            finally:
                drained.cancel()
                reading.cancel()
        if held.cancelled_caught:
            self._state.metrics.gone.inc()

    async def _read(self, receive: Receive, into: MemoryObjectSendStream[bytes], held: CancelScope) -> None:
        more = True
        with into:
            while more:
                with move_on_after(self._idle) as clock:
                    message = await receive()
                if clock.cancelled_caught:
                    return
                if message["type"] == "http.disconnect":
                    held.cancel()
                    return
                more = message.get("more_body", False)
                if message.get("body"):
                    await into.send(message["body"])
            self._whole = True
        await _until_gone(receive, held)

    async def _until_drained(self, reading: "asyncio.Task[None]") -> None:
        await self._state.draining.wait()
        reading.cancel()

    async def _answer(self, pieces: MemoryObjectReceiveStream[bytes], receive: Receive, send: Send) -> None:
        cutter = LineCutter(self._state.settings.max_line_bytes)
        if not await self._answer_pieces(cutter, pieces, send):
            why = "Le service s'arrête" if self._state.draining.is_set() else f"Rien reçu pendant {self._idle:g} s"
            message = f"{why} : la ligne {self._number + 1} et les suivantes n'ont pas été lues ; renvoyez-les."
            await self._send_line(encoded(self._reader.failed(None, "unavailable", message)), send)
            with move_on_after(_LINGER_SECONDS):
                while not self._whole and (await receive()).get("more_body", False):
                    pass
        await self._send(send, {"type": "http.response.body", "body": b"", "more_body": False})

    async def _answer_pieces(self, cutter: LineCutter, pieces: MemoryObjectReceiveStream[bytes], send: Send) -> bool:
        """Answer the lines as they come; False if the client is silent, or the service stops, before the last one."""
        try:
            async for piece in pieces:
                for line in cutter.feed(piece):
                    if self._state.draining.is_set():
                        return False
                    await self._answer_line(line, send)
            if self._whole:
                for line in cutter.end():
                    await self._answer_line(line, send)
        except ApiError:
            return False  # the queue was emptied: the time to stop is over
        return self._whole

    async def _answer_line(self, line: bytes | None, send: Send) -> None:
        if line is None or line.strip():
            work = partial(_line, self._reader, self._number + 1, line)
            await self._send_line(await self._state.slots.run(work), send)
        self._number += 1

    async def _send_line(self, content: bytes, send: Send) -> None:
        await self._send(send, {"type": "http.response.body", "body": content + b"\n", "more_body": True})

    async def _send(self, send: Send, message: dict[str, object]) -> None:
        # The server holds some 64 kB that the client has not read yet, and makes this wait past that.
        with fail_after(self._idle):
            await send(message)


def _line(reader: Reader, number: int, line: bytes | None) -> bytes:
    return encoded(reader.line(number, line))
