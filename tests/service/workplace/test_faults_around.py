"""Everything that works killed; disk, database, clients and clock at fault: `python -m tests.harness.faults`, in short.

What is killed is killed a few times, and waited for by what it does, not by the clock: nothing here says how fast a machine is.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import faults
from tests.harness.faults_field import Field, Outcome

ROOT = Path(__file__).resolve().parents[3]
RUNS = faults.runs()
#: The same on the other kind of database, whose code knows no difference, is left to the long form.
LEFT = {"analyse-sqlite", "import-postgresql", "export-sqlite", "sauvegarde-postgresql", "sous-charge-sqlite"}
#: Those that kill what may end before: a fast machine leaves them nothing to kill.
MAY_BE_OVER = {"migrations-sqlite", "migrations-postgresql"}


@pytest.fixture(scope="module")
def field(artefacts: Path, postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    made = Field(tmp_path_factory.mktemp("pannes"), artefacts, small=True, server=postgres)
    yield made
    made.close()


@pytest.mark.parametrize("name", [name for name in RUNS if name not in LEFT])
def test_a_fault_loses_nothing_and_shows_nothing_half_made(name: str, field: Field) -> None:
    outcome = RUNS[name](field)
    assert outcome.wrong == []
    assert (outcome.lost, outcome.half) == (0, 0)
    assert outcome.acknowledged > 0, "rien n'avait été confirmé : rien ne pouvait être perdu"
    killed = RUNS[name].scenario.killed and name not in MAY_BE_OVER and name != "absente-sqlite"
    assert outcome.kills > 0 or not killed


def test_a_fault_makes_a_verdict(capfd: pytest.CaptureFixture[str], field: Field) -> None:
    assert set(RUNS) >= LEFT
    broken = Outcome(kills=2, acknowledged=3, recovery=0.25, counted={"textes": 3})
    broken.expect_none_lost(1, "un texte perdu")
    broken.expect_none_half(2, "deux à moitié")
    assert faults.judge("essai", "ce qui casse", lambda _: broken, field).lost == 1
    assert faults.judge("essai", "ce qui tient", lambda _: Outcome(), field).wrong == []
    assert faults.judge("essai", "ce qui échoue", lambda _: 1 / 0, field).wrong  # type: ignore[arg-type, return-value]
    told = capfd.readouterr().out
    assert "ÉCHEC essai : ce qui casse ; 2 arrêts brutaux ; confirmés 3, perdus 1, à moitié écrits 2 ; reprise en 0,2 s" in told
    assert "- un texte perdu" in told
    assert "tenu  essai : ce qui tient ; confirmés 0, perdus 0, à moitié écrits 0" in told
    assert "ZeroDivisionError" in told


def test_the_harness_says_what_it_does() -> None:
    def said(*words: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "tests.harness", *words], cwd=ROOT, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout + done.stderr

    code, helped = said("--help")
    assert (code, "--only" in helped, "--seconds" in helped) == (0, True, True)
    assert said("inconnue")[0] == 2
    assert said("pannes", "--only", "inconnue")[0] == 2
