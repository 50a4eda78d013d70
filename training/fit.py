"""From the corpus to the artefact: heads, out-of-fold mixing, operating points, metrics, card."""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.special import expit
from threadpoolctl import threadpool_limits

from model.classifier import WINDOW_HEADS, Classifier, LinearHeads, MixingHeads, RawScores, WindowHeads, mixing_inputs
from model.context import affirmed as affirmed_rules
from model.decide import Affirmed, OperatingPoint
from model.document import mentioned_targets
from model.errors import CorpusError
from model.features import PassageFeatures
from model.firstlook import Looks
from model.labels import INDICATOR_IDS
from model.promotion import promote
from model.signing import Keys
from model.store import CARD, METRICS, REFERENCE, library_versions, load_artefact, ready_finders, save_artefact, tables_hash
from training.card import Model, model_card
from training.corpus import AnnotatedText, corpus_hash, of_split
from training.energy import Meter
from training.firstlook import Bounds, fit_looks
from training.matrices import Example, stacked_truth, writers_of
from training.measure import corpus_facts, measure
from training.placing import put_in_place, scratch
from training.plots import model_plots
from training.previous import TRAINING, previous_model
from training.reading import read_examples
from training.thresholds import Scored, levels_at, operating_points, page_penalty
from training.workers import give_back_memory

_FOLDS: Final = 5
_LEAST: Final = 40
#: Folds that are learned at a time: while one cuts its texts in Python, the sparse products of the other have a processor.
_SIDE_BY_SIDE: Final = 2
#: Chosen on folds of unseen writers of the corpus (docs/modele.md says what was compared).
SETTINGS: Final[dict[str, float]] = {
    "word_weight": 3.0,
    "character_weight": 3.0,
    "concept_weight": 3.0,
    "class_weight": 0.7,
    "vector_weight": 2.8,
    "window_strength": 1.0,
    "sentence_strength": 1.0,
    "mixing_strength": 0.3,
}

Progress = Callable[[str, int, int], None]
#: The keys of the folder that the command is run in.
_HERE: Final = Keys()


@dataclass(frozen=True, slots=True)
class Trained:
    """The result of a training: the artefact's name and folder, its metrics, and how long it took, in seconds."""

    name: str
    folder: Path
    metrics: dict[str, Any]
    seconds: float


@dataclass(frozen=True, slots=True)
class Measured:
    """Rates that predictions need: share of flagged texts learned from, and how often an affirmed rule is right."""

    base_rate: float
    rule_precision: float


@dataclass(frozen=True, slots=True)
class Learned:
    """What a training learns: the classifier, its operating points, the rates, the cheap looks and what those lose."""

    classifier: Classifier
    points: dict[str, OperatingPoint]
    rates: Measured
    looks: Looks
    bounds: dict[str, Bounds]


def _silent(_: str, __: int, ___: int) -> None:
    return None


def train(
    texts: Sequence[AnnotatedText],
    root: Path,
    *,
    seed: int = 0,
    activate: bool = True,
    progress: Progress = _silent,
    keys: Keys = _HERE,
) -> Trained:
    """Train on the `train` texts, tune on `dev`, measure on `dev` and `test`, and write the artefact under `root`, signed.

    The same texts, seed and libraries give the same predictions and so the same artefact name, whatever the number of
    threads and processes. `progress` is called with a step's French name, the units done and the units in all. `keys`: the
    key that signs; on a machine that has none, it is made.

    From some hundreds of texts on, other processes are started: a script that calls this needs `if __name__ == "__main__":`.

    Raises:
        CorpusError: fewer than 40 texts to learn from, or fewer than two writers.
        SigningError: the key that signs cannot be used, or is not trusted here; nothing was learned.
    """
    with scratch(root) as building:
        done = _train(texts, building, root, seed, progress, keys)
        folder = put_in_place(done.folder, root / done.name)
    if activate:
        promote(root, done.name, keys.trust())
    return replace(done, folder=folder)


