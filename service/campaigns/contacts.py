"""The contacts of a text: how to reach or recognise who offers something in it, and whether they are its author's own.

A text that warns, quotes or asks names contacts without being the seller's: those are mentions, which link nothing, unless its
words give them as its author's own (`service.campaigns.given`).
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit

import regex

from model.contacts import registered_domain
from model.entities import find_contacts
from model.text import clean, fold
from service.campaigns.given import given_as_own, of_institution
from service.campaigns.known import known, under
from service.campaigns.spoken import spoken_contacts

Kind = Literal["phone", "email", "site", "account", "handle", "siret"]
Role = Literal["own", "mention"]
Origin = Literal["text", "author", "url"]

KIND_NAMES: Final = {
    "phone": "téléphone",
    "email": "courriel",
    "site": "site",
    "account": "compte",
    "handle": "nom de compte",
    "siret": "SIRET",
}
#: How much a shared contact says, in (0, 1]: a number is one person's, a name of account may be several people's.
STRENGTH: Final = {"siret": 0.95, "phone": 0.9, "email": 0.9, "account": 0.85, "site": 0.8, "handle": 0.6}

#: Cues of a prediction over a contact that say that the words are another's.
_REPORTED: Final = frozenset({"quotation", "reported_speech", "warning"})
_REACHED: Final = frozenset({"phone", "email", "url", "handle", "siret"})
#: Channels whose address is that of the author's own pages; elsewhere it is that of a platform.
_OWN_PAGES: Final = frozenset({"website", "newsletter"})
_BEFORE: Final = 60
_SHORTEST_NAME: Final = 4
_DISTINCT: Final = 9
_LONGEST: Final = 300
_SHORT_NUMBER: Final = 9
_HANDLE: Final = regex.compile(r"@?[\w.-]{2,60}")


@dataclass(frozen=True, slots=True)
class Listing:
    """What is used of a text and of where it was found."""

    text: str
    source: str = ""
    channel: str | None = None
    author: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact of a text; `start` and `end` in code points of the text as received, None where it is not in the text."""

    kind: Kind
    value: str
    role: Role
    origin: Origin
    start: int | None = None
    end: int | None = None

    @property
    def id(self) -> str:
        """The same for the same kind and value, everywhere."""
        return contact_id(self.kind, self.value)


@lru_cache(maxsize=8_192)
def contact_id(kind: str, value: str) -> str:
    """The identifier of a contact."""
    return hashlib.sha256(f"{kind}\n{value}".encode()).hexdigest()[:24]


def host_of(url: str) -> str:
    """The host of a web address, with or without its scheme; empty where there is none."""
    try:
        return (urlsplit(url if "//" in url else f"//{url}").hostname or "").removeprefix("www.")
    except ValueError:
        return ""


def contacts_of(
    listing: Listing,
    entities: Sequence[dict[str, Any]] | None,
    context: Sequence[dict[str, Any]] = (),
    stance: str | None = None,
    *,
    decided: bool = False,
) -> list[Contact]:
    """Every contact of a text, each once, its own before mentions of it.

    `entities` and `context` are those of the text's prediction (None: there is none, they are looked for here); `stance` is
    what a person (`decided`), or else the model, says that the author does. A model may take a seller who attacks medicine
    for one who warns: only a person's word outweighs a contact that is given as one's own.
    """
    found: dict[str, Contact] = {}
    named = list(_found(listing.text) if entities is None else entities)
    named += spoken_contacts(listing.text, [one for one in named if one["kind"] in _REACHED])
    for contact in _all(listing, named, context, (stance, decided)):
        kept = found.get(contact.id)
        if len(contact.value) <= _LONGEST and (kept is None or (kept.role == "mention" and contact.role == "own")):
            found[contact.id] = contact
    return list(found.values())


def _found(text: str) -> list[dict[str, Any]]:
    cleaned = clean(text)
    rows = []
    for entity in find_contacts(cleaned.text):
        place = cleaned.to_raw(entity.span)
        said = {"text": text[place.start : place.end], "value": entity.value}
        rows.append({"kind": entity.kind, "start": place.start, "end": place.end, **said})
    return rows


def _all(
    listing: Listing, entities: Sequence[dict[str, Any]], context: Sequence[dict[str, Any]], said: tuple[str | None, bool]
) -> Iterator[Contact]:
    own_host = host_of(listing.url or "")
    yield from _of_listing(listing, own_host)
    author = _name_of(listing.author)
    own_site = _site_of(own_host) if listing.channel in _OWN_PAGES else None
    for entity in entities:
        for kind, value in _values(entity):
            start, end = int(entity["start"]), int(entity["end"])
            at_home = value in (own_site, f"@{author}") or (
                kind == "email" and own_site is not None and _site_of(value.rpartition("@")[2]) == own_site
            )
            others = _is_others(listing.text, start, end, context) or (kind == "handle" and not listing.text[:start].strip())
            own = at_home or (not others and _may_be_own(listing.text, start, end, kind, *said))
            yield Contact(kind, value, "own" if own else "mention", "text", start, end)


