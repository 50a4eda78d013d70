"""A dossier as an accessible PDF (PDF/UA-1): tagged, in French, with its title and headings; the compiler is in the library.

Its fonts come with it (Libertinus Serif, under the SIL Open Font License; DejaVu Sans Mono and New Computer Modern, free too)
and the machine's are left aside, so that the same dossier gives the same file everywhere. What they lack is written by code.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from threading import Lock
from typing import Any, Final

from service.cases.blocks import Block, Inline, bullets, heading, line, para
from service.typeset import TypesetError, typeset

_TEMPLATE: Final = "dossier.typ"
_GLYPHS: Final = "glyphs.typ"
_PLAIN: Final = frozenset(map(chr, (*range(0x20, 0x7F), *range(0xA0, 0xAD), *range(0xAE, 0x180)))) | {"\n"}
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
#: Say how the sign before is drawn, in colours or not; they are nothing to read by themselves.
_SELECTORS: Final = frozenset(map(chr, (0xFE0E, 0xFE0F)))
_WORD: Final = re.compile(r"[^\s-]{33,}")
_CUT: Final = 16
_MOST_TRIES: Final = 200
_REFUSED: Final = re.compile(r"the text `\"(.*?)\"` could not be displayed", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\u\{([0-9a-fA-F]+)\}")
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_lock: Final = Lock()
_known: Final[dict[str, bool]] = {}


def pdf_of(title: str, blocks: Sequence[Block], *, author: str, header: str, footer: str, at: datetime) -> bytes:
    """The document as PDF/UA-1; `at` is the instant written in it.

    Raises:
        TypesetError: the compiler refuses it.
    """
    showable = _showable(_characters(title, header, footer, *_strings(blocks)))
    for _ in range(_MOST_TRIES):
        data = _data(title, blocks, author, header, footer, showable)
        try:
            return typeset(_TEMPLATE, data, at=at)
        except TypesetError as error:
            refused = _refused(error) & showable
            if not refused:
                raise
            # Signs that a font has alone may be refused together.
            showable = showable - refused
    raise TypesetError("Le document ne peut pas être composé : trop de signes que les polices n'ont pas.")


def _data(title: str, blocks: Sequence[Block], author: str, header: str, footer: str, showable: frozenset[str]) -> dict[str, Any]:
    coded: set[str] = set()

    def inline(runs: Inline) -> list[tuple[str, str]]:
        return [piece for run in runs for piece in _written(run, showable, coded)]

    made = [_block(block, inline) for block in blocks]
    heads = inline(line(title)), _flat(inline(line(header))), _flat(inline(line(footer)))
    if coded:
        names = [line(f"U+{ord(one):04X} : {unicodedata.name(one, 'sans nom').lower()}") for one in sorted(coded)[:200]]
        known = [heading(1, "Signes écrits par leur code"), para("Noms de la norme Unicode, en anglais."), bullets(names)]
        made += [_block(block, inline) for block in known]
    return {"title": title, "author": author, "heading": heads[0], "header": heads[1], "footer": heads[2], "blocks": made}


def _flat(runs: Sequence[tuple[str, str]]) -> str:
    return "".join(text for _, text in runs).replace("\n", " ")


def _block(block: Block, inline: Any) -> Block:
    """A block whose runs are written with what the fonts have."""
    made = dict(block)
    if "inline" in made:
        made["inline"] = inline(made["inline"])
    if "items" in made:
        made["items"] = [inline(item) for item in made["items"]]
    if made["k"] == "facts":
        made["rows"] = [[name, inline(value)] for name, value in made["rows"]]
    if made["k"] == "table":
        made["rows"] = [[inline(cell) for cell in row] for row in made["rows"]]
    if "pieces" in made:
        made["pieces"] = [dict(piece) | {"inline": inline(line(piece["text"]))} for piece in made["pieces"]]
    return made


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _strings(one)


def _characters(*texts: str) -> set[str]:
    found: set[str] = set()
    return found.union(*texts) if texts else found


def _written(run: tuple[str, str], showable: frozenset[str], coded: set[str]) -> Iterable[tuple[str, str]]:
    """A run with codes where a sign cannot be shown, and places where long words may be cut."""
    style, text = run
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", "    ")
    text = "".join(one for one in text if one not in _SELECTORS)
    place = 0
    for found in _codes(text, showable):
        yield from _cut(style, text[place : found[0]])
        hidden = text[found[0] : found[1]]
        coded |= set(hidden)
        for first in range(0, len(hidden), 4):
            yield "z", ""
            yield "u", "⟦" + " ".join(f"U+{ord(one):04X}" for one in hidden[first : first + 4]) + "⟧"
        yield "z", ""
        place = found[1]
    yield from _cut(style, text[place:])


def _codes(text: str, showable: frozenset[str]) -> Iterable[tuple[int, int]]:
    start: int | None = None
    for place, one in enumerate(text):
        if one in _PLAIN or one in showable:
            if start is not None:
                yield start, place
            start = None
        elif start is None:
            start = place
    if start is not None:
        yield start, len(text)


def _cut(style: str, text: str) -> Iterable[tuple[str, str]]:
    place = 0
    for found in _WORD.finditer(text):
        if place < found.start():
            yield style, text[place : found.start()]
        word = found.group()
        for first in range(0, len(word), _CUT):
            if first:
                yield "z", ""
            yield style, word[first : first + _CUT]
        place = found.end()
    if place < len(text):
        yield style, text[place:]


def _showable(characters: set[str]) -> frozenset[str]:
    """Which of these signs the fonts have; asked of the compiler once for each sign."""
    with _lock:
        unknown = []
        for one in characters - _PLAIN - set(_known):
            if unicodedata.category(one) in _HIDDEN or _ideograph(one):
                _known[one] = False
            else:
                unknown.append(one)
        _probe(sorted(unknown))
        return frozenset(one for one in characters if _known.get(one))


def _ideograph(one: str) -> bool:
    """Whether a sign is of a large script that none of the fonts has: no need to ask for each."""
    code = ord(one)
    return (
        0x2E80 <= code <= 0xA4CF
        or 0xAC00 <= code <= 0xD7FF
        or 0xF900 <= code <= 0xFAFF
        or 0x17000 <= code <= 0x1BFFF
        or code >= 0x20000
    )


def _probe(signs: Sequence[str]) -> None:
    """Ask for several signs at once; halve where one is refused."""
    if not signs:
        return
    try:
        said = " ".join("a" + one if unicodedata.combining(one) else one for one in signs)
        typeset(_GLYPHS, {"said": said}, at=_EPOCH)
    except TypesetError:
        if len(signs) == 1:
            _known[signs[0]] = False
            return
        middle = len(signs) // 2
        _probe(signs[:middle])
        _probe(signs[middle:])
    else:
        _known.update(dict.fromkeys(signs, True))


def _refused(error: TypesetError) -> frozenset[str]:
    found = _REFUSED.search(str(error))
    if not found:
        return frozenset()
    return frozenset(_ESCAPED.sub(lambda code: chr(int(code.group(1), 16)), found.group(1)))
