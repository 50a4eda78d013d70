"""Signing in and out, the first account, one's own account; the accounts of others are in `service.routes.people`."""

import secrets
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from service.access import (
    COOKIE,
    OPEN,
    SIGN_IN,
    AnalystDep,
    PersonDep,
    after_sign_in,
    opened,
    origin_of,
    protected,
    same_origin,
    secure_cookies,
    session_of,
)
from service.pages import HOME, PageError, render
from service.state import State, StateDep
from service.workplace import keys, opening, people, sessions, signin
from service.workplace.audit_actions import MEANS
from service.workplace.audit_list import own_trail
from service.workplace.passwords import LEAST_CHARACTERS, WeakPasswordError
from service.workplace.people import AccountError, Person
from service.workplace.tries import HeldError

router = APIRouter(include_in_schema=False)

_REFUSED: Final = (
    "Identifiant ou mot de passe incorrect, ou compte fermé. Après cinq échecs, chaque essai fait attendre le suivant."
)
_LOST: Final = (
    "Votre session a pris fin avant que le formulaire n'arrive : rien n'a été enregistré. Connectez-vous, puis recommencez."
)
_LEFT: Final = "vous êtes déconnecté."
_ELSEWHERE: Final = PageError(403, "Formulaire refusé", "Ce formulaire ne vient pas de Vigie : ouvrez la page et recommencez.")

_IN_CLEAR: Final = PageError(
    403,
    "Connexion non protégée",
    "Un mot de passe ne peut pas être envoyé en clair : ouvrez cette page en https://. Derrière un mandataire, il doit "
    "transmettre X-Forwarded-Proto, et son adresse figurer dans VIGIE_TRUSTED_PROXIES.",
)

_FIRST: Final = opened("le jeton affiché au démarrage, tant qu'il n'y a aucun compte")

Field = Annotated[str, Form()]
Fields = Annotated[list[str], Form()]


def enter(request: Request, state: State, person: Person, to: str, way: str = "password") -> Response:
    """Open a session under a new token, close the one that the browser had, and go on; the device is known from now on."""
    if not protected(request):
        raise _IN_CLEAR
    old = session_of(request, state)
    if old is not None:
        sessions.close_session(state.engine, old)
    longest = timedelta(seconds=state.settings.session_longest)
    opened = sessions.open_session(state.engine, person, longest, origin_of(request, state), way, state.keyring)
    answer = RedirectResponse(to, 303)
    seconds, secure = int(longest.total_seconds()), secure_cookies(request)
    answer.set_cookie(COOKIE, opened.token, max_age=seconds, httponly=True, samesite="lax", secure=secure)
    if state.keyring.current is not None and way != "provider":
        known = signin.seal_device(
            state.keyring, request.cookies.get(signin.DEVICE_COOKIE, ""), person.login, secrets.token_urlsafe(16)
        )
        answer.set_cookie(
            signin.DEVICE_COOKIE,
            known,
            max_age=signin.DEVICE_SECONDS,
            path=SIGN_IN,
            httponly=True,
            samesite="strict",
            secure=secure,
        )
    return answer


def _ask(request: Request, state: State, status: int = 200, **values: str) -> Response:
    shown = {"suite": "", "login": "", "problem": "", "done": ""} | values
    settings = state.settings
    return render(request, "signin.html", None, status, **shown, provider_name=settings.oidc_name if settings.oidc_issuer else "")


@router.get(SIGN_IN)
def ask_sign_in(
    request: Request, state: StateDep, person: PersonDep, suite: str = "", perdue: str = "", sorti: str = ""
) -> Response:
    """The form to sign in; who is signed in goes on."""
    if person is not None:
        return RedirectResponse(after_sign_in(suite, HOME), 303)
    return _ask(request, state, suite=suite, problem=_LOST if perdue else "", done=_LEFT if sorti else "")


@router.post(SIGN_IN, dependencies=[OPEN])
def sign_in(request: Request, state: StateDep, login: Field = "", password: Field = "", suite: Field = "") -> Response:
    """Sign in, and go where one was going."""
    if not same_origin(request):
        raise _ELSEWHERE
    if not protected(request):
        raise _IN_CLEAR
    try:
        person = signin.check_sign_in(state.engine, login, password, origin_of(request, state, login), state.keyring)
    except HeldError as held:
        answer = _ask(request, state, 429, suite=suite, login=login, problem=f"{held} Après des échecs, chaque essai attend.")
        answer.headers["Retry-After"] = str(held.seconds)
        return answer
    if person is None:
        return _ask(request, state, 403, suite=suite, login=login, problem=_REFUSED)
    return enter(request, state, person, after_sign_in(suite, HOME))


@router.post("/deconnexion")
def sign_out(request: Request, state: StateDep, person: AnalystDep) -> Response:
    """End the session."""
    session = session_of(request, state)
    if session is not None:
        sessions.close_session(state.engine, session)
    answer = RedirectResponse(f"{SIGN_IN}?sorti=1", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=secure_cookies(request))
    return answer


def _check_first(state: State, token: str) -> None:
    if not opening.first_allowed(state.engine, token):
        raise PageError(
            404,
            "Lien sans effet",
            "Ce lien n'est pas celui que le service a affiché à son démarrage, ou le premier compte existe déjà.",
        )


