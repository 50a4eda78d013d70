"""The database: can it be reached, is it of a kind and version that serve, sound, up to date, with connections to spare?

A SQLite file is opened to be read only, and nothing is left beside it; PostgreSQL is asked in a transaction that only reads.
"""

import sqlite3
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from model.errors import VigieError
from service.backup.copying import read_only
from service.backup.damage import check_database, remedy
from service.database import connect_database
from service.doctor.findings import Finding, careful, well, wrong
from service.outages import outage_of
from service.postgresql import check_server
from service.settings import Settings
from service.workplace.times import aware

Contents = Callable[[Connection], Iterator[Finding]]

_CHECK: Final = "base"
_SHOWN: Final = (
    "server_version",
    "server_version_num",
    "server_encoding",
    "max_connections",
    "superuser_reserved_connections",
    "default_transaction_read_only",
    "data_checksums",
)
#: By how much two clocks may differ without anybody noticing.
_SKEW: Final = 30.0
_GOOD: Final = "Attendu : sqlite:///var/vigie.db, ou postgresql://vigie@hote/vigie."


def file_of(settings: Settings) -> Path | None:
    """The file of a SQLite database; None for another kind, and where the address cannot be read."""
    try:
        url = make_url(settings.database_url)
    except SQLAlchemyError:
        return None
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:") else None


def look_at_database(settings: Settings, at: datetime, contents: Contents) -> Iterator[Finding]:
    """The database that the settings name, at this instant; `contents` looks at what a database that answers holds."""
    try:
        url = make_url(settings.database_url)
    except (SQLAlchemyError, ValueError):
        yield wrong(_CHECK, "VIGIE_DATABASE_URL n'est pas une adresse de base.", _GOOD)
        return
    look = {"sqlite": _sqlite, "postgresql": _postgresql, "postgres": _postgresql}.get(url.get_backend_name())
    if look is None:
        yield wrong(_CHECK, f"VIGIE_DATABASE_URL nomme « {url.get_backend_name()} », que Vigie ne connaît pas.", _GOOD)
        return
    try:
        yield from look(url, settings, at, contents)
    except (SQLAlchemyError, ImportError, OSError) as error:
        outage = outage_of(error)
        reason = f"{outage.title} : {outage.remedy}" if outage else "Voyez son adresse, son compte et ses droits."
        yield wrong(_CHECK, f"{_shown(url)} : inutilisable ({_reason(error, url)}).", reason)


def _shown(url: URL) -> str:
    """An address without anything that may be a secret: neither password nor options."""
    return url.set(query={}).render_as_string(hide_password=True)


def _reason(error: Exception, url: URL) -> str:
    said = str(error.orig if isinstance(error, DBAPIError) else error).strip().splitlines()
    told = said[0][:200] if said else type(error).__name__
    return told.replace(str(url.password), "…") if url.password else told


def _sqlite(url: URL, settings: Settings, _: datetime, contents: Contents) -> Iterator[Finding]:
    path = file_of(settings)
    if path is None:
        yield wrong(_CHECK, "VIGIE_DATABASE_URL nomme une base en mémoire : tout est perdu à l'arrêt.", _GOOD)
        return
    if not path.exists():
        yield careful(
            _CHECK,
            f"{path} n'existe pas encore : le service la fera à son premier démarrage.",
            "Si elle devrait être là, voyez VIGIE_DATABASE_URL et le dossier où la commande est lancée.",
        )
        return
    engine = _reader(path)
    try:
        damage = check_database(engine, "quick")
        if damage:
            yield wrong(_CHECK, f"{path} est abîmée. {' '.join(str(one) for one in damage[:3])}", remedy(damage))
            return
        with engine.connect() as connection:
            encoding = connection.execute(text("PRAGMA encoding")).scalar_one()
            if encoding == "UTF-8":
                yield well(_CHECK, f"{path} : SQLite {sqlite3.sqlite_version}, pages et lignes saines, UTF-8.")
            else:
                yield wrong(
                    _CHECK, f"{path} : encodage {encoding}, UTF-8 attendu.", "Restaurez une sauvegarde dans un fichier neuf."
                )
            yield from contents(connection)
    finally:
        engine.dispose()
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & stat.S_IRWXO:
        yield careful(_CHECK, f"N'importe qui sur la machine peut lire {path} ({mode:o}).", f"« chmod 640 {path} ».")
    if settings.workers > 1:
        yield careful(
            _CHECK,
            f"{settings.workers} processus sur SQLite : un seul écrit à la fois, les autres attendent leur tour.",
            "PostgreSQL 15 ou plus récent, à partir de quelques personnes qui décident en même temps.",
        )


