"""Where each request comes from, for the audit log: known to whatever answers it, without being handed down."""

from starlette.types import ASGIApp, Receive, Scope, Send

from service.workplace.audit import called_from


class Calling:
    """Notes the network address of a request while it is answered."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        client = scope.get("client")
        with called_from(client[0] if client else ""):
            await self.app(scope, receive, send)
