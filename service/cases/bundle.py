"""What leaves Vigie: the pieces of a dossier, the manifest of their hashes, the documents, and the seal over both.

manifest.json holds the hash of every piece (dossier.json, the tables, each text) and of every text as received; its own hash
is printed in the documents. seal.json holds the hashes of the manifest and of the documents; its hash is kept by the workplace.
"""

import csv
import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO, StringIO
from typing import Any, Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from sqlalchemy import Engine

from service.cases.cases import CaseError, add_event, hold_case
from service.cases.dossier import Content, canonical, digest_of
from service.cases.gathering import Gathered
from service.cases.layout import Export, blocks_of, title_of
from service.cases.pdf import pdf_of
from service.cases.schema import CASE_EXPORTS
from service.cases.word import docx_of
from service.inert import in_order, spreadsheet_cell
from service.workplace.people import Person
from service.workplace.times import now

MANIFEST_FORMAT: Final = "vigie-manifest-1"
SEAL_FORMAT: Final = "vigie-seal-1"
MANIFEST: Final = "manifest.json"
SEAL: Final = "seal.json"
CONTENT: Final = "dossier.json"
PDF: Final = "dossier.pdf"
DOCX: Final = "dossier.docx"
#: What can be asked for: media type, and the name of the piece where there is one.
KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "zip": ("application/zip", ""),
    "pdf": ("application/pdf", PDF),
    "docx": ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", DOCX),
    "json": ("application/json", CONTENT),
    "csv": ("text/csv; charset=utf-8", "textes.csv"),
}


@dataclass(frozen=True, slots=True)
class Exported:
    """A file made: its bytes, media type and name; the hashes of its manifest and seal, and of itself."""

    data: bytes
    media_type: str
    name: str
    kind: str
    masked: bool
    texts: int
    content_sha256: str
    manifest_sha256: str
    seal_sha256: str
    file_sha256: str


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


def make_export(content: Content, kind: str, person: Person, at: datetime | None = None) -> Exported:
    """The file of a kind of `KINDS`. The same content, person and instant (default: now) give the same bytes.

    Raises:
        CaseError: there is no such kind.
    """
    if kind not in KINDS:
        raise CaseError(f"Forme « {kind} » : {', '.join(KINDS)} sont attendus.")
    moment = (at or now()).astimezone(UTC).replace(microsecond=0)
    pieces = pieces_of(content)
    manifest = canonical(_manifest(content, pieces, person, moment))
    export = Export(person.name, moment.isoformat(), version("vigie"), sha256(manifest))
    documents = documents_of(content, export, moment, kind)
    seal = canonical(
        {
            "format": SEAL_FORMAT,
            "manifest_sha256": sha256(manifest),
            "files": {name: sha256(data) for name, data in {MANIFEST: manifest, **documents}.items()},
        }
    )
    media_type, piece = KINDS[kind]
    files = {**documents, **pieces, MANIFEST: manifest, SEAL: seal}
    data = files[piece] if piece else _zip(files, moment)
    name = f"vigie-dossier-{content['case']['name']}-{moment:%Y%m%dT%H%M%SZ}.{kind}"
    hashes = digest_of(content), sha256(manifest), sha256(seal), sha256(data)
    return Exported(data, media_type, name, kind, content["masked"], len(content["texts"]), *hashes)


def keep_export(engine: Engine, gathered: Gathered, person: Person, made: Exported) -> None:
    """Write in the history of the case that it was exported, with the hashes that tell this file from any other.

    Raises:
        CaseError: the case changed since it was read: what was made is not what it is now.
    """
    with engine.begin() as connection:
        case = hold_case(connection, gathered.case.id)
        if case.version != gathered.case.version:
            raise CaseError("Le dossier a changé pendant l'export : recommencez.")
        hashes = {name: getattr(made, name) for name in ("content_sha256", "manifest_sha256", "seal_sha256", "file_sha256")}
        about = {"kind": made.kind, "masked": made.masked, "texts": made.texts}
        row = {"id": str(uuid.uuid4()), "case_id": case.id, "user_id": person.id, "made_at": now(), "status": case.status}
        connection.execute(CASE_EXPORTS.insert().values(**row, **about, **hashes))
        add_event(connection, case.id, person, "exported", about | hashes)


