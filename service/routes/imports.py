"""Pages to send texts and to follow what becomes of them."""

import io
from collections.abc import Callable, Coroutine, Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

from anyio import to_thread
from fastapi import APIRouter, File, Form, Request, Response, UploadFile
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from fastapi.routing import APIRoute

from model.errors import BatchError
from model.labels import CHANNEL_IDS
from service.access import AnalystDep, NotSignedIn, session_of
from service.pages import PageError, render
from service.routes.exchange import errors_answer, found_import, status_of
from service.state import State, StateDep, state_of
from service.workplace.audit import record
from service.workplace.columns import CHANNEL_CHOICES, FIELDS
from service.workplace.imports import (
    OVER,
    Wanted,
    begin,
    choose_columns,
    ending_of,
    errors_of,
    newest_imports,
    resume_import,
    stop_import,
)
from service.workplace.people import Person
from service.workplace.times import aware, now

STATES: Final = {
    "columns": "colonnes à choisir",
    "waiting": "en attente",
    "running": "en cours",
    "done": "terminé",
    "failed": "interrompu par une erreur",
    "stopped": "arrêté",
}
_ON_A_PAGE: Final = 50
_SHOWN_ERRORS: Final = 20
#: Beyond the file itself: the other fields of the form.
_FORM_BYTES: Final = 2_000_000


def admitted(request: Request, state: State) -> None:
    """Refuse an upload before its body is read: nobody signed in, no length, or more than may be imported.

    Raises:
        NotSignedIn: nobody is signed in.
        PageError: 411 without a length, 413 over the limit.
    """
    if request.method != "POST" or not request.headers.get("content-type", "").startswith("multipart/"):
        return
    if session_of(request, state) is None:
        raise NotSignedIn
    length = request.headers.get("content-length", "")
    if not length.isdigit():
        raise PageError(411, "Taille inconnue", "L'envoi doit dire sa taille (Content-Length).")
    most = state.settings.max_import_bytes
    if int(length) > most + _FORM_BYTES:
        raise PageError(413, "Fichier trop volumineux", f"Le fichier dépasse la limite de {most} octets. Coupez-le.")


class Admitted(APIRoute):
    """A route that refuses an upload before its form is read: dependencies run only once it is."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler, `admitted` first."""
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            await to_thread.run_sync(admitted, request, state_of(request))
            return await handle(request)

        return checked


router = APIRouter(include_in_schema=False, route_class=Admitted)


def _list(request: Request, state: State, person: Person, status: int = 200, **values: Any) -> HTMLResponse:
    before = request.query_params.get("avant", "") or None
    with state.engine.connect() as connection:
        rows = newest_imports(connection, _ON_A_PAGE + 1, before)
    more = rows[_ON_A_PAGE - 1]["id"] if len(rows) > _ON_A_PAGE else None
    shown = {"message": "", "texte": "", "source": "", "channel": ""} | values
    frame = {"rows": rows[:_ON_A_PAGE], "after": more and f"/imports?avant={more}", "states": STATES, "channels": CHANNEL_CHOICES}
    return render(request, "imports.html", person, status, **frame, **shown, most=state.settings.max_import_bytes)


@router.get("/imports", response_class=HTMLResponse)
def imports(request: Request, state: StateDep, person: AnalystDep) -> Response:
    """The form to send texts, and the imports, newest first."""
    return _list(request, state, person)


