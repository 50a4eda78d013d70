"""Everything comes out again, and goes in again unchanged."""

import csv
import io
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, insert, select, update

from model.errors import BatchError
from service.database import connect_database
from service.settings import Settings
from service.workplace.choices import choose
from service.workplace.columns import guarded
from service.workplace.decided import Verdict
from service.workplace.decisions import decide as made
from service.workplace.exports import COLUMNS, everything, stream, write
from service.workplace.filters import Filter
from service.workplace.imports import Wanted, begin, find_import, run
from service.workplace.items import Received, add_item, add_items, keep_prediction, new_id, newest_prediction
from service.workplace.people import Person, Role
from service.workplace.queue import counts_of
from service.workplace.receptions import EXPORTS, RECEPTIONS
from service.workplace.schema import DECISIONS, IMPORT_ERRORS, IMPORTS, ITEMS
from service.workplace.similar_schema import BANDS, SIGNATURES
from service.workplace.takeouts import (
    KEPT_FOR,
    ask,
    exact_filter,
    filter_of,
    find_takeout,
    newest_takeouts,
    place_of,
    run_waiting,
    streamed,
)
from service.workplace.times import now
from service.workplace.workbook import split
from tests.service.workplace.conftest import Place
from tests.service.workplace.looks import assert_accessible
from tests.service.workplace.test_items import predicted

DANGEROUS = ["=1+1", "+33 6", "-20 %", "@moi", "\tx", "'=deja", "'bonjour", "a\r\nb", 'dit "oui"; ou, non', "e\u0301🙂"]


def decide(engine: Engine, item_id: str, person: Person) -> None:
    """A decision as the record holds it."""
    values = {
        "id": new_id(),
        "item_id": item_id,
        "user_id": person.id,
        "made_at": now(),
        "kind": "first",
        "verdict": "confirmed",
        "stance": "promotes",
        "level": 2,
        "targets": ["illness"],
        "indicators": [{"label": "miracle_cure", "start": 0, "end": 2}],
        "note": "=vu",
        "drawn_by": "queue",
    }
    with engine.begin() as connection:
        connection.execute(insert(DECISIONS).values(**values))


def test_jsonl_holds_provenance_prediction_and_decisions(engine: Engine, people: dict[Role, Person]) -> None:
    with engine.begin() as connection:
        parent = add_item(connection, Received("parent", external_id="p", source="s"))
        id = add_item(connection, Received("enfant", source="s", author="@x", parent="p")).id
        keep_prediction(connection, id, predicted(2, 0.8))
        said = newest_prediction(connection, id)
    decide(engine, id, people["analyst"])
    rows = [json.loads(line) for line in stream(engine, "jsonl")]
    assert [row["text"] for row in rows if row["id"] == parent.id] == ["parent"]
    child = next(row for row in rows if row["id"] == id)
    assert (child["author"], child["parent"], child["level"]) == ("@x", "p", 2)
    assert said
    assert child["prediction"] == said.model_dump(mode="json")
    assert [(one["login"], one["level"], one["indicators"][0]["label"]) for one in child["decisions"]] == [
        ("analyst", 2, "miracle_cure")
    ]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_formulas_are_guarded(base: Engine, tmp_path: Path, kind: str) -> None:
    with base.begin() as connection:
        add_items(connection, [Received(text, author=text.strip()) for text in DANGEROUS])
    path = tmp_path / f"tout.{kind}"
    write(base, kind, path)
    if kind == "csv":
        rows = list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))
    else:
        rows = [[cell or "" for cell in row] for row in openpyxl.load_workbook(path)["textes"].iter_rows(values_only=True)]
    for row in rows[1:]:
        assert not any(str(cell).startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for cell in row)
    assert len(rows) == len(DANGEROUS) + 1


def again(source: Engine, target: Engine, spool: Settings, kind: str, path: Path) -> None:
    """Export from one database, import into another."""
    write(source, kind, path)
    with path.open("rb") as content:
        id = begin(target, spool, Wanted("retour"), path.suffix, content)
    run(target, spool, id)
    with target.connect() as connection:
        row = find_import(connection, id)
    assert row
    assert (row["state"], row["errors"]) == ("done", 0)


