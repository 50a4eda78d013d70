"""What someone asks the observatory for, and the amounts and shares that answer it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import numpy as np

from service.observatory.cells import Amount, Counted, Series, Table
from service.observatory.measures import grouped_share
from service.observatory.periods import KINDS, Kind, Period, PeriodError, month_of, read_day, week_of, weeks_of
from service.observatory.rows import MODES, Mode
from service.observatory.snapshot import Snapshot
from service.observatory.suppression import Bools, Ints
from service.workplace.estimates import Estimate, share

#: Names of the dimensions in addresses and in the program's answers.
DIMENSIONS: Final[Mapping[str, str]] = {
    "theme": "thème",
    "practice": "pratique",
    "channel": "canal",
    "author_status": "statut de l'auteur",
    "region": "région",
    "source": "source",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A selection: days `begins` to `ends` (None: as far as there are texts), figures by `unit`, counted by `mode`, of the
    texts whose `dimension` has a `value` (empty: all).
    """

    begins: date | None = None
    ends: date | None = None
    unit: Kind = "month"
    mode: Mode = "texts"
    dimension: str = ""
    value: str = ""

    def query(self) -> str:
        """As the query of an address; empty for the default."""
        given = {
            "du": self.begins.isoformat() if self.begins else "",
            "au": self.ends.isoformat() if self.ends else "",
            "par": self.unit if self.unit != "month" else "",
            "compter": self.mode if self.mode != "texts" else "",
            "dimension": self.dimension,
            "valeur": self.value,
        }
        return urlencode({name: value for name, value in given.items() if value or (name == "valeur" and self.dimension)})


def _listed(names: Mapping[Any, str]) -> str:
    """What an address may say, each with its meaning."""
    return ", ".join(f"{name} ({id})" for id, name in names.items())


def read_wanted(given: Mapping[str, str]) -> Wanted:
    """A selection from the fields of a form.

    Raises:
        PeriodError: a field cannot be understood; the message names it and says what was expected.
    """
    begins, ends = read_day(given.get("du", ""), "Du"), read_day(given.get("au", ""), "Au")
    if begins and ends and ends < begins:
        raise PeriodError(f"Au {ends:%d/%m/%Y} : une date qui ne précède pas « Du » ({begins:%d/%m/%Y}) est attendue.")
    asked = given.get("par") or "month"
    unit = next((kind for kind in KINDS if kind == asked), None)
    if unit is None:
        raise PeriodError(f"Par « {asked[:40]} » : {_listed(KINDS)} attendu.")
    counting = given.get("compter") or "texts"
    mode = next((one for one in MODES if one == counting), None)
    if mode is None:
        raise PeriodError(f"Compter « {counting[:40]} » : {_listed(MODES)} attendu.")
    dimension = given.get("dimension", "")
    if dimension and dimension not in DIMENSIONS:
        raise PeriodError(f"Dimension « {dimension[:40]} » : {_listed(DIMENSIONS)} attendu.")
    return Wanted(begins, ends, unit, mode, dimension, given.get("valeur", "") if dimension else "")


@dataclass(frozen=True, slots=True)
class Portion:
    """A share as it may be shown: of independent texts (`plain`), of texts that come in groups (`grouped`)."""

    plain: Estimate
    grouped: Estimate


_NOTHING: Final = Portion(share(0, 0), share(0, 0))


