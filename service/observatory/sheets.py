"""The figures as sheets: each a title, a note, a plot, and a table that pages, CSV, workbook, report and programs share."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, Final

from markupsafe import Markup

from service.directions.tables import load_directions
from service.observatory.cells import Amount, Table
from service.observatory.measures import ModelError
from service.observatory.selection import Answer, Portion
from service.pages import number
from service.workplace import figures
from service.workplace.estimates import Estimate
from service.workplace.figures import Bar, Ranged
from service.workplace.plots import Figure

#: What stands for a count that is not shown.
HIDDEN: Final = "n. d."
Cell = Amount | str | int | float | None
_MOST_BARS: Final = 15
_MOST_RANGES: Final = 13
_SAISINES: Final = "Signalements et demandes d'information"
_SHARES: Final = ("part (%)", "basse", "haute", "basse, par groupes", "haute, par groupes")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A figure: `rows` hold amounts as they may be shown; shares are percentages."""

    id: str
    title: str
    note: str
    plot: Markup | None
    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]
    printed: tuple[int, ...]

    def figure(self, *, short: bool = False) -> Figure:
        """As the pages of the workplace show figures; `short`: the columns `printed` alone, which fit on a sheet of paper."""
        columns = self.printed if short else range(len(self.columns))
        shown = [tuple(cell_of(row[place]) for place in columns) for row in self.rows]
        return Figure(self.id, self.title, self.note, self.plot, tuple(self.columns[place] for place in columns), shown)

    def to_json(self) -> dict[str, Any]:
        """As programs read it: a hidden count is null, one of which a part is hidden {"at_least": …}."""
        rows = [[_plain(cell) for cell in row] for row in self.rows]
        return {"id": self.id, "title": self.title, "note": self.note, "columns": list(self.columns), "rows": rows}


def cell_of(cell: Cell) -> str | int | float | None:
    """A cell as people read it."""
    if isinstance(cell, Amount):
        if cell.exact:
            return cell.count
        return f"au moins {cell.count}" if cell.count else HIDDEN
    return None if isinstance(cell, float) and isnan(cell) else cell


def _plain(cell: Cell) -> Any:
    if isinstance(cell, Amount) and not cell.exact:
        return {"at_least": cell.count} if cell.count else None
    return cell_of(cell)


def _bar(name: str, *amounts: Amount) -> Bar:
    said = (number(shown) if isinstance(shown := cell_of(one), int) else str(shown) for one in amounts)
    return Bar(name, tuple(float(one.count) for one in amounts), tuple(said))


def _percent(value: float) -> float | None:
    return None if isnan(value) else round(100 * value, 1)


def _cells(portion: Portion) -> tuple[Cell, ...]:
    if not portion.plain.known:
        return (None,) * len(_SHARES)
    one, other = portion.plain, portion.grouped
    return tuple(_percent(value) for value in (one.value, one.low, one.high, other.low, other.high))


def _drawn(portion: Portion) -> Estimate:
    """The wider of the two intervals: texts of a group are not independent."""
    return portion.grouped if portion.grouped.known and not isnan(portion.grouped.low) else portion.plain


def sheets_of(answer: Answer, error: ModelError | None) -> list[Sheet]:
    """Every sheet of a selection; tables by dimension only where no value is asked for (see the note on what is held)."""
    made = [_volumes(answer), _shares(answer), _levels(answer)]
    if answer.table is None:
        made += [_dimension(answer, table) for table in answer.counted.tables]
    return [*made, _model(answer, error), _published(answer), _statements()]


def _volumes(answer: Answer) -> Sheet:
    title = "Textes par période : reçus, lus par le modèle, signalés, décidés"
    measures = ("texts", "read", "flagged", "decided", "kept")
    columns = (
        "période",
        "du",
        "au",
        "textes",
        "lus par le modèle",
        "signalés (niveaux 2 et 3)",
        "décidés",
        "tenus pour à examiner",
    )
    rows: list[tuple[Cell, ...]] = []
    bars = []
    for period in answer.periods():
        node = (answer.calendar.nodes[period.key],)
        amounts = [answer.amount(measure, node) for measure in measures]
        rows.append((period.name, period.begins.isoformat(), period.ends.isoformat(), *amounts))
        bars.append(_bar(period.key, amounts[0], amounts[2]))
    plot = figures.columns("volumes", title, bars, ("textes", "signalés"))
    note = (
        "Par date de capture, à défaut de réception. Un mois, un trimestre, une année sont faits de semaines entières : une "
        "semaine est de celui qui contient son jeudi. « Tenus pour à examiner » : niveau 2 ou 3 selon la personne qui a décidé. "
        f"« {HIDDEN} » : compte trop petit, ou masqué pour qu'un autre ne se calcule pas ; sans colonne dans le tracé, où « au "
        "moins » est dessiné tel quel."
    )
    return Sheet("volumes", title, note, plot, columns, rows, (0, 3, 4, 5, 6, 7))


