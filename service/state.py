"""What the application holds while it runs, and the typed way for routes to reach it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from prometheus_client import CollectorRegistry, Counter, Histogram
from sqlalchemy import Engine

from model.analyser import Analyser, Options
from model.records import OperatingPointName, Prediction
from service.settings import Settings


class Metrics:
    """Counters of the service; no text, no identifier."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("vigie_requests", "Requêtes HTTP.", ("method", "route", "status"), registry=self.registry)
        self.seconds = Histogram("vigie_request_seconds", "Durée des requêtes HTTP.", ("route",), registry=self.registry)
        self.texts = Counter("vigie_texts", "Textes analysés.", ("status", "level"), registry=self.registry)
        self.present = Counter("vigie_indicators", "Indicateurs présents.", ("indicator",), registry=self.registry)
        self.feedback = Counter("vigie_feedback", "Corrections reçues.", registry=self.registry)

    def count(self, prediction: Prediction) -> None:
        """Count one analysed text."""
        level = str(prediction.risk.level) if prediction.risk else "none"
        self.texts.labels(prediction.status, level).inc()
        for name in prediction.present():
            self.present.labels(name).inc()


@dataclass(frozen=True, slots=True)
class State:
    """The analyser, the database, the settings and the counters of a running application."""

    analyser: Analyser
    engine: Engine
    settings: Settings
    metrics: Metrics

    def predict(
        self, text: str, id: str | None, point: OperatingPointName | None = None, prior: float | None = None
    ) -> Prediction:
        """Analyse one text with the service's limits, and count it."""
        assumed = self.settings.prior if prior is None else prior
        options = Options(point or self.settings.operating_point, assumed, self.settings.max_characters)
        prediction = self.analyser.predict(text, id=id, options=options)
        self.metrics.count(prediction)
        return prediction


def state_of(request: Request) -> State:
    """The state of the application that a request reached."""
    state: State = request.app.state.vigie
    return state


StateDep = Annotated[State, Depends(state_of)]
