"""Write predictions to CSV, JSONL, Parquet or XLSX; the final name appears only when everything is on disk."""

import csv
import gzip
import io
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Protocol, Self

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from model.errors import BatchError
from model.labels import INDICATOR_IDS
from model.records import Prediction
from service.batch.rows import format_of

_ROWS_A_GROUP: Final = 1_000
_XLSX_CELL: Final = 32_767
_XLSX_ROWS: Final = 1_048_575

COLUMNS: Final[Mapping[str, pa.DataType]] = (
    {
        "id": pa.string(),
        "status": pa.string(),
        "analysis": pa.string(),
        "risk_score": pa.float64(),
        "risk_level": pa.int8(),
        "stance": pa.string(),
        "model_version": pa.string(),
    }
    | {f"score_{name}": pa.float64() for name in INDICATOR_IDS}
    | {f"present_{name}": pa.bool_() for name in INDICATOR_IDS}
    | {"evidence": pa.string(), "practices": pa.string(), "error": pa.string()}
)


def flat_row(prediction: Prediction) -> dict[str, Any]:
    """A prediction as one row of the contract's columns; what does not apply is None."""
    scores = {indicator.id: indicator for indicator in prediction.indicators}
    evidence = {
        indicator.id: [passage.model_dump(mode="json", exclude_none=True) for passage in indicator.evidence]
        for indicator in prediction.indicators
        if indicator.present
    }
    problem = prediction.error
    if problem is None and prediction.status != "ok" and prediction.warnings:
        problem = prediction.warnings[0]
    row: dict[str, Any] = {
        "id": prediction.id,
        "status": prediction.status,
        "analysis": prediction.analysis,
        "risk_score": prediction.risk.score if prediction.risk else None,
        "risk_level": prediction.risk.level if prediction.risk else None,
        "stance": prediction.stance.value if prediction.stance else None,
        "model_version": prediction.model_version,
        "evidence": json.dumps(evidence, ensure_ascii=False) if prediction.status == "ok" else None,
        "practices": ", ".join(dict.fromkeys(practice.id for practice in prediction.practices)),
        "error": f"{problem.code}: {problem.message}" if problem else None,
    }
    for name in INDICATOR_IDS:
        found = scores.get(name)
        row[f"score_{name}"] = found.score if found else None
        row[f"present_{name}"] = found.present if found else None
    return {name: row[name] for name in COLUMNS}


class _Sink(Protocol):
    def write(self, prediction: Prediction) -> None: ...
    def finish(self) -> None: ...
    def abandon(self) -> None: ...


class _Lines:
    """JSONL, one prediction a line."""

    def __init__(self, target: IO[bytes]) -> None:
        self.text = io.TextIOWrapper(target, encoding="utf-8", newline="\n")

    def write(self, prediction: Prediction) -> None:
        self.text.write(prediction.model_dump_json() + "\n")

    def finish(self) -> None:
        self.text.close()

    def abandon(self) -> None:
        _close_quietly(self.text)


class _Table:
    """CSV in UTF-8 with a byte order mark, which spreadsheet programs need to read accents."""

    def __init__(self, target: IO[bytes], delimiter: str) -> None:
        self.text = io.TextIOWrapper(target, encoding="utf-8-sig", newline="")
        self.rows = csv.DictWriter(self.text, fieldnames=list(COLUMNS), delimiter=delimiter)
        self.rows.writeheader()

    def write(self, prediction: Prediction) -> None:
        self.rows.writerow(
            {
                name: str(value).lower() if isinstance(value, bool) else _cell(value)
                for name, value in flat_row(prediction).items()
            }
        )

    def finish(self) -> None:
        self.text.close()

    def abandon(self) -> None:
        _close_quietly(self.text)


