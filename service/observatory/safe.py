"""Counts of which none that is hidden can be worked out, of whatever measure: counted, attacked, and counted anew if need be."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from service.observatory.cells import WITHIN, Counted, Forced, count
from service.observatory.deduction import Counts, Place, beside, deducible
from service.observatory.periods import Calendar
from service.observatory.rows import Mode, Rows

#: Rounds after which, instead of what bounds a count, all that could is hidden.
_GENTLE: Final = 8
_ROUNDS: Final = 40

_Hidden = dict[tuple[str, str], set[tuple[int, int]]]


def count_safely(rows: Rows, calendar: Calendar, mode: Mode, least: int, forced: Forced | None = None) -> tuple[Counted, Forced]:
    """Count everything in one way, and say what had to be hidden besides; `forced`: what an earlier count of this said.

    A hidden count that can be worked out is caught between shown ones of the measures that it is within or that are within it:
    those that are equal to it are hidden too, or where there is none all of them, or else more of its own measure.
    """
    if forced is not None:
        return count(rows, calendar, mode, least, forced), forced
    hidden: _Hidden = defaultdict(set)
    possible = Counts()
    for turn in range(_ROUNDS):
        kept = {key: frozenset(cells) for key, cells in hidden.items()}
        counted = count(rows, calendar, mode, least, kept)
        known = deducible(counted, calendar, possible)
        if not known:
            return counted, kept
        before = _size(hidden)
        if turn < _GENTLE:
            _hide_around(known, counted, calendar, hidden)
        if _size(hidden) == before:
            _hide_at(known, counted, calendar, hidden)
        if _size(hidden) == before:
            break  # with nothing more to hide around them, another round would find the same
    # Never met: nothing but how many texts there are is shown.
    every = {(measure, ""): frozenset((node, 0) for node in range(len(calendar.periods) + 1)) for measure in WITHIN}
    kept = every | {
        (measure, table.id): frozenset(
            (node, value) for node in range(calendar.month_nodes) for value in range(len(table.values))
        )
        for measure in WITHIN
        for table in counted.tables
    }
    return count(rows, calendar, mode, least, kept), kept


def _size(hidden: _Hidden) -> int:
    return sum(map(len, hidden.values()))


def _hide_around(known: Iterable[Place], counted: Counted, calendar: Calendar, hidden: _Hidden) -> None:
    bounds = [(one, tight) for place in known for one, tight in beside(place, counted, calendar)]
    chosen = [one for one, tight in bounds if tight] or [one for one, _ in bounds]
    for measure, id, node, value in chosen:
        hidden[measure, id].add((node, value))
    if not chosen:
        _hide_at(known, counted, calendar, hidden)


def _hide_at(known: Iterable[Place], counted: Counted, calendar: Calendar, hidden: _Hidden) -> None:
    """Hide these places in every measure, and the longer periods that they are in."""
    for _, id, node, value in known:
        place = node
        # How much there is in all stays: every table would tell it.
        while place > 0 or (id and place == 0):
            for measure in WITHIN:
                hidden[measure, id].add((place, value))
            place = int(calendar.parents[place])
