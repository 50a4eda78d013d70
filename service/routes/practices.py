"""Practices and professions: sheets that anybody may read; how many texts name a practice, for who is signed in."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse

from model.tables import load_tables
from service.access import GivenCsrf, NotSignedIn, PersonDep, opened, with_key
from service.directions.schemas import PracticeSheet
from service.directions.sheets import search, sheet_of
from service.directions.tables import load_directions
from service.directions.texts import count_of, counts, naming
from service.pages import PageError, render
from service.problems import ApiError
from service.state import State, StateDep
from service.workplace.people import Person
from service.workplace.textpage import CHANNEL_NAMES, LEVEL_NAMES

router = APIRouter()
_LONGEST = 100
_OPEN = opened("le compte des textes, au droit « review » seulement")
Id = Annotated[str, Path(max_length=100)]


@router.get("/v1/practices", response_model=list[PracticeSheet], tags=["tables"], summary="Pratiques", dependencies=[_OPEN])
def practices(request: Request, state: StateDep, given: GivenCsrf) -> list[PracticeSheet]:
    """Les pratiques que Vigie reconnaît dans un texte ; leur seul nom n'est pas un signe.

    `texts` compte les textes conservés qui en nomment une : null sans session ni clé du droit « review ».
    """
    found = [sheet for one in load_tables().practices if (sheet := sheet_of(one.id))]
    person = _reader(request, state, given)
    if person is None:
        return [PracticeSheet.of(sheet) for sheet in found]
    with state.engine.connect() as connection:
        named = counts(connection, person)
    return [PracticeSheet.of(sheet, named.get(sheet.practice.id, 0)) for sheet in found]


@router.get(
    "/v1/practices/{id}",
    response_model=PracticeSheet,
    tags=["tables"],
    summary="Fiche d'une pratique",
    dependencies=[_OPEN],
)
def practice(id: Id, request: Request, state: StateDep, given: GivenCsrf) -> PracticeSheet:
    """La fiche d'une pratique : ce qu'elle affirme, qui en a dit quoi, avec adresse et date de la source."""
    sheet = sheet_of(id)
    if sheet is None:
        raise ApiError(404, f"Aucune pratique « {id} ».")
    person = _reader(request, state, given)
    if person is None:
        return PracticeSheet.of(sheet)
    with state.engine.connect() as connection:
        return PracticeSheet.of(sheet, count_of(connection, person, id))


def _reader(request: Request, state: State, given: str) -> Person | None:
    """Who asks, if they may read texts; the tables themselves are for anybody."""
    try:
        return with_key("review")(request, state, given)
    except (NotSignedIn, PageError):
        return None


@router.get("/pratiques", response_class=HTMLResponse, include_in_schema=False)
def gazetteer(request: Request, state: StateDep, person: PersonDep) -> HTMLResponse:
    """All practices, searched and filtered."""
    tables = load_directions()
    query, family, danger = (request.query_params.get(name, "")[:_LONGEST] for name in ("q", "famille", "danger"))
    family, danger = (family if family in tables.families else ""), (danger if danger in tables.dangers else "")
    named: dict[str, int] = {}
    if person:
        with state.engine.connect() as connection:
            named = counts(connection, person)
    return render(
        request,
        "practices.html",
        person,
        found=search(query, family, danger),
        total=len(load_tables().practices),
        facts=tables.facts,
        tables=tables,
        named=named,
        query=query,
        family=family,
        danger=danger,
    )


@router.get("/pratiques/{id}", response_class=HTMLResponse, include_in_schema=False)
def sheet_page(id: str, request: Request, state: StateDep, person: PersonDep) -> HTMLResponse:
    """The sheet of a practice."""
    sheet = sheet_of(id[:_LONGEST])
    if sheet is None:
        raise PageError(404, "Pratique introuvable", "Cette pratique n'est pas, ou plus, dans la table.")
    texts, count = [], 0
    if person:
        with state.engine.connect() as connection:
            texts, count = naming(connection, person, sheet.practice.id), count_of(connection, person, sheet.practice.id)
    return render(
        request,
        "practice.html",
        person,
        sheet=sheet,
        tables=load_directions(),
        texts=texts,
        count=count,
        channel_names=CHANNEL_NAMES,
        level_names=LEVEL_NAMES,
    )


@router.get("/professions", response_class=HTMLResponse, include_in_schema=False)
def professions(request: Request, person: PersonDep) -> HTMLResponse:
    """Regulated professions, protected titles, free titles, and how to check them."""
    tables = load_directions()
    return render(request, "professions.html", person, tables=tables, professions=tables.professions)
