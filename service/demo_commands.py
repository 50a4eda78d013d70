"""The verbs of `vigie demo`: the demonstration texts, in and out."""

from typing import TYPE_CHECKING

import typer

from service.commands import say
from service.settings import load_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

demo_app = typer.Typer(help="Les textes de démonstration : 600 textes inventés ; charger, retirer.", no_args_is_help=True)


def _database() -> "Engine":
    from service.database import open_checked

    return open_checked(load_settings().database_url)


@demo_app.command("load")
def demo_load() -> None:
    """Charge les textes de démonstration dans le poste de travail, s'ils n'y sont pas."""
    from service.demo import load_demo
    from service.workplace.imports import find_import, run

    engine, settings = _database(), load_settings()
    try:
        id = load_demo(engine, settings, asked=True)
        if id is None:
            say("Les textes de démonstration sont déjà là.")
            return
        run(engine, settings, id)
        with engine.connect() as connection:
            row = find_import(connection, id)
        say(f"Textes de démonstration : {row['added'] if row else 0} ajoutés ; « vigie demo remove » les retire.")
    finally:
        engine.dispose()


@demo_app.command("remove")
def demo_remove() -> None:
    """Retire les textes de démonstration et tout ce qui en dépend ; rien d'autre n'est touché."""
    from service.demo import remove_demo

    engine = _database()
    try:
        removed = remove_demo(engine)
    finally:
        engine.dispose()
    if removed is None:
        say("Il n'y a pas de textes de démonstration.")
        return
    say(f"{removed.texts} textes de démonstration retirés, et {removed.decisions} décisions prises sur eux.")
    if removed.cased:
        say(f"{removed.cased} étaient dans {removed.cases} dossier(s) : leur empreinte reste dans l'historique du dossier.")
    if removed.kept:
        say(f"{removed.kept} autres sont gardés : un autre import les a aussi apportés.")
