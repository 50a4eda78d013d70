"""Calibration, slices and expected precision say what they should of small cases that can be worked out by hand."""

import json

import numpy as np
import pytest

from model.labels import INDICATOR_IDS, OPERATING_POINTS
from tests.training.test_corpus import line
from tests.training.test_measures import prediction
from training.calibration import calibration, calibrations
from training.corpus import AnnotatedText
from training.evaluate import flag_by_point
from training.intervals import Estimate, precision_at, share
from training.slices import DIMENSIONS, slice_figures


def _text(number: int, **changes: object) -> AnnotatedText:
    return AnnotatedText.model_validate(line(id=f"c{number}", **changes))


def test_brier_and_calibration_error_by_hand() -> None:
    truth = np.asarray([True, False, False, False])
    found = calibration(truth, np.asarray([0.95, 0.95, 0.05, 0.05]), 10)
    assert found["brier"]["value"] == pytest.approx((0.05**2 + 0.95**2 + 2 * 0.05**2) / 4, abs=1e-4)
    assert found["brier_of_base_rate"] == pytest.approx(0.25 * 0.75, abs=1e-4)
    assert found["ece"] == pytest.approx((2 * 0.45 + 2 * 0.05) / 4)
    assert [(band["from"], band["observed"]["hits"], band["observed"]["total"]) for band in found["bands"]] == [
        (0.0, 0, 2),
        (0.9, 1, 2),
    ]


def test_calibrated_scores_stay_within_chance_and_pushed_ones_do_not() -> None:
    random = np.random.default_rng(3)
    scores = random.random(600)
    truth = random.random(600) < scores
    honest, pushed = calibration(truth, scores, 10), calibration(truth, np.sqrt(scores), 10)
    assert honest["ece"] <= honest["ece_by_chance"]
    assert pushed["ece"] > pushed["ece_by_chance"]
    assert calibration(truth, scores, 10) == honest


def test_a_score_of_one_is_in_the_last_band_and_no_text_is_no_figure() -> None:
    assert calibration(np.asarray([True]), np.asarray([1.0]), 5)["bands"][0]["from"] == 0.8
    empty = calibrations([], [])
    assert empty["risk"]["brier"] is None
    assert json.dumps(empty, allow_nan=False)


def test_each_indicator_is_judged_on_its_own_score() -> None:
    found = calibrations([_text(1)], [prediction(1, "promotes", ("mystical_discourse",))])["indicators"]
    assert set(found) == set(INDICATOR_IDS)
    assert (found["mystical_discourse"]["positives"], found["miracle_cure"]["positives"]) == (1, 0)
    assert found["mystical_discourse"]["bands"][0]["observed"]["hits"] == 1


def test_expected_precision_follows_bayes_and_falls_with_rarity() -> None:
    recall, false_alarms = share(80, 100), share(20, 400)
    found = [precision_at(prior, recall, false_alarms) for prior in (0.01, 0.05, 0.15, 0.5)]
    assert found[0].value == pytest.approx(0.8 * 0.01 / (0.8 * 0.01 + 0.05 * 0.99))
    assert [one.value for one in found] == sorted(one.value for one in found)
    assert all(one.low < one.value < one.high for one in found)


def test_no_false_alarm_seen_is_no_promise_of_none() -> None:
    found = precision_at(0.05, share(5, 20), share(0, 50))
    assert found.value == 1.0
    assert found.low < 0.8


def test_what_was_not_counted_is_null_in_json() -> None:
    assert share(0, 0).to_json()["value"] is None
    assert precision_at(0.05, share(0, 10), share(0, 10)).to_json()["value"] is None
    assert Estimate(0.5, 0.4, 0.6).to_json() == {"value": 0.5, "low": 0.4, "high": 0.6}


def test_points_count_false_alarms_among_harmless_texts() -> None:
    texts = [_text(1, risk_level=2), _text(2, risk_level=1), _text(3, risk_level=0, stance="neutral", indicators=[])]
    levels = [dict(zip(OPERATING_POINTS, row, strict=True)) for row in ((2, 2, 0), (2, 1, 0), (0, 0, 0))]
    found = flag_by_point(texts, levels)
    assert (found["triage"]["false_alarms"]["hits"], found["triage"]["false_alarms"]["total"]) == (1, 2)
    assert found["balanced"]["expected_precision"]["0.05"]["value"] == 1.0
    assert found["strict"]["precision"]["value"] is None


def test_slices_hold_every_text_once_and_small_ones_only_counts() -> None:
    texts = [_text(n, channel="ad" if n < 10 else "message", region="be" if n == 0 else None, risk_level=2) for n in range(12)]
    found = slice_figures(texts, [prediction(2 if n % 2 else 0, "promotes") for n in range(12)])
    assert set(found) == {dimension.id for dimension in DIMENSIONS}
    for own in found.values():
        assert sum(part["texts"] for part in own) == 12
        assert sum(part["positives"] for part in own) == 12
    ad, message = found["channel"]
    assert (ad["name"], ad["recall"]["hits"], ad["recall"]["total"]) == ("annonce", 5, 10)
    assert message == {"name": "message", "texts": 2, "positives": 2}
    assert ad["false_alarms"]["value"] is None
    assert [part["name"] for part in found["region"]] == ["France métropolitaine, ou sans marque", "Belgique"]
    assert [part["name"] for part in found["length"]] == ["0 à 24 mots"]
    json.dumps(found, allow_nan=False)
