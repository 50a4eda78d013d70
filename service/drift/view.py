"""What the overview says of drift: in words, and as figures with their tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from service.drift import weeks as weekly
from service.drift.precision import Period, precision_by_period
from service.drift.psi import LEAST_GROUPS, LEAST_TEXTS, RISK, Shift
from service.drift.references import Chosen
from service.drift.weeks import Week
from service.pages import number
from service.workplace import figures
from service.workplace.estimates import Estimate
from service.workplace.figures import Bar, Ranged
from service.workplace.plots import Cell, Figure

STATES: Final = {"alert": "alerte", "watch": "à surveiller", "calm": "stable", "few": "trop peu de textes"}
#: The scale of the plot ends here at the earliest: twice the index from which credit scoring acts.
_SCALE: Final = 0.5
#: What the stream is compared with, in words.
_SOURCES: Final = {
    "corpus": "le corpus d'apprentissage, qui n'est pas votre flux",
    "stream": "votre flux",
    "none": "aucune",
}


@dataclass(frozen=True, slots=True)
class Watched:
    """Drift as it stands: the reference, the weeks, precision by period, and the model that all this is said of."""

    version: str
    chosen: Chosen
    weeks: Sequence[Week]
    precision: Sequence[Period]

    @property
    def latest(self) -> Week | None:
        """The last week with texts enough to say something."""
        return weekly.latest(self.weeks)

    @property
    def alerts(self) -> list[str]:
        """The measures of that week that are in alert, as people call them."""
        week, names = self.latest, weekly.names()
        return [names[shift.measure].name for shift in week.at("alert")] if week else []

    @property
    def own(self) -> bool:
        """Whether that week is part of the reference itself."""
        return self.latest is not None and self.chosen.holds(self.latest.monday)

    @property
    def source(self) -> str:
        """What the reference is, in words."""
        words = _SOURCES[self.chosen.source]
        if self.chosen.first and self.chosen.last:
            words += f" du {self.chosen.first:%d/%m/%Y} au {self.chosen.last:%d/%m/%Y}"
        return words


def watched(connection: Connection, version: str, chosen: Chosen) -> Watched:
    """Drift of a database as last computed."""
    return Watched(version, chosen, weekly.read_weeks(connection, version), precision_by_period(connection))


def drift_figures(found: Watched) -> list[Figure]:
    """The last week beside the reference, the weeks, and precision by period."""
    return [_last(found), _weeks(found), _precision(found.precision)]


_COLUMNS: Final = ("mesure", "indice", "borne basse", "borne haute", "cette semaine", "référence", "textes", "groupes", "état")


def _last(found: Watched) -> Figure:
    week, names = found.latest, weekly.names()
    shifts = week.shifts if week else []
    title = f"Dérive : semaine du {week.monday:%d/%m/%Y}" if week else "Dérive"
    note = (
        f"Indice de stabilité (PSI) de chaque mesure face à la référence : {found.source}. Corrigé du hasard ; bornes par "
        f"rééchantillonnage d'auteurs et de campagnes entiers. Alerte quand la borne basse passe le trait. "
        f"{len(shifts)} mesures sont comparées chaque semaine : les bornes sont élargies d'autant, pour que le hasard donne une "
        f"alerte au plus une semaine sur {number(1 / RISK)}, toutes mesures réunies. Il faut {LEAST_TEXTS} textes de "
        f"{LEAST_GROUPS} auteurs ou campagnes."
    )
    marks = [Ranged(f"{names[one.measure].name} : {STATES[one.state]}", _estimate(one)) for one in shifts]
    highest = max((one.high or 0.0 for one in shifts), default=0.0)
    floor = week.threshold if week else None
    plot = figures.intervals("derive", title, marks, high=max(_SCALE, highest), floor=floor) if marks else None
    rows: list[tuple[Cell, ...]] = [
        (
            *(names[one.measure].name, one.psi, one.low, one.high, one.value, one.reference),
            *(one.texts, one.groups, STATES[one.state]),
        )
        for one in shifts
    ]
    return Figure("derive", title, note, plot, _COLUMNS, rows)


def _estimate(one: Shift) -> Estimate:
    if one.psi is None or one.low is None or one.high is None:
        return Estimate(float("nan"), float("nan"), float("nan"), one.texts)
    return Estimate(one.psi, one.low, one.high, one.texts)


def _weeks(found: Watched) -> Figure:
    title = "Mesures qui s'écartent de la référence, par semaine"
    note = (
        "La semaine commence le lundi, à Paris ; la dernière est en cours. Une semaine de trop peu de textes ne compte pas. Le "
        "tableau donne l'indice de chaque mesure."
    )
    names = weekly.names()
    bars = [Bar(f"{week.monday:%d/%m/%Y}", (len(week.at("alert")), len(week.at("watch")))) for week in found.weeks]
    plot = figures.columns("derive-semaines", title, bars, ("en alerte", "à surveiller"))
    columns = ("lundi", "textes", "en alerte", "à surveiller", "remarque", *(measure.name for measure in names.values()))
    rows: list[tuple[Cell, ...]] = []
    for week in found.weeks:
        told = (", ".join(names[one.measure].name for one in week.at(state)) for state in ("alert", "watch"))
        index = {one.measure: one.psi for one in week.shifts}
        known: list[Cell] = [week.monday.isoformat(), week.covered, *told, _remark(found.chosen, week)]
        rows.append((*known, *(index.get(id) for id in names)))
    return Figure("derive-semaines", title, note, plot, columns, rows)


def _remark(chosen: Chosen, week: Week) -> str:
    told = ["semaine de la référence"] if chosen.holds(week.monday) else []
    return ", ".join(told if week.over else [*told, "en cours"])


def _precision(periods: Sequence[Period]) -> Figure:
    title = "Précision estimée, par mois et par semaine de réception"
    note = (
        "Parmi les textes signalés par le modèle et lus dans l'ordre du hasard, ceux que les personnes tiennent pour à examiner. "
        "Chacun pèse ce qu'il représente de son envoi ; intervalles de Wilson à 95\u00a0%. Sous 30 textes, lisez l'intervalle."
    )
    names = {"month": "mois du", "week": "semaine du"}
    months = [one for one in periods if one.kind == "month"]
    marks = [Ranged(f"{one.first:%m/%Y} : {one.precision.total} textes", one.precision) for one in months]
    plot = figures.intervals("precision-mois", title, marks) if marks else None
    columns = ("période", "début", "précision", "borne basse (95 %)", "borne haute (95 %)", "à examiner", "sur", "remarque")
    rows: list[tuple[Cell, ...]] = [
        (
            *(names[one.kind], one.first.isoformat(), one.precision.value, one.precision.low, one.precision.high),
            *(one.precision.hits, one.precision.total, "peu de textes" if one.precision.few else ""),
        )
        for one in periods
    ]
    return Figure("precision-mois", title, note, plot, columns, rows)
