"""The exchange formats by name, and the two ways."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from model.errors import CorpusError
from training.corpus import AnnotatedText
from training.exchange import argilla, docbin, doccano, label_studio, prodigy, table
from training.exchange.common import Imported, Row, collect

_Load = Callable[[Path], Iterable[Row | CorpusError]]
_Dump = Callable[[Sequence[AnnotatedText], Path], None]

#: Name, usual ending, and the module's two functions.
FORMATS: Final[dict[str, tuple[str, _Dump, _Load]]] = {
    "doccano": (".jsonl", doccano.dump, doccano.load),
    "label-studio": (".json", label_studio.dump, label_studio.load),
    "prodigy": (".jsonl", prodigy.dump, prodigy.load),
    "docbin": (".spacy", docbin.dump, docbin.load),
    "argilla": (".json", argilla.dump, argilla.load),
    "csv": (".csv", table.dump, table.load),
}


def export_corpus(texts: Sequence[AnnotatedText], target: Path, name: str) -> None:
    """Write texts in a format; the file appears whole or not at all.

    Raises:
        CorpusError: unknown format, or the file cannot be written.
    """
    dump = _known(name)[1]
    partial = target.with_name(f".{target.name}.partial")
    try:
        dump(texts, partial)
        partial.replace(target)
    except OSError as error:
        raise CorpusError(f"{target} : impossible d'écrire ({error.strerror or error}).") from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def import_corpus(source: Path, name: str) -> Imported:
    """Read texts of a format; rows that cannot be read are named and the others go on.

    Raises:
        CorpusError: unknown format, or the file as a whole cannot be read.
    """
    return collect(_known(name)[2](source))


def _known(name: str) -> tuple[str, _Dump, _Load]:
    if name not in FORMATS:
        raise CorpusError(f"Format « {name} » inconnu ; {', '.join(FORMATS)} attendu.")
    return FORMATS[name]
