"""Who may reach a route: signed in with a role, or with a key of a scope; unsafe requests prove that they come from our pages."""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Final
from urllib.parse import quote, urlsplit

from fastapi import Depends, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response

from service.pages import PageError, wants_page
from service.problems import problem
from service.state import State, StateDep
from service.workplace.keys import ROLE_OF, Scope, find_key
from service.workplace.people import ROLE_NAMES, Person, Role
from service.workplace.sessions import Session, find_session

COOKIE: Final = "vigie_session"
SIGN_IN: Final = "/connexion"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


@dataclass
class NotSignedIn(Exception):  # noqa: N818 - a step on the way, not a fault
    """Nobody is signed in: people are led to the sign-in page, programs get 401."""

    detail: str = "Connectez-vous, ou donnez une clé d'accès (Authorization: Bearer …)."


async def _given_csrf(request: Request) -> str:
    """The token that an unsafe request sends back, from its header or its form."""
    if request.method in _SAFE:
        return ""
    header = request.headers.get("x-csrf-token")
    if header is None and request.headers.get("content-type", "").startswith(_FORMS):
        form = await request.form()
        field = form.get("csrf")
        return field if isinstance(field, str) else ""
    return header or ""


GivenCsrf = Annotated[str, Depends(_given_csrf)]


def session_of(request: Request, state: State) -> Session | None:
    """The session of a request's cookie, looked up once."""
    if not hasattr(request.state, "session"):
        token = request.cookies.get(COOKIE, "")
        idle = timedelta(seconds=state.settings.session_idle)
        request.state.session = find_session(state.engine, token, idle) if token else None
    session: Session | None = request.state.session
    return session


def maybe_signed_in(request: Request, state: StateDep) -> Person | None:
    """Who is signed in, if anyone."""
    session = session_of(request, state)
    return session.person if session else None


def _check_csrf(request: Request, session: Session, given: str) -> None:
    if request.method not in _SAFE and not hmac.compare_digest(session.csrf.encode(), given.encode()):
        raise PageError(403, "Formulaire périmé", "Ce formulaire n'est plus valable : rechargez la page, puis recommencez.")


def _check_role(person: Person, role: Role) -> None:
    if not person.may(role):
        raise PageError(403, "Accès réservé", f"Cette page demande le rôle « {ROLE_NAMES[role]} ».")


def signed_in(role: Role) -> Callable[..., Person]:
    """A dependency: the person who is signed in, if their role includes this one; the token of unsafe requests is checked."""

    def check(request: Request, state: StateDep, given: GivenCsrf) -> Person:
        session = session_of(request, state)
        if session is None:
            raise NotSignedIn
        _check_csrf(request, session, given)
        _check_role(session.person, role)
        return session.person

    return check


PersonDep = Annotated[Person | None, Depends(maybe_signed_in)]
AnalystDep = Annotated[Person, Depends(signed_in("analyst"))]
ReviewerDep = Annotated[Person, Depends(signed_in("reviewer"))]
AdministratorDep = Annotated[Person, Depends(signed_in("administrator"))]


def with_key(scope: Scope) -> Callable[..., Person]:
    """A dependency: whom a key of this scope speaks for, or who is signed in with the role that the scope asks."""

    def check(request: Request, state: StateDep, given: GivenCsrf) -> Person:
        kind, _, key = request.headers.get("authorization", "").partition(" ")
        if not kind:
            return signed_in(ROLE_OF[scope])(request, state, given)
        holder = find_key(state.engine, key.strip()) if kind.lower() == "bearer" else None
        if holder is None:
            raise NotSignedIn("Cette clé d'accès n'existe pas ou n'est plus valable.")
        if scope not in holder.scopes or not holder.person.may(ROLE_OF[scope]):
            raise PageError(403, "Accès refusé", f"Cette clé ne donne pas le droit « {scope} ».")
        return holder.person

    return check


def KeyDep(scope: Scope) -> Any:  # noqa: N802 - read as a type in signatures: person: KeyDep("import")
    """The annotated form of `with_key`."""
    return Annotated[Person, Depends(with_key(scope))]


def guard(scope: Scope) -> Callable[..., Awaitable[None]]:
    """A dependency of routes that are open unless VIGIE_REQUIRE_KEY is set: then a key of this scope, or a session, is asked."""
    check = with_key(scope)

    async def watch(request: Request, state: StateDep) -> None:
        if state.settings.require_key:
            await run_in_threadpool(check, request, state, await _given_csrf(request))

    return watch


def same_origin(request: Request) -> bool:
    """Whether an unsafe request that has no session to prove itself comes from our own pages, as far as browsers tell."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def after_sign_in(wanted: str, otherwise: str) -> str:
    """Where to go once signed in: a path of ours, never another site."""
    parts = urlsplit(wanted)
    plain = wanted.startswith("/") and not wanted.startswith("//") and "\\" not in wanted and wanted.isprintable()
    return wanted if plain and not parts.scheme and not parts.netloc else otherwise


def add_access_handlers(app: FastAPI) -> None:
    """Lead who is not signed in to the sign-in page."""

    @app.exception_handler(NotSignedIn)
    async def not_signed_in(request: Request, error: NotSignedIn) -> Response:
        path = request.url.path
        if path.startswith(("/v1/", "/label-studio/")) or ("x-csrf-token" in request.headers and not wants_page(request)):
            return problem(401, error.detail, headers={"WWW-Authenticate": "Bearer"})
        wanted = f"{path}?{request.url.query}" if request.url.query else path
        query = f"?suite={quote(wanted, safe='/')}" if request.method in _SAFE else "?perdue=1"
        return RedirectResponse(SIGN_IN + query, 303)
