"""How far two annotators agree who labelled the same texts without seeing each other's labels.

A text takes part when it keeps two separate annotations or more; the first two are compared. Krippendorff's alpha (1 is
perfect, 0 is chance, 0.667 the usual floor for tentative conclusions: Krippendorff, Content Analysis, 2004, p. 241) comes
with a bootstrap interval over texts, because a rare label makes it jump.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import krippendorff
import numpy as np
import numpy.typing as npt
from sklearn.metrics import cohen_kappa_score

from model.errors import CorpusError
from model.labels import INDICATORS, STANCE_IDS, TARGETS
from model.text import Span, word_spans
from training.corpus import AnnotatedText, Annotation
from training.intervals import bootstrap
from training.stats import Counts

FLOOR: Final = 0.667

_Codes = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LabelAgreement:
    """One label: alpha with its 95 % interval, share of texts on which both say the same, and how often it is given.

    `alpha` is NaN where nobody gave the label.
    """

    id: str
    name: str
    alpha: float
    low: float
    high: float
    raw: float
    first: int
    second: int
    both: int
    texts: int

    @property
    def clear(self) -> bool:
        """Whether alpha reaches the floor."""
        return self.alpha >= FLOOR


@dataclass(frozen=True, slots=True)
class PassageAgreement:
    """Passages of a label that both gave: mean F1 over words, share of texts where passages touch, or are the same."""

    id: str
    name: str
    texts: int
    word_f1: float
    touching: float
    identical: float


@dataclass(frozen=True, slots=True)
class AgreementReport:
    """Agreement on labels, passages, level (quadratic kappa) and stance, over `texts` texts."""

    texts: int
    annotators: tuple[str, ...]
    labels: tuple[LabelAgreement, ...]
    passages: tuple[PassageAgreement, ...]
    level_kappa: float
    level_raw: float
    flag_raw: float


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A text on which the two annotators differ, and the labels that only one gave."""

    text: AnnotatedText
    first_only: tuple[str, ...]
    second_only: tuple[str, ...]


def doubly_annotated(texts: Sequence[AnnotatedText]) -> list[tuple[AnnotatedText, Annotation, Annotation]]:
    """The texts with two separate annotations, and the two."""
    return [(text, text.annotations[0], text.annotations[1]) for text in texts if len(text.annotations) > 1]


def measure_agreement(texts: Sequence[AnnotatedText], seed: int = 0) -> AgreementReport:
    """Agreement over the doubly annotated texts of a corpus.

    Raises:
        CorpusError: no text has two annotations.
    """
    pairs = [(first, second) for _, first, second in doubly_annotated(texts)]
    if not pairs:
        raise CorpusError("Aucun texte n'a deux annotations séparées (champ « annotations »).")
    labels = [
        _label("stance", "stance", np.array([[STANCE_IDS.index(a.stance), STANCE_IDS.index(b.stance)] for a, b in pairs]), seed)
    ]
    for label in INDICATORS:
        labels.append(_label(label.id, label.name, np.array([[_has(a, label.id), _has(b, label.id)] for a, b in pairs]), seed))
    for target in TARGETS:
        codes = np.array([[target.id in a.targets, target.id in b.targets] for a, b in pairs], dtype=int)
        labels.append(_label(target.id, target.name, codes, seed))
    levels = np.array([[a.risk_level, b.risk_level] for a, b in pairs])
    return AgreementReport(
        len(pairs),
        tuple(sorted({annotation.annotator.id for pair in pairs for annotation in pair})),
        tuple(labels),
        passage_agreement(texts),
        float(cohen_kappa_score(levels[:, 0], levels[:, 1], weights="quadratic")),
        float(np.mean(levels[:, 0] == levels[:, 1])),
        float(np.mean((levels[:, 0] >= 2) == (levels[:, 1] >= 2))),
    )


def disagreements(texts: Sequence[AnnotatedText]) -> list[Disagreement]:
    """The texts on which the two annotators differ in stance, signs or targets."""
    found = []
    for text, first, second in doubly_annotated(texts):
        one, two = _all(first), _all(second)
        if one != two:
            found.append(Disagreement(text, tuple(sorted(one - two)), tuple(sorted(two - one))))
    return found


