"""Faults, one scenario each, with a verdict: `python -m tests.harness.faults` (`make faults`); 1 if any is not held.

Each says in one line what was done to the service and what was found. Bounded in time; `--only` chooses, `--small` is the form of
the tests, `--list` names them. PostgreSQL is a server of its own in a temporary folder.
"""

import argparse
import faulthandler
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path

from tests.harness.faults_field import KINDS, Field, Outcome

#: Seconds that a scenario may take.
LONGEST = 600
#: By name: what is done, in French, and `module:function`, called with a field and, for those of `EACH`, a kind of database.
SCENARIOS: dict[str, tuple[str, str]] = {
    "serveur": ("serveur tué pendant que l'on décide", "faults_kills:server"),
    "analyse": ("serveur tué pendant l'analyse en tâche de fond", "faults_kills:scoring"),
    "import": ("serveur tué pendant des imports", "faults_kills:importing"),
    "lots": ("analyse d'un fichier tuée puis reprise", "faults_workers:batch"),
    "processus": ("processus d'une analyse tués", "faults_workers:pool"),
    "apprentissage": ("apprentissage tué, même nom et autre nom", "faults_workers:trainer"),
    "challenger": ("entraînement demandé au poste tué", "faults_workers:challenge"),
    "sauvegarde": ("sauvegarde et restauration tuées", "faults_backup:killed"),
    "sous-charge": ("sauvegarde pendant que l'on décide, restaurée", "faults_backup:under_load"),
    "absente": ("PostgreSQL arrêté puis relancé sous charge", "faults_database:away"),
    "migration": ("migration tuée à chaque instruction", "faults_database:interrupted"),
    "migrations": ("plusieurs migrations à la fois, une tuée", "faults_database:at_once"),
    "plein": ("disque plein", "faults_disk:full"),
    "lecture-seule": ("base en lecture seule", "faults_disk:read_only"),
    "pages": ("pages de la base abîmées", "faults_pages:damaged"),
    "lents": ("clients lents et sourds", "faults_clients:slow"),
    "muets": ("dix mille connexions muettes", "faults_clients:idle"),
    "horloge": ("horloge avancée et reculée", "faults_clock:jumps"),
    "export": ("serveur tué pendant des exports", "faults_kills:exporting"),
}
#: Those that are done on each kind of database.
EACH = ("serveur", "analyse", "import", "export", "migration", "migrations", "sauvegarde", "sous-charge")


def runs() -> dict[str, tuple[str, Callable[[Field], Outcome]]]:
    """Every run by name: what is done, and the function."""
    found: dict[str, tuple[str, Callable[[Field], Outcome]]] = {}
    for name, (title, place) in SCENARIOS.items():
        module, _, function = place.partition(":")

        def call(field: Field, *given: str, module: str = module, function: str = function) -> Outcome:
            outcome: Outcome = getattr(import_module(f"tests.harness.{module}"), function)(field, *given)
            return outcome

        if name in EACH:
            found |= {f"{name}-{kind}": (f"{title}, {kind}", partial(_with, call, kind)) for kind in KINDS}
        else:
            found[name] = (title, call)
    return found


def _with(call: Callable[..., Outcome], kind: str, field: Field) -> Outcome:
    return call(field, kind)


def judge(name: str, title: str, run: Callable[[Field], Outcome], field: Field) -> tuple[bool, int]:
    """Run one, and say the verdict; whether it held, and how many times something was killed."""
    started = time.monotonic()
    faulthandler.dump_traceback_later(LONGEST, exit=True)
    try:
        outcome = run(field)
    except Exception:
        outcome = Outcome(wrong=[f"le scénario lui-même a échoué : {traceback.format_exc()}"])
    finally:
        faulthandler.cancel_dump_traceback_later()
    verdict = "tenu " if not outcome.wrong else "ÉCHEC"
    kills = f" ; {outcome.kills} arrêts brutaux" if outcome.kills else ""
    said = f" ; {outcome.said()}" if outcome.counted else ""
    sys.stdout.write(f"{verdict} {name} : {title}{kills}{said} ({time.monotonic() - started:.0f} s)\n")
    sys.stdout.writelines(f"      - {one}\n" for one in outcome.wrong[:20])
    sys.stdout.flush()
    return not outcome.wrong, outcome.kills


def main() -> int:
    """Run them as a command."""
    known = runs()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="noms, ou débuts de noms, séparés par des virgules")
    parser.add_argument("--small", action="store_true", help="forme courte")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--list", action="store_true", dest="only_list", help="nommer les scénarios")
    given = parser.parse_args()
    wanted = [name for name in known if not given.only or name.startswith(tuple(given.only.split(",")))]
    if given.only_list:
        sys.stdout.writelines(f"{name} : {known[name][0]}\n" for name in known)
        return 0
    if not wanted:
        parser.error(f"« {given.only} » : aucun scénario ; --list les nomme")
    held = kills = 0
    with tempfile.TemporaryDirectory() as folder:
        field = Field(Path(folder), Path("artefacts").resolve(), given.small, given.seed)
        try:
            for name in wanted:
                good, killed = judge(name, *known[name], field)
                held, kills = held + good, kills + killed
        finally:
            field.close()
    sys.stdout.write(f"{held} scénarios tenus sur {len(wanted)} ; {kills} arrêts brutaux\n")
    return 0 if held == len(wanted) else 1


if __name__ == "__main__":
    raise SystemExit(main())
