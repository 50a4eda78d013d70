"""Pages name themes as the corpus does."""

from service.themes import theme_name, theme_names
from training.themes import themes


def test_the_names_that_pages_show_are_those_of_the_corpus() -> None:
    assert dict(theme_names()) == {id: theme.name for id, theme in themes().items()}


def test_a_theme_of_somebody_s_own_stands_for_itself() -> None:
    assert theme_name("cures-de-la-vallee") == "cures-de-la-vallee"
    assert theme_name("huiles-essentielles") == "Huiles essentielles"
