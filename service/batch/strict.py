"""JSON as it is defined: no field given twice, of which one would be lost, and no number that is none."""

import json
from math import isfinite
from typing import Any


def loads(content: str | bytes) -> Any:
    """The value of a JSON text; NaN and Infinity, which JSON does not know, are left for `no_number` to tell.

    Raises:
        ValueError: it is no JSON, or gives a field twice; the message is for people.
        RecursionError: it is nested too deep; the message too.
    """
    try:
        # An error after the end of a line would be told as one of the next line.
        return json.loads(content.rstrip() if isinstance(content, str) else content, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        alone = "\n" not in error.doc
        place = f"au caractère {error.pos}" if alone else f"ligne {error.lineno}, caractère {error.colno}"
        raise ValueError(place) from error
    except UnicodeDecodeError as error:
        raise ValueError("de l'UTF-8 est attendu") from error
    except _TwiceError:
        raise
    except ValueError as error:
        raise ValueError("un nombre a trop de chiffres") from error
    except RecursionError as error:
        raise RecursionError("imbrication trop profonde") from error


def no_number(value: Any) -> bool:
    """Whether a value is NaN or infinite: written so, or beyond what a number holds."""
    return isinstance(value, float) and not isfinite(value)


class _TwiceError(ValueError):
    """A field is given twice; the message says which."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _TwiceError(f"champ « {twice[:40]} » donné deux fois")
    return found
