"""What the pages of campaigns and of contacts show, for one person: texts that are blind for them are counted, not shown."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, case, func, or_, select

from service.campaigns.components import JOINS
from service.campaigns.schema import CAMPAIGN_CROWDED, CAMPAIGN_EVENTS, CAMPAIGN_ITEMS, CONTACTS, ITEM_CONTACTS, ITEM_LINKS
from service.workplace.lots import KEYS, among, keys_for
from service.workplace.masking import hidden_texts
from service.workplace.people import Person
from service.workplace.reading import hidden_from
from service.workplace.schema import ITEM_PRACTICES, ITEMS, PREDICTIONS, USERS
from service.workplace.times import aware

#: Texts of a campaign that its page shows, newest first, and links that it lists.
MOST_TEXTS: Final = 300
MOST_LINKS: Final = 500
_EXTRACT: Final = 180
_MENTIONS: Final = 50


@dataclass(frozen=True, slots=True)
class Row:
    """A text of a campaign: its beginning, and what is known of it; `level` is decided, else the model's."""

    id: str
    extract: str
    source: str
    author: str | None
    channel: str | None
    region: str | None
    at: datetime
    level: int | None
    decided: bool
    state: str
    stance: str | None


@dataclass(frozen=True, slots=True)
class Tie:
    """A contact of a campaign: how many of its texts have it as their own, how many only name it, and where else it is named."""

    id: str
    kind: str
    value: str
    state: str
    own: int
    mentions: int
    elsewhere: int


@dataclass(frozen=True, slots=True)
class Link:
    """A link between a text and a contact (`contact_id`), or between two texts (`other_id`), and what a person said of it."""

    item_id: str
    other_id: str | None
    contact_id: str | None
    kind: str
    value: str
    likeness: float | None
    state: str
    who: str | None
    at: datetime | None
    why: str | None


def texts_of(connection: Connection, campaign_id: str, person: Person) -> tuple[list[Row], int]:
    """The texts of a campaign, newest first, and how many are blind for the person, which are left out."""
    inside = CAMPAIGN_ITEMS.c.campaign_id == campaign_id
    joined = ITEMS.join(CAMPAIGN_ITEMS, CAMPAIGN_ITEMS.c.item_id == ITEMS.c.id)
    blind = ITEMS.c.id.in_(hidden_from(person))
    hidden = connection.execute(select(func.count()).select_from(joined).where(inside, blind)).scalar_one()
    at = func.coalesce(ITEMS.c.captured_at, ITEMS.c.received_at)
    # Of thousands of texts only those shown are read whole.
    newest = select(ITEMS.c.id).select_from(joined).where(inside, ~blind).order_by(at.desc(), ITEMS.c.id.desc()).limit(MOST_TEXTS)
    chosen = select(ITEMS).where(ITEMS.c.id.in_(connection.scalars(newest).all())).order_by(at.desc(), ITEMS.c.id.desc())
    return rows_of(connection, chosen, person), hidden


def rows_of(connection: Connection, chosen: Select[Any], person: Person) -> list[Row]:
    """Rows of `items` as the pages show them, personal data masked if the person asked."""
    found = list(connection.execute(chosen).mappings())
    extracts = hidden_texts(connection, {row["id"]: row["text"][:_EXTRACT] for row in found}, person)
    return [
        Row(
            row["id"],
            extracts[row["id"]] + ("…" if len(row["text"]) > _EXTRACT else ""),
            row["source"],
            row["author"],
            row["channel"],
            row["region"],
            aware(row["captured_at"] or row["received_at"]),
            row["decided_level"] if row["decided_level"] is not None else row["level"],
            row["decided_at"] is not None,
            row["state"],
            row["decided_stance"] or row["stance"],
        )
        for row in found
    ]


