"""Files become texts: whatever the format, row by row, resumable, bounded; and the pages and calls that do it."""

import csv
import gzip
import io
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from sqlalchemy import Engine, RowMapping, func, select

from model.errors import BatchError
from service.database import sha256_text
from service.settings import Settings
from service.workplace import imports
from service.workplace.columns import guarded, recognised, unguarded
from service.workplace.imports import Wanted, begin, choose_columns, errors_of, find_import, resume_import, run, stop_import
from service.workplace.receptions import receptions_of
from service.workplace.schema import IMPORTS, ITEMS
from service.workplace.similar import index_signed
from service.workplace.tables import Limits, read_records
from tests.service.workplace.conftest import Place

ROWS: list[dict[str, Any]] = [
    {
        "Texte": "Séance à distance, 40 €",
        "Auteur": "@mag",
        "Lien": "https://x.fr/1",
        "Date": "22/11/2026 14:30",
        "Canal": "annonce",
    },
    {"Texte": "Deuxième ; avec « guillemets »\net une ligne", "Auteur": "b", "Lien": None, "Date": "2026-11-22", "Canal": None},
]


@pytest.fixture
def spool(tmp_path: Path) -> Settings:
    return Settings(spool_dir=tmp_path / "attente", max_import_bytes=2_000_000, max_import_rows=5_000)


def csv_of(rows: list[dict[str, Any]], delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    target = io.StringIO()
    writer = csv.DictWriter(target, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return target.getvalue().encode(encoding)


def jsonl_of(rows: list[dict[str, Any]]) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


def xlsx_of(rows: list[dict[str, Any]]) -> bytes:
    book = openpyxl.Workbook()
    for row in [list(rows[0]), *(list(row.values()) for row in rows)]:
        book.active.append(row)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def parquet_of(rows: list[dict[str, Any]]) -> bytes:
    target = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), target)
    return target.getvalue()


def imported(engine: Engine, spool: Settings, content: bytes, ending: str, **wanted: Any) -> RowMapping:
    id = begin(engine, spool, Wanted("essai", **wanted), ending, io.BytesIO(content))
    run(engine, spool, id)
    with engine.connect() as connection:
        row = find_import(connection, id)
    assert row
    return row


def counts(row: RowMapping) -> tuple[str, int, int, int, int]:
    return row["state"], row["read"], row["added"], row["duplicates"], row["errors"]


@pytest.mark.parametrize(
    ("ending", "content"),
    [
        (".csv", csv_of(ROWS)),
        (".csv", csv_of(ROWS, ";", "cp1252")),
        (".tsv", csv_of(ROWS, "\t", "utf-16")),
        (".csv.gz", gzip.compress(csv_of(ROWS))),
        (".jsonl", jsonl_of(ROWS)),
        (".json", json.dumps(ROWS).encode()),
        (".json", json.dumps({"items": ROWS}).encode()),
        (".xlsx", xlsx_of(ROWS)),
        (".parquet", parquet_of(ROWS)),
    ],
)
def test_every_format_gives_the_same_texts(base: Engine, spool: Settings, ending: str, content: bytes) -> None:
    row = imported(base, spool, content, ending, defaults={"source": "annuaire", "channel": "comment"})
    assert counts(row) == ("done", 2, 2, 0, 0)
    with base.connect() as connection:
        first, second = connection.execute(select(ITEMS).order_by(ITEMS.c.words.desc())).mappings()
    first, second = sorted((first, second), key=lambda item: item["text"], reverse=True)
    assert (first["text"], second["text"]) == (ROWS[0]["Texte"], ROWS[1]["Texte"])
    assert (first["author"], first["url"], first["channel"], first["source"]) == ("@mag", "https://x.fr/1", "ad", "annuaire")
    assert first["captured_at"].isoformat() == "2026-11-22T13:30:00"  # in Paris: an hour earlier in UTC
    assert (second["channel"], second["sha256"]) == ("comment", sha256_text(ROWS[1]["Texte"]))
    assert not list(spool.spool_dir.iterdir())