def provenance(engine: Engine) -> list[tuple[object, ...]]:
    names = ("text", "sha256", "source", "author", "url", "captured_at", "external_id", "channel", "theme", "region")
    with engine.connect() as connection:
        rows = connection.execute(select(*(ITEMS.c[name] for name in names)).order_by(ITEMS.c.sha256))
        return [tuple(row) for row in rows]


_TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(lambda text: f"{text} mot")
_SHORT = st.none() | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30).map(lambda text: text.strip() or None)


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
@examples(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(_TEXTS | st.sampled_from(DANGEROUS), st.tuples(_SHORT, _SHORT, _SHORT), max_size=6))
def test_what_goes_out_comes_in_unchanged(
    base: Engine, blank: Path, tmp_path: Path, kind: str, texts: dict[str, tuple[str | None, ...]]
) -> None:
    shutil.copy(blank, tmp_path / "autre.db")
    for leftover in tmp_path.glob("autre.db-*"):
        leftover.unlink()
    other = connect_database(f"sqlite:///{tmp_path / 'autre.db'}")
    with base.begin() as connection:
        for table in (BANDS, SIGNATURES, RECEPTIONS, IMPORT_ERRORS, ITEMS, IMPORTS):
            connection.execute(delete(table))
        received = [
            Received(text, source=source or "", author=author, url=url, captured_at=now(), channel="ad", region=url)
            for text, (source, author, url) in texts.items()
        ]
        if received:
            add_items(connection, received)
    if received:
        again(base, other, Settings(spool_dir=tmp_path / "attente"), kind, tmp_path / f"tout.{kind}")
        assert provenance(other) == provenance(base)
    other.dispose()


def test_export_takes_what_arrives_meanwhile_and_holds_little(base: Engine) -> None:
    with base.begin() as connection:
        add_items(connection, [Received(f"texte {number}") for number in range(450)])
    rows = everything(base)
    first = next(rows)
    with base.begin() as connection:
        add_item(connection, Received("plus tard"))
    texts = [first["text"], *(row["text"] for row in rows)]
    assert len(texts) == 451
    assert texts[-1] == "plus tard"


def cells(path: Path, sheet: str) -> list[dict[str, Any]]:
    """The rows of a sheet by column."""
    book = openpyxl.load_workbook(path, read_only=True)
    rows = list(book[sheet].iter_rows(values_only=True))
    book.close()
    return [dict(zip(map(str, rows[0]), row, strict=False)) for row in rows[1:]]


def test_a_workbook_cuts_nothing_and_comes_in_unchanged(base: Engine, blank: Path, tmp_path: Path) -> None:
    other = connect_database(f"sqlite:///{shutil.copy(blank, tmp_path / 'autre.db')}")
    long = ["=" + "é" * 19_000, "🙂 " * 9_900 + "fin", "🙂" + "a" * 16_382 + "=suite", "🙂" + "a" * 16_381 + "'=suite", "court"]
    with base.begin() as connection:
        for text in long:
            id = add_item(connection, Received(text, source="s", author="'-x", external_id=text[-5:])).id
            keep_prediction(connection, id, predicted(2, 0.8))
    path = tmp_path / "tout.xlsx"
    again(base, other, Settings(spool_dir=tmp_path / "attente"), "xlsx", path)
    assert provenance(other) == provenance(base)
    rows = cells(path, "textes")
    assert {"text", "text (suite 2)", "prediction"} <= set(rows[0])
    for row in rows:
        assert json.loads(row["prediction"])["risk"]["level"] == 2
        assert all(len(str(value).encode("utf-16-le")) <= 2 * 32_767 for value in row.values())
        assert not any(str(value).startswith(("=", "+", "-", "@")) for value in row.values())
    other.dispose()


@pytest.mark.parametrize("value", ["", "a" * 100_000, "🙂" * 50_000, "é" * 32_766 + "=1", "a\x0bb" * 20_000])
def test_a_long_value_is_parted_and_whole(value: str) -> None:
    parts = split(value)
    assert "".join(parts) == value.replace("\x0b", "")
    assert all(len(guarded(part).encode("utf-16-le")) <= 2 * 32_767 for part in parts)


