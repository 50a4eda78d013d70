"""A text read once: which table entries it names, which are denied, which targets follow, and what a part of it keeps."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.document import Document, mentioned_targets, read_document
from model.text import Span, sentences, windows

SNIPPETS = [
    "Je propose des soins de reïki à mon cabinet.",
    "Je ne soigne pas le cancer, je vous accompagne.",
    "La naturopathie ne remplace pas votre médecin !",
    "Mon fils autiste va mieux.",
    "👍 Merci à tous…",
    "Fibromyalgie ; endométriose ; migraines",
    "Né sous le signe du cancer ?",
    "Stage de jeûne sec : 450 €.",
    "•",
    "1\u202f200\u00a0€ le week\u2011end",
]


def entries(document: Document, table: str) -> list[str]:
    """The entries of one table that a document names, in order."""
    return [hit.entry for hit in document.hits_of(table)]


def denied(text: str, piece: str) -> list[bool]:
    """Whether each hit on this piece of a clean text is denied."""
    document = read_document(text)
    found = [i for i, hit in enumerate(document.hits) if document.text[hit.span.start : hit.span.end] == piece]
    assert found, f"« {piece} » n'est pas trouvé dans {document.text!r}"
    return [i in document.negated for i in found]


@pytest.mark.parametrize(
    ("text", "table", "expected"),
    [
        pytest.param("Séances de Reïki Usui", "practice", ["reiki"], id="practice"),
        pytest.param("SEANCES DE REIKI", "practice", ["reiki"], id="practice-in-capitals"),
        pytest.param("soin du cancer du sein", "condition", ["cancer-du-sein"], id="longest-condition"),
        pytest.param("mes maux de tête", "condition", ["mal-de-tete"], id="irregular-plural"),
        pytest.param("un burn out, un burn-out, un burnout", "condition", ["burn-out"] * 3, id="three-spellings"),
        pytest.param("un enfant autiste", "audience", ["enfants-autistes"], id="audience"),
        pytest.param("Médecin naturopathe", "title", ["naturopathe"], id="a-naturopath-is-no-physician"),
        pytest.param("deux médecins traitants", "title", ["medecin-generaliste"], id="plural-title"),
        pytest.param("k du sein, c@ncer", "condition", ["cancer", "cancer"], id="veiled-spellings"),
        pytest.param("Un joli jardin fleuri", "practice", [], id="nothing"),
    ],
)
def test_table_entries_are_found(text: str, table: str, expected: list[str]) -> None:
    assert entries(read_document(text), table) == expected


@pytest.mark.parametrize(
    ("text", "table"),
    [
        pytest.param("Né sous le signe du cancer, ascendant lion.", "condition", id="zodiac"),
        pytest.param("La dépression atmosphérique apporte la pluie.", "condition", id="weather"),
        pytest.param("Le pendule de Foucault oscille au musée.", "practice", id="physics"),
        pytest.param("Le voyant de la batterie est allumé.", "practice", id="warning-light"),
        pytest.param("Envoyez MMS ou SMS gratuits depuis ce smartphone.", "practice", id="telephone"),
        pytest.param("Le jeûne du ramadan commence lundi.", "practice", id="religious-fast"),
        pytest.param("Un foie gras de canard pour les fêtes.", "condition", id="cooking"),
    ],
)
def test_a_homonym_is_not_taken_for_the_entry(text: str, table: str) -> None:
    assert entries(read_document(text), table) == []


def test_a_homonym_far_away_hides_nothing() -> None:
    text = "Le lion est mon animal préféré depuis que je suis tout petit garçon. Je parle du cancer."
    assert entries(read_document(text), "condition") == ["cancer"]


@pytest.mark.parametrize(
    ("text", "piece", "expected"),
    [
        pytest.param("Je ne soigne pas le cancer.", "soigne", True, id="with-ne"),
        pytest.param("Je ne soigne pas le cancer.", "cancer", True, id="object-of-the-verb"),
        pytest.param("Je soigne pas, j'accompagne.", "soigne", True, id="spoken-without-ne"),
        pytest.param("Je guéris jamais personne.", "guéris", True, id="spoken-never"),
        pytest.param("Aucune guérison n'est promise.", "guérison", True, id="none"),
        pytest.param("Sans promesse de guérison.", "guérison", True, id="without"),
        pytest.param("Ni guérison ni miracle.", "guérison", True, id="neither"),
        pytest.param("Nous n'éliminons rien.", "éliminons", True, id="elided"),
        pytest.param("Cela NE GUÉRIT PAS.", "GUÉRIT", True, id="capitals"),
        pytest.param("Je soigne le cancer.", "soigne", False, id="affirmed"),
        pytest.param("N'attendez pas : je soigne tout.", "soigne", False, id="colon-ends-the-clause"),
        pytest.param("Je ne promets rien, je soigne.", "soigne", False, id="comma-ends-the-clause"),
        pytest.param("Jamais vu ça. Je soigne tout.", "soigne", False, id="full-stop-ends-the-clause"),
        pytest.param("N'hésitez pas\nJe soigne tout.", "soigne", False, id="line-break-ends-the-clause"),
        pytest.param("Je soigne. Pas de souci.", "soigne", False, id="negation-of-the-next-sentence"),
        pytest.param("Pas un mot de plus à dire ici je soigne.", "soigne", False, id="negation-too-far"),
    ],
)
def test_what_is_denied_in_the_same_clause_counts_as_denied(text: str, piece: str, expected: bool) -> None:
    assert denied(text, piece) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Contre le cancer", {"illness", "serious_illness"}, id="serious"),
        pytest.param("Contre la fibromyalgie", {"illness"}, id="lasting"),
        pytest.param("Contre le stress et la fatigue", set(), id="small-complaints"),
        pytest.param("Pour votre bébé", {"minor"}, id="baby"),
        pytest.param("Pour votre enfant autiste", {"illness", "serious_illness", "minor"}, id="autistic-child"),
        pytest.param("Pour adultes et enfants", set(), id="list-of-publics"),
        pytest.param("Massage du dos", set(), id="nothing"),
        pytest.param("Insomnie chronique, dépression", {"illness", "serious_illness"}, id="depression"),
    ],
)
def test_targets_follow_from_what_is_named(text: str, expected: set[str]) -> None:
    assert mentioned_targets(read_document(text)) == expected


texts = st.lists(st.sampled_from(SNIPPETS), min_size=1, max_size=60).map(" ".join)


@settings(max_examples=80, deadline=None)
@given(raw=texts)
def test_units_hold_all_tokens_and_agree_with_the_sentences(raw: str) -> None:
    document = read_document(raw)
    assert [unit.span for unit in document.units] == sentences(document.text)
    for unit in document.units:
        inside = document.tokens[unit.first : unit.after]
        assert all(unit.span.start <= token.span.start and token.span.end <= unit.span.end for token in inside)
        assert document.unit_text(unit) == document.text[unit.span.start : unit.span.end]
    assert all(0 <= index < len(document.hits) for index in document.negated)


@settings(max_examples=80, deadline=None)
@given(raw=texts)
def test_a_part_keeps_what_lies_in_it_with_the_offsets_and_denials_of_the_whole(raw: str) -> None:
    document = read_document(raw)
    denials = {document.hits[i] for i in document.negated}
    for span in windows(document.text, [unit.span for unit in document.units]):
        part = document.part(span)
        assert [unit for unit in document.units if span.start <= unit.span.start and unit.span.end <= span.end] == list(
            part.units
        )
        assert part.text == document.text
        assert all(span.start <= hit.span.start and hit.span.end <= span.end for hit in part.hits)
        assert set(part.hits) == {h for h in document.hits if span.start <= h.span.start and h.span.end <= span.end}
        assert {part.hits[i] for i in part.negated} == denials & set(part.hits)
        assert not part.units or part.span_text() == document.text[span.start : span.end]


def test_the_part_that_is_the_whole_is_the_whole() -> None:
    document = read_document(" ".join(SNIPPETS))
    assert document.part(Span(0, len(document.text))) == document


def test_an_empty_part_has_nothing() -> None:
    part = read_document("Je soigne le cancer.").part(Span(3, 3))
    assert part.units == ()
    assert part.hits == ()
    assert part.negated == frozenset()
