"""The demonstration texts: fictional to the last digit, loaded once into an empty base, taken out without a trace."""

import json
import re
import threading
from collections import Counter
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import phonenumbers
import pytest
from sqlalchemy import Engine, Table, func, select
from typer.testing import CliRunner

from model.labels import CHANNEL_IDS
from service.campaigns.schema import CONTACTS
from service.cases.cases import Words, create_case
from service.cases.contents import add_texts, events_of, texts_of
from service.cases.dossier import event_words
from service.cli import app
from service.database import METADATA
from service.demo import DEMO_NAME, demo_imports, load_demo, remove_demo
from service.settings import Settings, load_settings
from service.workplace.comments import add_comment
from service.workplace.imports import Wanted, begin, run_waiting
from service.workplace.people import Person, Role
from service.workplace.schema import CHOICES, DECISIONS, IMPORTS, ITEMS
from tests.service.workplace.made import add, prediction, say

FOLDER = files("service").joinpath("data", "demo")
ROWS: list[dict[str, Any]] = [json.loads(line) for line in FOLDER.joinpath("demo.jsonl").read_text("utf-8").splitlines()]
CAMPAIGNS: dict[str, dict[str, Any]] = json.loads(FOLDER.joinpath("campaigns.json").read_text("utf-8"))
#: Numbers that are given to nobody, kept for fiction.
FICTION = ("199 00", "261 91", "353 01", "465 71", "536 49", "639 98")
NOT_EMPTIED = ("choices", "users", "alembic_version", "audit_records")


def settings(engine: Engine, tmp_path: Path, **more: Any) -> Settings:
    return Settings(database_url=engine.url.render_as_string(hide_password=False), spool_dir=tmp_path / "attente", **more)


def counts(engine: Engine) -> dict[str, int]:
    """How many rows each table holds."""
    with engine.connect() as connection:
        tables: list[Table] = METADATA.sorted_tables
        found = {table.name: connection.execute(select(func.count()).select_from(table)).scalar_one() for table in tables}
    return {name: count for name, count in found.items() if count and name not in NOT_EMPTIED}


def test_there_are_forty_campaigns_of_fifteen_texts() -> None:
    assert len(ROWS) == len({row["id"] for row in ROWS}) == len({row["text"] for row in ROWS}) == 600
    assert set(Counter(row["campaign"] for row in ROWS).values()) == {15}
    assert {row["campaign"] for row in ROWS} == set(CAMPAIGNS)
    assert len(CAMPAIGNS) == 40
    for row in ROWS:
        assert row["channel"] in CHANNEL_IDS
        assert datetime(2025, 9, 1, tzinfo=UTC) <= datetime.fromisoformat(row["captured_at"])
        assert datetime.fromisoformat(row["captured_at"]) < datetime(2026, 12, 1, tzinfo=UTC)
        assert 15 <= len(row["text"].split()) <= 220


def test_every_contact_is_fictional() -> None:
    for row in ROWS:
        for match in phonenumbers.PhoneNumberMatcher(row["text"], "FR", leniency=phonenumbers.Leniency.POSSIBLE):
            number = str(match.number.national_number)
            if match.number.country_code == 33 and len(number) == 9:
                assert number.startswith(tuple(start.replace(" ", "") for start in FICTION)), (row["id"], match.raw_string)
        places = re.findall(r"[\w.-]+\.(?:fr|com|org|net|be|ch|ca|eu|re|info)\b", f"{row['text']} {row['url'] or ''}")
        assert places == [], (row["id"], "only « .example » is nobody's (RFC 2606)")
        spoken = re.findall(r"point (?:fr|com|org|net)\b", row["text"])
        assert spoken == [], row["id"]


def test_no_contact_belongs_to_two_campaigns() -> None:
    holders: dict[str, set[str]] = {}
    for campaign, said in CAMPAIGNS.items():
        for contact in said["contacts"]:
            holders.setdefault(re.sub(r"[\s.]", "", contact.lower()), set()).add(campaign)
    assert {contact: campaigns for contact, campaigns in holders.items() if len(campaigns) > 1} == {}


def test_every_address_of_a_campaign_is_in_its_texts_and_ends_in_example() -> None:
    """The contacts said of each campaign are those that its texts give, and their addresses can be nobody's."""
    for campaign, said in CAMPAIGNS.items():
        texts = " ".join(f"{row['text']} {row['url'] or ''} {row['author'] or ''}" for row in ROWS if row["campaign"] == campaign)
        for contact in said["contacts"]:
            if "." in contact and re.search(r"[a-z]", contact.lower()) and not contact.startswith("@"):
                assert contact.endswith(".example"), contact
                assert contact.lower() in texts.lower(), (campaign, contact)


def test_it_is_loaded_once_by_the_ordinary_import_and_nothing_is_decided(engine: Engine, tmp_path: Path) -> None:
    chosen = settings(engine, tmp_path)
    threads = [threading.Thread(target=load_demo, args=(engine, chosen)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert load_demo(engine, chosen) is None
    run_waiting(engine, chosen)
    assert load_demo(engine, chosen) is None
    with engine.connect() as connection:
        (imported,) = connection.execute(select(IMPORTS)).mappings().all()
        rows = connection.execute(select(ITEMS)).mappings().all()
        assert connection.execute(select(func.count()).select_from(DECISIONS)).scalar_one() == 0
    assert (imported["name"], imported["state"], imported["added"], imported["errors"]) == (DEMO_NAME, "done", 600, 0)
    kept = {row["external_id"]: row for row in rows}
    for one in ROWS:
        row = kept[one["id"]]
        assert {row["state"], row["import_id"]} == {"new", imported["id"]}
        for name in ("text", "source", "channel", "author", "url", "region", "theme"):
            assert (row[name] or None) == one[name], (one["id"], name)


def test_it_is_taken_out_and_nothing_else_is(engine: Engine, people: dict[Role, Person], tmp_path: Path) -> None:
    chosen = settings(engine, tmp_path)
    load_demo(engine, chosen)
    run_waiting(engine, chosen)
    with engine.begin() as connection:
        own = add(connection, prediction("isolation"))
        demo = connection.execute(select(ITEMS.c.id).where(ITEMS.c.import_id.is_not(None)).order_by(ITEMS.c.id)).scalars().all()
    say(engine, own, people["analyst"], "isolation")
    before = {name: count for name, count in counts(engine).items() if name not in ("signatures", "bands")}
    # People try the tool on them: what they did there goes with them.
    say(engine, demo[0], people["analyst"], "isolation")
    with engine.begin() as connection:
        add_comment(connection, demo[1], people["analyst"], "À revoir.")
    # And one of the texts comes again, by an import of their own: it stays.
    with (tmp_path / "autre.jsonl").open("w+b") as content:
        content.write(json.dumps({"text": ROWS[5]["text"], "source": "collecte"}).encode())
        content.seek(0)
        begin(engine, chosen, Wanted("collecte", people["analyst"].id), ".jsonl", content)
    run_waiting(engine, chosen)
    removed = remove_demo(engine)
    assert removed is not None
    assert (removed.texts, removed.decisions, removed.kept) == (599, 1, 1)
    assert remove_demo(engine) is None
    with engine.connect() as connection:
        assert demo_imports(connection) == []
        left = {row.text: row.import_id for row in connection.execute(select(ITEMS.c.text, ITEMS.c.import_id))}
        assert connection.execute(select(IMPORTS.c.name)).scalars().all() == ["collecte"]
    assert len(left) == 2
    assert left[ROWS[5]["text"]] is not None
    after = counts(engine)
    assert after["items"] == before["items"] - 599
    assert after["decisions"] == before["decisions"]
    assert "comments" not in after
    assert load_demo(engine, chosen) is None, "retirés, ils ne reviennent pas d'eux-mêmes"
    assert load_demo(engine, chosen, asked=True) is not None


def test_a_case_keeps_the_trace_of_texts_that_are_taken_out(
    engine: Engine, people: dict[Role, Person], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Demonstration texts of a case go, and its history keeps which, their hashes and when; the command says how many."""
    chosen = settings(engine, tmp_path)
    load_demo(engine, chosen)
    run_waiting(engine, chosen)
    case = create_case(engine, people["reviewer"], Words("Essai", "o", "Clairière", "victim"))
    with engine.begin() as connection:
        own = add(connection, prediction("isolation"))
        demo = connection.execute(select(ITEMS.c.id, ITEMS.c.sha256).where(ITEMS.c.import_id.is_not(None)).limit(2)).all()
        add_texts(connection, case.id, people["reviewer"], [*(row.id for row in demo), own], "même annonce")
    monkeypatch.setenv("VIGIE_DATABASE_URL", engine.url.render_as_string(hide_password=False))
    load_settings.cache_clear()
    try:
        said = CliRunner().invoke(app, ["demo", "remove"]).output
    finally:
        load_settings.cache_clear()
    assert "2 étaient dans 1 dossier(s)" in said
    with engine.connect() as connection:
        assert [kept.item_id for kept in texts_of(connection, case.id)] == [own]
        (told,) = [event for event in events_of(connection, case.id) if event.kind == "erased"]
        assert connection.execute(select(CONTACTS.c.id)).all() == []
    assert {(one["id"], one["sha256"]) for one in told.detail["texts"]} == {(row.id, row.sha256) for row in demo}
    assert told.detail["command"] == "vigie demo remove"
    assert told.who == "commande « vigie demo remove »", "personne d'autre ne l'a fait"
    assert {one["added_by"] for one in told.detail["texts"]} == {people["reviewer"].id}
    assert all(row.sha256 in event_words(told.kind, told.detail) for row in demo)


def test_a_base_that_holds_anything_is_left_alone(base: Engine, tmp_path: Path) -> None:
    with base.begin() as connection:
        add(connection)
    assert load_demo(base, settings(base, tmp_path)) is None
    assert "imports" not in counts(base)


def test_the_command_loads_and_removes(base: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIE_DATABASE_URL", base.url.render_as_string(hide_password=False))
    monkeypatch.setenv("VIGIE_SPOOL_DIR", str(tmp_path / "attente"))
    load_settings.cache_clear()
    runner = CliRunner()
    try:
        assert "600 ajoutés" in runner.invoke(app, ["demo", "load"]).output
        assert "déjà là" in runner.invoke(app, ["demo", "load"]).output
        assert "600 textes de démonstration retirés" in runner.invoke(app, ["demo", "remove"]).output
        assert "pas de textes" in runner.invoke(app, ["demo", "remove"]).output
    finally:
        load_settings.cache_clear()
    assert counts(base) == {}
    with base.connect() as connection:
        assert connection.execute(select(CHOICES.c.name)).scalars().all() == ["demo_removed"]


def test_it_is_off_unless_asked_for_and_make_serve_asks() -> None:
    assert Settings().demo is False
    makefile = (Path(__file__).resolve().parents[3] / "Makefile").read_text("utf-8")
    assert "VIGIE_DEMO=$${VIGIE_DEMO:-true} $(BIN)/vigie serve" in makefile
