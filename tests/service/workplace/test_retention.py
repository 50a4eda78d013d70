"""What is past keeping goes, from every table, index and file, bytes included; what people decided is still counted."""

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, text, update
from typer.testing import CliRunner

from model.errors import VigieError
from model.records import Prediction
from service.campaigns.links import describe
from service.campaigns.schema import CAMPAIGN_EVENTS, CAMPAIGN_ITEMS, CAMPAIGNS, CONTACTS
from service.campaigns.work import link_all
from service.cases.cases import Words, create_case, find_case, move_case
from service.cases.contents import add_texts, events_of, texts_of
from service.cases.records import add_note
from service.cases.schema import CASES
from service.cli import app
from service.database import FEEDBACK, METADATA, TEXTS, add_feedback, sha256_text, store_text
from service.privacy.manifest import apply_purges, clean_export, gone_of, read_manifest, write_manifest
from service.privacy.purge import PurgeError, old_files, purge
from service.privacy.retention import RULES, make_plan
from service.privacy.schema import PAST_DECISIONS, PURGED, PURGES
from service.settings import Settings, load_settings
from service.workplace.audit_schema import AUDIT
from service.workplace.choices import choose
from service.workplace.cohorts import sample
from service.workplace.comments import add_comment
from service.workplace.decisions import decide
from service.workplace.filters import Filter
from service.workplace.golden import make_golden
from service.workplace.imports import Wanted, begin
from service.workplace.items import Received, add_item, keep_prediction
from service.workplace.overview import count_all
from service.workplace.people import Person, Role
from service.workplace.queue import page_of
from service.workplace.receptions import EXPORTS, RECEPTIONS
from service.workplace.schema import DECISIONS, IMPORTS, ITEMS
from service.workplace.similar import index
from service.workplace.similar_schema import BANDS, SIGNATURES
from service.workplace.takeouts import ask, filter_of, run_waiting
from service.workplace.times import now
from tests.service.workplace.conftest import Place
from tests.service.workplace.looks import assert_accessible
from tests.service.workplace.made import prediction, say, unsure, verdict

MARK = "zygomorphe"
PHONE = "06 39 98 71 71"
LONG_AGO = timedelta(days=4_000)


def settings_of(engine: Engine, folder: Path, **more: Any) -> Settings:
    url = engine.url.render_as_string(hide_password=False)
    return Settings(database_url=url, spool_dir=folder / "attente", purged_file=folder / "purged.jsonl", **more)


@pytest.fixture
def chosen(engine: Engine, tmp_path: Path) -> Settings:
    return settings_of(engine, tmp_path)


def an_offer(number: int = 0) -> str:
    return f"Venez au soin {MARK}{number} de Gwendaline Torchebœuf, je guéris le cancer, jetez vos comprimés. Tél {PHONE}."


def age(engine: Engine, ids: list[str], days: float) -> None:
    """Make texts, and what was decided of them, so many days old."""
    at = now() - timedelta(days=days)
    with engine.begin() as connection:
        connection.execute(update(ITEMS).where(ITEMS.c.id.in_(ids)).values(received_at=at))
        connection.execute(update(RECEPTIONS).where(RECEPTIONS.c.item_id.in_(ids)).values(received_at=at))
        decided = (ITEMS.c.id.in_(ids), ITEMS.c.decided_at.is_not(None))
        connection.execute(update(ITEMS).where(*decided).values(decided_at=at))
        connection.execute(update(DECISIONS).where(DECISIONS.c.item_id.in_(ids)).values(made_at=at))


def put(engine: Engine, number: int = 0, **more: Any) -> str:
    """An offer as the service keeps it: read by a model, indexed, linked."""
    words = an_offer(number)
    said = Prediction.model_validate(prediction("miracle_cure").model_dump(mode="json") | {"entities": []})
    with engine.begin() as connection:
        received = Received(words, source="essai", channel="ad", author="@torche_lumiere", **more)
        id = add_item(connection, received).id
        keep_prediction(connection, id, said)
        index(connection, id, words)
    return id


