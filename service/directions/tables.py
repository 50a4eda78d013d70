"""The tables of `service/data` about practices, professions, authorities, law, figures: read once, checked entry by entry.

Adding an entry touches a table only: no code names one.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

from model.errors import TableError
from model.labels import INDICATOR_IDS
from model.tables import load_tables
from service.directions.checks import (
    Check,
    check_rows,
    each_of,
    filled,
    is_date,
    is_identifier,
    is_link,
    one_of,
    read_table,
    rows_of,
)

_STATUSES: Final = ("regulated", "protected_title", "unregulated")
#: The parts of `vocabulary.toml`.
PARTS: Final = ("copies", "families", "dangers", "danger_words", "statuses", "groups", "conditions")
#: The groups of authorities, in the order in which pages show them.
GROUPS: Final = ("emergency", "help", "authority", "order", "justice")


@dataclass(frozen=True, slots=True)
class Statement:
    """What somebody said of a practice; `date` is `YYYY-MM`, `YYYY` or empty, `link` may be empty if it is to verify."""

    who: str
    said: str
    link: str
    date: str
    verify: bool
    binds_physiotherapists: bool

    @property
    def host(self) -> str:
        """The site of the source, without `www.`; empty without a link."""
        return host_of(self.link)

    @property
    def secondary(self) -> bool:
        """Whether the source is not the site of an authority, an order, a court or Parliament."""
        return not _is_primary(self.host)


@dataclass(frozen=True, slots=True)
class Fact:
    """What a practice claims and who said what of it; `verify`: the claim comes from general knowledge."""

    practice: str
    claims: str
    verify: bool
    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Profession:
    """A profession or title: `regulated`, `protected_title` or `unregulated`; its order and register, empty if none."""

    id: str
    name: str
    status: str
    order: str
    register: str
    note: str
    source: str
    verify: bool


@dataclass(frozen=True, slots=True)
class Authority:
    """Who can be addressed. One of `when` is enough, all of `all` are needed; « a+b » asks for both.

    `group` is one of GROUPS; `order` names a professional order as the titles do. `help` may be proposed to a person at
    risk whatever the level of the text.
    """

    id: str
    name: str
    group: str
    help: bool
    takes: str
    how: str
    link: str
    phone: str
    order: str
    legal_basis: str
    when: tuple[str, ...]
    all: tuple[str, ...]
    source: str
    source_date: str
    verify: bool

    @property
    def official(self) -> bool:
        """Whether the source is a page of an authority, an order, a court or Parliament."""
        return _is_primary(host_of(self.source))


@dataclass(frozen=True, slots=True)
class Law:
    """An article of law as a question; `handling`: about what is done with the text, not about what it says."""

    id: str
    article: str
    title: str
    asks: str
    penalty: str
    link: str
    verify: bool
    handling: bool
    when: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A published figure of the Miviludes; `year` is the last one of a period."""

    year: int
    what: str
    value: float
    unit: str
    source: str
    link: str
    verify: bool


@dataclass(frozen=True, slots=True)
class Product:
    """A kind of product (`supplement`, `device`, `medicine`), the words and the practices that name one."""

    id: str
    name: str
    words: tuple[str, ...]
    practices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Directions:
    """All tables. `copies` to `conditions` give what people read, in French, by identifier."""

    facts: Mapping[str, Fact]
    professions: tuple[Profession, ...]
    authorities: tuple[Authority, ...]
    laws: tuple[Law, ...]
    figures: tuple[Figure, ...]
    products: tuple[Product, ...]
    copies: Mapping[str, str]
    families: Mapping[str, str]
    dangers: Mapping[str, str]
    danger_words: Mapping[str, str]
    statuses: Mapping[str, str]
    groups: Mapping[str, str]
    conditions: Mapping[str, str]
    primary_hosts: tuple[str, ...]


def host_of(link: str) -> str:
    """The site of an address, without `www.`; empty for none."""
    return (urlsplit(link).hostname or "").removeprefix("www.")


def _is_primary(host: str) -> bool:
    return any(host == known or host.endswith(f".{known}") for known in load_directions().primary_hosts)


@cache
def load_directions() -> Directions:
    """All tables, read from the package at the first call.

    Raises:
        TableError: a table is missing or wrong; the message names the table, the entry and the field.
    """
    words = read_table("vocabulary.toml")
    names = {part: _names(words, part) for part in PARTS}
    known = load_tables()
    practices = {practice.id for practice in known.practices}
    orders = {title.order for title in known.titles if title.order}

    def condition(one: str) -> bool:
        kind, _, value = one.partition(":")
        allowed: dict[str, Collection[str]] = {
            "danger": names["dangers"],
            "practice": practices,
            "sign": INDICATOR_IDS,
            "order": orders,
        }
        return value in allowed[kind] if kind in allowed else one in names["conditions"]

    hosts = words.get("primary_hosts")
    if not isinstance(hosts, list) or not all(isinstance(host, str) for host in hosts):
        raise TableError("Table vocabulary.toml : le champ « primary_hosts » (list) est attendu.")
    conditions = each_of(condition, "une condition connue")
    return Directions(
        facts=_facts(practices),
        professions=_professions(orders),
        authorities=_authorities(orders, conditions),
        laws=_laws(conditions),
        figures=_figures(),
        products=_products(practices, names["conditions"]),
        primary_hosts=tuple(hosts),
        **names,
    )


