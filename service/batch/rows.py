"""Read rows of texts from CSV, JSONL, Parquet and XLSX files, gzip included, one at a time; a bad row stays a row."""

import codecs
import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from math import isfinite
from pathlib import Path
from typing import IO, Any, Final
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from charset_normalizer import from_bytes
from openpyxl.utils.exceptions import InvalidFileException

from model.errors import BatchError
from service.batch.records import Row, Source, UnreadableError, format_of

_SAMPLE: Final = 1 << 18
_DELIMITERS: Final = (",", ";", "\t", "|")
_FIELD_LIMIT: Final = 50_000_000
#: Rows of a table that are read at a time.
PARQUET_ROWS: Final = 256
#: What the libraries raise on bytes that are not, or no longer, of the format.
DAMAGE: Final = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    ParseError,
    csv.Error,
    zlib.error,
    BadZipFile,
    pa.ArrowException,
)
#: Of the bytes beyond ASCII, how many may be broken for a file still to count as UTF-8.
_BROKEN_SHARE: Final = 0.05


def read_rows(source: Source) -> Iterator[Row]:
    """The rows of an input, in order.

    Raises:
        BatchError: the file is missing, or lacks the text column; the message names file and columns.
        UnreadableError: the file is damaged; the message names the last row that could be read.
    """
    if source.path.is_dir() or not source.path.exists():
        raise BatchError(f"{source.path} : fichier introuvable.")
    reader = _READERS[format_of(source.path)]
    number = 0
    try:
        for row in reader(source):
            number = row.number
            yield row
    except DAMAGE as error:
        place = f"la ligne {number + 1} ne peut pas être lue" if number else "lecture impossible"
        raise UnreadableError(f"{source.path} : {place} ({error}).", number) from error