def test_where_else_a_text_was_seen_goes_out_too(engine: Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        for place, author in enumerate(("@un", "@deux", "@deux")):
            add_item(
                connection, Received("même texte", source="réseau", author=author, url=f"https://a.fr/{place}", region="Bretagne")
            )
    (row,) = [json.loads(line) for line in stream(engine, "jsonl")]
    assert (row["author"], row["seen"], row["region"]) == ("@un", 3, "Bretagne")
    assert [(one["author"], one["url"], one["region"]) for one in row["receptions"]] == [
        ("@deux", "https://a.fr/1", "Bretagne"),
        ("@deux", "https://a.fr/2", "Bretagne"),
    ]
    write(engine, "xlsx", tmp_path / "tout.xlsx")
    assert [one["url"] for one in cells(tmp_path / "tout.xlsx", "réceptions")] == ["https://a.fr/1", "https://a.fr/2"]


def test_http_export_in_every_format(each_place: Place, filled: Callable[[Engine, int], list[str]]) -> None:
    ids = filled(each_place.engine, 60)
    decide(each_place.engine, ids[0], each_place.people["reviewer"])
    # It holds what people and the model say of texts that others are to read blind.
    for role in ("analyst", "reviewer"):
        for path in ("/v1/export?format=jsonl", "/export", "/v1/exports/x", "/v1/exports/x/file", "/export/x/fichier"):
            assert each_place.visitor(role).get(path).status_code == 403
        assert each_place.visitor(role).post("/export", {"format": "csv"}).status_code == 403
    visitor = each_place.visitor("administrator")
    lines = visitor.get("/v1/export?format=jsonl").text.splitlines()
    assert [json.loads(line)["id"] for line in lines] == sorted(ids)
    table = list(csv.reader(io.StringIO(visitor.get("/v1/export?format=csv").content.decode("utf-8-sig"), newline="")))
    assert tuple(table[0]) == COLUMNS
    assert len(table) == 61
    assert visitor.get("/v1/export?format=pdf").status_code == 422
    assert "POST /v1/exports" in visitor.get("/v1/export?format=xlsx").json()["detail"]
    flagged = visitor.get("/v1/export?format=jsonl&niveau=2&niveau=3").text.splitlines()
    assert {json.loads(line)["level"] for line in flagged} == {2, 3}
    with each_place.engine.connect() as connection:
        log = newest_takeouts(connection)
    assert [(one.by, one.kind, one.wanted, one.texts, one.state) for one in log] == [
        ("Administrator", "jsonl", "niveau=2&niveau=3", len(flagged), "done"),
        ("Administrator", "csv", "tout=1", 60, "done"),
        ("Administrator", "jsonl", "tout=1", 60, "done"),
    ]


def test_a_workbook_is_written_in_the_background_and_fetched(
    each_place: Place, filled: Callable[[Engine, int], list[str]]
) -> None:
    ids = filled(each_place.engine, 60)
    decide(each_place.engine, ids[0], each_place.people["reviewer"])
    visitor = each_place.visitor("administrator")
    page = visitor.get("/export?niveau=3")
    assert 'value="niveau=3"' in page.text
    asked = visitor.client.post("/v1/exports?format=xlsx&niveau=3", headers={"x-csrf-token": visitor.csrf})
    assert asked.status_code == 202
    one = visitor.post("/export", {"format": "jsonl", "file": "niveau=3"}).headers["location"]
    status: dict[str, Any] = {}
    for _ in range(200):
        status = visitor.get(asked.json()["url"]).json()
        if status["over"] and visitor.get(f"{one}/etat").json()["over"]:
            break
        time.sleep(0.05)
    lines = visitor.get(f"{one}/fichier").text.splitlines()
    assert (status["state"], status["texts"], status["by"]) == ("done", len(lines), "Administrator")
    assert {json.loads(line)["level"] for line in lines} == {3}
    book = openpyxl.load_workbook(io.BytesIO(visitor.get(status["file"]).content), read_only=True)
    assert [sheet.title for sheet in book.worksheets] == ["textes", "décisions", "réceptions"]
    assert len(list(book["textes"].iter_rows())) == len(lines) + 1
    book.close()
    assert "Télécharger le fichier" in visitor.get(one).text
    assert visitor.get("/export").text.count("niveau\u00a0: 3 (prioritaire)</a>") == 2
    assert visitor.client.post("/v1/exports?format=pdf", headers={"x-csrf-token": visitor.csrf}).status_code == 422
    assert visitor.get("/export/inconnu").status_code == 404


def test_an_export_broken_off_is_written_by_the_next_and_old_files_go(
    engine: Engine, people: dict[Role, Person], tmp_path: Path
) -> None:
    spool = Settings(spool_dir=tmp_path)
    with engine.begin() as connection:
        add_items(connection, [Received(f"texte {number}") for number in range(450)])
    id = ask(engine, people["administrator"], "xlsx", filter_of(""))
    stops = iter([False, False, False, True, True])
    assert run_waiting(engine, spool, lambda: next(stops)) == 0
    assert not list((tmp_path / "exports").glob("*.xlsx*")), "rien à moitié écrit"
    assert run_waiting(engine, spool) == 1
    with engine.connect() as connection:
        made = find_takeout(connection, id)
    assert made
    assert (made.state, made.texts) == ("done", 450)
    path = place_of(spool, made)
    assert path
    assert path.stat().st_mode & 0o077 == 0, "personne d'autre sur la machine ne le lit"
    with engine.begin() as connection:
        connection.execute(update(EXPORTS).values(finished_at=now() - KEPT_FOR * 2))
    assert run_waiting(engine, spool) == 0
    assert not path.exists()
    refused = ask(engine, people["analyst"], "csv", filter_of(""))
    run_waiting(engine, spool)
    with engine.connect() as connection:
        told = find_takeout(connection, refused)
    assert told
    assert (told.state, told.file and place_of(spool, told)) == ("failed", None)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("etat=neww", "etat"),
        ("niveau=4", "niveau"),
        ("canal=rezo", "canal"),
        ("depuis=2026-13-45", "depuis"),
        ("sorce=site", "sorce"),
    ],
)
def test_a_filter_that_is_not_understood_gives_nothing_out(query: str, told: str) -> None:
    with pytest.raises(BatchError, match=f"Filtre « {told} »"):
        exact_filter(f"format=csv&{query}&niveau=2")
    assert exact_filter("format=csv&niveau=2&niveau=3&etat=done&q=zona&depuis=2026-01-31&tri=recu").niveau == ("2", "3")


