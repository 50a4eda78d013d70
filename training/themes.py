"""The themes of the corpus, by family, read from `data/themes.toml`: the rows of its matrix."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, slots=True)
class Theme:
    """What a text is mostly about; `family` is a French heading."""

    id: str
    name: str
    family: str


@cache
def themes() -> dict[str, Theme]:
    """All themes by identifier, in the order of the table."""
    content = resources.files("training").joinpath("data/themes.toml").read_text(encoding="utf-8")
    return {
        theme["id"]: Theme(theme["id"], theme["name"], family["name"])
        for family in tomllib.loads(content)["families"]
        for theme in family["themes"]
    }
