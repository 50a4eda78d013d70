"""What tells a name from a word: first names, titles, what announces a name, figures and saints that are no person of a text."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from model.errors import VigieError

_TABLE: Final = "names.toml"
#: How many of the most frequent words of French are never taken for a family name written without capitals.
_FREQUENT: Final = 7_000


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Words without case nor accents; `names.toml` says what each list is. `pairs` are two words in a row.

    `frequent`: words that are no family name without a capital.
    """

    plain: frozenset[str]
    words: frozenset[str]
    figures: frozenset[str]
    holders: frozenset[str]
    links: frozenset[str]
    particles: frozenset[str]
    titles: frozenset[str]
    trades: frozenset[str]
    offices: frozenset[str]
    strong: frozenset[str]
    pairs: frozenset[str]
    capital_pairs: frozenset[str]
    proposes: frozenset[str]
    weak: frozenset[str]
    feasts: frozenset[str]
    frequent: frozenset[str]
    names: frozenset[str]


_LISTS: Final = tuple(name for name in Lexicon.__dataclass_fields__ if name not in ("frequent", "names"))


def _list_of(table: dict[str, Any], field: str) -> frozenset[str]:
    value = table.get(field)
    words = value.split() if isinstance(value, str) else value
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise VigieError(f"{_TABLE} : « {field} » doit être une suite de mots.")
    return frozenset(words)


@cache
def lexicon() -> Lexicon:
    """The lists, read at the first call.

    Raises:
        VigieError: a list is missing; the message names it.
    """
    table = tomllib.loads(files("service").joinpath("data", _TABLE).read_text(encoding="utf-8"))
    lists = {name: _list_of(table, name) for name in _LISTS}
    lists["plain"] -= lists["words"]
    usual = files("model").joinpath("data", "words.txt").read_text(encoding="utf-8").split(maxsplit=_FREQUENT)[:_FREQUENT]
    return Lexicon(**lists, frequent=frozenset(usual) - lists["plain"], names=lists["plain"] | lists["words"])
