"""Undo what hides words from a reader of tables: « c a n c e r », « vacc1n », « g*érir », « can🌿cer », « guérrir ».

A spelling is undone only where the result is a word that a French reader would read there: one of our tables, or a
usual one. Every change keeps the way back to the raw text, so passages are shown as they were written.
"""

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise, product
from typing import Final

import regex

from model.edits import Edit, as_a_whole, edited, letter_by_letter
from model.masks import masked_words
from model.phrases import Token, tokenize
from model.text import CleanText
from model.words import LOOKALIKES, meant, readable, telling_word, vocabulary

_PASSES: Final = 3
_LONGEST: Final = 40
_COMBINATIONS: Final = 64
_LEAST_RUN: Final = 4
_LONGEST_WORD: Final = 24
_LEAST_JOINED: Final = 6
_LEAST_MASKED: Final = 4
_LEAST_FRENCH: Final = 0.6
_LEAST_UNKNOWN: Final = 6
_GAP: Final = regex.compile(r"[ .\-_*·•∙⋅~+|/\p{M}\p{So}\p{Extended_Pictographic}--[\p{N}]]{1,3}", regex.V1)
_CUTS: Final = frozenset({" ", "-", ".", "- ", "-\n"})
_MARKUP: Final = regex.compile(r"<|&(?:amp;)*(?:lt|\#0*60|\#[xX]0*3[cC]);")
_TRIPLE: Final = regex.compile(r"(.)\1{2,}")


def undo(cleaned: CleanText) -> tuple[CleanText, list[Token]]:
    """A clean text with its evasive spellings undone, and its tokens; undoing again changes nothing.

    A text with nothing to undo comes back as it is, at the cost of a look at each of its words.
    """
    tokens = tokenize(cleaned.text)
    for _ in range(_PASSES):
        before = cleaned
        if edits := masked_words(cleaned):
            cleaned = edited(cleaned, edits)
            tokens = tokenize(cleaned.text)
        if edits := _hidden_in_tokens(cleaned, tokens):
            cleaned = edited(cleaned, edits)
            tokens = tokenize(cleaned.text)
        if cleaned is before:
            break
    return cleaned, tokens


def _hidden_in_tokens(cleaned: CleanText, tokens: Sequence[Token]) -> list[Edit]:
    known, common = vocabulary().known, vocabulary().common
    markup = bool(_MARKUP.search(cleaned.raw))
    edits: list[Edit] = []
    unknown: list[int] = []
    index = 0
    while index < len(tokens):
        word = tokens[index].text
        if len(word) == 1 and (run := _run_of_letters(cleaned, tokens, index)) > 1:
            edits += _read_run(cleaned, tokens[index : index + run])
            index += run
            continue
        if index + 1 < len(tokens) and (markup or word not in common or tokens[index + 1].text not in common):
            edit = _joined(cleaned, tokens[index], tokens[index + 1])
            if edit:
                edits.append(edit)
                index += 2
                continue
        if word not in known:
            unknown.append(index)
        index += 1
    if len(unknown) <= (1 - _LEAST_FRENCH) * len(tokens) or len(tokens) < _LEAST_UNKNOWN:
        edits += _respelt(cleaned, tokens, unknown)
        edits.sort(key=lambda edit: edit.span.start)
    return edits


def _run_of_letters(cleaned: CleanText, tokens: Sequence[Token], index: int) -> int:
    """How many tokens from this one on are single letters with one and the same kind of gap between them."""
    length = 1
    while index + length < len(tokens):
        one, other = tokens[index + length - 1], tokens[index + length]
        if len(other.text) > 1 or not other.text.isalpha():
            break
        gap = cleaned.text[one.span.end : other.span.start]
        if gap and not _GAP.fullmatch(gap):
            break
        length += 1
    return length if length >= _LEAST_RUN else 1


def _read_run(cleaned: CleanText, run: Sequence[Token]) -> list[Edit]:
    """The words written letter by letter in a run; a gap unlike its neighbours parts two words."""
    gaps = [cleaned.raw[cleaned.ends[one.span.end - 1] : cleaned.starts[other.span.start]] for one, other in pairwise(run)]
    cuts = [0, *(place for place, gap in enumerate(gaps, start=1) if _parts(gaps, place - 1, gap)), len(run)]
    found = [edit for first, after in pairwise(cuts) for edit in _read_letters(cleaned, run[first:after], len(cuts) > 2)]
    # Small words count only beside one that was hidden.
    if any(len(edit.pieces) >= _LEAST_RUN for edit in found):
        return found
    return list(_read_letters(cleaned, run, parted=False))


