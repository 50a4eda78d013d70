"""`vigie score` on real files: every format in and out, messy rows, full disks, interruptions; nothing half-written."""

import contextlib
import csv
import gzip
import io
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model.analyser import Analyser, Options
from model.errors import BatchError
from model.records import Prediction
from model.store import Artefact
from service.batch.engine import Job, run
from service.batch.outputs import COLUMNS, Output
from service.batch.records import Source
from service.batch.rows import read_rows
from service.cli import main
from service.settings import load_settings

ROOT = Path(__file__).resolve().parents[2]
LISTINGS = ROOT / "tests" / "data" / "annonces.csv"
OFFER = "Je soigne le cancer par les plantes, arrêtez la chimio."
HARMLESS = "Vends vélo enfant 16 pouces, très bon état, 40 €."
ROWS = [("1", OFFER), ("2", HARMLESS), ("3", ""), ("4", "😀🎉")]


def write_input(path: Path, rows: list[tuple[str, str]] = ROWS) -> Path:
    """The rows in the format that the name tells."""
    kind = ".".join(path.suffixes)
    if "csv" in kind:
        lines = "id,text\n" + "".join(f'{id},"{text}"\n' for id, text in rows)
        path.write_bytes(gzip.compress(lines.encode()) if kind.endswith("gz") else lines.encode())
    elif "jsonl" in kind:
        path.write_text("".join(json.dumps({"id": id, "text": text}) + "\n" for id, text in rows), encoding="utf-8")
    elif "parquet" in kind:
        pq.write_table(pa.table({"id": [id for id, _ in rows], "text": [text for _, text in rows]}), path)
    else:
        book = openpyxl.Workbook()
        sheet = book.active
        for row in [("id", "text"), *rows]:
            sheet.append(row)
        book.save(path)
    return path


def read_output(path: Path) -> list[dict[str, Any]]:
    """The rows of an output of any format, as strings or None."""
    kind = ".".join(path.suffixes)
    if "csv" in kind:
        content = gzip.decompress(path.read_bytes()) if kind.endswith("gz") else path.read_bytes()
        return list(csv.DictReader(content.decode("utf-8-sig").splitlines()))
    if "jsonl" in kind:
        content = gzip.decompress(path.read_bytes()) if kind.endswith("gz") else path.read_bytes()
        return [json.loads(line) for line in content.decode().splitlines()]
    if "parquet" in kind:
        return list(pq.read_table(path).to_pylist())
    sheet = openpyxl.load_workbook(path).active
    rows = list(sheet.iter_rows(values_only=True))
    return [dict(zip(map(str, rows[0]), row, strict=True)) for row in rows[1:]]


def job(source: Path, output: Path, artefacts: Path, **changes: Any) -> Job:
    return Job(Source(source), output, artefacts, Options(), **changes)


