"""What a text may hold that a program obeys instead of showing: formulas, turning marks, orders to a terminal."""

from typing import Any, Final

#: What begins a formula, wide forms included: some spreadsheet programs take them for the others.
FORMULA_SIGNS: Final = "=+-@\t\r\n＝＋－＠"
#: Embeddings, overrides and isolates of Unicode, which show what follows in another order than it is written in.
_TURNING: Final = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
#: What stands in their place, one for one, so that places in a text stay what they are.
MARK: Final = "\N{SYMBOL FOR SUBSTITUTE FORM TWO}"
_TABLE: Final = str.maketrans(dict.fromkeys(_TURNING, MARK))
#: What a terminal obeys: everything below the space but tabulations and line breaks, and the second set of controls.
_CONTROLS: Final = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)), MARK)
_PRINTABLE: Final = _TABLE | _CONTROLS
_ESCAPED: Final = str.maketrans({one: f"\\u{ord(one):04x}" for one in _TURNING})


def spreadsheet_cell(value: Any) -> Any:
    """A value that a spreadsheet program shows as it is: behind an apostrophe where it would be computed."""
    return f"'{value}" if isinstance(value, str) and value.startswith(tuple(FORMULA_SIGNS)) else value


def in_order(value: Any) -> Any:
    """A value whose text is shown in the order in which it is written; the marks that would turn it are shown instead."""
    if not isinstance(value, str) or value.isascii():
        return value
    return value.translate(_TABLE)


def printable(value: str) -> str:
    """A text as a terminal may be given it: nothing in it moves, colours or asks."""
    return value.translate(_PRINTABLE)


def in_order_json(content: str) -> str:
    """The same JSON, its turning marks escaped: read back, they are there; seen, they do nothing."""
    return content if content.isascii() else content.translate(_ESCAPED)
