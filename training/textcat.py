"""spaCy's own text classifiers, for the comparison: a bag of words, and a small network with it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import spacy
from numpy.typing import NDArray
from spacy.language import Language
from spacy.training import Example
from thinc.api import fix_random_seed
from threadpoolctl import threadpool_limits

from model.classifier import FLAG
from model.labels import INDICATOR_IDS, STANCE_IDS
from model.text import clean
from training.baselines import Run, Scores
from training.pool import HEADS

_PIPE: Final = "textcat_multilabel"
_DROPOUT: Final = 0.2
#: Texts that spaCy looks at to size its layers.
_SAMPLE: Final = 200


def _bag(ngrams: int) -> dict[str, Any]:
    return {
        "@architectures": "spacy.TextCatBOW.v3",
        "exclusive_classes": False,
        "ngram_size": ngrams,
        "no_output_layer": False,
        "length": 262_144,
    }


@dataclass(frozen=True, slots=True)
class Recipe:
    """An architecture of spaCy and how it is trained."""

    model: Mapping[str, Any]
    epochs: int
    rate: float
    batch: int


#: Epochs and rates were tried on `dev`: more epochs of the bag of words made the flag worse.
BAG: Final = Recipe(_bag(2), epochs=2, rate=0.003, batch=64)
ENSEMBLE: Final = Recipe(
    {
        "@architectures": "spacy.TextCatEnsemble.v2",
        "linear_model": _bag(1),
        "tok2vec": {
            "@architectures": "spacy.Tok2Vec.v2",
            "embed": {
                "@architectures": "spacy.MultiHashEmbed.v2",
                "width": 64,
                "rows": [4000, 1000, 1000, 1000],
                "attrs": ["NORM", "PREFIX", "SUFFIX", "SHAPE"],
                "include_static_vectors": False,
            },
            "encode": {
                "@architectures": "spacy.MaxoutWindowEncoder.v2",
                "width": 64,
                "window_size": 1,
                "maxout_pieces": 3,
                "depth": 2,
            },
        },
    },
    epochs=4,
    rate=0.002,
    batch=16,
)


class TextcatPredictor:
    """A trained pipeline; it is kept as bytes when pickled, as spaCy asks."""

    def __init__(self, pipeline: Language) -> None:
        self.pipeline = pipeline

    def __getstate__(self) -> dict[str, Any]:
        """The pipeline's settings and bytes."""
        return {"config": self.pipeline.config, "bytes": self.pipeline.to_bytes()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Build the pipeline again."""
        self.pipeline = spacy.blank("fr", config=state["config"]).from_bytes(state["bytes"])

    def predict(self, texts: Sequence[str]) -> Scores:
        """The scores of raw texts."""
        return self.predict_clean([clean(text).text for text in texts])

    def predict_clean(self, texts: Sequence[str]) -> Scores:
        """The scores of clean texts."""
        found = np.asarray([[doc.cats[name] for name in HEADS] for doc in self.pipeline.pipe(texts)], dtype=np.float64)
        signs = len(INDICATOR_IDS)
        return Scores(found[:, HEADS.index(FLAG)], found[:, :signs], found[:, signs : signs + len(STANCE_IDS)])


def train_textcat(texts: Sequence[str], truth: NDArray[np.bool_], recipe: Recipe, seed: int) -> TextcatPredictor:
    """Train a pipeline on clean texts and truth of shape (n, 16), in the order of HEADS."""
    fix_random_seed(seed)
    pipeline = spacy.blank("fr")
    pipe: Any = pipeline.add_pipe(_PIPE, config={"model": dict(recipe.model), "threshold": 0.5})
    for name in HEADS:
        pipe.add_label(name)
    examples = [
        Example.from_dict(pipeline.make_doc(text), {"cats": dict(zip(HEADS, map(float, row), strict=True))})
        for text, row in zip(texts, truth, strict=True)
    ]
    optimizer = pipeline.initialize(lambda: examples[:_SAMPLE])
    optimizer.learn_rate = recipe.rate
    random = np.random.default_rng(seed)
    for _ in range(recipe.epochs):
        order = random.permutation(len(examples))
        for start in range(0, len(order), recipe.batch):
            batch = [examples[row] for row in order[start : start + recipe.batch]]
            pipeline.update(batch, sgd=optimizer, drop=_DROPOUT)
    return TextcatPredictor(pipeline)


@dataclass(frozen=True, slots=True)
class TextcatWork:
    """All that another process needs to train one recipe on each part: clean texts, truth, rows to learn from and held out."""

    texts: tuple[str, ...]
    truth: NDArray[np.bool_]
    parts: tuple[tuple[NDArray[np.intp], NDArray[np.intp]], ...]
    recipe: Recipe
    seed: int


def run_textcat(work: TextcatWork) -> Run:
    """One pipeline a part; on one thread, and with nothing but its work, so that it may run beside the other rows."""
    started = time.perf_counter()
    scores = []
    with threadpool_limits(limits=1):
        for learn, held in work.parts:
            predictor = train_textcat([work.texts[row] for row in learn], work.truth[learn], work.recipe, work.seed)
            scores.append(predictor.predict_clean([work.texts[row] for row in held]))
    return Run(tuple(scores), predictor, time.perf_counter() - started)
