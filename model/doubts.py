"""What the words around a doubtful name, and the way it is written, tell about it: a practice, or something else."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import regex

from model.forms import any_of
from model.phrases import Token
from model.tables import Doubt
from model.text import Span
from model.words import vocabulary

_CARE: Final = "@soin"
_BAR: Final = "|"
_MANY: Final = 2
# Words before a capitalised name that make it a person's or a street's.
_BEFORE_SURNAME: Final = frozenset(
    (
        "m", "mr", "mme", "mlle", "madame", "monsieur", "mademoiselle", "rue", "avenue", "boulevard", "place", "quai", "impasse",
        "square", "famille", "maitre", "coach", "dr", "docteur", "docteure", "professeur", "notre",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Rules:
    """What tells a doubtful name: words for it, words against it, and phrases (with a bar) that settle that it is not meant.

    Words of care speak for a name that asks for none. Patterns are made when first needed: a text brings few of 400 doubts.
    """

    doubt: Doubt
    care_words: tuple[str, ...]

    @cached_property
    def needs(self) -> regex.Pattern[str]:
        """The words for it."""
        needs = self.doubt.needs or (_CARE,)
        return any_of([word for need in needs for word in (self.care_words if need == _CARE else (need,))])

    @cached_property
    def unless(self) -> regex.Pattern[str] | None:
        """The words against it."""
        words = [phrase for phrase in self.doubt.unless if _BAR not in phrase]
        return any_of(words) if words else None

    @cached_property
    def never(self) -> regex.Pattern[str] | None:
        """The phrases with a bar."""
        barred = [phrase for phrase in self.doubt.unless if _BAR in phrase]
        return any_of(barred) if barred else None

    def tell(self, around: str, spelt: bool | None, neighbours: int) -> bool:
        """Whether the name is meant.

        `around`: the folded words around, each between two spaces, with a bar where the name stands; `spelt`: whether it is
        written as the doubt asks, None where the text cannot tell; `neighbours`: what the practices named near weigh.
        """
        if self.never and self.never.search(around):
            return False
        told, against = count_of(self.needs, around), count_of(self.unless, around) if self.unless else 0
        if spelt is None:
            return bool(self.doubt.needs) and told > against
        if not spelt:
            return self.doubt.written != "accent" and bool(self.doubt.needs) and not against and told >= _MANY
        told += neighbours
        if against:
            return told > against
        return bool(told) or self.doubt.usual or self.doubt.written == "accent" or not self.doubt.needs


def count_of(pattern: regex.Pattern[str], around: str) -> int:
    """How many different words or phrases of a pattern stand in folded words, each between two spaces."""
    return len(set(pattern.findall(around, overlapped=True))) if pattern.search(around) else 0


def spelt_so(written: str, name: str, span: Span, text: str) -> bool | None:
    """Whether what stands at a place of a text is written as a doubt asks (`Doubt.written`) for this name.

    None where accents are asked and the text, or the place in capitals, has none: they may be left out here too.
    """
    shown = text[span.start : span.end]
    if written in ("upper", "capital") and text.islower():
        return True  # who writes without any capital leaves it out here too
    if written == "upper":
        return shown.isupper()
    if written == "capital":
        return shown[0].isupper()
    if written == "accent" and not _accents(name) <= _accents(shown):
        return None if shown.isupper() or not any(_accents(text)) else False
    return True


def _accents(text: str) -> frozenset[str]:
    """The accented letters of a text, in lower case."""
    return frozenset(c for c in text.lower() if len(unicodedata.normalize("NFD", c)) > 1)


def is_surname(first: int, text: str, tokens: Sequence[Token]) -> bool:
    """Whether the capitalised token at this place follows a first name, a form of address or « rue »."""
    if not first or not text[tokens[first].span.start].isupper():
        return False
    before = tokens[first - 1]
    if text[before.span.end : tokens[first].span.start] not in (" ", ". "):
        return False
    shown = text[before.span.start : before.span.end]
    # A capital at the beginning of a sentence tells nothing.
    begins = before.span.start == 0 or text[: before.span.start].rstrip()[-1:] in ("", ".", "!", "?", ":", "\n")
    first_name = not begins and shown[0].isupper() and shown[1:].islower() and before.text not in vocabulary().common
    return before.text in _BEFORE_SURNAME or first_name