class Answer:
    """The figures of a selection. Its period is widened to whole months: `first` and `last` are weeks, both in it."""

    def __init__(self, snapshot: Snapshot, wanted: Wanted) -> None:
        """Find the period and the value.

        Raises:
            PeriodError: the value is not shown for this dimension, or no text is as old or as new as that.
        """
        self.snapshot, self.wanted = snapshot, wanted
        self.calendar = snapshot.calendar
        self.counted: Counted = snapshot.counted(wanted.mode)
        self.first, self.last = self._span()
        self.nodes = self.calendar.within(self.first, self.last)
        self.table = next((one for one in self.counted.tables if one.id == wanted.dimension), None)
        self.value = self._value()
        self._order: Ints = snapshot.by_week
        self._weeks: Ints = snapshot.rows.week[self._order]
        self.inside: Bools = (snapshot.rows.week >= self.first) & (snapshot.rows.week <= self.last)
        self._having: Bools | None = None if self.table is None or self.value is None else self._texts(self.table, self.value)

    def _span(self) -> tuple[int, int]:
        months = self.calendar.of_kind("month")
        begins, ends = self.wanted.begins, self.wanted.ends
        first = weeks_of(month_of(week_of(begins)))[0] if begins else months[0].first
        last = weeks_of(month_of(week_of(ends)))[-1] if ends else months[-1].last
        first, last = max(first, months[0].first), min(last, months[-1].last)
        if first > last:
            bounds = f"du {months[0].begins:%d/%m/%Y} au {months[-1].ends:%d/%m/%Y}"
            raise PeriodError(f"Du, Au : aucun texte n'est de ces dates ; les textes vont {bounds}.")
        return first, last

    def _value(self) -> int | None:
        if self.table is None:
            return None
        found = [place for place, (id, _) in enumerate(self.table.values) if id == self.wanted.value]
        if not found:
            raise PeriodError(
                f"Valeur « {self.wanted.value[:60]} » : aucune valeur montrée de ce nom pour « {self.table.name} »."
            )
        return found[0]

    @property
    def days(self) -> tuple[date, date]:
        """The first and the last day of the period, a Monday and a Sunday."""
        begins, ends = self.calendar.of_kind("month")[0].begins, self.calendar.of_kind("month")[-1].ends
        monday = begins + timedelta(weeks=self.first - self.calendar.of_kind("month")[0].first)
        return monday, ends - timedelta(weeks=self.calendar.of_kind("month")[-1].last - self.last)

    def periods(self) -> list[Period]:
        """The periods that figures are given by, those that lie whole in the selection; a value is not followed by week."""
        unit: Kind = "month" if self.table is not None and self.wanted.unit == "week" else self.wanted.unit
        return [one for one in self.calendar.of_kind(unit) if self.first <= one.first and one.last <= self.last]

    def series(self, measure: str) -> Series | None:
        """The counts of a measure over time, of all texts or of the value asked for; None where it is not counted by value."""
        if self.table is None or self.value is None:
            return self.counted.totals[measure]
        return self.table.series(measure, self.value) if measure in self.table.counts else None

    def amount(self, measure: str, nodes: Sequence[int] | None = None) -> Amount:
        """A count, of the selection or of some nodes of the calendar."""
        series = self.series(measure)
        if series is None:
            return Amount(0, False)
        return series.amount(self.calendar, self.nodes if nodes is None else nodes)

    def portion(self, hits: str, of: str, period: Period | None = None) -> Portion:
        """A share of the selection or of one of its periods; nothing where either count is hidden."""
        nodes = self.nodes if period is None else (self.calendar.nodes[period.key],)
        counts = self.amount(hits, nodes), self.amount(of, nodes)
        first, last = (self.first, self.last) if period is None else (period.first, period.last)
        begin, end = np.searchsorted(self._weeks, [first, last + 1])
        texts = self._order[begin:end]
        if self._having is not None:
            texts = texts[self._having[texts]]
        return self._portion(*counts, hits, of, texts)

    def _portion(self, hits: Amount, of: Amount, hits_name: str, of_name: str, texts: Ints) -> Portion:
        if not hits.exact or not of.exact or not of.count:
            return _NOTHING
        masks, cluster = self.counted.masks, self.snapshot.rows.cluster
        grouped = grouped_share(masks[hits_name][texts], masks[of_name][texts], cluster[texts])
        return Portion(share(hits.count, of.count), grouped)

    def _texts(self, table: Table, value: int) -> Bools:
        if table.rows is None:
            found: Bools = table.codes == value
            return found
        having = np.zeros(self.snapshot.rows.count, dtype=np.bool_)
        having[table.rows[table.codes == value]] = True
        return having

    def by_value(self, table: Table) -> list[tuple[str, str, dict[str, Amount], Portion, Portion]]:
        """For each value of a dimension: identifier, name, counts by measure, share flagged, share kept among the decided."""
        order = table.order
        starts = np.searchsorted(table.codes[order], np.arange(len(table.values) + 1))
        found = []
        for place, (id, name) in enumerate(table.values):
            counts = {measure: table.series(measure, place).amount(self.calendar, self.nodes) for measure in table.counts}
            texts = order[starts[place] : starts[place + 1]]
            texts = texts if table.rows is None else table.rows[texts]
            texts = texts[self.inside[texts]]
            flagged = self._portion(counts["flagged"], counts["read"], "flagged", "read", texts)
            kept = self._portion(counts["kept"], counts["decided"], "kept", "decided", texts)
            found.append((id, name, counts, flagged, kept))
        return sorted(found, key=lambda one: (-one[2]["texts"].count, one[1]))
