"""Are the variables those that Vigie reads? A name mistyped is a setting that stays as it was, and nobody is told."""

import stat
from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from service.doctor.findings import Finding, careful, well, wrong
from service.settings import SECRETS, Settings

_PREFIX: Final = "VIGIE_"
_KNOWN: Final = tuple(f"{_PREFIX}{name.upper()}" for name in Settings.model_fields)
_SECRET: Final = frozenset(f"{_PREFIX}{name.upper()}" for name in SECRETS)
#: How alike two names must be, from 0 to 1, for one to be taken for the other mistyped.
_ALIKE: Final = 0.6
_CHECK: Final = "réglages : noms"
_FILE: Final = "réglages : fichier"


def look_at_names(given: Collection[str]) -> Iterator[Finding]:
    """The names of the environment's variables, of Vigie or not."""
    named = sorted(name.upper() for name in given if name.upper().startswith(_PREFIX))
    unknown = [name for name in named if name not in _KNOWN]
    yield from _unknown(_CHECK, unknown)
    if not unknown:
        yield well(_CHECK, f"{len(named)} réglage(s) posé(s), tous connus ; {len(_KNOWN) - len(named)} à leur valeur par défaut.")


def _unknown(check: str, names: Iterable[str]) -> Iterator[Finding]:
    for name in names:
        near = get_close_matches(name, _KNOWN, n=1, cutoff=_ALIKE)
        remedy = f"Le plus proche est {near[0]} : corrigez le nom." if near else "Retirez-le ; .env.example les liste tous."
        yield wrong(check, f"{name} n'est pas un réglage de Vigie : il est sans effet.", remedy)


def look_at_file(path: Path, given: Collection[str]) -> Iterator[Finding]:
    """A file of settings, `NAME=value` a line: who may read it, its names, and whether what it sets is in the environment."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "ce n'est pas de l'UTF-8"
        yield wrong(_FILE, f"{path} ne peut pas être lu ({reason}).", "Nommez un fichier NOM=valeur que ce compte peut lire.")
        return
    named = {line.partition("=")[0].strip() for line in lines if "=" in line and not line.lstrip().startswith("#")}
    unknown = sorted(name for name in named if name.startswith(_PREFIX) and name not in _KNOWN)
    secret = sorted(named & _SECRET)
    yield from _unknown(_FILE, unknown)
    if mode & stat.S_IRWXO and secret:
        yield wrong(
            _FILE, f"{path} tient {', '.join(secret)}, et n'importe qui peut le lire ({mode:o}).", f"« chmod 640 {path} »."
        )
    elif mode & stat.S_IWOTH:
        yield wrong(_FILE, f"N'importe qui peut écrire dans {path} ({mode:o}).", f"« chmod 640 {path} ».")
    left = sorted(named & set(_KNOWN) - {name.upper() for name in given})
    if left:
        yield careful(
            _FILE,
            f"{path} pose {', '.join(left)}, que cette commande ne voit pas : ce qui suit parle d'autres réglages.",
            "Lancez-la avec ces réglages (docs/exploitation.md, « Lancer une commande »).",
        )
    elif not unknown:
        yield well(_FILE, f"{path} : {len(named & set(_KNOWN))} réglage(s), droits {mode:o}.")
