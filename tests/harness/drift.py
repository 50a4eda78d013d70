"""Years of a simulated stream: calm ones, where no alert may come, and ones that shift, where it must.

`python -m tests.harness.drift` prints how often each came, over `--years` years. The texts are facts of those that the model
was measured on, in `tests/data/drift/pool.jsonl` (no text): authors come and go, write much or little, each from a small shelf
of texts that resemble each other, and one text in twenty is to be flagged. A week has some 300 texts.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from model.facts import Facts, measures
from model.reference import Reference, summarise
from service.drift.psi import Shift, compare

POOL = Path(__file__).resolve().parents[1] / "data" / "drift" / "pool.jsonl"
THRESHOLD = 0.1
WEEKS = 52
#: Weeks of the stream that make its reference.
LEARNED = 12
TEXTS = 300
AUTHORS = 1_200
#: Authors who leave and are replaced, each week.
TURNOVER = 0.02
FLAGGED = 0.05
SHELF = 6
#: Themes that the stream does not know until it shifts to them: one in six.
_HELD = 6


_KEPT = ("words", "unknown", "language", "channel", "practice", "illness", "score", "level", "stance")


@dataclass(frozen=True, slots=True)
class Entry:
    """What is counted of a text of the pool, its theme, and whether it is to be flagged."""

    facts: Facts
    theme: str
    flagged: bool


@cache
def pool() -> tuple[Entry, ...]:
    """The facts that streams are made of."""
    entries = []
    for line in POOL.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        # The streams are of those whose source names no theme.
        facts = Facts(**{name: row[name] for name in _KEPT}, theme="", present=frozenset(row["present"]), group="")
        entries.append(Entry(facts, row["theme"], row["flagged"]))
    return tuple(entries)


def themes() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The themes of the stream, and those that only a shift brings."""
    named = sorted({entry.theme for entry in pool()})
    return tuple(name for place, name in enumerate(named) if place % _HELD), tuple(named[::_HELD])


Change = Callable[["Stream", Facts, np.random.Generator], Facts]


class Stream:
    """Authors and what they write, week by week; `heavy`: how unequal they are (the exponent of Zipf's law)."""

    def __init__(self, seed: int, heavy: float = 0.8) -> None:
        self.random = np.random.default_rng(seed)
        self.usual, self.held = themes()
        self._by_theme: dict[str, list[Entry]] = {}
        for entry in pool():
            self._by_theme.setdefault(entry.theme, []).append(entry)
        activity = 1.0 / np.arange(1, AUTHORS + 1) ** heavy
        self._activity = self.random.permutation(activity / activity.sum())
        #: The theme that a shift may bring.
        self.fresh = self.held[seed % len(self.held)]
        self._made = 0
        self._authors = [self._author() for _ in range(AUTHORS)]

    def _author(self) -> tuple[str, list[Facts]]:
        self._made += 1
        return f"a{self._made}", self.shelf(self.usual)

    def shelf(self, names: Sequence[str]) -> list[Facts]:
        """Some texts of one theme of these, one in twenty to be flagged."""
        entries = self._by_theme[names[int(self.random.integers(len(names)))]]
        share = sum(entry.flagged for entry in entries) / len(entries)
        weights = np.asarray([FLAGGED / share if entry.flagged else (1 - FLAGGED) / (1 - share) for entry in entries])
        chosen = self.random.choice(len(entries), SHELF, p=weights / weights.sum())
        return [entries[place].facts for place in chosen]

    def week(self, change: Change | None = None) -> list[Facts]:
        """A week of texts; some authors leave after it."""
        many = int(self.random.poisson(TEXTS))
        found = []
        for place in self.random.choice(AUTHORS, many, p=self._activity):
            name, shelf = self._authors[place]
            facts = replace(shelf[self.random.integers(len(shelf))], group=name)
            found.append(change(self, facts, self.random) if change else facts)
        for place in np.flatnonzero(self.random.random(AUTHORS) < TURNOVER):
            self._authors[place] = self._author()
        return found

    def reference(self, change: Change | None = None) -> Reference:
        """The reference of the next weeks."""
        return summarise("stream", [facts for _ in range(LEARNED) for facts in self.week(change)], {})


def _new_theme(stream: "Stream", facts: Facts, random: np.random.Generator) -> Facts:
    """One theme that the stream did not know, written of by sixty new authors."""
    if random.random() > 0.3:
        return facts
    shelf = stream.shelf([stream.fresh])
    return replace(shelf[0], group=f"n{random.integers(60)}")


def _named_theme(stream: "Stream", facts: Facts, random: np.random.Generator) -> Facts:
    """The same, where the source says the theme of its texts."""
    found = _new_theme(stream, facts, random)
    return replace(found, theme=stream.fresh if found is not facts else "ordinaire")


