"""Each kind of context is found in the texts that hold it and left alone in those that only look like it."""

from pathlib import Path

import pytest

from model.context import CONTEXT_KINDS
from model.errors import CorpusError
from training.context_suite import CONTEXT_SUITE, load_context_cases, measure_context

CASES = load_context_cases()
#: Least recall and precision: one text of fifteen under what was measured.
FLOORS = {
    "negation": (0.8, 0.83),
    "condition": (0.73, 0.66),
    "question": (0.86, 0.78),
    "quotation": (0.73, 0.76),
    "reported_speech": (0.59, 0.79),
    "disclaimer": (0.59, 0.61),
    "facade_disclaimer": (0.33, 0.68),
    "warning": (0.53, 0.59),
    "satire": (0.06, 0.11),
    "testimony": (0.33, 0.53),
    "recognised_care": (0.86, 0.9),
    "person_at_risk": (0.8, 0.83),
}


def test_each_kind_has_its_own_annotated_texts_of_both_sorts() -> None:
    for kind in CONTEXT_KINDS:
        held = [bool(case.quotes) for case in CASES if case.kind == kind]
        assert sum(held) >= 30
        assert len(held) - sum(held) >= 20
    assert len({case.id for case in CASES}) == len(CASES)
    assert len({case.text for case in CASES}) == len(CASES)


@pytest.mark.parametrize("kind", CONTEXT_KINDS)
def test_a_kind_is_found_where_it_holds_and_seldom_elsewhere(kind: str) -> None:
    """On the half that the authors of the cues did not read; floors under what was measured, so that a loss shows."""
    line = next(line for line in measure_context(CASES) if line.kind == kind)
    recall, precision = FLOORS[kind]
    assert line.recall.value >= recall
    assert line.precision.value >= precision


def test_the_two_halves_part_the_cases() -> None:
    unread = measure_context(CASES)
    others = measure_context(CASES, lambda case: not case.unread)
    everything = measure_context(CASES, lambda _: True)
    for one, two, both in zip(unread, others, everything, strict=True):
        assert (one.recall.hits or 0) + (two.recall.hits or 0) == both.recall.hits


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "ligne 2"),
        ('{"id": "negation-001", "kind": "nègation", "text": "Non."}', "nègation"),
        ('{"id": "negation-001", "kind": "negation", "text": "Non.", "quotes": ["oui"]}', "une fois"),
        ('{"id": "negation", "kind": "negation", "text": "Non."}', "identifiant"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "context.jsonl"
    path.write_text(CONTEXT_SUITE.read_text(encoding="utf-8").splitlines()[0] + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=said):
        load_context_cases(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"rien\.jsonl"):
        load_context_cases(tmp_path / "rien.jsonl")