def vigie(*arguments: str, artefacts: Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """The real command in its own process."""
    return subprocess.run(
        [sys.executable, "-m", "service.cli", *arguments],
        env=os.environ | {"VIGIE_MODEL_DIR": str(artefacts)},
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        **options,
    )


def inside(*arguments: str, artefacts: Path, input: str = "") -> subprocess.CompletedProcess[str]:
    """The same command in this process: as quick as the model that is already loaded, and measured by the coverage."""
    streams = [io.TextIOWrapper(io.BytesIO(content), encoding="utf-8") for content in (input.encode(), b"", b"")]
    before = signal.getsignal(signal.SIGTERM)
    code = 0
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(ROOT):
        patch.setenv("VIGIE_MODEL_DIR", str(artefacts))
        patch.setattr(sys, "argv", ["vigie", *arguments])
        for name, stream in zip(("stdin", "stdout", "stderr"), streams, strict=True):
            patch.setattr(sys, name, stream)
        load_settings.cache_clear()
        try:
            main()
        except SystemExit as stopped:
            code = int(stopped.code or 0)
        finally:
            signal.signal(signal.SIGTERM, before)
            load_settings.cache_clear()
    written = []
    for stream in streams[1:]:
        stream.flush()
        written.append(stream.buffer.getvalue().decode())
    return subprocess.CompletedProcess(arguments, code, *written)


@pytest.mark.parametrize(
    ("name", "out"),
    [("in.csv", f"out.{ending}") for ending in ("csv", "csv.gz", "jsonl", "jsonl.gz", "parquet", "xlsx")]
    + [(f"in.{ending}", "out.jsonl") for ending in ("csv.gz", "jsonl", "parquet", "xlsx")],
)
def test_every_format_in_and_out(tmp_path: Path, artefacts: Path, analyser: Analyser, name: str, out: str) -> None:
    report = run(job(write_input(tmp_path / name), tmp_path / out, artefacts), analyser=analyser)
    assert report.rows == 4
    rows = read_output(tmp_path / out)
    assert [row["id"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["status"] for row in rows] == ["ok", "ok", "error", "ok"]
    if "jsonl" not in out:
        assert list(rows[0]) == list(COLUMNS)
        assert int(rows[0]["risk_level"]) == 3
        assert str(rows[0]["present_miracle_cure"]).lower() == "true"
        evidence = json.loads(rows[0]["evidence"])["miracle_cure"][0]
        assert OFFER[evidence["start"] : evidence["end"]] == evidence["text"]
        assert "empty_text" in rows[2]["error"]


def test_batch_of_n_is_n_singles(tmp_path: Path, artefacts: Path, analyser: Analyser) -> None:
    run(job(write_input(tmp_path / "in.csv"), tmp_path / "out.jsonl", artefacts), analyser=analyser)
    expected = [analyser.predict(text, id=id).model_dump(mode="json") for id, text in ROWS]
    assert read_output(tmp_path / "out.jsonl") == expected


VARIED = [
    ("a", OFFER),
    ("b", HARMLESS),
    ("c", "Je gu3ris le c a n c e r et la fibromialgie, arr<b>êtez</b> la chim1o."),
    ("d", "Le reiki ne remplace pas votre médecin, il vous accompagne avec douceur."),
    ("e", ""),
    ("f", " ".join([HARMLESS] * 60 + [OFFER])),
    ("g", "GUERISON GARANTIE DU CANCER EN 21 JOURS"),
]


def test_the_order_of_rows_and_their_neighbours_change_nothing(tmp_path: Path, artefacts: Path, analyser: Analyser) -> None:
    expected = {id: analyser.predict(text, id=id).model_dump(mode="json") for id, text in VARIED}
    for number, rows in enumerate((VARIED, VARIED[::-1], VARIED[3:] + VARIED[:3], VARIED[2:3])):
        output = tmp_path / f"{number}.jsonl"
        run(job(write_input(tmp_path / f"in{number}.jsonl", rows), output, artefacts), analyser=analyser)
        assert read_output(output) == [expected[id] for id, _ in rows]


@pytest.mark.parametrize("screen", [True, False], ids=["screen", "no-screen"])
def test_another_process_with_more_threads_says_the_same(
    tmp_path: Path, artefacts: Path, analyser: Analyser, monkeypatch: pytest.MonkeyPatch, screen: bool
) -> None:
    for variable, value in (("OMP_NUM_THREADS", "2"), ("OPENBLAS_NUM_THREADS", "2"), ("PYTHONHASHSEED", "7")):
        monkeypatch.setenv(variable, value)
    source = write_input(tmp_path / "in.jsonl", VARIED)
    asked = [] if screen else ["--no-screen"]
    done = vigie("score", str(source), "-o", str(tmp_path / "out.jsonl"), "--workers", "1", *asked, artefacts=artefacts)
    assert done.returncode == 0, done.stderr
    options = Options(screen=screen)
    expected = [analyser.predict(text, id=id, options=options).model_dump(mode="json") for id, text in VARIED]
    assert read_output(tmp_path / "out.jsonl") == expected
    assert any(row["analysis"] == "screen" for row in expected) == screen


class Counting(Analyser):
    """An analyser that knows how many texts it was asked for."""

    asked = 0

    def predict(self, text: str, *, id: str | None = None, options: Options | None = None) -> Prediction:
        self.asked += 1
        return super().predict(text, id=id, options=options)


class Remembering(Analyser):
    """An analyser that reads a text once: what is tried is what becomes of its answers."""

    def __init__(self, artefact: Artefact) -> None:
        super().__init__(artefact)
        self.known: dict[str, Prediction] = {}

    def predict(self, text: str, *, id: str | None = None, options: Options | None = None) -> Prediction:
        if text not in self.known:
            self.known[text] = super().predict(text, options=options)
        return self.known[text].model_copy(update={"id": id})


def test_a_text_met_again_has_the_answer_that_it_had(tmp_path: Path, artefacts: Path, analyser: Analyser) -> None:
    rows = [(str(n), text) for n, text in enumerate([OFFER, HARMLESS, OFFER, OFFER + " ", HARMLESS, OFFER])]
    counting = Counting(analyser.artefact)
    run(job(write_input(tmp_path / "in.jsonl", rows), tmp_path / "out.jsonl", artefacts), analyser=counting)
    expected = [analyser.predict(text, id=id).model_dump(mode="json") for id, text in rows]
    assert read_output(tmp_path / "out.jsonl") == expected
    # Three different texts, and the one that warms up.
    assert counting.asked == 4


def test_messy_listings_go_through_to_all_four_formats(tmp_path: Path, artefacts: Path, analyser: Analyser) -> None:
    """Three hundred listings as a scraper exports them: each row is answered, in order, in each format."""
    with LISTINGS.open(encoding="utf-8", newline="") as source:
        expected = [row[0].strip() for row in csv.reader(source, delimiter=";") if row][1:]
    assert len(expected) >= 300
    by_format = {}
    remembering = Remembering(analyser.artefact)
    for ending in ("csv", "jsonl", "parquet", "xlsx"):
        report = run(job(LISTINGS, tmp_path / f"out.{ending}", artefacts), analyser=remembering)
        rows = read_output(tmp_path / f"out.{ending}")
        assert report.rows == len(rows) == len(expected)
        by_format[ending] = [(str(row["id"]), row["status"]) for row in rows]
        assert [id for id, _ in by_format[ending]] == [id or str(n) for n, id in enumerate(expected, start=1)]
    assert len({tuple(rows) for rows in by_format.values()}) == 1
    statuses = Counter(status for _, status in by_format["csv"])
    assert statuses["ok"] >= 290
    assert statuses["error"] >= 3
    assert statuses["unsupported_language"] >= 8
    assert report.duplicates >= 3
    assert not list(tmp_path.glob("*.tmp"))


def test_many_rows_in_several_processes_give_the_same(tmp_path: Path, artefacts: Path) -> None:
    rows = [(str(n), f"{OFFER if n % 9 == 0 else HARMLESS} Annonce numéro {n}.") for n in range(215)]
    source = write_input(tmp_path / "in.jsonl", rows)
    run(job(source, tmp_path / "one.jsonl", artefacts, workers=1))
    run(job(source, tmp_path / "two.jsonl", artefacts, workers=2))
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("content", "options"),
    [
        pytest.param("id;text\n1;déjà vu à l’été\n".encode("cp1252"), {}, id="cp1252"),
        pytest.param("id;text\n1;déjà vu à l’été\n".encode("utf-8-sig"), {}, id="byte-order-mark"),
        pytest.param("id;text\n1;déjà vu à l’été\n".encode("utf-16"), {}, id="utf-16"),
        pytest.param("id\ttext\n1\tdéjà vu à l’été\n".encode(), {}, id="tabs"),
        pytest.param("id|text\n1|déjà vu à l’été\n".encode(), {}, id="bars"),
        pytest.param("text,id\r\ndéjà vu à l’été,1\r\n".encode(), {}, id="crlf-and-order"),
        pytest.param("id^text\n1^déjà vu à l’été\n".encode("cp1252"), {"delimiter": "^", "encoding": "cp1252"}, id="given"),
    ],
)
def test_delimiters_and_encodings(tmp_path: Path, content: bytes, options: dict[str, str]) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(content)
    rows = list(read_rows(Source(path, **options)))
    assert [(row.id, row.text) for row in rows] == [("1", "déjà vu à l’été")]


def test_bad_rows_are_named_and_the_others_go_on(tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(
        'id,text\n1,bon é\n2,trop,de,champs\n3\n4,"saut\nde ligne"\n5,octet \xff\n'.encode("latin-1").replace(
            b"\xe9", b"\xc3\xa9" * 40
        )
    )
    rows = list(read_rows(Source(path)))
    assert [row.id for row in rows] == ["1", "2", "3", "4", "5"]
    assert "ligne 3" in (rows[1].problem or "")
    assert "4 champ(s) au lieu de 2" in (rows[1].problem or "")
    assert "1 champ(s)" in (rows[2].problem or "")
    assert rows[3].text == "saut\nde ligne"
    assert "ligne 7" in (rows[4].problem or "")


def test_bad_jsonl_lines_are_named(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(
        '{"id": 7, "text": "bon"}\n{cassé\n\n["liste"]\n{"id": "8"}\n{"text": ["x"]}\n{"text": null}\n', encoding="utf-8"
    )
    rows = list(read_rows(Source(path)))
    assert [(row.id, row.text) for row in rows] == [("7", "bon"), ("2", None), ("3", None), ("8", None), ("5", None), ("6", "")]
    assert "ligne 2" in (rows[1].problem or "")
    assert "« text »" in (rows[3].problem or "")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        pytest.param("absent.csv", None, "introuvable", id="missing"),
        pytest.param("in.docx", b"x", "format inconnu", id="unknown-format"),
        pytest.param("in.csv", b"id,titre\n1,x\n", "« text » absente. Colonnes trouvées : id, titre", id="missing-column"),
        pytest.param("in.csv", b"", "absente", id="empty-file"),
        pytest.param("in.parquet", b"pas du parquet", "Parquet", id="not-parquet"),
        pytest.param("in.xlsx", b"pas un classeur", "classeur", id="not-xlsx"),
        pytest.param("in.csv.gz", b"pas du gzip", "lecture impossible", id="not-gzip"),
    ],
)
def test_inputs_that_cannot_be_used(tmp_path: Path, artefacts: Path, name: str, content: bytes | None, expected: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BatchError, match=expected):
        run(job(tmp_path / name, tmp_path / "out.csv", artefacts))
    assert not (tmp_path / "out.csv").exists()
    assert not list(tmp_path.glob("*.tmp"))


def test_a_truncated_gzip_leaves_no_output_but_what_was_scored(tmp_path: Path, artefacts: Path, analyser: Analyser) -> None:
    whole = gzip.compress(("id,text\n" + f"1,{HARMLESS}\n" * 300).encode(), compresslevel=1)
    (tmp_path / "in.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BatchError, match=r"in\.csv\.gz : la ligne \d+ ne peut pas être lue"):
        run(job(tmp_path / "in.csv.gz", tmp_path / "out.csv", artefacts), analyser=analyser)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv.gz", "out.csv.parts"]


def test_outputs_that_cannot_be_written(tmp_path: Path, artefacts: Path, analyser: Analyser) -> None:
    source = write_input(tmp_path / "in.csv")
    existing = tmp_path / "existe.csv"
    existing.write_text("précieux", encoding="utf-8")
    with pytest.raises(BatchError, match="existe déjà"):
        run(job(source, existing, artefacts))
    assert existing.read_text(encoding="utf-8") == "précieux"
    run(job(source, existing, artefacts, overwrite=True), analyser=analyser)
    assert read_output(existing)[0]["id"] == "1"
    with pytest.raises(BatchError, match="même fichier"):
        run(job(source, source, artefacts, overwrite=True))
    with pytest.raises(BatchError, match="écriture impossible"):
        run(job(source, tmp_path / "absent" / "out.csv", artefacts))
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(BatchError, match="dossier"):
        run(job(source, tmp_path / "d.csv", artefacts))


@pytest.mark.parametrize("out", ["out.csv", "out.jsonl.gz", "out.parquet", "out.xlsx"])
def test_a_full_disk_leaves_nothing_under_the_final_name(tmp_path: Path, artefacts: Path, out: str) -> None:
    rows = [(str(n), f"{OFFER} {os.urandom(40).hex()}") for n in range(60)]
    source = write_input(tmp_path / "in.jsonl", rows)
    done = vigie(
        "score",
        str(source),
        "-o",
        str(tmp_path / out),
        artefacts=artefacts,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, 4_096)),
    )
    assert done.returncode == 1
    assert "écriture impossible" in done.stderr, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl"]