def states(engine: Engine, people: Mapping[Role, Person]) -> dict[str, str]:
    """One text of each rule, by rule."""
    choose(engine, "second_share", 0.0, people["administrator"])
    ids = {rule: put(engine, number) for number, rule in enumerate(("new", "undecided", "level0", "decided", "golden", "case"))}
    decide(engine, ids["undecided"], people["analyst"], unsure(), None)
    decide(engine, ids["level0"], people["analyst"], verdict(stance="neutral"), None)
    for rule in ("decided", "golden", "case"):
        say(engine, ids[rule], people["analyst"], "miracle_cure", note=f"Vu avec {MARK}.")
    with engine.begin() as connection:
        make_golden(connection, ids["golden"], people["administrator"])
    case = create_case(engine, people["reviewer"], Words(f"Dossier {MARK}", f"objet {MARK}", "Gwendaline", "victim"))
    with engine.begin() as connection:
        add_texts(connection, case.id, people["reviewer"], [ids["case"]], f"parce que {MARK}")
        add_note(connection, case.id, people["reviewer"], f"note {MARK}", exported=False)
        found = find_case(connection, case.id)
    assert found
    move_case(engine, case.id, people["reviewer"], "closed", found.version)
    return ids


def left(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.scalars(select(ITEMS.c.id)))


def line_of(engine: Engine, settings: Settings, rule: str) -> Any:
    with engine.connect() as connection:
        return next(one for one in make_plan(connection, settings).lines if one.rule.id == rule)


def test_each_text_is_of_one_rule_and_goes_at_its_time(engine: Engine, people: dict[Role, Person], chosen: Settings) -> None:
    ids = states(engine, people)
    expected = dict(ids)
    for rule in ("level0", "new", "undecided", "decided", "golden", "case"):
        days = getattr(chosen, f"retention_{rule}")
        for extra, going in ((-1, 0), (1, 1)):
            age(engine, [expected[rule]], days + extra)
            at = now() - timedelta(days=days + extra)
            with engine.begin() as connection:
                if rule == "golden":
                    connection.execute(text("update golden set made_at = :at"), {"at": at})
                if rule == "case":
                    connection.execute(update(CASES).values(changed_at=at))
            assert line_of(engine, chosen, rule).going == going, rule
        purge(engine, chosen)
        del expected[rule]
        assert left(engine) == set(expected.values()), rule


def test_a_plan_changes_nothing_and_says_why(engine: Engine, people: dict[Role, Person], chosen: Settings) -> None:
    ids = states(engine, people)
    age(engine, list(ids.values()), 4_000)
    before = everything(engine)
    with engine.connect() as connection:
        plan = make_plan(connection, chosen)
    assert everything(engine) == before
    assert {line.rule.id for line in plan.lines} == {rule.id for rule in RULES}
    for line in plan.lines:
        assert line.rule.reason
        assert line.days == getattr(chosen, line.rule.setting)
    new = next(line for line in plan.lines if line.rule.id == "new")
    assert new.going == 1
    assert new.oldest is not None
    assert abs(new.oldest - (now() - timedelta(days=4_000))) < timedelta(minutes=1)
    assert plan.to_json()["going"] == plan.going


def everything(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in METADATA.sorted_tables
        }


def test_a_text_of_an_open_case_never_goes(engine: Engine, people: dict[Role, Person], chosen: Settings) -> None:
    id = put(engine)
    case = create_case(engine, people["reviewer"], Words("Essai", "o", "Clairière", "victim"))
    with engine.begin() as connection:
        add_texts(connection, case.id, people["reviewer"], [id], "même annonce")
    age(engine, [id], 4_000)
    with engine.begin() as connection:
        connection.execute(update(CASES).values(changed_at=now() - LONG_AGO))
    line = line_of(engine, chosen, "case")
    assert (line.going, dict(line.kept)) == (0, {"open_case": 1})
    purge(engine, chosen)
    assert left(engine) == {id}
    assert line_of(engine, chosen, "cases").going == 0


def test_a_text_that_is_seen_again_is_kept_from_then_on(engine: Engine, chosen: Settings) -> None:
    id = put(engine)
    age(engine, [id], 4_000)
    assert line_of(engine, chosen, "new").going == 1
    with engine.begin() as connection:
        add_item(connection, Received(an_offer(), source="autre collecte"))
    assert line_of(engine, chosen, "new").going == 0


