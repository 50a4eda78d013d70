"""How the tables came to be what they are: numbered steps, run by the service itself when it opens a database."""

from importlib.resources import files
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, inspect

from model.errors import VigieError

#: The step that made what existed before steps were counted.
_BEFORE: Final = "0001"


def configuration(connection: Connection) -> Config:
    """What Alembic needs to work on this connection, in the transaction that it is in."""
    config = Config()
    config.set_main_option("script_location", str(files("service").joinpath("migrations")).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection, to: str = "head") -> None:
    """Bring the tables up to a step, all or nothing; a database older than the steps is taken as it is.

    Raises:
        VigieError: the database is at a step that this version does not know.
    """
    config = configuration(connection)
    tables = set(inspect(connection).get_table_names())
    try:
        if "alembic_version" not in tables and "texts" in tables:
            command.stamp(config, _BEFORE)
        command.upgrade(config, to)
    except CommandError as error:
        raise VigieError(f"La base de données vient d'une version plus récente de Vigie ({error}).") from error
