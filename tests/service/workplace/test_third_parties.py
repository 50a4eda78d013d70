"""Third parties in a dossier: their contacts, parts of their names, what answers and notes say of them, their numbers."""

import json

import pytest
from sqlalchemy import Engine

from model.document import read_document
from model.entities import find_entities
from model.records import EntityMention, Prediction
from service.cases.cases import Words, create_case
from service.cases.contents import add_texts
from service.cases.dossier import Content, content_of
from service.cases.gathering import gather
from service.cases.names import announced
from service.cases.records import add_answer, add_note
from service.cases.thirds import Masks
from service.workplace.choices import choose
from service.workplace.decided import Mark, Verdict
from service.workplace.decisions import decide
from service.workplace.identifiers import identifiers
from service.workplace.items import Received, add_item, keep_prediction
from service.workplace.masking import hide
from tests.service.workplace.conftest import add_people
from tests.service.workplace.made import prediction
from tests.service.workplace.test_case_dossier import NOWHERE

AD = (
    "Énergéticienne à Rennes, je guéris le cancer par imposition des mains. Mes patients témoignent : Sylvie Moreau, opérée "
    "du sein, a tout arrêté et va bien (06 39 98 12 41). Son numéro de sécu : 2 85 05 78 006 084 91. Marc-Antoine L., malade, "
    "sylvie.moreau@exemple.example. Le petit Théo D., né le 14/03/2016, n'a plus d'épilepsie. Virement au compte de mon mari : "
    "FR76 3000 6000 0112 3456 7890 189. 90 € la séance, 06 39 98 77 10, Maëlle Kerouredan."
)
POST = (
    "Énergéticienne à Rennes, je guéris le cancer. Mon ancienne élève Odile Tanguy (0639981299) a quitté le réseau : fuyez "
    "la. Le docteur Le Goff a reconnu mes résultats. Odile ment. Tél 06 39 98 77 10"
)
COMMENT = (
    "Je suis la mère de Léa Fontaine, 15 ans. Maëlle Kerouredan, énergéticienne à Rennes, lui a dit d'arrêter son insuline. Léa "
    "a fini aux urgences. Appelez-moi : Claire Fontaine 06 39 98 55 01, pas le +33 6 39 98 77 10."
)
ANSWER = "Je conteste. Ma patiente Gwenaëlle Abgrall (06 39 98 33 33, gwen@exemple.example) peut témoigner."
SECRETS = (
    *("Sylvie", "Moreau", "12 41", "2 85 05", "Marc-Antoine", "Théo", "14/03/2016", "FR76", "Odile", "Tanguy", "0639981299"),
    *("Le Goff", "Claire", "Fontaine", "Léa", "55 01", "Quéméneur", "Le Bihan", "Gwenaëlle", "Abgrall", "33 33", "gwen@"),
)


def read(text: str) -> Prediction:
    """A prediction with the entities that the French pipeline and the tables find."""
    found = [
        EntityMention(
            kind=one.kind,
            start=one.span.start,
            end=one.span.end,
            text=text[one.span.start : one.span.end],
            value=dict(one.value) if one.value else None,
        )
        for one in find_entities(read_document(text))
    ]
    return prediction("miracle_cure").model_copy(update={"entities": found})


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Content:
    """A masked dossier of an ad, a post and a mother's comment, with a note and an answer that name people."""
    from service.database import open_database

    engine: Engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('tiers') / 'v.db'}")
    people = add_people(engine)
    choose(engine, "second_share", 0.0, people["administrator"])
    person = people["reviewer"]
    summary = "Mme Claire Fontaine, mère de Léa, a écrit. Son médecin, le Dr Yann Quéméneur, confirme l'hospitalisation."
    case = create_case(engine, person, Words("Signalement de Mme Fontaine", summary, "Maëlle Kerouredan"))
    ids = []
    for text, channel, author, stance in (
        (AD, "ad", "Maëlle Kerouredan", "promotes"),
        (POST, "social_post", "@maelle_k", "promotes"),
        (COMMENT, "comment", "clairef35", "warns"),
    ):
        said = read(text)
        with engine.begin() as connection:
            id = add_item(connection, Received(text, source="essai", channel=channel, author=author)).id
            keep_prediction(connection, id, said)
        marks = (Mark(0, 14, "miracle_cure"),) if stance == "promotes" else ()
        level = 2 if stance == "promotes" else 0
        verdict = Verdict(stance=stance, level=level, targets=(), indicators=marks, reason="implied", note="Vu avec Sylvie.")
        decide(engine, id, person, verdict, said)
        ids.append(id)
    with engine.begin() as connection:
        add_texts(connection, case.id, person, ids, "Mme Fontaine nous les a montrés ; Léa Fontaine les suivait.")
        add_note(
            connection, case.id, person, "La fille de Claire Fontaine est suivie par Mme Le Bihan, psychologue.", exported=True
        )
        add_answer(connection, case.id, person, "2026-11-20", "mail", ANSWER)
    return content_of(gather(engine, case.id, person, NOWHERE), masked=True)


