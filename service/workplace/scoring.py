"""Texts that wait for the model that serves are read in the background, a few at a time, by one process of the service."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from typing import Final

from sqlalchemy import Connection, Engine, func, or_, select

from model.analyser import Analyser, Options
from model.decide import with_prior
from model.labels import DEFAULT_OPERATING_POINT
from model.records import Prediction
from service.problems import ApiError
from service.state import State
from service.workplace.leases import database_lease
from service.workplace.said import keep_predictions
from service.workplace.schema import ITEMS
from service.workplace.similar import index_signed, indexed, resemble, signatures_of

_LOG: Final = logging.getLogger("vigie")
_LEASE: Final = "scoring"
#: Seconds between two looks when nothing waits, or when another process does the work.
_PAUSE: Final = 1.0
_LATER: Final = 5.0


def waiting(connection: Connection, version: str, limit: int) -> dict[str, str]:
    """Texts by identifier that this version of the model has not read: never read ones first, in the order received."""
    found: dict[str, str] = {}
    # Ranges, not « different »: each is a short walk on the index.
    for condition in (ITEMS.c.model_version.is_(None), ITEMS.c.model_version < version, ITEMS.c.model_version > version):
        if len(found) < limit:
            wanted = select(ITEMS.c.id, ITEMS.c.text).where(condition)
            rows = connection.execute(wanted.order_by(ITEMS.c.model_version, ITEMS.c.id).limit(limit - len(found)))
            found |= {id: content for id, content in rows}
    return found


def count_waiting(connection: Connection, version: str) -> int:
    """How many texts this version of the model has not read."""
    other = or_(ITEMS.c.model_version.is_(None), ITEMS.c.model_version < version, ITEMS.c.model_version > version)
    return connection.execute(select(func.count()).select_from(ITEMS).where(other)).scalar_one()


def threshold_of(analyser: Analyser, options: Options) -> float:
    """The threshold of the flag on `risk.score`, in (0, 1): moved to the base rate assumed, as the score is."""
    flag = analyser.artefact.points[options.operating_point].flag
    return flag if options.prior is None else with_prior(flag, float(analyser.artefact.manifest["base_rate"]), options.prior)


def keep(engine: Engine, texts: Mapping[str, str], predictions: Mapping[str, Prediction], threshold: float) -> None:
    """Keep what was said of texts, in one transaction, then find their near-duplicates; decisions stay as they are."""
    with engine.connect() as connection:
        unknown = texts.keys() - indexed(connection, texts)
    signatures = signatures_of({id: texts[id] for id in unknown})
    with engine.begin() as connection:
        index_signed(connection, signatures)
        keep_predictions(connection, predictions, threshold)
    resemble(engine, predictions)


def score_waiting(engine: Engine, analyser: Analyser, limit: int, options: Options | None = None) -> int:
    """Read at most `limit` texts that this model has not read; returns how many were. No transaction is held meanwhile."""
    chosen = options or Options(DEFAULT_OPERATING_POINT)
    with engine.connect() as connection:
        texts = waiting(connection, analyser.artefact.version, limit)
    if texts:
        predictions = {id: analyser.predict(content, id=id, options=chosen) for id, content in texts.items()}
        keep(engine, texts, predictions, threshold_of(analyser, chosen))
    return len(texts)


async def keep_scoring(state: State) -> None:
    """Read what waits until cancelled, in lots of `settings.scoring_batch`; texts of requests take turns with these."""
    while state.settings.scoring and not state.draining.is_set():
        try:
            with ExitStack() as stack:
                held = await asyncio.to_thread(stack.enter_context, database_lease(state.engine, _LEASE))
                while held and not state.draining.is_set():
                    if not await _lot(state):
                        await asyncio.sleep(_PAUSE)
        except ApiError:
            return  # the service is stopping
        except Exception as error:
            # Whatever happens, a later lot is tried.
            _LOG.error("L'analyse en tâche de fond est remise à plus tard (%s).", type(error).__name__)
        await asyncio.sleep(_LATER)


async def _lot(state: State) -> int:
    """Read one lot; how many texts were read.

    Raises:
        ApiError: the service is stopping.
    """
    analyser = state.analyser
    options = Options(state.settings.operating_point, state.settings.prior)
    texts = await asyncio.to_thread(_waiting, state.engine, analyser.artefact.version, state.settings.scoring_batch)
    if not texts:
        return 0
    reader = state.reader()
    predictions = {id: await state.slots.run(partial(reader.text, content, id)) for id, content in texts.items()}
    await asyncio.to_thread(keep, state.engine, texts, predictions, threshold_of(analyser, options))
    return len(texts)


def _waiting(engine: Engine, version: str, limit: int) -> dict[str, str]:
    with engine.connect() as connection:
        return waiting(connection, version, limit)
