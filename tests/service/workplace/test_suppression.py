"""Small counts stay hidden: from who reads them, and from who computes with everything that is shown."""

import numpy as np
import pytest
from numpy.typing import NDArray

from service.observatory.cells import Series
from service.observatory.periods import Calendar
from service.observatory.suppression import Shown, hide_cells, hide_totals
from tests.service.workplace.attack import System

LEAST = 5
Ints = NDArray[np.int64]


def drawn(seed: int) -> tuple[Calendar, Ints, list[Ints]]:
    """A calendar, the totals of its nodes, and two tables of the same texts by two dimensions, drawn by a seed."""
    chance = np.random.default_rng(seed)
    months, texts = int(chance.integers(2, 7)), int(chance.integers(8, 170))
    calendar = Calendar(2026 * 12 - 3, 2026 * 12 - 4 + months)
    weeks = [period.first for period in calendar.of_kind("week")]
    week = chance.choice(weeks, size=texts, p=chance.dirichlet(np.ones(len(weeks)) * chance.choice([0.2, 1, 5])))

    def tree(mask: NDArray[np.bool_]) -> Ints:
        inside = [((week >= period.first) & (week <= period.last) & mask).sum() for period in calendar.periods]
        return np.array([mask.sum(), *inside], dtype=np.int64)

    tables = []
    for values in (4, 3):
        codes = chance.choice(values, size=texts, p=chance.dirichlet(np.ones(values)))
        tables.append(np.stack([tree(codes == value)[: calendar.month_nodes] for value in range(values)], axis=1))
    return calendar, tree(np.ones(texts, dtype=np.bool_)), tables


def attack(calendar: Calendar, totals: Ints, shown: Shown, tables: list[Ints], hidden: list[NDArray[np.bool_]]) -> list[object]:
    """The hidden counts, above 0, of which only one value fits everything that is shown."""
    system = System.empty()
    system.tree(calendar, "all", totals, shown.hidden)
    true: dict[object, int] = {("all", node): int(count) for node, count in enumerate(totals)}
    for number, (cells, covered) in enumerate(zip(tables, hidden, strict=True)):
        for value in range(cells.shape[1]):
            name = f"{number}.{value}"
            system.tree(calendar, name, cells[:, value], covered[:, value])
            true |= {(name, node): int(count) for node, count in enumerate(cells[:, value])}
        for node in range(calendar.month_nodes):
            parts: list[tuple[object, int, bool]] = [
                ((f"{number}.{value}", node), int(cells[node, value]), bool(covered[node, value]))
                for value in range(cells.shape[1])
            ]
            system.equation((("all", node), int(totals[node]), bool(shown.hidden[node])), parts)
    found: list[object] = []
    for unknown in system.names:
        low, high = system.range_of(unknown)
        assert low - 0.5 <= true[unknown] <= high + 0.5
        if true[unknown] and high - low < 0.5:
            found.append(unknown)
    return found


@pytest.mark.parametrize("seed", range(8))
def test_nothing_hidden_can_be_worked_out_from_all_that_is_shown(seed: int) -> None:
    calendar, totals, tables = drawn(seed)
    shown = hide_totals(calendar, totals, LEAST)
    hidden = [hide_cells(calendar, cells, shown, LEAST, additive=True) for cells in tables]
    assert shown.hidden[totals < LEAST].all()
    for cells, covered in zip(tables, hidden, strict=True):
        assert covered[cells < LEAST].all()
    assert attack(calendar, totals, shown, tables, hidden) == []


def test_the_attack_succeeds_where_only_small_counts_are_hidden() -> None:
    """Otherwise the test above would prove nothing."""
    broken = 0
    for seed in range(4):
        calendar, totals, tables = drawn(seed)
        naive = Shown(totals < LEAST, ())
        broken += len(attack(calendar, totals, naive, tables, [cells < LEAST for cells in tables]))
    assert broken > 10


def test_values_that_do_not_add_up_are_protected_over_time() -> None:
    calendar = Calendar(2026 * 12, 2026 * 12 + 2)
    nodes = [calendar.nodes[key] for key in ("2026", "2026-T1", "2026-01", "2026-02", "2026-03")]
    counts = np.zeros(calendar.month_nodes, dtype=np.int64)
    counts[[0, *nodes]] = [22, 22, 22, 2, 12, 8]
    shown = Shown(np.zeros(counts.size, dtype=np.bool_), ())
    hidden = hide_cells(calendar, counts.reshape(-1, 1), shown, LEAST, additive=False)[:, 0]
    # January is small; were it alone, the quarter less the other months would give it: March, the smallest, is hidden too.
    assert {period.key for node, period in enumerate(calendar.periods[: counts.size - 1], 1) if hidden[node]} == {
        "2026-01",
        "2026-03",
    }


def test_what_is_left_of_a_sum_is_no_small_count_either() -> None:
    calendar = Calendar(2026 * 12, 2026 * 12)
    totals = np.full(len(calendar.periods) + 1, 40, dtype=np.int64)
    cells = np.tile(np.array([[1, 2, 17, 20]]), (calendar.month_nodes, 1))
    hidden = hide_cells(calendar, cells, Shown(totals < LEAST, ()), LEAST, additive=True)
    assert hidden[0].tolist() == [True, True, True, False]


def test_a_sum_of_hidden_parts_says_no_more_than_its_parts() -> None:
    calendar = Calendar(2026 * 12, 2026 * 12 + 2)
    counts = np.zeros(len(calendar.periods) + 1, dtype=np.int64)
    for key, count in {"2026": 22, "2026-T1": 22, "2026-01": 2, "2026-02": 12, "2026-03": 8}.items():
        counts[calendar.nodes[key]] = count
    counts[0] = 22
    series = Series(counts, hide_totals(calendar, counts, LEAST).hidden)
    months = [calendar.nodes[key] for key in ("2026-01", "2026-02")]
    amount = series.amount(calendar, months)
    assert (amount.count, amount.exact) == (12, False)
    assert (series.amount(calendar, [0]).count, series.amount(calendar, [0]).exact) == (22, True)
