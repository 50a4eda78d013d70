"""What the list of campaigns shows and sorts by: counted at once for small campaigns, in turn for large ones.

A large campaign gets texts all the time while many are linked: counted each time, it would be read thousands of times over.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, bindparam, delete, func, select, update

from service.campaigns.components import JOINS
from service.campaigns.schema import CAMPAIGN_ITEMS, CAMPAIGN_STALE, CAMPAIGNS, CONTACTS, ITEM_CONTACTS
from service.database import serialise
from service.workplace.lots import KEYS, among, insert_new, keys_for
from service.workplace.schema import ITEMS

#: One writer of campaigns at a time, on PostgreSQL too.
TURN: Final = "campaigns"
#: Texts from which a campaign is counted in its turn.
LARGE: Final = 200
_COUNTED: Final = ("texts", "level", "decided_level", "places", "first_at", "last_at", "chief")


def count_anew(connection: Connection, campaigns: Iterable[str]) -> None:
    """Count campaigns now: texts, worst level, places, first and last instant, the contact that most texts give."""
    ids = sorted(set(campaigns))
    if not ids:
        return
    given = {KEYS: keys_for(connection, ids)}
    nothing = dict(zip(_COUNTED, (0, None, None, 0, None, None, None), strict=True))
    rows: dict[str, dict[str, Any]] = {id: {"of": id} | nothing for id in ids}
    for sums in connection.execute(_sums(connection), given).mappings():
        rows[sums["of"]] |= sums
    own = func.count().label("own")
    inside = ITEM_CONTACTS.join(CAMPAIGN_ITEMS, CAMPAIGN_ITEMS.c.item_id == ITEM_CONTACTS.c.item_id)
    inside = inside.join(CONTACTS, CONTACTS.c.id == ITEM_CONTACTS.c.contact_id)
    columns = (CAMPAIGN_ITEMS.c.campaign_id, CONTACTS.c.id, CONTACTS.c.value)
    query = select(*columns, own).select_from(inside).where(among(connection, CAMPAIGN_ITEMS.c.campaign_id), JOINS)
    for row in connection.execute(query.group_by(*columns).order_by(own, CONTACTS.c.value.desc()), given):
        rows[row.campaign_id]["chief"] = row.id
    values = {name: bindparam(f"new_{name}", type_=CAMPAIGNS.c[name].type) for name in _COUNTED}
    new = [{"of": id} | {f"new_{name}": row[name] for name in _COUNTED} for id, row in rows.items()]
    connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.id == bindparam("of")).values(**values), new)
    connection.execute(delete(CAMPAIGN_STALE).where(among(connection, CAMPAIGN_STALE.c.campaign_id)), given)


def _sums(connection: Connection) -> Any:
    level = func.coalesce(ITEMS.c.decided_level, ITEMS.c.level)
    seen = func.coalesce(ITEMS.c.captured_at, ITEMS.c.received_at)
    place = func.coalesce(ITEMS.c.author, "") + "|" + ITEMS.c.source
    columns = (
        CAMPAIGN_ITEMS.c.campaign_id.label("of"),
        func.count().label("texts"),
        func.max(level).label("level"),
        func.max(ITEMS.c.decided_level).label("decided_level"),
        func.count(place.distinct()).label("places"),
        func.min(seen).label("first_at"),
        func.max(seen).label("last_at"),
    )
    joined = ITEMS.join(CAMPAIGN_ITEMS, CAMPAIGN_ITEMS.c.item_id == ITEMS.c.id)
    query = select(*columns).select_from(joined).where(among(connection, CAMPAIGN_ITEMS.c.campaign_id))
    return query.group_by(CAMPAIGN_ITEMS.c.campaign_id)


def count_soon(connection: Connection, campaigns: Iterable[str]) -> None:
    """Count the small ones of these campaigns now; the large ones wait, and the one that waits longest is counted."""
    ids = sorted(set(campaigns))
    counted = CAMPAIGNS.c.first_at.is_not(None)
    sizes = select(CAMPAIGNS.c.id).where(among(connection, CAMPAIGNS.c.id), CAMPAIGNS.c.texts >= LARGE, counted)
    large = list(connection.scalars(sizes.order_by(CAMPAIGNS.c.id), {KEYS: keys_for(connection, ids)})) if ids else []
    if large:
        connection.execute(insert_new(connection, CAMPAIGN_STALE), [{"campaign_id": id} for id in large])
    count_anew(connection, {*ids} - {*large} | {*_waiting(connection, 1)})


def count_waiting(engine: Engine, limit: int = 20) -> int:
    """Count at most so many of the large campaigns that wait for it; returns how many."""
    with engine.connect() as connection:
        if not _waiting(connection, 1):
            return 0
    with engine.begin() as connection:
        serialise(connection, TURN)
        ids = _waiting(connection, limit)
        count_anew(connection, ids)
    return len(ids)


def _waiting(connection: Connection, limit: int) -> Sequence[str]:
    query = select(CAMPAIGN_STALE.c.campaign_id).order_by(CAMPAIGN_STALE.c.number).limit(limit)
    return connection.scalars(query).all()
