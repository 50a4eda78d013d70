"""What others ask of campaigns, and what people say of their links: every act is kept, no recomputation undoes it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final, Literal

from sqlalchemy import Connection, RowMapping, and_, delete, or_, select, update

from model.errors import VigieError
from service.campaigns.components import campaigns_of, note_event, split
from service.campaigns.counting import TURN, count_anew
from service.campaigns.forget import drop_contacts, drop_empty
from service.campaigns.joining import join
from service.campaigns.schema import (
    CAMPAIGN_APART,
    CAMPAIGN_CROWDED,
    CAMPAIGN_ITEMS,
    CAMPAIGN_WAITING,
    CAMPAIGNS,
    CONTACTS,
    ITEM_CONTACTS,
    ITEM_LINKS,
)
from service.database import serialise
from service.workplace.people import Person
from service.workplace.similar import forget_all
from service.workplace.times import aware, now

NAME_LONGEST: Final = 200
NOTE_LONGEST: Final = 5_000
#: A contact that a person puts back, or takes away, is looked at in so many of its texts, newest first.
_TEXTS: Final = 2_000
State = Literal["confirmed", "rejected", "suggested"]


class CampaignError(VigieError):
    """An act on a campaign that cannot be done; the message says why."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign: `level` 0 to 3 (the worst, None: not read), `places` distinct accounts, sites and sources, instants in UTC."""

    id: str
    name: str | None
    note: str | None
    cut: bool
    texts: int
    level: int | None
    places: int
    first_at: datetime | None
    last_at: datetime | None
    made_at: datetime

    @property
    def title(self) -> str:
        """The name that a person gave, else the end of the identifier: those made at the same time begin alike."""
        return self.name or f"Campagne {self.id[-8:]}"


def campaign_from(row: RowMapping) -> Campaign:
    """A row with the columns of `campaigns`."""
    values: dict[str, Any] = {name: row[name] for name in Campaign.__dataclass_fields__}
    for name in ("first_at", "last_at", "made_at"):
        values[name] = aware(values[name]) if values[name] else None
    return Campaign(**values)


def find_campaign(connection: Connection, campaign_id: str) -> Campaign | None:
    """The campaign of this identifier, or the one that it was merged into; None where there is none."""
    row = connection.execute(select(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign_id)).mappings().first()
    if row is not None and row["into"]:
        row = connection.execute(select(CAMPAIGNS).where(CAMPAIGNS.c.id == row["into"])).mappings().first()
    return campaign_from(row) if row else None


def campaign_of(connection: Connection, item_id: str) -> Campaign | None:
    """The campaign that a text is in; None where it stands alone."""
    inside = select(CAMPAIGNS).join(CAMPAIGN_ITEMS, CAMPAIGN_ITEMS.c.campaign_id == CAMPAIGNS.c.id)
    row = connection.execute(inside.where(CAMPAIGN_ITEMS.c.item_id == item_id)).mappings().first()
    return campaign_from(row) if row and row["texts"] > 1 else None


def items_of(connection: Connection, campaign_id: str) -> list[str]:
    """The texts of a campaign, in the order received; of the one that it was merged into where it was."""
    campaign = find_campaign(connection, campaign_id)
    if campaign is None:
        return []
    wanted = select(CAMPAIGN_ITEMS.c.item_id).where(CAMPAIGN_ITEMS.c.campaign_id == campaign.id)
    return list(connection.scalars(wanted.order_by(CAMPAIGN_ITEMS.c.item_id)))


def forget_items(connection: Connection, ids: Iterable[str]) -> None:
    """Take texts that are about to be deleted out of their campaigns, and out of what near-duplicates are found by.

    Call it before, in the same transaction.
    """
    serialise(connection, TURN)
    gone = sorted(set(ids))
    changed: set[str] = set()
    named: set[str] = set()
    for first in range(0, len(gone), 500):
        lot = gone[first : first + 500]
        changed |= set(campaigns_of(connection, lot).values())
        named |= set(connection.scalars(select(ITEM_CONTACTS.c.contact_id).where(ITEM_CONTACTS.c.item_id.in_(lot))))
        own = select(ITEM_CONTACTS.c.contact_id).where(ITEM_CONTACTS.c.item_id.in_(lot), ITEM_CONTACTS.c.role == "own")
        for contact in sorted(connection.scalars(own)):
            connection.execute(update(CONTACTS).where(CONTACTS.c.id == contact).values(texts=CONTACTS.c.texts - 1))
        for table in (ITEM_CONTACTS, CAMPAIGN_ITEMS, CAMPAIGN_APART, CAMPAIGN_CROWDED, CAMPAIGN_WAITING, ITEM_LINKS):
            connection.execute(delete(table).where(table.c.item_id.in_(lot)))
        connection.execute(delete(ITEM_LINKS).where(ITEM_LINKS.c.other_id.in_(lot)))
        forget_all(connection, lot)
    count_anew(connection, {one for id in sorted(changed) for one in split(connection, id)})
    drop_empty(connection, changed)
    drop_contacts(connection, named)


