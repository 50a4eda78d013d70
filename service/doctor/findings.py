"""What an examination says: one line a thing that was looked at, and what to do where it is not as it should be."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

State = Literal["ok", "attention", "erreur"]
#: From the lightest to the gravest.
STATES: Final[tuple[State, ...]] = ("ok", "attention", "erreur")


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at (`check`, a few French words), how it is, what is said of it, and what to do (empty where it is well).

    `attention`: it runs, less well or less safely than it could. `erreur`: it does not start, or something will be lost.
    """

    check: str
    state: State
    said: str
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        """The fields by name."""
        return {"check": self.check, "state": self.state, "said": self.said, "remedy": self.remedy}


def well(check: str, said: str) -> Finding:
    """Something that is as it should be."""
    return Finding(check, "ok", said)


def careful(check: str, said: str, remedy: str) -> Finding:
    """Something that does not keep the service from running."""
    return Finding(check, "attention", said, remedy)


def wrong(check: str, said: str, remedy: str) -> Finding:
    """Something that keeps the service from starting, or from keeping what it is given."""
    return Finding(check, "erreur", said, remedy)


def gravest(findings: Iterable[Finding]) -> State:
    """The gravest state of all."""
    return max((finding.state for finding in findings), key=STATES.index, default="ok")