def _of_listing(listing: Listing, host: str) -> Iterator[Contact]:
    """The account that the text was posted from; and its site, where the text is a page of one, not a listing on another's."""
    name = _name_of(listing.author)
    if name:
        place = registered_domain(host) or fold(listing.source).strip()
        yield Contact("account", f"{place}/{name}" if place else f"@{name}", "own", "author")
        if _is_distinct(name):
            yield Contact("handle", f"@{name}", "own", "author")
    if listing.channel in _OWN_PAGES and (site := _site_of(host)):
        yield Contact("site", site, "own", "url")


def _name_of(author: str | None) -> str:
    """The name of an account, folded, without « @ »; empty for what may be several people's: a first name, « Anonyme »."""
    name = fold(author or "").strip()
    if not _HANDLE.fullmatch(name) or name.lstrip("@") in known().generic_authors:
        return ""
    # A bare word may be a first name that the source shows in place of the account.
    plain = name.removeprefix("@")
    return plain if len(plain) >= _SHORTEST_NAME and (name.startswith("@") or not plain.isalpha()) else ""


def _is_distinct(name: str) -> bool:
    """Whether two people would hardly take this name on two platforms."""
    return len(name) >= _DISTINCT or (len(name) > _SHORTEST_NAME + 1 and not name.isalpha())


def _site_of(host: str) -> str | None:
    """The site that a host belongs to: its registered domain, or the customer's name at a host of pages; None: a platform."""
    host = fold(host).removeprefix("www.").strip(".")
    domain = registered_domain(host)
    if not domain or under(host, known().helpers) or domain in known().mailboxes - known().hosts:
        return None
    if at := under(host, known().hosts):
        labels = host.removesuffix(at).strip(".").split(".")
        return f"{labels[-1]}.{at}" if labels[-1] and labels[-1] != "www" else None
    return None if under(host, known().platforms) else domain


def _values(entity: dict[str, Any]) -> Iterator[tuple[Kind, str]]:
    """The contacts that one entity of a prediction names."""
    kind, said, value = entity["kind"], str(entity["text"]), entity.get("value") or {}
    if kind == "phone":
        yield from _phone(str(value.get("e164") or ""))
    elif kind == "siret" and value.get("valid", True):
        if number := str(value.get("number") or ""):
            yield "siret", number
    elif kind == "email":
        address = fold(str(value.get("address") or value.get("email") or said)).strip()
        host = address.rpartition("@")[2]
        if address.count("@") == 1 and not under(host, known().helpers) and address not in known().help_mails:
            yield "email", address
            if host not in known().mailboxes and (site := _site_of(host)):
                yield "site", site
    elif kind == "handle":
        name = fold(said).strip().rstrip(".")
        if name not in known().generic_handles and _is_distinct(name.removeprefix("@")):
            yield "handle", name
    elif kind == "url":
        yield from _address(str(value.get("url") or said))


def _phone(number: str) -> Iterator[tuple[Kind, str]]:
    if len(number) > _SHORT_NUMBER and number not in known().help_phones:
        yield "phone", number


def _address(url: str) -> Iterator[tuple[Kind, str]]:
    host = fold(host_of(url)).removeprefix("m.")
    parts = [fold(unquote(part)) for part in urlsplit(url if "//" in url else f"//{url}").path.split("/") if part] if host else []
    if host == "wa.me" and parts and parts[0].lstrip("+").isdigit():
        yield from _phone(f"+{parts[0].lstrip('+')}")
    elif (domain := registered_domain(host)) in known().profiles or host in known().profiles:
        names = [part for part in parts if part not in known().steps]
        name = names[0].removeprefix("@") if names else ""
        if len(name) >= _SHORTEST_NAME and name not in known().no_profiles and _HANDLE.fullmatch(name):
            yield "account", f"{domain}/{name}"
    elif site := _site_of(host):
        yield "site", site


def _may_be_own(text: str, start: int, end: int, kind: Kind, stance: str | None, decided: bool) -> bool:
    """A text that offers nothing has as its own what its words give so: one that only names a number mentions it."""
    if stance not in ("warns", "neutral"):
        return True
    return not (decided and stance == "warns") and given_as_own(text, start, end, alone=kind != "handle", warns=stance == "warns")


def _is_others(text: str, start: int, end: int, context: Sequence[dict[str, Any]]) -> bool:
    """Whether the words around a contact say that it is somebody else's."""
    if any(cue["kind"] in _REPORTED and cue["start"] < end and start < cue["end"] for cue in context):
        return True
    if of_institution(text, start):
        return True
    before = fold(text[max(0, start - _BEFORE) : start])
    sentence = regex.split(r"[.!?\n]\s", before)[-1]
    return _others_words().search(sentence) is not None


@cache
def _others_words() -> "regex.Pattern[str]":
    return regex.compile(rf"\b(?:{'|'.join(map(regex.escape, known().others))})\b")
