"""Signals: broad wordings that make a sign or a stance likelier. They are features: what each weighs is learned.

A signal says who does what to whom (« {illness} … ont disparu ») where single words cannot. `sure` ones nearly alone establish
their label in an offer, a `hint` helps.
"""

from functools import cache
from typing import Final

from model.labels import INDICATOR_IDS, STANCE_IDS
from model.wordings import WordingFinder, WordingHit, kept_finder, read_wordings

#: Under what name the finder is kept.
SIGNALS: Final = "signals"
SIGNAL_FILES: Final = (
    "signals-cure.toml",
    "signals-medicine.toml",
    "signals-belief.toml",
    "signals-hold.toml",
    "signals-stance.toml",
)


def signal_finder() -> WordingFinder:
    """The finder of all signals; TableError where a table is missing or malformed."""
    return kept_finder(SIGNALS, _made)


@cache
def _made() -> WordingFinder:
    labels = (*INDICATOR_IDS, *STANCE_IDS)
    return WordingFinder([signal for name in SIGNAL_FILES for signal in read_wordings(name, "signal", labels, ("sure", "hint"))])


def find_signals(folded: str) -> list[WordingHit]:
    """The signals of a folded text (`model.context.foldable`), sorted by position; ranges are in that text."""
    return signal_finder().find(folded)
