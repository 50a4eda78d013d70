"""What surrounds a claim is named for what it is, where it is; a plain text has no context at all."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.context import CONTEXT_KINDS, find_cues, find_rules, foldable
from model.labels import INDICATOR_IDS
from model.text import clean

KINDS = [
    pytest.param("Je ne promets aucune guérison.", "negation", "ne promets aucune guérison", id="negation"),
    pytest.param("JE NE PROMETS AUCUNE GUERISON", "negation", "NE PROMETS AUCUNE GUERISON", id="negation-in-capitals"),
    pytest.param("Le reiki ne guérit pas les maladies.", "negation", "ne guérit pas", id="negation-of-a-cure"),
    pytest.param("Si vous souffrez de douleurs, consultez.", "condition", "Si vous souffrez", id="condition"),
    pytest.param("Quelqu'un connaît un bon magnétiseur ?", "question", "Quelqu'un connaît", id="question"),
    pytest.param("Elle répète « le corps sait se guérir » partout.", "quotation", "« le corps sait se guérir »", id="quotation"),
    pytest.param('Son slogan : "la maladie parle".', "quotation", '"la maladie parle"', id="straight-quotation"),
    pytest.param("Son slogan : “la maladie parle”.", "quotation", '"la maladie parle"', id="curly-quotation"),
    pytest.param("Selon elle, tout vient du foie.", "reported_speech", "Selon elle", id="reported"),
    pytest.param("Il prétend guérir le cancer.", "reported_speech", "prétend", id="pretends"),
    pytest.param(
        "Cette séance ne remplace pas un avis médical.", "disclaimer", "ne remplace pas un avis médical", id="disclaimer"
    ),
    pytest.param("Gardez votre traitement.", "disclaimer", "Gardez votre traitement", id="keep-the-treatment"),
    pytest.param(
        "Je ne suis pas médecin mais arrêtez ces cachets.", "facade_disclaimer", "Je ne suis pas médecin mais", id="facade"
    ),
    pytest.param("Signalez à la Miviludes.", "warning", "Signalez à la Miviludes", id="warning"),
    pytest.param("Parodie : ma licorne soigne tout.", "satire", "Parodie", id="satire"),
    pytest.param("Grâce à elle, je revis.", "testimony", "Grâce à elle", id="testimony"),
    pytest.param("Consultation à l'hôpital.", "recognised_care", "hôpital", id="recognised"),
    pytest.param("J'arrête ma chimio pour un jeûne.", "person_at_risk", "J'arrête ma chimio", id="stops-chemotherapy"),
    pytest.param("J'ai envie d'en finir.", "person_at_risk", "J'ai envie d'en finir", id="wants-to-die"),
]


@pytest.mark.parametrize(("raw", "kind", "piece"), KINDS)
def test_context_is_named_and_placed(raw: str, kind: str, piece: str) -> None:
    text = clean(raw).text
    places = [text[cue.span.start : cue.span.end] for cue in find_cues(text) if cue.kind == kind]
    assert any(piece in place for place in places), places


@pytest.mark.parametrize(
    "text",
    [
        "Un joli jardin fleuri au printemps.",
        "Massage du dos, 45 euros, le mardi et le jeudi.",
        "La soupe de courge demande trente minutes.",
        "Le train part à huit heures.",
    ],
)
def test_a_plain_text_has_neither_context_nor_rules(text: str) -> None:
    assert find_cues(text) == []
    assert find_rules(text) == []


@pytest.mark.parametrize(
    ("raw", "label", "piece"),
    [
        pytest.param("Je guéris la fibromyalgie.", "miracle_cure", "guéris la fibromyalgie", id="cure"),
        pytest.param("Grâce à elle ma tumeur a disparu", "miracle_cure", "ma tumeur a disparu", id="testimony"),
        pytest.param("Arrêtez ces cachets.", "breaking_with_medicine", "Arrêtez ces cachets", id="stop"),
        pytest.param("ARRETEZ CES CACHETS", "breaking_with_medicine", "ARRETEZ CES CACHETS", id="stop-in-capitals"),
        pytest.param("Arre\u0302tez\nces cachets", "breaking_with_medicine", "Arrêtez\nces cachets", id="decomposed-two-lines"),
        pytest.param("Les vaccins sont un poison", "medicine_disparagement", "vaccins sont un poison", id="poison"),
    ],
)
def test_a_rule_names_its_indicator_and_its_words(raw: str, label: str, piece: str) -> None:
    text = clean(raw).text
    places = [text[hit.span.start : hit.span.end] for hit in find_rules(text) if hit.label == label]
    assert any(piece in place for place in places), places


def test_two_overlapping_cues_of_one_kind_are_given_as_one() -> None:
    cues = find_cues("Cela ne remplace pas un avis médical ni un traitement médical, gardez votre traitement.")
    for kind in CONTEXT_KINDS:
        own = [cue.span for cue in cues if cue.kind == kind]
        assert not any(one.overlaps(other) for one in own for other in own if one is not other)


PIECES = [
    "Je ne promets aucune guérison", "« le corps sait »", "selon elle", "ne remplace pas un avis médical", "grâce à elle",
    "arrêtez vos médicaments", "guérit le cancer", "à l'hôpital", "si vous êtes suivi", "quelqu'un connaît ?", "parodie",
    ".", ",", "\n", " ", "♥", "les vaccins sont un poison", "mon cancer a disparu",
]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(text=st.lists(st.sampled_from(PIECES), max_size=12).map(" ".join).map(lambda raw: clean(raw).text))
def test_cues_and_rules_are_sorted_inside_the_text_and_of_known_kinds(text: str) -> None:
    cues = find_cues(text)
    assert all(cue.kind in CONTEXT_KINDS and 0 <= cue.span.start < cue.span.end <= len(text) for cue in cues)
    assert [cue.span.start for cue in cues] == sorted(cue.span.start for cue in cues)
    assert len(set(cues)) == len(cues)
    rules = find_rules(text)
    assert all(hit.label in INDICATOR_IDS and 0 <= hit.span.start < hit.span.end <= len(text) for hit in rules)
    assert [hit.span.start for hit in rules] == sorted(hit.span.start for hit in rules)


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=60))
def test_the_form_that_patterns_read_has_the_length_of_the_text(text: str) -> None:
    assert len(foldable(text)) == len(text)
    assert "\n" not in foldable(text)
