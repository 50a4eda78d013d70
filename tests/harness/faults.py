"""Faults, one scenario each, with a verdict: `python -m tests.harness.faults`, the second part of `make harness`.

PostgreSQL is a server of its own in a temporary folder; nothing of what runs on the machine is touched.
"""

import argparse
import faulthandler
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tests.harness.faults_field import KINDS, Field, Outcome, in_french

#: Seconds that a scenario may take.
LONGEST = 900
#: Times that a server, a process of an analysis or a training is killed in the whole long form, at least.
LEAST_KILLS = 200
#: What is killed, as it is called in the last line; the first three are those of `LEAST_KILLS`.
SERVER, WORKER, TRAINER, BACKUP, DATABASE = "serveur", "analyse", "apprentissage", "sauvegarde", "base"
DESCRIPTION = "Les pannes, une à une : ce qui est fait au service, et si rien de confirmé n'est perdu, ni montré à moitié écrit."
EPILOGUE = f"""\
Une ligne par panne : le verdict, les arrêts brutaux (kill -9), ce qui avait été confirmé, ce qui en est perdu, ce qui est
à moitié écrit, et le temps au bout duquel tout reprend ; puis, sous un ÉCHEC, ce qui n'a pas été tenu. La forme longue tue au
moins {LEAST_KILLS} fois un serveur, un processus d'analyse ou un apprentissage (une demi-heure environ).
Le disque plein veut le droit de monter un petit disque en mémoire (root) ; sans lui, c'est la taille des fichiers qui est bornée.
Code de sortie : 0 si tout est tenu, 1 si une panne ne l'est pas, 2 si la commande est mal écrite."""


@dataclass(frozen=True)
class Scenario:
    """What is done, in French; where it is written, `module:function`; what it kills; whether on each kind of database."""

    title: str
    place: str
    killed: str = ""
    each: bool = False


SCENARIOS: dict[str, Scenario] = {
    "serveur": Scenario("serveur tué pendant que l'on décide", "faults_kills:server", SERVER, True),
    "analyse": Scenario("serveur tué pendant l'analyse en tâche de fond", "faults_kills:scoring", SERVER, True),
    "import": Scenario("serveur tué pendant des imports", "faults_kills:importing", SERVER, True),
    "export": Scenario("serveur tué pendant des exports", "faults_kills:exporting", SERVER, True),
    "lots": Scenario("analyse d'un fichier tuée puis reprise", "faults_workers:batch", WORKER),
    "processus": Scenario("processus d'une analyse tués", "faults_workers:pool", WORKER),
    "apprentissage": Scenario("apprentissage tué, même nom et autre nom", "faults_workers:trainer", TRAINER),
    "challenger": Scenario("entraînement demandé au poste tué", "faults_workers:challenge", TRAINER),
    "sauvegarde": Scenario("sauvegarde et restauration tuées", "faults_backup:killed", BACKUP, True),
    "sous-charge": Scenario("sauvegarde pendant que l'on décide, restaurée", "faults_backup:under_load", each=True),
    "absente": Scenario("base partie puis revenue pendant que l'on décide", "faults_away:away", DATABASE, True),
    "migration": Scenario("migration tuée d'instruction en instruction", "faults_database:interrupted", DATABASE, True),
    "migrations": Scenario("plusieurs migrations à la fois, une tuée", "faults_database:at_once", DATABASE, True),
    "plein": Scenario("disque plein", "faults_disk:full"),
    "lecture-seule": Scenario("base en lecture seule", "faults_disk:read_only"),
    "pages": Scenario("pages d'un fichier SQLite abîmées", "faults_pages:damaged"),
    "lents": Scenario("clients lents et sourds", "faults_clients:slow"),
    "muets": Scenario("dix mille connexions muettes", "faults_clients:idle"),
    "horloge": Scenario("horloge avancée et reculée", "faults_clock:jumps"),
}


