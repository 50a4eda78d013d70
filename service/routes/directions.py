"""Where a text may go, and what can be done: authorities, articles of law as questions, advice. Nothing is ever sent."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse

from model.records import Prediction
from service.access import AnalystDep, GivenCsrf, PersonDep, guard, opened, with_key
from service.cases.cases import CaseError, find_case
from service.cases.told import Told, tell
from service.database import find_text
from service.directions.advice import AUDIENCES, advice_for
from service.directions.routing import groups_of, questions, recipients
from service.directions.schemas import (
    QuestionInfo,
    RecipientInfo,
    RouteBody,
    RouteRequest,
    RouteResponse,
    SituationInfo,
    StepInfo,
)
from service.directions.situations import Known, Situation, situation_of
from service.directions.tables import GROUPS, load_directions
from service.directions.texts import situation_of_item
from service.pages import PageError, render
from service.problems import ApiError
from service.routes.queue import FormDep, field_of
from service.state import State, StateDep
from service.workplace.draws import note_shown, shut_for
from service.workplace.items import find_item
from service.workplace.people import Person
from service.workplace.textpage import LEVEL_NAMES

router = APIRouter()
_NOTE: Final = "Des indices à vérifier et des destinataires à envisager : rien n'est envoyé, une personne décide."
_BLIND: Final = "/relecture"


@router.post(
    "/v1/route",
    response_model=RouteResponse,
    tags=["orientation"],
    summary="Où un texte peut aller",
    dependencies=[opened("un texte conservé, aux droits « review » ou « export » ; le reste, comme /v1/predict")],
)
async def route(body: RouteBody, request: Request, state: StateDep, given: GivenCsrf) -> RouteResponse:
    """Les destinataires à envisager, avec les raisons, et les articles de loi à regarder, en questions.

    Droit « predict » pour des prédictions, si le service demande une clé ; droit « review » ou « export » pour un texte
    conservé. Sous le niveau 2, sans décision d'une personne, seule une aide peut être proposée. Rien n'est envoyé.
    """
    if body.id is None:
        await guard("predict")(request, state)
        return await run_in_threadpool(_given, body, state)
    person = await run_in_threadpool(_reader, request, state, given)
    return await run_in_threadpool(_stored, body, state, person)


def _reader(request: Request, state: State, given: str) -> Person:
    """Who reads a text that is kept: signed in, or with a key that may review or export."""
    try:
        return with_key("review")(request, state, given)
    except PageError:
        return with_key("export")(request, state, given)


def _given(body: RouteRequest, state: State) -> RouteResponse:
    predictions = [body.prediction] if body.prediction else body.predictions or []
    if len(predictions) > state.settings.max_items:
        raise ApiError(413, f"predictions : {len(predictions)} éléments ; la limite est de {state.settings.max_items}.")
    return _answer(_situation(predictions, body))


def _situation(predictions: list[Prediction], body: RouteRequest, text: str = "") -> Situation:
    known = [Known(text=text, channel="website" if body.online else None) for _ in predictions]
    return situation_of(predictions, known=known, victim=body.victim, urgency=body.urgency, public_agent=body.public_agent)


def _stored(body: RouteRequest, state: State, person: Person) -> RouteResponse:
    id = body.id or ""
    with state.engine.connect() as connection:
        item = find_item(connection, id)
        if item is not None:
            if shut_for(connection, item.id, person):
                raise ApiError(403, f"id : le texte « {id} » est en relecture à l'aveugle ; il vous est fermé pour le moment.")
            situation = situation_of_item(
                connection, item, victim=body.victim, urgency=body.urgency, public_agent=body.public_agent
            )
            if situation is None:
                raise ApiError(409, f"id : le texte « {id} » n'a encore été lu ni par le modèle ni par une personne.")
            answer = _answer(situation)
            note_shown(state.engine, [item.id], person)
            return answer
    stored = find_text(state.engine, id)
    if stored is None:
        raise ApiError(404, f"id : aucun texte conservé sous l'identifiant « {id} ».")
    return _answer(_situation([Prediction.model_validate(stored.prediction)], body, stored.text))


def _answer(situation: Situation) -> RouteResponse:
    advice = advice_for("person_at_risk") if "person_at_risk" in situation.conditions else None
    return RouteResponse(
        note=_NOTE,
        situation=SituationInfo.of(situation),
        recipients=[RecipientInfo.of(one) for one in recipients(situation)],
        questions=[QuestionInfo.of(one) for one in questions(situation)],
        advice=[StepInfo(title=one.title, text=one.text, to_verify=one.verify) for one in (*advice.first, *advice.steps)]
        if advice
        else None,
    )


@router.get("/orientation", response_class=HTMLResponse, include_in_schema=False)
def authorities(request: Request, person: PersonDep) -> HTMLResponse:
    """All authorities: what each takes, how, on what basis."""
    tables = load_directions()
    grouped = [(group, [one for one in tables.authorities if one.group == group]) for group in GROUPS]
    return render(request, "directions.html", person, tables=tables, grouped=grouped, laws=tables.laws)


@router.get("/orienter/{item_id}", response_class=HTMLResponse, include_in_schema=False)
def directions(
    item_id: str,
    request: Request,
    state: StateDep,
    person: AnalystDep,
    victime: Annotated[str, Query(max_length=10)] = "",
    urgence: Annotated[str, Query(max_length=10)] = "",
    agent: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """Where one text may go, with what the person knows besides."""
    with state.engine.connect() as connection:
        item = find_item(connection, item_id[:36])
        if item is None:
            raise PageError(404, "Texte introuvable", "Ce texte n'existe pas, ou plus.")
        if shut_for(connection, item.id, person):
            return RedirectResponse(_BLIND, 303)
        situation = situation_of_item(connection, item, victim=bool(victime), urgency=bool(urgence), public_agent=bool(agent))
    note_shown(state.engine, [item.id], person)
    found = recipients(situation) if situation else ()
    asked = questions(situation) if situation else ()
    held = situation.conditions if situation else frozenset()
    return render(
        request,
        "directions_item.html",
        person,
        item=item,
        level=item.level if item.decided_level is None else item.decided_level,
        level_names=LEVEL_NAMES,
        situation=situation,
        held=held,
        tables=load_directions(),
        grouped=[(group, [one for one in found if one.group == group]) for group in groups_of(situation)],
        any_found=bool(found),
        facts=[one for one in asked if not one.handling],
        handling=[one for one in asked if one.handling],
        advice=advice_for("person_at_risk") if "person_at_risk" in held else None,
        victim=bool(victime),
        urgency=bool(urgence),
        agent=bool(agent),
    )


@router.get("/aide", response_class=HTMLResponse, include_in_schema=False)
def help_page(request: Request, person: PersonDep) -> HTMLResponse:
    """What a victim, a relative, a person at risk can do; made to be printed too."""
    return render(request, "advice.html", person, all_advice=[advice_for(one) for one in AUDIENCES])


@router.post("/dossiers/{name}/dit", include_in_schema=False)
def told(name: str, state: StateDep, person: AnalystDep, form: FormDep) -> Response:
    """Keep what a person knows of a case besides its texts, which decides whom to consider."""
    said = Told(field_of(form, "victim") == "1", field_of(form, "urgency") == "1")
    try:
        with state.engine.begin() as connection:
            case = find_case(connection, name[:36])
            if case is None:
                raise PageError(404, "Dossier introuvable", "Ce dossier n'existe pas.", ("/dossiers", "Retour aux dossiers"))
            tell(connection, case.id, person, said)
    except CaseError as error:
        raise PageError(422, "Dossier non modifié", str(error), (f"/dossiers/{name}", "Retour au dossier")) from error
    return RedirectResponse(f"/dossiers/{case.name}?dit=modifie#destinataires", 303)
