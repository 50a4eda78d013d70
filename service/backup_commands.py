"""The verbs of `vigie backup`: make, list, verify and restore backups; check the database itself."""

from pathlib import Path
from typing import Annotated, Any

import typer

from service.commands import FAILED, JsonOption, print_json, say
from service.settings import load_settings

backup_app = typer.Typer(
    help="Les sauvegardes : faire, lister, vérifier, restaurer ; vérifier la base elle-même.", no_args_is_help=True
)

ShelfArgument = Annotated[Path, typer.Argument(metavar="DOSSIER", help="Dossier des sauvegardes.")]
BackupArgument = Annotated[Path, typer.Argument(metavar="SAUVEGARDE", help="Une sauvegarde : vigie-AAAAMMJJTHHMMSSZ.")]


@backup_app.command("create")
def backup_create(
    shelf: ShelfArgument,
    keep: Annotated[int | None, typer.Option(min=1, help="Ne garder ensuite que les N plus récentes.")] = None,
    model: Annotated[bool, typer.Option(help="Y mettre aussi le modèle qui sert.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Sauvegarde tout pendant que l'on travaille, et relit ce qui est écrit ; le service n'est pas arrêté."""
    from service.backup.create import create
    from service.backup.shelf import thin_out

    folder, manifest = create(load_settings(), shelf, with_model=model)
    gone = thin_out(shelf, keep) if keep else []
    size = sum(size for size, _ in manifest.files.values())
    if as_json:
        print_json({"backup": str(folder), "bytes": size, "removed": [str(path) for path in gone], **_of(manifest)})
        return
    rows = sum(manifest.counts.values())
    say(f"{folder} : {rows} lignes, {size / 1e6:.1f} Mo, relue. Tout ce qui était confirmé à {manifest.began_at} y est.")
    for warning in manifest.warnings:
        say(f"Attention. {warning}")
    for path in gone:
        say(f"{path} : retirée.")


@backup_app.command("list")
def backup_list(shelf: ShelfArgument, as_json: JsonOption = False) -> None:
    """Liste les sauvegardes d'un dossier, la plus ancienne d'abord."""
    from service.backup.shelf import listed

    found = list(listed(shelf))
    if as_json:
        print_json([{"backup": str(path), **(_of(manifest) if manifest else {"readable": False})} for path, manifest in found])
        return
    for path, manifest in found:
        if manifest is None:
            say(f"{path.name} : manifeste illisible")
            continue
        size = sum(size for size, _ in manifest.files.values())
        say(f"{path.name} : {manifest.kind}, étape {manifest.step}, {size / 1e6:.1f} Mo, modèle {manifest.model or 'absent'}")
    if not found:
        say(f"Aucune sauvegarde dans {shelf}.")


@backup_app.command("verify")
def backup_verify(folder: BackupArgument, as_json: JsonOption = False) -> None:
    """Relit une sauvegarde entière : fichiers, base, comptes, journal d'audit ; code 1 si quelque chose diffère."""
    from service.backup.verify import verify

    manifest, wrong = verify(folder, load_settings())
    if as_json:
        print_json({"backup": str(folder), "whole": not wrong, "faults": wrong, **_of(manifest)})
    elif wrong:
        for one in wrong:
            say(one)
        say(f"{folder} : sauvegarde ABÎMÉE ({len(wrong)} défaut(s)). Prenez-en une autre.")
    else:
        say(f"{folder} : sauvegarde entière, {sum(manifest.counts.values())} lignes, faite à {manifest.began_at}.")
    if wrong:
        raise typer.Exit(FAILED)


@backup_app.command("restore")
def backup_restore(
    folder: BackupArgument,
    replace: Annotated[bool, typer.Option("--replace", help="Remplacer ce que la base contient.")] = False,
) -> None:
    """Met une sauvegarde à la place de la base (VIGIE_DATABASE_URL), SQLite ou PostgreSQL ; le service doit être arrêté."""
    from service.backup.restore import restore

    done = restore(load_settings(), folder, replace=replace)
    say(f"{folder} : restaurée, {sum(done.manifest.counts.values())} lignes. Chacun se connecte de nouveau.")
    if done.purged:
        say(f"{done.purged} ligne(s) effacées depuis la sauvegarde sont effacées de nouveau.")
    if done.spooled:
        say(f"{done.spooled} fichier(s) d'imports en attente sont remis.")
    if done.model:
        say(f"Le modèle {done.manifest.model} est remis, et sert.")
    if done.aside is not None:
        say(f"La base d'avant est gardée : {done.aside}")
    say("Ce qui a été fait depuis la sauvegarde est perdu, révocations de clés et fermetures de comptes comprises : revoyez-les.")


@backup_app.command("check")
def backup_check(
    reindex: Annotated[bool, typer.Option("--reindex", help="Refaire tous les index à partir des tables.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Les pages et les lignes seulement : dix fois plus vite.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Vérifie la base elle-même : pages, index, renvois, textes ; dit ce qui est abîmé et quoi faire ; code 1 dans ce cas."""
    from service.backup.damage import check_database, remedy
    from service.backup.mend import mend
    from service.database import connect_database

    engine = connect_database(load_settings().database_url)
    try:
        if reindex and engine.dialect.name == "sqlite" and engine.url.database:
            say(f"Tous les index sont refaits ; le fichier d'avant est gardé : {mend(Path(engine.url.database))}")
        found = check_database(engine, "quick" if quick else "full")
    finally:
        engine.dispose()
    if as_json:
        print_json({"sound": not found, "damage": [{"kind": one.kind, "name": one.name, "count": one.count} for one in found]})
    elif not found:
        say("La base est saine.")
    else:
        for one in found:
            say(str(one))
        say(remedy(found))
    if found:
        raise typer.Exit(FAILED)


def _of(manifest: Any) -> dict[str, Any]:
    names = ("began_at", "ended_at", "kind", "step", "head", "model")
    return {name: getattr(manifest, name) for name in names} | {"counts": dict(manifest.counts)}
