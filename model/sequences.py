"""The rows of fitted features, the numbers of scikit-learn's vectorizers to the last bit, without their cost a call.

A vectorizer is made for thousands of texts at once: on one text nearly all its time goes to checks, and to cutting each word
into its character sequences again. Here the known sequences of a word are remembered, and the three weighted counts of a
passage (words, characters, concepts) are made side by side.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

#: The longest run of concepts that is a feature.
LONGEST_RUN: Final = 4
#: How many different chunks of letters keep their sequences, some 300 bytes each.
_REMEMBERED: Final = 16_384
_COUNTED: Final = 3
#: Passages made at once, so that what is made on the way stays small.
_AT_ONCE: Final = 256

Floats = NDArray[np.float32]


class Text(Protocol):
    """What is counted of a passage: folded text, stream of concepts, counts of classes."""

    @property
    def folded(self) -> str:
        """Folded text."""

    @property
    def concepts(self) -> tuple[str, ...]:
        """Stream of concepts; none holds a space."""

    @property
    def classes(self) -> Mapping[str, float]:
        """Count of each class."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What features learned: three TfidfVectorizers (words, characters, concepts), a DictVectorizer, its MaxAbsScaler."""

    words: Any
    characters: Any
    concepts: Any
    classes: Any
    scale: Any


