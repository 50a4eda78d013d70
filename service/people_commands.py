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

    from service.secret import Keyring
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


def _keyring() -> "Keyring":
    from service.secret import keyring_of

    return keyring_of(load_settings())


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

    accounts = list_accounts(_database(), _keyring())
    if as_json:
        print_json(
            [
                {
                    "login": account.person.login,
                    "name": account.person.name,
                    "role": account.person.role,
                    "active": account.active,
                    "held": account.held,
                    "provider": account.provider,
                }
                for account in accounts
            ]
        )
        return
    rows = [
        (
            account.person.login,
            account.person.name,
            ROLE_NAMES[account.person.role],
            "fermé" if not account.active else "essais en attente" if account.held else "ouvert",
        )
        for account in accounts
    ]
    terminal.console().print(terminal.table(f"{len(rows)} compte(s)", ("identifiant", "nom", "rôle", "état"), rows))


@people_app.command("password")
def people_password(login: LoginArgument, from_input: FromInputOption = False) -> None:
    """Donne un nouveau mot de passe ; les sessions ouvertes prennent fin, les échecs sont oubliés."""
    from service.workplace.people import change_password

    engine = _database()
    person = _known(engine, login)
    change_password(engine, person.id, _password(from_input), _keyring())
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


@people_app.command("sessions")
def people_sessions(login: LoginArgument, as_json: JsonOption = False) -> None:
    """Liste les sessions ouvertes d'un compte : appareil, adresse, depuis quand, vue pour la dernière fois."""
    from datetime import timedelta

    from service.pages import instant
    from service.workplace.sessions import WAY_NAMES, list_sessions

    engine = _database()
    seen = list_sessions(engine, _known(engine, login).id, timedelta(seconds=load_settings().session_idle))
    if as_json:
        names = ("id", "device", "address", "way")
        moments = ("created_at", "seen_at")
        print_json([{n: getattr(one, n) for n in names} | {n: getattr(one, n).isoformat() for n in moments} for one in seen])
        return
    header = ("session", "appareil", "adresse", "par", "depuis", "vue")
    rows = [
        (one.id, one.device, one.address, WAY_NAMES.get(one.way, one.way), instant(one.created_at), instant(one.seen_at))
        for one in seen
    ]
    terminal.console().print(terminal.table(f"{len(rows)} session(s)", header, rows))


@people_app.command("sign-out")
def people_sign_out(
    login: LoginArgument,
    session: Annotated[str | None, typer.Option(help="Celle-ci seulement (« vigie people sessions » les nomme).")] = None,
) -> None:
    """Ferme les sessions d'un compte, ou une seule, à l'instant même."""
    from service.workplace.sessions import revoke_sessions

    engine = _database()
    person = _known(engine, login)
    ended = revoke_sessions(engine, person.id, None, only=session)
    if session is not None and not ended:
        raise VigieError(f"« {person.login} » n'a pas de session « {session} ».")
    say(f"{person.login} : {ended} session(s) fermée(s).")


@people_app.command("keys")
def people_keys(login: LoginArgument, as_json: JsonOption = False) -> None:
    """Liste les clés d'accès d'un compte : leur début seulement."""
    from service.pages import instant
    from service.workplace.keys import list_keys

    engine = _database()
    keys = list_keys(engine, _known(engine, login))
    if as_json:
        names = ("id", "name", "start", "scopes")
        moments = ("created_at", "used_at", "revoked_at")
        print_json(
            [
                {n: getattr(key, n) for n in names} | {n: at.isoformat() if (at := getattr(key, n)) else None for n in moments}
                for key in keys
            ]
        )
        return
    header = ("clé", "nom", "début", "droits", "créée", "dernier usage", "révoquée")
    rows = [
        (key.id, key.name, key.start, ", ".join(key.scopes), *map(instant, (key.created_at, key.used_at, key.revoked_at)))
        for key in keys
    ]
    terminal.console().print(terminal.table(f"{len(rows)} clé(s)", header, rows))


@people_app.command("revoke")
def people_revoke(
    login: LoginArgument,
    key: Annotated[str | None, typer.Option(help="Celle-ci seulement (« vigie people keys » les nomme).")] = None,
) -> None:
    """Révoque les clés d'un compte, ou une seule, à l'instant même."""
    from service.workplace.keys import revoke_keys

    engine = _database()
    person = _known(engine, login)
    ended = revoke_keys(engine, person, None, only=key)
    if key is not None and not ended:
        raise VigieError(f"« {person.login} » n'a pas de clé « {key} » qui serve.")
    say(f"{person.login} : {ended} clé(s) révoquée(s).")


@people_app.command("unlock")
def people_unlock(login: LoginArgument) -> None:
    """Oublie les échecs de connexion d'un compte : on peut essayer de nouveau tout de suite."""
    from service.workplace.tries import lift

    engine = _database()
    person = _known(engine, login)
    waited = lift(engine, (person.id, person.login), None, _keyring())
    say(f"{person.login} : échecs oubliés." if waited else f"{person.login} : aucun échec.")


@people_app.command("link")
def people_link(
    login: LoginArgument, subject: Annotated[str, typer.Argument(help="Qui c'est chez le fournisseur d'identité (« sub »).")]
) -> None:
    """Relie un compte au fournisseur d'identité (VIGIE_OIDC_ISSUER) ; il n'a plus de mot de passe, ses sessions prennent fin."""
    from service.workplace.identities import link

    issuer = load_settings().oidc_issuer
    if issuer is None:
        raise VigieError("VIGIE_OIDC_ISSUER manque : l'adresse du fournisseur d'identité.")
    made = link(_database(), login, issuer.rstrip("/"), subject)
    say(f"Compte relié : {made.login}.")


@people_app.command("unlink")
def people_unlink(login: LoginArgument, from_input: FromInputOption = False) -> None:
    """Délie un compte du fournisseur d'identité et lui donne un mot de passe ; ses sessions prennent fin."""
    from service.workplace.identities import unlink

    made = unlink(_database(), login, _password(from_input))
    say(f"Compte délié : {made.login}, par mot de passe désormais.")
