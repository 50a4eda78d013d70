"""The chain of the audit log: what a record is, its canonical form, its hash and its seal; nothing here knows of a database.

`docs/audit.md` says the same for whoever checks an exported log without Vigie.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

#: The first word of every canonical form: another form would have another name.
FORM: Final = "vigie-audit-1"
#: What the first record says comes before it.
NOTHING: Final = "0" * 64
#: What the first record of every log is.
OPENING: Final = "journal.open"
#: The columns that the hash covers, in the order of the canonical form.
COVERED: Final = ("number", "at", "actor", "means", "means_id", "address", "action", "object", "details", "sealed_by", "previous")
#: Every column of a record.
FIELDS: Final = (*COVERED, "hash", "seal")

_HEAD: Final = re.compile(r"[0-9]{1,9}:[0-9a-f]{64}")
_KEY_WORDS: Final = b"vigie audit seal 1"
_KEY_NAME: Final = 8


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it is kept.

    `at` is an instant in UTC to the microsecond (`instant_of`), `actor` the account (its identifier, empty for none), `means` how
    it acted (session, key, command, service, visitor) and `means_id` with which key or as which user of the machine,
    `object` what it is about (`kind:identifier`), `details` a JSON object as `details_of` writes it. Hashes are hexadecimal
    SHA-256; `seal` is that of `seal_of` and `sealed_by` the name of its key, or None and empty.
    """

    number: int
    at: str
    actor: str
    means: str
    means_id: str
    address: str
    action: str
    object: str
    details: str
    sealed_by: str
    previous: str
    hash: str
    seal: str | None


@dataclass(frozen=True, slots=True)
class Head:
    """The last record of a log: its number (0: there is none) and its hash."""

    number: int
    hash: str

    def __str__(self) -> str:
        """`NUMBER:HASH`, as `read_head` reads it."""
        return f"{self.number}:{self.hash}"


#: What comes before the first record.
START: Final = Head(0, NOTHING)


def read_head(given: str) -> Head:
    """The head that `N:HASH` names.

    Raises:
        ValueError: it is not so written.
    """
    number, _, digest = given.strip().partition(":")
    kept = digest.lower()
    if not _HEAD.fullmatch(f"{number}:{kept}"):
        raise ValueError(f"« {given[:90]} » : NUMÉRO:EMPREINTE est attendu, tel que « vigie audit head » l'écrit.")
    return Head(int(number), kept)


def instant_of(moment: datetime) -> str:
    """An instant as records have it: `2026-11-30T08:05:09.000041Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def details_of(details: Mapping[str, Any]) -> str:
    """Details as records have them: JSON in ASCII, keys in order, no space.

    Raises:
        ValueError: a value is not JSON.
    """
    try:
        return json.dumps(dict(details), ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except TypeError as error:
        raise ValueError(str(error)) from error


def canonical(covered: Mapping[str, Any]) -> bytes:
    """The bytes that the hash of a record is made of: a JSON array in ASCII, without a space, of `FORM` and the columns of
    `COVERED`, where only `number` is a number.

    Raises:
        TypeError: a value is of another kind.
    """
    values = [covered[name] for name in COVERED]
    for name, value in zip(COVERED, values, strict=True):
        if type(value) is not (int if name == "number" else str):
            raise TypeError(f"{name} : {type(value).__name__}")
    return json.dumps([FORM, *values], ensure_ascii=True, separators=(",", ":")).encode("ascii")


def digest_of(covered: Mapping[str, Any]) -> str:
    """The hash of a record.

    Raises:
        TypeError: as `canonical`.
    """
    return hashlib.sha256(canonical(covered)).hexdigest()


def key_name(key: bytes) -> str:
    """What a record says of the key of its seal: it tells keys apart, and nothing of them."""
    return hashlib.sha256(_KEY_WORDS + key).hexdigest()[:_KEY_NAME]


def seal_of(key: bytes, digest: str) -> str:
    """The seal of a record by its hash: the hexadecimal HMAC-SHA256 of the hash's 64 letters."""
    return hmac.digest(key, digest.encode("utf-8", "replace"), "sha256").hex()


def chained(before: Head, values: Mapping[str, Any], key: bytes | None) -> dict[str, Any]:
    """The row that comes after a head: `values` are the columns from `at` to `details`; sealed if there is a key."""
    row = dict(values) | {
        "number": before.number + 1,
        "previous": before.hash,
        "sealed_by": key_name(key) if key is not None else "",
    }
    row["hash"] = digest_of(row)
    row["seal"] = seal_of(key, row["hash"]) if key is not None else None
    return row
