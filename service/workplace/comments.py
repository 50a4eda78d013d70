"""What people tell each other about a text; comments are never changed."""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select

from model.errors import VigieError
from service.workplace.audit import record
from service.workplace.people import Person
from service.workplace.schema import COMMENTS, USERS
from service.workplace.times import aware, now

LONGEST: Final = 5_000


class CommentError(VigieError):
    """A comment that cannot be kept; the message says why."""


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment, the name of who wrote it, and when (UTC)."""

    id: str
    author: str
    text: str
    made_at: datetime


def add_comment(connection: Connection, item_id: str, person: Person, text: str) -> str:
    """Keep a comment on a text; returns its identifier.

    Raises:
        CommentError: it is empty or too long.
        IntegrityError: there is no such text.
    """
    kept = text.replace("\r\n", "\n").replace("\x00", "").strip()
    if not 0 < len(kept) <= LONGEST:
        raise CommentError(f"Un commentaire de 1 à {LONGEST} caractères est attendu.")
    id = str(uuid.uuid4())
    row = {"id": id, "item_id": item_id, "user_id": person.id, "text": kept, "made_at": now()}
    connection.execute(COMMENTS.insert().values(**row))
    record(connection, person, "text.commented", f"text:{item_id}", {"comment": id})
    return id


def comments_of(connection: Connection, item_id: str) -> list[Comment]:
    """The comments on a text, oldest first."""
    query = (
        select(COMMENTS.c.id, USERS.c.name, COMMENTS.c.text, COMMENTS.c.made_at)
        .join(USERS, USERS.c.id == COMMENTS.c.user_id)
        .where(COMMENTS.c.item_id == item_id)
        .order_by(COMMENTS.c.made_at, COMMENTS.c.id)
    )
    return [Comment(id, author, text, aware(made_at)) for id, author, text, made_at in connection.execute(query)]
