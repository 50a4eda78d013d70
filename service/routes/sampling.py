"""`/a-etiqueter`: the next text to read, drawn by the set shares."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from sqlalchemy import func, select
from starlette.datastructures import FormData

from model.decide import OperatingPoint
from service.access import AdministratorDep, AnalystDep
from service.pages import render
from service.state import State, StateDep
from service.workplace.candidates import KEPT
from service.workplace.choices import POLICIES, ChoiceError, changes, choice, choose
from service.workplace.people import Person
from service.workplace.sampling import candidates, draw
from service.workplace.schema import ITEMS

router = APIRouter(include_in_schema=False)

#: What people read of each way: its name, and what it looks for.
_POLICIES: Final = {
    "uncertainty": ("Incertitude", "Le modèle est près de basculer, étiquette par étiquette."),
    "disagreement": (
        "Désaccord",
        "Deux lectures diffèrent, une personne et le modèle diffèrent, ou deux modèles diffèrent.",
    ),
    "diversity": ("Diversité", "Le texte est au cœur d'un groupe de textes semblables encore peu lus."),
    "suspect": (
        "Erreur possible",
        "Le modèle, qui n'a pas appris de ce texte, trouve son étiquette peu vraisemblable : une autre personne le relit.",
    ),
    "random": ("Hasard", "Le texte suit l'ordre du hasard : les chiffres de l'aperçu en viennent."),
}
_HUNDRED: Final = 100


async def sent_form(request: Request) -> FormData:
    """The form that a request sends, every value of its fields."""
    return await request.form()


FormDep = Annotated[FormData, Depends(sent_form)]


def _point(state: State) -> OperatingPoint:
    return state.analyser.artefact.points[state.settings.operating_point]


@router.get("/a-etiqueter", response_class=HTMLResponse)
def show(request: Request, state: StateDep, person: AnalystDep) -> HTMLResponse:
    """How many texts wait for each way, and the button that draws one."""
    return _show(request, state, person)


def _show(
    request: Request, state: State, person: Person, wrong: str = "", sent: dict[str, str] | None = None, status: int = 200
) -> HTMLResponse:
    pools = candidates(state.engine, _point(state))
    with state.engine.connect() as connection:
        shares = choice(connection, "sampling_shares")
        new = connection.execute(select(func.count()).where(ITEMS.c.state == "new", ITEMS.c.level.is_not(None))).scalar_one()
        changed = changes(connection, "sampling_shares", limit=5)
    rows = []
    for policy in POLICIES:
        waiting = new if policy == "random" else len(pools[policy]) if pools else None
        shown = f"{_HUNDRED * shares[policy]:g}".replace(".", ",")
        given = (sent or {}).get(policy, shown)
        rows.append((policy, *_POLICIES[policy], shares[policy], waiting, given))
    return render(
        request,
        "sampling.html",
        person,
        status,
        rows=rows,
        kept=KEPT,
        changed=changed,
        names={policy: name for policy, (name, _) in _POLICIES.items()},
        wrong=wrong,
        empty="vide" in request.query_params,
        done="faite" in request.query_params,
        saved="parts" in request.query_params,
    )


@router.post("/a-etiqueter/suivant")
def following(state: StateDep, person: AnalystDep) -> Response:
    """Draw a text, make it the person's and open it."""
    drawn = draw(state.engine, person, _point(state))
    return RedirectResponse(drawn.path if drawn else "/a-etiqueter?vide=1", 303)


@router.post("/a-etiqueter/parts")
def set_shares(request: Request, state: StateDep, person: AdministratorDep, form: FormDep) -> Response:
    """Change the share of each way."""
    sent = {policy: str(form.get(policy) or "") for policy in POLICIES}
    try:
        choose(state.engine, "sampling_shares", {policy: as_share(value) for policy, value in sent.items()}, person)
    except ChoiceError as error:
        return _show(request, state, person, str(error), sent, 422)
    return RedirectResponse("/a-etiqueter?parts=1", 303)


def as_share(percents: str) -> float:
    """A share from the percents that someone typed, with a comma or a point.

    Raises:
        ChoiceError: it is not a number.
    """
    try:
        return float(percents.strip().removesuffix("%").strip().replace(",", ".")) / _HUNDRED
    except ValueError as error:
        raise ChoiceError(f"« {percents} » : un nombre de 0 à 100 est attendu.") from error
