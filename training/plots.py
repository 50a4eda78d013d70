"""Plots of the corpus and of a model, as PNG bytes; the same figures stand beside them as tables."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from model.labels import INDICATOR_NAMES

_BLUE = "#1f4e79"
_ORANGE = "#c55a11"


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    target = BytesIO()
    figure.savefig(target, format="png", dpi=110, metadata={"Software": None})
    return target.getvalue()


def bars(title: str, counts: Mapping[str, int]) -> bytes:
    """A bar chart of counts, in the order given."""
    figure = Figure(figsize=(8, 0.6 + 0.32 * max(3, len(counts))), layout="constrained")
    axes = figure.subplots()
    names = list(counts)[::-1]
    values = [counts[name] for name in names]
    axes.barh(names, values, color=_BLUE)
    for row, value in enumerate(values):
        axes.text(value, row, f" {value}", va="center", fontsize=8)
    axes.set_title(title)
    axes.set_xlabel("textes")
    axes.margins(x=0.12)
    return _png(figure)


def histogram(title: str, values: Sequence[int], label: str) -> bytes:
    """A histogram of whole numbers in bins of ten."""
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.hist(values, bins=range(0, max(values, default=10) + 11, 10), color=_BLUE)
    axes.set_title(title)
    axes.set_xlabel(label)
    axes.set_ylabel("textes")
    return _png(figure)


def model_plots(metrics: Mapping[str, Any]) -> dict[str, bytes]:
    """Reliability and per-indicator plots of the test split, by file name; none where there is no test split."""
    test = metrics.get("test")
    if not test or not test["texts"]:
        return {}
    return {"calibration.png": _reliability(test["calibration"]), "indicateurs.png": _by_indicator(test["indicators"])}


def _reliability(rows: Sequence[Mapping[str, Any]]) -> bytes:
    figure = Figure(figsize=(5, 4.6), layout="constrained")
    axes = figure.subplots()
    x = [row["mean_score"] for row in rows]
    y = [row["flagged"]["value"] for row in rows]
    low = [max(0.0, row["flagged"]["value"] - row["flagged"]["low"]) for row in rows]
    high = [max(0.0, row["flagged"]["high"] - row["flagged"]["value"]) for row in rows]
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1)
    axes.errorbar(x, y, yerr=[low, high], fmt="o", color=_BLUE, capsize=3)
    axes.set_title("Calibration du score de risque (test)")
    axes.set_xlabel("score moyen")
    axes.set_ylabel("part de niveaux 2 et 3 (IC 95 %)")
    return _png(figure)


def _by_indicator(figures: Mapping[str, Any]) -> bytes:
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.subplots()
    names = list(figures["labels"])[::-1]
    rows = [figures["labels"][name] for name in names]
    places = range(len(names))
    axes.barh([p + 0.2 for p in places], [r["recall"]["value"] for r in rows], height=0.38, color=_BLUE, label="rappel")
    axes.barh(
        [p - 0.2 for p in places],
        [r["precision"]["value"] for r in rows],
        height=0.38,
        color=_ORANGE,
        label="précision",
    )
    axes.set_yticks(list(places), [f"{INDICATOR_NAMES[name]} ({row['support']})" for name, row in zip(names, rows, strict=True)])
    axes.set_xlim(0, 1)
    axes.legend(loc="lower right")
    axes.set_title("Indicateurs sur le test (effectif)")
    return _png(figure)
