"""What waits, and what the service holds, as Prometheus gauges: counted in the database when asked, at most every ten seconds.

Counts only: no text, no name, nothing by person.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import Engine, Select, Table, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import QueuePool

from model.store import MANIFEST
from service.workplace.audit_schema import AUDIT
from service.workplace.receptions import EXPORTS
from service.workplace.schema import CLAIMS, IMPORTS, ITEMS, READINGS, TRAININGS
from service.workplace.times import now

_KEPT_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """Counts of the database: texts by state; of the rest what is waiting or under way; records of the audit log."""

    texts: dict[str, int]
    unread: int
    claims: int
    readings: int
    imports: dict[str, int]
    exports: dict[str, int]
    trainings: dict[str, int]
    records: int


@dataclass(slots=True)
class Gauges:
    """Counts what waits in a database, for as many who ask as there are."""

    engine: Engine
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _counted: tuple[float, Waiting] | None = None

    def exposed(self, version: str, model: Path) -> bytes:
        """The gauges in the text format of Prometheus; where the database does not answer, those of the process alone."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Shown(self._waiting(version), self.engine, version, model))
        return generate_latest(registry)

    def _waiting(self, version: str) -> Waiting | None:
        with self._lock:
            if self._counted is None or time.monotonic() - self._counted[0] > _KEPT_SECONDS:
                try:
                    self._counted = (time.monotonic(), _count(self.engine, version))
                except SQLAlchemyError:
                    self._counted = None
            return self._counted[1] if self._counted else None


def _count(engine: Engine, version: str) -> Waiting:
    with engine.connect() as connection:

        def number(query: Select[int]) -> int:
            return int(connection.execute(query).scalar_one() or 0)

        def states(table: Table) -> dict[str, int]:
            rows = connection.execute(select(table.c.state, func.count()).group_by(table.c.state))
            return {state: int(count) for state, count in rows}

        texts = states(ITEMS)
        return Waiting(
            texts,
            sum(texts.values()) - number(select(func.count()).where(ITEMS.c.model_version == version)),
            number(select(func.count()).select_from(CLAIMS).where(CLAIMS.c.expires_at > now())),
            number(select(func.count()).where(READINGS.c.kind == "second", READINGS.c.state == "waiting")),
            states(IMPORTS),
            states(EXPORTS),
            states(TRAININGS),
            number(select(func.max(AUDIT.c.number))),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Shown(Collector):
    waiting: Waiting | None
    engine: Engine
    version: str
    model: Path

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The gauges, one family after the other."""
        yield _one("vigie_database_up", "La base de données répond (1) ou non (0).", float(self.waiting is not None))
        if self.waiting is not None:
            yield _by("vigie_items", "Textes du poste de travail, par état.", "state", self.waiting.texts)
            yield _one("vigie_items_unread", "Textes que le modèle qui sert n'a pas encore lus.", self.waiting.unread)
            yield _one("vigie_items_held", "Textes pris par quelqu'un en ce moment.", self.waiting.claims)
            yield _one("vigie_readings_waiting", "Secondes lectures à l'aveugle qui attendent.", self.waiting.readings)
            yield _by("vigie_imports", "Imports, par état.", "state", self.waiting.imports)
            yield _by("vigie_exports", "Exports, par état.", "state", self.waiting.exports)
            yield _by("vigie_trainings", "Entraînements demandés depuis la page, par état.", "state", self.waiting.trainings)
            yield _one("vigie_audit_records", "Enregistrements du journal d'audit.", self.waiting.records)
        pool = self.engine.pool
        if isinstance(pool, QueuePool):
            used = {"used": pool.checkedout(), "idle": pool.checkedin()}
            yield _by("vigie_database_connections", "Connexions de ce processus à la base.", "state", used)
        manifest = self.model / MANIFEST
        if manifest.exists():
            age = max(0.0, time.time() - manifest.stat().st_mtime)
            yield _by(
                "vigie_model_age_seconds", "Temps depuis que le modèle qui sert a été écrit.", "version", {self.version: age}
            )


def _one(name: str, help: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, help, value=value)


def _by(name: str, help: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family
