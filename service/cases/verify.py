"""Whether an archive is the one that was exported: every file, every text, the manifest and the seal are compared."""

import hashlib
import json
import re
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final
from zipfile import BadZipFile, ZipFile

from sqlalchemy import Connection, or_, select

from service.cases.bundle import CONTENT, MANIFEST, MANIFEST_FORMAT, SEAL, SEAL_FORMAT, pieces_of, sha256
from service.cases.dossier import canonical, digest_of
from service.cases.recompose import uncovered
from service.cases.schema import CASE_EXPORTS, CASES
from service.workplace.schema import USERS
from service.workplace.times import aware

_MOST_FILES: Final = 2_000
_MOST_BYTES: Final = 400_000_000
#: The record that ends an archive without a comment.
_END: Final = b"PK\x05\x06"
_END_SIZE: Final = 22
_SAFE: Final = re.compile(r"(?:textes/)?[0-9A-Za-z_-]+\.[a-z]+")


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in an archive. `whole`: its parts agree with one another.

    `uncovered`: what keeps the documents from being held for those of the content; a seal known from elsewhere covers them.
    That alone does not say who made it: compare `manifest_sha256` with what is printed, or ask the workplace (`known_export`).
    """

    faults: tuple[str, ...]
    case: str = ""
    exporter: str = ""
    at: str = ""
    masked: bool = False
    texts: int = 0
    files: int = 0
    manifest_sha256: str = ""
    seal_sha256: str = ""
    file_sha256: str = ""
    uncovered: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing was found to be wrong, and the documents are those that the content gives."""
        return not self.faults and not self.uncovered


@dataclass(slots=True)
class _Check:
    files: Mapping[str, bytes]
    faults: list[str] = field(default_factory=list)

    def json(self, name: str, expected: str) -> dict[str, Any]:
        """A file as JSON of a form; empty where it is not."""
        try:
            found = json.loads(self.files[name])
        except KeyError:
            self.faults.append(f"{name} : le fichier manque.")
            return {}
        except (ValueError, RecursionError):
            self.faults.append(f"{name} : ce n'est pas du JSON.")
            return {}
        if not isinstance(found, dict) or found.get("format") != expected:
            self.faults.append(f"{name} : la forme « {expected} » est attendue.")
            return {}
        return found

    def hashes(self, found: Mapping[str, Any], told: str) -> set[str]:
        """Compare the files with the hashes that a list gives; returns the names in the list."""
        listed = found.get("files")
        if not isinstance(listed, dict):
            self.faults.append(f"{told} : la liste des fichiers manque.")
            return set()
        for name, digest in listed.items():
            if name not in self.files:
                self.faults.append(f"{name} : le fichier manque, {told} le nomme.")
            elif sha256(self.files[name]) != digest:
                self.faults.append(f"{name} : le fichier a changé, son empreinte n'est pas celle de {told}.")
        return set(listed)


def verify(source: BinaryIO) -> Report:
    """Compare an archive with what it says of itself; what is wrong is told in French, one sentence each."""
    digest = _digest(source)
    try:
        with ZipFile(source) as archive:
            faults = _form(archive) or _around(source, archive)
            files = {} if faults else {one.filename: archive.read(one) for one in archive.infolist()}
    except (BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError, ValueError, zlib.error):
        return Report(
            ("Ce fichier n'est pas une archive ZIP lisible : celle d'un dossier, telle qu'exportée, est attendue.",),
            file_sha256=digest,
        )
    if faults:
        return Report(tuple(faults), file_sha256=digest)
    return _compare(files, digest)


def _digest(source: BinaryIO) -> str:
    source.seek(0)
    digest = hashlib.sha256()
    while piece := source.read(1 << 20):
        digest.update(piece)
    source.seek(0)
    return digest.hexdigest()


def _around(source: BinaryIO, archive: ZipFile) -> list[str]:
    """Whether something stands before or after the archive, where no list sees it."""
    source.seek(-_END_SIZE, 2)
    whole = source.read(4) == _END and min((one.header_offset for one in archive.infolist()), default=0) == 0
    return [] if whole else ["Des octets ont été ajoutés avant ou après l'archive."]


