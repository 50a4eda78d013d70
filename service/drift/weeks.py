"""The weeks of the stream beside the reference: computed where something changed, kept without a text, read by pages."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, select

from model.facts import Measure, measures
from service.drift.counting import WEEK, count_weeks, read_facts
from service.drift.psi import Shift, compare
from service.drift.references import Chosen
from service.drift.schema import DRIFT_WEEKS
from service.workplace.times import aware, local_day, now

#: Weeks that are looked at, the present one included.
WEEKS: Final = 27


@dataclass(frozen=True, slots=True)
class Week:
    """A week from its Monday: texts counted, each measure beside the reference, the threshold then, when it was computed."""

    monday: date
    model_version: str
    reference: int | None
    threshold: float
    covered: int
    shifts: Sequence[Shift]
    made_at: datetime

    @property
    def enough(self) -> bool:
        """Whether there were texts enough to say anything."""
        return any(shift.state != "few" for shift in self.shifts)

    def at(self, state: str) -> list[Shift]:
        """The measures in this state."""
        return [shift for shift in self.shifts if shift.state == state]

    @property
    def over(self) -> bool:
        """Whether the week is over."""
        return self.monday + WEEK <= local_day(now())


def monday_of(day: date) -> date:
    """The Monday of the week of a day."""
    return day - timedelta(days=day.weekday())


def refresh(engine: Engine, version: str, chosen: Chosen, threshold: float) -> int:
    """Compute the weeks whose texts, reference or threshold changed since they were; returns how many were.

    What was computed of a week stays when texts of it are erased since: those that are left are no longer the stream.
    """
    last = monday_of(local_day(now()))
    mondays = [last - (WEEKS - 1 - number) * WEEK for number in range(WEEKS)]
    with engine.connect() as connection:
        counts = dict(zip(mondays, count_weeks(connection, mondays, version), strict=True))
        known = {week.monday: week for week in _read(connection, version, mondays[0])}
    done = 0
    for monday, covered in counts.items():
        before = known.get(monday)
        same = before and (before.reference, before.threshold) == (chosen.number, threshold)
        if (before and same and covered <= before.covered) or (not before and not covered):
            continue
        _compute(engine, version, chosen, threshold, monday)
        done += 1
    return done


def _compute(engine: Engine, version: str, chosen: Chosen, threshold: float, monday: date) -> None:
    with engine.connect() as connection:
        facts = read_facts(connection, monday, monday + WEEK - timedelta(days=1), version)
    shifts = compare(chosen.reference, facts, threshold, seed=monday.toordinal()) if chosen.reference else []
    values: dict[str, Any] = {"reference": chosen.number, "threshold": threshold, "covered": len(facts), "made_at": now()}
    values |= {"monday": monday, "model_version": version, "shifts": [asdict(shift) for shift in shifts]}
    with engine.begin() as connection:
        mine = (DRIFT_WEEKS.c.monday == monday, DRIFT_WEEKS.c.model_version == version)
        connection.execute(delete(DRIFT_WEEKS).where(*mine))
        connection.execute(DRIFT_WEEKS.insert().values(**values))


def read_weeks(connection: Connection, version: str) -> list[Week]:
    """The weeks looked at, as this model sees them, oldest first."""
    first = monday_of(local_day(now())) - (WEEKS - 1) * WEEK
    return sorted(_read(connection, version, first), key=lambda week: week.monday)


def latest(weeks: Sequence[Week]) -> Week | None:
    """The last week with texts enough to say something, which may be the present one."""
    return next((week for week in reversed(weeks) if week.enough), None)


def _read(connection: Connection, version: str, first: date) -> list[Week]:
    query = select(DRIFT_WEEKS).where(DRIFT_WEEKS.c.monday >= first, DRIFT_WEEKS.c.model_version == version)
    return [_week(row) for row in connection.execute(query).mappings()]


def _week(row: Mapping[Any, Any]) -> Week:
    values = {name: row[name] for name in ("monday", "model_version", "reference", "threshold", "covered")}
    return Week(**values, shifts=[Shift(**shift) for shift in row["shifts"]], made_at=aware(row["made_at"]))


def names() -> Mapping[str, Measure]:
    """The measures by identifier."""
    return {measure.id: measure for measure in measures()}
