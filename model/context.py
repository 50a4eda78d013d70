"""What surrounds a claim: negation, condition, question, quotation, disclaimer, warning… found by cues of a data table."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from model.tables import load_tables
from model.text import Span, fold
from model.wordings import Wording, WordingFinder, WordingHit, kept_finder, plain_wording, read_wordings

CONTEXT_KINDS: Final = (
    "negation",
    "condition",
    "question",
    "quotation",
    "reported_speech",
    "disclaimer",
    "facade_disclaimer",
    "warning",
    "satire",
    "testimony",
    "recognised_care",
    "person_at_risk",
)


CUE_FILES: Final = ("cues-claim.toml", "cues-voice.toml", "cues-care.toml")


@dataclass(frozen=True, slots=True)
class Cue:
    """A context cue found: its kind and its range in the clean text."""

    kind: str
    span: Span


@dataclass(frozen=True, slots=True)
class RuleHit:
    """A rule that fired: the indicator it shows, its identifier, its range in the clean text."""

    label: str
    rule: str
    span: Span


@cache
def cue_finder() -> WordingFinder:
    """The finder of the broad cues; TableError where their table is missing or malformed."""
    return WordingFinder(_broad_cues())


def _broad_cues() -> list[Wording]:
    return [cue for name in CUE_FILES for cue in read_wordings(name, "cue", CONTEXT_KINDS)]


def context_finder() -> WordingFinder:
    """The finder of all cues, narrow and broad, and of the rules: they are looked for in the same texts."""
    return kept_finder(CONTEXT, _made)


@cache
def _made() -> WordingFinder:
    tables = load_tables()
    cues = [plain_wording(f"narrow-{number}", cue.kind, cue.pattern) for number, cue in enumerate(tables.cues)]
    rules = [plain_wording(rule.id, rule.kind, rule.pattern) for rule in tables.rules]
    return WordingFinder([*_broad_cues(), *cues, *rules])


@lru_cache(maxsize=8)
def _found(folded: str) -> tuple[WordingHit, ...]:
    """The cues and the rules of a folded text; both are asked for, one after the other."""
    return tuple(context_finder().find(folded))


#: Under what name the finder is kept.
CONTEXT: Final = "context"
_UNMAKING: Final = frozenset({"negation", "condition", "question", "quotation", "reported_speech", "warning", "satire"})


def affirmed_rules(text: str) -> list[RuleHit]:
    """The rules that fire in a clean text outside of negations, conditions, questions, quotations and warnings."""
    return affirmed(find_rules(text), find_cues(text))


def affirmed(rules: Iterable[RuleHit], cues: Iterable[Cue]) -> list[RuleHit]:
    """The rules that stand outside of the cues that unmake a claim."""
    unmaking = [cue.span for cue in cues if cue.kind in _UNMAKING]
    return [hit for hit in rules if not any(hit.span.overlaps(span) for span in unmaking)]


def foldable(text: str) -> str:
    """The folded form on which patterns are matched: same length as the clean text, line breaks as spaces."""
    return fold(text).replace("\n", " ")


def find_cues(text: str) -> list[Cue]:
    """The cues of a clean text, sorted by position, overlapping cues of one kind merged."""
    found = [Cue(hit.label, hit.span) for hit in _found(foldable(text)) if hit.label in CONTEXT_KINDS]
    found.sort(key=lambda cue: (cue.kind, cue.span.start, cue.span.end))
    merged: list[Cue] = []
    for cue in found:
        last = merged[-1] if merged else None
        if last and last.kind == cue.kind and cue.span.start <= last.span.end:
            merged[-1] = Cue(cue.kind, Span(last.span.start, max(last.span.end, cue.span.end)))
        else:
            merged.append(cue)
    return sorted(merged, key=lambda cue: (cue.span.start, cue.span.end, cue.kind))


def find_rules(text: str) -> list[RuleHit]:
    """The rules that fire in a clean text, sorted by position, whatever their context."""
    found = [RuleHit(hit.label, hit.id, hit.span) for hit in _found(foldable(text)) if hit.label not in CONTEXT_KINDS]
    return sorted(found, key=lambda hit: (hit.span.start, hit.span.end, hit.rule))