def test_a_stream_that_nobody_reads_to_its_end_is_recorded_so(engine: Engine, people: dict[Role, Person]) -> None:
    with engine.begin() as connection:
        add_items(connection, [Received(f"texte {number}") for number in range(450)])
    pieces = streamed(engine, people["administrator"], "jsonl", filter_of(""))
    for _ in range(300):
        next(pieces)
    pieces.close()
    with engine.connect() as connection:
        (one,) = newest_takeouts(connection)
    assert (one.state, one.texts) == ("stopped", 300)


def test_export_pages_are_accessible(browsed: Place, filled: Callable[[Engine, int], list[str]]) -> None:
    filled(browsed.engine, 60)
    for width, dark in ((1280, False), (390, True)):
        page = browsed.page("administrator", width=width, dark=dark)
        page.goto("/export?niveau=3")
        page.get_by_role("radio", name="XLSX").check()
        page.get_by_role("button", name="Préparer le fichier").click()
        page.get_by_role("link", name="Télécharger le fichier").wait_for(timeout=20_000)
        assert_accessible(page)
        page.goto("/export")
        assert_accessible(page)


def test_the_page_counts_what_the_file_holds_texts_that_wait_to_be_read_blind_too(place: Place) -> None:
    """Who administers exports them: the queue leaves them out for the person, and the page once counted as the queue does."""
    choose(place.engine, "second_share", 1, place.people["administrator"])
    with place.engine.begin() as connection:
        ids = [add_item(connection, Received(f"Texte {number}.")).id for number in range(3)]
    made(place.engine, ids[0], place.people["analyst"], Verdict(stance="neutral", level=0), None)
    with place.engine.connect() as connection:
        assert counts_of(connection, Filter.read("tout=1"), place.people["administrator"]).total == 2
    visitor = place.visitor("administrator")
    held = len(visitor.get("/v1/export?format=jsonl").text.splitlines())
    assert held == 3
    assert f"<strong>Tous les textes</strong> ({held})" in visitor.get("/export").text
