"""Precision by week and month of receipt, estimated on the texts that people read by chance (`service.workplace.cohorts`)."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy import Connection

from service.drift.weeks import monday_of
from service.workplace.cohorts import Flagged, flagged_by_chance
from service.workplace.estimates import Estimate, weighted_share
from service.workplace.times import local_day

MONTHS: Final = 12
WEEKS: Final = 26


@dataclass(frozen=True, slots=True)
class Period:
    """A week from its Monday (`kind` week) or a month from its first day (month), and the precision on its texts."""

    kind: str
    first: date
    precision: Estimate


def precision_by_period(connection: Connection) -> list[Period]:
    """The last months, then the last weeks, in which flagged texts of the random sample came; oldest first in each.

    A text weighs as many texts as it stands for in its cohort; the interval is Wilson's on the effective number of texts.
    """
    found = flagged_by_chance(connection)
    months = [(local_day(one.received_at).replace(day=1), one) for one in found]
    weeks = [(monday_of(local_day(one.received_at)), one) for one in found]
    return [*_periods("month", months)[-MONTHS:], *_periods("week", weeks)[-WEEKS:]]


def _periods(kind: str, texts: Sequence[tuple[date, Flagged]]) -> list[Period]:
    parts: dict[date, dict[float, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for first, one in texts:
        part = parts[first][one.weight]
        part[0] += one.right
        part[1] += 1
    return [
        Period(kind, first, weighted_share([(weight, right, many) for weight, (right, many) in sorted(parts[first].items())]))
        for first in sorted(parts)
    ]
