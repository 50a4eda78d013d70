"""The card says what was measured, what it took and what served before; what varies by machine never reaches a name."""

import json
import re
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from model.decide import OperatingPoint
from model.labels import INDICATOR_IDS, INDICATOR_NAMES, OPERATING_POINTS, TARGET_IDS
from model.store import FORMAT, MANIFEST, METRICS, set_current
from tests.signed import rewritten
from tests.training.test_corpus import line
from tests.training.test_measures import prediction
from training.card import Model, model_card
from training.corpus import AnnotatedText
from training.deletion import deletion_test
from training.energy import Meter, Spent
from training.evaluate import evaluate, flag_by_point
from training.firstlook import bounds
from training.measure import corpus_facts
from training.passages import annotator_figures
from training.plots import model_plots
from training.previous import TRAINING, Previous, previous_model
from training.slices import slice_figures

SPENT = Spent(100.0, 90.0, 2 << 30, "Processeur d'essai", 2, 8 << 30, "Linux x86_64")


def _model(previous: Previous | None = None) -> Model:
    texts = [
        AnnotatedText.model_validate(line(id=f"c{n}", split="test", writer=f"w{n % 2}", risk_level=2 * (n % 3 == 0)))
        for n in range(24)
    ]
    found = [prediction(2 * (n % 4 == 0), "promotes", ("mystical_discourse",), n / 24) for n in range(24)]
    measured = evaluate(texts, found) | {"slices": slice_figures(texts, found)}
    levels = [dict.fromkeys(OPERATING_POINTS, 2 * (n % 4 == 0)) for n in range(24)]
    metrics = {
        "dev": measured,
        "test": measured,
        "test_unseen_writers": measured,
        "points": flag_by_point(texts, levels),
        "points_unseen_writers": flag_by_point(texts, levels),
        "deletion": deletion_test(texts, found, lambda _: found[0]),
        "annotators": annotator_figures(texts),
    }
    facts = corpus_facts(texts) | {"seed": 0, "settings": {"word_weight": 3.0}, "base_rate": 0.29, "rule_precision": 0.97}
    lost = bounds(np.asarray([True, False, True, False]), np.asarray([0, 2, 1, 3])).to_json()
    facts["first_look"] = dict.fromkeys(OPERATING_POINTS, lost)
    metrics["first_look"] = {"strict": lost}
    point = OperatingPoint(dict.fromkeys(INDICATOR_IDS, 0.3), 0.5, dict.fromkeys(TARGET_IDS, 0.4))
    return Model("2026.1.1+abcdef01", facts, metrics, dict.fromkeys(OPERATING_POINTS, point), SPENT, previous)


@pytest.fixture(scope="module")
def model() -> Model:
    return _model()


def test_the_card_has_every_part_and_readable_tables(model: Model) -> None:
    card = model_card(model)
    titles = [text[3:] for text in card.split("\n") if text.startswith("## ")]
    for wanted in (
        "Usage prévu", "Limites", "Données", "Méthode", "Calibration", "Points de fonctionnement", "Premier regard",
        "Tranches (test)",
    ):  # fmt: skip
        assert wanted in titles
    assert all(name in card for name in INDICATOR_NAMES.values())
    assert not re.search(r"\bnan\b|\bNone\b", card)
    tables = [block.strip().split("\n") for block in card.split("\n\n") if block.startswith("|")]
    assert len(tables) > 15
    for rows in tables:
        assert len({row.count("|") for row in rows}) == 1, rows[0]


def test_the_card_bounds_what_the_first_look_loses(model: Model) -> None:
    card = model_card(model)
    # One of one lost: nothing is known of the share; none of two: at most 1 - 0.05 ** (1 / 2).
    for point in OPERATING_POINTS:
        assert f"| réglage, hors pli | `{point}` | 0/2 (au plus 77,64 %) | 1/1 (au plus 100,00 %) | 50 % |" in card
    assert "| test | `strict` | 0/2 (au plus 77,64 %)" in card
    assert "| test | `triage` |" not in card


