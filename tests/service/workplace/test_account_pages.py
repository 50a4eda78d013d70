"""The pages of accounts in a real browser: the whole way by keyboard, without scripts, narrow, light and dark."""

import pytest
from playwright.sync_api import Page, expect

from service.workplace.keys import create_key, find_key, list_keys, revoke_key
from service.workplace.opening import open_workplace
from service.workplace.people import disable
from tests.service.workplace.conftest import PASSWORD, Place, empty
from tests.service.workplace.looks import assert_accessible

pytestmark = pytest.mark.browser

OTHER = "encore une autre phrase bien longue"
LOOKS = [(1280, False), (1280, True), (390, False), (390, True)]


def press_to(page: Page, name: str) -> None:
    """Tab until what has the focus bears this name, whether a field, a link or a button."""
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.evaluate(
            "(document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim().replace(/\\s+/g, ' ')"
        )
        if focused == name:
            return
    raise AssertionError(f"« {name} » n'est pas atteint au clavier")


def test_sign_in_by_keyboard_alone(browsed: Place) -> None:
    page = browsed.page()
    page.goto("/compte")
    expect(page.get_by_role("heading", level=1)).to_have_text("Se connecter au poste de travail")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Aller au contenu")).to_be_focused()
    press_to(page, "Identifiant")
    page.keyboard.type("administrator")
    press_to(page, "Mot de passe")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Votre compte")
    assert page.url.endswith("/compte")
    press_to(page, "Comptes")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Comptes")
    expect(page.get_by_role("navigation").get_by_role("link", name="Comptes")).to_have_attribute("aria-current", "page")
    press_to(page, "Se déconnecter")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Se connecter au poste de travail")


def test_the_menu_follows_the_role(browsed: Place) -> None:
    shown = {}
    for role in ("analyst", "reviewer", "administrator"):
        page = browsed.page(role)
        page.goto("/compte")
        shown[role] = page.get_by_role("navigation", name="Poste de travail").get_by_role("link").all_text_contents()
    reading, acting = ["File", "À étiqueter", "Relecture"], ["Campagnes", "Dossiers", "Orientation", "Pratiques"]
    assert shown["analyst"] == [*reading, *acting, "Aperçu", "Observatoire", "Imports"]
    assert set(shown["reviewer"]) - set(shown["analyst"]) == {"Arbitrage", "Modèles"}
    assert set(shown["administrator"]) - set(shown["reviewer"]) == {"Comptes", "Journal", "Vie privée"}


def test_the_first_account_without_scripts(browsed: Place) -> None:
    empty(browsed.engine)
    path = open_workplace(browsed.engine, browsed.settings)
    assert path
    page = browsed.page(scripts=False)
    page.goto(path)
    page.get_by_label("Nom").fill("Première Personne")
    page.get_by_label("Identifiant").fill("premiere")
    page.get_by_label("Mot de passe", exact=True).fill(PASSWORD)
    page.get_by_label("Mot de passe, une seconde fois").fill(PASSWORD)
    page.get_by_role("button", name="Ouvrir le compte", exact=True).click()
    page.goto("/comptes")
    expect(page.get_by_role("row", name="Première Personne (vous)")).to_contain_text("ouvert")


def test_an_account_from_its_opening_to_its_end(browsed: Place) -> None:
    boss = browsed.page("administrator")
    boss.goto("/comptes")
    boss.get_by_label("Nom", exact=True).fill("Nina Petit")
    boss.get_by_label("Identifiant").fill("nina")
    boss.get_by_label("Rôle", exact=True).select_option("reviewer")
    boss.get_by_role("button", name="Ouvrir le compte", exact=True).click()
    drawn = boss.locator("#mot-de-passe-donne").inner_text()
    page = browsed.page()
    page.goto("/connexion")
    page.get_by_label("Identifiant").fill("nina")
    page.get_by_label("Mot de passe").fill(drawn)
    page.get_by_role("button", name="Se connecter").click()
    page.goto("/compte")
    page.get_by_label("Mot de passe actuel").fill(drawn)
    page.get_by_label("Nouveau mot de passe", exact=True).fill(OTHER)
    page.get_by_label("Nouveau mot de passe, une seconde fois").fill(OTHER)
    page.get_by_role("button", name="Changer", exact=True).click()
    expect(page.get_by_role("status")).to_contain_text("votre mot de passe est changé")
    page.get_by_label("Nom de la clé").fill("collecteur")
    page.get_by_label("Importer des textes").check()
    page.get_by_role("button", name="Créer la clé").click()
    key = page.locator("#nouvelle-cle").inner_text()
    assert find_key(browsed.engine, key)
    page.goto("/compte")
    page.get_by_role("button", name="Révoquer la clé collecteur").click()
    expect(page.get_by_role("row", name="collecteur")).to_contain_text("révoquée")
    assert find_key(browsed.engine, key) is None
    boss.goto("/comptes")
    boss.get_by_role("link", name="Fermer… le compte de Nina Petit").click()
    expect(boss.get_by_role("heading", level=1)).to_have_text("Fermer le compte de Nina Petit ?")
    boss.get_by_role("link", name="Ne rien changer").click()
    expect(boss.get_by_role("heading", level=1)).to_have_text("Compte de Nina Petit")
    boss.get_by_role("link", name="Fermer le compte…").click()
    boss.get_by_role("button", name="Fermer le compte").click()
    expect(boss.get_by_role("row", name="Nina Petit")).to_contain_text("fermé")
    page.goto("/compte")
    expect(page.get_by_role("heading", level=1)).to_have_text("Se connecter au poste de travail")


@pytest.mark.parametrize(("width", "dark"), LOOKS)
def test_every_page_is_accessible(browsed: Place, width: int, dark: bool) -> None:
    person = browsed.people["administrator"]
    for scopes in (("predict",), ("import", "export", "review")):
        create_key(browsed.engine, person, "collecteur du lundi", scopes)
    revoke_key(browsed.engine, person, list_keys(browsed.engine, person)[0].id)
    for number in range(4):
        other = browsed.person(f"une.personne.au.nom.bien.long.{number}@exemple.example")
    disable(browsed.engine, other.id)
    signed = browsed.page(person, width=width, dark=dark)
    for path in ("/compte", "/comptes", "/compte?fait=cle", "/"):
        signed.goto(path)
        assert_accessible(signed)
    signed.goto("/comptes")
    signed.get_by_role("button", name="Ouvrir le compte", exact=True).evaluate("button => button.form.noValidate = true")
    signed.get_by_role("button", name="Ouvrir le compte", exact=True).click()
    expect(signed.get_by_role("alert")).to_contain_text("À corriger")
    assert_accessible(signed)
    empty(browsed.engine)
    link = open_workplace(browsed.engine, browsed.settings)
    assert link
    page = browsed.page(width=width, dark=dark)
    for path in ("/connexion", "/connexion?perdue=1", link, "/"):
        page.goto(path)
        assert_accessible(page)
    browsed.faults = [fault for fault in browsed.faults if "422" not in fault]
