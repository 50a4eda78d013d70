"""Texts that wait to be linked are taken up in the background, some at a time, by one process of the service."""

import asyncio
import logging
from contextlib import ExitStack
from typing import Final

from sqlalchemy import Engine, func, select

from service.campaigns.counting import TURN, count_soon, count_waiting
from service.campaigns.index import keep, taken_up
from service.campaigns.looking import look, mark_of
from service.campaigns.schema import CAMPAIGN_WAITING
from service.database import serialise
from service.state import State
from service.workplace.leases import database_lease
from service.workplace.lots import KEYS, among, keys_for
from service.workplace.schema import ITEMS

_LOG: Final = logging.getLogger("vigie")
_LEASE: Final = "campaigns"
#: Texts that are linked together: what is asked and written once for all of them.
_LOT: Final = 500
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
        waiting = select(CAMPAIGN_WAITING.c.item_id).order_by(CAMPAIGN_WAITING.c.item_id).limit(limit)
        found = look(connection, list(connection.scalars(waiting)))
    if not found:
        return 0
    with engine.begin() as connection:
        serialise(connection, TURN)
        ids = [one.item_id for one in found]
        columns = (
            ITEMS.c.id,
            ITEMS.c.model_version,
            ITEMS.c.stance,
            ITEMS.c.decided_stance,
            ITEMS.c.level,
            ITEMS.c.decided_level,
        )
        rows = connection.execute(select(*columns).where(among(connection, ITEMS.c.id)), {KEYS: keys_for(connection, ids)})
        marks = {row.id: mark_of(row) for row in rows}
        # A text that was read or decided on meanwhile waits for the next look.
        same = [one for one in found if marks.get(one.item_id) == one.mark]
        # Before anything is kept: this may make some of them wait anew.
        taken_up(connection, [one.item_id for one in same])
        count_soon(connection, keep(connection, same))
    return len(found)


def link_all(engine: Engine) -> int:
    """Link every text that waits, and count what large campaigns have become; returns how many looks that took."""
    done = 0
    while count := link_waiting(engine):
        done += count
    while count_waiting(engine):
        pass
    return done


async def keep_linking(state: State) -> None:
    """Link what waits until cancelled; off where background reading is off."""
    while state.settings.scoring and not state.draining.is_set():
        try:
            with ExitStack() as stack:
                held = await asyncio.to_thread(stack.enter_context, database_lease(state.engine, _LEASE))
                while held and not state.draining.is_set():
                    if await asyncio.to_thread(link_waiting, state.engine):
                        continue
                    if not await asyncio.to_thread(count_waiting, state.engine):
                        await asyncio.sleep(_PAUSE)
        except Exception as error:
            # Whatever happens, a later lot is tried.
            _LOG.error("Les campagnes sont remises à plus tard (%s).", type(error).__name__)
        await asyncio.sleep(_LATER)