def _train(texts: Sequence[AnnotatedText], root: Path, served: Path, seed: int, progress: Progress, keys: Keys) -> Trained:
    """Train, and write the artefact under `root`; the model before it is under `served`."""
    meter = Meter()
    learn, tune = of_split(texts, "train"), of_split(texts, "dev")
    if len(learn) < _LEAST or len({text.writer for text in learn}) < 2:
        raise CorpusError(f"{len(learn)} texte(s) de « train » ; au moins {_LEAST} sont attendus, d'au moins deux rédacteurs.")
    key, trust = keys.signer(), keys.trust()
    with threadpool_limits(limits=1):
        learned = _learn(learn, tune, seed, progress)
        give_back_memory()
        classifier, points = learned.classifier, learned.points
        name = _name(texts, learned)
        facts = _facts(texts, seed, learned)
        previous = previous_model(served, name, trust)
        finders = ready_finders()
        folder = save_artefact(root, name, classifier, points, facts, {}, key, learned.looks, finders)
        found = measure(load_artefact(root, name, trust), texts, progress)
        metrics = found.metrics
        spent = meter.read()
        took = spent.to_json() | {"previous": previous.name if previous else None}
        files = {
            METRICS: (json.dumps(metrics, ensure_ascii=False, indent=2) + "\n").encode(),
            TRAINING: (json.dumps(took, ensure_ascii=False, indent=2) + "\n").encode(),
            CARD: model_card(Model(name, facts, metrics, points, spent, previous)).encode(),
            **({REFERENCE: found.reference.to_json()} if found.reference else {}),
            **model_plots(metrics),
        }
        folder = save_artefact(root, name, classifier, points, facts, files, key, learned.looks, finders)
    return Trained(name, folder, metrics, spent.seconds)


def _examples(texts: Sequence[AnnotatedText], step: str, progress: Progress) -> list[Example]:
    return read_examples(texts, lambda done, total: progress(step, done, total))


def _learn(learn: Sequence[AnnotatedText], tune: Sequence[AnnotatedText], seed: int, progress: Progress) -> Learned:
    # What is read of the texts takes a gigabyte: it lives no longer than this function.
    examples = _examples(learn, "Lecture des textes", progress)
    tuning = _examples(tune, "Lecture des textes de réglage", progress)
    with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
        whole = pool.submit(_fit_heads, examples)
        inputs = _out_of_fold(examples, seed, progress, pool)
        classifier = whole.result()
    truth = stacked_truth(examples)
    classifier.mixing_heads.fit(inputs, truth)
    progress("Apprentissage", _FOLDS + 1, _FOLDS + 1)
    unseen = _unseen_logits(inputs, truth, examples, seed)
    if tuning:
        tuned = np.stack([scores.logits for scores in classifier.score([example.view for example in tuning])])
        unseen = np.vstack([unseen, tuned])
        truth = np.vstack([truth, stacked_truth(tuning)])
    everyone = [*examples, *tuning]
    mentioned = tuple(mentioned_targets(example.document) for example in everyone)
    rules = [
        frozenset(hit.label for hit in affirmed_rules(example.document.rules, example.document.cues)) for example in everyone
    ]
    precision = _rule_precision(everyone, rules)
    affirmed = tuple(Affirmed(labels, precision) for labels in rules)
    scored = Scored(unseen, truth, mentioned, affirmed)
    points = operating_points(scored)
    classifier.page_penalty_ = page_penalty(unseen, truth)
    progress("Premier regard", 0, 1)
    levels = {name: levels_at(scored, point) for name, point in points.items()}
    looks, bounds = fit_looks(examples, tuning, levels, _folds(examples, seed), classifier.window_heads.features)
    progress("Premier regard", 1, 1)
    base_rate = float(np.mean([example.text.flagged for example in examples]))
    return Learned(classifier, points, Measured(base_rate, precision), looks, bounds)


def _rule_precision(examples: Sequence[Example], rules: Sequence[frozenset[str]]) -> float:
    """How often an affirmed rule is right in a text that promotes, with one right and one wrong added (Laplace)."""
    pairs = [(example, label) for example, labels in zip(examples, rules, strict=True) for label in labels]
    right = [label in example.text.labels() for example, label in pairs if example.text.stance == "promotes"]
    return (sum(right) + 1) / (len(right) + 2)


def _features() -> PassageFeatures:
    return PassageFeatures(
        word_weight=SETTINGS["word_weight"],
        character_weight=SETTINGS["character_weight"],
        concept_weight=SETTINGS["concept_weight"],
        class_weight=SETTINGS["class_weight"],
        vector_weight=SETTINGS["vector_weight"],
    )


def _fit_heads(examples: Sequence[Example]) -> Classifier:
    window = WindowHeads(_features(), SETTINGS["window_strength"])
    window.fit([example.view.whole for example in examples], stacked_truth(examples))
    sentence = LinearHeads(_features(), INDICATOR_IDS, SETTINGS["sentence_strength"])
    sentence.fit(
        [passage for example in examples for passage in example.view.sentences],
        np.vstack([example.sentence_truth for example in examples]),
    )
    return Classifier(window, sentence, MixingHeads(SETTINGS["mixing_strength"]))


