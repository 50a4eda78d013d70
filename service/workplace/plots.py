"""The figures of the overview and of the agreement: each a plot, the table that says the same, and the rows of its CSV."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Final

from markupsafe import Markup

from service.pages import number
from service.workplace import figures
from service.workplace.agreement import FLOOR, Agreement, Quality
from service.workplace.columns import guarded
from service.workplace.estimates import Estimate
from service.workplace.figures import Bar, Ranged
from service.workplace.overview import Load, Overview

Cell = str | int | float | None

_AGAINST: Final = {"golden": "textes étalons", "adjudication": "arbitrages"}


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot (None: the table alone), its table and what to know before reading it; `id` names its CSV file."""

    id: str
    title: str
    note: str
    plot: Markup | None
    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]

    def cells(self) -> list[list[str]]:
        """The rows as people read them."""
        return [[_shown(value) for value in row] for row in self.rows]

    def to_csv(self) -> str:
        """The table as CSV with a header; a cell that a spreadsheet would take for a formula is guarded as in exports."""
        file = io.StringIO()
        writer = csv.writer(file)
        writer.writerow(self.columns)
        for row in self.rows:
            writer.writerow([guarded(value) if isinstance(value, str) else figures.plain(value) for value in row])
        return file.getvalue()


def _shown(value: Cell) -> str:
    if value is None or (isinstance(value, float) and isnan(value)):
        return "–"
    return number(value) if isinstance(value, int | float) else value


def overview_figures(found: Overview) -> list[Figure]:
    """The figures of the overview, but for readers' load, which is personal."""
    weeks = [Bar(f"{week.monday:%d/%m/%Y}", (week.received, week.decided)) for week in found.weeks]
    counted = ("reçus", "lectures faites")
    levels = [Bar(level.name, (level.texts, level.decided)) for level in found.levels]
    title = "Textes par niveau : ce que dit le modèle, ce qui est décidé"
    made = [
        Figure(
            "semaines",
            "Textes reçus et lectures faites, par semaine",
            "La semaine commence le lundi (heure de Paris) ; la dernière est en cours.",
            figures.columns("semaines", "Textes reçus et lectures faites, par semaine", weeks, counted),
            ("lundi", *counted),
            [(week.monday.isoformat(), week.received, week.decided) for week in found.weeks],
        ),
        Figure(
            "niveaux",
            title,
            f"{number(found.unread)} textes n'ont pas de niveau (pas encore lus par le modèle, ou hors de sa langue). "
            "« Tenus pour à examiner » : niveau 2 ou 3 selon la personne qui a décidé.",
            figures.bars("niveaux", title, levels, ("textes", "décidés")),
            ("niveau du modèle", "textes", "décidés", "tenus pour à examiner"),
            [(level.name, level.texts, level.decided, level.flagged) for level in found.levels],
        ),
    ]
    parts = (
        (
            "indicateurs",
            "Textes par indicateur",
            "Signes que le modèle relève ; un texte peut en porter plusieurs.",
            found.indicators,
        ),
        ("pratiques", "Pratiques les plus nommées", "Un nom seul n'est pas un signe.", found.practices),
        ("canaux", "Textes par canal", "Tel que donné à l'import.", found.channels),
    )
    for id, title, note, counts in parts:
        bars = figures.bars(id, title, [Bar(count.name, (count.texts,)) for count in counts], ("textes",))
        rows: list[tuple[Cell, ...]] = [(count.id, count.name, count.texts) for count in counts]
        made.append(Figure(id, title, note, bars, ("identifiant", "nom", "textes"), rows))
    return [*made, _sample(found)]


def _sample(found: Overview) -> Figure:
    sample = found.sample
    title = "Précision et part à examiner, sur l'échantillon tiré au hasard"
    rates = [
        (
            "Parmi les textes signalés par le modèle, ceux que les personnes tiennent pour à examiner (précision)",
            sample.precision,
        ),
        ("Parmi les textes à examiner, ceux que le modèle signale (rappel)", sample.recall),
        ("Parmi tous les textes, ceux à examiner", sample.prevalence),
    ]
    short = ("précision", "rappel", "part à examiner")
    marks = [Ranged(name, estimate) for name, (_, estimate) in zip(short, rates, strict=True)]
    note = (
        f"Échantillon au hasard de {number(sample.texts)} textes : {number(sample.decided)} décidés, {number(sample.unsure)} "
        "« je ne sais pas » (laissés de côté dans les parts), dans "
        f"{number(sample.cohorts)} envois sur {number(sample.all_cohorts)}. Il vaut pour les {number(sample.covered)} textes de "
        f"ces envois, sur {number(sample.analysed)} ; chaque envoi y pèse selon sa taille. Précision et rappel laissent de côté "
        f"{number(sample.learned)} textes dont le modèle en service a appris. Intervalles de Wilson à 95\u00a0%, sur le nombre "
        "de textes que valent ces poids."
    )
    return Figure("precision", title, note, figures.intervals("precision", title, marks), _RATES, [_row(*rate) for rate in rates])