class Rows:
    """Makes rows of words, characters, concepts, classes and vector, each block times its weight."""

    def __init__(self, fitted: Fitted, weights: Sequence[float]) -> None:
        """`weights` are those of words, characters, concepts and classes."""
        counted = (fitted.words, fitted.characters, fitted.concepts)
        sizes = [len(block.vocabulary_) for block in (*counted, fitted.classes)]
        self._starts = np.cumsum([0, *sizes]).tolist()
        self._weights = np.asarray(weights, dtype=np.float32)
        self._rarity = np.concatenate([np.asarray(block.idf_, dtype=np.float32) for block in counted])
        self._class_scale = 1.0 / fitted.scale.scale_
        self._words, self._concepts, self._classes = (
            fitted.words.vocabulary_, fitted.concepts.vocabulary_, fitted.classes.vocabulary_
        )  # fmt: skip
        self._characters = fitted.characters.vocabulary_
        self._lower = fitted.words.build_preprocessor()
        self._tokens = fitted.words.build_tokenizer()
        self._analyse = fitted.characters.build_analyzer()
        # Bytes are the smallest thing to keep, and the fastest to join.
        self._chunk = lru_cache(maxsize=_REMEMBERED)(self._cut)

    def matrix(self, texts: Sequence[Text], vectors: Floats) -> csr_matrix:
        """A float32 matrix, one row a text; `vectors` (len(texts), d), already weighted, are its last columns."""
        shape = (len(texts), self._starts[-1] + vectors.shape[1])
        parts = [
            self._some(texts[first : first + _AT_ONCE], vectors[first : first + _AT_ONCE])
            for first in range(0, len(texts), _AT_ONCE)
        ]
        sizes, columns, data = (np.concatenate(made) for made in zip(*parts, strict=True))
        return csr_matrix((data, columns, np.concatenate([[0], np.cumsum(sizes)])), shape=shape)

    def placed(self, text: Text) -> tuple[NDArray[np.int32], Floats]:
        """Columns and values of one row without its vector, which has no place in the text."""
        _, columns, data = self._counted([text])
        classes, values = self._scaled(text.classes)
        return np.concatenate([columns, classes]), np.concatenate([data, values])

    def _some(self, texts: Sequence[Text], vectors: Floats) -> tuple[NDArray[np.int64], NDArray[np.int32], Floats]:
        """For some texts: the number of values of each row, then the columns and the values of all rows."""
        rows, columns, data = self._counted(texts)
        ends = np.searchsorted(rows, np.arange(len(texts)), side="right").tolist()
        tail = np.arange(self._starts[-1], self._starts[-1] + vectors.shape[1], dtype=np.int32)
        all_columns: list[NDArray[np.int32]] = []
        all_data: list[Floats] = []
        sizes: list[int] = []
        first = 0
        for text, end, vector in zip(texts, ends, vectors, strict=True):
            classes, values = self._scaled(text.classes)
            all_columns += (columns[first:end], classes, tail)
            all_data += (data[first:end], values, vector)
            sizes.append(end - first + len(classes) + len(tail))
            first = end
        return np.asarray(sizes), np.concatenate(all_columns), np.concatenate(all_data)

    def _counted(self, texts: Sequence[Text]) -> tuple[NDArray[np.int64], NDArray[np.int32], Floats]:
        """Row, column and value of word, character and concept sequences, in order: sublinear tf-idf, each block of length 1."""
        found = [self._sequences(text) for text in texts]
        keys = np.concatenate([columns + np.int64(row) * self._starts[_COUNTED] for row, columns in enumerate(found)])
        keys, counts = np.unique(keys, return_counts=True)
        rows, columns = np.divmod(keys, self._starts[_COUNTED])
        block = (columns >= self._starts[1]).astype(np.int64) + (columns >= self._starts[2])
        data = np.log(counts.astype(np.float32))
        data += 1.0
        data *= self._rarity[columns]
        group = rows * _COUNTED + block
        # Sums in double precision and in the order of the columns, as the library's.
        squares = np.bincount(group, weights=data * data, minlength=len(texts) * _COUNTED)
        data /= np.sqrt(squares)[group]
        data *= self._weights[block]
        return rows, columns.astype(np.int32), data

    def _sequences(self, text: Text) -> NDArray[np.int32]:
        """The columns of all known sequences of a text, in no order, repeats included."""
        folded = self._lower(text.folded)
        tokens = self._tokens(folded)
        known = self._words.get
        words = [known(token, -1) for token in tokens]
        words += [known(f"{one} {other}", -1) for one, other in pairwise(tokens)]
        numbers = [number for number in words if number >= 0]
        first = self._starts[2]
        numbers += [first + number for number in self._runs(text.concepts)]
        characters = np.frombuffer(b"".join(map(self._chunk, folded.split())), dtype=np.int32)
        return np.concatenate([np.asarray(numbers, dtype=np.int32), characters])

    def _runs(self, stream: Sequence[str]) -> list[int]:
        """The numbers of the known runs of concepts: a run is known only if it also is without its last concept."""
        known = self._concepts.get
        found = []
        for first, run in enumerate(stream):
            number = known(run)
            for concept in stream[first + 1 : first + LONGEST_RUN]:
                if number is None:
                    break
                found.append(number)
                run = f"{run} {concept}"
                number = known(run)
            if number is not None:
                found.append(number)
        return found

    def columns_of(self, chunk: str) -> list[int]:
        """The columns of the known character sequences of a chunk of letters, in order, repeats included."""
        columns: list[int] = np.frombuffer(self._chunk(chunk), dtype=np.int32).tolist()
        return columns

    def _cut(self, chunk: str) -> bytes:
        """The columns of `columns_of` as the bytes of 32-bit numbers."""
        known, first = self._characters, self._starts[1]
        return np.asarray([first + known[run] for run in self._analyse(chunk) if run in known], dtype=np.int32).tobytes()

    def _scaled(self, classes: Mapping[str, float]) -> tuple[NDArray[np.int32], Floats]:
        """Columns and values of the known classes; a count beyond the largest one of training says no more than that one."""
        known = self._classes
        found = [(known[name], value) for name, value in classes.items() if name in known]
        columns = np.asarray([column for column, _ in found], dtype=np.int32)
        values = np.asarray([value for _, value in found], dtype=np.float32)
        values *= self._class_scale[columns]
        values = np.minimum(values, 1.0)
        values *= self._weights[_COUNTED]
        return columns + np.int32(self._starts[_COUNTED]), values