class _Counted(io.RawIOBase):
    """A raw file that knows how much of it was read."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("rb", buffering=0)
        self.size = max(1, path.stat().st_size)
        self.done = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self.file.readinto(buffer) or 0
        self.done += count
        return count

    def close(self) -> None:
        self.file.close()
        super().close()

    def share(self) -> float:
        return min(1.0, self.done / self.size)


@contextmanager
def opened(path: Path) -> Iterator[tuple[_Counted, IO[bytes] | gzip.GzipFile]]:
    """A file, unpacked if its name ends in `.gz`, and the raw file below it, which knows how much of it was read."""
    with _Counted(path) as raw:
        buffered: IO[bytes] = io.BufferedReader(raw)
        yield raw, gzip.GzipFile(fileobj=buffered) if path.suffix.lower() == ".gz" else buffered


def detect_encoding(path: Path) -> str:
    """The encoding of a text file: a byte order mark decides, then UTF-8 if nearly all of it is valid, then a guess."""
    with opened(path) as (_, content):
        pieces = _pieces(content)
        sample = _start(pieces)
        for mark, name in (
            (codecs.BOM_UTF8, "utf-8-sig"),
            (codecs.BOM_UTF16_LE, "utf-16"),
            (codecs.BOM_UTF16_BE, "utf-16"),
        ):
            if sample.startswith(mark):
                return name
        if _is_utf8(chain([sample], pieces)):
            return "utf-8"
    guess = from_bytes(sample, cp_isolation=["cp1252", "latin_1", "mac_roman", "cp850"]).best()
    # The machines that write French listings in one byte a letter write this one.
    return guess.encoding if guess else "cp1252"


def _pieces(content: IO[bytes] | gzip.GzipFile) -> Iterator[bytes]:
    """The bytes of a file as far as they can be read: a damage further on is for the reading of rows to tell."""
    try:
        while piece := content.read1(_SAMPLE):  # type: ignore[union-attr]
            yield piece
    except DAMAGE:
        return


def _start(pieces: Iterator[bytes]) -> bytes:
    sample = b""
    for piece in pieces:
        sample += piece
        if len(sample) >= _SAMPLE:
            break
    return sample


def _is_utf8(pieces: Iterator[bytes]) -> bool:
    broken = beyond = 0
    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    for piece in pieces:
        text = decoder.decode(piece)
        if not text.isascii():
            broken += sum("\udc80" <= character <= "\udcff" for character in text)
            beyond += sum(character > "\x7f" for character in text)
    return broken <= _BROKEN_SHARE * beyond


def _read_csv(source: Source) -> Iterator[Row]:
    csv.field_size_limit(_FIELD_LIMIT)
    encoding = _checked_encoding(source)
    delimiter = source.delimiter or _detect_delimiter(source, encoding)
    with opened(source.path) as (raw, content):
        lines = io.TextIOWrapper(content, encoding=encoding, errors="surrogateescape", newline="")
        reader = csv.reader(lines, delimiter=delimiter)
        header = [name.strip() for name in next(reader, [])]
        text_at, id_at = _columns(source, header)
        number = 0
        for fields in reader:
            if not fields:
                continue
            number += 1
            id = _writable(fields[id_at]) if id_at is not None and id_at < len(fields) else ""
            place = f"ligne {reader.line_num} du fichier"
            if len(fields) != len(header):
                problem = f"{place} : {len(fields)} champ(s) au lieu de {len(header)}"
                yield Row(number, id or str(number), None, problem, raw.share())
            else:
                yield _text_row(number, id, fields[text_at], raw.share(), place)


def _checked_encoding(source: Source) -> str:
    if source.encoding is None:
        return detect_encoding(source.path)
    try:
        return codecs.lookup(source.encoding).name
    except LookupError as error:
        raise BatchError(f"Encodage inconnu : {source.encoding} (par exemple utf-8, cp1252).") from error


def _detect_delimiter(source: Source, encoding: str) -> str:
    with opened(source.path) as (_, content):
        start = _start(_pieces(content))
    # The sample may end inside a character, which is then left out.
    sample = codecs.getincrementaldecoder(encoding)("surrogateescape").decode(start)
    headers = {mark: next(csv.reader(io.StringIO(sample), delimiter=mark), []) for mark in _DELIMITERS}
    with_text = [mark for mark in _DELIMITERS if source.text_column in (name.strip() for name in headers[mark])]
    return max(with_text or _DELIMITERS, key=lambda mark: len(headers[mark]))


def _columns(source: Source, names: Sequence[str]) -> tuple[int, int | None]:
    if source.text_column not in names:
        found = ", ".join(name for name in names if name) or "aucune"
        raise BatchError(
            f"{source.path} : colonne « {source.text_column} » absente. Colonnes trouvées : {found}. "
            "Indiquez la bonne avec --text-column."
        )
    return names.index(source.text_column), names.index(source.id_column) if source.id_column in names else None


def _writable(id: str) -> str:
    """An identifier without outer white space, its broken characters replaced, so that it can be written back."""
    return id.strip().encode("utf-8", "replace").decode()


def _text_row(number: int, id: Any, value: Any, progress: float, place: str = "") -> Row:
    chosen = (_writable(str(id)) if id is not None else "") or str(number)
    prefix = f"{place} : " if place else ""
    if value is None:
        return Row(number, chosen, "", None, progress)
    if not isinstance(value, str):
        if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
            return Row(number, chosen, str(value), None, progress)
        return Row(number, chosen, None, f"{prefix}texte attendu, {type(value).__name__} trouvé", progress)
    if any("\udc80" <= character <= "\udcff" for character in value):
        return Row(number, chosen, None, f"{prefix}octets invalides pour l'encodage du fichier", progress)
    return Row(number, chosen, value, None, progress)


def _read_jsonl(source: Source) -> Iterator[Row]:
    encoding = _checked_encoding(source)
    with opened(source.path) as (raw, content):
        lines = io.TextIOWrapper(content, encoding=encoding, errors="surrogateescape", newline="\n")
        number = 0
        for line_number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            number += 1
            place = f"ligne {line_number} du fichier"
            try:
                data = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield Row(number, str(number), None, f"{place} : JSON illisible ({error})", raw.share())
                continue
            if not isinstance(data, dict) or source.text_column not in data:
                problem = f"{place} : objet JSON avec le champ « {source.text_column} » attendu"
                id = data.get(source.id_column) if isinstance(data, dict) else None
                yield Row(number, (_writable(str(id)) if id is not None else "") or str(number), None, problem, raw.share())
                continue
            yield _text_row(number, data.get(source.id_column), data[source.text_column], raw.share(), place)


def _read_parquet(source: Source) -> Iterator[Row]:
    try:
        file = pq.ParquetFile(source.path)
    except pa.ArrowException as error:
        raise BatchError(f"{source.path} : ce n'est pas un fichier Parquet lisible ({error}).") from error
    with file:
        columns = wanted_columns(source, file.schema_arrow.names)
        total = max(1, file.metadata.num_rows)
        number = 0
        for batch in file.iter_batches(batch_size=PARQUET_ROWS, columns=columns):
            yield from table_rows(batch, columns, number, total)
            number += len(batch)


def wanted_columns(source: Source, names: Sequence[str]) -> list[str]:
    """The columns to read of a table with these names: the text, then the identifier if there is one.

    Raises:
        BatchError: there is no such text column; the message names those that there are.
    """
    text_at, id_at = _columns(source, names)
    return [names[text_at]] + ([names[id_at]] if id_at is not None else [])


def table_rows(batch: pa.RecordBatch, columns: Sequence[str], before: int, total: int) -> Iterator[Row]:
    """The rows of a piece of a table of `total` rows, of which `before` come before it; `columns` are the wanted ones."""
    texts = batch.column(columns[0]).to_pylist()
    ids = batch.column(columns[1]).to_pylist() if len(columns) > 1 else [None] * len(texts)
    for number, (id, text) in enumerate(zip(ids, texts, strict=True), start=before + 1):
        yield _text_row(number, id, text, number / total, f"ligne {number} de la table")


def _read_xlsx(source: Source) -> Iterator[Row]:
    try:
        book = openpyxl.load_workbook(source.path, read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError, ValueError, ParseError) as error:
        raise BatchError(f"{source.path} : ce n'est pas un classeur .xlsx lisible ({error}).") from error
    try:
        if not book.worksheets:
            raise BatchError(f"{source.path} : aucune feuille de calcul.")
        sheet = book.worksheets[0]
        total = max(1, (sheet.max_row or 1) - 1)
        rows = sheet.iter_rows(values_only=True)
        header = [str(name).strip() if name is not None else "" for name in next(rows, ())]
        text_at, id_at = _columns(source, header)
        for number, values in enumerate(rows, start=1):
            id = values[id_at] if id_at is not None and id_at < len(values) else None
            text = values[text_at] if text_at < len(values) else None
            yield _text_row(number, id, text, min(1.0, number / total), f"ligne {number + 1} de la feuille")
    finally:
        book.close()


_READERS: Final[Mapping[str, Callable[[Source], Iterator[Row]]]] = {
    "csv": _read_csv,
    "jsonl": _read_jsonl,
    "parquet": _read_parquet,
    "xlsx": _read_xlsx,
}
