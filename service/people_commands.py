"""The verbs of `vigie people`: the accounts of the workplace, for who runs the service."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from model.errors import VigieError
from service import terminal
from service.commands import JsonOption, print_json, say
from service.settings import load_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from service.workplace.people import Person

people_app = typer.Typer(help="Les comptes du poste de travail : ouvrir, lister, changer, fermer.", no_args_is_help=True)

_MARKS = ("analyst", "reviewer", "administrator")
LoginArgument = Annotated[str, typer.Argument(metavar="LOGIN", help="Identifiant.")]
RoleOption = Annotated[str, typer.Option("--role", help=f"Rôle : {', '.join(_MARKS)} ; chacun comprend ceux d'avant.")]
FromInputOption = Annotated[
    bool, typer.Option("--password-stdin", help="Lire le mot de passe sur l'entrée standard (une ligne) ; demandé sinon.")
]


def _database() -> "Engine":
    from service.database import open_checked

    return open_checked(load_settings().database_url)


def _password(from_input: bool) -> str:
    """A password typed twice, or the first line of standard input; never an argument, which other users of the machine see."""
    if from_input:
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = typer.prompt("Mot de passe", hide_input=True, confirmation_prompt="Une seconde fois", err=True)
    return typed


def _known(engine: "Engine", login: str) -> "Person":
    from service.workplace.people import find_login

    person = find_login(engine, login)
    if person is None:
        raise VigieError(f"Aucun compte « {login} ».")
    return person


@people_app.command("add")
def people_add(
    login: LoginArgument,
    name: Annotated[str | None, typer.Option(help="Nom montré aux autres (l'identifiant sinon).")] = None,
    role: RoleOption = "analyst",
    from_input: FromInputOption = False,
) -> None:
    """Ouvre un compte."""
    from service.workplace.people import ROLE_NAMES, as_role, create_user

    if role not in _MARKS:
        raise typer.BadParameter(f"« {role} » : {', '.join(_MARKS)} attendu", param_hint="--role")
    engine = _database()
    made = create_user(engine, login, name or login, as_role(role), _password(from_input))
    say(f"Compte ouvert : {made.login} ({ROLE_NAMES[made.role]}).")


@people_app.command("list")
def people_list(as_json: JsonOption = False) -> None:
    """Liste les comptes."""
    from service.workplace.people import ROLE_NAMES, list_accounts

    accounts = list_accounts(_database())
    if as_json:
        fields = [(account.person, account.active, account.locked) for account in accounts]
        print_json(
            [
                {"login": one.login, "name": one.name, "role": one.role, "active": active, "locked": locked}
                for one, active, locked in fields
            ]
        )
        return
    rows = [
        (
            account.person.login,
            account.person.name,
            ROLE_NAMES[account.person.role],
            "fermé" if not account.active else "verrouillé" if account.locked else "ouvert",
        )
        for account in accounts
    ]
    terminal.console().print(terminal.table(f"{len(rows)} compte(s)", ("identifiant", "nom", "rôle", "état"), rows))


@people_app.command("password")
def people_password(login: LoginArgument, from_input: FromInputOption = False) -> None:
    """Donne un nouveau mot de passe ; les sessions ouvertes et le verrou tombent."""
    from service.workplace.people import change_password

    engine = _database()
    person = _known(engine, login)
    change_password(engine, person.id, _password(from_input))
    say(f"Mot de passe changé : {person.login}.")


@people_app.command("role")
def people_role(login: LoginArgument, role: Annotated[str, typer.Argument(help=f"{', '.join(_MARKS)}.")]) -> None:
    """Donne un autre rôle, dès maintenant."""
    from service.workplace.people import ROLE_NAMES, as_role, change_role

    if role not in _MARKS:
        raise typer.BadParameter(f"« {role} » : {', '.join(_MARKS)} attendu", param_hint="ROLE")
    engine = _database()
    person = _known(engine, login)
    change_role(engine, person.id, as_role(role))
    say(f"{person.login} : {ROLE_NAMES[as_role(role)]}.")


@people_app.command("disable")
def people_disable(login: LoginArgument) -> None:
    """Ferme un compte : ses sessions et ses clés n'ont plus d'effet ; ce que la personne a écrit reste."""
    from service.workplace.people import disable

    engine = _database()
    person = _known(engine, login)
    disable(engine, person.id)
    say(f"Compte fermé : {person.login}.")


@people_app.command("enable")
def people_enable(login: LoginArgument) -> None:
    """Rouvre un compte fermé, avec le mot de passe qu'il avait."""
    from service.workplace.people import enable

    engine = _database()
    person = _known(engine, login)
    enable(engine, person.id)
    say(f"Compte rouvert : {person.login}.")
