"""Everything out again, by page and for programs; every export is recorded with who asked, for what and how many texts."""

from datetime import datetime
from enum import Enum
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, StreamingResponse

from model.errors import VigieError
from service.access import AdministratorDep, KeyDep
from service.pages import PageError, render
from service.problems import ApiError
from service.routes.exchange import saved_as
from service.state import State, StateDep
from service.workplace.audit import record_alone
from service.workplace.exports import FORMATS
from service.workplace.filter_words import in_words
from service.workplace.people import Person, list_people
from service.workplace.takeouts import (
    STATE_NAMES,
    Takeout,
    ask,
    count_of,
    exact_filter,
    filter_of,
    find_takeout,
    newest_takeouts,
    place_of,
    pseudonymising,
    streamed,
)
from service.workplace.times import now

router = APIRouter()

_TAGS: Final[list[str | Enum]] = ["poste de travail"]
_ON_A_PAGE: Final = 50
_HIDDEN = Annotated[
    bool,
    Query(description="1 : noms, comptes, adresses et numéros remplacés par des pseudonymes stables, textes et champs"),
]
_KIND = Annotated[str, Query(description="csv, jsonl ou xlsx")]


def _found(state: State, id: str) -> Takeout:
    with state.engine.connect() as connection:
        takeout = find_takeout(connection, id[:36])
    if takeout is None:
        raise PageError(404, "Export introuvable", "Cet export n'existe pas.")
    return takeout


def _names(state: State) -> dict[str, str]:
    return {other.id: other.name for other in list_people(state.engine)}


def _status(takeout: Takeout) -> dict[str, Any]:
    at: datetime | None = takeout.finished_at
    told = {name: getattr(takeout, name) for name in ("id", "by", "kind", "state", "texts", "message", "over")}
    return told | {
        "filter": takeout.wanted,
        "state_name": STATE_NAMES[takeout.state],
        "asked_at": takeout.asked_at.isoformat(),
        "finished_at": at.isoformat() if at else None,
    }


def _file(state: State, person: Person, id: str) -> Response:
    takeout = _found(state, id)
    path = place_of(state.settings, takeout) if takeout.state == "done" else None
    if path is None:
        raise PageError(404, "Fichier absent", "Ce fichier n'est pas encore écrit, ou n'est plus gardé : refaites l'export.")
    record_alone(state.engine, person, "export.fetch", f"export:{takeout.id}")
    name = f"vigie-{takeout.asked_at:%Y-%m-%d}.{takeout.kind}"
    return FileResponse(path, media_type=FORMATS[takeout.kind][0], headers=saved_as(name))


@router.get("/v1/export", tags=_TAGS, summary="Exporter textes, prédictions et décisions (CSV, JSONL)")
def export(
    request: Request,
    state: StateDep,
    person: KeyDep("export"),  # type: ignore[valid-type]
    format: Annotated[str, Query(description="csv ou jsonl ; un classeur se demande par POST /v1/exports")] = "jsonl",
    pseudonymise: _HIDDEN = False,
) -> Response:
    """Les textes avec leur provenance, la dernière prédiction et toutes les décisions, sans plafond, au fil de l'eau.

    Les filtres de la file s'écrivent dans l'adresse comme dans la sienne (`niveau`, `etat`, `source`, `q`…).
    """
    if format not in FORMATS:
        raise ApiError(422, f"Format « {format} » : un de ceux-ci est attendu : {', '.join(FORMATS)}.")
    if format == "xlsx":
        raise ApiError(
            422, "Format « xlsx » : un classeur s'écrit en tâche de fond : demandez-le par POST /v1/exports?format=xlsx."
        )
    try:
        wanted = exact_filter(request.url.query)
    except VigieError as error:
        raise ApiError(422, str(error)) from error
    change = pseudonymising(state.engine, state.settings) if pseudonymise else None
    pieces = streamed(state.engine, person, format, wanted, change)
    return StreamingResponse(pieces, media_type=FORMATS[format][0], headers=saved_as(f"vigie-{now():%Y-%m-%d}.{format}"))


