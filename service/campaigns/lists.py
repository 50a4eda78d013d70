"""Lists of campaigns, sorted and filtered, for one person: levels do not count texts that are blind for them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, case, func, or_, select

from model.text import fold
from service.campaigns.components import JOINS
from service.campaigns.links import Campaign, campaign_from
from service.campaigns.schema import CAMPAIGN_ITEMS, CAMPAIGNS, CONTACTS, ITEM_CONTACTS
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
    """The campaigns of two texts or more that meet what is wanted; levels do not count texts blind for the person."""
    level = _level_for(person)
    where = [CAMPAIGNS.c.texts > 1, *_matching(wanted, level)]
    total = connection.execute(select(func.count()).select_from(CAMPAIGNS).where(*where)).scalar_one()
    column = level if wanted.tri == "niveau" else SORTS[wanted.tri][0]
    # A level that is not known comes last, on both databases.
    order = (case((column.is_(None), 1), else_=0), column.desc(), CAMPAIGNS.c.texts.desc(), CAMPAIGNS.c.id.desc())
    if wanted.tri != "niveau":
        order = (column.desc(), CAMPAIGNS.c.id.desc())  # type: ignore[assignment]
    chosen = select(CAMPAIGNS).where(*where).order_by(*order).offset((wanted.page - 1) * PAGE).limit(PAGE)
    found = [campaign_from(row) for row in connection.execute(chosen).mappings()]
    return Found(_without_hidden(connection, found, person), total)


def _level_for(person: Person) -> ColumnElement[int | None]:
    """The worst level of a campaign for a person: neither its place in a list nor a filter tells that of a blind text."""
    blind = hidden_from(person)
    touched = select(CAMPAIGN_ITEMS.c.campaign_id).where(CAMPAIGN_ITEMS.c.item_id.in_(blind))
    seen = select(func.max(func.coalesce(ITEMS.c.decided_level, ITEMS.c.level)))
    seen = seen.join_from(CAMPAIGN_ITEMS, ITEMS, ITEMS.c.id == CAMPAIGN_ITEMS.c.item_id)
    seen = seen.where(CAMPAIGN_ITEMS.c.campaign_id == CAMPAIGNS.c.id, ITEMS.c.id.not_in(blind)).correlate(CAMPAIGNS)
    return case((CAMPAIGNS.c.id.in_(touched), seen.scalar_subquery()), else_=CAMPAIGNS.c.level)


def _matching(wanted: Wanted, level: ColumnElement[int | None]) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    inside = select(CAMPAIGN_ITEMS.c.campaign_id)
    if wanted.niveau is not None:
        found.append(level >= wanted.niveau)
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


def _without_hidden(connection: Connection, campaigns: Sequence[Campaign], person: Person) -> list[Campaign]:
    ids = [one.id for one in campaigns]
    blind = hidden_from(person)
    touched = select(CAMPAIGN_ITEMS.c.campaign_id).where(
        CAMPAIGN_ITEMS.c.campaign_id.in_(ids), CAMPAIGN_ITEMS.c.item_id.in_(blind)
    )
    levels = _levels(connection, set(connection.scalars(touched)), person)
    return [_with_level(one, levels[one.id]) if one.id in levels else one for one in campaigns]


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
    return _without_hidden(connection, [campaign], person)[0]


def said_by_people(connection: Connection, campaigns: Sequence[Campaign], person: Person) -> set[str]:
    """Those of these campaigns whose level, as shown to a person, is that of a text that somebody decided on."""
    wanted = select(CAMPAIGN_ITEMS.c.campaign_id, func.max(ITEMS.c.decided_level))
    wanted = wanted.join(ITEMS, ITEMS.c.id == CAMPAIGN_ITEMS.c.item_id).group_by(CAMPAIGN_ITEMS.c.campaign_id)
    ids = [one.id for one in campaigns]
    rows = connection.execute(wanted.where(CAMPAIGN_ITEMS.c.campaign_id.in_(ids), ITEMS.c.id.not_in(hidden_from(person))))
    worst = {id: level for id, level in rows}
    return {one.id for one in campaigns if one.level is not None and worst.get(one.id) == one.level}


def chief_contacts(connection: Connection, ids: Collection[str]) -> dict[str, str]:
    """By campaign, the contact that most of its texts have as their own."""
    own = func.count().label("own")
    inside = ITEM_CONTACTS.join(CAMPAIGN_ITEMS, CAMPAIGN_ITEMS.c.item_id == ITEM_CONTACTS.c.item_id)
    inside = inside.join(CONTACTS, CONTACTS.c.id == ITEM_CONTACTS.c.contact_id)
    query = select(CAMPAIGN_ITEMS.c.campaign_id, CONTACTS.c.value, own).select_from(inside)
    query = query.where(CAMPAIGN_ITEMS.c.campaign_id.in_(ids), JOINS).group_by(CAMPAIGN_ITEMS.c.campaign_id, CONTACTS.c.value)
    rows = connection.execute(query.order_by(own, CONTACTS.c.value.desc()))
    return {row.campaign_id: row.value for row in rows}
