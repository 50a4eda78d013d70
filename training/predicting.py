"""Predictions of many annotated texts, side by side in processes where there are enough of them to be worth it."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from model.analyser import Analyser
from model.labels import OPERATING_POINTS
from model.records import Prediction
from model.signing import Trust
from model.store import Artefact
from training.corpus import AnnotatedText
from training.workers import workers

#: Fewer texts are read before another process has started and loaded the model (some five seconds).
_WORTH_PROCESSES: Final = 400
_AT_ONCE: Final = 20


@dataclass(frozen=True, slots=True)
class Predicted:
    """What an artefact says of a text: its prediction, and at each operating point its level and whether cheap looks leave it
    alone (nothing where the artefact has none).
    """

    prediction: Prediction
    levels: dict[str, int]
    spared: dict[str, bool]


def predict_with_levels(
    artefact: Artefact, texts: Sequence[AnnotatedText], progress: Callable[[int, int], None], processes: int | None = None
) -> list[Predicted]:
    """Predict texts with an artefact, in order; the result does not depend on the number of processes.

    Args:
        artefact: a saved artefact.
        texts: the texts.
        progress: called with the texts done and the texts in all.
        processes: how many to use; default: one a processor from 400 texts on, else this one alone.
    """
    count = processes or (os.cpu_count() or 1 if len(texts) >= _WORTH_PROCESSES else 1)
    found: list[Predicted] = []
    for one in _side_by_side(artefact, texts, count) if count > 1 else map(_of(Analyser(artefact)), texts):
        found.append(one)
        progress(len(found), len(texts))
    return found


def _of(analyser: Analyser) -> Callable[[AnnotatedText], Predicted]:
    points = OPERATING_POINTS if analyser.artefact.looks is not None else ()

    def predicted(text: AnnotatedText) -> Predicted:
        spared = {point: analyser.spares(text.text, point) for point in points}
        return Predicted(analyser.predict(text.text, id=text.id), analyser.levels(text.text), spared)

    return predicted


def _side_by_side(artefact: Artefact, texts: Sequence[AnnotatedText], count: int) -> Iterator[Predicted]:
    parts = [texts[first : first + _AT_ONCE] for first in range(0, len(texts), _AT_ONCE)]
    where = (artefact.folder.parent, artefact.folder.name, artefact.trust)
    with workers(count, _load, where) as pool:
        for part in pool.map(_predict, parts):
            yield from part


_ANALYSER: list[Analyser] = []


def _load(root: Path, name: str, trust: Trust) -> None:
    _ANALYSER.append(Analyser.load(root, name, trust))


def _predict(texts: Sequence[AnnotatedText]) -> list[Predicted]:
    return [_of(_ANALYSER[0])(text) for text in texts]
