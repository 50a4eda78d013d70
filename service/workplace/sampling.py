"""What to read next: a way is drawn by the set shares, then a text that way; both are recorded with the decision.

The way `random` walks new texts in the order of the SHA-256 of their content, which is an order by chance that nobody
chooses, and goes back to those that came since. What is thus read to its end is a random sample, whatever way each text of
it came to be read; figures are estimated on that sample alone (`service.workplace.cohorts`).
"""

import hashlib
import hmac
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, select

from model.decide import OperatingPoint
from service.workplace.candidates import Candidate, Pools, Task, find_candidates
from service.workplace.choices import POLICIES, choice, secret
from service.workplace.claims import Taken, claim
from service.workplace.draws import ask_second
from service.workplace.people import Person
from service.workplace.reading import hidden_from
from service.workplace.schema import CLAIMS, DECISIONS, ITEMS
from service.workplace.times import now

QUEUE: Final = "queue"
_FRESH_SECONDS: Final = 120.0
_TRIED: Final = 40
_SYSTEM: Final = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Drawn:
    """A text drawn for a person, theirs now: by which way, at what share, what to do, and the address where."""

    item_id: str
    policy: str
    share: float
    task: Task
    path: str


class _Ready:
    """The candidates of a database, found anew in the background when they are old; threads share one search."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.found: Pools | None = None
        self.made = 0.0
        self.searching: threading.Thread | None = None

    def search(self, engine: Engine, point: OperatingPoint) -> threading.Thread | None:
        with self.lock:
            if self.searching is None and (self.found is None or time.monotonic() - self.made > _FRESH_SECONDS):
                self.searching = threading.Thread(target=self._search, args=(engine, point), daemon=True)
                self.searching.start()
            return self.searching

    def _search(self, engine: Engine, point: OperatingPoint) -> None:
        try:
            with engine.connect() as connection:
                found = find_candidates(connection, point)
            with self.lock:
                self.found, self.made = found, time.monotonic()
        finally:
            with self.lock:
                self.searching = None


_READY: "WeakKeyDictionary[Engine, _Ready]" = WeakKeyDictionary()
_READY_LOCK: Final = threading.Lock()


def candidates(engine: Engine, point: OperatingPoint, wait: float = 0.0) -> Pools | None:
    """The texts that each way but `random` would give, found a moment ago; None while the first search goes on.

    `wait`: seconds to wait for that first search.
    """
    with _READY_LOCK:
        ready = _READY.setdefault(engine, _Ready())
    searching = ready.search(engine, point)
    if ready.found is None and searching is not None and wait:
        searching.join(wait)
    return ready.found


def forget_candidates(engine: Engine) -> None:
    """Find candidates anew at the next request."""
    with _READY_LOCK:
        _READY.pop(engine, None)


def draw(engine: Engine, person: Person, point: OperatingPoint, wait: float = 20.0) -> Drawn | None:
    """The next text for a person, claimed: a way drawn by the shares, and another one where that one has nothing.

    None: there is nothing that this person could read.
    """
    with engine.connect() as connection:
        shares = choice(connection, "sampling_shares")
    for policy in _order(shares):
        pool = [] if policy == "random" else (candidates(engine, point, wait) or {}).get(policy, [])
        way = (policy, shares[policy])
        drawn = _next_random(engine, person, way) if policy == "random" else _next_of(engine, person, pool, way)
        if drawn is not None:
            return _opened(engine, person, drawn, policy, shares[policy])
    return None


def _order(shares: dict[str, float]) -> list[str]:
    """The ways that have a share, the first drawn by it, the next ones by theirs among what is left."""
    left = {policy: shares[policy] for policy in POLICIES if shares[policy] > 0}
    order = []
    while left:
        policy = _SYSTEM.choices(list(left), list(left.values()))[0]
        order.append(policy)
        del left[policy]
    return order


def _opened(engine: Engine, person: Person, drawn: tuple[Candidate, str], policy: str, share: float) -> Drawn:
    candidate, path = drawn
    if candidate.task == "second":
        # How it was drawn stays with the reading: nothing on a blind page tells it, and whoever makes it in the end keeps it.
        return Drawn(candidate.item_id, policy, share, candidate.task, f"{path}?retour=1")
    with engine.begin() as connection:
        token = _token(secret(connection), candidate.item_id, person, policy, share)
    return Drawn(candidate.item_id, policy, share, candidate.task, f"{path}?tirage={quote(token)}")


def _next_random(engine: Engine, person: Person, way: tuple[str, float]) -> tuple[Candidate, str] | None:
    """The first text of the walk that is new and nobody else's: refused, it is the next again, so nobody chooses."""
    others = select(CLAIMS.c.item_id).where(CLAIMS.c.expires_at > now(), CLAIMS.c.user_id != person.id)
    free = select(ITEMS.c.id).where(ITEMS.c.state == "new", ITEMS.c.status == "ok", ITEMS.c.id.not_in(others))
    with engine.connect() as connection:
        ids = list(connection.scalars(free.order_by(ITEMS.c.sha256).limit(_TRIED)))
    return _next_of(engine, person, [Candidate(id, "first", "random") for id in ids], way)