class _Parquet:
    """Parquet in row groups of a thousand."""

    def __init__(self, target: IO[bytes]) -> None:
        self.target = target
        self.schema = pa.schema(list(COLUMNS.items()))
        self.writer = pq.ParquetWriter(target, self.schema)
        self.rows: list[dict[str, Any]] = []

    def write(self, prediction: Prediction) -> None:
        self.rows.append(flat_row(prediction))
        if len(self.rows) >= _ROWS_A_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self.rows:
            self.writer.write_table(pa.Table.from_pylist(self.rows, schema=self.schema))
            self.rows.clear()

    def finish(self) -> None:
        self._flush()
        self.writer.close()
        self.target.close()

    def abandon(self) -> None:
        _close_quietly(self.target)


class _Workbook:
    """XLSX, one sheet; characters that the format forbids are dropped and cells longer than it allows are cut."""

    def __init__(self, target: IO[bytes]) -> None:
        self.target = target
        self.book = openpyxl.Workbook(write_only=True)
        self.sheet = self.book.create_sheet("vigie")
        self.sheet.append(list(COLUMNS))
        self.count = 0

    def write(self, prediction: Prediction) -> None:
        self.count += 1
        if self.count > _XLSX_ROWS:
            raise BatchError(f"Une feuille .xlsx ne tient que {_XLSX_ROWS} lignes ; choisissez .csv, .jsonl ou .parquet.")
        self.sheet.append([_short(_cell(value)) for value in flat_row(prediction).values()])

    def finish(self) -> None:
        self.book.save(self.target)
        self.target.close()

    def abandon(self) -> None:
        _close_quietly(self.target)


def _short(value: Any) -> Any:
    return ILLEGAL_CHARACTERS_RE.sub("", value)[:_XLSX_CELL] if isinstance(value, str) else value


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    # A leading sign of formula would be computed by the spreadsheet program.
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _close_quietly(target: IO[Any]) -> None:
    try:
        target.close()
    except (OSError, ValueError):
        return


class Output:
    """A context manager around one output file: `.tmp` beside it while writing, renamed at the end, removed on failure."""

    def __init__(self, path: Path, *, overwrite: bool = False, delimiter: str = ",") -> None:
        """Open the output.

        Raises:
            BatchError: unknown ending, the file exists and `overwrite` is not set, or nothing can be written there.
        """
        self.path = path
        self.temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        kind = format_of(path)
        if path.is_dir():
            raise BatchError(f"{path} : c'est un dossier ; un fichier est attendu.")
        if path.exists() and not overwrite:
            raise BatchError(f"{path} : ce fichier existe déjà. Choisissez un autre nom ou ajoutez --overwrite.")
        try:
            raw: IO[bytes] = self.temporary.open("wb")
        except OSError as error:
            raise BatchError(f"{path} : écriture impossible ({error.strerror}).") from error
        self.raw = raw
        packed: Any = gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) if path.suffix == ".gz" else raw
        mark = "\t" if ".tsv" in path.suffixes else delimiter
        makers: dict[str, Callable[[], _Sink]] = {
            "jsonl": lambda: _Lines(packed),
            "csv": lambda: _Table(packed, mark),
            "parquet": lambda: _Parquet(packed),
            "xlsx": lambda: _Workbook(packed),
        }
        self.sink = makers[kind]()

    def write(self, prediction: Prediction) -> None:
        """Add one prediction.

        Raises:
            BatchError: the disk is full or failing.
        """
        try:
            self.sink.write(prediction)
        except OSError as error:
            raise BatchError(f"{self.path} : écriture impossible ({error.strerror or error}).") from error

    def __enter__(self) -> Self:
        """The output itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Give the file its final name, or leave nothing behind after a failure.

        Raises:
            BatchError: the last bytes could not be written.
        """
        if error is None:
            try:
                self.sink.finish()
                if not self.raw.closed:
                    self.raw.close()
                with self.temporary.open("rb") as written:
                    os.fsync(written.fileno())
                self.temporary.replace(self.path)
            except OSError as failure:
                self._abandon()
                raise BatchError(f"{self.path} : écriture impossible ({failure.strerror or failure}).") from failure
            return
        self._abandon()

    def _abandon(self) -> None:
        self.sink.abandon()
        _close_quietly(self.raw)
        self.temporary.unlink(missing_ok=True)
