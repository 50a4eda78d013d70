"""`/vie-privee`: requests of the people whom texts are about; `/conservation`: what is kept how long, and the purge."""

from collections.abc import Callable
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from model.errors import VigieError
from service.access import AdministratorDep
from service.pages import PageError, render
from service.privacy.answers import access, as_json, as_page
from service.privacy.contacts import ContactError
from service.privacy.erasure import erase
from service.privacy.held import Held, held_now
from service.privacy.purge import PurgeError, old_files, purge, purges_of
from service.privacy.reexamination import contest, reexamined
from service.privacy.requests import (
    KIND_NAMES,
    STATE_NAMES,
    STEP_NAMES,
    Asked,
    RequestError,
    close_request,
    extend,
    find_request,
    note_step,
    open_request,
    prove,
    requests_of,
    role_name,
    steps_of,
)
from service.privacy.retention import KEPT, RULE_NAMES, make_plan
from service.privacy.schema import kept_figures
from service.routes.exchange import saved_as
from service.routes.queue import FormDep, field_of
from service.state import State, StateDep
from service.workplace.audit import record, record_alone
from service.workplace.people import Person
from service.workplace.times import local_day, now

router = APIRouter(include_in_schema=False)

_DONE = {
    "ouverte": "La demande est enregistrée.",
    "verifiee": "La vérification est enregistrée.",
    "prolongee": "Le délai est prolongé de deux mois : dites-le à la personne.",
    "effacee": "L'effacement est fait ; ce qui a été refusé est dit plus bas.",
    "contestee": "Les textes attendent un réexamen dans la file.",
    "close": "La demande est close.",
    "purge": "La purge est faite.",
}


def _list(request: Request, state: State, person: Person, status: int = 200, **more: str) -> HTMLResponse:
    with state.engine.connect() as connection:
        rows = requests_of(connection)
    today = local_day(now())
    values = {"wrong": "", "contact": "", "kind": "access", "received_on": today.isoformat(), "note": ""} | more
    return render(request, "privacy.html", person, status, rows=rows, today=today, kinds=KIND_NAMES, states=STATE_NAMES, **values)


@router.get("/vie-privee", response_class=HTMLResponse)
def requests(request: Request, state: StateDep, person: AdministratorDep) -> Response:
    """The requests, the nearest due first, and the form of a new one."""
    return _list(request, state, person)


@router.post("/vie-privee")
def open_one(request: Request, state: StateDep, person: AdministratorDep, form: FormDep) -> Response:
    """Keep a request; leads to its page."""
    given = {name: field_of(form, name) for name in ("kind", "contact", "received_on", "note")}
    try:
        day = date.fromisoformat(given["received_on"])
    except ValueError:
        wrong = "Reçue le : une date est attendue (2026-11-22)."
        return _list(request, state, person, 422, wrong=wrong, **given)
    try:
        with state.engine.begin() as connection:
            asked = open_request(connection, person, given["kind"], given["contact"], day, given["note"])
    except (RequestError, ContactError) as error:
        return _list(request, state, person, 422, wrong=str(error), **given)
    return RedirectResponse(f"/vie-privee/{asked.id}?dit=ouverte", 303)


def _found(state: State, id: str) -> Asked:
    with state.engine.connect() as connection:
        asked = find_request(connection, id[:36])
    if asked is None:
        raise PageError(404, "Demande introuvable", "Cette demande n'existe pas.")
    return asked


def _page(
    request: Request, state: State, person: Person, asked: Asked, held: Held | None = None, wrong: str = ""
) -> HTMLResponse:
    with state.engine.connect() as connection:
        steps, contested = steps_of(connection, asked.id), reexamined(connection, asked)
    return render(
        request,
        "privacy_request.html",
        person,
        422 if wrong else 200,
        asked=asked,
        kind_name=KIND_NAMES[asked.kind],
        state_name=STATE_NAMES[asked.state],
        step_names=STEP_NAMES,
        role_name=role_name,
        steps=steps,
        held=held,
        contested=contested,
        today=local_day(now()),
        told=_DONE.get(request.query_params.get("dit", ""), ""),
        wrong=wrong,
    )


@router.get("/vie-privee/{id}", response_class=HTMLResponse)
def one(request: Request, state: StateDep, person: AdministratorDep, id: str) -> Response:
    """A request: what was done of it, and what can be."""
    return _page(request, state, person, _found(state, id))


@router.post("/vie-privee/{id}/recherche", response_class=HTMLResponse)
def search(request: Request, state: StateDep, person: AdministratorDep, id: str) -> Response:
    """Read every text for the contact of a request, and show where it is."""
    asked = _found(state, id)
    try:
        held = held_now(state.engine, asked.wanted)
        with state.engine.begin() as connection:
            note_step(connection, asked.id, person, "searched", {"texts": len(held.texts), "places": len(held.places)})
            record(connection, person, "privacy.request", f"request:{asked.id}", {"texts": len(held.texts)})
    except RequestError as error:
        return _page(request, state, person, asked, wrong=str(error))
    return _page(request, state, person, asked, held)