def _shares(answer: Answer) -> Sheet:
    title = "Part des textes signalés par le modèle, par période"
    rows: list[tuple[Cell, ...]] = []
    marks: list[Ranged] = []
    spans = [("toute la sélection", None), *((period.name, period) for period in answer.periods())]
    for name, period in spans:
        flagged, kept = answer.portion("flagged", "read", period), answer.portion("kept", "decided", period)
        rows.append((name, *_cells(flagged), *_cells(kept)))
        marks.append(Ranged(name, _drawn(flagged)))
    columns = ("période", *(f"signalés : {one}" for one in _SHARES), *(f"tenus pour à examiner : {one}" for one in _SHARES))
    shown = [marks[0], *marks[1:][-_MOST_RANGES + 1 :]]
    note = (
        "Parmi les textes lus par le modèle ; puis, parmi les textes décidés, ceux que les personnes tiennent pour à examiner : "
        "ces textes-là ont été choisis, leur part ne vaut pas pour les autres. Intervalles à 95\u00a0% : de Wilson, comme si les "
        "textes étaient indépendants ; et par bootstrap de groupes entiers (campagne, sinon auteur, sinon textes presque "
        "identiques), tracé ici."
    )
    return Sheet("parts", title, note, figures.intervals("parts", title, shown), columns, rows, (0, 1, 2, 3, 4, 5))


def _levels(answer: Answer) -> Sheet:
    title = "Textes par niveau : selon le modèle, selon les personnes"
    pairs = (
        ("lus, décidés", "read", "decided"),
        ("niveau 1 ou plus", "watched", "decided_watched"),
        ("niveau 2 ou plus (signalés)", "flagged", "kept"),
        ("niveau 3 (prioritaires)", "priority", "decided_priority"),
    )
    rows: list[tuple[Cell, ...]] = []
    bars = []
    for name, said, decided in pairs:
        amounts = answer.amount(said), answer.amount(decided)
        portions = answer.portion(said, "read"), answer.portion(decided, "decided")
        rows.append((name, amounts[0], *_cells(portions[0])[:3], amounts[1], *_cells(portions[1])[:3]))
        bars.append(_bar(name, *amounts))
    columns = ("niveau", "modèle : textes", "part (%)", "basse", "haute", "personnes : textes", "part (%)", "basse", "haute")
    note = (
        "Chaque ligne comprend la suivante. Les parts : parmi les textes lus ; parmi les textes décidés. Intervalles de Wilson."
    )
    return Sheet(
        "niveaux", title, note, figures.bars("niveaux", title, bars, ("modèle", "personnes")), columns, rows, tuple(range(9))
    )


def _dimension(answer: Answer, table: Table) -> Sheet:
    title = f"Textes par {table.name}"
    found = answer.by_value(table)
    order = ("texts", "read", "flagged", "priority", "decided", "kept")
    rows: list[tuple[Cell, ...]] = [
        (id, name, *(counts[measure] for measure in order), *_cells(flagged), *_cells(kept)[:3])
        for id, name, counts, flagged, kept in found
    ]
    columns = (
        *("identifiant", "valeur", "textes", "lus", "signalés", "prioritaires", "décidés", "tenus pour à examiner"),
        *(f"signalés : {one}" for one in _SHARES),
        *(f"tenus pour à examiner : {one}" for one in _SHARES[:3]),
    )
    bars = [_bar(name, counts["texts"], counts["flagged"]) for _, name, counts, *_ in found[:_MOST_BARS]]
    note = _DIMENSION_NOTES.get(table.id, "Tel que donné à l'import.")
    if table.dropped:
        some = f"{table.dropped} valeurs, que trop peu de textes portent ou qui suivent les 60 premières,"
        note += f" {some} ne sont pas nommées." if table.rows is not None else f" {some} sont réunies."
    return Sheet(
        table.id,
        title,
        note,
        figures.bars(table.id, title, bars, ("textes", "signalés")),
        columns,
        rows,
        (1, 2, 4, 8, 11, 12, 6, 7),
    )


_DIMENSION_NOTES: Final = {
    "practice": "Pratiques que le texte nomme ; il peut en nommer plusieurs, et un nom seul n'est pas un signe.",
    "author_status": "Ce que l'auteur dit être, lu dans le texte par le modèle ; non vérifié.",
    "region": "Région donnée à l'import ; « non dit » ailleurs.",
    "source": "Telle que donnée à l'import ; une source qui ressemble à une adresse ou à un numéro n'est pas nommée.",
}


