"""Who vouches for a model: the operator's Ed25519 key, the public keys that this installation trusts, and signatures.

The private key is a PEM file (PKCS #8) that its owner alone may read, outside the folder of the models. The file of trusted keys
has one line a key, `trusted` or `revoked`, the key, and anything people may want to read after it:

    trusted ed25519:q83vEjRWeJASNFZ4kBI0VniQEjRWeJASNFZ4kBI0Vng= 2026-11-23 opératrice

A key that one line revokes is refused, whatever the other lines say. A signature is one line of fixed form, so that no byte
of it can change and mean the same:

    vigie-signature-1 ed25519 <identifier of the key, 16 digits> <signature, 128 digits>

Ed25519: RFC 8032. The signed bytes begin with a word of their own, so that a signature made for something else says nothing here.
"""

import base64
import binascii
import contextlib
import os
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Final, Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from model.errors import ArtefactError

#: Where the keys are unless the settings say otherwise, from the folder that the command is run in.
PRIVATE: Final = Path("var/keys/operator.pem")
TRUSTED: Final = Path("var/keys/trusted.txt")
_CONTEXT: Final = b"vigie artefact manifest 1\n"
_FORM: Final = "vigie-signature-1"
_SIGNATURE: Final = re.compile(rb"vigie-signature-1 ed25519 ([0-9a-f]{16}) ([0-9a-f]{128})\n")
_PREFIX: Final = "ed25519:"
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO

Verb = Literal["trusted", "revoked"]
_VERBS: Final[Mapping[str, Verb]] = {"trusted": "trusted", "revoked": "revoked"}


