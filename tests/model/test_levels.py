"""The level is section 3 of the annotation guide and nothing else: checked on every set of indicators and targets."""

from itertools import combinations

import pytest

from model.labels import INDICATOR_IDS, STANCE_IDS, TARGET_IDS
from model.levels import GRAVE, IMMEDIATE, LEVEL_RULES, WEAK, level_of

INDICATOR_SETS = [frozenset(chosen) for size in range(13) for chosen in combinations(INDICATOR_IDS, size)]
TARGET_SETS = [frozenset(chosen) for size in range(4) for chosen in combinations(TARGET_IDS, size)]


def guide(found: frozenset[str], targets: frozenset[str]) -> int:
    """Section 3 of the guide, line by line, for a text that promotes."""
    if "breaking_with_medicine" in found or "physical_danger" in found:
        return 3
    if "miracle_cure" in found and ("serious_illness" in targets or "minor" in targets):
        return 3
    for grave in (
        "miracle_cure",
        "medicine_disparagement",
        "undue_influence",
        "isolation",
        "financial_pressure",
        "vulnerable_target",
    ):
        if grave in found:
            return 2
    weak = sum(sign in found for sign in ("mystical_discourse", "pseudo_science", "unrecognised_training", "misleading_title"))
    if weak >= 3:
        return 2
    if weak and ("illness" in targets or "serious_illness" in targets):
        return 2
    return 1 if weak else 0


def test_every_set_of_indicators_and_targets_has_the_level_of_the_guide() -> None:
    assert len(INDICATOR_SETS) == 4096
    assert len(TARGET_SETS) == 8
    wrong = [
        (sorted(found), sorted(targets))
        for found in INDICATOR_SETS
        for targets in TARGET_SETS
        if level_of("promotes", found, targets).value != guide(found, targets)
    ]
    assert wrong == []


def test_reasons_are_among_what_was_given_and_there_are_some_unless_the_level_is_0() -> None:
    for found in INDICATOR_SETS:
        for targets in TARGET_SETS:
            level = level_of("promotes", found, targets)
            assert set(level.reasons) <= found | targets
            assert bool(level.reasons) == (level.value > 0)
            assert list(level.reasons) == sorted(set(level.reasons))


def test_the_reasons_alone_give_the_same_level() -> None:
    for found in INDICATOR_SETS:
        for targets in TARGET_SETS:
            level = level_of("promotes", found, targets)
            reasons = set(level.reasons)
            again = level_of("promotes", reasons & set(INDICATOR_IDS), reasons & set(TARGET_IDS))
            assert again.value == level.value


def test_one_more_indicator_or_target_never_lowers_the_level() -> None:
    levels = {(found, targets): guide(found, targets) for found in INDICATOR_SETS for targets in TARGET_SETS}
    given = {key: level_of("promotes", *key).value for key in levels}
    for (found, targets), value in given.items():
        assert all(given[found | {more}, targets] >= value for more in INDICATOR_IDS)
        assert all(given[found, targets | {more}] >= value for more in TARGET_IDS)


@pytest.mark.parametrize("stance", [stance for stance in STANCE_IDS if stance != "promotes"])
def test_who_does_not_promote_has_level_0_without_reasons(stance: str) -> None:
    for found in INDICATOR_SETS:
        level = level_of(stance, found, TARGET_IDS)
        assert (level.value, level.reasons) == (0, ())


def test_order_and_repetition_of_the_input_do_not_matter() -> None:
    one = level_of("promotes", ["miracle_cure", "pseudo_science", "miracle_cure"], ["illness", "minor"])
    other = level_of("promotes", ("pseudo_science", "miracle_cure"), ("minor", "illness", "illness"))
    assert one == other


def test_every_indicator_weighs_somewhere_and_only_once() -> None:
    assert set(INDICATOR_IDS) == WEAK | GRAVE | IMMEDIATE
    assert len(WEAK) + len(GRAVE) + len(IMMEDIATE) == len(INDICATOR_IDS)


@pytest.mark.parametrize(
    ("found", "targets", "value", "reasons"),
    [
        pytest.param([], ["serious_illness", "minor"], 0, [], id="a-prudent-offer"),
        pytest.param(["mystical_discourse"], [], 1, ["mystical_discourse"], id="a-prudent-energy-healer"),
        pytest.param(["mystical_discourse"], ["illness"], 2, ["illness", "mystical_discourse"], id="weak-with-an-illness"),
        pytest.param(["mystical_discourse"], ["minor"], 1, ["mystical_discourse"], id="weak-with-a-child"),
        pytest.param(["miracle_cure"], ["illness"], 2, ["miracle_cure"], id="cure-of-an-illness"),
        pytest.param(
            ["miracle_cure"], ["illness", "serious_illness"], 3, ["miracle_cure", "serious_illness"], id="cure-of-cancer"
        ),
        pytest.param(["miracle_cure"], ["minor"], 3, ["minor", "miracle_cure"], id="cure-of-a-child"),
        pytest.param(["breaking_with_medicine"], [], 3, ["breaking_with_medicine"], id="break"),
        pytest.param(["physical_danger", "isolation"], [], 3, ["physical_danger"], id="danger"),
    ],
)
def test_examples_that_people_know(found: list[str], targets: list[str], value: int, reasons: list[str]) -> None:
    level = level_of("promotes", found, targets)
    assert level.value == value
    assert set(reasons) <= set(level.reasons)


def test_every_rule_says_in_french_what_it_stands_for() -> None:
    assert sorted(rule.level for rule in LEVEL_RULES) == [1, 2, 2, 2, 3, 3, 3]
    assert all(rule.meaning for rule in LEVEL_RULES)
