"""Everything out again: each text with its provenance, the newest prediction and every decision, a few hundred at a time."""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, and_, select

from model.errors import BatchError
from service.inert import in_order_json
from service.workplace.columns import guarded
from service.workplace.receptions import receptions_by_item
from service.workplace.schema import DECISIONS, ITEMS, PREDICTIONS, USERS
from service.workplace.times import aware
from service.workplace.workbook import write_workbook

_LOT: Final = 200
#: Columns of an item that are exported as they are.
_KEPT: Final = (
    "id",
    "external_id",
    "text",
    "sha256",
    "source",
    "channel",
    "theme",
    "region",
    "author",
    "url",
    "captured_at",
    "received_at",
    "seen",
    "import_id",
    "state",
    "model_version",
    "status",
    "level",
    "score",
    "stance",
    "at_risk",
    "hesitates",
    "doubt",
    "contradicts",
    "decided_level",
    "decided_stance",
    "decided_at",
    "decided_by",
)
_PARENTS: Final = ("parent", "parent_sha256")
#: What is told of each further time that a text came.
RECEPTION_FIELDS: Final = (
    *("external_id", "source", "channel", "theme", "region", "author", "url", "captured_at", "received_at", "import_id"),
)
#: Columns of a flat export; `signs` and `practices` are identifiers parted by commas; `prediction`, `decisions` and
#: `receptions` (the further times that a text came) are JSON.
COLUMNS: Final = (*_KEPT[:11], *_PARENTS, *_KEPT[11:], "signs", "practices", "prediction", "decisions", "receptions")
DECISION_FIELDS: Final = (
    "id",
    "made_at",
    "login",
    "kind",
    "verdict",
    "stance",
    "level",
    "targets",
    "indicators",
    "reason",
    "note",
    "model_version",
    "operating_point",
    "drawn_by",
    "drawn_share",
    "withdraws",
)
FORMATS: Final[Mapping[str, tuple[str, str]]] = {
    "csv": ("text/csv; charset=utf-8", "CSV (tableur, UTF-8)"),
    "xlsx": (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "XLSX (classeur : textes, décisions, réceptions)",
    ),
    "jsonl": ("application/x-ndjson", "JSONL (tout, une ligne par texte)"),
}

Conditions = Sequence[ColumnElement[bool]]
#: What becomes of a row of `everything` before it goes out, such as pseudonyms.
Change = Callable[[dict[str, Any]], dict[str, Any]]


def as_it_is(row: dict[str, Any]) -> dict[str, Any]:
    """The row, unchanged."""
    return row


def everything(engine: Engine, conditions: Conditions = ()) -> Iterator[dict[str, Any]]:
    """The texts that meet the conditions, in the order received, each with its prediction and its decisions, oldest first.

    No transaction is held between two lots: what arrives meanwhile comes at the end.
    """
    last = ""
    while True:
        with engine.connect() as connection:
            lot = _lot(connection, last, conditions)
        if not lot:
            return
        yield from lot
        last = lot[-1]["id"]


def _lot(connection: Connection, last: str, conditions: Conditions) -> list[dict[str, Any]]:
    parent = ITEMS.alias("parent")
    author = USERS.alias("decider")
    said = and_(PREDICTIONS.c.item_id == ITEMS.c.id, PREDICTIONS.c.model_version == ITEMS.c.model_version)
    wanted = (
        select(
            *(ITEMS.c[name] for name in _KEPT if name != "decided_by"),
            ITEMS.c.parent_ref,
            parent.c.sha256.label("parent_sha256"),
            author.c.login.label("decided_by"),
            PREDICTIONS.c.prediction,
        )
        .select_from(
            ITEMS.outerjoin(parent, parent.c.id == ITEMS.c.parent_id)
            .outerjoin(author, author.c.id == ITEMS.c.decided_by)
            .outerjoin(PREDICTIONS, said)
        )
        .where(ITEMS.c.id > last, *conditions)
        .order_by(ITEMS.c.id)
        .limit(_LOT)
    )
    rows = list(connection.execute(wanted).mappings())
    ids = [row["id"] for row in rows]
    decisions = _decisions(connection, ids)
    again = receptions_by_item(connection, ids) if ids else {}
    return [
        {
            **{name: _plain(row[name]) for name in _KEPT},
            "parent": None if row["parent_ref"] == row["parent_sha256"] else row["parent_ref"],
            "parent_sha256": row["parent_sha256"],
            "prediction": row["prediction"],
            "decisions": decisions.get(row["id"], []),
            "receptions": [{name: _plain(one[name]) for name in RECEPTION_FIELDS} for one in again.get(row["id"], ())],
        }
        for row in rows
    ]


