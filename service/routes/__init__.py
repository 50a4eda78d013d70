"""Thin routes: parse, one call, shape."""

#: Modules of this package whose `router` makes the workplace; the application includes them in this order.
WORKPLACE_ROUTES: tuple[str, ...] = (
    "queue",
    "masking",
    "imports",
    "exchange",
    "exports",
    "items",
    "practices",
    "directions",
    "label_studio",
    "loop",
    "reading",
    "arbitration",
    "sampling",
    "overview",
    "observatory",
    "campaigns",
    "campaign_decisions",
    "campaigns_api",
    "contacts",
    "accounts",
    "provider",
    "people",
    "privacy",
    "journal",
    "cases",
    "campaign_cases",
)

#: What the application does beside answering: `module:function` of `service.workplace`, each `async def keep_…(state)`, which
#: goes on until it is cancelled.
WORKPLACE_TASKS: tuple[str, ...] = (
    "imports:keep_importing",
    "takeouts:keep_exporting",
    "scoring:keep_scoring",
    "linking:keep_linking",
    "observing:keep_observing",
    "audit_anchor:keep_anchoring",
    "clock:keep_settling",
    "drifting:keep_watching",
)

#: Parts of a text's page that other modules make: "service.module:function" of `service.workplace.panels.ItemPanel`.
ITEM_PANELS: tuple[str, ...] = (
    "service.privacy.reexamination:contested_panel",
    "service.directions.panels:directions",
    "service.campaigns.panel:campaign_panel",
    "service.workplace.seen_again:receptions_panel",
    "service.cases.pages:panel",
)

#: What other modules let people do with texts ticked in the queue: "service.module:function" of `panels.LotActionOf`.
LOT_ACTIONS: tuple[str, ...] = ("service.cases.pages:lot_action",)
