"""The demonstration texts: 600 invented texts in 40 campaigns, brought in by the ordinary import, taken out in one action.

Nothing in them is a person's act: no text is decided, commented on or filed beforehand.
"""

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, func, select, update

from service.campaigns.links import forget_items
from service.cases.schema import CASE_EVENTS, CASE_ITEMS, CASES
from service.drift.schema import DRIFT_WEEKS
from service.privacy.removal import cut, lots
from service.settings import Settings
from service.workplace.audit import record
from service.workplace.imports import Wanted, begin
from service.workplace.leases import database_lease
from service.workplace.receptions import RECEPTIONS
from service.workplace.schema import CHOICES, DECISIONS, IMPORTS, ITEMS
from service.workplace.times import now

#: The name that the import carries, so that nobody takes these texts for real ones.
DEMO_NAME: Final = "Données de démonstration"
_FILE: Final = "demo.jsonl"
_REMOVED: Final = "demo_removed"
_REMOVE: Final = "vigie demo remove"


@dataclass(frozen=True, slots=True)
class Removed:
    """What was taken out: texts, the decisions that people had made of them, and texts kept because they also came otherwise.

    `cased`: how many of the texts were in cases, `cases` how many cases.
    """

    texts: int
    decisions: int
    kept: int
    cased: int = 0
    cases: int = 0


def load_demo(engine: Engine, settings: Settings, *, asked: bool = False) -> str | None:
    """Begin the import of the demonstration texts; returns its identifier, None where they are not to be loaded.

    They are loaded into an empty database only, once: not after they were taken out, unless someone `asked` for them.
    Several processes may call this at once: one loads them. An import under way reads the texts.
    """
    with database_lease(engine, "demo") as held:
        if not held:
            return None
        with engine.connect() as connection:
            wanted = not demo_imports(connection) if asked else _untouched(connection)
        if not wanted:
            return None
        with files("service").joinpath("data", "demo", _FILE).open("rb") as content:
            return begin(engine, settings, Wanted(DEMO_NAME), ".jsonl", content)


def _untouched(connection: Connection) -> bool:
    removed = select(CHOICES.c.number).where(CHOICES.c.name == _REMOVED)
    rows = (select(ITEMS.c.id), select(IMPORTS.c.id), removed)
    return all(connection.execute(query.limit(1)).first() is None for query in rows)


def demo_imports(connection: Connection) -> list[str]:
    """The imports of demonstration texts that are there (one at most, unless someone named theirs so by a program)."""
    named = select(IMPORTS.c.id).where(IMPORTS.c.name == DEMO_NAME, IMPORTS.c.user_id.is_(None))
    return list(connection.execute(named).scalars())


def remove_demo(engine: Engine) -> Removed | None:
    """Take the demonstration texts out with all that hangs on them, in one transaction; None where there are none.

    A text that another import brought as well stays, as that import's. Nothing else is touched, but the history of a case
    that held some: it keeps of each its identifier, its hash and when it was taken out.
    """
    with engine.begin() as connection:
        imports = demo_imports(connection)
        if not imports:
            return None
        kept = _hand_over(connection, imports)
        # So that an import that is still being read stops at its next lot.
        connection.execute(update(IMPORTS).where(IMPORTS.c.id.in_(imports)).values(state="stopped"))
        ids = list(connection.execute(select(ITEMS.c.id).where(ITEMS.c.import_id.in_(imports)).order_by(ITEMS.c.id)).scalars())
        decisions = 0
        cased, cases = _tell_cases(connection, ids)
        forget_items(connection, ids)
        for lot in lots(ids):
            for id, digest in connection.execute(select(ITEMS.c.id, ITEMS.c.sha256).where(ITEMS.c.id.in_(lot))):
                record(connection, None, "text.erase", f"text:{id}", {"sha256": digest, "command": _REMOVE})
            counted = select(func.count()).select_from(DECISIONS).where(DECISIONS.c.item_id.in_(lot))
            decisions += connection.execute(counted).scalar_one()
            cut(connection, ITEMS, lot)
        # What was computed of weeks with these texts in them is computed anew without them.
        connection.execute(delete(DRIFT_WEEKS))
        for lot in lots(imports):
            cut(connection, IMPORTS, lot)
        connection.execute(CHOICES.insert().values(name=_REMOVED, value=len(ids), made_at=now()))
    return Removed(len(ids), decisions, kept, cased, cases)


def _tell_cases(connection: Connection, ids: Sequence[str]) -> tuple[int, int]:
    """Write in the history of each case which of its texts are about to go; returns how many texts, in how many cases.

    Nobody who has an account did it: the event names the command, and of each text who had added it.
    """
    columns = (CASE_ITEMS.c.case_id, CASE_ITEMS.c.added_by, CASE_ITEMS.c.place, CASE_ITEMS.c.why, ITEMS.c.id, ITEMS.c.sha256)
    query = select(*columns).join(ITEMS, ITEMS.c.id == CASE_ITEMS.c.item_id)
    rows = [row for lot in lots(ids) for row in connection.execute(query.where(ITEMS.c.id.in_(lot)))]
    told: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: (row.case_id, row.place)):
        about = {"id": row.id, "sha256": row.sha256, "place": row.place, "why": row.why, "added_by": row.added_by}
        told[row.case_id].append(about)
        record(connection, None, "case.erased", f"case:{row.case_id}", {"text": row.id, "sha256": row.sha256})
    moment = now()
    for case_id, texts in told.items():
        detail = {"items": [one["id"] for one in texts], "texts": texts, "command": _REMOVE}
        event = {"id": str(uuid.uuid4()), "case_id": case_id, "user_id": None, "made_at": moment, "kind": "erased"}
        connection.execute(CASE_EVENTS.insert().values(**event, detail=detail))
        counted = {"changed_at": moment, "version": CASES.c.version + 1}
        connection.execute(update(CASES).where(CASES.c.id == case_id).values(**counted))
    return len({row.id for row in rows}), len({row.case_id for row in rows})


def _hand_over(connection: Connection, imports: Sequence[str]) -> int:
    """Give texts that also came by another way to that way: the first that is known."""
    other = RECEPTIONS.c.import_id.is_(None) | RECEPTIONS.c.import_id.not_in(imports)
    query = (
        select(RECEPTIONS.c.item_id, RECEPTIONS.c.import_id)
        .join(ITEMS, ITEMS.c.id == RECEPTIONS.c.item_id)
        .where(ITEMS.c.import_id.in_(imports), other)
        .order_by(RECEPTIONS.c.number.desc())
    )
    ways = {item_id: import_id for item_id, import_id in connection.execute(query)}
    for item_id in sorted(ways):
        connection.execute(update(ITEMS).where(ITEMS.c.id == item_id).values(import_id=ways[item_id]))
    return len(ways)
