"""Formulas, turning marks and orders to a terminal: shown, never obeyed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from service.inert import FORMULA_SIGNS, MARK, in_order, in_order_json, printable, spreadsheet_cell
from service.pages import environment
from service.workplace.columns import guarded, unguarded

RLO, PDF, RLI, PDI = "\u202e", "\u202c", "\u2067", "\u2069"
SIGNS = st.text(st.sampled_from(["a", "'", RLO, RLI, PDI, PDF, "\x1b", "\x07", *FORMULA_SIGNS]), max_size=6)


@given(st.one_of(st.text(), SIGNS))
def test_no_cell_is_a_formula_and_guarded_ones_come_back(value: str) -> None:
    for cell in (spreadsheet_cell(value), guarded(value)):
        assert not cell.startswith(tuple(FORMULA_SIGNS))
    assert unguarded(guarded(value)) == value


@given(st.one_of(st.text(), SIGNS))
def test_turning_marks_are_shown_one_for_one(value: str) -> None:
    shown = in_order(value)
    assert len(shown) == len(value)
    assert len(shown.encode("utf-16", "surrogatepass")) == len(value.encode("utf-16", "surrogatepass"))
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    assert all(one == other or other == MARK for one, other in zip(value, shown, strict=True))


@given(st.dictionaries(SIGNS, SIGNS))
def test_json_says_the_same_without_turning(value: dict[str, str]) -> None:
    content = in_order_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(content) == value
    assert RLO not in content


@given(st.one_of(st.text(), SIGNS))
def test_a_terminal_is_given_nothing_to_obey(value: str) -> None:
    assert not {one for one in printable(value) if one < " " or "\x7f" <= one < "\xa0"} - {"\t", "\n"}


@pytest.mark.parametrize("value", [f"cancer{RLO}reicnac", Markup(f"<b>{RLI}x</b>")])
def test_pages_turn_nothing(value: str) -> None:
    shown = environment().from_string("<p>{{ value }}</p>").render(value=value)
    assert MARK in shown
    assert RLO not in shown
    assert RLI not in shown
    assert isinstance(value, Markup) == ("<b>" in shown)