def _model(answer: Answer, error: ModelError | None) -> Sheet:
    title = "Erreur du modèle, et part corrigée"
    columns = ("mesure", "valeur (%)", "basse", "haute", "cas", "sur")
    if error is None:
        return Sheet(
            "modele", title, "Le modèle qui sert n'a pas de mesure de ses signalements.", None, columns, [], tuple(range(6))
        )
    raw = _drawn(answer.portion("flagged", "read"))
    lines = [
        ("rappel : parmi les textes à examiner, ceux qu'il signale", error.recall),
        ("précision : parmi les textes qu'il signale, ceux à examiner", error.precision),
        ("fausses alertes : parmi les autres textes, ceux qu'il signale", error.fallout),
        ("part signalée dans cette sélection", raw),
        ("part à examiner qu'elle suppose, corrigée de ces erreurs", error.corrected(raw)),
    ]
    note = (
        f"Modèle {error.version}, mesuré au point de fonctionnement « {error.point} » sur {error.texts} textes "
        "d'auteurs dont il n'a rien appris, écrits et étiquetés pour le projet : sur des textes collectés, il peut se tromper "
        "autrement. La correction (Rogan et Gladen) suppose ces erreurs-là ; la précision change avec la part à examiner."
    )
    rows: list[tuple[Cell, ...]] = [
        (
            name,
            _percent(one.value),
            *((_percent(one.low), _percent(one.high)) if one.known else (None, None)),
            one.hits,
            one.total,
        )
        for name, one in lines
    ]
    names = ("rappel", "précision", "fausses alertes", "part signalée", "part corrigée")
    marks = [Ranged(name, one) for name, (_, one) in zip(names, lines, strict=True)]
    return Sheet("modele", title, note, figures.intervals("modele", title, marks), columns, rows, tuple(range(6)))


def _published(answer: Answer) -> Sheet:
    title = "À côté : saisines publiées de la Miviludes, par an"
    found = [one for one in load_directions().figures if one.what.startswith(_SAISINES) and one.unit == "saisines"]
    columns = (
        "année",
        "saisines publiées",
        "textes de Vigie",
        "signalés par le modèle",
        "source",
        "adresse",
        "à vérifier",
        "précision",
    )
    ours = {period.key: (answer.calendar.nodes[period.key],) for period in answer.calendar.of_kind("year")}
    rows: list[tuple[Cell, ...]] = []
    years = sorted({one.year for one in found} | {int(key) for key in ours})
    for year in years:
        mine = [answer.amount(name, ours[str(year)]) if str(year) in ours else None for name in ("texts", "flagged")]
        for one in [one for one in found if one.year == year] or [None]:  # type: ignore[list-item]
            if one is None:
                rows.append((str(year), None, *mine, "", "", "", ""))
            else:
                rows.append((str(year), int(one.value), *mine, one.source, one.link, _doubt(one.verify), one.what))
    bars = [
        Bar(str(one.year), (one.value,), (f"{number(one.value)}{', à vérifier' if one.verify else ''}",))
        for one in sorted(found, key=lambda one: one.year)
    ]
    note = (
        "Une saisine est un signalement ou une demande d'information adressé à la mission, sur tous les sujets ; un texte de "
        "Vigie est une offre ou une publication collectée. Les deux ne se comparent pas, ils donnent un ordre de grandeur. Des "
        "années manquent."
    )
    return Sheet(
        "miviludes", title, note, figures.bars("miviludes", title, bars, ("saisines",)), columns, rows, (0, 1, 2, 3, 4, 6)
    )


def _doubt(verify: bool) -> str:
    return "à vérifier" if verify else ""


def _statements() -> Sheet:
    rows: list[tuple[Cell, ...]] = [
        (
            str(one.year),
            one.what,
            f"{one.value:g}".replace(".", ","),
            _UNITS.get(one.unit, one.unit),
            one.source,
            one.link,
            _doubt(one.verify),
        )
        for one in sorted(load_directions().figures, key=lambda one: (one.year, one.what))
        if not (one.what.startswith(_SAISINES) and one.unit == "saisines")
    ]
    note = (
        "Chacun avec sa source. La part de la santé y va de 22 à 40\u00a0% parce que ses bases de calcul diffèrent d'une année à "
        "l'autre : elle n'est pas tracée, et ne forme pas une évolution."
    )
    columns = ("année", "ce qui est compté", "valeur", "unité", "source", "adresse", "à vérifier")
    return Sheet("autres-chiffres", "À côté : autres chiffres publiés", note, None, columns, rows, (0, 1, 2, 3, 4, 6))


_UNITS: Final = {"percent": "%", "people": "personnes", "practices": "pratiques", "structures": "structures"}
