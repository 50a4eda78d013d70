"""What `/metrics` says of what waits is what the database holds, in a text that Prometheus reads; nothing by person."""

from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import Engine, create_engine

from service.gauges import Gauges
from service.workplace.choices import choose
from service.workplace.claims import claim
from service.workplace.people import Person, Role
from tests.service.workplace.made import add, prediction, say


def told(exposed: bytes) -> dict[tuple[str, tuple[str, ...]], float]:
    """Samples by name and label values."""
    families = text_string_to_metric_families(exposed.decode())
    return {(one.name, tuple(one.labels.values())): one.value for family in families for one in family.samples}


def test_what_waits_is_counted(engine: Engine, people: dict[Role, Person]) -> None:
    choose(engine, "second_share", 0, people["administrator"])
    with engine.begin() as connection:
        items = [add(connection, prediction("miracle_cure")) for _ in range(3)]
        add(connection)
        claim(connection, items[1], people["reviewer"])
    say(engine, items[0], people["analyst"], "miracle_cure")
    found = told(Gauges(engine).exposed("v", Path("/nulle-part")))
    assert found["vigie_database_up", ()] == 1
    assert {key[1][0]: value for key, value in found.items() if key[0] == "vigie_items"} == {"new": 3, "done": 1}
    assert found["vigie_items_held", ()] == 1
    assert found["vigie_items_unread", ()] == 4, "aucun texte n'a été lu par ce modèle"
    assert found["vigie_audit_records", ()] >= 1


def test_a_database_that_does_not_answer_is_said_and_nothing_fails() -> None:
    found = told(Gauges(create_engine("postgresql+psycopg://nobody@127.0.0.1:9/x")).exposed("v", Path("/nulle-part")))
    assert found["vigie_database_up", ()] == 0


def test_the_service_exposes_them_with_its_counters(client: httpx.Client) -> None:
    client.post("/v1/predict", json={"text": "Cours de poterie le mardi soir, inscriptions à la mairie."})
    found = told(client.get("/metrics").content)
    assert found["vigie_process_resident_bytes", ()] > 100_000_000
    assert found["vigie_database_up", ()] == 1
    names = {name for name, _ in found}
    assert {"vigie_model_age_seconds", "vigie_requests_total", "vigie_text_seconds_bucket", "vigie_items_unread"} <= names
