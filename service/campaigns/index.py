"""Contacts and near-duplicates of a text, looked for when a model has read it, and kept without undoing what people said."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from service.campaigns.components import JOINS, campaigns_of, join, note_event, split
from service.campaigns.contacts import Contact, Listing, contacts_of
from service.campaigns.schema import CAMPAIGN_ITEMS, CAMPAIGN_WAITING, CAMPAIGNS, CONTACTS, ITEM_CONTACTS, ITEM_LINKS
from service.workplace.schema import ITEMS, PREDICTIONS
from service.workplace.similar import near

#: Likeness from which two texts are taken for two of one campaign. On the 600 demonstration texts no two of different
#: campaigns are over 0.13; from 0.4 on those of one campaign are found as well as from 0.15 on.
LIKENESS: Final = 0.4
#: Near-duplicates of a text that are kept as links: the most alike, and the most alike of each campaign.
_LINKS: Final = 3
#: A contact is nobody's own from so many groups of texts on that share nothing else.
UNRELATED: Final = 6
_SAMPLE: Final = 200
_OFTEN: Final = 16
_OWN_KINDS: Final = ("phone", "email", "site", "siret")


# Asked for every text: made once, since writing a statement anew costs more than asking it.
_READ: Final = (
    select(ITEMS, PREDICTIONS.c.prediction)
    .outerjoin(PREDICTIONS, and_(PREDICTIONS.c.item_id == ITEMS.c.id, PREDICTIONS.c.model_version == ITEMS.c.model_version))
    .where(ITEMS.c.id == bindparam("item"))
)
_JOINING: Final = (
    select(ITEM_CONTACTS.c.contact_id)
    .join(CONTACTS, CONTACTS.c.id == ITEM_CONTACTS.c.contact_id)
    .where(ITEM_CONTACTS.c.item_id == bindparam("item"), JOINS)
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found of a text, and the state of the text that it was found in."""

    item_id: str
    contacts: tuple[Contact, ...]
    near: tuple[tuple[str, float], ...]
    mark: tuple[Any, ...]


def mark_of(row: Any) -> tuple[Any, ...]:
    """What changes when a text has to be looked at anew."""
    return (row.model_version, row.stance, row.decided_stance, row.level, row.decided_level)


def look(connection: Connection, item_id: str) -> Seen | None:
    """The contacts and near-duplicates of a text; None where there is no such text. Writes nothing."""
    row = connection.execute(_READ, {"item": item_id}).first()
    if row is None:
        return None
    said: Mapping[str, Any] = row.prediction if row.prediction and row.prediction.get("status") == "ok" else {}
    listing = Listing(row.text, row.source, row.channel, row.author, row.url)
    stance, decided = row.decided_stance or row.stance, row.decided_stance is not None
    contacts = contacts_of(listing, said.get("entities"), said.get("context") or (), stance, decided=decided)
    if not decided:
        contacts = _given_elsewhere(connection, item_id, contacts)
    alike = tuple((one.item_id, one.likeness) for one in near(connection, item_id, LIKENESS))
    return Seen(item_id, tuple(contacts), alike, mark_of(row))


def _given_elsewhere(connection: Connection, item_id: str, contacts: Sequence[Contact]) -> list[Contact]:
    """These contacts, those being the author's own that the same account gives as its own in another text."""
    accounts = [one.id for one in contacts if one.origin == "author"]
    named = [one.id for one in contacts if one.role == "mention"]
    if not accounts or not named:
        return list(contacts)
    posted, given = ITEM_CONTACTS.alias("posted"), ITEM_CONTACTS.alias("given")
    same = select(given.c.contact_id).join(posted, posted.c.item_id == given.c.item_id)
    same = same.where(given.c.contact_id.in_(named), *_holds(given), posted.c.contact_id.in_(accounts), *_holds(posted))
    own = set(connection.scalars(same.where(given.c.item_id != item_id).distinct()))
    return [replace(one, role="own") if one.id in own else one for one in contacts]


def _holds(table: Any) -> tuple[ColumnElement[bool], ...]:
    return (table.c.role == "own", table.c.state != "rejected")


