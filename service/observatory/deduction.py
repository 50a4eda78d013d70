"""Whether a hidden count can be worked out from everything that is shown, of all measures together: as an attacker would.

Measures are nested: no more texts are flagged than read, none is read that is not there. A count that its own table keeps secret
may so be caught between two others. Everything that is shown and every sum and order that must hold make a linear programme;
a count is safe where its least and its greatest value are at least one apart.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import main_thread
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_matrix, vstack
from scipy.sparse.csgraph import connected_components

from service.observatory.cells import OF_VALUES, WITHIN, Counted, Table, wider
from service.observatory.periods import Calendar

#: A count by its measure, its dimension ("" for totals), its node of the calendar and its value (0 for totals).
Place = tuple[str, str, int, int]
_APART: Final = 1 - 1e-6
_TOLERANCE: Final = 1e-6
Floats = NDArray[np.float64]


class EndingError(Exception):
    """The process ends: nothing is counted any more."""


@dataclass
class _Rows:
    """Linear rows over unknown counts, with their right side."""

    at: list[tuple[int, int, float]] = field(default_factory=list)
    right: list[float] = field(default_factory=list)

    def matrix(self, width: int) -> csr_matrix:
        rows, columns, values = zip(*self.at, strict=True) if self.at else ((), (), ())
        return csr_matrix((values, (rows, columns)), shape=(len(self.right), width))


class _System:
    """What must hold of the hidden counts, given the others."""

    def __init__(self, counted: Counted, calendar: Calendar) -> None:
        self.counted, self.calendar = counted, calendar
        self.places: dict[Place, int] = {}
        self.true: list[int] = []
        self.equal, self.most = _Rows(), _Rows()
        children = {node: list(calendar.children[node]) for node in range(calendar.month_nodes)}
        for measure in counted.totals:
            self._sums(measure, "", children, 0)
            self._nested(measure, "", 0)
        for table in counted.tables:
            for measure in OF_VALUES:
                for value in range(len(table.values)):
                    months = {node: [one for one in below if one < calendar.month_nodes] for node, below in children.items()}
                    self._sums(measure, table.id, months, value)
                    self._nested(measure, table.id, value, table)
                self._across(measure, table)

    def _row(self, rows: _Rows, terms: Sequence[tuple[Place, float]]) -> None:
        """The sum of counts by their factors is 0, or at most 0; nothing where none of them is hidden."""
        known, unknown = 0.0, []
        for place, factor in terms:
            count, hidden = _shown(place, self.counted)
            if not hidden:
                known += factor * count
                continue
            if place not in self.places:
                self.places[place] = len(self.true)
                self.true.append(count)
            unknown.append((self.places[place], factor))
        if unknown:
            rows.at += [(len(rows.right), column, factor) for column, factor in unknown]
            rows.right.append(-known)

    def _sums(self, measure: str, id: str, below: Mapping[int, Sequence[int]], value: int) -> None:
        for node, parts in below.items():
            if parts:
                terms = [((measure, id, part, value), 1.0) for part in parts]
                self._row(self.equal, [((measure, id, node, value), -1.0), *terms])

    def _nested(self, measure: str, id: str, value: int, table: Table | None = None) -> None:
        above = wider(measure, OF_VALUES if table else tuple(WITHIN))
        size = self.calendar.month_nodes if table else self.counted.totals[measure].counts.size
        for node in range(size) if above else ():
            self._row(self.most, [((measure, id, node, value), 1.0), ((above, id, node, value), -1.0)])

    def _across(self, measure: str, table: Table) -> None:
        """The values of a period make up its total; where a text may have several, none is over it."""
        for node in range(self.calendar.month_nodes):
            whole = ((measure, "", node, 0), -1.0)
            terms = [((measure, table.id, node, value), 1.0) for value in range(len(table.values))]
            if table.rows is None:
                self._row(self.equal, [whole, *terms])
            else:
                for term in terms:
                    self._row(self.most, [whole, term])


class Counts:
    """Counts that all that is shown allows: those there are, and others found so. Rounds of hiding share them: what is hidden
    besides leaves them possible, with what was shown in its place.
    """

    def __init__(self) -> None:
        self._found: list[dict[Place, float]] = []

    def note(self, system: _System, values: Floats) -> None:
        """Keep possible values of the hidden counts of a system."""
        self._found.append(dict(zip(system.places, values.tolist(), strict=True)))

    def ranges(self, system: _System, given: "_Given") -> tuple[Floats, Floats]:
        """The least and greatest known value of each hidden count of a system."""
        true = np.array(system.true, dtype=np.float64)
        possible = [true]
        equal, right, most, bound = given
        for one in self._found:
            values = np.array([one.get(place, count) for place, count in zip(system.places, true.tolist(), strict=True)])
            # A count that another way of hiding shows again may not be what it was there.
            if np.all(np.abs(equal @ values - right) < _TOLERANCE) and np.all(most @ values - bound < _TOLERANCE):
                possible.append(values)
        return np.min(possible, axis=0), np.max(possible, axis=0)


def deducible(counted: Counted, calendar: Calendar, possible: Counts | None = None) -> list[Place]:
    """The hidden counts above 0 that everything shown leaves less than one apart; `possible` takes part of the work from one
    round of hiding to the next.
    """
    possible = possible or Counts()
    system = _System(counted, calendar)
    width = len(system.true)
    if not width:
        return []
    equal, most = system.equal.matrix(width), system.most.matrix(width)
    given = (equal, np.array(system.equal.right), most, np.array(system.most.right))
    least, greatest = possible.ranges(system, given)
    doubtful = np.flatnonzero(np.array(system.true))
    doubtful = doubtful[(greatest - least)[doubtful] < _APART]
    while doubtful.size > 1:  # many at once: pushed together, first down, then up, most part
        before = doubtful.size
        for sign in (1.0, -1.0):
            if not doubtful.size:
                break
            goal = np.zeros(width)
            goal[doubtful] = sign
            found = _reach(goal, given, least, greatest)
            if found is not None:
                possible.note(system, found)
            doubtful = doubtful[(greatest - least)[doubtful] < _APART]
        if doubtful.size == before:
            break
    parts = connected_components(_touching(equal, most), directed=False)[1]
    places = {column: place for place, column in system.places.items()}
    return sorted(places[column] for column in doubtful.tolist() if not _parted(column, parts, given, (least, greatest)))


def _touching(equal: csr_matrix, most: csr_matrix) -> csr_matrix:
    """Which unknown counts are in a row together."""
    rows = vstack([equal, most]).astype(bool).astype(np.int8)
    return rows.T @ rows


_Given = tuple[csr_matrix, Floats, csr_matrix, Floats]


def _reach(goal: Floats, given: _Given, least: Floats, greatest: Floats) -> Floats | None:
    """The counts where a goal is least; their values are taken note of. None where it has no end.

    Raises:
        EndingError: the process ends.
    """
    if not main_thread().is_alive():
        raise EndingError
    equal, right, most, bound = given
    found = linprog(
        goal,
        A_eq=equal if equal.shape[0] else None,
        b_eq=right if equal.shape[0] else None,
        A_ub=most if most.shape[0] else None,
        b_ub=bound if most.shape[0] else None,
        bounds=(0, None),
        method="highs",
    )
    if found.x is None:
        return None
    values: Floats = found.x
    np.minimum(least, values, out=least)
    np.maximum(greatest, values, out=greatest)
    return values


def _parted(column: int, parts: NDArray[np.int32], given: _Given, seen: tuple[Floats, Floats]) -> bool:
    """Whether a count may be at least one apart; only what hangs together with it is looked at, and what is seen of it kept."""
    least, greatest = seen
    if greatest[column] - least[column] >= _APART:
        return True  # seen while another was looked at
    equal, right, most, bound = given
    inside = np.flatnonzero(parts == parts[column])
    rows, others = (np.flatnonzero(np.diff(one[:, inside].indptr)) for one in (equal, most))
    part = (equal[rows][:, inside], right[rows], most[others][:, inside], bound[others])
    goal = (inside == column).astype(np.float64)
    own = least[inside], greatest[inside]
    ends = [_reach(sign * goal, part, *own) for sign in (1.0, -1.0)]
    least[inside], greatest[inside] = own
    return any(end is None for end in ends) or bool(greatest[column] - least[column] >= _APART)


def beside(place: Place, counted: Counted, calendar: Calendar) -> Iterator[tuple[Place, bool]]:
    """The shown counts beside a hidden one that may bound it, with whether each is equal to it.

    They are of the next wider measure, of those next within it, and where a text may have several values, of all texts; of
    its own measure, of the next longer and shorter periods.
    """
    measure, id, node, value = place
    table = counted.table(id) if id else None
    own = _shown(place, counted)[0]
    known = OF_VALUES if table else tuple(WITHIN)
    names = [one for one in known if wider(one, known) == measure] + [one for one in (wider(measure, known),) if one]
    places: list[Place] = [(name, id, node, value) for name in names]
    if table is not None and table.rows is not None:
        places.append((measure, "", node, 0))
    if table is None and measure in OF_VALUES:
        several = [one for one in counted.tables if one.rows is not None]
        if node < (several[0].counts[measure].shape[0] if several else 0):
            places += [(measure, one.id, node, value) for one in several for value in range(len(one.values))]
    last = calendar.month_nodes if id else counted.totals[measure].counts.size
    periods = [int(calendar.parents[node]), *calendar.children[node]]
    near = [(measure, id, one, value) for one in periods if (0 if id else 1) <= one < last]
    for other in (*places, *near):
        count, hidden = _shown(other, counted)
        # A longer or shorter period that has more or fewer texts bounds nothing by itself.
        if not hidden and count and (count == own or other not in near):
            yield other, count == own


def _shown(place: Place, counted: Counted) -> tuple[int, bool]:
    """A count, and whether it is hidden."""
    measure, id, node, value = place
    if not id:
        series = counted.totals[measure]
        return int(series.counts[node]), bool(series.hidden[node])
    table = counted.table(id)
    return int(table.counts[measure][node, value]), bool(table.hidden[measure][node, value])
