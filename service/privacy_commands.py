"""The verbs of `vigie retention` and `vigie privacy`: what is kept how long, the purge, and the requests of people."""

from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from model.errors import VigieError
from service.commands import JsonOption, print_json, say
from service.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

retention_app = typer.Typer(help="Durées de conservation : ce qui partirait, la purge, les sauvegardes.", no_args_is_help=True)
privacy_app = typer.Typer(help="Demandes des personnes concernées : accès, effacement, contestation.", no_args_is_help=True)

RequestArgument = Annotated[str, typer.Argument(help="Numéro de la demande.")]


@contextmanager
def _database() -> "Iterator[Engine]":
    from service.database import open_checked

    engine = open_checked(load_settings().database_url)
    try:
        yield engine
    finally:
        engine.dispose()


@retention_app.command("plan")
def retention_plan(as_json: JsonOption = False) -> None:
    """Dit ce qu'une purge retirerait maintenant, pourquoi, et ce qui est gardé malgré tout ; ne change rien."""
    from service.privacy.purge import old_files
    from service.privacy.retention import KEPT, make_plan
    from service.workplace.audit import record_alone

    settings = load_settings()
    with _database() as engine:
        with engine.connect() as connection:
            plan = make_plan(connection, settings, [at for _, at, _ in old_files(settings, connection)])
        record_alone(engine, None, "retention.plan", "retention:plan", {"going": plan.going})
    if as_json:
        print_json(plan.to_json())
        return
    for line in plan.lines:
        oldest = f", le plus ancien du {line.oldest:%d/%m/%Y}" if line.oldest else ""
        say(f"{line.going:>8}  {line.rule.name} : {line.days} jours depuis : {line.rule.since} ({line.rule.variable}){oldest}")
        for name, number in line.kept.items():
            say(f"{'':>8}  dont gardés : {number} {KEPT[name]}")
    say(f"{plan.going:>8}  en tout ; « vigie retention purge » les retire pour de bon.")


@retention_app.command("purge")
def retention_purge(
    yes: Annotated[bool, typer.Option("--yes", help="Ne pas demander confirmation (tâche planifiée).")] = False,
) -> None:
    """Retire pour de bon ce qui est gardé depuis assez longtemps ; reprend une purge interrompue."""
    from service.privacy.purge import purge
    from service.privacy.retention import RULE_NAMES

    if not yes:
        typer.confirm("Purger pour de bon ce que « vigie retention plan » annonce ?", abort=True)
    with _database() as engine:
        done = purge(engine, load_settings())
    for rule, number in done.counts.items():
        say(f"{number:>8}  {RULE_NAMES.get(rule, rule)}")
    say(f"{done.total} éléments purgés ; {load_settings().purged_file} le dit aux sauvegardes à venir.")


@retention_app.command("apply")
def retention_apply(
    manifest: Annotated[Path | None, typer.Argument(help="Manifeste (défaut : VIGIE_PURGED_FILE).")] = None,
) -> None:
    """Purge de nouveau, dans une base restaurée d'une sauvegarde, ce que le manifeste dit purgé depuis."""
    from service.privacy.manifest import apply_purges

    path = manifest or load_settings().purged_file
    with _database() as engine:
        counts = apply_purges(engine, path)
    say(
        f"{sum(counts.values())} lignes purgées de nouveau : "
        + ", ".join(f"{name} {number}" for name, number in counts.items())
        + "."
    )


@retention_app.command("clean")
def retention_clean(
    files: Annotated[list[Path], typer.Argument(help="Fichiers JSONL : corpus relu, exports.")],
) -> None:
    """Ôte de fichiers JSONL déjà sortis (corpus relu, exports) les textes purgés depuis."""
    from service.privacy.manifest import clean_export, gone_of

    with _database() as engine, engine.connect() as connection:
        gone = gone_of(connection)
    for path in files:
        kept, left = clean_export(path, gone)
        say(f"{path} : {left} lignes ôtées, {kept} gardées.")


@privacy_app.command("open")
def privacy_open(
    kind: Annotated[str, typer.Argument(help="access, erasure ou contestation.")],
    contact: Annotated[str, typer.Argument(help="Courriel, téléphone, adresse en ligne ou compte (« @nom »).")],
    received: Annotated[str, typer.Option("--received", help="Jour de réception, 2026-11-22 (défaut : aujourd'hui).")] = "",
    note: Annotated[str, typer.Option("--note", help="Par quelle voie, ce qui est dit.")] = "",
) -> None:
    """Enregistre une demande et dit quand la réponse est due."""
    from service.privacy.requests import open_request
    from service.workplace.times import local_day, now

    try:
        day = date.fromisoformat(received) if received else local_day(now())
    except ValueError as error:
        raise VigieError(f"--received {received} : une date est attendue (2026-11-22).") from error
    with _database() as engine, engine.begin() as connection:
        asked = open_request(connection, None, kind, contact, day, note)
    say(f"Demande n° {asked.number}, {asked.words} : réponse due le {asked.due_on:%d/%m/%Y}.")


