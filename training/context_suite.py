"""What finding context is worth: annotated texts, kind by kind, against the cues that the product finds in them.

A text is annotated for one kind only; `quotes` are the words that show it, none for a look-alike. Half of the texts (odd
numbers) were read while the cues were written; the other half was not, and is the honest figure.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model.context import CONTEXT_KINDS, find_cues
from model.errors import CorpusError
from model.text import Span, clean
from training.intervals import Estimate, share

CONTEXT_SUITE: Final = Path("tests/suites/context.jsonl")


class ContextCase(BaseModel):
    """One annotated text of one kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    kind: str
    text: str = Field(min_length=1)
    quotes: tuple[str, ...] = ()
    why: str = ""

    @property
    def unread(self) -> bool:
        """Whether the text was kept from those who wrote the cues."""
        return int(self.id.rsplit("-", 1)[1]) % 2 == 0


@dataclass(frozen=True, slots=True)
class ContextLine:
    """Estimates of one kind: texts that hold it found with words that overlap, and look-alikes left alone.

    `precision` counts texts with a find: those where the kind holds and the find overlaps the annotated words.
    """

    kind: str
    recall: Estimate
    precision: Estimate
    alarms: Estimate


def load_context_cases(path: Path = CONTEXT_SUITE) -> list[ContextCase]:
    """The cases of a file, in order.

    Raises:
        CorpusError: a line is not a case, its kind is unknown, or a quote does not occur once; the message names the line.
    """
    found = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{path} : illisible ({error}).") from error
    for number, line in enumerate(lines, start=1):
        try:
            case = ContextCase.model_validate_json(line)
        except ValidationError as error:
            raise CorpusError(f"{path}, ligne {number} : {error.errors()[0]['msg']}.") from error
        if case.kind not in CONTEXT_KINDS or not case.id.rsplit("-", 1)[-1].isdigit():
            raise CorpusError(f"{path}, ligne {number} : nature « {case.kind} » ou identifiant « {case.id} » inattendu.")
        if any(case.text.count(quote) != 1 for quote in case.quotes):
            raise CorpusError(f"{path}, ligne {number} : chaque extrait est attendu une fois dans le texte.")
        found.append(case)
    return found


def measure_context(
    cases: Sequence[ContextCase], keep: Callable[[ContextCase], bool] = lambda case: case.unread
) -> list[ContextLine]:
    """One line a kind, on the cases that `keep` retains (by default those unread by the cues' authors)."""
    lines = []
    for kind in CONTEXT_KINDS:
        chosen = [case for case in cases if case.kind == kind and keep(case)]
        held = [case for case in chosen if case.quotes]
        right = sum(_is_found(case) for case in held)
        seen = sum(bool(_finds(case)) for case in held)
        wrong = sum(bool(_finds(case)) for case in chosen if not case.quotes)
        lines.append(
            ContextLine(kind, share(right, len(held)), share(right, seen + wrong), share(wrong, len(chosen) - len(held)))
        )
    return lines


def _finds(case: ContextCase) -> list[Span]:
    return [cue.span for cue in find_cues(clean(case.text).text) if cue.kind == case.kind]


def _is_found(case: ContextCase) -> bool:
    cleaned = clean(case.text)
    marked = []
    for quote in case.quotes:
        start = case.text.index(quote)
        marked.append(cleaned.from_raw(Span(start, start + len(quote))))
    return any(span.overlaps(mark) for span in _finds(case) for mark in marked)
