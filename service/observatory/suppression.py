"""Which counts are not shown, so that no small count is, and none can be worked out from those that are.

A table of counts is periods (a tree: all, years, quarters, months, weeks) by values of a dimension, with the totals of the
periods. Its sums make a network: each count is an edge between the two sums that it takes part in (Gusfield, « A graph
theoretic approach to statistical data security », SIAM J. Comput. 17, 1988). A hidden count can be worked out exactly if and
only if its edge lies on no cycle of hidden edges: then more is hidden, by the shortest detour (the fewest texts). Since 0 is
hidden as the other small counts are, both ways around a cycle are possible, and at least two answers fit.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import networkx as nx
import numpy as np
from numpy.typing import NDArray

from service.observatory.periods import Calendar

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
#: Counts by node and value.
Cells = frozenset[tuple[int, int]]
#: The node that the totals' outer ends meet at.
_GROUND: Final = ("ground",)
_ROUNDS: Final = 200


@dataclass(frozen=True, slots=True)
class Shown:
    """The totals of the periods: which are hidden; `partners` are months whose hidden totals may trade places."""

    hidden: Bools
    partners: tuple[tuple[int, int], ...]


@dataclass
class _Net:
    """Counts as edges by their cell (node, column); the ends of each edge are sums."""

    graph: "nx.MultiGraph[Any]"
    hidden: set[tuple[int, int]]
    sums: dict[Any, tuple[tuple[int, int] | None, list[tuple[int, int]]]]
    counts: Ints
    least: int

    def lonely(self) -> list[tuple[int, int]]:
        """Hidden counts that can be worked out."""
        part = nx.Graph()
        for one, other, key in self.graph.edges(keys=True):
            if key in self.hidden or key[0] < 0:
                if part.has_edge(one, other):
                    part[one][other]["keys"].append(key)
                else:
                    part.add_edge(one, other, keys=[key])
        found = [part[one][other]["keys"] for one, other in nx.bridges(part)]
        return sorted(keys[0] for keys in found if len(keys) == 1 and keys[0][0] >= 0)

    def detour(self, start: Any, end: Any, without: tuple[int, int] | None) -> bool:
        """Hide the cheapest way from one sum to another that does not take an edge; False where there is none."""

        def cost(_: Any, __: Any, edges: dict[Any, Any]) -> float | None:
            costs = [self._cost(key) for key in edges if key != without]
            return min(costs, default=None)

        try:
            way = nx.dijkstra_path(self.graph, start, end, weight=cost)
        except (nx.NetworkXNoPath, nx.NodeNotFound):
            return False
        for one, other in pairwise(way):
            key = min((key for key in self.graph[one][other] if key != without), key=self._cost)
            if key[0] >= 0:
                self.hidden.add(key)
        return True

    def _cost(self, key: tuple[int, int]) -> float:
        # A hidden count costs next to nothing, so that the shortest of the free ways is taken.
        return 0.001 if key[0] < 0 or key in self.hidden else float(self.counts[key])

    def widen(self) -> None:
        """Hide more where what a sum leaves for its hidden parts is itself a small count."""
        for whole, parts in self.sums.values():
            if whole is not None and whole in self.hidden:
                continue
            covered = [key for key in parts if key in self.hidden]
            open_ = sorted((key for key in parts if key not in self.hidden), key=self._cost)
            left = sum(int(self.counts[key]) for key in covered)
            while 0 < left < self.least and open_:
                key = open_.pop(0)
                self.hidden.add(key)
                left += int(self.counts[key])

    def settle(self) -> None:
        """Hide until nothing hidden can be worked out."""
        for _ in range(_ROUNDS):
            before = len(self.hidden)
            self.widen()
            for key in self.lonely():
                one, other = self._ends[key]
                self.detour(one, other, key)
            if len(self.hidden) == before:
                return

    def __post_init__(self) -> None:
        self._ends = {key: (one, other) for one, other, key in self.graph.edges(keys=True)}


def hide_totals(calendar: Calendar, counts: Ints, least: int, also: Cells = frozenset()) -> Shown:
    """Which totals are hidden: counts by node of the calendar, weeks included. `also`: what is to be hidden besides (value 0)."""
    graph: nx.MultiGraph[Any] = nx.MultiGraph()
    column = counts.reshape(-1, 1)
    sums = _tree_sums(calendar, column, counts.size)
    for node in range(counts.size):
        if counts[node]:
            above = ("sum", int(calendar.parents[node]), 0) if node else _GROUND
            below = ("sum", node, 0) if node < calendar.month_nodes else _GROUND
            graph.add_edge(above, below, key=(node, 0))
    net = _Net(graph, _small(column, least, also), sums, column, least)
    net.settle()
    hidden = counts < least
    hidden[[node for node, _ in net.hidden]] = True
    return Shown(hidden, tuple(_partners(calendar, net)))


def _partners(calendar: Calendar, net: _Net) -> Iterator[tuple[int, int]]:
    """For each hidden total of a month or longer, two months of which one may hold what the other lacks, all else the same."""
    covered = [(one, other, key) for one, other, key in net.graph.edges(keys=True) if key in net.hidden]
    part: nx.MultiGraph[Any] = nx.MultiGraph(covered)
    months = {calendar.nodes[period.key] for period in calendar.of_kind("month")}
    for one, other, key in covered:
        if not 0 < key[0] < calendar.month_nodes:
            continue
        part.remove_edge(one, other, key=key)
        if nx.has_path(part, one, other):
            steps = pairwise(nx.shortest_path(part, one, other))
            met = [node for step in steps for node, _ in part[step[0]][step[1]] if node in months]
            ends = [key[0], *met] if key[0] in months else met
            yield from ((first, last) for first, last in pairwise(ends))
        part.add_edge(one, other, key=key)


def hide_cells(calendar: Calendar, cells: Ints, totals: Shown, least: int, *, additive: bool, also: Cells = frozenset()) -> Bools:
    """Which counts of a table are hidden: `cells` by node (down to the months) and value. `also`: what is to be hidden besides.

    `additive`: each text has one value, so that the values of a period make up its total. Otherwise (practices: a text may
    name several) each value stands for itself.
    """
    if not additive:
        columns = [_alone(calendar, cells[:, value], least, _of(also, value)) for value in range(cells.shape[1])]
        return np.stack(columns, axis=1) if columns else np.zeros(cells.shape, dtype=np.bool_)
    months = [calendar.nodes[period.key] for period in calendar.of_kind("month")]
    graph: nx.MultiGraph[Any] = nx.MultiGraph()
    for node, value in np.argwhere(cells).tolist():
        above = ("sum", int(calendar.parents[node]), value) if node else ("row", 0)
        below = ("row", node) if node in set(months) else ("sum", node, value)
        graph.add_edge(above, below, key=(node, value))
    sums = _tree_sums(calendar, cells, calendar.month_nodes - len(months))
    for node in range(cells.shape[0]):
        # What is left of a hidden total is known to nobody.
        if not totals.hidden[node]:
            sums["row", node] = (None, [(node, value) for value in np.flatnonzero(cells[node]).tolist()])
    net = _Net(graph, _small(cells, least, also), sums, cells, least)
    for number, (one, other) in enumerate(totals.partners):
        if ("row", one) in graph and ("row", other) in graph:
            net.detour(("row", one), ("row", other), None)
            graph.add_edge(("row", one), ("row", other), key=(-1 - number, 0))
    net.settle()
    hidden = cells < least
    for node, value in net.hidden:
        hidden[node, value] = True
    return hidden


def _of(cells: Cells, value: int) -> Cells:
    return frozenset((node, 0) for node, other in cells if other == value)


def _alone(calendar: Calendar, counts: Ints, least: int, also: Cells) -> Bools:
    """A value by itself: as the totals, down to the months."""
    months = {calendar.nodes[period.key] for period in calendar.of_kind("month")}
    column = counts.reshape(-1, 1)
    graph: nx.MultiGraph[Any] = nx.MultiGraph()
    for node in np.flatnonzero(counts).tolist():
        above = ("sum", int(calendar.parents[node]), 0) if node else _GROUND
        graph.add_edge(above, _GROUND if node in months else ("sum", node, 0), key=(node, 0))
    net = _Net(
        graph, _small(column, least, also), _tree_sums(calendar, column, calendar.month_nodes - len(months)), column, least
    )
    net.settle()
    hidden = counts < least
    hidden[[node for node, _ in net.hidden]] = True
    return hidden


def _small(cells: Ints, least: int, also: Cells) -> set[tuple[int, int]]:
    small = {(int(node), int(value)) for node, value in np.argwhere((cells > 0) & (cells < least))}
    return small | {cell for cell in also if cells[cell]}


def _tree_sums(calendar: Calendar, cells: Ints, inner: int) -> dict[Any, tuple[tuple[int, int] | None, list[tuple[int, int]]]]:
    """The sums over time: each node that has others below (the first `inner` ones), for each column."""
    sums: dict[Any, tuple[tuple[int, int] | None, list[tuple[int, int]]]] = {}
    for child in range(1, cells.shape[0]):
        parent = int(calendar.parents[child])
        if parent < inner:
            for value in _present(cells[child]):
                sums.setdefault(("sum", parent, value), ((parent, value), []))[1].append((child, value))
    return sums


def _present(row: Ints) -> Iterable[int]:
    found: list[int] = np.flatnonzero(row).tolist()
    return found