def _form(archive: ZipFile) -> list[str]:
    """What forbids to read an archive: too much in it, names that are not ours, or one name twice."""
    listed = archive.infolist()
    if len(listed) > _MOST_FILES or sum(one.file_size for one in listed) > _MOST_BYTES:
        return ["L'archive est trop grande pour être un dossier de Vigie."]
    faults = [
        f"{name[:100]} : ce nom est deux fois dans l'archive." for name, count in Counter(archive.namelist()).items() if count > 1
    ]
    faults += [
        f"{one.filename[:100]!r} : ce nom n'est pas celui d'une pièce de dossier."
        for one in listed
        if not _SAFE.fullmatch(one.filename)
    ]
    return [*faults, *(["L'archive porte un commentaire qui n'est pas de Vigie."] if archive.comment else [])]


def _compare(files: Mapping[str, bytes], digest: str) -> Report:
    check = _Check(files)
    seal, manifest = check.json(SEAL, SEAL_FORMAT), check.json(MANIFEST, MANIFEST_FORMAT)
    known = {SEAL} | check.hashes(seal, SEAL) | check.hashes(manifest, MANIFEST)
    check.faults += [f"{name} : le fichier est en trop, aucune liste ne le nomme." for name in files if name not in known]
    content = check.json(CONTENT, "vigie-dossier-1")
    if manifest and content:
        _content(check, manifest, content)
    exporter = manifest.get("exporter")
    texts = manifest.get("texts")
    return Report(
        tuple(dict.fromkeys(check.faults)),
        case=str(manifest.get("case", "")),
        exporter=str(exporter.get("name", "")) if isinstance(exporter, dict) else "",
        at=str(manifest.get("at", "")),
        masked=bool(manifest.get("masked")),
        texts=len(texts) if isinstance(texts, list) else 0,
        files=len(files),
        manifest_sha256=sha256(files.get(MANIFEST, b"")),
        seal_sha256=sha256(files.get(SEAL, b"")),
        file_sha256=digest,
        uncovered=() if check.faults else uncovered(files, manifest, content),
    )


def _content(check: _Check, manifest: Mapping[str, Any], content: dict[str, Any]) -> None:
    """The manifest, the content and the pieces must say the same."""
    if digest_of(content) != manifest.get("content_sha256"):
        check.faults.append(f"{CONTENT} : le contenu n'est pas celui du manifeste.")
    try:
        due = pieces_of(content)
        listed = [{name: text[name] for name in ("place", "id", "sha256", "file", "as_received")} for text in content["texts"]]
        received = [text for text in content["texts"] if text["as_received"]]
        wrong = [text["file"] for text in received if sha256(text["text"].encode()) != text["sha256"]]
    except (KeyError, TypeError, AttributeError, ValueError):
        check.faults.append(f"{CONTENT} : le contenu n'a pas la forme d'un dossier.")
        return
    if canonical(listed) != canonical(manifest.get("texts")):
        check.faults.append(f"{MANIFEST} : les textes ne sont pas ceux du dossier.")
    check.faults += [f"{name} : ce n'est pas le texte tel que reçu, son empreinte diffère." for name in wrong]
    check.faults += [
        f"{name} : la pièce ne dit pas ce que dit {CONTENT}." for name, data in due.items() if check.files.get(name, data) != data
    ]
    check.faults += [f"{name} : la pièce manque." for name in due if name not in check.files]


@dataclass(frozen=True, slots=True)
class KnownExport:
    """An export that the workplace made: of which case, by whom, when (UTC), in which form and status."""

    case_id: str
    case: str
    who: str
    made_at: Any
    kind: str
    status: str
    masked: bool


def known_export(connection: Connection, report: Report) -> KnownExport | None:
    """The export whose file or seal is the one of an archive, if the workplace made it."""
    columns = (CASE_EXPORTS, CASES.c.number, USERS.c.name.label("who"))
    same = [CASE_EXPORTS.c.file_sha256 == report.file_sha256]
    if not report.faults and report.seal_sha256:
        same.append(CASE_EXPORTS.c.seal_sha256 == report.seal_sha256)
    query = select(*columns).join(CASES, CASES.c.id == CASE_EXPORTS.c.case_id).join(USERS, USERS.c.id == CASE_EXPORTS.c.user_id)
    row = connection.execute(query.where(or_(*same)).order_by(CASE_EXPORTS.c.made_at)).mappings().first()
    if row is None:
        return None
    about = (row["case_id"], f"D-{row['number']}", row["who"], aware(row["made_at"]))
    return KnownExport(*about, row["kind"], row["status"], row["masked"])