@router.post("/v1/exports", status_code=202, tags=_TAGS, summary="Faire écrire un export en tâche de fond")
def ask_export(
    request: Request,
    state: StateDep,
    person: KeyDep("export"),  # type: ignore[valid-type]
    format: _KIND = "xlsx",
    pseudonymise: _HIDDEN = False,
) -> Response:
    """Répond aussitôt ; les mêmes filtres que la file, dans l'adresse. Le fichier est gardé un jour."""
    try:
        id = ask(state.engine, person, format, exact_filter(request.url.query), pseudonymised=pseudonymise)
    except VigieError as error:
        raise ApiError(422, str(error)) from error
    return JSONResponse({"id": id, "state": "waiting", "url": f"/v1/exports/{id}"}, 202)


@router.get("/v1/exports/{id}", tags=_TAGS, summary="Où en est un export")
def export_status(state: StateDep, person: KeyDep("export"), id: str) -> Response:  # type: ignore[valid-type]
    """État, textes écrits, qui l'a demandé et pour quels filtres."""
    takeout = _found(state, id)
    ready = takeout.state == "done" and place_of(state.settings, takeout) is not None
    return JSONResponse(_status(takeout) | {"file": f"/v1/exports/{id}/file" if ready else None})


@router.get("/v1/exports/{id}/file", tags=_TAGS, summary="Le fichier d'un export")
def export_file(state: StateDep, person: KeyDep("export"), id: str) -> Response:  # type: ignore[valid-type]
    """Le fichier, une fois écrit ; gardé un jour."""
    return _file(state, person, id)


@router.get("/export", response_class=HTMLResponse, include_in_schema=False)
def page(request: Request, state: StateDep, person: AdministratorDep) -> Response:
    """What can be taken out and in which format, and what was: by whom, when, how many texts."""
    wanted = filter_of(request.url.query)
    before = request.query_params.get("avant", "")[:36] or None
    with state.engine.connect() as connection:
        rows = newest_takeouts(connection, _ON_A_PAGE + 1, before)
        count = count_of(connection, wanted, person)
    shown, names = rows[:_ON_A_PAGE], _names(state)
    return render(
        request,
        "exports.html",
        person,
        formats=[(kind, name) for kind, (_, name) in FORMATS.items()],
        wanted=wanted,
        count=count,
        rows=shown,
        ready={row.id for row in shown if row.state == "done" and place_of(state.settings, row)},
        states=STATE_NAMES,
        told={row.id: in_words(row.wanted, names) for row in shown},
        after=f"/export?avant={shown[-1].id}" if len(rows) > _ON_A_PAGE else None,
    )


@router.post("/export", include_in_schema=False)
def ask_by_page(
    state: StateDep,
    person: AdministratorDep,
    format: Annotated[str, Form()] = "",
    file: Annotated[str, Form()] = "",
    pseudonymise: Annotated[str, Form()] = "",
) -> Response:
    """Have a file written; leads to where it will be."""
    try:
        id = ask(state.engine, person, format, exact_filter(file), pseudonymised=pseudonymise == "1")
    except VigieError as error:
        raise PageError(422, "Export à préciser", str(error)) from error
    return RedirectResponse(f"/export/{id}", 303)


@router.get("/export/{id}", response_class=HTMLResponse, include_in_schema=False)
def one(request: Request, state: StateDep, person: AdministratorDep, id: str) -> Response:
    """How far an export is, and its file."""
    takeout = _found(state, id)
    ready = takeout.state == "done" and place_of(state.settings, takeout) is not None
    told = in_words(takeout.wanted, _names(state))
    values: dict[str, Any] = {"takeout": takeout, "ready": ready, "told": told, "states": STATE_NAMES, "formats": FORMATS}
    return render(request, "exports_one.html", person, **values)


@router.get("/export/{id}/etat", include_in_schema=False)
def progress(state: StateDep, person: AdministratorDep, id: str) -> JSONResponse:
    """Where an export is, for the script that keeps its page up to date."""
    return JSONResponse(_status(_found(state, id)))


@router.get("/export/{id}/fichier", include_in_schema=False)
def fetch(state: StateDep, person: AdministratorDep, id: str) -> Response:
    """The file of an export."""
    return _file(state, person, id)
