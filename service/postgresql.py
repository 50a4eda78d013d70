"""What PostgreSQL alone is asked: its version, how many connections it gives, how long it may take over a statement."""

from typing import Any, Final

from sqlalchemy import Connection
from sqlalchemy.engine import URL

from model.errors import VigieError
from service.settings import Settings

#: The first version that Vigie is tried on.
_OLDEST: Final = 15


def pool_of(url: URL, settings: Settings, *, ends: bool) -> dict[str, Any]:
    """How an engine keeps connections to a server, and opens them; what the address itself says holds.

    Each connection is a process of the server, which takes a hundred by default, from all of ours. With `ends`, the server
    stops a statement that takes longer than the settings allow.
    """
    wanted: dict[str, Any] = {
        "application_name": settings.database_application,
        "connect_timeout": settings.database_connect_seconds,
    }
    if ends and settings.database_statement_seconds:
        wanted["options"] = f"-c statement_timeout={settings.database_statement_seconds}s"
    return {
        "pool_size": settings.database_pool,
        "max_overflow": settings.database_pool_more,
        "pool_timeout": settings.database_wait,
        "connect_args": {name: value for name, value in wanted.items() if name not in url.query},
    }


def check_server(name: str, version: tuple[Any, ...] | None) -> None:
    """See that a server is one that Vigie is tried on; `name` of its dialect, `version`: its numbers, the first one first.

    Raises:
        VigieError: it is older.
    """
    if name == "postgresql" and version and version[0] < _OLDEST:
        shown = ".".join(map(str, version))
        raise VigieError(f"PostgreSQL {shown} : il faut PostgreSQL {_OLDEST} ou plus récent (VIGIE_DATABASE_URL).")


def unhurried(connection: Connection) -> None:
    """Until the end of its transaction, let a statement take all the time it needs: tables may be long to make anew."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
