"""What is held on whoever has an account or a way to be reached: texts that they posted or that give it, cases, notes.

Every text is read: some thousands a second. A name is never searched for, since several people may bear it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_plus

import regex
from sqlalchemy import Column, Connection, Engine, select

from model.text import fold
from service.campaigns.schema import CAMPAIGNS, CONTACTS, ITEM_CONTACTS
from service.campaigns.spoken import spoken_contacts
from service.cases.schema import CASE_ANSWERS, CASE_ITEMS, CASE_NOTES, CASE_SENDINGS, CASES
from service.database import FEEDBACK, TEXTS
from service.privacy.contacts import Wanted, normal_handle, normal_url, pattern_of
from service.workplace.receptions import EXPORTS, RECEPTIONS
from service.workplace.schema import COMMENTS, DECISIONS, ITEMS, VIEWS

_LOT: Final = 500
#: From this length on, or with a mark or a digit, the name of an account is hardly a word: it is found without its « @ ».
_DISTINCT: Final = 9
_SPOKEN: Final = ("zero ", "arobas", " point ")


@dataclass(frozen=True, slots=True)
class HeldText:
    """A text of the workplace where the contact is: as its author's (`author`), in its words (`text`), or as the author's of a
    further time that it came (`again`). `open_cases`: the numbers of the cases, not closed, that hold it.
    """

    id: str
    author: bool
    text: bool
    again: bool
    others: bool
    open_cases: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Place:
    """What people wrote, or a text of the API, where the contact is: table, column and key of the row, in French for people."""

    name: str
    table: str
    column: str
    key: str
    item_id: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """Everything where a contact was found, in the order received."""

    texts: tuple[HeldText, ...]
    places: tuple[Place, ...]

    @property
    def ids(self) -> list[str]:
        """The texts of the workplace."""
        return [one.id for one in self.texts]


#: What people write, and copies kept by the API: name, column, key, the text that it is about.
_WRITTEN: Final[tuple[tuple[str, "Column[Any]", "Column[Any]", "Column[Any] | None"], ...]] = (
    ("commentaire", COMMENTS.c.text, COMMENTS.c.id, COMMENTS.c.item_id),
    ("note d'une décision", DECISIONS.c.note, DECISIONS.c.id, DECISIONS.c.item_id),
    ("texte gardé par l'API", TEXTS.c.text, TEXTS.c.id, None),
    ("texte d'une correction", FEEDBACK.c.text, FEEDBACK.c.id, None),
    ("commentaire d'une correction", FEEDBACK.c.comment, FEEDBACK.c.id, None),
    ("nom de campagne", CAMPAIGNS.c.name, CAMPAIGNS.c.id, None),
    ("note de campagne", CAMPAIGNS.c.note, CAMPAIGNS.c.id, None),
    ("titre de dossier", CASES.c.title, CASES.c.id, None),
    ("objet de dossier", CASES.c.summary, CASES.c.id, None),
    ("personne concernée d'un dossier", CASES.c.concerned, CASES.c.id, None),
    ("mots à masquer d'un dossier", CASES.c.masks, CASES.c.id, None),
    ("note de dossier", CASE_NOTES.c.text, CASE_NOTES.c.id, None),
    ("réponse jointe à un dossier", CASE_ANSWERS.c.text, CASE_ANSWERS.c.id, None),
    ("référence d'une transmission", CASE_SENDINGS.c.reference, CASE_SENDINGS.c.id, None),
    ("vue enregistrée", VIEWS.c.query, VIEWS.c.id, None),
    ("filtres d'un export", EXPORTS.c.filter, EXPORTS.c.id, None),
)


#: Tables whose words are written as in an address.
_ADDRESSES: Final = (VIEWS, EXPORTS)


def find_held(connection: Connection, wanted: Wanted) -> Held:
    """Where a contact is, in the whole database."""
    finder = Finder(wanted)
    known = _by_index(connection, wanted)
    again, others = _again(connection, finder)
    texts = []
    for row in _items(connection):
        author = finder.is_author(row.author, row.url)
        inside = row.id in known or finder.in_text(row.text)
        if author or inside or row.id in again:
            cases = _open_cases(connection, row.id)
            elsewhere = row.id in others or (row.id in again and not author)
            texts.append(HeldText(row.id, author, inside, row.id in again, elsewhere, cases))
    return Held(tuple(texts), tuple(_written(connection, finder)))


def held_now(engine: Engine, wanted: Wanted) -> Held:
    """As `find_held`, on a connection that keeps no writer waiting."""
    with engine.connect() as connection:
        return find_held(connection, wanted)


class Finder:
    """Tells whether a field or a text holds the contact."""

    def __init__(self, wanted: Wanted) -> None:
        """`wanted`: the contact, in its one form."""
        self._wanted = wanted
        self.pattern = pattern_of(wanted)
        value = wanted.value
        plain = wanted.kind == "handle" and value.isalpha() and len(value) < _DISTINCT
        # « sophie » is a word of many texts: as an account it has its « @ ».
        self._in_words = regex.compile(rf"(?<![\w.])@{regex.escape(value)}(?![\w-])") if plain else self.pattern

    def is_author(self, author: str | None, url: str | None) -> bool:
        """Whether the author's account, or the address of what was posted, is the contact's."""
        wanted = self._wanted
        if wanted.kind == "handle":
            steps = [part.removeprefix("@") for part in normal_url(url).split("/")[1:]] if url else []
            return (author is not None and normal_handle(author) == wanted.value) or wanted.value in steps
        if wanted.kind == "url":
            at = normal_url(url) if url else ""
            return (
                at == wanted.value
                or at.startswith(f"{wanted.value}/")
                or (author is not None and normal_url(author) == wanted.value)
            )
        return author is not None and self.pattern.search(fold(author)) is not None

    def in_text(self, text: str | None) -> bool:
        """Whether a text holds the contact, however it is written."""
        folded = fold(text or "")
        if self._in_words.search(folded):
            return True
        if self._wanted.kind not in ("phone", "email", "url") or not any(word in folded for word in _SPOKEN):
            return False
        said = ((one["kind"], one["value"]) for one in spoken_contacts(text or ""))
        return any(kind == self._wanted.kind and self._wanted.value in value.values() for kind, value in said)


def _by_index(connection: Connection, wanted: Wanted) -> set[str]:
    """The texts in whose words the index of contacts has it."""
    value = f"@{wanted.value}" if wanted.kind == "handle" else wanted.value
    kind = {"url": "site"}.get(wanted.kind, wanted.kind)
    query = select(ITEM_CONTACTS.c.item_id).join(CONTACTS, CONTACTS.c.id == ITEM_CONTACTS.c.contact_id)
    return set(
        connection.scalars(query.where(CONTACTS.c.kind == kind, CONTACTS.c.value == value, ITEM_CONTACTS.c.origin == "text"))
    )


def _again(connection: Connection, finder: Finder) -> tuple[set[str], set[str]]:
    """The texts that came again from this author, and those that came again from somebody else."""
    ours: set[str] = set()
    others: set[str] = set()
    for row in connection.execute(select(RECEPTIONS.c.item_id, RECEPTIONS.c.author, RECEPTIONS.c.url)):
        (ours if finder.is_author(row.author, row.url) else others).add(row.item_id)
    return ours, others


def _items(connection: Connection) -> Iterator[Any]:
    columns = (ITEMS.c.id, ITEMS.c.author, ITEMS.c.url, ITEMS.c.text)
    last = ""
    while rows := connection.execute(select(*columns).where(ITEMS.c.id > last).order_by(ITEMS.c.id).limit(_LOT)).all():
        yield from rows
        last = rows[-1].id


def _open_cases(connection: Connection, item_id: str) -> tuple[int, ...]:
    query = select(CASES.c.number).join(CASE_ITEMS, CASE_ITEMS.c.case_id == CASES.c.id)
    return tuple(
        connection.scalars(query.where(CASE_ITEMS.c.item_id == item_id, CASES.c.status != "closed").order_by(CASES.c.number))
    )


def _written(connection: Connection, finder: Finder) -> Iterator[Place]:
    for name, column, key, item in _WRITTEN:
        columns = [key.label("key"), column.label("said"), *([item.label("item_id")] if item is not None else [])]
        rows = connection.execute(select(*columns).where(column.is_not(None)).execution_options(yield_per=_LOT))
        for row in rows:
            if finder.in_text(unquote_plus(row.said) if column.table in _ADDRESSES else row.said):
                yield Place(name, column.table.name, column.name, row.key, row.item_id if item is not None else "")


def cases_of(connection: Connection, item_ids: Sequence[str]) -> list[Any]:
    """The cases that hold some of these texts: number, status, when opened and changed; with the texts of each."""
    query = (
        select(CASES.c.id, CASES.c.number, CASES.c.status, CASES.c.created_at, CASES.c.changed_at, CASE_ITEMS.c.item_id)
        .join(CASE_ITEMS, CASE_ITEMS.c.case_id == CASES.c.id)
        .where(CASE_ITEMS.c.item_id.in_(item_ids))
        .order_by(CASES.c.number, CASE_ITEMS.c.place)
    )
    return list(connection.execute(query).mappings())
