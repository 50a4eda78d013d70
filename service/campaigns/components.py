"""Which texts make a campaign: those that links join, kept within bounds, cut where a person said so.

Links are taken from the surest to the weakest (Kruskal's order). One that would bring a text back to a campaign that a person
took it out of, or make a campaign of suggestions alone too large, is left out and the campaign says so (`cut`, events).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, or_, select, update

from service.campaigns.contacts import STRENGTH
from service.campaigns.schema import (
    CAMPAIGN_APART,
    CAMPAIGN_EVENTS,
    CAMPAIGN_ITEMS,
    CAMPAIGNS,
    CONTACTS,
    ITEM_CONTACTS,
    ITEM_LINKS,
)
from service.workplace.audit_events import record_campaign_event
from service.workplace.items import new_id
from service.workplace.times import now

#: Texts of a campaign over which weak links join no more, and over which no suggested link does.
SOFT: Final = 1_000
HARD: Final = 10_000
#: Links under this strength are weak: a name of account, texts of which hardly half is alike.
WEAK: Final = 0.65
_SURE: Final = 2.0
#: Of the texts that share a contact, how many of the newest are asked for their campaign.
_ASKED: Final = 50

#: A contact that links its text: its own and not rejected, or confirmed, and of no platform.
JOINS: Final[ColumnElement[bool]] = and_(
    or_(and_(ITEM_CONTACTS.c.role == "own", ITEM_CONTACTS.c.state != "rejected"), ITEM_CONTACTS.c.state == "confirmed"),
    CONTACTS.c.state.in_(("links", "kept")),
)


# Asked for every text: made once, since writing a statement anew costs more than asking it.
_HOMES: Final = select(CAMPAIGN_ITEMS.c.item_id, CAMPAIGN_ITEMS.c.campaign_id).where(
    CAMPAIGN_ITEMS.c.item_id.in_(bindparam("ids", expanding=True))
)
_NEAR: Final = select(ITEM_LINKS).where(
    or_(ITEM_LINKS.c.item_id == bindparam("item"), ITEM_LINKS.c.other_id == bindparam("item")), ITEM_LINKS.c.state != "rejected"
)
_HELD: Final = ITEM_CONTACTS.join(CONTACTS, CONTACTS.c.id == ITEM_CONTACTS.c.contact_id)
_OWN: Final = (
    select(ITEM_CONTACTS.c.contact_id, ITEM_CONTACTS.c.state, CONTACTS.c.kind)
    .select_from(_HELD)
    .where(ITEM_CONTACTS.c.item_id == bindparam("item"), JOINS)
)
_SHARED: Final = (
    select(ITEM_CONTACTS.c.item_id)
    .select_from(_HELD)
    .where(ITEM_CONTACTS.c.contact_id == bindparam("contact"), ITEM_CONTACTS.c.item_id != bindparam("item"), JOINS)
    .order_by(ITEM_CONTACTS.c.item_id.desc())
    .limit(_ASKED)
)


@dataclass(slots=True)
class _Group:
    """What a union has gathered: how many texts, the campaigns that they are in, and those that they must not be in."""

    texts: int = 0
    homes: set[str] = field(default_factory=set)
    apart: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Edge:
    first: str
    second: str
    strength: float


class _Union:
    """Groups of nodes, joined as long as nothing forbids it."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}
        self._groups: dict[str, _Group] = {}
        self.cut: set[str] = set()

    def add(self, node: str, texts: int = 0, homes: Iterable[str] = (), apart: Iterable[str] = ()) -> None:
        if node not in self._parent:
            self._parent[node] = node
            self._groups[node] = _Group(texts, set(homes), set(apart))

    def find(self, node: str) -> str:
        while self._parent[node] != node:
            self._parent[node] = self._parent[self._parent[node]]
            node = self._parent[node]
        return node

    def join(self, edges: Iterable[_Edge]) -> list[_Edge]:
        """Join what the edges join, surest first; returns those that were left out."""
        held = []
        for edge in edges:
            first, second = self.find(edge.first), self.find(edge.second)
            if first != second and not self._unite(first, second, edge.strength):
                held.append(edge)
        return held

    def _unite(self, first: str, second: str, strength: float) -> bool:
        one, other = self._groups[first], self._groups[second]
        if strength < _SURE:
            if one.homes & other.apart or other.homes & one.apart:
                return False
            if one.texts + other.texts > (SOFT if strength < WEAK else HARD):
                self.cut |= {first, second}
                return False
        self._parent[second] = first
        self._groups[first] = _Group(one.texts + other.texts, one.homes | other.homes, one.apart | other.apart)
        return True

    def groups(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for node in self._parent:
            found[self.find(node)].append(node)
        return found


def note_event(
    connection: Connection,
    campaign_id: str,
    kind: str,
    *,
    user: str | None = None,
    item: str | None = None,
    why: str = "",
    **detail: Any,
) -> None:
    """Keep what happened to a campaign."""
    row = {"campaign_id": campaign_id, "kind": kind, "user_id": user, "item_id": item, "detail": detail, "why": why or None}
    connection.execute(CAMPAIGN_EVENTS.insert().values(made_at=now(), **row))
    if user is not None:
        record_campaign_event(connection, campaign_id, kind, user, item, detail)


def campaigns_of(connection: Connection, items: Iterable[str]) -> dict[str, str]:
    """The campaign of each of these texts that is in one."""
    found: dict[str, str] = {}
    for ids in _lots(sorted(set(items))):
        found |= {item: id for item, id in connection.execute(_HOMES, {"ids": ids})}
    return found


def _lots(ids: Sequence[str], size: int = 500) -> Iterator[Sequence[str]]:
    return (ids[first : first + size] for first in range(0, len(ids), size))


def neighbours(connection: Connection, item_id: str) -> dict[str, float]:
    """The texts that links of a text lead to, with the strength of the best; of a large contact the newest."""
    found: dict[str, float] = {}
    for row in connection.execute(_NEAR, {"item": item_id}):
        other = row.other_id if row.item_id == item_id else row.item_id
        found[other] = max(found.get(other, 0.0), _likely(row.state, row.likeness))
    for row in connection.execute(_OWN, {"item": item_id}).all():
        for other in connection.scalars(_SHARED, {"item": item_id, "contact": row.contact_id}):
            found[other] = max(found.get(other, 0.0), _SURE if row.state == "confirmed" else STRENGTH[row.kind])
    return found


def _likely(state: str, likeness: float | None) -> float:
    return _SURE if state == "confirmed" else 0.25 + (likeness or 0.0)


def join(connection: Connection, item_id: str) -> set[str]:
    """Bring a text into the campaign that its links lead to, merging those that it joins; returns the campaigns changed.

    Costs its neighbours: campaigns are taken as wholes.
    """
    found = neighbours(connection, item_id)
    if not found:
        return set()
    homes = campaigns_of(connection, [item_id, *found])
    node = {item: homes.get(item, item) for item in [item_id, *found]}
    union = _Union()
    sizes = {
        row.id: row.texts
        for row in connection.execute(select(CAMPAIGNS.c.id, CAMPAIGNS.c.texts).where(CAMPAIGNS.c.id.in_(set(homes.values()))))
    }
    apart = _apart(connection, [item for item in node if item not in homes], set(homes.values()))
    for item, name in node.items():
        known = item in homes
        union.add(name, max(1, sizes[name]) if known else 1, {name} if known else (), apart.get(name, ()))
    best: dict[str, float] = {}
    for item, strength in found.items():
        best[node[item]] = max(best.get(node[item], 0.0), strength)
    own = node[item_id]
    union.join(
        _Edge(own, name, strength) for name, strength in sorted(best.items(), key=lambda one: (-one[1], one[0])) if name != own
    )
    group = next(names for names in union.groups().values() if own in names)
    kept = sorted(name for name in group if name in sizes)
    single = sorted(name for name in group if name not in sizes)
    if cut := {name for root in union.cut for name in union.groups().get(union.find(root), ()) if name in sizes}:
        connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.id.in_(cut)).values(cut=True))
    if len(kept) + len(single) < 2:
        return set()
    chosen = kept[0] if kept else _new_campaign(connection)
    for other in kept[1:]:
        _merge(connection, other, chosen)
    _move(connection, single, chosen)
    return {chosen}


