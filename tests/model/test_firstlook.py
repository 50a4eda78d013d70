"""The cheap first look: it leaves alone what holds nothing to examine, and changes nothing of what it sends on."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from model.analyser import Analyser, Options
from model.labels import INDICATOR_IDS, OPERATING_POINTS
from model.records import OperatingPointName
from tests.service.test_batch import OFFER
from training.corpus import AnnotatedText, of_split

SCREEN = Options(screen=True)
#: Nothing to do with health or belief, as most of what a scraper brings home.
PLAIN = (
    "Vends table basse en chêne, 110 x 60, quelques rayures sur le plateau. À venir chercher à Limoges, 45 €.",
    "Location d'un studio meublé de 24 m² près de la gare, charges comprises, libre au 1er mars. Dossier et garant demandés.",
    "Le club de pétanque organise son concours en doublettes samedi 14 juin, inscriptions dès 13 h, buvette sur place.",
    "Lot de pneus hiver 205/55 R16, deux saisons, montés sur jantes tôle. Prix ferme, je ne réponds pas aux échanges.",
)


@pytest.fixture(scope="module")
def some(corpus: Sequence[AnnotatedText]) -> list[AnnotatedText]:
    return of_split(corpus, "test")[::25]


def test_what_has_nothing_to_do_with_health_is_left_alone(analyser: Analyser) -> None:
    found = [analyser.predict(text, options=SCREEN) for text in PLAIN]
    assert sum(prediction.analysis == "screen" for prediction in found) >= len(PLAIN) / 2


@pytest.mark.parametrize("point", OPERATING_POINTS)
def test_a_grave_offer_is_never_left_alone(analyser: Analyser, point: OperatingPointName) -> None:
    text = "Arrêtez votre chimiothérapie : mes séances de magnétisme guérissent le cancer, 90 € la séance."
    assert analyser.predict(text, options=Options(point, screen=True)) == analyser.predict(text, options=Options(point))


def test_a_text_is_analysed_in_full_or_left_alone(analyser: Analyser, some: list[AnnotatedText]) -> None:
    left = 0
    for text in [*(one.text for one in some), *PLAIN]:
        full, found = analyser.predict(text), analyser.predict(text, options=SCREEN)
        if found.analysis == "full":
            assert found == full
            continue
        left += 1
        assert found.risk is not None
        assert (found.risk.level, found.risk.reasons, found.context) == (0, [], [])
        assert [indicator.id for indicator in found.indicators] == list(INDICATOR_IDS)
        assert not any(indicator.present or indicator.evidence for indicator in found.indicators)
        assert all(0 <= indicator.score <= 1 for indicator in found.indicators)
        assert found.stance is not None
        assert sum(found.stance.scores.values()) == pytest.approx(1)
        assert (found.practices, found.author, found.language) == (full.practices, full.author, full.language)
        # Persons and places need the French pipeline, which a first look spares.
        plain = [entity for entity in full.entities if entity.kind not in ("person", "place")]
        assert [entity for entity in found.entities if entity in plain] == plain
    assert left >= len(PLAIN) / 2


def test_one_passage_of_a_long_text_is_enough_to_send_it_on(analyser: Analyser) -> None:
    around = " ".join(PLAIN * 12)
    assert analyser.predict(f"{around} {OFFER} {around}", options=SCREEN).analysis == "full"


def test_everything_is_analysed_unless_asked_otherwise(analyser: Analyser) -> None:
    assert analyser.predict(PLAIN[0]).analysis == "full"


def test_an_artefact_without_a_first_look_analyses_everything(analyser: Analyser) -> None:
    old = Analyser(replace(analyser.artefact, looks=None))
    assert old.predict(PLAIN[0], options=SCREEN) == analyser.predict(PLAIN[0])
