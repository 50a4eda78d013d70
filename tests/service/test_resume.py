"""A run of `vigie score` that stops goes on where it was, and ends with the bytes of one that was never stopped."""

import gzip
import json
import os
import random
import resource
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from model.analyser import Analyser, Options
from model.errors import ArtefactError, BatchError, VigieError
from service.batch.engine import Job, run
from service.batch.journal import parts_folder
from service.batch.records import Source
from service.batch.scoring import ModelFile, load_scorer
from service.batch.seen import SeenIds
from tests.service.test_batch import HARMLESS, OFFER, ROOT, inside, read_output, write_input

ENDINGS = ("jsonl", "jsonl.gz", "csv", "csv.gz", "parquet", "xlsx")
#: Mostly rows that cost nothing, so that many runs are quick.
ROWS = [(str(n % 19), {0: OFFER, 5: HARMLESS, 9: "x" * 25_000}.get(n % 11, "")) for n in range(23)]


@pytest.fixture
def job(tmp_path: Path, artefacts: Path) -> Job:
    source = write_input(tmp_path / "in.jsonl", ROWS)
    return Job(Source(source), tmp_path / "out.jsonl", artefacts, Options(), shard_rows=4)


def in_process(work: Callable[[], Any]) -> BaseProcess:
    """The work in a process of its own, which has the loaded model from the start; errors of Vigie give code 1."""

    def guarded() -> None:
        try:
            work()
        except VigieError:
            os._exit(1)
        os._exit(0)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        process = get_context("fork").Process(target=guarded)
        process.start()
    return process


def code_of(process: BaseProcess) -> int | None:
    process.join(60)
    return process.exitcode


def dying(job: Job, analyser: Analyser, at: int) -> None:
    """Run, and be killed (-9) at the `at`-th time that a file of the run is opened, made, renamed or removed."""
    folder, count = str(job.output.parent), 0

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir") and folder in str(arguments[0]):
            count += 1
            if count == at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    run(job, analyser=analyser)


def interrupted(job: Job, analyser: Analyser, at: int = 40) -> Job:
    """The job to resume after a run that was killed half way."""
    assert code_of(in_process(lambda: dying(job, analyser, at))) == -signal.SIGKILL
    assert list(parts_folder(job.output).glob("*.rows"))
    assert not job.output.exists()
    return replace(job, resume=True)


def whole(job: Job, analyser: Analyser) -> bytes:
    """The output of a run that is not interrupted, in shards of another size."""
    other = replace(job, output=job.output.with_name(f"whole.{'.'.join(job.output.name.split('.')[1:])}"), shard_rows=7)
    run(other, analyser=analyser)
    return other.output.read_bytes()


def only_results(job: Job) -> bool:
    """Whether nothing but the output and its manifest is left of a run."""
    left = {path.name for path in job.output.parent.glob(f"{job.output.name}*")}
    return left == {job.output.name, f"{job.output.name}.manifest.json"}


@pytest.mark.parametrize("ending", ENDINGS)
def test_killed_at_random_moments_it_ends_with_the_same_bytes(job: Job, analyser: Analyser, ending: str) -> None:
    chance = random.Random(ending)
    job = replace(job, output=job.output.with_name(f"out.{ending}"))
    expected = whole(job, analyser)
    if ending in ("jsonl", "xlsx"):
        time.sleep(1.1)  # what bears the time to the second shows
    codes = []
    for resume in (False, True):
        at = chance.randint(8, 45)
        codes.append(code_of(in_process(lambda: dying(replace(job, resume=resume), analyser, at))))  # noqa: B023
    assert codes[0] == -signal.SIGKILL
    run(replace(job, resume=True), analyser=analyser)
    assert job.output.read_bytes() == expected
    assert only_results(job)


def test_killed_anywhere_it_ends_with_the_same_bytes(job: Job, analyser: Analyser) -> None:
    """Every third moment of a run, the last ones (assembly, manifest, removal) included."""
    expected = whole(job, analyser)
    for at in range(1, 200, 3):
        killed = code_of(in_process(lambda: dying(job, analyser, at)))  # noqa: B023
        report = run(replace(job, resume=True), analyser=analyser)
        assert job.output.read_bytes() == expected, at
        assert (report.rows, report.duplicates, report.errors["too_long"]) == (23, 4, 2), at
        assert only_results(job), at
        for path in job.output.parent.glob("out*"):
            path.unlink()
        if killed == 0:
            break
    assert killed == 0
    assert at > 40


