"""What is counted of the texts of the workplace: facts noted once a model has read a text, and read again by period."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, and_, case, delete, func, or_, select

from model.facts import FRENCH, Facts, illness_of, practice_of, unknown_share
from model.records import Prediction
from service.campaigns.schema import CAMPAIGN_ITEMS
from service.drift.schema import ITEM_FACTS
from service.workplace.schema import ITEM_SIGNS, ITEMS, PREDICTIONS
from service.workplace.times import midnight

WEEK: Final = timedelta(days=7)
_LOT: Final = 200
_SAME_MODEL: Final = and_(ITEM_FACTS.c.item_id == ITEMS.c.id, ITEM_FACTS.c.model_version == ITEMS.c.model_version)


def note_facts(engine: Engine, limit: int = _LOT) -> int:
    """Note what is counted of some texts that a model has read since; returns how many, 0 when all are noted."""
    newest = and_(PREDICTIONS.c.item_id == ITEMS.c.id, PREDICTIONS.c.model_version == ITEMS.c.model_version)
    late = or_(ITEM_FACTS.c.item_id.is_(None), ITEM_FACTS.c.model_version != ITEMS.c.model_version)
    wanted = (
        select(ITEMS.c.id, ITEMS.c.text, ITEMS.c.model_version, PREDICTIONS.c.prediction)
        .outerjoin(ITEM_FACTS, ITEM_FACTS.c.item_id == ITEMS.c.id)
        .outerjoin(PREDICTIONS, newest)
        .where(ITEMS.c.model_version.is_not(None), late)
        .order_by(ITEMS.c.id.desc())
        .limit(limit)
    )
    with engine.connect() as connection:
        rows = [_facts_row(*row) for row in connection.execute(wanted)]
    if rows:
        with engine.begin() as connection:
            _replace(connection, rows)
    return len(rows)


def _replace(connection: Connection, rows: Sequence[dict[str, Any]]) -> None:
    ids = sorted(row["item_id"] for row in rows)
    # Texts may have been erased since they were read.
    kept = set(connection.scalars(select(ITEMS.c.id).where(ITEMS.c.id.in_(ids)).with_for_update()))
    connection.execute(delete(ITEM_FACTS).where(ITEM_FACTS.c.item_id.in_(ids)))
    if there := [row for row in rows if row["item_id"] in kept]:
        connection.execute(ITEM_FACTS.insert(), there)


def _facts_row(id: str, text: str, version: str, said: Any) -> dict[str, Any]:
    prediction = Prediction.model_validate(said) if said is not None else None
    language = prediction.language.code if prediction and prediction.language else ""
    return {
        "item_id": id,
        "model_version": version,
        "language": language,
        "unknown": unknown_share(text) if language == FRENCH else None,
        "practice": practice_of(prediction) if prediction else "",
        "illness": illness_of(prediction) if prediction else "",
    }


def _between(first: date, last: date, version: str) -> Any:
    """The condition that texts were received on these days, both included, and read by this model last."""
    begun, ended = midnight(first), midnight(last + timedelta(days=1))
    return and_(ITEMS.c.received_at >= begun, ITEMS.c.received_at < ended, ITEMS.c.model_version == version)


def read_facts(connection: Connection, first: date, last: date, version: str) -> list[Facts]:
    """What is counted of the texts received from one day to another, both included, that this model read last.

    Texts of a campaign make a group; else those of an author at a source; else each makes its own.
    """
    where = _between(first, last, version)
    names = ("id", "words", "channel", "theme", "score", "level", "stance", "source", "author")
    noted = ("language", "unknown", "practice", "illness")
    columns = [*(ITEMS.c[name] for name in names), *(ITEM_FACTS.c[name] for name in noted)]
    query = (
        select(*columns, CAMPAIGN_ITEMS.c.campaign_id)
        .join(ITEM_FACTS, _SAME_MODEL)
        .outerjoin(CAMPAIGN_ITEMS, CAMPAIGN_ITEMS.c.item_id == ITEMS.c.id)
        .where(where)
        .order_by(ITEMS.c.id)
    )
    signs: dict[str, set[str]] = defaultdict(set)
    shown = select(ITEM_SIGNS.c.item_id, ITEM_SIGNS.c.indicator).join(ITEMS, ITEMS.c.id == ITEM_SIGNS.c.item_id).where(where)
    for id, indicator in connection.execute(shown):
        signs[id].add(indicator)
    return [_facts(row, signs.get(row.id, ())) for row in connection.execute(query)]


def _facts(row: Any, signs: Collection[str]) -> Facts:
    group = f"c {row.campaign_id}" if row.campaign_id else f"a {row.source} {row.author}" if row.author else f"t {row.id}"
    judged = row.level is not None
    return Facts(
        words=row.words,
        unknown=row.unknown,
        language=row.language,
        channel=row.channel or "",
        theme=row.theme or "",
        practice=row.practice,
        illness=row.illness,
        score=row.score if judged else None,
        level=row.level,
        stance=row.stance if judged else None,
        present=frozenset(signs) if judged else frozenset(),
        group=group,
    )


def count_weeks(connection: Connection, mondays: Sequence[date], version: str) -> list[int]:
    """How many texts of each of these weeks, in order and without a gap, this model read last and are noted."""
    begun = [midnight(monday) for monday in mondays]
    ended = [*begun[1:], midnight(mondays[-1] + WEEK)]
    weeks = [_count_between(start, end) for start, end in zip(begun, ended, strict=True)]
    known = and_(ITEMS.c.received_at >= begun[0], ITEMS.c.model_version == version)
    row = connection.execute(select(*weeks).select_from(ITEMS.join(ITEM_FACTS, _SAME_MODEL)).where(known)).one()
    return [int(number or 0) for number in row]


def _count_between(start: datetime, end: datetime) -> Any:
    return func.sum(case((and_(ITEMS.c.received_at >= start, ITEMS.c.received_at < end), 1), else_=0))


def count_received(connection: Connection, first: date, last: date) -> int:
    """How many texts were received from one day to another, both included, whether a model read them or not."""
    begun, ended = midnight(first), midnight(last + timedelta(days=1))
    query = select(func.count()).select_from(ITEMS).where(ITEMS.c.received_at >= begun, ITEMS.c.received_at < ended)
    return int(connection.execute(query).scalar_one())


__all__ = ["WEEK", "count_received", "count_weeks", "note_facts", "read_facts"]
