"""The pages of the models: what serves, challengers, their comparison, promotion and return, and what trained what."""

import csv
import io
from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse

from model.errors import ArtefactError, VigieError
from model.labels import INDICATOR_NAMES, LEVELS, STANCES, TARGETS
from model.promotion import history
from model.store import current_name, list_artefacts, read_manifest
from service.access import AdministratorDep, ReviewerDep
from service.pages import PageError, render
from service.state import State, StateDep
from service.workplace import lineage, loop
from service.workplace.columns import guarded
from service.workplace.flips import FRESH, open_flipped, open_flips
from service.workplace.masking import hidden_text
from service.workplace.people import Person
from service.workplace.reviewed import LEFT as UNDECIDED
from service.workplace.reviewed import count_decided

router = APIRouter(include_in_schema=False)

#: Why reviewed texts are not learned from (`training.joining.LEFT`), as the record of a comparison counts them.
_LEFT: Final = {
    "held_out": "gardés à part pour juger les modèles",
    "near_test": "proches d'un texte de réglage ou d'épreuve du corpus",
    "near_held_out": "proches d'un texte gardé à part",
    "same_text": "déjà dans le corpus",
    **UNDECIDED,
}
_VERDICTS: Final = {"held": "tenue", "failed": "échec", "not_measured": "non mesurée"}
_NEARER: Final = {"better": "plus près", "worse": "plus loin", "same": "ni plus ni moins"}
_NAMES: Final = {**INDICATOR_NAMES, **{label.id: label.name for label in (*STANCES, *TARGETS)}}
_HARD: Final = "\u00a0"
#: Figures that are no share: shown as they are.
_PLAIN: Final = ("brier", "ece")


@router.get("/modeles", response_class=HTMLResponse)
def models(request: Request, state: StateDep, person: ReviewerDep) -> HTMLResponse:
    """What serves, the trainings and the changes of model."""
    return _models(request, state, person)


def _models(request: Request, state: State, person: Person, wrong: str = "", status: int = 200) -> HTMLResponse:
    loop.refresh(state.engine, state.settings)
    root = state.settings.model_dir
    trainings = loop.list_trainings(state.engine)
    serving = current_name(root)
    with state.engine.connect() as connection:
        decided = count_decided(connection)
        learned = lineage.count_learned(connection, serving)
    known = [change.name for change in history(root)]
    return render(
        request,
        "models.html",
        person,
        status,
        wrong=wrong,
        serving=serving,
        served=state.analyser.artefact.version,
        problem=state.models.problem,
        decided=decided,
        learned=learned,
        artefacts=list_artefacts(root, state.settings.trust()),
        trainings=trainings,
        active=next((one for one in trainings if one.active), None),
        promotions=loop.list_promotions(state.engine),
        can_return=len(set(known) | {serving}) > 1,
        state_names=loop.STATE_NAMES,
        kind_names=loop.KIND_NAMES,
    )


@router.get("/modeles/etat")
def progress(state: StateDep, person: ReviewerDep, essai: str) -> JSONResponse:
    """How far a training is, for the script of the page."""
    loop.refresh(state.engine, state.settings)
    training = _find(state, essai)
    shown = {"active": training.active, "state": loop.STATE_NAMES[training.state], "step": training.step}
    return JSONResponse(shown, headers={"Cache-Control": "no-store"})


@router.post("/modeles/essais")
def ask(request: Request, state: StateDep, person: AdministratorDep) -> Response:
    """Start a training."""
    try:
        id = loop.ask(state.engine, state.settings, person)
    except loop.LoopError as error:
        return _models(request, state, person, str(error), 409)
    return RedirectResponse(f"/modeles/essais/{id}", 303)


@router.get("/modeles/essais/{id}", response_class=HTMLResponse)
def training(request: Request, state: StateDep, person: ReviewerDep, id: str) -> HTMLResponse:
    """A training: how far it is, or what the comparison says."""
    loop.refresh(state.engine, state.settings)
    return _training(request, state, person, id)


