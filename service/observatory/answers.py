"""Answers to selections, kept with the counts that they were made of; the usual one is ready before anybody asks for it."""

from collections.abc import Callable
from typing import Final, cast

from sqlalchemy import Engine

from service.observatory.measures import ModelError, model_error
from service.observatory.selection import Answer, Wanted
from service.observatory.sheets import Sheet, sheets_of
from service.observatory.snapshot import newest
from service.settings import Settings
from service.state import State
from service.workplace.background import keep_running

#: Seconds between two looks at whether anything changed.
_PAUSE: Final = 20.0


def error_of(state: State) -> ModelError | None:
    """The measured errors of the model that serves, at the operating point that texts are read at."""
    return model_error(state.analyser.artefact, state.settings.operating_point)


def answer_of(state: State, wanted: Wanted) -> tuple[Answer, list[Sheet]]:
    """The answer to a selection, with its sheets.

    Raises:
        PeriodError: there is nothing of this date or value.
    """
    snapshot = newest(state.engine)
    key = (wanted, state.analyser.artefact.version)
    found = snapshot.answers.get(key)
    if found is None:
        answer = Answer(snapshot, wanted)
        found = snapshot.keep(key, (answer, sheets_of(answer, error_of(state))))
    return cast("tuple[Answer, list[Sheet]]", found)


async def keep_observing(state: State) -> None:
    """Count what the observatory shows, at the start and where something changed, so that nobody waits for it."""

    def look(_: Engine, __: Settings, stop: Callable[[], bool]) -> int:
        if not stop():
            answer_of(state, Wanted())
        return 0

    await keep_running(state, look, _PAUSE, "Les chiffres de l'observatoire sont")
