"""The accounts of everyone, for administrators: open, change role, give a new password, close, open again, end sessions and keys.

What changes an account is asked first, on a page of its own (GET), then done (POST).
"""

from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from service.access import AdministratorDep
from service.pages import PageError, render
from service.state import State, StateDep
from service.workplace import keys, people, sessions, tries
from service.workplace.passwords import LEAST_CHARACTERS, WeakPasswordError, new_password
from service.workplace.people import ROLE_NAMES, Account, AccountError, Person

router = APIRouter(prefix="/comptes", include_in_schema=False)

_DONE: Final = {
    "cree": "le compte est ouvert.",
    "role": "le rôle est changé ; il vaut dès maintenant.",
    "ferme": "le compte est fermé ; ses sessions et ses clés n'ont plus d'effet.",
    "rouvert": "le compte est rouvert, avec son mot de passe d'avant ; ses clés restent révoquées.",
    "session": "la session est fermée.",
    "sessions": "toutes les sessions de ce compte sont fermées.",
    "cle": "la clé est révoquée.",
    "cles": "toutes les clés de ce compte sont révoquées.",
    "essais": "les échecs sont oubliés : on peut se connecter à ce compte dès maintenant.",
}
_EMPTY: Final = {"login": "", "name": "", "role": "analyst"}

Field = Annotated[str, Form()]


def _page(
    request: Request,
    state: State,
    person: Person,
    status: int = 200,
    *,
    done: str = "",
    problem: str = "",
    given: dict[str, str] | None = None,
    secret: tuple[str, str] | None = None,
) -> Response:
    values = {
        "accounts": people.list_accounts(state.engine, state.keyring),
        "roles": list(ROLE_NAMES.items()),
        "given": given or _EMPTY,
        "secret": secret,
        "done": done,
        "problem": problem,
        "least": LEAST_CHARACTERS,
    }
    return render(request, "accounts.html", person, status, **values)


def _found(state: State, person_id: str) -> Account:
    found = people.find_account(state.engine, person_id, state.keyring)
    if found is None:
        raise PageError(404, "Compte introuvable", "Ce compte n'existe pas.")
    return found


def _one(request: Request, state: State, person: Person, person_id: str, status: int = 200, **told: Any) -> Response:
    account = _found(state, person_id)
    idle = timedelta(seconds=state.settings.session_idle)
    values = {
        "account": account,
        "sessions": sessions.list_sessions(state.engine, person_id, idle),
        "ways": sessions.WAY_NAMES,
        "keys": keys.list_keys(state.engine, account.person),
        "scope_names": keys.SCOPE_NAMES,
        "roles": list(ROLE_NAMES.items()),
    }
    shown = {"done": "", "problem": "", "secret": ""} | told
    return render(request, "accounts_one.html", person, status, **values, **shown)


def _ask(request: Request, person: Person, account: Account, question: str, told: str, act: str, **more: str) -> Response:
    """A page that asks before something is done to an account: a question, what will follow, the words of the button."""
    words: dict[str, Any] = {"question": question, "told": told, "act": act}
    return render(request, "accounts_question.html", person, account=account, fields=more, **words)


def _back(person_id: str, done: str) -> Response:
    return RedirectResponse(f"/comptes/{person_id}?fait={done}", 303)


@router.get("")
def accounts(request: Request, state: StateDep, person: AdministratorDep, fait: str = "") -> Response:
    """Every account, and the form to open one."""
    return _page(request, state, person, done=_DONE.get(fait, ""))


@router.post("")
def open_account(
    request: Request,
    state: StateDep,
    person: AdministratorDep,
    login: Field = "",
    name: Field = "",
    role: Field = "analyst",
    password: Field = "",
) -> Response:
    """Open an account; without a password one is drawn, and shown once."""
    chosen = password or new_password()
    try:
        made = people.create_user(state.engine, login, name, people.as_role(role), chosen, person)
    except (AccountError, WeakPasswordError) as error:
        given = {"login": login, "name": name, "role": role}
        return _page(request, state, person, 422, problem=str(error), given=given)
    if password:
        return RedirectResponse("/comptes?fait=cree", 303)
    return _page(request, state, person, done=_DONE["cree"], secret=(made.name, chosen))


@router.get("/{person_id}")
def one_account(request: Request, state: StateDep, person: AdministratorDep, person_id: str, fait: str = "") -> Response:
    """An account: its state, its failures to sign in, its sessions, its keys, and what can be done of it."""
    return _one(request, state, person, person_id, done=_DONE.get(fait, ""))


@router.get("/{person_id}/role")
def ask_role(request: Request, state: StateDep, person: AdministratorDep, person_id: str, role: str = "") -> Response:
    """Ask before a role is changed."""
    account = _found(state, person_id)
    try:
        wanted = people.as_role(role)
    except AccountError as error:
        return _one(request, state, person, person_id, 422, problem=str(error))
    question = f"Donner le rôle « {ROLE_NAMES[wanted]} » à {account.person.name} ?"
    before = ROLE_NAMES[account.person.role]
    told = f"Son rôle est « {before} ». Le nouveau vaut dès la requête suivante, dans ses sessions ouvertes."
    return _ask(request, person, account, question, told, "Changer le rôle", role=wanted)


