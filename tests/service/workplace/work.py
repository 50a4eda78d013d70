"""What people leave behind on many texts: decisions, readings, claims, comments, predictions, signatures; no model is needed."""

import random
from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Engine, select, update

from service.workplace.minhash import bands_of, signatures_of
from service.workplace.people import Person
from service.workplace.schema import CLAIMS, COMMENTS, DECISIONS, GOLDEN, ITEMS, PREDICTIONS, READINGS
from service.workplace.similar_schema import BANDS, SIGNATURES
from service.workplace.times import now
from tests.service.workplace.made import prediction

_LOT = 2_000
_VERSION = "essai"


def _insert(engine: Engine, table: Any, rows: Iterable[dict[str, Any]]) -> None:
    found = iter(rows)
    while lot := list(islice(found, _LOT)):
        with engine.begin() as connection:
            connection.execute(table.insert(), lot)


def fill_work(engine: Engine, people: Sequence[Person], *, predictions: int = 30_000, seed: int = 1) -> None:
    """Leave on the texts of `volume.fill` what their states ask for, by these people (three at least).

    Every text gets a signature (that of the corpus text it is made of: large families), the first of them a prediction.
    One decision in four came by chance, along the first digests.
    """
    chance = random.Random(seed)
    with engine.connect() as connection:
        rows = connection.execute(select(ITEMS.c.id, ITEMS.c.state, ITEMS.c.level, ITEMS.c.sha256).order_by(ITEMS.c.id)).all()
    _insert(engine, DECISIONS, _decisions(rows, people, chance))
    decided = [row for row in rows if row.state not in ("new", "unsure")]
    with engine.begin() as connection:
        connection.execute(update(ITEMS).where(ITEMS.c.state.in_(("open", "disputed"))).values(decided_at=now(), decided_level=1))
        connection.execute(update(ITEMS).where(ITEMS.c.state != "new").values(decided_by=people[0].id))
    waiting = ({"state": "waiting", "user_id": None} for _ in iter(int, 1))
    _insert(
        engine,
        READINGS,
        (
            {"id": f"l{row.id}", "item_id": row.id, "kind": "second", "asked_at": now(), **more}
            for row, more in zip((row for row in rows if row.state == "open"), waiting, strict=False)
        ),
    )
    golden = ({"item_id": row.id, "decision_id": f"d{row.id}", "user_id": people[0].id, "made_at": now()} for row in decided[:50])
    _insert(engine, GOLDEN, golden)
    free = [row.id for row in rows if row.state == "new"]
    until = now() + timedelta(minutes=30)
    held = ({"item_id": id, "user_id": chance.choice(people).id, "claimed_at": now(), "expires_at": until} for id in free[:60])
    _insert(engine, CLAIMS, held)
    noted = enumerate(chance.sample(rows, min(len(rows), 2_000)))
    said = {"text": "À voir avec le texte voisin.", "user_id": people[1].id, "made_at": now()}
    _insert(engine, COMMENTS, ({"id": f"c{number}", "item_id": row.id, **said} for number, row in noted))
    _fill_predictions(engine, [row.id for row in rows[:predictions]], chance)
    _fill_signatures(engine)


def _decisions(rows: Sequence[Any], people: Sequence[Person], chance: random.Random) -> Iterable[dict[str, Any]]:
    by_chance = {row.id for row in sorted((r for r in rows if r.state != "new"), key=lambda r: r.sha256)[: len(rows) // 20]}
    start = now() - timedelta(days=60)
    for number, row in enumerate(row for row in rows if row.state != "new"):
        unsure = row.state == "unsure"
        said = {
            "item_id": row.id,
            "made_at": start + timedelta(minutes=4 * number),
            "verdict": "unsure" if unsure else "corrected",
            "stance": None if unsure else "promotes",
            "level": None if unsure else row.level or 0,
            "targets": [],
            "indicators": [] if unsure else [{"label": "isolation", "start": 0, "end": 9}],
            "note": "lu" if number % 3 else None,
            "drawn_by": "random" if row.id in by_chance else chance.choice(("queue", "uncertainty", "diversity")),
            "drawn_share": 0.25,
        }
        yield {"id": f"d{row.id}", "user_id": people[number % len(people)].id, "kind": "first", **said}
        if row.state == "disputed" or (row.state == "done" and number % 5 == 0):
            other = people[(number + 1) % len(people)].id
            level = 3 if row.state == "disputed" else said["level"]
            yield {"id": f"e{row.id}", "user_id": other, "kind": "second", **said, "level": level, "drawn_by": "second_share"}


def _fill_predictions(engine: Engine, ids: Sequence[str], chance: random.Random) -> None:
    made = [
        prediction(*signs, version=_VERSION, risk=round(chance.random(), 3)).model_dump(mode="json")
        for signs in ((), ("isolation",), ("miracle_cure", "isolation"))
        for _ in range(20)
    ]
    rows = ({"item_id": id, "model_version": _VERSION, "prediction": made[n % 60], "made_at": now()} for n, id in enumerate(ids))
    _insert(engine, PREDICTIONS, rows)


def _fill_signatures(engine: Engine) -> None:
    with engine.connect() as connection:
        rows = connection.execute(select(ITEMS.c.id, ITEMS.c.text).order_by(ITEMS.c.id)).all()
    bases = [text.rpartition("\n")[0] for _, text in rows]
    signed = signatures_of({base: base for base in set(bases)})
    kept = {base: {"minhash": one.values.tobytes(), "grams": one.grams.tobytes()} for base, one in signed.items()}
    numbered = list(enumerate(zip(rows, bases, strict=True), start=1))
    _insert(engine, SIGNATURES, ({"number": number, "item_id": row.id, **kept[base]} for number, (row, base) in numbered))
    bands = {base: bands_of(one.values)[0].tolist() for base, one in signed.items()}
    keys = sorted((band, number) for number, (_, base) in numbered for band in bands[base])
    _insert(engine, BANDS, ({"band": band, "number": number} for band, number in keys))
