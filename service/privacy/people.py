"""Names of people in a text, beside those that the French pipeline finds: first names, what announces a name, signatures.

A name may be in small letters (« demandez corinne »), in capitals, before its first name (« LE GOFF Anne »), or alone at the end.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import regex

from model.text import fold
from service.cases.names import announced, names_a_practice, practice_words, titled
from service.privacy.lexicon import lexicon

Place = tuple[int, int]

_WORD: Final = regex.compile(r"\p{L}+(?:-\p{L}+)*")
_SACRED: Final = ("saint", "sainte", "notre")
#: What may stand between an announcement and a name.
_GAPS: Final = (" ", "\u00a0", ". ", ", ", " : ", "'", "’")
_LETTERED: Final = ("vitamine", "vitamines", "hepatite", "groupe", "type")
#: « un olivier » is no Olivier.
_ARTICLES: Final = ("un", "une", "mon", "ton", "son", "ce", "cet", "cette", "deux", "au", "aux")
_AROUND: Final = 30
_ACRONYM: Final = 7
_CLOSING: Final = 6
_SIGNED: Final = 4
_LEAST: Final = 3
_LEAST_LOWER: Final = 4
_MOST: Final = 4


@dataclass(frozen=True, slots=True)
class Word:
    """A word with its place and its folded form; `parts` are those of a compound."""

    start: int
    end: int
    text: str
    folded: str

    @property
    def parts(self) -> list[str]:
        """The words of a compound."""
        return self.folded.split("-")

    @property
    def capital(self) -> bool:
        """Whether it begins with a capital."""
        return self.text[0].isupper()

    @property
    def shouted(self) -> bool:
        """Whether it is all capitals, and not one letter."""
        return len(self.text) > 1 and self.text.isupper()


def names_in(text: str) -> list[Place]:
    """Where a text names people by these signs (code points, end excluded), sorted; some may overlap."""
    words = [Word(*found.span(), found.group(), fold(found.group())) for found in _WORD.finditer(text)]
    found = {*_by_first_names(text, words), *_by_announcement(text, words), *_signatures(text), *_initials(text, words)}
    found |= {place for place in announced(text) if not is_nobody(text, place)}
    found |= {place for start, place in titled(text) if not _is_held(text, start)}
    return sorted(found)


def widened(text: str, place: Place) -> Place | None:
    """A place that the pipeline took for a person, on one line and with whole words; None where it names nobody."""
    start, end = place
    cut = text.find("\n", start, end)
    end = cut if cut > start else end
    while end < len(text) and (text[end].isalpha() or (text[end] == "-" and text[end + 1 : end + 2].isalpha())):
        end += 1
    while start > 0 and (text[start - 1].isalpha() or (text[start - 1] == "-" and text[start - 2 : start - 1].isalpha())):
        start -= 1
    start = _without_heading(text, start, end)
    return None if start >= end or is_nobody(text, (start, end)) else (start, end)


def _without_heading(text: str, start: int, end: int) -> int:
    """Where a name begins that the pipeline took with the word before: « Témoignage de Corentin », « Interphone Perrin »."""
    words = [Word(*found.span(), found.group(), fold(found.group())) for found in _WORD.finditer(text, start, end)]
    lists = lexicon()
    headed = False
    for word in words[:-1]:
        common = word.folded in lists.frequent and word.folded not in lists.names | lists.particles
        common = common or word.folded in lists.strong or word.folded in lists.titles
        if not common and not (headed and word.folded in lists.particles and not word.capital):
            return word.start
        headed = True
    return words[-1].start if words else start


def is_nobody(text: str, place: Place) -> bool:
    """Whether what looks like a name is a figure's, a saint's, a street's, a practice's or made of ordinary words."""
    lists = lexicon()
    words = [fold(found.group()) for found in _WORD.finditer(text, *place)]
    parts = [part for word in words for part in word.split("-") if part not in lists.particles and part not in lists.titles]
    if not parts or parts[0] in lists.holders or words[0].split("-")[0] in _SACRED:
        return True
    if any(part in lists.figures for part in parts) or _is_held(text, place[0]):
        return True
    if len(parts) == 1 and (parts[0] in lists.feasts or (parts[0] not in lists.names and _is_acronym(text, place))):
        return True
    if not all(part in practice_words() or (part in lists.frequent and part not in lists.names) for part in parts):
        return False
    # « Patrick » is a word of the name of a practice, and somebody wherever that name is not written.
    return lists.names.isdisjoint(parts) or names_a_practice(text, place)


def _is_acronym(text: str, place: Place) -> bool:
    written = text[slice(*place)].split()[-1]
    shouted = text[max(0, place[0] - _AROUND) : place[0]].isupper()
    return written.isupper() and len(written) <= _ACRONYM and not shouted


def _is_held(text: str, start: int) -> bool:
    """Whether a street, a school, a saint… is what the name before is of: « rue de la République », « lycée Marie-Curie »."""
    before = [fold(found.group()) for found in _WORD.finditer(text, max(0, start - 40), start)]
    gap = text[max(0, start - 40) : start]
    if "\n" in gap[-2:] or gap.rstrip(" '’-").endswith((".", ",", ":", ";", "!", "?", "(", ")", "»")):
        return False
    while before and before[-1] in lexicon().links:
        before.pop()
    return bool(before) and before[-1].split("-")[-1] in lexicon().holders


def _by_first_names(text: str, words: Sequence[Word]) -> Iterator[Place]:
    lists = lexicon()
    after = 0
    for index, word in enumerate(words):
        if word.start < after:
            continue
        head = word.parts[0]
        sure = head in lists.plain
        if not (sure or head in lists.words) or head in lists.holders:
            continue
        last = _run(text, words, index)
        if not sure and not (word.capital and (last > index or _is_announced(text, words, index, sure=False))):
            continue
        if not word.capital and not _is_announced(text, words, index):
            before = words[index - 1].folded if index else ""
            if len(word.text) < _LEAST_LOWER or before in lists.links or before in _ARTICLES:
                continue
        first = _family_before(text, words, index) if word.capital else index
        place = words[first].start, _with_initial(text, words[last].end)
        if not is_nobody(text, place):
            after = place[1]
            yield place


def _run(text: str, words: Sequence[Word], index: int) -> int:
    """The last word of the name that begins with this first name."""
    lists = lexicon()
    last = index
    for place in range(index + 1, min(index + _MOST, len(words))):
        word, gap = words[place], text[words[place - 1].end : words[place].start]
        if gap not in (" ", "\u00a0", "'", "’") or (gap in ("'", "’") and words[place - 1].folded not in ("d", "l", "o")):
            break
        if word.folded in lists.particles and place + 1 < len(words) and words[place + 1].capital:
            continue
        common = word.folded in lists.frequent
        if words[index].shouted and word.shouted:
            follows = not common or word.folded in lists.names
        elif words[index].capital:
            follows = word.capital and len(word.text) > 1 and not (common and word.folded not in lists.names and word.shouted)
        else:
            follows = not word.capital and not common and len(word.text) >= _LEAST and word.folded not in practice_words()
        if not follows:
            break
        last = place
    return last


def _family_before(text: str, words: Sequence[Word], index: int) -> int:
    """The first word of a family name that stands before its first name: « GUILLEMIN Odette », « Sauvageot, Benoît »."""
    lists = lexicon()
    first = index
    while first > 0 and index - first < _LEAST:
        word, gap = words[first - 1], text[words[first - 1].end : words[first].start]
        fits = gap in (" ", "\u00a0") or (gap == ", " and first == index and _begins_line(text, word.start))
        particle = word.folded in lists.particles and first < index
        family = word.folded not in lists.frequent and word.folded not in practice_words()
        heading = word.folded in lists.holders or word.folded in lists.titles
        if not fits or not word.capital or heading or not (family or particle):
            break
        first -= 1
    return first


def _begins_line(text: str, start: int) -> bool:
    line = text[text.rfind("\n", 0, start) + 1 : start].rstrip()
    return not line or line[-1] in ".:;!?–—-•|"


def _is_announced(text: str, words: Sequence[Word], index: int, *, sure: bool = True) -> bool:
    """Whether the word before says that somebody is named; `sure`: the word is a first name and nothing else."""
    if index == 0:
        return False
    lists, before = lexicon(), words[index - 1]
    gap = text[before.end : words[index].start]
    if "\n" in gap or any(mark in gap for mark in ".;!?"):
        return False
    proposed = before.folded in lists.proposes or (sure and before.folded in lists.weak)
    pair = _pair(words, index)
    return proposed or before.folded in lists.strong | lists.titles or pair in lists.pairs | lists.capital_pairs


def _pair(words: Sequence[Word], index: int) -> str:
    """The two words before a word."""
    return " ".join(word.folded for word in words[max(0, index - 2) : index])


def _by_announcement(text: str, words: Sequence[Word]) -> Iterator[Place]:
    lists = lexicon()
    for index in range(1, len(words)):
        before, word, pair = words[index - 1], words[index], _pair(words, index)
        gap = text[before.end : word.start]
        if len(word.text) < _LEAST or gap not in _GAPS:
            continue
        titled = before.folded in lists.titles and (len(before.text) > 1 or before.capital)
        titled = titled and (word.capital or (before.folded not in lists.trades and gap != ", "))
        strong = before.folded in lists.strong or pair in lists.pairs
        if not (titled or strong or (word.capital and pair in lists.capital_pairs)):
            continue
        if gap in ("'", "’") and not (pair in lists.pairs or pair in lists.capital_pairs):
            continue
        ordinary = word.folded in lists.frequent or word.folded in practice_words()
        if ordinary and not (titled and word.capital):
            continue
        place = word.start, _with_initial(text, words[_run(text, words, index)].end)
        if not is_nobody(text, place):
            yield place


def _with_initial(text: str, end: int) -> int:
    """The end of a name with the initial that follows it: « Nathalie R. »."""
    found = _INITIAL_LAST.match(text, end)
    return found.end() if found else end


_INITIAL_LAST: Final = regex.compile(r"[ \u00a0]\p{Lu}\.?(?![\p{L}\d'’])")
_INITIAL_FIRST: Final = regex.compile(
    r"(?<![\w.])\p{Lu}\.[ \u00a0]?(?:\p{Lu}\.[ \u00a0]?)?\p{Lu}\p{L}{2,30}(?:-\p{Lu}\p{L}{1,30})?"
)


def _initials(text: str, words: Sequence[Word]) -> Iterator[Place]:
    """« D. Chauvelot », where the letter is not that of a vitamin or a group."""
    for found in _INITIAL_FIRST.finditer(text):
        before = [word.folded for word in words if word.end <= found.start()][-1:]
        name = fold(found.group().split(".")[-1].strip())
        if name not in lexicon().frequent and not (
            before and before[0] in ("vitamine", "vitamines", "hepatite", "groupe", "type")
        ):
            yield found.span()


_LINE: Final = regex.compile(r"[^\n]+")
_SIGNATURE: Final = regex.compile(
    r"[\s–—-]*(?P<names>\p{Lu}[\p{L}'’-]{1,30}(?:[ \u00a0](?:\p{Lu}[\p{L}'’-]{1,30}|\p{Lu}\.|de|d'|le|la|et|&)){0,4})[\s.,!]*"
)


def _signatures(text: str) -> Iterator[Place]:
    """A short line of capitalised words after a closing formula, or after « -- »."""
    lines = list(_LINE.finditer(text))
    for before, line in pairwise(lines):
        said = regex.split(r"[.!?…] ", before.group().strip())[-1]
        closes = said in ("--", "—", "–") or (said.endswith((",", ":")) and len(said.split()) <= _CLOSING)
        found = _SIGNATURE.fullmatch(line.group()) if closes else None
        if found is None or len(found["names"].split()) > _SIGNED:
            continue
        place = line.start() + found.start("names"), line.start() + found.end("names")
        if not all(fold(word) in practice_words() for word in found["names"].split()):
            yield place
