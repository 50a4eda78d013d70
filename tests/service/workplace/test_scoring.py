"""Waiting texts are read by the model that serves, and again after a promotion; decisions stay."""

import io
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select, update

from model.analyser import Analyser, Options
from model.decide import with_prior
from service.database import open_database
from service.settings import Settings
from service.workplace.imports import Wanted, begin
from service.workplace.items import Received, add_items, find_item, newest_prediction
from service.workplace.leases import database_lease
from service.workplace.schema import ITEMS
from service.workplace.scoring import count_waiting, score_waiting, threshold_of, waiting
from service.workplace.times import now
from tests.service.conftest import free_port, start

TEXTS = [
    "Jetez vos comprimés : le magnétisme guérit le cancer en trois séances, 450 euros.",
    "Jetez vos comprimés : le magnétisme guérit le cancer en trois séances, 480 euros.",
    "La mairie ouvre un cours de gymnastique douce le mardi matin.",
]


def test_waiting_texts_are_read_and_read_again(engine: Engine, analyser: Analyser) -> None:
    version = analyser.artefact.version
    with engine.begin() as connection:
        ids = [one.id for one in add_items(connection, [Received(text) for text in TEXTS])]
        assert count_waiting(connection, version) == 3
    assert [score_waiting(engine, analyser, 2), score_waiting(engine, analyser, 2), score_waiting(engine, analyser, 2)] == [
        2,
        1,
        0,
    ]
    with engine.begin() as connection:
        said = newest_prediction(connection, ids[0])
        first = find_item(connection, ids[0])
        assert said == analyser.predict(TEXTS[0], id=ids[0])
        assert first
        assert first.level == 3
        # Read by an older model, decided since, then read again: near-duplicates of the decided one name it.
        decided = {"decided_level": 0, "decided_stance": "neutral", "decided_at": now(), "state": "done"}
        connection.execute(update(ITEMS).values(model_version="0"))
        connection.execute(update(ITEMS).where(ITEMS.c.id == ids[0]).values(**decided))
        add_items(connection, [Received("Tout nouveau texte sur un stage de yoga.")])
        found = list(waiting(connection, version, 10))
    assert found[1:] == sorted(ids)
    assert score_waiting(engine, analyser, 10) == 4
    with engine.connect() as connection:
        items = {id: find_item(connection, id) for id in ids}
    first, second = items[ids[0]], items[ids[1]]
    assert first
    assert second
    assert (first.decided_level, first.state, first.contradicts, first.model_version) == (0, "done", True, version)
    assert (second.contradicts, second.resembles) == (False, ids[0])


def test_the_threshold_moves_with_the_base_rate(analyser: Analyser) -> None:
    flag = analyser.artefact.points["balanced"].flag
    assert threshold_of(analyser, Options("balanced")) == flag
    moved = with_prior(flag, float(analyser.artefact.manifest["base_rate"]), 0.05)
    assert threshold_of(analyser, Options("balanced", prior=0.05)) == pytest.approx(moved)


def test_one_process_at_a_time(engine: Engine) -> None:
    with database_lease(engine, "scoring") as first, database_lease(engine, "scoring") as second:
        assert (first, second) == (True, False)
    with database_lease(engine, "scoring") as again:
        assert again


def test_the_service_imports_and_reads_in_the_background(artefacts: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'vigie.db'}"
    settings = Settings(model_dir=artefacts, database_url=url, port=free_port(), spool_dir=tmp_path / "attente", scoring_batch=2)
    engine = open_database(url)
    # Left behind by a service that was killed before it could read it.
    begin(engine, settings, Wanted("x"), ".txt", io.BytesIO("\n---\n".join(TEXTS).encode()))
    server, thread = start(settings)
    try:
        for _ in range(300):
            with engine.connect() as connection:
                read = select(func.count()).select_from(ITEMS).where(ITEMS.c.status == "ok")
                if connection.execute(read).scalar() == 3:
                    break
            time.sleep(0.1)
        else:
            pytest.fail("les textes importés n'ont pas été analysés")
    finally:
        server.should_exit = True
        thread.join(timeout=15)
        engine.dispose()
    assert not thread.is_alive()
