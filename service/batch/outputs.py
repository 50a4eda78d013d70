"""Put encoded rows together as CSV, JSONL, Parquet or XLSX; the final name appears only when everything is on disk.

The same rows give the same bytes: no date and no file name goes into gzip headers or workbooks.
"""

import gzip
import json
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Protocol, Self
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.writer.excel import ExcelWriter

from model.errors import BatchError
from model.records import Prediction
from service.batch.encode import COLUMN_NAMES, csv_line, delimiter_of, encoder_for
from service.batch.records import format_of
from service.inert import spreadsheet_cell

_ROWS_A_GROUP: Final = 1_000
_XLSX_CELL: Final = 32_767
#: Rows of a sheet below its header.
XLSX_ROWS: Final = 1_048_575
#: The date of everything in a workbook: the earliest that its container can hold.
_NO_DATE: Final = (1980, 1, 1, 0, 0, 0)
_PIECE: Final = 1 << 16

_TYPES: Final = {"risk_score": pa.float64(), "risk_level": pa.int8()}
_TYPE_OF_PREFIX: Final = {"score": pa.float64(), "present": pa.bool_()}
COLUMNS: Final[Mapping[str, pa.DataType]] = {
    name: _TYPES.get(name) or _TYPE_OF_PREFIX.get(name.split("_")[0], pa.string()) for name in COLUMN_NAMES
}


class _Sink(Protocol):
    def write(self, line: bytes) -> None: ...
    def copy(self, lines: IO[bytes]) -> None: ...
    def finish(self) -> None: ...


class _Bytes:
    """Rows that are already what the file holds: JSONL and CSV."""

    def __init__(self, target: IO[bytes], start: bytes = b"") -> None:
        self.target = target
        self.target.write(start)

    def write(self, line: bytes) -> None:
        self.target.write(line)

    def copy(self, lines: IO[bytes]) -> None:
        shutil.copyfileobj(lines, self.target, _PIECE)

    def finish(self) -> None:
        self.target.close()


def _table_start(delimiter: str) -> bytes:
    # Spreadsheet programs need the byte order mark to read accents.
    return b"\xef\xbb\xbf" + csv_line(list(COLUMN_NAMES), delimiter)


class _Parquet:
    """Parquet in row groups of a thousand."""

    def __init__(self, target: IO[bytes]) -> None:
        self.target = target
        self.schema = pa.schema(list(COLUMNS.items()))
        self.writer = pq.ParquetWriter(target, self.schema)
        self.rows: list[dict[str, Any]] = []

    def write(self, line: bytes) -> None:
        self.rows.append(dict(zip(COLUMN_NAMES, json.loads(line), strict=True)))
        if len(self.rows) >= _ROWS_A_GROUP:
            self._flush()

    def copy(self, lines: IO[bytes]) -> None:
        for line in lines:
            self.write(line)

    def _flush(self) -> None:
        if self.rows:
            self.writer.write_table(pa.Table.from_pylist(self.rows, schema=self.schema))
            self.rows.clear()

    def finish(self) -> None:
        self._flush()
        self.writer.close()
        self.target.close()


class _Workbook:
    """XLSX, one sheet; characters that the format forbids are dropped and cells longer than it allows are cut."""

    def __init__(self, target: IO[bytes]) -> None:
        self.target = target
        self.book = openpyxl.Workbook(write_only=True)
        self.sheet = self.book.create_sheet("vigie")
        self.sheet.append(list(COLUMN_NAMES))

    def write(self, line: bytes) -> None:
        self.sheet.append([_short(spreadsheet_cell(value)) for value in json.loads(line)])

    def copy(self, lines: IO[bytes]) -> None:
        for line in lines:
            self.write(line)

    def finish(self) -> None:
        self.book.properties.created = self.book.properties.modified = datetime(*_NO_DATE)
        with _Dateless(self.target, "w", ZIP_DEFLATED, allowZip64=True) as archive:
            ExcelWriter(self.book, archive).write_data()
        self.target.close()


