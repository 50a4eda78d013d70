"""Which of many patterns a text can match, and where they can begin: one look at the text, whatever their number."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import regex

from model import deadline
from model.needs import SIZES, Needs, Strings, plain

_LAYERS: Final = 3
_WORD: Final = regex.compile(r"(?<= )[^ ]")


class Reading:
    """A folded text read once, for all who look for something in it: its plain form and all its pieces of `SIZES` letters."""

    def __init__(self, folded: str) -> None:
        self.text = plain(folded)
        self.pieces = frozenset(self.text[place : place + size] for size in SIZES for place in range(len(self.text) - size + 1))
        self._places: dict[str, list[int]] = {}

    def places(self, piece: str) -> list[int]:
        """Where a piece stands in the plain text, in order; for a space, where words begin."""
        if piece not in self._places:
            found: list[int] = []
            if piece == " ":
                found += [match.start() - 1 for match in _WORD.finditer(self.text)]
            else:
                place = self.text.find(piece)
                while place >= 0:
                    found.append(place)
                    place = self.text.find(piece, place + 1)
            self._places[piece] = found
        return self._places[piece]


@lru_cache(maxsize=8)
def read(folded: str) -> Reading:
    """The reading of a folded text, shared by all who look for something in it."""
    return Reading(folded)


@dataclass(frozen=True, slots=True)
class Passing:
    """The patterns that a text can match, with where each can begin, in order (None for anywhere); the pieces it holds.

    Of those in `unread` more could be known (`Needs.whole`).
    """

    places: Mapping[int, list[int] | None]
    pieces: frozenset[str]
    unread: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Index:
    """What is known of all patterns. The bits of an integer stand for patterns.

    `free` has `_LAYERS` times as many bits as patterns, a layer for one group of each: those that ask for nothing. `speaks` goes
    from a piece to the groups that it meets, to the patterns that it begins as a word, to those that it begins anywhere.
    """

    free: int
    anywhere: int
    unread: int
    speaks: Mapping[str, tuple[int, int, int]]
    short: frozenset[str]


class Screen:
    """Chooses among patterns by what each needs."""

    def __init__(self, needs: Sequence[Needs]) -> None:
        """Index patterns by the pieces they need."""
        self._size = len(needs)
        every = (1 << self._size) - 1
        self._index = _Index((1 << self._size * _LAYERS) - 1, every, every, {}, frozenset())
        self.learn(dict(enumerate(needs)))

    def learn(self, needs: Mapping[int, Needs]) -> None:
        """Know more of some patterns, by number: the groups known before come first in what is known now.

        The index is replaced, never changed: a thread that reads it sees all of it, and where two learn at once what one of them
        learned may be lost, to be learned again.
        """
        index = self._index
        free, anywhere, unread, speaks = index.free, index.anywhere, index.unread, dict(index.speaks)
        for number, need in needs.items():
            own = 1 << number
            anywhere &= -1 if need.anywhere else ~own
            unread &= ~own if need.whole else -1
            for layer, group in enumerate(need.groups[:_LAYERS]):
                bit = own << (layer * self._size)
                free &= ~bit
                _add(speaks, group, (bit, 0, 0))
            _add(speaks, need.words, (0, own, 0))
            _add(speaks, need.inside, (0, 0, own))
        short = frozenset(piece for piece in speaks.keys() - index.speaks.keys() if len(piece) not in SIZES)
        self._index = _Index(free, anywhere, unread, speaks, index.short | short)

    def passing(self, reading: Reading) -> Passing:
        """The patterns whose needs a text meets."""
        index = self._index
        pieces = (index.speaks.keys() & reading.pieces).union([piece for piece in index.short if piece in reading.text])
        met = index.free
        heads: list[tuple[int, int, str]] = []
        for piece in pieces:
            group, word, inside = index.speaks[piece]
            met |= group
            if word:
                heads.append((word, 0, piece))
            if inside:
                heads.append((inside, 1, piece))
        left = (1 << self._size) - 1
        for layer in range(_LAYERS):
            left &= met >> (layer * self._size)
        found: dict[int, list[int] | None] = dict.fromkeys(_bits(left & index.anywhere))
        unread = tuple(_bits(left & index.unread))
        left &= ~index.anywhere
        places: defaultdict[int, set[int]] = defaultdict(set)
        # A word's beginning starts with the space before it, and the plain text has one space more than the folded one.
        for patterns, shift, head in heads:
            for number in _bits(patterns & left):
                places[number].update([place - shift for place in reading.places(head)])
        found.update((number, sorted(own)) for number, own in places.items())
        return Passing(found, frozenset(pieces), unread)


def _add(speaks: dict[str, tuple[int, int, int]], pieces: Strings, bits: tuple[int, int, int]) -> None:
    """Have pieces speak for more patterns."""
    group, word, inside = bits
    for piece in pieces:
        known = speaks.get(piece)
        speaks[piece] = bits if known is None else (known[0] | group, known[1] | word, known[2] | inside)


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def spans(pattern: regex.Pattern[str], folded: str, places: Sequence[int] | None) -> list[tuple[int, int]]:
    """The ranges of the matches of a pattern that are not empty, as `finditer` finds them; it can begin at `places` only.

    Raises:
        OutOfTime: the time of the enclosing `deadline.within` is over, in the middle of the search if need be.
    """
    # Asking the time costs a search some microseconds: only where there is a limit.
    limit: dict[str, Any] = {} if (left := deadline.left()) is None else {"timeout": left}
    try:
        if places is None:
            return [match.span() for match in pattern.finditer(folded, **limit) if match.end() > match.start()]
        found: list[tuple[int, int]] = []
        after = 0
        for place in places:
            if place >= after and (match := pattern.match(folded, place, **limit)):
                found.append(match.span())
                after = match.end()
    except TimeoutError as error:
        raise deadline.over() from error
    return found
