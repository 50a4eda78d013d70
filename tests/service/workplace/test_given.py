"""Whose contact it is when a model reads the author as warning: of a seller, of an association, or of the one warned of."""

import tomllib
from importlib.resources import files

import pytest
from sqlalchemy import Engine, update

from service.campaigns.contacts import Listing, contacts_of
from service.campaigns.known import known, with_authorities
from service.campaigns.work import link_all
from service.workplace.schema import ITEMS
from tests.service.workplace.test_campaigns import Add, add, campaign

__all__ = ["add"]

OWN = (
    "La chimio détruit tout, n'attendez plus. Réservations au 06 39 98 55 12.",
    "Ils ne vous diront jamais la vérité à l'hôpital. Écrivez-moi à paix@source-claire.example.",
    "Les vaccins fatiguent vos enfants. Tél. 06 39 98 55 12",
    "On vous empoisonne avec vos crèmes. Renseignements et inscriptions par SMS au 06 39 98 55 12.",
    "Ne confiez plus votre corps à des machines. Pour nous joindre : 06 39 98 55 12 (le soir).",
    "Les laboratoires mentent depuis trente ans.\n\nMaryse Aubrun, 06 39 98 55 12",
    "Une proche s'éloigne ? Notre permanence répond le jeudi au 06 39 98 55 12.",
    "Un stage vous a coûté cher ? Contactez-nous : aide@familles-ensemble.example",
    "Attention aux cures miracles. Secrétariat : 06 39 98 55 12, du lundi au vendredi.",
    "Mon cabinet reste ouvert malgré les menaces de l'ordre, rendez-vous au 06 39 98 55 12.",
)
MENTIONS = (
    "Ma sœur y a laissé ses économies. Son numéro : 06 39 98 55 12.",
    "Elle prend 90 € la séance, réservations au 06 39 98 55 12, et ne déclare rien.",
    "Ne rappelez pas le 06 39 98 55 12.",
    "J'ai bloqué le 06 39 98 55 12 après trois messages vocaux.",
    "L'annonce disait : « Guérison assurée, réservations au 06 39 98 55 12 ». Fuyez.",
    "Il signe ses courriels contact@source-claire.example et change de nom chaque été.",
    "Cette page, source-claire.example, vend des gouttes contre le cancer.",
    "Un démarcheur appelle depuis le 06 39 98 55 12 en se disant infirmier.",
    'Sur le tract on lit "rendez-vous au 06 39 98 55 12" ; la police l\'a.',
    "@lumiere_orsaive32 c'est interdit de promettre ça.",
    "Leur secrétariat (06 39 98 55 12) refuse tout remboursement.",
    "Plusieurs plaintes visent le site source-claire.example depuis mars.",
)


@pytest.mark.parametrize("text", OWN)
def test_a_contact_given_as_ones_own_is_whatever_the_model_reads(text: str) -> None:
    """A text that a model reads as warning still has the contact that it gives as its author's; a person's word goes first."""
    found = contacts_of(Listing(text), None, (), "warns")
    assert found
    assert {one.role for one in found} == {"own"}
    assert {one.role for one in contacts_of(Listing(text), None, (), "warns", decided=True)} == {"mention"}


@pytest.mark.parametrize("text", MENTIONS)
def test_the_contact_of_somebody_else_is_a_mention(text: str) -> None:
    """A text that warns of somebody names their contact, which is not its author's."""
    found = contacts_of(Listing(text), None, (), "warns")
    assert found
    assert {one.role for one in found} == {"mention"}


def test_an_account_that_gives_a_contact_elsewhere_has_it_everywhere(engine: Engine, add: Add) -> None:
    """A contact named by an account that gives it as its own in another post is its own, whichever post came first."""
    more = {"source": "reseau", "author": "@lumiere_orsaive32"}
    doubtful = add("Ils mentent tous à l'hôpital, tout est là : source-claire.example.", "warns", **more)
    other = add(
        "Soin offert dimanche, programme sur source-claire.example, à bientôt.", source="reseau", author="@maison_claire7"
    )
    assert campaign(engine, doubtful) is None
    given = add("Je vous reçois le mardi, toutes les dates sur source-claire.example.", **more)
    assert campaign(engine, doubtful) == campaign(engine, given) == campaign(engine, other) is not None
    stranger = add("Fuyez source-claire.example, ma tante y a tout perdu.", "warns", source="reseau", author="@tante_odile88")
    assert campaign(engine, stranger) is None
    with engine.begin() as connection:
        connection.execute(update(ITEMS).where(ITEMS.c.id == doubtful).values(decided_stance="warns", decided_level=0))
    link_all(engine)
    assert campaign(engine, given) == campaign(engine, other) is not None