def _first_form(request: Request, token: str, status: int = 200, login: str = "", name: str = "", problem: str = "") -> Response:
    values = {"token": token, "login": login, "name": name, "problem": problem, "least": LEAST_CHARACTERS}
    return render(request, "first.html", None, status, **values)


@router.get(opening.FIRST_ACCOUNT, dependencies=[_FIRST])
def ask_first(request: Request, state: StateDep, jeton: str = "") -> Response:
    """The form that makes the first account, to whoever holds the token told at start."""
    _check_first(state, jeton)
    return _first_form(request, jeton)


@router.post(opening.FIRST_ACCOUNT, dependencies=[_FIRST])
def make_first(
    request: Request,
    state: StateDep,
    token: Field = "",
    login: Field = "",
    name: Field = "",
    password: Field = "",
    again: Field = "",
) -> Response:
    """Make the first account, of an administrator, and sign in."""
    if not same_origin(request):
        raise _ELSEWHERE
    _check_first(state, token)
    try:
        _check_again(password, again)
        person = opening.make_first(state.engine, login, name, password, token)
    except (AccountError, WeakPasswordError) as error:
        return _first_form(request, token, 422, login, name, str(error))
    if person is None:
        return RedirectResponse(SIGN_IN, 303)
    return enter(request, state, person, HOME, "first")


def _check_again(password: str, again: str) -> None:
    if password != again:
        raise WeakPasswordError("Les deux saisies du nouveau mot de passe diffèrent.")


def _account(
    request: Request, state: State, person: Person, status: int = 200, *, done: str = "", problem: str = "", key: str = ""
) -> Response:
    offered = [(scope, name) for scope, name in keys.SCOPE_NAMES.items() if person.may(keys.ROLE_OF[scope])]
    values = {"keys": keys.list_keys(state.engine, person), "scopes": offered, "scope_names": keys.SCOPE_NAMES}
    here, idle = session_of(request, state), timedelta(seconds=state.settings.session_idle)
    seen = {"sessions": sessions.list_sessions(state.engine, person.id, idle), "here": here.id if here else ""}
    told = {"done": done, "problem": problem, "new_key": key, "least": LEAST_CHARACTERS}
    provider = people.is_linked(state.engine, person.id)
    more = {"ways": sessions.WAY_NAMES, "provider": provider, "trail": own_trail(state.engine, person), "means": MEANS}
    return render(request, "account.html", person, status, **values, **seen, **told, **more)


@router.get("/compte")
def account(request: Request, state: StateDep, person: AnalystDep, fait: str = "") -> Response:
    """One's own account: password, sessions and keys."""
    told = {
        "mot-de-passe": "votre mot de passe est changé ; vos autres sessions sont fermées.",
        "cle": "la clé est révoquée.",
        "session": "la session est fermée.",
        "sessions": "vos autres sessions sont fermées.",
    }
    return _account(request, state, person, done=told.get(fait, ""))


@router.post("/compte/mot-de-passe")
def change_password(
    request: Request, state: StateDep, person: AnalystDep, old: Field = "", password: Field = "", again: Field = ""
) -> Response:
    """Change one's own password: every other session ends, this one goes on under a new token."""
    session = session_of(request, state)
    # What strangers try with this login does not slow down who is in already.
    here = replace(origin_of(request, state), device=f"session {session.id}" if session else "")
    try:
        _check_again(password, again)
        if signin.check_sign_in(state.engine, person.login, old, here, state.keyring) is None:
            return _account(request, state, person, 422, problem="Le mot de passe actuel n'est pas le bon.")
        people.change_password(state.engine, person.id, password, state.keyring, person)
    except (AccountError, WeakPasswordError, HeldError) as error:
        return _account(request, state, person, 422, problem=str(error))
    return enter(request, state, person, "/compte?fait=mot-de-passe")


@router.post("/compte/sessions/fermer")
def end_other_sessions(request: Request, state: StateDep, person: AnalystDep) -> Response:
    """End every session of one's own but the one that asks."""
    session = session_of(request, state)
    sessions.revoke_sessions(state.engine, person.id, person, but=session.id if session else None)
    return RedirectResponse("/compte?fait=sessions", 303)


@router.post("/compte/sessions/{session_id}/fermer")
def end_session(request: Request, state: StateDep, person: AnalystDep, session_id: str) -> Response:
    """End one of one's own sessions; the one that asks, too."""
    if not sessions.revoke_sessions(state.engine, person.id, person, only=session_id):
        raise PageError(404, "Session introuvable", "Cette session n'est pas à vous, ou elle a déjà pris fin.")
    return RedirectResponse("/compte?fait=session", 303)


@router.post("/compte/cles")
def create_key(request: Request, state: StateDep, person: AnalystDep, scopes: Fields | None = None, name: Field = "") -> Response:
    """Make a key and show it, once."""
    try:
        key = keys.create_key(state.engine, person, name, scopes or [], state.keyring)
    except AccountError as error:
        return _account(request, state, person, 422, problem=str(error))
    return _account(request, state, person, key=key)


@router.post("/compte/cles/{key_id}/revoquer")
def revoke_key(state: StateDep, person: AnalystDep, key_id: str) -> Response:
    """End one of one's own keys."""
    if not keys.revoke_key(state.engine, person, key_id):
        raise PageError(404, "Clé introuvable", "Cette clé n'est pas à vous, ou elle est déjà révoquée.")
    return RedirectResponse("/compte?fait=cle", 303)
