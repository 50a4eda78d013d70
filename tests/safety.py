"""What `make check` asks of the code and of what it stands on: `python -m tests.safety`.

Bandit reads the code; each finding is mended, or accepted by name with a reason in `tests/safety.toml`. pip-licenses reads the
licence of each library; one that is not in the list stops the check. pip-audit asks a public feed for known flaws: what it
could not ask is said to be « non vérifié », in those words, here and in `var/safety.txt`, and never passes for sound.
"""

import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
TABLE: Final = ROOT / "tests" / "safety.toml"
REPORT: Final = ROOT / "var" / "safety.txt"
_TOOLS: Final = ROOT / ".venv-tools" / "bin"
_PACKAGES: Final = ("model", "service", "training")
#: Seconds that the feed of flaws is waited for.
_PATIENCE: Final = 300
_SHOWN: Final = 12


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check found: a line for people, what is wrong, and whether it could be looked at whole."""

    title: str
    told: str
    faults: tuple[str, ...] = ()
    verified: bool = True

    def lines(self) -> str:
        """As it is printed."""
        head = "" if not self.faults else "ÉCHEC, "
        unsure = "" if self.verified else "NON VÉRIFIÉ, "
        return "\n".join((f"{self.title} : {head}{unsure}{self.told}", *(f"  - {fault}" for fault in self.faults)))


def of_code(found: Sequence[Mapping[str, Any]], accepted: Sequence[Mapping[str, str]]) -> Outcome:
    """Findings of Bandit against those accepted: a new one is a fault, and so is an acceptance that nothing needs any more."""
    used: set[int] = set()
    faults = []
    for one in found:
        place = next((number for number, known in enumerate(accepted) if _is(one, known)), None)
        if place is None:
            told = " ".join(one["issue_text"].split())
            faults.append(f"{one['filename']}:{one['line_number']} {one['test_id']} {told}")
        else:
            used.add(place)
    stale = [known for number, known in enumerate(accepted) if number not in used]
    faults += [f"{known['file']} {known['test']} « {known['holds']} » est accepté, et n'est plus trouvé" for known in stale]
    return Outcome(
        "bandit", f"{len(found)} remarques, {len(found) - len(faults) + len(stale)} acceptées une à une", tuple(faults)
    )


def _is(found: Mapping[str, Any], known: Mapping[str, str]) -> bool:
    same = found["test_id"] == known["test"] and found["filename"].removeprefix("./") == known["file"]
    return same and known["holds"] in found["code"]


def of_licences(found: Sequence[Mapping[str, str]], table: Mapping[str, Any]) -> Outcome:
    """Licences of the libraries against those allowed; a library of another, or of none, needs a reason of its own."""
    allowed, own = set(table["allowed"]), {one["package"]: one for one in table["package"]}
    faults = []
    for one in found:
        name, licence = one["Name"], " ".join(one["License"].split())
        known = own.get(name)
        if known is not None and licence.startswith(known["says"]):
            continue
        parts = [part.strip(" ()") for part in licence.replace(" OR ", " AND ").replace(";", " AND ").split(" AND ")]
        if not all(part in allowed for part in parts):
            faults.append(f"{name} {one['Version']} : licence « {licence[:80]} », qui n'est pas dans {TABLE.name}")
    stale = sorted(set(own) - {one["Name"] for one in found})
    faults += [f"{name} a une raison dans {TABLE.name}, et n'est plus installé" for name in stale]
    return Outcome("licences", f"{len(found)} bibliothèques", tuple(faults))


def of_flaws(report: Mapping[str, Any] | None) -> Outcome:
    """What the feed of flaws says of the libraries; None where it could not be asked at all."""
    if report is None:
        return Outcome(
            "pip-audit", "la liste publique des failles n'a pas pu être lue : aucune bibliothèque n'a été regardée", (), False
        )
    every = [one for one in report["dependencies"] if one["name"] != "vigie"]
    skipped = [one["name"] for one in every if "skip_reason" in one]
    faults = tuple(
        f"{one['name']} {one['version']} : {flaw['id']} (corrigé en {', '.join(flaw['fix_versions']) or 'aucune version'})"
        for one in every
        for flaw in one.get("vulns", ())
    )
    told = f"{len(every) - len(skipped)} bibliothèques regardées sur {len(every)}"
    if skipped:
        more = f" et {len(skipped) - _SHOWN} autres" if len(skipped) > _SHOWN else ""
        told += f" ; rien n'est dit de : {', '.join(skipped[:_SHOWN])}{more}"
    return Outcome("pip-audit", told, faults, not skipped)


def _ran(*command: str, seconds: float = 600) -> str:
    """What a tool prints, however it ends; empty where it takes too long."""
    try:
        done = subprocess.run(
            [str(_TOOLS / command[0]), *command[1:]], capture_output=True, text=True, check=False, cwd=ROOT, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout


def _read(content: str) -> Any:
    """JSON that a tool printed; None where there is none."""
    try:
        return json.loads(content)
    except ValueError:
        return None


def outcomes() -> list[Outcome]:
    """Run the three tools."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    code = _read(_ran("bandit", "-q", "-c", "pyproject.toml", "-f", "json", "-r", *_PACKAGES))
    licences = _read(_ran("pip-licenses", "--python", str(ROOT / ".venv" / "bin" / "python"), "--format", "json"))
    libraries = next((ROOT / ".venv" / "lib").glob("python3*/site-packages"))
    flaws = _read(_ran("pip-audit", "--path", str(libraries), "--progress-spinner", "off", "-f", "json", seconds=_PATIENCE))
    broken = Outcome("", "l'outil n'a rien rendu", ("relancez « make check »",))
    return [
        of_code(code["results"], table["accepted"]) if code else Outcome("bandit", broken.told, broken.faults),
        of_licences(licences, table["licences"]) if licences else Outcome("licences", broken.told, broken.faults),
        of_flaws(flaws),
    ]


def main() -> int:
    """Print what was found, write it to `var/safety.txt`; 1 where something is wrong."""
    found = outcomes()
    shown = "\n".join(one.lines() for one in found) + "\n"
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(shown, encoding="utf-8")
    sys.stdout.write(shown)
    return 1 if any(one.faults for one in found) else 0


if __name__ == "__main__":
    raise SystemExit(main())
