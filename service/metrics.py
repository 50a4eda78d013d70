"""What the service counts; no text, no identifier. With several processes, each counts apart and `/metrics` adds up."""

import contextlib
import os
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from model.records import Prediction
from service.settings import shared_folder

#: Seconds; a short text takes some hundredths, a long page some seconds, and nobody waits more than a minute.
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_HELD: Final = Path("/proc/self/statm")
_PAGE: Final = os.sysconf("SC_PAGESIZE")


class Metrics:
    """Counters of the service."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self.registry = registry
        self.requests = Counter("vigie_requests", "Requêtes HTTP.", ("method", "route", "status"), registry=registry)
        self.seconds = Histogram("vigie_request_seconds", "Durée des requêtes HTTP.", ("route",), registry=registry)
        self.texts = Counter("vigie_texts", "Textes analysés.", ("status", "level"), registry=registry)
        self.present = Counter("vigie_indicators", "Indicateurs présents.", ("indicator",), registry=registry)
        self.feedback = Counter("vigie_feedback", "Corrections reçues.", registry=registry)
        self.text_seconds = Histogram("vigie_text_seconds", "Analyse d'un texte.", buckets=_SECONDS, registry=registry)
        self.wait_seconds = Histogram(
            "vigie_queue_seconds", "Attente d'un texte avant son analyse.", buckets=_SECONDS, registry=registry
        )
        self.refused = Counter(
            "vigie_refused", "Requêtes refusées ou interrompues, le service étant saturé.", ("reason",), registry=registry
        )
        self.gone = Counter("vigie_disconnected", "Clients partis avant leur réponse.", registry=registry)
        self.swaps = Counter("vigie_model_swaps", "Changements de modèle en marche.", ("outcome",), registry=registry)
        self.waiting = self._gauge("vigie_queue_length", "Textes qui attendent leur analyse.")
        self.held = self._gauge("vigie_requests_held", "Requêtes admises, en attente ou en analyse.")
        self.streams = self._gauge("vigie_streams_open", "Flux ouverts.")
        self.memory = Gauge(
            "vigie_process_resident_bytes",
            "Mémoire de chaque processus, relevée à la fin de ses requêtes.",
            registry=registry,
            multiprocess_mode="liveall",
        )
        self.loaded = Gauge(
            "vigie_model_processes",
            "Processus qui servent ce modèle.",
            ("version",),
            registry=registry,
            multiprocess_mode="livesum",
        )

        # Set by the one process that watches drift; whoever did it last is right.
        self.drift = self._last("vigie_drift_index", "Indice de dérive de la dernière semaine, ses bornes.", "measure", "bound")
        self.drift_alert = self._last("vigie_drift_alert", "Mesure en alerte de dérive (1) ou non (0).", "measure")
        self.drift_texts = self._last("vigie_drift_texts", "Textes comptés de cette semaine.")
        self.drift_week = self._last("vigie_drift_week_seconds", "Début de cette semaine, en secondes depuis 1970.")
        self.drift_reference = self._last("vigie_drift_reference", "Ce à quoi le flux est comparé (1).", "source")
        self.precision = self._last("vigie_precision", "Précision estimée du dernier mois, et ses bornes à 95 %.", "bound")
        self.precision_texts = self._last("vigie_precision_texts", "Textes signalés et lus au hasard, de ce mois.")

    def _last(self, name: str, help: str, *labels: str) -> Gauge:
        return Gauge(name, help, labels, registry=self.registry, multiprocess_mode="mostrecent")

    def _gauge(self, name: str, help: str) -> Gauge:
        return Gauge(name, help, registry=self.registry, multiprocess_mode="livesum")

    def count(self, prediction: Prediction) -> None:
        """Count one analysed text."""
        level = str(prediction.risk.level) if prediction.risk else "none"
        self.texts.labels(prediction.status, level).inc()
        for name in prediction.present():
            self.present.labels(name).inc()

    def note_memory(self) -> None:
        """Keep how much memory this process holds, where the system tells it."""
        with contextlib.suppress(OSError, IndexError, ValueError):
            self.memory.set(int(_HELD.read_text().split()[1]) * _PAGE)

    def exposed(self) -> bytes:
        """All counters in the text format of Prometheus, those of the other processes included."""
        folder = shared_folder()
        if folder is None:
            return generate_latest(self.registry)
        _forget_dead(folder)
        together = CollectorRegistry()
        MultiProcessCollector(together, str(folder))  # type: ignore[no-untyped-call]
        return generate_latest(together)


def _forget_dead(folder: Path) -> None:
    """Take out of the sums what a process that is no more said of its present; what it had counted stays."""
    for path in folder.glob("gauge_live*_*.db"):
        number = int(path.stem.rpartition("_")[2])
        try:
            os.kill(number, 0)
        except ProcessLookupError:
            # Two processes may do so at once.
            with contextlib.suppress(FileNotFoundError):
                mark_process_dead(number, str(folder))  # type: ignore[no-untyped-call]
        except PermissionError:
            continue