class SigningError(ArtefactError):
    """A key or a file of keys that cannot be used, or a signature that nobody trusted made; the message says what to do."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key of 32 bytes; `written` is how people and files give it."""

    raw: bytes

    @property
    def id(self) -> str:
        """What people call it by: the first 16 digits of the SHA-256 of its bytes."""
        return sha256(self.raw).hexdigest()[:16]

    @property
    def written(self) -> str:
        """The key in letters: « ed25519: », then its bytes in base 64."""
        return _PREFIX + base64.b64encode(self.raw).decode("ascii")

    @classmethod
    def parse(cls, written: str) -> "PublicKey":
        """The key that was written so.

        Raises:
            SigningError: it is not of that form.
        """
        try:
            raw = base64.b64decode(written.removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if len(raw) != 32 or cls(raw).written != written:
            raise SigningError(f"« {written[:80]} » n'est pas une clé publique : « {_PREFIX} » puis 44 caractères sont attendus.")
        return cls(raw)


@dataclass(frozen=True, slots=True)
class Named:
    """A line of the file of trusted keys."""

    verb: Verb
    key: PublicKey
    note: str


@dataclass(frozen=True, slots=True)
class Trust:
    """The keys that an installation trusts or has revoked, and the file that says so; can be sent to another process."""

    source: Path
    lines: tuple[Named, ...] = ()

    def revoked(self, id: str) -> Named | None:
        """The line that revokes a key, if any."""
        return next((line for line in self.lines if line.verb == "revoked" and line.key.id == id), None)

    def trusted(self, id: str) -> PublicKey | None:
        """The key of this identifier, if it is trusted and nothing revokes it."""
        if self.revoked(id):
            return None
        return next((line.key for line in self.lines if line.key.id == id), None)

    def check(self, content: bytes, signature: bytes) -> str:
        """Verify that a trusted key signed this content; returns its identifier.

        Raises:
            SigningError: the signature is malformed or wrong, or its key is unknown here or revoked.
        """
        form = _SIGNATURE.fullmatch(signature)
        if form is None:
            raise SigningError(f"la signature n'est pas de la forme attendue ({_FORM})")
        id = form[1].decode("ascii")
        if revoked := self.revoked(id):
            raise SigningError(f"signé par la clé {id}, révoquée ({revoked.note or 'sans motif'}) dans {self.source}")
        key = self.trusted(id)
        if key is None:
            raise SigningError(
                f"signé par la clé {id}, étrangère : {self.source} ne la nomme pas "
                "(« vigie keys trust » si vous connaissez qui la tient, « vigie model sign » pour en répondre vous-même)"
            )
        try:
            Ed25519PublicKey.from_public_bytes(key.raw).verify(bytes.fromhex(form[2].decode("ascii")), _CONTEXT + content)
        except InvalidSignature:
            raise SigningError(
                f"la signature n'est pas celle de ce manifeste par la clé {id} : l'un ou l'autre a changé"
            ) from None
        return id


class SigningKey:
    """The operator's private key, in memory."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes_raw())

    def sign(self, content: bytes) -> bytes:
        """The signature of some bytes, in the form that `Trust.check` reads."""
        return f"{_FORM} ed25519 {self.public.id} {self._key.sign(_CONTEXT + content).hex()}\n".encode("ascii")

    def to_pem(self) -> bytes:
        """The private key as it is kept on disk."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def new_key(private: Path) -> SigningKey:
    """Make a key and write it, for its owner's eyes alone; a file that is there is never replaced.

    Raises:
        SigningError: there is a file of that name, or it cannot be written.
    """
    key = SigningKey(Ed25519PrivateKey.generate())
    temporary = private.with_name(f".{private.name}.tmp-{os.getpid()}")
    try:
        private.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(key.to_pem())
            file.flush()
            os.fsync(file.fileno())
        # A link fails where a name is taken: two that make a key at once do not lose one.
        os.link(temporary, private)
    except FileExistsError:
        raise SigningError(f"{private} : il y a déjà une clé ici (« vigie keys rotate » la remplace et la garde).") from None
    except OSError as error:
        raise SigningError(f"{private} : clé impossible à écrire ({error.strerror}).") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return key


def read_key(private: Path) -> SigningKey:
    """The private key of a file.

    Raises:
        SigningError: it is missing, others than its owner may read it, or it is not an Ed25519 key without a password.
    """
    try:
        with private.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(10_000)
    except OSError as error:
        raise SigningError(f"VIGIE_SIGNING_KEY={private} : clé illisible ({error.strerror}) ; « vigie keys make ».") from error
    if mode & _OTHERS:
        raise SigningError(
            f"VIGIE_SIGNING_KEY={private} : d'autres peuvent lire ce fichier ({mode:o}) ; « chmod 600 {private} »."
        )
    try:
        key = load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SigningError(f"VIGIE_SIGNING_KEY={private} : une clé Ed25519 en PEM, sans mot de passe, est attendue.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningError(f"VIGIE_SIGNING_KEY={private} : une clé Ed25519 est attendue, une autre sorte est trouvée.")
    return SigningKey(key)


def read_trust(trusted: Path = TRUSTED) -> Trust:
    """The keys that a file names; a file that is not there trusts nobody.

    Raises:
        SigningError: it cannot be read, anyone may write it, or a line is malformed; the message names the line.
    """
    try:
        with trusted.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            lines = file.read().decode("utf-8").splitlines()
    except FileNotFoundError:
        return Trust(trusted)
    except (OSError, UnicodeDecodeError) as error:
        raise SigningError(f"VIGIE_TRUSTED_KEYS={trusted} : fichier illisible ({error}).") from error
    if mode & stat.S_IWOTH:
        raise SigningError(f"VIGIE_TRUSTED_KEYS={trusted} : n'importe qui peut y écrire ({mode:o}) ; « chmod 644 {trusted} ».")
    return Trust(trusted, tuple(_read_lines(trusted, lines)))


def _read_lines(trusted: Path, lines: Iterable[str]) -> Iterable[Named]:
    for number, line in enumerate(lines, start=1):
        said, _, rest = line.strip().partition(" ")
        if not said or said.startswith("#"):
            continue
        verb = _VERBS.get(said)
        if verb is None:
            raise SigningError(f"{trusted}, ligne {number} : « trusted » ou « revoked » est attendu, « {said[:40]} » trouvé.")
        written, _, note = rest.strip().partition(" ")
        try:
            yield Named(verb, PublicKey.parse(written), note.strip())
        except SigningError as error:
            raise SigningError(f"{trusted}, ligne {number} : {error}") from None


def add_line(trusted: Path, verb: Verb, key: PublicKey, note: str) -> None:
    """Add a line to the file of trusted keys, with today's date; nothing that it says is ever taken out.

    Raises:
        SigningError: it cannot be written.
    """
    said = " ".join(note.split())
    line = f"{verb} {key.written} {datetime.now(UTC):%Y-%m-%d} {said}".rstrip() + "\n"
    try:
        trusted.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(trusted, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), "ab") as file:
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise SigningError(f"VIGIE_TRUSTED_KEYS={trusted} : fichier impossible à écrire ({error.strerror}).") from error


def _trust_first(trusted: Path, key: PublicKey) -> None:
    # It takes its name with its line in it: another process that finds it empty would say that nobody is trusted.
    temporary = trusted.with_name(f".{trusted.name}.tmp-{os.getpid()}")
    try:
        temporary.unlink(missing_ok=True)  # of a process that was killed here: its line would be trusted too
        add_line(temporary, "trusted", key, "clé faite à la première utilisation")
        with contextlib.suppress(FileExistsError):  # another process has just made it
            os.link(temporary, trusted)
    except OSError as error:
        raise SigningError(f"VIGIE_TRUSTED_KEYS={trusted} : fichier impossible à écrire ({error.strerror}).") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def operator_key(private: Path = PRIVATE, trusted: Path = TRUSTED) -> SigningKey:
    """The key that signs here, which this installation must trust; on a machine that has no keys at all, both are made.

    Raises:
        SigningError: there is no private key although keys are trusted, or the one that is there is not trusted.
    """
    known = trusted.exists()  # looked at first: a process that makes both at this moment makes the private key first
    if not private.exists():
        if known:
            raise SigningError(
                f"VIGIE_SIGNING_KEY={private} : aucune clé pour signer, alors que {trusted} dit à qui se fier. Apportez la clé "
                "de l'opérateur, ou faites-en une autre : « vigie keys make »."
            )
        with contextlib.suppress(SigningError):  # another process has just made it
            new_key(private)
    key = read_key(private)
    if not trusted.exists():
        _trust_first(trusted, key.public)
    if read_trust(trusted).trusted(key.public.id) is None:
        raise SigningError(
            f"La clé {key.public.id} de {private} n'est pas de confiance, ou elle est révoquée ({trusted}) : ce qu'elle signe "
            "serait refusé. « vigie keys trust », ou « vigie keys rotate »."
        )
    return key


@dataclass(frozen=True, slots=True)
class Keys:
    """Where an installation keeps its private key and its file of trusted keys."""

    private: Path = PRIVATE
    trusted: Path = TRUSTED

    def signer(self) -> SigningKey:
        """As `operator_key`."""
        return operator_key(self.private, self.trusted)

    def trust(self) -> Trust:
        """As `read_trust`."""
        return read_trust(self.trusted)
