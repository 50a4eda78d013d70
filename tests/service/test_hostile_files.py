"""Files made to harm whoever reads them: what is wrong is told, the rest is read, memory and time stay bounded."""

import csv
import gzip
import io
import json
import re
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
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

from model.errors import BatchError
from service.batch import files
from service.batch.files import Line, lines_of
from service.batch.quoted import CsvRecord, csv_records
from service.batch.records import Row, Source, UnreadableError
from service.batch.rows import read_rows
from service.workplace.tables import Limits, Record, read_records
from tests.timing import growth

ROOT = Path(__file__).resolve().parents[2]
LIMITS = Limits(2_000_000_000, 5_000_000)
BILLION = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))
    + "]>"
)


def scored(path: Path) -> list[Row]:
    """The rows that `vigie score` would analyse."""
    return list(read_rows(Source(path)))


def imported(path: Path) -> list[Record]:
    """The records that an import would read."""
    return list(read_records(path, LIMITS))


def both(path: Path) -> tuple[list[tuple[str | None, str | None]], list[tuple[str | None, str | None]]]:
    """Text and fault of every row, as a batch and as an import read them."""
    batch = [(row.text, row.problem) for row in scored(path)]
    return batch, [(record.values.get("text") if not record.problem else None, record.problem) for record in imported(path)]


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


#: Reads a file in a process that allows less than the product does, so that smaller files show the same.
MEASURED = """
import re, resource, sys
from pathlib import Path
from service.batch import apart, files
from service.batch.records import Source
from service.batch.rows import read_rows
from service.workplace.tables import Limits, read_records
apart.MEMORY, files.LARGE = 500_000_000, 50_000_000
path, way, rows, told = Path(sys.argv[1]), sys.argv[2], 0, []
read = read_rows(Source(path)) if way == "score" else read_records(path, Limits(2_000_000_000, 5_000_000))
try:
    for row in read:
        rows += 1
        if row.problem and len(told) < 3:
            told.append(row.problem)
except Exception as error:
    told.append(f"{type(error).__name__} {error}")
here = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
beside = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(rows, max(here, beside) * 1024, *told, sep="\\x1f")
"""
#: What reading may take, in bytes: the libraries alone, without a process beside; and with one.
MEMORY = 300_000_000
BOUND = 750_000_000


def measured(path: Path, way: str) -> tuple[int, int, list[str]]:
    """Rows read, the greatest memory of the reader or of the process beside it in bytes, what was told."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(path), way], capture_output=True, text=True, check=True, cwd=ROOT, timeout=120
    )
    rows, peak, *told = done.stdout.strip("\n").split("\x1f")
    assert "Traceback" not in done.stderr
    return int(rows), int(peak), told


# Quotes -------------------------------------------------------------------------------------------------------------------


def test_a_quote_that_is_never_closed_costs_its_own_line(tmp_path: Path) -> None:
    rows = [f"{number},texte {number}\n" for number in range(1, 200)]
    rows[49] = '50,"jamais fermé\n'
    for found in both(written(tmp_path, "in.csv", "id,text\n" + "".join(rows))):
        assert len(found) == 199
        assert "guillemet" in (found[49][1] or "")
        assert [text for text, _ in found[:49] + found[50:]] == [f"texte {n}" for n in range(1, 200) if n != 50]


def test_a_quote_closed_by_the_next_quoted_field_swallows_nothing(tmp_path: Path) -> None:
    content = 'id,text\n1,un\n2,"jamais fermé\n3,trois\n4,"quatre, dit-on"\n5,cinq\n6,"six\nsur deux lignes"\n7,"un ""mot"""\n'
    for found in both(written(tmp_path, "in.csv", content)):
        assert [text for text, _ in found] == ["un", None, "trois", "quatre, dit-on", "cinq", "six\nsur deux lignes", 'un "mot"']
        assert "guillemet" in (found[1][1] or "")


def test_the_place_of_a_broken_record_is_the_line_on_which_it_begins(tmp_path: Path) -> None:
    path = written(tmp_path, "in.csv", 'id,text\n1,"a\nb"\n2,"cassé\n3,c\n')
    assert "ligne 4 du fichier" in (scored(path)[1].problem or "")
    assert [record.place for record in imported(path)] == [f"ligne {line} du fichier" for line in (3, 4, 5)]