def test_nothing_is_left_of_it_anywhere(engine: Engine, people: dict[Role, Person], chosen: Settings, tmp_path: Path) -> None:
    """Tables, words searched for, near-duplicates, contacts, campaigns, cases, copies, files of the spool."""
    ids = states(engine, people)
    twin = put(engine, 0, external_id="autre")
    assert twin == ids["new"]
    others = [put(engine, 100 + number) for number in range(2)]
    link_all(engine)
    with engine.begin() as connection:
        add_comment(connection, ids["decided"], people["analyst"], f"commentaire {MARK}")
        for campaign in connection.scalars(select(CAMPAIGNS.c.id)).all():
            describe(connection, campaign, f"campagne {MARK}", f"note {MARK}", people["reviewer"])
    store_text(engine, an_offer(), {"model_version": "m1"}, None)
    add_feedback(engine, {"text": an_offer(1), "sha256": sha256_text(an_offer(1)), "comment": MARK, "model_version": "m1"})
    ask(engine, people["administrator"], "jsonl", filter_of(""))
    run_waiting(engine, chosen)
    assert MARK in "".join(path.read_text("utf-8") for path in (chosen.spool_dir / "exports").glob("*.jsonl"))
    age(engine, [*ids.values(), *others], 4_000)
    with engine.begin() as connection:
        connection.execute(text("update golden set made_at = :at"), {"at": now() - LONG_AGO})
        connection.execute(update(CASES).values(changed_at=now() - LONG_AGO))
        connection.execute(update(TEXTS).values(stored_at=now() - LONG_AGO))
        connection.execute(update(FEEDBACK).values(received_at=now() - LONG_AGO))
        assert connection.execute(select(func.count()).select_from(CONTACTS)).scalar_one()
    done = purge(engine, chosen, people["administrator"])
    assert done.counts["case"] == done.counts["cases"] == 1
    assert left(engine) == set()
    assert found_in(engine, MARK) == []
    assert found_in(engine, "torche_lumiere") == []
    assert found_in(engine, "39987171") == []
    with engine.connect() as connection:
        for table in (SIGNATURES, BANDS, CONTACTS, CAMPAIGN_ITEMS, TEXTS, FEEDBACK):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 0, table.name
        assert page_of(connection, Filter(q=f"{MARK}0"), people["analyst"]).rows == []
        assert list(connection.scalars(select(EXPORTS.c.file))) == [None]
        assert connection.execute(select(CAMPAIGN_EVENTS.c.number).where(CAMPAIGN_EVENTS.c.why.is_not(None))).first() is None
        case = find_case(connection, "D-1")
        assert case
        assert (case.title, case.summary, case.concerned, case.status) == ("Dossier purgé", "", "", "closed")
        assert texts_of(connection, case.id) == []
        (gone,) = [event for event in events_of(connection, case.id) if event.kind == "erased"]
        assert gone.detail["texts"][0]["sha256"] == sha256_text(an_offer(5))
        erased = connection.execute(select(AUDIT.c.object).where(AUDIT.c.action == "text.erase")).scalars().all()
        assert set(erased) == {f"text:{id}" for id in (*ids.values(), *others)}
    assert not list((chosen.spool_dir / "exports").glob("*.jsonl"))
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert MARK.encode() not in path.read_bytes(), f"{path.name} garde des octets du texte"


def found_in(engine: Engine, secret: str) -> list[str]:
    """The columns, of any table, that hold a word."""
    found = []
    with engine.connect() as connection:
        for table in METADATA.sorted_tables:
            for row in connection.execute(select(table)).mappings():
                found += [f"{table.name}.{name}" for name, value in row.items() if secret in str(value)]
    return found


