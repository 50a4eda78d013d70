"""What a model says of a set of texts, in counts alone: the shape that a stream of texts is compared with, week by week.

A reference holds, for each measure, the bins and the share of the texts in each; no text, no identifier. Texts of one author or
campaign resemble each other: `effective` says how many texts chosen one by one would tell as much.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from model.errors import ArtefactError
from model.facts import NONE, Facts, Floats, Measure, Value, headline, measures, value_of

FORMAT: Final = "vigie-reference-1"
_QUANTILES: Final = tuple(number / 10 for number in range(1, 10))
#: Of an open measure: categories of less than this share of the reference, and those beyond this number, count together.
_LEAST_SHARE: Final = 0.02
_MOST_CATEGORIES: Final = 12
_REST: Final = "autres"

Source = Literal["corpus", "stream"]


@dataclass(frozen=True, slots=True)
class Shares:
    """One measure of a reference: shares by bin, summing to 1. `mean` as `headline`.

    The bins lie between `edges` for a number; else each is a category of `values`.
    """

    edges: tuple[float, ...]
    values: tuple[str, ...]
    shares: tuple[float, ...]
    texts: int
    effective: float
    mean: float


@dataclass(frozen=True, slots=True)
class Reference:
    """A set of texts as a model saw it. `facts`: what else is told of it, such as its period, its texts and groups."""

    source: Source
    facts: Mapping[str, Any]
    shares: Mapping[str, Shares]

    def to_json(self) -> bytes:
        """The reference as a file; the same texts give the same bytes."""
        found = {
            "format": FORMAT,
            "source": self.source,
            "facts": dict(self.facts),
            "measures": {
                id: {
                    "edges": list(one.edges),
                    "values": list(one.values),
                    "shares": [round(share, 8) for share in one.shares],
                    "texts": one.texts,
                    "effective": round(one.effective, 2),
                    "mean": round(one.mean, 6),
                }
                for id, one in self.shares.items()
            },
        }
        return (json.dumps(found, ensure_ascii=False, indent=1) + "\n").encode()

    @classmethod
    def from_json(cls, content: bytes) -> "Reference":
        """The reference of a file. A measure that this version does not know, or cuts otherwise, is left out.

        Raises:
            ArtefactError: it is not a reference; the message says what was expected.
        """
        try:
            found = json.loads(content)
            if found["format"] != FORMAT or found["source"] not in ("corpus", "stream"):
                raise ValueError(found["format"])
            shares = {id: _shares(one) for id, one in found["measures"].items()}
            known = {measure.id: measure for measure in measures()}
            kept = {id: one for id, one in shares.items() if id in known and _fits(known[id], one)}
            return cls(found["source"], dict(found["facts"]), kept)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ArtefactError(f"Référence de dérive illisible : format « {FORMAT} » attendu ({error}).") from error


def _shares(one: Mapping[str, Any]) -> Shares:
    found = Shares(
        tuple(map(float, one["edges"])),
        tuple(map(str, one["values"])),
        tuple(map(float, one["shares"])),
        int(one["texts"]),
        float(one["effective"]),
        float(one["mean"]),
    )
    if not found.shares or min(found.shares) < 0 or abs(sum(found.shares) - 1) > 1e-3 or not 0 < found.effective < float("inf"):
        raise ValueError("parts ou effectif hors bornes")
    return found


def _fits(measure: Measure, one: Shares) -> bool:
    """Whether a measure is cut as this version would."""
    if measure.kind == "number":
        return len(one.shares) == len(one.edges) + 1 and not one.values and list(one.edges) == sorted(one.edges)
    return len(one.shares) == len(one.values) and (measure.kind == "open" or one.values == measure.values)


def binned(values: Sequence[Value], edges: Sequence[float], categories: Sequence[str]) -> NDArray[np.intp]:
    """The bin of each value, by the edges of numbers (a value on one belongs above it), or by its category.

    A category that is none of these counts with the others where there are such, else with those that are not said.
    """
    if not categories:
        return np.searchsorted(np.asarray(edges, dtype=float), np.asarray(values, dtype=float), side="right")
    places = {category: place for place, category in enumerate(categories)}
    rest = places.get(_REST, len(categories) - 1)
    return np.asarray([places.get(str(value), rest) for value in values], dtype=np.intp)


def summarise(source: Source, facts: Sequence[Facts], told: Mapping[str, Any]) -> Reference:
    """The reference that some texts make; a measure of which none of them tells anything is left out."""
    shares = {}
    for measure in measures():
        rows = [(value, one.weight, one.group) for one in facts if (value := value_of(measure, one)) is not None]
        if rows:
            weights = np.asarray([row[1] for row in rows], dtype=float)
            shares[measure.id] = _summary(measure, [row[0] for row in rows], weights, [row[2] for row in rows])
    groups = len({one.group for one in facts})
    return Reference(source, {"texts": len(facts), "groups": groups, **told}, shares)


def _summary(measure: Measure, values: Sequence[Value], weights: Floats, groups: Sequence[str]) -> Shares:
    edges = _edges(np.asarray(values, dtype=float), weights) if measure.kind == "number" else ()
    categories = _categories(values, weights) if measure.kind == "open" else measure.values
    placed = np.eye(len(categories) or len(edges) + 1)[binned(values, edges, categories)]
    shares = np.average(placed, axis=0, weights=weights)
    _, places = np.unique(np.asarray(groups), return_inverse=True)
    return Shares(
        edges,
        categories,
        tuple(map(float, shares)),
        len(values),
        _effective(placed - shares, weights, places, shares),
        headline(measure, values, weights),
    )


def _categories(values: Sequence[Value], weights: Floats) -> tuple[str, ...]:
    """The categories of enough weight, the greatest first; then all others together, then none."""
    found: dict[str, float] = {}
    for value, weight in zip(values, weights, strict=True):
        found[str(value)] = found.get(str(value), 0.0) + float(weight)
    least = _LEAST_SHARE * float(weights.sum())
    named = sorted((name for name, weight in found.items() if weight >= least and name not in (NONE, _REST)))
    kept = sorted(named, key=lambda name: -found[name])[:_MOST_CATEGORIES]
    return (*kept, _REST, NONE)


def _edges(values: Floats, weights: Floats) -> tuple[float, ...]:
    """Where tenths of the weight end; fewer where many texts have the same value."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) / weights.sum()
    found = {float(values[order][np.searchsorted(reached, share)]) for share in _QUANTILES}
    return tuple(sorted(found - {float(values.min())}))


def _effective(away: Floats, weights: Floats, places: NDArray[np.intp], shares: Floats) -> float:
    """How many texts chosen one by one would give shares as precise: Kish's design effect, groups being what was chosen.

    The variance of a weighted share is that of its sums over groups (Särndal, Swensson and Wretman, « Model Assisted Survey
    Sampling », 1992, 5.5).
    """
    plain = float((shares * (1 - shares)).sum())
    sums = np.zeros((int(places.max()) + 1, away.shape[1]))
    np.add.at(sums, places, away * weights[:, np.newaxis])
    many = len(sums)
    variance = float((sums**2).sum()) / float(weights.sum()) ** 2 * (many / (many - 1) if many > 1 else 1)
    kish = float(weights.sum() ** 2 / (weights**2).sum())
    return min(kish, plain / variance) if variance > 0 and plain > 0 else kish
