"""The tables of campaigns, for SQLite and PostgreSQL; migration 0006 makes them.

A link is suggested by the program, confirmed or rejected by a person; no recomputation changes what a person said.
"""

from typing import Any, Final

from sqlalchemy import JSON, Boolean, Column, DateTime, Float, ForeignKey, Index, Integer, String, Table, Text

import service.workplace.schema  # noqa: F401 - declares the tables that these refer to
from service.database import METADATA

_ID: Final = 36
_NAME: Final = 200


def _item(name: str = "item_id", *, primary: bool = False, optional: bool = False, index: bool = False) -> "Column[Any]":
    target = ForeignKey("items.id", ondelete="CASCADE")
    return Column(name, String(_ID), target, primary_key=primary, nullable=optional, index=index)


def _said() -> "tuple[Column[Any], ...]":
    """Who said what holds now, when and why; all empty while only the program did."""
    return (
        Column("decided_by", String(_NAME), ForeignKey("users.id"), nullable=True),
        Column("decided_at", DateTime(timezone=True), nullable=True),
        Column("why", Text, nullable=True),
    )


#: Ways to reach or to know an author. `state`: links, common (by too many unrelated texts), ignored or kept (by a person).
CONTACTS: Final = Table(
    "contacts",
    METADATA,
    Column("id", String(_ID), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("value", String(300), nullable=False, index=True),
    Column("state", String(20), nullable=False),
    Column("texts", Integer, nullable=False),  # whose own contact it is
    *_said(),
)

#: Where a contact is: `role` own or mention, `origin` text, author or url, code points `start` to `end` of the text if there.
ITEM_CONTACTS: Final = Table(
    "item_contacts",
    METADATA,
    _item(primary=True),
    Column("contact_id", String(_ID), ForeignKey("contacts.id"), primary_key=True),
    Column("role", String(10), nullable=False),
    Column("origin", String(10), nullable=False),
    Column("start", Integer, nullable=True),
    Column("end", Integer, nullable=True),
    Column("state", String(10), nullable=False),  # suggested, confirmed, rejected
    *_said(),
)
Index("ix_item_contacts_contact", ITEM_CONTACTS.c.contact_id, ITEM_CONTACTS.c.item_id)

#: Two texts, `item_id` < `other_id`. `kind`: near (nearly the same words) or merge (a person joined their campaigns).
ITEM_LINKS: Final = Table(
    "item_links",
    METADATA,
    _item(primary=True),
    _item("other_id", primary=True, index=True),
    Column("kind", String(10), nullable=False),
    Column("likeness", Float, nullable=True),
    Column("state", String(10), nullable=False),
    *_said(),
)

#: `into`: the campaign that this one was merged into. `places`: distinct accounts, sites and sources. `cut`: links were left
#: out so that it does not grow without bound.
CAMPAIGNS: Final = Table(
    "campaigns",
    METADATA,
    Column("id", String(_ID), primary_key=True),
    Column("name", String(_NAME), nullable=True),
    Column("note", Text, nullable=True),
    Column("into", String(_ID), nullable=True, index=True),
    Column("cut", Boolean, nullable=False),
    Column("texts", Integer, nullable=False),
    Column("level", Integer, nullable=True),  # the worst: decided, else as the model says
    Column("decided_level", Integer, nullable=True),  # the worst that people decided
    Column("chief", String(_ID), nullable=True),  # the contact that most of its texts give
    Column("places", Integer, nullable=False),
    Column("first_at", DateTime(timezone=True), nullable=True),
    Column("last_at", DateTime(timezone=True), nullable=True),
    Column("made_at", DateTime(timezone=True), nullable=False),
)
for _sorted in ("texts", "level", "places", "last_at"):
    Index(f"ix_campaigns_{_sorted}_id", CAMPAIGNS.c[_sorted], CAMPAIGNS.c.id)

CAMPAIGN_ITEMS: Final = Table(
    "campaign_items",
    METADATA,
    _item(primary=True),
    Column("campaign_id", String(_ID), ForeignKey("campaigns.id"), nullable=False, index=True),
)

#: A person took the text out of the campaign: nothing suggested brings it back.
CAMPAIGN_APART: Final = Table(
    "campaign_apart",
    METADATA,
    _item(primary=True),
    Column("campaign_id", String(_ID), ForeignKey("campaigns.id"), primary_key=True, index=True),
    *_said(),
)

#: What happened to a campaign; never changed. `user_id` empty: the program.
CAMPAIGN_EVENTS: Final = Table(
    "campaign_events",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("campaign_id", String(_ID), ForeignKey("campaigns.id"), nullable=False, index=True),
    Column("item_id", String(_ID), nullable=True),  # kept when the text is gone
    Column("user_id", String(_NAME), ForeignKey("users.id"), nullable=True),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("kind", String(20), nullable=False),
    Column("detail", JSON, nullable=False),
    Column("why", Text, nullable=True),
)

#: Texts that look like so many others that they were compared with the newest of these only.
CAMPAIGN_CROWDED: Final = Table("campaign_crowded", METADATA, _item(primary=True))

#: Large campaigns of which texts came or changed since what the list shows of them was counted; `number`: in what order.
CAMPAIGN_STALE: Final = Table(
    "campaign_stale",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("campaign_id", String(_ID), ForeignKey("campaigns.id", ondelete="CASCADE"), nullable=False, unique=True),
    sqlite_autoincrement=True,
)

#: Texts that were read, or decided on, since their contacts were last looked at; triggers fill it.
CAMPAIGN_WAITING: Final = Table("campaign_waiting", METADATA, _item(primary=True))
