"""Passages are compared word by word with the annotated ones, and put to the test by cutting them out."""

import json

import numpy as np
import pytest

from model.labels import INDICATOR_IDS
from model.records import Evidence, IndicatorScore, Prediction
from model.text import Span, word_spans
from tests.training.test_corpus import line
from tests.training.test_measures import prediction
from training.agreement import word_f1
from training.corpus import AnnotatedText
from training.deletion import deletion_test, random_passages, without
from training.passages import annotator_figures, passage_figures

TEXT = "Je harmonise vos chakras en une séance, tarif 50 €. Venez quand vous voulez, la salle est au fond de la cour pavée."


def _text(**changes: object) -> AnnotatedText:
    return AnnotatedText.model_validate(line(text=TEXT, **changes))


def _shown(start: int, end: int, score: float = 0.9) -> Prediction:
    passage = Evidence(start=start, end=end, text=TEXT[start:end], source="model", score=score)
    found = IndicatorScore(id="mystical_discourse", label="", score=score, present=True, evidence=[passage])
    others = [IndicatorScore(id=id, label="", score=0.1, present=False, evidence=[]) for id in INDICATOR_IDS if id != found.id]
    return prediction(1, "promotes").model_copy(update={"indicators": [found, *others]})


def test_word_f1_counts_words_not_characters() -> None:
    marked = [Span(3, 24)]  # harmonise vos chakras
    assert word_f1(TEXT, marked, marked) == 1.0
    assert word_f1(TEXT, marked, [Span(17, 38)]) == pytest.approx(2 * 1 / (3 + 4))  # chakras en une séance
    assert word_f1(TEXT, marked, []) == 0.0


def test_a_missed_sign_counts_as_not_shown() -> None:
    found = passage_figures([_text(), _text(id="c2")], [_shown(17, 38), prediction(0, "neutral")])
    assert (found["overlap"]["hits"], found["overlap"]["total"]) == (1, 1)
    assert (found["overlap_of_all"]["hits"], found["overlap_of_all"]["total"]) == (1, 2)
    assert found["word_f1"]["value"] == pytest.approx(2 / 7, abs=1e-4)
    assert found["word_f1_of_all"]["value"] == pytest.approx(1 / 7, abs=1e-4)
    assert (found["median_words"], found["annotated_median_words"]) == (4, 3)
    assert found["length_ratio"] == pytest.approx(4 / 3, abs=1e-4)
    assert found["labels"]["mystical_discourse"]["overlap"]["total"] == 1
    assert found["labels"]["miracle_cure"]["word_f1"]["value"] is None
    json.dumps(found, allow_nan=False)


def test_two_annotators_are_measured_in_the_same_way() -> None:
    def by(id: str, start: int, end: int) -> dict[str, object]:
        marked = [{"label": "mystical_discourse", "start": start, "end": end}]
        return {"annotator": {"id": id, "kind": "model"}, "stance": "promotes", "risk_level": 1, "indicators": marked}

    found = annotator_figures([_text(annotations=[by("a", 3, 24), by("b", 17, 38)]), _text(id="c2")])
    assert (found["cases"], found["word_f1"]) == (1, pytest.approx(2 / 7, abs=1e-4))
    assert annotator_figures([_text()]) == {"cases": 0, "word_f1": None, "labels": {}}


def test_random_passages_have_as_many_words_and_stay_apart() -> None:
    passages = [Span(3, 24), Span(52, 76)]
    random = np.random.default_rng(0)
    words = word_spans(TEXT)
    for _ in range(50):
        drawn = random_passages(TEXT, passages, random)
        counts = [sorted(sum(word.overlaps(span) for word in words) for span in spans) for spans in (passages, drawn)]
        assert counts[0] == counts[1]
        everything = [*passages, *drawn]
        assert not any(a.overlaps(b) for i, a in enumerate(everything) for b in everything[i + 1 :])
    assert random_passages(TEXT, [Span(0, len(TEXT))], random) == []


def test_without_leaves_the_rest_of_the_text() -> None:
    assert without("un deux trois quatre", [Span(8, 13), Span(0, 2)]).split() == ["deux", "quatre"]
    assert without("un deux trois", [Span(0, 7), Span(3, 13)]).split() == []


def _by_word(text: str) -> Prediction:
    """A model whose score rests on one word alone."""
    score = 0.9 if "chakras" in text else 0.2
    indicators = [IndicatorScore(id="mystical_discourse", label="", score=score, present=score > 0.5, evidence=[])]
    return prediction(1, "promotes").model_copy(update={"indicators": indicators})


def test_cutting_what_the_score_rests_on_lowers_it_and_cutting_elsewhere_does_not() -> None:
    found = deletion_test([_text()], [_shown(3, 24)], _by_word)
    assert (found["found"], found["cases"], found["set_aside"]) == (1, 1, 0)
    assert found["shown"]["lowered"]["value"] == found["shown"]["absent"]["value"] == 1.0
    assert found["random"]["lowered"]["value"] == 0.0
    # A passage that shows nothing is found out.
    wrong = deletion_test([_text()], [_shown(52, 76)], _by_word)
    assert wrong["shown"]["lowered"]["value"] == 0.0


def test_the_deletion_test_is_bounded_seeded_and_leaves_short_texts_aside() -> None:
    texts, predictions = [_text(id=f"c{n}") for n in range(9)], [_shown(3, 24)] * 9
    assert deletion_test(texts, predictions, _by_word, most=4)["cases"] == 4
    assert deletion_test(texts, predictions, _by_word, seed=2) == deletion_test(texts, predictions, _by_word, seed=2)
    aside = deletion_test([_text()], [_shown(0, 100)], _by_word)
    assert (aside["cases"], aside["set_aside"]) == (0, 1)
    assert aside["shown"]["lowered"]["value"] is None
