"""Who may reach a route: signed in with a role, or with a key of a scope; unsafe requests prove that they come from our pages.

Every dependency made here declares what it asks (`ACCESS_OF`); `service.declared` reads it back from the routes themselves.
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote, urlsplit

from fastapi import Depends, FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse, Response

from service.exposure import host_of, is_loopback
from service.pages import PageError, wants_page
from service.problems import ApiError, problem
from service.said_once import unsaid
from service.state import State, StateDep
from service.workplace.audit import showed_key
from service.workplace.keys import ROLE_OF, KeyHolder, Scope, find_key
from service.workplace.origin import Origin
from service.workplace.people import ROLE_NAMES, Person, Role
from service.workplace.sessions import Session, find_session
from service.workplace.signin import DEVICE_COOKIE, known_device

COOKIE: Final = "vigie_session"
SIGN_IN: Final = "/connexion"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
_API: Final = ("/v1/", "/label-studio/")
_ASK_KEY: Final = {"WWW-Authenticate": 'Basic realm="Vigie"'}


@dataclass(frozen=True, slots=True)
class Access:
    """What a route asks of who comes.

    `kind`: open (nothing), guarded (nothing, unless VIGIE_REQUIRE_KEY: then as key), role (signed in with this role), key (a key
    of this scope, or signed in with the role that the scope asks), key_alone (a key of this scope). `name` is the role or
    the scope. `note`, in French, is what the route itself asks beyond.
    """

    kind: Literal["open", "guarded", "role", "key", "key_alone"]
    name: str = ""
    note: str = ""


#: What each dependency declares.
ACCESS_OF: Final[dict[Callable[..., Any], Access]] = {}


@dataclass
class NotSignedIn(Exception):  # noqa: N818 - a step on the way, not a fault
    """Nobody is signed in: people are led to the sign-in page, programs get 401."""

    detail: str = "Connectez-vous, ou donnez une clé d'accès (Authorization: Bearer …)."


async def _given_csrf(request: Request) -> str:
    """The token that an unsafe request sends back, from its header or its form."""
    if request.method in _SAFE:
        return ""
    header = request.headers.get("x-csrf-token")
    # Only the forms of our pages hold one: what is sent to the API is its own to read, as it comes.
    page = not request.url.path.startswith(_API)
    if header is None and page and request.headers.get("content-type", "").startswith(_FORMS):
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
        request.state.session = find_session(state.engine, token, idle, state.keyring) if token else None
    session: Session | None = request.state.session
    return session


def sent_key(request: Request, *, basic: bool = True) -> str:
    """The key that a request shows: `Bearer`, or else, for programs that know no other way, `Token` or `Basic`."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer" or (basic and kind.lower() == "token"):
        return value.strip()
    if basic and kind.lower() == "basic":
        try:
            name, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return ""
        return password or name
    return ""


def holder_of(request: Request, state: State, key: str) -> KeyHolder | None:
    """Who a request's key speaks for, looked up once."""
    if getattr(request.state, "key", None) != key:
        request.state.holder = find_key(state.engine, key, state.keyring) if key else None
        request.state.key = key
    holder: KeyHolder | None = request.state.holder
    if holder is not None:
        showed_key(holder.id)
    return holder


def maybe_signed_in(request: Request, state: StateDep) -> Person | None:
    """Who is signed in, if anyone."""
    session = session_of(request, state)
    return session.person if session else None


ACCESS_OF[maybe_signed_in] = Access("open")


def _check_csrf(request: Request, session: Session, given: str) -> None:
    if request.method not in _SAFE and not hmac.compare_digest(session.csrf.encode(), given.encode()):
        raise PageError(403, "Formulaire périmé", "Ce formulaire n'est plus valable : rechargez la page, puis recommencez.")


def _check_role(person: Person, role: Role) -> None:
    if not person.may(role):
        raise PageError(403, "Accès réservé", f"Cette page demande le rôle « {ROLE_NAMES[role]} ».")


@cache
def signed_in(role: Role) -> Callable[..., Person]:
    """A dependency: the person who is signed in, if their role includes this one; the token of unsafe requests is checked."""

    def check(request: Request, state: StateDep, given: GivenCsrf) -> Person:
        session = session_of(request, state)
        if session is None:
            raise NotSignedIn
        _check_csrf(request, session, given)
        _check_role(session.person, role)
        return session.person

    ACCESS_OF[check] = Access("role", role)
    return check


