"""Which texts make a campaign: those that links join, kept within bounds, cut where a person said so.

Links are taken from the surest to the weakest (Kruskal's order). One that would bring a text back to a campaign that a person
took it out of, or make a campaign of suggestions alone too large, is left out and the campaign says so (`cut`, events).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from service.workplace.lots import KEYS, among, keys_for
from service.workplace.times import now

#: Texts of a campaign over which weak links join no more, and over which no suggested link does.
SOFT: Final = 1_000
HARD: Final = 10_000
#: Links under this strength are weak: a name of account, texts of which hardly half is alike.
WEAK: Final = 0.65
SURE: Final = 2.0

#: A contact that links its text: its own and not rejected, or confirmed, and of no platform.
JOINS: Final[ColumnElement[bool]] = and_(
    or_(and_(ITEM_CONTACTS.c.role == "own", ITEM_CONTACTS.c.state != "rejected"), ITEM_CONTACTS.c.state == "confirmed"),
    CONTACTS.c.state.in_(("links", "kept")),
)


_HOMES: Final = select(CAMPAIGN_ITEMS.c.item_id, CAMPAIGN_ITEMS.c.campaign_id)


@dataclass(slots=True)
class _Group:
    """What a union has gathered: how many texts, the campaigns that they are in, and those that they must not be in."""

    texts: int = 0
    homes: set[str] = field(default_factory=set)
    apart: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Edge:
    """A link between two nodes: campaigns, texts or contacts."""

    first: str
    second: str
    strength: float


class Union:
    """Groups of nodes, joined as long as nothing forbids it."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}
        self._groups: dict[str, _Group] = {}
        self.cut: set[str] = set()

    def add(self, node: str, texts: int = 0, homes: Iterable[str] = (), apart: Iterable[str] = ()) -> None:
        """Make a node known: how many texts it stands for, the campaigns that it is, those that it must not be in."""
        if node not in self._parent:
            self._parent[node] = node
            self._groups[node] = _Group(texts, set(homes), set(apart))

    def find(self, node: str) -> str:
        """The node that stands for the group of a node."""
        while self._parent[node] != node:
            self._parent[node] = self._parent[self._parent[node]]
            node = self._parent[node]
        return node

    def join(self, edges: Iterable[Edge]) -> list[Edge]:
        """Join what the edges join, surest first; returns those that were left out."""
        held = []
        for edge in edges:
            first, second = self.find(edge.first), self.find(edge.second)
            if first != second and not self._unite(first, second, edge.strength):
                held.append(edge)
        return held

    def _unite(self, first: str, second: str, strength: float) -> bool:
        one, other = self._groups[first], self._groups[second]
        if strength < SURE:
            if one.homes & other.apart or other.homes & one.apart:
                return False
            if one.texts + other.texts > (SOFT if strength < WEAK else HARD):
                self.cut |= {first, second}
                return False
        self._parent[second] = first
        self._groups[first] = _Group(one.texts + other.texts, one.homes | other.homes, one.apart | other.apart)
        return True

    def groups(self) -> dict[str, list[str]]:
        """The nodes of each group, by the one that stands for it."""
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
    wanted = _HOMES.where(among(connection, CAMPAIGN_ITEMS.c.item_id))
    for ids in _lots(sorted(set(items))):
        found |= {item: id for item, id in connection.execute(wanted, {KEYS: keys_for(connection, ids)})}
    return found


def _lots(ids: Sequence[str], size: int = 5_000) -> Iterator[Sequence[str]]:
    return (ids[first : first + size] for first in range(0, len(ids), size))


def likely(state: str, likeness: float | None) -> float:
    """How sure a link between two texts is."""
    return SURE if state == "confirmed" else 0.25 + (likeness or 0.0)


def of_contact(state: str, kind: str) -> float:
    """How sure a link of a text to a contact is."""
    return SURE if state == "confirmed" else STRENGTH[kind]


def new_campaigns(connection: Connection, count: int) -> list[str]:
    """Make campaigns without a text."""
    rows = [{"id": new_id(), "cut": False, "texts": 0, "places": 0, "made_at": now()} for _ in range(count)]
    if rows:
        connection.execute(CAMPAIGNS.insert(), rows)
    return [str(row["id"]) for row in rows]


def move(connection: Connection, homes: Mapping[str, str]) -> None:
    """Put texts that are in no campaign in some, by text."""
    if not homes:
        return
    connection.execute(CAMPAIGN_ITEMS.insert(), [{"item_id": item, "campaign_id": homes[item]} for item in sorted(homes)])
    more = [{"of": id, "step": step} for id, step in sorted(Counter(homes.values()).items())]
    texts = CAMPAIGNS.c.texts + bindparam("step")
    connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.id == bindparam("of")).values(texts=texts), more)


def absorb(connection: Connection, gone: str, into: str) -> None:
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
    union = Union()
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
        gone = [{"of": item} for item in part]
        connection.execute(delete(CAMPAIGN_ITEMS).where(CAMPAIGN_ITEMS.c.item_id == bindparam("of")), gone)
        held = _kept_apart(said, set(part))
        # One that a text was taken away from has a campaign, if alone, that the text stays out of.
        if len(part) > 1 or held:
            id = new_campaigns(connection, 1)[0]
            move(connection, dict.fromkeys(part, id))
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


def _edges(connection: Connection, campaign_id: str, members: set[str]) -> Iterator[Edge]:
    links = ITEM_LINKS.join(CAMPAIGN_ITEMS, CAMPAIGN_ITEMS.c.item_id == ITEM_LINKS.c.item_id)
    near = (
        select(ITEM_LINKS).select_from(links).where(CAMPAIGN_ITEMS.c.campaign_id == campaign_id, ITEM_LINKS.c.state != "rejected")
    )
    for row in connection.execute(near):
        if row.other_id in members:
            yield Edge(row.item_id, row.other_id, likely(row.state, row.likeness))
    shared = ITEM_CONTACTS.join(CONTACTS, CONTACTS.c.id == ITEM_CONTACTS.c.contact_id)
    shared = shared.join(CAMPAIGN_ITEMS, CAMPAIGN_ITEMS.c.item_id == ITEM_CONTACTS.c.item_id)
    columns = (ITEM_CONTACTS.c.item_id, ITEM_CONTACTS.c.contact_id, ITEM_CONTACTS.c.state, CONTACTS.c.kind)
    for row in connection.execute(select(*columns).select_from(shared).where(CAMPAIGN_ITEMS.c.campaign_id == campaign_id, JOINS)):
        # A contact stands between its texts: no pair of them is written down.
        yield Edge(row.item_id, f"c:{row.contact_id}", of_contact(row.state, row.kind))
