"""An input of Parquet files as one table, cut into parts of as many rows, whichever files and row groups hold them."""

import hashlib
import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from model.errors import BatchError
from service.batch.records import Row, Source, UnreadableError
from service.batch.rows import PARQUET_ROWS, table_rows, wanted_columns

#: Most rows of a part, and the parts that a small table is cut into so that all processes have work; neither depends on
#: the cluster, so that the same input gives the same files on any of them.
PART_ROWS: Final = 5_000
_LEAST_PART_ROWS: Final = 50
_PARTS: Final = 64
_MAGIC: Final = b"PAR1"
#: Bytes that Parquet puts after its footer: the length of the footer, the magic number.
_TAIL: Final = 8
#: Pages are read as they are needed, by so many bytes: a row group may be larger than the memory of a process.
_BUFFER: Final = 1 << 20
_DAMAGE: Final = (OSError, ValueError, pa.ArrowException)


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file of a table: its path, its name in the table, the rows before it, its own, its bytes, sha256 of its footer."""

    path: Path
    name: str
    before: int
    rows: int
    size: int
    footer: str


@dataclass(frozen=True, slots=True)
class InputTable:
    """The files of an input in the order of their names; rows are numbered from 1 through all of them."""

    source: Source
    files: tuple[TableFile, ...]

    @classmethod
    def of(cls, source: Source) -> "InputTable":
        """The table that a Parquet file, or a folder of them, holds; only footers are read.

        Raises:
            BatchError: there is no such file, another format, a file without footer or without the text column.
        """
        root = source.path.resolve()
        found, before = [], 0
        for path in _paths(root):
            try:
                file = _file(source, path, path.name if path == root else path.relative_to(root).as_posix(), before)
            except _DAMAGE as error:
                raise BatchError(
                    f"{path} : ce n'est pas un fichier Parquet lisible ({error}). Réparez-le ou ôtez-le de l'entrée."
                ) from error
            found.append(file)
            before += file.rows
        return cls(source, tuple(found))

    @property
    def rows(self) -> int:
        """Rows of all files."""
        return sum(file.rows for file in self.files)

    def part_rows(self) -> int:
        """How many rows make a part of this table."""
        return min(PART_ROWS, max(_LEAST_PART_ROWS, -(-self.rows // _PARTS)))

    def fingerprint(self) -> dict[str, Any]:
        """What tells this input from another one: files, rows, bytes, and a sha256 of names, sizes and footers."""
        facts = "".join(f"{file.name}\0{file.size}\0{file.footer}\n" for file in self.files)
        return {
            "files": len(self.files),
            "rows": self.rows,
            "size": sum(file.size for file in self.files),
            "sha256": hashlib.sha256(facts.encode("utf-8", "surrogateescape")).hexdigest(),
        }

    def read(self, start: int, end: int) -> Generator[Row]:
        """Rows `start` (from 0) to `end` (left out), in order.

        Raises:
            BatchError: a file is no longer the one that was found.
            UnreadableError: a file is damaged; the message names the first row that could not be read.
        """
        for file in self.files:
            first, after = max(start, file.before) - file.before, min(end, file.before + file.rows) - file.before
            if first >= after:
                continue
            number = file.before + first
            try:
                for batch, columns in self._batches(file, first, after):
                    yield from table_rows(batch, columns, number, self.rows)
                    number += len(batch)
            except _DAMAGE as error:
                message = f"{file.path} : la ligne {number + 1} ne peut pas être lue ({error})."
                raise UnreadableError(message, number - start) from error

    def _batches(self, file: TableFile, first: int, after: int) -> Iterator[tuple[pa.RecordBatch, list[str]]]:
        """Rows `first` to `after` (left out) of a file, with the wanted columns; only the row groups that hold them are read."""
        if file.path.stat().st_size != file.size or _footer_hash(file.path) != file.footer:
            raise BatchError(f"{file.path} a changé depuis le début de l'analyse.")
        with pq.ParquetFile(file.path, buffer_size=_BUFFER) as content:
            columns = wanted_columns(self.source, content.schema_arrow.names)
            groups: list[int] = []
            at = begin = 0
            for number in range(content.metadata.num_row_groups):
                rows = content.metadata.row_group(number).num_rows
                if at < after and at + rows > first:
                    begin = at if not groups else begin
                    groups.append(number)
                at += rows
            at = begin
            for batch in content.iter_batches(batch_size=PARQUET_ROWS, row_groups=groups, columns=columns, use_threads=False):
                wanted = batch.slice(max(0, first - at), max(0, min(after, at + len(batch)) - max(first, at)))
                at += len(batch)
                if len(wanted):
                    yield wanted, columns
                if at >= after:
                    return


def _paths(root: Path) -> list[Path]:
    if root.is_file() and root.suffix.lower() == ".parquet":
        return [root]
    if root.is_file():
        raise BatchError(
            f"{root} : --engine spark lit du Parquet (un fichier .parquet, ou un dossier qui en contient). "
            "Convertissez d'abord ce fichier, ou gardez --engine local, qui le lit."
        )
    if not root.is_dir():
        raise BatchError(f"{root} : fichier ou dossier introuvable.")
    found = []
    for folder, folders, names in os.walk(root):
        # As Spark does: what begins with a mark is not data.
        folders[:] = [name for name in folders if not name.startswith(("_", "."))]
        found += [Path(folder, name) for name in names if name.endswith(".parquet") and not name.startswith(("_", "."))]
    if not found:
        raise BatchError(f"{root} : aucun fichier .parquet dans ce dossier.")
    return sorted(found, key=lambda path: path.relative_to(root).parts)


def _file(source: Source, path: Path, name: str, before: int) -> TableFile:
    with pq.ParquetFile(path) as content:
        try:
            wanted_columns(source, content.schema_arrow.names)
        except BatchError as error:
            raise BatchError(str(error).replace(str(source.path), str(path), 1)) from error
        return TableFile(path, name, before, content.metadata.num_rows, path.stat().st_size, _footer_hash(path))


def _footer_hash(path: Path) -> str:
    with path.open("rb") as content:
        content.seek(-_TAIL, os.SEEK_END)
        tail = content.read(_TAIL)
        if tail[4:] != _MAGIC:
            raise ValueError("sans pied de fichier")
        length = int.from_bytes(tail[:4], "little")
        content.seek(-_TAIL - length, os.SEEK_END)
        return hashlib.sha256(content.read(length)).hexdigest()
