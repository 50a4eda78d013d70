"""The threat model claims what tests show: each is named, and is there."""

import re

import pytest

from tests.documented import ROOT

PAGE = (ROOT / "docs" / "menaces.md").read_text(encoding="utf-8")
ROWS = [cells for line in PAGE.splitlines() if len(cells := [cell.strip() for cell in line.split("|")[1:-1]]) == 5]
_NAMED = re.compile(r"`((?:\w+/)*test_\w+\.py)(?:::(test_\w+))?`")


def test_every_claim_names_tests_that_are_there() -> None:
    claims = [row for row in ROWS if row[0] not in ("menace", "---")]
    assert len(claims) > 30
    for threat, _, shown, *_ in claims:
        named = _NAMED.findall(shown)
        assert named, f"« {threat} » : aucun test n'est nommé"
        for file, test in named:
            content = (ROOT / "tests" / file).read_text(encoding="utf-8")
            assert f"def {test}(" in content if test else "def test_" in content, f"{file}::{test}"


@pytest.mark.parametrize(
    "actor",
    [
        "personne mise en cause",
        "analyste curieux",
        "en colère",
        "texte hostile",
        "clé d'accès",
        "ordinateur",
        "sauvegarde",
        "empoisonné",
    ],
)
def test_every_actor_of_the_model_is_there(actor: str) -> None:
    assert actor in PAGE


def test_the_settings_and_verbs_it_asks_for_exist() -> None:
    from service.settings import Settings

    known = {f"VIGIE_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"VIGIE_\w+", PAGE)) <= known
