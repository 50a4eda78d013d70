"""The benchmark: its texts, its ratios, its tables, and the small form of each measure for real. No speed is asserted."""

import json
import math
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.bench.__main__ import arguments, run
from tests.bench.goals import GOALS, batch_ratio, french, ratios
from tests.bench.plan import NAMES, SMALL, conditions
from tests.bench.report import BENCH_MARKS, PARTS, SOAK_MARKS, bench_tables, keep, load_results, soak_tables, write
from tests.bench.runs import counted
from tests.bench.soak import drift
from tests.bench.texts import MIXES, Maker, kind_of_id, write_texts
from tests.bench.transformer import CAMEMBERT_BASE
from tests.bench.watching import Look, watched
from training.corpus import AnnotatedText

ROOT = Path(__file__).resolve().parents[1]
_MEGA = 1_000_000


@pytest.fixture(scope="module")
def maker(corpus: list[AnnotatedText]) -> Maker:
    return Maker(corpus)


def test_texts_are_distinct_alike_each_time_and_fewer_are_the_first_of_more(maker: Maker) -> None:
    made = list(maker.stream("realistic", 3_000))
    assert len({text.text for text in made}) == 3_000
    assert list(maker.stream("realistic", 200)) == made[:200]
    assert [text.text for text in maker.stream("realistic", 200, seed=1)] != [text.text for text in made[:200]]


def test_a_mix_holds_its_shares_and_lengths_as_the_corpus(maker: Maker) -> None:
    made = list(maker.stream("realistic", 3_000))
    counts = Counter(text.kind for text in made)
    for kind, share in MIXES["realistic"].items():
        assert counts[kind] / 3_000 == pytest.approx(share, abs=0.025)
    words = sorted(len(text.text.split()) for text in made)
    assert 65 <= words[1_500] <= 95
    assert {text.kind for text in maker.stream("worst", 50)} == {"risky"}


def test_a_risky_text_keeps_a_sentence_that_shows_a_sign(maker: Maker, corpus: list[AnnotatedText]) -> None:
    passages = [
        text.text[passage.start : passage.end]
        for text in corpus
        if text.split != "train" and text.risk_level >= 2
        for passage in text.indicators
    ]
    # Numbers are changed, and a passage may run over several sentences: those without either are enough to tell.
    plain = [passage for passage in passages if not any(c.isdigit() for c in passage) and "." not in passage]
    made = list(maker.stream("worst", 60))
    assert sum(any(passage in text.text for passage in plain) for text in made) >= 50


def test_varied_texts_hold_words_never_met_and_long_texts(maker: Maker) -> None:
    plain = list(maker.stream("realistic", 400))
    varied = list(maker.varied(400))
    assert 80 <= sum(before.text != after.text for before, after in zip(plain, varied, strict=True)) <= 180
    assert max(len(text.text.split()) for text in varied) > 300
    assert len({word for text in varied for word in text.text.split()}) > len({w for text in plain for w in text.text.split()})


def test_texts_are_streamed_and_their_kind_can_be_told_from_the_output(maker: Maker, tmp_path: Path) -> None:
    endless = maker.stream("realistic", 1_000_000)
    write_texts(tmp_path / "t.jsonl", islice(endless, 20))
    rows = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len({row["id"] for row in rows}) == 20
    assert {kind_of_id(row["id"]) for row in rows} <= {"risky", "alternative", "other"}


def test_loading_and_the_first_tenth_do_not_count() -> None:
    progress = [(110.0, 1), (112.0, 5), (114.0, 10), (120.0, 60), (124.0, 100), (125.0, 100)]
    assert counted(100.0, progress) == (90, 11.0, 14.0)
    # All answered at once: what there is.
    assert counted(100.0, [(104.0, 0), (106.0, 8), (107.0, 8)]) == (8, 3.0, 4.0)
    assert counted(100.0, [(108.0, 8)]) == (8, 8.0, 0.0)


def test_ratios_are_taken_within_a_repetition() -> None:
    # The machine was three times slower during the second repetition: the ratio does not show it.
    found = ratios([600.0, 200.0, 660.0], [50.0, 20.0, 55.0])
    assert (found.value, found.low, found.high) == (12.0, 10.0, 12.0)


