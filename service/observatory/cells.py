"""Counts by period and by value of a dimension, and which of them may be shown."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.observatory.periods import Calendar
from service.observatory.rows import Dimension, Ints, Mode, Rows
from service.observatory.suppression import Bools, Cells, Shown, hide_cells, hide_totals

#: What is counted: texts; those that the model read; those that it puts at level 1 or more, 2 or more (flagged), 3; those that
#: people decided; those that they put at level 1 or more, 2 or more (kept), 3. Each is shown or hidden by itself.
MEASURES: Final = ("texts", "read", "watched", "flagged", "priority", "decided", "decided_watched", "kept", "decided_priority")
#: The measure that each is within: none counts a text that this one does not.
WITHIN: Final[Mapping[str, str]] = {
    "texts": "",
    "read": "texts",
    "watched": "read",
    "flagged": "watched",
    "priority": "flagged",
    "decided": "texts",
    "decided_watched": "decided",
    "kept": "decided_watched",
    "decided_priority": "kept",
}
#: What is counted by value of a dimension too.
OF_VALUES: Final = ("texts", "read", "flagged", "priority", "decided", "kept")
#: Values of a dimension that are named; the others are put together.
_MOST_VALUES: Final = 60
OTHERS: Final = "__autres__"


#: Counts that are hidden besides, by measure and dimension ("" for totals).
Forced = Mapping[tuple[str, str], Cells]


def wider(measure: str, known: Collection[str]) -> str:
    """Of some measures, the next one that a measure is within; empty where there is none."""
    above = WITHIN[measure]
    while above and above not in known:
        above = WITHIN[above]
    return above


@dataclass(frozen=True, slots=True)
class Amount:
    """A count as it may be shown: exact, or where parts of it are hidden what the others make up (`exact` is False)."""

    count: int
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Series:
    """Counts by node of the calendar, and which are hidden."""

    counts: Ints
    hidden: Bools

    def amount(self, calendar: Calendar, nodes: Sequence[int]) -> Amount:
        """The sum over these nodes: a hidden one is made up of its parts that are shown, so that a sum tells nothing more."""
        total, exact = 0, True
        waiting = list(nodes)
        while waiting:
            node = waiting.pop()
            if not self.hidden[node]:
                total += int(self.counts[node])
                continue
            # Weeks are left out: a month is the least that figures of several months are made of.
            months = [child for child in calendar.children[node] if child < calendar.month_nodes]
            waiting += months
            exact = exact and bool(months)
        return Amount(total, exact)


@dataclass(frozen=True, slots=True)
class Table:
    """The counts of a dimension: `values` are (identifier, name), `codes` each text's place among them (see `Dimension`), and
    `order` sorts them.
    """

    id: str
    name: str
    values: tuple[tuple[str, str], ...]
    codes: Ints
    rows: Ints | None
    dropped: int
    counts: Mapping[str, Ints]
    hidden: Mapping[str, Bools]
    order: Ints

    def series(self, measure: str, value: int) -> Series:
        """The counts of one value."""
        return Series(self.counts[measure][:, value], self.hidden[measure][:, value])


@dataclass(frozen=True, slots=True)
class Counted:
    """Every count of a way of counting: totals by measure, tables by dimension; `kept` are the texts that count."""

    mode: Mode
    kept: Bools
    masks: Mapping[str, Bools]
    totals: Mapping[str, Series]
    tables: tuple[Table, ...]

    def table(self, id: str) -> Table:
        """The counts of a dimension that there is."""
        return next(one for one in self.tables if one.id == id)


def masks_of(rows: Rows, kept: Bools) -> dict[str, Bools]:
    """Which texts each measure counts."""
    level, decided = rows.level, rows.decided
    made = {
        "texts": kept,
        "read": kept & (level >= 0),
        "watched": kept & (level >= 1),
        "flagged": kept & (level >= 2),
        "priority": kept & (level == 3),
        "decided": kept & (decided >= 0),
        "decided_watched": kept & (decided >= 1),
        "kept": kept & (decided >= 2),
        "decided_priority": kept & (decided == 3),
    }
    return {measure: made[measure] for measure in MEASURES}


def count(rows: Rows, calendar: Calendar, mode: Mode, least: int, forced: Forced = MappingProxyType({})) -> Counted:
    """Count everything in one way; counts below `least` are hidden, and as many more as keeps them so within each measure."""
    masks = masks_of(rows, rows.kept(mode))
    months, weeks = _places(rows, calendar)
    totals: dict[str, Series] = {}
    shown: dict[str, Shown] = {}
    for measure, mask in masks.items():
        by_week = np.bincount(weeks[mask], minlength=len(calendar.periods) + 1 - calendar.month_nodes)
        counts = np.append(_up(calendar, np.bincount(months[mask], minlength=calendar.month_nodes)), by_week).astype(np.int64)
        shown[measure] = hide_totals(calendar, counts, least, forced.get((measure, ""), frozenset()))
        totals[measure] = Series(counts, shown[measure].hidden)
    tables = tuple(_table(one, rows, calendar, masks, months, shown, least, forced) for one in rows.dimensions)
    return Counted(mode, masks["texts"], masks, totals, tables)


def _places(rows: Rows, calendar: Calendar) -> tuple[Ints, Ints]:
    """The node of the month of each text, and the place of its week among the weeks."""
    first = {period.first: node for node, period in enumerate(calendar.periods, 1) if period.kind == "month"}
    begins = np.array(sorted(first), dtype=np.int64)
    nodes = np.array([first[int(begin)] for begin in begins], dtype=np.int64)
    month = nodes[np.searchsorted(begins, rows.week, side="right") - 1] if rows.count else np.zeros(0, dtype=np.int64)
    return month, rows.week - int(begins[0])


def _up(calendar: Calendar, counts: NDArray[np.int64]) -> Ints:
    """Counts by node, from those of the months: each node's are added to its parent's."""
    summed = counts.astype(np.int64)
    for node in range(calendar.month_nodes - 1, 0, -1):
        summed[calendar.parents[node]] += summed[node]
    return summed


def _table(
    dimension: Dimension,
    rows: Rows,
    calendar: Calendar,
    masks: Mapping[str, Bools],
    months: Ints,
    shown: Mapping[str, Shown],
    least: int,
    forced: Forced,
) -> Table:
    values, codes, places, dropped = _grouped(dimension, least)
    texts = np.arange(rows.count) if places is None else places
    size = calendar.month_nodes * max(1, len(values))
    counts: dict[str, Ints] = {}
    hidden: dict[str, Bools] = {}
    for measure in OF_VALUES:
        mask = masks[measure][texts]
        flat = np.bincount(months[texts][mask] * max(1, len(values)) + codes[mask], minlength=size)
        counts[measure] = _up(calendar, flat.reshape(calendar.month_nodes, -1))
        also = forced.get((measure, dimension.id), frozenset())
        hidden[measure] = hide_cells(calendar, counts[measure], shown[measure], least, additive=places is None, also=also)
    order = np.argsort(codes, kind="stable")
    return Table(dimension.id, dimension.name, values, codes, places, dropped, counts, hidden, order)


def _grouped(dimension: Dimension, least: int) -> tuple[tuple[tuple[str, str], ...], Ints, Ints | None, int]:
    """Values that few texts have are not named: put together, or left out where a text may have several (how many are)."""
    sizes = np.bincount(dimension.codes, minlength=len(dimension.values))
    order = sorted(range(len(dimension.values)), key=lambda code: (-sizes[code], dimension.values[code]))
    named = [code for code in order[:_MOST_VALUES] if sizes[code] >= least or (not dimension.values[code][0] and sizes[code])]
    rest = [code for code in order if code not in set(named)]
    if dimension.rows is not None:
        place = np.full(len(dimension.values) + 1, -1, dtype=np.int64)
        place[named] = np.arange(len(named))
        inside = place[dimension.codes] >= 0
        return tuple(dimension.values[code] for code in named), place[dimension.codes[inside]], dimension.rows[inside], len(rest)
    while rest and 0 < sizes[rest].sum() < least and named:
        rest.append(named.pop())
    place = np.full(len(dimension.values) + 1, len(named), dtype=np.int64)
    place[named] = np.arange(len(named))
    values = [dimension.values[code] for code in named]
    if rest:
        values.append((OTHERS, "autres, réunis"))
    return tuple(values), place[dimension.codes], None, len(rest)