class _Dateless(ZipFile):
    """A container whose members bear no date of their own."""

    def writestr(self, zinfo_or_arcname: Any, data: Any, *_: Any, **__: Any) -> None:
        super().writestr(_member(zinfo_or_arcname), data)

    def write(self, filename: Any, arcname: Any = None, *_: Any, **__: Any) -> None:
        with Path(filename).open("rb") as source, self.open(_member(arcname), "w", force_zip64=True) as target:
            shutil.copyfileobj(source, target, _PIECE)


def _member(name: str) -> ZipInfo:
    member = ZipInfo(name, _NO_DATE)
    member.compress_type = ZIP_DEFLATED
    member.external_attr = 0o600 << 16
    return member


def _short(value: Any) -> Any:
    return ILLEGAL_CHARACTERS_RE.sub("", value)[:_XLSX_CELL] if isinstance(value, str) else value


def check_output(path: Path) -> None:
    """Refuse an output that could never be written.

    Raises:
        BatchError: unknown ending, a folder, or a place where no file can be.
    """
    format_of(path)
    if path.is_dir():
        raise BatchError(f"{path} : c'est un dossier ; un fichier est attendu.")
    if not path.parent.is_dir():
        raise BatchError(f"{path} : écriture impossible (le dossier {path.parent} n'existe pas).")


class Output:
    """A context manager around one output file: `.tmp` beside it while writing, renamed at the end, removed on failure."""

    def __init__(self, path: Path) -> None:
        """Open the output, whatever stands under its name.

        Raises:
            BatchError: unknown ending, or nothing can be written there.
        """
        check_output(path)
        self.path = path
        self.temporary = path.with_name(f"{path.name}.tmp")
        self.encode = encoder_for(path)
        try:
            raw: IO[bytes] = self.temporary.open("wb")
        except OSError as error:
            raise BatchError(f"{path} : écriture impossible ({error.strerror}).") from error
        self.raw = raw
        packed: Any = gzip.GzipFile("", "wb", fileobj=raw, mtime=0) if path.suffix.lower() == ".gz" else raw
        makers: dict[str, Callable[[], _Sink]] = {
            "jsonl": lambda: _Bytes(packed),
            "csv": lambda: _Bytes(packed, _table_start(delimiter_of(path))),
            "parquet": lambda: _Parquet(packed),
            "xlsx": lambda: _Workbook(packed),
        }
        self.sink = makers[format_of(path)]()

    def write(self, prediction: Prediction) -> None:
        """Add one prediction.

        Raises:
            OSError: the disk is full or failing; leaving the context says it in French.
        """
        self.sink.write(self.encode(prediction))

    def copy(self, shard: Path) -> None:
        """Add the encoded rows of a file.

        Raises:
            OSError: the disk is full or failing; leaving the context says it in French.
        """
        with shard.open("rb") as lines:
            self.sink.copy(lines)

    def __enter__(self) -> Self:
        """The output itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Give the file its final name, or leave nothing behind after a failure.

        Raises:
            BatchError: the disk is full or failing.
        """
        failure = error
        if failure is None:
            try:
                self.sink.finish()
                if not self.raw.closed:
                    self.raw.close()
                settle(self.temporary, self.path)
            except OSError as late:
                failure = late
        if failure is not None:
            with suppress(OSError):
                self.raw.close()
            self.temporary.unlink(missing_ok=True)
        if isinstance(failure, OSError):
            raise BatchError(f"{self.path} : écriture impossible ({failure.strerror or failure}).") from failure


def settle(temporary: Path, path: Path) -> None:
    """Give a written file its final name once its bytes are on disk, and put the name on disk too.

    Raises:
        OSError: the disk is full or failing.
    """
    with temporary.open("rb") as written:
        os.fsync(written.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
