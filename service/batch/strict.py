"""JSON as it is defined: no field given twice, of which one would be lost, and no number that is none."""

import json
from math import isfinite
from typing import Any


def loads(content: str | bytes) -> Any:
    """The value of a JSON text; NaN and Infinity, which JSON does not know, are left for `no_number` to tell.

    Raises:
        ValueError: it is no JSON, or gives a field twice; the message is for people.
        RecursionError: it is nested too deep.
    """
    return json.loads(content, object_pairs_hook=_once)


def no_number(value: Any) -> bool:
    """Whether a value is NaN or infinite: written so, or beyond what a number holds."""
    return isinstance(value, float) and not isfinite(value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"champ « {twice[:40]} » donné deux fois")
    return found
