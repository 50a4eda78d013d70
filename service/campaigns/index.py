"""What was found of texts is kept, many at once, without undoing what people said; campaigns are then joined and parted anew."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, select, update

from service.campaigns.common import set_aside_if_common
from service.campaigns.components import JOINS, campaigns_of, split
from service.campaigns.contacts import Contact
from service.campaigns.joining import join
from service.campaigns.looking import Seen, posted_by
from service.campaigns.schema import CAMPAIGN_CROWDED, CAMPAIGN_WAITING, CONTACTS, ITEM_CONTACTS, ITEM_LINKS
from service.workplace.lots import KEYS, among, insert_new, keys_for
from service.workplace.schema import ITEMS

#: Near-duplicates of a text that are kept as links: the most alike, and the most alike of each campaign.
_LINKS: Final = 3


def keep(connection: Connection, seen: Sequence[Seen]) -> set[str]:
    """Keep what was found of some hundreds of texts and bring them into their campaigns; returns the campaigns changed."""
    ids = [one.item_id for one in seen]
    before = _joining(connection, ids)
    more = _keep_contacts(connection, seen)
    _wait_for_own(connection, seen, more)
    homes = campaigns_of(connection, [*ids, *(id for one in seen for id, _ in one.near)])
    _keep_links(connection, seen, homes)
    _keep_crowded(connection, seen)
    changed = {homes[id] for id in ids if id in homes}
    lost = {item for item, _ in before - _joining(connection, ids)} if before else set()
    for home in sorted({homes[item] for item in lost if item in homes}):
        changed |= split(connection, home)
    changed |= set_aside_if_common(connection, Counter(contact for many in more.values() for contact in many))
    return changed | join(connection, ids)


def _joining(connection: Connection, ids: Sequence[str]) -> set[tuple[str, str]]:
    """The texts with the contacts that link them."""
    query = select(ITEM_CONTACTS.c.item_id, ITEM_CONTACTS.c.contact_id).join(
        CONTACTS, CONTACTS.c.id == ITEM_CONTACTS.c.contact_id
    )
    rows = connection.execute(query.where(among(connection, ITEM_CONTACTS.c.item_id), JOINS), {KEYS: keys_for(connection, ids)})
    return {(item, contact) for item, contact in rows}


def _keep_contacts(connection: Connection, seen: Sequence[Seen]) -> dict[str, list[str]]:
    """Write the contacts of texts; returns, by text, those that it newly has as its own."""
    rows: dict[str, dict[str, Any]] = defaultdict(dict)
    known = select(ITEM_CONTACTS).where(among(connection, ITEM_CONTACTS.c.item_id))
    for row in connection.execute(known, {KEYS: keys_for(connection, [one.item_id for one in seen])}):
        rows[row.item_id][row.contact_id] = row
    new: list[tuple[str, Contact]] = []
    stale: list[tuple[str, str]] = []
    moved: list[dict[str, Any]] = []
    more: dict[str, list[str]] = {}
    less: Counter[str] = Counter()
    for one in seen:
        found = {contact.id: contact for contact in one.contacts}
        held = rows[one.item_id]
        new += [(one.item_id, contact) for id, contact in found.items() if id not in held]
        gone = [id for id, row in held.items() if row.state == "suggested" and id not in found]
        stale += [(one.item_id, id) for id in gone]
        moved += _moved(one.item_id, held, found)
        own = [id for id, contact in found.items() if contact.role == "own" and (id not in held or held[id].role == "mention")]
        more |= {one.item_id: own} if own else {}
        less.update(id for id in gone if held[id].role == "own")
        less.update(id for id in held.keys() & found.keys() if held[id].role == "own" and found[id].role == "mention")
    _write(connection, new, stale, moved)
    added = Counter(id for many in more.values() for id in many)
    added.subtract(less)
    _count(connection, added)
    return more


def _moved(item_id: str, held: Mapping[str, Any], found: Mapping[str, Contact]) -> Iterator[dict[str, Any]]:
    for id, row in held.items():
        if id in found and (row.role, row.origin, row.start, row.end) != _place(found[id]):
            values = dict(zip(("role_", "origin_", "start_", "end_"), _place(found[id]), strict=True))
            yield {"of": item_id, "who": id, **values}


def _place(contact: Contact) -> tuple[Any, ...]:
    return (contact.role, contact.origin, contact.start, contact.end)


def _write(
    connection: Connection, new: Sequence[tuple[str, Contact]], stale: Sequence[tuple[str, str]], moved: Sequence[dict[str, Any]]
) -> None:
    one = (ITEM_CONTACTS.c.item_id == bindparam("of"), ITEM_CONTACTS.c.contact_id == bindparam("who"))
    if new:
        named = {contact.id: contact for _, contact in new}
        contacts = [
            {"id": id, "kind": named[id].kind, "value": named[id].value, "state": "links", "texts": 0} for id in sorted(named)
        ]
        connection.execute(insert_new(connection, CONTACTS), contacts)
        names = ("role", "origin", "start", "end")
        places = [
            {"item_id": item, "contact_id": contact.id, "state": "suggested", **dict(zip(names, _place(contact), strict=True))}
            for item, contact in new
        ]
        connection.execute(ITEM_CONTACTS.insert(), places)
    if stale:
        connection.execute(delete(ITEM_CONTACTS).where(*one), [{"of": item, "who": contact} for item, contact in stale])
    if moved:
        values: dict[str, Any] = {name: bindparam(f"{name}_") for name in ("role", "origin", "start", "end")}
        connection.execute(update(ITEM_CONTACTS).where(*one).values(**values), moved)


def _count(connection: Connection, steps: Mapping[str, int]) -> None:
    rows = [{"of": id, "step": steps[id]} for id in sorted(steps) if steps[id]]
    if rows:
        more = CONTACTS.c.texts + bindparam("step")
        connection.execute(update(CONTACTS).where(CONTACTS.c.id == bindparam("of")).values(texts=more), rows)


def _wait_for_own(connection: Connection, seen: Sequence[Seen], more: Mapping[str, Sequence[str]]) -> None:
    """Texts of the same account that only name what one of these newly gives as its own are looked at anew."""
    given: dict[str, set[str]] = defaultdict(set)
    for one in seen:
        own = {contact.id for contact in one.contacts if contact.role == "own" and contact.origin == "text"}
        if one.accounts and own and set(more.get(one.item_id, ())) & {*one.accounts, *own}:
            for account in one.accounts:
                given[account] |= own
    if not given:
        return
    accounts: dict[str, set[str]] = defaultdict(set)
    for account, items in posted_by(connection, given).items():
        for item in items:
            accounts[item].add(account)
    query = select(ITEM_CONTACTS.c.item_id, ITEM_CONTACTS.c.contact_id).join(ITEMS, ITEMS.c.id == ITEM_CONTACTS.c.item_id)
    query = query.where(among(connection, ITEM_CONTACTS.c.item_id), ITEM_CONTACTS.c.role == "mention")
    rows = connection.execute(query.where(ITEMS.c.decided_stance.is_(None)), {KEYS: keys_for(connection, sorted(accounts))})
    waiting = {row.item_id for row in rows if any(row.contact_id in given[account] for account in accounts[row.item_id])}
    if waiting:
        statement = insert_new(connection, CAMPAIGN_WAITING)
        connection.execute(statement, [{"item_id": id} for id in sorted(waiting)])


def _keep_links(connection: Connection, seen: Sequence[Seen], homes: Mapping[str, str]) -> None:
    """Write the near-duplicates that hold families together: of each text the most alike, and the most alike of each campaign.

    Texts are taken in turn: those that one of these has just joined are of one campaign for the next.
    """
    families = _Families(homes)
    rows: dict[tuple[str, str], float] = {}
    for one in seen:
        chosen = dict(one.near[:_LINKS])
        reached = {families.of(id) for id in chosen} - {None}
        for id, likeness in one.near[_LINKS:]:
            family = families.of(id)
            if family is None or family not in reached:
                chosen[id] = likeness
                reached |= {family} - {None}
        families.join([one.item_id, *chosen])
        rows |= {(min(one.item_id, id), max(one.item_id, id)): likeness for id, likeness in chosen.items()}
    if rows:
        # A link that is there stays as it is: what a person said of it holds.
        values = [
            {"item_id": pair[0], "other_id": pair[1], "kind": "near", "likeness": rows[pair], "state": "suggested"}
            for pair in sorted(rows)
        ]
        connection.execute(insert_new(connection, ITEM_LINKS), values)


class _Families:
    """The campaigns that texts are in, and those that texts of this lot are about to make; campaigns that are stay apart."""

    def __init__(self, homes: Mapping[str, str]) -> None:
        self._family = dict(homes)
        self._into: dict[str, str] = {}

    def of(self, item_id: str) -> str | None:
        family = self._family.get(item_id)
        while family in self._into:
            family = self._into[family]
        return family

    def join(self, items: Sequence[str]) -> None:
        if len(items) < 2:
            return
        made = {family for item in items if (family := self.of(item)) is not None and family.startswith(_NEW)}
        kept = next((family for item in items if (family := self.of(item)) is not None and family not in made), None)
        target = kept or min(made, default=_NEW + items[0])
        for item in items:
            if self.of(item) is None:
                self._family[item] = target
        self._into |= dict.fromkeys(made - {target}, target)


#: What begins the name of a family that is no campaign yet.
_NEW: Final = "new:"


def _keep_crowded(connection: Connection, seen: Sequence[Seen]) -> None:
    """Say of which texts not all that may be as alike could be compared."""
    ids = {KEYS: keys_for(connection, [one.item_id for one in seen])}
    connection.execute(delete(CAMPAIGN_CROWDED).where(among(connection, CAMPAIGN_CROWDED.c.item_id)), ids)
    if rows := [{"item_id": one.item_id} for one in seen if one.crowded]:
        connection.execute(CAMPAIGN_CROWDED.insert(), rows)


def taken_up(connection: Connection, ids: Iterable[str]) -> None:
    """These texts wait no more."""
    gone = {KEYS: keys_for(connection, list(ids))}
    connection.execute(delete(CAMPAIGN_WAITING).where(among(connection, CAMPAIGN_WAITING.c.item_id)), gone)
