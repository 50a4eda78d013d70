"""The rows made for one text are those of scikit-learn's own vectorizers, whatever the text, and are never saved."""

import pickle
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, hstack
from sklearn.base import clone

from model.document import read_document
from model.features import Passage, PassageFeatures, view

TEXTS = [
    "Je guéris le cancer par les plantes, arrêtez la chimio. Je guéris aussi l'eczéma.",
    "Son eczéma a complètement disparu en trois séances de magnétisme !",
    "Cours de poterie le mardi soir, inscriptions à la mairie : 12 € la séance.",
    "Les soins énergétiques rééquilibrent vos chakras et libèrent les mémoires.",
    "Votre médecin reste votre interlocuteur, ne modifiez jamais un traitement.",
]
WIDTH = 6
WORDS = [
    "je",
    "gueris",
    "le",
    "cancer",
    "l'eczema,",
    "seance",
    "12",
    "€",
    "a",
    "chimio.",
    "ßß",
    "İ",
    "ǅ",
    "\x1c",
    "𝒜b",
    ".",
    "_x_",
]


def _passage(folded: str, concepts: Sequence[str], classes: dict[str, float], seed: int) -> Passage:
    vector = np.random.default_rng(seed).normal(size=WIDTH).astype(np.float32)
    return Passage(folded, tuple(concepts), classes, vector)


def _learned() -> list[Passage]:
    """Sentences as a document gives them, with short vectors."""
    sentences = [sentence for text in TEXTS for sentence in view(read_document(text)).sentences]
    return [_passage(found.folded, found.concepts, dict(found.classes), seed) for seed, found in enumerate(sentences)]


@pytest.fixture(scope="module")
def features() -> PassageFeatures:
    """Features that know the words of the texts, each block with a weight of its own."""
    made = PassageFeatures(3.0, 1.5, 2.0, 0.7, 2.8, min_passages=1)
    made.fit(_learned() * 2)
    return made


def _by_the_library(features: PassageFeatures, passages: Sequence[Passage]) -> csr_matrix:
    texts = [passage.folded for passage in passages]
    classes = features.scale_.transform(features.classes_.transform([passage.classes for passage in passages]))
    classes.data = np.minimum(classes.data, 1.0)
    assert features.spread_ is not None
    vectors = features.spread_.transform(np.stack([passage.vector for passage in passages])) / np.sqrt(WIDTH)
    blocks = (
        features.words_.transform(texts) * features.word_weight,
        features.characters_.transform(texts) * features.character_weight,
        features.concepts_.transform([passage.concepts for passage in passages]) * features.concept_weight,
        classes * features.class_weight,
        csr_matrix(vectors * features.vector_weight),
    )
    return csr_matrix(hstack(blocks, format="csr"))


KNOWN = sorted({concept for passage in _learned() for concept in passage.concepts})
CLASSES = sorted({name for passage in _learned() for name in passage.classes})
FOLDED = st.one_of(
    st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join),
    st.sampled_from([passage.folded for passage in _learned()]),
    st.text(max_size=60),
)
PASSAGES = st.builds(
    _passage,
    FOLDED,
    st.lists(st.sampled_from([*KNOWN, "inconnu"]), max_size=30),
    st.dictionaries(st.sampled_from([*CLASSES, "inconnue"]), st.floats(0.125, 9, width=32)),
    st.integers(0, 1000),
)


@given(st.lists(PASSAGES, min_size=1, max_size=5))
def test_rows_are_those_of_the_library(features: PassageFeatures, passages: list[Passage]) -> None:
    made, wanted = features.transform(passages), _by_the_library(features, passages)
    assert made.shape == wanted.shape
    assert made.dtype == np.float32
    np.testing.assert_allclose(made.toarray(), wanted.toarray(), rtol=1e-5, atol=1e-6)


def test_a_passage_has_the_same_row_alone_and_among_hundreds(features: PassageFeatures) -> None:
    passages = _learned() * 60
    assert len(passages) > 256
    together = features.transform(passages)
    for index in (0, 3, 255, 256, len(passages) - 1):
        assert np.array_equal(together[[index]].toarray(), features.transform([passages[index]]).toarray())


def test_what_is_saved_gives_the_same_rows_and_holds_nothing_more(features: PassageFeatures) -> None:
    before = pickle.dumps(clone(features).fit(_learned()))
    made = pickle.loads(before)
    rows = made.transform(_learned()).toarray()
    assert np.array_equal(pickle.loads(pickle.dumps(made)).transform(_learned()).toarray(), rows)
    assert len(pickle.dumps(made)) == pytest.approx(len(before), rel=0.01)


def test_rows_follow_what_is_learned_and_set_anew() -> None:
    made = PassageFeatures(min_passages=1).fit(_learned())
    first = made.transform(_learned()).toarray()
    made.set_params(word_weight=2.0)
    words = slice(0, made.blocks()[1])
    assert np.array_equal(made.transform(_learned()).toarray()[:, words], 2 * first[:, words])
    made.fit(_learned()[:2])
    assert made.transform(_learned()[:1]).shape[1] == made.blocks()[4] + WIDTH
