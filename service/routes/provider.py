"""Signing in through the identity provider: leaving for it, coming back from it, ending one's session there too."""

from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from service.access import OPEN, SIGN_IN, after_sign_in, origin_of, secure_cookies
from service.oidc import UNDER_WAY_COOKIE, UNDER_WAY_SECONDS, ProviderError, RefusedError, Relying, relying
from service.pages import HOME, PageError
from service.routes.accounts import enter
from service.state import State, StateDep
from service.workplace import identities
from service.workplace.people import AccountError
from service.workplace.signin import refused

_PATH: Final = f"{SIGN_IN}/fournisseur"
router = APIRouter(prefix=_PATH, include_in_schema=False, dependencies=[OPEN])


def _provider(state: State) -> Relying:
    if state.settings.oidc_issuer is None:
        raise PageError(404, "Page introuvable", "Ce service ne connaît pas de fournisseur d'identité.")
    return relying(state.settings)


def _address(request: Request, path: str) -> str:
    """An address of ours as the browser knows it; the name that it asked under was checked."""
    return f"{request.url.scheme}://{request.headers['host']}{path}"


def _silent(error: ProviderError) -> PageError:
    return PageError(503, "Fournisseur d'identité indisponible", f"{error} Réessayez plus tard, ou prévenez l'administration.")


@router.get("")
def leave(request: Request, state: StateDep, suite: str = "") -> Response:
    """Send the browser to the provider, with what it must come back with."""
    try:
        begun = _provider(state).begin(_address(request, f"{_PATH}/retour"), after_sign_in(suite, HOME), state.keyring)
    except ProviderError as error:
        raise _silent(error) from error
    answer = RedirectResponse(begun.address, 303)
    answer.set_cookie(
        UNDER_WAY_COOKIE,
        begun.cookie,
        max_age=UNDER_WAY_SECONDS,
        path=_PATH,
        httponly=True,
        samesite="lax",
        secure=secure_cookies(request),
    )
    return answer


@router.get("/retour")
def come_back(request: Request, state: StateDep) -> Response:
    """Let in whom the provider names, if it answers as it must and there is an account, or one may be opened."""
    provider = _provider(state)
    cookie = request.cookies.get(UNDER_WAY_COOKIE, "")
    try:
        claims = provider.end(request.query_params, cookie, state.keyring)
        named = (claims.subject, claims.login, claims.name, claims.role)
        person = identities.enter(state.engine, provider.issuer, *named, create=state.settings.oidc_create)
    except ProviderError as error:
        raise _silent(error) from error
    except (RefusedError, AccountError) as error:
        refused(state.engine, "", origin_of(request, state), "provider")
        raise PageError(403, "Connexion refusée", str(error)) from error
    answer = enter(request, state, person, after_sign_in(claims.suite, HOME), "provider")
    answer.delete_cookie(UNDER_WAY_COOKIE, path=_PATH, httponly=True, samesite="lax", secure=secure_cookies(request))
    return answer


@router.get("/fin")
def end_there(request: Request, state: StateDep) -> Response:
    """Send the browser to the provider, to end the session that it keeps too."""
    try:
        address = _provider(state).sign_out_address(_address(request, SIGN_IN))
    except ProviderError as error:
        raise _silent(error) from error
    if address is None:
        raise PageError(404, "Page introuvable", "Ce fournisseur d'identité ne dit pas comment y fermer sa session.")
    return RedirectResponse(address, 303)