def _said(person: Person, why: str) -> dict[str, Any]:
    if len(why) > NOTE_LONGEST or "\x00" in why:
        raise CampaignError(f"Pourquoi : {NOTE_LONGEST} caractères au plus sont attendus, sans caractère nul.")
    return {"decided_by": person.id, "decided_at": now(), "why": why.strip() or None}


def _checked(state: str) -> None:
    if state not in ("confirmed", "rejected", "suggested"):
        raise CampaignError(f"État du lien « {state} » : confirmed, rejected ou suggested est attendu.")


def say_contact(connection: Connection, item_id: str, contact_id: str, state: State, person: Person, why: str = "") -> None:
    """Say whether a contact is a text's own (confirmed), is not (rejected), or leave it to the program again (suggested).

    Raises:
        CampaignError: there is no such link, or the state is unknown.
    """
    _checked(state)
    serialise(connection, TURN)
    where = (ITEM_CONTACTS.c.item_id == item_id, ITEM_CONTACTS.c.contact_id == contact_id)
    if not connection.execute(update(ITEM_CONTACTS).where(*where).values(state=state, **_said(person, why))).rowcount:
        raise CampaignError("Ce contact n'est pas, ou plus, dans ce texte.")
    _after(connection, [item_id], "link", person, why, item=item_id, contact=contact_id, state=state)


def say_link(connection: Connection, first: str, second: str, state: State, person: Person, why: str = "") -> None:
    """As `say_contact`, of the likeness of two texts."""
    _checked(state)
    serialise(connection, TURN)
    pair = {"item_id": min(first, second), "other_id": max(first, second)}
    where = and_(ITEM_LINKS.c.item_id == pair["item_id"], ITEM_LINKS.c.other_id == pair["other_id"])
    if not connection.execute(update(ITEM_LINKS).where(where).values(state=state, **_said(person, why))).rowcount:
        raise CampaignError("Ces deux textes ne sont pas, ou plus, liés.")
    _after(connection, [first, second], "link", person, why, item=pair["item_id"], other=pair["other_id"], state=state)


def _after(
    connection: Connection, items: Sequence[str], kind: str, person: Person, why: str, *, item: str | None = None, **detail: Any
) -> None:
    """Part and join anew what an act on links of these texts touches; the event is kept with each campaign of before."""
    before = set(campaigns_of(connection, items).values())
    changed = {one for id in sorted(before) for one in split(connection, id)}
    changed |= join(connection, items)
    for id in sorted(before or set(campaigns_of(connection, items).values())):
        note_event(connection, id, kind, user=person.id, item=item, why=why, **detail)
    count_anew(connection, changed)


def say_common(connection: Connection, contact_id: str, state: str, person: Person, why: str = "") -> None:
    """Say of a contact that it is nobody's own (`ignored`: a platform, a help line) or that it does link (`kept`).

    Raises:
        CampaignError: there is no such contact, or the state is unknown.
    """
    if state not in ("ignored", "kept"):
        raise CampaignError(f"État du contact « {state} » : ignored ou kept est attendu.")
    serialise(connection, TURN)
    where = CONTACTS.c.id == contact_id
    if not connection.execute(update(CONTACTS).where(where).values(state=state, **_said(person, why))).rowcount:
        raise CampaignError("Ce contact n'existe pas.")
    texts = select(ITEM_CONTACTS.c.item_id).where(ITEM_CONTACTS.c.contact_id == contact_id)
    items = list(connection.scalars(texts.order_by(ITEM_CONTACTS.c.item_id.desc()).limit(_TEXTS)))
    _after(connection, items, "contact", person, why, contact=contact_id, state=state)


