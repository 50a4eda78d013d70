"""Everything at once: as a workbook, a sheet a figure; as a report to print, with plots, method and limits."""

import io
import re
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import openpyxl
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Font

from service.observatory.measures import ModelError
from service.observatory.rows import MODES
from service.observatory.selection import Answer
from service.observatory.sheets import HIDDEN, Sheet, cell_of
from service.pages import number
from service.typeset import typeset
from service.workplace.columns import guarded
from service.workplace.plots import Figure

_TITLE: Final = "Observatoire : indices relevés dans des offres et publications de bien-être"
#: What the page's style sheet says of plots, for where there is none.
_STYLE: Final = (
    "<style>text{fill:#1b1b1f;font-size:12px;font-family:'Libertinus Serif'}.middle{text-anchor:middle}.end{text-anchor:end}"
    ".s0{fill:#1f4e79}.s1{fill:#b07a00;stroke:#1b1b1f;stroke-width:.6}.axis{stroke:#70757f}.grid{stroke:#c9ced6}"
    ".range{stroke:#1f4e79;stroke-width:3}</style>"
)
_SHEET_NAME: Final = 31
#: Plots higher than this, in their units, are set by their height.
_SHORT: Final = 10
_TALL: Final = 500


def day(value: date) -> str:
    """A day as it is written in French."""
    return f"{value:%d/%m/%Y}"


def selection_of(answer: Answer) -> list[tuple[str, str]]:
    """What was asked for, as names and values."""
    begins, ends = answer.days
    said = [("période", f"du {day(begins)} au {day(ends)}, en semaines entières"), ("compter", MODES[answer.wanted.mode])]
    if answer.table is not None and answer.value is not None:
        said.append((answer.table.name, answer.table.values[answer.value][1]))
    return said


def limits_of(answer: Answer, error: ModelError | None, point: str) -> list[str]:
    """What the figures do not measure, and how they were made."""
    rows, least = answer.snapshot.rows, answer.snapshot.least

    def many(count: int) -> str:
        return number(count) if count >= least else f"Moins de {least}"

    unread = int((rows.level < 0).sum())
    said = [
        """Ces figures comptent ce qui a été collecté et importé, rien d'autre : une plateforme, une région ou un thème que
        personne n'a cherché n'y est pas, et une hausse peut n'être que celle de la collecte.""",
        f"""« Signalé » veut dire : niveau 2 ou 3 selon le modèle, au point de fonctionnement « {point} ». C'est un indice à
        vérifier, pas un fait établi ; il faut s'attendre à des erreurs dans les deux sens (voir « Erreur du modèle »).""",
        f"""{many(unread)} textes importés n'ont pas de niveau (pas encore lus, ou dans une autre langue) : ils comptent parmi
        les textes, non dans les parts.""",
        f"{many(rows.undated)} textes sans date de capture sont comptés à leur date de réception.",
        """Les textes décidés ont été choisis par des personnes, les plus préoccupants d'abord : leur part ne vaut pas pour
        les autres. Seul l'échantillon tiré au hasard (page « Aperçu ») permet d'estimer ce qu'il en est de tous.""",
        """Un même auteur publie souvent, et recopie : les textes ne sont pas indépendants. Les intervalles « par groupes »
        en tiennent compte ; compter une fois par texte presque identique, ou par auteur, montre ce qu'il en reste.""",
        f"""Un compte de moins de {least} n'est pas montré, ni ceux qu'il faut taire pour qu'il ne se calcule pas :
        « {HIDDEN} ». « Au moins » additionne ce qui est montré. Deux dimensions ne se croisent pas.""",
    ]
    if error is None:
        said.append("Le modèle qui sert n'a pas de mesure d'erreur : aucune part n'est corrigée.")
    return [" ".join(line.split()) for line in said]


def workbook(answer: Answer, sheets: Sequence[Sheet], limits: Sequence[str]) -> bytes:
    """Every figure as a workbook: what was asked for and the limits first, then a sheet a figure; formulas guarded."""
    book = openpyxl.Workbook()
    first = book.active
    first.title = "Lisez-moi"
    for row in (
        (_TITLE,),
        (f"Compté le {day(answer.snapshot.made_at.date())}",),
        *selection_of(answer),
        (),
        *((one,) for one in limits),
    ):
        first.append([_safe(cell) for cell in row])
    first.column_dimensions["A"].width = 40
    for sheet in sheets:
        page = book.create_sheet(sheet.id[:_SHEET_NAME])
        page.append([_safe(sheet.title)])
        page.append([_safe(sheet.note)])
        page.append([_safe(column) for column in sheet.columns])
        for cells in sheet.rows:
            page.append([_safe(cell_of(cell)) for cell in cells])
        for cell in (page["A1"], *page[3]):
            cell.font = Font(bold=True)
        page.freeze_panes = "B4"
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def _safe(value: Any) -> Any:
    return ILLEGAL_CHARACTERS_RE.sub("", guarded(value)) if isinstance(value, str) else value


def pdf(answer: Answer, sheets: Sequence[Sheet], limits: Sequence[str]) -> bytes:
    """The report as a tagged PDF.

    Raises:
        TypesetError: it cannot be set.
    """
    pictures = {f"{sheet.id}.svg": standalone(str(sheet.plot)) for sheet in sheets if sheet.plot is not None and sheet.rows}
    figures = [sheet.figure(short=True) for sheet in sheets]
    data = {
        "title": _TITLE,
        "made": day(answer.snapshot.made_at.date()),
        "selection": [list(pair) for pair in selection_of(answer)],
        "limits": list(limits),
        "sheets": [
            {
                "title": figure.title,
                "note": figure.note,
                "columns": list(figure.columns),
                "rows": figure.cells(),
                "plot": f"{figure.id}.svg" if f"{figure.id}.svg" in pictures else None,
                "alt": described(str(figure.plot or "")),
                "tall": _height(str(figure.plot or "")) > _TALL,
                "widths": _widths(figure),
            }
            for figure in figures
        ],
    }
    return typeset("observatory.typ", data, pictures, at=answer.snapshot.made_at)


def _height(plot: str) -> float:
    found = re.search(r'viewBox="0 0 \S+ ([\d.]+)"', plot)
    return float(found.group(1)) if found else 0.0


def _widths(figure: Figure) -> list[int]:
    """How wide columns are to each other: by their longest words, then by what they hold."""
    columns = zip(figure.columns, *figure.cells(), strict=True)
    return [min(40, max(7, *map(_width, column))) for column in columns]


def _width(cell: str) -> int:
    """A short cell stays on one line, where there is room."""
    return len(cell) if len(cell) <= _SHORT else max(len(cell) // 2, *map(len, cell.split() or [""]))


def standalone(plot: str) -> bytes:
    """A plot of a page as a picture of its own, with its colours."""
    begin = plot.index(">") + 1
    head = plot[:begin].replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return (head + _STYLE + plot[begin:]).encode()


def described(plot: str) -> str:
    """What a plot says to those who cannot see it."""
    found = re.search(r"<desc[^>]*>(.*?)</desc>", plot, re.DOTALL)
    return found.group(1) if found else ""
