"""CSV for spreadsheets, one row per text and annotator; passages as JSON in one cell.

A cell that begins like a formula gets an apostrophe in front, so that no spreadsheet computes it; reading takes it off.
"""

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from model.errors import CorpusError
from training.corpus import AnnotatedText
from training.exchange.common import Row, View, annotator_of, comments_of, parse_each, rest_of, take_rank, views_of

_COLUMNS: Final = ("id", "text", "stance", "targets", "indicators", "annotator", "theme", "writer", "comments", "vigie")
#: Spreadsheets in French write semicolons.
_DELIMITERS: Final = (",", ";", "\t")
_WIDEST_CELL: Final = 50_000_000
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "'")


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
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            table = csv.DictReader(file, strict=True, delimiter=max(_DELIMITERS, key=first.count))
            missing = {"id", "text", "stance"} - set(table.fieldnames or ())
            if missing:
                raise CorpusError(f"{source} : colonne(s) {', '.join(sorted(missing))} absente(s).")
            items = [(f"{source}:{table.line_num}", row) for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CorpusError(f"{source} : fichier illisible ({error}).") from error
    return parse_each(items, _parse)


def _parse(place: str, cells: dict[str, Any]) -> Iterable[Row]:
    if None in cells or None in cells.values():
        raise CorpusError(f"{place} : le nombre de cellules n'est pas celui de l'en-tête.")
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
