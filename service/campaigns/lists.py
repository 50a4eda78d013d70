"""Lists of campaigns, sorted and filtered, for one person: levels do not count texts that are blind for them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, func, literal_column, not_, or_, select

from model.text import fold
from service.campaigns.links import Campaign, campaign_from
from service.campaigns.schema import CAMPAIGN_ITEMS, CAMPAIGNS, CONTACTS, ITEM_CONTACTS
from service.workplace.lots import KEYS, among, keys_for
from service.workplace.people import Person
from service.workplace.reading import hidden_from
from service.workplace.schema import ITEM_PRACTICES, ITEMS

PAGE: Final = 50
#: What the list sorts by: column, and its name.
SORTS: Final = {
    "textes": (CAMPAIGNS.c.texts, "nombre de textes"),
    "niveau": (CAMPAIGNS.c.level, "plus haut niveau"),
    "recent": (CAMPAIGNS.c.last_at, "texte le plus récent"),
    "portee": (CAMPAIGNS.c.places, "portée"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a list of campaigns is asked for: words of a name or contact, least level, practice, sort, page from 1.

    `source`, `theme` and `region` are those of one text at least; `du` and `au` are days: the campaign's texts span one of them
    or a day between.
    """

    q: str = ""
    niveau: int | None = None
    pratique: str = ""
    source: str = ""
    theme: str = ""
    region: str = ""
    du: date | None = None
    au: date | None = None
    tri: str = "niveau"
    page: int = 1


@dataclass(frozen=True, slots=True)
class Found:
    """A page of campaigns, with how many there are in all."""

    campaigns: Sequence[Campaign]
    total: int


def list_campaigns(connection: Connection, wanted: Wanted, person: Person) -> Found:
    """The campaigns of two texts or more that meet what is wanted; levels do not count texts blind for the person.

    Neither the place of a campaign in a list nor a filter tells the level of a blind text: campaigns that have one are ranked
    apart, by the level that the person may know, then put among the others.
    """
    own = _own_levels(connection, person)
    by_level = wanted.tri == "niveau" or wanted.niveau is not None
    apart = keys_for(connection, sorted(own)) if by_level and own else None
    where = [_SEVERAL, *_matching(wanted)]
    outside = [*where, *([CAMPAIGNS.c.level >= wanted.niveau] if wanted.niveau is not None else [])]
    outside += [] if apart is None else [not_(among(connection, CAMPAIGNS.c.id))]
    mine: list[Campaign] = []
    if apart is not None:
        rows = connection.execute(select(CAMPAIGNS).where(*where, among(connection, CAMPAIGNS.c.id)), {KEYS: apart}).mappings()
        mine = [one for row in rows if _reaches(one := _with_level(campaign_from(row), own[row["id"]]), wanted.niveau)]
    given = {} if apart is None else {KEYS: apart}
    total = connection.execute(select(func.count()).select_from(CAMPAIGNS).where(*outside), given).scalar_one() + len(mine)
    first = (wanted.page - 1) * PAGE
    # As many of the others as may come before or among those of the page.
    before = max(0, first - len(mine))
    chosen = select(CAMPAIGNS).where(*outside).order_by(*_order(wanted.tri)).offset(before).limit(first + PAGE - before)
    found = [campaign_from(row) for row in connection.execute(chosen, given).mappings()]
    found = sorted([*found, *mine], key=partial(_rank, wanted.tri), reverse=True) if mine else found
    page = found[first - before : first - before + PAGE]
    return Found([_with_level(one, own[one.id]) if one.id in own else one for one in page], total)


# Written as the index `ix_campaigns_rank` is: with a value of its own, neither database would walk it.
_SEVERAL: Final = CAMPAIGNS.c.texts > literal_column("1")


def _order(sort: str) -> tuple[ColumnElement[Any], ...]:
    # A level that is not known comes last, on both databases.
    first = (CAMPAIGNS.c.level.desc().nulls_last(), CAMPAIGNS.c.texts.desc()) if sort == "niveau" else (SORTS[sort][0].desc(),)
    return (*first, CAMPAIGNS.c.id.desc())


def _rank(sort: str, one: Campaign) -> tuple[Any, ...]:
    """What `_order` sorts by."""
    value = getattr(one, SORTS[sort][0].key)
    return (-1 if value is None else value, one.texts, one.id) if sort == "niveau" else (value, one.id)


def _reaches(one: Campaign, level: int | None) -> bool:
    return level is None or (one.level is not None and one.level >= level)


def _own_levels(connection: Connection, person: Person, campaigns: Collection[str] | None = None) -> dict[str, int | None]:
    """The worst level that a person may know of each campaign that has a text blind for them, of all or of some."""
    level = func.coalesce(ITEMS.c.decided_level, ITEMS.c.level)
    blind = select(CAMPAIGN_ITEMS.c.campaign_id, CAMPAIGNS.c.level.label("worst"), func.max(level).label("hidden"))
    blind = blind.join(CAMPAIGNS, CAMPAIGNS.c.id == CAMPAIGN_ITEMS.c.campaign_id).join(
        ITEMS, ITEMS.c.id == CAMPAIGN_ITEMS.c.item_id
    )
    blind = blind.where(CAMPAIGN_ITEMS.c.item_id.in_(hidden_from(person)))
    if campaigns is not None:
        blind = blind.where(CAMPAIGN_ITEMS.c.campaign_id.in_(campaigns))
    rows = connection.execute(blind.group_by(CAMPAIGN_ITEMS.c.campaign_id, CAMPAIGNS.c.level)).all()
    # Where no blind text is at the worst level, that level says nothing of it.
    found: dict[str, int | None] = {row.campaign_id: row.worst for row in rows}
    return found | _levels(
        connection, [row.campaign_id for row in rows if row.hidden is not None and row.hidden == row.worst], person
    )


