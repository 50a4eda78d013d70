"""What surrounds every request: the name it asks under, bounds on its size, security headers on its answer, its time counted.

These are plain ASGI wrappers: they hold nothing back, so a stream is answered while it is still being sent.
"""

import time
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.exposure import answers_to, host_of
from service.problems import problem
from service.settings import Settings

#: Bodies read as they come, whose routes count them themselves.
_UNBOUNDED: Final = frozenset({"/v1/predict/stream", "/v1/import", "/imports"})
#: What asks for an analysis, and waits for its turn.
_QUEUED: Final = frozenset({"/", "/v1/predict", "/v1/predict/batch"})


class BodyLimit:
    """Refuses a body over `limit` bytes, by its declared length or as soon as it passes it; streams have none here."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 413."""
        if scope["type"] != "http" or scope["path"] in _UNBOUNDED:
            await self.app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self.limit:
            await self._refuse(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self.limit:
                # The frameworks above turn any other exception raised while a body is read into a 400.
                raise HTTPException(413, self._detail(), headers={"Connection": "close"})
            return message

        await self.app(scope, counted, send)

    def _detail(self) -> str:
        return f"Le corps dépasse la limite de {self.limit} octets."

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = problem(413, self._detail(), headers={"Connection": "close"})
        await answer(scope, receive, send)


class Overload:
    """Refuses what asks for an analysis while the queue is full, before its body is read: refusing costs next to nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 503."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in _QUEUED:
            slots = scope["app"].state.vigie.slots
            if slots.full:
                refused = slots.refusal()
                await problem(refused.status, refused.detail, headers=refused.headers)(scope, receive, send)
                return
        await self.app(scope, receive, send)


class KnownHost:
    """Refuses what is asked under a name that is not ours, with 421; a probe of health may come under any."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 421."""
        if scope["type"] == "http" and not scope["path"].startswith("/health/"):
            name = host_of(Headers(scope=scope).get("host", ""))
            if not answers_to(self.settings, name):
                told = (
                    "Le service ne répond pas sous ce nom. S'il est le sien, la personne qui l'exploite l'ajoute à "
                    "VIGIE_ALLOWED_HOSTS."
                )
                await problem(421, told)(scope, receive, send)
                return
        await self.app(scope, receive, send)


#: What every answer carries; a fault is answered outside of what adds them, and adds them itself.
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Other sites are told nothing; ours must know where a form comes from ("no-referrer" would hide the origin from us too).
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}

#: Over HTTPS, browsers are told to come back that way alone, for a year.
_HTTPS_ALONE: Final = {"Strict-Transport-Security": "max-age=31536000"}

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Measured:
    """Adds the security headers to every answer and counts it by the path as declared, never as typed."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; count it when its answer is over."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                https = _HTTPS_ALONE if scope["scheme"] == "https" else {}
                for name, value in (SECURITY_HEADERS | https).items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            metrics = scope["app"].state.vigie.metrics
            route = getattr(scope.get("route"), "path", "autre")
            method = scope["method"] if scope["method"] in _METHODS else "autre"
            metrics.requests.labels(method, route, str(status)).inc()
            metrics.seconds.labels(route).observe(time.perf_counter() - started)
            metrics.note_memory()
