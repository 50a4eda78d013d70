"""Texts in, for programs: `POST /v1/import`, streamed."""

import json
import tempfile
from collections.abc import Mapping
from typing import Annotated, Any, Final
from urllib.parse import quote

from anyio import to_thread
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from model.errors import BatchError
from model.labels import CHANNEL_IDS
from service.access import KeyDep
from service.pages import PageError
from service.problems import ApiError
from service.state import State, StateDep
from service.workplace.columns import FIELDS
from service.workplace.exports import FORMATS, csv_lines
from service.workplace.imports import OVER, Wanted, begin, errors_of, find_import

router = APIRouter(prefix="/v1", tags=["poste de travail"])

#: Content types of a body that is a file, and the ending that says its format.
BODIES: Final = {
    "application/x-ndjson": ".ndjson",
    "application/jsonl": ".jsonl",
    "application/json": ".json",
    "text/csv": ".csv",
    "text/tab-separated-values": ".tsv",
    "text/plain": ".txt",
    "application/vnd.apache.parquet": ".parquet",
    FORMATS["xlsx"][0]: ".xlsx",
}


def found_import(state: State, id: str) -> Mapping[str, Any]:
    """An import as a row of `imports`.

    Raises:
        PageError: 404, there is none.
    """
    with state.engine.connect() as connection:
        row = find_import(connection, id)
    if row is None:
        raise PageError(404, "Import introuvable", "Cet import n'existe pas, ou plus.")
    return dict(row)


def errors_answer(state: State, id: str) -> StreamingResponse:
    """The errors of an import as a CSV file, streamed."""
    header = ("ligne", "identifiant", "champ", "erreur")
    rows = ([row["row"], row["given_id"], row["field"], row["message"]] for row in errors_of(state.engine, id))
    return StreamingResponse(csv_lines(header, rows), media_type=FORMATS["csv"][0], headers=saved_as(f"erreurs-{id}.csv"))


def saved_as(name: str) -> dict[str, str]:
    """The header that makes a browser save an answer under a name."""
    return {"Content-Disposition": f"attachment; filename=\"{name}\"; filename*=UTF-8''{quote(name)}"}


def status_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """An import as programs are told of it."""
    counts = {name: row[name] for name in ("id", "name", "state", "read", "added", "duplicates", "errors", "message", "sha256")}
    return counts | {"over": row["state"] in OVER}


def body_type(request: Request) -> str:
    """The ending of the format that a body is in, by its content type.

    Raises:
        ApiError: 415, a type that is no file of texts.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method == "POST" and kind not in BODIES:
        raise ApiError(415, f"Content-Type « {kind} » : un de ces types est attendu : {', '.join(BODIES)}.")
    packed = ".gz" if request.headers.get("content-encoding", "").lower() == "gzip" else ""
    return BODIES.get(kind, "") + packed


@router.post("/import", status_code=202, summary="Importer des textes")
async def import_texts(
    request: Request,
    state: StateDep,
    person: KeyDep("import"),  # type: ignore[valid-type]
    # After whoever asks: a stranger is told no more than that.
    ending: Annotated[str, Depends(body_type)],
    name: Annotated[str, Query(max_length=200, description="Nom de l'import.")] = "import HTTP",
    source: Annotated[str, Query(max_length=200, description="Source des textes qui n'en disent pas.")] = "",
    channel: Annotated[str, Query(description="Canal des textes qui n'en disent pas.")] = "",
    columns: Annotated[str, Query(description='Colonnes par champ, en JSON : {"text": "corps"}.')] = "",
) -> Response:
    """Reçoit un fichier dans le corps (NDJSON, JSON, CSV, XLSX, Parquet, texte) ; répond aussitôt, l'import suit."""
    if channel and channel not in CHANNEL_IDS:
        raise ApiError(422, f"Canal « {channel} » : un de ceux-ci est attendu : {', '.join(CHANNEL_IDS)}.")
    chosen = _columns_given(columns)
    most = state.settings.max_import_bytes
    size = 0
    state.settings.spool_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=state.settings.spool_dir) as content:
        async for piece in request.stream():
            size += len(piece)
            if size > most:
                raise ApiError(413, f"Le corps dépasse la limite de {most} octets.", headers={"Connection": "close"})
            await to_thread.run_sync(content.write, piece)
        content.seek(0)
        wanted = Wanted(name, person.id, {"source": source, "channel": channel}, chosen)
        try:
            id = await to_thread.run_sync(lambda: begin(state.engine, state.settings, wanted, ending, content))
        except BatchError as error:
            raise ApiError(422, str(error)) from error
    where = f"/v1/import/{id}"
    row = await to_thread.run_sync(lambda: found_import(state, id))
    return JSONResponse(status_of(row) | {"url": where}, 202, headers={"Location": where})


def _columns_given(columns: str) -> dict[str, str] | None:
    if not columns:
        return None
    try:
        found = json.loads(columns)
    except (ValueError, RecursionError) as error:
        raise ApiError(422, "Paramètre « columns » : JSON illisible.") from error
    if not isinstance(found, dict) or not all(key in FIELDS and isinstance(value, str) for key, value in found.items()):
        raise ApiError(422, f"Paramètre « columns » : un objet champ → colonne est attendu ; champs : {', '.join(FIELDS)}.")
    return found


@router.get("/import/{id}", summary="Où en est un import")
def importstatus_of(state: StateDep, person: KeyDep("import"), id: str) -> Response:  # type: ignore[valid-type]
    """Les comptes d'un import : lignes lues, textes ajoutés, doublons, erreurs."""
    return JSONResponse(status_of(found_import(state, id)))


@router.get("/import/{id}/errors", summary="Les erreurs d'un import (CSV)")
def import_errors(state: StateDep, person: KeyDep("import"), id: str) -> Response:  # type: ignore[valid-type]
    """Ligne, identifiant, champ et ce qui était attendu."""
    found_import(state, id)
    return errors_answer(state, id)
