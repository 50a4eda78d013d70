"""Texts that wait to be linked are taken up in the background, some at a time, by one process of the service."""

import asyncio
import logging
from contextlib import ExitStack
from typing import Final

from sqlalchemy import Engine, delete, func, select

from service.campaigns.index import count_anew, keep, look, mark_of
from service.campaigns.links import TURN
from service.campaigns.schema import CAMPAIGN_WAITING
from service.database import serialise
from service.state import State
from service.workplace.leases import database_lease
from service.workplace.schema import ITEMS

_LOG: Final = logging.getLogger("vigie")
_LEASE: Final = "campaigns"
_LOT: Final = 50
#: Seconds between two looks when nothing waits, and when another process does the work.
_PAUSE: Final = 1.0
_LATER: Final = 5.0


def count_unlinked(engine: Engine) -> int:
    """How many texts wait to be linked."""
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(CAMPAIGN_WAITING)).scalar_one())


def link_waiting(engine: Engine, limit: int = _LOT) -> int:
    """Link at most `limit` texts that wait, oldest first; returns how many were. Reading holds no transaction that writes."""
    with engine.connect() as connection:
        ids = list(connection.scalars(select(CAMPAIGN_WAITING.c.item_id).order_by(CAMPAIGN_WAITING.c.item_id).limit(limit)))
        found = [seen for id in ids if (seen := look(connection, id))]
    if not found:
        return 0
    with engine.begin() as connection:
        serialise(connection, TURN)
        changed: set[str] = set()
        marks = {row.id: mark_of(row) for row in connection.execute(select(ITEMS).where(ITEMS.c.id.in_(ids)))}
        for seen in found:
            # A text that was read or decided on meanwhile waits for the next look.
            if marks.get(seen.item_id) == seen.mark:
                changed |= keep(connection, seen)
                connection.execute(delete(CAMPAIGN_WAITING).where(CAMPAIGN_WAITING.c.item_id == seen.item_id))
        count_anew(connection, changed)
    return len(found)


def link_all(engine: Engine) -> int:
    """Link every text that waits; returns how many looks that took."""
    done = 0
    while count := link_waiting(engine):
        done += count
    return done


async def keep_linking(state: State) -> None:
    """Link what waits until cancelled; off where background reading is off."""
    while state.settings.scoring and not state.draining.is_set():
        try:
            with ExitStack() as stack:
                held = await asyncio.to_thread(stack.enter_context, database_lease(state.engine, _LEASE))
                while held and not state.draining.is_set():
                    if not await asyncio.to_thread(link_waiting, state.engine):
                        await asyncio.sleep(_PAUSE)
        except Exception as error:
            # Whatever happens, a later lot is tried.
            _LOG.error("Les campagnes sont remises à plus tard (%s).", type(error).__name__)
        await asyncio.sleep(_LATER)