@router.post("/imports", response_class=HTMLResponse)
def send(
    request: Request,
    state: StateDep,
    person: AnalystDep,
    file: Annotated[UploadFile | None, File()] = None,
    texte: Annotated[str, Form()] = "",
    source: Annotated[str, Form()] = "",
    channel: Annotated[str, Form()] = "",
) -> Response:
    """Put a file, or texts pasted, aside to be imported; leads to the import's page."""
    # Browsers send line breaks as CR LF; the reader pasted one character.
    pasted = texte.replace("\r\n", "\n")
    named = file is not None and bool(file.filename)
    given = {"texte": texte, "source": source, "channel": channel}
    defaults = {"source": source.strip()[:200], "channel": channel if channel in CHANNEL_IDS else ""}
    if named == bool(pasted.strip()):
        message = "Choisissez un fichier, ou collez un texte : l'un des deux."
        return _list(request, state, person, 422, message=message, **given)
    try:
        if file is not None and file.filename:
            wanted = Wanted(Path(file.filename).name, person.id, defaults)
            id = begin(state.engine, state.settings, wanted, ending_of(file.filename), file.file)
        else:
            wanted = Wanted("textes collés", person.id, defaults)
            id = begin(state.engine, state.settings, wanted, ".txt", io.BytesIO(pasted.encode("utf-8", "replace")))
    except BatchError as error:
        return _list(request, state, person, 422, message=str(error), **given)
    return RedirectResponse(f"/imports/{id}", 303)


@router.get("/imports/{id}", response_class=HTMLResponse)
def one_import(request: Request, state: StateDep, person: AnalystDep, id: str) -> Response:
    """How far an import is, its errors, and the choice of its columns where it waits for that."""
    row = found_import(state, id)
    errors = list(islice(errors_of(state.engine, id), _SHOWN_ERRORS))
    resumable = row["state"] == "stopped" and (state.settings.spool_dir / row["options"]["file"]).exists()
    fields = [(field, name, row["options"]["columns"].get(field, "")) for field, (name, _) in FIELDS.items()]
    return render(
        request,
        "imports_one.html",
        person,
        row=row,
        errors=errors,
        states=STATES,
        fields=fields,
        over=row["state"] in OVER,
        resumable=resumable,
        refused="colonnes" in request.query_params,
        speed=_speed(row),
    )


def _speed(row: Mapping[str, Any]) -> float | None:
    """Rows a second since the import began; None while there is nothing to tell."""
    seconds = ((aware(row["finished_at"]) if row["finished_at"] else now()) - aware(row["started_at"])).total_seconds()
    return row["read"] / seconds if row["read"] and seconds > 1 else None


@router.get("/imports/{id}/etat")
def progress(state: StateDep, person: AnalystDep, id: str) -> JSONResponse:
    """The counts of an import, for the script that keeps its page up to date."""
    row = found_import(state, id)
    return JSONResponse(status_of(row) | {"state_name": STATES[row["state"]]})


@router.post("/imports/{id}/colonnes")
async def columns(request: Request, state: StateDep, person: AnalystDep, id: str) -> Response:
    """Say which column holds what."""
    form = await request.form()
    chosen = {field: str(form.get(field) or "") for field in FIELDS}

    def keep() -> bool:
        with state.engine.begin() as connection:
            done = choose_columns(connection, id, {field: column for field, column in chosen.items() if column})
            if done:
                record(connection, person, "import.columns", f"import:{id}")
            return done

    kept = await to_thread.run_sync(keep)
    return RedirectResponse(f"/imports/{id}{'' if kept else '?colonnes=refusees'}", 303)


@router.post("/imports/{id}/arret")
def stop(state: StateDep, person: AnalystDep, id: str) -> Response:
    """Stop an import; what was read stays."""
    with state.engine.begin() as connection:
        if stop_import(connection, id):
            record(connection, person, "import.stop", f"import:{id}")
    return RedirectResponse(f"/imports/{id}", 303)


@router.post("/imports/{id}/reprise")
def resume(state: StateDep, person: AnalystDep, id: str) -> Response:
    """Go on with a stopped import."""
    with state.engine.begin() as connection:
        if resume_import(connection, id, state.settings):
            record(connection, person, "import.resume", f"import:{id}")
    return RedirectResponse(f"/imports/{id}", 303)


@router.get("/imports/{id}/erreurs.csv")
def errors_csv(state: StateDep, person: AnalystDep, id: str) -> Response:
    """The errors of an import: row, identifier, field, what was expected."""
    found_import(state, id)
    return errors_answer(state, id)
