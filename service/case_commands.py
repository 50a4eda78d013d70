"""The verbs of `vigie case`: list, show and export cases, and check an archive, for scripts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from model.errors import VigieError
from service import terminal
from service.commands import FAILED, JsonOption, print_json, say
from service.settings import load_settings

if TYPE_CHECKING:
    from service.workplace.people import Person

case_app = typer.Typer(help="Les dossiers : lister, montrer, exporter, vérifier une archive.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="DOSSIER", help="Nom (D-12) ou identifiant.")]
AsOption = Annotated[
    str, typer.Option("--as", metavar="LOGIN", help="Compte au nom de qui c'est fait ; il en voit ce qu'il peut voir.")
]


def _engine() -> Any:
    from service.database import open_checked

    return open_checked(load_settings().database_url)


def _person(engine: Any, login: str) -> "Person":
    from service.workplace.people import find_login, list_people

    person = find_login(engine, login)
    if person is None or person.id not in {one.id for one in list_people(engine)}:
        raise VigieError(f"Aucun compte ouvert « {login} ».")
    return person


def _case_id(engine: Any, name: str) -> str:
    from service.cases.cases import find_case

    with engine.connect() as connection:
        case = find_case(connection, name[:36])
    if case is None:
        raise VigieError(f"Aucun dossier « {name} ».")
    return case.id


@case_app.command("list")
def case_list(login: AsOption, as_json: JsonOption = False) -> None:
    """Liste les dossiers, le dernier changé d'abord."""
    from service.cases.cases import STATUS_NAMES
    from service.cases.lists import Wanted, list_cases

    engine = _engine()
    person = _person(engine, login)
    with engine.connect() as connection:
        page = list_cases(connection, Wanted(), person, most=10_000)
    if as_json:
        rows_json = [
            {
                "name": one.case.name,
                "title": one.case.title,
                "status": one.case.status,
                "texts": one.texts,
                "decided": one.decided,
            }
            | {"level": one.level, "changed_at": one.case.changed_at.isoformat()}
            for one in page.cases
        ]
        print_json(rows_json)
        return
    rows = [
        (one.case.name, one.case.title, STATUS_NAMES[one.case.status], str(one.texts), str(one.decided)) for one in page.cases
    ]
    columns = ("nom", "titre", "état", "textes", "relus")
    terminal.console().print(terminal.table(f"{page.total} dossier(s)", columns, rows))


@case_app.command("show")
def case_show(name: NameArgument, login: AsOption) -> None:
    """Écrit le contenu d'un dossier (JSON), données de tiers masquées."""
    from service.cases.dossier import content_of
    from service.cases.gathering import gather

    engine = _engine()
    person = _person(engine, login)
    print_json(content_of(gather(engine, _case_id(engine, name), person, load_settings().model_dir), masked=True))


@case_app.command("export")
def case_export(
    name: NameArgument,
    login: AsOption,
    output: Annotated[Path, typer.Option("--output", "-o", help="Fichier à écrire : .zip, .pdf, .docx, .json ou .csv.")],
    show_third: Annotated[
        bool, typer.Option("--show-third-parties", help="Ne pas masquer les données de tiers (relecture).")
    ] = False,
) -> None:
    """Exporte un dossier ; son historique garde par qui, quand, et les empreintes."""
    from service.cases.bundle import KINDS, keep_export, make_export
    from service.cases.dossier import content_of
    from service.cases.gathering import gather

    kind = output.suffix.lstrip(".").lower()
    if kind not in KINDS:
        raise typer.BadParameter(f"« {output.name} » : {', '.join('.' + one for one in KINDS)} attendu", param_hint="--output")
    engine = _engine()
    person = _person(engine, login)
    if show_third and (person.masks or not person.may("reviewer")):
        raise VigieError("Exporter sans masquer demande le rôle « relecture », données personnelles montrées.")
    gathered = gather(engine, _case_id(engine, name), person, load_settings().model_dir)
    made = make_export(content_of(gathered, masked=not show_third), kind, person)
    building = output.with_name(f".{output.name}.tmp")
    try:
        building.write_bytes(made.data)
        keep_export(engine, gathered, person, made)
        building.replace(output)
    except OSError as error:
        raise VigieError(f"{output} : le fichier ne peut pas être écrit ({error}).") from error
    finally:
        building.unlink(missing_ok=True)
    say(f"{output} : {made.texts} texte(s) relus. Manifeste {made.manifest_sha256}, sceau {made.seal_sha256}.")


@case_app.command("verify")
def case_verify(
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE.zip", help="Archive à vérifier.")],
    expected: Annotated[str | None, typer.Option("--manifest", help="Empreinte du manifeste imprimée dans le document.")] = None,
    seal: Annotated[str | None, typer.Option("--seal", help="Empreinte du sceau, gardée lors de l'export.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Vérifie l'archive d'un dossier : code de sortie 1 si quelque chose a été changé, ajouté ou retiré."""
    from dataclasses import asdict

    from service.cases.verify import verify

    try:
        with archive.open("rb") as source:
            report = verify(source)
    except OSError as error:
        raise VigieError(f"{archive} : le fichier ne peut pas être lu ({error}).") from error
    given = seal is not None and seal.strip().lower() == report.seal_sha256
    # A seal known from elsewhere covers the documents, wherever they were composed.
    faults = [*report.faults, *(() if given else report.uncovered)]
    if seal is not None and not given and not report.faults:
        faults.append("L'empreinte du sceau n'est pas celle que vous donnez : un document, ou l'archive, a été refait.")
    if expected is not None and not report.faults and expected.strip().lower() != report.manifest_sha256:
        faults.append("L'empreinte du manifeste n'est pas celle que vous donnez : l'archive a été refaite.")
    if as_json:
        print_json(asdict(report) | {"faults": faults, "whole": not faults})
    else:
        for fault in faults:
            say(fault)
        if not faults:
            say(f"Archive entière : dossier {report.case}, {report.files} fichiers.")
            say(f"Exportée par {report.exporter} le {report.at}.")
            say(f"Manifeste {report.manifest_sha256}. Comparez cette empreinte à celle imprimée dans le document.")
    if faults:
        raise typer.Exit(FAILED)
