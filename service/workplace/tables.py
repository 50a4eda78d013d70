"""Files of texts as records: every column of CSV, JSONL, JSON, XLSX, Parquet and plain text, one record at a time.

What a file may cost is bounded: a line, a workbook, a table and what gzip unpacks have limits, and stay out of memory.
"""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

from model.errors import BatchError
from service.batch.apart import read_apart
from service.batch.files import DAMAGE, LONGEST, Line, detect_encoding, lines_of, opened
from service.batch.quoted import csv_records, first_fields
from service.batch.records import UnreadableError, format_of
from service.batch.rows import PARQUET_ROWS, opened_table
from service.batch.strict import loads, no_number
from service.batch.workbooks import opened_workbook, unpacked_size
from service.workplace.headers import named
from service.workplace.sheets import Sheets, rows_of, sheets_of

#: Bytes of a whole JSON document.
_LONGEST_JSON: Final = 64_000_000
#: Bytes of a document, or of a workbook once unpacked, that is read here: whatever it holds, it cannot take much memory.
_SMALL: Final = 10_000_000
_SAMPLE: Final = 200_000
_PIECE: Final = 1 << 20
_DELIMITERS: Final = (",", ";", "\t", "|")
_BLOCK: Final = "---"
#: The only column of a plain text.
TEXT: Final = "text"


