"""What texts that are deleted leave behind: neither contacts that nobody gives any more nor campaigns that nobody touched."""

from collections.abc import Iterable

from sqlalchemy import Connection, delete, exists, select, update

from service.campaigns.schema import CAMPAIGN_APART, CAMPAIGN_EVENTS, CAMPAIGNS, CONTACTS, ITEM_CONTACTS

_LOT = 500


def drop_contacts(connection: Connection, ids: Iterable[str]) -> int:
    """Delete those of these contacts that no text names any more and of which no person said anything; returns how many.

    Their value goes from the history of campaigns too: it may be somebody's number.
    """
    every, count = sorted(set(ids)), 0
    for first in range(0, len(every), _LOT):
        linked = exists().where(ITEM_CONTACTS.c.contact_id == CONTACTS.c.id)
        wanted = select(CONTACTS.c.id).where(CONTACTS.c.id.in_(every[first : first + _LOT]), CONTACTS.c.decided_by.is_(None))
        gone = set(connection.scalars(wanted.where(~linked)))
        told = select(CAMPAIGN_EVENTS.c.number, CAMPAIGN_EVENTS.c.detail).where(CAMPAIGN_EVENTS.c.kind == "common")
        for number, detail in connection.execute(told).all() if gone else ():
            if detail.get("contact") in gone and "value" in detail:
                kept = {name: value for name, value in detail.items() if name != "value"}
                connection.execute(update(CAMPAIGN_EVENTS).where(CAMPAIGN_EVENTS.c.number == number).values(detail=kept))
        connection.execute(delete(CONTACTS).where(CONTACTS.c.id.in_(gone)))
        count += len(gone)
    return count


def drop_empty(connection: Connection, ids: Iterable[str]) -> None:
    """Campaigns without a text that no person ever touched leave nothing behind, nor do those that were merged into them."""
    wanted = set(ids)
    merged = select(CAMPAIGNS.c.id, CAMPAIGNS.c.into).where(CAMPAIGNS.c.into.in_(wanted))
    into = {row.id: row.into for row in connection.execute(merged)}
    empty = set(connection.scalars(select(CAMPAIGNS.c.id).where(CAMPAIGNS.c.id.in_(wanted), CAMPAIGNS.c.texts == 0)))
    group = empty | {id for id, target in into.items() if target in empty}
    touched = select(CAMPAIGN_EVENTS.c.campaign_id).where(CAMPAIGN_EVENTS.c.user_id.is_not(None))
    held = set(connection.scalars(touched.where(CAMPAIGN_EVENTS.c.campaign_id.in_(group))))
    held |= set(connection.scalars(select(CAMPAIGN_APART.c.campaign_id).where(CAMPAIGN_APART.c.campaign_id.in_(group))))
    # What was merged is kept as a whole: an address of before leads to it.
    held = {into.get(id, id) for id in held}
    gone = {id for id in group if into.get(id, id) not in held}
    connection.execute(delete(CAMPAIGN_EVENTS).where(CAMPAIGN_EVENTS.c.campaign_id.in_(gone)))
    connection.execute(delete(CAMPAIGNS).where(CAMPAIGNS.c.id.in_(gone)))
