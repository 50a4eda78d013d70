"""Which words of a sentence bear a linear head's score: each feature's part of the logit, shared among the words it is seen in.

For a linear model the parts add up to the logit exactly, less the intercept and the sentence vector, which has no place.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import regex
from numpy.typing import NDArray

from model.features import Passage, PassageFeatures
from model.sequences import LONGEST_RUN
from model.text import Span

Array = NDArray[np.float64]

_WORD: Final = regex.compile(r"[^\W_]+")
_CHUNK: Final = regex.compile(r"\S+")


def word_scores(
    features: PassageFeatures, weights: NDArray[np.float32], passage: Passage, start: int
) -> tuple[tuple[Span, ...], Array]:
    """The words of a sentence and each one's part of the logit.

    Args:
        features: the fitted features of the head.
        weights: of shape (features,), the head's weights.
        passage: the sentence.
        start: where it begins in the clean text.

    Returns:
        ranges of the n words in the clean text, and an array of shape (n,).
    """
    words = [(match.group(), Span(match.start() + start, match.end() + start)) for match in _WORD.finditer(passage.folded)]
    scores = [0.0] * len(words)
    if not words:
        return (), np.zeros(0)
    blocks = features.blocks()
    columns, values = features.rows.placed(passage)
    parts = dict(zip(columns.tolist(), (values * weights[columns]).tolist(), strict=True))
    line = _Line([span for _, span in words], scores)
    _share_words(parts, features, blocks[0], [word for word, _ in words], scores)
    _share_characters(parts, features, passage, line)
    for index, places in _concept_places(features, passage):
        line.share(parts.get(blocks[2] + index, 0.0), places)
    for index, places in _class_places(features, passage):
        line.share(parts.get(blocks[3] + index, 0.0), places)
    return tuple(line.words), np.asarray(scores)


class _Line:
    """The words of a sentence, in order, and the score of each."""

    def __init__(self, words: list[Span], scores: list[float]) -> None:
        self.words = words
        self.scores = scores
        self._starts = [word.start for word in words]
        self._ends = [word.end for word in words]

    def touched(self, place: Span) -> range:
        """The words that a place overlaps: words are in order, and no two overlap."""
        return range(bisect_right(self._ends, place.start), bisect_left(self._starts, place.end))

    def before(self, place: Span) -> int:
        """The last word that begins before a place, else the first one."""
        return max(0, bisect_left(self._starts, place.start) - 1)

    def nearest(self, place: Span) -> int:
        """The word that begins nearest to where a place begins."""
        return min(range(len(self.words)), key=lambda index: abs(self._starts[index] - place.start))

    def share(self, part: float, places: Sequence[Span]) -> None:
        """Share a part equally among the words that its places touch, each place counting the same."""
        if not part:
            return
        for place in places:
            # A comma or a question mark is no word: the one before it bears its part.
            touched = self.touched(place) or (self.before(place),)
            for index in touched:
                self.scores[index] += part / len(places) / len(touched)


def _share_words(
    parts: dict[int, float], features: PassageFeatures, first: int, words: Sequence[str], scores: list[float]
) -> None:
    known = features.words_.vocabulary_
    seen: dict[str, list[int]] = defaultdict(list)
    for place, word in enumerate(words):
        seen[word].append(place)
        if place:
            seen[f"{words[place - 1]} {word}"] += [place - 1, place]
    for sequence, places in seen.items():
        part = parts.get(first + known[sequence], 0.0) if sequence in known else 0.0
        for place in places:
            scores[place] += part / len(places)


def _share_characters(parts: dict[int, float], features: PassageFeatures, passage: Passage, line: _Line) -> None:
    start = line.words[0].start - next(_WORD.finditer(passage.folded)).start()
    chunks = [
        (Span(match.start() + start, match.end() + start), features.rows.columns_of(match.group()))
        for match in _CHUNK.finditer(passage.folded)
    ]
    total = Counter(column for _, columns in chunks for column in columns)
    for chunk, columns in chunks:
        part = sum(parts.get(column, 0.0) / total[column] for column in columns)
        # Punctuation standing alone goes to the nearest word.
        touched = line.touched(chunk) or (line.nearest(chunk),)
        for index in touched:
            line.scores[index] += part / len(touched)


def _concept_places(features: PassageFeatures, passage: Passage) -> Iterator[tuple[int, list[Span]]]:
    known = features.concepts_.vocabulary_
    seen: dict[int, list[Span]] = defaultdict(list)
    for size in range(1, LONGEST_RUN + 1):
        for first in range(len(passage.concepts) - size + 1):
            index = known.get(" ".join(passage.concepts[first : first + size]))
            if index is not None:
                seen[index] += passage.places[first : first + size]
    yield from seen.items()


def _class_places(features: PassageFeatures, passage: Passage) -> Iterator[tuple[int, list[Span]]]:
    known = features.classes_.vocabulary_
    spans: dict[str, list[Span]] = defaultdict(list)
    for name, span in passage.marks:
        spans[name].append(span)
    for name in passage.classes:
        places = [span for part in name.split(" & ") for span in spans.get(part, ())]
        if places and name in known:
            yield known[name], places


def best_run(scores: Array, cost: float, least: int) -> tuple[int, int]:
    """The run of at least `least` words with the highest sum of scores less `cost` a word: first index, index after the last.

    All words when there are fewer than `least`. Ties go to the earliest, then the shortest run.
    """
    count = len(scores)
    if count <= least:
        return 0, count
    sums = np.concatenate([[0.0], np.cumsum(scores - cost)])
    best, chosen = -np.inf, (0, least)
    for after in range(least, count + 1):
        first = int(np.argmin(sums[: after - least + 1]))
        value = round(float(sums[after] - sums[first]), 6)
        if value > best:
            best, chosen = value, (first, after)
    return chosen