def _line(mix: str, workers: int, contender: str, *rates: float) -> dict[str, Any]:
    return {
        "mix": mix,
        "workers": workers,
        "contender": contender,
        "rates": list(rates),
        "startups": [1.0 for _ in rates],
        "peaks": [500 * _MEGA for _ in rates],
        "counted": 90,
    }


@pytest.fixture(scope="module")
def results(artefacts: Path) -> dict[str, Any]:
    """Results of which every ratio is known."""
    lost = {name: {"lost": lost, "of": 1_000, "upper": 0.01} for name, lost in (("flags", 2), ("level_1", 30))}
    told = conditions(SMALL) | {"first_look": lost}
    realistic = {"vigie": 600.0, "full": 60.0, "bare": 1200.0, "textcat": 400.0, "spacy": 50.0, "transformer": 4.0}
    worst = {"vigie": 70.0, "full": 60.0, "bare": 1200.0, "spacy": 50.0}
    counts = {"texts": 10, "screened": 5, "flagged": 4, "lost": 1, "watch": 2, "watch_lost": 0}
    measures = [
        _line(mix, workers, name, *(workers * rate * slower for slower in (1.0, 0.5, 1.1)))
        for mix, rates in (("realistic", realistic), ("worst", worst))
        for workers in (1, 2)
        for name, rate in rates.items()
    ]
    sizes = [
        {"rows": rows, "rates": [rate], "startups": [4.0], "peaks": [peak * _MEGA], "errors": 0}
        for rows, rate, peak in ((10_000, 1000.0, 1_000), (100_000, 990.0, 1_020), (1_000_000, 900.0, 1_050))
    ]
    server = {"p50": [0.002], "failures": 0}
    soak = {"texts": 1_000, "processes": 2, "error_codes": {}, "lost": 0, "conditions": told}
    steady = [(float(second), second * 10) for second in range(101)]
    looks = [Look(second + 0.5, 3, (1_000 + second) * _MEGA, 500 * _MEGA) for second in range(100)]
    return {
        "batch": {
            "conditions": told,
            "rows": 100,
            "runs": 3,
            "measures": measures,
            "texts": {"low": 40, "median": 80, "high": 130},
            "verdicts": {"realistic": dict.fromkeys(("risky", "alternative", "other"), counts)},
        },
        "sizes": {"conditions": told, "workers": 2, "measures": sizes},
        "serving": {
            "conditions": told,
            "requests": 100,
            "clients": 4,
            "measures": [
                {"server": "vigie", "p99": [0.030], "rates": [60.0], **server},
                {"server": "constant", "p99": [0.003], "rates": [900.0], **server},
                {"server": "spacy", "p99": [0.040], "rates": [50.0], **server},
            ],
        },
        "soak_batch": {**soak, "errors": 0, **drift(steady, looks)},
        "soak_service": {**soak, "errors": 3, **drift(steady, looks)},
    }


def test_goals_tell_what_is_reached_and_what_is_missing(results: dict[str, Any]) -> None:
    rows = {row[0]: row[2:] for row in (goal.row(results) for goal in GOALS)}
    told = list(rows.values())
    assert told[0] == ("12,00 ×", "✓")
    assert told[1] == ("0,50 ×", "✓")
    assert told[2] == ("1,20 ×", "il manque 20 %")
    assert told[3] == ("1,10 ×", "1,05 × la limite")
    assert told[4] == ("1,05 ×", "✓")
    assert told[5] == ("7,89 %", "1,58 × la limite")
    assert (told[7], told[8]) == (("0", "✓"), ("3", "au-delà"))
    assert told[9] == ("10,00 ×", "✓")
    assert told[10] == ("1,20 ×", "il manque 20 %")
    assert told[11:] == [("0,20 %", "✓"), ("3,00 %", "1,50 × la limite")]
    assert {goal.row({})[2] for goal in GOALS} == {"non mesuré"}
    found = batch_ratio(results, "realistic", 1, "vigie", "spacy")
    assert found is not None
    assert found.value == pytest.approx(12.0)


