"""The file of a SQLite database taken away under a running service: said, not replaced by an empty one, and taken up once back.

By itself SQLite goes on writing to a file that has no name any more, and makes an empty one for whoever opens it next; put back,
the first one would be read with the journal of the second.
"""

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError

#: Where a connection keeps which file it has open.
_FILE = "vigie_file"


class FollowedFile:
    """The file of an engine: made by the first connection at most; those that follow want it there, and the same."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._found = False

    def follow(self, engine: Engine) -> None:
        """Watch the connections of an engine; one whose file is gone, or is another, is not used again."""
        event.listen(engine, "do_connect", self._open)
        event.listen(engine, "connect", self._opened)
        event.listen(engine, "checkout", self._check)

    def _open(self, dialect: Any, record: Any, words: Any, named: Any) -> Any:
        if not self._found:
            return None  # as it is opened by default: made where it is missing
        return sqlite3.connect(f"file:{quote(str(self.path))}?mode=rw", uri=True, **named)

    def _opened(self, connection: Any, record: Any) -> None:
        self._found = True
        record.info[_FILE] = self._identity()

    def _check(self, connection: Any, record: Any, proxy: Any) -> None:
        """Before each use.

        Raises:
            DisconnectionError: the connection is to be made again, which tells whether there is a file.
        """
        if record.info.get(_FILE) != self._identity():
            raise DisconnectionError(f"{self.path} n'est plus le même fichier.")

    def _identity(self) -> tuple[int, int] | None:
        """Which file has this name now."""
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino
