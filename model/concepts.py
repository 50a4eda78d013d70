"""A sentence as a stream of concepts: table entries by their class, other words by their stem, punctuation that matters.

« Mon eczéma a enfin disparu » and « sa sclérose avait enfin disparu » are one sequence here, so that what is learned of one holds
for the other. Stems are those of Snowball for French (Porter, 2001), on folded words.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from snowballstemmer import stemmer

from model.document import Document, Unit
from model.phrases import Hit, Token
from model.text import Span

_MARKS: Final = '?!:,;()"«»'
_STEMMER: Final = stemmer("french")
_NUMBER: Final = "0"


@lru_cache(maxsize=100_000)
def stem(word: str) -> str:
    """The stem of a folded word; numbers all have the same one."""
    return _NUMBER if word.isdigit() else str(_STEMMER.stemWord(word))


def concepts(
    document: Document, unit: Unit, hits: Sequence[tuple[Hit, bool]], classes_of: Callable[[Hit], tuple[str, ...]]
) -> tuple[tuple[str, ...], tuple[Span, ...]]:
    """The concepts of a unit, in order, and the range of each in the clean text.

    `hits` are the unit's table hits with whether each is negated (then marked `!`).
    """
    owner: dict[int, tuple[Hit, bool]] = {}
    for hit, negated in hits:
        for index in range(hit.first, hit.after):
            held = owner.get(index)
            if classes_of(hit) and (held is None or held[0].after - held[0].first < hit.after - hit.first):
                owner[index] = (hit, negated)
    stream: list[tuple[str, Span]] = []
    previous: Hit | None = None
    last = unit.span.start
    for index in range(unit.first, unit.after):
        token = document.tokens[index]
        stream += _marks(document.text, last, token.span.start)
        last = token.span.end
        held = owner.get(index)
        if held and held[0] is previous:
            continue
        previous = held[0] if held else None
        stream.append((_concept(token, held, classes_of), held[0].span if held else token.span))
    stream += _marks(document.text, last, unit.span.end)
    return tuple(name for name, _ in stream), tuple(span for _, span in stream)


def _concept(token: Token, held: tuple[Hit, bool] | None, classes_of: Callable[[Hit], tuple[str, ...]]) -> str:
    if held is None:
        return stem(token.text)
    # The last class is the most telling one: a grave illness before an illness before a condition.
    return ("!" if held[1] else "") + classes_of(held[0])[-1].upper()


def _marks(text: str, start: int, end: int) -> list[tuple[str, Span]]:
    return [(text[place], Span(place, place + 1)) for place in range(start, end) if text[place] in _MARKS]
