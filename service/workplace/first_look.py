"""What a file holds, by its first records: its columns, whether it can be imported at all, whether Vigie wrote it."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from model.errors import BatchError
from service.batch.files import detect_encoding, sample_of
from service.workplace.tables import Limits, Record, kind_of, read_records

#: Records that the columns of a JSONL file are read from.
_FIRST: Final = 50
#: Columns that only an export of Vigie has, none of them ever empty.
_OURS: Final = frozenset({"text", "sha256", "received_at", "seen", "at_risk", "hesitates", "doubt", "contradicts"})
#: Formats that are texts, and what to call them.
_TEXTUAL: Final = {"csv": "Un CSV", "jsonl": "Du JSONL", "txt": "Un texte"}
_CONTROLS: Final = 30
_TITLES: Final = "la première ligne est attendue avec le titre de chaque colonne, dont celle du texte"
_BELOW: Final = "au moins une est attendue sous celle des titres"
_ROWLESS: Final = {"csv": _BELOW, "xlsx": _BELOW, "parquet": "la table est vide"}


def columns_of(path: Path, limits: Limits) -> list[str]:
    """The columns of a file, in its order; of JSON, those of its first records.

    Raises:
        BatchError: as `read_records`, or nothing of the file can become a text: it is not of its format, it has no row.
    """
    kind = kind_of(path)
    if kind in _TEXTUAL and _binary(path):
        raise BatchError(f"Fichier illisible : ce n'est pas du texte. {_TEXTUAL[kind]} est attendu, d'après le nom du fichier.")
    names: dict[str, None] = {}
    first: Record | None = None
    for record in islice(read_records(path, limits), _FIRST):
        first = first or record
        names |= dict.fromkeys(record.values)
    if first is None:
        raise BatchError(f"Le fichier n'a aucune ligne à importer : {_ROWLESS.get(kind, 'au moins un texte est attendu')}.")
    if not names and first.problem:
        raise BatchError(f"Aucune ligne lisible au début du fichier. La première, {first.place} : {first.problem}.")
    if not names:
        raise BatchError(f"Aucune colonne n'a de titre : {_TITLES}.")
    return list(names)


def _binary(path: Path) -> bool:
    """Whether a file that ought to be a text begins with what no text holds: one control character in thirty."""
    sample = sample_of(path, detect_encoding(path))
    controls = sum(character < " " and not character.isspace() for character in sample)
    return controls * _CONTROLS > len(sample)


def is_export(file: str, found: Sequence[str]) -> bool:
    """Whether a file, by its name and columns, is one that Vigie wrote for a spreadsheet."""
    return kind_of(Path(file)) in ("csv", "xlsx") and set(found) >= _OURS
