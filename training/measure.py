"""What is measured of a trained artefact, and what is told of the texts it was trained on."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.analyser import Analyser
from model.labels import OPERATING_POINTS
from model.records import Prediction
from model.reference import Reference
from model.store import Artefact
from training.corpus import SPLITS, AnnotatedText, corpus_hash, of_split
from training.deletion import deletion_test
from training.evaluate import evaluate, flag_by_point
from training.firstlook import bounds
from training.passages import annotator_figures
from training.predicting import Predicted, predict_with_levels
from training.reference import corpus_reference
from training.slices import slice_figures

Progress = Callable[[str, int, int], None]


def corpus_facts(texts: Sequence[AnnotatedText]) -> dict[str, Any]:
    """What the manifest and the card say of a corpus: hash, counts by split, what labelled the texts and read them again."""
    splits = {split: of_split(texts, split) for split in SPLITS}
    labellers = Counter(text.annotator.kind if text.annotator else "unknown" for text in texts)
    readers = Counter(text.second_reader.kind for text in texts if text.second_reader)
    return {
        "corpus_sha256": corpus_hash(texts),
        "texts": {split: len(own) for split, own in splits.items()},
        "flagged": {split: sum(text.flagged for text in own) for split, own in splits.items()},
        "writers": {split: len({text.writer for text in own}) for split, own in splits.items()},
        "labelled_by": dict(sorted(labellers.items())),
        "read_again_by": dict(sorted(readers.items())),
    }


@dataclass(frozen=True, slots=True)
class Findings:
    """All that `metrics.json` holds of a model, and the reference that its artefact carries; None where no text was read."""

    metrics: dict[str, Any]
    reference: Reference | None


def measure(artefact: Artefact, texts: Sequence[AnnotatedText], progress: Progress) -> Findings:
    """What a model says of the `dev` and `test` texts, measured on them and on those of writers it never learned from.

    The same artefact and texts give the same figures. `progress` is called with a step's French name, the units done and
    the units in all.
    """
    analyser = Analyser(artefact)
    learned_from = {text.writer for text in of_split(texts, "train")}
    measured: dict[str, Any] = {}
    seen = [text for split in ("dev", "test") for text in of_split(texts, split)]
    found = predict_with_levels(artefact, seen, lambda done, total: progress("Mesure", done, total))
    for split in ("dev", "test"):
        places = [place for place, text in enumerate(seen) if text.split == split]
        measured[split] = _evaluated(seen, found, places) | {"slices": slice_figures(*_parts(seen, found, places))}
        unseen = [place for place in places if seen[place].writer not in learned_from]
        some = bool(unseen) and len(unseen) < len(places)
        if some:
            measured[f"{split}_unseen_writers"] = _evaluated(seen, found, unseen)
        if split == "test":
            measured["points"] = _at_points(seen, found, places)
            if some:
                measured["points_unseen_writers"] = _at_points(seen, found, unseen)
    if artefact.looks is not None:
        measured["first_look"] = _first_look(seen, found)
    progress("Épreuve d'effacement", 0, 1)
    measured["deletion"] = deletion_test(seen, [one.prediction for one in found], analyser.predict)
    progress("Épreuve d'effacement", 1, 1)
    reference = corpus_reference(seen, [one.prediction for one in found]) if seen else None
    return Findings(measured | {"annotators": annotator_figures(texts)}, reference)


def _first_look(texts: Sequence[AnnotatedText], found: Sequence[Predicted]) -> dict[str, Any]:
    """What the cheap looks lose of the `test` texts at each operating point."""
    places = [place for place, text in enumerate(texts) if text.split == "test" and found[place].prediction.status == "ok"]
    measured = {}
    for point in OPERATING_POINTS:
        spared = np.asarray([found[place].spared[point] for place in places], dtype=bool)
        levels = np.asarray([found[place].levels[point] for place in places], dtype=int)
        measured[point] = bounds(spared, levels).to_json()
    return measured


def _parts(
    texts: Sequence[AnnotatedText], found: Sequence[Predicted], places: Sequence[int]
) -> tuple[list[AnnotatedText], list[Prediction]]:
    return [texts[place] for place in places], [found[place].prediction for place in places]


def _evaluated(texts: Sequence[AnnotatedText], found: Sequence[Predicted], places: Sequence[int]) -> dict[str, Any]:
    return evaluate(*_parts(texts, found, places))


def _at_points(texts: Sequence[AnnotatedText], found: Sequence[Predicted], places: Sequence[int]) -> dict[str, Any]:
    return flag_by_point([texts[place] for place in places], [found[place].levels for place in places])
