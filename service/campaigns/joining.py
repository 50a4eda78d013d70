"""Texts brought into the campaigns that their links lead to, many at once: campaigns are taken as wholes."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, FromClause, and_, not_, or_, select, update

from service.campaigns.components import (
    JOINS,
    Edge,
    Union,
    absorb,
    campaigns_of,
    likely,
    move,
    new_campaigns,
    of_contact,
)
from service.campaigns.schema import CAMPAIGN_APART, CAMPAIGN_ITEMS, CAMPAIGNS, CONTACTS, ITEM_CONTACTS, ITEM_LINKS
from service.workplace.lots import KEYS, among, keys_for, newest_of_each

#: Of the texts that share a contact, how many of the newest are asked for their campaign.
_ASKED: Final = 50


def join(connection: Connection, items: Sequence[str]) -> set[str]:
    """Bring texts into the campaigns that their links lead to, merging those that they join; returns the campaigns changed."""
    edges = [*_near(connection, items), *_shared(connection, items)]
    if not edges:
        return set()
    ends = {end for edge in edges for end in (edge.first, edge.second) if not end.startswith(_CONTACT)} | set(items)
    homes = campaigns_of(connection, ends)
    node = {item: homes.get(item, item) for item in ends}
    sizes = _sizes(connection, sorted(set(homes.values())))
    apart = _apart(connection, ends, node)
    union = Union()
    for name in sorted(set(node.values())):
        union.add(name, max(1, sizes.get(name, 1)), {name} if name in sizes else (), apart.get(name, ()))
    between = {(node.get(edge.first, edge.first), node.get(edge.second, edge.second), edge.strength) for edge in edges}
    for _, second, _ in between:
        union.add(second)
    # Those that a person took out of somewhere come last: what they share with those that stay is not theirs to keep.
    ordered = sorted(between, key=lambda one: (one[0] in apart or one[1] in apart, -one[2], one[0], one[1]))
    union.join(Edge(*one) for one in ordered if one[0] != one[1])
    _mark_cut(connection, union, sizes)
    mine = {node[item] for item in items}
    return _write(connection, [names for names in union.groups().values() if not mine.isdisjoint(names)], sizes)


_CONTACT: Final = "c:"


def _near(connection: Connection, items: Sequence[str]) -> Iterator[Edge]:
    """The links of texts to others that are as alike."""
    given = {KEYS: keys_for(connection, items)}
    for column in (ITEM_LINKS.c.item_id, ITEM_LINKS.c.other_id):
        query = select(ITEM_LINKS).where(among(connection, column), ITEM_LINKS.c.state != "rejected")
        for row in connection.execute(query, given):
            yield Edge(row.item_id, row.other_id, likely(row.state, row.likeness))


def _shared(connection: Connection, items: Sequence[str]) -> Iterator[Edge]:
    """The links of texts to their contacts, and of these to other texts; of a large contact the newest.

    A contact is as sure for the others as it is for the surest of these texts.
    """
    held = ITEM_CONTACTS.join(CONTACTS, CONTACTS.c.id == ITEM_CONTACTS.c.contact_id)
    columns = (ITEM_CONTACTS.c.item_id, ITEM_CONTACTS.c.contact_id, ITEM_CONTACTS.c.state, CONTACTS.c.kind)
    own = select(*columns).select_from(held).where(among(connection, ITEM_CONTACTS.c.item_id), JOINS)
    given = keys_for(connection, items)
    sure: dict[str, float] = defaultdict(float)
    for row in connection.execute(own, {KEYS: given}):
        strength = of_contact(row.state, row.kind)
        sure[row.contact_id] = max(sure[row.contact_id], strength)
        yield Edge(row.item_id, _CONTACT + row.contact_id, strength)

    def others(table: FromClause) -> Sequence[ColumnElement[bool]]:
        theirs = or_(and_(table.c.role == "own", table.c.state != "rejected"), table.c.state == "confirmed")
        return (theirs, not_(among(connection, table.c.item_id, "items")))

    if sure:
        newest = newest_of_each(connection, ITEM_CONTACTS.c.contact_id, ITEM_CONTACTS.c.item_id, _ASKED, others)
        for contact, item in connection.execute(newest, {KEYS: keys_for(connection, sorted(sure)), "items": given}):
            yield Edge(item, _CONTACT + contact, sure[contact])


def _sizes(connection: Connection, campaigns: Sequence[str]) -> dict[str, int]:
    query = select(CAMPAIGNS.c.id, CAMPAIGNS.c.texts).where(among(connection, CAMPAIGNS.c.id))
    return {id: texts for id, texts in connection.execute(query, {KEYS: keys_for(connection, campaigns)})}


def _apart(connection: Connection, items: set[str], node: Mapping[str, str]) -> dict[str, set[str]]:
    """By text without a campaign, and by campaign: the campaigns that a person took it, or some of its texts, out of."""
    # Every such act of a person: few rows, where a campaign may have thousands of texts.
    rows = connection.execute(
        select(CAMPAIGN_APART.c.item_id, CAMPAIGN_APART.c.campaign_id, CAMPAIGN_ITEMS.c.campaign_id.label("home")).outerjoin(
            CAMPAIGN_ITEMS, CAMPAIGN_ITEMS.c.item_id == CAMPAIGN_APART.c.item_id
        )
    )
    found: dict[str, set[str]] = defaultdict(set)
    homes = set(node.values())
    for row in rows:
        if row.home in homes:
            found[row.home].add(row.campaign_id)
        elif row.home is None and row.item_id in items:
            found[row.item_id].add(row.campaign_id)
    return dict(found)


def _mark_cut(connection: Connection, union: Union, sizes: Mapping[str, int]) -> None:
    if union.cut:
        groups = union.groups()
        cut = {name for root in union.cut for name in groups.get(union.find(root), ()) if name in sizes}
        connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.id.in_(cut)).values(cut=True))


def _write(connection: Connection, groups: Sequence[Sequence[str]], sizes: Mapping[str, int]) -> set[str]:
    """Make of each group of texts and campaigns one campaign, the oldest of them."""
    found: list[tuple[list[str], list[Any]]] = []
    for names in groups:
        kept = sorted(name for name in names if name in sizes)
        single = sorted(name for name in names if name not in sizes and not name.startswith(_CONTACT))
        if len(kept) + len(single) > 1:
            found.append((kept, single))
    new = iter(new_campaigns(connection, sum(not kept for kept, _ in found)))
    homes: dict[str, str] = {}
    changed = set()
    for kept, single in found:
        chosen = kept[0] if kept else next(new)
        for other in kept[1:]:
            absorb(connection, other, chosen)
        homes |= dict.fromkeys(single, chosen)
        changed.add(chosen)
    move(connection, homes)
    return changed
