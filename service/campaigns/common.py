"""Contacts that link too many unrelated texts to be anybody's own: a platform's number, a directory's address."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, select, update

from service.campaigns.components import JOINS, campaigns_of, note_event, split
from service.campaigns.schema import CONTACTS, ITEM_CONTACTS, ITEM_LINKS
from service.workplace.lots import KEYS, among, keys_for

#: A contact is nobody's own from so many groups of texts on that share nothing else.
UNRELATED: Final = 6
_SAMPLE: Final = 200
_OFTEN: Final = 16
_OWN_KINDS: Final = ("phone", "email", "site", "siret")


def set_aside_if_common(connection: Connection, more: Mapping[str, int]) -> set[str]:
    """Say of contacts that link too many unrelated texts that they are nobody's own; returns the campaigns changed.

    `more`: by contact, how many texts have it since it was last looked at.
    """
    query = select(CONTACTS).where(among(connection, CONTACTS.c.id), CONTACTS.c.state == "links", CONTACTS.c.texts >= UNRELATED)
    rows = connection.execute(query.order_by(CONTACTS.c.id), {KEYS: keys_for(connection, sorted(more))}).all()
    changed: set[str] = set()
    for row in rows:
        if any(_due(texts) for texts in range(max(UNRELATED, row.texts - more[row.id] + 1), row.texts + 1)):
            changed |= _set_aside(connection, row)
    return changed


def _due(texts: int) -> bool:
    """Whether a contact of so many texts is looked at: of few each time, then at powers of two and three times these."""
    third, rest = divmod(texts, 3)
    return texts < _OFTEN or texts & (texts - 1) == 0 or (rest == 0 and third & (third - 1) == 0)


def _set_aside(connection: Connection, contact: Any) -> set[str]:
    texts = list(
        connection.scalars(
            select(ITEM_CONTACTS.c.item_id)
            .where(ITEM_CONTACTS.c.contact_id == contact.id, ITEM_CONTACTS.c.role == "own", ITEM_CONTACTS.c.state != "rejected")
            .order_by(ITEM_CONTACTS.c.item_id.desc())
            .limit(_SAMPLE)
        )
    )
    groups = _unrelated(connection, contact.id, texts)
    if groups < UNRELATED:
        return set()
    connection.execute(update(CONTACTS).where(CONTACTS.c.id == contact.id).values(state="common"))
    changed: set[str] = set()
    for home in sorted(set(campaigns_of(connection, texts).values())):
        said = {"contact": contact.id, "contact_kind": contact.kind, "value": contact.value, "groups": groups}
        note_event(connection, home, "common", **said)
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
