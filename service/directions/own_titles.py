"""Whether a title that a text names is its author's: in the first person, at its head, or as a signature; in doubt, it is not.

`model.authors` judges the same thing the other way round: in doubt it is the author's, so that a person looks. Here an order
would be told of it, by predictions of any model, older ones among them: both judgements are needed. Of 143 texts of the corpus
that the model gives a regulated title to (3,500 drawn), this one follows 83; most of the others name somebody else's title.
"""

from typing import Final

import regex

from model.text import fold

_BEFORE: Final = 80
_AFTER: Final = 60
_SIGNED: Final = 120
_STOP: Final = regex.compile(r"(?<![!?…])[!?…]+\s|(?<!\b(?:dr|pr|m|mr|mme|mlle))\.\s|\n")
_SELF: Final = regex.compile(
    r"(?:\b(?:je suis|j'exerce|nous sommes|en tant qu(?:e|')|moi,?|suis)(?!\w)|\bje,)"
    r"(?:\s*(?:un|une|deux|trois|aussi|egalement|d'abord|toujours|donc|moi-meme|diplome\w*|la|le|votre|docteure?|dr|en|,)){0,3}\s*$"
)
_NOT_NOW: Final = regex.compile(
    r"(?:\b(?:pas|plus|jamais|ni|ancien(?:ne)?s?|ex|etudiante?s?|futur\w*|fille|fils|femme|mari|mere|pere|soeur|frere|radie\w*)\b"
    r"(?:\W+\p{L}+){0,2}\W*|\bex-\s*)$"
)
_OTHERS: Final = regex.compile(
    r"\b(?:votre|vos|ton|ta|tes|leurs?|quels?|quelles?|les|des|ces|cet|cette|ses|son|sa|mes|mon|ma|nos|aucune?|chaque|plusieurs|aux?"
    r"|du|chez|avec|par|vers|un|une|le|la|l'|d'|de|tout|tous|deux|trois|quatre|cinq|six|sept|huit|neuf|dix|\w+-(?:deux|neuf|huit)"
    r"|onze|douze|quinze|vingt|trente|cent|\d+)\s*(?:\p{L}+\s*){0,1}$"
)
_WORD: Final = r"\p{Lu}[\p{L}'’.-]*"
_HEAD: Final = regex.compile(
    rf"^[\s#*•–—-]*+(?:(?i:cabinet du|bonjour)[ ,]*+)?(?:{_WORD}[ ]){{0,3}}(?:{_WORD})?\s*+(?:[,(:–—|-]\s*+)?$"
)
_SPEAKS: Final = regex.compile(r"^[^.!?\n]{0,60}?[,:–—-]?\s*\b(?:je|j'|nous vous|mon cabinet|notre cabinet|me)\b")
_ASKED: Final = regex.compile(r"^\s*[?]|^[^.!\n]{0,20}\?")
_TELLS: Final = regex.compile(r"^[^.\n]{0,40}(?:«|\")|^\s*:\s*[«\"]")
_SINGULAR: Final = regex.compile(r"(?:[^sx]|\bos|corps)$")


def is_own(text: str, start: int, end: int) -> bool:
    """Whether the title in code points `start` to `end` of a text is given by the author as theirs."""
    before, after = text[max(0, start - _BEFORE) : start], text[end : end + _AFTER]
    if _quoted(text, start):
        return False
    clause = before[max((one.end() for one in _STOP.finditer(fold(before))), default=0) :] if _same_length(before) else before
    folded = fold(clause)
    if _NOT_NOW.search(folded):
        return False
    if _SELF.search(folded):
        return True
    if not is_single(text[start:end]) or _OTHERS.search(folded) or _ASKED.search(after):
        return False
    # A name before a title at the head of a sentence is the author's only at the head of the text, or as its signature.
    if clause.strip() and start - len(clause) > 0:
        signed = len(text) - end <= _SIGNED and _HEAD.search(clause) is not None
        return (signed and not _TELLS.search(after)) or _SPEAKS.search(fold(after)) is not None
    return _HEAD.search(clause) is not None and not _TELLS.search(after)


def is_single(title: str) -> bool:
    """Whether a title is one person's, by its last letter: « médecins » is nobody's own."""
    return bool(_SINGULAR.search(fold(title).strip()))


def _same_length(text: str) -> bool:
    return len(fold(text)) == len(text)


def _quoted(text: str, start: int) -> bool:
    opened, closed = text.rfind("«", 0, start), text.rfind("»", 0, start)
    return (opened > closed and text.find("»", start) >= 0) or (text.count('"', 0, start) % 2 == 1 and text.find('"', start) >= 0)
