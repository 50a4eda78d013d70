"""What the guides call a button, a page or a field is called so on the pages; they accuse nobody."""

import re

import pytest

from service.pages import MENU
from tests.documented import ROOT

GUIDES = ("guide-analyste.md", "guide-relecteur.md")
#: Bold words that begin a sentence and name nothing of a page.
SAID = {
    "Vous lisez, vous décidez.",
    "Lisez d'abord tout le texte",
    "« Probabilité que ce texte soit à examiner : 90 % »",
    "Le score d'un signe",
    "Le seuil",
    "Le nom d'une pratique n'est pas un signe.",
    "Un titre qui décrit des textes",
    "Pour chaque texte, pourquoi il est là.",
    "La réponse de la personne concernée",
    "Sous le niveau 2, rien n'est proposé",
    "Lisez comme si personne ne l'avait lu.",
    "Lisez l'intervalle",
    "Elles restent.",
    "Elles deviennent un corpus relu",
    "Un cinquième juge, le reste apprend.",
    "Un challenger est entraîné et comparé",
    "Une personne le met en service",
}
#: Names that the templates put together, and the part of them that is written there.
MADE = {
    "Masquer les données personnelles": "les données personnelles",
    "Le modèle hésite": "le modèle hésite",
    "Marquer « en relecture »": "Marquer «",
    "Marquer « prêt »": "Marquer «",
}


def _pages() -> str:
    files = sorted((ROOT / "service" / "templates").glob("*.html"))
    text = " ".join(path.read_text(encoding="utf-8") for path in files)
    text = re.sub(r"<[^>]+>", "", re.sub(r"<kbd>.*?</kbd>", "", text))
    menu = " ".join(name for _, entries in MENU for _, name, _ in entries)
    return re.sub(r"\s+", " ", f"{text} {menu}")


def _bold(guide: str) -> list[str]:
    text = (ROOT / "docs" / guide).read_text(encoding="utf-8")
    return [" ".join(words.split()) for words in re.findall(r"\*\*(.+?)\*\*", text, re.DOTALL)]


@pytest.mark.parametrize("guide", GUIDES)
def test_what_is_on_the_pages_has_the_same_name_in_the_guides(guide: str) -> None:
    shown = _pages()
    names = {name for name in _bold(guide) if re.match(r"[« ]*[A-ZÀÉ]", name)} - SAID
    assert len(names) > 10
    missing = {name for name in names if MADE.get(name, name.strip("«» ")) not in shown}
    assert not missing, f"{guide} : ces noms ne sont sur aucune page : {missing}"


def test_no_exception_is_left_over() -> None:
    bold = {name for guide in GUIDES for name in _bold(guide)}
    assert bold >= SAID | set(MADE)


@pytest.mark.parametrize("guide", GUIDES)
def test_a_guide_speaks_of_signs_to_be_checked_and_has_pictures(guide: str) -> None:
    text = (ROOT / "docs" / guide).read_text(encoding="utf-8")
    assert "indices à vérifier" in text
    assert len(re.findall(r"!\[[^\]]{20,}\]\(images/[\w-]+\.png\)", text)) >= 2