@pytest.mark.parametrize(("workers", "sent"), [("1", signal.SIGINT), ("2", signal.SIGINT), ("2", signal.SIGTERM)])
def test_an_interruption_leaves_nothing_under_the_final_name(
    tmp_path: Path, artefacts: Path, workers: str, sent: signal.Signals
) -> None:
    source = write_input(tmp_path / "in.jsonl", [(str(n), f"{HARMLESS} Numéro {n}.") for n in range(6000)])
    output = tmp_path / "out.jsonl"
    running = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "score", str(source), "-o", str(output), "--workers", workers, "--shard-rows", "9"],
        env=os.environ | {"VIGIE_MODEL_DIR": str(artefacts)},
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,
        # A test run started in the background inherits an ignored SIGINT.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    # To load a model takes long on a busy machine. A shard is kept once the next one is written: its line of the journal
    # comes after its file.
    while running.poll() is None and len(list(tmp_path.glob("out.jsonl.parts/*.rows"))) < 2:
        time.sleep(0.1)
    if sent == signal.SIGINT:
        os.killpg(running.pid, sent)
    else:
        running.send_signal(sent)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "interrompu" in errors
    assert "--resume" in errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl", "out.jsonl.parts"]


@pytest.mark.parametrize("out", ["out.xlsx", "out.csv"])
def test_formulas_are_not_computed_by_spreadsheets(tmp_path: Path, analyser: Analyser, out: str) -> None:
    with Output(tmp_path / out) as output:
        output.write(analyser.predict(HARMLESS, id='=HYPERLINK("http://x.example")'))
    assert read_output(tmp_path / out)[0]["id"].startswith("'=")


