"""What the compared models learn from: texts read once, folds of unseen writers, feature matrices made once a fold."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GroupKFold, GroupShuffleSplit

from model.classifier import FLAG, WINDOW_HEADS, LinearHeads, WindowHeads
from model.errors import CorpusError
from model.features import PassageFeatures
from model.labels import INDICATOR_IDS, STANCE_IDS
from training.blocks import Weights, all_blocks, columns_of, weighted
from training.corpus import AnnotatedText, of_split
from training.matrices import Example, stacked_truth
from training.reading import read_examples

#: What every compared model is asked for: signs, stance, flag; the first columns of WINDOW_HEADS.
HEADS: Final = (*INDICATOR_IDS, *STANCE_IDS, FLAG)
#: What each head costs the others, in scikit-learn's C, from which a model's own is chosen.
_STRENGTHS: Final = (0.3, 1.0, 3.0)
_LEAST: Final = 40
_INNER: Final = 0.25

Rows = NDArray[np.intp]
Truth = NDArray[np.bool_]
assert WINDOW_HEADS[: len(HEADS)] == HEADS


class Ready:
    """A matrix made beforehand, in the place of features, so that heads learn from it without making it again."""

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix

    def fit_transform(self, _: object) -> Any:
        """The matrix: nothing is left to learn."""
        return self.matrix

    def transform(self, _: object) -> Any:
        """The matrix."""
        return self.matrix


def linear_heads(matrix: Any, truth: Truth, names: tuple[str, ...], strength: float) -> LinearHeads:
    """The product's heads learned from a matrix of shape (n, features) and truth of shape (n, names)."""
    ready: Any = Ready(matrix)
    # Ready needs no passage, only their number.
    nothing: Any = range(len(truth))
    return LinearHeads(ready, names, strength).fit(nothing, truth)


def window_heads(matrix: Any, truth: Truth, strength: float) -> WindowHeads:
    """The product's heads of the whole text, stance and flag joined, learned as `linear_heads`."""
    ready: Any = Ready(matrix)
    nothing: Any = range(len(truth))
    return WindowHeads(ready, strength).fit(nothing, truth)


class Part:
    """Texts to learn from and texts held out, as row numbers of a pool; matrices are made when first asked for."""

    def __init__(self, pool: "Pool", learn: Rows, held: Rows) -> None:
        self.pool = pool
        self.learn = learn
        self.held = held
        #: What families keep for other rows.
        self.kept: dict[object, Any] = {}
        self._strengths: dict[object, float] = {}

    @property
    def truth(self) -> Truth:
        """What the texts to learn from bear, of shape (n, 19)."""
        return np.asarray(self.pool.truth[self.learn])

    @cached_property
    def features(self) -> PassageFeatures:
        """All blocks, fitted on whole texts to learn from."""
        fitted: PassageFeatures = all_blocks().fit([self.pool.examples[row].view.whole for row in self.learn])
        return fitted

    @cached_property
    def sentence_features(self) -> PassageFeatures:
        """All blocks, fitted on the sentences to learn from."""
        fitted: PassageFeatures = all_blocks().fit(self.pool.sentences(self.learn))
        return fitted

    @cached_property
    def _wholes(self) -> tuple[Any, Any]:
        wholes = [example.view.whole for example in self.pool.examples]
        learned, held = ([wholes[row] for row in rows] for rows in (self.learn, self.held))
        return self.features.transform(learned), self.features.transform(held)

    @cached_property
    def _sentences(self) -> tuple[Any, Any]:
        features = self.sentence_features
        return features.transform(self.pool.sentences(self.learn)), features.transform(self.pool.sentences(self.held))

    def whole(self, weights: Weights) -> tuple[Any, Any]:
        """Matrices of the texts to learn from and of those held out, with these blocks."""
        columns = columns_of(self.features)
        learned, held = self._wholes
        return weighted(learned, columns, weights), weighted(held, columns, weights)

    def by_sentence(self, weights: Weights) -> tuple[Any, Any]:
        """Matrices of their sentences, with these blocks."""
        columns = columns_of(self.sentence_features)
        learned, held = self._sentences
        return weighted(learned, columns, weights), weighted(held, columns, weights)

    def strength(self, matrix: Any, key: object) -> float:
        """The strength with the best average precision of the flag on a quarter of the writers to learn from; kept by key."""
        if key not in self._strengths:
            flag = self.truth[:, [WINDOW_HEADS.index(FLAG)]]
            split = GroupShuffleSplit(1, test_size=_INNER, random_state=self.pool.seed)
            inside, outside = next(split.split(self.learn, groups=self.pool.writers[self.learn]))
            if not flag[inside].any() or not flag[outside].any():
                return 1.0

            def precision(strength: float) -> float:
                heads = linear_heads(matrix[inside], flag[inside], (FLAG,), strength)
                scores = matrix[outside] @ heads.weights_[:, 0]
                return float(average_precision_score(flag[outside, 0], scores))

            self._strengths[key] = max(_STRENGTHS, key=precision)
        return self._strengths[key]


class Pool:
    """The texts of `train`, dealt into folds by writer, and those of `dev`, held out from all of `train`.

    Raises:
        CorpusError: fewer than 40 texts of `train`, no `dev`, fewer writers than folds, or no flagged text among them.
    """

    def __init__(self, texts: Sequence[AnnotatedText], folds: int, seed: int, progress: Any = None) -> None:
        train, dev = of_split(texts, "train"), of_split(texts, "dev")
        writers = len({text.writer for text in train})
        if len(train) < _LEAST or not dev:
            raise CorpusError(
                f"{len(train)} texte(s) de « train », {len(dev)} de « dev » ; au moins {_LEAST} et 1 sont attendus pour comparer."
            )
        if writers < folds + 1:
            raise CorpusError(f"{writers} rédacteur(s) dans « train » : {folds} plis en demandent au moins {folds + 1}.")
        self.seed = seed
        self.texts = [*train, *dev]
        self.writers = np.asarray([text.writer for text in self.texts])
        flagged = np.asarray([text.flagged for text in self.texts])
        rows = np.arange(len(train))
        dealt = GroupKFold(folds, shuffle=True, random_state=seed).split(rows, groups=self.writers[: len(train)])
        self.folds = [Part(self, learn, held) for learn, held in dealt]
        self.dev = Part(self, rows, np.arange(len(train), len(self.texts)))
        if any(
            flagged[rows].all() or not flagged[rows].any() for part in (*self.folds, self.dev) for rows in (part.learn, part.held)
        ):
            raise CorpusError("Un pli est sans texte de niveau 2 ou 3, ou n'a qu'eux : corpus trop petit pour comparer.")
        self._progress = progress

    @cached_property
    def examples(self) -> list[Example]:
        """Every text, read and viewed once."""

        def progress(done: int, total: int) -> None:
            if self._progress:
                self._progress("Lecture des textes", done, total)

        return read_examples(self.texts, progress)

    @cached_property
    def truth(self) -> Truth:
        """What each text bears, of shape (texts, 19)."""
        return stacked_truth(self.examples)

    def sentences(self, rows: Rows) -> list[Any]:
        """The sentence passages of some texts, in order."""
        return [passage for row in rows for passage in self.examples[row].view.sentences]

    def sentence_counts(self, rows: Rows) -> list[int]:
        """How many sentences each of some texts has."""
        return [len(self.examples[row].view.sentences) for row in rows]
