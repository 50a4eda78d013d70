"""Every pattern of the source and of the tables costs no more than in proportion to a text, whatever the text holds."""

from collections.abc import Callable

import pytest
import regex

from tests.harness.hostile_patterns import BOUNDED, Found, in_source, in_tables, slow_texts

#: Every text is for the harness (`python -m tests.harness.hostile_patterns`): here each pattern meets one in so many.
_ONE_IN = 12
#: Where patterns are put together while the product runs: of given words, that are escaped, or of the tables.
_COMPUTED = {
    "model.forms:any_of",
    "model.wordings:_guard",
    "model.wordings:_compiled",
    "model.words:unmasked",
    "service.campaigns.extend:_words",
    "service.campaigns.given:_card",
    "service.campaigns.given:_institution",
    "service.cases.thirds:_take",
    "service.cases.thirds:_compiled",
    "service.directions.places:country_of",
    "service.directions.situations:_product_words",
    "service.privacy.contacts:pattern_of",
    "service.privacy.held:__init__",
    "service.privacy.personal:_again",
    "service.privacy.personal:_known",
    "service.workplace.masking:hide",
    "service.workplace.search:_found",
}


def _some(place: int) -> Callable[[int, str], bool]:
    """The texts that what two repetitions can both take makes slow, and one in so many of the others."""
    return lambda number, name: name.endswith(("puis 'a-' répété", 'puis "a\'" répété')) or (number + place) % _ONE_IN == 0


def test_every_pattern_of_the_source_is_found() -> None:
    read = in_source()
    assert set(read.computed) == _COMPUTED
    assert len(read.found) > 150
    assert {found.name for found in read.found} >= set(BOUNDED)


def test_the_patterns_of_the_source_are_linear() -> None:
    slow = [str(one) for found in in_source().found for one in slow_texts(found)]
    assert not slow, "\n".join(slow)


@pytest.mark.parametrize("source", [r"(?:a|aa)+[bc]", r"a[\w ]*[!?]"])
def test_a_pattern_that_is_not_linear_is_found(source: str) -> None:
    assert next(slow_texts(Found("essai", regex.compile(source), ("aa",))), None)
    assert not list(slow_texts(Found("essai", regex.compile(r"\bcancer\w*+"), ("cancer",))))


@pytest.mark.parametrize("part", range(4))
def test_the_patterns_of_the_tables_are_linear(part: int) -> None:
    every = list(in_tables())
    assert len(every) > 1_000
    slow = []
    for place, found in enumerate(every[part::4]):
        slow += [str(one) for one in slow_texts(found, chosen=_some(place))]
    assert not slow, "\n".join(slow)
