"""Broad wordings: each row matches its example and not its near-miss, slots and anchors work, bad tables are named."""

import time
from pathlib import Path

import pytest

from model import wordings
from model.context import CONTEXT_KINDS, cue_finder, foldable
from model.errors import TableError
from model.labels import INDICATOR_IDS, STANCE_IDS
from model.signals import find_signals, signal_finder
from model.text import clean
from model.wordings import WordingFinder, read_wordings

ROWS = [*(("signal", row) for row in signal_finder().wordings), *(("cue", row) for row in cue_finder().wordings)]
EVERY = [pytest.param(kind, row, id=f"{kind}-{row.id}") for kind, row in ROWS]
ROW = """
[[signal]]
id = "un"
label = "miracle_cure"
strength = "sure"
anchors = ["dispar"]
pattern = '''{illness} (?:a|ont) disparu'''
example = "Son eczéma a disparu."
counter = "Son chat a disparu."
"""


def read(text: str) -> str:
    """A sentence as patterns see it."""
    return foldable(clean(text).text)


@pytest.mark.parametrize(("kind", "row"), EVERY)
def test_the_example_is_found_and_the_near_miss_is_not(kind: str, row: wordings.Wording) -> None:
    finder = signal_finder() if kind == "signal" else cue_finder()
    assert row.id in {hit.id for hit in finder.find(read(row.example))}
    assert row.id not in {hit.id for hit in finder.find(read(row.counter))}


def test_every_indicator_and_stance_has_signals() -> None:
    assert {row.label for row in signal_finder().wordings} == {*INDICATOR_IDS, *STANCE_IDS}
    assert {row.label for row in cue_finder().wordings} <= set(CONTEXT_KINDS)


def test_hits_lie_where_the_words_stand() -> None:
    text = read("On m'avait prévenue. Depuis, son eczéma a complètement disparu, je n'en reviens pas.")
    hit = next(hit for hit in find_signals(text) if hit.label == "miracle_cure")
    assert "disparu" in text[hit.span.start : hit.span.end]


@pytest.mark.parametrize("word", ["gueri ", "arretez le ", "energie ", "a", " ", "cancer du ", "« "])
def test_no_text_makes_the_search_slow(word: str) -> None:
    text = (word * 20_000)[:20_000]
    signal_finder().find(text[:200]), cue_finder().find(text[:200])
    started = time.process_time()
    signal_finder().find(text)
    cue_finder().find(text)
    assert time.process_time() - started < 20


def table(folder: Path, monkeypatch: pytest.MonkeyPatch, content: str) -> str:
    """A table file that the reader finds."""
    (folder / "data").mkdir()
    (folder / "data" / "essai.toml").write_text(content, encoding="utf-8")
    monkeypatch.setattr("model.wordings.resources.files", lambda _: folder)
    return "essai.toml"


def test_a_table_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wordings.shared_slots()
    name = table(tmp_path, monkeypatch, ROW)
    finder = WordingFinder(read_wordings(name, "signal", INDICATOR_IDS, ("sure", "hint")))
    assert [hit.id for hit in finder.find("sa fibromyalgie a disparu, son chat a disparu")] == ["un"]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('label = "miracle_cure"', 'label = "cure"', "cure"),
        ('strength = "sure"', 'strength = "forte"', "forte"),
        ('anchors = ["dispar"]', "anchors = []", "ancre"),
        ("{illness}", "{ilness}", "ilness"),
        ('counter = "Son chat a disparu."', "", "counter"),
        ("[[signal]]", "[[signal", "illisible"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str, after: str, said: str) -> None:
    wordings.shared_slots()
    name = table(tmp_path, monkeypatch, ROW.replace(before, after))
    with pytest.raises(TableError, match=said):
        read_wordings(name, "signal", INDICATOR_IDS, ("sure", "hint"))


def test_an_unreadable_pattern_and_a_double_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wordings.shared_slots()
    name = table(tmp_path, monkeypatch, ROW.replace("(?:a|ont)", "(?:a|ont"))
    rows = read_wordings(name, "signal", INDICATOR_IDS, ("sure", "hint"))
    with pytest.raises(TableError, match="un"):
        WordingFinder(rows).find("a disparu")
    with pytest.raises(TableError, match="deux fois"):
        WordingFinder(rows * 2)
