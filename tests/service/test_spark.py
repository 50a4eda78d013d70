"""`vigie score --engine spark`, on a real Spark: the rows of the local engine, whatever stops on the way."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model.analyser import Analyser, Options
from model.errors import BatchError
from model.store import current_name
from service.batch.engine import Job
from service.batch.engine import run as run_here
from service.batch.journal import locked, parts_folder
from service.batch.records import Source, UnreadableError
from service.batch.rows import read_rows
from service.batch.scoring import ModelFile
from service.cluster.duplicates import Repeated, repeated
from service.cluster.engine import Run, run
from service.cluster.table import InputTable
from service.cluster.work import Parts, Work
from service.cluster.worker import Setup, score_part
from tests.service.fake_scorer import load
from tests.service.test_batch import HARMLESS, OFFER, ROOT, inside, vigie

Rows = list[tuple[Any, Any]]

#: Every kind of row: read at length, harmless, empty, absent, too long, foreign, with an identifier met before, without one.
MESSY: Rows = [
    (
        None if n == 5 else str(n % 40),
        {
            0: f"{OFFER} Séance {n}. " * 6,
            1: "",
            2: "x" * 25_000,
            3: "The quick brown fox jumps over the lazy dog, then it runs away from here.",
            4: None,
            5: "Le reiki ne remplace pas votre médecin, il vous accompagne. " * 6,
        }.get(n % 9, f"{HARMLESS} Annonce {n}. " * 6),
    )
    for n in range(48)
]


def write_table(path: Path, rows: Rows, **options: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    names, texts = zip(*rows, strict=True)
    # The text comes first, and something else between: columns go by their names.
    table = pa.table({"text": pa.array(texts, pa.string()), "place": range(len(rows)), "id": pa.array(names, pa.string())})
    pq.write_table(table, path, **options)
    return path


def write_tables(folder: Path, rows: Rows, cuts: list[int], group: int = 7) -> Path:
    """The rows in as many files, one of them in a folder of its own, beside what is no data."""
    for number, (start, end) in enumerate(pairwise([0, *cuts, len(rows)])):
        name = f"f{number}.parquet" if number else "a=1/f0.parquet"
        folder.mkdir(exist_ok=True)
        write_table(folder / name, rows[start:end] or [("", "")], row_group_size=group)
    (folder / "_SUCCESS").touch()
    (folder / ".f1.parquet.crc").write_bytes(b"no table")
    return folder


@pytest.fixture(scope="session")
def java() -> str:
    """The path of a real Java; its absence is a failure wherever `make test` could have installed it."""
    found = shutil.which("java")
    if found is None:
        message = "Java est introuvable : installez le paquet « openjdk-17-jre-headless » (« make test » le fait en root)."
        if os.environ.get("CI") or (os.geteuid() == 0 and shutil.which("apt-get")):
            pytest.fail(message)
        pytest.skip(message)
    return found


# Without Spark.


@pytest.mark.parametrize("seed", range(6))
def test_any_cut_of_any_files_gives_the_rows_of_one_file(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    cuts = sorted(chance.sample(range(1, len(MESSY)), chance.randrange(1, 5)))
    folder = write_tables(tmp_path / "in", MESSY, cuts, chance.randrange(1, 30))
    expected = list(read_rows(Source(write_table(tmp_path / "one.parquet", MESSY))))
    table = InputTable.of(Source(folder))
    assert table.rows == len(MESSY)
    size = chance.randrange(1, 20)
    found = [row for start in range(0, len(MESSY), size) for row in table.read(start, min(len(MESSY), start + size))]
    assert found == expected


def test_the_cut_depends_on_the_table_alone(tmp_path: Path) -> None:
    for rows, expected in ((0, 50), (3_000, 50), (64_000, 1_000), (10_000_000, 5_000)):
        file = replace(InputTable.of(Source(write_table(tmp_path / "t.parquet", MESSY))).files[0], rows=rows)
        assert InputTable(Source(tmp_path), (file,)).part_rows() == expected


def test_a_file_that_changed_or_is_damaged_is_named(tmp_path: Path) -> None:
    folder = write_tables(tmp_path / "in", MESSY, [20])
    table = InputTable.of(Source(folder))
    damage(folder / "f1.parquet")
    with pytest.raises(UnreadableError, match=r"f1\.parquet : la ligne 21 ne peut pas être lue"):
        list(table.read(0, len(MESSY)))
    write_table(folder / "f1.parquet", MESSY[20:])
    with pytest.raises(BatchError, match=r"f1\.parquet a changé"):
        list(table.read(0, len(MESSY)))
    os.truncate(folder / "f1.parquet", 500)
    with pytest.raises(BatchError, match=r"f1\.parquet : ce n'est pas un fichier Parquet lisible"):
        InputTable.of(Source(folder))


@pytest.mark.parametrize("a_pass", [3, 50, 10_000])
def test_identifiers_met_before_are_found_in_any_number_of_passes(tmp_path: Path, a_pass: int) -> None:
    chance = random.Random(a_pass)
    ids = [chance.randrange(300) for _ in range(500)]
    files: list[Path] = []
    at = 0
    while at < len(ids):
        size = chance.randrange(1, 90)
        files.append(tmp_path / str(len(files)))
        files[-1].write_bytes(b"".join((id * 0x9E3779B97F4A7C15 % 2**64).to_bytes(8, "little") for id in ids[at : at + size]))
        at += size
    again = [place for place, id in enumerate(ids, start=1) if id in ids[: place - 1]]
    assert repeated(files, len(ids), 5, a_pass) == Repeated(len(again), tuple(again[:5]))


def small_setup(tmp_path: Path, texts: list[str], seconds: float = 30.0) -> Setup:
    table = InputTable.of(Source(write_table(tmp_path / "in.parquet", [(str(n), text) for n, text in enumerate(texts)])))
    parts = Parts(tmp_path / "run")
    parts.make()
    return Setup(load, table, parts, 20, seconds, "m", "balanced", 1)


def test_only_the_rows_that_end_or_hold_a_process_are_lost(tmp_path: Path) -> None:
    texts = ["calm"] * 20
    texts[3], texts[7], texts[11] = "dies", "hangs", "slow"
    setup = small_setup(tmp_path, texts, seconds=0.2)
    codes = []
    for number in range(7):
        # As Spark makes them: processes that inherit no library already at work.
        process = get_context("spawn").Process(target=score_part, args=(setup, 0, number, number))
        process.start()
        process.join(30)
        codes.append(process.exitcode)
        if setup.parts.finished():
            break
    assert codes == [-signal.SIGKILL] * 3 + [1, 0]
    rows = pq.read_table(setup.parts.data(0)).to_pylist()
    assert [row["id"] for row in rows] == [str(n) for n in range(20)]
    errors = {int(row["id"]): str(row["error"]).split(":")[0] for row in rows if row["error"]}
    assert errors == {3: "invalid_text", 7: "timeout", 11: "timeout"}
    done = setup.parts.read(0)
    assert done
    assert done.shard.lost == 4


def test_a_part_that_ends_every_process_is_given_up_and_told(tmp_path: Path) -> None:
    setup = small_setup(tmp_path, ["calm"] * 5)
    fault = score_part(setup, 0, number=7)
    assert fault is not None
    assert "lignes 1 à 5" in fault
    assert not setup.parts.finished()


def test_a_full_disk_is_told_and_leaves_no_part(tmp_path: Path) -> None:
    setup = small_setup(tmp_path, ["calm"] * 5)
    shutil.rmtree(setup.parts.folder / "data")
    (setup.parts.folder / "data").write_text("no folder", encoding="utf-8")
    fault = score_part(setup, 0)
    assert fault is not None
    assert "écriture impossible" in fault
    assert not setup.parts.finished()


def test_what_cannot_be_done_is_refused_before_spark_starts(
    tmp_path: Path, artefacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_table(tmp_path / "in.parquet", MESSY)
    job = Job(Source(source), tmp_path / "out.parquet", artefacts, Options())
    text = tmp_path / "in.csv"
    text.write_text("id,text\n1,a\n", encoding="utf-8")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "precious.txt").touch()
    for changed, expected in (
        (replace(job, source=Source(text)), "lit du Parquet .* --engine local"),
        (replace(job, source=Source(tmp_path / "absent")), "introuvable"),
        (replace(job, source=Source(mine)), "aucun fichier .parquet"),
        (replace(job, source=Source(source, text_column="texte")), "« texte » absente. Colonnes trouvées : text, place, id"),
        (replace(job, output=tmp_path / "out.csv"), "un dossier de fichiers Parquet"),
        (replace(job, output=tmp_path / "absent" / "out"), "n'existe pas"),
        (replace(job, output=source), "l'entrée et la sortie"),
        (replace(job, output=mine), "existe déjà"),
        (replace(job, output=mine, overwrite=True), "n'est pas une sortie de Vigie"),
    ):
        with pytest.raises(BatchError, match=expected):
            run(changed)
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(BatchError, match=r"vigie\[spark\]"):
        run(job)
    assert {path.name for path in tmp_path.iterdir()} == {"in.parquet", "in.csv", "mine"}
    asked = inside("score", str(source), "-o", str(tmp_path / "out"), "--engine", "flink", artefacts=artefacts)
    assert asked.returncode == 2
    assert "local ou spark" in asked.stderr


def test_without_java_the_package_is_named(tmp_path: Path, artefacts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "no-java"))
    source = write_table(tmp_path / "in.parquet", MESSY)
    asked = vigie("score", str(source), "-o", str(tmp_path / "out"), "--engine", "spark", artefacts=artefacts)
    assert asked.returncode == 1
    assert "openjdk-17-jre-headless" in asked.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"in.parquet"}


def test_stopped_at_the_very_end_it_only_finishes(tmp_path: Path, artefacts: Path) -> None:
    """All parts are done: nothing is left for Spark, whichever step of the end was the last."""
    source = write_table(tmp_path / "in.parquet", [(str(n % 9), "calm") for n in range(12)])
    job = Job(Source(source), tmp_path / "out", artefacts, Options(), resume=True)
    table, root = InputTable.of(job.source), artefacts.resolve()
    with locked(job.output) as folder:
        work = Work(folder)
        key = Run(job, table, ModelFile.of(root, current_name(root)), work, None).key()
        work.begin(key, 5, "2026-01-01T00:00:00+00:00", overwrite=False)
        setup = Setup(load, table, work.parts, 5, 30.0, "m", "balanced", 1)
        assert [score_part(setup, part) for part in range(3)] == [None] * 3
    kept = shutil.copytree(folder, tmp_path / "kept")
    manifest = tmp_path / "out.manifest.json"
    report = run(job)
    assert (report.rows, report.duplicates, report.first_duplicates[0]) == (12, 3, "ligne 10 (id 0)")
    assert {path.name for path in tmp_path.iterdir()} == {"in.parquet", "out", "out.manifest.json", "kept"}
    content, written = parts_of(job.output), manifest.read_bytes()
    # The output has its name, and the manifest does not; then both have, and the work folder is still there.
    for left in (False, True):
        shutil.copytree(kept, folder)
        shutil.rmtree(next(folder.glob("run-*")) / "data")
        (folder / "manifest.json").write_bytes(written)
        if not left:
            manifest.unlink()
        assert run(job) == report
        assert parts_of(job.output) == content
        assert manifest.read_bytes() == written
        assert not folder.exists()


# With Spark.


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, artefacts: Path, analyser: Analyser) -> tuple[pa.Table, dict[str, Any]]:
    """What the local engine makes of the messy rows: table and manifest."""
    folder = tmp_path_factory.mktemp("local")
    job = Job(Source(write_table(folder / "one.parquet", MESSY)), folder / "out.parquet", artefacts, Options(screen=True))
    run_here(job, analyser=analyser)
    return pq.read_table(job.output), json.loads((folder / "out.parquet.manifest.json").read_text(encoding="utf-8"))


def parts_of(output: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in output.iterdir()}


def done_notes(output: Path) -> dict[str, int]:
    """The parts that are done, with the moment when they were."""
    return {path.name: path.stat().st_mtime_ns for path in parts_folder(output).glob("run-*/done/*.json")}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, java: str, artefacts: Path) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The messy rows in several files, scored by two processes of Spark that nothing stops."""
    folder = tmp_path_factory.mktemp("spark")
    output = folder / "out.parquet"
    source = write_tables(folder / "in", MESSY, [13, 30])
    arguments = ["score", str(source), "-o", str(output), "--engine", "spark", "--workers", "2", "--shard-rows", "4"]
    done = inside(*arguments, artefacts=artefacts)
    assert done.returncode == 0, done.stderr
    again = inside(*arguments, "--resume", artefacts=artefacts)
    assert again.returncode == 0, again.stderr
    assert again.stderr == done.stderr
    return output, done


