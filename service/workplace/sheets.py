"""Workbooks read row by row: which of their sheets hold texts, and the rows of those."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model.errors import BatchError
from service.batch.workbooks import MOST_LINES
from service.workplace.headers import named


@dataclass(frozen=True, slots=True)
class Sheets:
    """The sheets of a workbook by name: those that are read, and those left aside because their columns differ."""

    read: tuple[str, ...]
    left: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A row that is not empty: its sheet, its line there, its values by column."""

    sheet: str
    line: int
    values: Mapping[str, Any]


def sheets_of(book: Any) -> Sheets:
    """Which sheets are read: the first that has a column for the text (else the first with any), and those with its columns.

    Raises:
        BatchError: there is no sheet.
    """
    from service.workplace.columns import recognised

    headers = {sheet.title: frozenset(filter(None, _header(sheet))) for sheet in book.worksheets}
    if not headers:
        raise BatchError("Ce classeur n'a pas de feuille de calcul.")
    filled = [columns for columns in headers.values() if columns]
    chosen = next((columns for columns in filled if "text" in recognised(sorted(columns))), next(iter(filled), None))
    read = tuple(title for title, columns in headers.items() if columns and columns == chosen)
    return Sheets(read, tuple(title for title in headers if title not in read))


def rows_of(book: Any) -> Iterator[Row]:
    """The rows of the sheets that are read, sheet after sheet; the order of the columns may differ between them."""
    read = sheets_of(book).read
    for sheet in book.worksheets:
        if sheet.title not in read:
            continue
        header = _header(sheet)
        for line, cells in enumerate(sheet.iter_rows(values_only=True, min_row=2), start=2):
            if line > MOST_LINES:
                raise BatchError(f"Feuille « {sheet.title} » : plus de {MOST_LINES} lignes : aucun classeur n'en a autant.")
            if any(cell is not None for cell in cells):
                values = {name: cell for name, cell in zip(header, cells, strict=False) if name and cell is not None}
                yield Row(sheet.title, line, values)


def _header(sheet: Any) -> Sequence[str]:
    first = next(sheet.iter_rows(values_only=True, max_row=1), ())
    return named([str(name).strip() if name is not None else "" for name in first])
