"""Rules that want two things want them of one text; what comes from abroad, and what only a physician may say, apart."""

import pytest

from service.directions.places import country_of
from service.directions.routing import questions, recipients
from service.directions.situations import Known, Situation, situation_of
from tests.service.directions.test_routing import read

NURSE = [("infirmier", "infirmière", 0)]


def asked(situation: Situation) -> set[str]:
    return {one.id for one in questions(situation)}


def proposed(situation: Situation) -> set[str]:
    return {one.id for one in recipients(situation)}


def test_two_conditions_are_those_of_one_text() -> None:
    """A cure promised in one text and an untitled author in another make no illegal practice."""
    lay = read("isolation", level=2)
    cure = read("miracle_cure", status="regulated", titles=[("medecin", "médecin", 0)])
    both = situation_of([lay, cure], known=[Known(author="Anne"), Known(author="Paul")])
    assert {"lay_author", "sign:miracle_cure", "not_doctor"} <= both.conditions
    assert "exercice-illegal-medecine" not in asked(both)
    assert "cnom-exercice-illegal" not in proposed(both)
    alone = situation_of([read("miracle_cure", "isolation")])
    assert "exercice-illegal-medecine" in asked(alone)
    assert {"cnom-exercice-illegal", "ars", "procureur"} <= proposed(alone)


def test_a_public_page_and_a_grave_sign_are_those_of_one_text() -> None:
    grave, public = read("physical_danger", level=3), read("isolation")
    apart = [Known(channel="message"), Known(channel="website")]
    assert "pharos" not in proposed(situation_of([grave, public], known=apart))
    assert "pharos" in proposed(situation_of([grave, public], known=apart[::-1]))


def test_an_author_who_shows_a_title_once_is_never_said_to_show_none() -> None:
    titled = read("miracle_cure", status="regulated", titles=NURSE)
    untitled = read("miracle_cure")
    same = situation_of([titled, untitled], known=[Known(author="Anne"), Known(author="Anne")])
    assert "lay_author" not in same.conditions
    said = " ".join(reason for one in recipients(same) for reason in one.reasons)
    assert "n'affiche pas de titre de profession" not in said
    assert "lay_author" in situation_of([titled, untitled], known=[Known(author="Anne"), Known(author="Zoé")]).conditions


def test_reasons_name_the_texts_where_there_are_several() -> None:
    texts = [read("isolation"), read("miracle_cure", status="regulated", titles=NURSE)]
    several = situation_of(texts, known=[Known(name="texte 4", author="A"), Known(name="texte 9", author="B")])
    ars = next(one for one in recipients(several) if one.id == "ars")
    assert "L'auteur affiche un titre de profession de santé : « infirmière » (texte 9)" in ars.reasons
    miviludes = next(one for one in recipients(several) if one.id == "miviludes")
    assert "Le texte est au niveau 2 ou plus (textes 4, 9)" in miviludes.reasons
    assert not [reason for one in recipients(situation_of(texts[:1])) for reason in one.reasons if "(texte" in reason]


def test_each_quotation_is_followed_by_the_texts_that_hold_it_and_by_no_other() -> None:
    healer = [("naturopathe", "naturopathe", 0)]
    texts = [
        read("miracle_cure", practices=["magnetisme"]),
        read("miracle_cure", practices=["magnetisme", "jeune-hydrique"], evidence="guérit tout"),
        read("miracle_cure", status="unregulated", titles=healer, evidence="guérit tout"),
    ]
    names = [Known(name=f"texte {number}", author=author) for number, author in ((1, "A"), (2, "B"), (3, "C"))]
    found = {one.id: one.reasons for one in recipients(situation_of(texts, known=names))}
    said = " ".join(reason for reasons in found.values() for reason in reasons)
    assert "L'auteur n'affiche pas de titre de profession de santé (textes 1, 2, 3) : « naturopathe » (texte 3)" in found["ars"]
    cured = "Indice relevé, « promesse de guérison » : « un passage » (texte 1), « guérit tout » (textes 2, 3)"
    assert cured in found["ars"]
    assert "« danger pour la vie, toxique » : Jeûne hydrique (texte 2)" in said


@pytest.mark.parametrize("region", ["Québec", "Suisse romande", "Wallonie", "Bruxelles", "Genève, Suisse", "CANADA"])
def test_a_text_from_abroad_is_offered_help_and_the_country_s_authority_alone(region: str) -> None:
    said = read("breaking_with_medicine", "miracle_cure", "undue_influence", level=3, targets=["minor"])
    found = situation_of([said], known=[Known(region=region, channel="website")], victim=True)
    assert found.abroad == (country_of(region),)
    assert "autorite-du-pays" in proposed(found)
    assert {one.group for one in recipients(found) if one.id != "autorite-du-pays"} <= {"help", "emergency"}
    assert all(one.handling for one in questions(found))


@pytest.mark.parametrize("region", [None, "", "Bretagne", "La Réunion", "Guyane", "Suisse normande", "Île-de-France"])
def test_a_text_from_france_or_from_nowhere_goes_to_french_authorities(region: str | None) -> None:
    found = situation_of([read("miracle_cure")], known=[Known(region=region)])
    assert found.abroad == ()
    assert "miviludes" in proposed(found)
    assert "autorite-du-pays" not in proposed(found)


def test_a_foreign_text_beside_a_french_one_adds_nothing_to_french_ways() -> None:
    mixed = situation_of([read("isolation"), read(level=3, targets=["minor"])], known=[Known(), Known(region="Québec")])
    assert {"miviludes", "autorite-du-pays"} <= proposed(mixed)
    assert "procureur" not in proposed(mixed)
    assert "privation-de-soins-mineur" not in asked(mixed)


def test_whoever_is_no_physician_may_be_asked_about_illegal_practice() -> None:
    nurse = situation_of([read("miracle_cure", "misleading_title", status="regulated", titles=NURSE)])
    assert {"exercice-illegal-medecine", "exercice-illegal-habitude"} <= asked(nurse)
    assert not {"usurpation-de-titre", "usurpation-titre-medecin"} & asked(nurse)
    doctor = situation_of([read("miracle_cure", status="regulated", titles=[("medecin", "médecin", 0)])])
    assert "exercice-illegal-medecine" not in asked(doctor)
    assert "usurpation-titre-medecin" in asked(doctor)


def test_a_protected_title_is_asked_about_until_its_number_is_given() -> None:
    title = [("psychologue", "psychologue", 0)]
    number = {"kind": "rpps", "start": 30, "end": 41, "text": "10001234567", "value": {"valid": True}}
    assert "usurpation-de-titre" in asked(situation_of([read(status="protected_title", titles=title)]))
    assert "usurpation-de-titre" not in asked(situation_of([read(status="protected_title", titles=title, entities=[number])]))


def test_the_prosecutor_needs_no_exception_to_secrecy_and_a_death_must_be_told() -> None:
    danger = read("physical_danger", level=3, practices=["ayahuasca"])
    quiet = situation_of([danger])
    prosecutor = next(one for one in recipients(quiet) if one.id == "procureur")
    assert prosecutor.legal_basis == ""
    assert "homicide-involontaire" not in asked(quiet)
    dead = situation_of([danger], known=[Known(text="Une participante est décédée après la cérémonie.")])
    assert "homicide-involontaire" in asked(dead)
