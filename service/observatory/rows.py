"""What figures are counted on: a row a text, as numbers. Texts, authors and contacts do not leave this module."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from model.labels import CHANNELS
from model.tables import load_tables
from service.campaigns.schema import CAMPAIGN_ITEMS
from service.observatory.families import families
from service.observatory.periods import week_of
from service.themes import theme_names
from service.workplace.schema import ITEM_PRACTICES, ITEMS
from service.workplace.similar_schema import SIGNATURES
from service.workplace.times import local_day

Ints = NDArray[np.int64]
Mode = Literal["texts", "families", "authors"]
#: How texts are counted, and what is said of it.
MODES: Final[Mapping[Mode, str]] = {
    "texts": "chaque texte",
    "families": "une fois par texte presque identique",
    "authors": "une fois par auteur",
}
_READ: Final = ("done", "open", "disputed")
_STATUSES: Final = {
    "regulated": "profession de santé réglementée",
    "protected_title": "titre protégé",
    "unregulated": "activité non réglementée",
    "mixed": "réglementée et non réglementée",
    "unknown": "statut non dit",
}
#: A source that looks like a way to reach someone is not named.
_PERSONAL: Final = re.compile(r"@|://|(?:\d[\s.\-/]*){6,}")


@dataclass(frozen=True, slots=True)
class Dimension:
    """A way to part texts: `codes` gives each text's value (place in `values`), -1 where it has none; `values` are names by
    identifier. Where a text may have several values, `rows` names the text of each code.
    """

    id: str
    name: str
    values: tuple[tuple[str, str], ...]
    codes: Ints
    rows: Ints | None = None


@dataclass(frozen=True, slots=True)
class Rows:
    """A row a text. `level` and `decided`: 0 to 3, -1 where not read or not decided. `family`, `author`: groups of texts by
    near-identical words and by author; `cluster`: texts that are not independent of each other (campaign, else author, else
    family). `instants` says when the newest text came and how much there was, to know whether anything changed.
    """

    week: Ints
    level: Ints
    decided: Ints
    family: Ints
    author: Ints
    cluster: Ints
    dimensions: tuple[Dimension, ...]
    undated: int

    @property
    def count(self) -> int:
        """How many texts."""
        return int(self.week.size)

    def kept(self, mode: Mode) -> NDArray[np.bool_]:
        """Which texts count: all, or one of each group, the one at the highest level (decided, else the model's), then the
        earliest.
        """
        if mode == "texts":
            return np.ones(self.count, dtype=np.bool_)
        groups = self.family if mode == "families" else self.author
        level = np.where(self.decided >= 0, self.decided, self.level)
        order = np.lexsort((np.arange(self.count), self.week, -level, groups))
        first = np.ones(self.count, dtype=np.bool_)
        first[1:] = groups[order][1:] != groups[order][:-1]
        kept = np.zeros(self.count, dtype=np.bool_)
        kept[order[first]] = True
        return kept


def stamp(connection: Connection) -> tuple[Any, ...]:
    """What changes when figures may: cheap enough to be asked for every few seconds."""
    texts = select(func.count(), func.max(ITEMS.c.received_at), func.max(ITEMS.c.decided_at), func.count(ITEMS.c.level))
    states = select(ITEMS.c.state, ITEMS.c.decided_level, func.count()).group_by(ITEMS.c.state, ITEMS.c.decided_level)
    versions = select(ITEMS.c.model_version, func.count()).group_by(ITEMS.c.model_version)
    return (
        tuple(connection.execute(texts).one()),
        tuple(sorted(map(tuple, connection.execute(states)), key=str)),
        tuple(sorted(map(tuple, connection.execute(versions)), key=str)),
    )


class Size(NamedTuple):
    """How many texts there are, and how many of them a model has read."""

    texts: int
    read: int

    def outgrows(self, before: "Size", times: float) -> bool:
        """Whether what came or was read since `before` is so much that it tells little of now, or the last one that waited."""
        grown = self.texts + self.read > times * (before.texts + before.read)
        return grown or (self.read == self.texts and before.read < before.texts)


def size(connection: Connection) -> Size:
    """What grows while texts arrive and are read."""
    texts, read = connection.execute(select(func.count(), func.count(ITEMS.c.level)).select_from(ITEMS)).one()
    return Size(texts, read)


def read_rows(connection: Connection) -> Rows:
    """Every text of the workplace as a row, by the date it was captured at, else received."""
    columns = ("id", "captured_at", "received_at", "level", "state", "decided_level", "author")
    parts = ("theme", "channel", "author_status", "region", "source")
    query = select(*(ITEMS.c[name] for name in (*columns, *parts))).order_by(ITEMS.c.id)
    found = connection.execute(query).all()
    ids, captured, received, level, state, decided_level, author, *given = (
        list(column) for column in (zip(*found, strict=True) if found else [()] * (len(columns) + len(parts)))
    )
    place = {id: row for row, id in enumerate(ids)}
    week = [_week(first or second) for first, second in zip(captured, received, strict=True)]
    decided = [value if value is not None and now in _READ else -1 for value, now in zip(decided_level, state, strict=True)]
    family = families(_signatures(connection, place), len(ids))
    people = _codes(author, len(ids))
    return Rows(
        np.array(week, dtype=np.int64),
        np.array([-1 if one is None else one for one in level], dtype=np.int64),
        np.array(decided, dtype=np.int64),
        family,
        people,
        _clusters(connection, place, author, people, family),
        (*_dimensions(dict(zip(parts, given, strict=True))), _practices(connection, place)),
        sum(one is None for one in captured),
    )


def _week(instant: datetime) -> int:
    return week_of(local_day(instant))


def _signatures(connection: Connection, place: Mapping[str, int]) -> Mapping[int, bytes]:
    rows = connection.execute(select(SIGNATURES.c.item_id, SIGNATURES.c.minhash).execution_options(yield_per=5_000))
    return {place[id]: minhash for id, minhash in rows if id in place}


def _codes(values: Sequence[str | None], count: int) -> Ints:
    """A number for each author; a text of nobody known has one of its own."""
    known: dict[str, int] = {}
    return np.array(
        [known.setdefault(value, count + len(known)) if value else row for row, value in enumerate(values)], dtype=np.int64
    )


def _clusters(connection: Connection, place: Mapping[str, int], author: Sequence[str | None], people: Ints, family: Ints) -> Ints:
    known = np.array([bool(one) for one in author], dtype=np.bool_)
    clusters = np.where(known, people + len(place), family)
    campaigns: dict[str, int] = {}
    for campaign, id in connection.execute(select(CAMPAIGN_ITEMS.c.campaign_id, CAMPAIGN_ITEMS.c.item_id)):
        if id in place:
            clusters[place[id]] = -1 - campaigns.setdefault(campaign, len(campaigns))
    numbered: Ints = np.unique(clusters, return_inverse=True)[1].astype(np.int64)
    return numbered


def _dimensions(given: Mapping[str, Sequence[Any]]) -> list[Dimension]:
    channels = {channel.id: channel.name for channel in CHANNELS}
    names = {"theme": "thème", "channel": "canal", "author_status": "statut de l'auteur", "region": "région", "source": "source"}
    made = []
    for id, column in given.items():
        shown = [_nameable(value) if id == "source" else value or "" for value in column]
        values = sorted(set(shown))
        place = {value: code for code, value in enumerate(values)}
        said = {"channel": channels, "author_status": _STATUSES, "theme": theme_names()}.get(id, {})
        named = tuple((value, said.get(value, value) if value else "non dit") for value in values)
        made.append(Dimension(id, names[id], named, np.array([place[value] for value in shown], dtype=np.int64)))
    return made


def _nameable(source: str | None) -> str:
    return "" if not source or _PERSONAL.search(source) else source


def _practices(connection: Connection, place: Mapping[str, int]) -> Dimension:
    names = {practice.id: practice.name for practice in load_tables().practices}
    found = [
        (place[id], practice)
        for id, practice in connection.execute(select(ITEM_PRACTICES.c.item_id, ITEM_PRACTICES.c.practice))
        if id in place
    ]
    values = sorted({practice for _, practice in found})
    codes = {practice: code for code, practice in enumerate(values)}
    return Dimension(
        "practice",
        "pratique",
        tuple((value, names.get(value, value)) for value in values),
        np.array([codes[practice] for _, practice in found], dtype=np.int64),
        np.array([row for row, _ in found], dtype=np.int64),
    )
