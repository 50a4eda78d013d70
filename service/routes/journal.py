"""`/journal`: the audit log for administrators; `/compte/journal`: what it holds of what one did oneself."""

from typing import Annotated, Final

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from model.errors import VigieError
from service.access import AdministratorDep, AnalystDep
from service.pages import PageError, render
from service.routes.exchange import saved_as
from service.state import State, StateDep
from service.workplace.audit import head_of, record_alone, sealing_keys
from service.workplace.audit_actions import ACTIONS, GROUPS, MEANS
from service.workplace.audit_chain import read_head
from service.workplace.audit_list import FORMATS, Shown, Wanted, exported, page_of
from service.workplace.audit_schema import missing_guards
from service.workplace.audit_verify import Expected, Report, keys_by_name, read_anchors, verify_database
from service.workplace.people import Person, list_accounts
from service.workplace.times import now

router = APIRouter(include_in_schema=False)

_ON_A_PAGE: Final = 100
#: What one request checks: two seconds or so.
_CHECKED_AT_ONCE: Final = 100_000


@router.get("/journal", response_class=HTMLResponse)
def show(request: Request, state: StateDep, person: AdministratorDep) -> HTMLResponse:
    """The records that the filters find, newest first, and the state of the chain."""
    return _show(request, state, person)


def _show(request: Request, state: State, person: Person, report: Report | None = None, wrong: str = "") -> HTMLResponse:
    wanted = Wanted.read(request.url.query)
    rows, newer, older = _page(request, state, wanted)
    with state.engine.connect() as connection:
        head, missing = head_of(connection), missing_guards(connection)
    actions = [
        (group, name, [one for one in ACTIONS.items() if one[0].startswith(f"{group}.")]) for group, name in GROUPS.items()
    ]
    return render(
        request,
        "journal.html",
        person,
        200,
        wanted=wanted,
        rows=rows,
        newer=newer,
        older=older,
        head=head,
        missing=missing,
        people=[account.person for account in list_accounts(state.engine)],
        actions=actions,
        means=MEANS,
        formats=[(kind, name) for kind, (_, name) in FORMATS.items()],
        report=report,
        wrong=wrong,
    )


def _page(request: Request, state: State, wanted: Wanted) -> tuple[list[Shown], str | None, str | None]:
    """The records of a page, and the addresses of those before and after it."""
    before, after = _number(request, "avant"), _number(request, "apres")
    with state.engine.connect() as connection:
        rows = page_of(connection, wanted, _ON_A_PAGE + 1, before, after)
    more = len(rows) > _ON_A_PAGE
    shown = rows[-_ON_A_PAGE:] if after is not None else rows[:_ON_A_PAGE]
    place = request.url.path if request.method == "GET" else "/journal"
    query = f"{place}?{wanted.query()}&" if wanted.query() else f"{place}?"
    newer = f"{query}apres={shown[0].number}" if shown and (before is not None or (after is not None and more)) else None
    older = f"{query}avant={shown[-1].number}" if shown and (after is not None or more) else None
    return shown, newer, older


def _number(request: Request, name: str) -> int | None:
    given = request.query_params.get(name, "")
    return int(given) if given.isdecimal() and given.isascii() and len(given) < 10 else None


@router.post("/journal/verification", response_class=HTMLResponse)
def check(request: Request, state: StateDep, person: AdministratorDep, since: Annotated[str, Form()] = "") -> HTMLResponse:
    """Check the chain, a part at a time, from where the part before ended."""
    settings = state.settings
    try:
        start = read_head(since) if since else None
        path = settings.audit_anchor
        heads = read_anchors(path) if path is not None and path.exists() else ()
    except (ValueError, VigieError) as error:
        return _show(request, state, person, wrong=str(error))
    if start is not None and not start.number:
        start = None
    expected = Expected(heads, keys_by_name(sealing_keys(settings)), start)
    return _show(request, state, person, verify_database(state.engine, expected, now(), _CHECKED_AT_ONCE))


@router.get("/journal/export")
def export(request: Request, state: StateDep, person: AdministratorDep, format: str = "jsonl") -> Response:
    """The records that the filters find, as a file; who took it is recorded first."""
    if format not in FORMATS:
        raise PageError(422, "Export à préciser", f"Format « {format[:80]} » : {' ou '.join(FORMATS)} est attendu.")
    wanted = Wanted.read(request.url.query)
    record_alone(state.engine, person, "journal.export", "journal:audit", {"format": format, "narrowed": bool(wanted.query())})
    pieces = exported(state.engine, format, wanted)
    headers = saved_as(f"vigie-journal-{now():%Y-%m-%d}.{format}") | {"Cache-Control": "no-store"}
    return StreamingResponse(pieces, media_type=FORMATS[format][0], headers=headers)


@router.get("/compte/journal", response_class=HTMLResponse)
def own(request: Request, state: StateDep, person: AnalystDep) -> HTMLResponse:
    """What one did oneself, without the details: some would tell a text that is read blind from another."""
    rows, newer, older = _page(request, state, Wanted(personne=person.id))
    return render(request, "journal_own.html", person, rows=rows, newer=newer, older=older, means=MEANS)
