"""The names of themes, for people: what imports and the corpus name by an identifier."""

from collections.abc import Mapping
from functools import cache

from service.directions.checks import read_table


@cache
def theme_names() -> Mapping[str, str]:
    """The name of each theme by its identifier.

    Raises:
        TableError: the table is missing or is not TOML.
    """
    return {id: str(name) for id, name in read_table("themes.toml").items()}


def theme_name(theme: str) -> str:
    """The name of a theme; a theme of somebody's own stands for itself."""
    return theme_names().get(theme, theme)
