"""What an export was asked for, in words."""

import pytest

from service.workplace.filter_words import in_words


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("tout=1", "tous les textes"),
        ("tout=1&pseudonymise=1", "tous les textes, pseudonymisés"),
        ("tri=recu&sens=asc", "tous les textes"),
        ("source=jsu", "source : jsu"),
        ("source=jsu&pseudonymise=1", "source : jsu, pseudonymisés"),
        ("niveau=2&niveau=3&etat=new", "niveau : 2 (à examiner) ou 3 (prioritaire) ; état : à lire"),
        ("niveau=sans&canal=social_post", None),
        ("signe=miracle_cure&danger=1", "signe : promesse de guérison ; personne en danger"),
        ("attribue=01a2&tenu=libre", "attribué à : Anne ; en cours de lecture : par personne"),
        ("attribue=moi", "attribué à : qui l'a demandé"),
        ("dates=capture&depuis=2026-11-01&jusqua=2026-11-20", "capturé depuis le 01/11/2026 jusqu'au 20/11/2026"),
        ("q=d%C3%A9tox+foie", "mots du texte : détox foie"),
    ],
)
def test_a_filter_is_said_as_the_queue_names_it(query: str, told: str | None) -> None:
    found = in_words(query, {"01a2": "Anne"})
    assert "=" not in found
    assert told is None or found.replace("\u00a0", " ") == told
