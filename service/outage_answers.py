"""What people and programs are answered while the database is away, damaged or read-only, or the disk full: 503, and why."""

import logging
import time
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.responses import Response
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from service.middleware import SECURITY_HEADERS
from service.outages import Outage, outage_of
from service.pages import show_error

_LOG: Final = logging.getLogger("vigie")
_LOGGED_EVERY: Final = 10.0


class _Told:
    """Says each outage in the log once in a while, not at every request."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def tell(self, outage: Outage, error: BaseException) -> None:
        at = time.monotonic()
        if at - self._last.get(outage.name, -_LOGGED_EVERY) >= _LOGGED_EVERY:
            self._last[outage.name] = at
            # The message of an error may quote the texts.
            _LOG.error("%s (%s). %s", outage.title, type(error).__name__, outage.remedy)


_TOLD: Final = _Told()


def answer_outage(request: Request, error: Exception) -> Response | None:
    """The answer to a request that an outage kept from being answered, 503; None where the error is something else."""
    outage = outage_of(error)
    if outage is None:
        return None
    _TOLD.tell(outage, error)
    answer = show_error(request, 503, outage.title, f"{outage.detail} {outage.remedy}")
    if outage.seconds is not None:
        answer.headers["Retry-After"] = str(outage.seconds)
    return answer


def add_outage_handlers(app: FastAPI) -> None:
    """Answer what the database and the disk raise with a page or problem details, 503; the rest stays unexpected."""

    async def handle(request: Request, error: Exception) -> Response:
        answer = answer_outage(request, error)
        if answer is None:
            raise error
        return answer

    # A value that the database refuses has its own handler, which comes first, being more exact.
    for kind in (DBAPIError, PoolTimeoutError, OSError):
        app.add_exception_handler(kind, handle)
    unexpected: Any = app.exception_handlers[Exception]

    async def handle_outside(request: Request, error: Exception) -> Response:
        # What is raised around the routes, where a session is looked for, say, comes here alone.
        answer = answer_outage(request, error)
        if answer is None:
            told: Response = await unexpected(request, error)
            return told
        answer.headers.update(SECURITY_HEADERS)
        return answer

    app.add_exception_handler(Exception, handle_outside)
