"""Plots of the corpus and of a model, as PNG bytes; the same figures stand beside them as tables."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

from matplotlib.axes import Axes
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
    sets = {"test": test["calibration"]}
    if "test_unseen_writers" in metrics:
        sets["test, rédacteurs jamais vus"] = metrics["test_unseen_writers"]["calibration"]
    return {
        "calibration.png": _risk_reliability({name: found["risk"]["bands"] for name, found in sets.items()}),
        "calibration-indicateurs.png": _indicator_reliability({name: found["indicators"] for name, found in sets.items()}),
        "indicateurs.png": _by_indicator(test["indicators"]),
    }


def _reliability(axes: Axes, sets: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Observed share against mean score, with Wilson intervals; one colour a set, the diagonal where both agree."""
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1)
    # Two sets share most texts: a little apart, both can be seen.
    for (name, bands), colour, marker, shift in zip(sets.items(), (_BLUE, _ORANGE), "os", (-0.008, 0.008), strict=False):
        observed = [band["observed"] for band in bands]
        low = [max(0.0, found["value"] - found["low"]) for found in observed]
        high = [max(0.0, found["high"] - found["value"]) for found in observed]
        x, y = [band["mean_score"] + shift for band in bands], [found["value"] for found in observed]
        axes.errorbar(x, y, yerr=[low, high], fmt=marker, color=colour, capsize=3, markersize=4, linewidth=1, label=name)
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)


def _risk_reliability(sets: Mapping[str, Sequence[Mapping[str, Any]]]) -> bytes:
    figure = Figure(figsize=(5.4, 5), layout="constrained")
    axes = figure.subplots()
    _reliability(axes, sets)
    axes.set_title("Calibration du score de risque")
    axes.set_xlabel("score moyen de la tranche")
    axes.set_ylabel("part de niveaux 2 et 3 (IC 95 %)")
    axes.legend(loc="upper left")
    return _png(figure)


def _indicator_reliability(sets: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> bytes:
    figure = Figure(figsize=(11, 8.6), layout="constrained")
    grid = figure.subplots(3, 4, sharex=True, sharey=True)
    for axes, (id, name) in zip(grid.flat, INDICATOR_NAMES.items(), strict=True):
        _reliability(axes, {shown: found[id]["bands"] for shown, found in sets.items()})
        axes.set_title(f"{name} ({next(iter(sets.values()))[id]['positives']})", fontsize=10)
    figure.legend(*grid.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.suptitle("Calibration des indicateurs (effectif sur le test), selon le score moyen de la tranche")
    figure.supylabel("part de textes qui portent le signe (IC 95 %)", fontsize="medium")
    return _png(figure)


def _by_indicator(figures: Mapping[str, Any]) -> bytes:
    figure = Figure(figsize=(8, 4.6), layout="constrained")
    axes = figure.subplots()
    names = list(figures["labels"])[::-1]
    rows = [figures["labels"][name] for name in names]
    places = range(len(names))
    axes.barh([p + 0.2 for p in places], [r["recall"]["value"] or 0.0 for r in rows], height=0.38, color=_BLUE, label="rappel")
    axes.barh(
        [p - 0.2 for p in places],
        [r["precision"]["value"] or 0.0 for r in rows],
        height=0.38,
        color=_ORANGE,
        label="précision",
    )
    axes.set_yticks(list(places), [f"{INDICATOR_NAMES[name]} ({row['support']})" for name, row in zip(names, rows, strict=True)])
    axes.set_xlim(0, 1)
    axes.legend(loc="lower right")
    axes.set_title("Indicateurs sur le test (effectif)")
    return _png(figure)
