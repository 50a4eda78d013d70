"""The verbs of `vigie database`: the step that the tables are at, and the way up or down to another."""

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from model.errors import VigieError
from service.commands import JsonOption, print_json, say
from service.settings import load_settings

database_app = typer.Typer(help="La base de données : son étape ; monter ou redescendre à une autre.", no_args_is_help=True)


@database_app.command("current")
def database_current(as_json: JsonOption = False) -> None:
    """Dit à quelle étape est la base, laquelle cette version attend, et de quelle sorte elle est ; rien n'y est changé."""
    from service.stepping import standing

    found = standing(load_settings().database_url)
    if as_json:
        print_json(asdict(found))
        return
    say(f"{found.kind} {found.version}. {_named(found.step)} ; cette version de Vigie attend l'étape {found.head}.")
    if found.behind:
        say(f"{found.behind} étape(s) à monter : « vigie database upgrade », ou lancez le service, qui la monte.")
    else:
        say("La base est à jour.")


@database_app.command("upgrade")
def database_upgrade(
    to: Annotated[
        str | None, typer.Option("--to", metavar="ÉTAPE", help="Étape, en quatre chiffres ; la dernière sinon.")
    ] = None,
) -> None:
    """Monte la base à la dernière étape, ou à une autre : tout ou rien. Le service le fait lui-même en démarrant."""
    from service.stepping import climb

    here, there = climb(load_settings().database_url, to)
    say(f"{_named(there)} : la base y est déjà." if here == there else f"{_named(there)} : la base y est, montée de {here}.")


@database_app.command("downgrade")
def database_downgrade(
    to: Annotated[str, typer.Option("--to", metavar="ÉTAPE", help="Étape, en quatre chiffres ; « base » : plus aucune table.")],
    yes: Annotated[bool, typer.Option("--yes", help="Ne pas demander confirmation ; hors d'un terminal, il le faut.")] = False,
) -> None:
    """Redescend la base à une étape, pour une version antérieure de Vigie : dit d'abord ce qui sera perdu ; tout ou rien."""
    from service.stepping import descend, plan

    url = load_settings().database_url
    descent = plan(url, to)
    if descent.here == descent.goal:
        say(f"{_named(descent.goal)} : la base y est déjà.")
        return
    say(f"De {descent.here} à {descent.goal}, " + ("seront perdus :" if descent.lost else "rien ne se perd."))
    for one in descent.lost:
        say(f"{one.count:>8}  {one.what} (étape {one.step})")
    if descent.lost:
        say("Sauvegardez d'abord (« vigie backup create DOSSIER ») : une sauvegarde seule les rendra.")
    if not yes:
        if not sys.stdin.isatty():
            raise VigieError("rien n'est fait. Hors d'un terminal, « --yes » dit que c'est voulu.")
        typer.confirm(f"Redescendre à {descent.goal} ?", abort=True, err=True)
    descend(url, descent)
    say(f"{_named(descent.goal)} : la base y est, redescendue de {descent.here}.")
    say("Lancez la version de Vigie qui l'attend : celle-ci, en démarrant, la remonterait.")


def _named(step: str) -> str:
    return f"Étape {step}" if step.isdigit() else "Aucune table"