def _apart(connection: Connection, items: Sequence[str], campaigns: set[str]) -> dict[str, set[str]]:
    """By text without a campaign, and by campaign: the campaigns that a person took it, or some of its texts, out of."""
    found: dict[str, set[str]] = defaultdict(set)
    rows = select(CAMPAIGN_APART.c.item_id, CAMPAIGN_APART.c.campaign_id)
    for row in connection.execute(rows.where(CAMPAIGN_APART.c.item_id.in_(items))):
        found[row.item_id].add(row.campaign_id)
    inside = select(CAMPAIGN_ITEMS.c.campaign_id.label("home"), CAMPAIGN_APART.c.campaign_id).join(
        CAMPAIGN_APART, CAMPAIGN_APART.c.item_id == CAMPAIGN_ITEMS.c.item_id
    )
    for row in connection.execute(inside.where(CAMPAIGN_ITEMS.c.campaign_id.in_(campaigns))):
        found[row.home].add(row.campaign_id)
    return found


def _new_campaign(connection: Connection) -> str:
    id = new_id()
    connection.execute(CAMPAIGNS.insert().values(id=id, cut=False, texts=0, places=0, made_at=now()))
    return id


def _move(connection: Connection, items: Sequence[str], campaign_id: str) -> None:
    for ids in _lots(items):
        connection.execute(delete(CAMPAIGN_ITEMS).where(CAMPAIGN_ITEMS.c.item_id.in_(ids)))
        connection.execute(CAMPAIGN_ITEMS.insert(), [{"item_id": id, "campaign_id": campaign_id} for id in ids])
        more = CAMPAIGNS.c.texts + len(ids)
        connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign_id).values(texts=more))


