"""Phrases are found whatever their accents, case, hyphens or plural; the longest one wins, each where it stands."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.phrases import PhraseFinder, tokenize
from model.text import clean
from tests.timing import quickest


def found_in(text: str, *phrases: str) -> list[str]:
    """The pieces of a text that a finder of these phrases shows."""
    finder = PhraseFinder(("table", phrase, phrase) for phrase in phrases)
    read = clean(text).text
    return [read[hit.span.start : hit.span.end] for hit in finder.find(tokenize(read))]


@pytest.mark.parametrize(
    ("text", "phrase", "expected"),
    [
        pytest.param("Une séance de reiki.", "reïki", ["reiki"], id="accent-missing-in-text"),
        pytest.param("Une séance de Reïki.", "reiki", ["Reïki"], id="accent-missing-in-phrase"),
        pytest.param("SEANCE DE REIKI", "séance de reïki", ["SEANCE DE REIKI"], id="capitals"),
        pytest.param("re\u0301flexologie", "réflexologie", ["réflexologie"], id="decomposed"),
        pytest.param("coupeur-de-feu", "coupeur de feu", ["coupeur-de-feu"], id="hyphens-in-text"),
        pytest.param("burn out", "burn-out", ["burn out"], id="hyphen-missing-in-text"),
        pytest.param("burn‑out", "burn-out", ["burn-out"], id="non-breaking-hyphen"),
        pytest.param("cure d’eau", "cure d'eau", ["cure d'eau"], id="typographic-apostrophe"),
        pytest.param("un œdème", "oedème", ["oedème"], id="ligature"),
        pytest.param("deux jeûnes secs", "jeûne sec", ["jeûnes secs"], id="plural-of-every-word"),
        pytest.param("des bijoux", "bijou", ["bijoux"], id="plural-in-x"),
        pytest.param("un jeûne-sec, puis un jeûne", "jeûne", ["jeûne", "jeûne"], id="twice"),
        pytest.param("coupeur\nde   feu", "coupeur de feu", ["coupeur\nde feu"], id="across-a-line-break"),
        pytest.param("100 % naturel", "100 %", ["100 %"], id="per-cent"),
        pytest.param("méditations guidées", "méditat* guid*", ["méditations guidées"], id="stars"),
        pytest.param("Guérisseuse", "guéri*", ["Guérisseuse"], id="any-ending"),
        pytest.param("le reikiste", "reiki", [], id="part-of-a-word"),
        pytest.param("coupeur sans feu", "coupeur de feu", [], id="another-word-between"),
        pytest.param("coupeur de", "coupeur de feu", [], id="cut-short"),
        pytest.param("", "reiki", [], id="empty"),
        pytest.param("👍 !!!", "reiki", [], id="no-word"),
    ],
)
def test_a_phrase_is_found_as_people_write_it(text: str, phrase: str, expected: list[str]) -> None:
    assert found_in(text, phrase) == expected


@pytest.mark.parametrize(
    ("text", "phrases", "expected"),
    [
        pytest.param("cancer du sein", ["cancer", "cancer du sein", "sein"], ["cancer du sein"], id="longest-wins"),
        pytest.param("cancer du foie", ["cancer", "cancer du sein"], ["cancer"], id="shorter-when-the-longer-fails"),
        pytest.param("médecin naturopathe", ["médecin", "naturopathe"], ["médecin", "naturopathe"], id="side-by-side"),
        pytest.param("a b c", ["a b", "b c"], ["a b"], id="no-overlap-in-one-table"),
    ],
)
def test_hits_of_one_table_are_the_longest_and_never_overlap(text: str, phrases: list[str], expected: list[str]) -> None:
    assert found_in(text, *phrases) == expected


def test_tables_do_not_hide_each_other() -> None:
    finder = PhraseFinder([("title", "magnetiseur", "magnétiseur"), ("practice", "magnetisme", "magnétiseur")])
    hits = finder.find(tokenize("le magnétiseur"))
    assert {(hit.table, hit.entry) for hit in hits} == {("title", "magnetiseur"), ("practice", "magnetisme")}


@pytest.mark.parametrize("phrase", ["", "  ", "!!!", "-", "<b>"])
def test_a_phrase_without_a_word_is_refused_by_name(phrase: str) -> None:
    with pytest.raises(ValueError, match="soins-doux"):
        PhraseFinder([("practice", "soins-doux", phrase)])


@settings(max_examples=150, deadline=None)
@given(
    before=st.lists(st.sampled_from(["le", "soin", "doux", "cancer", "et"]), max_size=6),
    after=st.lists(st.sampled_from(["du", "sein", "enfin", "feu"]), max_size=6),
)
def test_a_hit_names_its_tokens_and_its_place(before: list[str], after: list[str]) -> None:
    text = " ".join([*before, "coupeurs de feu", *after])
    tokens = tokenize(text)
    finder = PhraseFinder([("p", "coupeur", "coupeur de feu"), ("c", "cancer", "cancer"), ("c", "sein", "cancer du sein")])
    hits = finder.find(tokens)
    assert [hit for hit in hits if hit.entry == "coupeur"]
    for hit in hits:
        assert 0 <= hit.first < hit.after <= len(tokens)
        assert (hit.span.start, hit.span.end) == (tokens[hit.first].span.start, tokens[hit.after - 1].span.end)
    assert [hit.first for hit in hits] == sorted(hit.first for hit in hits)
    for table in ("p", "c"):
        own = [hit for hit in hits if hit.table == table]
        assert all(one.after <= other.first for one, other in pairwise(own))


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=80))
def test_tokens_are_folded_words_in_order(text: str) -> None:
    read = clean(text).text
    tokens = tokenize(read)
    assert all(0 <= token.span.start < token.span.end <= len(read) for token in tokens)
    assert all(len(token.text) == token.span.end - token.span.start for token in tokens)
    assert [token.span.start for token in tokens] == sorted(token.span.start for token in tokens)


def test_the_cost_is_that_of_the_text_not_of_the_table() -> None:
    finder = PhraseFinder(("table", f"e{i}", f"mot{i} soin doux") for i in range(5_000))
    tokens = tokenize("mot soin doux " * 5_000)
    assert finder.find(tokens) == []
    assert quickest(lambda: finder.find(tokens), 1) < 1


@settings(max_examples=100, deadline=None)
@given(
    phrases=st.lists(st.sampled_from(["cancer", "cancer du sein", "sein", "du", "guer*", "guer* du", "s*", "soin"]), unique=True),
    words=st.lists(st.sampled_from(["cancer", "cancers", "du", "sein", "seins", "guerir", "guer", "s", "soins"]), max_size=8),
)
def test_the_longest_phrase_is_found_at_each_place_each_time(phrases: list[str], words: list[str]) -> None:
    def same(token: str, word: str) -> bool:
        return token.startswith(word[:-1]) if word.endswith("*") else token in {word, f"{word}s", f"{word}x"}

    expected, after = [], 0
    for place in range(len(words)):
        here = [phrase.split() for phrase in phrases]
        sizes = [len(one) for one in here if len(words) >= place + len(one) and all(map(same, words[place:], one))]
        if sizes and place >= after:
            after = place + max(sizes)
            expected.append((place, after))
    finder = PhraseFinder(("table", phrase, phrase) for phrase in phrases)
    for _ in range(2):
        assert [(hit.first, hit.after) for hit in finder.find(tokenize(" ".join(words)))] == expected
