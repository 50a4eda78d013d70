"""How far style alone gives a text away: who wrote it, and whether it is the corpus's or another collection's.

The features say nothing of the subject: function words, punctuation, layout, lengths. A linear model that tells writers
apart with them shows the corpus's hands; one that tells the corpus from real texts shows what does not ring true. Chance
is an area under the ROC curve of 0.5 (two collections), or one over the number of writers (accuracy).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import regex
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from model.errors import CorpusError
from model.text import words_of

#: Words that carry grammar, not subject.
_FUNCTION_WORDS: Final = (
    "le la les l un une des du de d au aux à en dans par pour sur sous avec sans chez vers entre et ou mais donc or ni car "
    "que qui quoi dont où ne n pas plus jamais rien aucun je j tu il elle on nous vous ils elles me m te se s lui leur y mon "
    "ma mes ton ta tes son sa ses notre nos votre vos leurs ce cet cette ces c ça cela celui celle ceux est sont était a ai "
    "as ont avait être avoir fait faire peut peuvent si comme quand lorsque puis alors aussi bien très tout toute tous "
    "toutes même autre autres après avant depuis pendant jusqu lors ainsi sera seront"
)
_SIGNS: Final = ".,;:!?…()«»\"'’–—-/*#•@%€&|"
_SENTENCE: Final = regex.compile(r"[.!?…\n]+")
_EMOJI: Final = regex.compile(r"\p{Extended_Pictographic}")
_ACCENT: Final = regex.compile(r"[éèêëàâîïôöùûüçœæ]")
_LONG_WORD: Final = 10
_FOLDS: Final = 5
_MOST_TELLING: Final = 12
_REGULARISATION: Final = 0.02


@dataclass(frozen=True, slots=True)
class Telling:
    """A style feature that gives one side away; `weight` is that of the model, means are over the texts of each side."""

    name: str
    weight: float
    first_mean: float
    second_mean: float


@dataclass(frozen=True, slots=True)
class StyleReport:
    """What style alone tells: `value` is an area under the ROC curve or an accuracy in [0, 1], `chance` what guessing gives."""

    question: str
    texts: int
    measure: str
    value: float
    chance: float
    sides: tuple[str, str]
    telling: tuple[Telling, ...]

    @property
    def title(self) -> str:
        """The finding in one French line."""
        return f"{self.question} : {self.measure} {self.value:.3f} (hasard {self.chance:.3f}), {self.texts} textes"

    def rows(self) -> list[tuple[str, str, str, str]]:
        """The telling traits as text: name, weight, mean on each side."""
        return [
            (trait.name, f"{trait.weight:+.2f}", f"{trait.first_mean:.3f}", f"{trait.second_mean:.3f}") for trait in self.telling
        ]


def style_features(text: str) -> dict[str, float]:
    """Style features of a text by French name: shares of words, signs per hundred characters, means."""
    words = words_of(text)
    lower = [word.lower() for word in words]
    counts = Counter(lower)
    total, length = max(1, len(words)), max(1, len(text))
    sizes = [len(words_of(sentence)) for sentence in _SENTENCE.split(text) if sentence.strip()] or [0]
    lines = max(1, sum(bool(line.strip()) for line in text.split("\n")))
    return {
        **{f"mot « {word} »": counts[word] / total for word in _FUNCTION_WORDS.split()},
        **{f"signe {sign}": 100 * text.count(sign) / length for sign in _SIGNS},
        "sauts de ligne": 100 * text.count("\n") / length,
        "lignes vides": 100 * text.count("\n\n") / length,
        "lignes (log)": float(np.log(lines)),
        "mots (log)": float(np.log(total)),
        "mots par ligne (log)": float(np.log(total / lines)),
        "mots par phrase": float(np.mean(sizes)),
        "mots par phrase, écart": float(np.std(sizes)),
        "lettres par mot": sum(map(len, words)) / total,
        "mots de dix lettres et plus": sum(len(word) >= _LONG_WORD for word in words) / total,
        "diversité des mots": len(counts) / total**0.8,
        "capitales": sum(map(str.isupper, text)) / length,
        "mots en capitales": sum(len(word) > 2 and word.isupper() for word in words) / total,
        "chiffres": sum(map(str.isdigit, text)) / length,
        "lettres accentuées": len(_ACCENT.findall(text.lower())) / length,
        "émojis": 100 * len(_EMOJI.findall(text)) / length,
        "espaces insécables": 100 * sum(sign in "\u00a0\u202f" for sign in text) / length,
        "fin sans ponctuation": float(text.rstrip()[-1:] not in ".!?…»)"),
        "début en minuscule": float(text[:1].islower()),
    }


def tell_collections(first: Sequence[str], second: Sequence[str], seed: int = 0) -> StyleReport:
    """How well style tells two collections apart, out of sample: five folds, classes weighted evenly.

    Raises:
        CorpusError: a collection holds fewer than ten texts.
    """
    if min(len(first), len(second)) < 2 * _FOLDS:
        raise CorpusError(f"Deux collections d'au moins {2 * _FOLDS} textes sont attendues ({len(first)} et {len(second)}).")
    names, matrix = _matrix([*first, *second])
    side = np.r_[np.zeros(len(first)), np.ones(len(second))]
    model = _model()
    folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
    scores = cross_val_predict(model, matrix, side, cv=folds, method="decision_function")
    weights = model.fit(matrix, side)[-1].coef_[0]
    most = np.argsort(-np.abs(weights), kind="stable")[:_MOST_TELLING]
    telling = tuple(
        Telling(names[i], float(weights[i]), float(matrix[side == 0, i].mean()), float(matrix[side == 1, i].mean())) for i in most
    )
    area = float(roc_auc_score(side, scores))
    return StyleReport(
        "corpus ou collection comparée", len(side), "aire sous la courbe ROC", area, 0.5, ("corpus", "comparés"), telling
    )


def tell_writers(texts: Sequence[str], writers: Sequence[str], seed: int = 0) -> StyleReport:
    """How often style finds the writer of a text among all, out of sample, and each writer's most telling feature.

    Raises:
        CorpusError: fewer than two writers have ten texts.
    """
    enough = {writer for writer, count in Counter(writers).items() if count >= 2 * _FOLDS}
    if len(enough) < 2:
        raise CorpusError(f"Deux rédacteurs d'au moins {2 * _FOLDS} textes sont attendus.")
    kept = [(text, writer) for text, writer in zip(texts, writers, strict=True) if writer in enough]
    names, matrix = _matrix([text for text, _ in kept])
    wrote = np.array([writer for _, writer in kept])
    model = _model()
    found = cross_val_predict(model, matrix, wrote, cv=StratifiedKFold(_FOLDS, shuffle=True, random_state=seed))
    model.fit(matrix, wrote)
    classes, weights = model[-1].classes_, model[-1].coef_
    if len(classes) == 2:
        weights = np.vstack([-weights[0], weights[0]])
    telling = []
    for place, writer in enumerate(classes):
        best = int(np.argmax(np.abs(weights[place])))
        own = wrote == writer
        means = float(matrix[own, best].mean()), float(matrix[~own, best].mean())
        telling.append(Telling(f"{writer} : {names[best]}", float(weights[place, best]), *means))
    sides = ("ce rédacteur", "les autres")
    accuracy = float(np.mean(found == wrote))
    return StyleReport("quel rédacteur", len(kept), "exactitude", accuracy, 1 / len(enough), sides, tuple(telling))


def _matrix(texts: Sequence[str]) -> tuple[list[str], npt.NDArray[np.float64]]:
    rows = [style_features(text) for text in texts]
    names = list(rows[0])
    return names, np.array([[row[name] for name in names] for row in rows])


def _model() -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=_REGULARISATION, max_iter=2_000, class_weight="balanced"))
