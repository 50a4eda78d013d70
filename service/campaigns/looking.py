"""What is found of texts that wait to be linked, many at once: their contacts and their near-duplicates. Nothing is written."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, FromClause, and_, select

from service.campaigns.contacts import Contact, Listing, contacts_of
from service.campaigns.schema import ITEM_CONTACTS
from service.workplace.alike import Alike, alike_to
from service.workplace.lots import KEYS, among, keys_for, newest_of_each
from service.workplace.schema import ITEMS, PREDICTIONS

#: Likeness from which two texts are taken for two of one campaign. On the 600 demonstration texts no two of different
#: campaigns are over 0.13; from 0.4 on those of one campaign are found as well as from 0.15 on.
LIKENESS: Final = 0.4
#: Of the texts of an account, how many of the newest are asked for what they give as the author's own.
POSTED: Final = 500


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found of a text, and the state of the text that it was found in.

    `crowded`: not all that may be as alike was seen.
    """

    item_id: str
    contacts: tuple[Contact, ...]
    near: tuple[tuple[str, float], ...]
    crowded: bool
    mark: tuple[Any, ...]

    @property
    def accounts(self) -> list[str]:
        """The identifiers of the accounts that the text was posted from."""
        return [one.id for one in self.contacts if one.origin == "author"]


def mark_of(row: Any) -> tuple[Any, ...]:
    """What changes when a text has to be looked at anew."""
    return (row.model_version, row.stance, row.decided_stance, row.level, row.decided_level)


def look(connection: Connection, ids: Sequence[str]) -> list[Seen]:
    """What is found of each of some hundreds of texts, in their order; those that are not there are left out."""
    said = PREDICTIONS.c.prediction
    newest = and_(PREDICTIONS.c.item_id == ITEMS.c.id, PREDICTIONS.c.model_version == ITEMS.c.model_version)
    # Of a prediction, only what is used: the whole is some thousands of characters.
    columns = (said["status"].as_string().label("status"), said["entities"].label("entities"), said["context"].label("context"))
    names = ("id", "text", "source", "channel", "author", "url", "model_version", "stance", "decided_stance", "level")
    query = select(*(ITEMS.c[name] for name in names), ITEMS.c.decided_level, *columns).outerjoin(PREDICTIONS, newest)
    rows = connection.execute(query.where(among(connection, ITEMS.c.id)).order_by(ITEMS.c.id), {KEYS: keys_for(connection, ids)})
    found = {row.id: row for row in rows}
    contacts = {id: _contacts(row) for id, row in found.items()}
    contacts |= _given_elsewhere(connection, {id: contacts[id] for id, row in found.items() if row.decided_stance is None})
    alike = alike_to(connection, list(found), LIKENESS)
    return [
        Seen(id, tuple(contacts[id]), tuple((one.item_id, one.likeness) for one in near.near), near.crowded, mark_of(row))
        for id, row in found.items()
        for near in (alike.get(id, Alike()),)
    ]


def _contacts(row: Any) -> list[Contact]:
    listing = Listing(row.text, row.source, row.channel, row.author, row.url)
    entities, context = (row.entities, row.context) if row.status == "ok" else (None, None)
    stance, decided = row.decided_stance or row.stance, row.decided_stance is not None
    return contacts_of(listing, entities, context or (), stance, decided=decided)


def _given_elsewhere(connection: Connection, contacts: dict[str, list[Contact]]) -> dict[str, list[Contact]]:
    """Of these texts those that change: a contact is the author's own that the same account gives as its own elsewhere."""
    accounts = {id: [one.id for one in found if one.origin == "author"] for id, found in contacts.items()}
    named = {id: {one.id for one in found if one.role == "mention"} for id, found in contacts.items() if accounts[id]}
    if not any(named.values()):
        return {}
    posted = posted_by(connection, {one for id, some in named.items() if some for one in accounts[id]})
    given: dict[str, set[str]] = defaultdict(set)
    query = select(ITEM_CONTACTS.c.item_id, ITEM_CONTACTS.c.contact_id).where(
        among(connection, ITEM_CONTACTS.c.item_id), among(connection, ITEM_CONTACTS.c.contact_id, "named"), *holds(ITEM_CONTACTS)
    )
    items = sorted({item for many in posted.values() for item in many})
    wanted = keys_for(connection, sorted({one for some in named.values() for one in some}))
    for item, contact in connection.execute(query, {KEYS: keys_for(connection, items), "named": wanted}) if items else ():
        given[item].add(contact)
    changed: dict[str, list[Contact]] = {}
    for id, some in named.items():
        others = {item for account in accounts[id] for item in posted[account]} - {id}
        if own := some & {contact for item in others for contact in given[item]}:
            changed[id] = [replace(one, role="own") if one.id in own else one for one in contacts[id]]
    return changed


def posted_by(connection: Connection, accounts: Iterable[str]) -> dict[str, set[str]]:
    """The newest texts of these accounts, by their identifier as contacts."""
    query = newest_of_each(connection, ITEM_CONTACTS.c.contact_id, ITEM_CONTACTS.c.item_id, POSTED, holds)
    posted: dict[str, set[str]] = defaultdict(set)
    for account, item in connection.execute(query, {KEYS: keys_for(connection, sorted(accounts))}):
        posted[account].add(item)
    return posted


def holds(table: FromClause) -> tuple[ColumnElement[bool], ...]:
    """That a contact is its text's own, as far as nobody said otherwise."""
    return (table.c.role == "own", table.c.state != "rejected")
