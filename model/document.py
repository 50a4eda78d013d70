"""A text read once: clean form, folded tokens, sentence units, and every table entry found, ready for all readers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from model import deadline
from model.context import Cue, RuleHit, find_cues, find_rules
from model.evasion import undo
from model.phrases import Hit, PhraseFinder, Token
from model.practices import find_practices
from model.tables import load_tables
from model.text import CleanText, Span, clean, sentences
from model.words import table_phrases

_HOMONYM_DISTANCE: Final = 6
_NEGATION_BEFORE: Final = 4
_NEGATION_AFTER: Final = 2
_TURNS: Final = frozenset(("mais", "cependant", "toutefois"))
_BEFORE: Final = frozenset(["ne", "n", "pas", "aucun", "aucune", "sans", "ni", "jamais", "nullement", "non", "rien"])
_AFTER: Final = frozenset(["pas", "aucun", "aucune", "jamais", "plus", "rien", "ni", "nullement"])


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence-like unit: its range in the clean text and the half-open range of its tokens."""

    span: Span
    first: int
    after: int


@dataclass(frozen=True, slots=True)
class Document:
    """A text read once; all ranges are in the clean text."""

    clean: CleanText
    tokens: tuple[Token, ...]
    units: tuple[Unit, ...]
    hits: tuple[Hit, ...]
    negated: frozenset[int]
    cues: tuple[Cue, ...] = ()
    rules: tuple[RuleHit, ...] = ()

    @property
    def text(self) -> str:
        """The clean text."""
        return self.clean.text

    def hits_of(self, table: str) -> list[Hit]:
        """The hits of one table, in order."""
        return [hit for hit in self.hits if hit.table == table]

    def part(self, span: Span) -> "Document":
        """The same reading restricted to a range that starts and ends at unit edges; offsets stay those of the whole."""
        units = tuple(unit for unit in self.units if unit.span.start >= span.start and unit.span.end <= span.end)
        chosen = [i for i, hit in enumerate(self.hits) if hit.span.start >= span.start and hit.span.end <= span.end]
        return Document(
            self.clean,
            self.tokens,
            units,
            tuple(self.hits[i] for i in chosen),
            frozenset(new for new, old in enumerate(chosen) if old in self.negated),
            tuple(cue for cue in self.cues if span.start <= cue.span.start < span.end),
            tuple(rule for rule in self.rules if span.start <= rule.span.start < span.end),
        )

    def unit_text(self, unit: Unit) -> str:
        """The clean text of a unit."""
        return self.clean.text[unit.span.start : unit.span.end]

    def span_text(self) -> str:
        """The clean text from the first unit to the last one."""
        if not self.units:
            return self.clean.text
        return self.clean.text[self.units[0].span.start : self.units[-1].span.end]


@cache
def _finder() -> tuple[PhraseFinder, dict[tuple[str, str], PhraseFinder]]:
    tables = load_tables()
    finder = PhraseFinder(phrase for phrase in table_phrases(tables) if phrase[0] != "practice")
    homonyms: dict[tuple[str, str], PhraseFinder] = {}
    for entry in tables.conditions:
        if entry.homonyms:
            homonyms["condition", entry.id] = PhraseFinder(("condition", entry.id, word) for word in entry.homonyms)
    return finder, homonyms


def read_document(raw: str) -> Document:
    """Read a raw text whole: what a glance sees, and the cues and rules of its context."""
    return completed(glance(raw))


def glance(raw: str) -> Document:
    """A first reading: clean a raw text, undo evasive spellings, cut it, find all table entries (homonyms left out)."""
    cleaned, tokens = undo(clean(raw))
    deadline.check()
    finder, homonyms = _finder()
    hits = [hit for hit in finder.find(tokens) if not _is_homonym(hit, tokens, homonyms)]
    hits = sorted([*hits, *find_practices(cleaned.text, tokens)], key=lambda hit: (hit.first, hit.first - hit.after, hit.table))
    negated = frozenset(i for i, hit in enumerate(hits) if _is_negated(hit, tokens, cleaned.text))
    return Document(cleaned, tuple(tokens), tuple(_units(cleaned.text, tokens)), tuple(hits), negated)


def completed(document: Document) -> Document:
    """The same reading with the cues of context and the rules, which cost more than all the rest of it."""
    return replace(document, cues=tuple(find_cues(document.text)), rules=tuple(find_rules(document.text)))


def _units(text: str, tokens: Sequence[Token]) -> list[Unit]:
    units: list[Unit] = []
    cursor = 0
    for span in sentences(text):
        while cursor < len(tokens) and tokens[cursor].span.start < span.start:
            cursor += 1
        first = cursor
        while cursor < len(tokens) and tokens[cursor].span.end <= span.end:
            cursor += 1
        units.append(Unit(span, first, cursor))
    return units


def _is_homonym(hit: Hit, tokens: Sequence[Token], finders: dict[tuple[str, str], PhraseFinder]) -> bool:
    finder = finders.get((hit.table, hit.entry))
    if finder is None:
        return False
    around = list(tokens[max(0, hit.first - _HOMONYM_DISTANCE) : hit.first])
    beyond = list(tokens[hit.after : hit.after + _HOMONYM_DISTANCE])
    return bool(finder.find(around) or finder.find(beyond))


def _is_negated(hit: Hit, tokens: Sequence[Token], text: str) -> bool:
    """Whether a negation word stands close by within the same clause; spoken « guérit pas » counts."""
    for token in reversed(tokens[max(0, hit.first - _NEGATION_BEFORE) : hit.first]):
        if token.text in _TURNS or _breaks_clause(text, token.span.end, hit.span.start):
            break
        # « né » folds to « ne ».
        if token.text in _BEFORE and text[token.span.start : token.span.end].lower() != "né":
            return True
    for token in tokens[hit.after : hit.after + _NEGATION_AFTER]:
        if _breaks_clause(text, hit.span.end, token.span.start):
            break
        if token.text in _AFTER:
            return True
    return False


def _breaks_clause(text: str, start: int, end: int) -> bool:
    return any(mark in text[start:end] for mark in ".!?;:,\n")


@cache
def _target_entries() -> dict[tuple[str, str], frozenset[str]]:
    tables = load_tables()
    found: dict[tuple[str, str], frozenset[str]] = {}
    for condition in tables.conditions:
        names = {"illness"} if condition.lasting or condition.grave else set()
        found["condition", condition.id] = frozenset(names | ({"serious_illness"} if condition.grave else set()))
    for audience in tables.audiences:
        found["audience", audience.id] = frozenset({"minor"} if audience.minor else set())
    return found


def mentioned_targets(document: Document) -> frozenset[str]:
    """The targets that conditions and audiences of the data tables name in a text."""
    known = _target_entries()
    return frozenset(name for hit in document.hits for name in known.get((hit.table, hit.entry), ()))