def test_rows_at_fault_are_told_and_the_others_kept(engine: Engine, spool: Settings) -> None:
    lines: list[dict[str, Any]] = [
        {"id": "1", "texte": "bon"},
        {"id": "2", "texte": ""},
        {"id": "3", "texte": "date", "date": "hier"},
        {"id": "4", "texte": "canal", "canal": "pigeon"},
        {"id": "5", "texte": ["liste"]},
        {"id": "6", "texte": "long", "auteur": "x" * 201},
        {"id": "7", "texte": "nul\x00"},
        {"id": "8", "texte": "bon"},
    ]
    content = jsonl_of(lines) + b'\n{"id": "9", "texte"\n{"id": "10", "texte": "fin"}\n'
    row = imported(engine, spool, content, ".jsonl")
    assert counts(row) == ("done", 10, 2, 1, 7)
    told = list(errors_of(engine, row["id"]))
    assert [(error["row"], error["given_id"], error["field"]) for error in told] == [
        (2, "2", "texte"),
        (3, "3", "date"),
        (4, "4", "canal"),
        (5, "5", "texte"),
        (6, "6", "auteur"),
        (7, "7", "texte"),
        (9, None, None),
    ]
    assert "22/11/2026" in told[1]["message"]
    assert "annonce (ad)" in told[2]["message"]


def test_a_column_that_is_not_recognised_is_asked_for(engine: Engine, spool: Settings) -> None:
    row = imported(engine, spool, csv_of([{"verbatim": "a", "qui": "b"}]), ".csv")
    assert row["state"] == "columns"
    with engine.begin() as connection:
        assert not choose_columns(connection, row["id"], {"author": "qui"})
        assert not choose_columns(connection, row["id"], {"text": "ailleurs"})
        assert choose_columns(connection, row["id"], {"text": "verbatim", "author": "qui"})
    run(engine, spool, row["id"])
    with engine.connect() as connection:
        assert connection.execute(select(ITEMS.c.text, ITEMS.c.author)).all() == [("a", "b")]


class _KilledError(BaseException):
    """Stands for the end of the process."""