def pieces_of(content: Content) -> dict[str, bytes]:
    """The pieces that the manifest covers, by name."""
    pieces = {CONTENT: json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"}
    pieces["textes.csv"] = _csv(_TEXTS, [_text_row(text) for text in content["texts"]])
    passages = [
        {
            "place": text["place"],
            "sha256": text["sha256"],
            **{name: one[name] for name in ("indicator", "name", "start", "end", "text")},
        }
        for text in content["texts"]
        for one in text["decision"]["passages"]
    ]
    pieces["passages.csv"] = _csv(("place", "sha256", "indicator", "name", "start", "end", "text"), passages)
    for text in content["texts"]:
        pieces[text["file"]] = text["text"].encode()
    return pieces


_TEXTS: Final = (
    *("place", "id", "external_id", "source", "channel", "theme", "author", "url", "captured_at", "received_at", "sha256"),
    *("as_received", "why", "level", "level_name", "stance", "who", "at", "reason", "note", "signs"),
    *("model_version", "operating_point", "model_level", "model_score", "text"),
)


def _text_row(text: Mapping[str, Any]) -> dict[str, Any]:
    decision, said = text["decision"], text["model"] or {}
    row = {name: text.get(name) for name in _TEXTS}
    row |= {name: decision[name] for name in ("level", "level_name", "stance", "who", "at", "reason", "note")}
    row["signs"] = "; ".join(dict.fromkeys(one["name"] for one in decision["passages"]))
    return row | {
        "model_version": said.get("version"),
        "operating_point": said.get("operating_point"),
        "model_level": said.get("level"),
        "model_score": said.get("score"),
    }


def _csv(columns: tuple[str, ...], rows: list[dict[str, Any]]) -> bytes:
    made = StringIO(newline="")
    writer = csv.writer(made, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in columns])
    return b"\xef\xbb\xbf" + made.getvalue().encode()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "oui" if value else "non"
    return spreadsheet_cell(in_order(value))


def _manifest(content: Content, pieces: Mapping[str, bytes], person: Person, moment: datetime) -> dict[str, Any]:
    texts = [
        {
            "place": text["place"],
            "id": text["id"],
            "sha256": text["sha256"],
            "file": text["file"],
            "as_received": text["as_received"],
        }
        for text in content["texts"]
    ]
    return {
        "format": MANIFEST_FORMAT,
        "case": content["case"]["name"],
        "exporter": {"login": person.login, "name": person.name},
        "at": moment.isoformat(),
        "vigie": version("vigie"),
        "models": [model["version"] for model in content["models"]],
        "masked": content["masked"],
        "content_sha256": digest_of(content),
        "texts": texts,
        "apart": [{"place": text["place"], "id": text["id"], "sha256": text["sha256"]} for text in content["apart"]],
        "files": {name: sha256(data) for name, data in pieces.items()},
    }


def documents_of(content: Content, export: Export, moment: datetime, kind: str = "zip") -> dict[str, bytes]:
    """The documents that go with a kind, by name; the same content, export and moment give the same ones."""
    if kind not in ("zip", "pdf", "docx"):
        return {}
    title, blocks = title_of(content), blocks_of(content, export)
    status = content["case"]["status_name"]
    footer = f"{content['case']['name']}, dossier {status}. Indices à vérifier, une personne décide."
    made = {}
    if kind != "docx":
        header = f"Vigie · dossier {content['case']['name']}"
        made[PDF] = pdf_of(title, blocks, author=export.exporter, header=header, footer=footer, at=moment)
    if kind != "pdf":
        made[DOCX] = docx_of(title, blocks, author=export.exporter, footer=footer, at=moment)
    return made


def _zip(files: Mapping[str, bytes], moment: datetime) -> bytes:
    made = BytesIO()
    with ZipFile(made, "w", ZIP_DEFLATED) as archive:
        for name, data in files.items():
            part = ZipInfo(name, (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second))
            part.compress_type, part.external_attr = ZIP_DEFLATED, 0o644 << 16
            archive.writestr(part, data)
    return made.getvalue()