def _decisions(connection: Connection, ids: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    wanted = (
        select(DECISIONS.c.item_id, USERS.c.login, *(DECISIONS.c[name] for name in DECISION_FIELDS if name != "login"))
        .join(USERS, USERS.c.id == DECISIONS.c.user_id)
        .where(DECISIONS.c.item_id.in_(ids))
        .order_by(DECISIONS.c.number)
    )
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in connection.execute(wanted).mappings() if ids else ():
        found[row["item_id"]].append({name: _plain(row[name]) for name in DECISION_FIELDS})
    return found


def _plain(value: Any) -> Any:
    return aware(value).isoformat() if isinstance(value, datetime) else value


def flat(row: Mapping[str, Any]) -> list[Any]:
    """A row of `everything` as the cells of COLUMNS, not yet guarded."""
    prediction = row["prediction"] or {}
    more = {
        "signs": ", ".join(sign["id"] for sign in prediction.get("indicators", ()) if sign["present"]),
        "practices": ", ".join(dict.fromkeys(practice["id"] for practice in prediction.get("practices", ()))),
        "prediction": _json(row["prediction"]) if row["prediction"] else None,
        "decisions": _json(row["decisions"]) if row["decisions"] else None,
        "receptions": _json(row["receptions"]) if row["receptions"] else None,
    }
    return [more[name] if name in more else row[name] for name in COLUMNS]


def _json(value: Any) -> str:
    return in_order_json(json.dumps(value, ensure_ascii=False))


def jsonl(rows: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    """Rows of `everything` as lines of JSON, in UTF-8."""
    for row in rows:
        yield _json(row).encode() + b"\n"


def csv_lines(header: Sequence[str], rows: Iterator[Sequence[Any]]) -> Iterator[bytes]:
    """Rows of cells as CSV with a byte order mark, formulas guarded; some forty kilobytes at a time."""
    piece = io.StringIO()
    piece.write("\ufeff")
    writer = csv.writer(piece)
    writer.writerow(header)
    for cells in rows:
        writer.writerow([_cell(value) for value in cells])
        if piece.tell() > 40_000:
            yield piece.getvalue().encode()
            piece.seek(0)
            piece.truncate()
    yield piece.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return guarded(value) if isinstance(value, str) else value


def stream(engine: Engine, kind: str, conditions: Conditions = ()) -> Iterator[bytes]:
    """Everything as `csv` or `jsonl`, piece by piece, in constant memory.

    Raises:
        BatchError: another format.
    """
    return pieces_of(everything(engine, conditions), kind)


def pieces_of(rows: Iterator[dict[str, Any]], kind: str) -> Iterator[bytes]:
    """Rows of `everything` as `csv` or `jsonl`, piece by piece.

    Raises:
        BatchError: another format.
    """
    if kind not in ("csv", "jsonl"):
        raise BatchError(f"Format « {kind} » : csv, jsonl ou xlsx est attendu.")
    return jsonl(rows) if kind == "jsonl" else csv_lines(COLUMNS, map(flat, rows))


def watched(rows: Iterator[dict[str, Any]], told: Callable[[int], None]) -> Iterator[dict[str, Any]]:
    """The same rows; `told` hears of every two hundredth, and at the end, how many went by."""
    count = 0
    for count, row in enumerate(rows, start=1):
        yield row
        if count % _LOT == 0:
            told(count)
    told(count)


def write(
    engine: Engine,
    kind: str,
    path: Path,
    conditions: Conditions = (),
    told: Callable[[int], None] = lambda _: None,
    change: Change = as_it_is,
) -> None:
    """Everything into a file of this format; `told` hears how many texts were read so far, `change` makes each row what goes out.

    Raises:
        BatchError: the format is not known, or nothing can be written there.
    """
    try:
        rows = watched(map(change, everything(engine, conditions)), told)
        if kind == "xlsx":
            write_workbook(rows, path)
            return
        pieces = pieces_of(rows, kind)
        with path.open("wb") as target:
            target.writelines(pieces)
    except OSError as error:
        raise BatchError(f"{path} : écriture impossible ({error.strerror}).") from error
