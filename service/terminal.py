"""What people read in the terminal: progress on long work, passages in colour, tables."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from model.labels import INDICATOR_NAMES, STANCES
from model.records import Prediction
from service.highlight import segments
from service.inert import printable
from service.titles import BESIDE, NOT_ADMITTED, beside_of

_COLOURS: Final = ("yellow", "cyan", "magenta", "green", "red", "blue")
_LEVEL_STYLES: Final = ("bold green", "bold yellow", "bold dark_orange", "bold red")
_STANCE_NAMES: Final = {stance.id: stance.name for stance in STANCES}


_FILE_WIDTH: Final = 180
_FIRST_COLUMN: Final = 44


class Bar(Protocol):
    """Something that is told how far the work is."""

    def __call__(self, step: str, done: float, total: float) -> None:
        """Show that `done` of `total` units of a step are done."""


def console(*, error: bool = False) -> Console:
    """A console on standard output, or on standard error for what is not the result; wide where no terminal sets a width."""
    shown = Console(stderr=error, highlight=False, markup=False, soft_wrap=True)
    return shown if shown.is_terminal else Console(stderr=error, highlight=False, markup=False, soft_wrap=True, width=_FILE_WIDTH)


@contextmanager
def progress_bar() -> Iterator[Bar]:
    """A bar with rate and remaining time on standard error; silent when that is not a terminal."""
    shown = console(error=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal) as progress:
        tasks: dict[str, Any] = {}

        def update(step: str, done: float, total: float) -> None:
            if step not in tasks:
                tasks[step] = progress.add_task(step, total=total, rate="")
            progress.update(tasks[step], completed=done, total=total)

        yield update


@contextmanager
def rows_bar() -> Iterator[Any]:
    """A bar for a run over a file: called with rows done and the share of the file read."""
    shown = console(error=True)
    columns = (
        TextColumn("Analyse"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[rows]} textes"),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal) as progress:
        task = progress.add_task("", total=1.0, rows=0, rate="")

        def update(rows: int, share: float) -> None:
            elapsed = progress.tasks[0].elapsed or 0.0
            rate = f"{rows / elapsed:.0f} textes/s" if elapsed else ""
            progress.update(task, completed=share, rows=rows, rate=rate)

        yield update


def explained(text: str, prediction: Prediction) -> list[Text | Table]:
    """A prediction for the terminal: level, stance, the text with its passages in colour, the signs with their scores."""
    if prediction.status != "ok" or prediction.risk is None or prediction.stance is None:
        problem = prediction.error or prediction.warnings[0]
        return [Text(problem.message, style="bold")]
    risk, stance = prediction.risk, prediction.stance
    parts: list[Text | Table] = [
        Text.assemble(
            (f"Niveau {risk.level} : {risk.label}", _LEVEL_STYLES[risk.level]),
            f"   score {risk.score:.2f}   {_STANCE_NAMES[stance.value]} ({stance.scores[stance.value]:.2f})",
        )
    ]
    body = Text()
    for piece in segments(text, prediction):
        style = f"black on {_COLOURS[(piece.numbers[0] - 1) % len(_COLOURS)]}" if piece.numbers else ""
        body.append(printable(piece.text), style=style)
        if piece.closes:
            body.append("[" + ",".join(map(str, piece.closes)) + "]", style="bold")
    parts += [Text(), body, Text()]
    present = [indicator for indicator in prediction.indicators if indicator.present]
    for number, indicator in enumerate(present, start=1):
        colour = _COLOURS[(number - 1) % len(_COLOURS)]
        parts.append(Text.assemble((f"[{number}] {indicator.label}", f"bold {colour}"), f"  {indicator.score:.2f}"))
        parts += [Text(f"      « {printable(passage.text)} »") for passage in indicator.evidence]
    if not present:
        parts.append(Text("Aucun signe présent."))
    if beside := beside_of(prediction):
        parts.append(Text(f"{BESIDE} : {', '.join(one.name for one in beside)} ({NOT_ADMITTED})."))
    parts += [Text(f"Remarque : {warning.message}", style="italic") for warning in prediction.warnings]
    return parts


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """A plain table; numbers to the right."""
    shown = Table(title=title, title_justify="left", show_edge=False)
    for place, name in enumerate(header):
        widest = max((len(str(row[0])) for row in rows), default=0) if place == 0 else 0
        shown.add_column(name, justify="left" if place == 0 else "right", min_width=min(_FIRST_COLUMN, widest) or None)
    for row in rows:
        shown.add_row(*("–" if value is None else str(value) for value in row))
    return shown


class SuiteShown(Protocol):
    """What a suite's report must say to be shown."""

    @property
    def functionalities(self) -> Sequence[Any]:
        """Lines by functionality."""

    @property
    def identities(self) -> Sequence[Any]:
        """Lines by identity."""

    @property
    def everything(self) -> Any:
        """The last line."""

    @property
    def failures(self) -> Sequence[Any]:
        """What failed."""


