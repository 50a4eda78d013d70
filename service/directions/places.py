"""Whether a text comes from outside France, where the authorities and the law of our tables have no say."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Final

import regex

from model.errors import TableError
from model.text import fold
from service.directions.checks import read_table

_TABLE: Final = "abroad.toml"


@cache
def _table() -> tuple[Mapping[str, str], Sequence[str]]:
    """The countries by the folded names of their places, and French names that hold one of these."""
    table = read_table(_TABLE)
    places, spared = table.get("places"), table.get("except")
    if not isinstance(places, dict) or not all(isinstance(one, str) and one for one in places.values()):
        raise TableError(f"Table {_TABLE} : la partie [places] (nom = « pays ») est attendue.")
    if not isinstance(spared, list) or not all(isinstance(one, str) and one for one in spared):
        raise TableError(f"Table {_TABLE} : le champ « except » (liste de noms) est attendu.")
    return {fold(name): country for name, country in places.items()}, [fold(one) for one in spared]


def country_of(region: str | None) -> str:
    """The country that a region names, in French, if it is known to lie outside France; empty otherwise."""
    places, spared = _table()
    said = " ".join(fold(region or "").split())
    if any(one in said for one in spared):
        return ""
    longest = sorted(places, key=len, reverse=True)
    return next((places[name] for name in longest if regex.search(rf"(?<!\w){regex.escape(name)}(?!\w)", said)), "")