def _training(request: Request, state: State, person: Person, id: str, wrong: str = "", status: int = 200) -> HTMLResponse:
    found = _find(state, id)
    comparison = found.comparison
    serving = current_name(state.settings.model_dir)
    return render(
        request,
        "models_training.html",
        person,
        status,
        wrong=wrong,
        training=found,
        serving=serving,
        comparison=comparison,
        rules=[_rule(rule) for rule in comparison["rules"]] if comparison else [],
        flips=list(_flips(state, found, person).items()),
        left=[(_LEFT.get(name, name), count) for name, count in comparison["learned"]["left"].items()] if comparison else [],
        stale=comparison is not None and serving not in (comparison["champion"], found.challenger),
        part_names={part["id"]: part["name"] for part in comparison["parts"]} if comparison else {},
        nearer_names=_NEARER,
        state_names=loop.STATE_NAMES,
        reason_least=loop.REASON_LEAST,
        reason_longest=loop.REASON_LONGEST,
    )


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    """A rule of the gate as it is shown."""
    share = rule["id"] not in _PLAIN
    measured = rule["champion"] is not None
    difference = rule["challenger"] - rule["champion"] if measured else None
    return {
        "name": rule["name"],
        "part": rule["part"],
        "champion": _figure(rule["champion"], share=share),
        "challenger": _figure(rule["challenger"], share=share),
        "difference": _signed(difference, share=share),
        "interval": f"{_signed(rule['low'], share=share)} à {_signed(rule['high'], share=share)}" if measured else "–",
        "most": _signed((-1 if rule["higher_is_better"] else 1) * rule["most"], share=share),
        "texts": rule["texts"],
        "verdict": _VERDICTS[rule["verdict"]],
        "kind": rule["verdict"],
        "why": rule["why"],
    }


def _figure(value: float | None, *, share: bool) -> str:
    if value is None:
        return "–"
    shown = f"{100 * value:.1f}{_HARD}%" if share else f"{value:.4f}"
    return shown.replace(".", ",")


def _signed(value: float | None, *, share: bool) -> str:
    if value is None:
        return "–"
    shown = f"{100 * value:+.1f}{_HARD}pt" if share else f"{value:+.4f}"
    return shown.replace(".", ",").replace("-", "\u2212")


@router.post("/modeles/essais/{id}/arret")
def stop(state: StateDep, person: AdministratorDep, id: str) -> Response:
    """Stop a training."""
    _find(state, id)
    loop.stop(state.engine, state.settings, id, person)
    return RedirectResponse(f"/modeles/essais/{id}", 303)


@router.post("/modeles/essais/{id}/comparaison")
def compare_again(request: Request, state: StateDep, person: AdministratorDep, id: str) -> Response:
    """Compare the model of a training with the one that serves now."""
    found = _find(state, id)
    if found.challenger is None:
        return _training(request, state, person, id, "Cet entraînement n'a pas donné de modèle à comparer.", 409)
    try:
        again = loop.ask(state.engine, state.settings, person, found.challenger)
    except loop.LoopError as error:
        return _training(request, state, person, id, str(error), 409)
    return RedirectResponse(f"/modeles/essais/{again}", 303)


@router.post("/modeles/essais/{id}/promotion")
def promote(
    request: Request, state: StateDep, person: AdministratorDep, id: str, reason: Annotated[str, Form()] = ""
) -> Response:
    """Put the model of a training into service."""
    try:
        loop.promote(state.engine, state.settings, id, person, reason)
    except VigieError as error:
        return _training(request, state, person, id, str(error), 409)
    return RedirectResponse("/modeles", 303)


@router.post("/modeles/retour")
def roll_back(request: Request, state: StateDep, person: AdministratorDep, reason: Annotated[str, Form()] = "") -> Response:
    """Go back to the model that served before."""
    try:
        loop.roll_back(state.engine, state.settings, person, reason)
    except VigieError as error:
        return _models(request, state, person, str(error), 409)
    return RedirectResponse("/modeles", 303)


