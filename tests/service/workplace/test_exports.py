"""Everything comes out again, and goes in again unchanged."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, insert, select

from service.settings import Settings
from service.workplace.exports import COLUMNS, everything, stream, write
from service.workplace.imports import Wanted, begin, find_import, run
from service.workplace.items import Received, add_item, add_items, keep_prediction, new_id, newest_prediction
from service.workplace.people import Person, Role
from service.workplace.schema import BANDS, DECISIONS, IMPORT_ERRORS, IMPORTS, ITEMS, SIGNATURES
from service.workplace.times import now
from tests.service.workplace.conftest import Place
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
    names = ("text", "sha256", "source", "author", "url", "captured_at", "external_id", "channel", "theme")
    with engine.connect() as connection:
        rows = connection.execute(select(*(ITEMS.c[name] for name in names)).order_by(ITEMS.c.sha256))
        return [tuple(row) for row in rows]


_TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).map(lambda text: f"{text} mot")
_SHORT = st.none() | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30).map(lambda text: text.strip() or None)


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
@examples(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(_TEXTS | st.sampled_from(DANGEROUS), st.tuples(_SHORT, _SHORT, _SHORT), max_size=6))
def test_what_goes_out_comes_in_unchanged(
    base: Engine, blank: Path, tmp_path: Path, kind: str, texts: dict[str, tuple[str | None, ...]]
) -> None:
    import shutil

    from service.database import connect_database

    shutil.copy(blank, tmp_path / "autre.db")
    for leftover in tmp_path.glob("autre.db-*"):
        leftover.unlink()
    other = connect_database(f"sqlite:///{tmp_path / 'autre.db'}")
    with base.begin() as connection:
        for table in (BANDS, SIGNATURES, IMPORT_ERRORS, ITEMS, IMPORTS):
            connection.execute(delete(table))
        received = [
            Received(text, source=source or "", author=author, url=url, captured_at=now(), channel="ad")
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


def test_http_export_in_every_format(each_place: Place, filled: Callable[[Engine, int], list[str]]) -> None:
    ids = filled(each_place.engine, 20)
    decide(each_place.engine, ids[0], each_place.people["reviewer"])
    # It holds what people and the model say of texts that others are to read blind.
    for role in ("analyst", "reviewer"):
        assert each_place.visitor(role).get("/v1/export?format=jsonl").status_code == 403
        assert each_place.visitor(role).get("/export").status_code == 403
    visitor = each_place.visitor("administrator")
    lines = visitor.get("/v1/export?format=jsonl").text.splitlines()
    assert [json.loads(line)["id"] for line in lines] == sorted(ids)
    table = list(csv.reader(io.StringIO(visitor.get("/v1/export?format=csv").content.decode("utf-8-sig"), newline="")))
    assert tuple(table[0]) == COLUMNS
    assert len(table) == 21
    book = openpyxl.load_workbook(io.BytesIO(visitor.get("/v1/export?format=xlsx").content), read_only=True)
    assert [sheet.title for sheet in book.worksheets] == ["textes", "décisions"]
    assert len(list(book["décisions"].iter_rows())) == 2
    book.close()
    assert visitor.get("/v1/export?format=pdf").status_code == 422
    assert "/v1/export?format=xlsx" in visitor.get("/export").text
