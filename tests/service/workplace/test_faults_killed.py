"""kill -9 of everything that works, in short: the scenarios of `python -m tests.harness.faults`, a few kills each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.faults import runs
from tests.harness.faults_field import Field

RUNS = runs()
#: What is done on one kind of database alone: its code knows no difference.
NAMES = (
    *("serveur-sqlite", "serveur-postgresql", "analyse-postgresql", "import-sqlite", "export-postgresql"),
    *("lots", "processus", "challenger", "apprentissage", "sauvegarde-sqlite", "sauvegarde-postgresql"),
)


@pytest.fixture(scope="module")
def field(artefacts: Path, postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    made = Field(tmp_path_factory.mktemp("pannes"), artefacts, small=True, server=postgres)
    yield made
    made.close()


@pytest.mark.parametrize("name", NAMES)
def test_what_is_killed_loses_nothing_and_shows_nothing_half_made(name: str, field: Field) -> None:
    outcome = RUNS[name][1](field)
    assert outcome.wrong == []
    assert outcome.kills > 0