def test_quotes_inside_a_field_are_read_as_spreadsheets_do(tmp_path: Path) -> None:
    for found in both(written(tmp_path, "in.csv", 'id,text\n1,"dit" le flyer\n2,un "mot" là\n3,"a" ,\n')):
        assert [text for text, _ in found[:2]] == ["dit le flyer", 'un "mot" là']
        assert "3 champ(s) au lieu de 2" in (found[2][1] or "")


def records_of(content: str) -> list[CsvRecord]:
    return list(csv_records(lines_of(io.TextIOWrapper(io.BytesIO(content.encode()), encoding="utf-8", newline="")), ","))


_CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@examples(deadline=None)
@given(st.lists(st.lists(_CELLS, min_size=2, max_size=3), max_size=8))
def test_what_a_writer_of_csv_wrote_comes_back(rows: list[list[str]]) -> None:
    target = io.StringIO(newline="")
    csv.writer(target).writerows(rows)
    assert [list(record.fields) for record in records_of(target.getvalue()) if not record.problem] == rows


@examples(deadline=None)
@given(st.lists(st.sampled_from(['"', '""', ",", "a", "b c", '","', 'x","', '"a"'])).map("".join), st.integers(1, 40))
def test_every_line_of_any_quotes_is_read_or_told_once(line: str, times: int) -> None:
    # Whatever the quotes: no line is passed over in silence, and the end of each record is after that of the one before.
    content = "".join(f"{line}{number}\n" for number in range(times))
    found = records_of(content)
    ends = [record.line for record in found]
    assert ends == sorted(set(ends))
    assert ends[-1] == times
    known = sum(1 if record.problem else 1 + sum(field.count("\n") for field in record.fields) for record in found)
    assert known == times


def test_the_worst_quotes_cost_a_time_that_grows_as_the_file() -> None:
    def work(lines: int) -> None:
        endless = (Line('x","\n') for _ in range(lines))
        assert sum(1 for _ in csv_records(endless, ",")) > 0

    assert growth(work, 20_000, 160_000, limit=24) < 24  # sixty-four times, if it grew as the square


# Lines, columns, names ----------------------------------------------------------------------------------------------------


def test_lines_that_are_too_long_are_told_and_the_others_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LONGEST", 5_000)
    long = "a" * 20_000
    for name, content in (
        ("in.csv", f'id,text\n1,un\n2,{long}\n3,"{long}\n4,quatre\n'),
        ("in.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in ("un", long, long, "quatre"))),
    ):
        for found in both(written(tmp_path, name, content)):
            assert [text for text, _ in found] == ["un", None, None, "quatre"]
            assert all("caractères" in (problem or "") for _, problem in found[1:3])


@pytest.mark.parametrize("way", ["score", "import"])
def test_a_line_without_end_takes_no_memory(tmp_path: Path, way: str) -> None:
    path = tmp_path / "in.csv"
    with path.open("wb") as target:
        target.write(b"id,text\n1,un\n2,")
        for _ in range(200):
            target.write(b"a" * 1_000_000)
        target.write(b"\n3,trois\n")
    rows, peak, told = measured(path, way)
    assert rows == 3
    assert "caractères" in told[0]
    assert peak < MEMORY


@pytest.mark.parametrize("way", ["score", "import"])
def test_a_million_columns_are_refused(tmp_path: Path, way: str) -> None:
    header = ",".join(["c"] * 1_000_000)
    rows, peak, told = measured(written(tmp_path, "in.csv", f"text,{header}\n{',' * 1_000_000}\n"), way)
    assert rows == 0
    assert "colonnes" in told[0]
    assert len(told[0]) < 1_000
    assert peak < MEMORY


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("in.csv", lambda: b"id,text,text\n1,un,deux\n"),
        ("in.xlsx", lambda: workbook([["id", "text", "text"], [1, "un", "deux"]])),
        ("in.parquet", lambda: parquet(pa.table([["1"], ["un"], ["deux"]], names=["id", "text", "text"]))),
    ],
)
def test_two_columns_of_the_text_are_told(tmp_path: Path, name: str, make: Callable[[], bytes]) -> None:
    path = written(tmp_path, name, make())
    for read in (scored, imported):
        with pytest.raises(BatchError, match="« text »"):
            read(path)


