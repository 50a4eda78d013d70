"""Cleaning keeps a way back to the raw text; sentences and windows lose nothing; hostile texts cost no more than others."""

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import TextError
from model.text import MAX_CHARACTERS, Span, check_text, clean, fold, sentences, windows, word_spans, words_of
from tests.timing import quickest

PIECES = [
    "Séance de reïki", "l’énergie", "cœur", "Œuvre", "45 €", "45\u202f€", "1\u00a0200\u00a0€",
    "e\u0301te\u0301", "A\u0300 bientôt", "👩‍👩‍👧‍👦", "🇫🇷", "👍🏽", "❤️", "🏳️‍🌈", "&eacute;", "&amp;",
    "&nbsp;", "&#233;", "&#xE9;", "&amp;eacute;", "&amp;lt;b&amp;gt;", "&lt;br&gt;", "&rsquo;", "<p>",
    "</p>", "<br/>", "<b>", "</b>", "<a href='https://exemple.example/?a=1&b=2'>", "</a>",
    "<!-- note -->", "<script>var a = '<p>';</script>", "soin\u200bdoux", "thé\u00adra\u00adpie",
    "\ufeff", "\u202eà l'envers\u202c", "\u2066isolé\u2069", "ﬁn", "½ heure", "№ 5", "Ⅳ", "①", "𝓰𝓾𝓮𝓻𝓲𝓻",
    "…", "« bonjour »", "“oui”", "—", "–", "\t", "\r\n", "\n", "\n\n", "\x0b", "\u2028", " ", "  ", "<",
    ">", "&", ";", "a\u0301\u0323", "\u0301", "\u3164", "\u2800", "!!!", "?", ".", ",", "3 < 5", "x<y",
]  # fmt: skip
any_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
mixed_text = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=4)), max_size=25).map("".join)
texts = st.one_of(mixed_text, any_text)
many = settings(max_examples=200, deadline=None)


@many
@given(raw=texts)
def test_every_clean_character_knows_an_ordered_place_inside_the_raw_text(raw: str) -> None:
    done = clean(raw)
    assert len(done.starts) == len(done.ends) == len(done.text)
    assert all(0 <= start < end <= len(raw) for start, end in zip(done.starts, done.ends, strict=True))
    assert list(done.starts) == sorted(done.starts)
    assert list(done.ends) == sorted(done.ends)


@many
@given(raw=texts, data=st.data())
def test_a_clean_range_goes_to_the_raw_text_and_comes_back_covering_itself(raw: str, data: st.DataObject) -> None:
    done = clean(raw)
    start = data.draw(st.integers(0, len(done.text)))
    end = data.draw(st.integers(start, len(done.text)))
    there = done.to_raw(Span(start, end))
    assert 0 <= there.start <= there.end <= len(raw)
    kept = [i for i in range(start, end) if not done.text[i].isspace()]
    if not kept:
        assert there.start == there.end
        return
    back = done.from_raw(there)
    assert back.start <= kept[0]
    assert back.end >= kept[-1] + 1
    assert done.to_raw(back) == there


@many
@given(raw=texts, data=st.data())
def test_a_raw_range_covers_exactly_the_clean_characters_that_it_touches(raw: str, data: st.DataObject) -> None:
    done = clean(raw)
    if not raw:
        return
    start = data.draw(st.integers(0, len(raw) - 1))
    end = data.draw(st.integers(start + 1, len(raw)))
    back = done.from_raw(Span(start, end))
    assert 0 <= back.start <= back.end <= len(done.text)
    touched = {i for i in range(len(done.text)) if done.starts[i] < end and done.ends[i] > start}
    assert set(range(back.start, back.end)) == touched


@many
@given(raw=texts)
def test_cleaning_a_clean_text_changes_nothing(raw: str) -> None:
    once = clean(raw).text
    assert clean(once).text == once