def _act(request: Request, state: State, person: Person, id: str, told: str, act: Callable[[Asked], object]) -> Response:
    asked = _found(state, id)
    try:
        act(asked)
    except (RequestError, PurgeError) as error:
        return _page(request, state, person, _found(state, id), wrong=str(error))
    return RedirectResponse(f"/vie-privee/{asked.id}?dit={told}", 303)


@router.post("/vie-privee/{id}/identite")
def identity(request: Request, state: StateDep, person: AdministratorDep, form: FormDep, id: str) -> Response:
    """Say how it was made sure that the contact is theirs."""

    def act(asked: Asked) -> None:
        with state.engine.begin() as connection:
            prove(connection, asked.id, person, field_of(form, "proof"))

    return _act(request, state, person, id, "verifiee", act)


@router.post("/vie-privee/{id}/delai")
def longer(request: Request, state: StateDep, person: AdministratorDep, form: FormDep, id: str) -> Response:
    """Give two months more."""

    def act(asked: Asked) -> None:
        with state.engine.begin() as connection:
            extend(connection, asked.id, person, field_of(form, "why"))

    return _act(request, state, person, id, "prolongee", act)


@router.post("/vie-privee/{id}/acces")
def give_access(request: Request, state: StateDep, person: AdministratorDep, form: FormDep, id: str) -> Response:
    """The answer as a file, for a person to read and hand over."""
    asked = _found(state, id)
    try:
        answer = access(state.engine, asked.id, person, field_of(form, "withheld"))
    except RequestError as error:
        return _page(request, state, person, asked, wrong=str(error))
    name = f"vigie-acces-{asked.number}"
    if field_of(form, "format") == "json":
        return Response(as_json(answer), media_type="application/json", headers=saved_as(f"{name}.json"))
    return Response(as_page(answer), media_type="text/html; charset=utf-8", headers=saved_as(f"{name}.html"))


@router.post("/vie-privee/{id}/effacement")
def erasure(request: Request, state: StateDep, person: AdministratorDep, form: FormDep, id: str) -> Response:
    """Erase what is found, less what is refused with a reason."""
    kept = [value for value in form.getlist("keep") if isinstance(value, str)]
    refused = {item_id: field_of(form, "why") for item_id in kept}
    return _act(
        request, state, person, id, "effacee", lambda asked: erase(state.engine, state.settings, asked.id, person, refused)
    )


@router.post("/vie-privee/{id}/contestation")
def contestation(request: Request, state: StateDep, person: AdministratorDep, form: FormDep, id: str) -> Response:
    """Have the contested texts looked at again by a person."""
    chosen = {value for value in form.getlist("item") if isinstance(value, str)} or None

    return _act(request, state, person, id, "contestee", lambda asked: contest(state.engine, asked.id, person, chosen))


@router.post("/vie-privee/{id}/issue")
def close(request: Request, state: StateDep, person: AdministratorDep, form: FormDep, id: str) -> Response:
    """Say what was answered; the program sends nothing."""

    def act(asked: Asked) -> None:
        with state.engine.begin() as connection:
            close_request(connection, asked.id, person, field_of(form, "state"), field_of(form, "words"))

    return _act(request, state, person, id, "close", act)


def _retention(request: Request, state: State, person: Person, wrong: str = "") -> HTMLResponse:
    with state.engine.connect() as connection:
        plan = make_plan(connection, state.settings, [at for _, at, _ in old_files(state.settings, connection)])
        made, figures = purges_of(connection), kept_figures(connection)
    return render(
        request,
        "retention.html",
        person,
        422 if wrong else 200,
        plan=plan,
        kept_names=KEPT,
        rule_names=RULE_NAMES | {"erasure": "effacement sur demande"},
        made=made,
        figures=figures,
        told=_DONE.get(request.query_params.get("dit", ""), ""),
        wrong=wrong,
    )


@router.get("/conservation", response_class=HTMLResponse)
def retention(request: Request, state: StateDep, person: AdministratorDep) -> Response:
    """How long what is held is kept, and what a purge would take out now."""
    return _retention(request, state, person)


@router.get("/conservation/plan", include_in_schema=False)
def plan(state: StateDep, person: AdministratorDep) -> JSONResponse:
    """The plan, for programs; making it is recorded."""
    with state.engine.connect() as connection:
        made = make_plan(connection, state.settings, [at for _, at, _ in old_files(state.settings, connection)])
    record_alone(state.engine, person, "retention.plan", "retention:plan", {"going": made.going})
    return JSONResponse(made.to_json())


@router.post("/conservation/purge")
def purge_now(request: Request, state: StateDep, person: AdministratorDep, sure: Annotated[str, Form()] = "") -> Response:
    """Purge what is past keeping, once the person has ticked that it is for good."""
    if sure != "1":
        return _retention(request, state, person, "Cochez « je sais que c'est définitif » pour purger.")
    try:
        purge(state.engine, state.settings, person)
    except VigieError as error:
        return _retention(request, state, person, str(error))
    return RedirectResponse("/conservation?dit=purge", 303)
