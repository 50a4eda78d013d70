"""The ML-backend calls of Label Studio, under `/label-studio`, and the page that says who is who there.

Label Studio sends a key of ours by basic authentication (any name, the key as password) or as a bearer token.
"""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final

from anyio import to_thread
from fastapi import APIRouter, Body, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from service import label_studio
from service.access import OPEN, AdministratorDep, with_key_alone
from service.annotations import LabelStudioError
from service.pages import render
from service.problems import ApiError
from service.reading import Reader
from service.state import State, StateDep
from service.streaming import while_connected
from service.workplace.claims import Taken
from service.workplace.decisions import DecisionError
from service.workplace.keys import ROLE_OF, KeyHolder
from service.workplace.people import Person, list_people

router = APIRouter(tags=["Label Studio"])
_LONGEST_MAP: Final = 20_000


PredictDep = Annotated[KeyHolder, Depends(with_key_alone("predict"))]
ReviewDep = Annotated[KeyHolder, Depends(with_key_alone("review"))]
Message = Annotated[dict[str, Any], Body()]


@router.get("/label-studio/health", summary="Vigie répond-il ?")
def health(state: StateDep, holder: PredictDep) -> dict[str, str]:
    """Ce que Label Studio demande avant de se brancher."""
    return {"status": "UP", "model_class": "Vigie", "model_version": state.analyser.artefact.version}


@router.post("/label-studio/setup", summary="Brancher un projet")
def setup(state: StateDep, holder: PredictDep, message: Message) -> dict[str, str]:
    """Vérifie que l'interface du projet peut montrer les prédictions."""
    missing = label_studio.missing_controls(str(message.get("schema") or message.get("label_config") or ""))
    if missing:
        names = ", ".join(missing)
        raise ApiError(422, f"L'interface du projet n'a pas {names} : prenez celle de /label-studio/interface.xml.")
    return {"model_version": state.analyser.artefact.version}


@router.get("/label-studio/versions", summary="Versions du modèle")
def versions(state: StateDep, holder: PredictDep) -> dict[str, list[str]]:
    """La version qui sert."""
    return {"versions": [state.analyser.artefact.version]}


@router.post("/label-studio/predict", summary="Prédire des tâches")
async def predict(request: Request, state: StateDep, holder: PredictDep, message: Message) -> Response:
    """Une prédiction par tâche, dans l'ordre ; rien n'est conservé."""
    tasks = message.get("tasks")
    if not isinstance(tasks, list):
        raise ApiError(422, "tasks : une liste de tâches est attendue.")
    if len(tasks) > state.settings.max_items:
        raise ApiError(413, f"{len(tasks)} tâches ; la limite est de {state.settings.max_items}.")
    reader = state.reader()

    async def work() -> Response:
        longest: float | None = state.settings.max_wait
        results = []
        with state.slots.place():
            for task in tasks:
                results.append(await state.slots.run(partial(_predicted, reader, task), longest))
                longest = None
        return JSONResponse({"results": results, "model_version": state.analyser.artefact.version})

    return await while_connected(request, state, work)


def _predicted(reader: Reader, task: Any) -> dict[str, Any]:
    text = label_studio.text_of(task) or ""
    return label_studio.prediction_result(text, reader.text(text))


@router.post("/label-studio/webhook", status_code=201, summary="Annotation créée, changée ou effacée")
async def webhook(state: StateDep, holder: ReviewDep, message: Message) -> dict[str, list[str]]:
    """L'annotation devient une décision ; celle qu'elle remplace, ou qui est effacée, est retirée."""
    speaks = "speak" in holder.scopes and holder.person.may(ROLE_OF["speak"])
    receive = partial(label_studio.receive, state.engine, message, holder.person, speaks=speaks)
    try:
        kept = await to_thread.run_sync(receive)
    except (Taken, label_studio.Closed) as refused:
        raise ApiError(409, str(refused)) from refused
    except (LabelStudioError, DecisionError) as error:
        raise ApiError(422, str(error)) from error
    return {"decisions": list(kept.made), "withdrawn": list(kept.withdrawn)}


@router.post("/label-studio/train", summary="Entraîner (vieux nom)")
def train(holder: PredictDep) -> dict[str, str]:
    """Rien n'est lancé d'ici : un challenger se demande de la page des modèles."""
    return {"message": "Les décisions sont gardées à mesure ; un challenger s'entraîne depuis la page /modeles."}


@router.get("/label-studio/interface.xml", summary="L'interface d'un projet", dependencies=[OPEN])
def interface() -> Response:
    """La configuration à coller dans un projet de Label Studio."""
    return Response(label_studio.labelling_config(), media_type="application/xml; charset=utf-8")


@router.get("/modeles/label-studio", response_class=HTMLResponse, include_in_schema=False)
def settings(request: Request, state: StateDep, person: AdministratorDep) -> HTMLResponse:
    """How to plug a project in, and who is who."""
    return _settings(request, state, person)


def _settings(request: Request, state: State, person: Person, given: str | None = None, wrong: str = "") -> HTMLResponse:
    with state.engine.connect() as connection:
        known = label_studio.people_map(connection)
    lines = "\n".join(f"{name} = {login}" for name, login in known.items())
    return render(
        request,
        "label_studio.html",
        person,
        422 if wrong else 200,
        wrong=wrong,
        lines=lines if given is None else given,
        address=str(request.base_url) + "label-studio",
        config=label_studio.labelling_config(),
        logins=[one.login for one in list_people(state.engine)],
    )


@router.post("/modeles/label-studio", include_in_schema=False)
def change(request: Request, state: StateDep, person: AdministratorDep, people: Annotated[str, Form()] = "") -> Response:
    """Say who is who: one « number or address = login » a line."""
    try:
        label_studio.map_people(state.engine, _mapping(people), person)
    except LabelStudioError as error:
        return _settings(request, state, person, people, str(error))
    return RedirectResponse("/modeles/label-studio", 303)


def _mapping(lines: str) -> Mapping[str, str]:
    if len(lines) > _LONGEST_MAP:
        raise LabelStudioError(f"{_LONGEST_MAP} caractères au plus sont attendus.")
    found = {}
    for number, line in enumerate(lines.replace("\r\n", "\n").split("\n"), start=1):
        if not line.strip():
            continue
        name, equals, login = (part.strip() for part in line.partition("="))
        if not equals or not name or not login:
            raise LabelStudioError(f"Ligne {number} : « numéro ou adresse = identifiant » est attendu.")
        found[name] = login
    return found
