"""Labels that the corpus's own texts speak against: ranked by scores from models that did not learn the text.

Confident learning (Northcutt, Jiang & Chuang, JAIR 2021) as cleanlab does it: per label, the texts whose given label has the
lowest self-confidence come first. A suspect is a text to look at, not an error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

from training.corpus import AnnotatedText


@dataclass(frozen=True, slots=True)
class Suspect:
    """A text whose label is in doubt.

    `given` says whether the corpus gives the label, `score` is the out-of-sample probability of the label, `quality` the
    self-confidence of the given value in [0, 1], `issue` whether confident learning calls it an error.
    """

    text: AnnotatedText
    label: str
    given: bool
    score: float
    quality: float
    issue: bool


def rank_suspects(texts: Sequence[AnnotatedText], scores: Mapping[str, npt.NDArray[np.float64]]) -> list[Suspect]:
    """Suspects of all labels, most doubtful first.

    Args:
        texts: the texts, in the order of the scores.
        scores: per label, the out-of-sample probability of the label for each text, in [0, 1].
    """
    found = []
    for label, positive in scores.items():
        given = np.array([_given(text, label) for text in texts], dtype=int)
        if len(set(given.tolist())) < 2:
            continue
        both = np.column_stack([1 - positive, positive])
        quality = get_label_quality_scores(given, both, method="self_confidence")
        issues = find_label_issues(given, both, filter_by="both", n_jobs=1)
        found += [
            Suspect(text, label, bool(given[n]), float(positive[n]), float(quality[n]), bool(issues[n]))
            for n, text in enumerate(texts)
        ]
    return sorted(found, key=lambda suspect: (suspect.quality, suspect.text.id, suspect.label))


def _given(text: AnnotatedText, label: str) -> bool:
    return label in (text.stance, *text.targets, *text.labels())