def test_the_real_command_killed_and_resumed(tmp_path: Path, artefacts: Path, analyser: Analyser) -> None:
    source = write_input(tmp_path / "in.csv", [(str(n), f"{OFFER} Séance {n}, à {n} €.") for n in range(120)])
    output = tmp_path / "out.csv"
    arguments = ["score", str(source), "-o", str(output), "--workers", "1", "--shard-rows", "5"]
    with subprocess.Popen(
        [sys.executable, "-m", "service.cli", *arguments],
        env=os.environ | {"VIGIE_MODEL_DIR": str(artefacts)},
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    ) as running:
        while running.poll() is None and len(list(parts_folder(output).glob("*.rows"))) < 3:
            time.sleep(0.05)
        running.kill()
    refused = inside(*arguments, artefacts=artefacts)
    assert refused.returncode == 1
    assert "--resume" in refused.stderr
    assert "--overwrite" in refused.stderr
    resumed = inside(*arguments, "--resume", artefacts=artefacts)
    assert resumed.returncode == 0, resumed.stderr
    assert "120 ligne(s)" in resumed.stderr
    run(Job(Source(source), tmp_path / "whole.csv", artefacts, Options()), analyser=analyser)
    assert output.read_bytes() == (tmp_path / "whole.csv").read_bytes()
    assert "120 ligne(s)" in inside(*arguments, "--resume", artefacts=artefacts).stderr


def test_the_manifest_says_what_was_done(job: Job, analyser: Analyser) -> None:
    run(interrupted(job, analyser), analyser=analyser)
    manifest = json.loads(job.output.with_name("out.jsonl.manifest.json").read_text(encoding="utf-8"))
    statuses = [row["status"] for row in read_output(job.output)]
    assert manifest["rows"] == 23
    assert manifest["statuses"] == {status: statuses.count(status) for status in set(statuses)}
    assert manifest["model"]["version"] == analyser.artefact.version
    assert manifest["options"]["operating_point"] == "balanced"
    assert manifest["errors"]["too_long"] == 2
    assert manifest["sessions"] == 2
    assert manifest["seconds"] > 0
    for part, path in (("input", job.source.path), ("output", job.output)):
        assert manifest[part]["size"] == path.stat().st_size
        found = subprocess.run(["/usr/bin/env", "sha256sum", str(path)], capture_output=True, text=True, check=True).stdout
        assert manifest[part]["sha256"] == found.split()[0]


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _change(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"1", b"2"))


@pytest.mark.parametrize("spoil", [Path.unlink, _truncate, _change], ids=["missing", "truncated", "changed"])
def test_a_spoilt_shard_is_done_again(job: Job, analyser: Analyser, spoil: Callable[[Path], None]) -> None:
    resumed = interrupted(job, analyser)
    spoil(min(parts_folder(job.output).glob("*.rows")))
    with (parts_folder(job.output) / "journal.jsonl").open("a") as journal:
        journal.write('{"event": "shard", "fir')
    run(resumed, analyser=analyser)
    assert job.output.read_bytes() == whole(job, analyser)


def test_what_is_left_is_neither_mixed_nor_lost(job: Job, analyser: Analyser, tmp_path: Path) -> None:
    resumed = interrupted(job, analyser)
    kept = sorted(path.name for path in parts_folder(job.output).iterdir())
    other_model = tmp_path / "models"
    (other_model / "2099.1.0+autre").mkdir(parents=True)
    (other_model / "2099.1.0+autre" / "manifest.json").write_text("{}", encoding="utf-8")
    (other_model / "current").write_text("2099.1.0+autre\n", encoding="utf-8")
    for changed, expected in (
        (replace(job, resume=False), "--resume pour la reprendre ou --overwrite"),
        (replace(resumed, options=Options("strict")), r"operating_point a changé \(balanced alors, strict à présent\)"),
        (replace(resumed, timeout=5.0), "l'option timeout a changé"),
    ):
        with pytest.raises(BatchError, match=expected):
            run(changed, analyser=analyser)
    with pytest.raises(BatchError, match=r"2099\.1\.0.autre à présent"):
        run(replace(resumed, model_dir=other_model))
    with job.source.path.open("a") as source:
        source.write('{"id": "z", "text": ""}\n')
    with pytest.raises(BatchError, match=r"l'entrée .* a changé"):
        run(resumed, analyser=analyser)
    assert sorted(path.name for path in parts_folder(job.output).iterdir()) == kept
    assert run(replace(job, overwrite=True), analyser=analyser).rows == 24
    assert only_results(job)


