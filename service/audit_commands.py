"""The verbs of `vigie audit`: check the log, note its head, write it out."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from model.errors import VigieError
from service.commands import FAILED, JsonOption, print_json, say
from service.settings import load_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from service.workplace.audit_chain import Head
    from service.workplace.audit_verify import Expected, Report

audit_app = typer.Typer(help="Le journal d'audit : vérifier, relever la tête, exporter.", no_args_is_help=True)

OutputOption = Annotated[Path | None, typer.Option("--output", "-o", help="Fichier à écrire (sortie standard sinon).")]


def _database() -> "Engine":
    from service.database import open_checked

    return open_checked(load_settings().database_url)


@contextmanager
def recording() -> Iterator[Callable[[str, str, Mapping[str, Any]], None]]:
    """Gives what records an action, its object and its details in the log; nothing is recorded where there is no database yet.

    The database is opened first: what cannot be recorded is not begun.
    """
    from service.database import exists
    from service.workplace.audit import record_alone

    if not exists(load_settings().database_url):
        yield lambda *_: None
        return
    engine = _database()
    try:
        yield lambda action, about, details: record_alone(engine, None, action, about, details)
    finally:
        engine.dispose()


def _head(given: str, option: str) -> "Head":
    from service.workplace.audit_chain import read_head

    try:
        return read_head(given)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


@audit_app.command("head")
def audit_head(as_json: JsonOption = False) -> None:
    """Écrit la tête du journal, NUMÉRO:EMPREINTE : à garder ailleurs, puis à donner à « vigie audit verify --head »."""
    from service.workplace.audit import head_of

    engine = _database()
    try:
        with engine.connect() as connection:
            head = head_of(connection)
    finally:
        engine.dispose()
    if as_json:
        print_json({"number": head.number, "hash": head.hash})
    else:
        sys.stdout.write(f"{head}\n")


@audit_app.command("verify")
def audit_verify(
    heads: Annotated[
        list[str] | None, typer.Option("--head", metavar="N:EMPREINTE", help="Tête relevée plus tôt ; plusieurs fois si besoin.")
    ] = None,
    anchors: Annotated[
        Path | None, typer.Option("--anchors", help="Fichier des têtes relevées (celui de VIGIE_AUDIT_ANCHOR sinon).")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="N:EMPREINTE", help="Ne vérifier qu'à partir de là : déjà vérifié jusqu'ici.")
    ] = None,
    most: Annotated[int | None, typer.Option("--most", min=1, help="S'arrêter après tant d'enregistrements.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="Vérifier un journal exporté entier (JSONL), sans base.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Vérifie le journal : code de sortie 1 si un enregistrement a été changé, retiré, ajouté ou déplacé."""
    from service.workplace.audit import sealing_keys
    from service.workplace.audit_verify import Expected, keys_by_name, read_anchors

    settings = load_settings()
    noted = [_head(one, "--head") for one in heads or ()]
    kept = anchors or settings.audit_anchor
    if anchors is not None or (kept is not None and kept.exists()):
        assert kept is not None
        noted += read_anchors(kept)
    start = _head(since, "--since") if since else None
    expected = Expected(noted, keys_by_name(sealing_keys(settings)), start if start and start.number else None)
    report = _verified(expected, file, most)
    if as_json:
        print_json(_as_json(report))
    else:
        _say(report)
    if not report.whole:
        raise typer.Exit(FAILED)


def _verified(expected: "Expected", file: Path | None, most: int | None) -> "Report":
    from service.workplace.audit_verify import rows_of_file, verify, verify_database
    from service.workplace.times import now

    if file is not None:
        rows = rows_of_file(file)
        begin = expected.since.number if expected.since else None
        return verify((row for row in rows if begin is None or row["number"] >= begin), expected, now())
    engine = _database()
    try:
        return verify_database(engine, expected, now(), most)
    finally:
        engine.dispose()


def _as_json(report: "Report") -> dict[str, Any]:
    faults = [{"kind": one.kind, "number": one.number, "message": one.message} for one in report.faults]
    counts = {"checked": report.checked, "sealed": report.sealed, "unsealed": report.unsealed, "count": report.count}
    head = {"number": report.head.number, "hash": report.head.hash}
    return {
        "whole": report.whole,
        "complete": report.complete,
        "head": head,
        **counts,
        "faults": faults,
        "warnings": report.warnings,
    }


def _say(report: "Report") -> None:
    for fault in report.faults:
        say(fault.message)
    if report.count > len(report.faults):
        say(f"… et {report.count - len(report.faults)} autre(s) défaut(s).")
    for warning in report.warnings:
        say(f"Attention. {warning}")
    if report.warned > len(report.warnings):
        say(f"… et {report.warned - len(report.warnings)} autre(s) avertissement(s).")
    sealed = f", {report.sealed} scellés" if report.sealed else ""
    if report.sealed and report.unsealed:
        sealed += f", {report.unsealed} sans sceau"
    said = "Journal entier" if report.whole else f"Journal ALTÉRÉ ({report.count} défaut(s))"
    head = "Tête" if report.complete else "Reste à vérifier, avec --since"
    say(f"{said} : {report.checked} enregistrements vérifiés{sealed}. {head} : {report.head}")


@audit_app.command("export")
def audit_export(
    kind: Annotated[str, typer.Option("--format", help="jsonl ou csv.")] = "jsonl",
    output: OutputOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Remplacer le fichier s'il existe.")] = False,
) -> None:
    """Écrit tout le journal ; en JSONL, il se vérifie sans Vigie, ou par « vigie audit verify --file »."""
    from service.workplace.audit import record_alone
    from service.workplace.audit_list import FORMATS, exported

    if kind not in FORMATS:
        raise typer.BadParameter(f"« {kind} » : {' ou '.join(FORMATS)} attendu", param_hint="--format")
    if output is not None and output.exists() and not overwrite:
        raise VigieError(f"{output} existe ; --overwrite pour le remplacer.")
    engine = _database()
    try:
        record_alone(engine, None, "journal.export", "journal:audit", {"format": kind})
        pieces = exported(engine, kind)
        if output is None:
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return
        temporary = output.with_name(f".{output.name}.tmp")
        try:
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as target:  # noqa: PTH123
                target.writelines(pieces)
            temporary.replace(output)
        except OSError as error:
            raise VigieError(f"{output} : le fichier ne peut pas être écrit ({error}).") from error
        finally:
            temporary.unlink(missing_ok=True)
    finally:
        engine.dispose()
    say(f"Journal d'audit → {output}")