def test_other_columns_of_one_name_are_each_kept(tmp_path: Path) -> None:
    path = written(tmp_path, "in.csv", "note,text,note\na,un,b\n")
    assert scored(path)[0].text == "un"
    assert imported(path)[0].values == {"note": "a", "text": "un", "note (2)": "b"}


def test_blank_identifiers_are_the_number_of_the_row(tmp_path: Path) -> None:
    rows = scored(written(tmp_path, "in.csv", "id,text\n,un\n  ,deux\n7,trois\n"))
    assert [row.id for row in rows] == ["1", "2", "7"]


# Characters ---------------------------------------------------------------------------------------------------------------

TABLE = "id;text\n1;déjà vu à l’été, œuvre\n2;deux\n"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "utf-32", "cp1252", "utf-8-sig"])
def test_tables_are_read_in_the_encodings_that_programs_write(tmp_path: Path, encoding: str) -> None:
    for found in both(written(tmp_path, "in.csv", TABLE.encode(encoding))):
        assert [text for text, _ in found] == ["déjà vu à l’été, œuvre", "deux"]


@pytest.mark.parametrize("mark", [b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\x00\x00"])
def test_a_mark_that_lies_is_told(tmp_path: Path, mark: bytes) -> None:
    path = written(tmp_path, "in.csv", mark + TABLE.encode())
    for read in (scored, imported):
        with pytest.raises(BatchError, match="marque de UTF"):
            read(path)


def test_a_mark_of_utf8_before_other_bytes_costs_the_rows_that_hold_them(tmp_path: Path) -> None:
    rows = scored(written(tmp_path, "in.csv", b"\xef\xbb\xbf" + TABLE.encode("cp1252")))
    assert [(row.text, bool(row.problem)) for row in rows] == [(None, True), ("deux", False)]


def test_null_characters_spoil_their_row_alone(tmp_path: Path) -> None:
    for found in both(written(tmp_path, "in.csv", "id,text\n1,un\n2,a\x00b\n3,trois\n")):
        assert [text for text, _ in found] == ["un", "a\x00b", "trois"]  # the check of texts refuses the second, by itself


# JSON ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"text": "a", "text": "b"}', "deux fois"),
        ('{"text": NaN}', ""),
        ('{"text": "a", "id": Infinity}', ""),
        ('{"text": ' + "[" * 100_000 + "]" * 100_000 + "}", "JSON illisible"),
        ('{"text": ' + "9" * 10_000 + "}", "JSON illisible"),
        ('{"text": "a"', "JSON illisible"),
        ("[1, 2]", "objet JSON"),
        ('"texte"', "objet JSON"),
    ],
)
def test_lines_of_json_that_are_none_are_told_and_the_others_read(tmp_path: Path, line: str, told: str) -> None:
    for found in both(written(tmp_path, "in.jsonl", f'{{"text": "un"}}\n{line}\n{{"text": "trois"}}\n')):
        assert [text for text, _ in (found[0], found[2])] == ["un", "trois"]
        assert found[1][1]
        assert told in found[1][1]


@pytest.mark.parametrize("depth", [300, 900, 950, 990])
def test_an_identifier_nested_to_the_limit_is_told(tmp_path: Path, depth: int) -> None:
    rows = scored(written(tmp_path, "in.jsonl", '{"text": "a", "id": ' + "[" * depth + "]" * depth + "}\n" + '{"text": "b"}\n'))
    assert rows[0].problem
    assert rows[1].text == "b"


def test_numbers_beyond_all_measure_are_told(tmp_path: Path) -> None:
    rows = scored(written(tmp_path, "in.jsonl", '{"text": 1e999}\n{"text": -1e400}\n{"text": 12}\n'))
    assert [(row.text, bool(row.problem)) for row in rows] == [(None, True), (None, True), ("12", False)]


@pytest.mark.parametrize("content", ["[" * 100_000, '[{"text": "a", "text": "b"}]', "{" * 3, b"\xff\xfe\x00"])
def test_documents_of_json_that_are_none_are_refused(tmp_path: Path, content: str | bytes) -> None:
    with pytest.raises(BatchError, match="JSON"):
        imported(written(tmp_path, "in.json", content))


