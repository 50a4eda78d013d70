"""The data tables of `model/data`: practices, conditions, audiences, titles, lexicon, cues and rules, read once.

Adding an entry touches the table, its test sentence and the changelog; no code names an entry.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from model.errors import TableError

TABLE_FILES: Final = (
    "practices.toml",
    "conditions.toml",
    "audiences.toml",
    "titles.toml",
    "lexicon.toml",
    "cues.toml",
    "cues-claim.toml",
    "cues-voice.toml",
    "cues-care.toml",
    "rules.toml",
    "signals-cure.toml",
    "signals-medicine.toml",
    "signals-belief.toml",
    "signals-hold.toml",
    "signals-stance.toml",
    "words.txt",
)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Names that mean a practice only in some company.

    `needs`: one of these words must stand within twelve words (« @soin » for those of care), unless another practice is named
    surely there, or this one anywhere in the text; `unless`: none of these may, but where more words of `needs` (of care, if
    there are none) say the contrary. `usual`: the name means the practice where nothing tells, so that `needs` only weigh
    against `unless`. `written`: with the accents of the name (`accent`: they are enough, and `needs` holds where a text has
    none), in capitals (`upper`), with one (`capital`), or anyhow (empty). `surname`: not after a first name.
    """

    names: tuple[str, ...]
    needs: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    written: str = ""
    surname: bool = False
    usual: bool = False


@dataclass(frozen=True, slots=True)
class Practice:
    """A practice that texts name; a name alone is no sign.

    `example` names it; `counters` hold a name of it that means something else. `recognised`: identifiers of titles for which
    the act is recognised, to be verified case by case; « * » for all.
    """

    id: str
    name: str
    variants: tuple[str, ...]
    family: str
    danger: tuple[str, ...]
    homonyms: tuple[str, ...]
    source: str
    verify: bool
    example: str
    counters: tuple[str, ...] = ()
    doubtful: tuple[Doubt, ...] = ()
    recognised: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """An illness or complaint; `grave` and `lasting` follow section 5 of the guide."""

    id: str
    name: str
    variants: tuple[str, ...]
    grave: bool
    lasting: bool
    theme: str
    homonyms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Audience:
    """A public that an offer may address."""

    id: str
    name: str
    variants: tuple[str, ...]
    minor: bool
    fragile: bool


@dataclass(frozen=True, slots=True)
class Title:
    """A professional title: `regulated`, `protected_title` or `unregulated`, with its order where it has one.

    `register`: where one checks it; `verify`: that place or the status comes from no authority's page.
    """

    id: str
    name: str
    variants: tuple[str, ...]
    status: str
    order: str
    register: str = ""
    source: str = ""
    verify: bool = True


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern on folded text with a sentence that it must match and a near-miss that it must not.

    `kind` is the context kind of a cue or the indicator of a rule; `id` names it within its table.
    """

    id: str
    kind: str
    pattern: str
    example: str
    counter: str


@dataclass(frozen=True, slots=True)
class Tables:
    """All data tables; `lexicon` maps a word class to its variants; `care_words` tell a doubtful name for a practice."""

    practices: tuple[Practice, ...]
    care_words: tuple[str, ...]
    conditions: tuple[Condition, ...]
    audiences: tuple[Audience, ...]
    titles: tuple[Title, ...]
    lexicon: Mapping[str, tuple[str, ...]]
    cues: tuple[Pattern, ...]
    rules: tuple[Pattern, ...]


def _read(name: str) -> dict[str, Any]:
    try:
        return tomllib.loads(resources.files("model").joinpath("data", name).read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TableError(f"Table {name} : illisible ({error}).") from error


def _rows(name: str, key: str, fields: Mapping[str, type]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for number, row in enumerate(_read(name).get(key, []), start=1):
        for field, kind in fields.items():
            if not isinstance(row.get(field), kind):
                raise TableError(f"Table {name}, entrée {number} : le champ « {field} » ({kind.__name__}) est attendu.")
        rows.append({field: tuple(value) if isinstance(value, list) else value for field, value in row.items()})
    if not rows:
        raise TableError(f"Table {name} : aucune entrée [[{key}]].")
    return rows


def _practice(row: dict[str, Any]) -> Practice:
    """A practice from its row.

    Raises:
        TableError: a doubtful name is none of its variants, or a field is unknown.
    """
    doubts = []
    for number, found in enumerate(row.pop("doubtful", ()), start=1):
        where = f"Table practices.toml, entrée « {row['id']} », doubtful {number}"
        try:
            values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}
            doubt = Doubt(**values)
        except TypeError as error:
            raise TableError(f"{where} : champ inconnu ou manquant ({error}).") from error
        if unknown := [name for name in doubt.names if name not in row["variants"]]:
            raise TableError(f"{where} : le champ « names » cite {unknown}, absent de « variants ».")
        if doubt.written not in _WRITTEN:
            raise TableError(f"{where} : le champ « written » vaut {doubt.written!r} ; {', '.join(_WRITTEN)} ou vide attendu.")
        doubts.append(doubt)
    try:
        return Practice(**row, doubtful=tuple(doubts))
    except TypeError as error:
        raise TableError(f"Table practices.toml, entrée « {row['id']} » : champ inconnu ou manquant ({error}).") from error


_WRITTEN: Final = ("", "accent", "upper", "capital")
_NAMED: Final[dict[str, type]] = {"id": str, "name": str, "variants": list}


@cache
def load_tables() -> Tables:
    """All tables, read from the package at the first call.

    Raises:
        TableError: a table is missing, is not TOML, or an entry lacks a field; the message names table, entry, field.
    """
    practice = _NAMED | {"family": str, "danger": list, "homonyms": list, "source": str, "verify": bool, "example": str}
    condition = _NAMED | {"grave": bool, "lasting": bool, "theme": str, "homonyms": list}
    pattern: dict[str, type] = {"pattern": str, "example": str, "counter": str}
    lexicon = _read("lexicon.toml").get("class", {})
    return Tables(
        practices=tuple(map(_practice, _rows("practices.toml", "practice", practice))),
        care_words=tuple(_read("practices.toml").get("context", {}).get("care", ())),
        conditions=tuple(Condition(**row) for row in _rows("conditions.toml", "condition", condition)),
        audiences=tuple(
            Audience(**row) for row in _rows("audiences.toml", "audience", _NAMED | {"minor": bool, "fragile": bool})
        ),
        titles=tuple(Title(**row) for row in _rows("titles.toml", "title", _NAMED | {"status": str, "order": str})),
        lexicon={name: tuple(body["words"]) for name, body in sorted(lexicon.items())},
        cues=tuple(
            Pattern(row.get("id", ""), row["kind"], row["pattern"], row["example"], row["counter"])
            for row in _rows("cues.toml", "cue", pattern | {"kind": str})
        ),
        rules=tuple(
            Pattern(row["id"], row["label"], row["pattern"], row["example"], row["counter"])
            for row in _rows("rules.toml", "rule", pattern | {"id": str, "label": str})
        ),
    )
