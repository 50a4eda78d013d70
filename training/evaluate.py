"""What a model is worth on annotated texts: counts with 95 % intervals, for the flag, the stance, each indicator."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, brier_score_loss, cohen_kappa_score

from model.analyser import Analyser, Options
from model.labels import INDICATOR_IDS, LEVELS, OPERATING_POINTS, STANCE_IDS
from model.records import Prediction
from training.calibration import calibrations
from training.corpus import AnnotatedText, corpus_hash
from training.intervals import bootstrap, f1, precision_at, share
from training.passages import passage_figures

_FLAG_LEVEL: Final = 2
_ENOUGH: Final = 5
#: Shares of texts of level 2 or 3 for which the card says what to expect.
BASE_RATES: Final = (0.01, 0.05, 0.15)

Bools = NDArray[np.bool_]


def predict_all(
    analyser: Analyser,
    texts: Sequence[AnnotatedText],
    progress: Callable[[int, int], None] | None = None,
    options: Options | None = None,
) -> list[Prediction]:
    """One prediction a text, in order."""
    found = []
    for done, text in enumerate(texts, start=1):
        found.append(analyser.predict(text.text, id=text.id, options=options))
        if progress:
            progress(done, len(texts))
    return found


def flag_by_point(texts: Sequence[AnnotatedText], levels: Sequence[Mapping[str, int]]) -> dict[str, Any]:
    """The flag at each operating point, as counts with intervals.

    Recall, precision, false alarms among levels 0 and 1, and the precision to expect at each of `BASE_RATES`, by the rate
    as text.
    """
    truth = np.asarray([text.flagged for text in texts], dtype=bool)
    figures = {}
    for point in OPERATING_POINTS:
        flagged = np.asarray([level[point] >= _FLAG_LEVEL for level in levels], dtype=bool)
        right = int((truth & flagged).sum())
        recall = share(right, int(truth.sum()))
        false_alarms = share(int((flagged & ~truth).sum()), int((~truth).sum()))
        figures[point] = {
            "recall": recall.to_json(),
            "precision": share(right, int(flagged.sum())).to_json(),
            "false_alarms": false_alarms.to_json(),
            "expected_precision": {str(rate): precision_at(rate, recall, false_alarms).to_json() for rate in BASE_RATES},
        }
    return figures


def evaluate(texts: Sequence[AnnotatedText], predictions: Sequence[Prediction]) -> dict[str, Any]:
    """All figures of predictions against annotations, as plain numbers for JSON.

    Texts whose prediction is not `ok` count as level 0, stance neutral, nothing present, and are counted under `refused`.
    """
    truth = np.asarray([text.flagged for text in texts], dtype=bool)
    levels = np.asarray([found.risk.level if found.risk else 0 for found in predictions])
    scores = np.asarray([found.risk.score if found.risk else 0.0 for found in predictions])
    flagged = levels >= _FLAG_LEVEL
    stance = np.asarray([found.stance.value if found.stance else "neutral" for found in predictions])
    right_stance = int(sum(text.stance == value for text, value in zip(texts, stance, strict=True)))
    return {
        "texts": len(texts),
        "texts_sha256": corpus_hash(texts),
        "refused": sum(found.status != "ok" for found in predictions),
        "flag": _flag(truth, flagged, scores),
        "flagged_among": _flagged_among(texts, flagged),
        "stance": {"accuracy": share(right_stance, len(texts)).to_json(), "confusion": _confusion(texts, stance)},
        "level": _level(texts, levels),
        "indicators": _indicators(texts, predictions),
        "evidence": passage_figures(texts, predictions),
        "calibration": calibrations(texts, predictions),
    }


def _flag(truth: Bools, flagged: Bools, scores: NDArray[np.float64]) -> dict[str, Any]:
    right = int((truth & flagged).sum())
    some = bool(truth.any()) and not bool(truth.all())
    return {
        "positives": int(truth.sum()),
        "recall": share(right, int(truth.sum())).to_json(),
        "precision": share(right, int(flagged.sum())).to_json(),
        "f1": bootstrap(len(truth), lambda rows: f1(truth[rows], flagged[rows])).to_json(),
        "average_precision": round(float(average_precision_score(truth, scores)), 4) if some else None,
        "brier": round(float(brier_score_loss(truth, scores)), 4) if some else None,
    }


def _flagged_among(texts: Sequence[AnnotatedText], flagged: Bools) -> dict[str, Any]:
    """How many texts that should not be flagged were: by stance, and by kind of look-alike."""
    found: dict[str, Any] = {}
    for stance in ("warns", "neutral"):
        rows = [i for i, text in enumerate(texts) if text.stance == stance]
        found[stance] = share(int(flagged[rows].sum()), len(rows)).to_json()
    rows = [i for i, text in enumerate(texts) if text.stance == "promotes" and text.risk_level < _FLAG_LEVEL]
    found["promotes_below_2"] = share(int(flagged[rows].sum()), len(rows)).to_json()
    for kind in sorted({text.lookalike for text in texts if text.lookalike}):
        rows = [i for i, text in enumerate(texts) if text.lookalike == kind]
        found[f"lookalike_{kind}"] = share(int(flagged[rows].sum()), len(rows)).to_json()
    return found


def _confusion(texts: Sequence[AnnotatedText], stance: NDArray[np.str_]) -> dict[str, dict[str, int]]:
    return {
        true: {
            found: sum(text.stance == true and value == found for text, value in zip(texts, stance, strict=True))
            for found in STANCE_IDS
        }
        for true in STANCE_IDS
    }


def _level(texts: Sequence[AnnotatedText], levels: NDArray[np.int_]) -> dict[str, Any]:
    truth = np.asarray([text.risk_level for text in texts])
    kappa = cohen_kappa_score(truth, levels, weights="quadratic", labels=range(len(LEVELS))) if len(texts) else 0.0
    return {
        "accuracy": share(int((truth == levels).sum()), len(texts)).to_json(),
        "quadratic_kappa": round(float(kappa), 4),
        "confusion": [[int(((truth == t) & (levels == f)).sum()) for f in range(len(LEVELS))] for t in range(len(LEVELS))],
    }


def _indicators(texts: Sequence[AnnotatedText], predictions: Sequence[Prediction]) -> dict[str, Any]:
    labels: dict[str, Any] = {}
    f1_values = []
    for name in INDICATOR_IDS:
        truth = np.asarray([name in text.labels() for text in texts], dtype=bool)
        found = np.asarray([name in prediction.present() for prediction in predictions], dtype=bool)
        right = int((truth & found).sum())
        value = f1(truth, found)
        if truth.sum() >= _ENOUGH:
            f1_values.append(value)
        labels[name] = {
            "support": int(truth.sum()),
            "recall": share(right, int(truth.sum())).to_json(),
            "precision": share(right, int(found.sum())).to_json(),
            "f1": round(value, 4) if not np.isnan(value) else None,
        }
    macro = round(float(np.mean(f1_values)), 4) if f1_values else None
    return {"macro_f1": macro, "labels_in_macro": len(f1_values), "labels": labels}
