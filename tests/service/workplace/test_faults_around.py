"""The disk, the database, the clients and the clock at fault, in short: the scenarios of `python -m tests.harness.faults`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import faults
from tests.harness.faults_field import Field, Outcome
from tests.service.workplace.test_faults_killed import NAMES

RUNS = faults.runs()
AROUND = (
    *("absente", "migration-sqlite", "migration-postgresql", "migrations-sqlite", "migrations-postgresql"),
    *("plein", "lecture-seule", "pages", "lents", "muets", "horloge", "sous-charge-sqlite", "sous-charge-postgresql"),
)


@pytest.fixture(scope="module")
def field(artefacts: Path, postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    made = Field(tmp_path_factory.mktemp("pannes"), artefacts, small=True, server=postgres)
    yield made
    made.close()


@pytest.mark.parametrize("name", AROUND)
def test_what_is_at_fault_is_told_and_survived(name: str, field: Field) -> None:
    outcome = RUNS[name][1](field)
    assert outcome.wrong == []
    assert outcome.counted


def test_every_scenario_is_tried_or_known(capsys: pytest.CaptureFixture[str], field: Field) -> None:
    """The same on the other kind of database, and no more, is left to the long form; a fault makes a verdict."""
    left = set(RUNS) - {*AROUND, *NAMES}
    assert left == {"analyse-sqlite", "import-postgresql", "export-sqlite"}
    assert faults.judge("essai", "ce qui casse", lambda _: Outcome(2, {"textes": 3}, ["un texte perdu"]), field) == (False, 2)
    assert faults.judge("essai", "ce qui tient", lambda _: Outcome(), field) == (True, 0)
    assert faults.judge("essai", "ce qui échoue", lambda _: 1 / 0, field) == (False, 0)  # type: ignore[arg-type, return-value]
    told = capsys.readouterr().out
    assert "ÉCHEC essai : ce qui casse ; 2 arrêts brutaux ; textes 3" in told
    assert "- un texte perdu" in told
    assert "tenu  essai : ce qui tient" in told
    assert "ZeroDivisionError" in told