def test_the_card_states_base_rate_flag_and_energy(model: Model) -> None:
    card = model_card(model)
    assert "29,0 %" in card
    assert "précision à 1 %" in card
    assert "0,27 Wh" in card  # 90 s × 10 W + 100 s × 2 Gio × 0,3725 W
    assert "10 W par cœur" in card
    assert "Aucun modèle ne servait avant" in card


def test_what_varies_by_machine_is_in_one_section(model: Model) -> None:
    other = model_card(replace(model, spent=replace(SPENT, seconds=7.0, cpu_seconds=5.0, peak_bytes=None, processor="Autre")))
    one, two = (card.split("## Entraînement, machine, versions")[0] for card in (model_card(model), other))
    assert one == two


def test_plots_stand_beside_the_card(model: Model) -> None:
    plots = model_plots(model.metrics)
    assert set(plots) == {"calibration.png", "calibration-indicateurs.png", "indicateurs.png"}
    card = model_card(model)
    for name, content in plots.items():
        assert content.startswith(b"\x89PNG")
        assert f"]({name})" in card
    assert model_plots(model.metrics) == plots


@pytest.mark.parametrize(
    ("there", "corpus", "expected"),
    [
        pytest.param("same", "", "sur les mêmes textes de test", id="same-hash"),
        pytest.param("other", "", "sur d'autres textes de test", id="other-hash"),
        pytest.param(None, "same", "sur les mêmes textes de test", id="no-hash-same-corpus"),
        pytest.param(None, "other", "peuvent différer", id="no-hash-other-corpus"),
    ],
)
def test_the_model_before_is_compared_and_other_texts_are_told(
    model: Model, there: str | None, corpus: str, expected: str
) -> None:
    test = {"texts_sha256": model.metrics["test"]["texts_sha256"] if there == "same" else there}
    test |= {"flag": {"recall": {"value": 0.61, "low": 0.5, "high": 0.7, "hits": 61, "total": 100}}}
    old = {"test": test if there else {"flag": test["flag"]}}
    before = Previous("2026.1.1+0ld", model.facts["corpus_sha256"] if corpus == "same" else "x", old)
    card = model_card(replace(model, previous=before))
    assert expected in card
    assert "61/100, 61 % [50 ; 70]" in card
    assert "2026.1.1+0ld" in card


def _artefact(root: Path, name: str, before: str | None = None) -> None:
    (root / name).mkdir()
    files = {METRICS: b'{"test": {}}', TRAINING: json.dumps({"previous": before}).encode()}
    for relative, content in files.items():
        (root / name / relative).write_bytes(content)
    hashes = {relative: sha256(content).hexdigest() for relative, content in files.items()}
    (root / name / MANIFEST).write_text("{}", encoding="utf-8")
    rewritten(root / name, format=FORMAT, version=name, corpus_sha256="abc", files=hashes)


def test_the_model_before_is_what_served_and_survives_training_again(tmp_path: Path) -> None:
    assert previous_model(tmp_path, "two") is None
    _artefact(tmp_path, "one")
    set_current(tmp_path, "one")
    first = previous_model(tmp_path, "two")
    assert first is not None
    assert first.name == "one"
    _artefact(tmp_path, "two", before="one")
    set_current(tmp_path, "two")
    assert previous_model(tmp_path, "two") == first
    (tmp_path / "one" / METRICS).write_text("{", encoding="utf-8")
    assert previous_model(tmp_path, "two") is None
    assert previous_model(tmp_path / "absent", "one") is None


def test_a_meter_counts_time_memory_and_energy() -> None:
    meter = Meter()
    sum(n * n for n in range(300_000))
    spent = meter.read()
    assert spent.cpu_seconds > 0
    assert spent.peak_bytes is None or spent.peak_bytes > 1 << 20
    assert spent.watt_hours(20.0) > spent.watt_hours(5.0) > 0
    assert spent.to_json()["assumed_watts_per_core"] == 10.0
