"""The periods that figures are given by: weeks, and months, quarters and years made of whole weeks.

A week belongs to the month, the quarter and the year that hold its Thursday (ISO 8601 says so of years). Thus every period
is a sum of shorter ones, and none can be told apart by the few days that two calendars do not share.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from model.errors import VigieError

Kind = Literal["week", "month", "quarter", "year"]
KINDS: Final[dict[Kind, str]] = {"week": "semaine", "month": "mois", "quarter": "trimestre", "year": "année"}
_MONTHS: Final = (
    *("janvier", "février", "mars", "avril", "mai", "juin"),
    *("juillet", "août", "septembre", "octobre", "novembre", "décembre"),
)
#: Week 0 begins on Monday 5 January 1970.
_FIRST: Final = date(1970, 1, 5)
_MOST_WEEKS: Final = 20_000


class PeriodError(VigieError):
    """Dates that make no period; the message says what was expected."""


def week_of(day: date) -> int:
    """The number of the week that a day is in: 0 begins on 5 January 1970."""
    return (day - _FIRST).days // 7


def monday_of(week: int) -> date:
    """The Monday that a week begins on."""
    return _FIRST + timedelta(weeks=week)


def month_of(week: int) -> int:
    """The month that a week belongs to, as 12 times the year plus 0 to 11."""
    thursday = monday_of(week) + timedelta(days=3)
    return 12 * thursday.year + thursday.month - 1


@dataclass(frozen=True, slots=True)
class Period:
    """A period from week `first` to week `last`, both in it. `key`: 2026, 2026-T1, 2026-01 or 2026-S05."""

    kind: Kind
    key: str
    name: str
    first: int
    last: int

    @property
    def begins(self) -> date:
        """Its first day, a Monday."""
        return monday_of(self.first)

    @property
    def ends(self) -> date:
        """Its last day, a Sunday."""
        return monday_of(self.last) + timedelta(days=6)


@dataclass(frozen=True)
class Calendar:
    """Whole months from one to another, as a tree: all, years, quarters, months, weeks. Nodes are numbered in that order.

    `first_month` and `last_month` are numbered as by `month_of`.
    """

    first_month: int
    last_month: int

    @cached_property
    def periods(self) -> tuple[Period, ...]:
        """The nodes but the root, which is node 0: node n is `periods[n - 1]`."""
        made: list[Period] = []
        for kind, groups in (("year", self._groups(12)), ("quarter", self._groups(3)), ("month", self._groups(1))):
            made += [_period(kind, months) for months in groups]  # type: ignore[arg-type]
        weeks = [week for month in range(self.first_month, self.last_month + 1) for week in weeks_of(month)]
        return (*made, *(_week(week) for week in weeks))

    def _groups(self, size: int) -> list[list[int]]:
        months = range(self.first_month, self.last_month + 1)
        return [[month for month in months if month // size == group] for group in sorted({month // size for month in months})]

    @cached_property
    def parents(self) -> NDArray[np.int64]:
        """The parent of each node; -1 for the root."""
        parents = [-1]
        above: dict[str, int] = {}
        for node, period in enumerate(self.periods, 1):
            parents.append(above.get(_above(period), 0))
            above[period.key] = node
        return np.array(parents, dtype=np.int64)

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """The nodes right below each node."""
        below: list[list[int]] = [[] for _ in self.parents]
        for node, parent in enumerate(self.parents.tolist()):
            if parent >= 0:
                below[parent].append(node)
        return tuple(tuple(nodes) for nodes in below)

    @cached_property
    def nodes(self) -> dict[str, int]:
        """The node of each period's key."""
        return {period.key: node for node, period in enumerate(self.periods, 1)}

    @cached_property
    def month_nodes(self) -> int:
        """How many nodes there are down to the months: those of weeks come after."""
        return 1 + sum(period.kind != "week" for period in self.periods)

    def of_kind(self, kind: Kind) -> list[Period]:
        """The periods of a kind, in order."""
        return [period for period in self.periods if period.kind == kind]

    def within(self, first: int, last: int) -> tuple[int, ...]:
        """The fewest nodes that make up weeks `first` to `last`, which begin and end with whole months (or are the root)."""
        if self.periods and first <= self.periods[0].first and last >= self.of_kind("year")[-1].last:
            return (0,)
        found: list[int] = []
        covered: set[int] = set()
        for node, period in enumerate(self.periods, 1):
            if int(self.parents[node]) in covered:
                covered.add(node)
            elif first <= period.first and period.last <= last and period.kind != "week":
                covered.add(node)
                found.append(node)
        return tuple(found)


def _above(period: Period) -> str:
    """The key of the period that one lies in."""
    if period.kind == "week":
        return _month_key(month_of(period.first))
    if period.kind == "month":
        year, month = period.key.split("-")
        return f"{year}-T{(int(month) - 1) // 3 + 1}"
    return period.key.split("-")[0] if period.kind == "quarter" else ""


def weeks_of(month: int) -> range:
    """The weeks that belong to a month."""
    begins = date(month // 12, month % 12 + 1, 1)
    after = date((month + 1) // 12, (month + 1) % 12 + 1, 1)
    # The first Thursday on or after the first day decides.
    return range(week_of(begins + timedelta(days=3)), week_of(after + timedelta(days=3)))


def _month_key(month: int) -> str:
    return f"{month // 12}-{month % 12 + 1:02d}"


def _period(kind: Kind, months: Sequence[int]) -> Period:
    first, last = weeks_of(months[0])[0], weeks_of(months[-1])[-1]
    year, month = months[0] // 12, months[0] % 12
    if kind == "year":
        return Period(kind, str(year), str(year), first, last)
    if kind == "quarter":
        number = month // 3 + 1
        return Period(kind, f"{year}-T{number}", f"{number}{'er' if number == 1 else 'e'} trimestre {year}", first, last)
    return Period(kind, _month_key(months[0]), f"{_MONTHS[month]} {year}", first, last)


def _week(week: int) -> Period:
    year, number, _ = monday_of(week).isocalendar()
    return Period("week", f"{year}-S{number:02d}", f"semaine du {monday_of(week):%d/%m/%Y}", week, week)


def calendar_of(weeks: NDArray[np.int64]) -> Calendar:
    """The calendar that holds these weeks.

    Raises:
        PeriodError: they lie further apart than any collection does: a date is wrong.
    """
    if weeks.size == 0:
        today = week_of(date.today())
        return Calendar(month_of(today), month_of(today))
    first, last = int(weeks.min()), int(weeks.max())
    if last - first > _MOST_WEEKS:
        raise PeriodError("Les dates des textes s'étendent sur plus de 380 ans : l'une d'elles est fausse.")
    return Calendar(month_of(first), month_of(last))


def read_day(text: str, field: str) -> date | None:
    """A day as a form sends it (2026-03-31), None where nothing is given.

    Raises:
        PeriodError: it is no date; the message names the field.
    """
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise PeriodError(f"{field} « {text[:40]} » : une date est attendue, telle que 2026-03-31.") from error
