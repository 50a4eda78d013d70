"""What is nobody's own contact: platforms, mailboxes, help lines, names that anybody may have (`service/data/platforms.toml`),
and every authority and association of `service/data/authorities.toml`.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any, Final
from urllib.parse import urlsplit

from model.entities import find_contacts
from model.errors import VigieError
from model.text import fold

_FIELDS: Final = (
    "platforms",
    "hosts",
    "mailboxes",
    "helpers",
    "help_phones",
    "generic_authors",
    "generic_handles",
    "profiles",
    "steps",
    "no_profiles",
    "others",
)


@dataclass(frozen=True, slots=True)
class Known:
    """The lists of the table, folded (no case, no accents); domains stand for their subdomains."""

    platforms: frozenset[str]
    hosts: frozenset[str]
    mailboxes: frozenset[str]
    helpers: frozenset[str]
    help_phones: frozenset[str]
    generic_authors: frozenset[str]
    generic_handles: frozenset[str]
    profiles: frozenset[str]
    steps: frozenset[str]
    no_profiles: frozenset[str]
    others: tuple[str, ...]
    help_mails: frozenset[str] = frozenset()


def under(host: str, domains: frozenset[str]) -> str | None:
    """The domain of the list that a host is, or is under, if any."""
    labels = host.split(".")
    return next((name for i in range(len(labels)) if (name := ".".join(labels[i:])) in domains), None)


def read_known(content: str) -> Known:
    """The table from its TOML text.

    Raises:
        VigieError: a list is missing, unknown or holds something else than words; the message names it.
    """
    try:
        table = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
        raise VigieError(f"platforms.toml : {error}") from error
    if unknown := set(table) - set(_FIELDS):
        raise VigieError(f"platforms.toml : champ « {sorted(unknown)[0]} » inconnu.")
    for name in _FIELDS:
        values = table.get(name)
        if not isinstance(values, list) or not all(isinstance(value, str) and value.strip() for value in values):
            raise VigieError(f"platforms.toml : « {name} » doit être une liste de mots.")
    folded = {name: [fold(value).strip() for value in table[name]] for name in _FIELDS}
    return Known(**{name: frozenset(folded[name]) for name in _FIELDS[:-1]}, others=tuple(folded["others"]))


def with_authorities(table: Known, content: str) -> Known:
    """The table with the numbers and domains of the authorities, from their TOML text: whoever is cited by all links nobody."""
    entries = tomllib.loads(content)["authority"]
    named = [one for entry in entries for one in find_contacts(_words(entry))]
    values = [(one.kind, one.value or {}) for one in named]
    phones = {str(value.get("e164") or "") for kind, value in values if kind == "phone"} - {""}
    mails = {fold(str(value.get("address") or "")).strip() for kind, value in values if kind == "email"} - {""}
    urls = [str(value.get("url") or "") for kind, value in values if kind == "url"]
    hosts = {(urlsplit(url if "//" in url else f"//{url}").hostname or "").removeprefix("www.") for url in urls} - {""}
    return replace(
        table,
        help_phones=table.help_phones | phones,
        helpers=table.helpers | {fold(host) for host in hosts},
        help_mails=table.help_mails | mails,
    )


def _words(entry: Mapping[str, Any]) -> str:
    return " ; ".join(str(entry.get(name) or "") for name in ("phone", "how", "link"))


@cache
def known() -> Known:
    """The tables of the service."""
    data = files("service").joinpath("data")
    table = read_known(data.joinpath("platforms.toml").read_text(encoding="utf-8"))
    return with_authorities(table, data.joinpath("authorities.toml").read_text(encoding="utf-8"))
