"""HTML pages: one set of templates, the same frame, menu, filters and error page for all."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.exceptions import HTTPException

from service.inert import in_order
from service.middleware import SECURITY_HEADERS
from service.problems import problem
from service.themes import theme_name
from service.workplace.masking import hide
from service.workplace.passwords import BusyError
from service.workplace.people import ROLE_NAMES, Person, Role
from service.workplace.times import aware, in_paris, local_zone

#: The menu, by group: address, name, least role.
MENU: Final[tuple[tuple[str, tuple[tuple[str, str, Role], ...]], ...]] = (
    (
        "Lire",
        (
            ("/file", "File", "analyst"),
            ("/a-etiqueter", "À étiqueter", "analyst"),
            ("/relecture", "Relecture", "analyst"),
            ("/arbitrage", "Arbitrage", "reviewer"),
        ),
    ),
    (
        "Agir",
        (
            ("/campagnes", "Campagnes", "analyst"),
            ("/dossiers", "Dossiers", "analyst"),
            ("/orientation", "Orientation", "analyst"),
            ("/pratiques", "Pratiques", "analyst"),
        ),
    ),
    ("Mesurer", (("/apercu", "Aperçu", "analyst"), ("/observatoire", "Observatoire", "analyst"))),
    (
        "Administrer",
        (
            ("/imports", "Imports", "analyst"),
            ("/modeles", "Modèles", "reviewer"),
            ("/comptes", "Comptes", "administrator"),
            ("/vie-privee", "Vie privée", "administrator"),
            ("/journal", "Journal", "administrator"),
        ),
    ),
)
#: Where someone who has just signed in goes.
HOME: Final = "/file"

_NEARLY: Final = 0.01
_MONTHS: Final = ("janv.", "févr.", "mars", "avril", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc.")
_NARROW: Final = "\u202f"
_HARD: Final = "\u00a0"


@dataclass
class PageError(Exception):
    """What stops a page: HTTP status, a title and an explanation, in French, shown in the common frame."""

    status: int
    title: str
    detail: str
    #: Where to go on from there, before the queue: an address and its words.
    back: tuple[str, str] | None = None


def percent(value: float) -> str:
    """A probability for people: never a false certainty."""
    if value < _NEARLY:
        return f"moins de 1{_HARD}%"
    return f"plus de 99{_HARD}%" if value > 1 - _NEARLY else f"{100 * value:.0f}{_HARD}%"


def instant(value: datetime | None) -> str:
    """A date and hour for people, in Paris (UTC where the machine knows no time zones); « – » for none."""
    if value is None:
        return "–"
    local = aware(value).astimezone(local_zone())
    shown = f"{local.day}{_HARD}{_MONTHS[local.month - 1]} {local.year} à {local.hour}{_HARD}h{_HARD}{local.minute:02}"
    return shown if in_paris() else f"{shown} UTC"


def day(value: datetime | None) -> str:
    """A short date for people, in Paris; the year only where it is not this one; « – » for none."""
    if value is None:
        return "–"
    local, today = aware(value).astimezone(local_zone()), datetime.now(local_zone())
    shown = f"{local.day}{_HARD}{_MONTHS[local.month - 1]}"
    return shown if local.year == today.year else f"{shown} {local.year}"


def clock(value: datetime) -> str:
    """An hour of today for people, in Paris."""
    local = aware(value).astimezone(local_zone())
    return f"{local.hour}{_HARD}h{_HARD}{local.minute:02}"


def number(value: float) -> str:
    """A number as it is written in French: thousands parted by a narrow space, a comma before decimals (two at most)."""
    whole = float(value).is_integer()
    shown = f"{int(value):,}" if whole else f"{value:,.2f}".rstrip("0")
    return shown.replace(",", _NARROW).replace(".", ",")


@cache
def environment() -> Environment:
    """The templates of the service, and what they may use."""
    made = Environment(
        loader=FileSystemLoader(str(files("service").joinpath("templates"))),
        autoescape=select_autoescape(["html", "svg"]),
        undefined=StrictUndefined,
        finalize=in_order,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"percent": percent, "instant": instant, "number": number, "machine": lambda value: aware(value).isoformat()}
    # Jinja's own would write « Label Studio » and « URL » in small letters.
    made.filters["capitalize"] = lambda value: f"{value[:1].upper()}{value[1:]}"
    made.filters |= {"hide": hide, "day": day, "clock": clock, "theme": theme_name}
    made.globals["role_names"] = ROLE_NAMES
    return made


def _menu(person: Person | None) -> list[tuple[str, list[tuple[str, str]]]]:
    """The groups of the menu with the addresses and names that this person may open; empty groups are left out."""
    if person is None:
        return []
    groups = [(group, [(address, name) for address, name, role in entries if person.may(role)]) for group, entries in MENU]
    return [(group, entries) for group, entries in groups if entries]


def render(request: Request, template: str, person: Person | None, status: int = 200, **values: Any) -> HTMLResponse:
    """A page: a template with these values, and `person`, `csrf`, `masked`, `path`, `menu` for the frame."""
    session = getattr(request.state, "session", None)
    frame = {
        "person": person,
        "csrf": session.csrf if session else "",
        "masked": person is not None and person.masks,
        "path": request.url.path,
        "here": f"{request.url.path}?{request.url.query}" if request.url.query and request.method == "GET" else request.url.path,
        "menu": _menu(person),
    }
    return HTMLResponse(environment().get_template(template).render(frame | values), status_code=status)


def wants_page(request: Request) -> bool:
    """Whether a person's browser asks, rather than a program."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(("/v1/", "/label-studio/"))


def show_error(request: Request, status: int, title: str, detail: str, back: tuple[str, str] | None = None) -> Response:
    """An error as a page for people, as problem details for programs; `back`: where to go on, an address and its words."""
    if not wants_page(request):
        return problem(status, detail)
    session = getattr(request.state, "session", None)
    person = session.person if session else None
    return render(request, "error.html", person, status, title=title, detail=detail, back=back)


def add_page_handlers(app: FastAPI, recognise: Callable[[Request], object] = lambda _: None) -> None:
    """Answer `PageError` with a page, and show people a page where an address does not exist.

    `recognise` looks up the session of a request that no route has looked at: the page of an address that does not exist
    keeps the menu of who is signed in.
    """
    for_programs = app.exception_handlers[HTTPException]

    @app.exception_handler(PageError)
    async def page_error(request: Request, error: PageError) -> Response:
        return show_error(request, error.status, error.title, error.detail, error.back)

    @app.exception_handler(BusyError)
    async def busy(request: Request, error: BusyError) -> Response:
        return show_error(request, 503, "Service occupé", str(error))

    @app.exception_handler(DataError)
    async def unfit(request: Request, _: DataError) -> Response:
        # PostgreSQL takes no null character, for one: what was sent is at fault, not the service.
        return show_error(request, 422, "Valeur refusée", "Une des valeurs envoyées ne peut pas être enregistrée.")

    @app.exception_handler(Exception)
    async def fault(request: Request, _: Exception) -> Response:
        told = "Une erreur inattendue s'est produite ; elle est consignée, sans le texte."
        answer = show_error(request, 500, "Erreur inattendue", told)
        answer.headers.update(SECURITY_HEADERS)
        return answer

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404 and wants_page(request):
            with suppress(SQLAlchemyError):  # without the database, without the menu
                await run_in_threadpool(recognise, request)
            return show_error(request, 404, "Page introuvable", "Cette adresse n'existe pas, ou plus.")
        answer: Response = await for_programs(request, error)  # type: ignore[misc]
        return answer
