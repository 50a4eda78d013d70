"""Broad wordings: patterns with slots for word classes, tried only on texts that hold one of their anchors.

Hundreds of them cost little, since most texts hold little of what a match needs, and patterns are compiled at their first use.
"""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any, Final, Self

import regex

from model import deadline
from model.errors import TableError
from model.needs import Needs, needs_of, piece_of
from model.screen import Screen, read, spans
from model.tables import Tables, load_tables
from model.text import Span, fold

_SLOT: Final = regex.compile(r"\{([a-z][a-z_0-9]*)\}")


@dataclass(frozen=True, slots=True)
class Wording:
    """A wording that speaks for `label`, with how strongly where its table says so.

    `anchors` are folded substrings, one of which any match holds; `slots` gives the words of the slots of `pattern`;
    `example` is matched, `counter` is a near-miss. `absent`: patterns of which the whole text may hold none.
    """

    id: str
    label: str
    strength: str
    anchors: tuple[str, ...]
    pattern: str
    slots: Mapping[str, list[str]]
    example: str
    counter: str
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WordingHit:
    """A wording found: its identifier, label and strength, and its range in the text."""

    id: str
    label: str
    strength: str
    span: Span


@cache
def shared_slots() -> Mapping[str, list[str]]:
    """The slots that every table may use, from the data tables: folded words and phrases, sorted."""
    return _folded(_shared(load_tables()))


def _shared(tables: Tables) -> dict[str, Sequence[str]]:
    slots: dict[str, Sequence[str]] = {
        "illness": [v for entry in tables.conditions if entry.lasting or entry.grave for v in entry.variants],
        "grave": [v for entry in tables.conditions if entry.grave for v in entry.variants],
        "condition": [v for entry in tables.conditions for v in entry.variants],
        "minor": [v for entry in tables.audiences if entry.minor for v in entry.variants],
        "fragile": [v for entry in tables.audiences if entry.fragile for v in entry.variants],
        "practice": [v for entry in tables.practices for v in entry.variants],
        "title_regulated": [v for entry in tables.titles if entry.status != "unregulated" for v in entry.variants],
        "title_unregulated": [v for entry in tables.titles if entry.status == "unregulated" for v in entry.variants],
    }
    return slots | dict(tables.lexicon)


