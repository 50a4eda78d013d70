"""What any match of a pattern needs: groups of short pieces, one of each must stand in the text, and how it may begin.

Derived from the pattern itself, as RE2's prefilter is (Cox 2012, « Regular expression matching with a trigram index »), so that
a text is searched only for the few patterns it can match, and only where they can begin. Everything here may let too much
through, never too little.

Texts and pieces are compared in a plain form: a space for each character outside of words, a zero for each digit.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from re import _parser as syntax  # type: ignore[attr-defined]  # the only parser of patterns there is
from typing import Any, Final

import regex

Strings = frozenset[str]

#: Lengths of the pieces that every text is cut into, longest first.
SIZES: Final = (6, 5, 4, 3, 2)
_LEAST: Final = 3
_MOST: Final = 64
_MOST_HEADS: Final = 4000
#: An edge of a word (`\b`), and a place with no letter before it or after it (`(?<!\w)`, `(?!\w)`).
_EDGE, _OPEN = "\x00", "\x01"
_MARKS: Final = _EDGE + _OPEN
_WITHIN: Final = regex.compile(r"[^ \x00\x01][\x00\x01]+[^ \x00\x01]")
#: Any letter; the end of a beginning of which no more is known.
_ANY, _MORE = "\x02", "\x03"
#: What the regex library reads otherwise than the parser does: fuzzy matches, classes by name.
_FOREIGN: Final = regex.compile(r"\{(?!\d*,?\d*\})|\[:\^?\w+:\]")
#: Slots stand in a pattern as one character each while it is read.
_FIRST_SLOT: Final = 0xE000
_SLOT: Final = regex.compile(r"\{([a-z][a-z_0-9]*)\}")
_WORD: Final = regex.compile(r"(\d)|\w")
_EMPTY: Final[Strings] = frozenset({""})


@dataclass(frozen=True, slots=True)
class Needs:
    """What a match needs.

    Each of `groups` is a set of pieces (6 letters or fewer of a plain text), one of which stands in the text; the most telling
    come first. A match begins with a word that begins with one of `words` (a space, then 0 to 5 letters), or where one of
    `inside` (1 to 6 letters) stands; `anywhere` where that is unknown or a match can be empty. `whole`: no more can be derived.
    """

    groups: tuple[Strings, ...] = ()
    words: Strings = frozenset()
    inside: Strings = frozenset()
    anywhere: bool = True
    whole: bool = True


@dataclass(frozen=True, slots=True)
class _Found:
    """What a part of a pattern can be: exactly one of some strings, or anything (None); and the groups it needs."""

    exact: Strings | None
    groups: tuple[Strings, ...] = ()


class _Plain(dict[int, str]):
    """What each character is in a plain text."""

    def __missing__(self, code: int) -> str:
        found = _WORD.match(chr(code))
        self[code] = " " if found is None else "0" if found[1] else chr(code)
        return self[code]


_PLAIN: Final = _Plain()


def plain(folded: str) -> str:
    """The plain form of a folded text, with one more space on either side."""
    return f" {folded.translate(_PLAIN)} "


def needs_of(pattern: str, slots: Mapping[str, Sequence[str]]) -> Needs:
    """What a match of a pattern needs; nothing where the pattern says things that only the regex library understands."""
    order = sorted(slots)
    codes = {name: chr(_FIRST_SLOT + number) for number, name in enumerate(order)}
    words = {_FIRST_SLOT + number: _marked(tuple(slots[name])) for number, name in enumerate(order)}
    written = _SLOT.sub(lambda slot: codes[slot[1]], pattern)
    if _FOREIGN.search(written):
        return Needs()
    try:
        tree = syntax.parse(written)
    except (syntax.error, RecursionError, OverflowError):
        return Needs()
    if tree.state.flags & ~syntax.SRE_FLAG_UNICODE:
        return Needs()
    reader = _Reader(words)
    found = reader.sequence(tree)
    groups = sorted({*found.groups, *_group(found.exact)}, key=_telling)
    starts = reader.begin(_EMPTY, tree) if tree.getwidth()[0] else None
    heads = [] if starts is None else [head for string in starts if (head := _head(string)) is not None]
    if not heads or ("", "") in heads:
        return Needs(tuple(groups))
    begun, inside = (frozenset(head[1] for head in heads if head[0] == kind) for kind in ("word", "inside"))
    return Needs(tuple(groups), _shortest(begun), _shortest(inside), anywhere=False)


@lru_cache(maxsize=256)
def _marked(words: tuple[str, ...]) -> Strings:
    """The plain forms of the words of a slot, which stand by themselves."""
    return frozenset(_OPEN + word.translate(_PLAIN) + _OPEN for word in words)


def piece_of(folded: str) -> str:
    """A piece of the plain form of a folded string, which stands wherever the string does; "" where that tells nothing."""
    return _piece(folded.translate(_PLAIN), 1)


def _telling(group: Strings) -> tuple[float, int, list[str]]:
    """Long pieces, then few of them, tell most."""
    return -sum(map(len, group)) / len(group) + len(group) / 200, len(group), sorted(group)


def _normal(string: str) -> str | None:
    """A plain string with its marks made spaces; None where no text holds it (an edge between two letters)."""
    bare = string.strip(_MARKS)
    if not bare or _WITHIN.search(bare):
        return "" if not bare else None
    # At either end of what is known, a letter on one side of an edge means none on the other.
    before = " " if string[0] in _MARKS and bare[0] != " " else ""
    after = " " if string[-1] in _MARKS and bare[-1] != " " else ""
    return before + bare.replace(_EDGE, "").replace(_OPEN, "") + after


def _piece(string: str, least: int = _LEAST) -> str:
    """The piece of a plain string that tells most, that of its longest word; "" where it is too short."""
    size = min(len(string), SIZES[0])
    word = max(string.split(" "), key=len)
    if size < least or not word:
        return ""
    start = min(max(0, string.find(word) - 1), len(string) - size)
    return string[start : start + size]


@lru_cache(maxsize=4096)
def _group(strings: Strings | None) -> tuple[Strings, ...]:
    """The group of pieces that stands for « one of these strings »: none where one of them is too short to tell."""
    if not strings:
        return ()
    pieces = {_piece(normal) for string in strings if (normal := _normal(string)) is not None}
    return () if not pieces or "" in pieces else (frozenset(pieces),)


class _Reader:
    """Reads the tree of a pattern."""

    def __init__(self, slots: Mapping[int, Strings]) -> None:
        self._slots = slots

    def sequence(self, items: Iterable[Any]) -> _Found:
        """What a sequence needs: strings side by side grow together while they are few."""
        groups: list[Strings] = []
        run: Strings = _EMPTY
        whole = True
        for name, value in self._joined(items):
            found = self.one(name, value)
            groups += found.groups
            if found.exact is None:
                groups += _group(run)
                run, whole = _EMPTY, False
            elif len(run) * len(found.exact) <= max(_MOST, len(run), len(found.exact)):
                run = frozenset(one + other for one in run for other in found.exact)
            else:
                groups += _group(run)
                run, whole = found.exact, False
        if whole:
            return _Found(run, tuple(groups))
        return _Found(None, (*groups, *_group(run)))

    def _joined(self, items: Iterable[Any]) -> Iterator[tuple[str, Any]]:
        """Items by name, those that are one letter after the other as one: a set of strings."""
        # Far faster than to go through a parsed sequence itself.
        held = getattr(items, "data", items)
        for alike, some in groupby(held, lambda item: item[0].name == "LITERAL" and item[1] not in self._slots):
            if alike:
                yield "STRINGS", frozenset({"".join(_PLAIN[value] for _, value in some)})
            else:
                yield from (("STRINGS", self._slots[value]) if op.name == "LITERAL" else (op.name, value) for op, value in some)

    def one(self, name: str, value: Any) -> _Found:
        """What one item needs."""
        if name == "STRINGS":
            return _Found(value)
        if name == "IN":
            return _Found(self._letters(value))
        if name == "BRANCH":
            return self._branch([self.sequence(part) for part in value[1]])
        if name == "SUBPATTERN":
            return self.sequence(value[3]) if not value[1] and not value[2] else _Found(None)
        if name == "ATOMIC_GROUP":
            return self.sequence(value)
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            return self._repeat(*value)
        if name == "ASSERT":
            seen = self.sequence(value[1])
            return _Found(_EMPTY, (*seen.groups, *_group(seen.exact)))
        if name == "ASSERT_NOT":
            parts = [*self._joined(value[1])]
            return _Found(frozenset({_OPEN}) if len(parts) == 1 and _is_word(*parts[0]) else _EMPTY)
        if name == "AT":
            return _Found(frozenset({_EDGE}) if str(value) == "AT_BOUNDARY" else _EMPTY)
        return _Found(None)

    def _letters(self, value: Sequence[Any]) -> Strings | None:
        """The plain forms of the characters of a small set, None for a large one; the parser makes sets of slots too."""
        found: set[str] = set()
        for op, item in value:
            if str(op) == "LITERAL":
                found |= self._slots.get(item) or {_PLAIN[item]}
            elif str(op) == "RANGE" and item[1] - item[0] < _MOST:
                found |= {_PLAIN[code] for code in range(item[0], item[1] + 1)}
            elif str(item) in ("CATEGORY_DIGIT", "CATEGORY_SPACE"):
                found.add("0" if str(item) == "CATEGORY_DIGIT" else " ")
            else:
                return None
        return frozenset(found)

    @staticmethod
    def _branch(parts: Sequence[_Found]) -> _Found:
        if all(part.exact is not None for part in parts):
            return _Found(frozenset().union(*(part.exact or () for part in parts)))
        ranked = [sorted({*part.groups, *_group(part.exact)}, key=_telling) for part in parts]
        common = min(map(len, ranked))
        return _Found(None, tuple(frozenset().union(*(groups[rank] for groups in ranked)) for rank in range(min(common, 2))))

    def _repeat(self, least: int, most: int, body: Any) -> _Found:
        if least == 0:
            found = self.sequence(body) if most == 1 else _Found(None)
            return _Found(found.exact | {""} if found.exact is not None else None)
        found = self.sequence(body)
        if least == most == 1:
            return found
        return _Found(None, (*found.groups, *_group(found.exact)))

    def begin(self, opened: Strings, items: Iterable[Any]) -> Strings | None:
        """How a sequence can begin after `opened`, each ended by `_MORE` once no more is known; None where that is too many."""
        for name, value in self._joined(items):
            going = frozenset(string for string in opened if not string.endswith(_MORE))
            if not going:
                break
            grown = self._begin_one(going, name, value)
            if grown is None or len(grown) > _MOST_HEADS:
                return None
            opened = frozenset(_cut(string) for string in grown) | (opened - going)
        return opened

    def _begin_one(self, going: Strings, name: str, value: Any) -> Strings | None:
        if name == "BRANCH":
            parts = [self.begin(going, part) for part in value[1]]
            return None if None in parts else frozenset().union(*(part or () for part in parts))
        if name == "SUBPATTERN" and not value[1] and not value[2]:
            return self.begin(going, value[3])
        if name == "ATOMIC_GROUP":
            return self.begin(going, value)
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            least, most, body = value
            once = self.begin(going, body)
            if once is None:
                return None
            if most > 1:
                once = frozenset(string if string.endswith(_MORE) else string + _MORE for string in once)
            return once if least else once | going
        if _is_word(name, value):
            return frozenset(string + ("" if string.strip(_MARKS) else _ANY) + _MORE for string in going)
        exact = self.one(name, value).exact
        if exact is None:
            return frozenset(string + _MORE for string in going)
        ends = _ends(exact)
        return frozenset(string + other for string in going for other in ends)


def _is_word(name: str, value: Any) -> bool:
    r"""Whether an item is `\w`."""
    return name == "IN" and len(value) == 1 and str(value[0]) == "(CATEGORY, CATEGORY_WORD)"


@lru_cache(maxsize=4096)
def _ends(strings: Strings) -> Strings:
    """Strings with no more letters than are looked at."""
    return frozenset(map(_cut, strings))


def _cut(string: str) -> str:
    """A beginning with no more letters than are looked at."""
    if len(string) < SIZES[0]:
        return string
    letters = 0
    for index, letter in enumerate(string):
        letters += letter not in _MARKS
        if letters == SIZES[0] and _MORE not in string[: index + 1]:
            return string[: index + 1] + _MORE
    return string


def _head(string: str) -> tuple[str, str] | None:
    """A beginning as ("word", letters) or ("inside", piece); ("", "") where it tells nothing, None where no text holds it."""
    string = string.rstrip(_MORE)
    bare = string.lstrip(_MARKS)
    marked = bare != string
    if bare == _ANY:
        return ("word", " ") if marked else ("", "")
    if (normal := _normal(string)) is None:
        return None
    if marked and bare[:1].strip():
        return "word", normal[: SIZES[0]]
    return ("inside", normal[: SIZES[0]]) if normal.strip() else ("", "")


def _shortest(heads: Strings) -> Strings:
    """The beginnings that no other one begins."""
    return frozenset(head for head in heads if not any(head[:size] in heads for size in range(1, len(head))))
