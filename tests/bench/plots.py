"""Plots of docs/performances.md, as PNG bytes; the same figures stand in its tables."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from statistics import median
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tests.bench.goals import Results, most_workers
from tests.bench.plan import FULL, NAMES, VIGIE
from tests.bench.serving import SERVERS
from tests.bench.texts import MIX_NAMES, MIXES

_BLUE: Final = "#1f4e79"
_ORANGE: Final = "#c55a11"
_GREY: Final = "#8a8a8a"
_MEGA: Final = 1_000_000


def plots(results: Results) -> dict[str, bytes]:
    """The plots of what was measured, by file name."""
    found = {}
    if results.get("batch", {}).get("measures"):
        found["performances-debit.png"] = _rates(results)
    if results.get("sizes", {}).get("measures"):
        found["performances-tailles.png"] = _sizes(results["sizes"]["measures"])
    if results.get("serving", {}).get("measures"):
        found["performances-service.png"] = _serving(results["serving"]["measures"])
    soaks = {name: results[name] for name in ("soak_batch", "soak_service") if name in results}
    if soaks:
        found["performances-endurance.png"] = _soaks(soaks)
    return found


def _png(figure: Figure) -> bytes:
    FigureCanvasAgg(figure)
    target = BytesIO()
    figure.savefig(target, format="png", dpi=110, metadata={"Software": None})
    return target.getvalue()


def _plain(name: str) -> str:
    return name.replace("**", "").replace("`", "")


def _rates(results: Results) -> bytes:
    workers = most_workers(results)
    measures = [line for line in results["batch"]["measures"] if line["workers"] == workers]
    by_mix = {mix: lines for mix in MIXES if (lines := [line for line in measures if line["mix"] == mix])}
    figure = Figure(figsize=(9, 0.8 + 0.48 * len(measures)), layout="constrained")
    heights = [len(lines) for lines in by_mix.values()]
    grid = figure.subplots(len(by_mix), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (mix, lines) in zip(grid, by_mix.items(), strict=True):
        lines.sort(key=lambda line: median(line["rates"]))
        _bars(axes, lines)
        axes.set_title(f"{MIX_NAMES[mix].capitalize()}, {workers} processus", fontsize=10)
    grid[-1].set_xlabel("textes par seconde (échelle logarithmique)")
    return _png(figure)


def _bars(axes: Axes, lines: Sequence[Mapping[str, Any]]) -> None:
    values = [median(line["rates"]) for line in lines]
    spread = [[v - min(line["rates"]) for v, line in zip(values, lines, strict=True)]]
    spread.append([max(line["rates"]) - v for v, line in zip(values, lines, strict=True)])
    colours = [_ORANGE if line["contender"] in (VIGIE, FULL) else _BLUE for line in lines]
    axes.barh([_plain(NAMES[line["contender"]]) for line in lines], values, color=colours, xerr=spread, capsize=3)
    axes.set_xscale("log")
    for row, value in enumerate(values):
        axes.text(value, row, f"   {value:.0f}" if value >= 10 else f"   {value:.1f}", va="center", fontsize=8)
    axes.margins(x=0.15)


def _sizes(lines: Sequence[Mapping[str, Any]]) -> bytes:
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    cost, memory = figure.subplots(1, 2)
    rows = [line["rows"] for line in lines]
    cost.plot(rows, [1000 / median(line["rates"]) for line in lines], "o-", color=_BLUE)
    cost.set_ylabel("ms par texte")
    memory.plot(rows, [max(peak or 0 for peak in line["peaks"]) / _MEGA for line in lines], "o-", color=_ORANGE)
    memory.set_ylabel("mémoire au plus fort (Mo)")
    for axes in (cost, memory):
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("lignes")
        axes.grid(alpha=0.3)
    return _png(figure)


def _serving(lines: Sequence[Mapping[str, Any]]) -> bytes:
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    times, rates = figure.subplots(1, 2)
    names = [_plain(SERVERS[line["server"]]) for line in lines][::-1]
    places = range(len(lines))
    for shift, key, colour in ((0.2, "p50", _BLUE), (-0.2, "p99", _ORANGE)):
        values = [1000 * median(line[key]) for line in lines][::-1]
        times.barh([place + shift for place in places], values, height=0.38, color=colour, label=key)
    times.set_yticks(list(places), names, fontsize=8)
    times.set_xlabel("ms par requête")
    times.legend(loc="best")
    rates.barh(names, [median(line["rates"]) for line in lines][::-1], color=_BLUE)
    rates.set_yticks([])
    rates.set_xlabel("requêtes par seconde")
    for axes in (times, rates):
        axes.set_xscale("log")
    return _png(figure)


def _soaks(soaks: Mapping[str, Any]) -> bytes:
    figure = Figure(figsize=(9, 5.4), layout="constrained")
    memory, rate = figure.subplots(2, 1, sharex=True)
    shown = {"soak_batch": ("par lots", _BLUE), "soak_service": ("service", _ORANGE)}
    for name, found in soaks.items():
        label, colour = shown[name]
        shares = [100 * point[0] for point in found["points"]]
        memory.plot(shares, [point[1] / _MEGA for point in found["points"]], color=colour, label=label)
        rate.plot(shares, [point[2] for point in found["points"]], color=colour, label=label)
    for axes, title in ((memory, "mémoire (Mo)"), (rate, "textes par seconde")):
        axes.axvspan(0, 10, color=_GREY, alpha=0.2)
        axes.set_ylim(bottom=0)
        axes.set_ylabel(title)
        axes.grid(alpha=0.3)
    rate.set_xlabel("part du travail faite (%) ; en gris, la chauffe")
    memory.legend(loc="lower right")
    return _png(figure)