def suite(title: str, found: SuiteShown) -> list[Table]:
    """What `vigie evaluate --suite` prints: pass rates with intervals, whole pairs, failures."""

    def row(line: Any) -> tuple[str, str, str]:
        return line.name, _counted(line.cases.to_json()), _counted(line.pairs.to_json())

    header = ("fonctionnalité", "cas réussis [IC 95 %]", "paires entières [IC 95 %]")
    tables = [table(title, header, [*map(row, found.functionalities), row(found.everything)])]
    if found.identities:
        tables.append(table("Par identité", header, [row(line) for line in found.identities]))
    failed = [(outcome.case.id, " ; ".join(outcome.faults), outcome.case.text[:90]) for outcome in found.failures]
    tables.append(table(f"{len(failed)} échec(s)", ("cas", "fautes", "texte"), failed))
    return tables


def context(lines: Sequence[Any]) -> Table:
    """What `vigie evaluate --context` prints: recall, precision and look-alikes wrongly found, kind by kind."""
    rows = [(line.kind, *(_counted(figure.to_json()) for figure in (line.recall, line.precision, line.alarms))) for line in lines]
    header = ("nature", "rappel [IC 95 %]", "précision [IC 95 %]", "leurres relevés [IC 95 %]")
    return table("Indices de contexte, textes que leurs auteurs n'ont pas lus", header, rows)


def _counted(figure: Mapping[str, Any]) -> str:
    """A share as « 3/4 = 75 % [30 ; 95] »."""
    if figure["value"] is None:
        return "–"
    counts = f"{figure['hits']}/{figure['total']} = " if "hits" in figure else ""
    return f"{counts}{100 * figure['value']:.0f} % [{100 * figure['low']:.0f} ; {100 * figure['high']:.0f}]"


def figures(name: str, measured: Mapping[str, Any]) -> list[Table]:
    """What `vigie evaluate` prints of a set of texts."""
    flag, level = measured["flag"], measured["level"]
    rows: list[list[Any]] = [
        ["textes", measured["texts"]],
        ["refusés", measured["refused"]],
        ["drapeau : rappel", _counted(flag["recall"])],
        ["drapeau : précision", _counted(flag["precision"])],
        ["drapeau : F1", _counted(flag["f1"])],
        ["drapeau : précision moyenne", flag["average_precision"]],
        ["score de Brier", flag["brier"]],
        ["stance juste", _counted(measured["stance"]["accuracy"])],
        ["niveau juste", _counted(level["accuracy"])],
        ["niveau : kappa quadratique", level["quadratic_kappa"]],
        ["macro-F1 des indicateurs", measured["indicators"]["macro_f1"]],
        ["passages qui recouvrent l'annotation", _counted(measured["evidence"]["overlap"])],
    ]
    rows += [[f"signalés parmi {kind}", _counted(found)] for kind, found in measured["flagged_among"].items()]
    labels = [
        [INDICATOR_NAMES[id], found["support"], _counted(found["recall"]), _counted(found["precision"]), found["f1"]]
        for id, found in measured["indicators"]["labels"].items()
    ]
    return [
        table(name, ("mesure", "valeur [IC 95 %]"), rows),
        table("Indicateurs", ("indicateur", "effectif", "rappel", "précision", "F1"), labels),
    ]
