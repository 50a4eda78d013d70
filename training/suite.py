"""Functional suites: short cases that say, behaviour by behaviour, what must be found and what must not.

The idea is CheckList's (Ribeiro et al., ACL 2020) and HateCheck's (Röttger et al., ACL 2021): a score over a corpus hides
which behaviours fail. A suite is frozen (its SHA-256 stands beside it) and nothing is learned from it.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model.errors import CorpusError
from model.records import Prediction
from training.corpus import Indicator, Stance
from training.intervals import Estimate, share

SUITES: Final = Path("tests/suites")
EVERY_OTHER: Final = "*"


class Case(BaseModel):
    """One case: a text and what is expected of its analysis.

    `stance` and `levels` list what is acceptable; `present` must be found; `absent` must not, `*` standing for every sign
    that is not in `present`. The halves of a pair differ by a small change that turns the expectation. `identity` says
    which religion, region, name… a neutral mention holds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    functionality: str
    text: str = Field(min_length=1)
    stance: tuple[Stance, ...] = Field(min_length=1)
    levels: tuple[Literal[0, 1, 2, 3], ...] = Field(min_length=1)
    present: tuple[Indicator, ...] = ()
    absent: tuple[Indicator | Literal["*"], ...] = ()
    pair: str | None = None
    identity: str | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A case with what failed of it, in French; nothing failed where `faults` is empty."""

    case: Case
    faults: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every expectation is met."""
        return not self.faults


@dataclass(frozen=True, slots=True)
class Line:
    """Passed of all cases of one functionality (or identity), and whole pairs passed of all its pairs."""

    name: str
    cases: Estimate
    pairs: Estimate


@dataclass(frozen=True, slots=True)
class SuiteReport:
    """Outcomes of a suite, by functionality and, where cases name one, by identity; `everything` is the last line."""

    outcomes: tuple[Outcome, ...]
    functionalities: tuple[Line, ...]
    identities: tuple[Line, ...]
    everything: Line

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """The outcomes that failed."""
        return tuple(outcome for outcome in self.outcomes if not outcome.passed)


def suite_path(name: str, folder: Path = SUITES) -> Path:
    """The file of a suite by name.

    Raises:
        CorpusError: no such suite; the message lists those there are.
    """
    path = folder / f"{name}.jsonl"
    if not path.exists():
        there = ", ".join(sorted(found.stem for found in folder.glob("*.jsonl"))) or "aucune"
        raise CorpusError(f"Suite « {name} » introuvable dans {folder} (il y a : {there}).")
    return path


def load_suite(path: Path) -> list[Case]:
    """The cases of a suite.

    Raises:
        CorpusError: the file or a line cannot be read, an identifier comes twice (file and line are named), or there is none.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path} : fichier illisible ({error}).") from error
    cases: dict[str, Case] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            case = Case.model_validate_json(line)
        except ValidationError as error:
            fault = error.errors()[0]
            field = ".".join(map(str, fault["loc"])) or "ligne"
            raise CorpusError(f"{path}:{number} : champ « {field} » : {fault['msg']}.") from error
        if case.id in cases:
            raise CorpusError(f"{path}:{number} : identifiant « {case.id} » déjà pris.")
        cases[case.id] = case
    if not cases:
        raise CorpusError(f"{path} : aucun cas.")
    return list(cases.values())


def suite_hash(path: Path) -> str:
    """Hexadecimal SHA-256 of a suite's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def check_frozen(path: Path) -> None:
    """Refuse a frozen suite (one with a `.sha256` beside it) whose bytes have changed.

    Raises:
        CorpusError: the hash differs.
    """
    frozen = path.with_suffix(".sha256")
    if frozen.exists() and frozen.read_text(encoding="utf-8").strip() != suite_hash(path):
        raise CorpusError(f"{path} : cette suite est figée, et son empreinte n'est plus celle de {frozen.name}.")


def judge(case: Case, prediction: Prediction) -> Outcome:
    """What a prediction fails of a case."""
    if prediction.risk is None or prediction.stance is None:
        return Outcome(case, (f"non analysé ({prediction.status})",))
    faults = []
    found = {indicator.id for indicator in prediction.indicators if indicator.present}
    if prediction.stance.value not in case.stance:
        faults.append(f"stance {prediction.stance.value} au lieu de {' ou '.join(case.stance)}")
    if prediction.risk.level not in case.levels:
        faults.append(f"niveau {prediction.risk.level} au lieu de {' ou '.join(map(str, case.levels))}")
    missing = [label for label in case.present if label not in found]
    if missing:
        faults.append(f"manque {', '.join(missing)}")
    barred = found - set(case.present) if EVERY_OTHER in case.absent else found & set(case.absent)
    if barred:
        faults.append(f"en trop {', '.join(sorted(barred))}")
    return Outcome(case, tuple(faults))


def report(cases: Sequence[Case], predictions: Sequence[Prediction]) -> SuiteReport:
    """The outcomes of a suite, counted."""
    outcomes = [judge(case, prediction) for case, prediction in zip(cases, predictions, strict=True)]
    by_functionality: dict[str, list[Outcome]] = defaultdict(list)
    by_identity: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        by_functionality[outcome.case.functionality].append(outcome)
        if outcome.case.identity:
            by_identity[f"{outcome.case.functionality} : {outcome.case.identity}"].append(outcome)
    return SuiteReport(
        tuple(outcomes),
        tuple(_line(name, found) for name, found in sorted(by_functionality.items())),
        tuple(_line(name, found) for name, found in sorted(by_identity.items())),
        _line("ensemble", outcomes),
    )


def _line(name: str, outcomes: Sequence[Outcome]) -> Line:
    pairs: dict[str, list[bool]] = defaultdict(list)
    for outcome in outcomes:
        if outcome.case.pair:
            pairs[outcome.case.pair].append(outcome.passed)
    return Line(
        name,
        share(sum(outcome.passed for outcome in outcomes), len(outcomes)),
        share(sum(len(halves) == 2 and all(halves) for halves in pairs.values()), len(pairs)),
    )
