"""Is a SQLite file sound? What is broken, by table and index, in French, and what to do about it.

SQLite checks its trees and that indexes say what tables say; it keeps no sum of what rows hold. Texts have their SHA-256 beside
them, which is checked here. PostgreSQL checks its own pages where they have sums (`initdb --data-checksums`).
"""

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from service.database import sha256_text

Depth = Literal["full", "quick", "none"]
#: file: nothing can be read. table: rows are lost or cannot be read. index: rebuilt from its table. search: the words of texts,
#: rebuilt from the texts. text: a text is not the one that was received. reference: a row refers to one that is not there.
Kind = Literal["file", "table", "index", "search", "text", "reference"]

_MOST_TOLD: Final = 100
_INDEX: Final = re.compile(r"(?:missing from index|in index|entries in index) (\w+)")
_TREE: Final = re.compile(r"(?:[Tt]ree|tree page) (\d+)")
_COLUMN: Final = re.compile(r"value in (\w+)\.(\w+)")
_SEARCH: Final = "item_words"
_SEARCH_TABLES: Final = frozenset(
    {"item_words_data", "item_words_idx", "item_words_docsize", "item_words_config", "item_numbers"}
)
_AT_ONCE: Final = 2_000
#: What can be made again from the tables.
MENDABLE: Final = frozenset({"index", "search"})


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is broken: what kind, the table or index, how many times, and what SQLite or Vigie says of it."""

    kind: Kind
    name: str
    count: int
    said: str

    def __str__(self) -> str:
        """One line, in French."""
        words = {
            "file": "Le fichier n'est plus une base, ou son début est perdu",
            "table": f"La table {self.name} est abîmée",
            "index": f"L'index {self.name} ne dit plus ce que dit sa table" if self.name != "?" else "Un index est abîmé",
            "search": "L'index de recherche est abîmé",
            "text": "Des textes ne sont plus ceux qui ont été reçus",
            "reference": f"Des lignes de {self.name} renvoient à ce qui n'existe pas",
        }
        times = f", {self.count} fois" if self.count > 1 else ""
        return f"{words[self.kind]}{times} ({self.said})."


def check_database(engine: Engine, depth: Depth = "full", *, search: bool = True) -> list[Damage]:
    """What is broken in a database, as a table or an index each; empty where nothing is, and for PostgreSQL but for its texts.

    `quick`: the trees and the rows, in half a second for 340 MB. `full`: that indexes say what tables say, references, texts,
    and, unless `search` says no (it takes the place of a writer), the search index: ten to twenty times as long.

    Raises:
        DBAPIError: the database cannot be opened, or read, for another reason than damage.
    """
    if depth == "none":
        return []
    try:
        with engine.connect() as connection:
            if connection.dialect.name != "sqlite":
                return list(_changed_texts(connection)) if depth == "full" else []
            found = _said_by_sqlite(connection, "quick_check")
            if depth == "full" and not found:
                found = _said_by_sqlite(connection, "integrity_check")
            if depth == "full" and not any(one.kind in ("file", "table") for one in found):
                found += [*_lost_references(connection), *_changed_texts(connection)]
        if depth == "full" and search and not found:
            found = list(_broken_search(engine))
    except DBAPIError as error:
        return [_unreadable(error)]
    return found


def _unreadable(error: DBAPIError) -> Damage:
    """What an error says of the file.

    Raises:
        DBAPIError: nothing: it has another cause.
    """
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is None:
        # Bytes that are no UTF-8 where words should be.
        return Damage("table", "?", 1, _short(str(error.orig)))
    if code & 0xFF not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        raise error
    return Damage("file", "?", 1, _short(str(error.orig)))


def remedy(found: list[Damage]) -> str:
    """What to do about it, in French."""
    if all(one.kind in MENDABLE for one in found):
        return (
            "Rien n'est perdu : ce sont des index, refaits à partir des tables. Arrêtez le service, lancez « vigie backup check "
            "--reindex », puis relancez-le."
        )
    return (
        "Gardez une copie du fichier tel qu'il est, puis restaurez la dernière sauvegarde : « vigie backup restore SAUVEGARDE "
        "--replace » (docs/sauvegarde.md). Vérifiez le disque et la mémoire de la machine avant de reprendre."
    )


def rebuild_search(engine: Engine) -> None:
    """Make the search index of a SQLite database again, from the texts."""
    with engine.begin() as connection:
        if _has(connection, _SEARCH):
            connection.execute(text(f"INSERT INTO {_SEARCH} ({_SEARCH}) VALUES ('delete-all')"))  # noqa: S608 - our own name
            connection.execute(text("DELETE FROM item_numbers"))
            connection.execute(text("INSERT INTO item_numbers (item_id) SELECT id FROM items ORDER BY id"))
            words = "SELECT number, text FROM item_numbers JOIN items ON items.id = item_id"
            connection.execute(text(f"INSERT INTO {_SEARCH} (rowid, text) {words}"))


def _short(said: str) -> str:
    return " ".join(said.split())[:200]


def _has(connection: Connection, table: str) -> bool:
    known = connection.execute(text("SELECT count(*) FROM sqlite_master WHERE name = :name"), {"name": table})
    return bool(known.scalar_one())


def _said_by_sqlite(connection: Connection, check: str) -> list[Damage]:
    try:
        lines = [str(line) for line in connection.scalars(text(f"PRAGMA {check}(1000)"))]
    except DBAPIError as error:
        # It gave up half-way: reading each table tells whether rows are lost, or only what is made of them.
        return _read_through(connection) or [Damage("index", "?", 1, _short(str(_unreadable(error).said)))]
    if lines == ["ok"]:
        return []
    trees = _trees(connection)
    counts: dict[tuple[Kind, str], list[str]] = {}
    for whole in lines:
        for line in whole.splitlines():
            if not line.startswith("***"):
                counts.setdefault(_place(line, trees), []).append(line)
    if ("table", "?") in counts and not (lost := _read_through(connection)):
        counts[("index", "?")] = counts.pop(("table", "?"))
    elif ("table", "?") in counts:
        return lost
    return [Damage(kind, name, len(said), _short(said[0])) for (kind, name), said in counts.items()]


def _read_through(connection: Connection) -> list[Damage]:
    """The tables that cannot be read to their end, indexes left aside."""
    found = []
    tables = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE '%VIRTUAL%'"))
    for name in tables.scalars().all():
        columns = [row[1] for row in connection.execute(text(f'PRAGMA table_info("{name}")'))]
        whole = " + ".join(f'coalesce(length("{column}"), 0)' for column in columns) or "0"
        try:
            connection.execute(text(f'SELECT sum({whole}) FROM "{name}" NOT INDEXED')).all()  # noqa: S608 - names of the schema
        except DBAPIError as error:
            kind: Kind = "search" if name in _SEARCH_TABLES else "table"
            found.append(Damage(kind, _SEARCH if kind == "search" else name, 1, _unreadable(error).said))
    return found


def _trees(connection: Connection) -> dict[int, tuple[Kind, str]]:
    """The table or index of each root page. Tables that keep their rows in their own index are tables."""
    rows = connection.execute(text("SELECT rootpage, type, name, tbl_name FROM sqlite_master WHERE rootpage > 0"))
    found: dict[int, tuple[Kind, str]] = {}
    for root, kind, name, table in rows:
        if table in _SEARCH_TABLES:
            found[root] = ("search", _SEARCH)
        else:
            found[root] = ("index", name) if kind == "index" else ("table", name)
    return found


def _place(line: str, trees: dict[int, tuple[Kind, str]]) -> tuple[Kind, str]:
    if named := _INDEX.search(line):
        return "index", named[1]
    if root := _TREE.search(line):
        return trees.get(int(root[1]), ("table", "?"))
    if column := _COLUMN.search(line):
        return "table", column[1]
    return "table", "?"


def _lost_references(connection: Connection) -> Iterator[Damage]:
    counts: dict[str, list[Any]] = {}
    for row in connection.execute(text("PRAGMA foreign_key_check")):
        counts.setdefault(row[0], []).append(row[2])
    for table, parents in counts.items():
        yield Damage("reference", table, len(parents), f"vers {', '.join(sorted(set(parents)))}")


def _changed_texts(connection: Connection) -> Iterator[Damage]:
    """Texts whose SHA-256 is not the one noted when they came."""
    for table in ("items", "texts"):
        if connection.dialect.name == "sqlite" and not _has(connection, table):
            continue
        rows = connection.execution_options(stream_results=True).execute(text(f"SELECT id, text, sha256 FROM {table}"))  # noqa: S608
        wrong = [id for some in rows.partitions(_AT_ONCE) for id, content, digest in some if not _is(content, digest)]
        if wrong:
            yield Damage("text", table, len(wrong), ", ".join(wrong[:5]))


def _is(content: object, digest: object) -> bool:
    return isinstance(content, str) and sha256_text(content) == digest


def _broken_search(engine: Engine) -> Iterator[Damage]:
    try:
        with engine.begin() as connection:
            if _has(connection, _SEARCH):
                # The check has the form of a write.
                connection.execute(text(f"INSERT INTO {_SEARCH} ({_SEARCH}) VALUES ('integrity-check')"))  # noqa: S608
    except DBAPIError as error:
        code = getattr(error.orig, "sqlite_errorcode", 0) & 0xFF
        if code not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR):
            raise
        yield Damage("search", _SEARCH, 1, _short(str(error.orig)))