def _folded(slots: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    return {name: sorted({fold(word).replace("*", "") for word in words}) for name, words in slots.items()}


def read_wordings(name: str, key: str, labels: Sequence[str], strengths: Sequence[str] = ("",)) -> list[Wording]:
    """The wordings of one table file of the package, in order.

    Args:
        name: the file; it holds `[slots]`, rows `[[key]]`, and in `[absent]` the patterns that rows name under `absent`.
        key: what a row is called there.
        labels: what a row's `label` (or `kind`) may be.
        strengths: what a row's `strength` may be.

    Raises:
        TableError: the file is missing or is not TOML, or a row is malformed; the message names file and row.
    """
    try:
        table = tomllib.loads(resources.files("model").joinpath("data", name).read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TableError(f"Table {name} : illisible ({error}).") from error
    slots = {**shared_slots(), **_folded(table.get("slots", {}))}
    rows = table.get(key, [])
    return [
        replace(_row(name, number, row, slots, labels, strengths), absent=_absent(name, row, table.get("absent", {})))
        for number, row in enumerate(rows, start=1)
    ]


def _absent(name: str, row: Mapping[str, Any], known: Mapping[str, str]) -> tuple[str, ...]:
    unknown = sorted(set(row.get("absent", ())) - set(known))
    if unknown:
        raise TableError(f"Table {name}, ligne {row.get('id', '?')} : « absent » nomme {unknown}, que la table ne définit pas.")
    return tuple(known[one] for one in row.get("absent", ()))


def _row(
    name: str,
    number: int,
    row: Mapping[str, Any],
    slots: Mapping[str, list[str]],
    labels: Sequence[str],
    strengths: Sequence[str],
) -> Wording:
    label, strength = row.get("label", row.get("kind")), row.get("strength", "")
    found = row.get("id") or f"{label}-{number:03d}"
    for field in ("pattern", "example", "counter"):
        if not isinstance(row.get(field), str) or not row[field]:
            raise TableError(f"Table {name}, ligne {found} : le champ « {field} » (texte) est attendu.")
    anchors = tuple(fold(word) for word in row.get("anchors", ()))
    if not anchors or not all(anchors):
        raise TableError(f"Table {name}, ligne {found} : au moins une ancre est attendue.")
    if label not in labels or strength not in strengths:
        raise TableError(f"Table {name}, ligne {found} : étiquette {label!r} ou force {strength!r} inconnue.")
    used = set(_SLOT.findall(row["pattern"]))
    if used - set(slots):
        raise TableError(f"Table {name}, ligne {found} : classe de mots inconnue {sorted(used - set(slots))}.")
    words = {slot: slots[slot] for slot in used}
    return Wording(found, str(label), strength, anchors, row["pattern"], words, row["example"], row["counter"])


def plain_wording(name: str, label: str, pattern: str) -> Wording:
    """A wording that is a pattern only: no slots, and no anchors to hold."""
    return Wording(name, label, "", ("",), pattern, {}, "", "")


class WordingFinder:
    """Finds the wordings of a list in a text."""

    def __init__(self, wordings: Sequence[Wording]) -> None:
        """Index wordings by anchor; TableError where two share an identifier."""
        twice = len(wordings) - len({wording.id for wording in wordings})
        if twice:
            raise TableError(f"Tournures : {twice} identifiant(s) donné(s) deux fois.")
        self.wordings = tuple(wordings)
        anchors = [_with_pieces(wording.anchors) for wording in wordings]
        # A piece that is its whole anchor, of letters only, needs no second look.
        self._whole = [frozenset(piece for piece, anchor in pairs if piece == anchor and anchor.isalpha()) for pairs in anchors]
        self._partly = [
            [pair for pair in pairs if pair[1] not in whole] for pairs, whole in zip(anchors, self._whole, strict=True)
        ]
        self._first = [_anchor_group(pairs) for pairs in anchors]
        # To read a pattern takes milliseconds: at first only its anchors are known, which most texts hold none of.
        self._screen = Screen([Needs(groups, whole=False) for groups in self._first])
        self._patterns: dict[int, regex.Pattern[str]] = {}

    def find(self, folded: str) -> list[WordingHit]:
        """The wordings of a folded text (lower case, no accents, no line break), sorted by position."""
        reading = read(folded)
        passing = self._screen.passing(reading)
        unread = [number for number in passing.unread if self._anchored(number, folded, passing.pieces)]
        if unread:
            self._screen.learn({number: self._needs(number) for number in unread})
            passing = self._screen.passing(reading)
        hits = []
        held: dict[str, bool] = {}
        for number, places in passing.places.items():
            deadline.check()
            wording = self.wordings[number]
            if self._anchored(number, folded, passing.pieces) and not self._silenced(wording.absent, folded, held):
                for span in spans(self._pattern(number), folded, places):
                    hits.append(WordingHit(wording.id, wording.label, wording.strength, Span(*span)))
        return sorted(hits, key=lambda hit: (hit.span.start, hit.span.end, hit.id))

    def ready(self) -> Self:
        """The same finder with all its patterns compiled, as it is best kept in a file: five hundred take some five seconds."""
        for number in range(len(self.wordings)):
            self._pattern(number)
        self._screen.learn({number: self._needs(number) for number in range(len(self.wordings))})
        return self

    def _anchored(self, number: int, folded: str, pieces: frozenset[str]) -> bool:
        """Whether a text holds an anchor of a wording; only those of which a piece was found are looked for."""
        if not self._whole[number].isdisjoint(pieces):
            return True
        return any((not piece or piece in pieces) and anchor in folded for piece, anchor in self._partly[number])

    @staticmethod
    def _silenced(absent: Sequence[str], folded: str, held: dict[str, bool]) -> bool:
        """Whether a text holds one of these patterns; each is looked for once, and what was found is kept in `held`."""
        for pattern in absent:
            if pattern not in held:
                held[pattern] = _guard(pattern).search(folded) is not None
            if held[pattern]:
                return True
        return False

    def _needs(self, number: int) -> Needs:
        """What a wording needs: one of its anchors first."""
        needs = needs_of(self.wordings[number].pattern, self.wordings[number].slots)
        return replace(needs, groups=(*self._first[number], *needs.groups))

    def _pattern(self, number: int) -> regex.Pattern[str]:
        if number not in self._patterns:
            self._patterns[number] = _compiled(self.wordings[number])
        return self._patterns[number]


_KEPT: Final[dict[str, WordingFinder]] = {}


def kept_finder(name: str, make: Callable[[], WordingFinder]) -> WordingFinder:
    """The finder that is kept under a name, else the one that `make` gives."""
    return _KEPT.get(name) or make()


def keep_finders(finders: Mapping[str, WordingFinder]) -> None:
    """Use finders that were made ready before from the same tables: to compile their patterns anew takes ten seconds."""
    _KEPT.update(finders)


def _with_pieces(anchors: Sequence[str]) -> list[tuple[str, str]]:
    """Anchors with a piece of each; without pieces where one of them has none to be looked for first."""
    pieces = [piece_of(anchor) for anchor in anchors]
    return list(zip(pieces if all(pieces) else [""] * len(anchors), anchors, strict=True))


def _anchor_group(anchors: Sequence[tuple[str, str]]) -> tuple[frozenset[str], ...]:
    """The group that stands for « one of these anchors », given with a piece of each: none where one has no piece."""
    pieces = frozenset(piece for piece, _ in anchors)
    return () if "" in pieces else (pieces,)


@cache
def _guard(pattern: str) -> regex.Pattern[str]:
    try:
        return regex.compile(pattern)
    except regex.error as error:
        raise TableError(f"Motif « absent » {pattern[:40]}… illisible ({error}).") from error


def _compiled(wording: Wording) -> regex.Pattern[str]:
    # The first letter is looked at before the set of words is.
    heads = {slot: "".join(sorted({regex.escape(word[0]) for word in words})) for slot, words in wording.slots.items()}
    pattern = _SLOT.sub(lambda slot: rf"(?<!\w)(?=[{heads[slot[1]]}])\L<{slot[1]}>(?!\w)", wording.pattern)
    try:
        return regex.compile(pattern, **dict[str, Any](wording.slots))
    except regex.error as error:
        raise TableError(f"Tournure {wording.id} : motif illisible ({error}).") from error
