"""What a backup says of itself, in `manifest.json`: when and of what it was made, what it holds, the SHA-256 of every file."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from model.errors import VigieError

FORMAT: Final = "vigie-backup-1"
MANIFEST: Final = "manifest.json"
#: The database, whatever kind it is a copy of.
DATABASE: Final = "database.sqlite"
#: Files that imports under way still read.
SPOOL: Final = "spool"
#: The model that serves.
MODEL: Final = "model"

_HEX: Final = re.compile(r"[0-9a-f]{64}")


class BackupError(VigieError):
    """A backup that cannot be made, trusted or restored; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `manifest.json` holds.

    Instants are ISO 8601 in UTC: all that was acknowledged before `began_at` is in the backup. `kind` is that of the database
    (sqlite, postgresql), `step` its step of the migrations, `counts` its rows by table, `head` that of the audit log
    (`NUMBER:HASH`, None where there is no log), `model` the artefact that served, None for none. `files` gives size in bytes
    and SHA-256 by relative name.
    """

    vigie: str
    began_at: str
    ended_at: str
    kind: str
    step: str
    counts: Mapping[str, int]
    head: str | None
    model: str | None
    files: Mapping[str, tuple[int, str]]
    warnings: tuple[str, ...] = field(default=())

    def written(self) -> str:
        """The JSON of the file."""
        content = {
            "format": FORMAT,
            "vigie": self.vigie,
            "began_at": self.began_at,
            "ended_at": self.ended_at,
            "database": {"kind": self.kind, "step": self.step, "counts": dict(self.counts), "audit_head": self.head},
            "model": self.model,
            "warnings": list(self.warnings),
            "files": {name: {"bytes": size, "sha256": digest} for name, (size, digest) in sorted(self.files.items())},
        }
        return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a backup, its form checked but not yet its files.

    Raises:
        BackupError: there is none, it is not JSON, of another format, or a value is not what it should be.
    """
    path = folder / MANIFEST
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BackupError(f"{folder} : ce n'est pas une sauvegarde ({MANIFEST} introuvable ou illisible).") from error
    except (ValueError, RecursionError) as error:
        raise BackupError(f"{path} : ce n'est pas du JSON ; cette sauvegarde est abîmée.") from error
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        raise BackupError(f"{path} : le format « {FORMAT} » est attendu.")
    try:
        return _manifest(said)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BackupError(f"{path} : un champ manque ou n'est pas ce qui est attendu ({error}).") from error


def _manifest(said: Mapping[str, Any]) -> Manifest:
    database = said["database"]
    files = {str(name): (int(one["bytes"]), str(one["sha256"])) for name, one in said["files"].items()}
    for name, (_, digest) in files.items():
        if not _HEX.fullmatch(digest) or Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(name)
    if DATABASE not in files:
        raise KeyError(DATABASE)
    model = said["model"]
    if model is not None and (not isinstance(model, str) or Path(model).name != model or model.startswith(".")):
        raise ValueError("model")
    return Manifest(
        str(said["vigie"]),
        str(said["began_at"]),
        str(said["ended_at"]),
        str(database["kind"]),
        str(database["step"]),
        {str(name): int(count) for name, count in database["counts"].items()},
        database["audit_head"],
        model,
        files,
        tuple(str(one) for one in said["warnings"]),
    )


def digest_of(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file."""
    with path.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
    return path.stat().st_size, digest


def files_of(folder: Path) -> dict[str, Path]:
    """The files of a backup by relative name, but for its manifest; a link is a file that `verify` refuses."""
    found = {
        path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_symlink() or path.is_file()
    }
    found.pop(MANIFEST, None)
    return found
