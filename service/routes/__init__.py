"""Thin routes: parse, one call, shape."""

#: Modules of this package whose `router` makes the workplace; the application includes them in this order.
WORKPLACE_ROUTES: tuple[str, ...] = (
    "queue",
    "imports",
    "exchange",
    "items",
    "label_studio",
    "loop",
    "reading",
    "arbitration",
    "sampling",
    "overview",
    "accounts",
    "people",
)

#: What the application does beside answering: `module:function` of `service.workplace`, each `async def keep_…(state)`, which
#: goes on until it is cancelled.
WORKPLACE_TASKS: tuple[str, ...] = (
    "imports:keep_importing",
    "scoring:keep_scoring",
)
