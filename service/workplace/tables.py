"""Files of texts as records: every column of CSV, JSONL, JSON, XLSX, Parquet and plain text, one record at a time.

What a file may cost is bounded: a line, a workbook, a table and what gzip unpacks have limits, and stay out of memory.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from model.errors import BatchError
from service.batch.records import UnreadableError, format_of
from service.batch.rows import DAMAGE, PARQUET_ROWS, detect_encoding, opened
from service.workplace.sheets import Sheets, opened_workbook, rows_of, sheets_of

#: Characters of a line of CSV or JSONL, and of a whole JSON document.
_LONGEST_LINE: Final = 4_000_000
_LONGEST_JSON: Final = 64_000_000
_SAMPLE: Final = 200_000
_PIECE: Final = 1 << 20
_DELIMITERS: Final = (",", ";", "\t", "|")
_BLOCK: Final = "---"
#: Records that the columns of a JSONL file are read from.
_FIRST: Final = 50
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
    try:
        for record in reader(path, limits):
            number = record.number
            if number > limits.rows:
                raise UnreadableError(f"Plus de {limits.rows} lignes : la suite n'a pas été lue. Coupez le fichier.", number - 1)
            yield record
    except DAMAGE as error:
        place = f"lecture impossible après la ligne {number}" if number else "fichier illisible ou d'un autre format"
        raise UnreadableError(f"{place} ({type(error).__name__}).".capitalize(), number) from error


def columns_of(path: Path, limits: Limits) -> list[str]:
    """The columns of a file, in its order; of JSON, those of its first records.

    Raises:
        BatchError: as `read_records`.
    """
    names: dict[str, None] = {}
    for record in islice(read_records(path, limits), _FIRST):
        names |= dict.fromkeys(record.values)
    return list(names)


def _lines(path: Path, limits: Limits, newline: str) -> Iterator[str]:
    """The lines of a text file with their ends; broken bytes become lone surrogates."""
    if path.suffix.lower() == ".gz":
        about = path.stat()
        _check_unpacked(path, limits.size, (about.st_mtime_ns, about.st_size))
    encoding = detect_encoding(path)
    with opened(path) as (_, content):
        bounded = io.BufferedReader(_Bounded(content, limits.size))
        lines = io.TextIOWrapper(bounded, encoding=encoding, errors="surrogateescape", newline=newline)
        while line := lines.readline(_LONGEST_LINE):
            if len(line) == _LONGEST_LINE:
                raise BatchError(f"Une ligne du fichier dépasse {_LONGEST_LINE} caractères : la suite n'a pas été lue.")
            yield line


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
    reader = csv.reader(_lines(path, limits, ""), delimiter=_delimiter(path, limits))
    header = [name.strip() for name in next(reader, [])]
    number = 0
    for fields in reader:
        if not fields:
            continue
        number += 1
        place = f"ligne {reader.line_num} du fichier"
        values = {name: value for name, value in zip(header, fields, strict=False) if name}
        problem = None if len(fields) == len(header) else f"{len(fields)} champ(s) au lieu de {len(header)}"
        yield Record(number, place, values, problem)


def _delimiter(path: Path, limits: Limits) -> str:
    """What parts the columns: what parts the first line most often; a comma where nothing does."""
    sample = "".join(islice(_lines(path, limits, ""), 20))[:_SAMPLE]
    return max(_DELIMITERS, key=lambda mark: len(next(csv.reader(io.StringIO(sample, newline=""), delimiter=mark), [])))


def _jsonl(path: Path, limits: Limits) -> Iterator[Record]:
    number = 0
    for line_number, line in enumerate(_lines(path, limits, "\n"), start=1):
        if not line.strip():
            continue
        number += 1
        place = f"ligne {line_number} du fichier"
        try:
            yield _object(number, place, json.loads(line))
        except (ValueError, RecursionError):
            yield Record(number, place, {}, "JSON illisible")


def _json(path: Path, _: Limits) -> Iterator[Record]:
    if path.stat().st_size > _LONGEST_JSON:
        raise BatchError(
            f"Un document JSON de plus de {_LONGEST_JSON} octets : envoyez plutôt une ligne JSON par texte (.jsonl)."
        )
    try:
        data = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise BatchError("JSON illisible : une liste d'objets est attendue.") from error
    if isinstance(data, dict):
        data = data["items"] if isinstance(data.get("items"), list) else [data]
    if not isinstance(data, list):
        raise BatchError("JSON : une liste d'objets est attendue.")
    for number, value in enumerate(data, start=1):
        yield _object(number, f"élément {number}", value)


def _object(number: int, place: str, value: Any) -> Record:
    if not isinstance(value, dict):
        return Record(number, place, {}, "un objet JSON est attendu")
    return Record(number, place, value)


def _txt(path: Path, limits: Limits) -> Iterator[Record]:
    """Blocks parted by lines that hold `---` alone; the line breaks around a block are not part of it."""
    number, size, block = 0, 0, list[str]()
    for line in _lines(path, limits, ""):
        if line.strip() == _BLOCK:
            number += 1
            yield from _of_block(number, block)
            size, block = 0, []
        else:
            block.append(line)
            size += len(line)
            if size > _LONGEST_LINE:
                raise BatchError(f"Un texte dépasse {_LONGEST_LINE} caractères : la suite n'a pas été lue.")
    yield from _of_block(number + 1, block)


def _of_block(number: int, block: Sequence[str]) -> Iterator[Record]:
    content = "".join(block).strip("\r\n")
    if content.strip():
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
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise BatchError("Ce n'est pas un fichier Parquet lisible.") from error
    with file:
        groups = range(file.metadata.num_row_groups)
        unpacked = sum(file.metadata.row_group(group).total_byte_size for group in groups)
        if unpacked > limits.size:
            raise BatchError(f"Cette table occuperait {unpacked} octets une fois décompressée : elle n'a pas été ouverte.")
        number = 0
        for batch in file.iter_batches(batch_size=PARQUET_ROWS):
            for values in batch.to_pylist():
                number += 1
                yield Record(number, f"ligne {number} de la table", values)


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
