"""A clock that was ahead and is put right leaves instants that lie far off: what they would hold up is settled by itself.

A text taken while the clock was a year ahead would stay taken for a year, and somebody told to wait a minute would wait as long.
An instant further off than it can be was written by a clock that was wrong. One that was behind does no harm: what was written
then is over sooner, people sign in or take their text again.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from sqlalchemy import Engine, delete, select, update

from service.settings import Settings
from service.state import State
from service.workplace.access_schema import SIGN_IN_TRIES
from service.workplace.background import keep_running
from service.workplace.claims import LASTS
from service.workplace.schema import CLAIMS, SESSIONS
from service.workplace.times import now
from service.workplace.tries import RULES

_LOG: Final = logging.getLogger("vigie")
_PAUSE: Final = 10.0
#: By how much two machines, or one before and after it was put right, may differ without anybody noticing.
SKEW: Final = timedelta(minutes=5)
_LONGEST_HOLD: Final = timedelta(seconds=max(rule.longest for rule in RULES.values()))


def settle(engine: Engine, settings: Settings, _: Callable[[], bool] = lambda: False) -> int:
    """Put right what a clock that was ahead left: texts held, waits to sign in, sessions; returns how many of them."""
    at = now()
    latest = at + SKEW
    longest = timedelta(seconds=settings.session_longest)
    held = CLAIMS.c.expires_at > latest + LASTS
    waits = (SIGN_IN_TRIES.c.held_until > latest + _LONGEST_HOLD) | (SIGN_IN_TRIES.c.last_at > latest)
    sessions = (SESSIONS.c.seen_at > latest) | (SESSIONS.c.expires_at > latest + longest)
    with engine.connect() as connection:
        # Reading first: in the common case nothing is to be done, and nobody waits for a writer.
        wrong = ((CLAIMS, held), (SIGN_IN_TRIES, waits), (SESSIONS, sessions))
        found = [connection.execute(select(1).select_from(table).where(far).limit(1)).first() for table, far in wrong]
    if not any(found):
        return 0
    with engine.begin() as connection:
        freed = connection.execute(delete(CLAIMS).where(held)).rowcount
        forgotten = connection.execute(delete(SIGN_IN_TRIES).where(waits)).rowcount
        values = {"seen_at": at, "created_at": at, "expires_at": at + longest}
        kept = connection.execute(update(SESSIONS).where(sessions).values(**values)).rowcount
    _LOG.warning(
        "L'horloge a reculé : %d texte(s) libéré(s), %d attente(s) levée(s), %d session(s) redatée(s).", freed, forgotten, kept
    )
    return freed + forgotten + kept


async def keep_settling(state: State) -> None:
    """Look at it until cancelled."""
    await keep_running(state, settle, _PAUSE, "Les instants à venir sont")
