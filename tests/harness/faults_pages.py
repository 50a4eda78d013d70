"""Pages of a SQLite file that are damaged: the service refuses to start on them, says what is broken, and what mends it does."""

import random
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from service.backup.copying import alone
from service.backup.create import create
from service.backup.damage import MENDABLE, check_database
from service.backup.mend import mend
from service.backup.restore import restore
from service.database import connect_database
from service.settings import Settings
from tests.harness.faults_field import Field, Outcome, add_people, environment, until
from tests.service.workplace.volume import fill

_PAGE = 4_096
_TABLES = ("items", "item_signs", "signatures", "users", "audit_records")
_INDEXES = ("ix_items_state", "ix_items_state_level_score", "ix_items_source", "sqlite_autoindex_items_1")
_SEARCH = "item_words_data"
#: Those of the short form.
_SHORT = ("items", "ix_items_state", _SEARCH)


@dataclass
class _Whole:
    """A sound database, its backup, and all that it holds."""

    path: Path
    settings: Settings
    backup: Path
    rows: dict[str, Any]


def _rows(path: Path) -> dict[str, Any]:
    """All that people could be shown: every row of every table, and what a search finds."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as opened:
        names = [name for (name,) in opened.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        found: dict[str, Any] = {
            name: sorted(map(repr, opened.execute(f'SELECT * FROM "{name}"')))
            for name in names
            if not name.startswith(("item_words", "item_numbers", "sqlite_"))
        }
        matching = "SELECT rowid FROM item_words WHERE item_words MATCH 'soin'"
        query = f"SELECT item_id FROM item_numbers WHERE number IN ({matching}) ORDER BY 1"
        found["recherche"] = opened.execute(query).fetchall()
        # Through the indexes, as pages are made.
        found["file"] = opened.execute("SELECT id FROM items WHERE state = 'new' ORDER BY level DESC, score DESC, id").fetchall()
        found["sources"] = opened.execute("SELECT source, count(*) FROM items GROUP BY source ORDER BY 1").fetchall()
    return found


def _pages(path: Path, name: str) -> list[int]:
    """The pages of a table or an index; its first one where this SQLite cannot tell the others."""
    with closing(sqlite3.connect(path)) as opened:
        try:
            return [page for (page,) in opened.execute("SELECT pageno FROM dbstat WHERE name = ?", (name,))]
        except sqlite3.OperationalError:
            return [page for (page,) in opened.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,))]


def _spoil_page(path: Path, page: int, chance: random.Random) -> None:
    """Other bytes over a page, as a disk gives back the wrong block."""
    with path.open("r+b") as file:
        file.seek((page - 1) * _PAGE)
        file.write(chance.randbytes(_PAGE))


def damaged(field: Field) -> Outcome:
    """Pages of tables, indexes and search, texts, header, end: each is told at the start, and mended by what is told."""
    outcome, chance = Outcome(), field.chance()
    with field.database("sqlite") as engine:
        fill(engine, field.some(1_500, 400))
        add_people(engine, 3)
        settings = field.settings(engine.url.render_as_string())
        path = Path(str(engine.url.database))
        backup, _ = create(settings, field.new_folder("sauvegardes"), with_model=False)
    engine.dispose()
    alone(path)
    sound = _Whole(path, settings, backup, _rows(path))
    ways = {
        **{f"page de la table {name}": name for name in _TABLES},
        **{f"page de l'index {name}": name for name in _INDEXES},
        "page de la recherche": _SEARCH,
    }
    seconds = []
    for what, name in ways.items():
        for _ in range(field.some(4, name in _SHORT) if name != "users" else 1):
            copy, settings = _copy(field, sound)
            _spoil_page(copy, chance.choice(_pages(copy, name)), chance)
            seconds.append(_refused(field, settings, what, outcome))
            _mended(sound, copy, settings, what, outcome)
    outcome.acknowledged = sum(len(rows) for rows in sound.rows.values())
    for what in ("un octet d'un texte", "l'entête", "la fin"):
        copy, settings = _copy(field, sound)
        _spoil(copy, what)
        seconds.append(_refused(field, settings, what, outcome))
        _mended(sound, copy, settings, what, outcome)
    outcome.counted |= {"dommages": len(seconds), "refus du démarrage le plus long (s)": round(max(seconds), 1)}
    _lone_bytes(field, sound, outcome)
    return outcome


def _copy(field: Field, sound: _Whole) -> tuple[Path, Settings]:
    copy = field.new_folder("abîmée") / "vigie.db"
    shutil.copyfile(sound.path, copy)
    return copy, field.settings(f"sqlite:///{copy}")


def _spoil(path: Path, what: str) -> None:
    content = bytearray(path.read_bytes())
    if what == "l'entête":
        content[:100] = bytes(100)
    elif what == "la fin":
        del content[len(content) // 2 :]
    else:
        place = content.find("Référence 1-37".encode())
        content[place] ^= 1
    path.write_bytes(content)


def _refused(field: Field, settings: Settings, what: str, outcome: Outcome) -> float:
    """The service does not start, and says what to do; how long that takes, in seconds."""
    log = field.zygote().log
    at, started = log.stat().st_size, time.monotonic()
    run = field.zygote().start(["serve"], environment(settings))
    until(run.over, 60)
    code = run.code
    run.kill()
    said = log.read_bytes()[at:].decode(errors="replace")
    outcome.expect_none_half(code in (None, 0), f"{what} : le service démarre, et sert ce qui est abîmé")
    outcome.expect("abîmé" in said, f"{what} : le démarrage dit « {said[-300:]} »")
    outcome.expect("vigie backup restore" in said or "--reindex" in said or "restaurez" in said, f"{what} : rien n'est conseillé")
    return time.monotonic() - started


def _mended(sound: _Whole, copy: Path, settings: Settings, what: str, outcome: Outcome) -> None:
    """What is advised gives back all that was there."""
    engine, since = connect_database(settings.database_url), time.monotonic()
    try:
        found = check_database(engine)
        engine.dispose()
        if all(one.kind in MENDABLE for one in found):
            mend(copy)
            outcome.counted["index refaits"] = outcome.counted.get("index refaits", 0) + 1
        else:
            restore(settings, sound.backup, replace=True)
            outcome.counted["restaurations"] = outcome.counted.get("restaurations", 0) + 1
        outcome.recovered(since)
        outcome.expect(check_database(engine) == [], f"{what} : la base reste abîmée")
    except SQLAlchemyError as error:
        outcome.wrong.append(f"{what} : {error}")
    finally:
        engine.dispose()
    now, before = _rows(copy), sound.rows
    passing = ("sessions", "claims", "sign_in_tries", "audit_records")
    differ = [name for name in before if now.get(name) != before[name] and name not in passing]
    outcome.expect_none_lost(len(differ), f"{what} : {differ} ne sont pas comme avant")


def _lone_bytes(field: Field, sound: _Whole, outcome: Outcome) -> None:
    """Single bytes anywhere in the file: how many are seen, harmless, or change what is shown without being seen."""
    chance, size = random.Random(field.seed + 1), sound.path.stat().st_size
    seen = harmless = unseen = 0
    for _ in range(field.some(300, 4)):
        copy = field.folder / "octet.db"
        shutil.copyfile(sound.path, copy)
        with copy.open("r+b") as file:
            place = file.seek(chance.randrange(size))
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ (1 << chance.randrange(8))]))
        engine = connect_database(f"sqlite:///{copy}")
        try:
            found = check_database(engine)
        finally:
            engine.dispose()
        if found:
            seen += 1
        elif _same_rows(copy, sound.rows):
            harmless += 1
        else:
            unseen += 1
    outcome.counted |= {"octets changés vus": seen, "sans effet": harmless, "que rien ne montre": unseen}


def _same_rows(path: Path, rows: dict[str, Any]) -> bool:
    try:
        return _rows(path) == rows
    except sqlite3.Error:
        # Told as soon as it is read.
        return True
