"""What the application holds while it runs, and the typed way for routes to reach it."""

import asyncio
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import Engine

from model.analyser import Analyser
from model.records import OperatingPointName
from service.gauges import Gauges
from service.metrics import Metrics
from service.models import Models
from service.reading import Reader
from service.secret import Keyring, keyring_of
from service.settings import Settings
from service.slots import Slots


@dataclass(frozen=True, slots=True)
class State:
    """The model, the slots, the database, the settings and the counters of a running application.

    `draining` is set once the process was told to stop: what is under way is answered, a stream ends at its next line.
    """

    models: Models
    slots: Slots
    engine: Engine
    settings: Settings
    metrics: Metrics
    gauges: Gauges
    draining: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def analyser(self) -> Analyser:
        """The model that serves now."""
        return self.models.current

    @property
    def keyring(self) -> Keyring:
        """The secrets that tokens are kept under."""
        return keyring_of(self.settings)

    def reader(self, point: OperatingPointName | None = None, prior: float | None = None) -> Reader:
        """What reads the texts of one request, with the model that serves now and these options or those of the settings."""
        return Reader(self.models.current, self.settings, self.metrics, point, prior)


def state_of(request: Request) -> State:
    """The state of the application that a request reached."""
    state: State = request.app.state.vigie
    return state


StateDep = Annotated[State, Depends(state_of)]
