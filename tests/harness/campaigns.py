"""How campaigns are found in many texts: `python -m tests.harness.campaigns --texts 1000000 --url sqlite:////tmp/essai.db`.

Texts of `tests.harness.planted` go through the ordinary reception, signatures and linking, in lots; a line for each tenth.
`--seconds` stops before the end: the same command goes on from there. At the end: what was planted and is found, and with
`--pages` how long pages take, over HTTP. 1 if one takes more than three tenths of a second.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import httpx
from sqlalchemy import Engine, func, select, text, update

from service.access import COOKIE
from service.campaigns.contacts import contact_id
from service.campaigns.counting import count_waiting
from service.campaigns.schema import CAMPAIGN_CROWDED, CAMPAIGN_ITEMS, CAMPAIGNS, CONTACTS, ITEM_CONTACTS, ITEM_LINKS
from service.campaigns.work import link_waiting
from service.database import open_database
from service.settings import Settings
from service.workplace.items import add_items
from service.workplace.people import list_people
from service.workplace.schema import ITEMS, PREDICTIONS
from service.workplace.sessions import open_session
from service.workplace.similar import index_signed, signatures_of
from service.workplace.times import now
from tests.harness.planted import PLATFORM, Plan, Planted, plan, texts_of
from tests.harness.reviewers import HOUR
from tests.service.conftest import free_port, start
from tests.service.workplace.conftest import add_person
from tests.service.workplace.made import prediction as made_prediction

_LOT: Final = 500
_MOST: Final = 0.3
_TIMES: Final = 5
_SAMPLED: Final = 3_000
_READER: Final = "lecteur"


@dataclass
class _Spent:
    """Seconds, by the clock and of the processor, that steps took."""

    clock: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    processor: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def on(self, step: str, begun: tuple[float, float]) -> tuple[float, float]:
        """Count what was spent since then on a step; when the next one begins."""
        now_ = (time.perf_counter(), time.process_time())
        self.clock[step] += now_[0] - begun[0]
        self.processor[step] += now_[1] - begun[1]
        return now_


def main() -> int:
    """Run it as a command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=10_000, help="nombre de textes en tout")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="s'arrête après ce temps ; la même commande reprend")
    parser.add_argument("--url", help="base de données ; par défaut un fichier SQLite passager")
    parser.add_argument("--pages", action="store_true", help="mesure aussi les pages")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = asked.url or f"sqlite:///{Path(folder) / 'vigie.db'}"
        engine = open_database(url)
        made = plan(asked.texts)
        if not _fill(engine, made, time.monotonic() + asked.seconds):
            return 0
        _tell_found(engine)
        slow = _pages(engine, url, Path(folder)) if asked.pages else 0
        engine.dispose()
    return 1 if slow else 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _fill(engine: Engine, made: Plan, until: float) -> bool:
    """Add texts from where an earlier run stopped; whether all of them are there."""
    total = made.campaign.size
    with engine.connect() as connection:
        done = connection.execute(select(func.count()).select_from(ITEMS)).scalar_one()
    spent, tenth = _Spent(), max(_LOT, total // 10)
    coming = texts_of(made, done, total)
    begun = done
    while done < total and time.monotonic() < until:
        lot = list(islice(coming, _LOT))
        _add(engine, lot, spent)
        done += len(lot)
        if done % tenth == 0:
            _tell(engine, done, done - begun, spent)
            spent, begun = _Spent(), done
    if done > begun:
        _tell(engine, done, done - begun, spent)
    return done >= total


def _add(engine: Engine, lot: list[Planted], spent: _Spent) -> None:
    begun = (time.perf_counter(), time.process_time())
    with engine.begin() as connection:
        added = add_items(connection, [one.received for one in lot])
    begun = spent.on("reçus", begun)
    signatures = signatures_of({one.id: planted.received.text for one, planted in zip(added, lot, strict=True)})
    begun = spent.on("signatures", begun)
    with engine.begin() as connection:
        index_signed(connection, signatures)
    begun = spent.on("bandes", begun)
    rows = [
        {"item_id": one.id, "model_version": "essai", "prediction": planted.prediction, "made_at": now()}
        for one, planted in zip(added, lot, strict=True)
    ]
    levels: dict[int, list[str]] = defaultdict(list)
    for one, planted in zip(added, lot, strict=True):
        levels[planted.prediction["risk"]["level"]].append(one.id)
    with engine.begin() as connection:
        connection.execute(PREDICTIONS.insert(), rows)
        for level, ids in levels.items():
            said = {"model_version": "essai", "status": "ok", "stance": "promotes", "level": level}
            connection.execute(update(ITEMS).where(ITEMS.c.id.in_(ids)).values(**said))
    begun = spent.on("lus", begun)
    while link_waiting(engine):
        pass
    spent.on("liens", begun)


def _memory(name: str) -> float:
    """Megabytes that the process holds (VmRSS), or held at most (VmHWM)."""
    found = next(line for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines() if line.startswith(name))
    return int(found.split()[1]) / 1_024


def _bytes(engine: Engine) -> float:
    """Megabytes of the database."""
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            return float(connection.execute(text("select pg_database_size(current_database())")).scalar_one()) / 2**20
    path = Path(engine.url.database or "")
    return sum(one.stat().st_size for one in (path, path.with_name(path.name + "-wal")) if one.exists()) / 2**20


def _tell(engine: Engine, done: int, count: int, spent: _Spent) -> None:
    steps = ("signatures", "bandes", "liens")
    clock = [1_000 * spent.clock[step] / count for step in steps]
    processor = sum(1_000 * spent.processor[step] / count for step in steps)
    parts = " + ".join(f"{one:.2f}" for one in clock)
    _say(
        f"{done} textes : {sum(clock):.2f} ms par texte ({parts} : {', '.join(steps)} ; processeur {processor:.2f}), "
        f"mémoire {_memory('VmRSS'):.0f} Mo (au plus {_memory('VmHWM'):.0f}), base {_bytes(engine):.0f} Mo"
    )


def _tell_found(engine: Engine) -> None:
    """What was planted and is found: pairs of texts of a campaign that are in one, and pairs that are in one of which not.

    What was planted is read from the identifiers of the texts: a base begun with another plan is measured on its own.
    """
    begun = time.perf_counter()
    counted = 0
    while count := count_waiting(engine):
        counted += count
    took = time.perf_counter() - begun
    with engine.connect() as connection:
        query = select(ITEMS.c.external_id, CAMPAIGN_ITEMS.c.campaign_id).outerjoin(
            CAMPAIGN_ITEMS, CAMPAIGN_ITEMS.c.item_id == ITEMS.c.id
        )
        home: dict[int, str | None] = {}
        of: dict[int, int] = {}
        for id, at in connection.execute(query.execution_options(yield_per=5_000)):
            campaign, _, place = map(int, id.split(":"))
            home[place], of[place] = at, campaign
        counts = {
            name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for name, table in (("liens", ITEM_LINKS), ("contacts", CONTACTS), ("contacts de textes", ITEM_CONTACTS))
        }
        counts["campagnes"] = connection.execute(select(func.count()).where(CAMPAIGNS.c.texts > 1)).scalar_one()
        counts["coupées"] = connection.execute(select(func.count()).where(CAMPAIGNS.c.cut)).scalar_one()
        counts["comparés en partie"] = connection.execute(select(func.count()).select_from(CAMPAIGN_CROWDED)).scalar_one()
        largest = connection.execute(select(func.max(CAMPAIGNS.c.texts))).scalar_one()
    chance = random.Random(1)
    planted: dict[int, list[int]] = defaultdict(list)
    found: dict[str, list[int]] = defaultdict(list)
    for place, campaign in of.items():
        if campaign >= 0:
            planted[campaign].append(place)
        if at := home[place]:
            found[at].append(place)
    true, together = _pairs_of(planted, chance), _pairs_of(found, chance)
    recall = statistics.mean(home[a] is not None and home[a] == home[b] for a, b in true)
    precision = statistics.mean(bool(of[a] >= 0 and of[a] == of[b]) for a, b in together)
    _say(f"{counted} grandes campagnes comptées à la fin en {took:.1f} s ; la plus grande : {largest} textes ; {counts}")
    _say(f"{len(true)} paires plantées, dont {recall:.4f} réunies ; {len(together)} réunies, dont {precision:.4f} plantées")


def _pairs_of(groups: dict[Any, list[int]], chance: random.Random) -> list[tuple[int, int]]:
    """A pair of each of some groups, larger ones as often as they have texts."""
    several = [one for one in groups.values() if len(one) > 1]
    drawn = chance.choices(several, weights=[len(one) for one in several], k=_SAMPLED)
    return [(pair[0], pair[1]) for one in drawn for pair in (chance.sample(one, 2),)]


def _pages(engine: Engine, url: str, folder: Path) -> int:
    """Ask for pages several times each; how many are slow or fail."""
    known = [one for one in list_people(engine) if one.login == _READER]
    with engine.begin() as connection:
        reader = known[0] if known else add_person(connection, _READER, "analyst")
        sizes = select(CAMPAIGNS.c.id).where(CAMPAIGNS.c.texts > 1).order_by(CAMPAIGNS.c.texts.desc())
        ids = list(connection.scalars(sizes))
        busy = select(CONTACTS.c.id).where(CONTACTS.c.state == "links").order_by(CONTACTS.c.texts.desc()).limit(1)
        contacts = [contact_id("phone", PLATFORM), *connection.scalars(busy)]
        item = connection.scalars(select(CAMPAIGN_ITEMS.c.item_id).where(CAMPAIGN_ITEMS.c.campaign_id == ids[0]).limit(1)).one()
        # Planted texts have but the heart of a prediction; the page of this one shows a whole one.
        whole = made_prediction("miracle_cure").model_dump(mode="json")
        connection.execute(update(PREDICTIONS).where(PREDICTIONS.c.item_id == item).values(prediction=whole))
    settings = Settings(database_url=url, port=free_port(), scoring=False, demo=False, spool_dir=folder)
    server, thread = start(settings)
    cookies = {COOKIE: open_session(engine, reader, HOUR).token}
    lists = (
        "",
        "?page=2",
        "?page=40",
        "?tri=textes",
        "?tri=recent",
        "?tri=portee",
        "?niveau=2",
        "?q=06+39+98",
        "?source=site-3.example",
    )
    paths = [f"/campagnes{query}" for query in lists]
    paths += [f"/campagnes/{ids[place]}" for place in (0, len(ids) // 100, len(ids) // 2)]
    paths += [*(f"/contacts/{id}" for id in contacts), f"/textes/{item}"]
    slow = 0
    with httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", cookies=cookies, timeout=300) as client:
        for path in paths:
            slow += _timed(client, path)
    server.should_exit = True
    thread.join(timeout=30)
    _say(f"{slow} pages au-delà de {1_000 * _MOST:.0f} ms")
    return slow


def _timed(client: httpx.Client, path: str) -> bool:
    spent = []
    for _ in range(_TIMES + 1):
        started = time.perf_counter()
        answer = client.get(path)
        spent.append(time.perf_counter() - started)
    median = statistics.median(spent[1:])
    _say(f"{1_000 * median:6.0f} ms (la première fois {1_000 * spent[0]:.0f}, {answer.status_code}) {path}")
    return median > _MOST or answer.status_code != 200


if __name__ == "__main__":
    raise SystemExit(main())
