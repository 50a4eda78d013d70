"""How the first look is set: it never loses more than it may of the texts that it is set on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.firstlook import MOST_LOST, Loss, bounds, cascade, cuts, spared


@pytest.mark.parametrize(
    ("lost", "of", "upper"), [(0, 100, 0.02951), (1, 100, 0.04656), (3, 1000, 0.00774), (5, 5, 1.0), (0, 0, 1.0)]
)
def test_the_upper_bound_of_a_loss(lost: int, of: int, upper: float) -> None:
    # 0 of n: 1 - 0.05 ** (1 / n); the others from tables of the binomial law.
    assert Loss(lost, of).upper == pytest.approx(upper, abs=1e-5)


def test_what_is_lost_is_counted_by_level() -> None:
    found = bounds(np.asarray([True, False, True, True]), np.asarray([0, 2, 1, 3]))
    assert (found.flags, found.level_1, found.spared) == (Loss(1, 2), Loss(1, 1), 0.75)


@given(
    rows=st.lists(
        st.tuples(st.floats(-9, 9), st.floats(-9, 9), st.sampled_from([0, 0, 0, 1, 2, 3])),
        min_size=1,
        max_size=300,
    )
)
def test_no_more_is_lost_than_may_be(rows: list[tuple[float, float, int]]) -> None:
    scores = np.asarray([row[:2] for row in rows])
    level = np.asarray([row[2] for row in rows])
    # Two looks may see different things: here the second one sees the same in another order.
    early, late = cascade(scores, scores[:, ::-1], level)
    found = bounds(spared(scores, early) | spared(scores[:, ::-1], late), level)
    assert found.flags.lost <= MOST_LOST["flags"] * found.flags.of
    assert found.level_1.lost <= MOST_LOST["level_1"] * found.level_1.of


def test_where_scores_tell_the_levels_apart_everything_harmless_is_spared() -> None:
    level = np.repeat([0, 1, 2], 100)
    scores = np.column_stack([level * 3.0, level * 3.0])
    assert spared(scores, cuts(scores, level, 0, 0)).tolist() == (level == 0).tolist()


def test_a_second_look_spares_what_the_first_could_not_tell() -> None:
    level = np.repeat([0, 1, 2], 100)
    blind, seeing = np.zeros((300, 2)), np.column_stack([level * 3.0, level * 3.0])
    early, late = cascade(blind, seeing, level)
    assert not spared(blind, early).any()
    assert spared(seeing, late).tolist() == (level == 0).tolist()
