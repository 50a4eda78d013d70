"""What is measured of a trained artefact, and what is told of the texts it was trained on."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from model.analyser import Analyser
from model.records import Prediction
from model.store import Artefact
from training.corpus import SPLITS, AnnotatedText, corpus_hash, of_split
from training.deletion import deletion_test
from training.evaluate import evaluate, flag_by_point, levels_by_point, predict_all
from training.passages import annotator_figures
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


def measure(artefact: Artefact, texts: Sequence[AnnotatedText], progress: Progress) -> dict[str, Any]:
    """All that `metrics.json` holds of a model, on the `dev` and `test` texts and on those of writers it never learned from.

    The same artefact and texts give the same figures. `progress` is called with a step's French name, the units done and
    the units in all.
    """
    analyser = Analyser(artefact)
    learned_from = {text.writer for text in of_split(texts, "train")}
    measured: dict[str, Any] = {}
    seen: list[tuple[AnnotatedText, Prediction]] = []
    for split in ("dev", "test"):
        chosen = of_split(texts, split)
        predictions = predict_all(analyser, chosen, lambda done, total: progress("Mesure", done, total))
        seen += zip(chosen, predictions, strict=True)
        measured[split] = evaluate(chosen, predictions) | {"slices": slice_figures(chosen, predictions)}
        unseen = [i for i, text in enumerate(chosen) if text.writer not in learned_from]
        some = bool(unseen) and len(unseen) < len(chosen)
        if some:
            measured[f"{split}_unseen_writers"] = evaluate([chosen[i] for i in unseen], [predictions[i] for i in unseen])
        if split == "test":
            levels = levels_by_point(analyser, chosen)
            measured["points"] = flag_by_point(chosen, levels)
            if some:
                measured["points_unseen_writers"] = flag_by_point([chosen[i] for i in unseen], [levels[i] for i in unseen])
    progress("Épreuve d'effacement", 0, 1)
    measured["deletion"] = deletion_test([text for text, _ in seen], [found for _, found in seen], analyser.predict)
    progress("Épreuve d'effacement", 1, 1)
    return measured | {"annotators": annotator_figures(texts)}
