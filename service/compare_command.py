"""The verb `vigie compare`: every family of models on the same corpus, in a table of docs/modele.md."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from model.errors import VigieError
from service import terminal
from service.commands import JsonOption, print_json, say

_CARD = Path("docs/modele.md")


def compare(
    corpus: Annotated[Path, typer.Option("--data", help="Dossier ou fichier du corpus.")] = Path("data/annotated"),
    only: Annotated[str | None, typer.Option(help="Lignes à mesurer, séparées par des virgules (toutes sinon).")] = None,
    folds: Annotated[int, typer.Option(min=2, max=20, help="Plis de rédacteurs jamais vus.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Graine.")] = 0,
    card: Annotated[
        Path | None,
        typer.Option("--card", help="Où récrire les tableaux ; docs/modele.md quand tout est mesuré.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Entraîne et mesure toutes les familles de modèles sur le même corpus, et en écrit la table."""
    from training.compare import compare as measure
    from training.compare import rows_named
    from training.compared import COMPARE_MARKS, tables
    from training.corpus import load_corpus
    from training.data_card import update_card

    names = [name.strip() for name in only.split(",") if name.strip()] if only is not None else None
    try:
        rows_named(names)
    except VigieError as error:
        raise typer.BadParameter(str(error), param_hint="--only") from error
    target = card or (_CARD if names is None else None)
    if target is not None:
        _check_marks(target, COMPARE_MARKS)
    with terminal.progress_bar() as bar:
        found = measure(load_corpus(corpus), only=names, folds=folds, seed=seed, progress=bar, say=say)
    if as_json:
        print_json([asdict(line) | {"row": line.row.name} for line in found.lines])
    else:
        shown = terminal.console()
        for counts in tables(found):
            shown.print(terminal.table(counts.title, counts.header, counts.rows))
            shown.print()
    if target is not None:
        update_card(target, tables(found), COMPARE_MARKS)
        say(f"Tableaux récrits : {target}")


def _check_marks(target: Path, marks: tuple[str, str]) -> None:
    """Say now what would be found wrong after minutes of work."""
    try:
        content = target.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise VigieError(f"{target} : illisible ({error}) ; lancez la commande dans le dépôt, ou donnez --card.") from error
    if any(mark not in content for mark in marks):
        raise VigieError(f"{target} : les marques « {marks[0]} » et « {marks[1]} » sont attendues.")
