"""What the classifier sees of a text or of one of its sentences: words, characters, meaning, and who does what to whom.

The word classes come from data tables. Pairs of classes within one sentence say what single words cannot: a verb of
cure said of a grave illness, a treatment to be stopped, a training sold to the reader.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations
from math import log1p
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from model.concepts import concepts
from model.context import foldable
from model.document import Document, Unit
from model.encoder import encode
from model.phrases import Hit
from model.sequences import LONGEST_RUN, Fitted, Rows
from model.signals import find_signals
from model.tables import load_tables
from model.text import Span, fold
from model.wordings import WordingHit

_LEXICON: Final = "lexicon."
_STOP: Final = "."
#: The vector of a passage that was not encoded.
NO_VECTOR: Final = np.zeros(0, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Passage:
    """A text or a sentence as the classifier sees it.

    Folded text, stream of concepts (`model.concepts`), counts of classes, a vector of shape (768,), or (0,) if not encoded. A
    sentence also knows where in the clean text each concept stands (`places`) and each class is seen (`marks`).
    """

    folded: str
    concepts: tuple[str, ...]
    classes: Mapping[str, float]
    vector: NDArray[np.float32]
    places: tuple[Span, ...] = ()
    marks: tuple[tuple[str, Span], ...] = ()


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
    return encoded(document, bare_view(document))


def encoded(document: Document, bare: View) -> View:
    """A view without vectors, with them: the encoder costs three times all the rest."""
    # Folded, so that capitals and missing accents change nothing: measured on unseen writers, that costs no precision.
    vectors = encode([fold(text) for text in _texts(document)])
    passages = (replace(passage, vector=vector) for passage, vector in zip(bare.sentences, vectors.sentences, strict=False))
    return View(replace(bare.whole, vector=vectors.whole), tuple(passages), bare.units)


def _texts(document: Document) -> list[str]:
    return [document.unit_text(unit) for unit in document.units] or [document.text]


def bare_view(document: Document) -> View:
    """What the classifier sees of a document (or of a window of it), but for the vectors: those are empty."""
    texts = _texts(document)
    seen = _seen(document)
    counts = [_sentence_classes(text, found) for text, found in zip(texts, seen, strict=False)]
    streams = [concepts(document, unit, found.hits, classes_of) for unit, found in zip(document.units, seen, strict=True)]
    offset = document.units[0].span.start if document.units else 0
    marks = [_marks(found, offset) for found in seen]
    passages = tuple(
        Passage(foldable(text), stream[0], _damped(count), NO_VECTOR, stream[1], mark)
        for text, stream, count, mark in zip(texts, streams, counts, marks, strict=False)
    )
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    total["length"] = len(texts)
    stream = tuple(concept for found in streams for concept in (*found[0], _STOP))
    return View(Passage(foldable(document.span_text()), stream, _damped(total), NO_VECTOR), passages, document.units)


def _damped(counts: Mapping[str, float]) -> dict[str, float]:
    return {name: log1p(value) for name, value in sorted(counts.items()) if value}


@dataclass(frozen=True, slots=True)
class _Seen:
    """What tables find in one unit: hits with whether each is negated, signals, kinds of cues, indicators of rules."""

    hits: list[tuple[Hit, bool]]
    signals: list[WordingHit]
    cues: set[str]
    rules: set[str]


def _seen(document: Document) -> list[_Seen]:
    """What tables find in each unit: a find belongs to the unit in which it begins."""
    dealt = [_Seen([], [], set(), set()) for _ in document.units]
    if not dealt:
        return dealt
    first = document.units[0].span.start
    starts = [unit.span.start - first for unit in document.units]
    whole = document.span_text()
    for index, hit in enumerate(document.hits):
        dealt[max(0, bisect_right(starts, hit.span.start - first) - 1)].hits.append((hit, index in document.negated))
    for signal in find_signals(foldable(whole)):
        dealt[max(0, bisect_right(starts, signal.span.start) - 1)].signals.append(signal)
    for cue in document.cues:
        dealt[max(0, bisect_right(starts, cue.span.start - first) - 1)].cues.add(cue.kind)
    for rule in document.rules:
        dealt[max(0, bisect_right(starts, rule.span.start - first) - 1)].rules.add(rule.label)
    return dealt


def _marks(seen: _Seen, offset: int) -> tuple[tuple[str, Span], ...]:
    """Where the classes of a sentence are seen: name and range in the clean text."""
    found = [(f"not {name}" if negated else name, hit.span) for hit, negated in seen.hits for name in classes_of(hit)]
    for hit in seen.signals:
        span = Span(hit.span.start + offset, hit.span.end + offset)
        found += [(f"signal {hit.id}", span), (f"{hit.strength} {hit.label}", span)]
    return tuple(found)


def _sentence_classes(text: str, seen: _Seen) -> Counter[str]:
    counts: Counter[str] = Counter()
    affirmed: set[str] = set()
    for hit, negated in seen.hits:
        for name in classes_of(hit):
            counts[f"not {name}" if negated else name] += 1
            if not negated:
                affirmed.add(name)
    counts.update(f"{one} & {other}" for one, other in combinations(sorted(affirmed), 2))
    counts.update({f"cue {kind}" for kind in seen.cues})
    counts.update({f"rule {label}" for label in seen.rules})
    counts.update({f"signal {hit.id}" for hit in seen.signals})
    counts.update({f"{hit.strength} {hit.label}" for hit in seen.signals})
    counts["?"] += text.count("?")
    counts["!"] += text.count("!")
    return counts


def _concept_sequences(stream: Sequence[str]) -> list[str]:
    """All runs of one to four concepts."""
    return [
        " ".join(stream[first : first + size]) for size in range(1, LONGEST_RUN + 1) for first in range(len(stream) - size + 1)
    ]


class PassageFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Turns passages into one sparse matrix: word 1-2-grams, character 3-5-grams, concept 1-4-grams, classes, sentence vector.

    Parameters are the weights of the five blocks (0 leaves a block out) and the least number of passages that a
    word (or character) sequence must occur in.
    """

    _rows: Rows | None = None

    def __init__(
        self,
        word_weight: float = 1.0,
        character_weight: float = 1.0,
        concept_weight: float = 1.0,
        class_weight: float = 1.0,
        vector_weight: float = 1.0,
        min_passages: int = 2,
    ) -> None:
        self.word_weight = word_weight
        self.character_weight = character_weight
        self.concept_weight = concept_weight
        self.class_weight = class_weight
        self.vector_weight = vector_weight
        self.min_passages = min_passages

    def fit(self, passages: Sequence[Passage], y: object = None) -> Self:
        """Learn vocabularies and scales from passages.

        Raises:
            ValueError: no passage is given.
        """
        self.fit_transform(passages)
        return self

    def fit_transform(self, passages: Sequence[Passage], y: object = None) -> csr_matrix:
        """Learn from passages and give their matrix; each is cut into sequences once.

        Raises:
            ValueError: no passage is given.
        """
        if not passages:
            raise ValueError("Aucun passage pour apprendre les traits.")
        self._rows = None
        texts = [passage.folded for passage in passages]
        self.words_ = TfidfVectorizer(
            token_pattern=r"[^\W_]+",  # noqa: S106
            ngram_range=(1, 2),
            min_df=self.min_passages,
            sublinear_tf=True,
            dtype=np.float32,
        )
        self.characters_ = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(3, 5), min_df=self.min_passages + 1, max_features=60_000,
            sublinear_tf=True, dtype=np.float32,
        )  # fmt: skip
        self.concepts_ = TfidfVectorizer(
            analyzer=_concept_sequences, min_df=self.min_passages + 1, sublinear_tf=True, dtype=np.float32
        )
        self.classes_ = DictVectorizer(dtype=np.float32)
        # The encoder's vectors all lie close together: what tells texts apart is how far each number is from its mean.
        self.spread_ = StandardScaler().fit(np.stack([one.vector for one in passages])) if len(passages[0].vector) else None
        counted = (
            self.words_.fit_transform(texts),
            self.characters_.fit_transform(texts),
            self.concepts_.fit_transform([passage.concepts for passage in passages]),
            self.classes_.fit_transform([passage.classes for passage in passages]),
        )
        self.scale_ = MaxAbsScaler().fit(counted[-1])
        return self._weighted(*counted, self.vectors(passages))

    def vectors(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        """The sentence vectors, centred and scaled so that their mean squared length is 1, of shape (len(passages), 768 or 0)."""
        found = np.stack([passage.vector for passage in passages])
        if self.spread_ is None:
            return found
        # What StandardScaler.transform does, without its checks.
        found -= self.spread_.mean_.astype(found.dtype)
        found /= self.spread_.scale_.astype(found.dtype)
        return np.asarray(found / np.sqrt(found.shape[1]), dtype=np.float32)

    def transform(self, passages: Sequence[Passage]) -> csr_matrix:
        """A float32 matrix of shape (len(passages), features)."""
        return self.rows.matrix(passages, self.vectors(passages) * np.float32(self.vector_weight))

    def unencoded(self, passages: Sequence[Passage]) -> csr_matrix:
        """A float32 matrix of shape (len(passages), features less those of the vector): what `transform` gives before it."""
        return self.rows.matrix(passages, np.zeros((len(passages), 0), dtype=np.float32))

    @property
    def rows(self) -> Rows:
        """What makes the rows of new passages; made from what was learned, so that it is never saved."""
        if self._rows is None:
            fitted = Fitted(self.words_, self.characters_, self.concepts_, self.classes_, self.scale_)
            weights = (self.word_weight, self.character_weight, self.concept_weight, self.class_weight)
            self._rows = Rows(fitted, weights)
        return self._rows

    def set_params(self, **params: Any) -> Self:
        """Set parameters; returns itself."""
        self._rows = None
        return super().set_params(**params)  # type: ignore[no-any-return]

    def __getstate__(self) -> dict[str, Any]:
        """What is saved: all but what is made from the rest."""
        return {name: value for name, value in super().__getstate__().items() if name != "_rows"}

    def _weighted(
        self, words: csr_matrix, characters: csr_matrix, concepts: csr_matrix, classes: csr_matrix, vectors: NDArray[np.float32]
    ) -> csr_matrix:
        """The blocks side by side, each times its weight."""
        scaled = self.scale_.transform(classes)
        # A count beyond what training saw says no more than the largest one seen.
        scaled.data = np.minimum(scaled.data, 1.0)
        blocks = (
            words * np.float32(self.word_weight),
            characters * np.float32(self.character_weight),
            concepts * np.float32(self.concept_weight),
            scaled * np.float32(self.class_weight),
            csr_matrix(vectors * np.float32(self.vector_weight)),
        )
        return csr_matrix(hstack(blocks, format="csr", dtype=np.float32))

    def blocks(self) -> tuple[int, int, int, int, int]:
        """The first column of each block: words, characters, concepts, classes, vector."""
        sizes = [len(found.vocabulary_) for found in (self.words_, self.characters_, self.concepts_, self.classes_)]
        return (0, sizes[0], sum(sizes[:2]), sum(sizes[:3]), sum(sizes))
