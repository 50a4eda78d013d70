"""Postal addresses of a text: streets with a number or a postal code, post boxes, where somebody is said to live.

A town alone is no address; nor is a street without number, unless the words say that somebody lives or works there.
"""

from collections.abc import Iterator
from typing import Final

import regex

Place = tuple[int, int]

_STREET: Final = (
    r"(?:rue|avenue|av\.?|boulevard|boul\.?|bd\.?|chemin|ch\.|impasse|all[ée]es?|route|rte|quai|square|faubourg|venelle|ruelle"
    r"|sentier|mont[ée]e|esplanade|rond-point|grande?[- ]rue|lotissement)"
)
#: What is a word of every day too: it wants a capital after it, or a town.
_SITE: Final = (
    r"(?:cours|place|pl\.|villa|cit[ée]|passage|promenade|traverse|voie|r[ée]sidence|hameau|lieu[- ]?dit|domaine|quartier"
    r"|z\.?[ai]\.?|zac)"
)
_WAY: Final = rf"(?:{_STREET}|{_SITE})"
_CAPITAL: Final = r"(?-i:\p{Lu})[\p{L}'’-]{1,30}"
_TOWN: Final = (
    rf"\d{{5}}[ \u00a0]\p{{L}}[\p{{L}}'’-]{{1,30}}"
    rf"(?:[ \u00a0](?:{_CAPITAL}|(?:sur|les|le|la|en|de|du|des|sous|aux?)[ \u00a0]{_CAPITAL})){{0,3}}"
)
_TAIL: Final = rf"[ ,–-]{{1,3}}{_TOWN}"
_OF: Final = r"(?:de la |de l['’]|du |des |de |d['’]|la |le |les |l['’])?"
_STOP: Final = r"(?=[\n,;!?():.–]| -|$)"
_WORDS: Final = r"[^\n,;!?()–:.]"
_NUMBERED: Final = regex.compile(
    r"(?<![\d\w])\d{1,4}(?: ?(?:bis|ter|quater|[a-d])(?!\w))?,? "
    rf"(?:{_STREET}(?!\w){_WORDS}{{0,50}}?(?:{_TAIL}|{_STOP})"
    rf"|{_SITE}(?!\w){_WORDS}{{0,50}}?{_TAIL}"
    rf"|{_SITE} {_OF}(?-i:\p{{Lu}}){_WORDS}{{0,40}}?{_STOP})",
    regex.IGNORECASE,
)
_UNNUMBERED: Final = regex.compile(rf"(?<!\w){_WAY}(?!\w)[ \u00a0][^\n;!?()–]{{2,60}}?{_TAIL}", regex.IGNORECASE)
_BOX: Final = regex.compile(rf"(?<!\w)(?:BP|B\.P\.|CS|boîte postale) ?\d{{1,5}}(?:,? {_TOWN})?", regex.IGNORECASE)
#: Before a street without a number nor a town, what says that somebody lives or works there.
_LIVES: Final = regex.compile(
    r"(?:habite\w{0,4}|demeur\w{1,6}|domicili[ée]e?|loge\w{0,4}|re[çc]oi\w{1,4}|exerce\w{0,4}|adresse|cabinet|domicile"
    r"|chez (?:lui|elle|moi))[\s:,]{1,3}(?:au |à la |à l['’]|à |dans (?:la |le |l['’])?|sis |situ[ée]e? )?"
    rf"(?P<place>{_WAY}[ \u00a0]{_OF}\p{{L}}[\p{{L}}'’-]{{1,30}}(?:[ \u00a0]{_CAPITAL}){{0,2}}(?:,? à {_CAPITAL})?)",
    regex.IGNORECASE,
)
#: The building, before the number of the street.
_BUILDING: Final = regex.compile(
    r"(?:r[ée]sidence|r[ée]s\.|b[âa]t(?:iment|\.)?|immeuble|appartement|appt?\.?)[ \u00a0][^\n;!?()]{1,45}?,? ?$",
    regex.IGNORECASE,
)
_BEFORE: Final = 60


def addresses_in(text: str) -> Iterator[Place]:
    """Where a text gives a postal address (code points, end excluded); some may overlap."""
    for found in _NUMBERED.finditer(text):
        building = _BUILDING.search(text[max(0, found.start() - _BEFORE) : found.start()])
        yield found.start() - (len(building.group()) if building else 0), _trimmed(text, found.end())
    for pattern in (_UNNUMBERED, _BOX):
        yield from ((found.start(), _trimmed(text, found.end())) for found in pattern.finditer(text))
    yield from (found.span("place") for found in _LIVES.finditer(text))


def _trimmed(text: str, end: int) -> int:
    while end and text[end - 1] in " ,.:-–":
        end -= 1
    return end