def _next_of(engine: Engine, person: Person, pool: Sequence[Candidate], way: tuple[str, float]) -> tuple[Candidate, str] | None:
    """The first candidates that are free still are tried, one transaction each."""
    states = {"first": ("new",), "second": ("done",), "adjudication": ("disputed",)}
    with engine.connect() as connection:
        free = _free(connection, [candidate.item_id for candidate in pool], person)
    tried = 0
    for candidate in pool:
        if free.get(candidate.item_id) not in states[candidate.task]:
            continue
        with engine.begin() as connection:
            path = _open(connection, candidate, person, way)
        if path is not None:
            return candidate, path
        tried += 1
        if tried == _TRIED:
            break
    return None


def _free(connection: Connection, ids: Sequence[str], person: Person) -> dict[str, str]:
    """The state of those of the texts that nobody else has and that are not blind for the person."""
    others = select(CLAIMS.c.item_id).where(CLAIMS.c.expires_at > now(), CLAIMS.c.user_id != person.id)
    query = select(ITEMS.c.id, ITEMS.c.state).where(
        ITEMS.c.id.in_(ids), ITEMS.c.id.not_in(others), ITEMS.c.id.not_in(hidden_from(person))
    )
    return {id: state for id, state in connection.execute(query)}


def _open(connection: Connection, candidate: Candidate, person: Person, way: tuple[str, float]) -> str | None:
    """Make a text a person's and say where it is read; None if it cannot be theirs."""
    if candidate.task == "second":
        reading = ask_second(connection, candidate.item_id, person, *way)
        return f"/relecture/{reading.id}" if reading else None
    if candidate.task == "adjudication":
        involved = select(DECISIONS.c.id).where(DECISIONS.c.item_id == candidate.item_id, DECISIONS.c.user_id == person.id)
        if not person.may("reviewer") or connection.execute(involved.limit(1)).first():
            return None
    try:
        claim(connection, candidate.item_id, person)
    except Taken:
        return None
    state = connection.execute(select(ITEMS.c.state).where(ITEMS.c.id == candidate.item_id)).scalar()
    if state != ("disputed" if candidate.task == "adjudication" else "new"):
        connection.execute(CLAIMS.delete().where(CLAIMS.c.item_id == candidate.item_id, CLAIMS.c.user_id == person.id))
        return None
    return f"/{'arbitrage' if candidate.task == 'adjudication' else 'textes'}/{candidate.item_id}"


def _token(key: bytes, item_id: str, person: Person, policy: str, share: float) -> str:
    said = f"{policy}:{share:.4f}"
    return f"{said}:{hmac.new(key, f'{said}:{item_id}:{person.id}'.encode(), hashlib.sha256).hexdigest()[:32]}"


def drawn(connection: Connection, token: str | None, item_id: str, person: Person) -> tuple[str, float | None]:
    """How a text came to a person, from the token of its address: the way and its share; the queue for no or a wrong one."""
    policy, _, rest = (token or "").partition(":")
    given, _, _ = rest.partition(":")
    if policy in POLICIES and given.isascii() and given.replace(".", "", 1).isdigit():
        share = float(given)
        if hmac.compare_digest(_token(secret(connection), item_id, person, policy, share), token or ""):
            return policy, share
    return QUEUE, None
