"""An artefact's folder, read once and believed only in this order: signature, name and format, then each file by its hash.

What is handed out is the bytes that were verified, never a path to open again: nothing can change between the two.
"""

import json
import os
import stat
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, Final

from model.errors import ArtefactError
from model.signing import SigningError, Trust

FORMAT: Final = "vigie-artefact-1"
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
#: Bytes: no manifest comes near the first, no file of an artefact near the second.
_MOST_MANIFEST: Final = 4 << 20
_MOST_FILE: Final = 1 << 30
_NO_LINK: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Vouched:
    """A manifest that a trusted key signed: its values, the sha256 of its bytes, the identifier of the key."""

    manifest: Mapping[str, Any]
    sha256: str
    key: str


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    """The descriptor of an artefact's folder; everything is read through it, so that swapping the folder changes nothing.

    Raises:
        ArtefactError: there is no such folder.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ArtefactError(f"Aucun artefact « {folder.name} » dans {folder.parent}.") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read_unbelieved(folder: Path, descriptor: int) -> bytes:
    """The bytes of a manifest, whoever wrote them; ArtefactError when there is none."""
    return _read(folder, descriptor, MANIFEST, _MOST_MANIFEST, "introuvable ou illisible")


def read_vouched(folder: Path, descriptor: int, trust: Trust, signature: bytes | None = None) -> Vouched:
    """The manifest of an artefact: its signature is verified before a byte of it is understood, then its name and format.

    `signature`: to be verified in the place of the one of the folder.

    Raises:
        ArtefactError: it is missing, unsigned, signed by a key that is not trusted, changed, of another format, or that of
            another model than its folder's name says.
    """
    content = read_unbelieved(folder, descriptor)
    try:
        signature = signature or _read(folder, descriptor, SIGNATURE, _MOST_MANIFEST, "")
    except ArtefactError as error:
        raise SigningError(
            f"Artefact {folder} : aucune signature ({SIGNATURE}) : rien ne dit d'où il vient. S'il est à vous, "
            f"« vigie model sign {folder.name} » en répond ; sinon, ne le chargez pas."
        ) from error
    try:
        key = trust.check(content, signature)
    except SigningError as error:
        raise SigningError(f"Artefact {folder} : {error}.") from None
    return Vouched(_understood(folder, content), sha256(content).hexdigest(), key)


def _understood(folder: Path, content: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ArtefactError(f"Artefact {folder} : le manifeste n'est pas du JSON ({error}).") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise ArtefactError(
            f"Artefact {folder} : format « {FORMAT} » attendu, « {found} » trouvé : il vient d'une autre version de Vigie ; "
            "relancez « vigie train »."
        )
    if manifest.get("version") != folder.name:
        raise ArtefactError(
            f"Artefact {folder} : son manifeste est celui du modèle « {manifest.get('version')} ». Un modèle ne se charge que "
            "sous son nom : un ancien ne peut pas prendre la place d'un autre."
        )
    return manifest


def read_files(
    folder: Path, descriptor: int, manifest: Mapping[str, Any], only: Collection[str] | None = None
) -> dict[str, bytes]:
    """The bytes of the files that a manifest names, each with the hash that it gives.

    The folder holds those files, the manifest and its signature, and nothing else; no link leads out of it. `only`: the
    files to hand out; the others are not read, and what the folder holds beside is not looked at.

    Raises:
        ArtefactError: a file is missing, changed, a link, too many, or elsewhere; the message names it.
    """
    named = manifest.get("files")
    if not isinstance(named, dict) or not all(isinstance(digest, str) for digest in named.values()):
        raise ArtefactError(f"Artefact {folder} : le manifeste ne nomme pas ses fichiers.")
    for relative in named:
        if not _inside(relative):
            raise ArtefactError(f"Artefact {folder} : le manifeste nomme « {relative} », hors du dossier.")
    if only is None:
        _check_set(folder, descriptor, named)
    found = {}
    for relative in sorted(named if only is None else set(named) & set(only)):
        content = _read(folder, descriptor, relative, _MOST_FILE, "manque ou n'est pas un fichier ordinaire")
        digest = sha256(content).hexdigest()
        if digest != named[relative]:
            raise ArtefactError(
                f"Artefact {folder} : {relative} a été modifié ou tronqué "
                f"(sha256 {digest[:12]}… au lieu de {named[relative][:12]}…)."
            )
        found[relative] = content
    return found


def _inside(relative: str) -> bool:
    path = PurePosixPath(relative)
    plain = bool(relative) and "\\" not in relative and "\x00" not in relative and path.as_posix() == relative
    return plain and not path.is_absolute() and ".." not in path.parts and relative not in (MANIFEST, SIGNATURE, ".")


def _check_set(folder: Path, descriptor: int, named: Collection[str]) -> None:
    """Refuse what a folder holds beside the files named: something put there, or left there, that nobody vouches for."""
    holders = {parent.as_posix() for name in named for parent in PurePosixPath(name).parents}
    allowed = {*named, MANIFEST, SIGNATURE}
    try:
        for path, mode in _entries(descriptor):
            if stat.S_ISLNK(mode):
                raise ArtefactError(f"Artefact {folder} : {path} est un lien ; un fichier ordinaire est attendu.")
            if path not in (holders if stat.S_ISDIR(mode) else allowed):
                raise ArtefactError(f"Artefact {folder} : {path} est en trop : le manifeste ne le nomme pas.")
    except OSError as error:
        raise ArtefactError(f"Artefact {folder} : dossier illisible ou changé pendant sa lecture ({error.strerror}).") from error


def _entries(descriptor: int) -> Iterator[tuple[str, int]]:
    """Every entry of a folder and of those inside it, as a path from it, with its mode; links are not followed."""
    for place, folders, files, inner in os.fwalk(".", dir_fd=descriptor, follow_symlinks=False):
        for name in (*folders, *files):
            yield (PurePosixPath(place) / name).as_posix(), os.stat(name, dir_fd=inner, follow_symlinks=False).st_mode


def _read(folder: Path, descriptor: int, relative: str, most: int, fault: str) -> bytes:
    """The bytes of a regular file of the folder, reached through no link."""
    *holders, name = PurePosixPath(relative).parts
    held = [descriptor]
    try:
        for holder in holders:
            held.append(os.open(holder, _NO_LINK | os.O_DIRECTORY, dir_fd=held[-1]))
        file = os.open(name, _NO_LINK, dir_fd=held[-1])
        held.append(file)
        told = os.fstat(file)
        if not stat.S_ISREG(told.st_mode):
            raise ArtefactError(f"Artefact {folder} : {relative} {fault}.")
        if told.st_size > most:
            raise ArtefactError(f"Artefact {folder} : {relative} pèse {told.st_size} octets, {most} au plus sont attendus.")
        with os.fdopen(os.dup(file), "rb") as source:
            return source.read(most)
    except OSError as error:
        raise ArtefactError(f"Artefact {folder} : {relative} {fault} ({error.strerror}).") from error
    finally:
        for one in held[1:]:
            os.close(one)
