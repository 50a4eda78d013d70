"""« Docteur » alone names no order; a degree or a more precise title beside it does."""

import pytest

from model.document import read_document
from model.entities import find_author, find_entities
from model.records import AuthorInfo, EntityMention, Prediction
from service.directions.own_titles import is_own
from service.directions.routing import questions, recipients
from service.directions.situations import Known, Situation, situation_of
from tests.service.directions.test_routing import read

CLAIM = " Je guéris le cancer, arrêtez la chimiothérapie."


def situation(text: str, *, known: bool = True) -> Situation:
    """What a text shows, its titles read by the tables; `known`: its words are given too."""
    document = read_document(text)
    author = find_author(document)
    entities = [
        EntityMention(
            kind=one.kind,
            start=one.span.start,
            end=one.span.end,
            text=text[one.span.start : one.span.end],
            value=dict(one.value or {}),
        )
        for one in find_entities(document, people=False)
        if one.kind == "title"
    ]
    span = author.span
    place = {"start": span.start, "end": span.end, "text": text[span.start : span.end]} if span else {}
    info = AuthorInfo.model_validate({"status": author.status, "title": author.title} | place)
    said: Prediction = read("miracle_cure", level=3).model_copy(update={"author": info, "entities": entities})
    return situation_of([said], known=[Known(text=text if known else "")])


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("Docteur Martin, naturopathie et reiki.", None),
        ("Dr Sylvie Martin vous reçoit.", None),
        ("Docteur en psychologie, 20 ans d'expérience.", None),
        ("Docteure en sciences de l'éducation.", None),
        ("Docteur en médecine chinoise.", None),
        ("Docteur Honoris Causa de l'académie des énergies.", None),
        ("Docteur Paul Roy, honoris causa.", None),
        ("Docteur en médecine, installé à Pau.", "ordre-medecins"),
        ("Docteur en médecine générale.", "ordre-medecins"),
        ("Docteur en chirurgie dentaire.", "ordre-chirurgiens-dentistes"),
        ("Dr Martin, chirurgien-dentiste à Pau.", "ordre-chirurgiens-dentistes"),
        ("Dr Anne Roy (sage-femme).", "ordre-sages-femmes"),
        ("Dr Paul Roy, cardiologue.", "ordre-medecins"),
        ("Docteur en pharmacie.", "ordre-pharmaciens"),
        ("Médecin généraliste, je soigne par les fleurs.", "ordre-medecins"),
        ("Dr Martin travaille avec une infirmière.", None),
    ],
)
def test_only_the_order_that_the_words_name_is_proposed(text: str, order: str | None) -> None:
    found = situation(text + CLAIM)
    orders = {one.id for one in recipients(found) if one.group == "order"}
    assert orders == ({order} if order else set())
    asked = {one.id for one in questions(found)}
    assert ("complicite-medecin" in asked) == (order == "ordre-medecins")


@pytest.mark.parametrize("text", ["Docteur en psychologie.", "Docteur Honoris Causa.", "Docteur en médecine chinoise."])
def test_a_doctor_of_something_else_is_no_health_professional(text: str) -> None:
    found = situation(text + CLAIM)
    assert "health_professional" not in found.conditions
    assert "lay_author" in found.conditions
    assert "exercice-illegal-medecine" in {one.id for one in questions(found)}


@pytest.mark.parametrize(
    "text",
    [
        "Quatre ans de Lyme, dix-neuf médecins : Chantal s'en est sortie avec nos soins.",
        "Les gynécos lui disent que c'est à vie.",
        "Nous vous dirons vers quels médecins amis vous tourner.",
        "Nous recevons aussi des infirmières à nos stages.",
        "Fille de médecin, je soigne par les mains.",
        "Ancienne infirmière, je suis énergéticienne.",
        "Ex-pharmacienne radiée, je fabrique mes remèdes.",
        "Mon mari, kinésithérapeute, approuve ma méthode.",
        "Je ne suis pas médecin.",
        "« Je suis infirmière et j'ai tout vu », dit une lectrice.",
        "Comme le dit le Dr Dupont, tout est conflit.",
    ],
)
def test_a_title_that_is_not_the_authors_names_no_order(text: str) -> None:
    found = situation(text + CLAIM)
    assert not found.orders
    assert "health_professional" not in found.conditions


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("Je suis médecin et je vous le dis.", "ordre des médecins"),
        ("Infirmière et naturopathe, je vous reçois.", "ordre des infirmiers"),
        ("Anne Roy, sage-femme à Pau.", "ordre des sages-femmes"),
        ("Arrêtez tout. Venez au cabinet. Anne Roy, pharmacienne", "ordre des pharmaciens"),
        ("En tant que kinésithérapeute, je propose le reiki.", "ordre des masseurs-kinésithérapeutes"),
    ],
)
def test_the_authors_own_title_names_its_order(text: str, order: str) -> None:
    assert situation(text).orders | situation(text + CLAIM).orders == {order}


def test_without_the_text_a_doctor_alone_names_no_order() -> None:
    assert not situation("Docteur Martin." + CLAIM, known=False).orders


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Quatre ans de Lyme, dix-neuf médecins : Chantal s'en est sortie.", "médecins"),
        ("Nous vous dirons vers quels médecins amis vous tourner.", "médecins"),
        ("Votre diabétologue n'est pas d'accord.", "diabétologue"),
        ("Fille de médecin, je soigne par les mains.", "médecin"),
        ("Ancienne infirmière, je guéris.", "infirmière"),
        ("Ex-pharmacienne radiée, je fabrique mes remèdes.", "pharmacienne"),
        ("Mon mari, kinésithérapeute, approuve ma méthode.", "kinésithérapeute"),
    ],
)
def test_an_older_reading_that_gives_the_author_anothers_title_is_not_followed(text: str, title: str) -> None:
    start = text.index(title)
    assert not is_own(text, start, start + len(title))