def _merge(connection: Connection, gone: str, into: str) -> None:
    """The older identifier lives on, the other leads to it; its name and note are kept where the older has none."""
    old = connection.execute(select(CAMPAIGNS).where(CAMPAIGNS.c.id == gone)).one()
    new = connection.execute(select(CAMPAIGNS).where(CAMPAIGNS.c.id == into)).one()
    connection.execute(update(CAMPAIGN_ITEMS).where(CAMPAIGN_ITEMS.c.campaign_id == gone).values(campaign_id=into))
    notes = "\n\n".join(note for note in (new.note, old.note) if note) or None
    values = {"name": new.name or old.name, "note": notes, "texts": new.texts + old.texts}
    connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.id == into).values(**values))
    connection.execute(update(CAMPAIGNS).where(or_(CAMPAIGNS.c.id == gone, CAMPAIGNS.c.into == gone)).values(into=into, texts=0))
    # Who was taken out of the one stays out of both.
    already = select(CAMPAIGN_APART.c.item_id).where(CAMPAIGN_APART.c.campaign_id == into)
    moved = and_(CAMPAIGN_APART.c.campaign_id == gone, CAMPAIGN_APART.c.item_id.not_in(already))
    connection.execute(update(CAMPAIGN_APART).where(moved).values(campaign_id=into))
    if old.texts > 1:
        note_event(connection, into, "merged", campaign=gone, name=old.name, texts=old.texts)


