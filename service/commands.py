"""The verbs that need no corpus: score, explain, serve, model; each reads its arguments and makes one call."""

import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from pydantic import BaseModel

from model.errors import VigieError
from model.labels import OPERATING_POINTS
from model.records import OperatingPointName
from service import terminal
from service.settings import load_settings

if TYPE_CHECKING:
    from model.analyser import Options

app = typer.Typer(
    name="vigie",
    help="Repère, passages à l'appui, des signes de dérive sectaire en santé. Une personne décide toujours.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
model_app = typer.Typer(help="Les modèles entraînés : lister, montrer.", no_args_is_help=True)
app.add_typer(model_app, name="model")

FAILED: Final = 1
_DEFAULT_WORKERS: Final = max(1, os.cpu_count() or 1)

PointOption = Annotated[
    str | None,
    typer.Option(
        "--operating-point", help=f"Point de fonctionnement : {', '.join(OPERATING_POINTS)} (VIGIE_OPERATING_POINT sinon)."
    ),
]
PriorOption = Annotated[
    float | None,
    typer.Option("--prior", help="Fréquence de base à supposer pour le score de risque, entre 0 et 1 (VIGIE_PRIOR sinon)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Écrire du JSON.")]


def options(point: str | None, prior: float | None) -> "Options":
    """The options of an analysis, checked as usage errors."""
    point = point or load_settings().operating_point
    if point not in OPERATING_POINTS:
        raise typer.BadParameter(f"« {point} » : {', '.join(OPERATING_POINTS)} attendu", param_hint="--operating-point")
    if prior is not None and not 0 < prior < 1:
        raise typer.BadParameter(f"{prior} : un nombre entre 0 et 1, bornes exclues, est attendu", param_hint="--prior")
    # Models and their libraries are imported by the verbs that need them: help and usage errors come at once.
    from model.analyser import Options

    chosen: OperatingPointName = point  # type: ignore[assignment]
    return Options(chosen, load_settings().prior if prior is None else prior, load_settings().max_characters)


def print_json(value: Any) -> None:
    """Write a value to standard output as JSON."""
    content = value.model_dump(mode="json") if isinstance(value, BaseModel) else value
    sys.stdout.write(json.dumps(content, ensure_ascii=False, indent=2) + "\n")


def say(message: str) -> None:
    """Write a line to standard error: what is not the result."""
    terminal.console(error=True).print(message, markup=False)


@app.command()
def score(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="Fichier .csv, .tsv, .jsonl, .parquet ou .xlsx.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Fichier à écrire ; sa fin donne le format.")],
    text_column: Annotated[str, typer.Option(help="Colonne ou champ du texte.")] = "text",
    id_column: Annotated[str, typer.Option(help="Colonne ou champ de l'identifiant.")] = "id",
    operating_point: PointOption = None,
    prior: PriorOption = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Processus de calcul.")] = _DEFAULT_WORKERS,
    delimiter: Annotated[str | None, typer.Option(help="Séparateur du CSV (détecté sinon) ; \\t pour tabulation.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Encodage du fichier (détecté sinon).")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Remplacer la sortie si elle existe.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Reprendre l'analyse interrompue de cette sortie.")] = False,
    timeout: Annotated[float, typer.Option(min=0.1, max=3600, help="Secondes par texte ; au-delà, ligne d'erreur.")] = 30.0,
    shard_rows: Annotated[int | None, typer.Option(min=1, max=100_000, hidden=True)] = None,
) -> None:
    """Analyse un fichier de textes ; une ligne fautive devient une ligne d'erreur, les autres continuent."""
    chosen = options(operating_point, prior)
    from service.batch.engine import Job, run
    from service.batch.journal import parts_folder
    from service.batch.records import Source

    mark = "\t" if delimiter == "\\t" else delimiter
    if mark is not None and (len(mark) != 1 or mark in '\r\n"'):
        raise typer.BadParameter(f"« {delimiter} » : un seul caractère est attendu", param_hint="--delimiter")
    job = Job(
        Source(source, text_column, id_column, mark, encoding),
        output,
        load_settings().model_dir,
        chosen,
        workers,
        overwrite,
        resume,
        timeout,
        shard_rows,
    )
    # A stopped run ends its workers, whether by Ctrl-C or by the system.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with terminal.rows_bar() as bar:
            report = run(job, bar)
    except KeyboardInterrupt:
        kept = parts_folder(output)
        hint = f" Ce qui est analysé est gardé dans {kept} : relancez avec --resume." if kept.exists() else ""
        raise VigieError(f"interrompu ; rien n'est écrit sous {output}.{hint}") from None
    levels = ", ".join(f"niveau {level} : {report.levels[level]}" for level in sorted(report.levels, reverse=True))
    say(f"{report.rows} ligne(s) en {report.seconds:.1f} s → {output}")
    say(f"analysées : {report.statuses['ok']} ({levels or 'aucun niveau'})")
    if report.statuses["unsupported_language"]:
        say(f"autre langue que le français : {report.statuses['unsupported_language']}")
    if report.statuses["error"]:
        say(f"en erreur : {report.statuses['error']}")
        for fault in report.faults:
            say(f"  {fault}")
        if report.statuses["error"] > len(report.faults):
            say("  … (colonne ou champ « error » de la sortie)")
    if report.duplicates:
        say(f"identifiants déjà vus : {report.duplicates} ({', '.join(report.first_duplicates)})")
    if report.lost:
        say(f"processus arrêtés par le système et remplacés : {report.lost}")


@app.command()
def explain(
    text: Annotated[str, typer.Argument(help="Le texte, ou « - » pour l'entrée standard.")],
    operating_point: PointOption = None,
    prior: PriorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Analyse un texte et montre ses passages, surlignés par indicateur."""
    from model.analyser import Analyser

    chosen = options(operating_point, prior)
    content = _read_standard_input() if text == "-" else text
    prediction = Analyser.load(load_settings().model_dir).predict(content, options=chosen)
    if as_json:
        print_json(prediction)
    else:
        shown = terminal.console()
        for part in terminal.explained(content, prediction):
            shown.print(part)
    if prediction.status == "error":
        raise typer.Exit(FAILED)


def _read_standard_input() -> str:
    received = sys.stdin.buffer.read()
    try:
        return received.decode("utf-8-sig").removesuffix("\n")
    except UnicodeDecodeError as error:
        raise VigieError(f"Entrée standard : octet {error.start} invalide ; de l'UTF-8 est attendu.") from error


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Adresse d'écoute (VIGIE_HOST).")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port d'écoute (VIGIE_PORT).")] = None,
) -> None:
    """Sert l'API et la page."""
    import uvicorn

    from model.store import load_artefact
    from service.app import create_app
    from service.database import open_checked

    settings = load_settings().model_copy(
        update={name: value for name, value in (("host", host), ("port", port)) if value is not None}
    )
    settings.check_host()
    # What cannot work is said now, in one line, rather than in the server's log.
    version = load_artefact(settings.model_dir).version
    open_checked(settings.database_url).dispose()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            reason = error.strerror or error
            raise VigieError(f"Impossible d'écouter sur {settings.host}:{settings.port} ({reason}) ; VIGIE_PORT ?") from error
    say(f"Vigie, modèle {version} : http://{settings.host}:{settings.port}/ (Ctrl-C pour arrêter)")
    uvicorn.run(create_app(settings), host=settings.host, port=settings.port, log_level="warning", access_log=False)


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