def test_memory_growth_leaves_the_warm_up_out_and_drift_tells_a_slowdown() -> None:
    progress = [(float(second), 10 * second if second <= 50 else 500 + 5 * (second - 50)) for second in range(151)]
    looks = [
        Look(second + 0.0, 2, (100 if second < 5 else 1_000 if second < 140 else 1_100) * _MEGA, _MEGA) for second in range(151)
    ]
    found = drift(progress, looks)
    assert found["growth"] == pytest.approx(0.1, abs=0.01)
    assert found["growth_largest"] == 0
    assert found["drift"] == pytest.approx(-0.5, abs=0.01)
    assert found["peak_bytes"] == 1_100 * _MEGA


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A folder with the page of the repository."""
    (tmp_path / "performances.md").write_text((ROOT / "docs" / "performances.md").read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def test_tables_and_plots_are_made_again_from_what_is_kept(results: dict[str, Any], docs: Path) -> None:
    for part in PARTS:
        keep(docs, part, results[part])
    write(docs)
    page = (docs / "performances.md").read_text(encoding="utf-8")
    images = {path.name for path in (docs / "images").iterdir()}
    assert {name for name in images if f"images/{name})" in page} == images
    assert len(images) == 4
    assert "**forme réduite**" in page
    assert f"| {french(1_000, 0)} | non mesuré |" in page
    write(docs)
    assert (docs / "performances.md").read_text(encoding="utf-8") == page


def test_the_page_of_the_repository_shows_the_results_that_are_kept() -> None:
    page = (ROOT / "docs" / "performances.md").read_text(encoding="utf-8")
    kept = load_results(ROOT / "docs")
    for marks, tables in ((BENCH_MARKS, bench_tables(kept)), (SOAK_MARKS, soak_tables(kept))):
        between = page.split(marks[0])[1].split(marks[1])[0]
        for table in tables:
            assert f"### {table.title}" in between
            for row in table.rows:
                assert "| " + " | ".join(map(str, row)) + " |" in between
    assert not any(kept[part]["conditions"]["small"] for part in kept)


def test_memory_of_a_tree_counts_what_a_process_starts() -> None:
    inner = "import time; held = bytearray(60_000_000); print(flush=True); time.sleep(30)"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    with subprocess.Popen([sys.executable, "-c", outer], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        with watched(process.pid, every=0.05) as watch:
            time.sleep(0.3)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii")
        process.kill()
        for child in children.split():
            subprocess.run(["kill", "-9", child], check=True)
    assert watch.peak is not None
    assert watch.peak > 60_000_000
    assert max(look.processes for look in watch.looks) == 2


def test_the_encoder_has_the_size_of_camembert_base() -> None:
    assert 109 * _MEGA < CAMEMBERT_BASE.parameters < 112 * _MEGA


def test_unknown_names_are_refused_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments(["--only", "inconnu"])
    assert "transformer" in capsys.readouterr().err


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, int | float):
        yield value


def test_the_small_form_measures_everything_for_real(
    artefacts: Path, docs: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIGIE_MODEL_DIR", str(artefacts))
    said: list[str] = []
    beside = tmp_path_factory.mktemp("service")
    (beside / "performances.md").write_text((docs / "performances.md").read_text(encoding="utf-8"), encoding="utf-8")
    halves = ((docs, ("batch",)), (beside, ("serving", "soak_service", "soak_batch")))
    with ThreadPoolExecutor(len(halves)) as pool:
        # Speed is of no interest here, so that both halves may run at once.
        for done in [pool.submit(run, parts, SMALL, folder / "travail", folder, None, said.append) for folder, parts in halves]:
            done.result()
    kept = load_results(docs) | load_results(beside)
    # `sizes` is `batch` again, on other files: left out for its time.
    assert set(kept) == set(PARTS) - {"sizes"}
    assert all(math.isfinite(number) for number in _numbers(kept))
    assert {line["contender"] for line in kept["batch"]["measures"]} == set(NAMES)
    assert all(rate > 0 for line in kept["batch"]["measures"] for rate in line["rates"])
    assert sum(counts["texts"] for counts in kept["batch"]["verdicts"]["realistic"].values()) == SMALL.rows
    assert [line["failures"] for line in kept["serving"]["measures"]] == [0, 0, 0]
    for part in ("soak_batch", "soak_service"):
        assert (kept[part]["texts"], kept[part]["errors"]) == (SMALL.soak_rows, 0)
        assert kept[part]["peak_bytes"] > 100 * _MEGA
    assert len(said) == len(NAMES) + 3 + 2
    assert "forme réduite" in (docs / "performances.md").read_text(encoding="utf-8")
