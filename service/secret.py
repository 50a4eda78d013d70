"""What the operator's secret (VIGIE_SECRET_KEY) protects: how tokens are kept, and what browsers hold for us.

With a secret, the table of sessions and keys holds HMACs made with it: whoever reads or changes a copy of the database, without
the secret, cannot make a session or a key that this service takes. A new secret ends them all at once.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from functools import cache
from typing import Final

from cryptography.fernet import Fernet, InvalidToken

from service.settings import NO_SECRET, Settings

_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Keyring:
    """The secret that serves and the one that served before it, if any (None: a plain SHA-256, for one machine alone)."""

    current: str | None = None
    before: tuple[str | None, ...] = ()

    def hash_token(self, token: str) -> str:
        """What is kept of a token, in hexadecimal (64 characters); tokens are random and long, so nothing slower is needed."""
        return _hash(self.current, token)

    def accepted(self, token: str) -> tuple[str, ...]:
        """All that may be kept of a token that is still good: under the secret that serves, then under the one before."""
        return tuple(_hash(secret, token) for secret in (self.current, *self.before))

    def seal(self, purpose: str, content: str) -> str:
        """Encrypt and sign what a browser will keep for us; the instant is part of it. There must be a secret."""
        return self._fernet(purpose).encrypt(content.encode()).decode()

    def unseal(self, purpose: str, sealed: str, seconds: int) -> str | None:
        """What was sealed for this purpose at most so long ago; None for anything else, or without a secret."""
        if self.current is None:
            return None
        try:
            return self._fernet(purpose).decrypt(sealed.encode(), ttl=seconds).decode()
        except InvalidToken:
            return None

    def _fernet(self, purpose: str) -> Fernet:
        if self.current is None:
            raise ValueError("VIGIE_SECRET_KEY manque")
        return Fernet(base64.urlsafe_b64encode(derive(self.current, purpose)))


#: Without a secret: the service is on one machine, for who works there.
PLAIN: Final = Keyring()


def new_secret() -> str:
    """A secret drawn at random: 32 bytes, in 43 characters."""
    return secrets.token_urlsafe(_BYTES)


@cache
def derive(secret: str, purpose: str) -> bytes:
    """A key of 32 bytes for one purpose (a short constant name); what one purpose leaks says nothing of the others."""
    return hmac.digest(secret.encode(), f"vigie:{purpose}".encode(), "sha256")


def keyring_of(settings: Settings) -> Keyring:
    """The secrets of these settings."""
    current = settings.secret_key.get_secret_value() if settings.secret_key else None
    previous = settings.previous_secret_key.get_secret_value() if settings.previous_secret_key else None
    if previous is None:
        return Keyring(current)
    return Keyring(current, (None if previous == NO_SECRET else previous,))


def _hash(secret: str | None, token: str) -> str:
    if secret is None:
        return hashlib.sha256(token.encode()).hexdigest()
    return hmac.new(derive(secret, "tokens"), token.encode(), "sha256").hexdigest()
