"""Evasive and careless writing reads like the word it hides; what is not hidden stays; passages keep their place."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from model.document import read_document
from model.evasion import undo
from model.text import Span, clean
from model.words import meant, readable, vocabulary
from tests.model.test_text import PIECES
from tests.timing import quickest


def read(raw: str) -> str:
    """The text as the model reads it."""
    return undo(clean(raw))[0].text


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param("un c a n c e r avancé", "un cancer avancé", id="spaced"),
        pytest.param("un c.a.n.c.e.r avancé", "un cancer avancé", id="dotted"),
        pytest.param("un c-a-n-c-e-r avancé", "un cancer avancé", id="hyphens"),
        pytest.param("un c . a . n . c . e . r avancé", "un cancer avancé", id="dots-and-spaces"),
        pytest.param("C A N C E R", "CANCER", id="spaced-capitals"),
        pytest.param("c a n c e r   d u   s e i n", "cancer du sein", id="spaced-words"),
        pytest.param("il y a c a n c e r", "il y a cancer", id="letters-that-are-words-before"),
        pytest.param("mon T.D.A.H va mieux", "mon TDAH va mieux", id="dotted-acronym-of-the-tables"),
        pytest.param("le c*ncer, g_érir", "le cancer, guérir", id="masked"),
        pytest.param("le c**cer", "le cancer", id="two-stars"),
        pytest.param("le v@ccin, vacc1n, VACC1N", "le vaccin, vaccin, VACCIN", id="leet"),
        pytest.param("ch1m10 pour gu3rir", "chimio pour guérir", id="leet-digits"),
        pytest.param("4utisme et 0bésité", "autisme et obésité", id="leet-at-the-start"),
        pytest.param("l'h0méopathie", "l'homéopathie", id="leet-after-an-elision"),
        pytest.param("can🌿cer, ca•ncer, c🌿ncer", "cancer, cancer, cancer", id="emoji"),
        pytest.param("can❤️cer", "cancer", id="emoji-with-its-selector"),
        pytest.param("c̶a̶n̶c̶e̶r̶, can̶cer", "cancer̶, cancer", id="struck-out"),
        pytest.param("tou·te·s les accompagnant·e·s", "toutes les accompagnantes", id="inclusive"),
        pytest.param("can<b>cer</b>", "cancer", id="tag"),
        pytest.param("<i>can</i><b>cer</b>", "cancer", id="tags-side-by-side"),
        pytest.param("can<!-- bloc -->cer", "cancer", id="comment"),
        pytest.param("can&lt;b&gt;cer", "cancer", id="escaped-tag"),
        pytest.param("can<br>cer", "can\ncer", id="block-tag"),
        pytest.param("il est guériiiir", "il est guérir", id="lengthened"),
        pytest.param("un саncеr", "un cancer", id="cyrillic-letters"),
        pytest.param("un ᴄᴀɴᴄᴇʀ", "un cancer", id="small-capitals"),
        pytest.param("un 𝐜𝐚𝐧𝐜𝐞𝐫", "un cancer", id="mathematical-letters"),
        pytest.param("la gué-\nrison", "la guérison", id="cut-at-the-line-end"),
        pytest.param("la gué\u00adrison", "la guérison", id="soft-hyphen"),
        pytest.param("un can cer, un can-cer", "un cancer, un cancer", id="cut-in-two"),
        pytest.param("je suis naturopate", "je suis naturopathe", id="dropped-letter"),
        pytest.param("je veux guérrir", "je veux guérir", id="doubled-letter"),
        pytest.param("la fibromialgie", "la fibromyalgie", id="wrong-letter"),
        pytest.param("le traitmennt", "le traitmennt", id="two-slips"),
        pytest.param("le tratiement", "le traitement", id="swapped-letters"),
        pytest.param("LA FIBROMIALGIE", "LA FIBROMYALGIE", id="slip-in-capitals"),
    ],
)
def test_a_hidden_word_is_read(raw: str, expected: str) -> None:
    assert read(raw) == expected


@pytest.mark.parametrize(
    "text",
    [
        "En 52 av. J.-C., la S.A.R.L. Dupont et la S.N.C.F.",
        "a) le soin b) le massage c) le thé ; vitamines A B C D E ; A, B, C, D",
        "Tarif 45€, 1h30, 20h30, 5ans, séance2, lune1, 18ans, 3eme, 1er, 2ème",
        "Réf. A1B2C3, vitamine B12, D3, oméga3, covid19, mp3, H1N1, CO2, 4x4, P53",
        "Le 12/05/2026 à 14h00, tél. 06 12 34 56 78, IBAN FR7630006000011234567890189",
        "contact@canc3r.example, www.v@ccin.example, @mon_canc3r, jean_gu3rir@ex.example, gu3rir.example",
        "praticien.ne.s, celles.ceux, fin.Le début, bien-être, burn-out, anti-cancer",
        "Mon sommeil s'améliore, la maladie s'éteint, les rayons X, à venir, des intoxications",
        "Madame Canser et monsieur Guérrin habitent à Vaccins-sur-Mer",
        "Relaxation🌿massage✨énergie • stress • sommeil",
        "* important * _note_ **gras** nom_de_fichier snake_case",
        "peut-\nêtre un bien-\nêtre retrouvé",
        "une séance décommandée, je reconnecte, brrrr, mmmh, zzz, III, www",
        "http://exemple.example/gu3rir?c=v4ccin",
    ],
)
def test_what_hides_nothing_is_left_as_it_is(text: str) -> None:
    assert read(text) == clean(text).text


def test_the_tables_find_hidden_words_and_passages_keep_their_place() -> None:
    raw = "👍 Je gu3ris le c a n c e r, la fibromialgie et la dépr<b>ession</b> par la naturopatie."
    document = read_document(raw)
    found = {hit.entry: document.clean.to_raw(hit.span) for hit in document.hits if hit.table in ("condition", "practice")}
    shown = {entry: raw[span.start : span.end] for entry, span in found.items()}
    assert shown["cancer"] == "c a n c e r"
    assert shown["fibromyalgie"] == "fibromialgie"
    assert shown["depression"] == "dépr<b>ession"
    assert shown["naturopathie"] == "naturopatie"
    assert any(hit.table == "lexicon.cure_verb" for hit in document.hits)


@pytest.mark.parametrize("word", ["cancer", "vaccins", "maison", "guerissais", "decommandee"])
def test_a_french_word_is_no_slip(word: str) -> None:
    assert word in vocabulary().known or readable(word)
    assert meant(word) is None


EVASIVE = [
    "c a n c e r", "g.u.é.r.i.r", "c*ncer", "vacc1n", "v@ccin", "can🌿cer", "guériiir", "саncer", "gué-\nrison", "can cer",
    "fibromialgie", "c h i m i o", "t u m e u r   d u   s e i n", "a b c", "*", "_", "1", "@", "🌿", "can<b>cer</b>", "<i>",
    "C.A.N.C.E.R",
]  # fmt: skip
texts = st.lists(st.one_of(st.sampled_from(EVASIVE + PIECES), st.text(max_size=4)), max_size=20).map
mixed = st.one_of(texts("".join), texts(" ".join))


@settings(max_examples=300, deadline=None)
@given(raw=mixed, data=st.data())
def test_every_character_that_is_read_knows_an_ordered_place_in_the_raw_text(raw: str, data: st.DataObject) -> None:
    done, tokens = undo(clean(raw))
    assert len(done.starts) == len(done.ends) == len(done.text)
    assert all(0 <= start < end <= len(raw) for start, end in zip(done.starts, done.ends, strict=True))
    assert list(done.starts) == sorted(done.starts)
    assert list(done.ends) == sorted(done.ends)
    assert all(0 <= token.span.start < token.span.end <= len(done.text) for token in tokens)
    start = data.draw(st.integers(0, len(done.text)))
    end = data.draw(st.integers(start, len(done.text)))
    there = done.to_raw(Span(start, end))
    if there.start < there.end:
        assert done.to_raw(done.from_raw(there)) == there


@settings(max_examples=300, deadline=None)
@given(raw=mixed)
@example("guériiirạ́")
def test_what_is_read_is_clean_and_reading_it_again_changes_nothing(raw: str) -> None:
    once = read(raw)
    assert clean(once).text == once
    assert read(once) == once


def test_a_text_with_nothing_to_undo_costs_under_a_millisecond() -> None:
    text = clean(
        ("Je vous accompagne avec douceur vers un mieux-être durable, dans le respect de votre suivi médical. " * 5)[:500]
    )
    undo(text)
    assert quickest(lambda: [undo(text) for _ in range(50)], 0.05) / 50 < 0.001


@pytest.mark.parametrize(
    "piece",
    [
        "a ",
        "a.",
        "c*",
        "a🌿",
        "c a n c e r ",
        "a1b@c3 ",
        "c*ncxr ",
        "can3er,",
        "a@canc3r,",
        "can cer ",
        "aaabbbccc ",
        "саncer ",
        "can<b>cer</b> ",
    ],
)
def test_a_hostile_text_takes_no_longer_than_another(piece: str) -> None:
    text = clean((piece * 20_000)[:20_000])
    assert quickest(lambda: undo(text), 1) < 1
