"""The verbs that need no corpus: score, explain, serve; each reads its arguments and makes one call."""

import json
import logging.config
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from pydantic import BaseModel

from model.errors import VigieError
from model.labels import OPERATING_POINTS
from model.records import OperatingPointName
from service import terminal
from service.inert import printable
from service.settings import load_settings

if TYPE_CHECKING:
    from model.analyser import Options
    from service.batch.records import Report

app = typer.Typer(
    name="vigie",
    help="Repère, passages à l'appui, des signes de dérive sectaire en santé. Une personne décide toujours.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

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
    terminal.console(error=True).print(printable(message), markup=False)


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
    screen: Annotated[
        bool,
        typer.Option("--screen/--no-screen", help="Laisser ce où un premier regard ne voit rien à examiner ; ou tout analyser."),
    ] = True,
    engine: Annotated[str, typer.Option(help="local, ou spark (Parquet, extra vigie[spark] et Java 17).")] = "local",
    shard_rows: Annotated[int | None, typer.Option(min=1, max=100_000, hidden=True)] = None,
) -> None:
    """Analyse un fichier de textes ; une ligne fautive devient une ligne d'erreur, les autres continuent."""
    chosen = replace(options(operating_point, prior), screen=screen)
    from service.batch import engine as local
    from service.batch.journal import parts_folder
    from service.batch.records import Source
    from service.cluster import engine as spark

    engines = {"local": local.run, "spark": spark.run}
    if engine not in engines:
        raise typer.BadParameter(f"« {engine} » : {' ou '.join(engines)} attendu", param_hint="--engine")
    mark = "\t" if delimiter == "\\t" else delimiter
    if mark is not None and (len(mark) != 1 or mark in '\r\n"'):
        raise typer.BadParameter(f"« {delimiter} » : un seul caractère est attendu", param_hint="--delimiter")
    job = local.Job(
        Source(source, text_column, id_column, mark, encoding),
        output,
        load_settings().model_dir,
        chosen,
        workers,
        overwrite,
        resume,
        timeout,
        shard_rows,
        load_settings().trust(),
    )
    # A stopped run ends its workers, whether by Ctrl-C or by the system.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with terminal.rows_bar() as bar:
            report = engines[engine](job, bar)
    except KeyboardInterrupt:
        kept = parts_folder(output)
        hint = f" Ce qui est analysé est gardé dans {kept} : relancez avec --resume." if kept.exists() else ""
        raise VigieError(f"interrompu ; rien n'est écrit sous {output}.{hint}") from None
    _say_report(report, output)


def _say_report(report: "Report", output: Path) -> None:
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
    analyser = Analyser.load(load_settings().model_dir, trust=load_settings().trust())
    prediction = analyser.predict(content, options=chosen)
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
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="Processus qui servent (VIGIE_WORKERS).")] = None,
) -> None:
    """Sert l'API et la page."""
    given = {"host": host, "port": port, "workers": workers}
    settings = load_settings().model_copy(update={name: value for name, value in given.items() if value is not None})
    from service.exposure import check_exposure
    from service.journaling import logging_settings
    from service.server import check_startup, run_server

    check_exposure(settings)
    version = check_startup(settings)
    count = f", {settings.workers} processus" if settings.workers > 1 else ""
    told = f"Vigie, modèle {version}{count}, démarre : http://{settings.host}:{settings.port}/"
    if settings.log_format == "json":
        logging.config.dictConfig(logging_settings(settings.log_format, settings.log_level))
        logging.getLogger("vigie").info(told)
    else:
        say(f"{told} (Ctrl-C pour arrêter)")
    run_server(settings)
