"""Records of CSV, one at a time: a quote that is never closed costs its own line, and not the rest of the file."""

import csv
import io
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from service.batch.files import LONGEST, Line

#: How often a line is read again after a record that turned out to be broken; past that, each line is taken by itself.
_AGAIN: Final = 3
#: More columns than any spreadsheet has.
MOST_COLUMNS: Final = 16_384


@dataclass(frozen=True, slots=True)
class CsvRecord:
    """A record: the line that it ends on (that it begins on, where it is broken), its fields, or why it cannot be read."""

    line: int
    fields: Sequence[str]
    problem: str | None = None


class _BrokenError(Exception):
    """A record goes on where it cannot; the message says why, for people."""


class _Tape:
    """Lines for a reader of CSV; those that a record took beyond its first can be read again."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._again: deque[tuple[Line, int]] = deque()
        self._taken: list[tuple[Line, int]] = []
        self._size = 0
        self.line = 0

    def __iter__(self) -> "_Tape":
        return self

    def begin(self) -> None:
        """What is read from here on is another record."""
        self._taken.clear()
        self._size = 0

    def __next__(self) -> str:
        line, times = self._again.popleft() if self._again else (next(self._lines), 0)
        going_on = bool(self._taken)
        self._taken.append((line, times))
        self._size += len(line.text)
        self.line += 1
        if not line.whole:
            raise _BrokenError(f"plus de {LONGEST} caractères")
        if going_on and (times >= _AGAIN or self._size > LONGEST):
            raise _BrokenError("un guillemet ouvert n'est pas fermé")
        return line.text

    def give_back(self) -> str | None:
        """Have all but the first line of the record read again; that line, if the record held no other and was whole."""
        first, *rest = self._taken
        self.line -= len(rest)
        self._again.extendleft((line, times + 1) for line, times in reversed(rest))
        return first[0].text if not rest and first[0].whole else None


def csv_records(lines: Iterator[Line], delimiter: str) -> Iterator[CsvRecord]:
    """The records of CSV lines, in order; empty lines have none.

    Where a quoted field does not end before a delimiter or the end of its line, nor anywhere, the line on which the record
    begins is told, and the next is read as if a record began there: a line is read at most four times.
    """
    tape = _Tape(lines)
    csv.field_size_limit(LONGEST)
    reader = csv.reader(tape, delimiter=delimiter, strict=True)
    while True:
        tape.begin()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except (csv.Error, _BrokenError) as error:
            alone = tape.give_back()
            loose = _loosely(alone, delimiter) if alone is not None and isinstance(error, csv.Error) else None
            if loose is not None:
                yield CsvRecord(tape.line, loose)
                continue
            why = (
                str(error)
                if isinstance(error, _BrokenError)
                else "un guillemet ouvert n'est pas fermé, ou l'est hors de sa place"
            )
            yield CsvRecord(tape.line, (), f"{why} ; cette ligne est laissée, les suivantes sont lues")
            continue
        if fields:
            yield CsvRecord(tape.line, fields)


def first_fields(sample: str, delimiter: str) -> list[str]:
    """The fields of the first record of the beginning of a file, if that is how its columns are parted."""
    csv.field_size_limit(LONGEST)
    return next(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter), [])


def _loosely(line: str, delimiter: str) -> list[str] | None:
    """The fields of a line with quotes inside a field, as spreadsheets read them; None where a quote stays open."""
    lines = iter((line, ""))
    try:
        fields = next(csv.reader(lines, delimiter=delimiter))
    except csv.Error:
        return None
    return fields if next(lines, None) is not None else None


def repeated(names: Sequence[str]) -> list[str]:
    """The names that stand more than once among the columns, in order; blank ones aside."""
    counted = Counter(names)
    return [name for name in counted if name and counted[name] > 1]
