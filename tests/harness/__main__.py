"""`make harness`: twenty people who work at once, then every fault in its long form; 1 if anything is wrong in either."""

import argparse
import subprocess
import sys

from tests.harness import faults

READERS, FAULTS = "relecteurs", "pannes"
#: Options that are for the readers.
_THEIRS = {
    "seconds": ("S", "durée (300 ; 20 avec --small)"),
    "people": ("N", "personnes qui lisent ensemble (20)"),
    "texts": ("N", "textes de la file (100000 ; 5000 avec --small)"),
    "url": ("URL", "base de données vide ; par défaut un fichier SQLite"),
    "workers": ("N", "processus qui servent (1)"),
}
_SMALL = {"seconds": "20", "texts": "5000"}


def _read(given: argparse.Namespace) -> int:
    """The readers, as a command of its own; its exit code."""
    chosen = (_SMALL if given.small else {}) | {name: said for name in _THEIRS if (said := getattr(given, name)) is not None}
    words = [word for name, said in chosen.items() for word in (f"--{name}", said)]
    done = subprocess.run([sys.executable, "-m", "tests.harness.reviewers", *words], check=False)
    sys.stdout.write(f"{'ÉCHEC' if done.returncode else 'tenu '} {READERS}\n")
    sys.stdout.flush()
    # A process that a signal ended has a negative code.
    return int(done.returncode != 0)


def main() -> int:
    """Run both, or the one that is named."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.harness",
        description=f"Deux épreuves : {READERS} (vingt personnes qui décident ensemble), puis {FAULTS}. {faults.DESCRIPTION}",
        epilog=faults.EPILOGUE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="ÉPREUVE", help=f"{READERS}, {FAULTS} ; les deux par défaut")
    parser.add_argument(
        "--small", action="store_true", help="formes courtes : vingt secondes de lecture, quelques arrêts par panne"
    )
    group = parser.add_argument_group(READERS)
    for name, (value, said) in _THEIRS.items():
        group.add_argument(f"--{name}", metavar=value, help=said)
    faults.add_options(parser)
    given = parser.parse_args()
    if unknown := set(given.parts) - {READERS, FAULTS}:
        parser.error(f"« {', '.join(sorted(unknown))} » : {READERS} ou {FAULTS} est attendu")
    codes = []
    if not given.only_list and (not given.parts or READERS in given.parts):
        codes.append(_read(given))
    if given.only_list or not given.parts or FAULTS in given.parts:
        codes.append(faults.carry_out(given, parser))
    return max(codes)


if __name__ == "__main__":
    raise SystemExit(main())
