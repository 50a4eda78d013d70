"""A challenger beside the champion: both read the same texts, the gate judges, and every text that changes level is listed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from model.analyser import Analyser, Options
from model.errors import CorpusError
from model.records import Prediction
from training.corpus import AnnotatedText, corpus_hash
from training.gate import PARTS, Columns, Held, Part, columns_of_cases, columns_of_texts, pass_gate, passes
from training.suite import Case, check_frozen, judge, load_suite

Progress = Callable[[str, int, int], None]
_SUITE: Final = "derivecheck"


@dataclass(frozen=True, slots=True)
class Read:
    """What both models read: the frozen test, the suite (None where it is not there), texts that neither learned from."""

    test: Sequence[AnnotatedText]
    suite: Sequence[Case] | None
    fresh: Sequence[AnnotatedText]


@dataclass(frozen=True, slots=True)
class Flip:
    """A text whose level changes from the champion to the challenger.

    `direction`: up or down; `nearer`: better where the challenger is nearer to the level that people gave, worse, or same.
    `expected` are the levels that are right. Nothing of the text is here but for the corpus and the suite (`text`): a
    reviewed text is found by its identifier.
    """

    part: Part
    id: str
    expected: tuple[int, ...]
    champion: Prediction
    challenger: Prediction
    text: str | None

    @property
    def levels(self) -> tuple[int, int]:
        """Level of the champion, level of the challenger; what was not judged counts as 0."""
        return _level(self.champion), _level(self.challenger)

    @property
    def direction(self) -> Literal["up", "down"]:
        """Whether the level rises."""
        before, after = self.levels
        return "up" if after > before else "down"

    @property
    def nearer(self) -> Literal["better", "worse", "same"]:
        """Whether the challenger is nearer to what is expected."""
        before, after = (min(abs(level - right) for right in self.expected) for level in self.levels)
        return "same" if before == after else "better" if after < before else "worse"

    def to_json(self) -> dict[str, Any]:
        """Plain values; the signs present, with their passages, as each model found them."""
        return {
            "part": self.part,
            "id": self.id,
            "text": self.text,
            "expected": list(self.expected),
            "before": self.levels[0],
            "after": self.levels[1],
            "direction": self.direction,
            "nearer": self.nearer,
            "champion": _brief(self.champion),
            "challenger": _brief(self.challenger),
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same texts: what each rule of the gate found, and the texts that change level."""

    champion: str
    challenger: str
    operating_point: str
    read: Read
    held: tuple[Held, ...]
    flips: tuple[Flip, ...]

    @property
    def passes(self) -> bool:
        """Whether the gate opens."""
        return passes(self.held)

    def to_json(self) -> dict[str, Any]:
        """The record of a comparison."""
        suite = self.read.suite
        parts = {"test": len(self.read.test), "derivecheck": None if suite is None else len(suite), "fresh": len(self.read.fresh)}
        return {
            "champion": self.champion,
            "challenger": self.challenger,
            "operating_point": self.operating_point,
            "test_sha256": corpus_hash(self.read.test),
            "parts": [{"id": part, "name": name, "texts": parts[part]} for part, name in PARTS.items()],
            "passes": self.passes,
            "rules": [one.to_json() for one in self.held],
            "flips": [flip.to_json() for flip in self.flips],
        }


def suite_of(folder: Path) -> list[Case] | None:
    """The cases of DériveCheck in a folder of suites; None where it is not there, as in an installed wheel.

    Raises:
        CorpusError: it is there and cannot be read, or is not the frozen one.
    """
    path = folder / f"{_SUITE}.jsonl"
    if not path.is_file():
        return None
    check_frozen(path)
    return load_suite(path)


def compare(
    champion: Analyser, challenger: Analyser, read: Read, options: Options | None = None, progress: Progress | None = None
) -> Comparison:
    """Read everything with both models and judge; the same models and texts give the same record.

    Raises:
        CorpusError: there is no text of the frozen test to read.
    """
    if not read.test:
        raise CorpusError("Le corpus n'a aucun texte d'épreuve (test) : rien ne permet de comparer deux modèles.")
    chosen = options or Options()
    texts = [*((text.id, text.text) for text in (*read.test, *read.fresh)), *((case.id, case.text) for case in read.suite or ())]
    found: list[list[Prediction]] = []
    for model, name in ((champion, "en service"), (challenger, "challenger")):
        predictions = []
        for done, (id, text) in enumerate(texts, start=1):
            predictions.append(model.predict(text, id=id, options=chosen))
            if progress:
                progress(f"Comparaison : modèle {name}", done, len(texts))
        found.append(predictions)
    first, second = (_parts(read, predictions) for predictions in found)
    held = pass_gate(_columns(read, first), _columns(read, second))
    names = (champion.artefact.version, challenger.artefact.version)
    return Comparison(*names, chosen.operating_point, read, tuple(held), tuple(_flips(read, first, second)))


def _parts(read: Read, predictions: Sequence[Prediction]) -> dict[Part, Sequence[Prediction]]:
    first, second = len(read.test), len(read.test) + len(read.fresh)
    return {"test": predictions[:first], "fresh": predictions[first:second], "derivecheck": predictions[second:]}


def _columns(read: Read, found: dict[Part, Sequence[Prediction]]) -> dict[Part, Columns]:
    columns: dict[Part, Columns] = {"test": columns_of_texts(read.test, found["test"])}
    if read.fresh:
        columns["fresh"] = columns_of_texts(read.fresh, found["fresh"])
    if read.suite:
        cases = zip(read.suite, found["derivecheck"], strict=True)
        columns["derivecheck"] = columns_of_cases([judge(case, prediction) for case, prediction in cases])
    return columns


def _flips(read: Read, first: dict[Part, Sequence[Prediction]], second: dict[Part, Sequence[Prediction]]) -> Iterator[Flip]:
    expected: dict[Part, list[tuple[int, ...]]] = {
        "test": [(text.risk_level,) for text in read.test],
        "derivecheck": [case.levels for case in read.suite or ()],
        "fresh": [(text.risk_level,) for text in read.fresh],
    }
    shown: dict[Part, list[str | None]] = {
        "test": [text.text for text in read.test],
        "derivecheck": [case.text for case in read.suite or ()],
        "fresh": [None for _ in read.fresh],
    }
    for part in PARTS:
        for before, after, right, text in zip(first[part], second[part], expected[part], shown[part], strict=True):
            if _level(before) != _level(after):
                yield Flip(part, before.id or "", right, before, after, text)


def _level(prediction: Prediction) -> int:
    return prediction.risk.level if prediction.risk else 0


def _brief(prediction: Prediction) -> dict[str, Any]:
    return {
        "status": prediction.status,
        "level": _level(prediction),
        "score": prediction.risk.score if prediction.risk else None,
        "stance": prediction.stance.value if prediction.stance else None,
        "targets": prediction.targets,
        "indicators": [
            {
                "id": indicator.id,
                "score": indicator.score,
                "evidence": [[passage.start, passage.end] for passage in indicator.evidence],
            }
            for indicator in prediction.indicators
            if indicator.present
        ],
    }