def _names(words: Mapping[str, Any], part: str) -> Mapping[str, str]:
    found = words.get(part)
    if not isinstance(found, dict) or not all(isinstance(name, str) and name.strip() for name in found.values()):
        raise TableError(f"Table vocabulary.toml : la partie [{part}] (identifiant = « nom ») est attendue.")
    return found


def _facts(practices: Collection[str]) -> Mapping[str, Fact]:
    name = "practice-facts.toml"
    rows = [{"statement": [], **row} for row in read_table(name).get("fact", [])]
    rows = rows_of(name, rows, {"practice": str, "claims": str, "verify": bool, "statement": list}, unique="practice")
    check_rows(name, rows, {"practice": one_of(practices), "claims": filled}, "practice")
    fields = {"who": str, "said": str, "link": str, "date": str, "verify": bool, "binds_physiotherapists": bool}
    found = {}
    for row in rows:
        where = f"{name} (« {row['practice']} »)"
        given = rows_of(where, list(row["statement"]), fields, unique="") if row["statement"] else []
        check_rows(where, given, {"who": filled, "said": filled, "link": is_link, "date": is_date}, "who")
        if any(not one["link"] and not one["verify"] for one in given):
            raise TableError(f"Table {where} : champ « link », un énoncé sans adresse est à vérifier (verify = true).")
        found[row["practice"]] = Fact(row["practice"], row["claims"], row["verify"], tuple(Statement(**one) for one in given))
    return found


def _professions(orders: Collection[str]) -> tuple[Profession, ...]:
    name = "professions.toml"
    texts = dict.fromkeys(("id", "name", "status", "order", "register", "note", "source"), str)
    rows = rows_of(name, read_table(name).get("profession"), texts | {"verify": bool})
    checks = {"id": is_identifier, "name": filled, "status": one_of(_STATUSES), "order": one_of({"", *orders})}
    check_rows(name, rows, checks)
    return tuple(Profession(**row) for row in rows)


def _authorities(orders: Collection[str], conditions: Check) -> tuple[Authority, ...]:
    name = "authorities.toml"
    texts = ("id", "name", "group", "takes", "how", "link", "phone", "order", "legal_basis", "source", "source_date")
    fields = dict.fromkeys(texts, str) | {"help": bool, "when": list, "all": list, "verify": bool}
    rows = rows_of(name, read_table(name).get("authority"), fields)
    checks = {"id": is_identifier, "name": filled, "group": one_of(GROUPS), "takes": filled, "how": filled}
    checks |= {"link": is_link, "order": one_of({"", *orders}), "when": conditions, "all": conditions, "source_date": is_date}
    check_rows(name, rows, checks)
    check_rows(name, rows, {"when": lambda value: None if value else "une condition au moins est attendue."})
    return tuple(Authority(**row) for row in rows)


def _laws(conditions: Check) -> tuple[Law, ...]:
    name = "law.toml"
    fields = dict.fromkeys(("id", "article", "title", "asks", "penalty", "link"), str)
    rows = rows_of(name, read_table(name).get("law"), fields | {"verify": bool, "handling": bool, "when": list})
    check_rows(name, rows, {"id": is_identifier, "article": filled, "title": filled, "link": is_link, "when": conditions})
    check_rows(name, rows, {"asks": lambda value: None if value.rstrip().endswith("?") else "une question est attendue."})
    check_rows(name, rows, {"when": lambda value: None if value else "une condition au moins est attendue."})
    return tuple(Law(**row) for row in rows)


def _figures() -> tuple[Figure, ...]:
    name = "figures.toml"
    fields: dict[str, type] = {"year": int, "value": float, "verify": bool}
    texts = dict.fromkeys(("what", "unit", "source", "link"), str)
    rows = rows_of(name, read_table(name).get("figure"), fields | texts, unique="")
    check_rows(name, rows, {"what": filled, "unit": filled, "source": filled, "link": is_link}, "what")
    return tuple(Figure(**row) for row in rows)


def _products(practices: Collection[str], conditions: Collection[str]) -> tuple[Product, ...]:
    name = "products.toml"
    rows = rows_of(name, read_table(name).get("product"), {"id": str, "name": str, "words": list, "practices": list})
    known = each_of(lambda one: one in practices, "une pratique connue")
    asked = lambda value: None if f"product:{value}" in conditions else f"« product:{value} » n'est pas une condition."  # noqa: E731
    check_rows(name, rows, {"id": asked, "name": filled, "practices": known})
    return tuple(Product(**row) for row in rows)
