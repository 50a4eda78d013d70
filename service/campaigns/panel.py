"""What a text's page says of its campaign."""

from sqlalchemy import Connection, func, select

from service.campaigns.components import JOINS
from service.campaigns.contacts import KIND_NAMES
from service.campaigns.graph import shown_value
from service.campaigns.links import campaign_of
from service.campaigns.lists import shown_to
from service.campaigns.schema import CAMPAIGN_CROWDED, CAMPAIGN_ITEMS, CAMPAIGN_WAITING, CONTACTS, ITEM_CONTACTS
from service.workplace.items import Item
from service.workplace.panels import Panel
from service.workplace.people import Person
from service.workplace.schema import ITEMS
from service.workplace.similar import near


def campaign_panel(connection: Connection, item: Item, person: Person) -> Panel | None:
    """The campaign of a text, its contacts and what it mentions; None where there is nothing to say."""
    campaign = campaign_of(connection, item.id)
    query = select(*CONTACTS.c, ITEM_CONTACTS.c.role, JOINS.label("joins")).join(
        ITEM_CONTACTS, ITEM_CONTACTS.c.contact_id == CONTACTS.c.id
    )
    rows = connection.execute(
        query.where(ITEM_CONTACTS.c.item_id == item.id).order_by(ITEM_CONTACTS.c.role.desc(), CONTACTS.c.kind)
    )
    contacts = [
        {"id": row.id, "kind": KIND_NAMES[row.kind], "value": shown_value(row.value, person.masks), "own": bool(row.joins)}
        | {"mention": row.role == "mention", "texts": row.texts}
        for row in rows
    ]
    waits = select(func.count()).select_from(CAMPAIGN_WAITING).where(CAMPAIGN_WAITING.c.item_id == item.id)
    waiting = bool(connection.execute(waits).scalar_one())
    crowded = bool(connection.execute(select(CAMPAIGN_CROWDED).where(CAMPAIGN_CROWDED.c.item_id == item.id)).first())
    if campaign is None and not contacts and not waiting and not crowded:
        return None
    more = {"item_id": item.id, "extends": _extends(connection, item, campaign.id) if campaign else 0}
    shown = shown_to(connection, campaign, person) if campaign else None
    return Panel("campaign_panel.html", {"campaign": shown, "contacts": contacts, "waiting": waiting, "crowded": crowded} | more)


def _extends(connection: Connection, item: Item, campaign_id: str) -> int:
    """To how many near-duplicates of its campaign, not decided yet, a text's own decision may be carried over."""
    if item.state != "done":
        return 0
    ids = [one.item_id for one in near(connection, item.id)]
    waiting = select(func.count()).select_from(ITEMS).join(CAMPAIGN_ITEMS, CAMPAIGN_ITEMS.c.item_id == ITEMS.c.id)
    waiting = waiting.where(CAMPAIGN_ITEMS.c.campaign_id == campaign_id, ITEMS.c.id.in_(ids), ITEMS.c.state == "new")
    return int(connection.execute(waiting).scalar_one())
