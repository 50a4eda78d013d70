"""Pseudonyms: the same person, number or account is always the same word, which only who holds the key can make again.

This is pseudonymisation, not anonymisation (GDPR, article 4, 5): what is told of somebody may still make them known, and what the
finder misses stays. With another key every pseudonym is another: two exports under two keys cannot be joined.
"""

import hashlib
import hmac
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import regex
from sqlalchemy import Engine

from model.text import fold
from service.cases.names import without_civility, words_of
from service.database import sha256_text
from service.privacy.contacts import normal_handle, normal_of, normal_url
from service.privacy.personal import KIND_NAMES, PRIVATE, Personal, personal_with
from service.settings import Settings
from service.workplace.choices import secret

_DIGITS: Final = 10
_NAMES: Final = {**KIND_NAMES, "reader": "lecteur", "reference": "référence"}
_SAME_KIND: Final = {"siret": "registration", "rpps": "registration", "adeli": "registration"}
Entities = Sequence[tuple[str, int, int]]


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A text with pseudonyms; `moves` are the parts replaced: start and end before, start and end after."""

    text: str
    moves: tuple[tuple[int, int, int, int], ...]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where a part of the text is now; what was cut by a pseudonym holds the whole of it."""
        return self._place(start, last=False), self._place(end, last=True)

    def _place(self, place: int, *, last: bool) -> int:
        moved = 0
        for before, after, new_before, new_after in self.moves:
            if place >= after:
                moved = new_after - after
            elif place > before or (place == before and not last):
                return new_after if last else new_before
        return place + moved


class Pseudonyms:
    """Gives pseudonyms under a key; it keeps nothing."""

    def __init__(self, key: bytes) -> None:
        """`key`: the operator's; sixteen bytes at least are wanted of it."""
        self._key = hmac.new(key, b"vigie pseudonyms", hashlib.sha256).digest()

    def of(self, kind: str, value: str) -> str:
        """The pseudonym of a value of a kind (a key of KIND_NAMES, `reader` or `reference`): « [personne-1f0c2d3e4a] »."""
        same = _SAME_KIND.get(kind, kind)
        code = hmac.new(self._key, f"{same}\x1f{_same(same, value)}".encode(), hashlib.sha256).hexdigest()[:_DIGITS]
        return f"[{_NAMES.get(kind, 'donnée')}-{code}]"

    def rewrite(self, text: str, told: Entities = (), *, full: bool = False, known: Collection[str] = ()) -> Rewritten:
        """A text whose personal data is replaced; arguments as those of `personal_with`."""
        found = personal_with(text, told, full=full, known=known)
        whole = _whole_names(text, found, known)
        pieces: list[str] = []
        moves, place, length = [], 0, 0
        for one in found:
            value = text[one.start : one.end]
            name = whole.get(_same("person", value), value) if one.kind == "person" else value
            written = self.of(one.kind, name)
            pieces += [text[place : one.start], written]
            length += one.start - place
            moves.append((one.start, one.end, length, length + len(written)))
            length, place = length + len(written), one.end
        return Rewritten("".join([*pieces, text[place:]]), tuple(moves))

    def words(self, value: str | None, known: Collection[str] = ()) -> str | None:
        """What somebody wrote, or the value of a field, with pseudonyms."""
        return self.rewrite(value, known=known).text if value else value

    def author(self, value: str | None) -> str | None:
        """The pseudonym of an author: an account, unless it is written as a name."""
        return self.of(author_kind(value), value) if value else value


def author_kind(author: str) -> str:
    """Whether an author's field holds an account (`handle`) or a name (`person`)."""
    return "person" if " " in author.strip() and not author.startswith("@") else "handle"


def _same(kind: str, value: str) -> str:
    """One form for all ways to write a value."""
    if kind == "person":
        return " ".join(sorted(regex.findall(r"\p{L}+", fold(without_civility(value)))))
    if kind == "handle":
        return normal_handle(value)
    if kind in ("phone", "email", "url"):
        return normal_of(kind, value) or fold(value).strip()
    if kind in ("reader", "reference"):
        return value
    return regex.sub(r"[\W_]", "", fold(value)) or value


