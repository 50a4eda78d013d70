"""From a raw text to a clean one, with a way back: every clean character knows where it stood in the raw text.

Cleaning folds what differs in bytes but not in meaning: HTML entities and tags, zero-width and control characters, the
many spaces, decomposed accents, compatibility letters. The clean text is what features and rules read; offsets in
answers count code points of the raw text (contract, "Prediction").
"""

import html
import unicodedata
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import regex

from model.errors import TextError

MAX_CHARACTERS: Final = 20_000
_SENTENCE_WORDS: Final = 45
WINDOW_WORDS: Final = 160
_SINGLE_WINDOW_WORDS: Final = 280
_BINARY_SHARE: Final = 0.1
_PASSES: Final = 4

# Alternatives are tried in this order at each position; each is bounded, possessive or gives back one word at most, so
# the scan is linear. `run` takes whole stretches of letters that cleaning leaves as they are: nearly all of a text.
_TOKEN: Final = regex.compile(
    r"""(?P<run>[!-%'-;=-_a-~À-ÅÇ-Þà-åç-ÿ]+(?:\ [!-%'-;=-_a-~À-ÅÇ-Þà-åç-ÿ]+)*(?!\p{M}))
      | (?P<block><(?P<tag>script|style)\b[^<>]{0,500}>(?:(?!</(?P=tag)).){0,3000}+</(?P=tag)\s{0,9}>)
      | (?P<comment><!--(?:(?!-->).){0,1500}+-->)
      | (?P<break><(?:br|/?p|/?div|/?li|/?tr|/?h[1-6]|/?ul|/?ol|hr)\b[^<>]{0,500}>)
      | (?P<inline>(?<=\p{L})</?(?:b|i|u|s|em|strong|span|font|mark|small|big|sub|sup|tt|wbr)\b[^<>]{0,500}>(?=\p{Ll}))
      | (?P<html></?[a-zA-Z][a-zA-Z0-9]{0,15}(?:\s[^<>]{0,1000})?/?>|<![a-zA-Z][^<>]{0,200}>)
      | (?P<entity>&(?:\#[0-9]{1,7}|\#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});)
      | (?P<newline>\r\n?|[\n\x0b\x0c\x85\u2028\u2029])
      | (?P<space>[\s\u3164\u2800\x1c-\x1f])
      | (?P<cluster>[^\p{M}\p{Cc}\p{Cf}\p{Cs}]\p{M}{1,30})
      | (?P<nothing>[\p{Cc}\p{Cf}\p{Cs}\ufe00-\ufe0f])
      | (?P<plain>.)""",
    regex.VERBOSE | regex.DOTALL | regex.V1,
)
_SAME: Final = str.maketrans(
    {
        "’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'", "＇": "'", "“": '"', "”": '"', "„": '"',
        "œ": "oe", "Œ": "OE", "æ": "ae", "Æ": "AE", "ß": "ss",
        "‐": "-", "‑": "-", "‒": "-", "–": "-", "—": "-", "−": "-",
    }
)  # fmt: skip

_SENTENCE_END: Final = regex.compile(
    r"""(?:(?<![.!?…])[.!?…]++(?:\ ?»)?+['")»\]]*+(?=\s|$)
            (?<!\b(?:M|Mr|Mme|Mlle|Dr|Pr|St|Ste|av|bd|tél|env|ex|cf|etc|min|max|n°)\.)\s*+
         |\n+\s*+|\s[•▪●◦➤►✔✅➡|]\s*+|;\s++)""",
    regex.VERBOSE | regex.IGNORECASE,
)
_WORD: Final = regex.compile(r"[\p{L}\p{N}]+")


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of code points, `start` included and `end` excluded."""

    start: int
    end: int

    def overlaps(self, other: "Span") -> bool:
        """Whether the two ranges share at least one position."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class CleanText:
    """A clean text and the map back to the raw one.

    `starts[i]` and `ends[i]` are the raw range of the i-th clean character; both have the length of `text`.
    """

    raw: str
    text: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    def to_raw(self, span: Span) -> Span:
        """The raw range of a clean range, without white space at its edges; empty ranges stay empty."""
        start, end = span.start, span.end
        while start < end and self.text[start].isspace():
            start += 1
        while end > start and self.text[end - 1].isspace():
            end -= 1
        if start == end:
            where = self.starts[start] if start < len(self.starts) else len(self.raw)
            return Span(where, where)
        return Span(self.starts[start], self.ends[end - 1])

    def from_raw(self, span: Span) -> Span:
        """The clean range that a raw range covers; empty where the raw range holds nothing that is kept."""
        start = bisect_left(self.ends, span.start + 1)
        end = bisect_left(self.starts, span.end)
        return Span(start, max(start, end))


def check_text(raw: str, limit: int = MAX_CHARACTERS) -> None:
    """Refuse a text that cannot be analysed.

    Raises:
        TextError: `too_long` over `limit` code points; `empty_text` for nothing but white space and invisible
            characters; `invalid_text` for lone surrogates, NUL characters or more than a tenth of control characters.
    """
    if len(raw) > limit:
        raise TextError("too_long", f"Le texte compte {len(raw)} caractères ; la limite est de {limit}.")
    lone = next((i for i, c in enumerate(raw) if "\ud800" <= c <= "\udfff"), None)
    if lone is not None:
        raise TextError("invalid_text", f"Caractère invalide (demi-codet isolé) en position {lone} ; un texte UTF-8 est attendu.")
    control = sum(1 for c in raw if unicodedata.category(c) == "Cc" and c not in "\t\n\r\x0b\x0c\x85")
    if "\x00" in raw or control > _BINARY_SHARE * max(1, len(raw)):
        raise TextError("invalid_text", "Le contenu paraît binaire (caractères de contrôle) ; un texte est attendu.")
    if not any(unicodedata.category(c)[0] in "LNPS" for c in raw):
        raise TextError("empty_text", "Le texte est vide ou ne contient que des blancs.")


