"""The flag and the stance on parts of a set of texts: by channel, length, register, region, genre, writer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from model.labels import CHANNELS
from model.records import Prediction
from model.text import words_of
from training.corpus import AnnotatedText
from training.intervals import bootstrap, f1, share
from training.names import GENRES, REGIONS, REGISTERS

#: Below this a share says next to nothing: only the counts are given.
ENOUGH_TEXTS: Final = 10
_FLAG_LEVEL: Final = 2
#: First word count of each band but the first, as in the tables of the data card.
_LENGTH_EDGES: Final = (25, 50, 90, 150)

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Dimension:
    """One way to cut a set of texts: identifier, French name, what a text's slice is, French names of the slices.

    A value that `names` does not hold is shown as it is.
    """

    id: str
    name: str
    slice_of: Callable[[AnnotatedText], str | None]
    names: Mapping[str | None, str]


def _length_band(text: AnnotatedText) -> str:
    count = len(words_of(text.text))
    low = max((edge for edge in _LENGTH_EDGES if edge <= count), default=0)
    high = min((edge for edge in _LENGTH_EDGES if edge > count), default=None)
    return f"{low} à {high - 1} mots" if high else f"{low} mots et plus"


_BANDS: Final = (
    *(f"{low} à {high - 1} mots" for low, high in zip((0, *_LENGTH_EDGES), _LENGTH_EDGES, strict=False)),
    f"{_LENGTH_EDGES[-1]} mots et plus",
)

DIMENSIONS: Final[tuple[Dimension, ...]] = (
    Dimension("channel", "canal", lambda text: text.channel, {channel.id: channel.name for channel in CHANNELS}),
    Dimension("length", "longueur", _length_band, {band: band for band in _BANDS}),
    Dimension("register", "registre", lambda text: text.register_, {**REGISTERS, None: "non dit"}),
    Dimension("region", "région", lambda text: text.region, REGIONS),
    Dimension("genre", "genre", lambda text: text.genre, {**GENRES, None: "pas un passage de page"}),
    Dimension("writer", "rédacteur", lambda text: text.writer, {}),
)


def slice_figures(texts: Sequence[AnnotatedText], predictions: Sequence[Prediction]) -> dict[str, list[dict[str, Any]]]:
    """Figures of every slice that holds a text, by dimension, as plain numbers for JSON.

    Each slice has its French `name`, its count of `texts` and of `positives` (level 2 or 3) and, from ten texts on,
    recall, precision and F1 of the flag, `stance` accuracy, and `false_alarms` among levels 0 and 1.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    flags = np.asarray([bool(p.risk and p.risk.level >= _FLAG_LEVEL) for p in predictions], dtype=bool)
    truth = np.asarray([text.flagged for text in texts], dtype=bool)
    pairs = zip(texts, predictions, strict=True)
    stance = np.asarray([text.stance == (p.stance.value if p.stance else "neutral") for text, p in pairs], dtype=bool)
    for dimension in DIMENSIONS:
        values = [dimension.slice_of(text) for text in texts]
        known = [value for value in dimension.names if value in values]
        others = sorted({str(value) for value in values if value not in dimension.names})
        found[dimension.id] = [
            {"name": dimension.names.get(value, str(value))} | _figures(truth[rows], flags[rows], stance[rows])
            for value in [*known, *others]
            for rows in [np.asarray([own == value for own in values], dtype=bool)]
        ]
    return found


def _figures(truth: Bools, flags: Bools, stance: Bools) -> dict[str, Any]:
    total, positives, right = len(truth), int(truth.sum()), int((truth & flags).sum())
    counts: dict[str, Any] = {"texts": total, "positives": positives}
    if total < ENOUGH_TEXTS:
        return counts
    return counts | {
        "recall": share(right, positives).to_json(),
        "precision": share(right, int(flags.sum())).to_json(),
        "f1": bootstrap(total, lambda rows: f1(truth[rows], flags[rows])).to_json(),
        "stance": share(int(stance.sum()), total).to_json(),
        "false_alarms": share(int((flags & ~truth).sum()), total - positives).to_json(),
    }
