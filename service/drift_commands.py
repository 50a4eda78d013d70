"""The verbs of `vigie drift`: how the stream moves away from its reference, and what that reference is."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from service import terminal
from service.commands import JsonOption, print_json, say
from service.settings import load_settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from service.drift.references import Model

drift_app = typer.Typer(help="La dérive du flux : semaine par semaine, face à une référence.", no_args_is_help=True)


@contextmanager
def _opened() -> Iterator["tuple[Engine, Model]"]:
    """The database and the model that serves."""
    from service.database import open_checked
    from service.drift.references import model_in

    settings = load_settings()
    model = model_in(settings.model_dir, settings.trust())
    engine = open_checked(settings.database_url)
    try:
        yield engine, model
    finally:
        engine.dispose()


@drift_app.command("show")
def drift_show(as_json: JsonOption = False) -> None:
    """Compte ce qui ne l'était pas, et montre la dernière semaine, les alertes de chacune et la précision estimée."""
    from service.drift.view import drift_figures
    from service.drift.watching import drift_of, look

    with _opened() as (engine, model):
        look(engine, model, load_settings().drift_threshold)
        found = drift_of(engine, model)
    if found.chosen.problem:
        say(found.chosen.problem)
    if as_json:
        weeks = [asdict(week) | {"monday": week.monday.isoformat(), "made_at": week.made_at.isoformat()} for week in found.weeks]
        periods = [asdict(one) | {"first": one.first.isoformat()} for one in found.precision]
        print_json(
            {
                "model_version": found.version,
                "reference": found.source,
                "alerts": found.alerts,
                "weeks": weeks,
                "precision": periods,
            }
        )
        return
    say(f"Modèle {found.version} ; référence : {found.source}.")
    shown = terminal.console()
    for figure in drift_figures(found):
        columns = figure.columns[:5] if figure.id == "derive-semaines" else figure.columns
        shown.print(terminal.table(figure.title, columns, [row[: len(columns)] for row in figure.cells()]))
    say(f"En alerte : {', '.join(found.alerts) or 'rien'}." if found.latest else "Aucune semaine n'a encore assez de textes.")


@drift_app.command("reference")
def drift_reference(
    first: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="Premier jour de la période.")] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Dernier jour, compris.")] = None,
    artefact_own: Annotated[bool, typer.Option("--artefact", help="Revenir à la référence du modèle.")] = False,
) -> None:
    """Fait d'une période ordinaire de votre flux ce à quoi les semaines sont comparées ; ou dit ce qui l'est."""
    from service.drift.references import forget_reference, set_reference
    from service.drift.view import Watched
    from service.drift.watching import look

    given = (first is not None, last is not None)
    if any(given) and (artefact_own or not all(given)):
        raise typer.BadParameter("--from et --to ensemble, ou --artefact seul", param_hint="--from")
    with _opened() as (engine, model):
        threshold = load_settings().drift_threshold
        look(engine, model, threshold)
        if artefact_own:
            forget_reference(engine, model)
        elif first is not None and last is not None:
            set_reference(engine, model, first.date(), last.date())
        chosen = look(engine, model, threshold)
    if chosen.problem:
        say(chosen.problem)
    count = f" ({chosen.reference.facts['texts']} textes)" if chosen.reference else ""
    say(f"Référence : {Watched(model.version, chosen, (), ()).source}{count}.")
