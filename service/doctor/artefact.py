"""The model that serves: is it there, signed by a key that is believed, whole, of these libraries, and does it read a text?"""

import stat
from collections.abc import Iterator
from typing import Final

from model.errors import ArtefactError
from model.store import load_artefact
from service.doctor.findings import Finding, careful, well, wrong
from service.settings import Settings

_CHECK: Final = "modèle"


def look_at_model(settings: Settings) -> Iterator[Finding]:
    """Load it, as the service does when it starts: some seconds, and the memory of one process."""
    try:
        artefact = load_artefact(settings.model_dir, trust=settings.trust())
    except ArtefactError as error:
        yield wrong(_CHECK, str(error), "« vigie model list » dit lesquels peuvent servir ; « vigie model promote VERSION ».")
        return
    libraries = len(artefact.manifest["libraries"])
    yield well(_CHECK, f"{artefact.version} : signé par {artefact.key}, entier, {libraries} bibliothèques comme attendu.")
    mode = stat.S_IMODE(settings.model_dir.stat().st_mode)
    if mode & stat.S_IWOTH:
        yield careful(
            _CHECK,
            f"N'importe qui peut écrire dans {settings.model_dir} ({mode:o}), et choisir entre les modèles signés.",
            f"« chmod o-w {settings.model_dir} ».",
        )
