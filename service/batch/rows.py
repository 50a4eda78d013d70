"""Read rows of texts from CSV, JSONL, Parquet and XLSX files, gzip included, one at a time; a bad row stays a row."""

import codecs
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from model.errors import BatchError
from service.batch.apart import read_apart
from service.batch.files import DAMAGE, LONGEST, detect_encoding, lines_of, opened, sample_of
from service.batch.quoted import MOST_COLUMNS, csv_records, first_fields, repeated
from service.batch.records import Row, Source, UnreadableError, format_of
from service.batch.strict import loads, no_number
from service.batch.workbooks import MOST_LINES, opened_workbook, unpacked_size

_DELIMITERS: Final = (",", ";", "\t", "|")
#: Rows of a table that are read at a time.
PARQUET_ROWS: Final = 256
#: A table may say that a byte holds many rows (the same value, again and again), but not any number of them.
_ROWS_A_BYTE: Final = 1_000
_FEW_ROWS: Final = 1_000_000
#: A workbook that is small once unpacked is read here: whatever it holds, it cannot take much memory.
_SMALL_BOOK: Final = 10_000_000
_BOOK: Final = 2_000_000_000
_SHOWN_NAMES: Final = 20
_SHOWN: Final = 60
#: What cannot stand as an identifier.
_CONTAINERS: Final = (dict, list, tuple)


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
    except UnreadableError:
        raise
    except BatchError as error:
        if number:
            raise UnreadableError(str(error), number) from error
        raise
    except MemoryError:
        raise
    except DAMAGE as error:
        place = f"la ligne {number + 1} ne peut pas être lue" if number else "lecture impossible"
        raise UnreadableError(f"{source.path} : {place} ({error}).", number) from error


def _read_csv(source: Source) -> Iterator[Row]:
    encoding = _checked_encoding(source)
    delimiter = source.delimiter or _detect_delimiter(source, encoding)
    with opened(source.path) as (raw, content):
        lines = io.TextIOWrapper(content, encoding=encoding, errors="surrogateescape", newline="")
        records = csv_records(lines_of(lines), delimiter)
        first = next(records, None)
        if first is not None and first.problem:
            raise BatchError(f"{source.path} : ligne 1, celle des titres : {first.problem}.")
        header = [name.strip() for name in (first.fields if first else ())]
        text_at, id_at = _columns(source, header)
        for number, record in enumerate(records, start=1):
            fields = record.fields
            id = _writable(fields[id_at]) if id_at is not None and id_at < len(fields) else ""
            place = f"ligne {record.line} du fichier"
            if record.problem or len(fields) != len(header):
                problem = f"{place} : {record.problem or f'{len(fields)} champ(s) au lieu de {len(header)}'}"
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
    sample = sample_of(source.path, encoding)
    headers = {mark: first_fields(sample, mark) for mark in _DELIMITERS}
    with_text = [mark for mark in _DELIMITERS if source.text_column in (name.strip() for name in headers[mark])]
    return max(with_text or _DELIMITERS, key=lambda mark: len(headers[mark]))


def _columns(source: Source, names: Sequence[str]) -> tuple[int, int | None]:
    if len(names) > MOST_COLUMNS:
        raise BatchError(f"{source.path} : {len(names)} colonnes ; la limite est de {MOST_COLUMNS}.")
    if source.text_column not in names:
        known = [name[:_SHOWN] for name in names if name]
        more = f" (et {len(known) - _SHOWN_NAMES} autres)" if len(known) > _SHOWN_NAMES else ""
        raise BatchError(
            f"{source.path} : colonne « {source.text_column} » absente. "
            f"Colonnes trouvées : {', '.join(known[:_SHOWN_NAMES]) or 'aucune'}{more}. Indiquez la bonne avec --text-column."
        )
    if twice := [name for name in repeated(names) if name in (source.text_column, source.id_column)]:
        raise BatchError(f"{source.path} : plusieurs colonnes s'appellent « {twice[0]} » : renommez les autres.")
    return names.index(source.text_column), names.index(source.id_column) if source.id_column in names else None


def _writable(id: str) -> str:
    """An identifier without outer white space, its broken characters replaced, so that it can be written back."""
    return id.strip().encode("utf-8", "replace").decode()


def _identifier(id: Any) -> str:
    """An identifier as it is written back; empty where there is none that can be."""
    return "" if id is None or isinstance(id, _CONTAINERS) else _writable(str(id))


def _text_row(number: int, id: Any, value: Any, progress: float, place: str = "") -> Row:
    prefix = f"{place} : " if place else ""
    chosen = _identifier(id) or str(number)
    if isinstance(id, _CONTAINERS) or no_number(id):
        problem = f"{prefix}identifiant : un texte ou un nombre est attendu, {type(id).__name__} trouvé"
        return Row(number, chosen, None, problem, progress)
    if value is None:
        return Row(number, chosen, "", None, progress)
    if not isinstance(value, str):
        if isinstance(value, int | float) and not isinstance(value, bool) and not no_number(value):
            return Row(number, chosen, str(value), None, progress)
        return Row(number, chosen, None, f"{prefix}texte attendu, {type(value).__name__} trouvé", progress)
    if len(value) > LONGEST:
        return Row(number, chosen, None, f"{prefix}texte de plus de {LONGEST} caractères", progress, "too_long")
    if any("\udc80" <= character <= "\udcff" for character in value):
        return Row(number, chosen, None, f"{prefix}octets invalides pour l'encodage du fichier", progress)
    return Row(number, chosen, value, None, progress)