def _folds(examples: Sequence[Example], seed: int) -> list[set[str]]:
    """Writers dealt into folds; the model is judged on hands that it has not seen."""
    writers = writers_of(examples)
    np.random.default_rng(seed).shuffle(writers)
    count = min(_FOLDS, len(writers))
    return [set(writers[fold::count]) for fold in range(count)]


def _out_of_fold(examples: Sequence[Example], seed: int, progress: Progress, pool: Executor) -> Any:
    inputs: list[Any] = [None] * len(examples)
    folds = _folds(examples, seed)

    def judged(held: set[str]) -> list[RawScores]:
        classifier = _fit_heads([example for example in examples if example.text.writer not in held])
        return classifier.raw([example.view for example in examples if example.text.writer in held])

    progress("Apprentissage", 0, len(folds) + 1)
    for fold, (held, found) in enumerate(zip(folds, pool.map(judged, folds), strict=True)):
        progress("Apprentissage", fold + 1, len(folds) + 1)
        chosen = [i for i, example in enumerate(examples) if example.text.writer in held]
        for i, raw in zip(chosen, found, strict=True):
            inputs[i] = mixing_inputs(raw)
    return np.stack(inputs)


def _unseen_logits(inputs: Any, truth: Any, examples: Sequence[Example], seed: int) -> Any:
    """Mixed logits of every example by mixing heads that did not see its writer either."""
    logits = np.zeros(truth.shape)
    for held in _folds(examples, seed):
        inside = np.asarray([example.text.writer in held for example in examples])
        logits[inside] = MixingHeads(SETTINGS["mixing_strength"]).fit(inputs[~inside], truth[~inside]).logits(inputs[inside])
    return logits


def unseen_probabilities(texts: Sequence[AnnotatedText], seed: int = 0, progress: Progress = _silent) -> dict[str, Any]:
    """Per head (stances, indicators, targets), the probability of each text by models that saw no text of its writer.

    Returns:
        arrays of shape (texts,), in [0, 1], by label.

    Raises:
        CorpusError: fewer than 40 texts, or fewer than two writers.
    """
    if len(texts) < _LEAST or len({text.writer for text in texts}) < 2:
        raise CorpusError(f"{len(texts)} texte(s) ; au moins {_LEAST} sont attendus, d'au moins deux rédacteurs.")
    with threadpool_limits(limits=1):
        examples = _examples(texts, "Lecture des textes", progress)
        with ThreadPoolExecutor(_SIDE_BY_SIDE) as pool:
            inputs = _out_of_fold(examples, seed, progress, pool)
        logits = _unseen_logits(inputs, stacked_truth(examples), examples, seed)
    return {head: expit(logits[:, place]) for place, head in enumerate(WINDOW_HEADS)}


def _name(texts: Sequence[AnnotatedText], learned: Learned) -> str:
    """Version of the product and a hash of all that decides a prediction: same name, same answers."""
    classifier, looks = learned.classifier, (learned.looks.first, learned.looks.second)
    digest = sha256(json.dumps([corpus_hash(texts), library_versions(), tables_hash()], sort_keys=True).encode())
    digest.update(json.dumps({name: point.to_json() for name, point in learned.points.items()}, sort_keys=True).encode())
    for heads in (classifier.window_heads, classifier.sentence_heads, classifier.mixing_heads, *looks):
        digest.update(np.ascontiguousarray(heads.weights_).tobytes() + np.ascontiguousarray(heads.biases_).tobytes())
    for look in looks:
        digest.update(look.answers_.tobytes() + look.offsets_.tobytes() + repr(sorted(look.thresholds_.items())).encode())
    digest.update(classifier.page_penalty_.tobytes() + repr(learned.rates).encode())
    return f"{version('vigie')}+{digest.hexdigest()[:8]}"


def _facts(texts: Sequence[AnnotatedText], seed: int, learned: Learned) -> dict[str, Any]:
    return {
        **corpus_facts(texts),
        "seed": seed,
        "settings": SETTINGS,
        "base_rate": round(learned.rates.base_rate, 6),
        "rule_precision": round(learned.rates.rule_precision, 6),
        "page_penalty": [round(float(value), 6) for value in learned.classifier.page_penalty_],
        "first_look": {name: bound.to_json() for name, bound in learned.bounds.items()},
    }
