"""Broad wordings: each row matches its example and not its near-miss, slots and anchors work, bad tables are named."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import regex
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model import wordings
from model.context import CONTEXT_KINDS, cue_finder, foldable
from model.errors import TableError
from model.labels import INDICATOR_IDS, STANCE_IDS
from model.needs import needs_of
from model.screen import Screen, spans
from model.screen import read as read_text
from model.signals import find_signals, signal_finder
from model.text import clean
from model.wordings import WordingFinder, read_wordings
from tests.timing import quickest

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


SENTENCES = sorted({sentence for _, row in ROWS for sentence in (row.example, row.counter)})
# Ways to write a pattern from which it is hard to tell what a match needs.
TRICKY = [
    r"\b(?:a|l'|)(?:ne|ni)?ame\b",
    r"(?<!\w)(?:la |le )?\w+ (?:cure|soin)s?(?!\w)",
    r"(?:^|[.!?] ?)(?:ne )?cure",
    r"\d{2,3} ?(?:€|euros?)",
    r"(?:cure|soin)(?:[ ,]+\w+){0,2}?[ ,]*\b(?:ame|ne)",
    r"(?<=(?:la|le) )cure|soin(?= ame)",
    r"(?>ne|n')\w*+ame|[al]me",
    r"(?P<x>la|le) \w+ (?P=x)",
    r"\w*(?:cure)?",
    r"(?:{care}|{soul})(?: \w+)? {soul}|l'{care}",
]
SLOTS = {"care": ["cure", "soin", "cure d'ame"], "soul": ["ame", "ames", "l'ame"]}
BITS = [
    "la",
    "le",
    "l'",
    "ne",
    "n'",
    "ame",
    "ames",
    "cure",
    "soin",
    "cures",
    "d'ame",
    "10",
    "150",
    "€",
    "euros",
    ".",
    ",",
    "é",
    "٣",
    "-",
]


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
    assert quickest(lambda: (signal_finder().find(text), cue_finder().find(text)), 20) < 20


def every_hit(finder: WordingFinder, text: str) -> list[tuple[str, int, int]]:
    """What trying every wording on a text finds: the slow way, with no regard to what a match needs."""
    hits = [
        (row.id, *match.span())
        for number, row in enumerate(finder.wordings)
        if any(anchor in text for anchor in row.anchors)
        if not any(regex.search(pattern, text) for pattern in row.absent)
        for match in finder._pattern(number).finditer(text)
        if match.end() > match.start()
    ]
    return sorted(hits, key=lambda hit: (hit[1], hit[2], hit[0]))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    sentences=st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=6),
    between=st.sampled_from([" ", "\n", " ; ", "", "... ", " « "]),
    cut=st.integers(0, 30),
)
def test_nothing_is_missed_for_being_fast(sentences: list[str], between: str, cut: int) -> None:
    text = read(between.join(sentences)[cut:])
    for finder in (signal_finder(), cue_finder()):
        assert [(hit.id, hit.span.start, hit.span.end) for hit in finder.find(text)] == every_hit(finder, text)


def test_a_new_finder_finds_the_same_at_first_and_in_many_threads() -> None:
    rows = signal_finder().wordings[::8]
    texts = [read(f"{row.example} {other.counter}") for row, other in itertools.pairwise(rows)]
    known, finder = WordingFinder(rows), WordingFinder(rows)
    expected = [every_hit(known, text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(finder.find, texts * 2))
    assert [[(hit.id, hit.span.start, hit.span.end) for hit in hits] for hits in found] == expected * 2


@pytest.mark.parametrize("pattern", TRICKY)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    words=st.lists(st.sampled_from(BITS), max_size=8),
    between=st.lists(st.sampled_from([" ", "", "  ", ", "]), min_size=8, max_size=8),
)
def test_what_a_match_needs_is_never_asked_in_vain(pattern: str, words: list[str], between: list[str]) -> None:
    text = "".join(word + gap for word, gap in zip(words, between, strict=False))
    slots = {name: own for name, own in SLOTS.items() if f"{{{name}}}" in pattern}
    compiled = wordings._compiled(wordings.Wording("x", "y", "", ("",), pattern, slots, "", ""))
    passing = Screen([needs_of(pattern, slots)]).passing(read_text(text)).places
    found = spans(compiled, text, passing[0]) if 0 in passing else []
    assert found == [match.span() for match in compiled.finditer(text) if match.group()]


def test_a_pattern_that_cannot_be_read_is_tried_everywhere() -> None:
    assert needs_of(r"\p{L}+e\b", {}).anywhere
    assert not needs_of(r"\p{L}+e\b", {}).groups
    assert regex.findall(r"\p{L}+e\b", "une ame") == ["une", "ame"]


@pytest.mark.parametrize("anchor", ["€", "n'", "tri", "d'energie", "la sla"])
def test_anchors_are_held_to_the_letter(anchor: str) -> None:
    row = wordings.Wording("x", "y", "", (anchor,), r"\bsoin", {}, "", "")
    assert [hit.id for hit in WordingFinder([row]).find(f"un soin {anchor}")] == ["x"]
    assert not WordingFinder([row]).find("un soin d energie la-sla n tr")


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