def _wait_for_own(connection: Connection, seen: Seen, new: Sequence[str]) -> None:
    """Texts of the same account that only name what this one newly gives as its own are looked at anew."""
    accounts = [one.id for one in seen.contacts if one.origin == "author"]
    own = [one.id for one in seen.contacts if one.role == "own" and one.origin == "text"]
    if not accounts or not own or not set(new) & {*accounts, *own}:
        return
    posted, named = ITEM_CONTACTS.alias("posted"), ITEM_CONTACTS.alias("named")
    same = select(named.c.item_id).join(posted, posted.c.item_id == named.c.item_id).join(ITEMS, ITEMS.c.id == named.c.item_id)
    same = same.where(named.c.contact_id.in_(own), named.c.role == "mention", posted.c.contact_id.in_(accounts), *_holds(posted))
    same = same.where(named.c.item_id != seen.item_id, ITEMS.c.decided_stance.is_(None)).distinct()
    rows = [{"item_id": id} for id in sorted(connection.scalars(same))]
    if rows:
        connection.execute(_insert(connection, CAMPAIGN_WAITING), rows)


def keep(connection: Connection, seen: Seen) -> set[str]:
    """Keep what was found of a text and bring it into its campaign; returns the campaigns changed, to be counted anew."""
    before = _joining(connection, seen.item_id)
    common = _keep_contacts(connection, seen)
    _wait_for_own(connection, seen, common)
    _keep_links(connection, seen)
    changed = set()
    home = campaigns_of(connection, [seen.item_id]).get(seen.item_id)
    if home is not None:
        changed.add(home)
        if before - _joining(connection, seen.item_id):
            changed |= split(connection, home)
    for contact_id in common:
        changed |= _set_aside_if_common(connection, contact_id)
    return changed | join(connection, seen.item_id)


def _joining(connection: Connection, item_id: str) -> set[str]:
    return set(connection.scalars(_JOINING, {"item": item_id}))


def _insert(connection: Connection, table: Any) -> Any:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    return insert(table).on_conflict_do_nothing()


def _keep_contacts(connection: Connection, seen: Seen) -> list[str]:
    """Write the contacts of a text; returns those that have one more text of their own."""
    rows = {
        row.contact_id: row for row in connection.execute(select(ITEM_CONTACTS).where(ITEM_CONTACTS.c.item_id == seen.item_id))
    }
    found = {contact.id: contact for contact in seen.contacts}
    new = [contact for id, contact in found.items() if id not in rows]
    if new:
        named = [{"id": one.id, "kind": one.kind, "value": one.value, "state": "links", "texts": 0} for one in new]
        connection.execute(_insert(connection, CONTACTS), sorted(named, key=lambda row: str(row["id"])))
        places = [
            {
                "item_id": seen.item_id,
                "contact_id": one.id,
                "state": "suggested",
                "role": one.role,
                "origin": one.origin,
                "start": one.start,
                "end": one.end,
            }
            for one in new
        ]
        connection.execute(ITEM_CONTACTS.insert(), places)
    stale = [id for id, row in rows.items() if row.state == "suggested" and id not in found]
    if stale:
        where = (ITEM_CONTACTS.c.item_id == seen.item_id, ITEM_CONTACTS.c.contact_id.in_(stale))
        connection.execute(delete(ITEM_CONTACTS).where(*where))
    for id, row in rows.items():
        if id in found and (row.role, row.origin, row.start, row.end) != (now_ := _place(found[id])):
            values = dict(zip(("role", "origin", "start", "end"), now_, strict=True))
            where = (ITEM_CONTACTS.c.item_id == seen.item_id, ITEM_CONTACTS.c.contact_id == id)
            connection.execute(update(ITEM_CONTACTS).where(*where).values(**values))
    more = [one.id for one in new if one.role == "own"]
    more += [id for id, row in rows.items() if id in found and row.role == "mention" and found[id].role == "own"]
    less = [
        id for id, row in rows.items() if row.role == "own" and (id in stale or (id in found and found[id].role == "mention"))
    ]
    _count(connection, more, 1)
    _count(connection, less, -1)
    return more


def _place(contact: Contact) -> tuple[Any, ...]:
    return (contact.role, contact.origin, contact.start, contact.end)


def _count(connection: Connection, ids: Iterable[str], step: int) -> None:
    for id in sorted(ids):
        connection.execute(update(CONTACTS).where(CONTACTS.c.id == id).values(texts=CONTACTS.c.texts + step))


