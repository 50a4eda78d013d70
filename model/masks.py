"""Words with signs or digits among their letters: « vacc1n », « g*érir », « can🌿cer »."""

import unicodedata
from itertools import islice, product
from typing import Final

import regex

from model.edits import Edit, letter_by_letter
from model.text import CleanText, Span, fold
from model.words import LOOKALIKES, readable, telling_word, unmasked, vocabulary

_LONGEST: Final = 40
_COMBINATIONS: Final = 64
_LONGEST_ADDRESS: Final = 100
_LEAST_MASKED: Final = 4
_LEAST_SEEN: Final = 3
_LEAST_LETTERS: Final = 2
_PIECE: Final = regex.compile(r"""[^\s'"«»()\[\]{},;:/?…]+""")
# A hyphen between two words parts them; one between two letters may hide a word.
_PART: Final = regex.compile(r"(?:[^-]|(?<![^-]{2})-|-(?![^-]{2}))+")
_LEET: Final = {
    "0": "o", "1": "il", "3": "e", "4": "a", "5": "s", "6": "g", "7": "t", "8": "b", "9": "g",
    "@": "a", "$": "s", "€": "e", "£": "l", "!": "i", "|": "li", "¡": "i", "¢": "c",
}  # fmt: skip
# What may stand between two letters of a word; some of them may also stand for a letter.
_BETWEEN: Final = regex.compile(r"[.\-_*·•∙⋅~+#|^°=¤×¦\p{M}\p{So}\p{Sk}\p{Extended_Pictographic}--[©®\p{N}]]", regex.V1)
_WEAK: Final = frozenset(".-+")
# Signs that stand for a hidden letter more often than between two letters.
_STARS: Final = frozenset("*_#")
_EDGES: Final = ".-_*·•~+#|^°=¤"
_ADDRESS: Final = regex.compile(
    r"""(?:https?://|www\.)\S+ | [^\s@]+@[^\s@]+\.\w{2,} | (?<!\S)@[\w.]+_\w+
      | [\w-]+(?:\.[\w-]+)*\.(?:fr|com|org|net|be|ch|ca|eu|info|io|re|lu|example)\b\S*""",
    regex.VERBOSE,
)


def masked_words(cleaned: CleanText) -> list[Edit]:
    """The changes that read the words hidden behind signs or digits, in order; numbers, prices and addresses stay."""
    text = cleaned.text
    edits = []
    for found in _PIECE.finditer(text):
        if found.group().isalpha() or len(found.group()) > _LONGEST:
            continue
        for part in _PART.finditer(found.group()):
            if part.group().isalpha():
                continue
            start, piece = found.start() + part.start(), part.group().rstrip(_EDGES)
            edit = _read_piece(cleaned, piece.rstrip("!¡"), start) or _read_piece(cleaned, piece, start)
            if edit and not _in_address(text, edit.span):
                edits.append(edit)
    return edits


def _in_address(text: str, span: Span) -> bool:
    """Whether a range lies within an e-mail address, a link or a handle."""
    start = max(span.start - _LONGEST_ADDRESS, *(text.rfind(mark, 0, span.start) + 1 for mark in " \n"), 0)
    around = regex.split(r"\s", text[start : span.end + _LONGEST_ADDRESS], maxsplit=1)[0]
    return any(start + found.start() < span.end and span.start < start + found.end() for found in _ADDRESS.finditer(around))


def _read_piece(cleaned: CleanText, piece: str, start: int) -> Edit | None:
    start += len(piece) - len(piece.lstrip(_EDGES))
    core = piece.lstrip(_EDGES)
    letters = sum(c.isalpha() for c in core)
    # Hyphens and stops between words are writing; between letters they are read with the tokens.
    if len(core) < _LEAST_MASKED or letters < _LEAST_LETTERS or all(c.isalpha() or c in "-." for c in core):
        return None
    if any(c in _STARS for c in core) and (edit := _unmasked(cleaned, core, start)):
        return edit
    options: list[str] = []
    places: list[int] = []
    for place, character in enumerate(core, start=start):
        if character.isalpha():
            options.append(fold(character).translate(LOOKALIKES))
        elif character in _LEET:
            options.append(_LEET[character])
        elif _BETWEEN.match(character):
            continue
        else:
            return None
        places.append(place)
    if len(places) <= 2 * letters + 1 and not _are_words(core):
        for combined in islice(product(*options), _COMBINATIONS):
            word = _plausible("".join(combined), core, letters)
            if word:
                return letter_by_letter(cleaned, places, word)
    return _unmasked(cleaned, core, start)


def _plausible(folded: str, core: str, letters: int) -> str | None:
    """The word that a reading of signs gives, unless the signs are a number or a handle beside a word of its own.

    « séance5 » reads the same as « séances »; « 5ans », « page12 », « lune1 » and « @nom » stay as they are.
    """
    words = vocabulary()
    bare = fold(core.strip("0123456789€"))
    if bare.isalpha() and len(bare) < len(core) and (bare in words.usual or len(bare) < _LEAST_SEEN):
        return telling_word(folded) if fold(core[:-1]) == bare and len(folded) > _LEAST_MASKED else None
    if core[0] == "@" and fold(core[1:]) in words.usual:
        return None
    if letters < _LEAST_SEEN:
        return telling_word(folded) if len(folded) > _LEAST_MASKED else None
    return readable(folded)


def _are_words(core: str) -> bool:
    """Whether weak marks stand between parts that are words of their own, as in « fin.Le », « soigné.e.s »."""
    parts = [part for part in regex.split(r"[.\-+]", core) if part]
    return len(parts) > 1 and all(part.isalpha() and fold(part) in vocabulary().common for part in parts)


def _unmasked(cleaned: CleanText, core: str, start: int) -> Edit | None:
    """« c*ncer », « g_érir », « c🌿ncer »: a sign for each letter that is hidden."""
    pattern, places = "", []
    for place, character in enumerate(core, start=start):
        if character.isalpha():
            pattern += fold(character)
        elif _BETWEEN.match(character) and character not in _WEAK:
            if unicodedata.category(character).startswith("M"):
                continue
            pattern += "."
        else:
            return None
        places.append(place)
    seen = len(pattern) - pattern.count(".")
    if seen < _LEAST_SEEN or seen <= len(pattern) // 2 or seen == len(pattern) or not pattern.isascii():
        return None
    word = unmasked(pattern)
    return letter_by_letter(cleaned, places, word) if word else None