def _read_jsonl(source: Source) -> Iterator[Row]:
    encoding = _checked_encoding(source)
    with opened(source.path) as (raw, content):
        lines = io.TextIOWrapper(content, encoding=encoding, errors="surrogateescape", newline="\n")
        number = 0
        for line_number, line in enumerate(lines_of(lines), start=1):
            if not line.text.strip():
                continue
            number += 1
            place = f"ligne {line_number} du fichier"
            if not line.whole:
                yield Row(number, str(number), None, f"{place} : plus de {LONGEST} caractères", raw.share(), "too_long")
                continue
            try:
                data = loads(line.text)
            except (ValueError, RecursionError) as error:
                yield Row(number, str(number), None, f"{place} : JSON illisible ({error})", raw.share())
                continue
            if not isinstance(data, dict) or source.text_column not in data:
                problem = f"{place} : objet JSON avec le champ « {source.text_column} » attendu"
                id = _identifier(data.get(source.id_column)) if isinstance(data, dict) else ""
                yield Row(number, id or str(number), None, problem, raw.share())
                continue
            yield _text_row(number, data.get(source.id_column), data[source.text_column], raw.share(), place)


def _read_parquet(source: Source) -> Iterator[Row]:
    return read_apart(parquet_rows, source, weight=_weight)


def _weight(row: Row) -> int:
    return len(row.text or "")


def parquet_rows(source: Source) -> Iterator[Row]:
    """The rows of a Parquet file, read here: to be called where the memory that it takes is bounded.

    Raises:
        BatchError: as `read_rows`.
    """
    number, total = 0, 0
    try:
        with opened_table(source.path) as file:
            total = file.metadata.num_rows
            columns = wanted_columns(source, file.schema_arrow.names)
            for batch in file.iter_batches(batch_size=PARQUET_ROWS, columns=columns):
                yield from table_rows(batch, columns, number, max(1, total))
                number += len(batch)
    except MemoryError:
        raise
    except DAMAGE as error:
        raise BatchError(f"{source.path} : la ligne {number + 1} ne peut pas être lue ({error}).") from error
    if number != total:
        raise BatchError(f"{source.path} : la table annonce {total} lignes et en contient {number}.")


def opened_table(path: Path) -> pq.ParquetFile:
    """A Parquet file that may be read.

    Raises:
        BatchError: it is none, or says that it holds more rows than its bytes can.
    """
    try:
        file = pq.ParquetFile(path)
    except DAMAGE as error:
        raise BatchError(f"{path} : ce n'est pas un fichier Parquet lisible ({error}).") from error
    rows = file.metadata.num_rows
    if rows > max(_FEW_ROWS, _ROWS_A_BYTE * path.stat().st_size):
        file.close()
        raise BatchError(f"{path} : la table annonce {rows} lignes, plus que ses octets ne peuvent en contenir.")
    return file


def wanted_columns(source: Source, names: Sequence[str]) -> list[str]:
    """The columns to read of a table with these names: the text, then the identifier if there is one.

    Raises:
        BatchError: there is no such text column, or several; the message names those that there are.
    """
    text_at, id_at = _columns(source, names)
    return [names[text_at]] + ([names[id_at]] if id_at is not None else [])


def table_rows(batch: pa.RecordBatch, columns: Sequence[str], before: int, total: int) -> Iterator[Row]:
    """The rows of a piece of a table of `total` rows, of which `before` come before it; `columns` are the wanted ones."""
    texts = batch.column(columns[0]).to_pylist()
    ids = batch.column(columns[1]).to_pylist() if len(columns) > 1 else [None] * len(texts)
    for number, (id, text) in enumerate(zip(ids, texts, strict=True), start=before + 1):
        yield _text_row(number, id, text, min(1.0, number / total), f"ligne {number} de la table")


def _read_xlsx(source: Source) -> Iterator[Row]:
    small = unpacked_size(source.path) <= _SMALL_BOOK
    return workbook_rows(source) if small else read_apart(workbook_rows, source, weight=_weight)


def workbook_rows(source: Source) -> Iterator[Row]:
    """The rows of the first sheet of a workbook, read here: to be called where the memory that it takes is bounded.

    Raises:
        BatchError: as `read_rows`.
    """
    with opened_workbook(source.path, _BOOK) as book:
        if not book.worksheets:
            raise BatchError(f"{source.path} : aucune feuille de calcul.")
        sheet = book.worksheets[0]
        total = max(1, (sheet.max_row or 1) - 1)
        number = 0
        try:
            rows = sheet.iter_rows(values_only=True)
            header = [str(name).strip() if name is not None else "" for name in next(rows, ())]
            text_at, id_at = _columns(source, header)
            for number, values in enumerate(rows, start=1):
                if number > MOST_LINES:
                    raise BatchError(f"{source.path} : plus de {MOST_LINES} lignes : aucun classeur n'en a autant.")
                id = values[id_at] if id_at is not None and id_at < len(values) else None
                text = values[text_at] if text_at < len(values) else None
                yield _text_row(number, id, text, min(1.0, number / total), f"ligne {number + 1} de la feuille")
        except (BatchError, MemoryError):
            raise
        except Exception as error:  # the library raises many kinds on rows that are not what they should be
            told = f"la ligne {number + 1} ne peut pas être lue ({type(error).__name__})"
            raise BatchError(f"{source.path} : {told}.") from error


_READERS: Final[Mapping[str, Callable[[Source], Iterator[Row]]]] = {
    "csv": _read_csv,
    "jsonl": _read_jsonl,
    "parquet": _read_parquet,
    "xlsx": _read_xlsx,
}
