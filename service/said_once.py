"""What a page says was done (« Fait : … ») is said once, to the browser that did it: an address alone says nothing.

A form that did something leads to an address that names it (`?dit=decide`). The answer that leads there leaves the browser a
mark of that address for a minute; the page takes it back. Without its mark (a link received, the Back button, a second look)
the name is left out of the address before any route reads it. Nothing is kept here: any process may answer either request.
"""

import hashlib
from typing import Final
from urllib.parse import parse_qsl, unquote, unquote_plus, urlsplit, urlunsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE: Final = "vigie_dit"
_SECONDS: Final = 60
_NAMES: Final = frozenset({"dit", "fait", "faite", "parts", "rendue"})
#: Where `fait` is the identifier of a decision, which the page checks: its button to take it back stays.
_CHECKED: Final = ("/textes/", "/file")


def unsaid(address: str) -> str:
    """An address without what it would say was done."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(query=_without(parts.path, parts.query)))


def _named(path: str, query: str) -> bool:
    return _without(path, query) != query


def _without(path: str, query: str) -> str:
    names = _NAMES - {"fait"} if path.startswith(_CHECKED) else _NAMES
    return "&".join(pair for pair in query.split("&") if unquote_plus(pair.partition("=")[0]) not in names)


def _mark(path: str, query: str) -> str:
    """The mark of an address, however its query is encoded."""
    return hashlib.sha256(repr((path, parse_qsl(query, keep_blank_values=True))).encode()).hexdigest()[:32]


class SaidOnce:
    """Marks what an answer leads to, and takes out of an address what it says without its mark."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its address mended; what it answers leaves a mark, or takes one back."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path, query = scope["path"], scope["query_string"].decode("latin-1")
        taken = False
        if scope["method"] == "GET" and _named(path, query):
            taken = Request(scope).cookies.get(COOKIE) == _mark(path, query)
            if not taken:
                # In place: what surrounds this reads the route that is found from the same scope.
                scope["query_string"] = _without(path, query).encode("latin-1")

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = _left(message) or ("; Max-Age=0" if taken else "")
                if kept:
                    secure = "; Secure" if scope["scheme"] == "https" else ""
                    cookie = f"{COOKIE}={kept}; Path=/; HttpOnly; SameSite=Lax{secure}"
                    MutableHeaders(scope=message).append("set-cookie", cookie)
            await send(message)

        await self.app(scope, receive, marked)


def _left(message: Message) -> str:
    """The mark, and how long it holds, of the address that an answer leads to; empty where that says nothing."""
    to = urlsplit(Headers(raw=message["headers"]).get("location", ""))
    path = unquote(to.path)
    if message["status"] != 303 or to.netloc or not _named(path, to.query):
        return ""
    return f"{_mark(path, to.query)}; Max-Age={_SECONDS}"
