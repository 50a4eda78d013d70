"""What Schemathesis does not know of itself: how files of texts, and lines of JSON, are sent."""

import json
from typing import Any

import schemathesis

_LINES = ("application/x-ndjson", "application/jsonl")
_FILES = (
    "text/csv",
    "text/tab-separated-values",
    "application/vnd.apache.parquet",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
)


def _raw(value: Any) -> bytes:
    content = getattr(value, "data", value)
    return content if isinstance(content, bytes) else str(content).encode("utf-8", "surrogatepass")


@schemathesis.serializer(*_LINES)
def _lines(_: Any, value: Any) -> bytes:
    """What was made, as a line, and as the text of one."""
    content = _raw(value)
    return content + b"\n" + json.dumps({"text": content.decode("utf-8", "replace")}).encode() + b"\n"


@schemathesis.serializer(*_FILES)
def _file(_: Any, value: Any) -> bytes:
    return _raw(value)
