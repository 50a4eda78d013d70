"""An attack on hidden counts: everything that is shown, with every sum and order that must hold, as linear programmes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from service.observatory.cells import Counted, Table
from service.observatory.periods import Calendar

#: A count: its name, its value, whether it is hidden.
Count = tuple[object, int, bool]
_DRAWS = 6


@dataclass
class System:
    """Unknown counts, all at least 0, with the equations and the inequalities among them."""

    rows: list[dict[int, float]] = field(default_factory=list)
    right: list[float] = field(default_factory=list)
    most: list[dict[int, float]] = field(default_factory=list)
    bound: list[float] = field(default_factory=list)
    names: dict[object, int] = field(default_factory=dict)
    true: dict[object, int] = field(default_factory=dict)

    def term(self, count: Count, factor: float, row: dict[int, float]) -> float:
        """What a count adds to a row: an unknown, or a known number (returned)."""
        name, value, hidden = count
        self.true[name] = value
        if not hidden:
            return factor * value
        unknown = self.names.setdefault(name, len(self.names))
        row[unknown] = row.get(unknown, 0) + factor
        return 0.0

    def equation(self, whole: Count, parts: Sequence[Count]) -> None:
        row: dict[int, float] = {}
        known = self.term(whole, -1.0, row) + sum(self.term(part, 1.0, row) for part in parts)
        if row:
            self.rows.append(row)
            self.right.append(-known)

    def at_most(self, small: Count, large: Count) -> None:
        row: dict[int, float] = {}
        known = self.term(small, 1.0, row) + self.term(large, -1.0, row)
        if row:
            self.most.append(row)
            self.bound.append(-known)

    def tree(self, calendar: Calendar, name: str, counts: NDArray[np.int64], hidden: NDArray[np.bool_]) -> None:
        for parent in range(counts.size):
            below = [node for node in range(1, counts.size) if calendar.parents[node] == parent]
            if below:
                parts: list[Count] = [((name, node), int(counts[node]), bool(hidden[node])) for node in below]
                self.equation(((name, parent), int(counts[parent]), bool(hidden[parent])), parts)

    def known(self) -> list[object]:
        """The hidden counts above 0 of which only one value fits everything that is shown."""
        least, greatest = (np.full(len(self.names), end) for end in (np.inf, -np.inf))
        equal, most = self._matrix(self.rows), self._matrix(self.most)
        fits = np.array([self.true[name] for name in self.names])
        assert equal is None or np.allclose(equal @ fits, self.right)
        assert most is None or (most @ fits <= np.array(self.bound) + 1e-9).all()

        def look(goal: NDArray[np.float64]) -> None:
            found = linprog(goal, A_eq=equal, b_eq=self.right or None, A_ub=most, b_ub=self.bound or None, method="highs")
            if found.x is None:
                assert found.status == 3, found.message  # no end that way: nothing is known
                least[goal < 0], greatest[goal < 0] = -np.inf, np.inf
            else:
                np.minimum(least, found.x, out=least)
                np.maximum(greatest, found.x, out=greatest)

        chance = np.random.default_rng(1)
        for _ in range(_DRAWS if self.names else 0):
            goal = chance.random(len(self.names))
            look(goal)
            look(-goal)
        for name, unknown in self.names.items():
            goal = (np.arange(len(self.names)) == unknown).astype(np.float64)
            for sign in (1, -1):
                if self.true[name] and greatest[unknown] - least[unknown] < 0.5:
                    look(sign * goal)
        return [name for name, unknown in self.names.items() if self.true[name] and greatest[unknown] - least[unknown] < 0.5]

    def _matrix(self, rows: Sequence[dict[int, float]]) -> csr_matrix | None:
        at = [(i, j, v) for i, row in enumerate(rows) for j, v in row.items()]
        if not at:
            return None
        places, columns, values = zip(*at, strict=True)
        return csr_matrix((values, (places, columns)), shape=(len(rows), len(self.names)))


#: Each measure, and one that counts every text that it counts.
NESTED = (
    *(("read", "texts"), ("watched", "read"), ("flagged", "read"), ("flagged", "watched"), ("priority", "flagged")),
    *(("decided", "texts"), ("decided_watched", "decided"), ("kept", "decided"), ("kept", "decided_watched")),
    ("decided_priority", "kept"),
)


def system_of(counted: Counted, calendar: Calendar) -> System:
    """Everything that a way of counting shows: all measures, their totals and their tables, nested in each other."""
    system = System()
    for measure, series in counted.totals.items():
        system.tree(calendar, f"{measure}//", series.counts, series.hidden)
    for table in counted.tables:
        for measure in table.counts:
            for value in range(len(table.values)):
                name = f"{measure}/{table.id}/{value}"
                system.tree(calendar, name, table.counts[measure][:, value], table.hidden[measure][:, value])
            _across(system, counted, table, measure)
    _nest(system, counted)
    return system


def _total(counted: Counted, measure: str, node: int) -> Count:
    series = counted.totals[measure]
    return (f"{measure}//", node), int(series.counts[node]), bool(series.hidden[node])


def _cell(table: Table, measure: str, node: int, value: int) -> Count:
    name = (f"{measure}/{table.id}/{value}", node)
    return name, int(table.counts[measure][node, value]), bool(table.hidden[measure][node, value])


def _across(system: System, counted: Counted, table: Table, measure: str) -> None:
    for node in range(table.counts[measure].shape[0]):
        cells = [_cell(table, measure, node, value) for value in range(len(table.values))]
        if table.rows is None:
            system.equation(_total(counted, measure, node), cells)
        else:
            for cell in cells:
                system.at_most(cell, _total(counted, measure, node))


def _nest(system: System, counted: Counted) -> None:
    for small, large in NESTED:
        for node in range(counted.totals[small].counts.size):
            system.at_most(_total(counted, small, node), _total(counted, large, node))
        for table in counted.tables:
            if small in table.counts and large in table.counts:
                for node, value in np.ndindex(*table.counts[small].shape):
                    system.at_most(_cell(table, small, node, value), _cell(table, large, node, value))