@router.post("/{person_id}/role")
def change_role(request: Request, state: StateDep, person: AdministratorDep, person_id: str, role: Field = "") -> Response:
    """Give someone another role."""
    try:
        people.change_role(state.engine, person_id, people.as_role(role), person)
    except AccountError as error:
        return _page(request, state, person, 422, problem=str(error))
    # Who gives up administration would be refused the list.
    left = person_id == person.id and role != "administrator"
    return RedirectResponse("/compte" if left else "/comptes?fait=role", 303)


@router.get("/{person_id}/mot-de-passe")
def ask_password(request: Request, state: StateDep, person: AdministratorDep, person_id: str) -> Response:
    """Ask before a new password is drawn."""
    account = _found(state, person_id)
    question = f"Donner un nouveau mot de passe à {account.person.name} ?"
    told = "L'ancien ne servira plus, et ses sessions seront fermées. Le nouveau est tiré au hasard, et montré une seule fois."
    return _ask(request, person, account, question, told, "Tirer un mot de passe")


@router.post("/{person_id}/mot-de-passe")
def reset_password(request: Request, state: StateDep, person: AdministratorDep, person_id: str) -> Response:
    """Give someone a new password, drawn at random and shown once; their sessions end, their failures are forgotten."""
    if person_id == person.id:
        raise PageError(422, "Votre propre mot de passe", "Changez votre propre mot de passe sur la page de votre compte.")
    found, password = _found(state, person_id).person, new_password()
    try:
        people.change_password(state.engine, person_id, password, state.keyring, person)
    except AccountError as error:
        return _one(request, state, person, person_id, 422, problem=str(error))
    return _page(request, state, person, done=f"{found.name} a un nouveau mot de passe.", secret=(found.name, password))


@router.get("/{person_id}/fermer")
def ask_close(request: Request, state: StateDep, person: AdministratorDep, person_id: str) -> Response:
    """Ask before an account is closed."""
    account = _found(state, person_id)
    question = f"Fermer le compte de {account.person.name} ?"
    told = (
        "Ses sessions et ses clés n'auront plus d'effet à l'instant même ; ce qui porte son nom reste. "
        "Le compte pourra être rouvert ; ses clés resteront révoquées."
    )
    return _ask(request, person, account, question, told, "Fermer le compte")


@router.post("/{person_id}/fermer")
def close_account(request: Request, state: StateDep, person: AdministratorDep, person_id: str) -> Response:
    """Close an account; its sessions and keys die at once."""
    try:
        people.disable(state.engine, person_id, person)
    except AccountError as error:
        return _page(request, state, person, 422, problem=str(error))
    return RedirectResponse("/comptes?fait=ferme", 303)


@router.post("/{person_id}/rouvrir")
def open_again(request: Request, state: StateDep, person: AdministratorDep, person_id: str) -> Response:
    """Open again an account that was closed."""
    try:
        people.enable(state.engine, person_id, person)
    except AccountError as error:
        return _page(request, state, person, 422, problem=str(error))
    return RedirectResponse("/comptes?fait=rouvert", 303)


@router.post("/{person_id}/sessions/fermer")
def end_sessions(state: StateDep, person: AdministratorDep, person_id: str) -> Response:
    """End every session of someone, at once."""
    sessions.revoke_sessions(state.engine, _found(state, person_id).person.id, person)
    return RedirectResponse("/compte", 303) if person_id == person.id else _back(person_id, "sessions")


@router.post("/{person_id}/sessions/{session_id}/fermer")
def end_session(state: StateDep, person: AdministratorDep, person_id: str, session_id: str) -> Response:
    """End one of someone's sessions, at once."""
    if not sessions.revoke_sessions(state.engine, person_id, person, only=session_id):
        raise PageError(404, "Session introuvable", "Cette session a déjà pris fin.")
    return _back(person_id, "session")


@router.post("/{person_id}/cles/revoquer")
def revoke_keys(state: StateDep, person: AdministratorDep, person_id: str) -> Response:
    """End every key of someone, at once."""
    keys.revoke_keys(state.engine, _found(state, person_id).person, person)
    return _back(person_id, "cles")


@router.post("/{person_id}/cles/{key_id}/revoquer")
def revoke_key(state: StateDep, person: AdministratorDep, person_id: str, key_id: str) -> Response:
    """End one of someone's keys, at once."""
    if not keys.revoke_keys(state.engine, _found(state, person_id).person, person, only=key_id):
        raise PageError(404, "Clé introuvable", "Cette clé est déjà révoquée.")
    return _back(person_id, "cle")


@router.post("/{person_id}/essais/oublier")
def forget_failures(state: StateDep, person: AdministratorDep, person_id: str) -> Response:
    """Let people try again at once to sign in with this login."""
    found = _found(state, person_id).person
    tries.lift(state.engine, (found.id, found.login), person.id, state.keyring)
    return _back(person_id, "essais")
