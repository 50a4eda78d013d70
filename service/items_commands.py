"""The verbs `review import` and `review export`: texts in, and everything out, without a server."""

import sys
import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from model.errors import VigieError
from service.commands import FAILED, say
from service.inert import printable
from service.loop_commands import review_app
from service.settings import load_settings

_LOOK_SECONDS: Final = 0.5


@review_app.command("import")
def review_import(
    file: Annotated[Path, typer.Argument(help="CSV, TSV, XLSX, JSONL, JSON, Parquet ou texte (blocs séparés par ---).")],
    source: Annotated[str, typer.Option(help="Source des textes qui n'en disent pas.")] = "",
    channel: Annotated[str, typer.Option(help="Canal des textes qui n'en disent pas.")] = "",
    text_column: Annotated[str | None, typer.Option("--text-column", help="Colonne du texte (reconnue sinon).")] = None,
) -> None:
    """Importe les textes d'un fichier dans le poste de travail ; les erreurs, ligne par ligne, vont sur la sortie d'erreur."""
    from model.labels import CHANNEL_IDS
    from service.database import open_checked
    from service.workplace.columns import recognised
    from service.workplace.first_look import columns_of
    from service.workplace.imports import Wanted, begin, ending_of, errors_of, limits_of

    if channel and channel not in CHANNEL_IDS:
        raise typer.BadParameter(
            f"« {channel} » : un de ces canaux est attendu : {', '.join(CHANNEL_IDS)}", param_hint="--channel"
        )
    if not file.is_file():
        raise VigieError(f"{file} : fichier introuvable.")
    settings = load_settings()
    found = columns_of(file, limits_of(settings))
    columns = recognised(found) | ({"text": text_column} if text_column else {})
    if columns.get("text") not in found:
        raise VigieError(f"{file} : colonne du texte non reconnue parmi : {', '.join(found)}. Indiquez --text-column.")
    engine = open_checked(settings.database_url)
    try:
        wanted = Wanted(file.name, None, {"source": source, "channel": channel}, columns)
        with file.open("rb") as content:
            id = begin(engine, settings, wanted, ending_of(file.name), content)
        row = _until_over(engine, settings, id)
        for error in errors_of(engine, id):
            print(printable(f"ligne {error['row']} : {error['message']}"), file=sys.stderr)  # noqa: T201
    finally:
        engine.dispose()
    say(f"{row['read']} lues, {row['added']} ajoutés, {row['duplicates']} déjà connus, {row['errors']} erreurs (import {id}).")
    if row["state"] != "done":
        say(f"vigie : {row['message'] or 'import arrêté'}")
        raise typer.Exit(FAILED)


def _until_over(engine: Any, settings: Any, id: str) -> Any:
    """Read the import here, or wait for the server that took it up first."""
    from service.workplace.imports import OVER, find_import, run

    while True:
        run(engine, settings, id)
        with engine.connect() as connection:
            row = find_import(connection, id)
        if row is None or row["state"] in OVER:
            return row
        time.sleep(_LOOK_SECONDS)


@review_app.command("export")
def review_export(
    output: Annotated[Path, typer.Option("--output", "-o", help="Fichier à écrire : .csv, .jsonl ou .xlsx.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Remplacer le fichier s'il existe.")] = False,
    pseudonymise: Annotated[
        bool, typer.Option("--pseudonymise", help="Remplacer noms, comptes, adresses et numéros par des pseudonymes stables.")
    ] = False,
) -> None:
    """Écrit tous les textes avec leur provenance, la dernière prédiction et toutes les décisions."""
    from service.database import open_checked
    from service.workplace.exports import FORMATS, as_it_is, write
    from service.workplace.takeouts import close_takeout, filter_of, open_takeout, pseudonymising

    kind = output.suffix.lower()[1:]
    if kind not in FORMATS:
        raise VigieError(f"{output} : un de ces formats est attendu : {', '.join(f'.{name}' for name in FORMATS)}.")
    if output.exists() and not overwrite:
        raise VigieError(f"{output} existe ; --overwrite pour le remplacer.")
    settings = load_settings()
    engine = open_checked(settings.database_url)
    temporary = output.with_name(f"{output.name}.tmp")
    texts = [0]
    change = pseudonymising(engine, settings) if pseudonymise else as_it_is
    id = open_takeout(engine, None, kind, filter_of(""), "running", pseudonymised=pseudonymise)
    try:
        write(engine, kind, temporary, (), texts.append, change)
        temporary.replace(output)
        close_takeout(engine, id, "done", texts[-1])
    except BaseException:
        close_takeout(engine, id, "failed", texts[-1])
        raise
    finally:
        temporary.unlink(missing_ok=True)
        engine.dispose()
    say(f"Tout est dans {output} ({texts[-1]} textes).")
