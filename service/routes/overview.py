"""`/apercu` and `/accord`: figures, each with its table and its CSV."""

from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from service.access import AnalystDep
from service.drift.references import model_of
from service.drift.view import Watched, drift_figures
from service.drift.watching import drift_of
from service.pages import PageError, render
from service.state import State, StateDep
from service.workplace.agreement import measure, quality
from service.workplace.estimates import Recent
from service.workplace.overview import Overview, count_all, has_more_than
from service.workplace.people import Person
from service.workplace.plots import Figure, agreement_figure, load_figure, overview_figures, quality_figure

_Value = TypeVar("_Value")

router = APIRouter(include_in_schema=False)

#: Counting a hundred thousand texts takes longer than a page may: it is done beside the answers, at most once in so many
#: seconds; what is older than the second number is not shown any more.
_RECENT: Final = Recent(30.0, 300.0)
#: Texts that are counted while the page is waited for.
_FEW: Final = 5_000


def _overview(state: State) -> Overview:
    with state.engine.connect() as connection:
        return count_all(connection)


def _drift(state: State) -> Watched:
    return drift_of(state.engine, model_of(state.analyser.artefact))


def _agreement(state: State) -> Figure:
    with state.engine.connect() as connection:
        return agreement_figure(measure(connection))


def _waited(state: State, count: Callable[[State], _Value]) -> _Value:
    return _RECENT.get(state.engine, count, partial(count, state))


def _ready(state: State, count: Callable[[State], _Value]) -> _Value | None:
    """What is counted; None while it is counted of many texts, for the first time in a while."""
    with state.engine.connect() as connection:
        many = has_more_than(connection, _FEW)
    return _RECENT.ready(state.engine, count, partial(count, state)) if many else _waited(state, count)


def _figures(found: Overview, person: Person) -> list[Figure]:
    """Everyone sees the texts' figures and their own load; administrators see that of all."""
    load = [one for one in found.load if person.may("administrator") or one.user_id == person.id]
    return [*overview_figures(found), load_figure(load)]


def _readers(state: State, person: Person) -> Figure:
    with state.engine.connect() as connection:
        return quality_figure(quality(connection, None if person.may("administrator") else person))


def _counting(request: Request, person: Person, title: str) -> HTMLResponse:
    """What a page shows in the place of figures that are counted."""
    return render(request, "counting.html", person, title=title)


@router.get("/apercu", response_class=HTMLResponse)
def overview(request: Request, state: StateDep, person: AnalystDep) -> HTMLResponse:
    """What came in, what the model says and what people made of it."""
    found = _ready(state, _overview)
    if found is None:
        return _counting(request, person, "Aperçu")
    drift = _waited(state, _drift)
    figures = [*_figures(found, person), *drift_figures(drift)]
    return render(request, "overview.html", person, found=found, figures=figures, drift=drift)


@router.get("/apercu/{name}.csv")
def overview_csv(state: StateDep, person: AnalystDep, name: str) -> Response:
    """The table of one figure."""
    return _csv([*_figures(_waited(state, _overview), person), *drift_figures(_waited(state, _drift))], name)


@router.get("/accord", response_class=HTMLResponse)
def agreement(request: Request, state: StateDep, person: AnalystDep) -> HTMLResponse:
    """How far readers agree, and each with what was agreed on."""
    measured = _ready(state, _agreement)
    if measured is None:
        return _counting(request, person, "Accord entre les lectures")
    figures = [measured, _readers(state, person)]
    return render(request, "agreement.html", person, figures=figures, all=person.may("administrator"))


@router.get("/accord/{name}.csv")
def agreement_csv(state: StateDep, person: AnalystDep, name: str) -> Response:
    """The table of one figure of agreement."""
    return _csv([_waited(state, _agreement), _readers(state, person)], name)


def _csv(figures: list[Figure], name: str) -> Response:
    found = next((figure for figure in figures if figure.id == name), None)
    if found is None:
        raise PageError(404, "Figure inconnue", f"Aucune figure ne s'appelle « {name} ».")
    headers = {"Content-Disposition": f'attachment; filename="vigie-{found.id}.csv"'}
    # The mark at the start tells spreadsheets that the file is in UTF-8.
    return Response("\ufeff" + found.to_csv(), media_type="text/csv; charset=utf-8", headers=headers)