@many
@given(raw=texts)
def test_a_clean_text_holds_no_invisible_character_and_no_outer_or_double_space(raw: str) -> None:
    text = clean(raw).text
    assert text == text.strip(" \n")
    assert "  " not in text
    assert "\n\n" not in text
    kinds = {unicodedata.category(c) for c in text if c != "\n"}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert all(c in " \n" for c in text if c.isspace())


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param("e\u0301nergie", "énergie", id="decomposed-accent"),
        pytest.param("l’âme", "l'âme", id="typographic-apostrophe"),
        pytest.param("450\u00a0€ et 1\u202f200\u202f€", "450 € et 1 200 €", id="nbsp-and-thin-space"),
        pytest.param("gu&eacute;rir", "guérir", id="named-entity"),
        pytest.param("gu&#233;rir", "guérir", id="decimal-entity"),
        pytest.param("gu&#xE9;rir", "guérir", id="hexadecimal-entity"),
        pytest.param("gu&amp;eacute;rir", "guérir", id="entity-escaped-twice"),
        pytest.param("un &lt;b&gt;soin&lt;/b&gt; doux", "un soin doux", id="escaped-tag"),
        pytest.param("un &amp;lt;b&amp;gt;soin&amp;lt;/b&amp;gt; doux", "un soin doux", id="tag-escaped-twice"),
        pytest.param("Tisane &amp; miel", "Tisane & miel", id="ampersand"),
        pytest.param("un <b>soin</b> doux", "un soin doux", id="tag"),
        pytest.param("<p>Un.</p><p>Deux.</p>", "Un.\nDeux.", id="paragraphs"),
        pytest.param("avant<script>let soin = 'guérir';</script>après", "avant après", id="script"),
        pytest.param("avant<!-- guérir -->après", "avant après", id="comment"),
        pytest.param("gué\u200brir", "guérir", id="zero-width-space"),
        pytest.param("gué\u00adrir", "guérir", id="soft-hyphen"),
        pytest.param("\u202eguérir\u202c", "guérir", id="bidi-control"),
        pytest.param("cœur, Œdipe, naevus ex æquo", "coeur, OEdipe, naevus ex aequo", id="ligatures"),
        pytest.param("𝗴𝘂𝗲𝗿𝗶𝗿", "guerir", id="mathematical-letters"),
        pytest.param("psycho‑énergie – douce", "psycho-énergie - douce", id="hyphens"),
        pytest.param("5 < 7 et 9 > 8", "5 < 7 et 9 > 8", id="inequalities-are-not-tags"),
        pytest.param("Promo &agrave; 10 € & plus", "Promo à 10 € & plus", id="lone-ampersand"),
        pytest.param("&inconnue; reste", "&inconnue; reste", id="unknown-entity"),
        pytest.param("a\r\nb\rc\u2028d", "a\nb\nc\nd", id="line-breaks"),
    ],
)
def test_what_differs_only_in_bytes_reads_the_same(raw: str, expected: str) -> None:
    assert clean(raw).text == expected


@pytest.mark.parametrize(
    ("raw", "word", "expected"),
    [
        pytest.param("👩‍👩‍👧‍👦 La reikiste guérit", "guérit", "guérit", id="after-a-family-emoji"),
        pytest.param("🇫🇷🇧🇪 soin doux", "soin", "soin", id="after-flags"),
        pytest.param("il gue\u0301rit tout", "guérit", "gue\u0301rit", id="decomposed"),
        pytest.param("il gu&eacute;rit tout", "guérit", "gu&eacute;rit", id="entity"),
        pytest.param("il gu&amp;eacute;rit tout", "guérit", "gu&amp;eacute;rit", id="entity-escaped-twice"),
        pytest.param("<p><b>il</b> guérit</p>", "guérit", "guérit", id="after-tags"),
        pytest.param("il gué\u200brit tout", "guérit", "gué\u200brit", id="zero-width-inside"),
        pytest.param("un cœur guéri", "coeur", "cœur", id="ligature"),
        pytest.param("prix\u00a0:\u00a01\u202f200\u202f€ net", "1 200 €", "1\u202f200\u202f€", id="thin-spaces"),
    ],
)
def test_a_word_of_the_clean_text_is_found_again_as_it_was_written(raw: str, word: str, expected: str) -> None:
    done = clean(raw)
    start = done.text.index(word)
    there = done.to_raw(Span(start, start + len(word)))
    assert raw[there.start : there.end] == expected


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        pytest.param("", "empty_text", id="empty"),
        pytest.param(" \t\r\n\u00a0\u202f\u3000", "empty_text", id="blank"),
        pytest.param("\u200b\u200d\ufeff\u00ad\u2066\u2069", "empty_text", id="invisible"),
        pytest.param("a" * (MAX_CHARACTERS + 1), "too_long", id="too-long"),
        pytest.param("soin \ud800 doux", "invalid_text", id="lone-surrogate"),
        pytest.param("soin\x00doux et long texte de bien-être", "invalid_text", id="nul"),
        pytest.param("\x01\x02\x03\x04PNG\x1a\x07\x08", "invalid_text", id="binary"),
    ],
)
def test_a_text_that_cannot_be_read_is_refused_with_the_code_of_the_contract(raw: str, code: str) -> None:
    with pytest.raises(TextError) as caught:
        check_text(raw)
    assert caught.value.code == code
    assert caught.value.message


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param("a" * MAX_CHARACTERS, id="exactly-the-limit"),
        pytest.param("👍", id="one-emoji"),
        pytest.param("?", id="one-sign"),
        pytest.param("Bonjour\r\n\tà tous\u2028", id="line-breaks-and-tab"),
        pytest.param("Un texte ordinaire avec un seul caractère de contrôle \x07 au milieu.", id="one-control"),
    ],
)
def test_a_readable_text_is_let_through(raw: str) -> None:
    check_text(raw)


