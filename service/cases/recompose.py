"""Whether the documents of an archive are those that its content gives: they are composed again and compared.

The manifest, whose hash is printed in the documents, cannot hold theirs; the seal does, but it can be rewritten.
"""

from collections.abc import Mapping
from datetime import datetime
from importlib.metadata import version
from io import BytesIO
from typing import Any, Final
from zipfile import BadZipFile, ZipFile

from model.errors import VigieError
from service.cases.bundle import CONTENT, DOCX, MANIFEST, PDF, documents_of, sha256
from service.cases.layout import Export

#: A dossier of 500 long texts is smaller; what is larger is not composed for who sends it.
_MOST_BYTES: Final = 30_000_000
_UNCOVERED: Final = "comparez l'empreinte du sceau à celle gardée lors de l'export"


def uncovered(files: Mapping[str, bytes], manifest: Mapping[str, Any], content: dict[str, Any]) -> tuple[str, ...]:
    """What keeps the documents from being held for those that the content gives, one French sentence each."""
    missing = tuple(f"{name} : le document manque." for name in (PDF, DOCX) if name not in files)
    if missing:
        return missing
    if len(files[CONTENT]) > _MOST_BYTES:
        return (f"{PDF}, {DOCX} : dossier trop grand pour recomposer ses documents ; {_UNCOVERED}.",)
    if manifest.get("vigie") != version("vigie"):
        made = str(manifest.get("vigie"))[:40]
        return (f"{PDF}, {DOCX} : faits par Vigie {made}, cette version ne peut pas les recomposer ; {_UNCOVERED}.",)
    try:
        exporter = str(manifest["exporter"]["name"])
        export = Export(exporter, str(manifest["at"]), version("vigie"), sha256(files[MANIFEST]))
        due = documents_of(content, export, datetime.fromisoformat(export.at))
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, VigieError):
        return (f"{PDF}, {DOCX} : le contenu ne permet pas de les recomposer ; {_UNCOVERED}.",)
    return tuple(
        f"{name} : ce n'est pas ce que donnent {CONTENT} et {MANIFEST} ; s'il vient d'une autre installation, {_UNCOVERED}."
        for name, data in due.items()
        if files[name] != data and not _same_parts(files[name], data)
    )


def _same_parts(first: bytes, second: bytes) -> bool:
    """Whether two documents hold the same parts: how hard they are packed may differ from a machine to another."""
    try:
        with ZipFile(BytesIO(first)) as one, ZipFile(BytesIO(second)) as other:
            if one.namelist() != other.namelist() or sum(part.file_size for part in one.infolist()) > 4 * _MOST_BYTES:
                return False
            return all(one.read(name) == other.read(name) for name in other.namelist())
    except (BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError):
        return False
