"""Changes of a clean text that keep the way back to the raw one."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from model.text import CleanText, Span, fold


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of the clean text: the range, and what replaces it, each character with the clean range it comes from."""

    span: Span
    pieces: tuple[tuple[str, int, int], ...]


def edited(cleaned: CleanText, edits: Sequence[Edit]) -> CleanText:
    """The text with some changes made; they are sorted and do not overlap.

    A change before a combining mark that would join the new letter is left out: the text would no longer be clean.
    """
    text: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    cursor = 0
    for edit in edits:
        seam = edit.pieces[-1][0] + cleaned.text[edit.span.end : edit.span.end + 1] if edit.pieces else ""
        if not unicodedata.is_normalized("NFC", seam):
            continue
        text.append(cleaned.text[cursor : edit.span.start])
        starts += cleaned.starts[cursor : edit.span.start]
        ends += cleaned.ends[cursor : edit.span.start]
        for character, first, after in edit.pieces:
            text.append(character)
            starts.append(cleaned.starts[first])
            ends.append(cleaned.ends[after - 1])
        cursor = edit.span.end
    text.append(cleaned.text[cursor:])
    return CleanText(cleaned.raw, "".join(text), (*starts, *cleaned.starts[cursor:]), (*ends, *cleaned.ends[cursor:]))


def letter_by_letter(cleaned: CleanText, places: Sequence[int], word: str) -> Edit:
    """The edit that reads `word` in the characters at `places`, one letter each; case and accents are kept."""
    pieces = []
    upper = sum(cleaned.text[place].isupper() for place in places) > 1
    for place, letter in zip(places, word, strict=True):
        shown = cleaned.text[place]
        if letter == fold(shown):
            letter = shown
        elif shown.isupper() or (upper and not shown.isalpha()):
            letter = letter.upper()
        pieces.append((letter, place, place + 1))
    return Edit(Span(places[0], places[-1] + 1), tuple(pieces))


def as_a_whole(cleaned: CleanText, span: Span, word: str) -> Edit:
    """The edit that reads `word` in a range; each of its letters comes from the whole range."""
    shown = cleaned.text[span.start : span.end]
    cased = word.upper() if shown.isupper() else word.capitalize() if shown[0].isupper() else word
    return Edit(span, tuple((letter, span.start, span.end) for letter in cased))