def test_the_limit_is_the_callers() -> None:
    check_text("a" * 30, limit=30)
    with pytest.raises(TextError, match="30") as caught:
        check_text("a" * 31, limit=30)
    assert caught.value.code == "too_long"


@many
@given(text=texts)
def test_folding_keeps_the_length(text: str) -> None:
    assert len(fold(text)) == len(text)


@pytest.mark.parametrize(
    ("text", "folded"), [("Éveil ÂME çà", "eveil ame ca"), ("İstanbul", "istanbul"), ("NAÏVETÉ", "naivete"), ("Ñandù", "nandu")]
)
def test_folding_lowers_and_drops_accents(text: str, folded: str) -> None:
    assert fold(text) == folded


@many
@given(raw=texts)
def test_sentences_are_ordered_disjoint_and_lose_no_word(raw: str) -> None:
    text = clean(raw).text
    units = sentences(text)
    assert all(0 <= unit.start < unit.end <= len(text) for unit in units)
    assert all(first.end <= second.start for first, second in pairwise(units))
    assert [word for unit in units for word in words_of(text[unit.start : unit.end])] == words_of(text)
    assert all(text[unit.start : unit.end].strip() == text[unit.start : unit.end] for unit in units)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(("mot " * 5000)[:20000].strip(), id="words-only"),
        pytest.param(", ".join(["guérir"] * 2500), id="commas"),
        pytest.param("un deux, trois : quatre - " * 750, id="clauses"),
        pytest.param("a " * 10000, id="letters"),
    ],
)
def test_a_text_without_full_stops_is_cut_into_bounded_units(text: str) -> None:
    text = clean(text).text
    units = sentences(text)
    assert max(len(words_of(text[unit.start : unit.end])) for unit in units) <= 45
    assert [word for unit in units for word in words_of(text[unit.start : unit.end])] == words_of(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Le Dr. Lebrun reçoit. Il écoute.", ["Le Dr. Lebrun reçoit.", "Il écoute."], id="doctor"),
        pytest.param("M. Petit et Mme. Grand viennent.", ["M. Petit et Mme. Grand viennent."], id="mister"),
        pytest.param("12 av. des Lilas. Sonnez.", ["12 av. des Lilas.", "Sonnez."], id="avenue"),
        pytest.param("Huiles (ex. lavande) et thés.", ["Huiles (ex. lavande) et thés."], id="example"),
        pytest.param("Séance 45.50 € env. une heure.", ["Séance 45.50 € env. une heure."], id="about-and-decimal"),
        pytest.param("Vraiment ?! Oui… Bon.", ["Vraiment ?!", "Oui…", "Bon."], id="marks"),
        pytest.param('Il dit "guéris." Puis part.', ['Il dit "guéris."', "Puis part."], id="quotation"),
        pytest.param("Un\nDeux\nTrois", ["Un", "Deux", "Trois"], id="lines"),
        pytest.param("Soins ; massages ; tarot", ["Soins ;", "massages ;", "tarot"], id="semicolons"),
        pytest.param("Voyez www.exemple.example pour tout.", ["Voyez www.exemple.example pour tout."], id="address"),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text: str, expected: list[str]) -> None:
    assert [text[unit.start : unit.end] for unit in sentences(text)] == expected


