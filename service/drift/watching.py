"""Beside the answers, one process of the service notes what is counted of texts, keeps the weeks, and tells Prometheus."""

import math
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from sqlalchemy import Engine

from model.facts import measures
from service.drift.counting import note_facts
from service.drift.references import Chosen, Model, chosen_reference, model_of
from service.drift.view import Watched, watched
from service.drift.weeks import refresh
from service.metrics import Metrics
from service.settings import Settings
from service.state import State
from service.workplace.background import keep_running
from service.workplace.leases import database_lease
from service.workplace.times import midnight

#: Seconds between two looks: weeks are slow.
_PAUSE: Final = 60.0
_LEASE: Final = "drift"
#: Seconds between two lots of texts.
_REST: Final = 0.05


def look(engine: Engine, model: Model, threshold: float, stopped: Callable[[], bool] | None = None) -> Chosen:
    """Note all texts that were read since, and compute the weeks that changed; returns the reference that holds.

    `stopped`, of a service: asked between two lots of texts, and its requests are left some time there.
    """
    while note_facts(engine):
        if stopped is not None:
            if stopped():
                break
            time.sleep(_REST)
    chosen = chosen_reference(engine, model)
    refresh(engine, model.version, chosen, threshold)
    return chosen


def drift_of(engine: Engine, model: Model) -> Watched:
    """Drift of a database as last computed, for this model."""
    chosen = chosen_reference(engine, model)
    with engine.connect() as connection:
        return watched(connection, model.version, chosen)


async def keep_watching(state: State) -> None:
    """Look every minute until cancelled; where no text is read in the background, nothing is watched there either."""
    if state.settings.scoring:
        await keep_running(state, partial(_look, state), _PAUSE, "Le suivi de la dérive")


def _look(state: State, engine: Engine, settings: Settings, stopped: Callable[[], bool]) -> int:
    with database_lease(engine, _LEASE) as held:
        if held:
            model = model_of(state.analyser.artefact)
            look(engine, model, settings.drift_threshold, stopped)
            tell(state.metrics, drift_of(engine, model))
    return 0


def tell(metrics: Metrics, found: Watched) -> None:
    """Set the gauges: the last week with texts enough, and precision in the last month that has some.

    Every gauge is set each time: what is not known any more is not a number, instead of what it was.
    """
    week = found.latest
    shifts = {shift.measure: shift for shift in week.shifts} if week else {}
    metrics.drift_texts.set(week.covered if week else 0)
    metrics.drift_week.set(midnight(week.monday).timestamp() if week else math.nan)
    for measure in measures():
        shift = shifts.get(measure.id)
        for bound in ("psi", "low", "high"):
            value = getattr(shift, bound, None)
            metrics.drift.labels(measure.id, bound).set(math.nan if value is None else value)
        metrics.drift_alert.labels(measure.id).set(shift is not None and shift.state == "alert")
    for source in ("corpus", "stream", "none"):
        metrics.drift_reference.labels(source).set(found.chosen.source == source)
    months = [one.precision for one in found.precision if one.kind == "month"]
    last = months[-1] if months else None
    for bound in ("value", "low", "high"):
        metrics.precision.labels(bound).set(getattr(last, bound) if last else math.nan)
    metrics.precision_texts.set(last.total if last else 0)
