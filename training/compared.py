"""What a compared model is worth on texts held out: flag, signs, stance, calibration, in figures; and all of it in tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, brier_score_loss

from model.classifier import FLAG, Array
from model.labels import INDICATOR_IDS, STANCE_IDS
from training.baselines import Scores
from training.intervals import Estimate, bootstrap
from training.pool import HEADS, Part
from training.stats import Counts

if TYPE_CHECKING:
    from training.compare import Comparison, Line

#: Between these marks docs/modele.md holds what was generated.
COMPARE_MARKS: Final = ("<!-- comparaison : début (vigie compare) -->", "<!-- comparaison : fin -->")
_BANDS: Final = 10
_NO_FIGURE: Final = "–"

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Compared:
    """Figures on `texts` texts of `folds` folds.

    F1 of the flag with its 95 % interval over texts, at a threshold chosen elsewhere (`threshold` is the one that all these
    texts would choose); average precision of the flag, mean one of the signs borne by a text; share of right
    stances; Brier score; expected calibration error. None where the model does not say.
    """

    texts: int
    folds: int
    f1: Estimate
    threshold: float
    flag_precision: float
    sign_precision: float | None
    stance: float | None
    brier: float
    calibration_error: float


def compared(truth: Bools, parts: Sequence[Part], scores: Sequence[Scores], threshold: float | None = None) -> Compared:
    """The figures of scores, one record a part, against truth of shape (texts of the pool, 19).

    Each part is flagged at the threshold with the best F1 on the other parts; or at the given one.
    """
    held = [truth[part.held][:, : len(HEADS)] for part in parts]
    flags = [found[:, HEADS.index(FLAG)] for found in held]
    flagged = []
    for place, found in enumerate(scores):
        others = [other for other in range(len(parts)) if other != place] or [place]
        cut = threshold
        if cut is None:
            cut = best_threshold(np.concatenate([scores[o].flag for o in others]), np.concatenate([flags[o] for o in others]))
        flagged.append(found.flag >= cut)
    everything, flag = np.vstack(held), np.concatenate(flags)
    chances, decided = np.concatenate([found.flag for found in scores]), np.concatenate(flagged)
    return Compared(
        len(flag),
        len(parts),
        bootstrap(len(flag), lambda rows: _f1(flag[rows], decided[rows])),
        threshold if threshold is not None else best_threshold(chances, flag),
        float(average_precision_score(flag, chances)),
        _sign_precision(everything, [found.signs for found in scores]),
        _stance(everything, [found.stance for found in scores]),
        float(brier_score_loss(flag, chances)),
        _calibration_error(flag, chances),
    )


def best_threshold(scores: Array, truth: Bools) -> float:
    """The threshold with the best F1, in the middle of the gap below it."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    f1 = 2 * np.cumsum(truth[order]) / (np.arange(1, len(order) + 1) + truth.sum())
    # Equal scores fall on one side of any threshold.
    last_of_its_score = np.append(ordered[1:] < ordered[:-1], True)
    best = int(np.argmax(np.where(last_of_its_score, f1, -1.0)))
    return float((ordered[best] + ordered[min(best + 1, len(ordered) - 1)]) / 2)


def _f1(truth: Bools, found: Bools) -> float:
    both, total = int((truth & found).sum()), int(truth.sum()) + int(found.sum())
    return 2 * both / total if total else float("nan")


def _sign_precision(truth: Bools, signs: Sequence[Array | None]) -> float | None:
    given = [found for found in signs if found is not None]
    if len(given) < len(signs):
        return None
    scores = np.vstack(given)
    borne = [place for place in range(len(INDICATOR_IDS)) if truth[:, place].any()]
    return float(np.mean([average_precision_score(truth[:, place], scores[:, place]) for place in borne])) if borne else None


def _stance(truth: Bools, stances: Sequence[Array | None]) -> float | None:
    given = [found for found in stances if found is not None]
    if len(given) < len(stances):
        return None
    first = len(INDICATOR_IDS)
    true = truth[:, first : first + len(STANCE_IDS)].argmax(axis=1)
    return float((np.vstack(given).argmax(axis=1) == true).mean())


def _calibration_error(truth: Bools, scores: Array) -> float:
    """Expected calibration error over ten bands of equal width (Naeini, Cooper and Hauskrecht, AAAI 2015)."""
    bands = np.minimum((scores * _BANDS).astype(int), _BANDS - 1)
    return float(np.abs(np.bincount(bands, weights=scores - truth, minlength=_BANDS)).sum() / len(truth))


def tables(found: "Comparison") -> list[Counts]:
    """The comparison as three tables in French: folds, dev, costs."""
    measures = ("F1 du drapeau [IC 95 %]", "seuil", "AP du drapeau", "AP moyenne des signes", "stance juste", "Brier", "ECE")
    folds = Counts(
        f"Rédacteurs jamais vus : {found.folds} plis de {found.learned} textes de `train`, graine {found.seed}",
        ("modèle", "plis", *measures),
        tuple((_name(line), str(line.folds.folds), *_measures(line.folds)) for line in found.lines),
    )
    if found.same_folds is not None:
        same = (
            "– modèle d'aujourd'hui sur les plis des lignes lentes",
            str(found.same_folds.folds),
            *_measures(found.same_folds),
        )
        folds = Counts(folds.title, folds.header, (*folds.rows, same))
    dev = Counts(
        f"`dev` : {found.dev} textes, appris sur tout `train`",
        ("modèle", *measures),
        tuple((_name(line), *_measures(line.dev)) for line in found.lines),
    )
    costs = Counts(
        "Coût pour prédire, un texte à la fois, un fil",
        ("modèle", "textes par seconde", "mémoire ajoutée au plus (Mo)", "disque (Mo)", "durée de la mesure (s)"),
        tuple(_cost(line) for line in found.lines),
    )
    return [folds, dev, costs]


def _name(line: "Line") -> str:
    return f"{line.row.label} (`{line.row.name}`)"


def _measures(found: Compared) -> tuple[str, ...]:
    f1 = f"{_decimal(found.f1.value)} [{_decimal(found.f1.low, 2)} ; {_decimal(found.f1.high, 2)}]"
    rest = (found.flag_precision, found.sign_precision, found.stance, found.brier, found.calibration_error)
    return (f1, _decimal(found.threshold, 2), *map(_decimal, rest))


def _cost(line: "Line") -> tuple[str, ...]:
    cost = line.cost
    figures = (None, None, None) if cost is None else (cost.rate, cost.memory, cost.disk)
    return (_name(line), _decimal(figures[0], 0), _decimal(figures[1], 0), _decimal(figures[2], 1), _decimal(line.seconds, 0))


def _decimal(value: float | None, digits: int = 3) -> str:
    return _NO_FIGURE if value is None or np.isnan(value) else f"{value:.{digits}f}".replace(".", ",")