def test_who_is_spoken_to_first_is_no_contact() -> None:
    """A name of account that opens an answer is whom it speaks to, not its author's."""
    (found,) = contacts_of(Listing("@brume_du_matin72 courage à toi, mon père aussi."), None, (), "promotes")
    assert found.role == "mention"


NAMED = (
    ("promotes", "Énergéticienne à Rennes. Le CHU (02 61 91 43 21) vous dira non, moi je guéris."),
    ("promotes", "L'hôpital, 02 61 91 43 21, n'a rien pu. Avec moi tout part."),
    ("promotes", "Pour l'état civil, appelez la mairie au 02 61 91 43 21."),
    ("promotes", "Continuez de voir votre médecin traitant (02 61 91 43 21)."),
    ("neutral", "Le service d'oncologie du CHU de Rennes change d'horaires. Standard : 02 61 91 43 21."),
    ("neutral", "Ma mère est morte après avoir suivi Odile, 06 39 98 11 11. Je cherche d'autres familles."),
    ("neutral", "Quelqu'un a essayé la méthode du 06 39 98 11 11 ? Ma belle-sœur en parle."),
)
OFFERED = (
    ("promotes", "La vérité n'est pas à l'hôpital. Réservations au 06 39 98 11 11."),
    ("promotes", "Salle derrière la mairie, 06 39 98 11 11."),
    ("neutral", "Cours de couture le jeudi, inscriptions au 06 39 98 11 11."),
    ("neutral", "Réunion décalée à samedi. Vous pouvez répondre à club@tricot-doux.example"),
    ("neutral", "Merci de prévenir la veille au 06 39 98 11 11."),
    ("neutral", "Bourse aux jouets samedi. Premiers Pas d'Ouest, tél. 02 61 91 84 27"),
)


@pytest.mark.parametrize(("stance", "text"), NAMED)
def test_a_number_that_is_only_named_is_a_mention(stance: str, text: str) -> None:
    """A hospital's, a town hall's, a doctor's, a switchboard's number, or a seller's where nothing is offered, links none."""
    assert [one.role for one in contacts_of(Listing(text), None, (), stance)] == ["mention"]


@pytest.mark.parametrize(("stance", "text"), OFFERED)
def test_who_offers_gives_their_own(stance: str, text: str) -> None:
    """A text that gives its contact as one's own has it, whether it promotes or not, and wherever it takes place."""
    assert {one.role for one in contacts_of(Listing(text), None, (), stance)} == {"own"}


def test_no_number_nor_address_of_the_table_of_authorities_is_a_contact() -> None:
    """Whatever the table of authorities names is no contact, without being written in a second list."""
    table = tomllib.loads(files("service").joinpath("data", "authorities.toml").read_text("utf-8"))["authority"]
    said = [str(one[name]) for one in table for name in ("phone", "link", "how") if one.get(name)]
    assert any("01 34 00 14 58" in words for words in said)
    for words in said:
        assert contacts_of(Listing(f"Écrivez-moi : {words}"), None, (), "promotes") == [], words
    new = '[[authority]]\nphone = "02 61 91 00 01"\nhow = "Par courriel : aide@secours.example."\nlink = "https://www.abri.example/a"'
    more = with_authorities(known(), new)
    assert more.help_phones - known().help_phones == {"+33261910001"}
    assert more.helpers - known().helpers == {"abri.example"}
    assert more.help_mails == {"aide@secours.example"}


def test_two_sellers_and_the_hospital_that_both_name_are_no_campaign(engine: Engine, add: Add) -> None:
    """Texts that share only a hospital's number, an association's, or a seller's named by a mourner, stay apart."""
    ids = [
        add("Énergéticienne à Rennes. Le CHU (02 61 91 43 21) vous dira non, moi je guéris. 06 39 98 11 11"),
        add("Magnétiseur à Fougères. L'hôpital, 02 61 91 43 21, n'a rien pu. Avec moi tout part. 06 39 98 22 22"),
        add("Le service d'oncologie du CHU de Rennes change d'horaires. Standard : 02 61 91 43 21.", "neutral"),
        add("Ma mère est morte après avoir suivi Odile, 06 39 98 11 11. Je cherche d'autres familles.", "neutral"),
        add("Association d'aide : UNADFI 01 34 00 14 58, permanence le mardi à Lyon.", "neutral"),
        add("Voyante à Lyon. L'UNADFI (01 34 00 14 58) me calomnie, je guéris les âmes."),
    ]
    assert [campaign(engine, id) for id in ids] == [None] * 6
    again = add("Nouveau : soin du soir à Rennes. 06 39 98 11 11")
    assert campaign(engine, again) == campaign(engine, ids[0]) is not None