def split(connection: Connection, campaign_id: str) -> set[str]:
    """Part a campaign where its links hold it together no more; the largest part keeps the identifier.

    Returns the campaigns that there are now; a part of one text is in none. Costs the campaign's own texts and links.
    """
    members = set(connection.scalars(select(CAMPAIGN_ITEMS.c.item_id).where(CAMPAIGN_ITEMS.c.campaign_id == campaign_id)))
    if not members:
        return {campaign_id}
    rows = connection.execute(select(CAMPAIGN_APART).where(CAMPAIGN_APART.c.campaign_id == campaign_id)).mappings()
    said = [dict(row) for row in rows]
    out = {row["item_id"] for row in said} & members
    union = _Union()
    for item in sorted(members):
        union.add(item, 1, () if item in out else (campaign_id,), (campaign_id,) if item in out else ())
    edges = list(_edges(connection, campaign_id, members))
    for edge in edges:
        union.add(edge.second)
    # Texts that were taken out come last: what they share with those that stay is not theirs to keep.
    union.join(sorted(edges, key=lambda edge: (edge.first in out or edge.second in out, -edge.strength, edge.first, edge.second)))
    parts = [sorted(members & set(nodes)) for nodes in union.groups().values()]
    parts = sorted((part for part in parts if part), key=lambda part: (bool(out & set(part)), -len(part), part[0]))
    connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign_id).values(cut=bool(union.cut)))
    changed = {campaign_id}
    for part in parts[1:] if not out & set(parts[0]) else parts:
        connection.execute(delete(CAMPAIGN_ITEMS).where(CAMPAIGN_ITEMS.c.item_id.in_(part)))
        held = _kept_apart(said, set(part))
        # One that a text was taken away from has a campaign, if alone, that the text stays out of.
        if len(part) > 1 or held:
            id = _new_campaign(connection)
            _move(connection, part, id)
            if held:
                connection.execute(CAMPAIGN_APART.insert(), [row | {"campaign_id": id} for row in held])
            note_event(connection, id, "parted", campaign=campaign_id, texts=len(part))
            changed.add(id)
        note_event(connection, campaign_id, "left", texts=len(part), items=part[:20])
    return changed


def _kept_apart(said: Sequence[dict[str, Any]], part: set[str]) -> list[dict[str, Any]]:
    """What a person took out of a campaign while a part of it was in it: it stays out of that part too."""
    own = [row["decided_at"] for row in said if row["item_id"] in part]
    return [row for row in said if row["item_id"] not in part and (not own or row["decided_at"] < min(own))]


def _edges(connection: Connection, campaign_id: str, members: set[str]) -> Iterator[_Edge]:
    links = ITEM_LINKS.join(CAMPAIGN_ITEMS, CAMPAIGN_ITEMS.c.item_id == ITEM_LINKS.c.item_id)
    near = (
        select(ITEM_LINKS).select_from(links).where(CAMPAIGN_ITEMS.c.campaign_id == campaign_id, ITEM_LINKS.c.state != "rejected")
    )
    for row in connection.execute(near):
        if row.other_id in members:
            yield _Edge(row.item_id, row.other_id, _likely(row.state, row.likeness))
    shared = ITEM_CONTACTS.join(CONTACTS, CONTACTS.c.id == ITEM_CONTACTS.c.contact_id)
    shared = shared.join(CAMPAIGN_ITEMS, CAMPAIGN_ITEMS.c.item_id == ITEM_CONTACTS.c.item_id)
    columns = (ITEM_CONTACTS.c.item_id, ITEM_CONTACTS.c.contact_id, ITEM_CONTACTS.c.state, CONTACTS.c.kind)
    for row in connection.execute(select(*columns).select_from(shared).where(CAMPAIGN_ITEMS.c.campaign_id == campaign_id, JOINS)):
        # A contact stands between its texts: no pair of them is written down.
        yield _Edge(row.item_id, f"c:{row.contact_id}", _SURE if row.state == "confirmed" else STRENGTH[row.kind])