@dataclass(frozen=True)
class Run:
    """A scenario, on one kind of database where it is done on each."""

    scenario: Scenario
    kind: str | None = None

    @property
    def title(self) -> str:
        """What is done, in French."""
        return f"{self.scenario.title}, {self.kind}" if self.kind else self.scenario.title

    def __call__(self, field: Field) -> Outcome:
        """Do it."""
        module, _, name = self.scenario.place.partition(":")
        function: Callable[..., Outcome] = getattr(import_module(f"tests.harness.{module}"), name)
        return function(field, self.kind) if self.kind else function(field)


def runs() -> dict[str, Run]:
    """Every run by name."""
    found: dict[str, Run] = {}
    for name, scenario in SCENARIOS.items():
        found |= {f"{name}-{kind}": Run(scenario, kind) for kind in KINDS} if scenario.each else {name: Run(scenario)}
    return found


def judge(name: str, title: str, run: Callable[[Field], Outcome], field: Field) -> Outcome:
    """Run one, and say the verdict; what it found, in which a scenario that breaks down is a fault like another."""
    started = time.monotonic()
    faulthandler.dump_traceback_later(LONGEST, exit=True)
    try:
        outcome = run(field)
    except Exception:
        outcome = Outcome(wrong=[f"le scénario lui-même a échoué : {traceback.format_exc()}"])
    finally:
        faulthandler.cancel_dump_traceback_later()
    verdict = "ÉCHEC" if outcome.wrong else "tenu "
    sys.stdout.write(f"{verdict} {name} : {title} ; {outcome.said()} ({in_french(time.monotonic() - started)} s)\n")
    sys.stdout.writelines(f"      - {one}\n" for one in outcome.wrong[:20])
    sys.stdout.flush()
    return outcome


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the faults."""
    group = parser.add_argument_group("pannes")
    group.add_argument("--only", default="", metavar="NOMS", help="noms, ou débuts de noms, séparés par des virgules")
    group.add_argument("--seed", type=int, default=7, metavar="N", help="tirages des moments où l'on tue (7)")
    group.add_argument("--list", action="store_true", dest="only_list", help="nommer les pannes, et s'arrêter là")


def carry_out(given: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    """Do what the options say; 1 if anything is not held."""
    known = runs()
    if given.only_list:
        sys.stdout.writelines(f"{name} : {run.title}\n" for name, run in known.items())
        return 0
    wanted = [name for name in known if not given.only or name.startswith(tuple(filter(None, given.only.split(","))))]
    if not wanted:
        parser.error(f"--only {given.only} : aucune panne de ce nom ; --list les nomme")
    held, kills, total = 0, Counter[str](), Outcome()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        field = Field(Path(folder), Path("artefacts").resolve(), given.small, given.seed)
        try:
            for name in wanted:
                outcome = judge(name, known[name].title, known[name], field)
                held += not outcome.wrong
                kills[known[name].scenario.killed] += outcome.kills
                total.acknowledged += outcome.acknowledged
                total.lost, total.half = total.lost + outcome.lost, total.half + outcome.half
        finally:
            field.close()
    said = ", ".join(f"{what} {count}" for what, count in kills.items() if count)
    counts = f"confirmés {total.acknowledged}, perdus {total.lost}, à moitié écrits {total.half}"
    sys.stdout.write(f"{held} pannes tenues sur {len(wanted)} en {(time.monotonic() - started) / 60:.0f} min ; {counts} ; ")
    sys.stdout.write(f"{kills.total()} arrêts brutaux ({said or 'aucun'})\n")
    enough = kills[SERVER] + kills[WORKER] + kills[TRAINER] >= LEAST_KILLS
    if not enough and not given.small and not given.only:
        sys.stdout.write(f"ÉCHEC : la forme longue tue serveur, analyse et apprentissage au moins {LEAST_KILLS} fois\n")
        return 1
    return 0 if held == len(wanted) else 1


def main() -> int:
    """Run them as a command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.harness.faults",
        description=DESCRIPTION,
        epilog=EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--small", action="store_true", help="forme courte : quelques arrêts par panne, comme dans les tests")
    add_options(parser)
    return carry_out(parser.parse_args(), parser)


if __name__ == "__main__":
    raise SystemExit(main())
