"""The key that signs models and the file of those that are believed: readable by whom they should, and by nobody else."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from model.signing import SigningError, read_key
from service.doctor.findings import Finding, careful, well, wrong
from service.settings import Settings

_SIGNING: Final = "clé de signature"
_TRUSTED: Final = "clés de confiance"


def look_at_keys(settings: Settings) -> Iterator[Finding]:
    """The private key, where there is one, and the public keys whose models are loaded."""
    yield from _private(settings)
    yield from _trusted(settings)


def _private(settings: Settings) -> Iterator[Finding]:
    path = settings.signing_key
    if not path.exists():
        yield well(_SIGNING, f"Absente ({path}) : cette machine charge des modèles et n'en signe pas.")
        return
    try:
        key = read_key(path)
    except SigningError as error:
        yield wrong(_SIGNING, str(error), "La clé reste à qui signe, seule personne à la lire (docs/artefacts.md).")
        return
    if path.resolve().is_relative_to(settings.model_dir.resolve()):
        yield wrong(
            _SIGNING,
            f"{path} est dans le dossier des modèles, qui se copie d'une machine à l'autre.",
            "Déplacez-la, et dites où dans VIGIE_SIGNING_KEY.",
        )
        return
    yield well(_SIGNING, f"{key.public.id}, lue de son propriétaire seul.")


def _trusted(settings: Settings) -> Iterator[Finding]:
    path = settings.trusted_keys
    try:
        trust = settings.trust()
    except SigningError as error:
        yield wrong(_TRUSTED, str(error), "Corrigez ce fichier : aucun modèle n'est chargé sans lui (docs/artefacts.md).")
        return
    trusted = [line.key.id for line in trust.lines if line.verb == "trusted" and not trust.revoked(line.key.id)]
    if not trusted:
        yield wrong(
            _TRUSTED,
            f"{path} ne nomme aucune clé : aucun modèle ne sera chargé.",
            "« vigie keys trust CLÉ », la clé publique de qui a entraîné le modèle ; ou « vigie train » sur une machine neuve.",
        )
        return
    if _written_by_group(path):
        yield careful(
            _TRUSTED,
            f"Le groupe de {path} peut y écrire : qui l'écrit décide de ce qui s'exécute.",
            f"« chmod 644 {path} », à un compte que le service n'utilise pas.",
        )
        return
    yield well(_TRUSTED, f"{len(trusted)} clé(s) : {', '.join(trusted)}.")


def _written_by_group(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IWGRP)