_RATES: Final = ("mesure", "valeur", "borne basse (95 %)", "borne haute (95 %)", "cas", "sur")


def _row(name: str, estimate: Estimate) -> tuple[Cell, ...]:
    return (name, estimate.value, estimate.low, estimate.high, estimate.hits, estimate.total)


def load_figure(load: Sequence[Load]) -> Figure:
    """What readers did and have begun."""
    title = "Charge de lecture"
    bars = [Bar(one.name, (one.week, one.month)) for one in load]
    rows: list[tuple[Cell, ...]] = [(one.name, one.week, one.month, one.claimed, one.readings) for one in load]
    columns = ("personne", "lectures en 7 jours", "en 30 jours", "textes pris maintenant", "lectures à l'aveugle commencées")
    plot = figures.bars("charge", title, bars, ("7 jours", "30 jours"))
    return Figure("charge", title, "Lectures de toute sorte, hors celles retirées.", plot, columns, rows)


def agreement_figure(found: Agreement) -> Figure:
    """Agreement per label: alpha drawn, alpha and kappa in the table."""
    title = "Accord entre première et seconde lecture, par étiquette"
    left = "paires écartées" if found.unsure > 1 else "paire écartée"
    note = (
        f"{number(found.texts)} textes lus deux fois à l'aveugle, tirés au hasard ; {number(found.unsure)} {left} parce "
        f"que l'une dit « je ne sais pas », {number(found.other)} parce que la relecture n'avait pas été tirée au sort. "
        f"Alpha de Krippendorff : 1 est l'accord parfait, 0 le hasard ; le trait marque {number(FLOOR)}, le seuil usuel pour des "
        "conclusions prudentes. Intervalles par bootstrap à 95\u00a0%, comme si une paire de plus différait. Une étiquette que "
        "personne ne donne n'a pas de chiffre."
    )
    marks = [Ranged(label.name, label.alpha) for label in found.labels]
    columns = ("étiquette", "alpha", "basse", "haute", "kappa", "basse (kappa)", "haute (kappa)", "accord brut")
    rows: list[tuple[Cell, ...]] = [
        (
            label.name,
            *(label.alpha.value, label.alpha.low, label.alpha.high),
            *(label.kappa.value, label.kappa.low, label.kappa.high),
            *(label.raw.value, label.first, label.second, label.both, found.texts),
        )
        for label in found.labels
    ]
    plot = figures.intervals("accord", title, marks, low=-1.0, floor=FLOOR)
    return Figure("accord", title, note, plot, (*columns, "première", "seconde", "les deux", "textes"), rows)


def quality_figure(found: Sequence[Quality]) -> Figure:
    """Readers by month against golden texts and adjudications, as a table: a line through five texts would mislead."""
    note = (
        "Part des textes où la réponse est celle du texte étalon ou de l'arbitrage. Les textes arbitrés sont ceux sur lesquels "
        "deux personnes différaient : l'accord y est plus bas qu'ailleurs. Sous 30 textes, lisez l'intervalle, pas la part."
    )
    columns = ("mois", "personne", "comparée aux", "textes", "à examiner", "basse", "haute", "position", "niveau", "mêmes signes")
    rows: list[tuple[Cell, ...]] = [
        (
            *(one.month, one.name, _AGAINST[one.against], one.texts, one.flag.value, one.flag.low, one.flag.high),
            *(one.stance.value, one.level.value, one.signs.value, one.given, one.right, one.missed, one.unsure),
            "peu de textes" if one.flag.few else "",
        )
        for one in found
    ]
    more = ("signes donnés", "dont justes", "signes manqués", "je ne sais pas", "remarque")
    return Figure("lecteurs", "Lectures comparées, par personne et par mois", note, None, (*columns, *more), rows)
