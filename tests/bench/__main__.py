"""`python -m tests.bench [PART …]`: measure, keep the figures, write the tables and plots of docs/performances.md again."""

import argparse
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from model.errors import VigieError
from service.terminal import console
from tests.bench import batch, report, serving, soak
from tests.bench.plan import COMPLETE, NAMES, SMALL, Plan, Say, work_folder

_DOCS: Final = Path("docs")
_SOAK: Final = ("soak_batch", "soak_service")
#: `soak` alone stands for both.
_CHANGED: Final = ("rows", "runs", "workers", "sizes", "requests", "soak_rows", "soak_requests")
_CHOICES: Final = (*report.PARTS, "soak", "report")


def say(message: str) -> None:
    """Write a line to standard error."""
    console(error=True).print(message, markup=False)


def run(parts: Sequence[str], plan: Plan, work: Path, docs: Path, only: Sequence[str] | None = None, say: Say = say) -> None:
    """Measure parts one after the other; each is kept as soon as it is done, then tables and plots are written.

    Raises:
        VigieError: a measure could not be taken; those before it are kept and written.
    """
    measures: dict[str, Callable[[], dict[str, Any]]] = {
        "batch": lambda: batch.measure(plan, work, say, only),
        "sizes": lambda: batch.measure_sizes(plan, work, say),
        "serving": lambda: serving.measure(plan, work, say),
        "soak_batch": lambda: soak.soak_batch(plan, work, say),
        "soak_service": lambda: soak.soak_service(plan, work, say),
    }
    try:
        for part in parts:
            report.keep(docs, part, measures[part]())
    finally:
        report.write(docs)


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The arguments of the command, read."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Mesure la vitesse et la mémoire de Vigie.")
    parser.add_argument("parts", nargs="*", metavar="PARTIE", help=f"{', '.join(_CHOICES)} (batch sizes serving sinon)")
    parser.add_argument(
        "--small", action="store_true", help="forme réduite, écrite dans var/ : vérifie la mesure, pas la vitesse"
    )
    parser.add_argument("--docs", type=Path, help="dossier de performances.md et performances.json (docs sinon)")
    parser.add_argument("--rows", type=int, help="lignes d'un mélange")
    parser.add_argument("--runs", type=int, help="passages")
    parser.add_argument("--workers", type=_numbers, help="nombres de processus, séparés par des virgules")
    parser.add_argument("--sizes", type=_numbers, help="tailles, séparées par des virgules")
    parser.add_argument("--requests", type=int, help="requêtes une à une")
    parser.add_argument("--soak-rows", type=int, help="textes de l'endurance par lots")
    parser.add_argument("--soak-requests", type=int, help="requêtes de l'endurance du service")
    parser.add_argument("--only", type=lambda names: names.split(","), help=f"seulement : {', '.join(NAMES)}")
    found = parser.parse_args(given)
    if unknown := [part for part in found.parts if part not in _CHOICES]:
        parser.error(f"{', '.join(unknown)} : {', '.join(_CHOICES)} attendu")
    if unknown := [name for name in found.only or () if name not in NAMES]:
        parser.error(f"--only {', '.join(unknown)} : {', '.join(NAMES)} attendu")
    return found


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def main() -> None:
    """Run the command."""
    given = arguments()
    changed = {name: value for name in _CHANGED if (value := getattr(given, name)) is not None}
    plan = replace(SMALL if given.small else COMPLETE, **changed)
    work = work_folder(plan)
    docs = given.docs or (work if given.small else _DOCS)
    docs.mkdir(parents=True, exist_ok=True)
    if not (docs / "performances.md").exists():
        shutil.copyfile(_DOCS / "performances.md", docs / "performances.md")
    parts: list[str] = []
    for part in given.parts or ("batch", "sizes", "serving"):
        parts += _SOAK if part == "soak" else () if part == "report" else (part,)
    try:
        run(parts, plan, work, docs, given.only)
    except VigieError as error:
        raise SystemExit(f"banc d'essai : {error}") from None
    say(f"Mesures écrites : {docs / 'performances.md'}")


if __name__ == "__main__":
    main()