@pytest.mark.parametrize("secret", SECRETS)
def test_no_third_party_is_named_anywhere(content: Content, secret: str) -> None:
    assert secret not in json.dumps(content, ensure_ascii=False)


def test_whom_the_case_is_about_and_their_number_stay(content: Content) -> None:
    texts = {text["place"]: text["text"] for text in content["texts"]}
    assert "06 39 98 77 10, Maëlle Kerouredan." in texts[1]
    assert texts[2].endswith("Tél 06 39 98 77 10")
    assert "Maëlle Kerouredan, énergéticienne à Rennes" in texts[3]
    assert "pas le +33 6 39 98 77 10" in texts[3]
    assert content["case"]["concerned"] == "Maëlle Kerouredan"
    assert "je guéris le cancer par imposition des mains" in texts[1]


def test_one_label_stands_for_a_name_and_its_parts(content: Content) -> None:
    texts = {text["place"]: text["text"] for text in content["texts"]}
    whole = texts[2].partition("Mon ancienne élève ")[2].partition("]")[0]
    assert whole.startswith("[personne ")
    assert f"{whole}] ment." in texts[2]


def test_the_answer_keeps_its_fingerprint_and_the_dossier_counts_its_masks(content: Content) -> None:
    import hashlib

    assert content["answers"][0]["sha256"] == hashlib.sha256(ANSWER.encode()).hexdigest()
    assert content["answers"][0]["text"].startswith("Je conteste. Ma patiente [personne ")
    assert content["masked_values"] >= 15


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Vu Mme Le Bihan hier", ["Le Bihan"]),
        ("ma patiente, Odile, et le petit Théo D.", ["Odile", "Théo D."]),
        ("Marc-Antoine L., séropositif", ["Marc-Antoine L."]),
        ("Vitamine C, hépatite B. Groupe A.", []),
        ("Madame, Monsieur, bonjour", []),
        ("le Dr Bach et ses fleurs", []),
    ],
)
def test_words_that_announce_a_name(text: str, names: list[str]) -> None:
    assert [text[start:end] for start, end in announced(text)] == names


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2 85 05 78 006 084 36", ["2 85 05 78 006 084 36"]),
        ("NIR 185052A006084", ["185052A006084"]),
        ("iban fr7630006000011234567890189 merci", ["fr7630006000011234567890189"]),
        ("CH93 0076 2011 6238 5295 7.", ["CH93 0076 2011 6238 5295 7"]),
        ("carte 4111 1111 1111 1111", ["4111 1111 1111 1111"]),
        ("née le 3 mars 1999, né en 1980", ["3 mars 1999", "1980"]),
        ("SIRET 732 829 320 00074, 06 12 34 56 78, 1 200 € le 12/03/2026, 285057800608413, FR12 ABCD", []),
    ],
)
def test_numbers_of_one_person_are_told_by_form_and_key(text: str, found: list[str]) -> None:
    assert [text[start:end] for _, start, end in identifiers(text)] == found


def test_the_screen_hides_them_too() -> None:
    assert hide("Sécu 2 85 05 78 006 084 36, né le 14/03/2016.", masked=True) == f"Sécu {'■' * 21}, né le {'■' * 10}."


def test_a_known_name_is_masked_however_it_is_written() -> None:
    masks = Masks(["Maëlle Kerouredan"])
    masks.read("Mme Odile Le Tanguy, 06 12 34 56 78.")
    shown = masks.words("odile le tanguy, ODILE, Mme Le-Tanguy, Odilé ; +33 6 12 34 56 78 ; mme Maëlle K", reach=False)
    assert shown.count("[personne 1]") >= 3
    assert "[personne 1], [personne 1]" in shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "Léa Fontaine a arrêté. Mme Fontaine va mal. Léa pleure. La fontaine coule.",
            "[personne 1] a arrêté. Mme [personne 1] va mal. [personne 1] pleure. La fontaine coule.",
        ),
        (
            "Paul Fontaine et Léa Fontaine. Mme Fontaine va mal.",
            "[personne 1] et [personne 2]. Mme [personne] va mal.",
        ),
        (
            "M. et Mme Petit ont un petit chat. Petit ment.",
            "M. et Mme [personne 1] ont un petit chat. [personne 1] ment.",
        ),
    ],
)
def test_a_surname_that_is_an_ordinary_word_is_the_one_person_who_bears_it(text: str, shown: str) -> None:
    masks = Masks()
    masks.read(text)
    assert masks.words(text) == shown
