"""How well a score can be read as a probability: Brier score, calibration error, observed shares by band of score."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import brier_score_loss

from model.labels import INDICATOR_IDS
from model.records import Prediction
from training.corpus import AnnotatedText
from training.intervals import bootstrap, share

RISK_BANDS: Final = 10
#: An indicator has tens of positives where the flag has hundreds: half as many bands.
INDICATOR_BANDS: Final = 5
_CHANCE_DRAWS: Final = 200
_CHANCE_PERCENTILE: Final = 95

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


def calibrations(texts: Sequence[AnnotatedText], predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Calibration of the risk score (`risk`) and of each indicator (`indicators`), as plain numbers for JSON.

    A text that was not judged counts with a score of 0.
    """
    flagged = np.asarray([text.flagged for text in texts], dtype=bool)
    risk = np.asarray([found.risk.score if found.risk else 0.0 for found in predictions])
    scores = [{indicator.id: indicator.score for indicator in found.indicators} for found in predictions]
    labels = {}
    for name in INDICATOR_IDS:
        truth = np.asarray([name in text.labels() for text in texts], dtype=bool)
        labels[name] = calibration(truth, np.asarray([found.get(name, 0.0) for found in scores]), INDICATOR_BANDS)
    return {"risk": calibration(flagged, risk, RISK_BANDS), "indicators": labels}


def calibration(truth: Bools, scores: Floats, bands: int, seed: int = 0) -> dict[str, Any]:
    """Calibration of scores in [0, 1] against truth, both of shape (n,).

    Returns:
        `texts`, `positives`, `mean_score`; `brier` with a bootstrap interval and `brier_of_base_rate`, what giving every
        text the share of positives would get; `ece`, the expected calibration error over bands of equal width (Naeini,
        Cooper and Hauskrecht, AAAI 2015), and `ece_by_chance`, which scores that are perfectly calibrated stay under 95
        times in 100 with as many texts; `bands`, those that hold a text, each with its mean score and observed share.
        Figures are None without a text.
    """
    if not len(truth):
        unknown = ("mean_score", "brier", "brier_of_base_rate", "ece", "ece_by_chance")
        return {"texts": 0, "positives": 0, **dict.fromkeys(unknown), "bands": []}
    band_of = np.minimum((scores * bands).astype(int), bands - 1)
    rate = float(truth.mean())
    random = np.random.default_rng(seed)
    by_chance = [_ece(random.random(len(scores)) < scores, scores, band_of, bands) for _ in range(_CHANCE_DRAWS)]
    squares = (scores - truth) ** 2
    return {
        "texts": len(truth),
        "positives": int(truth.sum()),
        "mean_score": round(float(scores.mean()), 4),
        "brier": bootstrap(len(truth), lambda rows: float(squares[rows].mean()), seed).to_json(),
        "brier_of_base_rate": round(float(brier_score_loss(truth, np.full(len(truth), rate), pos_label=True)), 4),
        "ece": round(_ece(truth, scores, band_of, bands), 4),
        "ece_by_chance": round(float(np.percentile(by_chance, _CHANCE_PERCENTILE)), 4),
        "bands": [
            {
                "from": round(band / bands, 2),
                "to": round((band + 1) / bands, 2),
                "mean_score": round(float(scores[band_of == band].mean()), 4),
                "observed": share(int(truth[band_of == band].sum()), int((band_of == band).sum())).to_json(),
            }
            for band in range(bands)
            if (band_of == band).any()
        ],
    }


def _ece(truth: Bools, scores: Floats, band_of: NDArray[np.int_], bands: int) -> float:
    """Mean over texts of the distance, in their band, between mean score and observed share."""
    gaps = np.bincount(band_of, weights=scores - truth, minlength=bands)
    return float(np.abs(gaps).sum() / len(truth))
