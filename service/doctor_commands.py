"""The verb `vigie doctor`: what would keep the service from running well here, and what to do about it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from service.commands import FAILED, JsonOption, app, print_json
from service.inert import printable
from service.settings import SettingsError, load_settings, names_given

if TYPE_CHECKING:
    from service.doctor.findings import Finding

_INDENT: Final = " " * 11


@app.command()
def doctor(
    backups: Annotated[
        Path | None, typer.Option("--backups", metavar="DOSSIER", help="Dossier des sauvegardes (VIGIE_BACKUP_DIR sinon).")
    ] = None,
    env_file: Annotated[
        Path | None, typer.Option("--env-file", metavar="FICHIER", help="Fichier des réglages dont vérifier droits et noms.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Vérifie réglages, clés, base, modèle, dossiers, machine, et dit quoi faire ; ne change rien ; code 1 à une erreur."""
    from service.doctor.findings import STATES, gravest

    found = []
    for finding in _findings(backups, env_file):
        found.append(finding)
        if not as_json:
            sys.stdout.write(printable(_line(finding)) + "\n")
            sys.stdout.flush()
    worst = gravest(found)
    counts = {state: sum(finding.state == state for finding in found) for state in STATES}
    if as_json:
        print_json({"state": worst, "counts": counts, "findings": [finding.to_json() for finding in found]})
    else:
        sys.stdout.write(f"{counts['ok']} ok, {counts['attention']} attention, {counts['erreur']} erreur\n")
    if worst == "erreur":
        raise typer.Exit(FAILED)


def _findings(shelf: Path | None, env_file: Path | None) -> "Iterator[Finding]":
    from service.doctor.examine import examine, examine_names
    from service.doctor.findings import wrong
    from service.workplace.times import now

    yield from examine_names(names_given(), env_file)
    try:
        settings = load_settings()
    except SettingsError as error:
        yield wrong("réglages : valeurs", str(error), "Corrigez ce réglage (.env.example dit ce qui est attendu), puis relancez.")
        return
    yield from examine(settings, now(), shelf or settings.backup_dir)


def _line(finding: "Finding") -> str:
    told = f"{finding.state:<9}  {finding.check} : {finding.said}"
    return f"{told}\n{_INDENT}→ {finding.remedy}" if finding.remedy else told
