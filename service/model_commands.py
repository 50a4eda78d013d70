"""The verbs `model`: list and show the artefacts, choose the one that serves, go back to the one before."""

import sys
from typing import Annotated

import typer

from model.errors import VigieError
from service import terminal
from service.commands import JsonOption, print_json, say
from service.settings import load_settings

model_app = typer.Typer(help="Les modèles entraînés : lister, montrer, mettre en service, revenir.", no_args_is_help=True)


@model_app.command("list")
def model_list(as_json: JsonOption = False) -> None:
    """Liste les modèles entraînés ; « * » marque celui qui sert."""
    from model.store import current_name, list_artefacts

    root = load_settings().model_dir
    found = list_artefacts(root)
    serving = current_name(root) if (root / "current").exists() else None
    if as_json:
        print_json([{"version": m["version"], "current": m["version"] == serving, "error": m.get("error")} for m in found])
        return
    if not found:
        raise VigieError(f"Aucun modèle dans {root} : lancez « vigie train ».")
    rows = [
        [
            ("* " if manifest["version"] == serving else "  ") + manifest["version"],
            manifest.get("texts", {}).get("train"),
            manifest.get("error") or manifest.get("corpus_sha256", "")[:12],
        ]
        for manifest in found
    ]
    terminal.console().print(terminal.table(str(root), ("version", "textes appris", "corpus"), rows))


@model_app.command("show")
def model_show(
    name: Annotated[str | None, typer.Argument(help="Version (celle qui sert sinon).")] = None,
    as_json: JsonOption = False,
) -> None:
    """Montre la carte d'un modèle, ou son manifeste avec --json."""
    from model.store import current_name, read_manifest

    root = load_settings().model_dir
    folder = root / (name or current_name(root))
    manifest = read_manifest(folder)
    if as_json:
        print_json(manifest)
        return
    sys.stdout.write((folder / "card.md").read_text(encoding="utf-8"))


@model_app.command("promote")
def model_promote(name: Annotated[str, typer.Argument(help="Version à mettre en service.")]) -> None:
    """Met un modèle en service, une fois vérifié ; les services en marche le prennent d'eux-mêmes."""
    from model.promotion import promote

    before = promote(load_settings().model_dir, name)
    if before == name:
        say(f"Le modèle {name} sert déjà.")
    else:
        say(f"Le modèle {name} sert désormais ({f'{before} avant lui' if before else 'aucun avant lui'}).")


@model_app.command("rollback")
def model_rollback() -> None:
    """Revient au modèle qui servait avant."""
    from model.promotion import rollback

    left, back = rollback(load_settings().model_dir)
    say(f"Le modèle {back} sert de nouveau, en place de {left}.")