def ties_of(connection: Connection, campaign_id: str) -> list[Tie]:
    """The contacts that texts of a campaign have or name, those of most texts first."""
    own = func.sum(case((ITEM_CONTACTS.c.role == "own", case((ITEM_CONTACTS.c.state == "rejected", 0), else_=1)), else_=0))
    inside = ITEM_CONTACTS.join(CAMPAIGN_ITEMS, CAMPAIGN_ITEMS.c.item_id == ITEM_CONTACTS.c.item_id)
    inside = inside.join(CONTACTS, CONTACTS.c.id == ITEM_CONTACTS.c.contact_id)
    columns = (CONTACTS.c.id, CONTACTS.c.kind, CONTACTS.c.value, CONTACTS.c.state)
    query = select(*columns, own.label("own"), func.count().label("all")).select_from(inside)
    query = query.where(CAMPAIGN_ITEMS.c.campaign_id == campaign_id).group_by(*columns)
    rows = connection.execute(query.order_by(own.desc(), CONTACTS.c.kind, CONTACTS.c.value).limit(MOST_LINKS)).all()
    everywhere = select(ITEM_CONTACTS.c.contact_id, func.count()).where(ITEM_CONTACTS.c.contact_id.in_([row.id for row in rows]))
    counted = {id: count for id, count in connection.execute(everywhere.group_by(ITEM_CONTACTS.c.contact_id))}
    return [
        Tie(row.id, row.kind, row.value, row.state, int(row.own), int(row.all - row.own), int(counted[row.id] - row.all))
        for row in rows
    ]


def links_of(connection: Connection, shown: Collection[str]) -> list[Link]:
    """The links of the texts shown, those that people spoke of first: among themselves, then with contacts; 500 of each."""
    found: list[Link] = []
    given = {KEYS: keys_for(connection, list(shown))}
    said = ITEM_LINKS.outerjoin(USERS, USERS.c.id == ITEM_LINKS.c.decided_by)
    near = select(ITEM_LINKS, USERS.c.name).select_from(said).where(among(connection, ITEM_LINKS.c.item_id))
    near = near.where(among(connection, ITEM_LINKS.c.other_id)).order_by(ITEM_LINKS.c.decided_at.is_(None))
    for row in connection.execute(near.order_by(ITEM_LINKS.c.likeness.desc()).limit(MOST_LINKS), given):
        at = aware(row.decided_at) if row.decided_at else None
        found.append(Link(row.item_id, row.other_id, None, row.kind, "", row.likeness, row.state, row.name, at, row.why))
    held = ITEM_CONTACTS.join(CONTACTS, CONTACTS.c.id == ITEM_CONTACTS.c.contact_id)
    held = held.outerjoin(USERS, USERS.c.id == ITEM_CONTACTS.c.decided_by)
    columns = (*ITEM_CONTACTS.c, CONTACTS.c.kind, CONTACTS.c.value, USERS.c.name)
    contacts = select(*columns).select_from(held).where(or_(JOINS, ITEM_CONTACTS.c.state != "suggested"))
    contacts = contacts.where(among(connection, ITEM_CONTACTS.c.item_id)).order_by(ITEM_CONTACTS.c.decided_at.is_(None))
    for row in connection.execute(contacts.order_by(CONTACTS.c.value).limit(MOST_LINKS), given):
        at = aware(row.decided_at) if row.decided_at else None
        found.append(Link(row.item_id, None, row.contact_id, row.kind, row.value, None, row.state, row.name, at, row.why))
    return sorted(found, key=lambda link: (link.state == "suggested", link.other_id is None))


def crowded_of(connection: Connection, campaign_id: str) -> int:
    """How many texts of a campaign look like so many others that they were compared with the newest of these only."""
    inside = CAMPAIGN_CROWDED.join(CAMPAIGN_ITEMS, CAMPAIGN_ITEMS.c.item_id == CAMPAIGN_CROWDED.c.item_id)
    counted = select(func.count()).select_from(inside).where(CAMPAIGN_ITEMS.c.campaign_id == campaign_id)
    return int(connection.execute(counted).scalar_one())


