"""Signing in and out, the first account, one's own account; the accounts of others are in `service.routes.people`."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from service.access import COOKIE, SIGN_IN, AnalystDep, PersonDep, after_sign_in, same_origin, session_of
from service.pages import HOME, PageError, render
from service.state import State, StateDep
from service.workplace import keys, opening, people, sessions
from service.workplace.passwords import LEAST_CHARACTERS, WeakPasswordError
from service.workplace.people import AccountError, Person

router = APIRouter(include_in_schema=False)

_REFUSED: Final = (
    "Identifiant ou mot de passe incorrect, ou compte fermé ou verrouillé. "
    "Après cinq échecs, un compte est verrouillé quinze minutes."
)
_LOST: Final = (
    "Votre session a pris fin avant que le formulaire n'arrive : rien n'a été enregistré. Connectez-vous, puis recommencez."
)
_ELSEWHERE: Final = PageError(403, "Formulaire refusé", "Ce formulaire ne vient pas de Vigie : ouvrez la page et recommencez.")

Field = Annotated[str, Form()]
Fields = Annotated[list[str], Form()]


def _enter(request: Request, state: State, person: Person, to: str) -> Response:
    """Open a session under a new token, close the one that the browser had, and go on."""
    old = session_of(request, state)
    if old is not None:
        sessions.close_session(state.engine, old)
    opened = sessions.open_session(state.engine, person, timedelta(seconds=state.settings.session_longest))
    answer = RedirectResponse(to, 303)
    answer.set_cookie(
        COOKIE,
        opened.token,
        max_age=int(opened.longest.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer


@router.get(SIGN_IN)
def ask_sign_in(request: Request, person: PersonDep, suite: str = "", perdue: str = "") -> Response:
    """The form to sign in; who is signed in goes on."""
    if person is not None:
        return RedirectResponse(after_sign_in(suite, HOME), 303)
    return render(request, "signin.html", None, suite=suite, login="", problem=_LOST if perdue else "")


@router.post(SIGN_IN)
def sign_in(request: Request, state: StateDep, login: Field = "", password: Field = "", suite: Field = "") -> Response:
    """Sign in, and go where one was going."""
    if not same_origin(request):
        raise _ELSEWHERE
    person = people.check_sign_in(state.engine, login, password)
    if person is None:
        return render(request, "signin.html", None, 403, suite=suite, login=login, problem=_REFUSED)
    return _enter(request, state, person, after_sign_in(suite, HOME))


@router.post("/deconnexion")
def sign_out(request: Request, state: StateDep, person: AnalystDep) -> Response:
    """End the session."""
    session = session_of(request, state)
    if session is not None:
        sessions.close_session(state.engine, session)
    answer = RedirectResponse(SIGN_IN, 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=request.url.scheme == "https")
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


@router.get(opening.FIRST_ACCOUNT)
def ask_first(request: Request, state: StateDep, jeton: str = "") -> Response:
    """The form that makes the first account, to whoever holds the token told at start."""
    _check_first(state, jeton)
    return _first_form(request, jeton)


@router.post(opening.FIRST_ACCOUNT)
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
    return _enter(request, state, person, HOME)


def _check_again(password: str, again: str) -> None:
    if password != again:
        raise WeakPasswordError("Les deux saisies du nouveau mot de passe diffèrent.")


def _account(
    request: Request, state: State, person: Person, status: int = 200, *, done: str = "", problem: str = "", key: str = ""
) -> Response:
    offered = [(scope, name) for scope, name in keys.SCOPE_NAMES.items() if person.may(keys.ROLE_OF[scope])]
    values = {"keys": keys.list_keys(state.engine, person), "scopes": offered, "scope_names": keys.SCOPE_NAMES}
    told = {"done": done, "problem": problem, "new_key": key, "least": LEAST_CHARACTERS}
    return render(request, "account.html", person, status, **values, **told)


@router.get("/compte")
def account(request: Request, state: StateDep, person: AnalystDep, fait: str = "") -> Response:
    """One's own account: password and keys."""
    told = {"mot-de-passe": "votre mot de passe est changé ; vos autres sessions sont fermées.", "cle": "la clé est révoquée."}
    return _account(request, state, person, done=told.get(fait, ""))


@router.post("/compte/mot-de-passe")
def change_password(
    request: Request, state: StateDep, person: AnalystDep, old: Field = "", password: Field = "", again: Field = ""
) -> Response:
    """Change one's own password: every other session ends, this one goes on under a new token."""
    if people.check_sign_in(state.engine, person.login, old) is None:
        wrong = "Le mot de passe actuel n'est pas le bon, ou le compte est verrouillé pour quinze minutes."
        return _account(request, state, person, 422, problem=wrong)
    try:
        _check_again(password, again)
        people.change_password(state.engine, person.id, password)
    except (AccountError, WeakPasswordError) as error:
        return _account(request, state, person, 422, problem=str(error))
    return _enter(request, state, person, "/compte?fait=mot-de-passe")


@router.post("/compte/cles")
def create_key(request: Request, state: StateDep, person: AnalystDep, scopes: Fields | None = None, name: Field = "") -> Response:
    """Make a key and show it, once."""
    try:
        key = keys.create_key(state.engine, person, name, scopes or [])
    except AccountError as error:
        return _account(request, state, person, 422, problem=str(error))
    return _account(request, state, person, key=key)


@router.post("/compte/cles/{key_id}/revoquer")
def revoke_key(state: StateDep, person: AnalystDep, key_id: str) -> Response:
    """End one of one's own keys."""
    if not keys.revoke_key(state.engine, person, key_id):
        raise PageError(404, "Clé introuvable", "Cette clé n'est pas à vous, ou elle est déjà révoquée.")
    return RedirectResponse("/compte?fait=cle", 303)
