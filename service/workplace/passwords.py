"""Passwords: what is asked of them, and their argon2id hashes. A password is never kept, logged nor repeated."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from model.errors import VigieError

LEAST_CHARACTERS: Final = 12
_MOST_CHARACTERS: Final = 200
_LEAST_DISTINCT: Final = 5

#: OWASP's first choice of 46 MiB, read twice. Few at once: a burst of sign-ins must not take the memory of the models.
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=47_104, parallelism=1)
_AT_ONCE: Final = BoundedSemaphore(2)
#: Nor may they hold the threads that answer everything else.
_WAITING: Final = BoundedSemaphore(10)
#: A hash that no password has: what an unknown login is compared to, so that it takes as long as a known one.
_NOBODY: Final = "$argon2id$v=19$m=47104,t=2,p=1$3BhvBfAru3c4AdCDzA+QiA$5CAOtHOA3gycRuZSmYKcwW8W1Uv+RFcKQR0Qcw2GgQs"


class WeakPasswordError(VigieError):
    """A password that is too easy to guess; the message says what is asked."""


class BusyError(VigieError):
    """Too many passwords to hash at this instant."""


@contextmanager
def _turn() -> Iterator[None]:
    if not _WAITING.acquire(blocking=False):
        raise BusyError("Trop de connexions au même instant : réessayez dans quelques secondes.")
    try:
        with _AT_ONCE:
            yield
    finally:
        _WAITING.release()


def check_password(password: str, login: str) -> None:
    """Refuse a password that is easily guessed.

    Raises:
        WeakPasswordError: it has fewer than 12 or more than 200 characters, repeats a few, or holds the login.
    """
    if len(password) < LEAST_CHARACTERS:
        raise WeakPasswordError(f"Le mot de passe doit compter au moins {LEAST_CHARACTERS} caractères.")
    if len(password) > _MOST_CHARACTERS:
        raise WeakPasswordError(f"Le mot de passe ne peut pas dépasser {_MOST_CHARACTERS} caractères.")
    if len(set(password)) < _LEAST_DISTINCT:
        raise WeakPasswordError(f"Le mot de passe doit mêler au moins {_LEAST_DISTINCT} caractères différents.")
    if login and login.casefold() in password.casefold():
        raise WeakPasswordError("Le mot de passe ne doit pas contenir l'identifiant.")


def new_password() -> str:
    """A password drawn at random, to be given once to a person."""
    return secrets.token_urlsafe(15)


def hash_password(password: str) -> str:
    """The argon2id hash of a password, with its parameters.

    Raises:
        BusyError: too many are asked for at once.
    """
    with _turn():
        return _HASHER.hash(password)


def verify_password(password_hash: str | None, password: str) -> bool:
    """Whether a password is the one of a hash; without a hash the same work is done, and the answer is no.

    Raises:
        BusyError: too many are asked for at once.
    """
    if len(password) > _MOST_CHARACTERS:
        password_hash, password = None, ""
    with _turn():
        try:
            return _HASHER.verify(password_hash or _NOBODY, password) and password_hash is not None
        except (VerificationError, InvalidHashError):
            return False


def outdated(password_hash: str) -> bool:
    """Whether a hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(password_hash)
