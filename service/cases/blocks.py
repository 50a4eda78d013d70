"""What a dossier is made of once laid out: headings, paragraphs, lists, tables; PDF and DOCX are two renderings of it."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final

from service.pages import instant, number

#: A run of characters in one style: "" plain, "b" strong, "i" emphasis, "c" code, "s" small.
Run = tuple[str, str]
Inline = list[Run]
Block = dict[str, Any]

_MONTHS: Final = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)
_HARD: Final = "\u00a0"


_SHORT: Final = 1_200


def line(*parts: str | Run) -> Inline:
    """Runs, from strings and styled runs; empty ones are left out."""
    return [("", part) if isinstance(part, str) else part for part in parts if part and (isinstance(part, str) or part[1])]


def bold(text: str) -> Run:
    """Strong."""
    return ("b", text)


def code(text: str) -> Run:
    """A hash, an identifier."""
    return ("c", text)


def heading(level: int, text: str, *, fresh: bool = False) -> Block:
    """A heading of level 1 to 3; `fresh`: on a new page."""
    return {"k": "heading", "level": level, "inline": line(text), "fresh": fresh}


def para(*parts: str | Run, kind: str = "plain") -> Block:
    """A paragraph: plain, small, lead, or box (set apart by a frame)."""
    return {"k": "para", "kind": kind, "inline": line(*parts)}


def bullets(items: Sequence[Inline], *, ordered: bool = False) -> Block:
    """A list."""
    return {"k": "list", "ordered": ordered, "items": list(items)}


def facts(rows: Sequence[tuple[str, Inline]]) -> Block:
    """Names and what each is; rows without a value are left out."""
    kept = [[name, inline] for name, inline in rows if inline]
    # Short ones stay on one page; a long one could not.
    return {"k": "facts", "rows": kept, "whole": sum(len(text) for _, inline in kept for _, text in inline) < _SHORT}


def table(caption: str, head: Sequence[str], rows: Sequence[Sequence[Inline]], widths: Sequence[int]) -> Block:
    """A table with a line of headers; `widths` are shares of the page's width."""
    return {"k": "table", "caption": caption, "head": list(head), "rows": [list(row) for row in rows], "widths": list(widths)}


def quoted(pieces: Sequence[dict[str, Any]]) -> Block:
    """A text as it was received, cut in pieces of `text`, `signs` (numbers over it) and `ends` (numbers that end with it)."""
    return {"k": "quoted", "pieces": list(pieces)}


def moment(value: str | None) -> str:
    """An instant in ISO form, for people."""
    return instant(datetime.fromisoformat(value)) if value else "non datée"


def day(value: str) -> str:
    """A day in ISO form, for people: « 3 mars 2026 »."""
    found = date.fromisoformat(value)
    first = "1er" if found.day == 1 else str(found.day)
    return f"{first}{_HARD}{_MONTHS[found.month - 1]} {found.year}"


def share(value: dict[str, Any] | None) -> str:
    """A share that was measured, with its bounds: « 161/197, soit 82 % (intervalle à 95 % : 76 à 86 %) »."""
    if not value:
        return "non mesuré"
    parts = [f"{100 * value[name]:.0f}" for name in ("value", "low", "high")]
    bounds = f"intervalle à 95{_HARD}% : {parts[1]} à {parts[2]}{_HARD}%"
    return f"{number(value['hits'])} sur {number(value['total'])}, soit {parts[0]}{_HARD}% ({bounds})"


def plural(count: int, one: str, many: str | None = None) -> str:
    """A count and its noun."""
    return f"{number(count)}{_HARD}{one if count < 2 else many or one + 's'}"
