"""How many requests a minute: by key, by account, by network address for the rest; each has its own allowance.

Where several processes serve, they count together, in a file of the folder that they share; several machines count apart.
"""

import math
import time
from pathlib import Path
from typing import Final, Literal

from anyio import CapacityLimiter, to_thread
from limits import RateLimitItemPerMinute
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from service.access import COOKIE, address_of, holder_of, sent_key, session_of
from service.hits import SharedStorage
from service.problems import problem
from service.settings import Settings, shared_folder
from service.state import State
from service.workplace.origin import network_of

Kind = Literal["key", "account", "address"]
_NAMES: Final[dict[Kind, str]] = {"key": "cette clé d'accès", "account": "ce compte", "address": "cette adresse"}
#: Always answered: what watches over the service, and what pages are made of.
_UNCOUNTED: Final = ("/health", "/metrics", "/static")
_FILE: Final = "rates.sqlite3"
#: Judging a request waits for no analysis.
_THREADS: Final = 8


def allowances(settings: Settings) -> dict[Kind, int]:
    """Requests a minute of each kind; 0: without a limit."""
    rest = settings.rate_per_minute
    by_key, by_account = settings.key_rate_per_minute, settings.account_rate_per_minute
    return {"key": rest if by_key is None else by_key, "account": rest if by_account is None else by_account, "address": rest}


class RateLimit:
    """Refuses the requests of a key, an account or an address over its allowance, with 429 and `Retry-After`."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.items = {kind: RateLimitItemPerMinute(most) for kind, most in allowances(settings).items() if most}
        folder = shared_folder()
        self.limiter = MovingWindowRateLimiter(SharedStorage(Path(":memory:") if folder is None else folder / _FILE))
        self.threads: CapacityLimiter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 429."""
        if scope["type"] == "http" and not scope["path"].startswith(_UNCOUNTED):
            self.threads = self.threads or CapacityLimiter(_THREADS)
            refused = await to_thread.run_sync(self._judge, scope, limiter=self.threads)
            if refused is not None:
                kind, seconds = refused
                detail = f"Plus de {self.items[kind].amount} requêtes en une minute pour {_NAMES[kind]}."
                await problem(429, detail, headers={"Retry-After": str(seconds)})(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _judge(self, scope: Scope) -> tuple[Kind, int] | None:
        kind, name = _whose(Request(scope), scope["app"].state.vigie)
        item = self.items.get(kind)
        if item is None or self.limiter.hit(item, kind, name):
            return None
        reset = self.limiter.get_window_stats(item, kind, name).reset_time
        return kind, max(1, math.ceil(reset - time.monotonic()))


def _whose(request: Request, state: State) -> tuple[Kind, str]:
    """Whose allowance a request takes from: that of a key or a session that is good, or else of where it comes from."""
    if request.headers.get("authorization"):
        holder = holder_of(request, state, sent_key(request))
        if holder is not None:
            return "key", holder.id
    elif request.cookies.get(COOKIE):
        session = session_of(request, state)
        if session is not None:
            return "account", session.person.id
    return "address", network_of(address_of(request)) or "?"