def events_of(connection: Connection, campaign_id: str) -> list[dict[str, Any]]:
    """What happened to a campaign, newest first, the last two hundred."""
    query = select(CAMPAIGN_EVENTS, USERS.c.name).outerjoin(USERS, USERS.c.id == CAMPAIGN_EVENTS.c.user_id)
    rows = connection.execute(
        query.where(CAMPAIGN_EVENTS.c.campaign_id == campaign_id).order_by(CAMPAIGN_EVENTS.c.number.desc()).limit(200)
    )
    return [dict(row) | {"made_at": aware(row["made_at"])} for row in rows.mappings()]


def mentioned_by(connection: Connection, campaign_id: str, person: Person) -> list[Row]:
    """Texts that are not of the campaign and name one of its contacts without being its author's."""
    inside = select(CAMPAIGN_ITEMS.c.item_id).where(CAMPAIGN_ITEMS.c.campaign_id == campaign_id)
    joined = ITEM_CONTACTS.join(CONTACTS, CONTACTS.c.id == ITEM_CONTACTS.c.contact_id)
    contacts = select(ITEM_CONTACTS.c.contact_id).select_from(joined).where(ITEM_CONTACTS.c.item_id.in_(inside), JOINS)
    naming = select(ITEM_CONTACTS.c.item_id).where(ITEM_CONTACTS.c.contact_id.in_(contacts), ITEM_CONTACTS.c.role == "mention")
    chosen = select(ITEMS).where(ITEMS.c.id.in_(naming), ITEMS.c.id.not_in(inside), ITEMS.c.id.not_in(hidden_from(person)))
    return rows_of(connection, chosen.order_by(ITEMS.c.id.desc()).limit(_MENTIONS), person)


@dataclass(frozen=True, slots=True)
class Sums:
    """What the texts of a campaign have in common: how many of each, and the least and greatest price in each currency."""

    levels: Mapping[int | None, int]
    sources: Sequence[tuple[str, int]]
    regions: Sequence[tuple[str, int]]
    practices: Sequence[tuple[str, int]]
    months: Sequence[tuple[str, int]]
    prices: Mapping[str, tuple[float, float]]


def sums_of(connection: Connection, rows: Sequence[Row]) -> Sums:
    """The sums over the texts shown."""
    ids = [row.id for row in rows]
    practices = select(ITEM_PRACTICES.c.practice, func.count()).where(ITEM_PRACTICES.c.item_id.in_(ids))
    named = connection.execute(practices.group_by(ITEM_PRACTICES.c.practice)).all()
    return Sums(
        dict(sorted(Counter(row.level for row in rows).items(), key=lambda one: -1 if one[0] is None else -one[0])),
        Counter(row.source or "non dite" for row in rows).most_common(),
        Counter(row.region for row in rows if row.region).most_common(),
        sorted(((id, count) for id, count in named), key=lambda one: (-one[1], one[0])),
        _months([row.at for row in rows]),
        _prices(connection, ids),
    )


def _months(instants: Sequence[datetime]) -> list[tuple[str, int]]:
    """How many in each month (« 2026-03 »), from the first to the last, those with none too."""
    counted = Counter((at.year, at.month) for at in instants)
    if not counted:
        return []
    (year, month), last = min(counted), max(counted)
    found = []
    while (year, month) <= last:
        found.append((f"{year}-{month:02}", counted[year, month]))
        year, month = (year + 1, 1) if month == 12 else (year, month + 1)
    return found


def _prices(connection: Connection, ids: Sequence[str]) -> dict[str, tuple[float, float]]:
    newest = and_(PREDICTIONS.c.item_id == ITEMS.c.id, PREDICTIONS.c.model_version == ITEMS.c.model_version)
    said = select(PREDICTIONS.c.prediction).join(ITEMS, newest).where(ITEMS.c.id.in_(ids))
    amounts: dict[str, list[float]] = {}
    for prediction in connection.scalars(said):
        for entity in prediction.get("entities") or ():
            value = entity.get("value") or {}
            if entity["kind"] == "price" and value.get("amount") and not value.get("free"):
                amounts.setdefault(value.get("currency", "EUR"), []).extend(
                    float(one) for one in (value["amount"], value.get("to")) if one
                )
    return {currency: (min(found), max(found)) for currency, found in sorted(amounts.items())}