def _whole_names(text: str, found: Iterable[Personal], known: Collection[str]) -> dict[str, str]:
    """From a part of a name, as `_same` writes it, to the one whole name of the text that it is a part of."""
    names = {text[one.start : one.end] for one in found if one.kind == "person"}
    names |= {one for one in known if author_kind(one) == "person"}
    whole: dict[str, set[str]] = {}
    for name in names:
        words = words_of(name)
        for part in words if len(words) > 1 else ():
            whole.setdefault(_same("person", part), set()).add(_same("person", name))
    return {part: next(iter(wholes)) for part, wholes in whole.items() if len(wholes) == 1}


def key_of(engine: Engine, settings: Settings) -> bytes:
    """The operator's key (VIGIE_PSEUDONYM_KEY, else VIGIE_SECRET_KEY), else one that this database keeps for itself."""
    for given in (settings.pseudonym_key, settings.secret_key):
        if given is not None:
            return given.get_secret_value().encode()
    with engine.begin() as connection:
        return secret(connection)


def pseudonymise(row: Mapping[str, Any], pseudonyms: Pseudonyms) -> dict[str, Any]:
    """A row of `exports.everything` without what says who anybody is, in its text, its fields, and what people wrote of it.

    Offsets are those of the new text, as is `sha256`. Identifiers of the workplace stay; those of the source are pseudonyms.
    """
    prediction = row["prediction"] or {}
    told = [(one["kind"], one["start"], one["end"]) for one in prediction.get("entities", ())]
    full = prediction.get("status") == "ok" and prediction.get("analysis", "full") == "full"
    known = [row["author"]] if row["author"] else []
    rewritten = pseudonyms.rewrite(row["text"], told, full=full, known=known)
    return {
        **row,
        "text": rewritten.text,
        "sha256": sha256_text(rewritten.text),
        "parent": _reference(row["parent"], pseudonyms),
        "parent_sha256": None,
        "decided_by": pseudonyms.of("reader", row["decided_by"]) if row["decided_by"] else None,
        "prediction": moved(row["prediction"], rewritten) if row["prediction"] else None,
        "decisions": [_decision(one, rewritten, pseudonyms, known) for one in row["decisions"]],
        "receptions": [dict(one) | _origin(one, pseudonyms) for one in row["receptions"]],
        **_origin(row, pseudonyms),
    }


def _origin(row: Mapping[str, Any], pseudonyms: Pseudonyms) -> dict[str, Any]:
    return {
        "external_id": _reference(row["external_id"], pseudonyms),
        "author": pseudonyms.author(row["author"]),
        "url": _reference(row["url"], pseudonyms),
        "source": pseudonyms.words(row["source"]),
        "theme": pseudonyms.words(row["theme"]),
    }


def _reference(value: str | None, pseudonyms: Pseudonyms) -> str | None:
    """An identifier or an address at the source: a child still names its parent."""
    return pseudonyms.of("reference", normal_url(value)) if value else None


def _decision(one: Mapping[str, Any], rewritten: Rewritten, pseudonyms: Pseudonyms, known: Collection[str]) -> dict[str, Any]:
    note = pseudonyms.words(one["note"], known)
    return {**moved(one, rewritten), "login": pseudonyms.of("reader", one["login"]), "note": note}


def moved(value: Any, rewritten: Rewritten) -> Any:
    """Any structure with `start` and `end` of a text, moved to where they are now; `text` beside them is that of the new one.

    Values of entities that are personal data (a number, an address) are left out.
    """
    if isinstance(value, Mapping):
        found = {name: moved(one, rewritten) for name, one in value.items()}
        start, end = value.get("start"), value.get("end")
        if isinstance(start, int) and isinstance(end, int):
            found["start"], found["end"] = rewritten.span(start, end)
            if isinstance(value.get("text"), str):
                found["text"] = rewritten.text[found["start"] : found["end"]]
        if value.get("kind") in PRIVATE and "value" in value:
            found["value"] = None
        return found
    if isinstance(value, list | tuple):
        return [moved(one, rewritten) for one in value]
    return value