def _ordinary(_: "Stream", facts: Facts, __: np.random.Generator) -> Facts:
    return replace(facts, theme="ordinaire")


def _other_channel(_: Stream, facts: Facts, random: np.random.Generator) -> Facts:
    return replace(facts, channel="video_transcript") if random.random() < 0.3 else facts


def _longer(_: Stream, facts: Facts, random: np.random.Generator) -> Facts:
    return replace(facts, words=2 * facts.words) if random.random() < 0.5 else facts


def _higher_scores(_: Stream, facts: Facts, random: np.random.Generator) -> Facts:
    if facts.score is None:
        return facts
    odds = np.log(max(facts.score, 1e-4) / max(1 - facts.score, 1e-4)) + 1.0
    return replace(facts, score=round(float(1 / (1 + np.exp(-odds))), 4))


def _other_language(_: Stream, facts: Facts, random: np.random.Generator) -> Facts:
    if random.random() > 0.15:
        return facts
    nothing: dict[str, Any] = {"unknown": None, "score": None, "level": None, "stance": None, "present": frozenset()}
    return replace(facts, language="en", **nothing)


def _new_words(_: Stream, facts: Facts, random: np.random.Generator) -> Facts:
    """One word in thirty is one that nobody knew."""
    return facts if facts.unknown is None else replace(facts, unknown=facts.unknown + (1 - facts.unknown) / 30)


def _more_signs(_: Stream, facts: Facts, random: np.random.Generator) -> Facts:
    """One sign comes in one text in five more."""
    if facts.level is None or random.random() > 0.2:
        return facts
    return replace(facts, present=facts.present | {"financial_pressure"})


#: What must be seen, and in which measures.
SHIFTS: dict[str, tuple[Change, frozenset[str]]] = {
    "nouveau thème, que la source nomme (30 %)": (_named_theme, frozenset({"theme"})),
    "nouveau thème, que rien ne nomme (30 %)": (_new_theme, frozenset(measure.id for measure in measures())),
    "autre canal (30 %)": (_other_channel, frozenset({"channel"})),
    "deux fois plus longs (50 %)": (_longer, frozenset({"words"})),
    "scores plus hauts (cote × 2,7)": (_higher_scores, frozenset({"score"})),
    "autre langue (15 %)": (_other_language, frozenset({"language"})),
    "mots nouveaux (1 sur 30)": (_new_words, frozenset({"unknown"})),
    "un signe de plus (20 %)": (_more_signs, frozenset({"indicator.financial_pressure"})),
}


def alerts(shifts: Sequence[Shift]) -> set[str]:
    """The measures in alert."""
    return {shift.measure for shift in shifts if shift.state == "alert"}


def calm_year(seed: int, heavy: float = 0.8, weeks: int = WEEKS) -> list[set[str]]:
    """The alerts of each week of a year in which nothing changes but who writes."""
    stream = Stream(seed, heavy)
    reference = stream.reference()
    return [alerts(compare(reference, stream.week(), THRESHOLD, seed=week)) for week in range(weeks)]


def first_seen(seed: int, change: Change, expected: frozenset[str], within: int = 8) -> int | None:
    """In which week after a shift, from 1, it is seen in a measure that it touches; None: not within so many."""
    stream = Stream(seed)
    reference = stream.reference(_ordinary if change is _named_theme else None)
    for week in range(1, within + 1):
        if alerts(compare(reference, stream.week(change), THRESHOLD, seed=week)) & expected:
            return week
    return None


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=int, default=20)
    chosen = parser.parse_args(arguments)
    with threadpool_limits(1):
        _simulate(chosen.years)


def _simulate(count: int) -> None:
    say = sys.stdout.write
    for heavy in (0.8, 1.0):
        started = time.perf_counter()
        years = [calm_year(seed, heavy) for seed in range(count)]
        weeks = sum(bool(week) for year in years for week in year)
        which = Counter(measure for year in years for week in year for measure in week)
        say(
            f"années calmes (Zipf {heavy}) : {len(years)}, {len(years) * WEEKS} semaines, {weeks} en alerte, "
            f"{sum(any(year) for year in years)} année(s) avec une alerte ; {dict(which)} ; "
            f"{time.perf_counter() - started:.0f} s\n"
        )
        sys.stdout.flush()
    for name, (change, expected) in SHIFTS.items():
        seen = [first_seen(seed, change, expected) for seed in range(count)]
        say(f"{name} : vu {sum(week is not None for week in seen)} fois sur {len(seen)}, semaine {dict(Counter(seen))}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