def test_the_rows_are_those_of_the_local_engine(
    whole: tuple[Path, subprocess.CompletedProcess[str]], expected: tuple[pa.Table, dict[str, Any]]
) -> None:
    output, done = whole
    assert pq.read_table(output).equals(expected[0])
    assert {path.name for path in output.parent.iterdir()} == {"in", "out.parquet", "out.parquet.manifest.json"}
    assert sorted(parts_of(output)) == ["_SUCCESS", *(f"part-{n:07d}.parquet" for n in range(12))]
    manifest = json.loads((output.parent / "out.parquet.manifest.json").read_text(encoding="utf-8"))
    same = ("model", "rows", "statuses", "levels", "errors", "duplicates", "first_errors", "first_duplicates")
    assert {name: manifest[name] for name in same} == {name: expected[1][name] for name in same}
    assert manifest["duplicates"] == 8
    assert set(expected[1]) - set(manifest) == {"workers", "shards"}
    assert manifest["cost"]["models_loaded"] in (1, 2)
    assert "identifiants déjà vus : 8" in done.stderr


def damage(path: Path) -> bytes:
    """Spoil the last row group of a file, whose size and footer stay as they are; what it was before."""
    before = path.read_bytes()
    column = pq.read_metadata(path).row_group(pq.read_metadata(path).num_row_groups - 1).column(0)
    start = column.dictionary_page_offset or column.data_page_offset
    path.write_bytes(before[:start] + b"\xff" * 16 + before[start + 16 :])
    return before