def test_the_bytes_of_postgresql_go_too(
    postgres_base: Engine, postgres: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The tables are written anew; the server's own journal (WAL) is its operator's to let expire."""
    id = put(postgres_base)
    age(postgres_base, [id], 4_000)
    with postgres_base.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        folder = Path(connection.execute(text("show data_directory")).scalar_one())
        number = connection.execute(text("select oid from pg_database where datname = current_database()")).scalar_one()
        connection.execute(text("checkpoint"))
    files = folder / "base" / str(number)
    assert any(MARK.encode() in path.read_bytes() for path in files.iterdir() if path.is_file())
    purge(postgres_base, settings_of(postgres_base, tmp_path))
    with postgres_base.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("checkpoint"))
    assert [path.name for path in files.iterdir() if path.is_file() and MARK.encode() in path.read_bytes()] == []


def test_asked_twice_it_does_nothing_the_second_time(engine: Engine, people: dict[Role, Person], chosen: Settings) -> None:
    ids = states(engine, people)
    age(engine, list(ids.values()), 800)
    first = purge(engine, chosen)
    assert first.counts == {"new": 1, "undecided": 1, "level0": 1, "decided": 1}
    before, written = everything(engine), chosen.purged_file.read_text("utf-8")
    assert purge(engine, chosen).counts == {}
    after = everything(engine)
    assert {name: count for name, count in after.items() if count != before[name]} == {
        "purges": before["purges"] + 1,
        "audit_records": before["audit_records"] + 1,
    }
    assert chosen.purged_file.read_text("utf-8") == written


_PURGE = """
import sys
from pathlib import Path
from service.database import connect_database
from service.privacy.purge import purge
from service.settings import Settings
folder = Path(sys.argv[2])
settings = Settings(database_url=sys.argv[1], spool_dir=folder / "attente", purged_file=folder / "purged.jsonl")
def said(rule, number):
    print(rule, number, flush=True)
    sys.stdin.readline()
purge(connect_database(sys.argv[1]), settings, None, said)
"""


def test_killed_in_the_middle_nothing_is_half_done_and_the_next_goes_on(engine: Engine, chosen: Settings, tmp_path: Path) -> None:
    with engine.begin() as connection:
        ids = [add_item(connection, Received(f"{an_offer(number)}", source="essai")).id for number in range(450)]
    age(engine, ids, 4_000)
    process = subprocess.Popen(
        [sys.executable, "-c", _PURGE, chosen.database_url, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline().split() == ["new", "200"]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    remaining = left(engine)
    with engine.connect() as connection:
        gone = set(connection.scalars(select(PURGED.c.item_id)))
        (state,) = connection.scalars(select(PURGES.c.state)).all()
    assert (len(remaining), len(gone), state) == (250, 200, "removing")
    assert not remaining & gone
    assert remaining | gone == set(ids)
    assert purge(engine, chosen).counts == {"new": 450}, "ce qui était parti est compté une fois"
    assert left(engine) == set()
    assert {trace.id for trace in read_manifest(chosen.purged_file)} == set(ids)
    assert found_in(engine, MARK) == []


def test_two_purges_at_once_are_one(base: Engine, tmp_path: Path) -> None:
    chosen = settings_of(base, tmp_path)
    age(base, [put(base)], 4_000)

    def again(_: str, __: int) -> None:
        with pytest.raises(PurgeError, match="Une autre purge"):
            purge(base, chosen)

    assert purge(base, chosen, None, again).total == 1


def test_a_reader_does_not_keep_bytes_in_the_journal_unsaid(
    base: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While somebody reads the database, its journal cannot be emptied: the purge says so, and the next one finishes."""
    chosen = settings_of(base, tmp_path)
    age(base, [put(base)], 4_000)
    monkeypatch.setattr("service.privacy.cleaning._WAIT_SECONDS", 0.3)
    with base.connect() as reader:
        reader.execute(select(ITEMS.c.id)).all()
        with pytest.raises(PurgeError, match="Relancez la purge"):
            purge(base, chosen)
    assert left(base) == set()
    assert purge(base, chosen).counts == {"new": 1}
    files = [path for path in tmp_path.rglob("vigie.db*") if path.is_file()]
    assert not any(MARK.encode() in path.read_bytes() for path in files)


def test_what_people_decided_is_still_counted(engine: Engine, people: dict[Role, Person], chosen: Settings) -> None:
    """Estimates and weeks are the same before and after the texts that go first, those of level 0, are gone."""
    choose(engine, "second_share", 0.0, people["administrator"])
    ids = []
    for number in range(12):
        with engine.begin() as connection:
            id = add_item(connection, Received(an_offer(number), source="essai")).id
            keep_prediction(connection, id, prediction("miracle_cure"))
        sign = ("miracle_cure",) if number % 3 else ()
        say(engine, id, people["analyst"], *sign, drawn_by="random", drawn_share=0.1, note=MARK)
        ids.append(id)
    age(engine, ids, 100)
    with engine.connect() as connection:
        before, weeks = sample(connection), count_all(connection).weeks
    assert before.decided == 12
    assert purge(engine, chosen).counts == {"level0": 4}
    with engine.connect() as connection:
        after = count_all(connection)
        rows = connection.execute(select(PAST_DECISIONS)).mappings().all()
    assert after.sample == before
    assert after.weeks == weeks
    assert (after.purged, after.past_decisions) == (4, 4)
    for row in rows:
        assert MARK not in str(dict(row))
        assert "user_id" not in row


def test_a_restored_backup_is_purged_again(engine: Engine, people: dict[Role, Person], chosen: Settings, tmp_path: Path) -> None:
    """The manifest of what was purged since is applied to a base of before: by identifier, and by hash for what came before."""
    ids = states(engine, people)
    store_text(engine, an_offer(50), {"model_version": "m1"}, "choisi par le client")
    lines = [
        {"kind": "item", "id": ids["new"], "sha256": "0" * 64},
        {"kind": "item", "id": "f" * 28, "sha256": sha256_text(an_offer(3))},
        {"kind": "stored", "id": "", "sha256": sha256_text(an_offer(50))},
        {"kind": "case", "id": case_id(engine), "sha256": ""},
    ]
    manifest = tmp_path / "manifeste.jsonl"
    when = (now() + timedelta(seconds=1)).isoformat()
    manifest.write_text("".join(json.dumps(line | {"purged_at": when, "why": "retention:new"}) + "\n" for line in lines), "utf-8")
    assert apply_purges(engine, manifest) == {"item": 2, "stored": 1, "feedback": 0, "case": 1}
    assert left(engine) == {ids[rule] for rule in ("undecided", "level0", "golden", "case")}
    with engine.connect() as connection:
        assert connection.execute(select(TEXTS.c.id)).first() is None
        assert connection.execute(select(CASES.c.title)).scalar() == "Dossier purgé"
    assert dict(apply_purges(engine, manifest)) == {"item": 0, "stored": 0, "feedback": 0, "case": 0}
    # What the manifest said already is not said again.
    assert write_manifest(engine, chosen.purged_file) == 0


def case_id(engine: Engine) -> str:
    with engine.connect() as connection:
        return str(connection.execute(select(CASES.c.id)).scalar_one())


def test_a_text_that_came_again_since_stays(base: Engine, tmp_path: Path) -> None:
    chosen = settings_of(base, tmp_path)
    age(base, [put(base)], 4_000)
    purge(base, chosen)
    again = put(base)
    assert apply_purges(base, chosen.purged_file)["item"] == 0
    assert left(base) == {again}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "ligne 1"),
        ('{"kind": "item"}', "sha256"),
        ('{"kind": "autre", "id": "", "sha256": "", "purged_at": "2026-01-01T00:00:00+00:00", "why": ""}', "genre"),
        ('{"kind": "item", "id": "", "sha256": "x", "purged_at": "2026-01-01T00:00:00+00:00", "why": ""}', "SHA-256"),
        ('{"kind": "item", "id": "", "sha256": "", "purged_at": "2026-01-01T00:00:00", "why": ""}', "fuseau"),
    ],
)
def test_a_wrong_manifest_is_told(base: Engine, tmp_path: Path, line: str, told: str) -> None:
    path = tmp_path / "faux.jsonl"
    path.write_text(line + "\n", "utf-8")
    with pytest.raises(VigieError, match=told):
        apply_purges(base, path)