@privacy_app.command("list")
def privacy_list(as_json: JsonOption = False) -> None:
    """Liste les demandes, celles qui attendent d'abord."""
    from service.privacy.requests import KIND_NAMES, STATE_NAMES, requests_of
    from service.workplace.times import local_day, now

    with _database() as engine, engine.connect() as connection:
        rows = requests_of(connection)
    if as_json:
        names = ("number", "kind", "state", "extended")
        days = ("received_on", "due_on")
        told = [
            {name: getattr(row, name) for name in names} | {day: getattr(row, day).isoformat() for day in days} for row in rows
        ]
        print_json(told)
        return
    today = local_day(now())
    for row in rows:
        late = ", EN RETARD" if row.late(today) else ""
        say(f"n° {row.number:<5} {KIND_NAMES[row.kind]}, {row.words}")
        say(f"         {STATE_NAMES[row.state]}, due le {row.due_on:%d/%m/%Y}{late}")


@privacy_app.command("find")
def privacy_find(
    contact: Annotated[str, typer.Argument(help="Courriel, téléphone, adresse en ligne ou compte.")],
) -> None:
    """Cherche un contact partout, sans rien changer ; dit où il est."""
    from service.privacy.contacts import read_contact
    from service.privacy.held import held_now

    with _database() as engine:
        held = held_now(engine, read_contact(contact))
    for one in held.texts:
        cases = f", dossiers en cours : {', '.join(f'D-{number}' for number in one.open_cases)}" if one.open_cases else ""
        say(f"texte {one.id}" + (" (auteur)" if one.author else "") + cases)
    for place in held.places:
        say(f"{place.name} {place.key}")
    say(f"{len(held.texts)} textes, {len(held.places)} autres endroits.")


@privacy_app.command("prove")
def privacy_prove(
    request: RequestArgument, proof: Annotated[str, typer.Argument(help="Comment l'identité a été vérifiée.")]
) -> None:
    """Dit comment il a été vérifié que le contact est celui de la personne qui demande."""
    from service.privacy.requests import prove

    with _database() as engine, engine.begin() as connection:
        prove(connection, request, None, proof)
    say("Vérification enregistrée.")


@privacy_app.command("extend")
def privacy_extend(
    request: RequestArgument, why: Annotated[str, typer.Argument(help="Pourquoi la demande est complexe.")]
) -> None:
    """Prolonge le délai de deux mois ; la personne doit en être informée dans le premier mois."""
    from service.privacy.requests import extend

    with _database() as engine, engine.begin() as connection:
        asked = extend(connection, request, None, why)
    say(f"Réponse due le {asked.due_on:%d/%m/%Y}.")


@privacy_app.command("access")
def privacy_access(
    request: RequestArgument,
    output: Annotated[Path, typer.Option("--output", "-o", help="Fichier à écrire : .html ou .json.")],
    withheld: Annotated[str, typer.Option("--withheld", help="Ne pas communiquer les dossiers, pour cette raison.")] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Remplacer le fichier s'il existe.")] = False,
) -> None:
    """Écrit la réponse à une demande d'accès, à relire avant de la remettre."""
    from service.privacy.answers import access, as_json, as_page

    forms = {".html": as_page, ".json": as_json}
    if output.suffix.lower() not in forms:
        raise VigieError(f"{output} : .html ou .json est attendu.")
    if output.exists() and not overwrite:
        raise VigieError(f"{output} existe ; --overwrite pour le remplacer.")
    with _database() as engine:
        answer = access(engine, request, None, withheld)
    try:
        output.touch(mode=0o600)
        output.write_text(forms[output.suffix.lower()](answer), encoding="utf-8")
    except OSError as error:
        raise VigieError(f"{output} : écriture impossible ({error.strerror}).") from error
    say(f"{output} : {len(answer['texts'])} textes. Relisez-le avant de le remettre.")


@privacy_app.command("erase")
def privacy_erase(
    request: RequestArgument,
    keep: Annotated[list[str] | None, typer.Option("--keep", help="Texte gardé : IDENTIFIANT=raison (plusieurs fois).")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ne pas demander confirmation.")] = False,
) -> None:
    """Efface pour de bon ce qui est trouvé ; dit ce qui est refusé, et pourquoi."""
    from service.privacy.erasure import erase

    refused = dict(one.partition("=")[::2] for one in keep or ())
    if not yes:
        typer.confirm("Effacer pour de bon ?", abort=True)
    with _database() as engine:
        done = erase(engine, load_settings(), request, None, refused)
    say(f"{done.erased} textes effacés, {done.unsigned} gardés sans leur auteur, {done.words} autres endroits.")
    for id, why in done.refused.items():
        say(f"refusé : {id} : {why}")


@privacy_app.command("contest")
def privacy_contest(
    request: RequestArgument,
    item: Annotated[list[str] | None, typer.Option("--text", help="Texte contesté (plusieurs fois ; défaut : tous).")] = None,
) -> None:
    """Demande qu'une personne relise, dans la file, les textes contestés."""
    from service.privacy.reexamination import contest

    with _database() as engine:
        number = contest(engine, request, None, set(item) if item else None)
    say(f"{number} textes à réexaminer : ils sont dans la file (« contestés »).")


@privacy_app.command("close")
def privacy_close(
    request: RequestArgument,
    words: Annotated[str, typer.Argument(help="Ce qui a été répondu, et par quelle voie.")],
    refused: Annotated[bool, typer.Option("--refused", help="La demande est refusée.")] = False,
) -> None:
    """Dit qu'une personne a répondu ; rien n'est envoyé par le programme."""
    from service.privacy.requests import close_request

    with _database() as engine, engine.begin() as connection:
        close_request(connection, request, None, "refused" if refused else "answered", words)
    say("Demande close.")