@cache
def opened(note: str = "") -> Any:
    """A dependency, for a route that anybody may reach: it declares so; `note` says what it asks beyond, by itself."""

    def declare() -> None:
        pass

    ACCESS_OF[declare] = Access("open", note=note)
    return Depends(declare)


#: For routes that anybody may reach.
OPEN: Final = opened()
PersonDep = Annotated[Person | None, Depends(maybe_signed_in)]
AnalystDep = Annotated[Person, Depends(signed_in("analyst"))]
ReviewerDep = Annotated[Person, Depends(signed_in("reviewer"))]
AdministratorDep = Annotated[Person, Depends(signed_in("administrator"))]


@cache
def with_key(scope: Scope) -> Callable[..., Person]:
    """A dependency: whom a key of this scope speaks for, or who is signed in with the role that the scope asks."""

    def check(request: Request, state: StateDep, given: GivenCsrf) -> Person:
        if not request.headers.get("authorization"):
            return signed_in(ROLE_OF[scope])(request, state, given)
        holder = holder_of(request, state, sent_key(request, basic=False))
        if holder is None:
            raise NotSignedIn("Cette clé d'accès n'existe pas ou n'est plus valable.")
        if scope not in holder.scopes or not holder.person.may(ROLE_OF[scope]):
            raise PageError(403, "Accès refusé", f"Cette clé ne donne pas le droit « {scope} ».")
        return holder.person

    ACCESS_OF[check] = Access("key", scope)
    return check


@cache
def with_key_alone(scope: Scope) -> Callable[..., KeyHolder]:
    """A dependency: the holder of a key of this scope, sent in any of the ways that `sent_key` knows; a session is not enough."""

    def check(request: Request, state: StateDep) -> KeyHolder:
        holder = holder_of(request, state, sent_key(request))
        if holder is None:
            told = "Une clé d'accès de Vigie est attendue : mot de passe (basic) ou jeton (bearer)."
            raise ApiError(401, told, headers=_ASK_KEY)
        if scope not in holder.scopes or not holder.person.may(ROLE_OF[scope]):
            raise ApiError(403, f"Cette clé ne donne pas le droit « {scope} ».")
        return holder

    ACCESS_OF[check] = Access("key_alone", scope)
    return check


def KeyDep(scope: Scope) -> Any:  # noqa: N802 - read as a type in signatures: person: KeyDep("import")
    """The annotated form of `with_key`."""
    return Annotated[Person, Depends(with_key(scope))]


@cache
def guard(scope: Scope) -> Callable[..., Coroutine[Any, Any, None]]:
    """A dependency of routes that are open unless VIGIE_REQUIRE_KEY is set: then a key of this scope, or a session, is asked."""
    check = with_key(scope)

    async def watch(request: Request, state: StateDep) -> None:
        if state.settings.require_key:
            await run_in_threadpool(check, request, state, await _given_csrf(request))

    ACCESS_OF[watch] = Access("guarded", scope)
    return watch


def address_of(request: Request) -> str:
    """The network address that a request comes from, a trusted proxy seen through; empty where it is unknown."""
    return request.client.host if request.client else ""


def origin_of(request: Request, state: State, login: str = "") -> Origin:
    """Where a request comes from, and the device that it is known to be for this login."""
    sealed = request.cookies.get(DEVICE_COOKIE, "")
    device = known_device(state.keyring, sealed, login) if login else ""
    return Origin(address_of(request), request.headers.get("user-agent", ""), device)


def protected(request: Request) -> bool:
    """Whether what a request carries is hidden from the network, or stays on this machine: over HTTPS, or to a loopback name."""
    return request.url.scheme == "https" or is_loopback(host_of(request.headers.get("host", "")))


def secure_cookies(request: Request) -> bool:
    """Whether cookies are for HTTPS alone."""
    return request.url.scheme == "https"


def same_origin(request: Request) -> bool:
    """Whether an unsafe request that has no session to prove itself comes from our own pages, as far as browsers tell."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def after_sign_in(wanted: str, otherwise: str) -> str:
    """Where to go once signed in: a path of ours, never another site, that says nothing was done."""
    parts = urlsplit(wanted)
    plain = wanted.startswith("/") and not wanted.startswith("//") and "\\" not in wanted and wanted.isprintable()
    return unsaid(wanted) if plain and not parts.scheme and not parts.netloc else otherwise


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
