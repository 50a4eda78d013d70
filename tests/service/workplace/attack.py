"""An attack on hidden counts: everything that is shown, with every sum that must hold, as a linear programme for each."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from service.observatory.periods import Calendar


@dataclass
class System:
    """Unknown counts, all at least 0, and the equations among them."""

    rows: list[dict[int, float]]
    right: list[float]
    names: dict[object, int]

    @classmethod
    def empty(cls) -> "System":
        return cls([], [], {})

    def term(self, name: object, value: int, hidden: bool, factor: float, row: dict[int, float]) -> float:
        """What a count adds to an equation: an unknown, or a known number (returned)."""
        if not hidden:
            return factor * value
        unknown = self.names.setdefault(name, len(self.names))
        row[unknown] = row.get(unknown, 0) + factor
        return 0.0

    def equation(self, whole: tuple[object, int, bool], parts: Sequence[tuple[object, int, bool]]) -> None:
        row: dict[int, float] = {}
        known = self.term(*whole, -1.0, row) + sum(self.term(*part, 1.0, row) for part in parts)
        if row:
            self.rows.append(row)
            self.right.append(-known)

    def tree(self, calendar: Calendar, name: str, counts: NDArray[np.int64], hidden: NDArray[np.bool_]) -> None:
        for parent in range(counts.size):
            below = [node for node in range(1, counts.size) if calendar.parents[node] == parent]
            if below:
                parts = [((name, node), int(counts[node]), bool(hidden[node])) for node in below]
                self.equation(((name, parent), int(counts[parent]), bool(hidden[parent])), parts)

    def range_of(self, name: object) -> tuple[float, float]:
        """The least and the greatest value that an unknown may have."""
        at = [(i, j, v) for i, row in enumerate(self.rows) for j, v in row.items()]
        rows, columns, values = zip(*at, strict=True)
        matrix = csr_matrix((values, (rows, columns)), shape=(len(self.rows), len(self.names)))
        goal = np.zeros(len(self.names))
        goal[self.names[name]] = 1
        ends = []
        for sign in (1, -1):
            found = linprog(sign * goal, A_eq=matrix, b_eq=self.right, bounds=(0, None), method="highs")
            ends.append(sign * found.fun if found.status == 0 else np.inf)
        return ends[0], ends[1]
