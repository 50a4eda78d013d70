"""Practices named in a text, however they are written, and told apart from the other things that bear the same name.

A name is sought under the forms of its words (`model.forms`), glued (« #lavementaucafe ») or cut (« radio-esthésie »), and may
be doubtful by itself (« pendule », « médium », « Hamer »): the table then says what the words around must or must not be.
The longest name wins. The cost is linear in the text.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

import regex

from model.doubts import Rules, count_of, is_surname, spelt_so
from model.forms import any_of, glued_forms, name_forms, words_of_name
from model.misspelt import Misspelt
from model.phrases import Hit, Token
from model.tables import Doubt, Practice, load_tables
from model.text import Span
from model.words import vocabulary

_TABLE: Final = "practice"
_REMEMBERED: Final = 20_000
_WORD: Final = regex.compile(r"[\p{L}\p{N}]+")
#: Between two words of one name: no comma, no full stop.
_GAP: Final = regex.compile(r"""[ \n]?[-'"«»_/·*+®™]?[ \n]?""")
_LEAST_GLUED: Final = 6
_LEAST_CUT: Final = 7
_LEAST_HYPHENED: Final = 5
_LEAST_OF_WORDS: Final = 9
_LEAST_PIECE: Final = 4
_MOST_PIECES: Final = 4
_LEAST_IN_TAG: Final = 5
_LONGEST_TAG: Final = 60
_LEAST_MISSPELT: Final = 6
_LEAST_RARE: Final = 7
_HOMONYM_WORDS: Final = 8
_NEEDED_WORDS: Final = 12
# How much a practice named surely close by, or the same one anywhere in the text, weighs against one word of `unless`.
_NEIGHBOUR: Final = 2


#: A doubtful name, the forms of its words, and what is doubtful about it.
_Doubted = tuple[str, tuple[frozenset[str], ...], Doubt]


@dataclass(frozen=True, slots=True)
class _Name:
    """A name of a practice: the forms of its words, and what is doubtful about it."""

    entry: str
    words: tuple[frozenset[str], ...]
    written: str
    doubt: Doubt | None

    shadows: tuple[tuple[tuple[frozenset[str], ...], Doubt], ...] = ()

    @classmethod
    def of(cls, entry: str, variant: str, doubts: "Sequence[_Doubted]") -> "_Name":
        """A name; its `shadows` are the doubtful names of the same practice that one of its forms is."""
        forms = name_forms(variant)
        if not forms:
            raise ValueError(f"Pratique {entry} : le nom {variant!r} ne contient aucun mot.")
        doubt = next((doubt for name, _, doubt in doubts if name == variant), None)
        others = [(words, other) for _, words, other in doubts] if doubt is None else []
        shared = ((named, other) for named, other in others if len(named) == len(forms))
        shadows = tuple((named, other) for named, other in shared if all(map(frozenset.intersection, forms, named)))
        return cls(entry, forms, variant, doubt, shadows)

    def doubt_of(self, texts: Sequence[str]) -> Doubt | None:
        """What is doubtful about the name where it is written with these words."""
        for words, doubt in self.shadows:
            if len(words) == len(texts) and all(text in word for text, word in zip(texts, words, strict=True)):
                return doubt
        return self.doubt


@dataclass(frozen=True, slots=True)
class _Candidate:
    name: _Name
    first: int
    after: int
    span: Span
    doubt: Doubt | None


def find_practices(text: str, tokens: Sequence[Token]) -> list[Hit]:
    """The practices named in a clean text with these tokens, sorted by position; no two overlap."""
    return _finder().find(text, tokens)


def is_sure(entry: str, name: str) -> bool:
    """Whether a name of a practice names it wherever it stands, whatever the words around.

    Raises:
        KeyError: this practice has no such name.
    """
    found = _finder().names[entry, name]
    return found.doubt is None and found.doubt_of(words_of_name(name)) is None


@cache
def _finder() -> "PracticeFinder":
    tables = load_tables()
    return PracticeFinder(tables.practices, tables.care_words)


class PracticeFinder:
    """Finds the names of practices in the tokens of a text."""

    def __init__(self, practices: Iterable[Practice], care_words: Sequence[str]) -> None:
        """Index practices; `care_words` are those that « @soin » stands for.

        Raises:
            ValueError: a name has no word.
        """
        self.names: dict[tuple[str, str], _Name] = {}
        self._begun: dict[str, list[_Name]] = defaultdict(list)
        self._glued: dict[str, _Name] = {}
        self._homonyms: dict[str, regex.Pattern[str]] = {}
        self._rules: dict[Doubt, Rules] = {}
        for practice in practices:
            doubts = [(name, name_forms(name), doubt) for doubt in practice.doubtful for name in doubt.names]
            if practice.homonyms:
                self._homonyms[practice.id] = any_of(practice.homonyms)
            for doubt in practice.doubtful:
                self._rules[doubt] = Rules(doubt, tuple(care_words))
            names = sorted(practice.variants, key=lambda variant: all(variant != name for name, *_ in doubts))
            for variant in names:  # a form of a doubtful name is doubtful
                name = _Name.of(practice.id, variant, doubts)
                self.names[practice.id, variant] = name
                for form in name.words[0]:
                    self._begun[form].append(name)
                for glued in glued_forms(words_of_name(variant), name.words):
                    self._glued.setdefault(glued, name)
        self._misspelt = Misspelt(self._rare_words())
        self._read: dict[str, str] = {}

    def find(self, text: str, tokens: Sequence[Token]) -> list[Hit]:
        """The practices named, sorted by position; the longest name wins."""
        tokens = self._as_meant(tokens)
        candidates = list(self._candidates(text, tokens))
        if not candidates:
            return []
        texts = [token.text for token in tokens]
        against = [self._homonyms_near(one, texts) for one in candidates]
        sure = [one for one, words in zip(candidates, against, strict=True) if one.doubt is None and not words]
        sure += [
            one
            for one, words in zip(candidates, against, strict=True)
            if one.doubt is None and words == 1 and _is_near_another(one, sure)
        ]
        doubtful = [one for one, words in zip(candidates, against, strict=True) if one.doubt is not None and not words]
        for _ in range(2):  # what is meant may tell that its neighbours are
            told = [self._is_meant(one, text, tokens, texts, sure) for one in doubtful]
            sure += [one for one, meant in zip(doubtful, told, strict=True) if meant]
            doubtful = [one for one, meant in zip(doubtful, told, strict=True) if not meant]
            if not any(told) or not doubtful:
                break
        chosen: list[_Candidate] = []
        taken: set[int] = set()
        for one in sorted(sure, key=lambda one: (one.span.start - one.span.end, one.span.start, one.name.entry)):
            places = range(one.first, one.after)
            inside_one = one.after == one.first + 1 and one.span != tokens[one.first].span
            if taken.isdisjoint(places) or (inside_one and not any(one.span.overlaps(other.span) for other in chosen)):
                taken.update(places)
                chosen.append(one)
        chosen.sort(key=lambda one: one.span.start)
        return [Hit(_TABLE, one.name.entry, one.first, one.after, one.span) for one in chosen]

    def _candidates(self, text: str, tokens: Sequence[Token]) -> Iterator[_Candidate]:
        for first, token in enumerate(tokens):
            if token.text.endswith("o") and text[token.span.end : token.span.end + 1] == "-":
                yield from self._cut(text, tokens, first)  # « ostéo-articulaire » is no « ostéo »
                names: Sequence[_Name] = [name for name in self._begun.get(token.text, ()) if len(name.words) > 1]
            else:
                names = self._begun.get(token.text, ())
            beyond = tokens[first + 1].text if first + 1 < len(tokens) else ""
            for name in names:
                if len(name.words) > 1 and beyond not in name.words[1]:
                    continue
                after = first + len(name.words)
                if after == first + 1 or (after <= len(tokens) and self._follow(name, text, tokens, first)):
                    doubt = name.doubt_of([one.text for one in tokens[first:after]]) if name.shadows else name.doubt
                    yield _Candidate(name, first, after, Span(token.span.start, tokens[after - 1].span.end), doubt)
            yield from self._cut(text, tokens, first)
            if token.span.start and text[token.span.start - 1] == "#":
                yield from self._in_tag(token, first)

    @staticmethod
    def _follow(name: _Name, text: str, tokens: Sequence[Token], first: int) -> bool:
        for offset in range(1, len(name.words)):
            before, token = tokens[first + offset - 1], tokens[first + offset]
            if token.text not in name.words[offset] or not _GAP.fullmatch(text, before.span.end, token.span.start):
                return False
        return True

    def _cut(self, text: str, tokens: Sequence[Token], first: int) -> Iterator[_Candidate]:
        """Names glued in one token, or cut in two to four where the table writes one word; abbreviations with stops."""
        joined = tokens[first].text
        if len(joined) >= _LEAST_GLUED and (name := self._glued.get(joined)):
            yield _Candidate(name, first, first + 1, tokens[first].span, name.doubt)
        letters = len(joined) == 1
        for after in range(first + 1, min(first + _MOST_PIECES, len(tokens))):
            before, token = tokens[after - 1], tokens[after]
            gap = text[before.span.end : token.span.start]
            letters = letters and len(token.text) == 1 and gap in (".", ". ")
            if not letters and (gap not in (" ", "-", "'", "- ", " -") or len(token.text) == 1):
                return
            joined += token.text
            least = _LEAST_CUT if " " in gap else _LEAST_HYPHENED
            name = self._glued.get(joined) if letters or len(joined) >= least else None
            if name and not (gap == " " and len(name.words) == 1 and _are_words(tokens, first, after)):
                yield _Candidate(name, first, after + 1, Span(tokens[first].span.start, token.span.end), name.doubt)

    def _in_tag(self, token: Token, place: int) -> Iterator[_Candidate]:
        """The longest name within the glued words of a hashtag whose other words are known ones."""
        tag = token.text
        if len(tag) > _LONGEST_TAG or tag in self._glued:
            return
        known = vocabulary().usual
        found = [
            (after - first, first, after)
            for first in range(len(tag) - _LEAST_IN_TAG + 1)
            for after in range(first + _LEAST_IN_TAG, len(tag) + 1)
            if tag[first:after] in self._glued
        ]
        for _, first, after in sorted(found, reverse=True):
            if all(not rest or rest in known or len(rest) > _LEAST_IN_TAG for rest in (tag[:first], tag[after:])):
                span = Span(token.span.start + first, token.span.start + after)
                name = self._glued[tag[first:after]]
                yield _Candidate(name, place, place + 1, span, name.doubt)
                return

    def _rare_words(self) -> Iterator[str]:
        """Words of names that nothing else is spelt like: names of one word first, then the rare words of the others."""
        alone = [name for name in self.names.values() if len(name.words) == 1]
        for name in alone:
            yield from sorted(form for form in name.words[0] if form[-1] not in "sx")
        usual = vocabulary().usual
        for name in self.names.values():
            for word in words_of_name(name.written) if len(name.words) > 1 else ():
                if len(word) >= _LEAST_RARE and word not in usual:
                    yield word

    def _as_meant(self, tokens: Sequence[Token]) -> Sequence[Token]:
        """The tokens, misspelt names spelt as the table spells them; their ranges stay."""
        known = vocabulary().known
        found = {}
        for place, token in enumerate(tokens):
            if len(token.text) >= _LEAST_MISSPELT and token.text not in known and (word := self._word_meant(token.text)):
                found[place] = Token(word, token.span)
        return [found.get(place, token) for place, token in enumerate(tokens)] if found else tokens

    def _word_meant(self, word: str) -> str | None:
        if word in self._begun or word in self._glued or word[:-1] in vocabulary().known:
            return None
        if word not in self._read:
            if len(self._read) >= _REMEMBERED:
                self._read.clear()
            self._read[word] = self._misspelt.meant(word) or ""
        return self._read[word] or None

    def _homonyms_near(self, one: _Candidate, texts: Sequence[str]) -> int:
        """How many of the words that make a name something else stand near it."""
        pattern = self._homonyms.get(one.name.entry)
        return count_of(pattern, _around(texts, one, _HOMONYM_WORDS)) if pattern else 0

    def _is_meant(
        self, one: _Candidate, text: str, tokens: Sequence[Token], texts: Sequence[str], sure: Sequence[_Candidate]
    ) -> bool:
        """Whether a doubtful name means its practice here."""
        doubt = one.doubt
        if doubt is None:
            return True
        spelt = spelt_so(doubt.written, one.name.written, one.span, text)
        if spelt and doubt.surname and is_surname(one.first, text, tokens):
            return False
        neighbours = _NEIGHBOUR * self._is_told(one, sure)
        return self._rules[doubt].tell(_around(texts, one, _NEEDED_WORDS), spelt, neighbours)

    @staticmethod
    def _is_told(one: _Candidate, sure: Sequence[_Candidate]) -> bool:
        """Whether a sure name of the same practice anywhere in the text, or of another one close by, tells what a name means."""
        same = any(other.name.entry == one.name.entry and not other.span.overlaps(one.span) for other in sure)
        return same or _is_near_another(one, sure)


def _is_near_another(one: _Candidate, sure: Sequence[_Candidate]) -> bool:
    return any(abs(other.first - one.first) <= _NEEDED_WORDS and not other.span.overlaps(one.span) for other in sure)


def _around(texts: Sequence[str], one: _Candidate, count: int) -> str:
    before, beyond = texts[max(0, one.first - count) : one.first], texts[one.after : one.after + count]
    return f" {' '.join(before)} | {' '.join(beyond)} "


def _are_words(tokens: Sequence[Token], first: int, last: int) -> bool:
    """Whether all pieces are common words and one is short, so that a space between them is no cut."""
    pieces = [token.text for token in tokens[first : last + 1]]
    long = sum(map(len, pieces)) >= _LEAST_OF_WORDS and min(map(len, pieces)) >= _LEAST_PIECE
    return not long and all(piece in vocabulary().common for piece in pieces)
