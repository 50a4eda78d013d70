"""What the queue shows: the filters and the sort, as they are written in an address, and as conditions on the texts."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from typing import Final, Literal
from urllib.parse import parse_qs, urlencode

from sqlalchemy import ColumnElement, Dialect, and_, exists, or_, select, true

from model.labels import CHANNEL_IDS, INDICATOR_IDS, Label
from service.privacy.retention import contested
from service.workplace.people import Person
from service.workplace.schema import CLAIMS, ITEM_PRACTICES, ITEM_SIGNS, ITEMS
from service.workplace.search import LONGEST, matches
from service.workplace.times import midnight, now

SortName = Literal["score", "niveau", "recu", "capture", "doute", "decide"]
SORTS: Final = {
    "score": (ITEMS.c.score, "score"),
    "niveau": (ITEMS.c.level, "niveau"),
    "recu": (ITEMS.c.received_at, "date de réception"),
    "capture": (ITEMS.c.captured_at, "date de capture"),
    "doute": (ITEMS.c.doubt, "doute du modèle"),
    "decide": (ITEMS.c.decided_at, "date de décision"),
}
STATES: Final[tuple[Label, ...]] = (
    Label("new", "à lire", "Personne n'a encore décidé."),
    Label("open", "relecture en attente", "Lu une fois, une seconde lecture est demandée."),
    Label("disputed", "à départager", "Deux lectures ne s'accordent pas."),
    Label("done", "décidé", "Une décision tient."),
    Label("unsure", "« je ne sais pas »", "La personne qui a lu n'a pas su dire."),
)
STATE_NAMES: Final = {state.id: state.name for state in STATES}
_FLAGS: Final = {"danger": ITEMS.c.at_risk, "hesite": ITEMS.c.hesitates, "contredit": ITEMS.c.contradicts}
_LEVELS: Final = ("0", "1", "2", "3", "sans")
_HELD: Final = ("moi", "libre")
_LONGEST_VALUE: Final = 200


@dataclass(frozen=True, slots=True)
class Filter:
    """What is asked for, by the names that the address uses; empty values ask for nothing.

    `niveau` may hold `sans` (texts that have no level yet). `dates` says which date `depuis` and `jusqua` (ISO days, both
    included) are about. `attribue` is `moi`, `personne` or a user's identifier; `tenu` is `moi` or `libre`.
    """

    niveau: tuple[str, ...] = ()
    signe: tuple[str, ...] = ()
    etat: tuple[str, ...] = ()
    pratique: str = ""
    theme: str = ""
    canal: str = ""
    source: str = ""
    auteur: str = ""
    region: str = ""
    dates: str = "recu"
    depuis: str = ""
    jusqua: str = ""
    attribue: str = ""
    tenu: str = ""
    danger: str = ""
    hesite: str = ""
    contredit: str = ""
    ressemble: str = ""
    reexamen: str = ""
    q: str = ""
    tri: str = "score"
    sens: str = "desc"

    @classmethod
    def read(cls, query: str) -> "Filter":
        """The filter of an address's query; what it does not know, or cannot be, is left aside. Empty: texts to read."""
        given = parse_qs(query[:4_000], keep_blank_values=True)
        if not any(field.name in given for field in fields(cls)) and "tout" not in given:
            return cls(etat=("new",))
        values: dict[str, str] = {
            name: given[name][-1].replace("\x00", "").strip()[:_LONGEST_VALUE]
            for name in cls.__dataclass_fields__
            if name in given and name not in ("niveau", "signe", "etat")
        }
        allowed = {
            "canal": CHANNEL_IDS,
            "dates": ("recu", "capture"),
            "tenu": _HELD,
            "tri": tuple(SORTS),
            "sens": ("asc", "desc"),
            **dict.fromkeys(("danger", "hesite", "contredit", "ressemble", "reexamen"), ("1",)),
        }
        kept = {name: value for name, value in values.items() if value and value in allowed.get(name, (value,))}
        for name in ("depuis", "jusqua"):
            if name in kept and _day(kept[name]) is None:
                del kept[name]
        return cls(
            niveau=_known(given.get("niveau", []), _LEVELS),
            signe=_known(given.get("signe", []), INDICATOR_IDS),
            etat=_known(given.get("etat", []), tuple(STATE_NAMES)),
            **(kept | {"q": kept.get("q", "")[:LONGEST]}),
        )

    @classmethod
    def left_aside(cls, query: str) -> list[str]:
        """What an address asks and `read` left aside, as « name=value »; names that are no filter's are not looked at."""
        given, wanted = parse_qs(query[:4_000]), cls.read(query)
        aside = []
        for field in fields(cls):
            sent, kept = given.get(field.name, []), getattr(wanted, field.name)
            if isinstance(kept, tuple):
                aside += [f"{field.name}={value[:40]}" for value in sent if value not in kept]
            elif sent and kept == field.default != sent[-1].strip():
                aside.append(f"{field.name}={sent[-1][:40]}")
        return aside

    def query(self) -> str:
        """The address's query that reads as this filter."""
        pairs: list[tuple[str, str]] = []
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, tuple):
                pairs += [(field.name, one) for one in value]
            elif value != field.default:
                pairs.append((field.name, value))
        return urlencode(pairs) or "tout=1"

    def sorted_by(self, name: str) -> "Filter":
        """The same texts sorted by this; the other way round if they already are."""
        return replace(self, tri=name, sens="asc" if self.tri == name and self.sens == "desc" else "desc")

    def asked(self) -> int:
        """How many filters narrow what is shown."""
        return sum(bool(getattr(self, field.name)) for field in fields(self) if field.name not in ("tri", "sens", "dates"))