@router.get("/modeles/essais/{id}/bascules.csv")
def flips_csv(state: StateDep, person: ReviewerDep, id: str) -> Response:
    """The texts that change level, as a table."""
    found = _find(state, id)
    flips = _flips(state, found, person)
    content = io.StringIO()
    writer = csv.writer(content)
    writer.writerow(["numero", "partie", "id", "attendu", "niveau_en_service", "niveau_challenger", "sens", "attendu_plus_pres"])
    for number, flip in flips.items():
        expected = " ".join(map(str, flip["expected"]))
        way = "monte" if flip["direction"] == "up" else "descend"
        name = guarded(str(flip["id"]))
        writer.writerow([number, flip["part"], name, expected, flip["before"], flip["after"], way, _NEARER[flip["nearer"]]])
    name = f"bascules-{found.id[:8]}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response("\ufeff" + content.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/modeles/essais/{id}/bascules/{number}", response_class=HTMLResponse)
def flip(request: Request, state: StateDep, person: ReviewerDep, id: str, number: int) -> HTMLResponse:
    """A text that changes level, as both models read it."""
    found = _find(state, id)
    flips = _flips(state, found, person)
    if found.comparison is None or not 1 <= number <= len(found.comparison["flips"]):
        raise PageError(404, "Page introuvable", "Cette bascule n'existe pas.")
    if number not in flips:
        raise PageError(403, "Texte fermé", "Ce texte attend une lecture à l'aveugle, que vous pourriez avoir à faire.")
    chosen = flips[number]
    item = open_flipped(state.engine, chosen["id"], person) if chosen["part"] == FRESH else None
    text = chosen["text"] if chosen["text"] is not None else item.text if item else ""
    if item is not None:
        with state.engine.connect() as connection:
            text = hidden_text(connection, item.id, text, person)
    return render(
        request,
        "models_flip.html",
        person,
        training=found,
        flip=chosen,
        number=number,
        before=max((other for other in flips if other < number), default=None),
        after=min((other for other in flips if other > number), default=None),
        text=text,
        item=item,
        sides=[
            ("Modèle en service", found.comparison["champion"], chosen["champion"]),
            ("Challenger", found.challenger, chosen["challenger"]),
        ],
        names=_NAMES,
        levels=LEVELS,
        nearer=_NEARER[chosen["nearer"]],
        part=next(part["name"] for part in found.comparison["parts"] if part["id"] == chosen["part"]),
    )


@router.get("/modeles/version/{name}", response_class=HTMLResponse)
def model(request: Request, state: StateDep, person: ReviewerDep, name: str, avant: int | None = None) -> HTMLResponse:
    """A model: what it learned, and the decisions that trained it."""
    root = state.settings.model_dir
    # Only a name that the folder holds: nothing of an address leads elsewhere.
    trust = state.settings.trust()
    if name not in {manifest["version"] for manifest in list_artefacts(root, trust)}:
        raise PageError(404, "Modèle introuvable", "Aucun modèle de ce nom dans le dossier des modèles.")
    try:
        manifest, problem = read_manifest(root / name, trust), None
    except ArtefactError as error:
        manifest, problem = {}, str(error)
    with state.engine.connect() as connection:
        count = lineage.count_learned(connection, name)
        decisions = lineage.decisions_of_model(connection, name, avant, person=person)
    return render(
        request,
        "models_version.html",
        person,
        name=name,
        manifest=manifest,
        problem=problem,
        serving=current_name(root) == name,
        count=count,
        decisions=decisions,
        further=decisions[-1].number if len(decisions) == lineage.PAGE else None,
        first=avant is None,
        names=_NAMES,
    )


@router.get("/modeles/decision/{id}", response_class=HTMLResponse)
def taught(request: Request, state: StateDep, person: ReviewerDep, id: str) -> HTMLResponse:
    """The models that a decision trained."""
    with state.engine.connect() as connection:
        found = lineage.models_of_decision(connection, id)
    return render(request, "models_decision.html", person, decision=id, taught=found)


def _flips(state: State, training: loop.Training, person: Person) -> dict[int, Mapping[str, Any]]:
    with state.engine.connect() as connection:
        return open_flips(connection, training, person)


def _find(state: State, id: str) -> loop.Training:
    found = loop.find_training(state.engine, id)
    if found is None:
        raise PageError(404, "Entraînement introuvable", "Cet entraînement n'existe pas, ou plus.")
    return found