def test_a_model_that_disappeared_or_changed_is_not_replaced(artefacts: Path, analyser: Analyser) -> None:
    name = analyser.artefact.version
    with pytest.raises(ArtefactError, match="n'est pas ou plus"):
        ModelFile.of(artefacts, "2099.1.0+absent")
    with pytest.raises(ArtefactError, match="a changé"):
        load_scorer(ModelFile(artefacts, name, "0" * 64), Options())


def test_a_folder_of_someone_else_is_left_alone(job: Job, analyser: Analyser) -> None:
    mine = job.output.with_name(job.output.name + ".parts") / "precious.txt"
    mine.parent.mkdir()
    mine.write_text("à garder", encoding="utf-8")
    for asked in (job, replace(job, overwrite=True)):
        with pytest.raises(BatchError, match=r"precious\.txt"):
            run(asked, analyser=analyser)
    assert mine.read_text(encoding="utf-8") == "à garder"
    assert not job.output.exists()


def test_two_runs_on_one_output(job: Job, analyser: Analyser) -> None:
    def stay(rows: int, share: float) -> None:
        while rows > 10:
            time.sleep(0.1)

    first = in_process(lambda: run(job, stay, analyser))
    for _ in range(300):
        if list(parts_folder(job.output).glob("*.rows")):
            break
        time.sleep(0.1)
    for second in (job, replace(job, resume=True), replace(job, overwrite=True)):
        with pytest.raises(BatchError, match="une autre analyse est en train d'écrire"):
            run(second, analyser=analyser)
    first.kill()
    first.join()
    run(replace(job, resume=True), analyser=analyser)
    assert job.output.read_bytes() == whole(job, analyser)


def test_a_full_disk_keeps_what_was_done(job: Job, analyser: Analyser, capfd: pytest.CaptureFixture[str]) -> None:
    def cramped() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))
        try:
            run(job, analyser=analyser)
        except BatchError as error:
            os.write(2, str(error).encode())
            raise

    assert code_of(in_process(cramped)) == 1
    said = capfd.readouterr().err
    assert "écriture impossible" in said
    assert "relancez avec --resume" in said
    assert not job.output.exists()
    assert not list(job.output.parent.glob("*.tmp"))
    run(replace(job, resume=True), analyser=analyser)
    assert job.output.read_bytes() == whole(job, analyser)


def test_an_input_cut_half_way_goes_on_once_repaired(job: Job, analyser: Analyser) -> None:
    lines = "".join(json.dumps({"id": str(n), "text": os.urandom(20).hex() * (n % 3)}) + "\n" for n in range(60))
    content = gzip.compress(lines.encode())
    path = job.source.path.with_name("in.jsonl.gz")
    cut = replace(job, source=Source(path), timeout=60.0)
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(BatchError, match=r"la ligne \d+ ne peut pas être lue .* relancez avec --resume"):
        run(cut, analyser=analyser)
    assert not cut.output.exists()
    resumed = replace(cut, resume=True)
    path.write_bytes(gzip.compress(lines.replace('"id": "2"', '"id": "2b"').encode()))
    with pytest.raises(BatchError, match="Les lignes 1 à 4 de l'entrée ne sont pas celles"):
        run(resumed, analyser=analyser)
    path.write_bytes(content)
    assert run(resumed, analyser=analyser).rows == 60
    assert cut.output.read_bytes() == whole(cut, analyser)


def test_a_text_that_takes_too_long_and_one_of_five_megabytes(job: Job, analyser: Analyser) -> None:
    long = " ".join(f"{OFFER} Séance {n}." for n in range(260))
    write_input(job.source.path, [("long", long), ("huge", "a" * 5_000_000), ("short", "")])
    started = time.monotonic()
    report = run(replace(job, timeout=0.1), analyser=analyser)
    assert time.monotonic() - started < 60
    assert [row["error"]["code"] for row in read_output(job.output)] == ["timeout", "too_long", "empty_text"]
    assert report.errors == {"timeout": 1, "too_long": 1, "empty_text": 1}


def test_identifiers_met_before_are_found_in_any_shard() -> None:
    chance = random.Random(3)
    ids = [str(chance.randrange(3_000)) for _ in range(5_000)]
    expected = [id in ids[:place] for place, id in enumerate(ids)]
    seen, found, at = SeenIds(), [], 0
    while at < len(ids):
        size = chance.randrange(1, 700)
        found += seen.add(ids[at : at + size])
        at += size
    assert found == expected
