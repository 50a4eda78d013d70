"""API keys: shown once, kept hashed, limited to scopes, revocable; a key may never do more than its owner's role."""

import secrets
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, get_args

from sqlalchemy import Engine, RowMapping, select

from service.secret import PLAIN, Keyring
from service.workplace.audit import record
from service.workplace.people import AccountError, Person, Role, person_of
from service.workplace.schema import API_KEYS, USERS
from service.workplace.times import aware, now

Scope = Literal["predict", "import", "export", "review", "speak"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
SCOPE_NAMES: Final[dict[Scope, str]] = {
    "predict": "analyser des textes",
    "import": "importer des textes",
    "export": "exporter textes et décisions",
    "review": "décider et corriger (Label Studio, corrections)",
    "speak": "décider au nom d'autres personnes (Label Studio)",
}
#: The role that a scope asks of the key's owner, or of who is signed in.
ROLE_OF: Final[dict[Scope, Role]] = {
    "predict": "analyst",
    "import": "analyst",
    "export": "administrator",
    "review": "analyst",
    "speak": "administrator",
}

_PREFIX: Final = "vigie_"
_SHOWN: Final = 12
_LONGEST_NAME: Final = 100
_NOTED_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Key:
    """A key as its owner sees it in a list: its beginning only."""

    id: str
    name: str
    start: str
    scopes: tuple[str, ...]
    created_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """A key that was shown: its identifier, who it speaks for, and what it may do."""

    id: str
    person: Person
    scopes: frozenset[str]


def create_key(engine: Engine, person: Person, name: str, scopes: Collection[str], keyring: Keyring = PLAIN) -> str:
    """Make a key for a person; the whole of it is returned here and never again.

    Raises:
        AccountError: the name is empty, no scope or an unknown one is asked, or one beyond the person's role.
    """
    shown = " ".join(name.split())
    if not 0 < len(shown) <= _LONGEST_NAME or not shown.isprintable():
        raise AccountError(f"Un nom de 1 à {_LONGEST_NAME} caractères est attendu pour la clé.")
    chosen = [scope for scope in SCOPES if scope in scopes]
    if not chosen or len(chosen) != len(set(scopes)):
        raise AccountError("Cochez au moins un droit pour la clé.")
    beyond = [SCOPE_NAMES[scope] for scope in chosen if not person.may(ROLE_OF[scope])]
    if beyond:
        raise AccountError(f"Votre rôle ne permet pas ce droit : {', '.join(beyond)}.")
    key, id = _PREFIX + secrets.token_urlsafe(32), str(uuid.uuid4())
    with engine.begin() as connection:
        connection.execute(
            API_KEYS.insert().values(
                id=id,
                name=shown,
                user_id=person.id,
                key_hash=keyring.hash_token(key),
                start=key[:_SHOWN],
                scopes=chosen,
                created_at=now(),
            )
        )
        record(connection, person, "key.create", f"key:{id}", {"account": person.id, "scopes": chosen})
    return key


def find_key(engine: Engine, key: str, keyring: Keyring = PLAIN) -> KeyHolder | None:
    """Who a key speaks for, unless it is revoked or the account is closed; its last use is noted to the minute."""
    at, hashed = now(), keyring.hash_token(key)
    columns = (API_KEYS.c.id.label("key_id"), API_KEYS.c.key_hash, API_KEYS.c.scopes, API_KEYS.c.used_at)
    query = select(USERS, *columns).join_from(API_KEYS, USERS)
    live = (API_KEYS.c.key_hash.in_(keyring.accepted(key)), API_KEYS.c.revoked_at.is_(None), USERS.c.active)
    with engine.connect() as connection:
        row = connection.execute(query.where(*live)).mappings().first()
    if row is None:
        return None
    if row["used_at"] is None or at - aware(row["used_at"]) >= _NOTED_EVERY or row["key_hash"] != hashed:
        with engine.begin() as connection:
            # Kept from now on under the secret that serves, where it was made under the one before.
            connection.execute(API_KEYS.update().where(API_KEYS.c.id == row["key_id"]).values(used_at=at, key_hash=hashed))
    return KeyHolder(row["key_id"], person_of(row), frozenset(row["scopes"]))


def list_keys(engine: Engine, person: Person) -> Sequence[Key]:
    """A person's keys, the newest first."""
    query = select(API_KEYS).where(API_KEYS.c.user_id == person.id).order_by(API_KEYS.c.created_at.desc(), API_KEYS.c.id)
    with engine.connect() as connection:
        return [_key_of(row) for row in connection.execute(query).mappings()]


def _key_of(row: RowMapping) -> Key:
    return Key(row["id"], row["name"], row["start"], tuple(row["scopes"]), row["created_at"], row["used_at"], row["revoked_at"])


def revoke_keys(engine: Engine, owner: Person, by: Person | None, *, only: str | None = None) -> int:
    """End a person's keys at once, or only one of them; returns how many were alive.

    The one place where a key is ended, by its owner or by an administrator (None: by the command); closing an account ends them
    too (`people.disable`).
    """
    whose = (API_KEYS.c.user_id == owner.id) & API_KEYS.c.revoked_at.is_(None)
    if only is not None:
        whose &= API_KEYS.c.id == only
    with engine.begin() as connection:
        ended = (
            connection.execute(API_KEYS.update().where(whose).values(revoked_at=now()).returning(API_KEYS.c.id)).scalars().all()
        )
        for id in ended:
            record(connection, by, "key.revoke", f"key:{id}", {"account": owner.id})
    return len(ended)


def revoke_key(engine: Engine, person: Person, key_id: str) -> bool:
    """End one of one's own keys at once; False if there is no such live key."""
    return revoke_keys(engine, person, person, only=key_id) == 1
