"""What the service writes of itself as it runs: one line an event, JSON or plain, and never a text, a query, a name or a contact.

A request has an identifier, taken from `X-Request-ID` where it is plain, made otherwise; its answer carries it, and every
line written while it is answered. A route is written as declared (`/textes/{id}`), so that no address tells what was sought.
"""

import logging
import re
import secrets
import time
from contextvars import ContextVar
from typing import Any, Final, Literal

from pythonjsonlogger.json import JsonFormatter
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LogFormat = Literal["text", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]
HEADER: Final = "X-Request-ID"
_ACCESS: Final = logging.getLogger("vigie.access")
_PLAIN: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_REQUEST: Final[ContextVar[str]] = ContextVar("request", default="")
#: Asked every few seconds by what watches the service; written only when they fail.
_WATCHED: Final = ("/health/", "/metrics")
_FAILED: Final = 500


class _WithRequest(logging.Filter):
    """Gives every line the identifier of the request that it was written for, if there is one."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every line through."""
        record.request_id = _REQUEST.get()
        return True


class _Lines(JsonFormatter):
    """One object a line: `time` (UTC), `level`, `logger`, `message`, `request_id`, and what the event adds.

    Of an exception, its kind and its place: what it says may quote what was sent.
    """

    def __init__(self) -> None:
        super().__init__(
            "%(levelname)s %(name)s %(message)s %(request_id)s",
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="time",
            json_ensure_ascii=False,
        )

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name that the library calls
        """The kind of an exception and where it was raised, without its words."""
        return _place(ei)


class _Plain(logging.Formatter):
    """The same lines for people at a terminal."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(message)s")

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name that the library calls
        """The kind of an exception and where it was raised, without its words."""
        return _place(ei)


def _place(raised: Any) -> str:
    kind, _, trace = raised
    steps = []
    while trace is not None:
        code = trace.tb_frame.f_code
        steps.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return f"{getattr(kind, '__name__', kind)} : {' < '.join(reversed(steps))}"


def logging_settings(form: LogFormat, level: LogLevel) -> dict[str, Any]:
    """How the process writes its lines, on its standard error, as `logging.config.dictConfig` takes it."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"request": {"()": _WithRequest}, "masked": {"()": "service.privacy.logs.Masked"}},
        "formatters": {"lines": {"()": _Lines if form == "json" else _Plain}},
        "handlers": {
            "lines": {
                "class": "logging.StreamHandler",
                "formatter": "lines",
                "filters": ["request", "masked"],
                "stream": "ext://sys.stderr",
            }
        },
        "loggers": {
            "vigie": {"handlers": ["lines"], "level": level.upper(), "propagate": False},
            # Requests are written as JSON, for machines; at a terminal they would bury the rest.
            "vigie.access": {"level": level.upper() if form == "json" else "WARNING"},
            "uvicorn": {"handlers": ["lines"], "level": "WARNING", "propagate": False},
            "uvicorn.error": {"level": "WARNING"},
        },
    }


class Journaled:
    """Names each request, and writes a line when its answer is over."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        named = given if _PLAIN.fullmatch(given) else secrets.token_hex(8)
        token = _REQUEST.set(named)
        started = time.perf_counter()
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[HEADER] = named
            await send(message)

        try:
            await self.app(scope, receive, watched)
        finally:
            _tell(scope, status, time.perf_counter() - started)
            _REQUEST.reset(token)


def _tell(scope: Scope, status: int, seconds: float) -> None:
    route = getattr(scope.get("route"), "path", "autre")
    if route.startswith(_WATCHED) and status < _FAILED:
        return
    session = scope.get("state", {}).get("session")
    facts = {
        "method": scope["method"],
        "route": route,
        "status": status,
        "milliseconds": round(1000 * seconds, 1),
        "actor": session.person.id if session else None,
    }
    level = logging.ERROR if status >= _FAILED else logging.INFO
    _ACCESS.log(level, "%s %s %d", facts["method"], route, status, extra=facts)