def _matching(wanted: Wanted) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    inside = select(CAMPAIGN_ITEMS.c.campaign_id)
    asked = {ITEMS.c.source: wanted.source, ITEMS.c.theme: wanted.theme, ITEMS.c.region: wanted.region}
    if any(asked.values()):
        of = inside.join(ITEMS, ITEMS.c.id == CAMPAIGN_ITEMS.c.item_id)
        found.append(CAMPAIGNS.c.id.in_(of.where(*(column == value for column, value in asked.items() if value))))
    if wanted.du is not None:
        found.append(CAMPAIGNS.c.last_at >= _midnight(wanted.du))
    if wanted.au is not None:
        found.append(CAMPAIGNS.c.first_at < _midnight(wanted.au) + timedelta(days=1))
    if wanted.pratique:
        named = inside.join(ITEM_PRACTICES, ITEM_PRACTICES.c.item_id == CAMPAIGN_ITEMS.c.item_id)
        found.append(CAMPAIGNS.c.id.in_(named.where(ITEM_PRACTICES.c.practice == wanted.pratique)))
    if wanted.q:
        held = inside.join(ITEM_CONTACTS, ITEM_CONTACTS.c.item_id == CAMPAIGN_ITEMS.c.item_id)
        contacts = select(CONTACTS.c.id).where(_named(wanted.q))
        by_contact = held.where(ITEM_CONTACTS.c.contact_id.in_(contacts), ITEM_CONTACTS.c.role == "own")
        by_name = func.lower(CAMPAIGNS.c.name).contains(wanted.q.lower(), autoescape=True)
        found.append(or_(by_name, CAMPAIGNS.c.id == wanted.q, CAMPAIGNS.c.id.in_(by_contact)))
    return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _named(words: str) -> ColumnElement[bool]:
    """Contacts that hold these words; a French number is found however it is written."""
    digits = "".join(character for character in words if character.isdigit())
    shapes = [CONTACTS.c.value.contains(fold(words).strip(), autoescape=True)]
    if len(digits) >= 6 and not any(character.isalpha() for character in words):
        national = digits.removeprefix("0033").removeprefix("33") if len(digits) > 10 else digits
        shapes.append(and_(CONTACTS.c.kind == "phone", CONTACTS.c.value.contains(national.removeprefix("0"))))
    return or_(*shapes)


def _levels(connection: Connection, ids: Collection[str], person: Person) -> dict[str, int | None]:
    """The worst level of campaigns among the texts that the person may see."""
    if not ids:
        return {}
    level = func.max(func.coalesce(ITEMS.c.decided_level, ITEMS.c.level))
    seen = select(CAMPAIGN_ITEMS.c.campaign_id, level).join(ITEMS, ITEMS.c.id == CAMPAIGN_ITEMS.c.item_id)
    seen = seen.where(CAMPAIGN_ITEMS.c.campaign_id.in_(ids), ITEMS.c.id.not_in(hidden_from(person)))
    found: dict[str, int | None] = dict.fromkeys(ids)
    found.update({id: worst for id, worst in connection.execute(seen.group_by(CAMPAIGN_ITEMS.c.campaign_id))})
    return found


def _with_level(campaign: Campaign, level: int | None) -> Campaign:
    values = {name: getattr(campaign, name) for name in Campaign.__dataclass_fields__}
    return Campaign(**(values | {"level": level}))


def shown_to(connection: Connection, campaign: Campaign, person: Person) -> Campaign:
    """A campaign as a person may see it."""
    own = _own_levels(connection, person, [campaign.id])
    return _with_level(campaign, own[campaign.id]) if campaign.id in own else campaign


def said_by_people(connection: Connection, campaigns: Sequence[Campaign], person: Person) -> set[str]:
    """Those of these campaigns whose level, as shown to a person, is that of a text that somebody decided on."""
    ids = [one.id for one in campaigns]
    kept = select(CAMPAIGNS.c.id, CAMPAIGNS.c.decided_level).where(CAMPAIGNS.c.id.in_(ids))
    worst: dict[str, int | None] = {id: level for id, level in connection.execute(kept)}
    if touched := list(_own_levels(connection, person, ids)):
        wanted = select(CAMPAIGN_ITEMS.c.campaign_id, func.max(ITEMS.c.decided_level))
        wanted = wanted.join(ITEMS, ITEMS.c.id == CAMPAIGN_ITEMS.c.item_id).group_by(CAMPAIGN_ITEMS.c.campaign_id)
        seen = wanted.where(CAMPAIGN_ITEMS.c.campaign_id.in_(touched), ITEMS.c.id.not_in(hidden_from(person)))
        worst |= dict.fromkeys(touched) | {id: level for id, level in connection.execute(seen)}
    return {one.id for one in campaigns if one.level is not None and worst.get(one.id) == one.level}


def chief_contacts(connection: Connection, ids: Collection[str]) -> dict[str, str]:
    """By campaign, the contact that most of its texts have as their own."""
    query = select(CAMPAIGNS.c.id, CONTACTS.c.value).join(CONTACTS, CONTACTS.c.id == CAMPAIGNS.c.chief)
    return {id: value for id, value in connection.execute(query.where(CAMPAIGNS.c.id.in_(ids)))}
