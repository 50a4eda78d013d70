"""Rules that a text affirms support its signs; texts too short to be judged are left alone."""

import pytest

from model.analyser import Analyser
from model.context import affirmed_rules
from training.corpus import AnnotatedText


@pytest.mark.parametrize(
    ("text", "label"),
    [
        pytest.param("Je soigne le zona, l'eczéma et les brûlures au cabinet.", "miracle_cure", id="cure"),
        pytest.param("Au programme : jeûne sec de cinq jours en pleine nature.", "physical_danger", id="danger"),
        pytest.param("Devenez praticien reiki en deux week-ends, certificat remis.", "unrecognised_training", id="training"),
    ],
)
def test_what_is_said_outright_is_affirmed(text: str, label: str) -> None:
    assert label in {hit.label for hit in affirmed_rules(text)}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Je ne soigne pas le zona, je ne promets aucune guérison.", id="denied"),
        pytest.param("Attention, dérive : « Je soigne le zona », disait son affiche.", id="quoted"),
    ],
)
def test_what_is_denied_or_quoted_is_not(text: str) -> None:
    assert affirmed_rules(text) == []


@pytest.mark.parametrize(
    "text", ["Bon week-end à tous", "On mange chez mes parents dimanche", "bonjour tous les amis", "Je quitte mon travail demain"]
)
def test_short_everyday_texts_accuse_nobody(analyser: Analyser, text: str) -> None:
    found = analyser.predict(text)
    assert found.risk
    assert found.risk.level == 0
    assert [warning.code for warning in found.warnings] == ["too_short"]


def test_rules_are_right_where_the_author_promotes(corpus: list[AnnotatedText]) -> None:
    right = wrong = 0
    for text in corpus:
        if text.stance == "promotes":
            for label in {hit.label for hit in affirmed_rules(text.text)}:
                right += label in text.labels()
                wrong += label not in text.labels()
    assert right > 200
    assert wrong <= 0.05 * right
