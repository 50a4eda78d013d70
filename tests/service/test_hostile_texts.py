"""Texts made to harm who reads them: any character, orders given to a machine, a cost that must grow as their length."""

import random
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.analyser import Analyser, Options
from model.records import Prediction
from service.reading import encoded
from service.terminal import explained
from tests.harness.hostile_texts import LENGTHS, MADE, ORDERS, PLAIN, with_order
from tests.timing import growth
from training.corpus import AnnotatedText

OFFER = "Je soigne le cancer par les plantes, arrêtez la chimio et venez au cabinet pour 60 €."
#: Turning marks, what has no width, joiners, selectors, tags, private use, storms of accents, other scripts, look-alikes.
ODD = (
    *"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c",
    *"\u200b\u200c\u200d\u2060\ufeff\u00ad\u034f\u180e\u3164\u2800",
    *"\ufe0f\U000e0041\U000e007f\ue000\U0010ffff\ufffd\ufffe",
    "e" + "\u0301" * 40,
    "\u0301" * 100,
    "👩\u200d👩\u200d👧\u200d👦",
    "ﷺ",
    "אבגד",
    "علاج",
    "治療",
    "сancеr",
    "𝓬𝓪𝓷𝓬𝓮𝓻",
    "ｃａｎｃｅｒ",
    "c\u0336a\u0336n\u0336c\u0336e\u0336r\u0336",
    "\r",
    "\x0b",
    "\x1b[31m",
    "&#x202e;",
    "<script>",
)


def check(text: str, found: Prediction) -> None:
    """Every place in a prediction is that of its words."""
    places = [passage for sign in found.indicators for passage in sign.evidence]
    for one in [*places, *found.context, *found.entities, *found.practices]:
        assert 0 <= one.start < one.end <= len(text)
        assert text[one.start : one.end] == one.text
    assert encoded(found)


_SENTENCES = st.sampled_from([OFFER, "Le reiki ne remplace pas votre médecin.", "Séance à 80 €, appelez le 06 39 98 00 11."])
_HOSTILE = st.lists(st.one_of(st.sampled_from(ODD), st.text(max_size=4), _SENTENCES), max_size=12).map("".join)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_HOSTILE)
def test_any_characters_are_read_and_places_are_right(analyser: Analyser, text: str) -> None:
    check(text, analyser.predict(text))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_characters_put_inside_an_offer_leave_its_places_right(analyser: Analyser, data: st.DataObject) -> None:
    text = OFFER
    for odd in data.draw(st.lists(st.sampled_from(ODD), max_size=4)):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + odd + text[at:]
    found = analyser.predict(text)
    check(text, found)
    for part in explained(text, found):
        assert "\x1b" not in str(getattr(part, "plain", ""))


def test_what_nobody_sees_hides_nothing(analyser: Analyser) -> None:
    """A mark without width between the letters of a promise, and marks that turn it round, are read through."""
    for hidden in ("\u200b", "\u2060", "\u00ad", "\u202e", "\u2066"):
        text = f"Je soi{hidden}gne le can{hidden}cer par les plantes, arrê{hidden}tez la chi{hidden}mio."
        found = analyser.predict(text)
        assert found.risk
        assert found.risk.level == 3, unicodedata.name(hidden)
        check(text, found)


def test_orders_given_to_a_machine_are_words_like_others(analyser: Analyser, corpus: list[AnnotatedText]) -> None:
    chosen = random.Random(9).sample([text for text in corpus if text.split == "test" and len(text.text) < 2_000], 50)
    flips = {name: 0 for name in ("order", "plain")}
    for number, one in enumerate(chosen):
        before = analyser.predict(one.text).risk
        for name, said in (("order", ORDERS), ("plain", PLAIN)):
            after = analyser.predict(with_order(one.text, said[number % len(said)], number)).risk
            flips[name] += before is not None and after is not None and before.level != after.level
    # An order moves no more texts than a sentence of the same length that asks for nothing, give or take two in fifty.
    assert flips["order"] <= flips["plain"] + 2, flips


@pytest.mark.parametrize("name", sorted(MADE))
def test_the_cost_of_a_text_grows_as_its_length(analyser: Analyser, name: str) -> None:
    options = Options(max_characters=200_000)
    made = MADE[name]

    analyser.predict(made(2_000), options=options)
    # Four times as long: sixteen times as dear, if it grew as the square.
    assert growth(lambda length: analyser.predict(made(length), options=options), *LENGTHS[:2], limit=8, spare=0.5) < 8