def test_a_line_cut_by_a_crash_is_mended(base: Engine, tmp_path: Path) -> None:
    chosen = settings_of(base, tmp_path)
    age(base, [put(base)], 4_000)
    chosen.purged_file.write_text('{"kind": "item", "id"', "utf-8")
    purge(base, chosen)
    assert len(list(read_manifest(chosen.purged_file))) == 1


def test_a_manifest_holds_no_text(base: Engine, tmp_path: Path) -> None:
    chosen = settings_of(base, tmp_path)
    age(base, [put(base)], 4_000)
    purge(base, chosen)
    (line,) = [json.loads(line) for line in chosen.purged_file.read_text("utf-8").splitlines()]
    assert set(line) == {"kind", "id", "sha256", "purged_at", "why"}
    assert (line["why"], line["sha256"]) == ("retention:new", sha256_text(an_offer()))
    assert chosen.purged_file.stat().st_mode & 0o077 == 0


def test_files_that_went_out_are_cleaned(base: Engine, tmp_path: Path) -> None:
    id = put(base)
    out = tmp_path / "corpus.jsonl"
    rows = [{"id": id, "text": "autre"}, {"id": "x", "text": an_offer()}, {"id": "y", "text": "gardé"}]
    out.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    age(base, [id], 4_000)
    purge(base, settings_of(base, tmp_path))
    with base.connect() as connection:
        assert clean_export(out, gone_of(connection)) == (1, 2)
    assert [json.loads(line)["id"] for line in out.read_text("utf-8").splitlines()] == ["y"]
    out.write_text("pas du JSON\n", "utf-8")
    with base.connect() as connection, pytest.raises(VigieError, match="ligne 1"):
        clean_export(out, gone_of(connection))
    assert out.read_text("utf-8") == "pas du JSON\n"