def _keep_links(connection: Connection, seen: Seen) -> None:
    """Write the near-duplicates that hold a family together: its most alike, and the most alike of each campaign."""
    homes = campaigns_of(connection, [id for id, _ in seen.near])
    chosen: dict[str, float] = dict(seen.near[:_LINKS])
    reached: set[str] = {homes[id] for id in chosen if id in homes}
    for id, likeness in seen.near[_LINKS:]:
        home = homes.get(id)
        if home is None or home not in reached:
            chosen[id] = likeness
            reached |= {home} if home else set()
    rows = [
        {
            "item_id": min(seen.item_id, id),
            "other_id": max(seen.item_id, id),
            "kind": "near",
            "likeness": likeness,
            "state": "suggested",
        }
        for id, likeness in sorted(chosen.items())
    ]
    if rows:
        # A link that is there stays as it is: what a person said of it holds.
        connection.execute(_insert(connection, ITEM_LINKS), rows)


def _set_aside_if_common(connection: Connection, contact_id: str) -> set[str]:
    """Say of a contact that links too many unrelated texts that it is nobody's own; returns the campaigns changed."""
    row = connection.execute(select(CONTACTS).where(CONTACTS.c.id == contact_id)).one()
    due = (
        row.texts < _OFTEN
        or row.texts & (row.texts - 1) == 0
        or (row.texts % 3 == 0 and not (row.texts // 3) & (row.texts // 3 - 1))
    )
    if row.state != "links" or row.texts < UNRELATED or not due:
        return set()
    texts = list(
        connection.scalars(
            select(ITEM_CONTACTS.c.item_id)
            .where(ITEM_CONTACTS.c.contact_id == contact_id, ITEM_CONTACTS.c.role == "own", ITEM_CONTACTS.c.state != "rejected")
            .order_by(ITEM_CONTACTS.c.item_id.desc())
            .limit(_SAMPLE)
        )
    )
    groups = _unrelated(connection, contact_id, texts)
    if groups < UNRELATED:
        return set()
    connection.execute(update(CONTACTS).where(CONTACTS.c.id == contact_id).values(state="common"))
    changed: set[str] = set()
    for home in sorted(set(campaigns_of(connection, texts).values())):
        note_event(connection, home, "common", contact=contact_id, contact_kind=row.kind, value=row.value, groups=groups)
        changed |= split(connection, home)
    return changed


def _unrelated(connection: Connection, contact_id: str, texts: Sequence[str]) -> int:
    """How many groups of these texts, each with a contact of its own, share nothing but one contact."""
    wanted = select(ITEM_CONTACTS.c.item_id, ITEM_CONTACTS.c.contact_id, CONTACTS.c.kind).join(
        CONTACTS, CONTACTS.c.id == ITEM_CONTACTS.c.contact_id
    )
    rows = connection.execute(
        wanted.where(ITEM_CONTACTS.c.item_id.in_(texts), ITEM_CONTACTS.c.contact_id != contact_id, JOINS)
    ).all()
    own = {row.item_id for row in rows if row.kind in _OWN_KINDS}
    graph: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        graph[row.item_id].add(row.contact_id)
        graph[row.contact_id].add(row.item_id)
    known = set(texts)
    links = select(ITEM_LINKS.c.item_id, ITEM_LINKS.c.other_id).where(
        ITEM_LINKS.c.item_id.in_(texts), ITEM_LINKS.c.state != "rejected"
    )
    for first, second in connection.execute(links):
        if second in known:
            graph[first].add(second)
            graph[second].add(first)
    groups = 0
    while own:
        groups += 1
        reached, todo = set(), [own.pop()]
        while todo:
            node = todo.pop()
            if node not in reached:
                reached.add(node)
                todo += graph[node]
        own -= reached
    return groups


def count_anew(connection: Connection, campaigns: Iterable[str]) -> None:
    """Set what the list of campaigns sorts by: texts, worst level, places, first and last instant."""
    for id in sorted(campaigns):
        level = func.coalesce(ITEMS.c.decided_level, ITEMS.c.level)
        seen = func.coalesce(ITEMS.c.captured_at, ITEMS.c.received_at)
        place = func.coalesce(ITEMS.c.author, "") + "|" + ITEMS.c.source
        wanted = select(func.count(), func.max(level), func.count(place.distinct()), func.min(seen), func.max(seen))
        joined = ITEMS.join(CAMPAIGN_ITEMS, CAMPAIGN_ITEMS.c.item_id == ITEMS.c.id)
        row = connection.execute(wanted.select_from(joined).where(CAMPAIGN_ITEMS.c.campaign_id == id)).one()
        values = dict(zip(("texts", "level", "places", "first_at", "last_at"), row, strict=True))
        connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.id == id).values(**values))


__all__ = ["LIKENESS", "Seen", "count_anew", "keep", "look", "mark_of"]
