"""Small counts stay hidden: from who reads them, and from who computes with everything that is shown."""

import numpy as np
import pytest
from numpy.typing import NDArray

from service.observatory.cells import Counted, Series, count
from service.observatory.deduction import deducible
from service.observatory.periods import Calendar
from service.observatory.rows import Dimension, Rows
from service.observatory.safe import count_safely
from service.observatory.suppression import Shown, hide_cells, hide_totals
from tests.service.workplace.attack import Count, System, system_of

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
    """The hidden counts, above 0, of which only one value fits everything that is shown of one measure."""
    system = System()
    system.tree(calendar, "all", totals, shown.hidden)
    for number, (cells, covered) in enumerate(zip(tables, hidden, strict=True)):
        for value in range(cells.shape[1]):
            system.tree(calendar, f"{number}.{value}", cells[:, value], covered[:, value])
        for node in range(calendar.month_nodes):
            parts: list[Count] = [
                ((f"{number}.{value}", node), int(cells[node, value]), bool(covered[node, value]))
                for value in range(cells.shape[1])
            ]
            system.equation((("all", node), int(totals[node]), bool(shown.hidden[node])), parts)
    return system.known()


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
    for key, texts in {"2026": 22, "2026-T1": 22, "2026-01": 2, "2026-02": 12, "2026-03": 8}.items():
        counts[calendar.nodes[key]] = texts
    counts[0] = 22
    series = Series(counts, hide_totals(calendar, counts, LEAST).hidden)
    months = [calendar.nodes[key] for key in ("2026-01", "2026-02")]
    amount = series.amount(calendar, months)
    assert (amount.count, amount.exact) == (12, False)
    assert (series.amount(calendar, [0]).count, series.amount(calendar, [0]).exact) == (22, True)


def drawn_rows(seed: int) -> tuple[Rows, Calendar]:
    """Texts with levels and decisions, two dimensions and practices, drawn by a seed; often all read, or all flagged."""
    chance = np.random.default_rng(seed)
    months, texts = int(chance.integers(2, 6)), int(chance.integers(20, 220))
    calendar = Calendar(2026 * 12 - 3, 2026 * 12 - 4 + months)
    weeks = [period.first for period in calendar.of_kind("week")]
    week = chance.choice(weeks, size=texts, p=chance.dirichlet(np.ones(len(weeks)) * chance.choice([0.2, 1, 5])))
    week[:2] = weeks[0], weeks[-1]
    level = chance.choice(4, size=texts, p=chance.dirichlet(np.ones(4) * chance.choice([0.3, 1, 3])))
    if chance.random() > 0.7:
        level[chance.random(texts) < 0.1] = -1
    read_by_people = chance.random(texts) < chance.choice([0.1, 0.4, 1])
    decided = np.where(read_by_people, np.clip(level + chance.integers(-1, 2, texts), 0, 3), -1)
    dimensions = []
    for name, values in (("theme", 4), ("channel", 3)):
        codes = chance.choice(values, size=texts, p=chance.dirichlet(np.ones(values))).astype(np.int64)
        dimensions.append(Dimension(name, name, tuple((f"{name}{code}", "") for code in range(values)), codes))
    named = chance.random((texts, 3)) < chance.random(3) * chance.choice([0.5, 1])
    rows, codes = np.nonzero(named)
    dimensions.append(Dimension("practice", "", tuple((f"p{code}", "") for code in range(3)), codes, rows))
    each = np.arange(texts)
    return Rows(week.astype(np.int64), level, decided, each, each, each, tuple(dimensions), 0), calendar


#: Seeds where counts that each measure hides are caught between those that others show.
CAUGHT = (0, 8, 49, 80, 90, 135)


@pytest.mark.parametrize("seed", [*CAUGHT, 2, 10])
def test_nothing_hidden_can_be_worked_out_from_measures_that_hold_each_other(seed: int) -> None:
    rows, calendar = drawn_rows(seed)
    counted, forced = count_safely(rows, calendar, "texts", LEAST)
    assert system_of(counted, calendar).known() == []
    for measure, series in counted.totals.items():
        assert series.hidden[series.counts < LEAST].all(), measure
    for table in counted.tables:
        for measure, cells in table.counts.items():
            assert table.hidden[measure][cells < LEAST].all(), measure
    # What is hidden besides is little: the price of a few counts, not of the tables.
    alone = count(rows, calendar, "texts", LEAST)
    assert hidden_in(counted) - hidden_in(alone) <= 20
    # Counted anew with what was found to hide: the same.
    again, _ = count_safely(rows, calendar, "texts", LEAST, forced)
    assert hidden_in(again) == hidden_in(counted)


def hidden_in(counted: Counted) -> int:
    totals = sum(int(series.hidden.sum()) for series in counted.totals.values())
    return totals + sum(int(hidden.sum()) for table in counted.tables for hidden in table.hidden.values())


def test_each_measure_by_itself_would_tell_some_counts() -> None:
    """Otherwise the test above would prove nothing; and what the program finds, the attack finds."""
    for seed in CAUGHT[:3]:
        rows, calendar = drawn_rows(seed)
        alone = count(rows, calendar, "texts", LEAST)
        found = {(f"{measure}/{id}/{value if id else ''}", node) for measure, id, node, value in deducible(alone, calendar)}
        assert found == set(system_of(alone, calendar).known()) != set()
