"""The accounts of everyone, for administrators: open, change role, give a new password, close, open again."""

from typing import Annotated, Final

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from service.access import AdministratorDep
from service.pages import PageError, render
from service.state import State, StateDep
from service.workplace import people
from service.workplace.passwords import LEAST_CHARACTERS, WeakPasswordError, new_password
from service.workplace.people import ROLE_NAMES, AccountError, Person

router = APIRouter(prefix="/comptes", include_in_schema=False)

_DONE: Final = {
    "cree": "le compte est ouvert.",
    "role": "le rôle est changé ; il vaut dès maintenant.",
    "ferme": "le compte est fermé ; ses sessions et ses clés n'ont plus d'effet.",
    "rouvert": "le compte est rouvert, avec son mot de passe d'avant ; ses clés restent révoquées.",
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
        "accounts": people.list_accounts(state.engine),
        "roles": list(ROLE_NAMES.items()),
        "given": given or _EMPTY,
        "secret": secret,
        "done": done,
        "problem": problem,
        "least": LEAST_CHARACTERS,
    }
    return render(request, "accounts.html", person, status, **values)


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
        made = people.create_user(state.engine, login, name, people.as_role(role), chosen)
    except (AccountError, WeakPasswordError) as error:
        given = {"login": login, "name": name, "role": role}
        return _page(request, state, person, 422, problem=str(error), given=given)
    if password:
        return RedirectResponse("/comptes?fait=cree", 303)
    return _page(request, state, person, done=_DONE["cree"], secret=(made.name, chosen))


@router.post("/{person_id}/role")
def change_role(request: Request, state: StateDep, person: AdministratorDep, person_id: str, role: Field = "") -> Response:
    """Give someone another role."""
    try:
        people.change_role(state.engine, person_id, people.as_role(role))
    except AccountError as error:
        return _page(request, state, person, 422, problem=str(error))
    # Who gives up administration would be refused the list.
    left = person_id == person.id and role != "administrator"
    return RedirectResponse("/compte" if left else "/comptes?fait=role", 303)


@router.post("/{person_id}/mot-de-passe")
def reset_password(request: Request, state: StateDep, person: AdministratorDep, person_id: str) -> Response:
    """Give someone a new password, drawn at random and shown once; their sessions end, their lock too."""
    if person_id == person.id:
        raise PageError(422, "Votre propre mot de passe", "Changez votre propre mot de passe sur la page de votre compte.")
    found = people.find_person(state.engine, person_id)
    if found is None:
        raise PageError(404, "Compte introuvable", "Ce compte n'existe pas.")
    password = new_password()
    people.change_password(state.engine, person_id, password)
    return _page(request, state, person, done=f"{found.name} a un nouveau mot de passe.", secret=(found.name, password))


@router.post("/{person_id}/fermer")
def close_account(request: Request, state: StateDep, person: AdministratorDep, person_id: str) -> Response:
    """Close an account; its sessions and keys die at once."""
    try:
        people.disable(state.engine, person_id)
    except AccountError as error:
        return _page(request, state, person, 422, problem=str(error))
    return RedirectResponse("/comptes?fait=ferme", 303)


@router.post("/{person_id}/rouvrir")
def open_again(request: Request, state: StateDep, person: AdministratorDep, person_id: str) -> Response:
    """Open again an account that was closed."""
    try:
        people.enable(state.engine, person_id)
    except AccountError as error:
        return _page(request, state, person, 422, problem=str(error))
    return RedirectResponse("/comptes?fait=rouvert", 303)