def test_a_document_of_empty_objects_takes_no_memory(tmp_path: Path) -> None:
    path = written(tmp_path, "in.json", "[" + ",".join(["[[[[]]]]"] * 1_700_000) + "]")
    rows, peak, told = measured(path, "import")
    assert rows == 0
    assert "mémoire" in told[0]
    assert peak < BOUND


# Workbooks ----------------------------------------------------------------------------------------------------------------


def workbook(rows: Iterable[Iterable[Any]]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(list(row))
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def _strings_named(types: bytes) -> bytes:
    """The list of the parts of a workbook, with a part for the strings that cells share."""
    kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    one = b'<Override PartName="/xl/sharedStrings.xml" ContentType="' + kind + b'"/>'
    return types if kind in types else types.replace(b"</Types>", one + b"</Types>")


def changed(part: str, content: str | bytes) -> bytes:
    """A workbook whose part of this name is another."""
    target = io.BytesIO()
    with ZipFile(io.BytesIO(workbook([["id", "text"], [1, "un"]]))) as source, ZipFile(target, "w", ZIP_DEFLATED) as archive:
        parts = {member.filename: source.read(member) for member in source.infolist()}
        if part == "xl/sharedStrings.xml":
            parts["[Content_Types].xml"] = _strings_named(parts["[Content_Types].xml"])
        for name, kept in (parts | {part: content}).items():
            archive.writestr(name, content if name == part else kept)
    return target.getvalue()


PARTS = ["xl/workbook.xml", "xl/sharedStrings.xml", "xl/styles.xml", "xl/worksheets/sheet1.xml", "[Content_Types].xml"]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kind", ["billion", "outside"])
def test_entities_of_xml_are_never_expanded(tmp_path: Path, part: str, kind: str) -> None:
    secret = written(tmp_path, "secret.txt", "UN-SECRET")
    outside = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY j SYSTEM "file://{secret}">]>'
    head = BILLION if kind == "billion" else outside
    with ZipFile(io.BytesIO(workbook([["id", "text"], [1, "un"]]))) as source:
        known = source.read(part).decode() if part in source.namelist() else "<sst><si><t>un</t></si></sst>"
        body = re.sub(r"<\?xml[^>]*>", "", known)
    hostile = head + body.replace(">un<", ">&j;<").replace('name="Sheet"', 'name="&j;"')
    path = written(tmp_path, "in.xlsx", changed(part, hostile))
    started = time.monotonic()
    for read in (scored, imported):
        told = ""
        try:
            told = str(read(path))
        except BatchError as error:
            told = str(error)
        assert "UN-SECRET" not in told
        assert "aaaaaaaaaa" not in told
    assert time.monotonic() - started < 10


def _strings(count: int) -> bytes:
    head = '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    return changed("xl/sharedStrings.xml", head + "<si/>" * count + "</sst>")


@pytest.mark.parametrize("way", ["score", "import"])
def test_a_workbook_that_unpacks_to_millions_of_strings_takes_a_bounded_memory(tmp_path: Path, way: str) -> None:
    _, peak, told = measured(written(tmp_path, "in.xlsx", _strings(6_000_000)), way)
    assert "mémoire" in told[0]
    assert peak < BOUND


@pytest.mark.parametrize("way", ["score", "import"])
def test_a_workbook_that_would_fill_the_disk_is_not_opened(tmp_path: Path, way: str) -> None:
    path = written(tmp_path, "in.xlsx", changed("xl/worksheets/sheet1.xml", b"0" * 150_000_000))
    rows, peak, told = measured(path, way)
    assert rows == 0
    assert "décompressé" in told[0]
    assert peak < MEMORY


@pytest.mark.parametrize("row", [1_048_577, 10**9, 10**18])
def test_a_row_of_an_impossible_number_is_told(tmp_path: Path, row: int) -> None:
    head = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    names = '<row r="1"><c r="A1" t="inlineStr"><is><t>text</t></is></c></row>'
    far = f'<row r="{row}"><c r="A{row}" t="inlineStr"><is><t>loin</t></is></c></row></sheetData></worksheet>'
    path = written(tmp_path, "in.xlsx", changed("xl/worksheets/sheet1.xml", head + names + far))
    started = time.monotonic()
    with pytest.raises(BatchError, match="lignes"):
        imported(path)
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("content", ["", "<a>", "pas du XML", "<sheetData><row r='x'><c r='??'/></row></sheetData>", "\x00"])
def test_parts_that_are_not_what_they_should_be_are_told(tmp_path: Path, part: str, content: str) -> None:
    path = written(tmp_path, "in.xlsx", changed(part, content))
    for read in (scored, imported):
        # Nothing else is ever raised: some of these say nothing wrong about the rows.
        with suppress(BatchError):
            read(path)