def test_files_that_wait_in_the_spool_go(base: Engine, tmp_path: Path) -> None:
    chosen = settings_of(base, tmp_path)
    source = tmp_path / "sans-colonne.csv"
    source.write_text(f"a,b\n{MARK},{MARK}\n", "utf-8")
    with source.open("rb") as content:
        id = begin(base, chosen, Wanted("essai"), ".csv", content)
    source.unlink()
    with base.begin() as connection:
        assert connection.execute(select(IMPORTS.c.state)).scalar() == "columns"
        connection.execute(update(IMPORTS).values(started_at=now() - LONG_AGO))
        assert len(old_files(chosen, connection)) == 1
    assert purge(base, chosen).counts == {"files": 1}
    assert not [path for path in chosen.spool_dir.rglob("*.csv")]
    with base.connect() as connection:
        assert connection.execute(select(IMPORTS.c.state).where(IMPORTS.c.id == id)).scalar() == "failed"


def test_the_command_plans_and_purges(base: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    age(base, [put(base)], 4_000)
    for name, value in (
        ("DATABASE_URL", base.url.render_as_string()),
        ("PURGED_FILE", tmp_path / "p.jsonl"),
        ("SPOOL_DIR", tmp_path),
    ):
        monkeypatch.setenv(f"VIGIE_{name}", str(value))
    load_settings.cache_clear()
    runner = CliRunner()
    try:
        plan = runner.invoke(app, ["retention", "plan"]).output
        assert "1  textes que personne n'a décidés : 180 jours" in plan
        assert json.loads(runner.invoke(app, ["retention", "plan", "--json"]).stdout)["going"] == 1
        assert runner.invoke(app, ["retention", "purge"], input="n\n").exit_code == 1
        assert len(left(base)) == 1
        assert "1 éléments purgés" in runner.invoke(app, ["retention", "purge", "--yes"]).output
        assert left(base) == set()
        assert "0 lignes purgées" in runner.invoke(app, ["retention", "apply"]).output
        monkeypatch.setenv("VIGIE_RETENTION_NEW", "0")
        load_settings.cache_clear()
        assert "VIGIE_RETENTION_NEW" in str(runner.invoke(app, ["retention", "plan"]).exception)
    finally:
        load_settings.cache_clear()


def test_the_page_shows_the_plan_and_purges_once_sure(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    id = put(place.engine)
    age(place.engine, [id], 4_000)
    administrator = place.visitor("administrator")
    page = administrator.get("/conservation")
    assert page.status_code == 200
    assert "VIGIE_RETENTION_NEW" in page.text
    assert place.visitor("reviewer").get("/conservation").status_code == 403
    assert administrator.get("/conservation/plan").json()["going"] == 1
    refused = administrator.post("/conservation/purge")
    assert refused.status_code == 422
    assert left(place.engine) == {id}
    assert administrator.post("/conservation/purge", {"sure": "1"}).status_code == 303
    assert left(place.engine) == set()
    assert "Fait" in administrator.get("/conservation?dit=purge").text


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_the_page_is_accessible(browsed: Place, width: int, dark: bool) -> None:
    age(browsed.engine, [put(browsed.engine)], 4_000)
    page = browsed.page("administrator", width=width, dark=dark)
    page.goto("/conservation")
    assert_accessible(page)
