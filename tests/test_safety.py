"""What `make check` says of the code's safety, of licences and of known flaws: nothing passes for sound in silence."""

import tomllib
from typing import Any

from tests.safety import TABLE, of_code, of_flaws, of_licences

FINDING = {
    "test_id": "B608",
    "filename": "service/a.py",
    "line_number": 3,
    "issue_text": "Possible\n SQL",
    "code": "3 x = f'SELECT {y}'\n",
}
KNOWN = {"file": "service/a.py", "test": "B608", "holds": "SELECT {y}", "reason": "une constante"}


def licence(name: str, says: str) -> dict[str, str]:
    return {"Name": name, "Version": "1", "License": says}


def test_a_finding_is_accepted_by_name_or_is_a_fault() -> None:
    assert of_code([FINDING], [KNOWN]).faults == ()
    assert of_code([FINDING], []).faults == ("service/a.py:3 B608 Possible SQL",)
    assert "n'est plus trouvé" in of_code([], [KNOWN]).faults[0]
    assert len(of_code([FINDING], [KNOWN | {"file": "service/b.py"}]).faults) == 2


def test_a_licence_that_is_not_allowed_stops_the_check() -> None:
    table: dict[str, Any] = {"allowed": ["MIT", "PSF-2.0"], "package": [{"package": "c", "says": "GPL", "reason": "…"}]}
    good = [licence("a", "MIT"), licence("b", "MIT AND PSF-2.0"), licence("c", "GPL-3.0-or-later")]
    assert of_licences(good, table).faults == ()
    for says in ("UNKNOWN", "MIT AND Proprietary", "", "AGPL-3.0"):
        assert "licence" in of_licences([*good, licence("d", says)], table).faults[0]
    assert "n'est plus installé" in of_licences(good[:2], table).faults[0]


def test_flaws_are_faults_and_what_was_not_looked_at_is_said() -> None:
    sound = {"name": "a", "version": "1", "vulns": []}
    flawed = {"name": "b", "version": "1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2"]}]}
    skipped = {"name": "c", "skip_reason": "Dependency not found"}
    assert of_flaws({"dependencies": [sound]}).verified
    assert "NON VÉRIFIÉ" not in of_flaws({"dependencies": [sound]}).lines()
    assert of_flaws({"dependencies": [sound, flawed]}).faults == ("b 1 : PYSEC-1 (corrigé en 2)",)
    partly = of_flaws({"dependencies": [sound, skipped]}).lines()
    assert "NON VÉRIFIÉ" in partly
    assert "rien n'est dit de : c" in partly
    assert "NON VÉRIFIÉ" in of_flaws(None).lines()


def test_every_acceptance_has_its_reason() -> None:
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    assert all(len(one["reason"]) > 5 for one in [*table["accepted"], *table["licences"]["package"]])
