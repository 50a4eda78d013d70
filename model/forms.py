"""The forms under which a name may be written: plural, feminine, glued, as it is heard, and the words for who practises it.

« soin énergétique » is also « soins énergétiques » and « soinenergetique », « biodécodeur » also « biodécodeuses »,
« fasciathérapie » also « fasciathérapeute ».
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import Final

import regex

from model.text import clean, fold

_WORD: Final = regex.compile(r"[\p{L}\p{N}]+")
_WORD_OR_BAR: Final = regex.compile(r"[\p{L}\p{N}]+|\|")
# What has no plural in a phrase (« le | » is not « les | »).
_EXACT: Final = {"|": r"\|", "le": "le", "de": "de"}
_LEAST_VARIED: Final = 4

_LEAST_DERIVED: Final = 8
_LEAST_INFLECTED: Final = 4
_LEAST_SINGULAR: Final = 5
# Little words that take each other's place inside a name (« coupeur de feu », « coupeurs du feu »).
_LITTLE: Final = (
    frozenset(("de", "d", "du", "des")),
    frozenset(
        [
            "le",
            "la",
            "les",
            "l",
            "vos",
            "votre",
            "tes",
            "ton",
            "ta",
            "mes",
            "mon",
            "ma",
            "ses",
            "son",
            "sa",
            "nos",
            "notre",
            "leur",
            "leurs",
        ]
    ),
    frozenset(("au", "a", "aux")),
    frozenset(("un", "une")),
)
# Ends of the usual forms of verbs, folded; « boire » is the irregular one that names need.
_VERBS: Final = {"er": ("e", "es", "ent", "ez", "ait", "ant", "ee"), "ir": ("i", "it", "issent", "issait", "issant", "is")}
_DRINK: Final = frozenset(["boire", "boit", "bois", "boivent", "buvait", "buvant", "buvez", "boira", "bu"])
# From the end of the name of a practice to the ends of the words made from it; first that fits.
_DERIVED: Final = (
    ("therapie", ("therapeute", "therapeutique")),
    ("genealogie", ("genealogiste", "genealogique", "genealogue")),
    ("biologie", ("biologue",)),
    ("logie", ("logue", "logiste", "logique")),
    ("pathie", ("pathe", "pathique")),
    ("puncture", ("puncteur", "punctrice", "punctural")),
    ("pressure", ("presseur",)),
    ("esthesie", ("esthesiste", "esthesique")),
    ("sophie", ("sophe", "sophique")),
    ("kinergie", ("kinergiste",)),
    ("vorisme", ("vore", "voriste")),
    ("manisme", ("maniste", "manique")),
    ("anisme", ("aniste",)),
    ("nomancie", ("nomancien", "nomancienne")),
    ("tomancie", ("tomancien", "tomancienne")),
    ("decodage", ("decodeur", "decodeuse")),
)  # fmt: skip
# Masculine and feminine ends of words for people and of adjectives.
_AGENTS: Final = (("teur", "trice"), ("eur", "euse"), ("ien", "ienne"))
_ADJECTIVES: Final = (("el", "elle"), ("ien", "ienne"), ("if", "ive"), ("eux", "euse"), ("eur", "euse"), ("al", "aux"))


@lru_cache(maxsize=16384)
def forms_of(word: str, *, head: bool, alone: bool) -> frozenset[str]:
    """The folded forms of a folded word of a name.

    `head`: it comes first, so that its gender is its own; `alone`: the name has no other word, so that it is no verb.
    """
    if word == "boire" and not alone:
        return _DRINK
    for little in _LITTLE:
        if word in little:
            return little
    if len(word) < _LEAST_INFLECTED or not word.isalpha():
        return frozenset({word, f"{word}s", f"{word}x"})
    single = {word}
    if not alone and len(word) > _LEAST_INFLECTED and (ends := _VERBS.get(word[-2:])):
        single |= {word[:-2] + end for end in ends}
    if word.endswith("s") and not word.endswith("ss") and len(word) >= _LEAST_SINGULAR - (not head):
        single.add(word[:-1])
    if word.endswith("aux"):
        single.add(f"{word[:-3]}al")
    for one in tuple(single):
        single |= _derived(one) | _gendered(one, _AGENTS if head else _ADJECTIVES)
        if not head:
            single.add(one[:-1] if one.endswith("e") and len(one) > _LEAST_SINGULAR else f"{one}e")
    return frozenset(single | {form + end for form in single for end in "sx" if form[-1] not in "sx"})


def _derived(word: str) -> set[str]:
    if len(word) < _LEAST_DERIVED:
        return set()
    for end, others in _DERIVED:
        if word.endswith(end):
            return {word.removesuffix(end) + other for other in others}
    return set()


def _gendered(word: str, ends: tuple[tuple[str, str], ...]) -> set[str]:
    found = set()
    for masculine, feminine in ends:
        if word.endswith(masculine):
            found.add(word.removesuffix(masculine) + feminine)
        elif word.endswith(feminine):
            found.add(word.removesuffix(feminine) + masculine)
    return found


def name_forms(name: str) -> tuple[frozenset[str], ...]:
    """The forms of each word of a name."""
    words = words_of_name(name)
    return tuple(forms_of(word, head=place == 0, alone=len(words) == 1) for place, word in enumerate(words))


def words_of_name(name: str) -> list[str]:
    """The folded words of a name."""
    return _WORD.findall(fold(clean(name).text))


def glued_forms(words: Sequence[str], forms: Sequence[frozenset[str]]) -> Iterator[str]:
    """The words of a name written as one, each singular or plural, masculine or feminine; all forms of a single word."""
    if len(words) == 1:
        yield from forms[0]
        return
    ways = []
    for word, known in zip(words, forms, strict=True):
        usual = (word, f"{word}s", word[:-1], f"{word}e", f"{word}es")
        ways.append([word, *(form for form in usual[1:] if form in known and len(word) > _LEAST_VARIED)])
    ways = [way if place in (0, len(ways) - 1) else way[:1] for place, way in enumerate(ways)]
    yield from map("".join, product(*ways))


def any_of(phrases: Iterable[str]) -> regex.Pattern[str]:
    """A pattern for phrases among folded words, each between two spaces; a final `*` stands for any ending, plurals match.

    A bar stands for itself: a phrase may say what comes just before a name or just after it (« une | », « | de cristal »).

    Raises:
        ValueError: no phrase has a word.
    """
    parts = []
    for phrase in phrases:
        found = _WORD_OR_BAR.findall(fold(clean(phrase.replace("*", "ꙮ")).text))
        parts.append(" ".join(_EXACT.get(word) or (word[:-1] + r"\w*+" if word[-1] == "ꙮ" else word + "[sx]?") for word in found))
    if not any(parts):
        raise ValueError("Aucun mot dans la liste.")
    return regex.compile(f" (?:{'|'.join(filter(None, parts))})(?= )")
