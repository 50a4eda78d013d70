"""Many texts at once, made of those of the corpus, with values that the queue filters and sorts on; no model is needed."""

import fcntl
import json
import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from model.labels import CHANNEL_IDS, INDICATOR_IDS
from service.database import open_database, sha256_text
from service.workplace.schema import ITEM_PRACTICES, ITEM_SIGNS, ITEMS
from service.workplace.times import now

_CORPUS = Path(__file__).resolve().parents[3] / "data" / "annotated"
_LOT = 2_000


def corpus_texts(count: int) -> list[str]:
    """Texts of the corpus, the same each time."""
    texts: list[str] = []
    for path in sorted(_CORPUS.glob("*.jsonl")):
        if len(texts) >= count:
            break
        texts += [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines()]
    return texts[:count]


def _rows(count: int, seed: int) -> Iterator[dict[str, Any]]:
    chance = random.Random(seed)
    texts = corpus_texts(500)
    start = now() - timedelta(days=90)
    for number in range(count):
        text = f"{texts[number % len(texts)]}\nRéférence {seed}-{number}."
        level = chance.choices((0, 1, 2, 3, None), (60, 15, 15, 8, 2))[0]
        state = chance.choices(("new", "done", "open", "disputed", "unsure"), (80, 15, 3, 1, 1))[0]
        yield {
            "id": f"{seed:04x}{number:024x}",
            "text": text,
            "sha256": sha256_text(text),
            "words": len(text.split()),
            "source": f"site-{chance.randrange(40)}.example",
            "channel": chance.choice(CHANNEL_IDS),
            "theme": f"theme-{chance.randrange(30)}",
            "author": f"@auteur{chance.randrange(5_000)}",
            "captured_at": start + timedelta(seconds=number) if chance.random() < 0.8 else None,
            "received_at": start + timedelta(seconds=60 * number),
            "seen": 1,
            "status": "ok",
            "model_version": "essai",
            "level": level,
            "score": None if level is None else round(min(0.999, max(0.001, level / 4 + chance.random() / 4)), 4),
            "stance": "promotes" if level else "neutral",
            "author_status": "unknown",
            "at_risk": chance.random() < 0.01,
            "hesitates": chance.random() < 0.1,
            "doubt": round(chance.random(), 4),
            "state": state,
            "decided_level": level if state == "done" else None,
            "decided_stance": "promotes" if state == "done" else None,
            "decided_at": start + timedelta(seconds=70 * number) if state == "done" else None,
            "contradicts": state == "done" and chance.random() < 0.1,
            "resembles": f"{seed:04x}{0:024x}" if chance.random() < 0.02 else None,
        }


def fill(engine: Engine, count: int, seed: int = 1) -> list[str]:
    """Add texts with made-up scores, dates and signs; returns their identifiers in order."""
    chance = random.Random(seed)
    ids: list[str] = []
    lot: list[dict[str, Any]] = []

    def write() -> None:
        signs = [
            {"item_id": row["id"], "indicator": indicator, "score": round(chance.random(), 3)}
            for row in lot
            for indicator in (chance.sample(INDICATOR_IDS, row["level"]) if row["level"] else ())
        ]
        practices = [{"item_id": row["id"], "practice": f"pratique-{chance.randrange(60)}"} for row in lot]
        with engine.begin() as connection:
            connection.execute(ITEMS.insert(), lot)
            connection.execute(ITEM_PRACTICES.insert(), practices)
            if signs:
                connection.execute(ITEM_SIGNS.insert(), signs)
        ids.extend(row["id"] for row in lot)
        lot.clear()

    for row in _rows(count, seed):
        lot.append(row)
        if len(lot) == _LOT:
            write()
    if lot:
        write()
    return ids


def hundred_thousand(shared: Path) -> Path:
    """A SQLite database of 100,000 texts in this folder, filled by the first process of the run that asks (a minute)."""
    path = shared / "hundred_thousand.db"
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            building = path.with_suffix(".building")
            engine = open_database(f"sqlite:///{building}")
            fill(engine, 100_000)
            engine.dispose()
            with closing(sqlite3.connect(building)) as whole:
                whole.execute("pragma wal_checkpoint(truncate)")  # all of it in one file
            building.rename(path)
    return path


def replace_with(engine: Engine, path: Path) -> None:
    """Put all of a SQLite database in the place of what an open one holds."""
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(str(engine.url.database))) as target:
        source.backup(target)


def fill_unread(engine: Engine, count: int) -> None:
    """`fill`, where nobody has read anything yet."""
    fill(engine, count)
    clean = {"state": "new", "decided_level": None, "decided_stance": None, "decided_at": None, "contradicts": False}
    with engine.begin() as connection:
        connection.execute(ITEMS.update().values(**clean))
