"""A prediction as bytes: a line of JSONL, a line of CSV, or the cells of a table row, which outputs put together."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from model.labels import INDICATOR_IDS
from model.records import Prediction
from service.batch.records import format_of
from service.inert import in_order_json, spreadsheet_cell

COLUMN_NAMES: Final = (
    "id",
    "status",
    "analysis",
    "risk_score",
    "risk_level",
    "stance",
    "model_version",
    *(f"score_{name}" for name in INDICATOR_IDS),
    *(f"present_{name}" for name in INDICATOR_IDS),
    "evidence",
    "practices",
    "error",
)

Encoder = Callable[[Prediction], bytes]


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
        "evidence": in_order_json(json.dumps(evidence, ensure_ascii=False)) if prediction.status == "ok" else None,
        "practices": ", ".join(dict.fromkeys(practice.id for practice in prediction.practices)),
        "error": f"{problem.code}: {problem.message}" if problem else None,
    }
    for name in INDICATOR_IDS:
        found = scores.get(name)
        row[f"score_{name}"] = found.score if found else None
        row[f"present_{name}"] = found.present if found else None
    return {name: row[name] for name in COLUMN_NAMES}


def encoder_for(path: Path) -> Encoder:
    """What turns a prediction into the bytes of one row for an output of this name.

    Raises:
        BatchError: a format that is not known.
    """
    kind = format_of(path)
    if kind == "jsonl":
        return _json_line
    if kind == "csv":
        delimiter = delimiter_of(path)
        return lambda prediction: csv_line([_text_cell(value) for value in flat_row(prediction).values()], delimiter)
    return _cells


def delimiter_of(path: Path) -> str:
    """What separates the cells of a CSV output of this name."""
    return "\t" if ".tsv" in path.suffixes else ","


def csv_line(cells: list[Any], delimiter: str) -> bytes:
    """One line of CSV in UTF-8."""
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter).writerow(cells)
    return line.getvalue().encode()


def _json_line(prediction: Prediction) -> bytes:
    return prediction.model_dump_json().encode() + b"\n"


def _text_cell(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else spreadsheet_cell(value)


def _cells(prediction: Prediction) -> bytes:
    return json.dumps(list(flat_row(prediction).values()), ensure_ascii=False).encode() + b"\n"
