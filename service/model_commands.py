"""The verbs `model`: list, show, sign and verify the artefacts, choose the one that serves, go back to the one before."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from model.errors import VigieError
from service import terminal
from service.audit_commands import recording
from service.commands import FAILED, JsonOption, print_json, say
from service.settings import load_settings

model_app = typer.Typer(
    help="Les modèles entraînés : lister, montrer, signer, vérifier, mettre en service, revenir.", no_args_is_help=True
)


@model_app.command("list")
def model_list(as_json: JsonOption = False) -> None:
    """Liste les modèles entraînés ; « * » marque celui qui sert."""
    from model.store import current_name, list_artefacts

    root = load_settings().model_dir
    found = list_artefacts(root, load_settings().trust())
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
    from model.store import CARD, folder_of, read_manifest, read_paper

    folder, trust = folder_of(load_settings().model_dir, name), load_settings().trust()
    manifest = read_manifest(folder, trust)
    if as_json:
        print_json(manifest)
        return
    sys.stdout.write(read_paper(folder, CARD, trust).decode("utf-8"))


NameArgument = Annotated[str | None, typer.Argument(help="Version (celle qui sert sinon).")]
AllOption = Annotated[bool, typer.Option("--all", help="Tous les modèles du dossier.")]


def _folders(name: str | None, every: bool) -> list[Path]:
    """The folders of one artefact or of all."""
    from model.store import MANIFEST, folder_of

    root = load_settings().model_dir
    if every and name is not None:
        raise typer.BadParameter("une version ou --all, pas les deux", param_hint="--all")
    if not every:
        return [folder_of(root, name)]
    found = [path.parent for path in sorted(root.glob(f"*/{MANIFEST}")) if not path.parent.name.startswith(".")]
    if not found:
        raise VigieError(f"Aucun modèle dans {root} : lancez « vigie train ».")
    return found


@model_app.command("sign")
def model_sign(name: NameArgument = None, every: AllOption = False) -> None:
    """Signe un modèle dont vous répondez : il sera chargé partout où votre clé est de confiance."""
    from model.store import sign_artefact

    key = load_settings().keys.signer()
    for folder in _folders(name, every):
        sign_artefact(folder, key)
        say(f"Modèle {folder.name} signé par la clé {key.public.id}.")


@model_app.command("verify")
def model_verify(name: NameArgument = None, every: AllOption = False) -> None:
    """Vérifie un modèle sans rien en charger : signature, format, bibliothèques, empreinte de chaque fichier."""
    from model.errors import ArtefactError
    from model.store import verify_artefact

    trust, refused = load_settings().trust(), 0
    for folder in _folders(name, every):
        try:
            vouched = verify_artefact(folder, trust)
            say(f"{folder.name} : intact, signé par la clé {vouched.key}.")
        except ArtefactError as error:
            refused += 1
            say(f"REFUSÉ. {error}")
    if refused:
        raise typer.Exit(FAILED)


@model_app.command("promote")
def model_promote(name: Annotated[str, typer.Argument(help="Version à mettre en service.")]) -> None:
    """Met un modèle en service, une fois vérifié ; les services en marche le prennent d'eux-mêmes."""
    from model.promotion import promote

    with recording() as note:
        before = promote(load_settings().model_dir, name, load_settings().trust())
        if before != name:
            note("model.promotion", f"model:{name}", {"previous": before})
    if before == name:
        say(f"Le modèle {name} sert déjà.")
    else:
        say(f"Le modèle {name} sert désormais ({f'{before} avant lui' if before else 'aucun avant lui'}).")


@model_app.command("rollback")
def model_rollback() -> None:
    """Revient au modèle qui servait avant."""
    from model.promotion import rollback

    with recording() as note:
        left, back = rollback(load_settings().model_dir, load_settings().trust())
        note("model.rollback", f"model:{back}", {"previous": left})
    say(f"Le modèle {back} sert de nouveau, en place de {left}.")