def _reader(path: Path) -> Engine:
    """An engine that reads the file, in use or not, and leaves nothing beside it that was not there."""
    if not path.with_name(f"{path.name}-wal").exists():
        return read_only(path)
    where = f"file:{quote(str(path))}?mode=ro"
    return create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(where, uri=True, check_same_thread=False), poolclass=NullPool
    )


@contextmanager
def _reading(url: URL, settings: Settings) -> Iterator[Connection]:
    engine = connect_database(url.render_as_string(hide_password=False), settings)
    try:
        with engine.connect().execution_options(postgresql_readonly=True) as connection:
            yield connection
    finally:
        engine.dispose()


def _postgresql(url: URL, settings: Settings, at: datetime, contents: Contents) -> Iterator[Finding]:
    with _reading(url, settings) as connection:
        shown = {name: str(connection.execute(text(f"SHOW {name}")).scalar_one()) for name in _SHOWN}
        size = connection.execute(text("SELECT pg_database_size(current_database())")).scalar_one()
        yield from look_at_server(f"{_shown(url)}, {size / 1e6:.0f} Mo", shown)
        if connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one():
            yield wrong(_CHECK, "Ce serveur est une réplique, qui ne fait que lire.", "Visez le serveur principal.")
        yield _connections(connection, settings, shown)
        yield clocks_agree(at, aware(connection.execute(text("SELECT clock_timestamp()")).scalar_one()))
        yield from contents(connection)


def look_at_server(name: str, shown: Mapping[str, str]) -> Iterator[Finding]:
    """What a PostgreSQL server shows of its parameters (`SHOW`)."""
    try:
        check_server("postgresql", divmod(int(shown["server_version_num"]), 10_000))
    except VigieError as error:
        yield wrong(_CHECK, f"{name} : {error}", "Mettez le serveur à jour, puis restaurez une sauvegarde.")
    else:
        yield well(_CHECK, f"{name} : PostgreSQL {shown['server_version']}.")
    if shown["server_encoding"] != "UTF8":
        told = f"La base est en {shown['server_encoding']}, UTF8 attendu : des textes ne pourront pas être gardés."
        yield wrong("base : encodage", told, "« createdb -E UTF8 -T template0 », puis restaurez une sauvegarde.")
    else:
        yield well("base : encodage", "UTF8.")
    if shown["default_transaction_read_only"] != "off":
        told = "Ce compte ne fait que lire (default_transaction_read_only)."
        yield wrong(_CHECK, told, "« alter role … set default_transaction_read_only = off », ou un autre compte.")
    if shown["data_checksums"] != "on":
        told = "Le serveur n'a pas de sommes de contrôle : une page abîmée ne se verrait pas."
        remedy = "« pg_checksums --enable », serveur arrêté, ou « initdb --data-checksums » pour un nouveau."
        yield careful("base : intégrité", told, remedy)
    else:
        yield well("base : intégrité", "Le serveur vérifie ses pages.")


def _connections(connection: Connection, settings: Settings, shown: Mapping[str, str]) -> Finding:
    """What so many processes may ask for at most, against what the server gives to whoever is not its superuser."""
    check = "base : connexions"
    each = settings.database_pool + settings.database_pool_more
    most, reserved = int(shown["max_connections"]), int(shown["superuser_reserved_connections"])
    used = connection.execute(text("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")).scalar_one()
    wanted, free = settings.workers * each, most - reserved
    told = f"{settings.workers} processus × {each} = {wanted} au plus ; le serveur en donne {free}, dont {used} prises"
    if wanted > free:
        return wrong(
            check,
            f"{told}.",
            f"max_connections = {wanted + reserved + 10} au serveur, ou moins de VIGIE_WORKERS ou de VIGIE_DATABASE_POOL_MORE.",
        )
    return well(check, f"{told}.")


def clocks_agree(here: datetime, there: datetime) -> Finding:
    """Whether this machine and the server's tell the same time."""
    apart = abs((here - there).total_seconds())
    if apart > _SKEW:
        told = f"Cette machine et le serveur de la base diffèrent de {apart:.0f} s."
        return careful("base : horloge", told, "Mettez les deux à l'heure (NTP).")
    return well("base : horloge", f"À {apart:.0f} s près, celle de cette machine.")
