"""Files that tools write, read whole: refused where they are larger than any corpus, in another encoding, or not JSON."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from model.errors import CorpusError

#: More than any corpus holds; what is read of a file is held whole.
MOST_BYTES: Final = 500_000_000


def rows_of_json(source: Path, *, lines: bool) -> Iterator[tuple[str, Any] | CorpusError]:
    """The JSON values of a file, each with its place: one a line, or the items of one array.

    Raises:
        CorpusError: the file cannot be read, or is not an array where one is expected.
    """
    content = read_whole(source)
    if not lines:
        try:
            items = json.loads(content, object_pairs_hook=_once, parse_constant=_no_number)
        except RecursionError as error:
            raise CorpusError(f"{source} : JSON illisible (imbrication trop profonde).") from error
        except ValueError as error:
            raise CorpusError(f"{source} : JSON illisible ({error}).") from error
        if not isinstance(items, list):
            raise CorpusError(f"{source} : un tableau JSON est attendu.")
        yield from ((f"{source}, élément {number}", item) for number, item in enumerate(items, start=1))
        return
    for number, line in enumerate(content.split("\n"), start=1):
        if line.strip():
            try:
                yield f"{source}:{number}", json.loads(line, object_pairs_hook=_once, parse_constant=_no_number)
            except (ValueError, RecursionError) as error:
                yield CorpusError(f"{source}:{number} : JSON illisible ({error}).")


def read_whole(source: Path) -> str:
    """The content of a text file, in UTF-8, that is not larger than any corpus.

    Raises:
        CorpusError: it cannot be read, is in another encoding, or is too large.
    """
    try:
        size = source.stat().st_size
        if size > MOST_BYTES:
            raise CorpusError(f"{source} : {size} octets ; la limite est de {MOST_BYTES}. Coupez le fichier.")
        return source.read_bytes().decode("utf-8-sig")  # line breaks stay as they are
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(f"{source} : fichier illisible ({error}).") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("un champ est donné deux fois")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} n'est pas un nombre de JSON")
