"""Which words bear a score: the parts add up to the logit, and the best run is the best of all runs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.attribution import best_run, word_scores
from model.document import read_document
from model.features import PassageFeatures, view

TEXTS = [
    "Je guéris le cancer par les plantes, arrêtez la chimio.",
    "Son eczéma a complètement disparu en trois séances de magnétisme !",
    "Cours de poterie le mardi soir, inscriptions à la mairie.",
    "Les soins énergétiques rééquilibrent vos chakras et libèrent les mémoires.",
    "Votre médecin reste votre interlocuteur, ne modifiez jamais un traitement.",
]


@pytest.fixture(scope="module")
def features() -> PassageFeatures:
    """Features that know the words of the texts."""
    return PassageFeatures(min_passages=1).fit(
        [sentence for text in TEXTS for sentence in view(read_document(text)).sentences * 2]
    )


@pytest.mark.parametrize("text", TEXTS)
def test_the_parts_add_up_to_the_logit_without_the_vector(features: PassageFeatures, text: str) -> None:
    seen = view(read_document(text))
    first, last = features.blocks()[0], features.blocks()[4]
    row = features.transform([seen.sentences[0]])
    weights = np.random.default_rng(3).normal(size=row.shape[1]).astype(np.float32)
    weights[last:] = 0
    # Counts of « ? » and « ! », cues and rules have no place of their own in the sentence.
    for name, index in features.classes_.vocabulary_.items():
        if name in "?!" or name.startswith(("cue ", "rule ")):
            weights[features.blocks()[3] + index] = 0
    spans, scores = word_scores(features, weights, seen.sentences[0], seen.units[0].span.start)
    assert first == 0
    assert len(spans) == len(scores)
    assert scores.sum() == pytest.approx(float((row @ weights)[0]), abs=2e-2)


def test_words_lie_where_they_stand(features: PassageFeatures) -> None:
    document = read_document("Bonjour à tous. " + TEXTS[0])
    seen = view(document)
    weights = np.zeros(features.transform([seen.sentences[1]]).shape[1], dtype=np.float32)
    spans, _ = word_scores(features, weights, seen.sentences[1], seen.units[1].span.start)
    assert document.text[spans[1].start : spans[1].end] == "guéris"


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=12), st.floats(0, 1), st.integers(1, 5))
def test_the_best_run_is_the_best_of_all(values: list[float], cost: float, least: int) -> None:
    scores = np.asarray(values)
    first, after = best_run(scores, cost, least)
    assert 0 <= first < after <= len(values)
    if len(values) <= least:
        assert (first, after) == (0, len(values))
        return
    assert after - first >= least
    worth = {(i, j): float((scores[i:j] - cost).sum()) for i in range(len(values)) for j in range(i + least, len(values) + 1)}
    assert worth[first, after] == pytest.approx(max(worth.values()), abs=1e-4)