def test_list_items_are_sentences_of_their_own() -> None:
    text = "Je reçois pour • stress • sommeil • confiance"
    assert len(sentences(text)) == 4


def test_a_text_of_280_words_is_one_window_and_a_longer_one_several() -> None:
    sentence = "un deux trois quatre cinq six sept huit neuf dix."
    short = " ".join([sentence] * 28)
    assert windows(short, sentences(short)) == [Span(0, len(short))]
    long = " ".join([sentence] * 29)
    assert len(windows(long, sentences(long))) > 1


@settings(max_examples=100, deadline=None)
@given(lengths=st.lists(st.integers(1, 45), min_size=1, max_size=60))
def test_windows_cover_every_unit_in_order_and_stay_bounded(lengths: list[int]) -> None:
    text = "\n".join(" ".join(["mot"] * length) + "." for length in lengths)
    units = sentences(text)
    found = windows(text, units)
    for unit in units:
        assert any(window.start <= unit.start and unit.end <= window.end for window in found)
    starts, ends = {unit.start for unit in units}, {unit.end for unit in units}
    assert all(window.start in starts and window.end in ends for window in found)
    assert all(one.start < other.start and one.end < other.end for one, other in pairwise(found))
    if sum(lengths) <= 280:
        assert found == [Span(units[0].start, units[-1].end)]
    else:
        assert all(len(words_of(text[window.start : window.end])) <= 160 for window in found)


def test_a_text_without_words_still_has_a_window() -> None:
    assert windows("👍", sentences("👍")) == [Span(0, 1)]


@many
@given(text=texts)
def test_words_and_their_places_agree(text: str) -> None:
    assert [text[span.start : span.end] for span in word_spans(text)] == words_of(text)


HOSTILE = {
    "less-than": "<" * 20_000,
    "ampersand": "&" * 20_000,
    "decomposed": "a\u0301" * 10_000,
    "marks-on-one-letter": "a" + "\u0301" * 19_999,
    "full-stops": ". " * 10_000,
    "commas": ", " * 10_000,
    "open-scripts": "<script>" * 2_500,
    "open-comments": "<!--" * 5_000,
    "open-styles": "<style>a" * 2_500,
    "open-paragraphs": "<p " * 6_666,
    "open-links": "<a href=" * 2_500,
    "escaped-ampersands": "&amp;" * 4_000,
    "half-entities": "&#x" * 6_666,
    "brackets": ")" * 20_000,
    "line-breaks": "\n " * 10_000,
    "zero-width": "\u200b" * 20_000,
    "bullets": " •" * 10_000,
    "one-word": "a" * 20_000,
    "words": "mot " * 5_000,
}


@pytest.mark.parametrize("raw", [pytest.param(raw, id=name) for name, raw in HOSTILE.items()])
def test_a_hostile_text_takes_no_longer_than_another(raw: str) -> None:
    def work() -> None:
        text = clean(raw).text
        windows(text, sentences(text))

    assert quickest(work, 2) < 2


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param("Lætitia, œuvre, Straße", "Laetitia, oeuvre, Strasse", id="ligatures-inside-a-word"),
        pytest.param("l’été `ou´ non", "l'été 'ou' non", id="apostrophes"),
        pytest.param("gue\u0301ri par l'eau", "guéri par l'eau", id="decomposed-after-a-run"),
        pytest.param("soins  &  bien-être<br>ici", "soins & bien-être\nici", id="markup-between-runs"),
        pytest.param("²½ ﬁn", "21⁄2 fin", id="compatibility-letters"),
    ],
)
def test_what_cleaning_changes_is_changed_inside_a_run_of_plain_words(raw: str, expected: str) -> None:
    cleaned = clean(raw)
    assert cleaned.text == expected
    assert len(cleaned.starts) == len(cleaned.ends) == len(cleaned.text)
