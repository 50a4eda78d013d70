"""Contacts are read however they are written, and told from what only quotes them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.contacts import registered_domain
from model.errors import VigieError
from service.campaigns.contacts import Listing, contacts_of
from service.campaigns.known import known, read_known
from service.campaigns.spoken import spoken_contacts


def values(text: str, role: str = "own", **listing: str) -> set[tuple[str, str]]:
    stance = listing.pop("stance", "promotes")
    found = contacts_of(Listing(text, **listing), None, (), stance)
    return {(one.kind, one.value) for one in found if one.role == role}


@pytest.mark.parametrize(
    "text",
    [
        "Tél. 06 39 98 41 07",
        "Tél. 06.39.98.41.07.",
        "Tél. +33 6 39 98 41 07",
        "Tél. 0033 639984107",
        "au zéro six, trente-neuf, quatre-vingt-dix-huit, quarante et un, zéro sept",
        "zéro six, 39 98 41 07",
        "six trente-neuf quatre-vingt-dix-huit quarante et un zéro sept",
        "le plus trente-trois six, trente-neuf, nonante-huit, quarante et un, zéro sept",
        "écrivez-moi : wa.me/33639984107",
    ],
)
def test_a_number_in_every_writing(text: str) -> None:
    assert values(text) == {("phone", "+33639984107")}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("atelier (arobase) mon-cabinet.fr", {("email", "atelier@mon-cabinet.fr"), ("site", "mon-cabinet.fr")}),
        ("atelier-zen (at) gmail (point) com", {("email", "atelier-zen@gmail.com")}),
        ("allez sur mon tiret cabinet point fr", {("site", "mon-cabinet.fr")}),
        ("Tout est sur https://www.mon-cabinet.fr/tarifs?x=1.", {("site", "mon-cabinet.fr")}),
        ("voir mon-cabinet.wixsite.com/accueil", {("site", "mon-cabinet.wixsite.com")}),
        ("instagram.com/mon.cabinet", {("account", "instagram.com/mon.cabinet")}),
        ("instagram.com/reel/abcdef", set()),
        ("bit.ly/3xyz et leboncoin.fr/ad/12", set()),
        ("Appelez le 15, le 119 ou le 3114.", set()),
        ("un point fort de la méthode, point final", set()),
    ],
)
def test_addresses_and_what_is_none(text: str, expected: set[tuple[str, str]]) -> None:
    assert values(text) == expected


def test_the_account_of_a_listing_is_one_of_its_platform() -> None:
    found = values("Bonjour", author="@Marie.soins", url="https://www.instagram.com/p/1", channel="social_post")
    assert found == {("account", "instagram.com/marie.soins"), ("handle", "@marie.soins")}
    assert values("Bonjour", author="Anonyme", source="forum") == set()
    assert values("Bonjour", author="Marie", source="forum") == set()


def test_a_page_of_ones_own_site_is_a_contact_a_listing_on_a_platform_is_not() -> None:
    assert values("Bonjour", channel="website", url="https://mon-cabinet.fr/a") == {("site", "mon-cabinet.fr")}
    assert values("Bonjour", channel="directory", url="https://un-annuaire.fr/a") == set()


def test_who_warns_or_asks_owns_nothing_but_their_account() -> None:
    text = "Attention à ce magnétiseur, 06 39 98 41 07."
    assert values(text, stance="warns", author="@une.voisine", source="f") == {
        ("account", "f/une.voisine"),
        ("handle", "@une.voisine"),
    }
    assert values(text, "mention", stance="warns") == {("phone", "+33639984107")}
    assert values("Son site mon-cabinet.fr m'a plu", "mention", stance="neutral") == {("site", "mon-cabinet.fr")}
    # « séance numéro » is not « ce numéro ».
    assert values("Séance numéro deux au 06 39 98 41 07") == {("phone", "+33639984107")}


def test_offsets_are_those_of_the_text_as_received() -> None:
    text = "🌿 E\u0301cole, te\u0301l. 06 39 98 41 07 🌿"
    found = [one for one in contacts_of(Listing(text), None) if one.kind == "phone"]
    assert [text[one.start : one.end] for one in found] == ["06 39 98 41 07"]


@given(st.text(alphabet=st.sampled_from("zéro six ,.-@()[]point arobase fr 0123456789\n"), max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_text_is_read_and_places_hold(text: str) -> None:
    for one in spoken_contacts(text):
        assert text[one["start"] : one["end"]] == one["text"]


def test_domains_are_those_that_one_registers() -> None:
    assert registered_domain("a.b.exemple.co.uk") == "exemple.co.uk"
    assert registered_domain("10.0.0.1") == ""


def test_the_table_says_what_is_wrong() -> None:
    assert "leboncoin.fr" in known().platforms
    with pytest.raises(VigieError, match="hosts"):
        read_known('platforms = ["a.fr"]')
    with pytest.raises(VigieError, match="inconnu"):
        read_known('autre = ["a.fr"]')