def test_an_identifier_that_cannot_be_written_spoils_nothing(tmp_path: Path, artefacts: Path, analyser: Analyser) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"id": "\\ud800", "text": "bonjour tout le monde"}\n{"id": "b", "text": NaN}\n', encoding="utf-8")
    run(job(source, tmp_path / "out.jsonl", artefacts), analyser=analyser)
    assert [(row["id"], row["status"]) for row in read_output(tmp_path / "out.jsonl")] == [("?", "ok"), ("b", "error")]


def test_the_command_counts_errors_and_duplicates(tmp_path: Path, artefacts: Path) -> None:
    source = write_input(tmp_path / "in.csv", [*ROWS, ("2", HARMLESS)])
    done = inside("score", str(source), "-o", str(tmp_path / "out.csv"), artefacts=artefacts)
    assert done.returncode == 0
    assert "5 ligne(s)" in done.stderr
    assert "ligne 3 (id 3)" in done.stderr
    assert "identifiants déjà vus : 1" in done.stderr
    assert done.stdout == ""
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        pytest.param(["score"], 2, "INPUT", id="no-input"),
        pytest.param(["score", "x.csv", "-o", "y.csv", "--operating-point", "loose"], 2, "triage", id="bad-point"),
        pytest.param(["score", "x.csv", "-o", "y.csv", "--prior", "1.5"], 2, "--prior", id="bad-prior"),
        pytest.param(["score", "x.csv", "-o", "y.csv", "--delimiter", "ab"], 2, "--delimiter", id="bad-delimiter"),
        pytest.param(["score", "absent.csv", "-o", "y.csv"], 1, "introuvable", id="missing-input"),
        pytest.param(["model", "show", "0.0.0"], 1, "0.0.0", id="missing-model"),
        pytest.param(["evaluate", "--split", "tout"], 2, "--split", id="bad-split"),
        pytest.param(["inconnu"], 2, "inconnu", id="unknown-verb"),
    ],
)
def test_wrong_usage_and_failures_have_their_exit_codes(artefacts: Path, arguments: list[str], code: int, expected: str) -> None:
    done = inside(*arguments, artefacts=artefacts)
    assert done.returncode == code, done.stderr
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