def clean(raw: str) -> CleanText:
    """The clean form of a raw text, with its map back; cleaning it again changes nothing.

    Markup that was escaped several times is unwrapped by repeated passes, at most four, so that the cost stays linear:
    only a text escaped five times or more would change again.
    """
    done = _clean_once(raw)
    for _ in range(_PASSES - 1):
        again = _clean_once(done.text)
        if again.text == done.text:
            break
        starts = tuple(done.starts[start] for start in again.starts)
        ends = tuple(done.ends[end - 1] for end in again.ends)
        done = CleanText(raw, again.text, starts, ends)
    return done


def _clean_once(raw: str) -> CleanText:
    out: list[str] = []
    starts: list[int] = []
    ends: list[int] = []

    def put(piece: str, start: int, end: int) -> None:
        for character in piece:
            if character in " \n" and (not out or out[-1] in " \n"):
                if character == "\n" and out and out[-1] == " ":
                    out[-1] = "\n"
                continue
            out.append(character)
            starts.append(start)
            ends.append(end)

    for found in _TOKEN.finditer(raw):
        kind, start, end = found.lastgroup, found.start(), found.end()
        if kind == "run":
            out.extend(found.group())
            starts.extend(range(start, end))
            ends.extend(range(start + 1, end + 1))
        elif kind in ("block", "comment", "html", "tag", "space"):
            put(" ", start, end)
        elif kind in ("break", "newline"):
            put("\n", start, end)
        elif kind == "entity":
            decoded = html.unescape(found.group())
            put(_fold_same(decoded) if decoded != found.group() else decoded, start, end)
        elif kind in ("nothing", "inline"):
            continue
        else:
            put(_fold_same(found.group()), start, end)
    while out and out[-1] in " \n":
        out.pop()
        starts.pop()
        ends.pop()
    return CleanText(raw, "".join(out), tuple(starts), tuple(ends))


def _fold_same(piece: str) -> str:
    """Compatibility-composed form without invisible characters; white space becomes a plain space or newline."""
    folded = unicodedata.normalize("NFKC", piece.translate(_SAME)).translate(_SAME)
    return "".join(
        ("\n" if c in "\n\r\u2028\u2029\x85\x0b\x0c" else " ") if c.isspace() or c in "\u3164\u2800" else c
        for c in folded
        if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf", "Cs")
    )


def fold(text: str) -> str:
    """Lower case without accents, one output character per input character, for matching against tables."""
    return "".join(map(_fold_character, text))


@lru_cache(maxsize=65536)
def _fold_character(character: str) -> str:
    return unicodedata.normalize("NFD", character)[0].lower()[0]


def words_of(text: str) -> list[str]:
    """The runs of letters and digits of a text, in order."""
    return [found.group() for found in _WORD.finditer(text)]


def word_spans(text: str) -> list[Span]:
    """The ranges of the runs of letters and digits of a text, in order."""
    return [Span(*found.span()) for found in _WORD.finditer(text)]


def sentences(text: str) -> list[Span]:
    """Ranges of the sentence-like units of a clean text, in order, without outer white space.

    Units end at closing punctuation, at line breaks, at semicolons and at list bullets; a unit of more than 45 words
    is cut at a comma, a colon or a dash near its middle, or between two words, so that no unit grows without bound.
    """
    spans: list[Span] = []
    start = 0
    for found in _SENTENCE_END.finditer(text):
        spans.extend(_pieces(text, start, found.end()))
        start = found.end()
    spans.extend(_pieces(text, start, len(text)))
    return spans


def _pieces(text: str, start: int, end: int) -> list[Span]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start == end:
        return []
    words = [found.start() for found in _WORD.finditer(text, start, end)]
    if not words:
        return []
    if len(words) <= _SENTENCE_WORDS:
        return [Span(start, end)]
    spans: list[Span] = []
    cursor = start
    index = 0
    while len(words) - index > _SENTENCE_WORDS:
        low, high = words[index + _SENTENCE_WORDS // 2], words[index + _SENTENCE_WORDS]
        cut = max((text.rfind(mark, low, high) + 1 for mark in (",", ":", " - ", " / ")), default=0) or high
        spans.append(_strip(text, cursor, cut))
        cursor = cut
        while index < len(words) and words[index] < cut:
            index += 1
    spans.append(_strip(text, cursor, end))
    return [span for span in spans if span.start < span.end]


def _strip(text: str, start: int, end: int) -> Span:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Span(start, end)


def windows(text: str, units: list[Span], words: int = WINDOW_WORDS) -> list[Span]:
    """Ranges of the windows in which a long text is read, in order; one window for a text of 280 words or fewer.

    A window holds whole units, at most about as many `words`, and the last unit of the window before it, so that a promise and
    its condition are seldom torn apart.
    """
    counts = [len(_WORD.findall(text, unit.start, unit.end)) for unit in units]
    if sum(counts) <= _SINGLE_WINDOW_WORDS:
        return [Span(units[0].start, units[-1].end)] if units else [Span(0, len(text))]
    spans: list[Span] = []
    first = 0
    while first < len(units):
        last, total = first, counts[first]
        while last + 1 < len(units) and total + counts[last + 1] <= words:
            last += 1
            total += counts[last]
        spans.append(Span(units[first].start, units[last].end))
        if last + 1 >= len(units):
            break
        first = last if last > first else last + 1
    return spans
