"""What the classifier sees of a text or of one of its sentences: words, characters, meaning, and who does what to whom.

The word classes come from data tables. Pairs of classes within one sentence say what single words cannot: a verb of
cure said of a grave illness, a treatment to be stopped, a training sold to the reader.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from math import log1p
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import MaxAbsScaler

from model.context import find_cues, find_rules, foldable
from model.document import Document, Unit
from model.encoder import encode
from model.phrases import Hit
from model.tables import load_tables

_LEXICON: Final = "lexicon."


@dataclass(frozen=True, slots=True)
class Passage:
    """A text or a sentence as the classifier sees it: folded text, counts of classes, and a vector of shape (512,)."""

    folded: str
    classes: Mapping[str, float]
    vector: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class View:
    """A window of a document: the passage of the whole and one passage for each of its sentences, with the sentences."""

    whole: Passage
    sentences: tuple[Passage, ...]
    units: tuple[Unit, ...]


@cache
def _classes() -> dict[tuple[str, str], tuple[str, ...]]:
    """From (table, entry) to the classes that a hit counts for."""
    tables = load_tables()
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    for condition in tables.conditions:
        names = ["condition"] + (["illness"] if condition.lasting else []) + (["grave"] if condition.grave else [])
        found["condition", condition.id] = tuple(names)
    for audience in tables.audiences:
        names = ["audience"] + (["minor"] if audience.minor else []) + (["fragile"] if audience.fragile else [])
        found["audience", audience.id] = tuple(names)
    for title in tables.titles:
        found["title", title.id] = (f"title_{title.status}",)
    for practice in tables.practices:
        found["practice", practice.id] = ("practice", f"practice_{practice.family}")
    for name in tables.lexicon:
        found[f"{_LEXICON}{name}", name] = (name,)
    return found


def classes_of(hit: Hit) -> tuple[str, ...]:
    """The word classes that a hit counts for."""
    return _classes().get((hit.table, hit.entry), ())


def view(document: Document) -> View:
    """What the classifier sees of a document (or of a window of it); encodes its sentences in one call."""
    texts = [document.unit_text(unit) for unit in document.units] or [document.text]
    vectors = encode(texts)
    hits: list[list[tuple[Hit, bool]]] = [[] for _ in document.units]
    cursor = 0
    for index, hit in enumerate(document.hits):
        while cursor < len(document.units) and document.units[cursor].after <= hit.first:
            cursor += 1
        if cursor < len(document.units) and document.units[cursor].first <= hit.first:
            hits[cursor].append((hit, index in document.negated))
    counts = [_sentence_classes(text, found) for text, found in zip(texts, hits, strict=False)]
    passages = tuple(
        Passage(foldable(text), _damped(count), vector) for text, count, vector in zip(texts, counts, vectors, strict=False)
    )
    whole = document.span_text()
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    total["length"] = len(texts)
    return View(Passage(foldable(whole), _damped(total), _pooled(vectors)), passages, document.units)


def _pooled(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    mean = vectors.mean(axis=0)
    norm = float(np.linalg.norm(mean))
    return np.asarray(mean / norm if norm else mean, dtype=np.float32)


def _damped(counts: Mapping[str, float]) -> dict[str, float]:
    return {name: log1p(value) for name, value in sorted(counts.items()) if value}


def _sentence_classes(text: str, hits: Iterable[tuple[Hit, bool]]) -> Counter[str]:
    counts: Counter[str] = Counter()
    affirmed: set[str] = set()
    for hit, negated in hits:
        for name in classes_of(hit):
            counts[f"not {name}" if negated else name] += 1
            if not negated:
                affirmed.add(name)
    counts.update(f"{one} & {other}" for one, other in combinations(sorted(affirmed), 2))
    counts.update({f"cue {kind}" for kind in {cue.kind for cue in find_cues(text)}})
    counts.update({f"rule {label}" for label in {hit.label for hit in find_rules(text)}})
    counts["?"] += text.count("?")
    counts["!"] += text.count("!")
    counts["caps"] += sum(1 for word in text.split() if len(word) > 3 and word.isupper())
    return counts


class PassageFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turns passages into one sparse matrix: word 1-2-grams, character 3-5-grams, classes, sentence vector.

    Parameters are the weights of the four blocks (0 leaves a block out) and the least number of passages that a
    word (or character) sequence must occur in.
    """

    def __init__(
        self,
        word_weight: float = 1.0,
        character_weight: float = 1.0,
        class_weight: float = 1.0,
        vector_weight: float = 1.0,
        min_passages: int = 2,
    ) -> None:
        self.word_weight = word_weight
        self.character_weight = character_weight
        self.class_weight = class_weight
        self.vector_weight = vector_weight
        self.min_passages = min_passages

    def fit(self, passages: Sequence[Passage], y: object = None) -> Self:
        """Learn vocabularies and scales from passages.

        Raises:
            ValueError: no passage is given.
        """
        if not passages:
            raise ValueError("Aucun passage pour apprendre les traits.")
        texts = [passage.folded for passage in passages]
        self.words_ = TfidfVectorizer(
            token_pattern=r"[^\W_]+",  # noqa: S106
            ngram_range=(1, 2),
            min_df=self.min_passages,
            sublinear_tf=True,
            dtype=np.float32,
        ).fit(texts)
        self.characters_ = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(3, 5), min_df=self.min_passages + 1, max_features=60_000,
            sublinear_tf=True, dtype=np.float32,
        ).fit(texts)  # fmt: skip
        self.classes_ = DictVectorizer(dtype=np.float32).fit([passage.classes for passage in passages])
        self.scale_ = MaxAbsScaler().fit(self.classes_.transform([passage.classes for passage in passages]))
        return self

    def transform(self, passages: Sequence[Passage]) -> csr_matrix:
        """A float32 matrix of shape (len(passages), features)."""
        texts = [passage.folded for passage in passages]
        classes = self.scale_.transform(self.classes_.transform([passage.classes for passage in passages]))
        # A count beyond what training saw says no more than the largest one seen.
        classes.data = np.minimum(classes.data, 1.0)
        vectors = np.stack([passage.vector for passage in passages])
        blocks = (
            self.words_.transform(texts) * np.float32(self.word_weight),
            self.characters_.transform(texts) * np.float32(self.character_weight),
            classes * np.float32(self.class_weight),
            csr_matrix(vectors * np.float32(self.vector_weight)),
        )
        return csr_matrix(hstack(blocks, format="csr", dtype=np.float32))
