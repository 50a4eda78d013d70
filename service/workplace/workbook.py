"""Everything as a workbook: rows go to a temporary file, then to sheets, so that nothing is held in memory and nothing cut.

A cell holds 32 767 characters (UTF-16 units): what is longer goes on in further columns named after the first, « text (suite
2) », « text (suite 3) »…; how many there are is known once every row was seen.
"""

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import openpyxl
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from service.batch.outputs import XLSX_ROWS
from service.workplace.columns import guarded, part_name

#: Characters of a cell; half as many where some take two UTF-16 units. One is left for the guard.
_CELL: Final = 32_766
_WIDE: Final = _CELL // 2
_BASIC: Final = "\uffff"


def write_workbook(rows: Iterator[dict[str, Any]], path: Path) -> None:
    """Rows of `exports.everything` as a workbook: texts, decisions and further receptions, each on its sheet."""
    with tempfile.TemporaryFile("w+", encoding="utf-8", dir=path.parent) as kept:
        parts: dict[str, int] = defaultdict(lambda: 1)
        for row in rows:
            # The parts of each value are counted as they will be written.
            for name, value in _texts_row(row).items():
                parts[name] = max(parts[name], len(split(value)) if isinstance(value, str) else 1)
            kept.write(json.dumps(row, ensure_ascii=True) + "\n")
        kept.seek(0)
        _write((json.loads(line) for line in kept), parts, path)


def _write(rows: Iterator[dict[str, Any]], parts: Mapping[str, int], path: Path) -> None:
    from service.workplace.exports import COLUMNS, DECISION_FIELDS, RECEPTION_FIELDS

    book = openpyxl.Workbook(write_only=True)
    names = [name for name in COLUMNS if name not in ("decisions", "receptions")]
    header = [part_name(name, part) if part > 1 else name for name in names for part in range(1, parts.get(name, 1) + 1)]
    texts = _Sheets(book, "textes", header)
    decided = _Sheets(book, "décisions", ("item_id", *DECISION_FIELDS))
    again = _Sheets(book, "réceptions", ("item_id", *RECEPTION_FIELDS))
    for row in rows:
        values = _texts_row(row)
        texts.append([cell for name in names for cell in _cells(values[name], parts.get(name, 1))])
        for decision in row["decisions"]:
            decided.append_split([row["id"], *(_plain(decision[name]) for name in DECISION_FIELDS)])
        for reception in row["receptions"]:
            again.append_split([row["id"], *(reception[name] for name in RECEPTION_FIELDS)])
    book.save(path)


def _texts_row(row: Mapping[str, Any]) -> dict[str, Any]:
    from service.workplace.exports import COLUMNS, flat

    return {name: value for name, value in zip(COLUMNS, flat(row), strict=True) if name not in ("decisions", "receptions")}


def _plain(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value


def split(value: str) -> list[str]:
    """A value in parts that a cell can hold, without the characters that the format forbids; one part at least."""
    allowed = ILLEGAL_CHARACTERS_RE.sub("", value)
    size = _CELL if max(allowed, default="") <= _BASIC else _WIDE
    return [allowed[at : at + size] for at in range(0, len(allowed), size)] or [""]


def _cells(value: Any, count: int) -> list[Any]:
    """A value in its cells: as many as its column has parts, formulas guarded in each."""
    found = [guarded(part) for part in split(value)] if isinstance(value, str) else [value]
    return found + [None] * (count - len(found))


class _Sheets:
    """Sheets of one kind of rows: a new one is begun where the format allows no more rows in the last."""

    def __init__(self, book: Any, title: str, header: Sequence[str]) -> None:
        self._book, self._title, self._header = book, title, list(header)
        self._rows, self._number = 0, 0
        self._begin()

    def _begin(self) -> None:
        self._number += 1
        self._rows = 0
        self._sheet = self._book.create_sheet(self._title if self._number == 1 else f"{self._title} {self._number}")
        self._sheet.append(self._header)

    def append(self, cells: Sequence[Any]) -> None:
        """One row of cells that fit."""
        if self._rows == XLSX_ROWS:
            self._begin()
        self._rows += 1
        self._sheet.append(cells)

    def append_split(self, values: Sequence[Any]) -> None:
        """One row of values, and as many below it as the longest value has further parts."""
        parts = [_cells(value, 1) for value in values]
        for line in range(max(map(len, parts))):
            self.append([cells[line] if line < len(cells) else None for cells in parts])