def _known(given: Sequence[str], allowed: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value for value in allowed if value in given)


def _day(value: str, *, after: int = 0) -> datetime | None:
    """When that day begins, or the day that comes so many days after; None where it is no day."""
    try:
        return midnight(date.fromisoformat(value) + timedelta(days=after))
    except (ValueError, OverflowError):
        return None


def conditions(wanted: Filter, person: Person, dialect: Dialect) -> list[ColumnElement[bool]]:
    """The conditions on `items` that a filter stands for, for this person."""
    items = ITEMS.c
    found: list[ColumnElement[bool]] = []
    if wanted.niveau:
        levels = [int(level) for level in wanted.niveau if level != "sans"]
        named = items.level == levels[0] if len(levels) == 1 else items.level.in_(levels)
        found.append(or_(named, items.level.is_(None)) if "sans" in wanted.niveau and levels else named)
        if not levels:
            found[-1] = items.level.is_(None)
    if wanted.etat and len(wanted.etat) < len(STATES):
        found.append(items.state == wanted.etat[0] if len(wanted.etat) == 1 else items.state.in_(wanted.etat))
    if wanted.signe:
        found.append(items.id.in_(select(ITEM_SIGNS.c.item_id).where(ITEM_SIGNS.c.indicator.in_(wanted.signe))))
    if wanted.pratique:
        found.append(items.id.in_(select(ITEM_PRACTICES.c.item_id).where(ITEM_PRACTICES.c.practice == wanted.pratique)))
    for column, value in (
        (items.theme, wanted.theme),
        (items.channel, wanted.canal),
        (items.source, wanted.source),
        (items.author, wanted.auteur),
        (items.region, wanted.region),
    ):
        if value:
            found.append(column == value)
    found += [column.is_(true()) for name, column in _FLAGS.items() if getattr(wanted, name)]
    if wanted.ressemble:
        found.append(items.resembles.is_not(None))
    if wanted.reexamen:
        found.append(contested())
    found += _between(wanted) + _people(wanted, person)
    if wanted.q and (clause := matches(wanted.q, dialect)) is not None:
        found.append(and_(true(), clause))
    return found


def _between(wanted: Filter) -> list[ColumnElement[bool]]:
    column = ITEMS.c.captured_at if wanted.dates == "capture" else ITEMS.c.received_at
    found: list[ColumnElement[bool]] = []
    if (first := _day(wanted.depuis)) is not None:
        found.append(column >= first)
    if (last := _day(wanted.jusqua, after=1)) is not None:
        found.append(column < last)
    return found


def _people(wanted: Filter, person: Person) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.attribue == "moi":
        found.append(ITEMS.c.assigned_to == person.id)
    elif wanted.attribue == "personne":
        found.append(ITEMS.c.assigned_to.is_(None))
    elif wanted.attribue:
        found.append(ITEMS.c.assigned_to == wanted.attribue)
    if wanted.tenu == "moi":
        held = select(CLAIMS.c.item_id).where(CLAIMS.c.user_id == person.id, CLAIMS.c.expires_at > now())
        found.append(ITEMS.c.id.in_(held))
    elif wanted.tenu == "libre":
        found.append(free_of_claims())
    return found


def free_of_claims(person: Person | None = None) -> ColumnElement[bool]:
    """The condition that nobody works on the text now, unless this person does."""
    held = [CLAIMS.c.item_id == ITEMS.c.id, CLAIMS.c.expires_at > now()]
    if person is not None:
        held.append(CLAIMS.c.user_id != person.id)
    return ~exists(select(CLAIMS.c.item_id).where(*held))


#: The name that exports know it by.
Filters = Filter