@dataclass(frozen=True, slots=True)
class Record:
    """A record: its number from 1, where it stands for people, its values by column, or why it cannot be read."""

    number: int
    place: str
    values: Mapping[str, Any]
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a file may cost: bytes once unpacked, and records."""

    size: int
    rows: int


def kind_of(path: Path) -> str:
    """The format of a file by its name: `csv`, `jsonl`, `json`, `xlsx`, `parquet` or `txt`.

    Raises:
        BatchError: another ending; the message names those known.
    """
    if path.suffix.lower() in (".txt", ".json"):
        return path.suffix.lower()[1:]
    try:
        return format_of(path)
    except BatchError as error:
        known = ".csv, .tsv, .jsonl, .ndjson, .json, .xlsx, .parquet ou .txt (.gz possible pour .csv, .tsv et .jsonl)"
        raise BatchError(f"{path.name} : format inconnu. Attendu : {known}.") from error


def read_records(path: Path, limits: Limits) -> Iterator[Record]:
    """The records of a file, in order.

    Raises:
        BatchError: the file is of an unknown format, or costs more than it may; the message says which limit.
        UnreadableError: the file is damaged; the message names the last record that could be read.
    """
    reader = _READERS[kind_of(path)]
    number = 0
    records = read_apart(reader, path, limits, weight=weight_of) if _costly(path) else reader(path, limits)
    try:
        for record in records:
            number = record.number
            if number > limits.rows:
                raise UnreadableError(f"Plus de {limits.rows} lignes : la suite n'a pas été lue. Coupez le fichier.", number - 1)
            yield record
    except MemoryError:
        raise
    except DAMAGE as error:
        place = f"lecture impossible après la ligne {number}" if number else "fichier illisible ou d'un autre format"
        raise UnreadableError(f"{place} ({type(error).__name__}).".capitalize(), number) from error


def _costly(path: Path) -> bool:
    """Whether a file is read in a process of its own, for it may tell its library to take any amount of memory."""
    kind = kind_of(path)
    if kind == "xlsx":
        return unpacked_size(path) > _SMALL
    return kind == "parquet" or (kind == "json" and path.stat().st_size > _SMALL)


def weight_of(record: Record) -> int:
    """About how many characters a record holds."""
    return sum(len(value) if isinstance(value, str) else 1 for value in record.values.values())


def _lines(path: Path, limits: Limits, newline: str) -> Iterator[Line]:
    """The lines of a text file with their ends; broken bytes become lone surrogates."""
    if path.suffix.lower() == ".gz":
        about = path.stat()
        _check_unpacked(path, limits.size, (about.st_mtime_ns, about.st_size))
    encoding = detect_encoding(path)
    with opened(path) as (_, content):
        bounded = io.BufferedReader(_Bounded(content, limits.size))
        yield from lines_of(io.TextIOWrapper(bounded, encoding=encoding, errors="surrogateescape", newline=newline))


@lru_cache(maxsize=16)
def _check_unpacked(path: Path, most: int, _: tuple[int, int]) -> None:
    """Refuse what gzip would unpack without end, before anything else reads it whole; a damage is for the reader to tell."""
    size = 0
    try:
        with opened(path) as (_raw, content):
            while piece := content.read(_PIECE):
                size += len(piece)
                if size > most:
                    raise BatchError(f"Le fichier dépasse {most} octets une fois décompressé : il n'a pas été lu.")
    except DAMAGE:
        return


class _Bounded(io.RawIOBase):
    """What is read of a file, unpacked, up to a number of bytes."""

    def __init__(self, source: Any, most: int) -> None:
        self._source = source
        self._left = most
        self._most = most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count: int = self._source.readinto(buffer) or 0
        self._left -= count
        if self._left < 0:
            raise BatchError(f"Le fichier dépasse {self._most} octets une fois décompressé : la suite n'a pas été lue.")
        return count


def _csv(path: Path, limits: Limits) -> Iterator[Record]:
    records = csv_records(_lines(path, limits, ""), _delimiter(path, limits))
    first = next(records, None)
    if first is not None and first.problem:
        raise BatchError(f"Ligne 1, celle des titres : {first.problem}.")
    header = named([name.strip() for name in (first.fields if first else ())])
    for number, record in enumerate(records, start=1):
        values = {name: value for name, value in zip(header, record.fields, strict=False) if name}
        problem = None if len(record.fields) == len(header) else f"{len(record.fields)} champ(s) au lieu de {len(header)}"
        yield Record(number, f"ligne {record.line} du fichier", values, record.problem or problem)


def _delimiter(path: Path, limits: Limits) -> str:
    """What parts the columns: what parts the first line most often; a comma where nothing does."""
    sample = "".join(line.text[:_SAMPLE] for line in islice(_lines(path, limits, ""), 20))[:_SAMPLE]
    return max(_DELIMITERS, key=lambda mark: len(first_fields(sample, mark)))


def _jsonl(path: Path, limits: Limits) -> Iterator[Record]:
    number = 0
    for line_number, line in enumerate(_lines(path, limits, "\n"), start=1):
        if not line.text.strip():
            continue
        number += 1
        place = f"ligne {line_number} du fichier"
        if not line.whole:
            yield Record(number, place, {}, f"plus de {LONGEST} caractères")
            continue
        try:
            yield _object(number, place, loads(line.text))
        except (ValueError, RecursionError) as error:
            yield Record(number, place, {}, f"JSON illisible ({error})")


def _json(path: Path, _: Limits) -> Iterator[Record]:
    if path.stat().st_size > _LONGEST_JSON:
        raise BatchError(
            f"Un document JSON de plus de {_LONGEST_JSON} octets : envoyez plutôt une ligne JSON par texte (.jsonl)."
        )
    try:
        data = loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BatchError(f"JSON illisible ({error}) : une liste d'objets est attendue.") from error
    if isinstance(data, dict):
        data = data["items"] if isinstance(data.get("items"), list) else [data]
    if not isinstance(data, list):
        raise BatchError("JSON : une liste d'objets est attendue.")
    for number, value in enumerate(data, start=1):
        yield _object(number, f"élément {number}", value)


def _object(number: int, place: str, value: Any) -> Record:
    if not isinstance(value, dict):
        return Record(number, place, {}, "un objet JSON est attendu")
    wrong = next((name for name, one in value.items() if no_number(one)), None)
    problem = None if wrong is None else f"champ « {wrong[:40]} » : NaN, ou un nombre infini, n'est pas du JSON"
    return Record(number, place, value, problem)


def _txt(path: Path, limits: Limits) -> Iterator[Record]:
    """Blocks parted by lines that hold `---` alone; the line breaks around a block are not part of it."""
    number, size, block = 0, 0, list[str]()
    for line in _lines(path, limits, ""):
        if line.text.strip() == _BLOCK:
            number += 1
            yield from _of_block(number, size, block)
            size, block = 0, []
        else:
            size += len(line.text) if line.whole else LONGEST + 1
            if size <= LONGEST:
                block.append(line.text)
    yield from _of_block(number + 1, size, block)


def _of_block(number: int, size: int, block: Sequence[str]) -> Iterator[Record]:
    content = "".join(block).strip("\r\n")
    if size > LONGEST:
        yield Record(number, f"texte {number}", {}, f"plus de {LONGEST} caractères")
    elif content.strip():
        yield Record(number, f"texte {number}", {TEXT: content})


def _xlsx(path: Path, limits: Limits) -> Iterator[Record]:
    with opened_workbook(path, limits.size) as book:
        for number, row in enumerate(rows_of(book), start=1):
            yield Record(number, f"feuille « {row.sheet} », ligne {row.line}", row.values)


def which_sheets(path: Path, limits: Limits) -> Sheets:
    """Which sheets of a workbook `read_records` reads; none for a file of another format.

    Raises:
        BatchError: as `read_records`.
    """
    if kind_of(path) != "xlsx":
        return Sheets((), ())
    with opened_workbook(path, limits.size) as book:
        return sheets_of(book)


def _parquet(path: Path, limits: Limits) -> Iterator[Record]:
    number = 0
    with opened_table(path) as file:
        named(file.schema_arrow.names)
        groups = range(file.metadata.num_row_groups)
        unpacked = sum(file.metadata.row_group(group).total_byte_size for group in groups)
        if unpacked > limits.size:
            raise BatchError(f"Cette table occuperait {unpacked} octets une fois décompressée : elle n'a pas été ouverte.")
        for batch in file.iter_batches(batch_size=PARQUET_ROWS):
            for values in batch.to_pylist():
                number += 1
                long = next((name for name, value in values.items() if isinstance(value, str) and len(value) > LONGEST), None)
                problem = None if long is None else f"colonne « {long} » : plus de {LONGEST} caractères"
                yield Record(number, f"ligne {number} de la table", {} if long else values, problem)
        if number != file.metadata.num_rows:
            raise BatchError(f"La table annonce {file.metadata.num_rows} lignes et en contient {number}.")


_READERS: Final[Mapping[str, Callable[[Path, Limits], Iterator[Record]]]] = {
    "csv": _csv,
    "jsonl": _jsonl,
    "json": _json,
    "txt": _txt,
    "xlsx": _xlsx,
    "parquet": _parquet,
}


def copy_bounded(source: IO[bytes], target: IO[bytes], most: int) -> int:
    """Copy a file in pieces; returns its size in bytes.

    Raises:
        BatchError: it is larger than `most` bytes.
    """
    size = 0
    while piece := source.read(_PIECE):
        size += len(piece)
        if size > most:
            raise BatchError(f"Le fichier dépasse la limite de {most} octets.")
        target.write(piece)
    return size
