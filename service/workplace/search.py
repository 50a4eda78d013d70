"""Full-text search over the texts: words in any of their forms, accents or ligatures; « "mots exacts" »; « -mot » left out.

The same words find the same texts on SQLite and PostgreSQL: no word is an operator, none is too common to be searched for.
"""

import re
import unicodedata
from dataclasses import dataclass
from itertools import islice, product
from typing import Final

from sqlalchemy import Dialect, TextClause, text

LONGEST: Final = 200
_TERM: Final = re.compile(r'(-?)(?:"([^"]*)"?|(\S+))')
_WORD: Final = re.compile(r"[^\W_]+")
#: Endings that French adds to a word: what is left, with anything after it, is the same word often enough.
_ENDING: Final = re.compile(r"(?:es|s|x|e)$")
_LEAST_STEM: Final = 3
#: Two letters that are often written as one; no French keyboard has them as one.
_LIGATURES: Final = (("oe", "œ"), ("ae", "æ"))
_CAPITALS: Final = str.maketrans("œæ", "ŒÆ")
_MOST_SPELLINGS: Final = 16
_AROUND: Final = 40
_LONGEST_EXTRACT: Final = 200
_POSTGRESQL: Final = "items.text_words @@ to_tsquery('simple'::regconfig, :words)"
_SQLITE: Final = (
    "items.id IN (SELECT item_id FROM item_numbers WHERE number IN (SELECT rowid FROM item_words WHERE item_words MATCH :words))"
)
#: Where only words to leave out are given: FTS5 has no query for it.
_SQLITE_WITHOUT: Final = _SQLITE.replace(" IN ", " NOT IN ", 1)


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
    """The condition on `items` that its text matches; None where there is no word to search for nor to leave out."""
    terms = terms_of(query)
    if not terms:
        return None
    if dialect.name == "postgresql":
        return text(_POSTGRESQL).bindparams(words=_tsquery(terms))
    if all(term.without for term in terms):
        return text(_SQLITE_WITHOUT).bindparams(words=" OR ".join(_phrase(term) for term in terms))
    return text(_SQLITE).bindparams(words=_fts5(terms))


def _spellings(term: Term) -> list[Term]:
    """A term as it is written with ligatures and without, word by word; the first sixteen where there are many."""
    ways = product(*(_written(word) for word in term.words))
    return [Term(words, term.exact, term.without) for words in islice(ways, _MOST_SPELLINGS)]


def _written(word: str) -> list[str]:
    apart, joined = word, word
    for two, one in _LIGATURES:
        apart, joined = apart.replace(one, two), joined.replace(two, one)
    return list(dict.fromkeys((apart, joined)))


def _pattern(word: str) -> str:
    """A word in an expression that finds it with ligatures and without."""
    apart = re.escape(_written(word)[0])
    for two, one in _LIGATURES:
        apart = apart.replace(two, f"(?:{two}|{one})")
    return apart


def _loose(term: Term) -> bool:
    """Whether the last word of a term stands for others that begin as it does."""
    return not term.exact and len(term.words[-1]) > _LEAST_STEM


def _searched(term: Term) -> tuple[str, ...]:
    return (*term.words[:-1], _stem(term.words[-1])) if _loose(term) else term.words


def _stem(word: str) -> str:
    stem = _ENDING.sub("", word)
    return stem if len(stem) >= _LEAST_STEM else word


def _fts5(terms: list[Term]) -> str:
    """The query in the language of FTS5; every word is quoted, so that none is taken for an operator."""
    found = " AND ".join(_phrase(term) for term in terms if not term.without)
    unwanted = [_phrase(term) for term in terms if term.without]
    return f"({found}) NOT ({' OR '.join(unwanted)})" if unwanted else found


def _phrase(term: Term) -> str:
    ways = ['"' + " ".join(_searched(one)) + '"' + ("*" if _loose(one) else "") for one in _spellings(term)]
    return f"({' OR '.join(ways)})" if len(ways) > 1 else ways[0]


def _tsquery(terms: list[Term]) -> str:
    """The query in the language of `to_tsquery`; words are letters and digits, each quoted."""
    written = []
    for term in terms:
        ways = [" <-> ".join(f"'{word}'" for word in _searched(one)) + (":*" if _loose(one) else "") for one in _spellings(term)]
        # Where the database has no locale, its small letters leave a capital ligature as it is.
        ways += [way.translate(_CAPITALS) for way in ways if way != way.translate(_CAPITALS)]
        found = " | ".join(f"({way})" for way in ways)
        written.append(f"!({found})" if term.without else f"({found})")
    return " & ".join(written)


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
        body = r"\W+".join(_pattern(word) for word in term.words[:-1])
        last = _pattern(term.words[-1] if term.exact else _stem(term.words[-1]))
        patterns.append(r"\b" + (body + r"\W+" if body else "") + last + (r"\b" if term.exact else r"\w*"))
    if not patterns:
        return []
    return [match.span() for match in re.finditer("|".join(patterns), plain(value))]