def _all(labels: Annotation) -> set[str]:
    return {labels.stance, *labels.targets, *(passage.label for passage in labels.indicators)}


def _has(labels: Annotation, label: str) -> int:
    return int(any(passage.label == label for passage in labels.indicators))


def _label(id: str, name: str, codes: _Codes, seed: int) -> LabelAgreement:
    alpha = bootstrap(len(codes), lambda rows: _alpha(codes[rows]), seed)
    given = codes > 0
    return LabelAgreement(
        id,
        name,
        alpha.value,
        alpha.low,
        alpha.high,
        float(np.mean(codes[:, 0] == codes[:, 1])),
        int(given[:, 0].sum()),
        int(given[:, 1].sum()),
        int((given[:, 0] & given[:, 1]).sum()),
        len(codes),
    )


def _alpha(codes: _Codes) -> float:
    if len(np.unique(codes)) < 2:
        return float("nan")
    return float(krippendorff.alpha(reliability_data=codes.T, level_of_measurement="nominal"))


def word_f1(text: str, one: Sequence[Span], two: Sequence[Span]) -> float:
    """F1 in [0, 1] over the words of a text that two sets of ranges touch; 0 where neither touches a word."""
    words = word_spans(text)
    marked = [{n for n, word in enumerate(words) if any(word.overlaps(span) for span in spans)} for spans in (one, two)]
    return 2 * len(marked[0] & marked[1]) / max(1, len(marked[0]) + len(marked[1]))


def passage_agreement(texts: Sequence[AnnotatedText]) -> tuple[PassageAgreement, ...]:
    """Agreement on the passages of each indicator, over the doubly annotated texts of a corpus."""
    return tuple(_passages(texts, label.id, label.name) for label in INDICATORS)


def _passages(texts: Sequence[AnnotatedText], id: str, name: str) -> PassageAgreement:
    scores, same = [], []
    for text, first, second in doubly_annotated(texts):
        one = [Span(passage.start, passage.end) for passage in first.indicators if passage.label == id]
        two = [Span(passage.start, passage.end) for passage in second.indicators if passage.label == id]
        if one and two:
            scores.append(word_f1(text.text, one, two))
            same.append(sorted((span.start, span.end) for span in one) == sorted((span.start, span.end) for span in two))
    if not scores:
        return PassageAgreement(id, name, 0, float("nan"), float("nan"), float("nan"))
    touching = float(np.mean([score > 0 for score in scores]))
    return PassageAgreement(id, name, len(scores), float(np.mean(scores)), touching, float(np.mean(same)))


def agreement_tables(found: AgreementReport) -> list[Counts]:
    """The report as French tables."""

    def figure(value: float) -> str:
        return "–" if value != value else f"{value:.2f}"

    labels = [
        (
            label.name,
            figure(label.alpha),
            f"[{figure(label.low)} ; {figure(label.high)}]",
            f"{100 * label.raw:.1f} %",
            label.first,
            label.second,
            label.both,
            "oui" if label.clear else "non",
        )
        for label in found.labels
    ]
    passages = [
        (label.name, label.texts, figure(label.word_f1), figure(label.touching), figure(label.identical))
        for label in found.passages
    ]
    whole = [
        ("textes annotés deux fois", found.texts),
        ("niveau, kappa quadratique", figure(found.level_kappa)),
        ("niveau, accord brut", f"{100 * found.level_raw:.1f} %"),
        ("drapeau (niveau 2 ou 3), accord brut", f"{100 * found.flag_raw:.1f} %"),
    ]
    columns = ("étiquette", "alpha", "IC 95 %", "accord brut", "premier", "second", "les deux", f"alpha ≥ {FLOOR}")
    places = ("étiquette", "textes", "F1 des mots", "se touchent", "identiques")
    return [
        Counts("Accord d'ensemble", ("mesure", "valeur"), tuple(whole)),
        Counts("Accord par étiquette", columns, tuple(labels)),
        Counts("Accord sur les passages", places, tuple(passages)),
    ]
