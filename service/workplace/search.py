"""Full-text search over the texts: words in any of their forms, whatever the accents; « "mots exacts" »; « -mot » left out."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Dialect, TextClause, text

LONGEST: Final = 200
_TERM: Final = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')
_WORD: Final = re.compile(r"\w+")
#: Endings that French adds to a word: what is left, with anything after it, is the same word often enough.
_ENDING: Final = re.compile(r"(?:es|s|x|e)$")
_LEAST_STEM: Final = 3
_AROUND: Final = 90
_LONGEST_EXTRACT: Final = 320
_POSTGRESQL: Final = "items.text_words @@ websearch_to_tsquery('french'::regconfig, :words)"
_SQLITE: Final = (
    "items.id IN (SELECT item_id FROM item_numbers WHERE number IN (SELECT rowid FROM item_words WHERE item_words MATCH :words))"
)


@dataclass(frozen=True, slots=True)
class Term:
    """Words that must be found side by side (`exact`: as they are), or that must not be found (`without`)."""

    words: tuple[str, ...]
    exact: bool = False
    without: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an extract, and whether it was searched for."""

    text: str
    found: bool


def plain(value: str) -> str:
    """Small letters without accents, character by character: the result is as long as what was given."""
    return "".join(unicodedata.normalize("NFD", character)[0].lower()[:1] or character for character in value)


def terms_of(query: str) -> list[Term]:
    """What is searched for; words in the wrong place, signs and empty quotation marks are left aside."""
    terms = []
    for without, quoted, bare in _TERM.findall(query[:LONGEST]):
        words = tuple(_WORD.findall(plain(unicodedata.normalize("NFC", quoted or bare))))
        if words:
            terms.append(Term(words, exact=bool(quoted), without=bool(without)))
    return terms


def matches(query: str, dialect: Dialect) -> TextClause | None:
    """The condition on `items` that its text matches; None where nothing is searched for, as when all is left out."""
    terms = terms_of(query)
    if not any(not term.without for term in terms):
        return None
    if dialect.name == "postgresql":
        return text(_POSTGRESQL).bindparams(words=_websearch(terms))
    return text(_SQLITE).bindparams(words=_fts5(terms))


def _stem(word: str) -> str:
    stem = _ENDING.sub("", word)
    return stem if len(stem) >= _LEAST_STEM else word


def _fts5(terms: list[Term]) -> str:
    """The query in the language of FTS5; every word is quoted, so that none is taken for an operator."""
    wanted: list[str] = []
    unwanted: list[str] = []
    for term in terms:
        loose = not term.exact and len(term.words[-1]) > _LEAST_STEM
        words = (*term.words[:-1], _stem(term.words[-1])) if loose else term.words
        written = '"' + " ".join(words) + '"' + ("*" if loose else "")
        (unwanted if term.without else wanted).append(written)
    found = " AND ".join(wanted)
    return f"({found}) NOT ({' OR '.join(unwanted)})" if unwanted else found


def _websearch(terms: list[Term]) -> str:
    return " ".join(
        ("-" if term.without else "") + (f'"{" ".join(term.words)}"' if term.exact or len(term.words) > 1 else term.words[0])
        for term in terms
    )


def extract(value: str, query: str) -> list[Piece]:
    """A short part of a text around the first words that are found, or its beginning, those words told apart."""
    found = _found(value, query)
    start = max(0, found[0][0] - _AROUND) if found else 0
    if start:
        space = value.find(" ", start, found[0][0])
        start = space + 1 if space >= 0 else start
    end = min(len(value), start + _LONGEST_EXTRACT)
    pieces = [Piece("… ", found=False)] if start else []
    at = start
    for first, last in found:
        if first < at or last > end:
            continue
        if first > at:
            pieces.append(Piece(value[at:first], found=False))
        pieces.append(Piece(value[first:last], found=True))
        at = last
    pieces.append(Piece(value[at:end] + (" …" if end < len(value) else ""), found=False))
    return [piece for piece in pieces if piece.text]


def _found(value: str, query: str) -> list[tuple[int, int]]:
    """Where the words searched for are, in code points."""
    patterns = []
    for term in terms_of(query):
        if term.without:
            continue
        body = r"\W+".join(re.escape(word) for word in term.words[:-1])
        last = re.escape(term.words[-1] if term.exact else _stem(term.words[-1]))
        patterns.append(r"\b" + (body + r"\W+" if body else "") + last + (r"\b" if term.exact else r"\w*"))
    if not patterns:
        return []
    return [match.span() for match in re.finditer("|".join(patterns), plain(value))]
