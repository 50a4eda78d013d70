"""`/apercu` and `/accord`: figures, each with its table and its CSV."""

from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from service.access import AnalystDep
from service.pages import PageError, render
from service.state import State, StateDep
from service.workplace.agreement import measure, quality
from service.workplace.estimates import Recent
from service.workplace.overview import Overview, count_all
from service.workplace.people import Person
from service.workplace.plots import Figure, agreement_figure, load_figure, overview_figures, quality_figure

router = APIRouter(include_in_schema=False)

#: Counting a hundred thousand texts takes longer than a page may: it is done at most once in so many seconds.
_RECENT: Final = Recent(30.0)


def _overview(state: State) -> Overview:
    def count() -> Overview:
        with state.engine.connect() as connection:
            return count_all(connection)

    return _RECENT.get(state.engine, "overview", count)


def _figures(found: Overview, person: Person) -> list[Figure]:
    """Everyone sees the texts' figures and their own load; administrators see that of all."""
    load = [one for one in found.load if person.may("administrator") or one.user_id == person.id]
    return [*overview_figures(found), load_figure(load)]


def _agreement(state: State, person: Person) -> list[Figure]:
    def count() -> Figure:
        with state.engine.connect() as connection:
            return agreement_figure(measure(connection))

    with state.engine.connect() as connection:
        readers = quality(connection, None if person.may("administrator") else person)
    return [_RECENT.get(state.engine, "agreement", count), quality_figure(readers)]


@router.get("/apercu", response_class=HTMLResponse)
def overview(request: Request, state: StateDep, person: AnalystDep) -> HTMLResponse:
    """What came in, what the model says and what people made of it."""
    found = _overview(state)
    return render(request, "overview.html", person, found=found, figures=_figures(found, person))


@router.get("/apercu/{name}.csv")
def overview_csv(state: StateDep, person: AnalystDep, name: str) -> Response:
    """The table of one figure."""
    return _csv(_figures(_overview(state), person), name)


@router.get("/accord", response_class=HTMLResponse)
def agreement(request: Request, state: StateDep, person: AnalystDep) -> HTMLResponse:
    """How far readers agree, and each with what was agreed on."""
    return render(request, "agreement.html", person, figures=_agreement(state, person), all=person.may("administrator"))


@router.get("/accord/{name}.csv")
def agreement_csv(state: StateDep, person: AnalystDep, name: str) -> Response:
    """The table of one figure of agreement."""
    return _csv(_agreement(state, person), name)


def _csv(figures: list[Figure], name: str) -> Response:
    found = next((figure for figure in figures if figure.id == name), None)
    if found is None:
        raise PageError(404, "Figure inconnue", f"Aucune figure ne s'appelle « {name} ».")
    headers = {"Content-Disposition": f'attachment; filename="vigie-{found.id}.csv"'}
    # The mark at the start tells spreadsheets that the file is in UTF-8.
    return Response("\ufeff" + found.to_csv(), media_type="text/csv; charset=utf-8", headers=headers)
