"""What passes between the parts of a batch: an input, its rows, the tasks they are cut into, what became of each row."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from model.errors import BatchError
from model.records import OperatingPointName, Prediction, Problem


@dataclass(frozen=True, slots=True)
class Source:
    """How to read an input: path, names of the columns, delimiter and encoding (None: detected)."""

    path: Path
    text_column: str = "text"
    id_column: str = "id"
    delimiter: str | None = None
    encoding: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the input: its number from 1, its identifier, its text or the reason why there is none (with the error
    code of the contract), the share of the file read so far, in [0, 1], whether its identifier was met before, and a
    digest of what was read.
    """

    number: int
    id: str
    text: str | None
    problem: str | None
    progress: float
    code: str = "invalid_text"
    duplicate: bool = False
    digest: bytes = b""


class UnreadableError(BatchError):
    """An input that cannot be read any further; `rows` were read before."""

    def __init__(self, message: str, rows: int) -> None:
        super().__init__(message)
        self.rows = rows

    def __reduce__(self) -> tuple[type["UnreadableError"], tuple[str, int]]:
        """As it passes from one process to another."""
        return type(self), (str(self), self.rows)


def format_of(path: Path) -> str:
    """The format of a path by its name: `csv`, `jsonl`, `parquet` or `xlsx`.

    Raises:
        BatchError: another ending; the message names the endings known.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = bool(suffixes) and suffixes[-1] == ".gz"
    ending = suffixes[-2] if packed and len(suffixes) > 1 else (suffixes[-1] if suffixes else "")
    known = {
        ".csv": "csv",
        ".tsv": "csv",
        ".jsonl": "jsonl",
        ".ndjson": "jsonl",
        ".parquet": "parquet",
        ".xlsx": "xlsx",
    }
    if ending not in known or (packed and known[ending] in ("parquet", "xlsx")):
        raise BatchError(
            f"{path} : format inconnu. Attendu : .csv, .tsv, .jsonl, .parquet ou .xlsx (.gz possible pour .csv, .tsv, .jsonl)."
        )
    return known[ending]


class Scored(NamedTuple):
    """What became of a row: its encoded line of output, its status, its level if it has one, and its error code and message."""

    line: bytes
    status: str
    level: int | None
    error: tuple[str, str] | None


@dataclass(slots=True)
class Task:
    """Neighbouring rows scored and kept together, those that are done, and what is known of a row that ends processes.

    Where a process was lost, `careful` asks for each row to be answered at once: the row that ends the next process is
    then the first without an answer, and `strikes` counts how often that was `suspect`.
    """

    rows: list[Row]
    digest: str
    done: list[Scored] = field(default_factory=list)
    careful: bool = False
    suspect: int = -1
    strikes: int = 0

    @property
    def first(self) -> int:
        """Number of the first row."""
        return self.rows[0].number

    @property
    def waiting(self) -> list[Row]:
        """The rows without an answer."""
        return self.rows[len(self.done) :]


@dataclass(slots=True)
class Report:
    """What a run did: rows by status, by level and by error code, identifiers met twice, the first faults with their row.

    `seconds` is by a clock that never jumps, all sessions of a resumed run together; `lost` counts processes that the
    system ended.
    """

    rows: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    levels: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    duplicates: int = 0
    faults: list[str] = field(default_factory=list)
    first_duplicates: list[str] = field(default_factory=list)
    seconds: float = 0.0
    lost: int = 0


def failed(id: str, problem: Problem, version: str, point: OperatingPointName) -> Prediction:
    """The prediction of a row that could not be analysed."""
    return Prediction(id=id, status="error", model_version=version, operating_point=point, error=problem)