def test_a_run_broken_off_goes_on_where_it_was(engine: Engine, spool: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    content = jsonl_of([{"text": f"texte {number % 900}"} for number in range(1_200)])
    id = begin(engine, spool, Wanted("x"), ".jsonl", io.BytesIO(content))
    lots = []

    def breaks(*given: Any) -> None:
        index_signed(*given)
        lots.append(given)
        if len(lots) == 2:
            raise _KilledError  # in the middle of a transaction

    monkeypatch.setattr("service.workplace.imports.index_signed", breaks)
    with pytest.raises(_KilledError):
        run(engine, spool, id)
    with engine.connect() as connection:
        row = find_import(connection, id)
        assert row
        assert counts(row) == ("running", 500, 500, 0, 0)
        assert connection.execute(select(func.count()).select_from(ITEMS)).scalar() == 500
    monkeypatch.undo()
    imports.run_waiting(engine, spool)
    with engine.connect() as connection:
        row = find_import(connection, id)
        assert row
        assert counts(row) == ("done", 1_200, 900, 300, 0)
        assert connection.execute(select(func.sum(ITEMS.c.seen))).scalar() == 1_200


def test_stop_and_resume(engine: Engine, spool: Settings) -> None:
    content = jsonl_of([{"text": f"texte {number}"} for number in range(1_200)])
    id = begin(engine, spool, Wanted("x"), ".jsonl", io.BytesIO(content))
    looks = iter([False, True])
    run(engine, spool, id, lambda: next(looks))
    with engine.begin() as connection:
        assert stop_import(connection, id)
        assert not stop_import(connection, id)
    run(engine, spool, id)
    with engine.begin() as connection:
        row = find_import(connection, id)
        assert row
        assert counts(row) == ("stopped", 500, 500, 0, 0)
        assert resume_import(connection, id, spool)
    run(engine, spool, id)
    with engine.connect() as connection:
        row = find_import(connection, id)
    assert row
    assert counts(row) == ("done", 1_200, 1_200, 0, 0)


def test_two_processes_never_read_one_file(base: Engine, spool: Settings) -> None:
    content = jsonl_of([{"text": f"texte {number}"} for number in range(2_000)])
    id = begin(base, spool, Wanted("x"), ".jsonl", io.BytesIO(content))
    threads = [threading.Thread(target=run, args=(base, spool, id)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with base.connect() as connection:
        row = find_import(connection, id)
    assert row
    assert counts(row) == ("done", 2_000, 2_000, 0, 0)


def _bomb() -> bytes:
    target = io.BytesIO()
    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * 3_000_000)
    return target.getvalue()


@pytest.mark.parametrize(
    ("ending", "content", "told"),
    [
        (".csv", b"", "vide"),
        (".csv", b"text\n" + b"a" * 2_000_001, "2000000 octets"),
        (".csv.gz", gzip.compress(b"text\n" + (b"a" * 1_000 + b"\n") * 3_000), "décompressé"),
        (".xlsx", _bomb(), "décompressé"),
        (".xlsx", b"PK nothing", "classeur"),
        (".parquet", b"PAR1 nothing", "Parquet"),
        (".json", b"[1, ", "JSON"),
        (".csv.gz", b"not gzip", "illisible"),
    ],
)
def test_what_cannot_be_read_is_refused_or_said(base: Engine, spool: Settings, ending: str, content: bytes, told: str) -> None:
    try:
        row = imported(base, spool, content, ending)
    except BatchError as error:
        message = str(error)
        assert not list(spool.spool_dir.iterdir())
    else:
        assert row["state"] == "failed"
        message = row["message"]
    assert told in message


@pytest.mark.parametrize(
    ("ending", "content", "told"),
    [
        (".csv", b"id,texte\n", "n'a aucune ligne"),
        (".csv", "identifiant;texte;source\r\n".encode("utf-16"), "n'a aucune ligne"),
        (".xlsx", None, "n'a aucune ligne"),
        (".json", b"[]", "n'a aucune ligne"),
        (".txt", b"---\n \n---\n", "n'a aucune ligne"),
        (".csv", bytes(range(256)) * 20, "Un CSV est attendu"),
        (".csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0\0\0\1\0\x08\6\0\0\0", "Un CSV est attendu"),
        (".jsonl", b"\0\1\2\3", "Du JSONL est attendu"),
        (".jsonl", b'{"text":\n', "ligne 1 du fichier : JSON illisible (au caractère 8)"),
        (".csv", b";;\na;b;c\n", "Aucune colonne n'a de titre"),
    ],
)
def test_a_file_with_nothing_to_import_is_refused_at_once(
    base: Engine, spool: Settings, ending: str, content: bytes | None, told: str
) -> None:
    if content is None:
        target, book = io.BytesIO(), openpyxl.Workbook()
        book.active.append(["id", "texte"])
        book.save(target)
        content = target.getvalue()
    with pytest.raises(BatchError, match=re.escape(told)):
        begin(base, spool, Wanted("envoi"), ending, io.BytesIO(content))
    assert not list(spool.spool_dir.iterdir())


def test_a_workbook_that_is_none_is_told_by_the_name_it_was_sent_under(base: Engine, spool: Settings) -> None:
    with pytest.raises(BatchError, match=r"^binaire\.xlsx : ce n'est pas un classeur \.xlsx lisible\.$"):
        begin(base, spool, Wanted("binaire.xlsx"), ".xlsx", io.BytesIO(bytes(range(256))))


def test_what_is_wrong_with_json_is_told_in_french(base: Engine, spool: Settings) -> None:
    wrong = [
        b'{"text":',
        b'{"text": "a" "b"}',
        b'{"text": "a"} b',
        b'{"text": "\x01"}',
        b'{"text": ' + b"9" * 5_000 + b"}",
        b"[" * 100_000,
    ]
    row = imported(base, spool, b'{"text": "un texte assez long pour \xc3\xaatre lu"}\n' + b"\n".join(wrong), ".jsonl")
    told = [error["message"] for error in errors_of(base, row["id"])]
    assert len(told) == len(wrong)
    assert told[0] == "ligne 2 du fichier : JSON illisible (au caractère 8)"
    assert not any(re.search(r"Expecting|line|column|char |digits|recursion", message) for message in told)


def test_a_damaged_end_keeps_what_came_before(base: Engine, spool: Settings) -> None:
    packed = gzip.compress(jsonl_of([{"text": f"texte {number} {sha256_text(str(number))}"} for number in range(3_000)]))
    row = imported(base, spool, packed[: len(packed) // 2], ".jsonl.gz")
    assert row["state"] == "failed"
    assert row["added"] > 500
    assert row["added"] + row["errors"] == row["read"]


def test_rows_beyond_the_limit_are_not_read(base: Engine, spool: Settings) -> None:
    row = imported(base, spool, jsonl_of([{"text": f"t{number}"} for number in range(5_010)]), ".jsonl")
    assert counts(row)[:3] == ("failed", 5_000, 5_000)
    assert "5000" in row["message"]


def test_bytes_that_do_not_decode_are_an_error_of_their_row(base: Engine, spool: Settings) -> None:
    good = "".join(f"été {number}\n" for number in range(50)).encode()
    row = imported(base, spool, b"text\n" + good + b"cass\xe9\n", ".csv")
    assert counts(row) == ("done", 51, 50, 0, 1)


@pytest.mark.parametrize(("names", "field"), [(["ID", "Texte"], "text"), (["date de capture", "text"], "captured_at")])
def test_usual_names_are_recognised(names: list[str], field: str) -> None:
    assert field in recognised(names)


@given(st.text())
def test_what_is_guarded_is_no_formula_and_comes_back(value: str) -> None:
    assert unguarded(guarded(value)) == value
    assert not guarded(value).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


_LINES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\x00"), min_size=1)


@examples(deadline=None)
@given(st.lists(st.lists(_LINES, min_size=1).map("\n".join), max_size=6))
def test_pasted_texts_come_back_one_by_one(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    kept = [text for text in texts if text.strip() and "---" not in text]
    path = tmp_path_factory.getbasetemp() / "collage.txt"
    path.write_bytes("\n---\n".join(kept).encode())
    read = [record.values["text"] for record in read_records(path, Limits(10**6, 10**4))]
    assert read == [text.strip("\r\n") for text in kept]


def _done(place: Place, id: str) -> RowMapping:
    for _ in range(200):
        with place.engine.connect() as connection:
            row = find_import(connection, id)
        if row and row["state"] in (*imports.OVER, "columns"):
            return row
        time.sleep(0.1)
    raise AssertionError("l'import ne finit pas")


def test_pages_take_a_file_and_a_paste(each_place: Place) -> None:
    visitor = each_place.visitor("analyst")
    sent = visitor.post("/imports", files={"file": ("liste.csv", csv_of(ROWS), "text/csv")})
    assert sent.status_code == 303
    assert counts(_done(each_place, sent.headers["location"].split("/")[-1])) == ("done", 2, 2, 0, 0)
    assert "liste.csv" in visitor.get(sent.headers["location"]).text
    pasted = visitor.post("/imports", {"texte": "un\r\ndeux\r\n---\r\ntrois", "source": "presse"}, files={"file": ("", b"")})
    assert pasted.status_code == 303
    assert counts(_done(each_place, pasted.headers["location"].split("/")[-1])) == ("done", 2, 2, 0, 0)
    with each_place.engine.connect() as connection:
        assert "un\ndeux" in connection.execute(select(ITEMS.c.text).where(ITEMS.c.source == "presse")).scalars().all()
    assert visitor.post("/imports", {"texte": ""}).status_code == 422
    assert visitor.post("/imports", files={"file": ("a.pdf", b"x")}).status_code == 422
    assert "textes collés" in visitor.get("/imports").text


def test_pages_ask_for_columns_show_errors_and_stop(place: Place) -> None:
    visitor = place.visitor("analyst")
    sent = visitor.post("/imports", files={"file": ("a.csv", csv_of([{"verbatim": "a"}, {"verbatim": ""}]))})
    where = sent.headers["location"]
    _done(place, where.split("/")[-1])
    assert "Quelle colonne" in visitor.get(where).text
    assert visitor.post(f"{where}/colonnes", {"text": "verbatim"}).headers["location"] == where
    row = _done(place, where.split("/")[-1])
    for _ in range(100):
        if (row := _done(place, where.split("/")[-1]))["state"] == "done":
            break
        time.sleep(0.05)
    assert counts(row) == ("done", 2, 1, 0, 1)
    told = visitor.get(f"{where}/erreurs.csv").content.decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(told)))[1][:3] == ["2", "", "verbatim"]
    assert visitor.get(f"{where}/etat").json()["errors"] == 1
    assert visitor.post(f"{where}/arret").status_code == 303
    assert visitor.get("/imports/inconnu", headers={"accept": "text/html"}).status_code == 404


def test_nobody_sends_without_signing_in_or_token(place: Place) -> None:
    files = {"file": ("a.csv", b"text\na\n")}
    assert place.client().post("/imports", files=files).headers["location"].startswith("/connexion")
    assert place.visitor("analyst").client.post("/imports", files=files, data={"csrf": "faux"}).status_code == 403
    assert place.client().post("/v1/import", content=b"{}", headers={"content-type": "application/json"}).status_code == 401
    assert place.client().get("/v1/export").status_code == 401
    with place.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(IMPORTS)).scalar() == 0


def test_an_upload_is_refused_before_it_is_sent(place: Place) -> None:
    with socket.create_connection((place.client().base_url.host, place.client().base_url.port or 80), timeout=10) as sent:
        head = b"POST /imports HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\n"
        sent.sendall(head + b"Content-Length: 50000000\r\n\r\n--b\r\n")
        # Forty-nine million bytes are still to come: who waits for them before asking who sends never answers.
        assert sent.recv(4_096).startswith(b"HTTP/1.1 303")


def test_programs_send_and_follow(place: Place) -> None:
    visitor = place.visitor("analyst")
    headers = {"x-csrf-token": visitor.csrf, "content-type": "application/x-ndjson"}
    body = jsonl_of([{"corps": "un"}, {"corps": "deux"}, {"corps": ""}])
    answer = visitor.client.post(
        "/v1/import", params={"name": "robot", "columns": '{"text": "corps"}'}, content=body, headers=headers
    )
    assert answer.status_code == 202, answer.text
    row = _done(place, answer.json()["id"])
    assert counts(row) == ("done", 3, 2, 0, 1)
    assert visitor.get(answer.json()["url"]).json()["over"] is True
    assert "texte" in visitor.get(f"{answer.json()['url']}/errors").text
    refused = visitor.client.post("/v1/import", content=b"x", headers=headers | {"content-type": "image/png"})
    assert refused.status_code == 415
    assert visitor.client.post("/v1/import", params={"columns": "["}, content=b"x", headers=headers).status_code == 422


def test_the_command_imports_and_exports(tmp_path: Path) -> None:
    url, content = f"sqlite:///{tmp_path / 'vigie.db'}", csv_of([{"verbatim": "a"}, {"verbatim": ""}, {"verbatim": "a"}])
    (tmp_path / "liste.csv").write_bytes(content)
    surroundings = os.environ | {"VIGIE_DATABASE_URL": url, "VIGIE_SPOOL_DIR": str(tmp_path / "attente")}

    def vigie(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "service.cli", "review", *words]
        return subprocess.run(command, capture_output=True, text=True, env=surroundings, check=False)

    file, output = str(tmp_path / "liste.csv"), tmp_path / "tout.jsonl"
    assert "--text-column" in vigie("import", file).stderr
    told = vigie("import", file, "--text-column", "verbatim", "--source", "essai")
    assert told.returncode == 0
    assert "1 ajoutés, 1 déjà connus, 1 erreurs" in told.stderr
    assert vigie("export", "-o", str(output)).returncode == 0
    assert json.loads(output.read_text())["source"] == "essai"
    assert vigie("export", "-o", str(output)).returncode == 1


def test_defaults_left_empty_say_nothing(base: Engine, spool: Settings) -> None:
    row = imported(base, spool, jsonl_of([{"text": "un"}]), ".jsonl", defaults={"source": "", "channel": ""})
    assert counts(row) == ("done", 1, 1, 0, 0)


def test_every_sheet_with_the_columns_of_the_texts_is_read_and_the_page_says_which(place: Place) -> None:
    book = openpyxl.Workbook()
    book.active.title = "Lisez-moi"
    book.active.append(["Ce classeur vient de deux sites"])
    book.active.append(["Fait en novembre"])
    sheets: dict[str, list[list[Any]]] = {
        "Site A": [["texte", "auteur", "région"], ["un", "@a", "Bretagne"], ["deux", "@b", None]],
        "Site B": [["auteur", "région", "texte"], ["@c", "Corse", "trois"]],
        "Totaux": [["site", "textes"], ["A", 2]],
        "Vide": [],
    }
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for cells in rows:
            sheet.append(cells)
    content = io.BytesIO()
    book.save(content)
    visitor = place.visitor("analyst")
    sent = visitor.post("/imports", files={"file": ("deux-sites.xlsx", content.getvalue())})
    row = _done(place, sent.headers["location"].rpartition("/")[2])
    assert counts(row) == ("done", 3, 3, 0, 0)
    with place.engine.connect() as connection:
        kept = connection.execute(select(ITEMS.c.text, ITEMS.c.author, ITEMS.c.region).order_by(ITEMS.c.id)).all()
    assert [tuple(one) for one in kept] == [("un", "@a", "Bretagne"), ("deux", "@b", None), ("trois", "@c", "Corse")]
    page = visitor.get(sent.headers["location"]).text
    assert "<dd>Site A, Site B</dd>" in page
    assert "<dd>Lisez-moi, Totaux, Vide</dd>" in page


def test_an_apostrophe_of_a_file_that_is_not_ours_is_kept(engine: Engine, spool: Settings) -> None:
    rows = [{"text": "'-20 % sur les soins", "author": "'-x", "url": "'=1", "sha256": ""}]
    for ending, content in ((".csv", csv_of(rows)), (".jsonl", jsonl_of(rows)), (".xlsx", xlsx_of(rows))):
        imported(engine, spool, content, ending)
    with engine.connect() as connection:
        found = connection.execute(select(ITEMS.c.text, ITEMS.c.author, ITEMS.c.url)).all()
    assert [tuple(one) for one in found] == [("'-20 % sur les soins", "'-x", "'=1")]


def test_a_region_that_is_too_long_is_told(base: Engine, spool: Settings) -> None:
    row = imported(base, spool, csv_of([{"texte": "un", "région": "x" * 61}]), ".csv")
    (error,) = errors_of(base, row["id"])
    assert (error["field"], "la limite est de 60" in error["message"]) == ("région", True)


def test_texts_that_come_again_by_another_import_keep_what_each_said(engine: Engine, spool: Settings) -> None:
    imported(engine, spool, csv_of([{"texte": "même", "auteur": "@un"}]), ".csv")
    row = imported(engine, spool, csv_of([{"texte": "même", "auteur": "@deux"}]), ".csv")
    with engine.connect() as connection:
        (item,) = connection.execute(select(ITEMS.c.id, ITEMS.c.author, ITEMS.c.seen)).all()
        (again,) = receptions_of(connection, item.id)
    assert (item.author, item.seen, again.author, again.import_id) == ("@un", 2, "@deux", row["id"])