def take_out(connection: Connection, campaign_id: str, items: Sequence[str], person: Person, why: str = "") -> str | None:
    """Take texts out of a campaign, together; nothing suggested brings them back. Returns their new campaign, if several.

    Raises:
        CampaignError: no text was chosen, all were, or one is not in the campaign.
    """
    serialise(connection, TURN)
    chosen = sorted(set(items))
    members = set(items_of(connection, campaign_id))
    if not chosen or not set(chosen) <= members:
        raise CampaignError("Textes à séparer : choisissez des textes de cette campagne.")
    if len(chosen) == len(members):
        raise CampaignError("Textes à séparer : un texte au moins doit rester dans la campagne.")
    said = _said(person, why)
    known = select(CAMPAIGN_APART.c.item_id).where(CAMPAIGN_APART.c.campaign_id == campaign_id)
    new = sorted(set(chosen) - set(connection.scalars(known)))
    if new:
        connection.execute(CAMPAIGN_APART.insert(), [{"item_id": one, "campaign_id": campaign_id, **said} for one in new])
    # What a person had joined before is parted by the later act; what leaves together stays together.
    rest = members - set(chosen)
    crossing = or_(
        and_(ITEM_LINKS.c.item_id.in_(chosen), ITEM_LINKS.c.other_id.not_in(chosen)),
        and_(ITEM_LINKS.c.other_id.in_(chosen), ITEM_LINKS.c.item_id.not_in(chosen)),
    )
    for row in connection.execute(select(ITEM_LINKS).where(crossing, ITEM_LINKS.c.state == "confirmed")).all():
        if row.item_id in rest or row.other_id in rest:
            where = (ITEM_LINKS.c.item_id == row.item_id, ITEM_LINKS.c.other_id == row.other_id)
            connection.execute(update(ITEM_LINKS).where(*where).values(state="rejected", **said))
    sure = and_(ITEM_CONTACTS.c.item_id.in_(chosen), ITEM_CONTACTS.c.state == "confirmed")
    connection.execute(update(ITEM_CONTACTS).where(sure).values(state="suggested", **said))
    for first, second in pairwise(chosen):
        _tie(connection, first, second, said)
    note_event(connection, campaign_id, "taken_out", user=person.id, why=why, items=chosen)
    changed = split(connection, campaign_id) | join(connection, chosen)
    count_anew(connection, changed)
    home = campaign_of(connection, chosen[0])
    return home.id if home else None


def _tie(connection: Connection, first: str, second: str, said: dict[str, Any]) -> None:
    """A person's link between two texts, in place of the one that was there."""
    pair = {"item_id": min(first, second), "other_id": max(first, second)}
    where = (ITEM_LINKS.c.item_id == pair["item_id"], ITEM_LINKS.c.other_id == pair["other_id"])
    if not connection.execute(update(ITEM_LINKS).where(*where).values(state="confirmed", **said)).rowcount:
        connection.execute(ITEM_LINKS.insert().values(kind="merge", state="confirmed", **pair, **said))


def merge(connection: Connection, first: str, second: str, person: Person, why: str = "") -> str:
    """Join two campaigns; returns the identifier that lives on, the older.

    Raises:
        CampaignError: one does not exist or has no text, or they are one already.
    """
    serialise(connection, TURN)
    one, other = find_campaign(connection, first), find_campaign(connection, second)
    if one is None or other is None or not one.texts or not other.texts:
        raise CampaignError("Campagne à réunir : cet identifiant n'est celui d'aucune campagne.")
    if one.id == other.id:
        raise CampaignError("Campagne à réunir : c'est déjà la même campagne.")
    texts, others = items_of(connection, one.id), items_of(connection, other.id)
    for id, members in ((one.id, others), (other.id, texts)):
        where = (CAMPAIGN_APART.c.campaign_id == id, CAMPAIGN_APART.c.item_id.in_(members))
        connection.execute(delete(CAMPAIGN_APART).where(*where))
    _tie(connection, texts[0], others[0], _said(person, why))
    changed = join(connection, texts[:1])
    kept = campaigns_of(connection, [texts[0]])[texts[0]]
    note_event(connection, kept, "joined", user=person.id, why=why, campaigns=[one.id, other.id])
    count_anew(connection, changed | {kept})
    return kept


def describe(connection: Connection, campaign_id: str, name: str, note: str, person: Person) -> None:
    """Give a campaign a name and a note; empty ones take them away.

    Raises:
        CampaignError: one is too long or holds a null character.
    """
    values = {"name": " ".join(name.split()) or None, "note": note.replace("\r\n", "\n").strip() or None}
    for field, label, longest in (("name", "Nom", NAME_LONGEST), ("note", "Note", NOTE_LONGEST)):
        if len(values[field] or "") > longest or "\x00" in (values[field] or ""):
            raise CampaignError(f"{label} : {longest} caractères au plus sont attendus, sans caractère nul.")
    connection.execute(update(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign_id).values(**values))
    note_event(connection, campaign_id, "described", user=person.id, name=values["name"], note=values["note"])
