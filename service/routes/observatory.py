"""`/observatoire`: figures with their limits, as a page, CSV, a workbook, a report; `GET /v1/observatory` for programs."""

from typing import Annotated, Any, Final, cast

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from service.access import AdministratorDep, AnalystDep, KeyDep
from service.observatory.answers import answer_of, error_of
from service.observatory.cells import OTHERS
from service.observatory.periods import KINDS, PeriodError
from service.observatory.report import limits_of, pdf, selection_of, workbook
from service.observatory.rows import MODES
from service.observatory.selection import DIMENSIONS, Answer, Wanted, read_wanted
from service.observatory.sheets import Sheet
from service.observatory.snapshot import forget
from service.pages import PageError, render
from service.problems import ApiError
from service.routes.exchange import saved_as
from service.state import State, StateDep
from service.workplace.choices import ChoiceError, choose
from service.workplace.exports import FORMATS

router = APIRouter()
pages = APIRouter(include_in_schema=False)
_FIELDS: Final = ("du", "au", "par", "compter", "dimension", "valeur")
_XLSX: Final = FORMATS["xlsx"][0]


def _asked(request: Request, state: State) -> tuple[Answer, list[Sheet], list[str]]:
    try:
        wanted = read_wanted({name: request.query_params.get(name, "") for name in _FIELDS})
        answer, sheets = answer_of(state, wanted)
    except PeriodError as error:
        raise PageError(422, "Sélection impossible", str(error)) from error
    return answer, sheets, limits_of(answer, error_of(state), _point(state))


def _point(state: State) -> str:
    return state.settings.operating_point


def _values(state: State, answer: Answer) -> list[tuple[str, str, list[tuple[str, str]]]]:
    return [(table.id, table.name, [one for one in table.values if one[0] != OTHERS]) for table in answer.counted.tables]


@pages.get("/observatoire", response_class=HTMLResponse)
def observatory(request: Request, state: StateDep, person: AnalystDep) -> HTMLResponse:
    """Figures of a selection, and what they do not measure."""
    # A list of dimension and value in one field, for browsers without scripts.
    one = request.query_params.get("choix")
    if one is not None:
        dimension, _, value = one.partition(":")
        given = {name: request.query_params.get(name, "") for name in _FIELDS} | {"dimension": dimension, "valeur": value}
        return cast("HTMLResponse", RedirectResponse(f"/observatoire?{_wanted(given).query()}", 303))
    fault = ""
    try:
        answer, sheets, limits = _asked(request, state)
    except PageError as error:
        fault = error.detail
        answer, sheets = answer_of(state, Wanted())
        limits = limits_of(answer, error_of(state), _point(state))
    return render(
        request,
        "observatory.html",
        person,
        422 if fault else 200,
        fault=fault,
        answer=answer,
        figures=[sheet.figure() for sheet in sheets],
        limits=limits,
        said=selection_of(answer),
        query=answer.wanted.query(),
        units=KINDS,
        modes=MODES,
        values=_values(state, answer),
        totals=[answer.amount(measure) for measure in ("texts", "read", "flagged", "decided", "kept")],
    )


def _wanted(given: dict[str, str]) -> Wanted:
    try:
        return read_wanted(given)
    except PeriodError as error:
        raise PageError(422, "Sélection impossible", str(error)) from error


@pages.get("/observatoire/rapport", response_class=HTMLResponse)
def report(request: Request, state: StateDep, person: AnalystDep) -> HTMLResponse:
    """The same, to be printed."""
    answer, sheets, limits = _asked(request, state)
    figures = [sheet.figure(short=True) for sheet in sheets]
    values: dict[str, Any] = {"answer": answer, "figures": figures, "limits": limits, "said": selection_of(answer)}
    return render(request, "observatory_report.html", person, query=answer.wanted.query(), **values)


@pages.get("/observatoire/rapport.pdf")
def report_pdf(request: Request, state: StateDep, person: AnalystDep) -> Response:
    """The report as a PDF."""
    answer, sheets, limits = _asked(request, state)
    return Response(pdf(answer, sheets, limits), media_type="application/pdf", headers=saved_as("vigie-observatoire.pdf"))


@pages.get("/observatoire/tout.xlsx")
def all_sheets(request: Request, state: StateDep, person: AnalystDep) -> Response:
    """Every figure of the selection as a workbook."""
    answer, sheets, limits = _asked(request, state)
    return Response(workbook(answer, sheets, limits), media_type=_XLSX, headers=saved_as("vigie-observatoire.xlsx"))


@pages.get("/observatoire/{name}.csv")
def sheet_csv(request: Request, state: StateDep, person: AnalystDep, name: str) -> Response:
    """The table of one figure."""
    _, sheets, _ = _asked(request, state)
    found = next((sheet for sheet in sheets if sheet.id == name), None)
    if found is None:
        raise PageError(404, "Figure inconnue", f"Aucune figure de cette sélection ne s'appelle « {name} ».")
    # The mark at the start tells spreadsheets that the file is in UTF-8.
    content = "\ufeff" + found.figure().to_csv()
    return Response(content, media_type="text/csv; charset=utf-8", headers=saved_as(f"vigie-observatoire-{name}.csv"))


@pages.post("/observatoire/seuil")
def change_least(state: StateDep, person: AdministratorDep, least: Annotated[str, Form(max_length=20)] = "") -> Response:
    """Change the least count that is shown."""
    try:
        choose(state.engine, "observatory_least", int(least) if least.strip().isdecimal() else least, person)
    except ChoiceError as error:
        raise PageError(422, "Seuil refusé", f"Plus petit compte montré : {error}") from error
    forget(state.engine)
    return RedirectResponse("/observatoire", 303)


@router.get("/v1/observatory", summary="Figures de l'observatoire", tags=["poste de travail"])
def observatory_json(
    state: StateDep,
    person: KeyDep("export"),  # type: ignore[valid-type]
    begins: Annotated[str, Query(alias="du", description="Premier jour (AAAA-MM-JJ), élargi au mois entier.")] = "",
    ends: Annotated[str, Query(alias="au", description="Dernier jour, élargi au mois entier.")] = "",
    unit: Annotated[str, Query(alias="par", description=f"{', '.join(KINDS)}.")] = "month",
    mode: Annotated[str, Query(alias="compter", description=f"{', '.join(MODES)}.")] = "texts",
    dimension: Annotated[str, Query(description=f"{', '.join(DIMENSIONS)} : suivre une valeur.")] = "",
    value: Annotated[str, Query(alias="valeur", description="Valeur de la dimension.")] = "",
) -> dict[str, Any]:
    """Comptes par période et par dimension, parts et intervalles ; un compte trop petit est null. Jamais un texte."""
    given = {"du": begins, "au": ends, "par": unit, "compter": mode, "dimension": dimension, "valeur": value}
    try:
        answer, sheets = answer_of(state, read_wanted(given))
    except PeriodError as error:
        raise ApiError(422, str(error)) from error
    first, last = answer.days
    return {
        "made_at": answer.snapshot.made_at.isoformat(),
        "model_version": state.analyser.artefact.version,
        "operating_point": state.settings.operating_point,
        "least": answer.snapshot.least,
        "begins": first.isoformat(),
        "ends": last.isoformat(),
        "mode": answer.wanted.mode,
        "limits": limits_of(answer, error_of(state), _point(state)),
        "sheets": [sheet.to_json() for sheet in sheets],
    }


router.include_router(pages)