# Tables -------------------------------------------------------------------------------------------------------------------


def parquet(table: pa.Table, **options: Any) -> bytes:
    target = io.BytesIO()
    pq.write_table(table, target, **options)
    return target.getvalue()


HONEST = parquet(pa.table({"id": [str(n) for n in range(1_000)], "text": [f"texte {n}" for n in range(1_000)]}))


def _with_rows(count: int) -> bytes:
    """A table whose footer says that it has another number of rows."""
    said = _varint(1_000 << 1)
    footer_at = len(HONEST) - 8 - int.from_bytes(HONEST[-8:-4], "little")
    footer = HONEST[footer_at:-8].replace(said, _varint(count << 1))
    return HONEST[:footer_at] + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


@pytest.mark.parametrize("rows", [1_001, 5_000, 10**9, 2**62])
def test_a_table_that_lies_about_its_rows_is_told(tmp_path: Path, rows: int) -> None:
    path = written(tmp_path, "in.parquet", _with_rows(rows))
    for read in (scored, imported):
        with pytest.raises(BatchError, match=r"Parquet|table|ligne|illisible"):
            read(path)


@pytest.mark.parametrize("way", ["score", "import"])
def test_a_table_of_one_huge_cell_takes_a_bounded_memory(tmp_path: Path, way: str) -> None:
    huge = pa.table({"id": ["1", "2"], "text": ["a" * 250_000_000, "deux"]})
    path = written(tmp_path, "in.parquet", parquet(huge, compression="zstd", use_dictionary=False))
    assert path.stat().st_size < 1_000_000
    _, peak, told = measured(path, way)
    assert told
    assert peak < BOUND


@pytest.mark.parametrize("way", ["score", "import"])
def test_a_table_with_a_huge_dictionary_takes_a_bounded_memory(tmp_path: Path, way: str) -> None:
    big = pa.DictionaryArray.from_arrays(pa.array([0, 1] * 500), pa.array(["b" * 150_000_000, "deux"]))
    path = written(tmp_path, "in.parquet", parquet(pa.table({"text": big}), compression="zstd"))
    _, peak, told = measured(path, way)
    assert told
    assert peak < BOUND


@examples(max_examples=12, deadline=None)
@given(st.data())
def test_any_byte_of_a_table_may_be_another(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    at = data.draw(st.lists(st.integers(4, len(HONEST) - 1), min_size=1, max_size=8))
    content = bytearray(HONEST)
    for place in at:
        content[place] ^= data.draw(st.integers(1, 255))
    path = written(tmp_path_factory.getbasetemp(), "bascule.parquet", bytes(content))
    with suppress(BatchError):
        rows = scored(path)
        assert [row.number for row in rows] == list(range(1, len(rows) + 1))


# Packed files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["score", "import"])
def test_what_gzip_unpacks_without_end_is_not_read(tmp_path: Path, way: str) -> None:
    path = tmp_path / "in.csv.gz"
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    with path.open("wb") as target:
        target.write(packer.compress(b"id,text\n1,un\n"))
        for _ in range(120):
            target.write(packer.compress(b"a" * 1_000_000))
        target.write(packer.flush())
    rows, peak, told = measured(path, way)
    assert rows == 0
    assert "décompress" in told[0]
    assert peak < MEMORY


def test_a_packed_file_cut_short_gives_what_can_be_read(tmp_path: Path) -> None:
    whole = gzip.compress(("id,text\n" + "".join(f"{n},texte {n} {n**7}\n" for n in range(20_000))).encode())
    path = written(tmp_path, "in.csv.gz", whole[: len(whole) // 2])
    rows: list[Any] = []
    with pytest.raises(UnreadableError) as told:
        rows.extend(read_rows(Source(path)))
    assert told.value.rows > 1_000