def _parts(gaps: Sequence[str], place: int, gap: str) -> bool:
    before, after = gaps[place - 1] if place else None, gaps[place + 1] if place + 1 < len(gaps) else None
    # A narrow gap between two wide ones holds a word of two letters: « c a n c e r   d u   s e i n ».
    return gap not in (before, after) and not (before is not None and before == after and len(gap) < len(before))


def _read_letters(cleaned: CleanText, run: Sequence[Token], parted: bool) -> Iterator[Edit]:
    letters = "".join(token.text for token in run).translate(LOOKALIKES)
    places = [token.span.start for token in run]
    word = None if _is_acronym(cleaned, run) else readable(letters[:_LONGEST])
    if word is None and parted and len(run) > 1 and letters in vocabulary().common:
        word = letters
    if word and len(word) == len(run):
        yield letter_by_letter(cleaned, places, word)
        return
    first = 0
    while first < len(run):
        longest = 0
        if letters[first : first + _LEAST_RUN] in vocabulary().heads:
            ends = range(min(len(run), first + _LONGEST_WORD), first + _LEAST_RUN - 1, -1)
            longest = next((after for after in ends if telling_word(letters[first:after])), 0)
        if longest:
            yield letter_by_letter(cleaned, places[first:longest], telling_word(letters[first:longest]) or "")
        first = longest or first + 1


def _is_acronym(cleaned: CleanText, run: Sequence[Token]) -> bool:
    text = cleaned.text[run[0].span.start : run[-1].span.end]
    return "." in text and text.isupper()


def _joined(cleaned: CleanText, one: Token, other: Token) -> Edit | None:
    """Two tokens that are one word: « can<b>cer</b> », « guéri- » at the end of a line and « son », « can cer », « can-cer »."""
    letters = one.text + other.text
    gap = cleaned.text[one.span.end : other.span.start]
    if gap not in _CUTS or len(letters) < _LEAST_MASKED or not letters.isalpha() or len(letters) > _LONGEST:
        return None
    if gap == " " and _MARKUP.match(raw := cleaned.raw[cleaned.ends[one.span.end - 1] : cleaned.starts[other.span.start]]):
        # Markup that leaves no white space between two letters shows them as one word.
        word = None if regex.search(r"\s", regex.sub("<[^<>]*>", "", raw)) else readable(letters)
    elif _is_word(one.text, other.text) and _is_word(other.text, one.text):
        return None
    else:
        word = readable(letters) if gap == "-\n" else telling_word(letters)
        word = word if len(letters) >= _LEAST_JOINED else None
    if word is None or cleaned.text[other.span.end : other.span.end + 1] == "'":
        return None
    return letter_by_letter(cleaned, [*range(one.span.start, one.span.end), *range(other.span.start, other.span.end)], word)


def _is_word(part: str, rest: str) -> bool:
    """Whether a part stands for itself: common, usual and long, of the tables, or a letter beside a word (« rayons X »)."""
    words = vocabulary()
    if len(part) == 1:
        return rest in words.known
    return part in words.common or (len(part) >= _LEAST_RUN and part in words.usual) or telling_word(part) is not None


def _respelt(cleaned: CleanText, tokens: Sequence[Token], unknown: Sequence[int]) -> Iterator[Edit]:
    for index in unknown:
        token = tokens[index]
        if not _LEAST_MASKED <= len(token.text) <= _LONGEST or not token.text.isalpha():
            continue
        if not token.text.isascii():
            word = readable(token.text.translate(LOOKALIKES))
            if word and token.text.translate(LOOKALIKES) != token.text:
                yield letter_by_letter(cleaned, range(token.span.start, token.span.end), word)
            continue
        word = _shortened(token.text) or (meant(token.text) if _may_be_slip(cleaned.text, token) else None)
        if word:
            yield as_a_whole(cleaned, token.span, word)


def _shortened(word: str) -> str | None:
    """The word behind « guériiiir »: each letter that comes three times or more is written once or twice."""
    if not _TRIPLE.search(word):
        return None
    parts = [(found.group(1), found.group(1) * 2) if len(found.group()) > 2 else (found.group(),)
             for found in regex.finditer(r"(.)\1*", word)]  # fmt: skip
    return next((found for combined in islice(product(*parts), _COMBINATIONS) if (found := readable("".join(combined)))), None)


def _may_be_slip(text: str, token: Token) -> bool:
    """Whether a word is no name: in lower case, in capitals, or the first of its sentence."""
    shown = text[token.span.start : token.span.end]
    if shown.islower() or shown.isupper():
        return True
    before = text[max(0, token.span.start - 2) : token.span.start].rstrip(" ")
    return not before or before[-1] in ".!?\n•:«"
