"""Score one row within its time: whatever its text does, the answer is a row."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from model.deadline import within
from model.errors import ArtefactError, OutOfTime
from model.records import OperatingPointName, Prediction, Problem
from model.signing import Trust, read_trust
from service.batch.encode import Encoder
from service.batch.records import Row, Scored, failed

if TYPE_CHECKING:
    from model.analyser import Analyser, Options

#: Tables and libraries are loaded by the first text; that time is not held against it.
_FIRST_TEXT: Final = "Séance de magnétisme : je soulage le stress, 40 €, sur rendez-vous."

#: How many of the last different texts a process remembers the answers of, some 10 kB each; longer texts are not remembered.
_REMEMBERED: Final = 4_096
_LONGEST_REMEMBERED: Final = 4_000

DUPLICATE: Final = Problem(code="duplicate_id", message="Cet identifiant se trouve déjà plus haut dans le fichier.")


@dataclass(frozen=True, slots=True)
class TextScorer:
    """What gives the prediction of a text and its identifier; its version and operating point stand in rows without one."""

    version: str
    operating_point: OperatingPointName
    predict: Callable[[str, str], Prediction]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model by name, the sha256 of its manifest, which holds those of its files, and the keys that may have signed it."""

    root: Path
    name: str
    sha256: str
    trust: Trust | None = None

    @classmethod
    def of(cls, root: Path, name: str, trust: Trust | None = None) -> "ModelFile":
        """The model of that name as it stands on disk.

        Raises:
            ArtefactError: there is none.
        """
        return cls(root, name, _manifest_hash(root, name), trust or read_trust())


def load_scorer(model: ModelFile, options: "Options") -> TextScorer:
    """The scorer of a model, which must still be the same on disk.

    Raises:
        ArtefactError: it disappeared, changed, or cannot be trusted.
    """
    # The model and its libraries are imported by the process that scores.
    from model.analyser import Analyser

    found = _manifest_hash(model.root, model.name)
    if found != model.sha256:
        raise ArtefactError(f"Le modèle {model.name} a changé dans {model.root} depuis le début de l'analyse.")
    analyser = Analyser.load(model.root, model.name, model.trust)
    analyser.warm_up()
    return scorer_of(analyser, options)


def scorer_of(analyser: "Analyser", options: "Options") -> TextScorer:
    """The scorer of a model that is already loaded."""
    analyser.predict(_FIRST_TEXT, options=options)

    # Scrapes repeat themselves: a text met again has the answer that it had.
    @lru_cache(maxsize=_REMEMBERED)
    def once(text: str) -> Prediction:
        return analyser.predict(text, options=options)

    def predict(text: str, id: str) -> Prediction:
        if len(text) > _LONGEST_REMEMBERED:
            return analyser.predict(text, id=id, options=options)
        return once(text).model_copy(update={"id": id})

    return TextScorer(analyser.artefact.version, options.operating_point, predict)


def _manifest_hash(root: Path, name: str) -> str:
    path = root / name / "manifest.json"
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ArtefactError(f"Le modèle {name} n'est pas ou plus dans {root} ({error.strerror}).") from error


def score_row(scorer: TextScorer, row: Row, seconds: float) -> Prediction:
    """The prediction of a row; one without a text, or whose text takes more than `seconds`, is a prediction with an error."""
    if row.text is None:
        problem = Problem(code=row.code, message=row.problem or "texte illisible")
        return failed(row.id, problem, scorer.version, scorer.operating_point)
    try:
        with within(seconds):
            return scorer.predict(row.text, row.id)
    except OutOfTime:
        problem = too_slow(seconds)
    except Exception as error:
        # Nothing that one text does may stop the rows after it.
        problem = Problem(code="invalid_text", message=f"Le texte n'a pas pu être analysé ({type(error).__name__}).")
    return failed(row.id, problem, scorer.version, scorer.operating_point)


def too_slow(seconds: float) -> Problem:
    """The error of a text that takes too long."""
    return Problem(code="timeout", message=f"L'analyse du texte a dépassé {seconds:g} s.")


def encoded(prediction: Prediction, row: Row, encode: Encoder) -> Scored:
    """A prediction as it is kept, with a warning if its identifier was met before."""
    if row.duplicate:
        prediction = prediction.model_copy(update={"warnings": [*prediction.warnings, DUPLICATE]})
    error = (prediction.error.code, prediction.error.message) if prediction.error else None
    return Scored(encode(prediction), prediction.status, prediction.risk.level if prediction.risk else None, error)
