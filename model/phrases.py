"""Find many phrases at once in folded tokens: one pass, cost linear in the text.

A phrase is a sequence of words; a word also matches its plural in -s or -x, and a trailing `*` matches any ending.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import regex

from model.text import Span, clean, fold

_TOKEN: Final = regex.compile(r"[\p{L}\p{N}]+|[%€]")
_STEM: Final = 3
#: How many different tokens a finder remembers, so that texts made of ever new words do not fill the memory.
_REMEMBERED: Final = 20_000


@dataclass(frozen=True, slots=True)
class Token:
    """A folded word (or one of % and €) and its range in the clean text."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Hit:
    """A phrase found: the table and entry it belongs to, its first token, the token after its last one, its range."""

    table: str
    entry: str
    first: int
    after: int
    span: Span


def tokenize(text: str) -> list[Token]:
    """The folded tokens of a clean text, in order."""
    return [Token(found.group(), Span(*found.span())) for found in _TOKEN.finditer(fold(text))]


def _same_word(token: str, word: str) -> bool:
    if word.endswith("*"):
        return token.startswith(word[:-1])
    return token == word or (token[:-1] == word and token[-1] in "sx")


def _words_of_phrase(phrase: str) -> tuple[str, ...]:
    # A star is glued to its word, so it is carried over by a letter that folding leaves alone.
    marked = fold(clean(phrase.replace("*", "ꙮ")).text)
    return tuple(found.replace("ꙮ", "*") for found in _TOKEN.findall(marked))


class PhraseFinder:
    """Finds the phrases of several tables in one pass over the tokens of a text."""

    def __init__(self, phrases: Iterable[tuple[str, str, str]]) -> None:
        """Index (table, entry, phrase) triples; phrases without a word are refused with ValueError."""
        self._exact: dict[str, list[tuple[tuple[str, ...], str, str]]] = defaultdict(list)
        self._stems: dict[str, list[tuple[tuple[str, ...], str, str]]] = defaultdict(list)
        self._begun: dict[str, tuple[tuple[tuple[str, ...], str, str], ...]] = {}
        for table, entry, phrase in phrases:
            words = _words_of_phrase(phrase)
            if not words:
                raise ValueError(f"Table {table}, entrée {entry} : la variante {phrase!r} ne contient aucun mot.")
            if words[0].endswith("*"):
                self._stems[words[0][:-1][:_STEM]].append((words, table, entry))
            else:
                self._exact[words[0]].append((words, table, entry))

    def find(self, tokens: Sequence[Token]) -> list[Hit]:
        """The longest hit of each table at each place, sorted by position; hits of one table never overlap."""
        texts = [token.text for token in tokens]
        best: list[Hit] = []
        taken: dict[str, int] = defaultdict(int)
        for first, text in enumerate(texts):
            longest: dict[tuple[str, str], int] = {}
            for rest, table, entry in self._begun_by(text):
                if not rest or self._follow(texts, first + 1, rest):
                    key = (table, entry)
                    longest[key] = max(longest.get(key, 0), len(rest) + 1)
            for (table, entry), length in sorted(longest.items(), key=lambda item: (-item[1], item[0])):
                if taken[table] <= first:
                    taken[table] = first + length
                    span = Span(tokens[first].span.start, tokens[first + length - 1].span.end)
                    best.append(Hit(table, entry, first, first + length, span))
        return best

    def _begun_by(self, text: str) -> tuple[tuple[tuple[str, ...], str, str], ...]:
        """The phrases whose first word a token is, each as its other words, table and entry; remembered for the usual tokens."""
        known = self._begun.get(text)
        if known is None:
            found = self._candidates(text)
            known = tuple((words[1:], table, entry) for words, table, entry in found if _same_word(text, words[0]))
            if len(self._begun) < _REMEMBERED:
                self._begun[text] = known
        return known

    def _candidates(self, text: str) -> list[tuple[tuple[str, ...], str, str]]:
        found = list(self._exact.get(text, ()))
        if len(text) > 1 and text[-1] in "sx":
            found.extend(self._exact.get(text[:-1], ()))
        for size in range(1, _STEM + 1):
            found.extend(self._stems.get(text[:size], ()) if len(text) >= size else ())
        return found

    @staticmethod
    def _follow(texts: Sequence[str], place: int, words: tuple[str, ...]) -> bool:
        """Whether words stand one after the other from a place on."""
        if place + len(words) > len(texts):
            return False
        return all(_same_word(texts[place + offset], word) for offset, word in enumerate(words))
