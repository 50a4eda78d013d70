"""CSV for spreadsheets, one row per text and annotator; passages as JSON in one cell.

A cell that begins like a formula gets an apostrophe in front, so that no spreadsheet computes it; reading takes it off.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from model.errors import CorpusError
from training.corpus import AnnotatedText
from training.exchange.common import Row, View, annotator_of, comments_of, parse_each, rest_of, take_rank, views_of
from training.exchange.reading import read_whole

_COLUMNS: Final = ("id", "text", "stance", "targets", "indicators", "annotator", "theme", "writer", "comments", "vigie")
#: Spreadsheets in French write semicolons.
_DELIMITERS: Final = (",", ";", "\t")
#: Lines of one record: a text of the corpus has fewer.
_LONGEST_RECORD: Final = 500
_WIDEST_CELL: Final = 50_000_000
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'")


def dump(texts: Sequence[AnnotatedText], target: Path) -> None:
    """Write the table: UTF-8 with a byte order mark, which spreadsheets need."""
    with target.open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow(_COLUMNS)
        for text in texts:
            for number, view in enumerate(views_of(text)):
                passages = [{"label": label, "start": start, "end": end} for start, end, label in view.passages]
                cells = (
                    text.id,
                    text.text,
                    view.stance,
                    " ".join(view.targets),
                    _json(passages),
                    _json(view.annotator),
                    text.theme,
                    text.writer,
                    _json(comments_of(text) if number == 0 else []),
                    _json(rest_of(text, view)),
                )
                table.writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells])


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def load(source: Path) -> Iterator[Row | CorpusError]:
    """The rows of a table with at least `id`, `text` and `stance`.

    Raises:
        CorpusError: the file cannot be read, or a column is missing.
    """
    csv.field_size_limit(_WIDEST_CELL)
    content = read_whole(source)
    lines = list(io.StringIO(content, newline=""))
    delimiter = max(_DELIMITERS, key=lines[0].count) if lines else ","
    records = _records(source, lines, delimiter)
    header = next(records, (1, []))[1]
    if isinstance(header, CorpusError):
        raise header
    missing = {"id", "text", "stance"} - set(header)
    if missing:
        raise CorpusError(f"{source} : colonne(s) {', '.join(sorted(missing))} absente(s).")
    twice = next((name for name in header if name in _COLUMNS and header.count(name) > 1), None)
    if twice:
        raise CorpusError(f"{source} : plusieurs colonnes s'appellent « {twice} ».")
    return parse_each(_rows(source, header, records), _parse)


def _rows(
    source: Path, header: Sequence[str], records: Iterable[tuple[int, "list[str] | CorpusError"]]
) -> Iterator[tuple[str, Any] | CorpusError]:
    for line, cells in records:
        if isinstance(cells, CorpusError):
            yield cells
        elif len(cells) != len(header):
            yield CorpusError(f"{source}:{line} : le nombre de cellules n'est pas celui de l'en-tête.")
        else:
            yield f"{source}:{line}", dict(zip(header, cells, strict=True))


class _Lines:
    """Lines for a reader of CSV; a record takes a bounded number of them, so that a quote left open costs its own line."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self.at = 0
        self._start = 0

    def __iter__(self) -> "_Lines":
        return self

    def begin(self) -> int:
        """Begin another record; the number of its first line, from 0."""
        self._start = self.at
        return self.at

    def __next__(self) -> str:
        if self.at >= len(self._lines):
            raise StopIteration
        if self.at - self._start >= _LONGEST_RECORD:
            raise csv.Error(f"plus de {_LONGEST_RECORD} lignes entre deux guillemets")
        self.at += 1
        return self._lines[self.at - 1]


def _records(source: Path, lines: Sequence[str], delimiter: str) -> Iterator[tuple[int, "list[str] | CorpusError"]]:
    """The records, each with the line that it ends on; a broken one is told at the line that it begins on."""
    feed = _Lines(lines)
    reader = csv.reader(feed, strict=True, delimiter=delimiter)
    while True:
        start = feed.begin()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            feed.at = start + 1
            yield feed.at, CorpusError(f"{source}:{feed.at} : ligne illisible ({error}) ; les suivantes sont lues.")
            continue
        if cells:
            yield feed.at, cells


def _parse(place: str, cells: dict[str, Any]) -> Iterable[Row]:
    row = {name: cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell for name, cell in cells.items()}
    passages = tuple(
        (int(passage["start"]), int(passage["end"]), str(passage["label"]))
        for passage in json.loads(row.get("indicators") or "[]")
    )
    rest = {**json.loads(row.get("vigie") or "{}"), "id": row["id"]}
    rest |= {name: row[name] for name in ("theme", "writer") if row.get(name)}
    rank = take_rank(rest)
    annotator = annotator_of(json.loads(row.get("annotator") or "null"))
    view = View(annotator, row["stance"], tuple((row.get("targets") or "").split()), passages, rank)
    yield Row(place, row["text"], rest, view, tuple(json.loads(row.get("comments") or "[]")))