def descendants(pid: int) -> Iterator[tuple[int, str]]:
    """The processes that a process started, and those that they did, with their commands."""
    for child in Path(f"/proc/{pid}/task").glob("*/children"):
        # One may end while it is looked at.
        with suppress(OSError):
            for number in map(int, child.read_text(encoding="ascii").split()):
                yield number, Path(f"/proc/{number}/cmdline").read_text(encoding="utf-8").replace("\0", " ")
                yield from descendants(number)


def scoring_process(pid: int) -> int:
    """A process of Spark that scores: a child of the one that makes them."""
    daemons = [number for number, command in descendants(pid) if "-m pyspark.daemon" in command]
    return next(number for daemon in daemons for number, _ in descendants(daemon))


def wait_for(output: Path, running: "subprocess.Popen[str]", more: int) -> None:
    while running.poll() is None and len(done_notes(output)) < more:
        time.sleep(0.005)


def test_killed_damaged_promoted_and_resumed_it_ends_with_the_same_bytes(
    tmp_path: Path, java: str, artefacts: Path, analyser: Analyser, whole: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    name = analyser.artefact.version
    models = tmp_path / "models"
    (models / "2099.1.0+autre").mkdir(parents=True)
    (models / "2099.1.0+autre" / "manifest.json").write_text("{}", encoding="utf-8")
    (models / name).symlink_to(artefacts / name)
    current = models / "current"
    current.write_text(f"{name}\n", encoding="utf-8")
    source, output = write_tables(tmp_path / "in", MESSY, [13, 30]), tmp_path / "out.parquet"
    arguments = ["score", str(source), "-o", str(output), "--engine", "spark", "--shard-rows", "4"]

    def start(*more: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", "service.cli", *arguments, *more],
            env=os.environ | {"VIGIE_MODEL_DIR": str(models)},
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    with start("--workers", "1") as running:
        wait_for(output, running, 3)
        running.kill()
    kept = done_notes(output)
    assert 3 <= len(kept) < 12
    assert not output.exists()
    spoilt = min(kept)
    os.truncate(next(parts_folder(output).glob(f"run-*/data/part-{spoilt[:7]}.parquet")), 100)
    before = damage(source / "f2.parquet")
    refused = inside(*arguments, artefacts=models)
    assert refused.returncode == 1
    assert "--resume" in refused.stderr
    current.write_text("2099.1.0+autre\n", encoding="utf-8")
    refused = inside(*arguments, "--resume", artefacts=models)
    assert refused.returncode == 1
    assert "2099.1.0+autre à présent" in refused.stderr
    current.write_text(f"{name}\n", encoding="utf-8")

    # Resumed, with another model promoted half way, a process killed, and a part that cannot be read.
    with start("--workers", "2", "--resume") as running:
        wait_for(output, running, len(kept) + 2)
        current.write_text("2099.1.0+autre\n", encoding="utf-8")
        os.kill(scoring_process(running.pid), signal.SIGKILL)
        said = running.communicate()[1]
    assert running.returncode == 1
    assert "1 part(s) sur 12 n'ont pas pu être analysées (lignes 45 à 48" in said
    assert "relancez avec --resume" in said
    assert not output.exists()
    later = done_notes(output)
    assert len(later) == 11
    assert {note for note, moment in kept.items() if later[note] != moment} == {spoilt}

    (source / "f2.parquet").write_bytes(before)
    current.write_text(f"{name}\n", encoding="utf-8")
    resumed = inside(*arguments, "--resume", artefacts=models)
    assert resumed.returncode == 0, resumed.stderr
    assert parts_of(output) == parts_of(whole[0])
    assert {path.name for path in tmp_path.iterdir()} == {"in", "models", "out.parquet", "out.parquet.manifest.json"}
    manifest = json.loads((tmp_path / "out.parquet.manifest.json").read_text(encoding="utf-8"))
    assert manifest["sessions"] == 3
    assert manifest["model"]["version"] == name
